// SPDX-License-Identifier: MIT
/*
 * What is one instruction.
 */
#include <math.h>

double fabs(double x)
{
	return __builtin_fabs(x);
}

float fabsf(float x)
{
	return __builtin_fabsf(x);
}

double copysign(double magnitude, double sign)
{
	return __builtin_copysign(magnitude, sign);
}

double sqrt(double x)
{
	double root;

	__asm__("fsqrt.d %0, %1" : "=f"(root) : "f"(x));
	return root;
}

float sqrtf(float x)
{
	float root;

	__asm__("fsqrt.s %0, %1" : "=f"(root) : "f"(x));
	return root;
}

double fmin(double x, double y)
{
	double least;

	__asm__("fmin.d %0, %1, %2" : "=f"(least) : "f"(x), "f"(y));
	return least;
}

double fmax(double x, double y)
{
	double most;

	__asm__("fmax.d %0, %1, %2" : "=f"(most) : "f"(x), "f"(y));
	return most;
}

double fma(double x, double y, double z)
{
	double result;

	__asm__("fmadd.d %0, %1, %2, %3" : "=f"(result) : "f"(x), "f"(y), "f"(z));
	return result;
}
