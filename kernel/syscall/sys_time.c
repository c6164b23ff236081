// SPDX-License-Identifier: MIT
/*
 * System calls on time: clocks and sleeps.
 *
 * Besides the clocks with small numbers there are those of CPU time of any process and of any
 * thread of the own one: pthread_getcpuclockid() makes their numbers, from the id inverted and
 * three bits.
 */
#include <abi/errno.h>
#include <abi/time.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (int64_t)(ns / NS_PER_SEC),
		.tv_nsec = (int64_t)(ns % NS_PER_SEC),
	};
}

int ns_of_timespec(const struct timespec *ts, uint64_t *ns)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (int64_t)NS_PER_SEC)
		return -EINVAL;
	if ((uint64_t)ts->tv_sec >= UINT64_MAX / NS_PER_SEC - 1)
		*ns = NO_DEADLINE;
	else
		*ns = (uint64_t)ts->tv_sec * NS_PER_SEC + (uint64_t)ts->tv_nsec;
	return 0;
}

uint64_t deadline_after(uint64_t ns)
{
	uint64_t now = time_now_ns();

	return ns < NO_DEADLINE - now ? now + ns : NO_DEADLINE;
}

/* NO_DEADLINE for a null pointer. */
static int ns_of_user(uaddr_t timespec_from, uint64_t *ns)
{
	struct timespec ts;

	*ns = NO_DEADLINE;
	if (uaddr_is_null(timespec_from))
		return 0;
	return get_user(&ts, timespec_from) ? -EFAULT : ns_of_timespec(&ts, ns);
}

int deadline_of_user(uaddr_t timespec_from, uint64_t *deadline)
{
	int err = ns_of_user(timespec_from, deadline);

	if (!err && *deadline != NO_DEADLINE)
		*deadline = deadline_after(*deadline);
	return err;
}

/* A time of the real-time clock on the monotonic one; setting the clock later has no effect. */
static uint64_t deadline_of_realtime(uint64_t ns)
{
	uint64_t real = time_realtime_ns();

	return ns > real ? deadline_after(ns - real) : 0;
}

int deadline_of_user_moment(uaddr_t timespec_from, bool realtime, uint64_t *deadline)
{
	int err = ns_of_user(timespec_from, deadline);

	if (!err && *deadline != NO_DEADLINE && realtime)
		*deadline = deadline_of_realtime(*deadline);
	return err;
}

/* --- Clocks ---------------------------------------------------------------------------------- */

#define CPU_CLOCK_OF(clock)   ((pid_t) ~((clock) >> 3)) /* 0: the caller */
#define CPU_CLOCK_IS_THREADS  4
#define CPU_CLOCK_KIND(clock) ((clock)&3)
#define CPU_CLOCK_PROF        0 /* user and system time */
#define CPU_CLOCK_VIRTUAL     1 /* user time */
#define CPU_CLOCK_SCHED       2 /* time on a hart */

/* tree_lock held. */
static int cpu_clock_times(int clock, struct cpu_times *times)
{
	pid_t nr = CPU_CLOCK_OF(clock);
	struct pid *pid = nr ? pid_find(nr) : NULL;
	struct task *t = nr ? NULL : task_current();
	struct process *p = nr ? NULL : process_current();

	if (pid) {
		t = pid->thread;
		p = pid->process;
	}
	if (clock & CPU_CLOCK_IS_THREADS) {
		if (!t || t->process != process_current())
			return -EINVAL;
		task_times(t, times);
	} else {
		if (!p)
			return -EINVAL;
		process_cpu_times(p, times);
	}
	return 0;
}

static int cpu_clock_read(int clock, uint64_t *ns)
{
	struct cpu_times times;

	if (clock >= 0 || CPU_CLOCK_KIND(clock) > CPU_CLOCK_SCHED)
		return -EINVAL;
	spin_lock(&tree_lock);
	int err = cpu_clock_times(clock, &times);
	spin_unlock(&tree_lock);
	if (!err)
		*ns = CPU_CLOCK_KIND(clock) == CPU_CLOCK_VIRTUAL ? times.user_ns : times.run_ns;
	return err;
}

