// SPDX-License-Identifier: MIT
/*
 * Any block by its number.  What it is follows from its place (super block, state, log, bitmaps,
 * inode tables) or from its owner; what it holds, from its header.  The two need not agree, and
 * for free blocks they do not: those hold what is left of an earlier life.
 */
#include "view.h"

#include <fs/types.h>

#include <stdlib.h>
#include <string.h>

/* --- What a block holds ------------------------------------------------------------------ */

static bool has_header(const union view_block *b)
{
	return b->header.kind && strcmp(view_kind(b->header.kind), view_kind(~0u)) != 0;
}

static void print_header(struct view *v, const union view_block *b)
{
	view_field(v, "header", "%s, belongs in block %llu, owner %u, sequence %llu",
		view_kind(b->header.kind), (unsigned long long)b->header.block, b->header.owner,
		(unsigned long long)b->header.sequence);
	view_field(v, "checksum", "%08x, %s", b->header.crc,
		b->header.crc == mapfs_block_crc(v->seed, b) ? "right" : "wrong");
}

static void print_extent_node(struct view *v, const struct mapfs_extent_node *node)
{
	view_field(
		v, "node", "depth %u, %u of %u entries", node->depth, node->n, MAPFS_NODE_EXTENTS);
	if (node->depth > MAPFS_MAX_DEPTH || node->n > MAPFS_NODE_EXTENTS)
		view_fault(v, "this node has impossible sizes");
	else
		view_extents(v, node->entry, node->n, node->depth, 4);
}

/* By its header, also when the checksum is wrong; whether that is damage, who asks knows. */
static void print_contents(struct view *v, const union view_block *b)
{
	if (!has_header(b)) {
		view_hex(v, b, sizeof(*b));
		return;
	}
	print_header(v, b);
	switch (b->header.kind) {
	case MAPFS_KIND_STATE:
		view_state_fields(v, &b->state);
		break;
	case MAPFS_KIND_BLOCK_MAP:
	case MAPFS_KIND_INODE_MAP:
		view_bitmap_runs(v, &b->map, b->header.kind == MAPFS_KIND_BLOCK_MAP);
		break;
	case MAPFS_KIND_DIR:
		view_field(v, "node", "depth %u, %u of %u bytes", b->dir.depth, b->dir.bytes,
			MAPFS_DIR_NODE_BYTES);
		view_dir_records(v, &b->dir, 4);
		break;
	case MAPFS_KIND_EXTENTS:
		print_extent_node(v, &b->extents);
		break;
	case MAPFS_KIND_SYMLINK:
		view_print(v, "  %-14s ", "target");
		view_text(v, (const char *)b->bytes + sizeof(b->header),
			strnlen((const char *)b->bytes + sizeof(b->header), MAPFS_SYMLINK_MAX));
		view_print(v, "\n");
		break;
	default:
		view_log_record(v, b);
	}
}

/* --- Blocks whose place says what they are ----------------------------------------------- */

/* One line an inode of the table; `block` is where the table's block belongs. */
static void print_inodes(struct view *v, const union view_block *b, uint64_t block)
{
	uint32_t group = mapfs_block_group(&v->sb, block);
	uint64_t first = (block - mapfs_group_first(&v->sb, group) - 2) * MAPFS_INODES_PER_BLOCK;
	char mode[VIEW_MODE_BYTES];

	for (unsigned i = 0; i < MAPFS_INODES_PER_BLOCK; i++) {
		const struct mapfs_inode_disk *d = &b->inode[i];
		uint32_t ino = group * v->sb.inodes_per_group + (uint32_t)first + i + 1;

		if (d->mode == 0)
			continue;
		view_print(v, "    inode %u: %s, %u links, %llu bytes", ino,
			view_mode(d->mode, mode), d->nlink, (unsigned long long)d->size);
		view_inode_name(v, ino);
		view_print(v, "\n");
		if (d->crc != mapfs_inode_crc(v->seed, ino, d))
			view_fault(v, "inode %u has a wrong checksum", ino);
	}
}

static bool in_inode_table(struct view *v, uint64_t block)
{
	uint32_t group = mapfs_block_group(&v->sb, block);
	uint64_t index;

	if (group == v->sb.n_groups)
		return false;
	index = block - mapfs_group_first(&v->sb, group);
	return index >= 2 && index < mapfs_group_overhead(&v->sb);
}

