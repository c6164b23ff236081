// SPDX-License-Identifier: MIT
/*
 * The operations on names and attributes.
 *
 * The kernel holds the lock of a directory while it asks for a change in it, so what was just made
 * is still there when it is looked up for the answer.
 */
#include "mount.h"

#include <fs/vfs.h>

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* New files belong to who asked; whether he may, the kernel knows. */
struct maker {
	struct fs_context ctx;
	struct fs_cred owner;
};

static const struct fs_context *as_maker(struct maker *m, fuse_req_t req)
{
	const struct fuse_ctx *asks = fuse_req_ctx(req);

	m->owner = (struct fs_cred){.uid = asks->uid, .gid = asks->gid};
	m->ctx = mounted;
	m->ctx.owner = &m->owner;
	return &m->ctx;
}

/*
 * Answer with what is called `name`, unless making it has failed; the reference
 * of dir is taken over.
 */
static void reply_made(fuse_req_t req, struct dentry *dir, const char *name, int err)
{
	struct dentry *d = NULL;

	if (!err)
		err = path_lookup(&mounted, dir, name, 0, &d);
	dentry_unref(dir);
	reply_entry(req, d, err);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	static const struct fuse_entry_param free_name = {.entry_timeout = NAMES_LAST_S};
	struct dentry *dir = node_entry(parent), *d = NULL;
	int err = path_lookup(&mounted, dir, name, 0, &d);

	dentry_unref(dir);
	if (err == -ENOENT)
		fuse_reply_entry(req, &free_name);
	else
		reply_entry(req, d, err);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	node_forget(ino, lookups);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < n; i++)
		node_forget(forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* --- Attributes ---------------------------------------------------------------------------- */

static void reply_attributes(fuse_req_t req, struct dentry *d, int err)
{
	struct fs_attr attr;
	struct stat st;

	if (!err)
		err = vnode_getattr(d->vnode, &attr);
	dentry_unref(d);
	if (err) {
		reply_error(req, err);
		return;
	}
	stat_of(&attr, &st);
	fuse_reply_attr(req, &st, ATTRIBUTES_LAST_S);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)info;
	reply_attributes(req, node_entry(ino), 0);
}

static unsigned mask_of(int to_set)
{
	static const struct {
		int fuse;
		unsigned fs;
	} masks[] = {
		{FUSE_SET_ATTR_MODE, FS_SET_MODE},
		{FUSE_SET_ATTR_UID, FS_SET_UID},
		{FUSE_SET_ATTR_GID, FS_SET_GID},
		{FUSE_SET_ATTR_SIZE, FS_SET_SIZE},
		{FUSE_SET_ATTR_ATIME, FS_SET_ATIME},
		{FUSE_SET_ATTR_MTIME, FS_SET_MTIME},
		{FUSE_SET_ATTR_ATIME_NOW, FS_SET_ATIME_NOW},
		{FUSE_SET_ATTR_MTIME_NOW, FS_SET_MTIME_NOW},
	};
	unsigned mask = 0;

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++)
		mask |= to_set & masks[i].fuse ? masks[i].fs : 0;
	if (mask & FS_SET_ATIME_NOW)
		mask &= ~(unsigned)FS_SET_ATIME;
	if (mask & FS_SET_MTIME_NOW)
		mask &= ~(unsigned)FS_SET_MTIME;
	return mask;
}

static void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set, struct fuse_file_info *info)
{
	struct fs_attr attr = {
		.mode = st->st_mode & FS_PERM,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size_bytes = (uint64_t)st->st_size,
		.atime = image_time(&st->st_atim),
		.mtime = image_time(&st->st_mtim),
	};
	struct dentry *d = node_entry(ino);

	(void)info;
	reply_attributes(req, d, vnode_setattr(d->vnode, NULL, &attr, mask_of(to_set)));
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[FS_PATH_MAX];
	struct dentry *d = node_entry(ino);
	int n = vfs_readlink(&mounted, d, "", PATH_EMPTY, target, sizeof(target) - 1);

	dentry_unref(d);
	if (n < 0) {
		reply_error(req, n);
		return;
	}
	target[n] = 0;
	fuse_reply_readlink(req, target);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fs_stat s;
	int err = mount_statfs(mounted.root->mount, &s);
	struct statvfs out = {
		.f_bsize = s.block_bytes,
		.f_frsize = s.block_bytes,
		.f_blocks = s.blocks,
		.f_bfree = s.free_blocks,
		.f_bavail = s.data_blocks,
		.f_files = s.inodes,
		.f_ffree = s.free_inodes,
		.f_favail = s.free_inodes,
		.f_namemax = FS_NAME_MAX,
	};

	(void)ino;
	if (err)
		reply_error(req, err);
	else
		fuse_reply_statfs(req, &out);
}

/* --- Making and removing ------------------------------------------------------------------- */

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct dentry *dir = node_entry(parent);
	struct maker m;
	int err = vfs_mknod(as_maker(&m, req), dir, name, mode, FS_DEV(major(rdev), minor(rdev)));

	reply_made(req, dir, name, err);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct dentry *dir = node_entry(parent);
	struct maker m;

	reply_made(req, dir, name, vfs_mkdir(as_maker(&m, req), dir, name, mode));
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct dentry *dir = node_entry(parent);
	struct maker m;

	reply_made(req, dir, name, vfs_symlink(as_maker(&m, req), target, dir, name));
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct dentry *old = node_entry(ino), *dir = node_entry(parent);
	int err = vfs_link(&mounted, old, "", PATH_EMPTY, dir, name);

	dentry_unref(old);
	reply_made(req, dir, name, err);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct dentry *dir = node_entry(parent);

	reply_error(req, vfs_unlink(&mounted, dir, name));
	dentry_unref(dir);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct dentry *dir = node_entry(parent);

	reply_error(req, vfs_rmdir(&mounted, dir, name));
	dentry_unref(dir);
}

/* The flags have the numbers of renameat2(2) on both sides. */
static void op_rename(fuse_req_t req, fuse_ino_t old_parent, const char *old_name,
	fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	struct dentry *from = node_entry(old_parent), *to = node_entry(new_parent);

	reply_error(req, vfs_rename(&mounted, from, old_name, to, new_name, flags));
	dentry_unref(from);
	dentry_unref(to);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	struct fuse_file_info *info)
{
	struct dentry *dir = node_entry(parent);
	struct maker m;
	struct file *file;
	int err =
		vfs_open(as_maker(&m, req), dir, name, open_flags(info) | FS_O_CREAT, mode, &file);

	dentry_unref(dir);
	if (err)
		reply_error(req, err);
	else
		reply_created(req, file, info);
}

void names_operations(struct fuse_lowlevel_ops *ops)
{
	ops->lookup = op_lookup;
	ops->forget = op_forget;
	ops->forget_multi = op_forget_multi;
	ops->getattr = op_getattr;
	ops->setattr = op_setattr;
	ops->readlink = op_readlink;
	ops->statfs = op_statfs;
	ops->mknod = op_mknod;
	ops->mkdir = op_mkdir;
	ops->symlink = op_symlink;
	ops->link = op_link;
	ops->unlink = op_unlink;
	ops->rmdir = op_rmdir;
	ops->rename = op_rename;
	ops->create = op_create;
}
