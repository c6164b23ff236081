// SPDX-License-Identifier: MIT
/*
 * The kernel's own tests: those of what only a running kernel has. Debug builds run them instead of
 * the first process when the command line has the word "selftest" ("selftest=NAME": one), and power
 * off with status 0 or 1. The report on the console is TAP.
 *
 * "plant=NAME" breaks one of the rules that debug builds check, which must end in a panic.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct selftest {
	const char *name;
	void (*run)(void);
};

/* Ended by an entry without a name. */
extern const struct selftest frames_tests[], thread_tests[], wait_tests[], time_tests[],
	pmap_tests[], pmap_harts_tests[], user_tests[], blk_tests[], mm_tests[];

/* Run all; the number that failed. In a thread that may sleep. */
unsigned selftest_run(void);
/* Returns if the name is unknown, or the check did not fire. */
void selftest_plant(const char *name);

/* /dev/faulty, for tests in user mode; not in the core. */
void faulty_device_init(void);

/* The running test fails, and goes on. */
void selftest_fail(const char *file, int line, const char *what);
void selftest_skip(const char *why);
#define CHECK(condition)                                                    \
	do {                                                                \
		if (!(condition))                                           \
			selftest_fail(__FILE_NAME__, __LINE__, #condition); \
	} while (0)

/* The next number of a stream that only the seed decides ("seed=N"). */
uint32_t selftest_random(uint64_t *state);
extern uint64_t selftest_seed;

/* Run fn(arg, i) in n threads at once and wait for them. */
void selftest_crowd(unsigned n, void (*fn)(void *arg, unsigned i), void *arg);
