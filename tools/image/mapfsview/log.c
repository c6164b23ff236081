// SPDX-License-Identifier: MIT
/*
 * The log.  Which groups count is what recovery says (mapfs/recover.h); this reads them once more,
 * to show each block, and tells why the first one that does not count does not.
 */
#include "view.h"

#include <mapfs/journal.h>

#include <stdlib.h>
#include <string.h>

/* --- One group --------------------------------------------------------------------------- */

static void at_fault(struct view_log_group *group, uint64_t block, const char *fault)
{
	if (group->fault)
		return;
	group->fault = fault;
	group->fault_block = block;
}

/* The i-th block of a group, a record, into *b. */
static bool read_record(struct view *v, struct view_log_group *group, uint64_t i, uint32_t kind,
	uint32_t owner, union view_block *b)
{
	uint64_t at = mapfs_ring_block(&v->sb, group->position + i);
	const char *fault;

	if (!view_read_in_place(v, at, b)) {
		at_fault(group, at, "cannot be read");
		return false;
	}
	fault = mapfs_block_fault(v->seed, b, at, kind, owner);
	if (!fault && b->header.sequence != group->sequence)
		fault = "is of an older round";
	if (fault)
		at_fault(group, at, fault);
	return !fault;
}

static const char *copy_fault(struct view *v, const struct mapfs_log_entry *e, uint64_t at)
{
	union view_block b;

	if (e->block != MAPFS_STATE_BLOCK && mapfs_block_group(&v->sb, e->block) == v->sb.n_groups)
		return "belongs where no metadata is";
	if (!view_read_in_place(v, at, &b))
		return "cannot be read";
	if (mapfs_copy_crc(v->seed, &b, e->kind) != e->crc)
		return "is not the copy that its entry means";
	return mapfs_block_fault(v->seed, &b, e->block, e->kind, b.header.owner);
}

static void read_copies(struct view *v, struct view_log_group *group,
	const struct mapfs_log_blocks *d, uint32_t first)
{
	for (uint32_t i = 0; i < MAPFS_LOG_ENTRIES && first + i < group->n_copies; i++) {
		struct view_copy *c = &group->copy[first + i];

		c->block = d->entry[i].block;
		c->kind = d->entry[i].kind;
		c->at = mapfs_ring_block(
			&v->sb, group->position + group->n_descriptors + first + i);
		c->fault = copy_fault(v, &d->entry[i], c->at);
		if (c->fault)
			at_fault(group, c->at, c->fault);
	}
}

/* From its first descriptor: how large it is. */
static bool read_shape(struct view *v, struct view_log_group *group, union view_block *b)
{
	uint64_t need;

	if (!read_record(v, group, 0, MAPFS_KIND_LOG_BLOCKS, 0, b))
		return false;
	need = mapfs_log_need(b->blocks.n_copies);
	if (b->blocks.n_copies == 0 || need > mapfs_ring_blocks(&v->sb)) {
		at_fault(group, b->header.block, "has an impossible count of copies");
		return false;
	}
	group->n_copies = b->blocks.n_copies;
	group->n_blocks = need;
	group->n_descriptors = (uint32_t)need - group->n_copies - 1;
	group->copy = view_alloc(group->n_copies, sizeof(*group->copy));
	return true;
}

void view_log_group_read(
	struct view *v, uint64_t position, uint64_t sequence, struct view_log_group *group)
{
	union view_block b;

	*group = (struct view_log_group){.sequence = sequence, .position = position};
	if (!read_shape(v, group, &b))
		return;
	for (uint32_t i = 0; i < group->n_descriptors; i++)
		if (read_record(v, group, i, MAPFS_KIND_LOG_BLOCKS, i, &b))
			read_copies(v, group, &b.blocks, i * MAPFS_LOG_ENTRIES);
	if (!read_record(
		    v, group, group->n_blocks - 1, MAPFS_KIND_LOG_COMMIT, group->n_descriptors, &b))
		return;
	group->time_ns = b.commit.time_ns;
	if (b.commit.n_copies != group->n_copies)
		at_fault(group, b.header.block, "counts other copies than the descriptors");
}

void view_log_group_free(struct view_log_group *group)
{
	free(group->copy);
}

/* --- Heads ------------------------------------------------------------------------------- */

static void print_heads(struct view *v)
{
	union view_block b;

	for (unsigned which = 0; which < MAPFS_LOG_HEADS; which++) {
		uint64_t at = v->sb.log_start + which;
		const char *fault;

		if (!view_read_in_place(v, at, &b))
			continue;
		fault = mapfs_block_fault(v->seed, &b, at, MAPFS_KIND_LOG_HEAD, which);
		view_print(v, "  head %u, block %llu: the oldest group is %llu, at offset %llu%s\n",
			which, (unsigned long long)at, (unsigned long long)b.header.sequence,
			(unsigned long long)b.head.offset,
			!v->log_fault && v->log.head == which ? "; this head counts" : "");
		if (fault)
			view_fault(v, "head %u %s", which, fault);
	}
}

