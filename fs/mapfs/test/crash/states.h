// SPDX-License-Identifier: MIT
/*
 * Which states a power cut in one epoch may leave.
 *
 * Of an epoch with k units: all 2^k subsets for k up to `complete`; beyond that all prefixes, all
 * but one, all but two, only one, and random ones, half of whose units arrive.  In addition each
 * unit that tears (units.h) does so in each of TEARS ways, while of the others all, none, or those
 * before it have arrived.
 */
#pragma once

#include "units.h"

#define STATES_COMPLETE_MAX 20u

/* How many of them. */
struct states_of {
	unsigned complete; /* all subsets of so many units, at most STATES_COMPLETE_MAX */
	unsigned random;   /* subsets of more */
};

/* mask[i]: the sectors of the epoch's unit i that arrived.  False ends it. */
typedef bool (*states_visit)(void *arg, const uint8_t *mask, size_t n);

/* Units [unit, unit + n) are the epoch's; random subsets are drawn from *seed. */
bool states_of_epoch(const struct unit *unit, size_t n, const struct states_of *of, uint64_t *seed,
	states_visit visit, void *arg);