/* The group of the log that has this block as a copy; what of, or 0. */
static uint64_t copied_block(struct view *v, uint64_t at, uint32_t *kind, uint64_t *sequence)
{
	uint64_t position = v->log.tail.position, found = 0;

	for (uint64_t i = 0; i < v->log.n_groups && !found; i++) {
		struct view_log_group g;

		view_log_group_read(v, position, v->log.tail.sequence + i, &g);
		for (uint32_t c = 0; c < g.n_copies; c++) {
			if (g.copy[c].at != at)
				continue;
			found = g.copy[c].block;
			*kind = g.copy[c].kind;
			*sequence = g.sequence;
		}
		position += g.n_blocks;
		view_log_group_free(&g);
	}
	return found;
}

static void print_log_block(struct view *v, uint64_t block, const union view_block *b)
{
	uint64_t sequence = 0, copied;
	uint32_t kind = 0;

	view_print(v, "block %llu: of the log", (unsigned long long)block);
	if (block < v->sb.log_start + MAPFS_LOG_HEADS)
		view_print(v, ", head %llu\n", (unsigned long long)(block - v->sb.log_start));
	else
		view_print(v, ", ring offset %llu\n",
			(unsigned long long)(block - v->sb.log_start - MAPFS_LOG_HEADS));
	copied = copied_block(v, block, &kind, &sequence);
	if (copied)
		view_field(v, "copy of", "block %llu, %s, in group %llu, which counts",
			(unsigned long long)copied, view_kind(kind), (unsigned long long)sequence);
	if (copied && kind == MAPFS_KIND_INODES && in_inode_table(v, copied))
		print_inodes(v, b, copied);
	else
		print_contents(v, b);
}

static void print_super(struct view *v, uint64_t block, const union view_block *b)
{
	bool read_only;
	const char *fault = mapfs_super_fault(&b->super, v->n_device_blocks, &read_only);

	view_print(v, "block %llu: %s\n", (unsigned long long)block,
		block == MAPFS_SUPER_BLOCK ? "super block" : "copy of the super block");
	if (fault)
		view_fault(v, "%s", fault);
	view_super_fields(v, &b->super);
}

/* Where the group's own blocks are, each has its kind. */
static void print_group_block(struct view *v, uint64_t block, const union view_block *b)
{
	uint32_t group = mapfs_block_group(&v->sb, block);
	uint64_t index = block - mapfs_group_first(&v->sb, group);
	uint32_t kind = index == 0   ? MAPFS_KIND_BLOCK_MAP
			: index == 1 ? MAPFS_KIND_INODE_MAP
				     : MAPFS_KIND_INODES;
	const char *fault = mapfs_block_fault(v->seed, b, block, kind, group);

	view_where(v, block);
	view_print(v, ": %s of group %u\n",
		kind == MAPFS_KIND_INODES ? "inode table" : view_kind(kind), group);
	if (fault)
		view_fault(v, "block %llu %s", (unsigned long long)block, fault);
	if (kind == MAPFS_KIND_INODES)
		print_inodes(v, b, block);
	else
		print_contents(v, b);
}

/* --- Blocks of the data area ------------------------------------------------------------- */

static const uint32_t kind_of_role[] = {
	[VIEW_DIR] = MAPFS_KIND_DIR,
	[VIEW_EXTENTS] = MAPFS_KIND_EXTENTS,
	[VIEW_SYMLINK] = MAPFS_KIND_SYMLINK,
};

static void print_owner(struct view *v, uint64_t block, const struct view_owner *owner, int used)
{
	uint64_t byte = (uint64_t)owner->logical * MAPFS_BLOCK_BYTES;

	view_where(v, block);
	switch (owner->role) {
	case VIEW_NOBODY:
		view_print(v, ": %s", used == 0 ? "free" : "nobody's");
		break;
	case VIEW_DATA:
	case VIEW_UNWRITTEN:
		view_print(v, ": %s of inode %u",
			owner->role == VIEW_DATA ? "data" : "unwritten block", owner->ino);
		view_inode_name(v, owner->ino);
		view_print(v, ", file block %u, bytes %llu .. %llu", owner->logical,
			(unsigned long long)byte, (unsigned long long)byte + MAPFS_BLOCK_BYTES - 1);
		break;
	default:
		view_print(v, ": %s of inode %u", view_kind(kind_of_role[owner->role]), owner->ino);
		view_inode_name(v, owner->ino);
	}
	view_print(v, "\n");
	if (used < 0)
		view_fault(v, "the bitmap of its group cannot be read");
	else if (used && owner->role == VIEW_NOBODY)
		view_fault(v, "it is marked as in use");
	else if (!used && owner->role != VIEW_NOBODY)
		view_fault(v, "it is marked as free");
}