/* --- Groups ------------------------------------------------------------------------------ */

/* What a copy is of, as far as its place tells. */
static void print_meaning(struct view *v, const struct view_copy *c)
{
	uint32_t group = mapfs_block_group(&v->sb, c->block);
	uint64_t i;

	view_print(v, "block %llu, %s", (unsigned long long)c->block, view_kind(c->kind));
	if (group == v->sb.n_groups || c->kind != MAPFS_KIND_INODES)
		return;
	i = c->block - mapfs_group_first(&v->sb, group) - 2;
	view_print(v, " %llu .. %llu",
		(unsigned long long)group * v->sb.inodes_per_group + i * MAPFS_INODES_PER_BLOCK + 1,
		(unsigned long long)group * v->sb.inodes_per_group +
			(i + 1) * MAPFS_INODES_PER_BLOCK);
}

static const char *fate_of(struct view *v, const struct view_copy *c)
{
	union view_block place, copy;

	if (mapfs_recovery_find(&v->log, c->block) != c->at)
		return "a later copy counts";
	if (!view_read_in_place(v, c->block, &place) || !view_read_in_place(v, c->at, &copy))
		return "cannot be compared";
	return memcmp(&place, &copy, sizeof(copy)) == 0 ? "is in place" : "to be put in place";
}

static void print_record(
	struct view *v, const struct view_log_group *g, uint64_t i, const char *what)
{
	view_print(v, "    block %llu: %s\n",
		(unsigned long long)mapfs_ring_block(&v->sb, g->position + i), what);
}

static void print_group(struct view *v, const struct view_log_group *g)
{
	char text[VIEW_TIME_BYTES];

	view_print(v,
		"group %llu: %llu blocks from offset %llu on (block %llu), copies: %u, of %s\n",
		(unsigned long long)g->sequence, (unsigned long long)g->n_blocks,
		(unsigned long long)(g->position % mapfs_ring_blocks(&v->sb)),
		(unsigned long long)mapfs_ring_block(&v->sb, g->position), g->n_copies,
		view_time(g->time_ns, text));
	for (uint32_t i = 0; i < g->n_descriptors; i++)
		print_record(v, g, i, "descriptor");
	for (uint32_t i = 0; i < g->n_copies; i++) {
		const struct view_copy *c = &g->copy[i];

		view_print(v, "    block %llu: ", (unsigned long long)c->at);
		print_meaning(v, c);
		view_print(v, ": %s\n", fate_of(v, c));
	}
	print_record(v, g, g->n_blocks - 1, "commit, so the group is whole");
}

/* Groups that count, one behind another. */
static void print_groups(struct view *v)
{
	uint64_t position = v->log.tail.position;

	for (uint64_t i = 0; i < v->log.n_groups; i++) {
		struct view_log_group g;

		view_log_group_read(v, position, v->log.tail.sequence + i, &g);
		if (g.fault)
			view_fault(v, "group %llu: block %llu %s", (unsigned long long)g.sequence,
				(unsigned long long)g.fault_block, g.fault);
		else
			print_group(v, &g);
		position += g.n_blocks;
		view_log_group_free(&g);
	}
}

/* Why the log ends where it does: no fault, for a crash may have torn what is there. */
static void print_end(struct view *v)
{
	struct view_log_group g;

	view_log_group_read(v, v->log.end.position, v->log.end.sequence, &g);
	view_print(v,
		"the log ends there: group %llu would begin at offset %llu (block %llu), but "
		"block %llu %s\n",
		(unsigned long long)v->log.end.sequence,
		(unsigned long long)(v->log.end.position % mapfs_ring_blocks(&v->sb)),
		(unsigned long long)mapfs_ring_block(&v->sb, v->log.end.position),
		(unsigned long long)g.fault_block, g.fault ? g.fault : "seems good");
	view_log_group_free(&g);
}

/* --- Older groups ------------------------------------------------------------------------ */

#define SHOWN_OLD 16

/* A first descriptor of a group before the oldest one that is kept? */
static bool begins_old_group(struct view *v, uint64_t i, union view_block *b)
{
	uint64_t at = mapfs_ring_block(&v->sb, i);

	return view_read_in_place(v, at, b) && b->header.sequence < v->log.tail.sequence &&
	       !mapfs_block_fault(v->seed, b, at, MAPFS_KIND_LOG_BLOCKS, 0);
}

static void print_old_group(struct view *v, uint64_t position, uint64_t sequence)
{
	struct view_log_group g;

	view_log_group_read(v, position, sequence, &g);
	view_print(v, "    group %llu: %llu blocks from offset %llu on, copies: %u%s\n",
		(unsigned long long)sequence, (unsigned long long)g.n_blocks,
		(unsigned long long)position, g.n_copies, g.fault ? ", written over in part" : "");
	view_log_group_free(&g);
}

