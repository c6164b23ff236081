// SPDX-License-Identifier: MIT
/*
 * The system-call table: prototypes of all handlers, made from abi/syscalls.def.
 *
 * A handler runs in the calling thread with interrupts on, holds nothing at entry and at return,
 * and returns the result or a negative errno.  It looks behind user pointers through
 * kernel/uaccess.h only.
 */
#pragma once

#include <abi/errno.h>
#include <abi/resource.h>
#include <arch/layout.h>
#include <arch/trap.h>
#include <kernel/uaccess.h>

struct cpu_times;

#define SYSCALL_ARG_FD    long
#define SYSCALL_ARG_PID   long
#define SYSCALL_ARG_SIG   long
#define SYSCALL_ARG_INT   long
#define SYSCALL_ARG_UINT  unsigned long
#define SYSCALL_ARG_FLAGS unsigned long
#define SYSCALL_ARG_MODE  unsigned long
#define SYSCALL_ARG_LONG  unsigned long
#define SYSCALL_ARG_SIZE  size_t
#define SYSCALL_ARG_OFF   int64_t
#define SYSCALL_ARG_ADDR  vaddr_t
#define SYSCALL_ARG_PATH  uaddr_t
#define SYSCALL_ARG_STR   uaddr_t
#define SYSCALL_ARG_IN    uaddr_t
#define SYSCALL_ARG_OUT   uaddr_t
#define SYSCALL_ARG_INOUT uaddr_t

#define NO_ARGS               void
#define ARG(kind, type, name) SYSCALL_ARG_##kind name
#define SYSCALL(name, ...)    long sys_##name(__VA_ARGS__);
#include <abi/syscalls.def>
#undef ARG
#undef NO_ARGS

struct file;

/*
 * What of fcntl and ioctl the core lacks (linux/locks.c, linux/ioctl.c).  -EINVAL, -ENOTTY: the
 * command is unknown here.
 */
#ifndef MAPACHE_CORE
long fcntl_beyond_core(long fd, struct file *file, unsigned command, unsigned long argument);
long ioctl_beyond_core(long fd, struct file *file, unsigned command, uaddr_t argument);
#else
static inline long fcntl_beyond_core(
	long fd, struct file *file, unsigned command, unsigned long argument)
{
	(void)fd, (void)file, (void)command, (void)argument;
	return -EINVAL;
}

static inline long ioctl_beyond_core(long fd, struct file *file, unsigned command, uaddr_t argument)
{
	(void)fd, (void)file, (void)command, (void)argument;
	return -ENOTTY;
}
#endif

struct timespec;
/* -EINVAL. Saturates: what is further away than the clock counts never comes. */
int ns_of_timespec(const struct timespec *ts, uint64_t *ns);

/* Shared by handlers (sys_time.c): times as deadlines of the monotonic clock; NO_DEADLINE: none. */
uint64_t deadline_after(uint64_t ns);
/* Of a struct timespec, null for none: relative, or a moment of a clock.  -EFAULT, -EINVAL. */
int deadline_of_user(uaddr_t timespec_from, uint64_t *deadline);
int deadline_of_user_moment(uaddr_t timespec_from, bool realtime, uint64_t *deadline);
