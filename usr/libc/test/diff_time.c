// SPDX-License-Identifier: MIT
/*
 * Prints random times in every form of gmtime, timegm, asctime and strftime. See differential.py.
 *
 *     diff_time SEED COUNT
 */
#include <string.h>

#include "tap.h"

static time_t random_time(void)
{
	switch (random_below(3)) {
	case 0: /* years 1000 to 9999; below, the host pads %C differently */
		return (time_t)(random_bits() % 284012524800UL) - 30610224000L;
	case 1: /* around the ends of years */
		return (time_t)random_below(400) * 31556952 + (time_t)random_below(1200000);
	default:
		return (time_t)(random_bits() >> 32);
	}
}

static void put_tm(const struct tm *t)
{
	printf(" %d-%d-%d %d:%d:%d %d %d", t->tm_year, t->tm_mon, t->tm_mday, t->tm_hour, t->tm_min,
		t->tm_sec, t->tm_wday, t->tm_yday);
}

static void put_formats(const struct tm *t)
{
	static const char conversions[] = "aAbBcCdDeFgGHIjmMnprRsStTuUVwWxXyYzh%";
	char format[4] = "%", text[80];

	for (const char *c = conversions; *c; c++) {
		format[1] = *c;
		printf(" %zu %s", strftime(text, sizeof(text), format, t), text);
	}
	printf(" %zu", strftime(text, random_below(20), "%F %T", t));
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 1000;

	random_seed(argc, argv);
	while (count-- > 0) {
		time_t when = random_time();
		struct tm tm, loose = {0};
		char text[40];

		gmtime_r(&when, &tm);
		printf("%ld", (long)when);
		put_tm(&tm);
		printf(" %ld %s", (long)timegm(&tm), asctime_r(&tm, text));
		put_formats(&tm);
		loose.tm_year = (int)random_below(400) - 100;
		loose.tm_mon = (int)random_below(60) - 30;
		loose.tm_mday = (int)random_below(800) - 400;
		loose.tm_hour = (int)random_below(200) - 100;
		loose.tm_min = (int)random_below(2000) - 1000;
		loose.tm_sec = (int)random_below(200000) - 100000;
		printf("\n%ld", (long)timegm(&loose));
		put_tm(&loose);
		putchar('\n');
	}
	return 0;
}
