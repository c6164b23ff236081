// SPDX-License-Identifier: MIT
/*
 * The disk as runs of blocks: what has its fixed place, what inodes have, and between them what the
 * bitmaps say.  And what follows: how much of each kind there is, how the free space lies, in how
 * many parts files are.
 */
#include "view.h"

#include <fs/types.h>

#include <stdlib.h>
#include <string.h>

const char *const view_use_name[VIEW_USES] = {
	[VIEW_USE_SUPER] = "super blocks",
	[VIEW_USE_STATE] = "state",
	[VIEW_USE_LOG_HEAD] = "log: heads",
	[VIEW_USE_LOG_LIVE] = "log: to be replayed",
	[VIEW_USE_LOG_OLD] = "log: already in place",
	[VIEW_USE_LOG_FREE] = "log: never used",
	[VIEW_USE_BITMAP] = "bitmaps",
	[VIEW_USE_INODES] = "inode tables",
	[VIEW_USE_DIR] = "directories",
	[VIEW_USE_EXTENTS] = "extent nodes",
	[VIEW_USE_SYMLINK] = "symlink targets",
	[VIEW_USE_DATA] = "file data",
	[VIEW_USE_UNWRITTEN] = "unwritten",
	[VIEW_USE_FREE] = "free",
	[VIEW_USE_LOST] = "marked used, nobody's",
	[VIEW_USE_CLASH] = "marked free, but used",
	[VIEW_USE_NONE] = "outside of all groups",
};

/* --- Claims: runs that somebody has ------------------------------------------------------ */

struct claims {
	struct view_run *run;
	size_t n, room;
};

static void claim(struct claims *c, uint64_t start, uint64_t count, enum view_use use, uint32_t ino,
	uint32_t logical)
{
	if (count == 0)
		return;
	if (c->n == c->room) {
		c->room = c->room ? c->room * 2 : 64;
		c->run = realloc(c->run, c->room * sizeof(*c->run));
		if (!c->run)
			image_die(8, "out of memory");
	}
	c->run[c->n++] = (struct view_run){start, count, use, ino, logical};
}

static void claim_log(struct view *v, struct claims *c)
{
	static const enum view_use use[] = {
		[VIEW_RING_UNUSED] = VIEW_USE_LOG_FREE,
		[VIEW_RING_OLD] = VIEW_USE_LOG_OLD,
		[VIEW_RING_RECORD] = VIEW_USE_LOG_LIVE,
		[VIEW_RING_COPY] = VIEW_USE_LOG_LIVE,
	};
	uint64_t ring = mapfs_ring_blocks(&v->sb), start = v->sb.log_start + MAPFS_LOG_HEADS, end;
	uint8_t *kind = view_ring_kinds(v);

	claim(c, v->sb.log_start, MAPFS_LOG_HEADS, VIEW_USE_LOG_HEAD, 0, 0);
	for (uint64_t i = 0; i < ring; i = end) {
		for (end = i; end < ring && use[kind[end]] == use[kind[i]]; end++)
			;
		claim(c, start + i, end - i, use[kind[i]], 0, 0);
	}
	free(kind);
}

static void claim_fixed(struct view *v, struct claims *c)
{
	claim(c, MAPFS_SUPER_BLOCK, 1, VIEW_USE_SUPER, 0, 0);
	claim(c, MAPFS_STATE_BLOCK, 1, VIEW_USE_STATE, 0, 0);
	claim_log(v, c);
	for (uint32_t g = 0; g < v->sb.n_groups; g++) {
		uint64_t first = mapfs_group_first(&v->sb, g);

		claim(c, first, 2, VIEW_USE_BITMAP, 0, 0);
		claim(c, first + 2, mapfs_inode_table_blocks(&v->sb), VIEW_USE_INODES, 0, 0);
	}
	claim(c, v->sb.n_blocks - 1, 1, VIEW_USE_SUPER, 0, 0);
}

static void claim_inode(struct claims *c, uint32_t ino, const struct fsck_inode *inode)
{
	static const enum view_use use[] = {
		[VIEW_DATA] = VIEW_USE_DATA,
		[VIEW_DIR] = VIEW_USE_DIR,
		[VIEW_SYMLINK] = VIEW_USE_SYMLINK,
	};

	for (unsigned i = 0; i < inode->n_pieces; i++) {
		const struct mapfs_piece *p = &inode->piece[i];

		claim(c, p->start, p->count,
			p->unwritten ? VIEW_USE_UNWRITTEN : use[view_role_of(inode)], ino,
			p->logical);
	}
	for (unsigned i = 0; i < inode->n_nodes; i++)
		claim(c, inode->node[i], 1, VIEW_USE_EXTENTS, ino, 0);
	for (unsigned i = 0; inode->dir && i < inode->dir->n_nodes; i++)
		claim(c, inode->dir->node[i], 1, VIEW_USE_DIR, ino, 0);
}

