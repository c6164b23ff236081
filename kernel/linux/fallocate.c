// SPDX-License-Identifier: MIT
/*
 * fallocate: holes are punched where the file system can (mapfs, tmpfs, memfds), room is promised
 * where it can be (mapfs).  Who asks for what there is not, as for bytes to be moved, hears that it
 * is not supported, and C libraries then write zeros.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <kernel/files.h>
#include <kernel/syscall.h>
#include <kernel/transfer.h>

#define MODES_KNOWN                                                              \
	(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE | \
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE)

static int check_file(const struct file *file)
{
	if (!(file->state & FILE_WRITABLE))
		return -EBADF;
	if (file->object)
		return 0;
	return !file->vnode || vnode_is(file->vnode, FS_IFIFO) ? -ESPIPE : -ENODEV;
}

static unsigned how(unsigned mode)
{
	return (mode & FALLOC_FL_KEEP_SIZE ? FS_ALLOCATE_KEEP_SIZE : 0) |
	       (mode & FALLOC_FL_ZERO_RANGE ? FS_ALLOCATE_ZERO : 0);
}

static int allocate(struct file *file, unsigned mode, int64_t offset, int64_t bytes)
{
	int64_t end;
	int err;

	if (offset < 0 || bytes <= 0)
		return -EINVAL;
	if (mode & ~(unsigned)MODES_KNOWN)
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	err = check_file(file);
	if (err)
		return err;
	if (__builtin_add_overflow(offset, bytes, &end))
		return -EFBIG;
	if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		return file_punch(file, (uint64_t)offset, (uint64_t)end);
	if (mode & ~(unsigned)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	return file_allocate(file, (uint64_t)offset, (uint64_t)end, how(mode));
}

long sys_fallocate(long fd, unsigned long mode, int64_t offset, int64_t bytes)
{
	struct file *file = fd_get(fd);

	if (!file)
		return -EBADF;
	int err = allocate(file, (unsigned)mode, offset, bytes);
	file_unref(file);
	return transfer_result(0, err);
}
