// SPDX-License-Identifier: MIT
// A crew: several processes that share the test's memory (clone with CLONE_VM) and run at once, on
// all harts that there are. Each has its own stack, signal handlers and stream of random numbers;
// errno, malloc and stdio are everybody's, so members use none of them: of a failed call they know
// only that it failed. A CHECK that fails in a member fails the test.
#pragma once

#include "tap.h"

enum { CREW_MAX = 8 };

// Run work(0) to work(n - 1), each in a member, started together; returns when all have ended well.
void crew_run(unsigned n, void (*work)(unsigned me));

// The same in two steps; the second kills member `victim` as soon as the others are at work, -1:
// none. All others must end well.
void crew_run_and_kill(unsigned n, void (*work)(unsigned me), int victim);

// As try_load() and try_store(), for members. The store adds 1 in one instruction: it is done, or
// it is not.
struct fault member_load(const void *p);
struct fault member_add(unsigned *p);

uint64_t member_random(void);
unsigned member_below(unsigned n);
