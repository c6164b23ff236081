// SPDX-License-Identifier: MIT
/*
 * select and pselect, and eventfd.
 */
#include <sys/eventfd.h>
#include <sys/select.h>
#include "syscall.h"
#include <unistd.h>

/* The sixth argument of the call: where the mask is, and its size. */
struct mask_argument {
	const sigset_t *mask;
	size_t bytes;
};

int pselect(int count, fd_set *readable, fd_set *writable, fd_set *except,
	const struct timespec *limit, const sigset_t *mask)
{
	struct mask_argument argument = {mask, sizeof(sigset_t)};
	struct timespec copy; /* the kernel writes the rest back */

	if (limit)
		copy = *limit;
	return (int)SYSCALL_ERRNO(
		pselect6, count, readable, writable, except, limit ? &copy : NULL, &argument);
}

/* Like Linux, select() writes the rest of the time back. */
int select(int count, fd_set *readable, fd_set *writable, fd_set *except, struct timeval *limit)
{
	struct timespec left;
	int result;

	if (limit) {
		if (limit->tv_sec < 0 || limit->tv_usec < 0) {
			errno = EINVAL;
			return -1;
		}
		left.tv_sec = limit->tv_sec + limit->tv_usec / 1000000;
		left.tv_nsec = limit->tv_usec % 1000000 * 1000;
	}
	result = (int)SYSCALL_ERRNO(
		pselect6, count, readable, writable, except, limit ? &left : NULL, NULL);
	if (limit) {
		limit->tv_sec = left.tv_sec;
		limit->tv_usec = left.tv_nsec / 1000;
	}
	return result;
}

int eventfd(unsigned count, int flags)
{
	return (int)SYSCALL_ERRNO(eventfd2, count, flags);
}

int eventfd_read(int fd, eventfd_t *value)
{
	return read(fd, value, sizeof *value) == sizeof *value ? 0 : -1;
}

int eventfd_write(int fd, eventfd_t value)
{
	return write(fd, &value, sizeof value) == sizeof value ? 0 : -1;
}
