// SPDX-License-Identifier: MIT
/*
 * Changes of a file's size.
 *
 * On the disk, what lies behind the end of a file in its last block is zero, so that a larger size
 * shows zeros there.  To keep that, cutting a file has to zero a part of a block in place, and that
 * must not be seen with the old size: a crash would show a file that nobody ever had.  So a cut
 * whose edge is inside a block goes
 *
 *	begin	a transaction: the smaller size, and the inode is on the list of orphans
 *	cache	mvm_pc_truncate(): the pages behind go, the one with the edge gets a zero tail
 *	parts	blocks behind the edge are freed, a bounded number a transaction
 *	edge	the page with the edge is written like any other, some time; but whoever writes it
 *		waits before that until the smaller size is durable, and takes the inode off the
 *		list after it (file.c)
 *
 * While the cut waits for its edge nothing behind it becomes dirty: make_writable() asks for
 * settle(), which writes the edge, and growing does the same.  So no larger size is published.
 * After a crash, mount finds the inode on the list and frees what is behind the edge.  What its
 * block still has there nobody sees: fill() zeroes it, and who makes a file larger first writes the
 * page that its old end is in, whatever it finds there.
 *
 * A cut between two blocks has no edge: the cache, then the parts; only if there is more than one
 * part does the list know of it.
 *
 * Growing
 *
 *	cache	mvm_pc_truncate(): from now on the pages behind the old end may be written
 *	edge	the page with the old end, if it has a block
 *	publish	a transaction: the larger size
 *
 * is seen whole or not at all, whatever a crash leaves: write-back that comes before the last step,
 * of the edge or for somebody else, publishes the size that it would then have, not one up to which
 * its own pages reach.
 *
 * What fallocate() put behind the end stays there when the file grows, and goes when it is cut, be
 * it to the size that it has.
 */
#include "mapfs.h"

#include <string.h>

static uint32_t edge_page(const struct mapfs_inode *inode)
{
	return (uint32_t)(fs_read(inode->cut_size) / MAPFS_BLOCK_BYTES);
}

static int write_page_of(struct mapfs_inode *inode, uint64_t offset)
{
	struct mvm_object *obj = vnode_object(&inode->vnode);
	mvm_pgoff_t page = offset / MAPFS_BLOCK_BYTES;
	int err = mvm_pc_flush(obj, page, page, MVM_PC_WAIT);

	mvm_object_unref(obj);
	return err;
}

/*
 * Is there anything in the page that `offset` is in, in memory or on the disk?
 * Extent lock held.
 */
static int page_has_block(struct mapfs_inode *inode, uint64_t offset, bool *has)
{
	uint32_t block = (uint32_t)(offset / MAPFS_BLOCK_BYTES);
	struct mapfs_piece p;
	int err = mapfs_extent_find(inode, block, 1, &p);

	if (!err)
		*has = p.start || mapfs_promised(inode, block);
	return err;
}

int mapfs_cut_forbids(const struct mapfs_inode *inode, uint64_t index)
{
	uint8_t state = fs_read(inode->cut);

	if (state == MAPFS_CUT_EDGE && index > edge_page(inode))
		return -EAGAIN;
	return state == MAPFS_CUT_FAILED && index >= edge_page(inode) ? -EIO : 0;
}

/* --- The steps of a cut ------------------------------------------------------------------ */

/* A transaction about the inode and its place on the list of orphans. */
static int begin_txn(struct mapfs_txn *txn, struct mapfs_inode *inode)
{
	int err;

	mapfs_txn_init(txn, mapfs_of(&inode->vnode));
	mapfs_orphan_pin(txn);
	err = mapfs_inode_pin(txn, inode);
	if (!err)
		err = mapfs_txn_begin(txn);
	if (err)
		mapfs_txn_drop(txn);
	return err;
}

static int begin_cut(struct mapfs_inode *inode, uint64_t size)
{
	struct mapfs_txn txn;
	int err = begin_txn(&txn, inode);

	if (err)
		return err;
	fsh_mutex_lock(&inode->extent_lock);
	fs_write(inode->cut, MAPFS_CUT_BEGUN);
	inode->cuts++;
	fs_write(inode->cut_size, size);
	inode->cut_sequence = txn.sequence;
	if (inode->disk_size > size)
		inode->disk_size = size;
	fsh_mutex_unlock(&inode->extent_lock);
	mapfs_orphan_add(&txn, inode);
	mapfs_inode_store(&txn, inode, true);
	mapfs_txn_end(&txn);
	return 0;
}

