// SPDX-License-Identifier: MIT
/*
 * mapfs: the file system of Mapache's disks.
 *
 * The problem.  A page that a mapping stored to is a promise: after msync or fsync the bytes are
 * on the disk, whatever happens then; and before, whatever happens, the disk shows no garbage, no
 * half of a rename and no block with two owners.
 *
 *	   names, attributes                        file data
 *	        |                                       |
 *	  namespace.c  dir.c                     file.c (the pager)
 *	        |        |                      place / write / publish
 *	        v        v                        |              |
 *	  inode.c    extent.c     reserve.c  <----+              |  data, straight
 *	        \      |    \         |                          |  to its blocks
 *	         v     v     v        v                          |
 *	        cache.c      alloc.c (claim, publish, free)      |
 *	            \         /                                  |
 *	             v       v                                   v
 *	          txn.c  commit.c  journal.c  checkpoint.c -> io.c  --> block device
 *
 * Rules that hold everywhere:
 *
 *  1. Gather, then change.  An operation reads, pins and claims everything first and may fail at
 *     that; between mapfs_txn_begin() and mapfs_txn_end() nothing fails, so nothing is undone.
 *     The blocks pinned are the credits of the transaction: its worst case is known at its start.
 *  2. Publish after write.  Data goes to blocks that nothing refers to; then a transaction makes
 *     them part of the file and moves the size (file.c).
 *  3. No promise is broken.  A page that may be stored to has a block reserved (reserve.c).  No
 *     space is an error at write(2) or at the store, never at write-back.
 *  4. What was freed is not reused before the free is durable, and before the log has forgotten
 *     what was there (quarantine, alloc.c).
 *  5. Attributes of a vnode change between begin and end of the transaction that stores them,
 *     except times, which may be newer in memory.
 *  6. Nothing on the disk is believed: blocks, inodes, extents and entries are checked when they
 *     are read, and what is damaged is -EIO with a line in the log.
 *
 * Lock order (all sleep): vnode lock -> page busy or write-back -> transaction -> extent lock ->
 * allocator, inode store -> cache -> commit lock.  Whoever is inside a transaction waits for no
 * page and touches no user memory.  A fill takes the extent lock only, never the vnode lock.
 *
 * What was refused.  Allocating when a page becomes dirty: files written piece by piece would be
 * scattered, and files that are deleted soon would cost blocks.  A table of groups: one more thing
 * to lose, and everything in it follows from the super block.  Undo on failure: rule 1 is less
 * code and cannot itself fail.  A log of operations: replaying blocks is simpler to believe.
 *
 * To read: format.h, layout.c, this file, journal.c, txn.c, commit.c, checkpoint.c, recover.c,
 * alloc.c, space.c, inode.c, extent.c, extent_cut.c, dir.c, dir_change.c, namespace.c, reserve.c,
 * file.c, resize.c, punch.c, unwritten.c; cache.c and io.c when needed.
 */
#include "mapfs.h"

#include <fs/mapfs.h>

#include <string.h>

/* Metadata blocks that a mount may keep in memory however little there is: 4 MiB. */
#define CACHE_LIMIT 1024

#define STATFS_MAGIC 0x6d617066 /* "mapf" */

int mapfs_damaged(struct mapfs *fs, const char *what, uint64_t number, const char *reason)
{
	fsh_log("mapfs %s: %s %llu %s", fs->dev->name, what, (unsigned long long)number, reason);
	return -EIO;
}

/* --- Mounting ---------------------------------------------------------------------------- */

static int read_super_at(struct mapfs *fs, uint64_t block, bool *read_only, const char **fault)
{
	int err = blk_read(fs->dev, block * MAPFS_BLOCK_SECTORS, &fs->sb, sizeof(fs->sb));

	if (err)
		return err;
	*fault = mapfs_super_fault(&fs->sb, fs->dev->n_sectors / MAPFS_BLOCK_SECTORS, read_only);
	return *fault ? -EINVAL : 0;
}

/* The first super block, or the copy at the device's end; with the copy, for reading only. */
static int read_super(struct mapfs *fs)
{
	uint64_t last = fs->dev->n_sectors / MAPFS_BLOCK_SECTORS - 1;
	const char *fault = "cannot be read", *copy_fault;
	bool read_only = false;
	int err;

	if (fs->dev->n_sectors < MAPFS_MIN_BLOCKS * MAPFS_BLOCK_SECTORS) {
		fsh_log("mapfs %s: the device is too small to hold a file system", fs->dev->name);
		return -EINVAL;
	}
	err = read_super_at(fs, MAPFS_SUPER_BLOCK, &read_only, &fault);
	if (err && read_super_at(fs, last, &read_only, &copy_fault) == 0) {
		fsh_log("mapfs %s: super block: %s; using its copy, read-only until fsck",
			fs->dev->name, fault);
		read_only = true;
		err = 0;
	}
	if (err) {
		fsh_log("mapfs %s: %s", fs->dev->name, fault);
		return err;
	}
	fs->read_only |= read_only;
	fs->seed = mapfs_crc_seed(&fs->sb);
	return 0;
}

