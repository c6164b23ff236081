// SPDX-License-Identifier: MIT
/*
 * fallocate(): blocks that belong to a file before anything was written to them.
 *
 * Holes become unwritten pieces.  They read as zeros, so nothing is written for them, and a crash
 * shows zeros whenever it comes.  Who stores to a page of one needs no promise: the page has its
 * block, and the tree has the room (extent.c).  Write-back puts the data there, publishes the size
 * that covers it (file.c), and then that this part is written.
 *
 *	hole  --- allocate --->  unwritten  --- write-back --->  written
 *	  ^                          |                              |
 *	  +-------- punch, cut ------+------------------------------+
 *
 * A page of a hole that has a promise is left out: write-back will give it a block, and two would
 * be one too many.  Promises are made under the extent lock by whoever has a mapping, so whoever is
 * inside the transaction can still see one, and not insert.
 *
 * Each piece is a transaction, so a range of any length is worked off in bounded ones.  What is
 * longer than all that could become free is refused at once.  A later failure, as when nodes of the
 * tree or somebody else take the rest, leaves the pieces that there are, and the size as it was.
 */
#include "mapfs.h"

/* A hole that becomes an unwritten piece, on its way. */
struct allocation {
	struct mapfs_txn txn;
	struct mapfs_piece p;
	struct mapfs_run *run;
	struct mapfs_map_plan plan;
	uint64_t reserved; /* left of what was reserved */
};

/* The piece or hole at file block `at`, up to `past`. */
static int look(struct mapfs_inode *inode, uint64_t at, uint64_t past, struct mapfs_piece *p)
{
	uint64_t left = past - at;
	int err;

	fsh_mutex_lock(&inode->extent_lock);
	err = mapfs_extent_find(
		inode, (uint32_t)at, left < UINT32_MAX ? (uint32_t)left : UINT32_MAX, p);
	fsh_mutex_unlock(&inode->extent_lock);
	return err;
}

/* -ENOSPC: the holes of [at, past) are more than could be had. */
static int check_room(struct mapfs_inode *inode, uint64_t at, uint64_t past)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);
	uint64_t holes = 0, promised = mapfs_promised_pages(inode), room;
	struct mapfs_piece p;
	int err = 0;

	for (; at < past && !err; at += p.count) {
		err = look(inode, at, past, &p);
		holes += p.start ? 0 : p.count;
	}
	fsh_spin_lock(&fs->space_lock);
	room = fs->space[MAPFS_BLOCKS].free - fs->space[MAPFS_BLOCKS].reserved +
	       fs->space[MAPFS_BLOCKS].quarantined;
	fsh_spin_unlock(&fs->space_lock);
	return err || holes + mapfs_kept_blocks(fs) <= room + promised ? err : -ENOSPC;
}

/* How many pages from `logical` on have no promise, up to max. */
static uint32_t without_promise(struct mapfs_inode *inode, uint32_t logical, uint32_t max)
{
	uint32_t n = 0;

	while (n < max && !mapfs_promised(inode, logical + n))
		n++;
	return n;
}

/*
 * The front of the first hole in [*at, past) of which no page is promised;
 * count 0: there is none.
 */
static int find_hole(struct mapfs_inode *inode, uint64_t *at, uint64_t past, struct mapfs_piece *p)
{
	int err;

	for (; *at < past; *at += p->count ? p->count : 1) {
		err = look(inode, *at, past, p);
		if (err)
			return err;
		if (p->start)
			continue;
		if (p->count > MAPFS_UNWRITTEN_MAX)
			p->count = MAPFS_UNWRITTEN_MAX;
		p->count = without_promise(inode, p->logical, p->count);
		if (p->count)
			return 0;
	}
	p->count = 0;
	return 0;
}

/* Blocks for the hole, or for its front, and what the tree needs for it. */
static int gather(struct allocation *a, struct mapfs_inode *inode)
{
	unsigned n_nodes;
	uint64_t goal;
	int err = mapfs_extent_needs(inode, &a->p, &n_nodes);

	if (!err)
		err = mapfs_reserve_data_wait(a->txn.fs, a->p.count + n_nodes);
	if (err)
		return err;
	a->reserved = a->p.count + n_nodes;
	fsh_mutex_lock(&inode->extent_lock);
	err = mapfs_extent_goal(inode, a->p.logical, &goal);
	fsh_mutex_unlock(&inode->extent_lock);
	if (!err)
		err = mapfs_claim(a->txn.fs, MAPFS_BLOCKS, goal, a->p.count, &a->run);
	if (err)
		return err;
	a->p.start = a->run->start;
	a->p.count = a->run->count;
	a->reserved -= a->p.count;
	mapfs_txn_pin_map(&a->txn, a->run);
	err = mapfs_extent_prepare(&a->txn, inode, &a->p, &a->plan);
	a->reserved -= a->plan.n_nodes;
	return err ? err : mapfs_inode_pin(&a->txn, inode);
}

