// SPDX-License-Identifier: MIT
/*
 * A double is m * 2^e with m < 2^53. For e >= 0 that is an integer. For e < 0, m / 2^k equals
 * m * 5^k / 10^k: an integer again, with the decimal point moved. So both cases are one big integer
 * times a small power, in base 10^9, and its digits are the exact value: rounding them needs no
 * estimate and no error bound. At worst (subnormals) that is 85 words times 90 multiplications;
 * numbers of everyday size need a handful.
 */
#include <stdint.h>
#include <string.h>

#include "decimal.h"

#define BASE        1000000000U
#define BASE_DIGITS 9
#define WORDS       88 /* 767 digits, and 309 for the integers, in words of 9 */

struct big {
	int count;
	uint32_t words[WORDS]; /* lowest first */
};

static void big_multiply(struct big *b, uint32_t factor)
{
	uint64_t carry = 0;

	for (int i = 0; i < b->count; i++) {
		carry += (uint64_t)b->words[i] * factor;
		b->words[i] = (uint32_t)(carry % BASE);
		carry /= BASE;
	}
	for (; carry; carry /= BASE) /* twice when factor is above BASE */
		b->words[b->count++] = (uint32_t)(carry % BASE);
}

/* times base^n; base^step is the largest power below 2^32. */
static void big_multiply_power(struct big *b, uint32_t base, uint32_t power, int step, int n)
{
	for (; n >= step; n -= step)
		big_multiply(b, power);
	for (; n > 0; n--)
		big_multiply(b, base);
}

static void big_digits(const struct big *b, struct decimal *d)
{
	char text[WORDS * BASE_DIGITS], *p = text;
	int skip = 0, length = b->count * BASE_DIGITS;

	for (int i = b->count - 1; i >= 0; i--, p += BASE_DIGITS) {
		uint32_t w = b->words[i];

		for (int j = BASE_DIGITS - 1; j >= 0; j--, w /= 10)
			p[j] = (char)('0' + w % 10);
	}
	while (skip < length && text[skip] == '0')
		skip++;
	d->point += length - skip;
	while (length > skip && text[length - 1] == '0')
		length--;
	d->count = length - skip;
	memcpy(d->digits, text + skip, (size_t)d->count);
}

void __decimal_from_double(struct decimal *d, double x)
{
	struct big b = {.count = 2};
	uint64_t bits, m;
	int e;

	memcpy(&bits, &x, sizeof(bits));
	m = bits & ((1UL << 52) - 1);
	e = (int)(bits >> 52 & 0x7ff);
	if (e)
		m |= 1UL << 52;
	else
		e = 1;
	e -= 1075;
	d->count = d->point = 0;
	if (!m)
		return;
	for (; !(m & 1); m >>= 1)
		e++;
	b.words[0] = (uint32_t)(m % BASE);
	b.words[1] = (uint32_t)(m / BASE); /* below 2^53 / 10^9 */
	if (e >= 0) {
		big_multiply_power(&b, 2, 1U << 31, 31, e);
	} else {
		big_multiply_power(&b, 5, 1220703125U, 13, -e);
		d->point = e;
	}
	big_digits(&b, d);
}

static int rounds_up(const struct decimal *d, int keep)
{
	if (d->digits[keep] != '5')
		return d->digits[keep] > '5';
	if (d->count > keep + 1)
		return 1;
	return keep > 0 && (d->digits[keep - 1] & 1);
}

void __decimal_round(struct decimal *d, int keep)
{
	int up;

	if (keep >= d->count)
		return;
	if (keep < 0) {
		d->count = d->point = 0;
		return;
	}
	up = rounds_up(d, keep);
	d->count = keep;
	if (up) {
		while (d->count > 0 && d->digits[d->count - 1] == '9')
			d->count--;
		if (d->count == 0) {
			d->digits[d->count++] = '1';
			d->point++;
			return;
		}
		d->digits[d->count - 1]++;
		return;
	}
	while (d->count > 0 && d->digits[d->count - 1] == '0')
		d->count--;
	if (d->count == 0)
		d->point = 0;
}
