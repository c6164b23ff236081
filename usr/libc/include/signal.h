// SPDX-License-Identifier: MIT
/*
 * Signals. -1 and errno on failure.
 */
#pragma once

#include <sys/types.h>
#include <abi/signal.h>
#include <abi/time.h>

typedef int sig_atomic_t;
typedef void (*sighandler_t)(int);

int kill(pid_t pid, int signal);
int killpg(pid_t group, int signal);
int raise(int signal);
int sigaction(int signal, const struct sigaction *restrict new, struct sigaction *restrict old);
sighandler_t signal(int signal, sighandler_t handler); /* SA_RESTART; SIG_ERR on failure */
int sigprocmask(int how, const sigset_t *restrict new, sigset_t *restrict old);
int sigsuspend(const sigset_t *mask); /* always -1, EINTR */
int sigpending(sigset_t *pending);
int sigwait(const sigset_t *restrict wanted, int *restrict signal); /* 0 or an error number */
int sigtimedwait(const sigset_t *restrict wanted, siginfo_t *restrict info,
	const struct timespec *restrict limit);
int sigwaitinfo(const sigset_t *restrict wanted, siginfo_t *restrict info);
int sigqueue(pid_t pid, int signal, union sigval value);
int siginterrupt(int signal, int interrupts); /* else its calls are made again: SA_RESTART */
int sigaltstack(const stack_t *restrict new, stack_t *restrict old);

/* Sets: -1 with EINVAL when there is no such signal. */
int sigemptyset(sigset_t *set);
int sigfillset(sigset_t *set);
int sigaddset(sigset_t *set, int signal);
int sigdelset(sigset_t *set, int signal);
int sigismember(const sigset_t *set, int signal);

extern const char *const sys_siglist[NSIG];
void psignal(int signal, const char *prefix);
