// SPDX-License-Identifier: MIT
/* This kernel as mm's host: its types, and the hooks that are one line.  glue.c has the others. */
#pragma once

#include "console.h"
#include "kalloc.h"
#include "proc.h"
#include "spinlock.h"
#include "vm.h"

#define MVMH_MAX_HARTS MAX_HARTS

struct mvmh_pmap {
	pte_t *table;
};

struct mvmh_tlb {
	bool any, whole;
};

struct mvmh_lock {
	struct spinlock spin;
};

#define mvmh_frame_free(frame, order) kfree(mvmh_window_map(frame))
#define mvmh_frame_count(total)       (*(total) = N_FRAMES, kfree_count())
#define mvmh_window_map(frame)        ((void *)((uintptr_t)(frame)*PAGE_BYTES))
#define mvmh_window_unmap(window)     ((void)(window))
#define mvmh_meta_alloc()             kzalloc()
#define mvmh_meta_free(page)          kfree(page)
#define mvmh_pmap_create(pmap)        (((pmap)->table = uvm_create()) ? 0 : -MVM_ENOMEM)
#define mvmh_pmap_destroy(pmap)       uvm_free((pmap)->table)
#define mvmh_lock_init(lock, rank)    (*(lock) = (struct mvmh_lock){{0}})
#define mvmh_lock(lock)               acquire(&(lock)->spin)
#define mvmh_unlock(lock)             release(&(lock)->spin)
#define mvmh_wake(chan)               wakeup(chan)
#define mvmh_cpu()                    ((unsigned)(this_cpu() - cpus))
#define mvmh_now()                    (time_now() * 100)
#define mvmh_entropy()                ((uint64_t)0)
#define mvmh_log(line)                print("mm: %s\n", line)
#define mvmh_panic(why)               panic(why)

/* Optional: the self-test and mvm_check() look at our tables with it. */
bool mvmh_pmap_query(struct mvmh_pmap *pmap, uintptr_t va, uint32_t *frame, unsigned *rights);
#define mvmh_pmap_query mvmh_pmap_query

/* Optional: a thread keeps its hart in the kernel until it sleeps or yields. */
#define mvmh_starved() yield()
