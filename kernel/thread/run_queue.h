// SPDX-License-Identifier: MIT
/*
 * A hart's queue: whose turn it is, and how long it lasts (theory: run_queue.c). Private to the
 * scheduler: run_queue.c, place.c, sched.c. The queue is locked by the caller.
 */
#pragma once

#include <arch/trap.h>
#include <kernel/cpu.h>
#include <kernel/thread.h>
#include <kernel/time.h>

#include "sched.h"

#define RQ_MANY 20 /* threads that all get whole slices in one round */

/* In ticks of cpu_time(). [I] after boot. */
extern uint64_t slice_least_clock; /* less is not worth a switch */
extern uint64_t slice_woken_clock; /* the running thread's, when one with a rest waits */

void rq_init(struct run_queue *rq);

/* May t run on the hart? Stays so while the queue of t's hart is locked. */
static inline bool may_run(const struct thread *t, const struct cpu *cpu)
{
	return __atomic_load_n(&t->affinity, __ATOMIC_RELAXED) & cpu->arch.bit;
}

/* --- Order ------------------------------------------------------------------------------------ */

/* Take out the one that *link points to. */
static inline struct thread *list_take(struct thread_list *list, struct thread **link)
{
	struct thread *t = *link;

	*link = t->next;
	if (!t->next)
		list->end = link;
	t->queued = false;
	return t;
}

static inline void list_append(struct thread_list *list, struct thread *t)
{
	t->queued = true;
	t->next = NULL;
	*list->end = t;
	list->end = &t->next;
}

static inline void rq_add(struct run_queue *rq, struct thread *t)
{
	list_append(t->slice_clock ? &rq->rest : &rq->turns, t);
	rq->queued++;
}

/* Take out the one that is there; the first that may run on a hart, or NULL. */
void rq_take_out(struct run_queue *rq, struct thread *t);
struct thread *rq_take_for(struct run_queue *rq, const struct cpu *on);

static inline const struct thread *rq_first(const struct run_queue *rq)
{
	return rq->rest.first ? rq->rest.first : rq->turns.first;
}

static inline uint64_t whole_slice(const struct thread *t)
{
	return __atomic_load_n(&t->turn_clock, __ATOMIC_RELAXED);
}

/* A whole time slice of t, which is in the queue, where many wait. */
static inline uint64_t shorter_slice(const struct run_queue *rq, const struct thread *t)
{
	uint64_t slice = whole_slice(t), shorter = slice * RQ_MANY / rq->queued;

	if (slice < slice_woken_clock)
		return slice;
	return shorter > slice_woken_clock ? shorter : slice_woken_clock;
}

/* A new slice for t, whose turn it is. */
static inline void begin_turn(const struct run_queue *rq, struct thread *t)
{
	t->slice_clock = rq->queued <= RQ_MANY ? whole_slice(t) : shorter_slice(rq, t);
}

/*
 * Take out the first, of which the caller keeps count. All in the queue may run
 * on the queue's hart.
 */
static inline struct thread *rq_take_first(struct run_queue *rq)
{
	struct thread *t;

	if (rq->rest.first)
		return list_take(&rq->rest, &rq->rest.first);
	t = list_take(&rq->turns, &rq->turns.first);
	begin_turn(rq, t);
	return t;
}

/* --- Time slices ------------------------------------------------------------------------------ */

/* How long a thread, not the idle one, may run while others wait. */
static inline uint64_t slice_of(const struct run_queue *rq, const struct thread *t)
{
	if (__builtin_expect(rq->rest.first != NULL, 0) && t->slice_clock > slice_woken_clock)
		return slice_woken_clock;
	return t->slice_clock;
}

/* The running thread's slice, now that others wait. Own queue locked. */
static inline void limit_slice(const struct run_queue *rq)
{
	timer_set_slice_by(cpu_time() + slice_of(rq, thread_current()));
}

/* The thread has run until now; the rest of its slice is a matter of its own. */
static inline uint64_t account(struct thread *t, uint64_t now)
{
	uint64_t ran = now - t->since_clock;

	t->run_clock += ran;
	t->since_clock = now;
	return ran;
}

static inline uint64_t rest_of_slice(const struct thread *t, uint64_t ran)
{
	return ran + slice_least_clock < t->slice_clock ? t->slice_clock - ran : 0;
}

/*
 * t is woken where many wait: it gets a slice if it has slept through what would have been its
 * turn. Its queue is locked. For arch_call_rare().
 */
void rq_make_up_for_turn(void *thread);
