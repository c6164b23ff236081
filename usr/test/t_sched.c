// SPDX-License-Identifier: MIT
// What the scheduler is told and what it makes of it: harts, nice values, policies; and the CPU
// time that was used.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/threads.h"

#define NOBODY 65534

static int own_tid(void)
{
	return (int)syscall(SYS_gettid);
}

// --- harts

static uint64_t harts_of(int tid)
{
	uint64_t mask[16] = {0};

	CHECK_EQ(CHECK_OK(syscall(SYS_sched_getaffinity, tid, sizeof mask, mask)) % 8, 0);
	return mask[0];
}

static long set_harts(int tid, uint64_t mask)
{
	return syscall(SYS_sched_setaffinity, tid, sizeof mask, &mask);
}

static unsigned hart_now(void)
{
	unsigned cpu = ~0u, node = ~0u;

	CHECK_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
	CHECK_EQ(node, 0);
	return cpu;
}

static uint64_t lowest(uint64_t mask)
{
	return mask & -mask;
}

static void stay_on_one(void *arg)
{
	uint64_t harts = (uint64_t)(uintptr_t)arg;

	CHECK_EQ(harts_of(0), harts);
	for (int i = 0; i < 100; i++) {
		CHECK(harts >> hart_now() & 1);
		sched_yield();
	}
}

// Where it may run there it runs, from the moment the call returns; children and threads as well.
static void affinity(void)
{
	uint64_t all = harts_of(0);
	struct thread t = {0};

	CHECK(all != 0);
	for (uint64_t rest = all; rest; rest &= rest - 1) {
		CHECK_OK(set_harts(0, lowest(rest)));
		CHECK_EQ(lowest(rest) >> hart_now(), 1);
		thread_begin(&t, stay_on_one, (void *)(uintptr_t)lowest(rest));
		thread_join(&t);
		CHECK_EQ(in_child(stay_on_one, (void *)(uintptr_t)lowest(rest)), 0);
	}
	CHECK_OK(set_harts(own_tid(), ~0ul)); // those that there are
	CHECK_EQ(harts_of(own_tid()), all);
}

static volatile unsigned spinner_at;
static volatile int stop;

static void spin_and_tell(void *arg)
{
	(void)arg;
	while (!stop) {
		unsigned cpu;

		syscall(SYS_getcpu, &cpu, NULL, NULL);
		spinner_at = cpu;
	}
}

static void spin(void *arg)
{
	(void)arg;
	while (!stop)
		;
}

// One that runs and never gives way.
static void moved_while_it_runs(void)
{
	uint64_t all = harts_of(0);
	struct thread t = {0};

	stop = 0;
	thread_begin(&t, spin_and_tell, NULL);
	for (uint64_t rest = all; rest; rest &= rest - 1) {
		CHECK_OK(set_harts(t.tid, lowest(rest)));
		while (lowest(rest) >> spinner_at != 1)
			sched_yield();
	}
	stop = 1;
	thread_join(&t);
}

static void as_nobody(void *arg)
{
	pid_t parent = getppid();
	uint64_t mask = 1;

	(void)arg;
	CHECK_OK(setuid(NOBODY));
	CHECK_OK(harts_of(parent));
	CHECK_ERR(syscall(SYS_sched_setaffinity, parent, sizeof mask, &mask), EPERM);
	CHECK_ERR(setpriority(PRIO_PROCESS, (id_t)parent, 5), EPERM);
	CHECK_OK(setpriority(PRIO_PROCESS, 0, 5));
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, 4), EACCES);
	CHECK_OK(setpriority(PRIO_PROCESS, 0, 5));
}

static void not_ones_own(void)
{
	if (getuid() != 0)
		tap_skip("needs to become somebody else");
	CHECK_EQ(in_child(as_nobody, NULL), 0);
}

