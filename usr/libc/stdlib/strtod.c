// SPDX-License-Identifier: MIT
/*
 * Text to double, correctly rounded (to nearest, ties to even).
 *
 * The text is digits times 10^e. The method: make a guess in ordinary floating point, which is off
 * by a few units in the last place at most; then compare the text, exactly, with the points halfway
 * between the guess and its neighbours, and step until the text lies between them. The comparison
 * is one of big integers: with the guess m * 2^k the halfway point above it is (2m + 1) * 2^(k-1),
 * and negative powers of ten or two go to the other side as positive ones. Only multiplication by
 * small numbers, shifts and one comparison are needed: no division, no table.
 *
 * Digits beyond the 800th can not change which side of a halfway point (767 digits at most) the
 * text is on, except by being there at all: a last digit 1 stands for them.
 *
 * Steele and White, and Clinger ("How to read floating point numbers accurately", PLDI 1990), name
 * this kind of correction "algorithm R".
 */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS_MAX 800
#define WORDS      256 /* 8192 bits; 10^801 * 2^1130 * 5^... of both sides stay below 6500 */

struct number {
	int count;    /* significant digits kept */
	int exponent; /* value = digits * 10^exponent */
	char digits[DIGITS_MAX + 1];
};

struct big {
	int count;
	uint32_t words[WORDS]; /* lowest first, no leading zeros */
};

/* Big integers */

static void big_set(struct big *b, uint64_t value)
{
	b->count = value >> 32 ? 2 : value ? 1 : 0;
	b->words[0] = (uint32_t)value;
	b->words[1] = (uint32_t)(value >> 32);
}

