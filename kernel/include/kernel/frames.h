// SPDX-License-Identifier: MIT
/*
 * Physical memory by frames: a buddy allocator, with a small cache of single frames a hart.
 *
 * Memory that was never used is only a number: the frontier of the memory range it lies in. A block
 * of the largest order is taken from there, and its bookkeeping made, when the free lists run
 * dry; so boot does the same work for 64 MiB and for 16 GiB.
 *
 * Any context, interrupts included; never sleeps; takes locks of RANK_FRAMES.
 */
#pragma once

#include <arch/layout.h>

#define FRAME_MAX_ORDER 10

/*
 * Boot: memory [start, end) exists and is free, except for what frames_reserve() named before.
 * frames_init() comes after all of both.
 */
void frames_add(paddr_t start, paddr_t end);
void frames_reserve(paddr_t start, paddr_t end);
void frames_init(void);

/*
 * Take memory of any size, page aligned, contents undefined, from what was never touched; for ever.
 * 0: no range has that much. For start-up.
 */
paddr_t frames_take_end(size_t bytes);

/* 2^order contiguous frames, aligned to their size, contents undefined. 0: there are none. */
paddr_t frame_alloc(unsigned order);
/* order as it was allocated; a wrong one, or a frame that is free, panics. */
void frame_free(paddr_t pa, unsigned order);

/* The same for single frames: one; by number, some, or as many as there are; giving these back. */
paddr_t frame_alloc_one(void);
void frame_free_one(paddr_t pa);
unsigned frame_alloc_some(uint32_t *frames, unsigned n);
void frame_free_some(const uint32_t *frames, unsigned n);

/*
 * 2^order single frames that lie side by side, aligned to their size; 0: there are none. Each may
 * be given back by itself, and any that lie so, wherever each came from, together.
 */
paddr_t frame_alloc_side_by_side(unsigned order);
void frame_free_side_by_side(paddr_t pa, unsigned order);

/* The order that an allocated block was allocated with. */
unsigned frame_order(paddr_t pa);

/* A zeroed page in the direct map, or NULL; and giving it back. */
void *frame_alloc_zeroed(void);

/* Frames the allocator manages, and those of them not handed out (harts' caches included). */
size_t frames_total(void);
size_t frames_free_count(void);

/* Frames that are translation tables now. */
size_t frames_in_tables(void);

/*
 * Are fewer free than this many reserves?  Below one, the rest is kept for the kernel's own
 * structures: whoever can reclaim instead of taking more does so.  A hint, without a lock.
 */
extern struct frames_stock {
	size_t free;    /* [RANK_FRAMES] in the lists and above frontiers */
	size_t reserve; /* [I] after boot */
} frames_stock;
static inline bool frames_below(unsigned reserves)
{
	return frames_stock.free < reserves * frames_stock.reserve;
}
static inline bool frames_low(void)
{
	return frames_below(1);
}

/* Verify every invariant; panics on a broken one. Slow. */
void frames_check(void);
