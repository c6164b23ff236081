// SPDX-License-Identifier: MIT
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *getprogname(void)
{
	return program_invocation_short_name;
}

/* One write for the whole line, so that messages of several processes do not mix. */
static void report(const char *format, va_list args, const char *reason)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "%s: ", program_invocation_short_name);

	if (format && n < (int)sizeof(line))
		n += vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
	fprintf(stderr, "%s%s%s\n", line, reason && format ? ": " : "", reason ? reason : "");
}

void vwarn(const char *format, va_list args)
{
	report(format, args, strerror(errno));
}

void vwarnx(const char *format, va_list args)
{
	report(format, args, NULL);
}

void warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vwarn(format, args);
	va_end(args);
}

void warnx(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vwarnx(format, args);
	va_end(args);
}

void err(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vwarn(format, args);
	va_end(args);
	exit(status);
}

void errx(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vwarnx(format, args);
	va_end(args);
	exit(status);
}