static void big_multiply_add(struct big *b, uint32_t factor, uint32_t add)
{
	uint64_t carry = add;

	for (int i = 0; i < b->count; i++) {
		carry += (uint64_t)b->words[i] * factor;
		b->words[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry)
		b->words[b->count++] = (uint32_t)carry;
}

static void big_multiply_5(struct big *b, int power)
{
	for (; power >= 13; power -= 13)
		big_multiply_add(b, 1220703125U, 0);
	for (; power > 0; power--)
		big_multiply_add(b, 5, 0);
}

static void big_shift(struct big *b, int bits)
{
	int words = bits / 32;

	if (b->count == 0)
		return;
	big_multiply_add(b, 1U << bits % 32, 0);
	memmove(b->words + words, b->words, (size_t)b->count * sizeof(uint32_t));
	memset(b->words, 0, (size_t)words * sizeof(uint32_t));
	b->count += words;
}

static int big_compare(const struct big *a, const struct big *b)
{
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	for (int i = a->count - 1; i >= 0; i--) {
		if (a->words[i] != b->words[i])
			return a->words[i] < b->words[i] ? -1 : 1;
	}
	return 0;
}

/* The text against m * 2^k: -1, 0, 1. */
static int compare_text(const struct number *n, uint64_t m, int k)
{
	struct big text, other;
	int twos = n->exponent - k; /* powers of 2 that the text's side has more */

	big_set(&text, 0);
	for (int i = 0; i < n->count; i++)
		big_multiply_add(&text, 10, (uint32_t)(n->digits[i] - '0'));
	big_set(&other, m);
	big_multiply_5(n->exponent >= 0 ? &text : &other, abs(n->exponent));
	big_shift(twos >= 0 ? &text : &other, abs(twos));
	return big_compare(&text, &other);
}

/* Doubles as integers: the bit pattern of a positive double is in the order of its value. */

#define INFINITY_BITS (0x7ffUL << 52)

static double from_bits(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static uint64_t to_bits(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

/* bits stands for *m * 2^*k. */
static void take_apart(uint64_t bits, uint64_t *m, int *k)
{
	int e = (int)(bits >> 52);

	*m = (bits & ((1UL << 52) - 1)) | (e ? 1UL << 52 : 0);
	*k = (e ? e : 1) - 1075;
}

/* The guess: up to 19 digits as an integer, times a power of ten, with the binary exponent kept
 * apart so that nothing overflows or loses bits on the way. */
static uint64_t guess(const struct number *n)
{
	static const double powers[] = {1e1, 1e2, 1e4, 1e8, 1e16, 1e32, 1e64, 1e128, 1e256};
	int used = n->count < 19 ? n->count : 19, ten = n->exponent + n->count - used, two = 0;
	unsigned left = (unsigned)abs(ten);
	uint64_t head = 0, bits;
	double x;

	for (int i = 0; i < used; i++)
		head = head * 10 + (uint64_t)(n->digits[i] - '0');
	x = (double)head;
	for (int i = 0; left; left >>= 1, i++) {
		if (left & 1)
			x = ten < 0 ? x / powers[i] : x * powers[i];
		bits = to_bits(x);
		two += (int)(bits >> 52) - 1023;
		x = from_bits((bits & ((1UL << 52) - 1)) | 1023UL << 52);
	}
	bits = to_bits(x);
	two += (int)(bits >> 52);
	if (two >= 2047)
		return INFINITY_BITS - 1;
	if (two > 0)
		return (bits & ((1UL << 52) - 1)) | (uint64_t)two << 52;
	bits = (bits & ((1UL << 52) - 1)) | 1UL << 52;
	return two < -52 ? 0 : bits >> (1 - two);
}

/* The double nearest to the text. Above the largest one, the halfway point to what would be the
 * next is where infinity begins; below the smallest, half of it is where zero ends. */
static uint64_t nearest(const struct number *n)
{
	uint64_t bits = guess(n), m;
	int k, order;

	for (;;) {
		take_apart(bits, &m, &k);
		order = compare_text(n, 2 * m + 1, k - 1);
		if (order > 0 || (order == 0 && (bits & 1))) {
			if (++bits == INFINITY_BITS)
				return bits;
			continue;
		}
		if (bits == 0)
			return 0;
		take_apart(bits - 1, &m, &k);
		order = compare_text(n, 2 * m + 1, k - 1);
		if (order > 0 || (order == 0 && !(bits & 1)))
			return bits;
		bits--;
	}
}

/* Up to 15 digits and 10^22 are exact doubles: then one operation rounds once. */
static int easy(const struct number *n, double *x)
{
	static const double exact[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	uint64_t head = 0;

	if (n->count > 15 || n->exponent > 22 || n->exponent < -22)
		return 0;
	for (int i = 0; i < n->count; i++)
		head = head * 10 + (uint64_t)(n->digits[i] - '0');
	*x = n->exponent < 0 ? (double)head / exact[-n->exponent]
			     : (double)head * exact[n->exponent];
	return 1;
}

static double convert(const struct number *n)
{
	uint64_t bits;
	double x;

	if (n->count == 0)
		return 0;
	if (easy(n, &x))
		return x;
	if (n->exponent + n->count > 310)
		bits = INFINITY_BITS;
	else if (n->exponent + n->count < -324)
		bits = 0;
	else
		bits = nearest(n);
	if (bits == INFINITY_BITS || bits < 1UL << 52)
		errno = ERANGE; /* subnormals have lost digits */
	return from_bits(bits);
}

/* Parsing */

static void add_digit(struct number *n, char digit, int behind_point)
{
	if (n->count == 0 && digit == '0') {
		n->exponent -= behind_point;
	} else if (n->count < DIGITS_MAX) {
		n->digits[n->count++] = digit;
		n->exponent -= behind_point;
	} else {
		if (digit != '0')
			n->digits[DIGITS_MAX - 1] |= 1; /* sticky; '0'|1 is '1', others stay odd */
		n->exponent += !behind_point;
	}
}

/* Behind the 'e'; far too large values are cut to what is certainly infinite or zero. */
static const char *parse_exponent(const char *p, int *exponent)
{
	const char *q = p + 1;
	int negative = *q == '-', value = 0;

	q += *q == '-' || *q == '+';
	if (!isdigit((unsigned char)*q))
		return p;
	for (; isdigit((unsigned char)*q); q++)
		value = value < 100000 ? value * 10 + (*q - '0') : value;
	*exponent += negative ? -value : value;
	return q;
}

static const char *parse_decimal(const char *p, double *x)
{
	struct number n = {0};
	int any = 0, point = 0;

	for (;; p++) {
		if (isdigit((unsigned char)*p)) {
			any = 1;
			add_digit(&n, *p, point);
		} else if (*p == '.' && !point) {
			point = 1;
		} else {
			break;
		}
	}
	if (!any)
		return NULL;
	if ((*p | 32) == 'e')
		p = parse_exponent(p, &n.exponent);
	while (n.count > 0 && n.digits[n.count - 1] == '0') {
		n.count--;
		n.exponent++;
	}
	*x = convert(&n);
	return p;
}

/* m * 2^k, m != 0, with `sticky` saying that something was cut off below it. */
static uint64_t assemble(uint64_t m, int k, uint64_t sticky)
{
	int drop;
	uint64_t rest, half;

	for (; !(m >> 63); m <<= 1)
		k--;
	drop = k + 63 + 1023 >= 1 ? 11 : 11 + 1 - (k + 63 + 1023);
	if (drop > 64)
		return 0;
	if (k + 63 > 1023)
		return INFINITY_BITS;
	half = 1UL << (drop - 1);
	rest = drop == 64 ? m : m & (2 * half - 1);
	m = drop == 64 ? 0 : m >> drop;
	m += rest > half || (rest == half && (sticky || (m & 1)));
	/* The hidden bit, and a carry out of the rounding, count the exponent up by themselves. */
	return drop == 11 ? m + ((uint64_t)(k + 63 + 1022) << 52) : m;
}

static int hex_value(int c)
{
	return isdigit(c) ? c - '0' : (c | 32) - 'a' + 10;
}

/* Behind "0x". */
static const char *parse_hex(const char *p, double *x)
{
	uint64_t m = 0, sticky = 0, bits;
	int any = 0, point = 0, k = 0, e = 0;

	for (; isxdigit((unsigned char)*p) || (*p == '.' && !point); p++) {
		if (*p == '.') {
			point = 1;
			continue;
		}
		any = 1;
		if (m >> 60) {
			sticky |= (uint64_t)hex_value((unsigned char)*p);
			k += point ? 0 : 4;
		} else {
			m = m << 4 | (uint64_t)hex_value((unsigned char)*p);
			k -= point ? 4 : 0;
		}
	}
	if (!any)
		return NULL;
	if ((*p | 32) == 'p')
		p = parse_exponent(p, &e);
	bits = m ? assemble(m, k + e, sticky) : 0;
	if (m && (bits == INFINITY_BITS || bits == 0))
		errno = ERANGE;
	*x = from_bits(bits);
	return p;
}

static const char *parse_word(const char *p, double *x)
{
	if (strncasecmp(p, "nan", 3) == 0) {
		*x = __builtin_nan("");
		return p + 3;
	}
	*x = __builtin_inf();
	if (strncasecmp(p, "infinity", 8) == 0)
		return p + 8;
	return strncasecmp(p, "inf", 3) == 0 ? p + 3 : NULL;
}

double strtod(const char *restrict text, char **restrict end)
{
	const char *p = text, *q = NULL;
	int negative;
	double x = 0;

	while (isspace((unsigned char)*p))
		p++;
	negative = *p == '-';
	p += *p == '-' || *p == '+';
	if (p[0] == '0' && (p[1] | 32) == 'x')
		q = parse_hex(p + 2, &x);
	if (!q)
		q = isalpha((unsigned char)*p) ? parse_word(p, &x) : parse_decimal(p, &x);
	if (end)
		*end = (char *)(q ? q : text);
	if (!q)
		return 0;
	return negative ? -x : x;
}

/* Rounded twice, to double first: may be off by one unit in rare halfway cases. */
float strtof(const char *restrict text, char **restrict end)
{
	return (float)strtod(text, end);
}

double atof(const char *text)
{
	return strtod(text, NULL);
}
