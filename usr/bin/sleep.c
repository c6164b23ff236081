// SPDX-License-Identifier: MIT
// sleep: wait for so many seconds; a fraction is fine.
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "lib/util.h"

const char prog[] = "sleep";
const char usage_args[] = "SECONDS";

// Reads "12", "0.25" or ".5" without floating point.
static bool parse_seconds(const char *s, struct timespec *t)
{
	long scale = 100000000;
	bool any = false;

	*t = (struct timespec){0};
	for (; *s >= '0' && *s <= '9'; s++, any = true)
		t->tv_sec = t->tv_sec * 10 + (*s - '0');
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++, scale /= 10, any = true)
			t->tv_nsec += (*s - '0') * scale;
	return any && *s == '\0';
}

int main(int argc, char **argv)
{
	struct timespec left;

	if (argc != 2 || !parse_seconds(argv[1], &left))
		usage();
	while (nanosleep(&left, &left) != 0)
		if (errno != EINTR)
			die("nanosleep");
	return 0;
}
