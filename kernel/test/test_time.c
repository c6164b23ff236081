// SPDX-License-Identifier: MIT
/*
 * Clocks and timers. Nothing here depends on how fast the machine is: only on order, and on "not
 * before".
 */
#include <errno.h>
#include <kernel/cpu.h>
#include <kernel/thread.h>
#include <kernel/time.h>

#include "selftest.h"

#define TIMERS 200

struct shot {
	struct timer timer;
	uint64_t fired_ns;
	unsigned order;
};

static struct shot shots[TIMERS];
static unsigned fired; /* [a] */

static void shot_fire(struct timer *timer)
{
	struct shot *shot = (struct shot *)timer;

	shot->fired_ns = time_now_ns();
	shot->order = __atomic_add_fetch(&fired, 1, __ATOMIC_RELAXED);
}

/* Timers of one hart fire in order, each once, none early; the cancelled ones do not. */
static void test_timers(void)
{
	uint64_t random = selftest_seed, start;
	unsigned expected = 0;

	CHECK(thread_set_affinity(thread_current(), 1) == 0);
	fired = 0;
	start = time_now_ns() + 20 * NS_PER_MS;
	for (unsigned i = 0; i < TIMERS; i++) {
		shots[i] = (struct shot){.timer.fn = shot_fire};
		timer_set(&shots[i].timer, start + selftest_random(&random) % (20 * NS_PER_MS));
	}
	for (unsigned i = 0; i < TIMERS; i += 3)
		if (timer_cancel(&shots[i].timer))
			shots[i].order = UINT32_MAX;
	for (unsigned i = 0; i < TIMERS; i++)
		expected += shots[i].order != UINT32_MAX;
	while (__atomic_load_n(&fired, __ATOMIC_ACQUIRE) < expected)
		thread_sleep_until(time_now_ns() + NS_PER_MS, SLEEP_FOREVER);
	for (unsigned i = 0; i < TIMERS; i++) {
		if (shots[i].order == UINT32_MAX) {
			CHECK(shots[i].fired_ns == 0);
			continue;
		}
		CHECK(shots[i].fired_ns >= shots[i].timer.when_ns);
		for (unsigned k = 0; k < i; k++)
			if (shots[k].order != UINT32_MAX &&
				shots[k].timer.hart == shots[i].timer.hart)
				CHECK((shots[k].order < shots[i].order) ==
						(shots[k].timer.when_ns < shots[i].timer.when_ns) ||
					shots[k].timer.when_ns == shots[i].timer.when_ns);
	}
	CHECK(fired == expected);
	CHECK(thread_set_affinity(thread_current(), UINT64_MAX) == 0);
}

static void sleep_a_while(void *arg, unsigned i)
{
	(void)arg;
	for (unsigned n = 0; n < 10; n++) {
		uint64_t until = time_now_ns() + (i * 7 + n) % 5 * NS_PER_MS;

		CHECK(thread_sleep_until(until, SLEEP_FOREVER) == 0);
		CHECK(time_now_ns() >= until);
	}
}

static void test_sleep(void)
{
	selftest_crowd(8, sleep_a_while, NULL);
}

static void test_timeout(void)
{
	struct waitq queue = WAITQ_INIT;
	uint64_t until = time_now_ns() + 2 * NS_PER_MS;

	CHECK(wait_event_how(&queue, false, SLEEP_FOREVER, until) == -ETIMEDOUT);
	CHECK(time_now_ns() >= until);
	CHECK(wait_event_how(&queue, true, SLEEP_FOREVER, until) == 0);
	CHECK(queue.head == NULL);
}

static void test_conversions(void)
{
	uint64_t random = selftest_seed;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t ns = ((uint64_t)selftest_random(&random) << 20) + i;
		uint64_t back = time_from_ticks(time_to_ticks(ns));

		CHECK(back >= ns && back - ns < 1000);
	}
	CHECK(time_to_ticks(UINT64_MAX) == UINT64_MAX);
}

const struct selftest time_tests[] = {
	{"timers", test_timers},
	{"sleep", test_sleep},
	{"timeout", test_timeout},
	{"conversions", test_conversions},
	{0},
};
