// SPDX-License-Identifier: MIT
// Clocks and sleeping. Nothing here measures how long something takes: only order counts.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "lib/tap.h"

#define NS_PER_S 1000000000ll

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	CHECK_OK(clock_gettime(clock, &t));
	CHECK(t.tv_nsec >= 0 && t.tv_nsec < NS_PER_S);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
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

// The clocks that go on by themselves, each beside the one that it follows. The coarse ones may be
// behind by a tick, and Linux's raw and boot time go their own way.
static void every_clock_goes_on(void)
{
	static const clockid_t clocks[][2] = {
		{CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW},
		{CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE},
		{CLOCK_MONOTONIC, CLOCK_BOOTTIME},
		{CLOCK_REALTIME, CLOCK_REALTIME_COARSE},
		{CLOCK_REALTIME, CLOCK_TAI},
	};
	struct timespec step;

	for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
		int64_t before = clock_ns(clocks[i][0]), is = clock_ns(clocks[i][1]);

		CHECK(clock_ns(clocks[i][1]) >= is);
		CHECK_OK(clock_getres(clocks[i][1], &step));
		CHECK(step.tv_sec == 0 && step.tv_nsec > 0);
		if (on_mapache())
			CHECK(before <= is && is <= clock_ns(clocks[i][0]));
		while (clock_ns(clocks[i][1]) == is)
			;
	}
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

static void sleeping_until(void)
{
	static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};

	for (size_t i = 0; i < 2; i++) {
		int64_t moment = clock_ns(clocks[i]) + NS_PER_S / 50;
		struct timespec until = timespec_of(moment), past = {0};

		CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL), 0);
		CHECK(clock_ns(clocks[i]) >= moment);
		CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL), 0);
		CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &past, NULL), 0);
		until.tv_nsec = NS_PER_S;
		CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL), EINVAL);
	}
}

static void nothing(int number)
{
	(void)number;
}

// A signal comes again and again, so that none is lost to a sleep that has not begun.
static void keep_interrupting(void)
{
	struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
	struct itimerval often = {{.tv_usec = 20000}, {.tv_usec = 20000}};

	CHECK_OK(sigaction(SIGALRM, &action, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
}

// What is left is told of a time that was to pass, and not of a moment, which stays what it is.
static void what_is_left_of_a_sleep(void)
{
	int64_t all = 1000 * NS_PER_S, began = clock_ns(CLOCK_MONOTONIC), left_ns;
	struct timespec sleep = timespec_of(all), until = timespec_of(began + all), left;

	keep_interrupting();
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &sleep, &left), EINTR);
	left_ns = left.tv_sec * NS_PER_S + left.tv_nsec;
	CHECK(left_ns < all);
	CHECK(left_ns >= all - (clock_ns(CLOCK_MONOTONIC) - began));
	left = (struct timespec){-5, -5};
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, &left), EINTR);
	CHECK(left.tv_sec == -5 && left.tv_nsec == -5);
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
	{"every_clock_goes_on", every_clock_goes_on},
	{"sleeping_until", sleeping_until},
	{"what_is_left_of_a_sleep", what_is_left_of_a_sleep},
	{"sleepers_all_wake", sleepers_all_wake},
	{"process_time_grows", process_time_grows},
#ifdef __riscv
	{"counters_are_readable", counters_are_readable},
#endif
};

TEST_MAIN(tests)
