// SPDX-License-Identifier: MIT
/*
 * The three interval timers of a process, and its limit of CPU time.
 *
 * The one of real time is a kernel timer, whose interrupt hands over to the work thread, which may
 * take the locks that sending SIGALRM needs.  With an interval it is set again when the signal is
 * taken, as on Linux: one that is blocked or ignored costs nothing, however short its interval.
 * Whole intervals are left out, so that it stays in step, until some time is left for the program.
 * That a timer has come is found and sent in one hold of the process's lock: once the call that
 * unsets it has returned, its signal has been sent or never is.
 *
 * The two of CPU time, and RLIMIT_CPU, need no timers: time that a process uses up is used by a
 * thread that runs. Each tick that finds a thread of a process with such a timer or limit has it
 * look, on its way to user mode, what has come.
 */
#include <abi/errno.h>
#include <abi/time.h>
#include <kernel/process.h>
#include <kernel/process_impl.h>
#include <kernel/syscall.h>

/* --- Real time -------------------------------------------------------------------------------- */

/* Timer interrupt.  The work holds a reference, so the last one is never dropped here. */
static void alarm_fired(struct timer *timer)
{
	struct process *p = list_entry(timer, struct process, alarm);

	process_ref(p);
	if (!work_queue(&p->alarm_work))
		process_unref(p);
}

/* Has it come?  The next one waits for alarm_taken().  p->lock is held. */
static bool alarm_comes(struct process *p)
{
	spin_assert_held(&p->lock);
	if (!p->alarm_at_ns || time_now_ns() < p->alarm_at_ns)
		return false;
	p->alarm_came_ns = p->alarm_at_ns;
	p->alarm_at_ns = 0;
	return true;
}

#define ALARM_PAUSE_NS (100 * NS_PER_US) /* several times what a handler's call takes */

void alarm_taken(struct process *p)
{
	uint64_t interval = p->alarm_interval_ns, earliest = time_now_ns() + ALARM_PAUSE_NS;
	uint64_t at = p->alarm_came_ns + interval;

	spin_assert_held(&p->lock);
	if (!p->alarm_came_ns || !interval || interval >= NO_DEADLINE - p->alarm_came_ns)
		return;
	if (at < earliest)
		at += (earliest - at + interval - 1) / interval * interval;
	p->alarm_came_ns = 0;
	p->alarm_at_ns = at;
	timer_set(&p->alarm, at);
}

static void alarm_work(struct work *work)
{
	struct process *p = list_entry(work, struct process, alarm_work);
	siginfo_t info = signal_info(SIGALRM, SI_KERNEL);

	spin_lock(&p->lock);
	if (alarm_comes(p))
		(void)signal_send_locked(p, &info);
	spin_unlock(&p->lock);
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
	p->alarm_at_ns = p->alarm_came_ns = 0;
	spin_unlock(&p->lock);
	timer_cancel_wait(&p->alarm);
}

/* --- CPU time --------------------------------------------------------------------------------- */

void process_watch_cpu(struct process *p)
{
	spin_lock(&p->lock);
	bool watched = p->virtual_timer.at_ns || p->prof_timer.at_ns ||
		       p->limits[RLIMIT_CPU].rlim_cur != RLIM_INFINITY;
	__atomic_store_n(&p->cpu_watched, watched, __ATOMIC_RELAXED);
	spin_unlock(&p->lock);
}

void task_tick(struct task *t)
{
	if (__atomic_load_n(&t->process->cpu_watched, __ATOMIC_RELAXED))
		__atomic_fetch_or(&t->thread->arch.work, THREAD_WORK_TICK, __ATOMIC_RELAXED);
}

/* p->lock held: has the timer come?  Then it is set to its next time, if there is one. */
static bool cpu_timer_advance(struct cpu_timer *timer, uint64_t now)
{
	if (!timer->at_ns || now < timer->at_ns)
		return false;
	timer->at_ns += timer->interval_ns;
	if (!timer->interval_ns)
		timer->at_ns = 0;
	else if (timer->at_ns <= now)
		timer->at_ns = now + 1;
	return true;
}

