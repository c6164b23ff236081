// SPDX-License-Identifier: MIT
/*
 * Time of day, interval timers. -1 and errno on failure.
 */
#pragma once

#include <sys/types.h>
#include <abi/time.h>

int gettimeofday(struct timeval *restrict now, void *restrict zone);
int settimeofday(const struct timeval *now, const struct timezone *zone);
int getitimer(int which, struct itimerval *now);
int setitimer(int which, const struct itimerval *restrict new, struct itimerval *restrict old);
int utimes(const char *path, const struct timeval times[2]);

#define timerclear(t) ((t)->tv_sec = (t)->tv_usec = 0)
#define timerisset(t) ((t)->tv_sec || (t)->tv_usec)
#define timercmp(a, b, op) \
	((a)->tv_sec == (b)->tv_sec ? (a)->tv_usec op(b)->tv_usec : (a)->tv_sec op(b)->tv_sec)
