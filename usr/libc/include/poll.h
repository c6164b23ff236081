// SPDX-License-Identifier: MIT
/*
 * Waiting for descriptors: how many are ready, 0 at the time limit, -1 and errno.
 */
#pragma once

#include <abi/poll.h>
#include <abi/signal.h>
#include <abi/time.h>

typedef unsigned long nfds_t;

int poll(struct pollfd *fds, nfds_t count, int milliseconds); /* negative: no limit */
int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *limit, const sigset_t *mask);
