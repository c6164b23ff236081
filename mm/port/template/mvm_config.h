// SPDX-License-Identifier: MIT
/*
 * A host's configuration of mm, to start from: the three structures and the constant that every
 * host names.  template.c has the hooks.  What stands in the structures is an example.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The largest mvmh_cpu() and one more. */
#define MVMH_MAX_HARTS 4

/*
 * An address space's translation tables; lies inside mm's space, zeroed before
 * mvmh_pmap_create().
 */
struct mvmh_pmap {
	void *root;
};

/*
 * What was removed or reduced and is still to be forgotten by the harts' TLBs.  A range is enough,
 * its ends taken as far apart as the entries noted; keep it small, for it lies on stacks.  All
 * zeros: nothing is noted.
 */
struct mvmh_tlb {
	uintptr_t start, end;
	bool whole; /* mm sets it: forget all of the pmap */
};

/* A lock with bounded holds. */
struct mvmh_lock {
	unsigned taken;
	unsigned rank; /* enum mvmh_rank, for the check of the order */
};

/*
 * A hook that is hot may be inline:
 *
 *	#define mvmh_window_map mvmh_window_map
 *	static inline void *mvmh_window_map(uint32_t frame)
 *	{
 *		return (void *)(DIRECT_MAP + ((uintptr_t)frame << 12));
 *	}
 */
