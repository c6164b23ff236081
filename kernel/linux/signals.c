// SPDX-License-Identifier: MIT
/*
 * Signals as messages: sent with a value, and waited for instead of handled.
 *
 * sigtimedwait() waits with the wanted signals unblocked, so that they notify the thread, and
 * listed in task.waited, so that a sender neither drops nor acts on them (signal_send.c).  It is
 * never made again by itself: a handler, or a stop and SIGCONT, end it with -EINTR.
 */
#include <abi/errno.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

/* --- Waiting --------------------------------------------------------------------------------- */

static void set_waited(uint64_t waited)
{
	struct task *t = task_current();

	spin_lock(&t->process->lock);
	t->waited = waited;
	spin_unlock(&t->process->lock);
}

/* Its number, -EAGAIN at the deadline, -EINTR. */
static int wait_for(uint64_t wanted, uint64_t deadline, siginfo_t *info)
{
	int err = deadline ? 0 : -EAGAIN, sig;

	for (;;) {
		sig = signal_take(wanted, info);
		if (sig || err)
			break;
		err = thread_sleep_until(deadline, SLEEP_INTERRUPTIBLE);
		if (!err)
			err = -EAGAIN;
		else if (!signal_interrupts())
			err = 0;
	}
	return sig ? sig : err;
}

static int wait_unblocked(uint64_t wanted, uint64_t deadline, siginfo_t *info)
{
	uint64_t mask = task_current()->mask;

	set_waited(wanted & mask);
	signal_set_mask(mask & ~wanted);
	int sig = wait_for(wanted, deadline, info);
	signal_set_mask(mask); /* what is neither blocked nor waited for acts */
	set_waited(0);
	return sig;
}

/* Of a relative time: 0 when it is none at all. */
static int deadline_or_zero(uaddr_t from, uint64_t *deadline)
{
	struct timespec ts;

	if (!uaddr_is_null(from)) {
		if (get_user(&ts, from))
			return -EFAULT;
		if (!ts.tv_sec && !ts.tv_nsec) {
			*deadline = 0;
			return 0;
		}
	}
	return deadline_of_user(from, deadline);
}

long sys_rt_sigtimedwait(uaddr_t set_from, uaddr_t info_to, uaddr_t limit_from, size_t set_bytes)
{
	uint64_t wanted, deadline;
	siginfo_t info;

	if (set_bytes != sizeof wanted)
		return -EINVAL;
	if (get_user(&wanted, set_from))
		return -EFAULT;
	int err = deadline_or_zero(limit_from, &deadline);
	if (err)
		return err;
	int sig = wait_unblocked(wanted & ~SIGNALS_FORCED, deadline, &info);
	if (sig > 0 && !uaddr_is_null(info_to) && put_user(info_to, &info))
		return -EFAULT;
	return sig;
}

/* --- Queueing -------------------------------------------------------------------------------- */

#define INFO_BYTES 48 /* of a siginfo are kept; all that any code has use for */

/* The codes that sigqueue() and its like give are negative; below these nobody knows a layout. */
static bool layout_is_known(int code)
{
	return code >= SI_DETHREAD || code == SI_ASYNCNL;
}

static int info_get(siginfo_t *info, uaddr_t from, int sig)
{
	if (get_user(info, from))
		return -EFAULT;
	uint8_t *rest = (uint8_t *)info + INFO_BYTES;
	for (size_t i = 0; i < sizeof *info - INFO_BYTES; i++) {
		if (rest[i] && !layout_is_known(info->si_code))
			return -E2BIG;
		rest[i] = 0;
	}
	info->si_signo = sig;
	return 0;
}

/* Nobody but a thread to itself may pretend that kill(), tkill() or the kernel had sent it. */
static bool is_forged(const siginfo_t *info, pid_t to)
{
	return (info->si_code >= 0 || info->si_code == SI_TKILL) && task_current()->pid->nr != to;
}

long sys_rt_sigqueueinfo(long pid, long sig, uaddr_t from)
{
	siginfo_t info;
	int err = info_get(&info, from, (int)sig);

	if (err)
		return err;
	return is_forged(&info, (pid_t)pid) ? -EPERM : signal_kill_process((pid_t)pid, &info);
}

long sys_rt_tgsigqueueinfo(long group, long tid, long sig, uaddr_t from)
{
	siginfo_t info;
	int err = info_get(&info, from, (int)sig);

	if (err)
		return err;
	if ((pid_t)group <= 0 || (pid_t)tid <= 0)
		return -EINVAL;
	if (is_forged(&info, (pid_t)tid))
		return -EPERM;
	return signal_kill_thread((pid_t)group, (pid_t)tid, &info);
}

/*
 * What Linux makes a thread call to go on with a sleep.  Here the call itself is made again and
 * finds its deadline (syscall_deadline()), so whoever calls this has nothing to go on with.
 */
long sys_restart_syscall(void)
{
	return -EINTR;
}
