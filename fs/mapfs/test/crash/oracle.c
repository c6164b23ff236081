// SPDX-License-Identifier: MIT
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512u
#define NOBODY       (~0u)

/* One question: is it the state after the first `ops` operations? */
struct question {
	const struct recording *r;
	const struct model *m;
	const struct model_tree *tree;
	uint32_t epoch;
	unsigned ops;
	const struct observed *o;
	unsigned inode_of[OBSERVED_NODES]; /* the model's, by observed node */
	unsigned depth;                    /* how much agrees, to choose what to report */
	char *why;
};

#define differs(q, ...) (snprintf((q)->why, 256, __VA_ARGS__), false)

static bool owed(const struct recording *r, unsigned sync, uint32_t epoch)
{
	return r->synced[sync] <= epoch;
}

/* --- Which prefixes ---------------------------------------------------------------------- */

static unsigned called_by(const struct recording *r, uint32_t epoch)
{
	unsigned n = r->first_op;

	while (n < r->model->n_ops && r->called[n] <= epoch)
		n++;
	return n;
}

/* How many operations must have survived for the bytes of this file to be there as of `op`. */
static unsigned prefix_of_file(const struct model *m, unsigned inode, unsigned op)
{
	const struct model_inode *f = &m->inode[inode];
	unsigned n = inode == MODEL_ROOT ? 0 : f->created + 1;

	for (unsigned i = 0; i < f->n_events; i++)
		if (f->events[i].kind != MODEL_WRITE && f->events[i].op < op)
			n = f->events[i].op + 1;
	return n;
}

static unsigned owed_prefix(const struct recording *r, uint32_t epoch)
{
	const struct model *m = r->model;
	unsigned most = r->first_op;

	for (unsigned i = 0; i < m->n_syncs; i++) {
		const struct model_sync *s = &m->sync[i];
		unsigned n = s->data_only ? prefix_of_file(m, s->inode, s->op) : s->op;
		if (owed(r, i, epoch) && most < n)
			most = n;
	}
	return most;
}

uint64_t oracle_owed(const struct recording *r, uint32_t epoch)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < r->model->n_syncs; i++)
		n += owed(r, i, epoch);
	return n * (MODEL_OPS + 1) + called_by(r, epoch);
}

/* --- Data -------------------------------------------------------------------------------- */

/* The last owed sync of all of [start, end): of what was done before this operation. */
static unsigned synced_before(
	const struct question *q, unsigned inode, uint64_t start, uint64_t end)
{
	unsigned op = 0;

	for (unsigned i = 0; i < q->m->n_syncs; i++) {
		const struct model_sync *s = &q->m->sync[i];
		if (owed(q->r, i, q->epoch) && op < s->op &&
			(s->all || (s->inode == inode && s->start <= start && end <= s->end)))
			op = s->op;
	}
	return op;
}

static bool event_covers(const struct model_event *e, uint64_t start, uint64_t end)
{
	return e->start < end && start < e->end;
}

/* Zero what the cuts behind event `from` that have survived take of these bytes. */
static void apply_cuts(const struct question *q, const struct model_inode *f, unsigned from,
	uint64_t start, uint8_t *bytes)
{
	for (unsigned i = from; i < f->n_events; i++) {
		const struct model_event *e = &f->events[i];
		if (e->kind == MODEL_WRITE || e->op >= q->ops)
			continue;
		for (uint64_t b = 0; b < SECTOR_BYTES; b++)
			if (e->start <= start + b && start + b < e->end)
				bytes[b] = 0;
	}
}

/* May the first n bytes of the sector at `start` be these? */
static bool sector_allowed(
	const struct question *q, unsigned inode, uint64_t start, const uint8_t *bytes, size_t n)
{
	const struct model_inode *f = &q->m->inode[inode];
	unsigned base = 0, synced = synced_before(q, inode, start, start + SECTOR_BYTES);
	uint8_t value[SECTOR_BYTES];

	while (base < f->n_events && f->events[base].op < synced)
		base++;
	/*
	 * Event i's value: those behind the base that wrote here, and what was
	 * there at the base.
	 */
	for (unsigned i = base; i <= f->n_events; i++) {
		const struct model_event *e = i ? &f->events[i - 1] : NULL;
		if (i > base &&
			(e->kind != MODEL_WRITE || !event_covers(e, start, start + SECTOR_BYTES)))
			continue;
		if (e)
			memcpy(value, e->after + start, SECTOR_BYTES);
		else
			memset(value, 0, SECTOR_BYTES);
		apply_cuts(q, f, i, start, value);
		if (memcmp(value, bytes, n) == 0)
			return true;
	}
	return false;
}