/* Damaged nodes are nobody's, but they say whose they were. */
static void print_claim(struct view *v, uint64_t block, const union view_block *b)
{
	const struct mapfs_header *h = &b->header;
	const char *fault = mapfs_block_fault(v->seed, b, block, h->kind, h->owner);

	if (has_header(b) && fault)
		view_fault(v, "block %llu, %s of inode %u as it says, %s",
			(unsigned long long)block, view_kind(h->kind), h->owner, fault);
}

static void print_data_block(struct view *v, uint64_t block, const union view_block *b)
{
	struct view_owner owner = view_owner_of(v, block);
	int used = view_block_used(v, block);
	const char *fault = NULL;

	print_owner(v, block, &owner, used);
	if (owner.role == VIEW_NOBODY && used > 0)
		print_claim(v, block, b);
	if (owner.role == VIEW_DIR || owner.role == VIEW_EXTENTS || owner.role == VIEW_SYMLINK)
		fault = mapfs_block_fault(v->seed, b, block, kind_of_role[owner.role], owner.ino);
	if (fault)
		view_fault(v, "block %llu %s", (unsigned long long)block, fault);
	/* A file may hold what looks like metadata: a copy of an image. */
	if (owner.role == VIEW_DATA || owner.role == VIEW_UNWRITTEN)
		view_hex(v, b, sizeof(*b));
	else
		print_contents(v, b);
}

/* Super blocks that cannot be used say nothing about places. */
static void print_unplaced(struct view *v, uint64_t block, const union view_block *b)
{
	if (memcmp(b->super.magic, MAPFS_MAGIC, sizeof(b->super.magic)) == 0) {
		print_super(v, block, b);
		return;
	}
	view_print(v, "block %llu\n", (unsigned long long)block);
	view_hex(v, b, sizeof(*b));
}

static bool in_log(struct view *v, uint64_t block)
{
	return block >= v->sb.log_start && block < v->sb.log_start + v->sb.log_blocks;
}

void view_one_block(struct view *v, uint64_t block)
{
	union view_block b;

	view_index(v);
	if (!(v->super_fault ? view_read_in_place : view_read)(v, block, &b))
		return;
	if (v->super_fault) {
		print_unplaced(v, block, &b);
	} else if (block == MAPFS_SUPER_BLOCK || block == v->sb.n_blocks - 1) {
		print_super(v, block, &b);
	} else if (block == MAPFS_STATE_BLOCK) {
		view_state(v);
	} else if (in_log(v, block)) {
		print_log_block(v, block, &b);
	} else if (mapfs_data_run_valid(&v->sb, block, 1)) {
		print_data_block(v, block, &b);
	} else if (mapfs_block_group(&v->sb, block) < v->sb.n_groups) {
		print_group_block(v, block, &b);
	} else {
		view_print(v, "block %llu: outside of all groups\n", (unsigned long long)block);
		print_contents(v, &b);
	}
}

static const char *place_name(struct view *v, uint64_t block)
{
	uint64_t index;

	if (block == MAPFS_SUPER_BLOCK)
		return "super block";
	if (block == v->sb.n_blocks - 1)
		return "copy of the super block";
	if (block == MAPFS_STATE_BLOCK)
		return "state block";
	if (in_log(v, block))
		return "log";
	if (mapfs_block_group(&v->sb, block) == v->sb.n_groups)
		return "outside of all groups";
	index = block - mapfs_group_first(&v->sb, mapfs_block_group(&v->sb, block));
	return index == 0 ? "bitmap of blocks" : index == 1 ? "bitmap of inodes" : "inode table";
}

void view_owner(struct view *v, uint64_t block)
{
	struct view_owner owner;

	view_index(v);
	if (!mapfs_data_run_valid(&v->sb, block, 1)) {
		view_print(v, "block %llu: %s\n", (unsigned long long)block, place_name(v, block));
		return;
	}
	owner = view_owner_of(v, block);
	print_owner(v, block, &owner, view_block_used(v, block));
}
