// SPDX-License-Identifier: MIT
/*
 * Waiting for descriptors below FD_SETSIZE, in sets of bits; poll() has no such limit.
 */
#pragma once

#include <abi/signal.h>
#include <abi/time.h>

#define FD_SETSIZE 1024

typedef struct {
	unsigned long bits[FD_SETSIZE / (8 * sizeof(long))];
} fd_set;

#define FD_WORD_(fd, set) ((set)->bits[(fd) / (8 * sizeof(long))])
#define FD_BIT_(fd)       (1ul << ((fd) % (8 * sizeof(long))))
#define FD_SET(fd, set)   ((void)(FD_WORD_(fd, set) |= FD_BIT_(fd)))
#define FD_CLR(fd, set)   ((void)(FD_WORD_(fd, set) &= ~FD_BIT_(fd)))
#define FD_ISSET(fd, set) ((FD_WORD_(fd, set) & FD_BIT_(fd)) != 0)
#define FD_ZERO(set)      ((void)(*(set) = (fd_set){{0}}))

/* How many bits are left in the sets, 0 at the time limit, -1 and errno. */
int select(int count, fd_set *readable, fd_set *writable, fd_set *except, struct timeval *limit);
int pselect(int count, fd_set *readable, fd_set *writable, fd_set *except,
	const struct timespec *limit, const sigset_t *mask);
