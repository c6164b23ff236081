// SPDX-License-Identifier: MIT
/*
 * Tests as a program that prints TAP: "ok N - name" or "not ok N - name", and the plan at the end.
 * Random tests take their seed from the command line, else from the clock, and print it.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int tap_count, tap_failures;

__attribute__((format(printf, 2, 3))) static inline bool ok(bool good, const char *name, ...)
{
	va_list args;

	printf("%s %d - ", good ? "ok" : "not ok", ++tap_count);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	putchar('\n');
	tap_failures += !good;
	return good;
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_count);
	return tap_failures ? 1 : 0;
}

/* xorshift64*: the same numbers on every machine. */
static uint64_t random_state;

static inline void random_seed(int argc, char **argv)
{
	struct timespec now;

	setvbuf(stdout, NULL, _IOLBF, 0); /* what was said before a crash counts */
	clock_gettime(CLOCK_REALTIME, &now);
	random_state = argc > 1 ? strtoul(argv[1], NULL, 0)
				: (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20;
	printf("# seed %lu\n", (unsigned long)random_state);
	random_state = random_state * 2 + 1; /* never 0 */
}

static inline uint64_t random_bits(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 2685821657736338717UL;
}

/* 0 .. n - 1 */
static inline uint64_t random_below(uint64_t n)
{
	return (random_bits() >> 16) % n;
}
