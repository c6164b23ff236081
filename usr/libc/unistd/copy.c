// SPDX-License-Identifier: MIT
/*
 * Copies between descriptors, advice about files, ranges of descriptors.
 */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "syscall.h"

ssize_t sendfile(int out, int in, off_t *offset, size_t n)
{
	return SYSCALL_ERRNO(sendfile, out, in, offset, n);
}

ssize_t copy_file_range(int in, off_t *from, int out, off_t *to, size_t n, unsigned flags)
{
	return SYSCALL_ERRNO(copy_file_range, in, from, out, to, n, flags);
}

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	return SYSCALL_ERRNO(preadv2, fd, parts, count, offset, 0, flags);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	return SYSCALL_ERRNO(pwritev2, fd, parts, count, offset, 0, flags);
}

ssize_t readahead(int fd, off_t offset, size_t n)
{
	return SYSCALL_ERRNO(readahead, fd, offset, n);
}

int sync_file_range(int fd, off_t offset, off_t n, unsigned flags)
{
	return (int)SYSCALL_ERRNO(sync_file_range, fd, offset, n, flags);
}

int close_range(unsigned first, unsigned last, int flags)
{
	return (int)SYSCALL_ERRNO(close_range, first, last, flags);
}
