// SPDX-License-Identifier: MIT
// The system-call fuzzer, in three parts: main.c starts workers, counts, and judges; worker.c makes
// calls and looks at what they did; arguments.c makes what they are called with.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calls.h"

// --- what main and the workers share

#define FINDINGS      16
#define FINDING_BYTES 160

// Mapped shared before the workers are forked; they may break it, but it stays main's to read.
struct findings {
	uint32_t n;
	char text[FINDINGS][FINDING_BYTES];
	uint64_t calls;              // made by all
	uint32_t processes, threads; // that calls made
	uint32_t made[CALL_SLOTS];   // of each number,
	uint32_t went[CALL_SLOTS];   // and those that were no error
};

extern struct findings *findings;

// A worker's life: CALLS calls by SEED, some of them by children and threads that it makes. Does
// not return.
_Noreturn void work(uint64_t seed, unsigned calls, bool verbose);

// --- random numbers: xorshift64*, one stream a thread of execution

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *r);
unsigned rng_below(struct rng *r, unsigned n);

// --- arguments

// Memory at fixed places: buffers that calls read and write, of one thread; an arena that calls
// map, unmap and protect at will.
#define BUFFER_BYTES (64ul << 10) // of one argument
#define BUFFERS      0x2000000000ul
#define ARENA        0x2100000000ul
#define ARENA_BYTES  (4ul << 20)
#define LANES        8 // threads that have buffers of their own

struct lane {
	struct rng rng;
	unsigned number; // 0: the worker's own
	char *buffers;   // CALL_ARGS of them
	unsigned left;   // calls
	bool verbose;
};

#define CANARY 0x11

// Is it an address that arguments have? Some calls give back what another one was given.
bool is_made_up(uint64_t word);

void make_arguments(struct lane *lane, const struct call_row *call, unsigned long args[CALL_ARGS]);
