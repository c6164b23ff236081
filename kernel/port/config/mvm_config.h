// SPDX-License-Identifier: MIT
/*
 * The kernel as mm's host: its types, and the hooks that are hot. kernel/port/mm_host.c has the
 * others.
 */
#pragma once

#include <arch/layout.h>
#include <arch/pmap.h>
#include <kernel/cpu.h>
#include <kernel/frames.h>
#include <kernel/lock.h>
#include <kernel/pageout.h>
#include <kernel/thread.h>
#include <kernel/time.h>

#define MVMH_MAX_HARTS   MAX_HARTS
#define MVMH_LARGE_ORDER PMAP_ORDER_LARGE
#ifdef MAPACHE_DEBUG
#define MVMH_DEBUG 1
#endif

struct mvmh_pmap {
	struct pmap pmap;
};

struct mvmh_tlb {
	struct tlb_batch batch;
	bool whole;
};

struct mvmh_lock {
	struct spinlock spin;
};

uint32_t mm_host_frames(unsigned order);

/* May mm have frames?  The last are kept for what cannot reclaim: page tables, kmalloc(). */
static inline bool mm_host_may_take(void)
{
	if (!frames_below(RECLAIM_LOW))
		return true;
	reclaim_wanted();
	return !frames_low();
}

#define mvmh_frame_alloc mvmh_frame_alloc
static inline uint32_t mvmh_frame_alloc(unsigned order)
{
	if (order)
		return mm_host_frames(order);
	paddr_t pa = mm_host_may_take() ? frame_alloc_one() : 0;
	return pa ? (uint32_t)(pa >> PAGE_SHIFT) : UINT32_MAX;
}

#define mvmh_frame_alloc_some mvmh_frame_alloc_some
static inline unsigned mvmh_frame_alloc_some(uint32_t *frames, unsigned n)
{
	return mm_host_may_take() ? frame_alloc_some(frames, n) : 0;
}

#define mvmh_frame_free mvmh_frame_free
static inline void mvmh_frame_free(uint32_t frame, unsigned order)
{
	if (order)
		frame_free_side_by_side((paddr_t)frame << PAGE_SHIFT, order);
	else
		frame_free_one((paddr_t)frame << PAGE_SHIFT);
}

#define mvmh_frame_free_some mvmh_frame_free_some
static inline void mvmh_frame_free_some(const uint32_t *frames, unsigned n)
{
	frame_free_some(frames, n);
}

#define mvmh_window_map mvmh_window_map
static inline void *mvmh_window_map(uint32_t frame)
{
	return phys_to_virt((paddr_t)frame << PAGE_SHIFT);
}

#define mvmh_window_unmap mvmh_window_unmap
static inline void mvmh_window_unmap(void *window)
{
	(void)window;
}

#define mvmh_lock mvmh_lock
static inline void mvmh_lock(struct mvmh_lock *lock)
{
	spin_lock(&lock->spin);
}

#define mvmh_unlock mvmh_unlock
static inline void mvmh_unlock(struct mvmh_lock *lock)
{
	spin_unlock(&lock->spin);
}

#define mvmh_pmap_enter mvmh_pmap_enter
static inline __attribute__((warn_unused_result)) int mvmh_pmap_enter(
	struct mvmh_pmap *pmap, uintptr_t va, uint32_t frame, unsigned rights, unsigned order)
{
	return pmap_enter(&pmap->pmap, va, (paddr_t)frame << PAGE_SHIFT, rights, order);
}

#define mvmh_sync_code mvmh_sync_code
static inline void mvmh_sync_code(struct mvmh_pmap *pmap)
{
	pmap_sync_code(&pmap->pmap);
}

#define mvmh_pmap_replace mvmh_pmap_replace
static inline bool mvmh_pmap_replace(
	struct mvmh_pmap *pmap, uintptr_t va, uint32_t frame, unsigned rights)
{
	return pmap_replace(&pmap->pmap, va, (paddr_t)frame << PAGE_SHIFT, rights);
}

#define mvmh_pmap_remove_here mvmh_pmap_remove_here
static inline bool mvmh_pmap_remove_here(struct mvmh_pmap *pmap, uintptr_t va)
{
	return pmap_remove_here(&pmap->pmap, va);
}

#define mvmh_pmap_enter_run mvmh_pmap_enter_run
static inline void mvmh_pmap_enter_run(
	struct mvmh_pmap *pmap, uintptr_t va, const uint32_t *frames, unsigned n, unsigned rights)
{
	pmap_enter_run(&pmap->pmap, va, frames, n, rights);
}

#define mvmh_pmap_run_end mvmh_pmap_run_end
static inline int mvmh_pmap_run_end(struct mvmh_pmap *pmap, uintptr_t va, unsigned rights)
{
	return pmap_run_end(&pmap->pmap, va, rights);
}

#define mvmh_stay mvmh_stay
static inline unsigned mvmh_stay(void)
{
	preempt_disable();
	return cpu_index();
}

static inline void mvmh_stay_end(void)
{
	preempt_enable();
}

static inline bool mvmh_lock_waited(struct mvmh_lock *lock)
{
	return spin_was_waited_for(&lock->spin);
}

static inline void mvmh_await(const uint32_t *word)
{
	lock_await(word, RANK_MM_SPACE);
}

static inline __attribute__((warn_unused_result)) bool mvmh_pmap_fill(
	struct mvmh_pmap *pmap, uintptr_t va, uint32_t frame, unsigned rights)
{
	return pmap_fill(&pmap->pmap, va, (paddr_t)frame << PAGE_SHIFT, rights);
}

#define mvmh_pmap_query mvmh_pmap_query
static inline bool mvmh_pmap_query(
	struct mvmh_pmap *pmap, uintptr_t va, uint32_t *frame, unsigned *rights)
{
	paddr_t pa;

	if (!pmap_query(&pmap->pmap, va, &pa, rights))
		return false;
	*frame = (uint32_t)(pa >> PAGE_SHIFT);
	return true;
}

#define mvmh_pmap_order mvmh_pmap_order
static inline unsigned mvmh_pmap_order(struct mvmh_pmap *pmap, uintptr_t va)
{
	unsigned level;

	(void)pmap_entry(&pmap->pmap, va, &level);
	return level ? PMAP_ORDER_LARGE : PMAP_ORDER_PAGE;
}

#define mvmh_pmap_move mvmh_pmap_move
uintptr_t mvmh_pmap_move(struct mvmh_pmap *pmap, uintptr_t start, uintptr_t end, uintptr_t to,
	struct mvmh_tlb *batch);

#define mvmh_tlb_sync_here mvmh_tlb_sync_here
static inline bool mvmh_tlb_sync_here(struct mvmh_pmap *pmap, struct mvmh_tlb *batch)
{
	return !batch->whole && tlb_flush_here(&pmap->pmap, &batch->batch);
}

#define mvmh_cpu mvmh_cpu
static inline unsigned mvmh_cpu(void)
{
	return cpu_index();
}

#define mvmh_now mvmh_now
static inline uint64_t mvmh_now(void)
{
	return time_now_ns();
}

#define mvmh_killed mvmh_killed
static inline bool mvmh_killed(void)
{
	return thread_interrupted(SLEEP_KILLABLE);
}

#define mvmh_writeback_wanted writeback_wanted
#define mvmh_starved          memory_starved
