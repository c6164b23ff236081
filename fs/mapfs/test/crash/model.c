// SPDX-License-Identifier: MIT
#include "model.h"

#include <fs/types.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 4096u
#define NOBODY      (~0u)

struct model *model_new(void)
{
	struct model *m = calloc(1, sizeof(*m));

	m->n_inodes = 1;
	m->tree[0].inode[MODEL_ROOT].mode = FS_IFDIR | 0755;
	m->tree[0].inode[MODEL_ROOT].nlink = 2;
	return m;
}

void model_free(struct model *m)
{
	for (unsigned i = 0; i < m->n_inodes; i++) {
		for (unsigned e = 0; e < m->inode[i].n_events; e++)
			free(m->inode[i].events[e].after);
		free(m->inode[i].events);
		free(m->inode[i].data);
	}
	free(m);
}

/* The tree that the operation under way makes. */
static struct model_tree *now(struct model *m)
{
	return &m->tree[m->n_ops + 1];
}

/* --- Names ------------------------------------------------------------------------------- */

/* Where a path leads: the directory it is in, and what it names there. */
struct place {
	unsigned dir, at; /* at: in tree.entry, NOBODY when there is no such name */
	unsigned inode;   /* NOBODY */
	const char *name;
};

static unsigned find_entry(const struct model_tree *t, unsigned dir, const char *name, size_t n)
{
	for (unsigned i = 0; i < t->n_entries; i++) {
		const struct model_entry *e = &t->entry[i];
		if (e->dir == dir && strlen(e->name) == n && memcmp(e->name, name, n) == 0)
			return i;
	}
	return NOBODY;
}

static bool is_dir(const struct model_tree *t, unsigned inode)
{
	return inode != NOBODY && (t->inode[inode].mode & FS_IFMT) == FS_IFDIR;
}

static bool is_file(const struct model_tree *t, unsigned inode)
{
	return inode != NOBODY && (t->inode[inode].mode & FS_IFMT) == FS_IFREG;
}

/* -ENOENT, -ENOTDIR: a directory on the way is missing.  -EBUSY: the root is in no directory. */
static int find_place(const struct model_tree *t, const char *path, struct place *p)
{
	p->dir = MODEL_ROOT;
	if (strcmp(path, "/") == 0)
		return -EBUSY;
	for (;;) {
		size_t n = strcspn(++path, "/");
		p->name = path;
		p->at = find_entry(t, p->dir, path, n);
		p->inode = p->at == NOBODY ? NOBODY : t->entry[p->at].inode;
		if (path[n] == 0)
			return n < MODEL_NAME_BYTES ? 0 : -ENAMETOOLONG;
		if (p->inode == NOBODY)
			return -ENOENT;
		if (!is_dir(t, p->inode))
			return -ENOTDIR;
		p->dir = p->inode;
		path += n;
	}
}

/* What a path names; "/" is the root. */
static int find_inode(const struct model_tree *t, const char *path, unsigned *inode)
{
	struct place p;
	int err;

	*inode = MODEL_ROOT;
	if (strcmp(path, "/") == 0)
		return 0;
	err = find_place(t, path, &p);
	*inode = p.inode;
	return err ? err : p.inode == NOBODY ? -ENOENT : 0;
}

static bool is_empty(const struct model_tree *t, unsigned dir)
{
	for (unsigned i = 0; i < t->n_entries; i++)
		if (t->entry[i].dir == dir)
			return false;
	return true;
}

static void touch(struct model *m, unsigned inode)
{
	m->inode[inode].touched[m->n_ops / 64] |= (uint64_t)1 << m->n_ops % 64;
	m->inode[inode].stamped[m->n_ops / 64] |= (uint64_t)1 << m->n_ops % 64;
}

/* Only where the page was clean. */
static void touch_by_store(struct model *m, unsigned inode)
{
	touch(m, inode);
	m->inode[inode].stamped[m->n_ops / 64] &= ~((uint64_t)1 << m->n_ops % 64);
}

static void dir_changed(struct model *m, unsigned dir)
{
	now(m)->inode[dir].changed = m->n_ops;
	touch(m, dir);
}

static void entry_add(struct model *m, unsigned dir, const char *name, unsigned inode)
{
	struct model_tree *t = now(m);
	struct model_entry *e = &t->entry[t->n_entries];

	if (t->n_entries++ == MODEL_ENTRIES)
		abort();
	e->dir = dir;
	e->inode = inode;
	strcpy(e->name, name);
	if (is_dir(t, inode))
		t->inode[dir].nlink++;
	dir_changed(m, dir);
	touch(m, inode);
}

