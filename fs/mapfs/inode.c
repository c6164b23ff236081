// SPDX-License-Identifier: MIT
/*
 * Inodes between the disk and memory, and the end of a file.
 *
 * The vnode cache has one mapfs_inode a number.  What it says is newer than its block; the block
 * is brought up to date by mapfs_inode_store() inside the transaction that made the difference.
 * Only times that write(2) changed may wait in memory (mapfs_inode_times_wait()).
 */
#include "mapfs.h"

#include <string.h>

static const struct vnode_ops *ops_for(uint32_t mode)
{
	switch (mode & FS_IFMT) {
	case FS_IFREG:
		return &mapfs_file_ops;
	case FS_IFDIR:
		return &mapfs_dir_ops;
	case FS_IFLNK:
		return &mapfs_symlink_ops;
	default:
		return &mapfs_node_ops;
	}
}

int mapfs_inode_alloc(struct mapfs *fs, uint32_t ino, uint32_t mode, struct mapfs_inode **out)
{
	struct mapfs_inode *inode = fsh_alloc(sizeof(*inode));

	if (!inode)
		return -ENOMEM;
	vnode_init(&inode->vnode, fs->mount, ops_for(mode), ino, mode);
	fsh_mutex_init(&inode->map_lock, "mapfs map", FSH_RANK_TRUNCATE);
	fsh_mutex_init(&inode->extent_lock, "mapfs extents", FSH_RANK_EXTENT);
	*out = inode;
	return 0;
}

/* What is of use to nobody; at the end the inode is not in the vnode cache any more. */
static void inode_fini(struct mapfs_inode *inode)
{
	fsh_mutex_destroy(&inode->map_lock);
	fsh_mutex_destroy(&inode->extent_lock);
	fsh_free(inode->target);
	inode->vnode.refs = 0;
	vnode_fini(&inode->vnode);
}

void mapfs_inode_free(struct mapfs_inode *inode)
{
	inode_fini(inode);
	fsh_free(inode);
}

/* What is on the list of orphans stays there; the next mount frees it. */
static void leave(struct mapfs_inode *inode)
{
	if (inode->orphan)
		inode_fini(inode);
	else
		mapfs_inode_free(inode);
}

/* --- Reading ----------------------------------------------------------------------------- */

/* One block, or none yet. */
static bool is_dir_root(const struct mapfs_inode_disk *d)
{
	struct mapfs_piece p;

	if (d->n_root == 0)
		return true;
	mapfs_piece_decode(&d->root[0], &p);
	return d->n_root == 1 && d->depth == 0 && p.logical == 0 && p.count == 1;
}

static const char *inode_fault(
	const struct mapfs *fs, uint32_t ino, const struct mapfs_inode_disk *d)
{
	uint32_t type = d->mode & FS_IFMT;
	bool inline_data = d->flags & MAPFS_INODE_INLINE_DATA;
	uint64_t at = 0;

	if (d->mode == 0)
		return "is not in use but has a name";
	if (d->crc != mapfs_inode_crc(fs->seed, ino, d))
		return "has a wrong checksum";
	if (d->size > MAPFS_MAX_FILE || d->n_root > (inline_data ? 0 : MAPFS_ROOT_EXTENTS) ||
		d->depth > MAPFS_MAX_DEPTH || (d->depth && !d->n_root))
		return "has impossible sizes";
	if (type == FS_IFDIR && !is_dir_root(d))
		return "is a directory without a root";
	if (type == FS_IFLNK && d->size > (inline_data ? MAPFS_INLINE_BYTES : MAPFS_SYMLINK_MAX))
		return "is a symbolic link with an impossible target";
	if (type != FS_IFLNK && inline_data)
		return "has data where its extents should be";
	return inline_data ? NULL
			   : mapfs_extents_fault(&fs->sb, d->root, d->n_root, MAPFS_ROOT_EXTENTS,
				     d->depth, &at);
}

