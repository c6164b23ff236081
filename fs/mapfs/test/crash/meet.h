// SPDX-License-Identifier: MIT
/*
 * Two operations at the same time, in an order that is the same each time: one syncs, and while it
 * is at one of its flushes another thread does the other one, from its call to its return.  So a
 * commit under way meets changes of the next group, and the recording can still be repeated.
 *
 * An operation that would wait for the one that syncs cannot be done like this.
 */
#pragma once

#include "op.h"

#include <stdbool.h>

struct world;

struct meeting {
	struct op op[2];
	unsigned index[2];
	uint32_t called; /* the epoch in which the second one was */
	int err[2];
};

/*
 * op[0].meets says at which flush; without that many the second is done behind
 * the first.  False: it waits.
 */
bool meet(struct world *w, struct meeting *m);
