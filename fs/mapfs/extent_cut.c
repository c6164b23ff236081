// SPDX-License-Identifier: MIT
/*
 * Blocks leave the block map of a file (extent.c has the tree).
 *
 * What is taken out goes from its end, a bounded number of extents a transaction; a node that
 * becomes empty is freed with its last extent.  Keys in an index are not raised: no piece lies
 * across one.
 */
#include "extent.h"

#define CUT_EXTENTS 20 /* a transaction */

static int cut_add(
	struct mapfs_txn *txn, uint64_t start, uint32_t count, bool metadata, struct mapfs_cut *cut)
{
	struct mapfs_run *run;
	int err = mapfs_free_prepare(txn->fs, MAPFS_BLOCKS, start, count, &run);

	if (err)
		return err;
	mapfs_txn_pin_map(txn, run);
	run->metadata = metadata;
	run->next = cut->runs;
	cut->runs = run;
	return 0;
}

/* Nodes of the path that will be empty, from the leaf up, are freed too. */
static int cut_nodes(struct mapfs_txn *txn, const struct mapfs_path *path, struct mapfs_cut *cut)
{
	int err = 0;

	for (uint32_t i = path->n - 1; i > 0 && !err; i--) {
		if (i == path->n - 1 ? cut->n_entries < path->level[i].n : path->level[i].n > 1)
			break;
		err = cut_add(txn, path->level[i].buf->block, 1, true, cut);
		cut->n_nodes++;
	}
	return err;
}

/* A piece of which [from, to) goes and something behind that stays: what stays, and where. */
static void cut_before_end(
	const struct mapfs_piece *p, uint32_t from, uint32_t to, struct mapfs_cut *cut)
{
	uint32_t off = to - p->logical;

	cut->rest = (struct mapfs_piece){to, p->count - off, p->start + off, p->unwritten};
	cut->keep = from - p->logical;
}

/*
 * What the leaf has of [first, past), from its end on: entries that go wholly, until there are
 * enough, or one of which something stays.  cut->past is then the end of what may be left.
 */
static int cut_leaf(struct mapfs_txn *txn, const struct mapfs_inode *inode,
	const struct mapfs_path *path, uint32_t first, struct mapfs_cut *cut)
{
	const struct mapfs_level *leaf = &path->level[path->n - 1];
	uint32_t i = leaf->n ? leaf->slot + 1 : 0;
	uint64_t past = cut->past;
	struct mapfs_piece p;
	int err = 0;

	while (i > 0 && cut->n_entries < CUT_EXTENTS && !err) {
		uint64_t end, from, to;

		mapfs_piece_decode(&leaf->entry[--i], &p);
		end = (uint64_t)p.logical + p.count;
		from = first > p.logical ? first : p.logical;
		to = past < end ? past : end;
		if (p.logical >= past)
			break;
		cut->past = from;
		if (from >= to)
			return 0;
		err = cut_add(txn, p.start + (from - p.logical), (uint32_t)(to - from),
			!vnode_is(&inode->vnode, FS_IFREG), cut);
		if (to < end)
			cut_before_end(&p, (uint32_t)from, (uint32_t)to, cut);
		else
			cut->keep = (uint32_t)(from - p.logical);
		if (cut->keep || to < end)
			return err;
		cut->n_entries++;
	}
	if (i == 0 && path->range.from < cut->past)
		cut->past = path->range.from;
	return err ? err : cut_nodes(txn, path, cut);
}

int mapfs_extent_cut_prepare(struct mapfs_txn *txn, struct mapfs_inode *inode, uint32_t first,
	uint64_t past, struct mapfs_cut *cut)
{
	struct mapfs_path path;
	int err;

	*cut = (struct mapfs_cut){.last = (uint32_t)(past - 1), .past = past};
	fsh_mutex_lock(&inode->extent_lock);
	err = mapfs_path_find(inode, cut->last, &path);
	fsh_mutex_unlock(&inode->extent_lock);
	if (err)
		return err;
	err = cut_leaf(txn, inode, &path, first, cut);
	mapfs_path_pin(txn, &path);
	cut->more = cut->past > first && cut->past < past;
	mapfs_path_put(inode, &path);
	if (err)
		mapfs_extent_cut_cancel(txn->fs, cut);
	return err;
}

void mapfs_extent_cut_cancel(struct mapfs *fs, struct mapfs_cut *cut)
{
	struct mapfs_run *next;

	for (; cut->runs; cut->runs = next) {
		next = cut->runs->next;
		mapfs_free_cancel(fs, cut->runs);
	}
}

/* Take the entry of the empty nodes' topmost one out of what is above. */
static void unlink_nodes(
	struct mapfs_txn *txn, struct mapfs_inode *inode, struct mapfs_path *path, uint32_t n_nodes)
{
	struct mapfs_level *above = &path->level[path->n - 1 - n_nodes];

	mapfs_entry_remove(above, above->slot);
	mapfs_level_changed(txn, inode, above);
	if (inode->n_root == 0)
		inode->depth = 0;
}

/* The entries of the leaf, as the cut leaves them; but for the rest of a piece in two. */
static void cut_entries(struct mapfs_level *leaf, const struct mapfs_cut *cut)
{
	uint32_t at = leaf->slot;
	struct mapfs_piece p;

	for (uint32_t i = 0; i < cut->n_entries; i++)
		mapfs_entry_remove(leaf, at--);
	if (cut->keep) {
		mapfs_piece_decode(&leaf->entry[at], &p);
		p.count = cut->keep;
		mapfs_piece_encode(&p, &leaf->entry[at]);
	} else if (cut->rest.count) {
		mapfs_piece_encode(&cut->rest, &leaf->entry[at]);
	}
}

void mapfs_extent_cut(struct mapfs_txn *txn, struct mapfs_inode *inode, struct mapfs_cut *cut)
{
	struct mapfs_run *next;
	struct mapfs_level *leaf;
	struct mapfs_path path;
	int err = mapfs_path_find(inode, cut->last, &path);

	fsh_assert(!err);
	mapfs_placed_clear(inode);
	leaf = mapfs_leaf_of(&path);
	cut_entries(leaf, cut);
	mapfs_level_changed(txn, inode, leaf);
	if (cut->n_nodes)
		unlink_nodes(txn, inode, &path, cut->n_nodes);
	mapfs_path_put(inode, &path);
	for (; cut->runs; cut->runs = next) {
		next = cut->runs->next;
		inode->n_blocks -= cut->runs->count;
		mapfs_free(txn, cut->runs);
	}
}