void mapfs_cut_over(struct mapfs_txn *txn, struct mapfs_inode *inode)
{
	fsh_mutex_lock(&inode->extent_lock);
	fs_write(inode->cut, MAPFS_CUT_NONE);
	fsh_mutex_unlock(&inode->extent_lock);
	mapfs_orphan_keep_named(txn, inode);
}

/* The disk gets the size that the cache has; no cut is under way any more. */
static int publish_cache_size(struct mapfs_inode *inode)
{
	struct mapfs_txn txn;
	int err = begin_txn(&txn, inode);

	if (err)
		return err;
	fsh_mutex_lock(&inode->extent_lock);
	inode->disk_size = mvm_object_size(inode->vnode.object);
	fsh_mutex_unlock(&inode->extent_lock);
	mapfs_cut_over(&txn, inode);
	mapfs_inode_store(&txn, inode, true);
	mapfs_txn_end(&txn);
	return 0;
}

/*
 * After the last part: is there an edge to be zeroed?  In the transaction; the extent lock is held,
 * and mapfs_cut_over() is to follow when there is none.
 */
static bool wait_for_edge(struct mapfs_inode *inode, bool has_edge)
{
	if (inode->cut == MAPFS_CUT_NONE || !has_edge)
		return false;
	fs_write(inode->cut, MAPFS_CUT_EDGE);
	return true;
}

/* One transaction: the size, and a part of the blocks behind it.  The map is locked. */
static int publish_part(struct mapfs_inode *inode, uint64_t size, bool *more)
{
	bool has_edge = false, waits;
	struct mapfs_cut cut = {0};
	struct mapfs_txn txn;
	int err;

	mapfs_txn_init(&txn, mapfs_of(&inode->vnode));
	mapfs_orphan_pin(&txn);
	err = mapfs_extent_cut_prepare(&txn, inode, mapfs_blocks_of(size), MAPFS_FILE_BLOCKS, &cut);
	if (!err && size % MAPFS_BLOCK_BYTES) {
		fsh_mutex_lock(&inode->extent_lock);
		err = page_has_block(inode, size, &has_edge);
		fsh_mutex_unlock(&inode->extent_lock);
	}
	if (!err)
		err = mapfs_inode_pin(&txn, inode);
	if (!err)
		err = mapfs_txn_begin(&txn);
	if (err) {
		mapfs_extent_cut_cancel(txn.fs, &cut);
		mapfs_txn_drop(&txn);
		return err;
	}
	*more = cut.more;
	fsh_mutex_lock(&inode->extent_lock);
	mapfs_extent_cut(&txn, inode, &cut);
	inode->disk_size = size;
	waits = cut.more || wait_for_edge(inode, has_edge);
	fsh_mutex_unlock(&inode->extent_lock);
	if (cut.more)
		mapfs_orphan_add(&txn, inode);
	else if (!waits)
		mapfs_cut_over(&txn, inode);
	mapfs_inode_store(&txn, inode, true);
	mapfs_txn_end(&txn);
	return 0;
}

/* The cache has the size: now the disk, and whole blocks behind it go. */
static int publish_cut(struct mapfs_inode *inode, uint64_t size)
{
	bool more = true;
	int err = 0;

	fsh_mutex_lock(&inode->map_lock);
	while (!err && more)
		err = publish_part(inode, size, &more);
	fsh_mutex_unlock(&inode->map_lock);
	return err;
}

/* --- The end of a cut -------------------------------------------------------------------- */

/* The page with the edge is clean, and so what the disk has. */
static int edge_is_written(struct mapfs_inode *inode, uint32_t cuts)
{
	struct mapfs_txn txn;
	bool still;
	int err = begin_txn(&txn, inode);

	if (err)
		return err;
	fsh_mutex_lock(&inode->extent_lock);
	still = inode->cut == MAPFS_CUT_EDGE && inode->cuts == cuts;
	fsh_mutex_unlock(&inode->extent_lock);
	if (still) {
		mapfs_cut_over(&txn, inode);
		mapfs_inode_store(&txn, inode, true);
	}
	mapfs_txn_end(&txn);
	return 0;
}

int mapfs_cut_settle(struct mapfs_inode *inode)
{
	uint64_t size;
	uint32_t cuts;
	bool waits;
	int err;

	fsh_mutex_lock(&inode->extent_lock);
	waits = inode->cut == MAPFS_CUT_EDGE;
	size = inode->cut_size;
	cuts = inode->cuts;
	fsh_mutex_unlock(&inode->extent_lock);
	if (!waits)
		return 0;
	err = write_page_of(inode, size);
	return err ? err : edge_is_written(inode, cuts);
}

