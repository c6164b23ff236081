// SPDX-License-Identifier: MIT
#include "signals.h"

#include "tap.h"

volatile sig_atomic_t count, last;

void on_signal(int signo)
{
	count++;
	last = signo;
}

void handle(int signo, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(signo, &action, NULL));
}

void block(int signo, sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, old));
}
