// SPDX-License-Identifier: MIT
/*
 * The medium that is looked at: what the test disk holds, changed unit by unit and changed back,
 * with a hash that follows, so that a state costs what it differs by and not what the disk holds.
 */
#pragma once

#include "units.h"

struct medium_change;

struct medium {
	struct testdisk *disk;
	uint64_t hash;         /* of all of the disk: the sum of its sectors' */
	uint64_t *sector_hash; /* units_hash() of each */
	struct medium_change *changes;
	size_t n_changes, room;
};

void medium_open(struct medium *medium, struct testdisk *disk);
void medium_close(struct medium *medium);

/* Of unit u the sectors arrive that mask has; the disk's log is empty. */
void medium_put(struct medium *medium, const struct unit *u, uint8_t mask);

/* Take back all changes since medium_mark() said so. */
size_t medium_mark(const struct medium *medium);
void medium_undo(struct medium *medium, size_t mark);