static void entry_remove(struct model *m, unsigned at)
{
	struct model_tree *t = now(m);
	struct model_entry gone = t->entry[at];

	t->entry[at] = t->entry[--t->n_entries];
	if (is_dir(t, gone.inode))
		t->inode[gone.dir].nlink--;
	dir_changed(m, gone.dir);
	touch(m, gone.inode);
}

static int make(struct model *m, const char *path, uint32_t mode, size_t target_bytes)
{
	struct model_tree *t = now(m);
	struct place p;
	int err = find_place(t, path, &p);

	if (err || p.inode != NOBODY)
		return err ? err : -EEXIST;
	if (m->n_inodes == MODEL_INODES)
		abort();
	p.inode = m->n_inodes++;
	m->inode[p.inode].created = m->n_ops;
	m->inode[p.inode].target_bytes = target_bytes;
	if ((mode & FS_IFMT) == FS_IFREG)
		m->inode[p.inode].data = calloc(1, MODEL_FILE_BYTES);
	t->inode[p.inode].mode = mode;
	t->inode[p.inode].changed = m->n_ops;
	t->inode[p.inode].nlink = (mode & FS_IFMT) == FS_IFDIR ? 2 : 1;
	entry_add(m, p.dir, p.name, p.inode);
	return 0;
}

static int apply_link(struct model *m, const struct op *op)
{
	struct model_tree *t = now(m);
	unsigned inode;
	struct place p;
	int err = find_inode(t, op->path[0], &inode);

	if (!err)
		err = find_place(t, op->path[1], &p);
	if (err)
		return err;
	if (p.inode != NOBODY || is_dir(t, inode))
		return is_dir(t, inode) ? -EPERM : -EEXIST;
	t->inode[inode].nlink++;
	entry_add(m, p.dir, p.name, inode);
	return 0;
}

static int apply_unlink(struct model *m, const struct op *op)
{
	struct model_tree *t = now(m);
	struct place p;
	int err = find_place(t, op->path[0], &p);

	if (err || p.inode == NOBODY)
		return err ? err : -ENOENT;
	if (is_dir(t, p.inode) != (op->kind == OP_RMDIR))
		return -EISDIR;
	if (is_dir(t, p.inode) && !is_empty(t, p.inode))
		return -ENOTEMPTY;
	t->inode[p.inode].nlink -= is_dir(t, p.inode) ? 2 : 1;
	entry_remove(m, p.at);
	return 0;
}

/* Is `dir` the directory `top`, or below it? */
static bool is_below(const struct model_tree *t, unsigned dir, unsigned top)
{
	while (dir != top && dir != MODEL_ROOT)
		for (unsigned i = 0; i < t->n_entries; i++)
			if (t->entry[i].inode == dir && is_dir(t, dir)) {
				dir = t->entry[i].dir;
				break;
			}
	return dir == top;
}

static int rename_error(const struct model_tree *t, const struct place *a, const struct place *b)
{
	if (a->inode == NOBODY)
		return -ENOENT;
	if (is_dir(t, a->inode) && is_below(t, b->dir, a->inode))
		return -EINVAL;
	if (b->inode == NOBODY || a->inode == b->inode)
		return 0;
	if (is_dir(t, a->inode) != is_dir(t, b->inode))
		return is_dir(t, a->inode) ? -ENOTDIR : -EISDIR;
	return is_dir(t, b->inode) && !is_empty(t, b->inode) ? -ENOTEMPTY : 0;
}

static int apply_rename(struct model *m, const struct op *op)
{
	struct model_tree *t = now(m);
	struct place a, b;
	int err = find_place(t, op->path[0], &a);

	if (!err)
		err = find_place(t, op->path[1], &b);
	if (!err)
		err = rename_error(t, &a, &b);
	if (!err && op->kind == OP_MOVE && b.inode != NOBODY)
		err = -EEXIST;
	if (err || a.inode == b.inode)
		return err;
	if (b.inode != NOBODY) {
		t->inode[b.inode].nlink -= is_dir(t, b.inode) ? 2 : 1;
		entry_remove(m, b.at);
	}
	entry_remove(m, find_entry(t, a.dir, a.name, strlen(a.name)));
	entry_add(m, b.dir, b.name, a.inode);
	return 0;
}

