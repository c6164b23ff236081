// SPDX-License-Identifier: MIT
/*
 * Scheduling, and clone.
 */
#pragma once

#include <sys/types.h>
#include <abi/sched.h>

int sched_yield(void);

/*
 * A child that shares with the caller what the CLONE_ flags say and calls fn(arg) on a stack of its
 * own, of which stack_end is the end; what fn returns is its exit status. The low byte of flags is
 * the signal that tells of its end (SIGCHLD to wait for it as for others). With CLONE_VM and
 * without CLONE_SETTLS the two also share errno. More arguments, each where a flag asks for it:
 * pid_t *parent_tid, void *tls, pid_t *child_tid. Its process id, or -1 and errno.
 */
int clone(int (*fn)(void *arg), void *stack_end, int flags, void *arg, ...);
