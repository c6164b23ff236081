// SPDX-License-Identifier: MIT
/*
 * Pseudo-random numbers: a 64-bit linear congruential generator, of which the high bits are given.
 */
#include <stdint.h>
#include <stdlib.h>

static uint64_t state = 1;

static int next(uint64_t *s)
{
	*s = *s * 6364136223846793005UL + 1442695040888963407UL;
	return (int)(*s >> 33);
}

int rand(void)
{
	return next(&state);
}

void srand(unsigned seed)
{
	state = seed;
}

int rand_r(unsigned *seed)
{
	uint64_t s = *seed;
	int value = next(&s);

	*seed = (unsigned)(s >> 16);
	return value;
}

long random(void)
{
	return next(&state);
}

void srandom(unsigned seed)
{
	state = seed;
}
