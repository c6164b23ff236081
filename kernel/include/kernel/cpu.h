// SPDX-License-Identifier: MIT
/*
 * Per-hart data of the kernel.
 *
 * struct cpu begins with what arch needs of it. A field tagged [h] is touched by its own hart only,
 * with preemption off, or with interrupts off where an interrupt handler touches it too. What ends
 * in _clock is in ticks of cpu_time(): what each switch touches is not converted.
 */
#pragma once

#include <arch/cpu.h>
#include <kernel/lock.h>

struct thread;

struct thread_list {
	struct thread *first, **end; /* end: where the next one is linked */
};

/* A hart's threads that wait to run, and the one that does. */
struct run_queue {
	struct spinlock lock;     /* RANK_RUN_QUEUE; also guards `state` of all its threads */
	struct thread_list rest;  /* [lock] runnable threads with a rest of a time slice, */
	struct thread_list turns; /* [lock] and those whose turn comes after these */
	uint32_t queued;          /* [lock] how many; others read it as a hint */
	bool is_idle;             /* [lock] the idle thread runs; others read it as a hint */
	struct thread *leftover;  /* [lock] the one that runs, until let_go(), if it is not to be
				     queued here when it gives way: dead, or forbidden; or NULL */
	struct thread *idle;      /* [I] runs when nothing else does; never queued */
};

/* Timers of a hart: a pairing heap. The last three are its own, with interrupts off. */
struct timer_queue {
	struct spinlock lock;  /* RANK_TIMER */
	struct timer *first;   /* [lock] the earliest */
	struct timer *running; /* [a] whose fn is being called */
	uint64_t armed_clock;  /* when the hardware will interrupt; UINT64_MAX: never */
	uint64_t slice_clock;  /* end of the running thread's time slice; UINT64_MAX: none */
	uint64_t tick_clock;   /* the next look at what runs; UINT64_MAX: the hart idles */
};

/* No two harts' share a cache line. */
struct cpu {
	struct arch_cpu arch; /* first */
	struct run_queue rq;
	struct timer_queue timers;
	uint64_t fences_asked;                    /* [a] shootdowns that wait for this hart: all, */
	uint64_t fences_done;                     /* [a] and how many of them no more */
	struct waitq fence_wait;                  /* threads that wait for it */
	uint64_t fence_patience_ns;               /* [a] how long others spin for it first */
	uint64_t fence_ticks;                     /* [a] counter: spent waiting for others */
	uint32_t spin_depth;                      /* [h] debug: spin locks held */
	const struct spinlock *spins[LOCK_DEPTH]; /* [h] debug: which, oldest first */
	uint64_t ipis, interrupts, switches, steals; /* [h] counters, read by others as hints */
} __attribute__((aligned(64)));

extern struct cpu cpus[MAX_HARTS];

/* Harts that run threads, as a number (indices 0 to n - 1) and as a mask. */
extern unsigned cpu_count;
extern uint64_t cpu_online_mask;

/* The running hart; stable while preemption or interrupts are off. */
static inline struct cpu *cpu_this(void)
{
	return (struct cpu *)arch_cpu();
}

/* Its index, perhaps stale at once. */
static inline unsigned cpu_index(void)
{
	return arch_cpu()->index;
}

/* Run fn(arg) on each other online hart, in interrupt context, and wait until all have. */
void cpu_call_others(void (*fn)(void *arg), void *arg);
