// SPDX-License-Identifier: MIT
/*
 * What the tests of translation look at: entries, and the frames that tables hold.
 */
#pragma once

#include <arch/pmap.h>
#include <kernel/frames.h>

#define BASE        0x10000000UL
#define LARGE_BYTES (PAGE_SIZE << PMAP_ORDER_LARGE) /* what a table of pages maps */

/* Free frames, those of tables that are kept among them. */
static inline size_t frames_without_kept(void)
{
	pmap_shrink();
	return frames_free_count();
}

static inline bool has(struct pmap *pmap, vaddr_t va, unsigned want)
{
	unsigned rights = 0;
	paddr_t pa;

	return pmap_query(pmap, va, &pa, &rights) && rights == want;
}

static inline bool has_any(struct pmap *pmap, vaddr_t va)
{
	unsigned rights;
	paddr_t pa;

	return pmap_query(pmap, va, &pa, &rights);
}
