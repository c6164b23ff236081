// SPDX-License-Identifier: MIT
/* Counters of all mm, kept a hart so that they cost one uncontended add. */
#pragma once

#include "base.h"

#include <mm/vm.h>

/* As struct mvm_stats, the part that is counted as it happens. */
struct counters {
	unsigned long faults, major_faults, cow_copies, cow_reuses, zero_fills, fault_retries;
	unsigned long fills, filled_pages, writes, written_pages;
	unsigned long reclaim_scanned, reclaim_freed, reclaim_direct, throttled, shootdowns;
	long anon_pages, cached_pages, kept_pages, dirty_pages,
		writeback_pages; /* sums over harts make sense */
} __attribute__((aligned(256))); /* so that a hart's are found by a shift */

extern struct counters counters[MVMH_MAX_HARTS];

/* The hart is a hint and another thread may use its slot: hence atomic, hence relaxed. */
#define COUNT(field, n) \
	((void)__atomic_fetch_add(&counters[mvmh_cpu()].field, (n), __ATOMIC_RELAXED))