/*
 * As a file does not grow while its cut has failed, its size tells what failed.  When it is not the
 * smaller one the cache could not follow: the file has its old size again.
 */
int mapfs_cut_end(struct mapfs_inode *inode)
{
	bool failed = fs_read(inode->cut) == MAPFS_CUT_FAILED;
	int err = 0;

	if (failed && mvm_object_size(inode->vnode.object) > inode->cut_size)
		err = publish_cache_size(inode);
	else if (failed)
		err = publish_cut(inode, inode->cut_size);
	return err ? err : mapfs_cut_settle(inode);
}

int mapfs_cut_retry(struct mapfs_inode *inode)
{
	int err = 0;

	if (fs_read(inode->cut) != MAPFS_CUT_FAILED)
		return 0;
	fsh_mutex_lock(&inode->vnode.lock);
	if (fs_read(inode->cut) == MAPFS_CUT_FAILED)
		err = mapfs_cut_end(inode);
	fsh_mutex_unlock(&inode->vnode.lock);
	return err;
}

/* --- Without the cache ------------------------------------------------------------------- */

int mapfs_cut_complete(struct mapfs_inode *inode)
{
	int err;

	if (inode->cut == MAPFS_CUT_NONE) {
		inode->cut = MAPFS_CUT_BEGUN;
		inode->cut_size = inode->disk_size;
	}
	err = publish_cut(inode, inode->cut_size);
	if (!err && inode->cut == MAPFS_CUT_EDGE)
		err = edge_is_written(inode, inode->cuts);
	return err;
}

/* --- Both directions --------------------------------------------------------------------- */

/*
 * What is left is done before the size changes again; meanwhile nothing grows: mm asks
 * make_writable() about each write that makes the file larger, be its page DIRTY or not.
 */
static void cut_failed(struct mapfs_inode *inode, uint64_t size)
{
	fsh_mutex_lock(&inode->extent_lock);
	fs_write(inode->cut, MAPFS_CUT_FAILED);
	fs_write(inode->cut_size, size);
	fsh_mutex_unlock(&inode->extent_lock);
}

static int cut(struct mapfs_inode *inode, struct mvm_object *obj, uint64_t size)
{
	bool edge = size % MAPFS_BLOCK_BYTES;
	int err = edge ? begin_cut(inode, size) : 0;

	if (err)
		return err;
	err = mvm_pc_truncate(obj, size);
	if (!err)
		err = publish_cut(inode, size);
	else if (!edge || publish_cache_size(inode) == 0)
		return err;
	if (err)
		cut_failed(inode, size);
	return err;
}

static void set_grows(struct mapfs_inode *inode, bool grows, uint64_t from)
{
	fsh_mutex_lock(&inode->extent_lock);
	inode->grows = grows;
	inode->grows_from = from;
	fsh_mutex_unlock(&inode->extent_lock);
}

/*
 * The page with the old end gets its zero tail on the disk before the larger size: what a mapping
 * stored behind the end may have reached it.  A zero stored behind the end makes it dirty.
 */
static int grow(struct mapfs_inode *inode, struct mvm_object *obj, uint64_t size)
{
	uint64_t old = mvm_object_size(obj);
	bool has_block = false;
	int err = 0;

	if (old % MAPFS_BLOCK_BYTES) {
		fsh_mutex_lock(&inode->extent_lock);
		err = page_has_block(inode, old, &has_block);
		fsh_mutex_unlock(&inode->extent_lock);
	}
	if (!err && has_block)
		err = mvm_pc_touch_write(obj, old, 0);
	if (err)
		return err;
	set_grows(inode, true, old);
	err = mvm_pc_truncate(obj, size);
	if (!err && has_block)
		err = write_page_of(inode, old);
	if (!err)
		err = publish_cache_size(inode);
	set_grows(inode, false, 0);
	/* As if nobody had tried.  If that fails, too, the file stays larger. */
	if (err && mvm_object_size(obj) > old)
		(void)cut(inode, obj, old);
	return err;
}

int mapfs_file_resize(struct mapfs_inode *inode, uint64_t size)
{
	struct mvm_object *obj = vnode_object(&inode->vnode);
	int err = mapfs_cut_end(inode);

	if (!err && size < mvm_object_size(obj))
		err = cut(inode, obj, size);
	else if (!err && size > mvm_object_size(obj))
		err = grow(inode, obj, size);
	else if (!err)
		err = publish_cut(inode, size);
	mvm_object_unref(obj);
	return err;
}