static int clock_read(int clock, uint64_t *ns)
{
	struct cpu_times times;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI: /* no leap seconds are known: TAI - UTC reads as 0, as on Linux without NTP
			 */
		*ns = time_realtime_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ns = time_now_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		process_cpu_times(process_current(), &times);
		*ns = times.run_ns;
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_run_ns(thread_current());
		return 0;
	default:
		return cpu_clock_read(clock, ns);
	}
}

long sys_clock_gettime(long clock, uaddr_t to)
{
	uint64_t ns;
	int err = clock_read((int)clock, &ns);

	if (err)
		return err;
	struct timespec ts = timespec_of(ns);
	return put_user(to, &ts);
}

long sys_clock_getres(long clock, uaddr_t to)
{
	struct timespec resolution = {.tv_nsec = 1};
	uint64_t ns;
	int err = clock_read((int)clock, &ns);

	if (err || uaddr_is_null(to))
		return err;
	return put_user(to, &resolution);
}

long sys_clock_settime(long clock, uaddr_t from)
{
	struct timespec ts;
	uint64_t ns;

	if ((int)clock != CLOCK_REALTIME)
		return -EINVAL;
	if (get_user(&ts, from))
		return -EFAULT;
	int err = ns_of_timespec(&ts, &ns);
	if (err)
		return err;
	if (process_current()->cred.euid)
		return -EPERM;
	time_set_realtime_ns(ns);
	return 0;
}

long sys_gettimeofday(uaddr_t to, uaddr_t zone_to)
{
	uint64_t ns = time_realtime_ns();
	struct timeval tv = {
		.tv_sec = (int64_t)(ns / NS_PER_SEC),
		.tv_usec = (int64_t)(ns % NS_PER_SEC / NS_PER_US),
	};
	struct timezone zone = {0};

	if (!uaddr_is_null(to) && put_user(to, &tv))
		return -EFAULT;
	return uaddr_is_null(zone_to) ? 0 : put_user(zone_to, &zone);
}

/* --- Sleeping -------------------------------------------------------------------------------- */

/*
 * Sleep until the deadline, or until what a call that is made again had as its deadline.  Writes
 * the time left when a signal ended it; a handler turns that into the call's end (-EINTR).
 */
static long sleep_until(uint64_t deadline, uaddr_t left_to, bool restart_same)
{
	deadline = syscall_deadline(deadline);
	if (!thread_sleep_until(deadline, SLEEP_INTERRUPTIBLE))
		return 0;

	uint64_t now = time_now_ns();
	struct timespec left = timespec_of(deadline > now ? deadline - now : 0);
	if (!uaddr_is_null(left_to) && put_user(left_to, &left))
		return -EFAULT;
	return syscall_restart_until(RESTART_SILENTLY, restart_same ? 0 : deadline);
}

long sys_nanosleep(uaddr_t from, uaddr_t left_to)
{
	struct timespec ts;
	uint64_t ns;

	if (get_user(&ts, from))
		return -EFAULT;
	int err = ns_of_timespec(&ts, &ns);
	return err ? err : sleep_until(deadline_after(ns), left_to, false);
}

long sys_clock_nanosleep(long clock, unsigned long flags, uaddr_t from, uaddr_t left_to)
{
	bool real = (int)clock == CLOCK_REALTIME || (int)clock == CLOCK_TAI;
	struct timespec ts;
	uint64_t ns;

	if (!real && (int)clock != CLOCK_MONOTONIC && (int)clock != CLOCK_BOOTTIME)
		return clock_read((int)clock, &ns) ? -EINVAL : -EOPNOTSUPP;
	if (get_user(&ts, from))
		return -EFAULT;
	int err = ns_of_timespec(&ts, &ns);
	if (err)
		return err;
	if (!((unsigned)flags & TIMER_ABSTIME))
		return sleep_until(deadline_after(ns), left_to, false);
	return sleep_until(real ? deadline_of_realtime(ns) : ns, uaddr(0), true);
}
