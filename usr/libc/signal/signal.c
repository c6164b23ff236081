// SPDX-License-Identifier: MIT
/*
 * Signals. The structures are the kernel's, so most functions are the call itself. There is no
 * restorer to give: on riscv64 the kernel brings the code that returns from a handler.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "syscall.h"

int kill(pid_t pid, int signal)
{
	return (int)SYSCALL_ERRNO(kill, pid, signal);
}

int killpg(pid_t group, int signal)
{
	if (group <= 1) {
		errno = EINVAL;
		return -1;
	}
	return kill(-group, signal);
}

int raise(int signal)
{
	return (int)SYSCALL_ERRNO(tgkill, getpid(), gettid(), signal);
}

int sigaction(int signal, const struct sigaction *restrict new, struct sigaction *restrict old)
{
	return (int)SYSCALL_ERRNO(rt_sigaction, signal, new, old, sizeof(sigset_t));
}

sighandler_t signal(int signal, sighandler_t handler)
{
	struct sigaction new = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;

	return sigaction(signal, &new, &old) == 0 ? old.sa_handler : SIG_ERR;
}

int sigprocmask(int how, const sigset_t *restrict new, sigset_t *restrict old)
{
	return (int)SYSCALL_ERRNO(rt_sigprocmask, how, new, old, sizeof(sigset_t));
}

int sigsuspend(const sigset_t *mask)
{
	return (int)SYSCALL_ERRNO(rt_sigsuspend, mask, sizeof(sigset_t));
}

int sigpending(sigset_t *pending)
{
	return (int)SYSCALL_ERRNO(rt_sigpending, pending, sizeof(sigset_t));
}

int sigtimedwait(const sigset_t *restrict wanted, siginfo_t *restrict info,
	const struct timespec *restrict limit)
{
	return (int)SYSCALL_ERRNO(rt_sigtimedwait, wanted, info, limit, sizeof(sigset_t));
}

int sigwaitinfo(const sigset_t *restrict wanted, siginfo_t *restrict info)
{
	return sigtimedwait(wanted, info, NULL);
}

int sigqueue(pid_t pid, int signal, union sigval value)
{
	siginfo_t info = {.si_signo = signal, .si_code = SI_QUEUE};

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value = value;
	return (int)SYSCALL_ERRNO(rt_sigqueueinfo, pid, signal, &info);
}

int siginterrupt(int signal, int interrupts)
{
	struct sigaction action;

	if (sigaction(signal, NULL, &action) != 0)
		return -1;
	if (interrupts)
		action.sa_flags &= ~(uint64_t)SA_RESTART;
	else
		action.sa_flags |= SA_RESTART;
	return sigaction(signal, &action, NULL);
}

int sigwait(const sigset_t *restrict wanted, int *restrict signal)
{
	long r;

	do
		r = SYSCALL(rt_sigtimedwait, wanted, NULL, NULL, sizeof(sigset_t));
	while (r == -EINTR);
	if (r < 0)
		return (int)-r;
	*signal = (int)r;
	return 0;
}

int sigaltstack(const stack_t *restrict new, stack_t *restrict old)
{
	return (int)SYSCALL_ERRNO(sigaltstack, new, old);
}

/* sigsuspend with the mask as it is. */
int pause(void)
{
	sigset_t mask;

	if (sigprocmask(SIG_SETMASK, NULL, &mask) != 0)
		return -1;
	return sigsuspend(&mask);
}
