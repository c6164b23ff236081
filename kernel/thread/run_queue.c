// SPDX-License-Identifier: MIT
/*
 * A hart's queue: order and shares.
 *
 * Order. Threads take turns of a time slice each. One that sleeps before its slice is over keeps
 * the rest for when it wakes, and then waits only behind others with such a rest, not behind those
 * that compute all the time; nor does it wait long for the running one, who keeps a rest as well.
 * The rest does not grow by sleeping: when it is used up the thread goes to the end of the queue,
 * where each thread gets a new slice in its turn. Who slept while many others all had their turns
 * has his when he wakes. So whoever is woken often runs soon, and nobody starves.
 *
 * Shares. The slice of a thread is as long as its nice value says, each step a fifth less than the
 * one before: as all take turns, so are their shares of the hart. Where many take turns all slices
 * are shorter, so that a round does not take ever longer. A thread that is told to exit goes ahead
 * like one with a rest: what it holds is given back first.
 *
 * Slices end only where a thread waits for the hart: the timer is armed when the queue becomes
 * non-empty, never for a thread that is alone.
 */
#include <abi/sched.h>

#include "run_queue.h"

#define SLICE_NS       (10 * NS_PER_MS) /* at nice 0 */
#define SLICE_IDLE_NS  (SLICE_NS / 341) /* with SCHED_IDLE: a fifth of nice 19 */
#define SLICE_LEAST_NS (SLICE_NS / 20)  /* less is not worth a switch */
#define SLICE_WOKEN_NS NS_PER_MS        /* the running thread's, when one with a rest waits */

uint64_t slice_least_clock, slice_woken_clock;
static uint64_t round_clock; /* [I] what all get in one round of RQ_MANY */

static void list_empty(struct thread_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

void rq_init(struct run_queue *rq)
{
	spin_init(&rq->lock, "run queue", RANK_RUN_QUEUE);
	list_empty(&rq->rest);
	list_empty(&rq->turns);
	slice_least_clock = time_to_ticks(SLICE_LEAST_NS);
	slice_woken_clock = time_to_ticks(SLICE_WOKEN_NS);
	round_clock = time_to_ticks(RQ_MANY * SLICE_NS);
}

static bool list_drop(struct thread_list *list, const struct thread *t)
{
	struct thread **link = &list->first;

	while (*link && *link != t)
		link = &(*link)->next;
	return *link && list_take(list, link);
}

void rq_take_out(struct run_queue *rq, struct thread *t)
{
	if (!list_drop(&rq->rest, t))
		list_drop(&rq->turns, t);
	rq->queued--;
}

/* The first of a list that may run on `on`, or NULL. */
static struct thread *list_take_for(struct thread_list *list, const struct cpu *on)
{
	for (struct thread **link = &list->first; *link; link = &(*link)->next)
		if (may_run(*link, on))
			return list_take(list, link);
	return NULL;
}

struct thread *rq_take_for(struct run_queue *rq, const struct cpu *on)
{
	struct thread *t = list_take_for(&rq->rest, on);

	if (!t)
		t = list_take_for(&rq->turns, on);
	rq->queued -= t != NULL;
	return t;
}

/* In microseconds, by nice from -20 on: SLICE_NS / 1.25^nice. */
static const uint32_t slice_us[] = {867362, 693889, 555112, 444089, 355271, 284217, 227374, 181899,
	145519, 116415, 93132, 74506, 59605, 47684, 38147, 30518, 24414, 19531, 15625, 12500, 10000,
	8000, 6400, 5120, 4096, 3277, 2621, 2097, 1678, 1342, 1074, 859, 687, 550, 440, 352, 281,
	225, 180, 144};

void thread_set_share(struct thread *t, int nice, int policy)
{
	uint64_t turn_ns = policy == SCHED_IDLE ? SLICE_IDLE_NS : slice_us[nice + 20] * NS_PER_US;

	__atomic_store_n(&t->nice, (int8_t)nice, __ATOMIC_RELAXED);
	__atomic_store_n(&t->policy, (uint8_t)policy, __ATOMIC_RELAXED);
	__atomic_store_n(&t->turn_clock, time_to_ticks(turn_ns), __ATOMIC_RELAXED);
}

void rq_make_up_for_turn(void *thread)
{
	struct thread *t = thread;
	uint64_t round = t->cpu->rq.queued * slice_woken_clock + round_clock;

	if (!t->slice_clock && cpu_time() - t->since_clock > round)
		t->slice_clock = whole_slice(t);
}
