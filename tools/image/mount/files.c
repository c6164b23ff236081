// SPDX-License-Identifier: MIT
/*
 * The operations on open files.  The kernel has flags of open that are its own affair: it says
 * itself where an append goes, and it has asked for what O_DIRECT or O_NOATIME mean.
 *
 * There is no flush operation: a close promises nothing about the disk, fsync does.
 */
#include "mount.h"

#include <fs/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

unsigned open_flags(const struct fuse_file_info *info)
{
	unsigned flags = (unsigned)info->flags & O_ACCMODE;

	if (info->flags & O_TRUNC)
		flags |= FS_O_TRUNC;
	if (info->flags & O_EXCL)
		flags |= FS_O_EXCL;
	if ((info->flags & O_SYNC) == O_SYNC)
		flags |= FS_O_SYNC;
	else if (info->flags & O_DSYNC)
		flags |= FS_O_DSYNC;
	return flags;
}

static int open_node(fuse_ino_t ino, unsigned flags, struct fuse_file_info *info)
{
	struct dentry *d = node_entry(ino);
	struct file *file;
	int err = vfs_open_entry(&mounted, d, flags, &file);

	dentry_unref(d);
	return err ? err : handle_new(file, info);
}

void reply_open(fuse_req_t req, fuse_ino_t ino, unsigned flags, struct fuse_file_info *info)
{
	int err = open_node(ino, flags, info);

	if (err)
		reply_error(req, err);
	else if (fuse_reply_open(req, info) == -ENOENT)
		handle_close(info);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	info->keep_cache = 1; /* nobody else changes what the kernel has of it */
	reply_open(req, ino, open_flags(info) & ~(unsigned)FS_O_EXCL, info);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	handle_close(info);
	reply_error(req, 0);
}

static void op_read(
	fuse_req_t req, fuse_ino_t ino, size_t n, off_t offset, struct fuse_file_info *info)
{
	char *buffer = malloc(n);
	size_t done = 0;
	int err = buffer ? 0 : -ENOMEM;

	(void)ino;
	if (!err)
		err = image_read(handle_file(info), buffer, n, (uint64_t)offset, &done);
	if (err && done == 0)
		reply_error(req, err);
	else
		fuse_reply_buf(req, buffer, done);
	free(buffer);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t n, off_t offset,
	struct fuse_file_info *info)
{
	size_t done;
	int err = image_write(handle_file(info), data, n, (uint64_t)offset, &done);

	(void)ino;
	if (err && done == 0)
		reply_error(req, err);
	else
		fuse_reply_write(req, done);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *info)
{
	(void)ino;
	reply_error(req, file_sync(handle_file(info), data_only));
}

static int allocate(struct file *file, int mode, uint64_t start, uint64_t end)
{
	if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		return file_punch(file, start, end);
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	return file_allocate(file, start, end,
		(mode & FALLOC_FL_KEEP_SIZE ? FS_ALLOCATE_KEEP_SIZE : 0) |
			(mode & FALLOC_FL_ZERO_RANGE ? FS_ALLOCATE_ZERO : 0));
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
	struct fuse_file_info *info)
{
	(void)ino;
	reply_error(req, allocate(handle_file(info), mode, (uint64_t)offset,
				 (uint64_t)offset + (uint64_t)length));
}

/* Only SEEK_DATA and SEEK_HOLE: the kernel does the others itself. */
static void op_lseek(
	fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *info)
{
	uint64_t position;
	int err = file_seek(handle_file(info), offset, whence, &position);

	(void)ino;
	if (err)
		reply_error(req, err);
	else
		fuse_reply_lseek(req, (off_t)position);
}

void files_operations(struct fuse_lowlevel_ops *ops)
{
	ops->open = op_open;
	ops->release = op_release;
	ops->read = op_read;
	ops->write = op_write;
	ops->fsync = op_fsync;
	ops->fallocate = op_fallocate;
	ops->lseek = op_lseek;
}
