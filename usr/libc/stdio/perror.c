// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

void perror(const char *prefix)
{
	const char *what = strerror(errno);

	if (prefix && *prefix)
		fprintf(stderr, "%s: %s\n", prefix, what);
	else
		fprintf(stderr, "%s\n", what);
}
