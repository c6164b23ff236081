// SPDX-License-Identifier: MIT
/*
 * The scheduler of the simulator: fibers on one thread, and who of them runs.
 *
 * A fiber runs until it passes a point at which the plan of this schedule says otherwise, or until
 * it blocks.  Everything follows from the seed: the same seed gives the same schedule, always.
 * Theory at the head of sched.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Fiber 0 sets up and takes down; it waits while the others run. */
#define FIBERS 8

/* What a fiber is about to do. */
enum point {
	POINT_READ,  /* plain shared accesses of mm: */
	POINT_WRITE, /* */
	POINT_ATOMIC,
	POINT_LOCK, /* takes a lock, or has released one */
	POINT_HOOK, /* has called the host */
	POINT_USER, /* a load or store of a program */
	POINTS
};

enum strategy { STRATEGY_WALK, STRATEGY_PCT, STRATEGY_COOPERATIVE };

struct plan {
	enum strategy strategy;
	unsigned depth;  /* PCT: priorities change depth - 1 times */
	uint64_t length; /* PCT: points that the schedule is expected to have */
	unsigned run;    /* walk: points between two choices, on average */
	bool coarse;     /* plain accesses are no points */
};

/* --- Random numbers (splitmix64), so that all of them come from the seed ---------------------- */

uint64_t random_next(uint64_t *state);

static inline unsigned random_below(uint64_t *state, unsigned n)
{
	return (unsigned)((random_next(state) >> 32) * n >> 32);
}

/* --- Schedules -------------------------------------------------------------------------------- */

/* Make the fibers, once. */
void sched_init(void);

/* A new schedule begins. */
void sched_begin(const struct plan *plan, uint64_t seed);

/* Run the bodies as fibers 1 to n until all have returned.  By fiber 0. */
void sched_run(void (*const *bodies)(void), unsigned n);

/*
 * A fiber that serves the others as long as they run, and fiber 0 after them; sched_run() does not
 * wait for it.
 */
void sched_serve(void (*body)(void));

/* --- For what runs ---------------------------------------------------------------------------- */

unsigned sched_self(void);

/* Perhaps give way.  Nothing but fiber 0 runs unless sched_concurrent. */
void sched_pass(enum point kind);
extern bool sched_concurrent;

static inline void sched_point(enum point kind)
{
	if (sched_concurrent)
		sched_pass(kind);
}

/* Sleep until sched_wake(what); `why` is for the report of a deadlock. */
void sched_block(const char *why, const void *what);
void sched_wake(const void *what);

/* Wake the fiber whatever it sleeps for. */
void sched_wake_fiber(unsigned fiber);

/* Is the fiber able to run?  (Else it is in a state to take an interrupt at any time.) */
bool sched_ready(unsigned fiber);

/* Have the fiber call `handler` when it passes its next point, or blocks. */
void sched_interrupt(unsigned fiber);
void sched_on_interrupt(void (*handler)(unsigned fiber));

/* Does the address lie on the running fiber's own stack? */
bool sched_own_stack(const void *address);

/* --- Looking ---------------------------------------------------------------------------------- */

/*
 * Points passed in this schedule: all, and those that its plan counts; and what
 * tells it from others.
 */
uint64_t sched_points(void);
uint64_t sched_steps(void);
uint64_t sched_hash(void);

/* mm's functions on the way, for reports: tsan.c tells of them. */
void sched_call(const void *from);
void sched_return(void);

/* Print what each fiber does. */
void sched_dump(void);

/* Print events of the schedule: on when a seed is replayed with --trace. */
extern bool sim_tracing;
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What must not happen has: report it with the seed, and end the program. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
