// SPDX-License-Identifier: MIT
/*
 * Spin locks.  The kernel runs with interrupts off, so they need not care for those; but whoever
 * holds one must not sleep (proc.c asserts it), take it twice, or release what another holds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cpu;

/* All zeros is a lock that is free. */
struct spinlock {
	uint32_t held;
	struct cpu *holder;
};

void acquire(struct spinlock *lock);
void release(struct spinlock *lock);
bool holding(const struct spinlock *lock);
