// SPDX-License-Identifier: MIT
/*
 * Descriptors: reading, writing, duplicating, controlling.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include "syscall.h"

ssize_t read(int fd, void *to, size_t n)
{
	return SYSCALL_ERRNO(read, fd, to, n);
}

ssize_t write(int fd, const void *from, size_t n)
{
	return SYSCALL_ERRNO(write, fd, from, n);
}

ssize_t pread(int fd, void *to, size_t n, off_t offset)
{
	return SYSCALL_ERRNO(pread64, fd, to, n, offset);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t offset)
{
	return SYSCALL_ERRNO(pwrite64, fd, from, n, offset);
}

ssize_t readv(int fd, const struct iovec *parts, int count)
{
	return SYSCALL_ERRNO(readv, fd, parts, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return SYSCALL_ERRNO(writev, fd, parts, count);
}

ssize_t preadv(int fd, const struct iovec *parts, int count, off_t offset)
{
	return SYSCALL_ERRNO(preadv, fd, parts, count, offset, 0);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	return SYSCALL_ERRNO(pwritev, fd, parts, count, offset, 0);
}

off_t lseek(int fd, off_t offset, int whence)
{
	return SYSCALL_ERRNO(lseek, fd, offset, whence);
}

int close(int fd)
{
	return (int)SYSCALL_ERRNO(close, fd);
}

int dup(int fd)
{
	return (int)SYSCALL_ERRNO(dup, fd);
}

/* dup3 refuses equal descriptors; dup2 gives them back if they are open. */
int dup2(int fd, int to)
{
	if (fd == to)
		return fcntl(fd, F_GETFD) < 0 ? -1 : fd;
	return dup3(fd, to, 0);
}

int dup3(int fd, int to, int flags)
{
	return (int)SYSCALL_ERRNO(dup3, fd, to, flags);
}

int pipe(int fds[2])
{
	return pipe2(fds, 0);
}

int pipe2(int fds[2], int flags)
{
	return (int)SYSCALL_ERRNO(pipe2, fds, flags);
}

int fsync(int fd)
{
	return (int)SYSCALL_ERRNO(fsync, fd);
}

int fdatasync(int fd)
{
	return (int)SYSCALL_ERRNO(fdatasync, fd);
}

int ftruncate(int fd, off_t size)
{
	return (int)SYSCALL_ERRNO(ftruncate, fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
	return (int)SYSCALL_ERRNO(fallocate, fd, mode, offset, size);
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
	return (int)-SYSCALL(fallocate, fd, 0, offset, size);
}

int posix_fadvise(int fd, off_t offset, off_t size, int advice)
{
	return (int)-SYSCALL(fadvise64, fd, offset, size, advice);
}

/* The mode is read only when a file may be created: else there may be none. */
int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return (int)SYSCALL_ERRNO(openat, dir, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return openat(AT_FDCWD, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
	return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int fcntl(int fd, int command, ...)
{
	va_list args;
	long arg;

	va_start(args, command);
	arg = va_arg(args, long);
	va_end(args);
	return (int)SYSCALL_ERRNO(fcntl, fd, command, arg);
}

int flock(int fd, int operation)
{
	return (int)SYSCALL_ERRNO(flock, fd, operation);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	long arg;

	va_start(args, request);
	arg = va_arg(args, long);
	va_end(args);
	return (int)SYSCALL_ERRNO(ioctl, fd, request, arg);
}

int poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
	struct timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000L};

	return ppoll(fds, count, milliseconds < 0 ? NULL : &limit, NULL);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *limit, const sigset_t *mask)
{
	struct timespec copy; /* the kernel writes the rest back */

	if (limit)
		copy = *limit;
	return (int)SYSCALL_ERRNO(ppoll, fds, count, limit ? &copy : NULL, mask, sizeof(sigset_t));
}
