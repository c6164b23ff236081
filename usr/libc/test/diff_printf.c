// SPDX-License-Identifier: MIT
/*
 * Prints the results of random printf formats. Built against our libc and against the host's, the
 * outputs for one seed must be equal; see differential.py.
 *
 *     diff_printf SEED COUNT
 */
#include <string.h>

#include "tap.h"

static char result[8192];

static const char *random_text(void)
{
	static const char *const texts[] = {"", "a", "hello, world", "%d", "tab\there"};

	return texts[random_below(5)];
}

static long random_integer(void)
{
	switch (random_below(4)) {
	case 0:
		return (long)random_below(20) - 10;
	case 1:
		return (long)random_bits();
	case 2:
		return (long)(random_bits() >> random_below(64));
	default:
		return (long)(1UL << random_below(64)) - (long)random_below(2);
	}
}

static double from_bits(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/* Bit patterns, short decimals, integers, ties, and what is special. */
static double random_double(void)
{
	static const double special[] = {0.0, -0.0, 1.0, 0.5, 9.5, 99.5, 999999.5, 0.1, 1e15, 1e22,
		1e23, 9.9999995e-5, 0.0001, 1e5, 123456.5, 5e-324, 2.2250738585072014e-308,
		1.7976931348623157e308};
	double scale = 1;
	uint64_t sign;

	switch (random_below(6)) {
	case 0:
		return from_bits(random_bits());
	case 1:
		return special[random_below(sizeof(special) / sizeof(special[0]))];
	case 2:
		for (uint64_t n = random_below(12); n > 0; n--)
			scale *= 10;
		return (double)(long)(random_below(2000000) - 1000000) / scale;
	case 3:
		return (double)(random_bits() >> random_below(60)) * 0.5;
	case 4:
		sign = random_below(2) << 63;
		return from_bits(sign | 0x7ff0000000000000UL | random_below(2) << 51);
	default:
		scale = (double)(1UL << random_below(20));
		return (double)(long)random_below(4000) / scale;
	}
}

/* Flags that are defined for the conversion, in random order, some twice. */
static char *put_flags(char *p, const char *allowed)
{
	for (uint64_t n = random_below(4); n > 0; n--)
		*p++ = allowed[random_below(strlen(allowed))];
	return p;
}

static char *put_number(char *p, uint64_t max)
{
	return p + sprintf(p, "%d", (int)random_below(max));
}

static void put_line(const char *format, int n)
{
	printf("%s -> %d [%s]\n", format, n, result);
}

static char *put_width_precision(char *p, uint64_t max, bool precision)
{
	if (random_below(2))
		p = put_number(p, max);
	if (precision && random_below(2)) {
		*p++ = '.';
		if (random_below(8))
			p = put_number(p, max);
	}
	return p;
}

static void try_integer(void)
{
	static const char *const lengths[] = {"hh", "h", "", "l", "ll", "j", "z", "t"};
	char format[64], *p = format;
	uint64_t length = random_below(8);
	char conversion = "dixXou"[random_below(6)];
	long value = random_integer();

	*p++ = '%';
	p = put_flags(p, conversion == 'u' ? "-0" : strchr("di", conversion) ? "-+ 0" : "-#0");
	p = put_width_precision(p, 30, true);
	p += sprintf(p, "%s%c", lengths[length], conversion);
	*p = 0;
	put_line(format, length < 3 ? snprintf(result, sizeof(result), format, (int)value)
				    : snprintf(result, sizeof(result), format, value));
}

static void try_float(void)
{
	char format[64], *p = format;

	char conversion = "eEfFgGaA"[random_below(8)];

	*p++ = '%';
	/* glibc loses the zeros of %#g when rounding gives one more digit (999999.5). */
	p = put_flags(p, conversion == 'g' || conversion == 'G' ? "-+ 0" : "-+ #0");
	p = put_width_precision(p, random_below(10) ? 20 : 400, true);
	*p++ = conversion;
	*p = 0;
	put_line(format, snprintf(result, sizeof(result), format, random_double()));
}

static void try_text(void)
{
	char format[64], *p = format;
	bool is_char = random_below(3) == 0;

	*p++ = '%';
	p = put_flags(p, "-");
	p = put_width_precision(p, 20, !is_char);
	*p++ = is_char ? 'c' : 's';
	*p = 0;
	put_line(format,
		is_char ? snprintf(result, sizeof(result), format, 'A' + (int)random_below(26))
			: snprintf(result, sizeof(result), format, random_text()));
}

/* Several conversions, '*', and a buffer that is too small. */
static void try_mixed(void)
{
	size_t size = random_below(40);
	int width = (int)random_below(20) - 10, precision = (int)random_below(10) - 2;
	long n = random_integer();
	double x = random_double();

	memset(result, '#', 48);
	result[47] = 0;
	put_line("a%*d|%%|%-*.*s|%.*g", snprintf(result, size, "a%*d|%%|%-*.*s|%.*g", width, (int)n,
						width, precision, random_text(), precision, x));
	put_line("%p%5p", snprintf(result, sizeof(result), "%p%5p", (void *)(n | 1), NULL));
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 1000;

	random_seed(argc, argv);
	while (count-- > 0) {
		switch (random_below(5)) {
		case 0:
			try_integer();
			break;
		case 1:
			try_text();
			break;
		case 2:
			try_mixed();
			break;
		default:
			try_float();
		}
	}
	return 0;
}
