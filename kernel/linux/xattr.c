// SPDX-License-Identifier: MIT
/*
 * Extended attributes, which no file system here has: there are none to list, and none can be set,
 * read or removed.
 */
#include <abi/errno.h>
#include <kernel/place.h>
#include <kernel/syscall.h>

/* A file that is there has no attributes: `answer`. */
static long answer_for_path(uaddr_t path, unsigned at_flags, long answer)
{
	struct fs_attr attr;
	int err = attributes_at(AT_FDCWD, path, at_flags, &attr);

	return err ? err : answer;
}

static long answer_for_fd(long fd, long answer)
{
	struct file *file = fd_get(fd);

	if (!file)
		return -EBADF;
	file_unref(file);
	return answer;
}

long sys_setxattr(uaddr_t path, uaddr_t name, uaddr_t value, size_t bytes, unsigned long flags)
{
	(void)name, (void)value, (void)bytes, (void)flags;
	return answer_for_path(path, 0, -EOPNOTSUPP);
}

long sys_getxattr(uaddr_t path, uaddr_t name, uaddr_t value, size_t bytes)
{
	(void)name, (void)value, (void)bytes;
	return answer_for_path(path, 0, -EOPNOTSUPP);
}

long sys_listxattr(uaddr_t path, uaddr_t list, size_t bytes)
{
	(void)list, (void)bytes;
	return answer_for_path(path, 0, 0);
}

long sys_removexattr(uaddr_t path, uaddr_t name)
{
	(void)name;
	return answer_for_path(path, 0, -EOPNOTSUPP);
}

long sys_lsetxattr(uaddr_t path, uaddr_t name, uaddr_t value, size_t bytes, unsigned long flags)
{
	(void)name, (void)value, (void)bytes, (void)flags;
	return answer_for_path(path, AT_SYMLINK_NOFOLLOW, -EOPNOTSUPP);
}

long sys_lgetxattr(uaddr_t path, uaddr_t name, uaddr_t value, size_t bytes)
{
	(void)name, (void)value, (void)bytes;
	return answer_for_path(path, AT_SYMLINK_NOFOLLOW, -EOPNOTSUPP);
}

long sys_llistxattr(uaddr_t path, uaddr_t list, size_t bytes)
{
	(void)list, (void)bytes;
	return answer_for_path(path, AT_SYMLINK_NOFOLLOW, 0);
}

long sys_lremovexattr(uaddr_t path, uaddr_t name)
{
	(void)name;
	return answer_for_path(path, AT_SYMLINK_NOFOLLOW, -EOPNOTSUPP);
}

long sys_fsetxattr(long fd, uaddr_t name, uaddr_t value, size_t bytes, unsigned long flags)
{
	(void)name, (void)value, (void)bytes, (void)flags;
	return answer_for_fd(fd, -EOPNOTSUPP);
}

long sys_fgetxattr(long fd, uaddr_t name, uaddr_t value, size_t bytes)
{
	(void)name, (void)value, (void)bytes;
	return answer_for_fd(fd, -EOPNOTSUPP);
}

long sys_flistxattr(long fd, uaddr_t list, size_t bytes)
{
	(void)list, (void)bytes;
	return answer_for_fd(fd, 0);
}

long sys_fremovexattr(long fd, uaddr_t name)
{
	(void)name;
	return answer_for_fd(fd, -EOPNOTSUPP);
}
