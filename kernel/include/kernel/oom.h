// SPDX-License-Identifier: MIT
/*
 * Memory has run out: mm has reclaimed what it could, and a fault still finds no frame.  oom.c
 * tells who ends.
 */
#pragma once

#include <kernel/lock.h>
#include <mm/vm.h>

struct process;
struct vmspace;

/*
 * How much ending it would help when memory is short: its private pages and the shared ones that
 * are in no file on a disk, plus oom_score_adj thousandths of all memory, or OOM_NEVER.  p's lock
 * not held.
 */
#define OOM_ADJ_MAX 1000
#define OOM_NEVER   INT64_MIN
int64_t oom_points(struct process *p);

/* Who is in oom_fault() holds it. */
extern struct mutex oom_gate;

/* Is somebody there?  Then there is no use in looking for memory.  A hint. */
static inline bool oom_is_near(void)
{
	return __builtin_expect(__atomic_load_n(&oom_gate.owner, __ATOMIC_RELAXED) != NULL, 0);
}

/*
 * A fault of the running process that found no memory, or would not: as mvm_fault(), but never
 * MVM_FAULT_NOMEM, as processes are ended until it is not.  MVM_FAULT_KILLED may mean the caller.
 * Sleeps; mutexes below RANK_OOM may be held.
 */
enum mvm_fault_result oom_fault(struct vmspace *vm, uintptr_t va, unsigned access);

/* A process has given its memory back. */
void oom_memory_is_back(void);
