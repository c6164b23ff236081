// SPDX-License-Identifier: MIT
#include <assert.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

void __assert_fail(const char *expression, const char *file, int line, const char *function)
{
	fprintf(stderr, "%s: %s:%d: %s: assertion failed: %s\n", program_invocation_short_name,
		file, line, function, expression);
	abort();
}
