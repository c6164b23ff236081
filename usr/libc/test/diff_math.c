// SPDX-License-Identifier: MIT
/*
 * Prints the results of the functions of <math.h> for random doubles. See differential.py.
 *
 *     diff_math SEED COUNT
 */
#include <math.h>
#include <string.h>

#include "tap.h"

static uint64_t to_bits(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return isnan(x) ? 0x7ff8UL << 48 : bits; /* the bits of a NaN are nobody's business */
}

/* Any bits; numbers near an integer or a half; integers. */
static double random_double(void)
{
	uint64_t bits = random_bits();
	double x;

	switch (random_below(4)) {
	case 0:
		return (double)((long)bits >> random_below(64)) * 0.5;
	case 1:
		bits = (bits & ~(0x7ffUL << 52)) | (1015 + random_below(65)) << 52;
		break;
	case 2:
		bits &= random_below(2) ? ~0UL
					: 0xfff8UL << 48; /* few bits; also the special ones */
		break;
	}
	memcpy(&x, &bits, sizeof(x));
	return isnan(x) ? NAN : x; /* a quiet one: fmin of others differs between libraries */
}

static void put(const char *name, double x)
{
	printf(" %s %016lx", name, (unsigned long)to_bits(x));
}

static void one(double x)
{
	double whole, part;
	int e;

	put("floor", floor(x));
	put("ceil", ceil(x));
	put("trunc", trunc(x));
	put("round", round(x));
	put("rint", rint(x));
	put("sqrt", sqrt(x));
	put("fabs", fabs(x));
	put("floorf", (double)floorf((float)x));
	put("sqrtf", (double)sqrtf((float)x));
	part = modf(x, &whole);
	put("modf", part);
	put("whole", whole);
	if (isfinite(x)) {
		put("frexp", frexp(x, &e));
		printf(" %d", e);
	}
	printf(" %d %d %d", fpclassify(x), signbit(x), isinf(x) != 0);
}

static void two(double x, double y, double z)
{
	int exponent = (int)random_below(4300) - 2150;

	put("fmod", fmod(x, y));
	put("fma", fma(x, y, z));
	put("copysign", copysign(x, y));
	if (!(x == 0 && y == 0)) { /* either zero will do */
		put("fmin", fmin(x, y));
		put("fmax", fmax(x, y));
	}
	put("ldexp", ldexp(x, exponent));
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 1000;

	random_seed(argc, argv);
	while (count-- > 0) {
		double x = random_double(), y = random_double(), z = random_double();

		printf("%016lx %016lx", (unsigned long)to_bits(x), (unsigned long)to_bits(y));
		one(x);
		two(x, y, z);
		putchar('\n');
	}
	return 0;
}