static void refused(void)
{
	struct timespec second = {.tv_sec = 1};
	uint64_t mask = 1;
	int param = 0;

	CHECK_ERR(set_harts(0, 0), EINVAL);
	CHECK_ERR(set_harts(0x3fffff, 1), ESRCH);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, 8, (void *)8), EFAULT);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 0, &mask), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 12, &mask), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 128, (void *)8), EFAULT);
	CHECK_ERR(getpriority(9, 0), EINVAL);
	CHECK_ERR(setpriority(9, 0, 0), EINVAL);
	CHECK_ERR(setpriority(PRIO_PROCESS, 0x3fffff, 0), ESRCH);
	CHECK_ERR(setpriority(PRIO_PGRP, 0x3fffff, 0), ESRCH);
	CHECK_ERR(setpriority(PRIO_USER, 0x3fffff, 0), ESRCH);
	CHECK_ERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getscheduler, 0x3fffff), ESRCH);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, 0, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, 99, &param), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_sched_get_priority_max, 99), EINVAL);
	CHECK_ERR(syscall(SYS_sched_get_priority_min, -1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, 0x3fffff, &mask), ESRCH);
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, &second, NULL), EOPNOTSUPP);
	CHECK_ERR(
		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_COARSE, 0, &second, NULL), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_nanosleep, 9999, 0, &second, NULL), EINVAL);
}

// --- policies

static void become_realtime(void *arg)
{
	int param = 1;

	(void)arg;
	if (getuid() == 0 && !on_mapache())
		CHECK_OK(setuid(NOBODY));
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, 1, &param), EPERM);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, 2, &param), EPERM);
}

static void policies(void)
{
	enum { OTHER, FIFO, RR, BATCH, IDLE = 5 };
	static const int fair[] = {BATCH, IDLE, OTHER};
	int param = 77;
	struct timespec slice;

	CHECK_EQ(syscall(SYS_sched_get_priority_min, OTHER), 0);
	CHECK_EQ(syscall(SYS_sched_get_priority_max, OTHER), 0);
	CHECK_EQ(syscall(SYS_sched_get_priority_max, IDLE), 0);
	CHECK_EQ(syscall(SYS_sched_get_priority_min, FIFO), 1);
	CHECK_EQ(syscall(SYS_sched_get_priority_max, RR), 99);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, OTHER, &param), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setparam, 0, &param), EINVAL);
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), OTHER);
	CHECK_OK(syscall(SYS_sched_getparam, 0, &param));
	CHECK_EQ(param, 0);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, FIFO, &param), EINVAL);
	for (int i = 0; i < 3; i++) {
		CHECK_OK(syscall(SYS_sched_setscheduler, 0, fair[i], &param));
		CHECK_EQ(syscall(SYS_sched_getscheduler, own_tid()), fair[i]);
	}
	CHECK_OK(syscall(SYS_sched_setparam, 0, &param));
	CHECK_OK(syscall(SYS_sched_rr_get_interval, 0, &slice));
	CHECK(slice.tv_sec == 0 && slice.tv_nsec >= 0);
	if (on_mapache())
		CHECK_EQ(slice.tv_nsec, 10000000);
	CHECK_EQ(in_child(become_realtime, NULL), 0);
}

// --- nice values

// As the call returns it: 20 less the value.
static long nice_of(int which, int who)
{
	return syscall(SYS_getpriority, which, who);
}

static void has_nice(void *arg)
{
	CHECK_EQ(nice_of(PRIO_PROCESS, 0), (intptr_t)arg);
}

static void nice_of_each(void *arg)
{
	struct thread t = {0};

	(void)arg;
	CHECK_OK(setpgid(0, 0));
	CHECK_EQ(nice_of(PRIO_PROCESS, 0), 20);
	CHECK_OK(setpriority(PRIO_PROCESS, 0, 3));
	thread_begin(&t, has_nice, (void *)17); // inherited
	thread_join(&t);
	CHECK_EQ(in_child(has_nice, (void *)17), 0);
	stop = 0;
	thread_begin(&t, spin, NULL);
	CHECK_OK(setpriority(PRIO_PROCESS, (id_t)t.tid, 7)); // that one alone
	CHECK_EQ(nice_of(PRIO_PROCESS, t.tid), 13);
	CHECK_EQ(nice_of(PRIO_PROCESS, 0), 17);
	CHECK_EQ(nice_of(PRIO_PGRP, 0), 17); // the best of all
	CHECK_OK(setpriority(PRIO_PGRP, (id_t)getpid(), 1000));
	CHECK_EQ(nice_of(PRIO_PROCESS, t.tid), 1);
	CHECK_EQ(nice_of(PRIO_PROCESS, 0), 1);
	CHECK(nice_of(PRIO_USER, 0) >= 1);
	if (getuid() == 0) {
		CHECK_OK(setpriority(PRIO_PROCESS, 0, -1000));
		CHECK_EQ(nice_of(PRIO_PROCESS, 0), 40);
	}
	stop = 1;
	thread_join(&t);
}

