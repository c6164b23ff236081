// SPDX-License-Identifier: MIT
/*
 * Clocks, sleeping and calendar time. The only time zone is UTC: localtime is gmtime.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>
#include <abi/time.h>

#define CLOCKS_PER_SEC 1000000L
#define TIME_UTC       1

struct tm {
	int tm_sec;   /* 0..60 */
	int tm_min;   /* 0..59 */
	int tm_hour;  /* 0..23 */
	int tm_mday;  /* 1..31 */
	int tm_mon;   /* 0..11 */
	int tm_year;  /* since 1900 */
	int tm_wday;  /* 0 is Sunday */
	int tm_yday;  /* 0..365 */
	int tm_isdst; /* 0 */
	long tm_gmtoff;
	const char *tm_zone;
};

int clock_gettime(clockid_t clock, struct timespec *now);
int clock_settime(clockid_t clock, const struct timespec *now);
int clock_getres(clockid_t clock, struct timespec *resolution);
int nanosleep(const struct timespec *wanted, struct timespec *left); /* EINTR fills left */
/* 0 or an error number. */
int clock_nanosleep(
	clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left);
time_t time(time_t *now);
clock_t clock(void); /* of the processor, in microseconds */
double difftime(time_t later, time_t earlier);

/* NULL and EOVERFLOW when the year does not fit. */
struct tm *gmtime(const time_t *when);
struct tm *gmtime_r(const time_t *restrict when, struct tm *restrict to);
struct tm *localtime(const time_t *when);
struct tm *localtime_r(const time_t *restrict when, struct tm *restrict to);
/* Normalizes *from. */
time_t mktime(struct tm *from);
time_t timegm(struct tm *from);
/* The length without the NUL; 0 when it does not fit. C locale. */
size_t strftime(char *restrict to, size_t size, const char *restrict format,
	const struct tm *restrict when);
char *asctime(const struct tm *when);
char *asctime_r(const struct tm *restrict when, char *restrict to);
char *ctime(const time_t *when);
void tzset(void);