static int apply_exchange(struct model *m, const struct op *op)
{
	struct model_tree *t = now(m);
	struct place a, b;
	int err = find_place(t, op->path[0], &a);

	if (!err)
		err = find_place(t, op->path[1], &b);
	if (err || a.inode == NOBODY || b.inode == NOBODY)
		return err ? err : -ENOENT;
	if ((is_dir(t, a.inode) && is_below(t, b.dir, a.inode)) ||
		(is_dir(t, b.inode) && is_below(t, a.dir, b.inode)))
		return -EINVAL;
	if (a.inode == b.inode)
		return 0;
	entry_remove(m, a.at);
	entry_remove(m, find_entry(t, b.dir, b.name, strlen(b.name)));
	entry_add(m, a.dir, a.name, b.inode);
	entry_add(m, b.dir, b.name, a.inode);
	return 0;
}

static int apply_chmod(struct model *m, const struct op *op)
{
	unsigned inode;
	int err = find_inode(now(m), op->path[0], &inode);

	if (err)
		return err;
	now(m)->inode[inode].mode &= (uint32_t)FS_IFMT;
	now(m)->inode[inode].mode |= (uint32_t)op->number[0];
	touch(m, inode);
	return 0;
}

/* --- Bytes ------------------------------------------------------------------------------- */

static void event_add(
	struct model *m, unsigned inode, enum model_event_kind kind, uint64_t start, uint64_t end)
{
	struct model_inode *f = &m->inode[inode];
	struct model_event *e;

	f->events = realloc(f->events, (f->n_events + 1) * sizeof(*f->events));
	e = &f->events[f->n_events++];
	*e = (struct model_event){kind, m->n_ops, start, end, f->size, malloc(MODEL_FILE_BYTES)};
	memcpy(e->after, f->data, MODEL_FILE_BYTES);
	m->ordered[m->n_ops] |= kind != MODEL_WRITE;
	touch(m, inode);
}

static int apply_write(struct model *m, unsigned inode, uint64_t start, uint64_t n)
{
	struct model_inode *f = &m->inode[inode];

	if (start + n > MODEL_FILE_BYTES)
		abort();
	for (uint64_t i = start; i < start + n; i++)
		f->data[i] = op_byte(m->n_ops, i);
	if (f->size < start + n)
		f->size = start + n;
	event_add(m, inode, MODEL_WRITE, start, start + n);
	return 0;
}

static int apply_truncate(struct model *m, unsigned inode, uint64_t size)
{
	struct model_inode *f = &m->inode[inode];

	if (size > MODEL_FILE_BYTES)
		abort();
	memset(f->data + size, 0, MODEL_FILE_BYTES - size);
	f->size = size;
	event_add(m, inode, MODEL_SIZE, size, MODEL_FILE_BYTES);
	return 0;
}

/* The bytes stay; the file may get larger. */
static int apply_allocate(struct model *m, unsigned inode, uint64_t end)
{
	struct model_inode *f = &m->inode[inode];

	if (end > MODEL_FILE_BYTES)
		abort();
	touch(m, inode);
	if (end <= f->size)
		return 0;
	f->size = end;
	event_add(m, inode, MODEL_SIZE, end, MODEL_FILE_BYTES);
	return 0;
}

