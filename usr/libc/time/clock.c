// SPDX-License-Identifier: MIT
/*
 * Clocks, sleeping, timers.
 */
#include <signal.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "syscall.h"

int clock_gettime(clockid_t clock, struct timespec *now)
{
	return (int)SYSCALL_ERRNO(clock_gettime, clock, now);
}

int clock_settime(clockid_t clock, const struct timespec *now)
{
	return (int)SYSCALL_ERRNO(clock_settime, clock, now);
}

int clock_getres(clockid_t clock, struct timespec *resolution)
{
	return (int)SYSCALL_ERRNO(clock_getres, clock, resolution);
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	return (int)SYSCALL_ERRNO(nanosleep, wanted, left);
}

int clock_nanosleep(
	clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left)
{
	return (int)-SYSCALL(clock_nanosleep, clock, flags, wanted, left);
}

time_t time(time_t *now)
{
	struct timespec t = {-1, 0};

	clock_gettime(CLOCK_REALTIME, &t);
	if (now)
		*now = t.tv_sec;
	return t.tv_sec;
}

clock_t clock(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
		return -1;
	return t.tv_sec * CLOCKS_PER_SEC + t.tv_nsec / 1000;
}

double difftime(time_t later, time_t earlier)
{
	return (double)(later - earlier);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		return -1;
	*now = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
	return 0;
}

int settimeofday(const struct timeval *now, const struct timezone *zone)
{
	struct timespec t = {now->tv_sec, now->tv_usec * 1000};

	(void)zone;
	return clock_settime(CLOCK_REALTIME, &t);
}

int getitimer(int which, struct itimerval *now)
{
	return (int)SYSCALL_ERRNO(getitimer, which, now);
}

int setitimer(int which, const struct itimerval *restrict new, struct itimerval *restrict old)
{
	return (int)SYSCALL_ERRNO(setitimer, which, new, old);
}

clock_t times(struct tms *to)
{
	return SYSCALL_ERRNO(times, to);
}

unsigned sleep(unsigned seconds)
{
	struct timespec t = {seconds, 0};

	return nanosleep(&t, &t) == 0 ? 0 : (unsigned)t.tv_sec;
}

int usleep(useconds_t microseconds)
{
	struct timespec t = {microseconds / 1000000, microseconds % 1000000 * 1000L};

	return nanosleep(&t, NULL);
}

/* A remainder below a second is still a second: 0 would say that there was no alarm. */
unsigned alarm(unsigned seconds)
{
	struct itimerval new = {.it_value = {seconds, 0}}, old = {0};

	setitimer(ITIMER_REAL, &new, &old);
	return (unsigned)(old.it_value.tv_sec + (old.it_value.tv_usec > 0));
}
