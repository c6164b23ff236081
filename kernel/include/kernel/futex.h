// SPDX-License-Identifier: MIT
/*
 * What the process layer wants of futexes (kernel/linux/futex.c); without them, nothing.
 */
#pragma once

#include <kernel/uaccess.h>

struct task;

#ifndef MAPACHE_CORE

/* Once, at boot, when memory can be had. */
void futex_init(void);

/* Wake one thread, of any process, that waits at the word. */
void futex_wake_shared(uaddr_t word);

/* The running thread, t, leaves its memory: release the robust futexes that it holds. */
void futex_leave_robust(struct task *t);

#else

static inline void futex_init(void)
{
}

static inline void futex_wake_shared(uaddr_t word)
{
	(void)word;
}

static inline void futex_leave_robust(struct task *t)
{
	(void)t;
}

#endif
