// SPDX-License-Identifier: MIT
/*
 * To integers. RISC-V converts to and from a 64-bit integer with the rounding mode in the
 * instruction; from 2^52 up a double is an integer already. The sign is put back for the zeros.
 */
#include <math.h>

#define INTEGERS_FROM 0x1p52

/* x unless it has a fraction, and then the conversion with the mode `rm`. */
#define ROUND(x, rm)                                                               \
	({                                                                         \
		double result_ = (x);                                              \
		long integer_;                                                     \
		if (fabs(x) < INTEGERS_FROM) {                                     \
			__asm__("fcvt.l.d %0, %1, " rm : "=r"(integer_) : "f"(x)); \
			result_ = copysign((double)integer_, (x));                 \
		}                                                                  \
		result_;                                                           \
	})

double floor(double x)
{
	return ROUND(x, "rdn");
}

double ceil(double x)
{
	return ROUND(x, "rup");
}

double trunc(double x)
{
	return ROUND(x, "rtz");
}

double round(double x)
{
	return ROUND(x, "rmm");
}

double rint(double x)
{
	return ROUND(x, "dyn");
}

double nearbyint(double x)
{
	return rint(x);
}

long lround(double x)
{
	return (long)round(x);
}

long lrint(double x)
{
	return (long)rint(x);
}

double modf(double x, double *whole)
{
	*whole = trunc(x);
	return copysign(__builtin_isinf(x) ? 0.0 : x - *whole, x);
}

float floorf(float x)
{
	return (float)floor((double)x);
}

float ceilf(float x)
{
	return (float)ceil((double)x);
}

float truncf(float x)
{
	return (float)trunc((double)x);
}

float roundf(float x)
{
	return (float)round((double)x);
}