static void nice_values(void)
{
	CHECK_EQ(in_child(nice_of_each, NULL), 0);
}

static clockid_t clock_of_thread(int tid)
{
	return (clockid_t)(~(unsigned)tid << 3 | 6);
}

static int64_t ns_of(clockid_t clock)
{
	struct timespec t;

	CHECK_OK(clock_gettime(clock, &t));
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void spin_nicely(void *arg)
{
	CHECK(setpriority(PRIO_PROCESS, 0, (int)(intptr_t)arg) == 0);
	while (!stop)
		;
}

// Two that want the same hart: 69 to 1 are asked for; how late timers come takes something of that.
static void nice_means_less(void)
{
	uint64_t all = harts_of(0);
	struct thread t[2] = {0};
	int64_t begin[2], used[2];

	stop = 0;
	CHECK_OK(set_harts(0, lowest(all)));
	for (int i = 0; i < 2; i++)
		thread_begin(&t[i], spin_nicely, (void *)(intptr_t)(19 * i));
	while (nice_of(PRIO_PROCESS, t[1].tid) != 1)
		sched_yield();
	for (int i = 0; i < 2; i++)
		begin[i] = ns_of(clock_of_thread(t[i].tid));
	do {
		struct timespec pause = {.tv_nsec = 20000000};

		nanosleep(&pause, NULL);
		for (int i = 0; i < 2; i++)
			used[i] = ns_of(clock_of_thread(t[i].tid)) - begin[i];
	} while (used[0] < 300000000);
	stop = 1;
	for (int i = 0; i < 2; i++)
		thread_join(&t[i]);
	CHECK_OK(set_harts(0, all));
	CHECK(used[1] < used[0] / 2);
}

// --- CPU time

static int64_t ns_of_timeval(struct timeval t)
{
	return t.tv_sec * 1000000000ll + t.tv_usec * 1000ll;
}

static int64_t used_by(int who, int64_t *user, int64_t *system)
{
	struct rusage usage;

	CHECK_OK(getrusage(who, &usage));
	*user = ns_of_timeval(usage.ru_utime);
	*system = ns_of_timeval(usage.ru_stime);
	return *user + *system;
}

static void clocks_of_time_used(void)
{
	clockid_t process = (clockid_t)(~(unsigned)getpid() << 3 | 2);
	struct timespec t;

	CHECK(ns_of(CLOCK_THREAD_CPUTIME_ID) <= ns_of(clock_of_thread(own_tid())));
	CHECK(ns_of(clock_of_thread(0)) <= ns_of(process));
	CHECK(ns_of(process) <= ns_of(CLOCK_PROCESS_CPUTIME_ID));
	CHECK(ns_of((clockid_t)(~(unsigned)getppid() << 3 | 2)) >= 0); // any process's
	CHECK_OK(clock_getres(process, &t));
	CHECK_ERR(clock_gettime(clock_of_thread(getppid()), &t), EINVAL); // own threads' only
	CHECK_ERR(clock_gettime(clock_of_thread(0x3fffff), &t), EINVAL);
	CHECK_ERR(clock_gettime((clockid_t)(~0x3fffffu << 3 | 2), &t), EINVAL);
	CHECK_ERR(clock_gettime((clockid_t)(~0u << 3 | 3), &t), EINVAL);
}

// Each part of it only grows, and together they are what the clock shows.
static void parts_of_time_used(void)
{
	int64_t user, system, last_user = 0, last_system = 0, before, all;

	do {
		before = ns_of(CLOCK_PROCESS_CPUTIME_ID);
		all = used_by(RUSAGE_SELF, &user, &system);
		CHECK(all + 2000 >= before); // each part is cut to microseconds
		CHECK(all <= ns_of(CLOCK_PROCESS_CPUTIME_ID));
		CHECK(user >= last_user);
		CHECK(system >= last_system);
		last_user = user;
		last_system = system;
	} while (system == 0); // these are calls after all
	for (int64_t begin = user; user < begin + 30000000;) {
		for (volatile int i = 0; i < 100000; i++)
			;
		used_by(RUSAGE_SELF, &user, &system);
	}
}

static void spin_a_while(void *arg)
{
	int64_t until = ns_of(CLOCK_THREAD_CPUTIME_ID) + 30000000;

	(void)arg;
	while (ns_of(CLOCK_THREAD_CPUTIME_ID) < until)
		;
}

static void of_threads_and_children(void)
{
	int64_t user, system, children;
	struct tms times_now;
	struct thread t = {0};

	thread_begin(&t, spin_a_while, NULL);
	thread_join(&t);
	CHECK(used_by(RUSAGE_SELF, &user, &system) >= 30000000 - 2000);
	CHECK(used_by(RUSAGE_THREAD, &user, &system) < ns_of(CLOCK_PROCESS_CPUTIME_ID) - 29000000);
	children = used_by(RUSAGE_CHILDREN, &user, &system);
	CHECK_EQ(in_child(spin_a_while, NULL), 0);
	CHECK(used_by(RUSAGE_CHILDREN, &user, &system) >= children + 30000000 - 2000);
	CHECK_OK(times(&times_now));
	CHECK(times_now.tms_cutime + times_now.tms_cstime >= 2);
	CHECK_ERR(getrusage(5, (void *)&times_now), EINVAL);
}

static volatile int came;

static void count_signal(int sig)
{
	(void)sig;
	came++;
}

// The timers of CPU time do not run while nothing does.
static void timers_of_time_used(void)
{
	static const int which[] = {ITIMER_VIRTUAL, ITIMER_PROF};
	static const int signals[] = {SIGVTALRM, SIGPROF};
	struct itimerval set = {{0, 10000}, {0, 30000}}, is;
	struct timespec pause = {.tv_nsec = 60000000};

	for (int i = 0; i < 2; i++) {
		signal(signals[i], count_signal);
		came = 0;
		CHECK_OK(setitimer(which[i], &set, NULL));
		CHECK_OK(nanosleep(&pause, NULL));
		CHECK_EQ(came, 0);
		CHECK_OK(getitimer(which[i], &is));
		CHECK(is.it_value.tv_sec == 0 && is.it_value.tv_usec > 0);
		CHECK_EQ(is.it_interval.tv_usec, 10000);
		while (came < 3)
			;
		CHECK_OK(setitimer(which[i], &(struct itimerval){0}, &is));
		CHECK_EQ(is.it_interval.tv_usec, 10000);
		CHECK_OK(getitimer(which[i], &is));
		CHECK_EQ(is.it_value.tv_usec, 0);
	}
	CHECK_ERR(setitimer(3, &set, NULL), EINVAL);
	set.it_value.tv_usec = 1000000;
	CHECK_ERR(setitimer(ITIMER_PROF, &set, NULL), EINVAL);
}

static void spin_over_the_limit(void *arg)
{
	struct rlimit limit = {1, 2}, none = {0, 0};

	(void)arg;
	CHECK_OK(setrlimit(RLIMIT_CORE, &none));
	CHECK_OK(setrlimit(RLIMIT_CPU, &limit));
	for (;;)
		;
}

static void limit_of_time_used(void)
{
	CHECK_EQ(in_child(spin_over_the_limit, NULL), SIGXCPU);
}

static const struct test tests[] = {
	{"affinity", affinity},
	{"moved_while_it_runs", moved_while_it_runs},
	{"not_ones_own", not_ones_own},
	{"refused", refused},
	{"policies", policies},
	{"nice_values", nice_values},
	{"nice_means_less", nice_means_less},
	{"clocks_of_time_used", clocks_of_time_used},
	{"parts_of_time_used", parts_of_time_used},
	{"of_threads_and_children", of_threads_and_children},
	{"timers_of_time_used", timers_of_time_used},
	{"limit_of_time_used", limit_of_time_used},
};

BEYOND_CORE_MAIN(tests)