/* Nothing comes of it: all that was gathered goes back. */
static void give_back(struct allocation *a)
{
	a->reserved += a->plan.n_nodes;
	mapfs_extent_cancel(a->txn.fs, &a->plan);
	if (a->run) {
		a->reserved += a->run->count;
		mapfs_unclaim(a->txn.fs, a->run);
	}
	mapfs_unreserve(a->txn.fs, a->reserved);
}

/* In the transaction.  False: a page was promised meanwhile. */
static bool insert(struct allocation *a, struct mapfs_inode *inode)
{
	bool free;

	fsh_mutex_lock(&inode->extent_lock);
	free = without_promise(inode, a->p.logical, a->p.count) == a->p.count;
	if (free) {
		mapfs_extent_insert(&a->txn, inode, &a->p, &a->plan);
		mapfs_publish(&a->txn, a->run);
	}
	fsh_mutex_unlock(&inode->extent_lock);
	if (free)
		mapfs_inode_store(&a->txn, inode, true);
	return free;
}

/* One transaction of [*at, past), of which the part before *at is done.  The map is locked. */
static int allocate_part(struct mapfs_inode *inode, uint64_t *at, uint64_t past)
{
	struct allocation a = {.reserved = 0};
	int err = find_hole(inode, at, past, &a.p);

	if (err || a.p.count == 0)
		return err;
	a.p.unwritten = true;
	mapfs_txn_init(&a.txn, mapfs_of(&inode->vnode));
	err = gather(&a, inode);
	if (!err)
		err = mapfs_txn_begin(&a.txn);
	if (err) {
		give_back(&a);
		mapfs_txn_drop(&a.txn);
		return err;
	}
	if (insert(&a, inode)) {
		mapfs_txn_end(&a.txn);
		mapfs_unreserve(a.txn.fs, a.reserved);
		*at += a.p.count;
	} else {
		mapfs_txn_end(&a.txn);
		give_back(&a);
	}
	return 0;
}

static int fill_holes(struct mapfs_inode *inode, uint64_t start, uint64_t end)
{
	uint64_t at = start / MAPFS_BLOCK_BYTES;
	uint64_t past = (end + MAPFS_BLOCK_BYTES - 1) / MAPFS_BLOCK_BYTES;
	int err;

	fsh_mutex_lock(&inode->map_lock);
	err = check_room(inode, at, past);
	while (!err && at < past)
		err = allocate_part(inode, &at, past);
	fsh_mutex_unlock(&inode->map_lock);
	return err;
}

int mapfs_allocate(struct vnode *v, uint64_t start, uint64_t end, unsigned how)
{
	struct mapfs_inode *inode = mapfs_inode_of(v);
	int err = mapfs_cut_end(inode);

	if (!err && how & FS_ALLOCATE_ZERO)
		err = mapfs_punch(v, start, end);
	if (!err)
		err = fill_holes(inode, start, end);
	if (!err && !(how & FS_ALLOCATE_KEEP_SIZE) && end > mvm_object_size(v->object))
		err = mapfs_file_resize(inode, end);
	if (!err)
		vnode_touch(v);
	return err;
}

/* --- Written ----------------------------------------------------------------------------- */

static int publish_piece(struct mapfs_inode *inode, const struct mapfs_piece *p)
{
	struct mapfs_txn txn;
	int err;

	mapfs_txn_init(&txn, mapfs_of(&inode->vnode));
	err = mapfs_extent_pin(&txn, inode, p->logical);
	if (!err)
		err = mapfs_inode_pin(&txn, inode);
	if (!err)
		err = mapfs_txn_begin(&txn);
	if (err) {
		mapfs_txn_drop(&txn);
		return err;
	}
	fsh_mutex_lock(&inode->extent_lock);
	mapfs_extent_written(&txn, inode, p);
	fsh_mutex_unlock(&inode->extent_lock);
	mapfs_inode_store(&txn, inode, true);
	mapfs_txn_end(&txn);
	return 0;
}

int mapfs_publish_written(struct mapfs_inode *inode, uint32_t first, uint32_t n)
{
	uint64_t past = (uint64_t)first + n;
	struct mapfs_piece p;
	int err = 0;

	for (uint64_t at = first; at < past && !err; at += p.count) {
		err = look(inode, at, past, &p);
		if (!err && p.unwritten)
			err = publish_piece(inode, &p);
	}
	return err;
}