static int by_start(const void *a, const void *b)
{
	const struct view_run *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void read_claims(struct view *v, struct claims *c)
{
	claim_fixed(v, c);
	for (uint32_t ino = 1; ino <= v->fsck->n_inodes; ino++)
		if (v->fsck->inodes[ino].in_use)
			claim_inode(c, ino, &v->fsck->inodes[ino]);
	qsort(c->run, c->n, sizeof(*c->run), by_start);
}

/* --- Runs -------------------------------------------------------------------------------- */

/* The bitmaps of all groups, one after another; NULL where one cannot be believed. */
struct bitmaps {
	union view_block *block;
	bool *good;
};

static void read_bitmaps(struct view *v, struct bitmaps *maps)
{
	maps->block = view_alloc(v->sb.n_groups, sizeof(*maps->block));
	maps->good = view_alloc(v->sb.n_groups, sizeof(*maps->good));
	for (uint32_t g = 0; g < v->sb.n_groups; g++) {
		uint64_t at = mapfs_block_map_at(&v->sb, g);
		uint64_t from = mapfs_recovery_find(&v->log, at);

		maps->good[g] =
			blk_read(v->dev, from * MAPFS_BLOCK_SECTORS, &maps->block[g],
				MAPFS_BLOCK_BYTES) == 0 &&
			!mapfs_block_fault(v->seed, &maps->block[g], at, MAPFS_KIND_BLOCK_MAP, g);
	}
}

/* What the bitmaps make of a block that is claimed for `use`, or of one that is not. */
static enum view_use judge(
	struct view *v, const struct bitmaps *maps, uint64_t block, bool claimed, enum view_use use)
{
	uint32_t g = mapfs_block_group(&v->sb, block);
	uint64_t i;
	bool used;

	if (g == v->sb.n_groups)
		return claimed ? use : VIEW_USE_NONE;
	if (!maps->good[g])
		return claimed ? use : VIEW_USE_FREE;
	i = block - mapfs_group_first(&v->sb, g);
	used = maps->block[g].map.bits[i / 8] >> i % 8 & 1;
	if (claimed)
		return used ? use : VIEW_USE_CLASH;
	return used ? VIEW_USE_LOST : VIEW_USE_FREE;
}

static void add_run(struct view_layout *layout, struct claims *out, const struct view_run *run)
{
	struct view_run *last = out->n ? &out->run[out->n - 1] : NULL;

	layout->blocks[run->use] += run->count;
	if (last && last->use == run->use && last->ino == run->ino &&
		(run->use != VIEW_USE_DATA && run->use != VIEW_USE_UNWRITTEN
				? true
				: last->logical + last->count == run->logical))
		last->count += run->count;
	else
		claim(out, run->start, run->count, run->use, run->ino, run->logical);
}

/* [start, end), claimed by *by or by nobody, cut where the bitmap changes its mind. */
static void add_range(struct view *v, struct view_layout *layout, struct claims *out,
	const struct bitmaps *maps, uint64_t start, uint64_t end, const struct view_run *by)
{
	uint64_t next;

	for (uint64_t at = start; at < end; at = next) {
		enum view_use use = judge(v, maps, at, by, by ? by->use : VIEW_USE_FREE);
		struct view_run run = {.start = at, .use = use};

		for (next = at + 1; next < end; next++)
			if (judge(v, maps, next, by, by ? by->use : VIEW_USE_FREE) != use)
				break;
		run.count = next - at;
		if (by) {
			run.ino = by->ino;
			run.logical = by->logical + (uint32_t)(at - by->start);
		}
		add_run(layout, out, &run);
	}
}

void view_layout_read(struct view *v, struct view_layout *layout)
{
	struct claims claims = {0}, out = {0};
	struct bitmaps maps;
	uint64_t at = 0;

	memset(layout, 0, sizeof(*layout));
	read_claims(v, &claims);
	read_bitmaps(v, &maps);
	for (size_t i = 0; i < claims.n; i++) {
		const struct view_run *c = &claims.run[i];

		add_range(v, layout, &out, &maps, at, c->start, NULL);
		add_range(v, layout, &out, &maps, c->start, c->start + c->count, c);
		at = c->start + c->count;
	}
	free(claims.run);
	free(maps.block);
	free(maps.good);
	layout->run = out.run;
	layout->n = out.n;
}

void view_layout_free(struct view_layout *layout)
{
	free(layout->run);
}

/* --- Summary ----------------------------------------------------------------------------- */

static double percent(uint64_t part, uint64_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

static void print_counts(struct view *v)
{
	struct view_layout layout;

	view_layout_read(v, &layout);
	for (unsigned use = 0; use < VIEW_USES; use++)
		if (layout.blocks[use])
			view_print(v, "  %-22s %10llu blocks  %5.1f %%\n", view_use_name[use],
				(unsigned long long)layout.blocks[use],
				percent(layout.blocks[use], v->sb.n_blocks));
	view_layout_free(&layout);
}

static void print_findings(struct view *v)
{
	if (v->n_findings == 0)
		view_print(v, "fsck finds nothing wrong\n");
	for (size_t i = 0; i < v->n_findings; i++)
		view_fault(v, "%s", v->finding[i]);
}

void view_summary(struct view *v)
{
	char size[VIEW_SIZE_BYTES];
	uint64_t n = 0;

	view_index(v);
	for (uint32_t ino = 1; ino <= v->fsck->n_inodes; ino++)
		n += v->fsck->inodes[ino].in_use;
	view_print(v, "%s: %s; groups: %u, inodes in use: %llu of %u, groups in the log: %llu\n",
		v->dev->name, view_size(v->sb.n_blocks * MAPFS_BLOCK_BYTES, size), v->sb.n_groups,
		(unsigned long long)n, v->fsck->n_inodes, (unsigned long long)v->log.n_groups);
	print_counts(v);
	print_findings(v);
}

/* --- Free space -------------------------------------------------------------------------- */

#define SIZES 33 /* powers of two; a group has fewer blocks */

static unsigned power_of(uint64_t n)
{
	unsigned power = 0;

	while (n >>= 1)
		power++;
	return power < SIZES ? power : SIZES - 1;
}

static void print_histogram(
	struct view *v, const uint64_t *runs, const uint64_t *blocks, uint64_t total)
{
	static const char bar[] = "########################################";

	view_print(v, "  %-19s %8s %10s\n", "run of blocks", "runs", "blocks");
	for (unsigned i = 0; i < SIZES; i++) {
		if (!runs[i])
			continue;
		view_print(v, "  %7llu .. %7llu  %8llu %10llu  %.*s\n", 1ull << i, (2ull << i) - 1,
			(unsigned long long)runs[i], (unsigned long long)blocks[i],
			(int)(percent(blocks[i], total) / 100 * (double)(sizeof(bar) - 1)), bar);
	}
}

void view_free(struct view *v)
{
	uint64_t runs[SIZES] = {0}, blocks[SIZES] = {0}, n = 0, largest = 0;
	struct view_layout layout;

	view_index(v);
	view_layout_read(v, &layout);
	for (size_t i = 0; i < layout.n; i++) {
		uint64_t count = layout.run[i].count;

		if (layout.run[i].use != VIEW_USE_FREE)
			continue;
		n++;
		runs[power_of(count)]++;
		blocks[power_of(count)] += count;
		largest = count > largest ? count : largest;
	}
	view_print(v, "free blocks: %llu, in runs: %llu, the largest: %llu\n",
		(unsigned long long)layout.blocks[VIEW_USE_FREE], (unsigned long long)n,
		(unsigned long long)largest);
	print_histogram(v, runs, blocks, layout.blocks[VIEW_USE_FREE]);
	view_layout_free(&layout);
}

/* --- Fragmentation ----------------------------------------------------------------------- */

uint32_t view_parts(const struct fsck_inode *inode)
{
	uint32_t n = inode->n_pieces;

	for (unsigned i = 1; i < inode->n_pieces; i++) {
		const struct mapfs_piece *a = &inode->piece[i - 1], *b = &inode->piece[i];

		n -= a->start + a->count == b->start && a->logical + a->count == b->logical;
	}
	return n;
}

struct parted {
	uint32_t ino, parts;
	uint64_t blocks;
};

static int by_parts(const void *a, const void *b)
{
	const struct parted *x = a, *y = b;

	if (x->parts != y->parts)
		return (x->parts < y->parts) - (x->parts > y->parts);
	return (x->ino > y->ino) - (x->ino < y->ino);
}

static size_t list_files(struct view *v, struct parted *file)
{
	size_t n = 0;

	for (uint32_t ino = 1; ino <= v->fsck->n_inodes; ino++) {
		const struct fsck_inode *inode = &v->fsck->inodes[ino];

		if (!inode->in_use || !inode->n_pieces || view_role_of(inode) != VIEW_DATA)
			continue;
		file[n++] = (struct parted){
			ino, view_parts(inode), fsck_map_blocks(inode) - inode->n_nodes};
	}
	qsort(file, n, sizeof(*file), by_parts);
	return n;
}

void view_files(struct view *v)
{
	struct parted *file;
	uint64_t parts = 0;
	size_t n, whole = 0;

	view_index(v);
	file = view_alloc(v->fsck->n_inodes, sizeof(*file));
	n = list_files(v, file);
	for (size_t i = 0; i < n; i++) {
		parts += file[i].parts;
		whole += file[i].parts == 1;
	}
	view_print(v,
		"%zu files have blocks, %zu of them (%.1f %%) in one part; %.2f parts a file\n", n,
		whole, percent(whole, n), n ? (double)parts / (double)n : 0);
	if (n)
		view_print(v, "  %8s %10s %8s\n", "parts", "blocks", "inode");
	for (size_t i = 0; i < n; i++) {
		view_print(v, "  %8u %10llu %8u ", file[i].parts,
			(unsigned long long)file[i].blocks, file[i].ino);
		view_inode_name(v, file[i].ino);
		view_print(v, "\n");
	}
	free(file);
}