static int decode(struct mapfs_inode *inode, const struct mapfs_inode_disk *d)
{
	struct vnode *v = &inode->vnode;

	v->nlink = d->nlink;
	v->uid = d->uid;
	v->gid = d->gid;
	v->rdev = d->rdev;
	v->size_bytes = inode->disk_size = d->size;
	v->atime = d->atime_ns;
	v->mtime = inode->saved_mtime = d->mtime_ns;
	v->ctime = inode->saved_ctime = d->ctime_ns;
	v->blocks = d->n_blocks * MAPFS_BLOCK_SECTORS;
	inode->vnode.btime = d->btime_ns;
	inode->generation = d->generation;
	inode->parent = d->parent;
	inode->n_blocks = d->n_blocks;
	inode->orphan_next_ino = d->orphan_next;
	if (!(d->flags & MAPFS_INODE_INLINE_DATA)) {
		inode->n_root = d->n_root;
		inode->depth = d->depth;
		memcpy(inode->root, d->root, sizeof(inode->root));
		return 0;
	}
	inode->target = fsh_alloc(d->size + 1);
	if (!inode->target)
		return -ENOMEM;
	memcpy(inode->target, d->target, d->size);
	return 0;
}

int mapfs_inode_buf(struct mapfs *fs, uint32_t ino, struct mapfs_buf **out)
{
	unsigned offset;

	return mapfs_buf_get(fs, mapfs_inode_at(&fs->sb, ino, &offset), MAPFS_KIND_INODES, 0, out);
}

/* Where it is in its block. */
static struct mapfs_inode_disk *slot_in(
	const struct mapfs *fs, uint32_t ino, const struct mapfs_buf *buf)
{
	unsigned offset;

	mapfs_inode_at(&fs->sb, ino, &offset);
	return (struct mapfs_inode_disk *)((char *)buf->data + offset);
}

int mapfs_inode_peek(struct mapfs *fs, uint32_t ino, struct mapfs_inode_disk *out)
{
	struct mapfs_buf *buf;
	const char *fault;
	int err;

	if (!mapfs_ino_valid(&fs->sb, ino))
		return mapfs_damaged(fs, "inode", ino, "cannot exist");
	err = mapfs_inode_buf(fs, ino, &buf);
	if (err)
		return err;
	fsh_mutex_lock(&fs->store_lock);
	*out = *slot_in(fs, ino, buf);
	fsh_mutex_unlock(&fs->store_lock);
	mapfs_buf_put(fs, buf);
	fault = inode_fault(fs, ino, out);
	return fault ? mapfs_damaged(fs, "inode", ino, fault) : 0;
}

static int load(struct mount *mount, uint64_t ino, struct vnode **out)
{
	struct mapfs *fs = mount->fs;
	struct mapfs_inode_disk d;
	struct mapfs_inode *inode;
	int err;

	err = mapfs_inode_peek(fs, (uint32_t)ino, &d);
	if (!err)
		err = mapfs_inode_alloc(fs, (uint32_t)ino, d.mode, &inode);
	if (err)
		return err;
	err = decode(inode, &d);
	if (!err && d.flags & MAPFS_INODE_ORPHAN)
		err = mapfs_orphan_return(fs, inode);
	if (!err && vnode_is(&inode->vnode, FS_IFREG))
		err = vnode_init_object(&inode->vnode, &mapfs_pager_ops, d.size);
	if (err) {
		leave(inode);
		return err;
	}
	inode->data_sequence = mapfs_commit_last(fs);
	*out = &inode->vnode;
	return 0;
}

int mapfs_inode_get(struct mapfs *fs, uint32_t ino, struct mapfs_inode **out)
{
	struct vnode *v;
	int err = vnode_get(fs->mount, ino, load, &v);

	if (!err)
		*out = mapfs_inode_of(v);
	return err;
}