static bool data_allowed(struct question *q, const struct observed_node *node, unsigned inode)
{
	uint64_t size = node->attr.size_bytes;

	for (uint64_t at = 0; at < size; at += SECTOR_BYTES) {
		size_t n = size - at < SECTOR_BYTES ? size - at : SECTOR_BYTES;
		if (!sector_allowed(q, inode, at, node->data + at, n))
			return differs(q,
				"%s: bytes %llu to %llu are none that may be there: %02x ...",
				node->name, (unsigned long long)at, (unsigned long long)(at + n),
				node->data[at]);
	}
	return true;
}

/* The size that syncs owe, given that `from` events have survived. */
static uint64_t owed_size(
	const struct question *q, unsigned inode, const struct model_inode *f, unsigned from)
{
	uint64_t size = from ? f->events[from - 1].size : 0;

	for (unsigned i = 0; i < q->m->n_syncs; i++) {
		const struct model_sync *s = &q->m->sync[i];
		uint64_t then = 0;
		if (!owed(q->r, i, q->epoch) || !(s->all || s->inode == inode))
			continue;
		for (unsigned e = from; e < f->n_events && f->events[e].op < s->op; e++)
			then = f->events[e].size;
		then = then < s->end ? then : s->end;
		size = size < then ? then : size;
	}
	return size;
}

static bool size_allowed(struct question *q, const struct observed_node *node, unsigned inode)
{
	const struct model_inode *f = &q->m->inode[inode];
	uint64_t size = node->attr.size_bytes, least, most;
	unsigned from = 0, end;

	for (unsigned i = 0; i < f->n_events; i++)
		if (f->events[i].kind == MODEL_SIZE && f->events[i].op < q->ops)
			from = i + 1;
	for (end = from; end < f->n_events && f->events[end].kind != MODEL_SIZE;)
		end++;
	most = least = owed_size(q, inode, f, from);
	for (unsigned i = from; i < end; i++)
		if (f->events[i].kind == MODEL_WRITE && most < f->events[i].size)
			most = f->events[i].size;
	if (size < least || size > most)
		return differs(q, "%s: the size is %llu, should be %llu to %llu", node->name,
			(unsigned long long)size, (unsigned long long)least,
			(unsigned long long)most);
	return true;
}

/* --- Attributes -------------------------------------------------------------------------- */

/* Which operation was under way at this time; NOBODY: none. */
static unsigned op_at(const struct recording *r, int64_t time)
{
	unsigned op = r->model->n_ops;

	if (time >= r->began_ns[op])
		return NOBODY;
	while (op > 0 && time < r->began_ns[op])
		op--;
	return time < r->began_ns[op] ? NOBODY : op;
}

static bool time_allowed(const struct question *q, int64_t time, unsigned inode)
{
	unsigned op = op_at(q->r, time);

	return op != NOBODY && model_touched(&q->m->inode[inode], op);
}

/* When the operation began that last changed the inode and that a sync of all of it owes. */
static int64_t owed_time(const struct question *q, unsigned inode)
{
	unsigned before = 0;

	for (unsigned i = 0; i < q->m->n_syncs; i++) {
		const struct model_sync *s = &q->m->sync[i];
		if (owed(q->r, i, q->epoch) && before < s->op &&
			(s->all || (s->inode == inode && !s->data_only)))
			before = s->op;
	}
	while (before > 0)
		if (model_stamped(&q->m->inode[inode], --before))
			return q->r->began_ns[before];
	return 0;
}

static bool times_allowed(struct question *q, const struct observed_node *node, unsigned inode)
{
	const struct fs_attr *a = &node->attr;
	bool dir = (a->mode & FS_IFMT) == FS_IFDIR;

	if (dir && op_at(q->r, a->mtime) != q->tree->inode[inode].changed)
		return differs(q, "%s/: mtime is %lld", node->name, (long long)a->mtime);
	if (!time_allowed(q, a->mtime, inode) || !time_allowed(q, a->ctime, inode))
		return differs(q, "%s: mtime %lld or ctime %lld was never set", node->name,
			(long long)a->mtime, (long long)a->ctime);
	if (a->ctime < owed_time(q, inode))
		return differs(q, "%s: ctime is %lld, before it was last synced", node->name,
			(long long)a->ctime);
	return true;
}

