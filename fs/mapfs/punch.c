// SPDX-License-Identifier: MIT
/*
 * Holes: whole blocks of a file are given back.
 *
 * mm zeroes the parts of pages at the edges, which are then written like other data, drops the
 * pages between, and keeps everybody out of them while free_blocks() takes their blocks out of the
 * map: from the end, a transaction for as many pieces as cutting takes at once.  A crash between
 * two of these leaves the front of a hole to be made.
 *
 * A piece with something on both sides of the hole becomes two: the only case in which giving back
 * may need a block, for the tree, when a node is full; but not of an unwritten one (extent.c).
 *
 * Behind the file's end, where no page can be, there are only blocks that fallocate() gave.
 */
#include "mapfs.h"

/* One transaction on its way. */
struct punching {
	struct mapfs_txn txn;
	struct mapfs_cut cut;
	struct mapfs_map_plan plan; /* for what stays behind the hole, of a piece in two */
	unsigned reserved;          /* blocks, for that */
};

static bool makes_two(const struct mapfs_cut *cut)
{
	return cut->keep && cut->rest.count;
}

static int prepare_rest(struct punching *p, struct mapfs_inode *inode)
{
	int err;

	if (p->cut.rest.unwritten)
		return 0;
	err = mapfs_extent_needs(inode, &p->cut.rest, &p->reserved);
	if (!err)
		err = mapfs_reserve_wait(p->txn.fs, p->reserved);
	if (err)
		p->reserved = 0;
	return err ? err : mapfs_extent_prepare(&p->txn, inode, &p->cut.rest, &p->plan);
}

static int punching_failed(struct punching *p, int err)
{
	mapfs_txn_drop(&p->txn);
	mapfs_extent_cancel(p->txn.fs, &p->plan);
	mapfs_unreserve(p->txn.fs, p->reserved);
	mapfs_extent_cut_cancel(p->txn.fs, &p->cut);
	return err;
}

/* Of blocks [first, *past) those in one transaction; *past is where the rest ends. */
static int punch_part(struct mapfs_inode *inode, uint32_t first, uint64_t *past)
{
	struct punching p = {.reserved = 0};
	int err;

	mapfs_txn_init(&p.txn, mapfs_of(&inode->vnode));
	err = mapfs_extent_cut_prepare(&p.txn, inode, first, *past, &p.cut);
	if (!err && makes_two(&p.cut))
		err = prepare_rest(&p, inode);
	if (!err)
		err = mapfs_inode_pin(&p.txn, inode);
	if (!err)
		err = mapfs_txn_begin(&p.txn);
	if (err)
		return punching_failed(&p, err);
	*past = p.cut.more ? p.cut.past : first;
	fsh_mutex_lock(&inode->extent_lock);
	mapfs_extent_cut(&p.txn, inode, &p.cut);
	if (makes_two(&p.cut)) {
		inode->n_blocks -= p.cut.rest.count;
		mapfs_extent_insert(&p.txn, inode, &p.cut.rest, &p.plan);
	}
	fsh_mutex_unlock(&inode->extent_lock);
	mapfs_inode_store(&p.txn, inode, true);
	mapfs_txn_end(&p.txn);
	return 0;
}

/* The range has no page in the cache, and none comes in. */
static int free_blocks(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct mapfs_inode *inode = mapfs_inode_of(vnode_of_object(obj));
	uint64_t past = last < MAPFS_FILE_BLOCKS ? last + 1 : MAPFS_FILE_BLOCKS;
	int err = 0;

	fsh_mutex_lock(&inode->map_lock);
	while (!err && past > first)
		err = punch_part(inode, (uint32_t)first, &past);
	fsh_mutex_unlock(&inode->map_lock);
	return err;
}

/*
 * A size that only dirty pages know of gets to the disk with the last of them.  If that one goes,
 * it is written before.
 */
static int publish_size(struct vnode *v, uint64_t end)
{
	struct mapfs_inode *inode = mapfs_inode_of(v);
	uint64_t size = mvm_object_size(v->object), last = (size - 1) / MAPFS_BLOCK_BYTES;
	bool published;

	fsh_mutex_lock(&inode->extent_lock);
	published = inode->disk_size >= size;
	fsh_mutex_unlock(&inode->extent_lock);
	return published || end < size ? 0 : mvm_pc_flush(v->object, last, last, MVM_PC_WAIT);
}

/* Whole blocks of [start, end) that are behind the file's end. */
static int punch_behind_size(struct vnode *v, uint64_t start, uint64_t end)
{
	uint64_t first = mapfs_blocks_of(start), size = mapfs_blocks_of(mvm_object_size(v->object));

	if (first < size)
		first = size;
	end /= MAPFS_BLOCK_BYTES;
	return first < end ? free_blocks(v->object, first, end - 1) : 0;
}

int mapfs_punch(struct vnode *v, uint64_t start, uint64_t end)
{
	int err = publish_size(v, end);

	if (!err)
		err = mvm_pc_punch(v->object, start, end, free_blocks);
	if (!err)
		err = punch_behind_size(v, start, end);
	if (!err)
		vnode_touch(v);
	return err;
}
