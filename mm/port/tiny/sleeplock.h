// SPDX-License-Identifier: MIT
/* Locks that are held over I/O: who finds one taken sleeps. */
#pragma once

#include "spinlock.h"

struct proc;

/* All zeros is a lock that is free. */
struct sleeplock {
	struct spinlock lock;
	struct proc *holder;
};

void acquire_sleep(struct sleeplock *lock);
void release_sleep(struct sleeplock *lock);