static bool attributes_allowed(struct question *q, unsigned i)
{
	const struct observed_node *node = &q->o->node[i];
	const struct fs_attr *a = &node->attr;
	unsigned inode = q->inode_of[i];

	if (a->mode != q->tree->inode[inode].mode)
		return differs(q, "%s: the mode is %o, should be %o", node->name, a->mode,
			q->tree->inode[inode].mode);
	if (a->nlink != q->tree->inode[inode].nlink)
		return differs(q, "%s: %u links, should be %u", node->name, a->nlink,
			q->tree->inode[inode].nlink);
	return times_allowed(q, node, inode);
}

static bool contents_allowed(struct question *q, unsigned i)
{
	const struct observed_node *node = &q->o->node[i];
	unsigned inode = q->inode_of[i];
	char target[MODEL_FILE_BYTES];

	if (node->twin != i || (node->attr.mode & FS_IFMT) == FS_IFDIR)
		return true;
	if ((node->attr.mode & FS_IFMT) == FS_IFREG)
		return size_allowed(q, node, inode) && data_allowed(q, node, inode);
	op_target(target, q->m->inode[inode].target_bytes);
	if (node->attr.size_bytes != strlen(target) ||
		memcmp(node->data, target, node->attr.size_bytes) != 0)
		return differs(q, "%s: the target is another one", node->name);
	return true;
}

/* --- Names ------------------------------------------------------------------------------- */

static unsigned find_name(const struct model_tree *t, unsigned dir, const char *name)
{
	for (unsigned i = 0; i < t->n_entries; i++)
		if (t->entry[i].dir == dir && strcmp(t->entry[i].name, name) == 0)
			return t->entry[i].inode;
	return NOBODY;
}

/* Names of one file are so on the disk, too; names of two are not. */
static bool twins_allowed(struct question *q, unsigned i)
{
	const struct observed_node *node = q->o->node;

	if (q->inode_of[i] != q->inode_of[node[i].twin])
		return differs(q, "%s and %s are one file", node[i].name, node[node[i].twin].name);
	for (unsigned k = 0; k < i; k++)
		if (q->inode_of[k] == q->inode_of[i] && node[k].twin != node[i].twin)
			return differs(q, "%s and %s are two files", node[i].name, node[k].name);
	return true;
}

static bool names_allowed(struct question *q)
{
	q->inode_of[0] = MODEL_ROOT;
	for (unsigned i = 1; i < q->o->n; i++) {
		const struct observed_node *node = &q->o->node[i];
		q->inode_of[i] = find_name(q->tree, q->inode_of[node->dir], node->name);
		if (q->inode_of[i] == NOBODY)
			return differs(q, "%s should not be there", node->name);
		if (!twins_allowed(q, i))
			return false;
	}
	if (q->o->n != q->tree->n_entries + 1)
		return differs(q, "%u names are missing", q->tree->n_entries + 1 - q->o->n);
	return true;
}

static bool allows(struct question *q)
{
	if (!names_allowed(q))
		return false;
	q->depth = 1;
	for (unsigned i = 0; i < q->o->n; i++)
		if (!attributes_allowed(q, i))
			return false;
	q->depth = 2;
	for (unsigned i = 0; i < q->o->n; i++)
		if (!contents_allowed(q, i))
			return false;
	return true;
}

bool oracle_allows(
	const struct recording *r, uint32_t epoch, const struct observed *o, char why[256])
{
	unsigned least = owed_prefix(r, epoch), most = called_by(r, epoch), best = 0;
	char said[256];
	struct question q = {.r = r, .m = r->model, .epoch = epoch, .o = o, .why = said};

	why[0] = 0;
	for (q.ops = least; q.ops <= most; q.ops++) {
		if (q.ops > least && !r->model->ordered[q.ops - 1])
			continue;
		q.tree = &r->model->tree[q.ops];
		q.depth = 0;
		if (allows(&q))
			return true;
		if (!why[0] || best < q.depth)
			snprintf(why, 256, "after %u of %u to %u operations: %.180s",
				q.ops - r->first_op, least - r->first_op, most - r->first_op, said);
		best = best < q.depth ? q.depth : best;
	}
	return false;
}