uint64_t mapfs_inode_goal(const struct mapfs_inode *inode)
{
	const struct mapfs_super *sb = &mapfs_of(&inode->vnode)->sb;
	uint32_t group = (mapfs_ino(inode) - 1) / sb->inodes_per_group;

	return mapfs_group_first(sb, group) + mapfs_group_overhead(sb);
}

/* --- Writing ----------------------------------------------------------------------------- */

int mapfs_inode_pin(struct mapfs_txn *txn, const struct mapfs_inode *inode)
{
	struct mapfs_buf *buf;
	int err = mapfs_inode_buf(txn->fs, mapfs_ino(inode), &buf);

	if (!err)
		mapfs_txn_pin(txn, buf);
	return err;
}

static struct mapfs_buf *pinned_block(struct mapfs_txn *txn, uint64_t block)
{
	for (unsigned i = 0; i < txn->n_pins; i++)
		if (txn->pins[i]->block == block)
			return txn->pins[i];
	fsh_panic("mapfs: block %llu is changed but was not pinned", (unsigned long long)block);
}

struct mapfs_buf *mapfs_inode_pinned(struct mapfs_txn *txn, const struct mapfs_inode *inode)
{
	unsigned offset;

	return pinned_block(txn, mapfs_inode_at(&txn->fs->sb, mapfs_ino(inode), &offset));
}

static void encode_contents(struct mapfs_inode_disk *d, const struct mapfs_inode *inode)
{
	if (inode->target) {
		d->flags |= MAPFS_INODE_INLINE_DATA;
		memcpy(d->target, inode->target, inode->vnode.size_bytes);
		return;
	}
	d->n_root = inode->n_root;
	d->depth = inode->depth;
	memcpy(d->root, inode->root, inode->n_root * sizeof(d->root[0]));
}

/* Attributes may be changing under the vnode's lock: what is read is as good as a moment before. */
static void encode(struct mapfs_inode_disk *d, const struct mapfs_inode *inode)
{
	const struct vnode *v = &inode->vnode;

	memset(d, 0, sizeof(*d));
	d->mode = (uint16_t)fs_read(v->mode);
	d->uid = fs_read(v->uid);
	d->gid = fs_read(v->gid);
	d->nlink = fs_read(v->nlink);
	d->flags = inode->orphan ? MAPFS_INODE_ORPHAN : 0;
	d->size = vnode_is(v, FS_IFREG) ? inode->disk_size : fs_read(v->size_bytes);
	d->n_blocks = inode->n_blocks;
	d->atime_ns = fs_read(v->atime);
	d->mtime_ns = fs_read(v->mtime);
	d->ctime_ns = fs_read(v->ctime);
	d->btime_ns = v->btime;
	d->generation = inode->generation;
	d->rdev = (uint32_t)v->rdev;
	d->parent = inode->parent;
	d->orphan_next = inode->orphan ? inode->orphan_next_ino : 0;
	encode_contents(d, inode);
}

void mapfs_inode_store(struct mapfs_txn *txn, struct mapfs_inode *inode, bool data)
{
	struct mapfs *fs = txn->fs;
	struct mapfs_buf *buf = mapfs_inode_pinned(txn, inode);
	struct mapfs_inode_disk *d = slot_in(txn->fs, mapfs_ino(inode), buf);

	fsh_mutex_lock(&inode->extent_lock);
	fsh_mutex_lock(&fs->store_lock);
	encode(d, inode);
	fs_write(inode->saved_mtime, d->mtime_ns);
	fs_write(inode->saved_ctime, d->ctime_ns);
	d->crc = mapfs_inode_crc(fs->seed, mapfs_ino(inode), d);
	mapfs_txn_dirty(txn, buf);
	fsh_mutex_unlock(&fs->store_lock);
	fs_write(inode->vnode.blocks, inode->n_blocks * MAPFS_BLOCK_SECTORS);
	fsh_mutex_unlock(&inode->extent_lock);
	if (data)
		fs_write(inode->data_sequence, txn->sequence);
}