/* Put in place what only the log has, if this mount may write; else it is found there. */
static int replay_log(struct mapfs *fs)
{
	struct mapfs_recovery *r = fs->recovery;
	uint64_t n = r->n_groups;
	int err;

	if (fs->read_only || !mapfs_recovery_needed(r))
		return 0;
	err = mapfs_recovery_replay(r);
	if (err)
		fsh_log("mapfs %s: the log cannot be replayed (error %d)", fs->dev->name, -err);
	else
		fsh_log("mapfs %s: recovered, %llu groups of changes", fs->dev->name,
			(unsigned long long)n);
	return err;
}

static int read_log(struct mapfs *fs)
{
	int err = mapfs_recovery_scan(fs->recovery, fs->dev, &fs->sb);

	if (err == -EINVAL) {
		fsh_log("mapfs %s: head of the log %s: read-only until fsck has seen it",
			fs->dev->name, fs->recovery->fault);
		fs->read_only = true;
		err = 0;
	}
	if (err == -EIO) {
		fsh_log("mapfs %s: the log cannot be read behind group %llu: read-only",
			fs->dev->name, (unsigned long long)fs->recovery->end.sequence - 1);
		fs->read_only = true;
		err = 0;
	}
	return err ? err : mapfs_commit_start(fs, fs->recovery);
}

static int read_state(struct mapfs *fs)
{
	int err = mapfs_buf_get(fs, MAPFS_STATE_BLOCK, MAPFS_KIND_STATE, 0, &fs->state_buf);

	if (err && err != -ENOMEM) {
		fsh_log("mapfs %s: no state block: read-only until fsck has seen it",
			fs->dev->name);
		fs->read_only = true;
		err = 0;
	}
	return err;
}

static int fs_new(struct mount *mount, struct blkdev *dev, struct mapfs **out)
{
	struct mapfs *fs = fsh_alloc(sizeof(*fs));

	if (!fs)
		return -ENOMEM;
	fs->dev = dev;
	fs->mount = mount;
	fs->read_only = dev->read_only;
	fs->recovery = fsh_alloc(sizeof(*fs->recovery));
	if (!fs->recovery) {
		fsh_free(fs);
		return -ENOMEM;
	}
	fsh_mutex_init(&fs->store_lock, "mapfs inode store", FSH_RANK_ALLOC);
	fsh_spin_init(&fs->promises.lock, "mapfs promises");
	mapfs_cache_init(&fs->cache, CACHE_LIMIT);
	mapfs_commit_init(fs);
	mapfs_alloc_init(fs);
	*out = fs;
	return 0;
}

static void fs_free(struct mapfs *fs)
{
	mapfs_commit_destroy(fs);
	mapfs_promises_destroy(fs);
	mapfs_orphans_forget(fs);
	mapfs_alloc_destroy(fs);
	mapfs_buf_put(fs, fs->state_buf);
	mapfs_cache_destroy(&fs->cache);
	mapfs_recovery_free(fs->recovery);
	fsh_free(fs->recovery);
	fsh_mutex_destroy(&fs->store_lock);
	fsh_free(fs);
}

static int read_root(struct mapfs *fs, struct mapfs_inode **root)
{
	struct mapfs_inode_disk d;
	int err = mapfs_inode_peek(fs, fs->sb.root_ino, &d);

	if (!err && (d.mode & FS_IFMT) != FS_IFDIR)
		err = mapfs_damaged(fs, "inode", fs->sb.root_ino, "is the root but no directory");
	return err ? err : mapfs_inode_get(fs, fs->sb.root_ino, root);
}

/*
 * The mount may write, for the first time: what earlier ones left to be freed goes, before this one
 * has orphans of its own.
 */
static void begin_writing(struct mapfs *fs)
{
	if (fs->read_only || fs_read(fs->writing))
		return;
	fs_write(fs->writing, true);
	fs->commit.changing = !mapfs_state(fs)->clean;
	if (!mapfs_state(fs)->clean)
		fsh_log("mapfs %s: was not unmounted", fs->dev->name);
	if (mapfs_orphans_reap(fs)) {
		fsh_log("mapfs %s: orphans cannot be freed: read-only until fsck has seen it",
			fs->dev->name);
		fs_write(fs->read_only, true);
	}
}

