// SPDX-License-Identifier: MIT
/*
 * Times, clocks and interval timers.
 */
#pragma once

#include <stdint.h>

struct timespec {
	int64_t tv_sec;
	int64_t tv_nsec; /* 0 .. 999,999,999 */
};

struct timeval {
	int64_t tv_sec;
	int64_t tv_usec; /* 0 .. 999,999 */
};

struct itimerval {
	struct timeval it_interval; /* 0: one shot */
	struct timeval it_value;    /* 0: disarmed */
};

struct itimerspec {
	struct timespec it_interval;
	struct timespec it_value;
};

struct timezone {
	int32_t tz_minuteswest;
	int32_t tz_dsttime;
};

/* times(2): in ticks of AT_CLKTCK a second */
struct tms {
	int64_t tms_utime;
	int64_t tms_stime;
	int64_t tms_cutime;
	int64_t tms_cstime;
};

#define CLOCK_REALTIME           0
#define CLOCK_MONOTONIC          1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID  3
#define CLOCK_MONOTONIC_RAW      4
#define CLOCK_REALTIME_COARSE    5
#define CLOCK_MONOTONIC_COARSE   6
#define CLOCK_BOOTTIME           7
#define CLOCK_REALTIME_ALARM     8
#define CLOCK_BOOTTIME_ALARM     9
#define CLOCK_TAI                11

/* clock_nanosleep, timer_settime, timerfd_settime */
#define TIMER_ABSTIME 1

/* setitimer: SIGALRM, SIGVTALRM, SIGPROF */
#define ITIMER_REAL    0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF    2

/* utimensat: special values of tv_nsec */
#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe
