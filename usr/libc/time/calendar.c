// SPDX-License-Identifier: MIT
/*
 * Calendar time in UTC, proleptic Gregorian.
 *
 * Days are counted in years that begin on March 1st, so that the leap day is a year's last day.
 * Then the months have lengths 31 30 31 30 31 | 31 30 31 30 31 | 31 (28, 29): five months are
 * always 153 days, and month m begins on day (153 m + 2) / 5. 400 years are 146097 days.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#define DAY_SECONDS   86400
#define ERA_DAYS      146097 /* 400 years */
#define EPOCH_MARCH_0 719468 /* 0000-03-01 to 1970-01-01, in days */

/* Floor division: -1 / n is -1. */
static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days from 1970-01-01 to the first of a month; month 0..11. */
static int64_t days_to_month(int64_t year, int month)
{
	int march_month = (month + 10) % 12; /* March is 0 */
	int64_t era, year_of_era;

	year -= month < 2;
	era = floor_div(year, 400);
	year_of_era = year - era * 400;
	return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       (153 * march_month + 2) / 5 - EPOCH_MARCH_0;
}

/* The year, month and day of a day number. */
static void day_to_date(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t era, day_of_era, year_of_era, day_of_year;
	int march_month;

	days += EPOCH_MARCH_0;
	era = floor_div(days, ERA_DAYS);
	day_of_era = days - era * ERA_DAYS;
	/* Leap days so far: one each 1461 days (4 years), none each 36524 (100), one each 146096.
	 */
	year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	day_of_year = day_of_era - (year_of_era * 365 + year_of_era / 4 - year_of_era / 100);
	march_month = (int)((5 * day_of_year + 2) / 153);
	*day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
	*month = (march_month + 2) % 12;
	*year = year_of_era + era * 400 + (*month < 2);
}

struct tm *gmtime_r(const time_t *restrict when, struct tm *restrict to)
{
	int64_t days = floor_div(*when, DAY_SECONDS), year;
	int seconds = (int)(*when - days * DAY_SECONDS), month, day;

	if (*when / DAY_SECONDS / 366 > INT_MAX || *when / DAY_SECONDS / 366 < INT_MIN) {
		errno = EOVERFLOW;
		return NULL;
	}
	day_to_date(days, &year, &month, &day);
	if (year - 1900 > INT_MAX || year - 1900 < INT_MIN) {
		errno = EOVERFLOW;
		return NULL;
	}
	*to = (struct tm){
		.tm_sec = seconds % 60,
		.tm_min = seconds / 60 % 60,
		.tm_hour = seconds / 3600,
		.tm_mday = day,
		.tm_mon = month,
		.tm_year = (int)(year - 1900),
		.tm_wday = (int)(days + 4 - floor_div(days + 4, 7) * 7),
		.tm_yday = (int)(days - days_to_month(year, 0)),
		.tm_zone = "UTC",
	};
	return to;
}

struct tm *gmtime(const time_t *when)
{
	static struct tm tm;

	return gmtime_r(when, &tm);
}

struct tm *localtime_r(const time_t *restrict when, struct tm *restrict to)
{
	return gmtime_r(when, to);
}

struct tm *localtime(const time_t *when)
{
	return gmtime(when);
}

/* Fields may be out of range: months carry into years, all else adds up in seconds. */
time_t timegm(struct tm *from)
{
	int64_t years = floor_div(from->tm_mon, 12);
	int month = (int)(from->tm_mon - years * 12);
	int64_t days = days_to_month(from->tm_year + 1900 + years, month) + from->tm_mday - 1;
	time_t when = ((days * 24 + from->tm_hour) * 60 + from->tm_min) * 60 + from->tm_sec;

	return gmtime_r(&when, from) ? when : -1;
}

time_t mktime(struct tm *from)
{
	return timegm(from);
}

void tzset(void)
{
}

char *asctime_r(const struct tm *restrict when, char *restrict to)
{
	strftime(to, 26, "%a %b %e %H:%M:%S %Y\n", when);
	return to;
}

char *asctime(const struct tm *when)
{
	static char text[26];

	return asctime_r(when, text);
}

char *ctime(const time_t *when)
{
	struct tm *tm = gmtime(when);

	return tm ? asctime(tm) : NULL;
}