static int read_all(struct mapfs *fs, struct mapfs_inode **root)
{
	int err = read_super(fs);

	if (!err)
		err = read_log(fs);
	if (!err && !mount_readonly(fs->mount))
		err = replay_log(fs);
	if (!err)
		err = read_state(fs);
	if (!err)
		err = mapfs_alloc_read(fs);
	if (!err && !mount_readonly(fs->mount))
		begin_writing(fs);
	return err ? err : read_root(fs, root);
}

/* What fails with one says nothing of the others: *first_err is told of it. */
static int sync_vnode(struct vnode *v, void *first_err)
{
	int err = mapfs_inode_flush(mapfs_inode_of(v));

	if (err && !*(int *)first_err)
		*(int *)first_err = err;
	return 0;
}

static int mount_op_sync(struct mount *mount)
{
	struct mapfs *fs = mount->fs;
	int err = 0, commit_err;

	mapfs_promises_trim(fs);
	if (fs_read(fs->read_only))
		return mapfs_commit_error(fs);
	(void)vnode_for_each(mount, sync_vnode, &err);
	mount_sync_begins(mount); /* the times are stored */
	commit_err = mapfs_commit(fs);
	return err ? err : commit_err;
}

static int mount_op_statfs(struct mount *mount, struct fs_stat *out)
{
	struct mapfs *fs = mount->fs;
	const struct mapfs_space *blocks = &fs->space[MAPFS_BLOCKS];
	const struct mapfs_space *inodes = &fs->space[MAPFS_INODES];
	uint64_t kept;

	out->magic = STATFS_MAGIC;
	out->block_bytes = MAPFS_BLOCK_BYTES;
	out->blocks = blocks->total;
	out->inodes = inodes->total;
	fsh_spin_lock(&fs->space_lock);
	out->free_blocks = blocks->free + blocks->quarantined - blocks->reserved;
	kept = mapfs_kept_blocks(fs);
	out->data_blocks = out->free_blocks > kept ? out->free_blocks - kept : 0;
	out->free_inodes = inodes->free + inodes->quarantined;
	fsh_spin_unlock(&fs->space_lock);
	return 0;
}

static int mount_op_remount(struct mount *mount, bool write)
{
	struct mapfs *fs = mount->fs;
	int err;

	if (!write)
		return mapfs_end_changes(fs);
	err = replay_log(fs);
	if (err)
		return err;
	mapfs_allow_changes(fs);
	begin_writing(fs);
	return fs_read(fs->read_only) ? -EROFS : 0;
}

/* When somebody still has vnodes (the machine goes down), the medium is left clean all the same. */
static void mount_op_unmount(struct mount *mount)
{
	struct mapfs *fs = mount->fs;
	int err = mapfs_end_changes(fs);

	if (err)
		fsh_log("mapfs %s: is not left clean (error %d)", fs->dev->name, -err);
	blkdev_release(fs->dev);
	if (!mount->vnodes)
		fs_free(fs);
}

/* What this mount has in the log only is pinned: first it goes into its place. */
static void mount_op_shrink(struct mount *mount, size_t keep)
{
	struct mapfs *fs = mount->fs;
	int err = fs_read(fs->writing) && !fs_read(fs->read_only) ? mapfs_checkpoint(fs) : 0;

	if (err)
		fsh_log("mapfs %s: keeps what is not in its place (error %d)", fs->dev->name, -err);
	mapfs_cache_shrink(fs, keep);
}

static void mount_op_trim(struct mount *mount)
{
	mapfs_cache_trim(mount->fs);
}

static const struct mount_ops mapfs_mount_ops = {
	.sync = mount_op_sync,
	.remount = mount_op_remount,
	.shrink = mount_op_shrink,
	.trim = mount_op_trim,
	.statfs = mount_op_statfs,
	.unmount = mount_op_unmount,
};

static int type_mount(
	struct mount *mount, const char *source, const char *options, struct vnode **root)
{
	struct blkdev *dev = blkdev_find(source);
	struct mapfs_inode *inode;
	struct mapfs *fs;
	int err;

	if (options && *options)
		return -EINVAL;
	if (!dev)
		return -ENODEV;
	err = blkdev_claim(dev);
	if (err)
		return err;
	err = fs_new(mount, dev, &fs);
	if (err)
		goto out_release;
	mount->fs = fs;
	err = read_all(fs, &inode);
	if (err)
		goto out_free;
	mount->ops = &mapfs_mount_ops;
	mount->max_file_bytes = MAPFS_MAX_FILE;
	if (fs->read_only)
		mount->flags |= MOUNT_RDONLY;
	*root = &inode->vnode;
	return 0;
out_free:
	vnode_mount_evict(mount); /* what had been left to be finished */
	fs_free(fs);
out_release:
	blkdev_release(dev);
	return err;
}

static struct fs_type mapfs_type = {.name = "mapfs", .on_device = true, .mount = type_mount};

void mapfs_register(void)
{
	fs_register(&mapfs_type);
}
