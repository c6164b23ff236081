// SPDX-License-Identifier: MIT
/*
 * System calls on time: clocks, sleeps, the interval timer.
 *
 * The interval timer of a process is a kernel timer whose interrupt hands over to the work thread,
 * which may take the locks that sending SIGALRM needs.
 */
#include <abi/errno.h>
#include <abi/time.h>
#include <kernel/process.h>
#include <kernel/process_impl.h>
#include <kernel/syscall.h>

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (int64_t)(ns / NS_PER_SEC),
		.tv_nsec = (int64_t)(ns % NS_PER_SEC),
	};
}

/* Saturates: what is further away than the clock counts never comes. */
static int ns_of_timespec(const struct timespec *ts, uint64_t *ns)
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

static uint64_t process_cpu_ns(void)
{
	struct cpu_times times;

	process_times(process_current(), &times);
	return times.run_ns;
}

static int clock_read(int clock, uint64_t *ns)
{
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
		*ns = process_cpu_ns();
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_run_ns(thread_current());
		return 0;
	default:
		return -EINVAL;
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
		return (int)clock == CLOCK_PROCESS_CPUTIME_ID ? -EOPNOTSUPP : -EINVAL;
	if (get_user(&ts, from))
		return -EFAULT;
	int err = ns_of_timespec(&ts, &ns);
	if (err)
		return err;
	if (!((unsigned)flags & TIMER_ABSTIME))
		return sleep_until(deadline_after(ns), left_to, false);
	return sleep_until(real ? deadline_of_realtime(ns) : ns, uaddr(0), true);
}

/* --- The interval timer ----------------------------------------------------------------------- */

/* Timer interrupt.  The work holds a reference, so the last one is never dropped here. */
static void alarm_fired(struct timer *timer)
{
	struct process *p = list_entry(timer, struct process, alarm);

	process_ref(p);
	if (!work_queue(&p->alarm_work))
		process_unref(p);
}

/* Has it come?  Then the next one is set. */
static bool alarm_advance(struct process *p)
{
	uint64_t now = time_now_ns();
	bool come;

	spin_lock(&p->lock);
	come = p->alarm_at_ns && now >= p->alarm_at_ns;
	if (come) {
		uint64_t at = p->alarm_at_ns + p->alarm_interval_ns;
		p->alarm_at_ns = !p->alarm_interval_ns ? 0 : at > now ? at : now + 1;
		if (p->alarm_at_ns)
			timer_set(&p->alarm, p->alarm_at_ns);
	}
	spin_unlock(&p->lock);
	return come;
}

static void alarm_work(struct work *work)
{
	struct process *p = list_entry(work, struct process, alarm_work);
	siginfo_t info = signal_info(SIGALRM, SI_KERNEL);

	if (alarm_advance(p))
		(void)signal_send_process(p, &info);
	process_unref(p);
}

void alarm_init(struct process *p)
{
	p->alarm.fn = alarm_fired;
	p->alarm_work.fn = alarm_work;
}

void alarm_stop(struct process *p)
{
	spin_lock(&p->lock);
	p->alarm_at_ns = 0;
	spin_unlock(&p->lock);
	timer_cancel_wait(&p->alarm);
}

static struct timeval timeval_of(uint64_t ns)
{
	return (struct timeval){
		.tv_sec = (int64_t)(ns / NS_PER_SEC),
		.tv_usec = (int64_t)(ns % NS_PER_SEC / NS_PER_US),
	};
}

static int ns_of_timeval(const struct timeval *tv, uint64_t *ns)
{
	struct timespec ts = {.tv_sec = tv->tv_sec, .tv_nsec = tv->tv_usec * (int64_t)NS_PER_US};

	if (tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return -EINVAL;
	return ns_of_timespec(&ts, ns);
}

static struct itimerval alarm_value_locked(struct process *p)
{
	uint64_t now = time_now_ns(), left = 0;

	if (p->alarm_at_ns)
		left = p->alarm_at_ns > now ? p->alarm_at_ns - now : NS_PER_US;
	return (struct itimerval){
		.it_interval = timeval_of(p->alarm_interval_ns),
		.it_value = timeval_of(left),
	};
}

long sys_getitimer(long which, uaddr_t to)
{
	struct process *p = process_current();

	if ((int)which != ITIMER_REAL)
		return -EINVAL;
	spin_lock(&p->lock);
	struct itimerval value = alarm_value_locked(p);
	spin_unlock(&p->lock);
	return put_user(to, &value);
}

long sys_setitimer(long which, uaddr_t from, uaddr_t old_to)
{
	struct process *p = process_current();
	struct itimerval set = {0};
	uint64_t first, interval;

	/* The clocks of CPU time have no timers yet. */
	if ((int)which != ITIMER_REAL)
		return -EINVAL;
	if (!uaddr_is_null(from) && get_user(&set, from))
		return -EFAULT;
	if (ns_of_timeval(&set.it_value, &first) || ns_of_timeval(&set.it_interval, &interval))
		return -EINVAL;

	spin_lock(&p->lock);
	struct itimerval old = alarm_value_locked(p);
	(void)timer_cancel(&p->alarm);
	p->alarm_interval_ns = interval;
	p->alarm_at_ns = first ? deadline_after(first) : 0;
	if (first)
		timer_set(&p->alarm, p->alarm_at_ns);
	spin_unlock(&p->lock);
	return uaddr_is_null(old_to) ? 0 : put_user(old_to, &old);
}
