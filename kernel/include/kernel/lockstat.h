// SPDX-License-Identifier: MIT
/*
 * Where harts and threads wait for locks: counted by rank, only when a lock was not free.
 *
 * The counts begin at boot and only grow: whoever wants those of a piece of work takes the
 * difference.
 */
#pragma once

#include <kernel/lock.h>

struct lock_waits {
	uint64_t waits;         /* how often the lock was held by another */
	uint64_t ticks;         /* of the clock, spent until it was had: spinning, or asleep */
	uint64_t longest_ticks; /* of one wait */
};

/* A lock of the rank was had after so many ticks of waiting. Anywhere, on any hart. */
void lockstat_add(unsigned rank, uint64_t ticks);

/* Of all harts together. */
struct lock_waits lockstat_sum(unsigned rank);

/*
 * As the table of docs/locking.md has it, without RANK_ and in small letters;
 * NULL: there is none.
 */
const char *lockstat_name(unsigned rank);
