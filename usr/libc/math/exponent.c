// SPDX-License-Identifier: MIT
/*
 * A double as fraction and exponent, and the exact remainder.
 */
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define HIDDEN   (1UL << 52)
#define FRACTION (HIDDEN - 1)
#define BIAS     1023

static uint64_t to_bits(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static double from_bits(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

double frexp(double x, int *exponent)
{
	int e;

	*exponent = 0;
	if (x == 0 || !isfinite(x))
		return x;
	if (fabs(x) < 0x1p-1022) {
		x = frexp(x * 0x1p64, &e);
		*exponent = e - 64;
		return x;
	}
	*exponent = (int)(to_bits(x) >> 52 & 0x7ff) - BIAS + 1;
	return from_bits((to_bits(x) & ~(0x7ffUL << 52)) | (BIAS - 1UL) << 52);
}

int ilogb(double x)
{
	int e;

	if (x == 0)
		return -INT_MAX;
	if (!isfinite(x))
		return INT_MAX;
	frexp(x, &e);
	return e - 1;
}

/* Only the last multiplication may leave the normal numbers, so there is one rounding: going down,
 * the steps stop 53 bits above the smallest. */
double scalbn(double x, int exponent)
{
	for (int i = 0; exponent > 1023 && i < 2; i++, exponent -= 1023)
		x *= 0x1p1023;
	for (int i = 0; exponent < -1022 && i < 2; i++, exponent += 1022 - 53)
		x *= 0x1p-1022 * 0x1p53;
	if (exponent > 1023)
		exponent = 1023;
	if (exponent < -1022)
		exponent = -1022;
	return x * from_bits((uint64_t)(exponent + BIAS) << 52);
}

double ldexp(double x, int exponent)
{
	return scalbn(x, exponent);
}

/* x's magnitude as *m * 2^k. */
static void take_apart(double x, uint64_t *m, int *k)
{
	int e = (int)(to_bits(x) >> 52 & 0x7ff);

	*m = (to_bits(x) & FRACTION) | (e ? HIDDEN : 0);
	*k = (e ? e : 1) - BIAS - 52;
}

/* Long division of the fractions that keeps only the remainder, a bit a step. */
double fmod(double x, double y)
{
	uint64_t a, b;
	int ka, kb;

	if (y == 0 || !isfinite(x) || isnan(y))
		return NAN;
	if (fabs(x) < fabs(y))
		return x;
	take_apart(x, &a, &ka);
	take_apart(y, &b, &kb);
	for (; !(b & HIDDEN); kb--) /* a subnormal y */
		b <<= 1;
	for (; ka > kb; ka--) {
		if (a >= b)
			a -= b;
		a <<= 1;
	}
	if (a >= b)
		a %= b;
	return copysign(scalbn((double)a, ka), x);
}

float fmodf(float x, float y)
{
	return (float)fmod((double)x, (double)y);
}