static int apply_punch(struct model *m, unsigned inode, uint64_t start, uint64_t end)
{
	struct model_inode *f = &m->inode[inode];
	uint64_t first = (start + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
	uint64_t last = end / BLOCK_BYTES * BLOCK_BYTES;

	if (end > MODEL_FILE_BYTES)
		abort();
	memset(f->data + start, 0, end - start);
	if (first >= last) { /* no whole block */
		event_add(m, inode, MODEL_WRITE, start, end);
		return 0;
	}
	if (start < first)
		event_add(m, inode, MODEL_WRITE, start, first);
	if (last < end)
		event_add(m, inode, MODEL_WRITE, last, end);
	event_add(m, inode, MODEL_CUT, first, last);
	return 0;
}

/* Nothing but the times change. */
static int apply_scribble(struct model *m, unsigned inode, uint64_t n)
{
	if (m->inode[inode].size % BLOCK_BYTES == 0 ||
		n > BLOCK_BYTES - m->inode[inode].size % BLOCK_BYTES)
		return -EFAULT;
	touch_by_store(m, inode);
	return 0;
}

static int apply_to_file(struct model *m, const struct op *op)
{
	uint64_t first = op->number[0], second = op->number[1];
	unsigned inode;
	int err = find_inode(now(m), op->path[0], &inode);

	if (err || !is_file(now(m), inode))
		return err ? err : -EISDIR;
	switch (op->kind) {
	case OP_WRITE:
		return apply_write(m, inode, first, second);
	case OP_APPEND:
		return apply_write(m, inode, m->inode[inode].size, first);
	case OP_STORE:
		if (first + second > m->inode[inode].size)
			return -EFAULT;
		apply_write(m, inode, first, second);
		touch_by_store(m, inode);
		return 0;
	case OP_SCRIBBLE:
		return apply_scribble(m, inode, first);
	case OP_TRUNCATE:
		return apply_truncate(m, inode, first);
	case OP_PUNCH:
		return apply_punch(m, inode, first, first + second);
	case OP_ALLOCATE:
		return apply_allocate(m, inode, first + second);
	case OP_ZERO:
		apply_punch(m, inode, first, first + second);
		return apply_allocate(m, inode, first + second);
	case OP_RESERVE:
		touch(m, inode);
		return 0;
	default:
		return 0; /* held */
	}
}

/* --- Durability -------------------------------------------------------------------------- */

static int apply_sync(struct model *m, const struct op *op)
{
	struct model_sync *s = &m->sync[m->n_syncs];
	int err = 0;

	*s = (struct model_sync){.op = m->n_ops, .end = UINT64_MAX};
	s->all = op->kind == OP_SYNC;
	s->data_only = op->kind == OP_FDATASYNC || op->kind == OP_MSYNC;
	if (!s->all)
		err = find_inode(now(m), op->path[0], &s->inode);
	if (!err && op->kind == OP_MSYNC && !is_file(now(m), s->inode))
		err = -EISDIR;
	if (!err && op->kind == OP_MSYNC) {
		s->start = op->number[0] / BLOCK_BYTES * BLOCK_BYTES;
		s->end = op->number[0] + op->number[1] + BLOCK_BYTES - 1;
		s->end -= s->end % BLOCK_BYTES;
	}
	m->n_syncs += !err;
	return err;
}

void model_synced(struct model *m)
{
	m->sync[m->n_syncs++] = (struct model_sync){.op = m->n_ops, .all = true, .end = UINT64_MAX};
}

/* --- All --------------------------------------------------------------------------------- */

static int apply(struct model *m, const struct op *op)
{
	switch (op->kind) {
	case OP_CREATE:
		return make(m, op->path[0], FS_IFREG | 0644, 0);
	case OP_MKDIR:
		return make(m, op->path[0], FS_IFDIR | 0755, 0);
	case OP_SYMLINK:
		return make(m, op->path[0], FS_IFLNK | 0777, op->number[0]);
	case OP_LINK:
		return apply_link(m, op);
	case OP_UNLINK:
	case OP_RMDIR:
		return apply_unlink(m, op);
	case OP_RENAME:
	case OP_MOVE:
		return apply_rename(m, op);
	case OP_EXCHANGE:
		return apply_exchange(m, op);
	case OP_CHMOD:
		return apply_chmod(m, op);
	case OP_MSYNC:
	case OP_FSYNC:
	case OP_FDATASYNC:
	case OP_SYNC:
		return apply_sync(m, op);
	default:
		return apply_to_file(m, op);
	}
}

int model_apply(struct model *m, const struct op *op)
{
	int err;

	if (m->n_ops == MODEL_OPS)
		return -E2BIG;
	*now(m) = m->tree[m->n_ops];
	err = apply(m, op);
	if (memcmp(now(m), &m->tree[m->n_ops], sizeof(*now(m))) != 0)
		m->ordered[m->n_ops] = true;
	if (!err)
		m->n_ops++;
	return err;
}

void model_refused(struct model *m)
{
	m->tree[m->n_ops + 1] = m->tree[m->n_ops];
	m->n_ops++;
}

bool model_stamped(const struct model_inode *inode, unsigned op)
{
	return inode->stamped[op / 64] >> op % 64 & 1;
}

bool model_touched(const struct model_inode *inode, unsigned op)
{
	return inode->touched[op / 64] >> op % 64 & 1;
}