uint32_t mapfs_inode_next_generation(struct mapfs_txn *txn, const struct mapfs_inode *inode)
{
	return slot_in(txn->fs, mapfs_ino(inode), mapfs_inode_pinned(txn, inode))->generation + 1;
}

int mapfs_inode_flush(struct mapfs_inode *inode)
{
	struct mapfs_txn txn;
	int err;

	if (!mapfs_inode_times_wait(inode))
		return 0;
	mapfs_txn_init(&txn, mapfs_of(&inode->vnode));
	err = mapfs_inode_pin(&txn, inode);
	if (!err)
		err = mapfs_txn_begin(&txn);
	if (err) {
		mapfs_txn_drop(&txn);
		return err;
	}
	mapfs_inode_store(&txn, inode, false);
	mapfs_txn_end(&txn);
	return 0;
}

/* --- The end ----------------------------------------------------------------------------- */

/* The inode's slot is free; its generation stays for the next one. */
static void clear_inode(struct mapfs_txn *txn, struct mapfs_inode *inode)
{
	struct mapfs_buf *buf = mapfs_inode_pinned(txn, inode);
	struct mapfs_inode_disk *d = slot_in(txn->fs, mapfs_ino(inode), buf);

	mapfs_orphan_remove(txn, inode);
	fsh_mutex_lock(&txn->fs->store_lock);
	memset(d, 0, sizeof(*d));
	d->generation = inode->generation;
	mapfs_txn_dirty(txn, buf);
	fsh_mutex_unlock(&txn->fs->store_lock);
}

/* Nobody uses the inode, and it has no name.  One part of its blocks; with the last, all of it. */
static int delete_part(struct mapfs_inode *inode, bool *more)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);
	struct mapfs_run *number = NULL;
	struct mapfs_cut cut = {0};
	struct mapfs_txn txn;
	int err;

	mapfs_txn_init(&txn, fs);
	mapfs_orphan_pin(&txn);
	err = mapfs_inode_pin(&txn, inode);
	if (!err)
		err = mapfs_extent_cut_prepare(&txn, inode, 0, MAPFS_FILE_BLOCKS, &cut);
	if (!err)
		err = mapfs_free_prepare(fs, MAPFS_INODES, mapfs_ino(inode), 1, &number);
	if (!err) {
		mapfs_txn_pin_map(&txn, number);
		err = mapfs_txn_begin(&txn);
	}
	if (err) {
		mapfs_extent_cut_cancel(fs, &cut);
		if (number)
			mapfs_free_cancel(fs, number);
		mapfs_txn_drop(&txn);
		return err;
	}
	*more = cut.more;
	fsh_mutex_lock(&inode->extent_lock);
	mapfs_extent_cut(&txn, inode, &cut);
	fsh_mutex_unlock(&inode->extent_lock);
	if (*more) {
		mapfs_inode_store(&txn, inode, true);
		mapfs_free_cancel(fs, number);
	} else {
		clear_inode(&txn, inode);
		mapfs_free(&txn, number);
	}
	mapfs_txn_end(&txn);
	return 0;
}

static int delete_inode(struct mapfs_inode *inode)
{
	bool more = true;
	int err = 0;

	while (!err && more)
		err = delete_part(inode, &more);
	return err;
}

void mapfs_evict(struct vnode *v)
{
	struct mapfs_inode *inode = mapfs_inode_of(v);
	int err = 0;

	if (v->nlink == 0 && inode->orphan)
		err = delete_inode(inode);
	else if (v->nlink != 0 && inode->orphan)
		err = mapfs_cut_complete(inode);
	if (v->nlink != 0 && !err)
		err = mapfs_inode_flush(inode);
	if (err && err != -EROFS)
		fsh_log("mapfs: inode %u: cannot be %s (error %d)", mapfs_ino(inode),
			v->nlink ? "saved" : "freed", -err);
	leave(inode);
}
