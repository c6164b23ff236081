// SPDX-License-Identifier: MIT
/*
 * The exact part of mathematics: functions whose result is a double, or the double nearest to the
 * true result. No powers, logarithms or angles yet. errno is never set.
 */
#pragma once

#define HUGE_VAL __builtin_huge_val()
#define INFINITY __builtin_inff()
#define NAN      __builtin_nanf("")

#define FP_NAN       0
#define FP_INFINITE  1
#define FP_ZERO      2
#define FP_SUBNORMAL 3
#define FP_NORMAL    4

#define fpclassify(x) __builtin_fpclassify(FP_NAN, FP_INFINITE, FP_NORMAL, FP_SUBNORMAL, FP_ZERO, x)
#define isfinite(x)   __builtin_isfinite(x)
#define isinf(x)      __builtin_isinf_sign(x)
#define isnan(x)      __builtin_isnan(x)
#define isnormal(x)   __builtin_isnormal(x)
#define signbit(x)    (__builtin_signbit(x) != 0)

#define M_E     2.71828182845904523536
#define M_PI    3.14159265358979323846
#define M_PI_2  1.57079632679489661923
#define M_SQRT2 1.41421356237309504880

typedef double double_t;
typedef float float_t;

double fabs(double x);
double copysign(double magnitude, double sign);
double fmin(double x, double y); /* a NaN is taken for missing */
double fmax(double x, double y);
double sqrt(double x);
double fma(double x, double y, double z); /* x * y + z, rounded once */

/* To an integer: down, up, towards zero, halves away from zero, in the current mode (to even). */
double floor(double x);
double ceil(double x);
double trunc(double x);
double round(double x);
double rint(double x);
double nearbyint(double x);
long lround(double x);
long lrint(double x);

double fmod(double x, double y);       /* the remainder with x's sign; exact */
double modf(double x, double *whole);  /* both parts with x's sign */
double frexp(double x, int *exponent); /* x = result * 2^exponent, 0.5 <= |result| < 1 */
double ldexp(double x, int exponent);  /* x * 2^exponent, rounded once */
double scalbn(double x, int exponent);
int ilogb(double x);

float fabsf(float x);
float sqrtf(float x);
float floorf(float x);
float ceilf(float x);
float truncf(float x);
float roundf(float x);
float fmodf(float x, float y);
