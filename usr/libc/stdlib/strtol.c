// SPDX-License-Identifier: MIT
/*
 * Integers from text. All go through scan_integer, which reads magnitude and sign apart.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

struct scanned {
	unsigned long magnitude;
	int negative;
	int overflow;
};

static int digit_value(int c)
{
	if (isdigit(c))
		return c - '0';
	return isalpha(c) ? (c | 32) - 'a' + 10 : 99;
}

/* Skips "0x" when the base allows it and a digit follows, and settles base 0. */
static const char *scan_prefix(const char *p, int *base)
{
	int hex = p[0] == '0' && (p[1] | 32) == 'x' && digit_value((unsigned char)p[2]) < 16;

	if ((*base == 0 || *base == 16) && hex) {
		*base = 16;
		return p + 2;
	}
	if (*base == 0)
		*base = *p == '0' ? 8 : 10;
	return p;
}

static struct scanned scan_integer(const char *text, char **end, int base)
{
	struct scanned s = {0};
	const char *p = text, *first;
	int d;

	if (end)
		*end = (char *)text;
	if (base < 0 || base == 1 || base > 36) {
		errno = EINVAL;
		return s;
	}
	while (isspace((unsigned char)*p))
		p++;
	if (*p == '-' || *p == '+')
		s.negative = *p++ == '-';
	p = scan_prefix(p, &base);
	for (first = p; (d = digit_value((unsigned char)*p)) < base; p++) {
		if (__builtin_mul_overflow(s.magnitude, (unsigned long)base, &s.magnitude) ||
			__builtin_add_overflow(s.magnitude, (unsigned long)d, &s.magnitude))
			s.overflow = 1;
	}
	if (end && p > first)
		*end = (char *)p;
	return s;
}

long strtol(const char *restrict text, char **restrict end, int base)
{
	struct scanned s = scan_integer(text, end, base);
	unsigned long limit = (unsigned long)LONG_MAX + s.negative;

	if (s.overflow || s.magnitude > limit) {
		errno = ERANGE;
		return s.negative ? LONG_MIN : LONG_MAX;
	}
	return (long)(s.negative ? -s.magnitude : s.magnitude);
}

unsigned long strtoul(const char *restrict text, char **restrict end, int base)
{
	struct scanned s = scan_integer(text, end, base);

	if (s.overflow) {
		errno = ERANGE;
		return ULONG_MAX;
	}
	return s.negative ? -s.magnitude : s.magnitude;
}

long long strtoll(const char *restrict text, char **restrict end, int base)
{
	return strtol(text, end, base);
}

unsigned long long strtoull(const char *restrict text, char **restrict end, int base)
{
	return strtoul(text, end, base);
}

intmax_t strtoimax(const char *text, char **end, int base)
{
	return strtol(text, end, base);
}

uintmax_t strtoumax(const char *text, char **end, int base)
{
	return strtoul(text, end, base);
}

int atoi(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

long atol(const char *text)
{
	return strtol(text, NULL, 10);
}

long long atoll(const char *text)
{
	return strtol(text, NULL, 10);
}
