// SPDX-License-Identifier: MIT
/*
 * Clocks, and the timers of each hart in a pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986):
 * inserting is a comparison, removing the first is logarithmic on average, and a timer in the
 * middle comes out by its links.
 *
 * The hardware is programmed only for something earlier than what it is set to. A slice or a timer
 * that is called off leaves it armed; the interrupt then finds nothing due and arms it anew. Two
 * threads that hand each other the hart thousands of times a slice so pay for the timer once.
 *
 * A hart that does not idle ticks a hundred times a second: it looks whether user or kernel code
 * runs (kernel/process/times.c says what for).
 */
#include <arch/firmware.h>
#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/panic.h>
#include <kernel/time.h>

#include "sched.h"

#define TICK_NS (10 * NS_PER_MS)

static uint64_t clock_hz;
uint64_t time_realtime_offset_ns;
static uint64_t idle_max_clock, tick_clock, nap_clock; /* [I] after boot */
struct time_rate time_rate;

void time_init(uint64_t hz)
{
	clock_hz = hz;
	time_rate.ns = NS_PER_SEC / hz;
	for (uint64_t rest = NS_PER_SEC % hz, i = 0; i < 64; i++) {
		rest *= 2;
		time_rate.fraction = time_rate.fraction * 2 + (rest >= hz);
		rest -= rest >= hz ? hz : 0;
	}
}

uint64_t time_to_ticks(uint64_t ns)
{
	if (ns == UINT64_MAX)
		return ns;
	if (!time_rate.fraction)
		return ns / time_rate.ns + (ns % time_rate.ns != 0);
	return ns / NS_PER_SEC * clock_hz + (ns % NS_PER_SEC * clock_hz) / NS_PER_SEC + 1;
}

void time_set_realtime_ns(uint64_t ns)
{
	__atomic_store_n(&time_realtime_offset_ns, ns - time_now_ns(), __ATOMIC_RELAXED);
}

/* Two heaps become one. */
static struct timer *meld(struct timer *a, struct timer *b)
{
	struct timer *first, *other;

	if (!a || !b)
		return a ? a : b;
	first = b->when_ns < a->when_ns ? b : a;
	other = first == a ? b : a;
	other->prev = first;
	other->next = first->child;
	if (other->next)
		other->next->prev = other;
	first->child = other;
	first->next = first->prev = NULL;
	return first;
}

/* The siblings from `list` on become one heap: in pairs from the left, then all from the right. */
static struct timer *meld_list(struct timer *list)
{
	struct timer *pairs = NULL, *all = NULL;

	while (list) {
		struct timer *a = list, *b = list->next, *pair;

		list = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		pair = meld(a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs) {
		struct timer *next = pairs->next;

		pairs->next = NULL;
		all = meld(all, pairs);
		pairs = next;
	}
	return all;
}

static void heap_remove(struct timer_queue *tq, struct timer *timer)
{
	struct timer *rest = meld_list(timer->child);

	if (timer == tq->first) {
		tq->first = rest;
	} else {
		if (timer->prev->child == timer)
			timer->prev->child = timer->next;
		else
			timer->prev->next = timer->next;
		if (timer->next)
			timer->next->prev = timer->prev;
		tq->first = meld(tq->first, rest);
	}
	__atomic_store_n(&timer->set, false, __ATOMIC_RELEASE);
}

static void arm(struct timer_queue *tq, uint64_t when_clock)
{
	if (when_clock >= tq->armed_clock)
		return;
	tq->armed_clock = when_clock;
	firmware_timer_set(when_clock);
}

/* For the first timer, if there is one. */
static void arm_first(struct timer_queue *tq)
{
	if (tq->first)
		arm(tq, time_to_ticks(tq->first->when_ns));
}

/* The queue that the timer is in, locked; NULL: it is in none. */
static struct timer_queue *lock_queue(struct timer *timer, uint64_t *flags)
{
	struct timer_queue *tq;

