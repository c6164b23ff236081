// SPDX-License-Identifier: MIT
/*
 * Sets of signals.
 */
#include <errno.h>
#include <signal.h>

/* The signal's bit, or 0 with EINVAL. */
static uint64_t bit_of(int signal)
{
	if (signal > 0 && signal < NSIG)
		return 1UL << (signal - 1);
	errno = EINVAL;
	return 0;
}

int sigemptyset(sigset_t *set)
{
	set->bits = 0;
	return 0;
}

int sigfillset(sigset_t *set)
{
	set->bits = ~0UL;
	return 0;
}

int sigaddset(sigset_t *set, int signal)
{
	uint64_t bit = bit_of(signal);

	set->bits |= bit;
	return bit ? 0 : -1;
}

int sigdelset(sigset_t *set, int signal)
{
	uint64_t bit = bit_of(signal);

	set->bits &= ~bit;
	return bit ? 0 : -1;
}

int sigismember(const sigset_t *set, int signal)
{
	uint64_t bit = bit_of(signal);

	return bit ? (set->bits & bit) != 0 : -1;
}
