// SPDX-License-Identifier: MIT
// Clocks and sleeping. Nothing here measures how long something takes: only order counts.
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "lib/tap.h"

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	CHECK_OK(clock_gettime(clock, &t));
	CHECK(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void monotonic_never_goes_back(void)
{
	int64_t last = clock_ns(CLOCK_MONOTONIC), first = last;

	for (int i = 0; i < 5000; i++) {
		int64_t now = clock_ns(CLOCK_MONOTONIC);

		CHECK(now >= last);
		last = now;
		if (i % 100 == 0)
			sched_yield(); // perhaps to another hart
	}
	CHECK(last > first);
}

static void real_time_is_of_this_age(void)
{
	struct timeval tv;

	CHECK(clock_ns(CLOCK_REALTIME) / 1000000000 > 1700000000); // 2023
	CHECK_OK(gettimeofday(&tv, NULL));
	CHECK(tv.tv_sec > 1700000000);
	CHECK(time(NULL) >= tv.tv_sec);
}

static void sleep_lasts_long_enough(void)
{
	static const long ns[] = {1, 1000, 100000, 5000000, 20000000};

	for (size_t i = 0; i < sizeof ns / sizeof ns[0]; i++) {
		struct timespec t = {.tv_nsec = ns[i]};
		int64_t before = clock_ns(CLOCK_MONOTONIC);

		CHECK_OK(nanosleep(&t, NULL));
		CHECK(clock_ns(CLOCK_MONOTONIC) - before >= ns[i]);
	}
}

static void arguments(void)
{
	struct timespec t = {.tv_nsec = 1000000000};

	CHECK_ERR(nanosleep(&t, NULL), EINVAL);
	t.tv_nsec = -1;
	CHECK_ERR(nanosleep(&t, NULL), EINVAL);
	t = (struct timespec){.tv_sec = -1};
	CHECK_ERR(nanosleep(&t, NULL), EINVAL);
	CHECK_ERR(clock_gettime(9999, &t), EINVAL);
	t = (struct timespec){0, 0};
	CHECK_OK(nanosleep(&t, NULL));
}

static void sleepers_all_wake(void)
{
	int ends[2];
	char c;
	pid_t pids[5];

	CHECK_OK(pipe(ends));
	for (int i = 4; i >= 0; i--) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct timespec t = {.tv_nsec = 50000000l * (i + 1)};

			nanosleep(&t, NULL);
			c = (char)('a' + i);
			_exit(write(ends[1], &c, 1) != 1);
		}
		CHECK(pids[i] > 0);
	}

	unsigned seen = 0;
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(read(ends[0], &c, 1), 1);
		seen |= 1u << (c - 'a');
	}
	CHECK_EQ(seen, 31);
	for (int i = 0; i < 5; i++)
		must_exit_well(pids[i]);
}

static void process_time_grows(void)
{
	int64_t before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	for (volatile int i = 0; i < 3000000; i++)
		;
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) > before);
}

#ifdef __riscv
static void counters_are_readable(void)
{
	unsigned long time1, time2, cycle1, cycle2, instret1, instret2;

	__asm__ volatile("rdtime %0\n rdcycle %1\n rdinstret %2\n"
			 : "=r"(time1), "=r"(cycle1), "=r"(instret1));
	for (volatile int i = 0; i < 100000; i++)
		;
	__asm__ volatile("rdtime %0\n rdcycle %1\n rdinstret %2\n"
			 : "=r"(time2), "=r"(cycle2), "=r"(instret2));
	CHECK(time2 > time1 && cycle2 > cycle1 && instret2 > instret1);
}
#endif

static const struct test tests[] = {
	{"monotonic_never_goes_back", monotonic_never_goes_back},
	{"real_time_is_of_this_age", real_time_is_of_this_age},
	{"sleep_lasts_long_enough", sleep_lasts_long_enough},
	{"arguments", arguments},
	{"sleepers_all_wake", sleepers_all_wake},
	{"process_time_grows", process_time_grows},
#ifdef __riscv
	{"counters_are_readable", counters_are_readable},
#endif
};

TEST_MAIN(tests)