/* p->lock held: the signal that its limit calls for, or 0.  The soft one moves on by a second. */
static int cpu_limit_signal(struct process *p, uint64_t now)
{
	struct rlimit *limit = &p->limits[RLIMIT_CPU];
	uint64_t seconds = now / NS_PER_SEC;

	if (seconds >= limit->rlim_max)
		return SIGKILL;
	if (seconds < limit->rlim_cur)
		return 0;
	limit->rlim_cur = seconds + 1;
	return SIGXCPU;
}

/* p->lock held. */
static void send_if(bool come, struct process *p, int sig)
{
	siginfo_t info = signal_info(sig, SI_KERNEL);

	if (come)
		(void)signal_send_locked(p, &info);
}

void process_cpu_tick(void)
{
	struct process *p = process_current();
	struct cpu_times times;

	process_cpu_times(p, &times);
	spin_lock(&p->lock);
	int limit = cpu_limit_signal(p, times.run_ns);
	send_if(cpu_timer_advance(&p->virtual_timer, times.user_ns), p, SIGVTALRM);
	send_if(cpu_timer_advance(&p->prof_timer, times.run_ns), p, SIGPROF);
	send_if(limit != 0, p, limit);
	spin_unlock(&p->lock);
	process_watch_cpu(p);
}

/* --- The calls -------------------------------------------------------------------------------- */

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

/* One that is set never says 0, which would mean that it is not. */
static struct itimerval value_of(uint64_t at, uint64_t interval, uint64_t now)
{
	uint64_t left = !at ? 0 : at >= now + NS_PER_US ? at - now : NS_PER_US;

	return (struct itimerval){
		.it_interval = timeval_of(interval),
		.it_value = timeval_of(left),
	};
}

/* The CPU timer of that number, and the time that it goes by. */
static struct cpu_timer *cpu_timer_of(struct process *p, int which, uint64_t *now)
{
	struct cpu_times times;

	process_cpu_times(p, &times);
	*now = which == ITIMER_VIRTUAL ? times.user_ns : times.run_ns;
	return which == ITIMER_VIRTUAL ? &p->virtual_timer : &p->prof_timer;
}

static struct itimerval set_cpu_timer(
	struct process *p, int which, bool set, uint64_t first, uint64_t interval)
{
	uint64_t now;
	struct cpu_timer *timer = cpu_timer_of(p, which, &now);

	spin_lock(&p->lock);
	struct itimerval old = value_of(timer->at_ns, timer->interval_ns, now);
	if (set) {
		timer->at_ns = first && first < NO_DEADLINE - now ? now + first : 0;
		timer->interval_ns = interval;
	}
	spin_unlock(&p->lock);
	process_watch_cpu(p);
	return old;
}

static struct itimerval set_real_timer(
	struct process *p, bool set, uint64_t first, uint64_t interval)
{
	spin_lock(&p->lock);
	struct itimerval old = value_of(p->alarm_at_ns, p->alarm_interval_ns, time_now_ns());
	if (set) {
		(void)timer_cancel(&p->alarm);
		p->alarm_came_ns = 0;
		p->alarm_interval_ns = interval;
		p->alarm_at_ns = first ? deadline_after(first) : 0;
		if (first)
			timer_set(&p->alarm, p->alarm_at_ns);
	}
	spin_unlock(&p->lock);
	return old;
}

static struct itimerval set_timer(int which, bool set, uint64_t first, uint64_t interval)
{
	struct process *p = process_current();

	return which == ITIMER_REAL ? set_real_timer(p, set, first, interval)
				    : set_cpu_timer(p, which, set, first, interval);
}

long sys_getitimer(long which, uaddr_t to)
{
	if ((unsigned)which > ITIMER_PROF)
		return -EINVAL;
	struct itimerval value = set_timer((int)which, false, 0, 0);
	return put_user(to, &value);
}

long sys_setitimer(long which, uaddr_t from, uaddr_t old_to)
{
	struct itimerval set = {0};
	uint64_t first, interval;

	if (!uaddr_is_null(from) && get_user(&set, from))
		return -EFAULT;
	if (ns_of_timeval(&set.it_value, &first) || ns_of_timeval(&set.it_interval, &interval))
		return -EINVAL;
	if ((unsigned)which > ITIMER_PROF)
		return -EINVAL;
	struct itimerval old = set_timer((int)which, true, first, interval);
	return uaddr_is_null(old_to) ? 0 : put_user(old_to, &old);
}
