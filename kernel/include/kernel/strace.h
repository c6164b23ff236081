// SPDX-License-Identifier: MIT
/*
 * What the rest of the kernel tells linux/strace.c. The core has none: nobody is traced there.
 *
 * A process that is traced has a stream (process.strace), and each of its threads ARCH_WORK_TRACE,
 * which sends its calls through syscall_traced().
 */
#pragma once

#include <kernel/process.h>

#ifndef MAPACHE_CORE

/* The running thread makes a call; it has ended. May wait for the tracer, may be killed. */
void strace_enter(unsigned long number, const long args[6]);
void strace_exit(unsigned long number, const long args[6], long result);

/* child is new, of parent, and not seen by anybody. */
void strace_inherit(struct process *child, struct process *parent);
/* p ends, or gets rights that its tracer may not have; status -1: nothing is told. */
void strace_leave(struct process *p, int status);

#else

static inline void strace_enter(unsigned long number, const long args[6])
{
	(void)number, (void)args;
}

static inline void strace_exit(unsigned long number, const long args[6], long result)
{
	(void)number, (void)args, (void)result;
}

static inline void strace_inherit(struct process *child, struct process *parent)
{
	(void)child, (void)parent;
}

static inline void strace_leave(struct process *p, int status)
{
	(void)p, (void)status;
}

#endif