	if (!__atomic_load_n(&timer->set, __ATOMIC_ACQUIRE))
		return NULL;
	tq = &cpus[timer->hart].timers;
	*flags = spin_lock_irqsave(&tq->lock);
	if (timer->set)
		return tq;
	spin_unlock_irqrestore(&tq->lock, *flags);
	return NULL;
}

bool timer_cancel(struct timer *timer)
{
	uint64_t flags;
	struct timer_queue *tq = lock_queue(timer, &flags);

	if (!tq)
		return false;
	heap_remove(tq, timer);
	spin_unlock_irqrestore(&tq->lock, flags);
	return true;
}

void timer_cancel_wait(struct timer *timer)
{
	unsigned turns = 0;

	if (timer_cancel(timer))
		return;
	for (unsigned i = 0; i < cpu_count; i++)
		while (__atomic_load_n(&cpus[i].timers.running, __ATOMIC_ACQUIRE) == timer)
			backoff(&turns);
}

void timer_set(struct timer *timer, uint64_t when_ns)
{
	struct timer_queue *tq;
	uint64_t flags;

	timer_cancel(timer);
	flags = irq_save();
	tq = &cpu_this()->timers;
	spin_acquire(&tq->lock, false);
	timer->when_ns = when_ns;
	timer->hart = arch_cpu()->index;
	timer->child = timer->next = timer->prev = NULL;
	timer->set = true;
	tq->first = meld(tq->first, timer);
	if (tq->first == timer)
		arm_first(tq);
	spin_unlock_irqrestore(&tq->lock, flags);
}

/* Call what is due. Queue locked; dropped around each call. */
static void run_due(struct timer_queue *tq, uint64_t now)
{
	while (tq->first && tq->first->when_ns <= now) {
		struct timer *timer = tq->first;

		/* before it is unset: timer_cancel_wait() looks in the other order */
		__atomic_store_n(&tq->running, timer, __ATOMIC_RELAXED);
		heap_remove(tq, timer);
		spin_unlock(&tq->lock);
		timer->fn(timer);
		spin_lock(&tq->lock);
		__atomic_store_n(&tq->running, NULL, __ATOMIC_RELEASE);
	}
}

void timer_interrupt(bool user)
{
	struct timer_queue *tq = &cpu_this()->timers;
	uint64_t now = cpu_time();
	bool slice_over, tick;

	spin_lock(&tq->lock);
	run_due(tq, time_from_ticks(now));
	slice_over = tq->slice_clock <= now;
	if (slice_over)
		tq->slice_clock = UINT64_MAX;
	tick = tq->tick_clock <= now;
	if (tick)
		tq->tick_clock = cpu_this()->rq.is_idle ? UINT64_MAX : now + tick_clock;
	tq->armed_clock = UINT64_MAX;
	arm_first(tq);
	arm(tq, tq->slice_clock);
	arm(tq, tq->tick_clock);
	if (tq->armed_clock == UINT64_MAX)
		firmware_timer_set(UINT64_MAX);
	spin_unlock(&tq->lock);
	if (tick)
		sched_tick(user);
	if (slice_over)
		sched_slice_end();
}

void timer_start_tick(void)
{
	struct timer_queue *tq = &cpu_this()->timers;

	if (tq->tick_clock == UINT64_MAX) {
		tq->tick_clock = cpu_time() + tick_clock;
		arm(tq, tq->tick_clock);
	}
}

#define BACKOFF_SPINS 4096 /* some ten microseconds */
#define BACKOFF_AGAIN 256  /* between two naps */
#define NAP_NS        (100 * NS_PER_US)
#define NAP_DOUBLES   3 /* naps get longer so many times */

/* Interrupts are off. Before there are timers nothing would end it. */
static void nap(uint64_t clock)
{
	struct timer_queue *tq = &cpu_this()->timers;
	uint64_t until = cpu_time() + clock;

	if (!tq->armed_clock)
		return;
	if (until < tq->armed_clock)
		firmware_timer_set(until);
	cpu_wait();
	if (until < tq->armed_clock)
		firmware_timer_set(tq->armed_clock);
}

void backoff(unsigned *turns)
{
	unsigned naps = *turns < BACKOFF_SPINS ? 0 : (*turns - BACKOFF_SPINS) / BACKOFF_AGAIN;
	uint64_t flags;

	cpu_relax();
	if (++*turns < BACKOFF_SPINS || *turns % BACKOFF_AGAIN)
		return;
	flags = irq_save();
	nap(nap_clock << (naps < NAP_DOUBLES ? naps : NAP_DOUBLES));
	irq_restore(flags);
}

/* The slice belongs to this hart alone, like the hardware. */
void timer_arm_slice(void *queue)
{
	struct timer_queue *tq = queue;

	arm(tq, tq->slice_clock);
}

/*
 * On QEMU's instruction clock an idle machine jumps to its next timer. Without one it would jump to
 * the end of time while it waits for its disk, so the word "idle=MS" bounds how long a hart idles.
 */
void timer_before_idle(void)
{
	if (idle_max_clock)
		arm(&cpu_this()->timers, cpu_time() + idle_max_clock);
}

void timer_init_hart(void)
{
	struct timer_queue *tq = &cpu_this()->timers;
	uint64_t idle_ms = boot_size("idle", 0);

	idle_max_clock = idle_ms ? time_to_ticks(idle_ms * NS_PER_MS) : 0;
	tick_clock = time_to_ticks(TICK_NS);
	nap_clock = time_to_ticks(NAP_NS);
	*tq = (struct timer_queue){
		.armed_clock = UINT64_MAX, .slice_clock = UINT64_MAX, .tick_clock = UINT64_MAX};
	spin_init(&tq->lock, "timers", RANK_TIMER);
	firmware_timer_set(UINT64_MAX);
}