/* What is still there of groups that are in place, in the order of the ring. */
static void print_old_groups(struct view *v)
{
	uint64_t n = 0;
	union view_block b;

	for (uint64_t i = 0; i < mapfs_ring_blocks(&v->sb); i++) {
		if (!begins_old_group(v, i, &b))
			continue;
		if (n == 0)
			view_print(v, "groups before them, which are in place:\n");
		if (n++ < SHOWN_OLD)
			print_old_group(v, i, b.header.sequence);
	}
	if (n > SHOWN_OLD)
		view_print(v, "    and %llu more\n", (unsigned long long)(n - SHOWN_OLD));
}

static void print_outlook(struct view *v)
{
	if (!v->log.n_groups) {
		view_print(v, "recovery: nothing to do, what is in the log is in place\n");
		return;
	}
	view_print(v,
		"recovery: groups: %llu, copies: %llu, blocks to put in place: %llu; then head %u "
		"says that the log is empty\n",
		(unsigned long long)v->log.n_groups, (unsigned long long)v->log.n_copies,
		(unsigned long long)v->log.n_moved, !v->log.head);
}

void view_log(struct view *v)
{
	uint64_t ring = mapfs_ring_blocks(&v->sb);
	uint64_t kept = v->log.end.position - v->log.tail.position;

	view_print(v, "log, blocks %llu .. %llu: two heads, and a ring of %llu blocks\n",
		(unsigned long long)v->sb.log_start,
		(unsigned long long)(v->sb.log_start + v->sb.log_blocks - 1),
		(unsigned long long)ring);
	print_heads(v);
	if (v->log_fault) {
		view_fault(
			v, "a head of the log %s: what is in the log cannot be told", v->log_fault);
		return;
	}
	view_field(v, "in use", "groups: %llu, blocks of the ring: %llu",
		(unsigned long long)v->log.n_groups, (unsigned long long)kept);
	print_groups(v);
	print_end(v);
	print_outlook(v);
	print_old_groups(v);
}

/* --- The ring, block by block ------------------------------------------------------------ */

static void mark(struct view *v, uint8_t *kind, uint64_t position, uint64_t n, enum view_ring what)
{
	for (uint64_t i = 0; i < n; i++)
		kind[(position + i) % mapfs_ring_blocks(&v->sb)] = (uint8_t)what;
}

static void mark_live(struct view *v, uint8_t *kind)
{
	uint64_t position = v->log.tail.position;

	for (uint64_t i = 0; i < v->log.n_groups; i++) {
		struct view_log_group g;

		view_log_group_read(v, position, v->log.tail.sequence + i, &g);
		mark(v, kind, position, g.n_blocks, VIEW_RING_RECORD);
		mark(v, kind, position + g.n_descriptors, g.n_copies, VIEW_RING_COPY);
		position += g.n_blocks;
		view_log_group_free(&g);
	}
}

static bool is_zero(const union view_block *b)
{
	return b->bytes[0] == 0 && memcmp(b->bytes, b->bytes + 1, sizeof(*b) - 1) == 0;
}

/* A block of the ring that is not of a group that counts, and not zero, is of an older one. */
uint8_t *view_ring_kinds(struct view *v)
{
	uint64_t ring = mapfs_ring_blocks(&v->sb);
	uint8_t *kind = view_alloc(ring, 1);
	union view_block b;

	for (uint64_t i = 0; i < ring; i++)
		if (view_read_in_place(v, mapfs_ring_block(&v->sb, i), &b) && !is_zero(&b))
			kind[i] = VIEW_RING_OLD;
	if (!v->log_fault)
		mark_live(v, kind);
	return kind;
}

/* --- A block of the log by itself -------------------------------------------------------- */

static void print_entries(struct view *v, const struct mapfs_log_blocks *d)
{
	uint64_t first = (uint64_t)d->header.owner * MAPFS_LOG_ENTRIES;

	for (uint32_t i = 0; i < MAPFS_LOG_ENTRIES && first + i < d->n_copies; i++)
		view_print(v, "    copy %llu: of block %llu, %s, checksum %08x\n",
			(unsigned long long)first + i, (unsigned long long)d->entry[i].block,
			view_kind(d->entry[i].kind), d->entry[i].crc);
}

void view_log_record(struct view *v, const union view_block *b)
{
	char text[VIEW_TIME_BYTES];

	switch (b->header.kind) {
	case MAPFS_KIND_LOG_HEAD:
		view_field(v, "oldest group", "%llu, at offset %llu",
			(unsigned long long)b->header.sequence, (unsigned long long)b->head.offset);
		break;
	case MAPFS_KIND_LOG_BLOCKS:
		view_field(v, "descriptor", "%u of group %llu; copies: %u", b->header.owner,
			(unsigned long long)b->header.sequence, b->blocks.n_copies);
		print_entries(v, &b->blocks);
		break;
	default:
		view_field(v, "commit of", "group %llu; descriptors: %u, copies: %u",
			(unsigned long long)b->header.sequence, b->header.owner,
			b->commit.n_copies);
		view_field(v, "time", "%s", view_time(b->commit.time_ns, text));
	}
}
