// SPDX-License-Identifier: MIT
/*
 * Floating point for printf. The digits come exact from decimal.c and are rounded once, so every
 * output is the correctly rounded one. Zeros behind the last digit are never stored: they are only
 * counted (%.5000f needs no buffer of 5000).
 */
#include <stdint.h>
#include <string.h>

#include "decimal.h"
#include "format.h"

/* 309 digits before the point and 1074 behind it, the point, and some room */
#define TEXT_MAX 1400

struct text {
	size_t length;
	size_t zeros; /* behind the text, before the exponent */
	size_t exponent_length;
	char exponent[8];
	char text[TEXT_MAX];
};

static void put(struct text *t, char c)
{
	t->text[t->length++] = c;
}

/* The digit for 10^(point - 1 - i); beyond both ends there are zeros. */
static char digit_at(const struct decimal *d, int i)
{
	return i >= 0 && i < d->count ? d->digits[i] : '0';
}

/* Digits [first, first + n) behind a point; the zeros behind the last real one are counted only. */
static void put_fraction(struct text *t, const struct decimal *d, int first, int n, bool alternate)
{
	int real = d->count - first;

	real = real < 0 ? 0 : real > n ? n : real;
	if (n > 0 || alternate)
		put(t, '.');
	for (int i = 0; i < real; i++)
		put(t, digit_at(d, first + i));
	t->zeros = (size_t)(n - real);
}

static void put_fixed(struct text *t, struct decimal *d, int precision, bool alternate)
{
	__decimal_round(d, d->point + precision);
	if (d->point <= 0)
		put(t, '0');
	for (int i = 0; i < d->point; i++)
		put(t, digit_at(d, i));
	put_fraction(t, d, d->point, precision, alternate);
}

static void put_exponent(struct text *t, char letter, int value, int least_digits)
{
	char *e = t->exponent;
	unsigned v = (unsigned)(value < 0 ? -value : value);
	int digits = v >= 1000 ? 4 : v >= 100 ? 3 : v >= 10 ? 2 : 1;

	digits = digits < least_digits ? least_digits : digits;
	e[0] = letter;
	e[1] = value < 0 ? '-' : '+';
	for (int i = digits + 1; i > 1; i--, v /= 10)
		e[i] = (char)('0' + v % 10);
	t->exponent_length = (size_t)digits + 2;
}

static void put_scientific(
	struct text *t, struct decimal *d, int precision, bool alternate, bool upper)
{
	__decimal_round(d, precision + 1);
	put(t, digit_at(d, 0));
	put_fraction(t, d, 1, precision, alternate);
	put_exponent(t, upper ? 'E' : 'e', d->count ? d->point - 1 : 0, 2);
}

/* %g: P significant digits, in whichever form is shorter; without '#' no trailing zeros, which is
 * to ask for exactly the digits there are. */
static void put_general(
	struct text *t, struct decimal *d, int precision, bool alternate, bool upper)
{
	int significant = precision ? precision : 1, x;

	__decimal_round(d, significant);
	x = d->count ? d->point - 1 : 0;
	if (!alternate && d->count < significant)
		significant = d->count ? d->count : 1;
	if (x < -4 || x >= (precision ? precision : 1))
		put_scientific(t, d, significant - 1, alternate, upper);
	else
		put_fixed(t, d, significant - 1 - x > 0 ? significant - 1 - x : 0, alternate);
}

/* %a: the bits themselves, four a digit; the leading digit is the hidden bit. */
static void put_hex(struct text *t, double value, int precision, bool alternate, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	uint64_t bits, m;
	int e, digits = 13;

	memcpy(&bits, &value, sizeof(bits));
	m = bits & ((1UL << 52) - 1);
	e = (int)(bits >> 52 & 0x7ff);
	m |= e ? 1UL << 52 : 0;
	e = e ? e - 1023 : m ? -1022 : 0;
	if (precision >= 0 && precision < 13) {
		int drop = (13 - precision) * 4;
		uint64_t half = 1UL << (drop - 1), rest = m & (2 * half - 1);

		m >>= drop;
		m += rest > half || (rest == half && (m & 1));
		m <<= drop;
		digits = precision;
	} else if (precision < 0) {
		while (digits > 0 && !(m >> (13 - digits) * 4 & 15))
			digits--;
	}
	put(t, set[m >> 52]);
	if (digits > 0 || precision > 0 || alternate)
		put(t, '.');
	for (int i = 1; i <= digits; i++)
		put(t, set[m >> (13 - i) * 4 & 15]);
	t->zeros = precision > digits ? (size_t)(precision - digits) : 0;
	put_exponent(t, upper ? 'P' : 'p', e, 1);
}

static void format_special(
	struct sink *sink, const struct spec *spec, struct number *n, bool nan, bool upper)
{
	struct spec unpadded = *spec;

	unpadded.zero = false;
	n->text = nan ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf");
	n->text_len = 3;
	__format_number(sink, &unpadded, n);
}

static void put_value(struct text *t, const struct spec *spec, double value)
{
	bool upper = spec->conversion < 'a';
	int precision = spec->precision < 0 ? 6 : spec->precision;
	struct decimal d;

	if ((spec->conversion | 32) == 'a') {
		put_hex(t, value, spec->precision, spec->alternate, upper);
		return;
	}
	__decimal_from_double(&d, value);
	switch (spec->conversion | 32) {
	case 'e':
		put_scientific(t, &d, precision, spec->alternate, upper);
		break;
	case 'f':
		put_fixed(t, &d, precision, spec->alternate);
		break;
	default:
		put_general(t, &d, precision, spec->alternate, upper);
	}
}

void __format_float(struct sink *sink, const struct spec *spec, double value)
{
	bool upper = spec->conversion < 'a', hex = (spec->conversion | 32) == 'a';
	bool negative = __builtin_signbit(value), finite = __builtin_isfinite(value);
	char prefix[4] = {0};
	struct number n = {.prefix = prefix};
	struct text t;

	if (negative || spec->plus || spec->space)
		prefix[n.prefix_len++] = negative ? '-' : spec->plus ? '+' : ' ';
	if (!finite) {
		format_special(sink, spec, &n, __builtin_isnan(value), upper);
		return;
	}
	if (hex) {
		prefix[n.prefix_len++] = '0';
		prefix[n.prefix_len++] = upper ? 'X' : 'x';
	}
	t.length = t.zeros = t.exponent_length = 0;
	put_value(&t, spec, negative ? -value : value);
	n.text = t.text;
	n.text_len = t.length;
	n.inner_zeros = t.zeros;
	n.tail = t.exponent;
	n.tail_len = t.exponent_length;
	__format_number(sink, spec, &n);
}
