// SPDX-License-Identifier: MIT
/*
 * The scenarios: who does what at the same time.
 */
#pragma once

#include "ops.h"

#define MAX_ACTORS     4
#define MAX_OPERATIONS 24

struct scenario {
	const char *name;
	unsigned mapped_first, mapped_end; /* pages of the view that are mapped, read-write */
	/* And what else. */
	enum { BEFORE_UNTOUCHED, BEFORE_LOADED, BEFORE_STORED, BEFORE_LARGE } before;
	unsigned spaces; /* 2: the second is a fork of the first */
	struct program {
		unsigned view, first, end; /* pages that it is about */
		unsigned length;           /* operations it does; 0: no such actor */
		operation *operations[MAX_OPERATIONS];
	} programs[MAX_ACTORS];
};

extern const struct scenario scenarios[];
extern const unsigned n_scenarios;

/* One run of the scenario from the beginning to the end, all of it following from the seed. */
void scenario_run(const struct scenario *s, const struct plan *plan, uint64_t seed);
