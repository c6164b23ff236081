// SPDX-License-Identifier: MIT
/*
 * The block map of a file: at most MAPFS_INLINE_EXTENTS pieces, in order, in the inode.
 *
 * The rest of mapfs knows nothing of how pieces are kept; a tree for files in more pieces goes
 * behind these functions.  Until then a file that would need more is told -EFBIG, which with
 * allocation in long runs takes a badly fragmented disk or a very scattered file.
 */
#include "mapfs.h"

static uint32_t piece_end(const struct mapfs_piece *p)
{
	return p->logical + p->count;
}

/* The first piece that ends after `logical`. */
static uint32_t first_after(const struct mapfs_inode *inode, uint32_t logical)
{
	uint32_t i = 0;

	while (i < inode->n_extents && piece_end(&inode->extents[i]) <= logical)
		i++;
	return i;
}

void mapfs_extent_find(
	const struct mapfs_inode *inode, uint32_t logical, uint32_t max, struct mapfs_piece *out)
{
	uint32_t i = first_after(inode, logical);
	const struct mapfs_piece *p = &inode->extents[i];

	*out = (struct mapfs_piece){.logical = logical, .count = max};
	if (i == inode->n_extents)
		return;
	if (p->logical > logical) {
		if (p->logical - logical < max)
			out->count = p->logical - logical;
		return;
	}
	out->start = p->start + (logical - p->logical);
	out->unwritten = p->unwritten;
	if (piece_end(p) - logical < max)
		out->count = piece_end(p) - logical;
}

uint64_t mapfs_extent_goal(const struct mapfs_inode *inode, uint32_t logical)
{
	uint32_t i = first_after(inode, logical);

	if (i == 0)
		return 0;
	return inode->extents[i - 1].start + inode->extents[i - 1].count;
}

static bool joins(const struct mapfs_piece *a, const struct mapfs_piece *b)
{
	return piece_end(a) == b->logical && a->start + a->count == b->start &&
	       a->unwritten == b->unwritten && a->count + b->count <= MAPFS_EXTENT_MAX;
}

uint32_t mapfs_extent_count_with(const struct mapfs_inode *inode, const struct mapfs_piece *p)
{
	uint32_t i = first_after(inode, p->logical), n = inode->n_extents + 1;

	if (i > 0 && joins(&inode->extents[i - 1], p))
		n--;
	if (i < inode->n_extents && joins(p, &inode->extents[i]))
		n--;
	return n;
}

static void remove_at(struct mapfs_inode *inode, uint32_t i)
{
	inode->n_extents--;
	for (; i < inode->n_extents; i++)
		inode->extents[i] = inode->extents[i + 1];
}

void mapfs_extent_insert(struct mapfs_inode *inode, const struct mapfs_piece *p)
{
	uint32_t i = first_after(inode, p->logical);
	struct mapfs_piece *e = inode->extents;

	inode->n_blocks += p->count;
	if (i > 0 && joins(&e[i - 1], p)) {
		e[--i].count += p->count;
	} else if (i < inode->n_extents && joins(p, &e[i])) {
		e[i].logical = p->logical;
		e[i].start = p->start;
		e[i].count += p->count;
	} else {
		fsh_assert(inode->n_extents < MAPFS_INLINE_EXTENTS);
		for (uint32_t j = inode->n_extents++; j > i; j--)
			e[j] = e[j - 1];
		e[i] = *p;
	}
	if (i + 1 < inode->n_extents && joins(&e[i], &e[i + 1])) {
		e[i].count += e[i + 1].count;
		remove_at(inode, i + 1);
	}
}

/* How much of the piece stays when the file is cut at block `first`. */
static uint32_t kept(const struct mapfs_piece *p, uint32_t first)
{
	if (first <= p->logical)
		return 0;
	return first - p->logical < p->count ? first - p->logical : p->count;
}

int mapfs_extent_cut_prepare(
	struct mapfs_txn *txn, struct mapfs_inode *inode, uint32_t first, struct mapfs_run **runs)
{
	struct mapfs_run *run;
	int err;

	*runs = NULL;
	for (uint32_t i = first_after(inode, first); i < inode->n_extents; i++) {
		const struct mapfs_piece *p = &inode->extents[i];
		uint32_t keep = kept(p, first);
		err = mapfs_free_prepare(
			txn->fs, MAPFS_BLOCKS, p->start + keep, p->count - keep, &run);
		if (err) {
			mapfs_extent_cut_cancel(txn->fs, *runs);
			return err;
		}
		mapfs_txn_pin_map(txn, run);
		run->next = *runs;
		*runs = run;
	}
	return 0;
}

void mapfs_extent_cut_cancel(struct mapfs *fs, struct mapfs_run *runs)
{
	struct mapfs_run *next;

	for (; runs; runs = next) {
		next = runs->next;
		mapfs_free_cancel(fs, runs);
	}
}

void mapfs_extent_cut(
	struct mapfs_txn *txn, struct mapfs_inode *inode, uint32_t first, struct mapfs_run *runs)
{
	struct mapfs_run *next;
	uint32_t i;

	for (; runs; runs = next) {
		next = runs->next;
		inode->n_blocks -= runs->count;
		mapfs_free(txn, runs);
	}
	i = first_after(inode, first);
	if (i < inode->n_extents && kept(&inode->extents[i], first)) {
		inode->extents[i].count = kept(&inode->extents[i], first);
		i++;
	}
	inode->n_extents = i;
}
