// SPDX-License-Identifier: MIT
/*
 * Names in the file system: links, folders, attributes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <unistd.h>

#include "syscall.h"

int access(const char *path, int mode)
{
	return (int)SYSCALL_ERRNO(faccessat, AT_FDCWD, path, mode);
}

/* Only faccessat2 has flags. */
int faccessat(int dir, const char *path, int mode, int flags)
{
	if (flags == 0)
		return (int)SYSCALL_ERRNO(faccessat, dir, path, mode);
	return (int)SYSCALL_ERRNO(faccessat2, dir, path, mode, flags);
}

int chdir(const char *path)
{
	return (int)SYSCALL_ERRNO(chdir, path);
}

int fchdir(int fd)
{
	return (int)SYSCALL_ERRNO(fchdir, fd);
}

int chroot(const char *path)
{
	return (int)SYSCALL_ERRNO(chroot, path);
}

char *getcwd(char *to, size_t size)
{
	char *own = to ? NULL : malloc(size = size ? size : PATH_MAX);

	if (!to && !own)
		return NULL;
	if (SYSCALL_ERRNO(getcwd, to ? to : own, size) >= 0)
		return to ? to : own;
	free(own);
	return NULL;
}

int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return (int)SYSCALL_ERRNO(linkat, from_dir, from, to_dir, to, flags);
}

int symlink(const char *target, const char *path)
{
	return symlinkat(target, AT_FDCWD, path);
}

int symlinkat(const char *target, int dir, const char *path)
{
	return (int)SYSCALL_ERRNO(symlinkat, target, dir, path);
}

ssize_t readlink(const char *restrict path, char *restrict to, size_t size)
{
	return readlinkat(AT_FDCWD, path, to, size);
}

ssize_t readlinkat(int dir, const char *restrict path, char *restrict to, size_t size)
{
	return SYSCALL_ERRNO(readlinkat, dir, path, to, size);
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int unlinkat(int dir, const char *path, int flags)
{
	return (int)SYSCALL_ERRNO(unlinkat, dir, path, flags);
}

int remove(const char *path)
{
	int saved = errno;

	if (unlink(path) == 0)
		return 0;
	if (errno != EISDIR)
		return -1;
	errno = saved;
	return rmdir(path);
}

int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat2(from_dir, from, to_dir, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return (int)SYSCALL_ERRNO(renameat2, from_dir, from, to_dir, to, flags);
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	return (int)SYSCALL_ERRNO(mkdirat, dir, path, mode);
}

int mknod(const char *path, mode_t mode, dev_t device)
{
	return mknodat(AT_FDCWD, path, mode, device);
}

int mknodat(int dir, const char *path, mode_t mode, dev_t device)
{
	return (int)SYSCALL_ERRNO(mknodat, dir, path, mode, device);
}

int mkfifo(const char *path, mode_t mode)
{
	return mknod(path, S_IFIFO | (mode & 07777), 0);
}

int truncate(const char *path, off_t size)
{
	return (int)SYSCALL_ERRNO(truncate, path, size);
}

void sync(void)
{
	SYSCALL(sync);
}

int syncfs(int fd)
{
	return (int)SYSCALL_ERRNO(syncfs, fd);
}

/* Attributes */

int stat(const char *restrict path, struct stat *restrict to)
{
	return fstatat(AT_FDCWD, path, to, 0);
}

int lstat(const char *restrict path, struct stat *restrict to)
{
	return fstatat(AT_FDCWD, path, to, AT_SYMLINK_NOFOLLOW);
}

int fstat(int fd, struct stat *to)
{
	return (int)SYSCALL_ERRNO(fstat, fd, to);
}

int statx(int dir, const char *restrict path, int flags, unsigned mask, struct statx *restrict to)
{
	return (int)SYSCALL_ERRNO(statx, dir, path, flags, mask, to);
}

int fstatat(int dir, const char *restrict path, struct stat *restrict to, int flags)
{
	return (int)SYSCALL_ERRNO(newfstatat, dir, path, to, flags);
}

int chmod(const char *path, mode_t mode)
{
	return fchmodat(AT_FDCWD, path, mode, 0);
}

int fchmod(int fd, mode_t mode)
{
	return (int)SYSCALL_ERRNO(fchmod, fd, mode);
}

/* The call has no flags, and links have no mode to change. */
int fchmodat(int dir, const char *path, mode_t mode, int flags)
{
	if (flags) {
		errno = flags == AT_SYMLINK_NOFOLLOW ? EOPNOTSUPP : EINVAL;
		return -1;
	}
	return (int)SYSCALL_ERRNO(fchmodat, dir, path, mode);
}

mode_t umask(mode_t mask)
{
	return (mode_t)SYSCALL(umask, mask);
}

int chown(const char *path, uid_t user, gid_t group)
{
	return (int)SYSCALL_ERRNO(fchownat, AT_FDCWD, path, user, group, 0);
}

int lchown(const char *path, uid_t user, gid_t group)
{
	return (int)SYSCALL_ERRNO(fchownat, AT_FDCWD, path, user, group, AT_SYMLINK_NOFOLLOW);
}

int fchownat(int dir, const char *path, uid_t user, gid_t group, int flags)
{
	return (int)SYSCALL_ERRNO(fchownat, dir, path, user, group, flags);
}

int fchown(int fd, uid_t user, gid_t group)
{
	return (int)SYSCALL_ERRNO(fchown, fd, user, group);
}

int utimensat(int dir, const char *path, const struct timespec times[2], int flags)
{
	return (int)SYSCALL_ERRNO(utimensat, dir, path, times, flags);
}

int futimens(int fd, const struct timespec times[2])
{
	return utimensat(fd, NULL, times, 0);
}

int utimes(const char *path, const struct timeval times[2])
{
	struct timespec fine[2];

	for (int i = 0; times && i < 2; i++)
		fine[i] = (struct timespec){times[i].tv_sec, times[i].tv_usec * 1000};
	return utimensat(AT_FDCWD, path, times ? fine : NULL, 0);
}

/* File systems */

int statfs(const char *path, struct statfs *to)
{
	return (int)SYSCALL_ERRNO(statfs, path, to);
}

int fstatfs(int fd, struct statfs *to)
{
	return (int)SYSCALL_ERRNO(fstatfs, fd, to);
}

int mount(const char *source, const char *target, const char *type, unsigned long flags,
	const void *data)
{
	return (int)SYSCALL_ERRNO(mount, source, target, type, flags, data);
}

int umount(const char *target)
{
	return umount2(target, 0);
}

int umount2(const char *target, int flags)
{
	return (int)SYSCALL_ERRNO(umount2, target, flags);
}
