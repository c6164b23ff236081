// SPDX-License-Identifier: MIT
/*
 * Prints what strtod, strtol and sscanf make of random text, among it decimal expansions of points
 * exactly halfway between two doubles, and such points plus or minus a little. See differential.py.
 *
 *     diff_numbers SEED COUNT
 */
#include <errno.h>
#include <string.h>

#include "tap.h"

#define DIGITS_MAX 1200

static char text[DIGITS_MAX + 64];

static uint64_t to_bits(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

/* The smallest normal number: whether reaching it by rounding up is an underflow depends on when
 * tininess is detected, and libraries differ. */
#define BORDER 0x0010000000000000UL

static void put_double(void)
{
	char *end;
	double x;
	uint64_t bits;

	errno = 0;
	x = strtod(text, &end);
	bits = to_bits(x);
	printf("%.60s(%zu) -> %016lx %ld %s\n", text, strlen(text), (unsigned long)bits,
		(long)(end - text),
		errno == ERANGE && (bits & ~(1UL << 63)) != BORDER ? "ERANGE" : "");
}

static char *put_digits(char *p, uint64_t n)
{
	while (n-- > 0)
		*p++ = (char)('0' + random_below(10));
	return p;
}

/* Digits, a point somewhere, an exponent. */
static void decimal_text(void)
{
	char *p = text;

	if (random_below(4) == 0)
		*p++ = random_below(2) ? '-' : '+';
	p = put_digits(p, random_below(random_below(20) ? 25 : 1000));
	if (random_below(2)) {
		*p++ = '.';
		p = put_digits(p, random_below(25));
	}
	if (random_below(2))
		p += sprintf(p, "e%d", (int)random_below(random_below(2) ? 40 : 700) - 350);
	*p = 0;
}

static void shortest_text(void)
{
	uint64_t bits = random_bits();
	double x;

	memcpy(&x, &bits, sizeof(x));
	sprintf(text, "%.*e", (int)(14 + random_below(5)), x);
}

/* A decimal number, lowest digit first. */
struct decimal {
	int count;
	unsigned char digits[DIGITS_MAX];
};

static void multiply(struct decimal *d, unsigned factor)
{
	unsigned carry = 0;

	for (int i = 0; i < d->count; i++) {
		carry += d->digits[i] * factor;
		d->digits[i] = (unsigned char)(carry % 10);
		carry /= 10;
	}
	for (; carry; carry /= 10)
		d->digits[d->count++] = (unsigned char)(carry % 10);
}

/* (2m + 1) * 2^k, halfway between two doubles of 53 bits, written out, and then maybe nudged. */
static void halfway_text(void)
{
	uint64_t m = (1UL << 53) | (random_bits() >> 11 << 1 & ((1UL << 53) - 1)) | 1;
	int k = (int)random_below(2) ? -(int)random_below(60) : (int)random_below(1170) - 1130;
	struct decimal d = {0};
	char *p = text;

	if (k < -1075)
		m >>= -k - 1075, m |= 1, k = -1075; /* between subnormals */
	for (; m; m /= 10)
		d.digits[d.count++] = (unsigned char)(m % 10);
	for (int i = 0; i < abs(k); i++)
		multiply(&d, k < 0 ? 5 : 2);
	for (int i = d.count - 1; i >= 0; i--)
		*p++ = (char)('0' + d.digits[i]);
	switch (random_below(3)) {
	case 0:
		p[-1]--; /* odd times a power of 5 ends in 5; of 2 in 2, 4, 6, 8 or an odd digit */
		break;
	case 1:
		p += sprintf(p, ".0000000000000000000000001");
		break;
	}
	sprintf(p, "e%d", k < 0 ? k : 0);
}

static void odd_text(void)
{
	static const char *const texts[] = {"", "-", ".", "e5", ".e1", "1e", "1e+", "1e-x", "inf",
		"-INFINITY", "infinit", "nan", "0x", "0x1.8p1", "0x.8p-1073", "0x1p-1075",
		"0x1.00000000000008p0", "0x1.00000000000018p0", "0x1.fffffffffffff8p1023",
		"0x123456789abcdef123p-40", "  12", "1.5.5", "1e400", "-1e-400",
		"4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
		"1.7976931348623158e308", "1.7976931348623159e308", "0e999999999", "0x0p99",
		"1e99999999999", "00000.00001e5"};

	strcpy(text, texts[random_below(sizeof(texts) / sizeof(texts[0]))]);
}

static void try_double(void)
{
	switch (random_below(8)) {
	case 0:
		odd_text();
		break;
	case 1:
	case 2:
		decimal_text();
		break;
	case 3:
	case 4:
		shortest_text();
		break;
	default:
		halfway_text();
	}
	put_double();
}

static void try_integer(void)
{
	static const char letters[] = "0011223456789abfxz-+ _";
	char *p = text, *end;
	int base = (int)random_below(38);
	long value;
	unsigned long magnitude;

	if (base == 1) /* libraries differ in what *end is then */
		base = 0;
	base = base == 37 ? 10 : base;
	for (uint64_t n = random_below(24); n > 0; n--)
		*p++ = letters[random_below(sizeof(letters) - 1)];
	*p = 0;
	if (random_below(4) == 0) {
		p = text + sprintf(text, "%lu", (unsigned long)random_bits() >> 3);
		*put_digits(p, 1) = 0;
	}
	errno = 0;
	value = strtol(text, &end, base);
	printf("%s base %d -> %ld %ld %d", text, base, value, (long)(end - text), errno);
	errno = 0;
	magnitude = strtoul(text, &end, base);
	printf(" %lu %ld %d\n", magnitude, (long)(end - text), errno);
}

static void try_scan(void)
{
	static const char letters[] = "0123456789ab, .-\t";
	char *p = text, word[64] = "-", set[64] = "-", c[4] = "---";
	int a = -1, b = -1, n = -1, count;
	unsigned u = 0;
	double x = -1;

	for (uint64_t left = random_below(30); left > 0; left--)
		*p++ = letters[random_below(sizeof(letters) - 1)];
	*p = 0;
	count = sscanf(text, "%d,%3d %n", &a, &b, &n);
	printf("<%s> %d %d %d %d;", text, count, a, b, n);
	count = sscanf(text, "%5u%s %[0-5a]", &u, word, set);
	printf(" %d %u %s %s;", count, u, word, set);
	count = sscanf(text, "%c %*d %x%n", c, &u, &n);
	printf(" %d %s %u %d;", count, c, u, n);
	count = sscanf(text, "%*[^,],%i", &a);
	printf(" %d %d;", count, a);
	count = sscanf(text, " %8lf", &x);
	printf(" %d %.17g\n", count, x);
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 1000;

	random_seed(argc, argv);
	while (count-- > 0) {
		switch (random_below(4)) {
		case 0:
			try_integer();
			break;
		case 1:
			try_scan();
			break;
		default:
			try_double();
		}
	}
	return 0;
}
