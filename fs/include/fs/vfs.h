// SPDX-License-Identifier: MIT
/*
 * The file system calls: what a system call does once its path is in kernel memory and its
 * arguments are checked for form.
 *
 * `base` is the directory that a relative path begins at, NULL: ctx->cwd.  All return 0 or -errno,
 * may sleep, and are called with no lock held.  Errors of the walk (fs/path.h), -EROFS, -EACCES,
 * -EPERM, -EIO, -ENOMEM, -ENOSPC are possible in all and not repeated.
 */
#pragma once

#include <fs/file.h>
#include <fs/mount.h>
#include <fs/path.h>
#include <fs/types.h>
#include <fs/vnode.h>

/*
 * flags: enum fs_open_flags; mode: permissions of a new file, before the umask.  -EEXIST,
 * -EISDIR, -ENOTDIR, -ENXIO (device without a driver), -ELOOP (FS_O_NOFOLLOW).
 * With FS_O_PATH the file can only serve as a base.
 */
int vfs_open(const struct fs_context *ctx, struct dentry *base, const char *path, unsigned flags,
	uint32_t mode, struct file **out);

/* The same for a file that was found before, whatever became of its name.  Nothing is created. */
int vfs_open_entry(
	const struct fs_context *ctx, struct dentry *d, unsigned flags, struct file **out);

/*
 * Open a program, to be read and mapped by exec: who may execute it need not have the right to
 * read it.  flags: PATH_FOLLOW, PATH_EMPTY.  -EACCES: also for what is no regular file, and on a
 * mount without programs; -ELOOP: a link that is not to be followed; -ETXTBSY: somebody has it open
 * for writing.  As long as *out is open, that is what an open for writing gets.
 */
int vfs_open_program(const struct fs_context *ctx, struct dentry *base, const char *path,
	unsigned flags, struct file **out);

/* flags: PATH_FOLLOW, PATH_EMPTY. */
int vfs_stat(const struct fs_context *ctx, struct dentry *base, const char *path, unsigned flags,
	struct fs_attr *attr);

/* want: FS_READ | FS_WRITE | FS_EXECUTE, or 0: is it there? */
int vfs_access(const struct fs_context *ctx, struct dentry *base, const char *path, unsigned flags,
	unsigned want);

/* Length of the target, cut to `bytes`; -EINVAL: not a link.  PATH_EMPTY is allowed in flags. */
int vfs_readlink(const struct fs_context *ctx, struct dentry *base, const char *path,
	unsigned flags, char *to, size_t bytes);

int vfs_mkdir(const struct fs_context *ctx, struct dentry *base, const char *path, uint32_t mode);

/* mode has the type: regular, fifo, and for uid 0 devices. */
int vfs_mknod(const struct fs_context *ctx, struct dentry *base, const char *path, uint32_t mode,
	uint64_t rdev);
int vfs_symlink(
	const struct fs_context *ctx, const char *target, struct dentry *base, const char *path);

/* flags (of the old path): PATH_FOLLOW, PATH_EMPTY.  -EXDEV, -EPERM (directory), -EMLINK. */
int vfs_link(const struct fs_context *ctx, struct dentry *old_base, const char *old_path,
	unsigned flags, struct dentry *new_base, const char *new_path);
int vfs_unlink(const struct fs_context *ctx, struct dentry *base, const char *path);

/* -ENOTEMPTY, -EBUSY (a mount), -EINVAL (ends in "."). */
int vfs_rmdir(const struct fs_context *ctx, struct dentry *base, const char *path);

/* flags: enum fs_rename_flags.  -EXDEV, -EINVAL (below itself), -EBUSY, -EEXIST (NOREPLACE). */
int vfs_rename(const struct fs_context *ctx, struct dentry *old_base, const char *old_path,
	struct dentry *new_base, const char *new_path, unsigned flags);

/* mask: enum fs_attr_mask.  Errors as vnode_setattr(), which is this without a path. */
int vfs_setattr(const struct fs_context *ctx, struct dentry *base, const char *path, unsigned flags,
	const struct fs_attr *attr, unsigned mask);

int vfs_statfs(
	const struct fs_context *ctx, struct dentry *base, const char *path, struct fs_stat *out);

/*
 * Mount, change the flags of a mount, take one away: for uid 0 (-EPERM).  Errors as those of
 * mount_on(), mount_remount(), mount_take() and mount_detach(); -ENOTBLK, -ENXIO: source is not a
 * device, or there is none.  walk: PATH_FOLLOW or 0.
 */
int vfs_mount(const struct fs_context *ctx, const char *path, const char *type, const char *source,
	unsigned flags, const char *options);
int vfs_remount(const struct fs_context *ctx, const char *path, unsigned flags);
int vfs_umount(const struct fs_context *ctx, const char *path, unsigned walk, bool detach);

/* May be a working directory of ctx: a directory that may be searched.  *out is referenced. */
int vfs_chdir(
	const struct fs_context *ctx, struct dentry *base, const char *path, struct dentry **out);

/*
 * Once, before anything else; the types "tmpfs" and "devfs" are registered.  cached_names and
 * cached_vnodes bound what is kept beyond what is in use.  -ENOMEM.
 */
int vfs_init(size_t cached_names, size_t cached_vnodes);

/* What is in memory, a snapshot: for /proc and for tests that look for leaks. */
struct vfs_counts {
	size_t names, vnodes, idle_vnodes, files;
	uint64_t name_looks; /* at unused names, ever: what it took to choose those that went */
};
void vfs_counts(struct vfs_counts *out);

/*
 * Verify every invariant of the name and vnode caches; panics on a broken one.  Nobody may change
 * names meanwhile.
 */
void vfs_check(void);
