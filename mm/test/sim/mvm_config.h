// SPDX-License-Identifier: MIT
/*
 * mm's host configuration for the simulator (sched.h): locks are turns of its scheduler, harts are
 * its fibers, and a batch notes exactly the pages that it was told, so that a flush never does more
 * than mm asked for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MVMH_MAX_HARTS 8

/* Entries of 64 pages: a leaf of the anon tree. */
#define MVMH_LARGE_ORDER 6

/* Virtual pages of a space; frame numbers are smaller. */
#define SIM_PAGES 1024

/* Few, so that small scenarios have sweeps of several holds. */
#define MVM_HOLD_PAGES 3

struct sim_table;

struct mvmh_pmap {
	struct sim_table *table;
	const struct mvmh_lock *guard; /* the lock under which it is changed */
};

struct mvmh_tlb {
	uint64_t pages[SIM_PAGES / 64];
	bool whole;
};

struct mvmh_lock {
	unsigned rank;  /* enum mvmh_rank */
	unsigned owner; /* a fiber's number + 1; 0: free */
};

bool sim_pmap_query(struct mvmh_pmap *pmap, uintptr_t va, uint32_t *frame, unsigned *rights);
bool sim_tlb_sync_here(struct mvmh_pmap *pmap, struct mvmh_tlb *batch);
#define mvmh_pmap_query    sim_pmap_query
#define mvmh_tlb_sync_here sim_tlb_sync_here
uintptr_t sim_pmap_move(struct mvmh_pmap *pmap, uintptr_t start, uintptr_t end, uintptr_t to,
	struct mvmh_tlb *batch);
#define mvmh_pmap_move sim_pmap_move
bool sim_pmap_replace(struct mvmh_pmap *pmap, uintptr_t va, uint32_t frame, unsigned rights);
#define mvmh_pmap_replace sim_pmap_replace
bool sim_pmap_remove_here(struct mvmh_pmap *pmap, uintptr_t va);
#define mvmh_pmap_remove_here sim_pmap_remove_here
unsigned sim_stay(void);
void sim_stay_end(void);
bool sim_lock_waited(struct mvmh_lock *lock);
void sim_await(const uint32_t *word);
bool sim_pmap_fill(struct mvmh_pmap *pmap, uintptr_t va, uint32_t frame, unsigned rights);
#define mvmh_stay        sim_stay
#define mvmh_stay_end    sim_stay_end
#define mvmh_lock_waited sim_lock_waited
#define mvmh_await       sim_await
#define mvmh_pmap_fill   sim_pmap_fill

/*
 * For mm alone, not for the simulator: its variables stand together, so that each schedule begins
 * with them as they were; and it copies pages piece by piece (tsan.c).
 */
#if __has_feature(thread_sanitizer)
#pragma clang section bss = "mvm_bss" data = "mvm_data"
void *sim_memcpy(void *to, const void *from, __SIZE_TYPE__ n);
void *sim_memset(void *to, int byte, __SIZE_TYPE__ n);
#define __builtin_memcpy sim_memcpy
#define __builtin_memset sim_memset
#endif
