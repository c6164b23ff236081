// SPDX-License-Identifier: MIT
/*
 * mm's host configuration for a POSIX process that plays a machine (posix.h).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define MVMH_MAX_HARTS 16
#define MVMH_DEBUG     1
#ifndef POSIX_SINGLE_FRAMES
#define MVMH_LARGE_ORDER 6 /* entries of 64 pages: a leaf of mm's tree */
#endif

struct posix_table;

struct mvmh_pmap {
	struct posix_table *root;
};

struct mvmh_tlb {
	uintptr_t start, end; /* hull of what was removed or reduced; start == end: empty */
	bool whole;           /* forget all of the pmap */
};

struct mvmh_lock {
	pthread_mutex_t mutex;
	unsigned rank; /* enum mvmh_rank */
};

/* Functions of the machine that serve as optional hooks. */
bool posix_pmap_query(struct mvmh_pmap *pmap, uintptr_t va, uint32_t *frame, unsigned *rights);
void posix_writeback_wanted(bool now);
void posix_starved(void);
bool posix_killed(void);
void posix_pmap_enter_run(
	struct mvmh_pmap *pmap, uintptr_t va, const uint32_t *frames, unsigned n, unsigned rights);
bool posix_tlb_sync_here(struct mvmh_pmap *pmap, struct mvmh_tlb *batch);
void posix_sync_code(struct mvmh_pmap *pmap);
#define mvmh_sync_code     posix_sync_code
#define mvmh_pmap_query    posix_pmap_query
#define mvmh_tlb_sync_here posix_tlb_sync_here
uintptr_t posix_pmap_move(struct mvmh_pmap *pmap, uintptr_t start, uintptr_t end, uintptr_t to,
	struct mvmh_tlb *batch);
bool posix_pmap_replace(struct mvmh_pmap *pmap, uintptr_t va, uint32_t frame, unsigned rights);
bool posix_pmap_remove_here(struct mvmh_pmap *pmap, uintptr_t va);
unsigned posix_stay(void);
void posix_stay_end(void);
bool posix_lock_waited(struct mvmh_lock *lock);
void posix_await(const uint32_t *word);
bool posix_pmap_fill(struct mvmh_pmap *pmap, uintptr_t va, uint32_t frame, unsigned rights);
#ifndef POSIX_NOT_JOINTLY /* to see mm do without it */
#define mvmh_stay        posix_stay
#define mvmh_stay_end    posix_stay_end
#define mvmh_lock_waited posix_lock_waited
#define mvmh_await       posix_await
#define mvmh_pmap_fill   posix_pmap_fill
#endif
#define mvmh_pmap_move        posix_pmap_move
#define mvmh_pmap_replace     posix_pmap_replace
#define mvmh_pmap_remove_here posix_pmap_remove_here
#define mvmh_writeback_wanted posix_writeback_wanted
#define mvmh_starved          posix_starved
#define mvmh_killed           posix_killed
#ifndef POSIX_ENTERS_SINGLY /* to see mm do without it */
#define mvmh_pmap_enter_run posix_pmap_enter_run
#endif
