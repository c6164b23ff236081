// SPDX-License-Identifier: MIT
/*
 * Placement: the lowest hole that fits, at its lower end.  To compare; it looks at all holes.
 *
 * It begins as far above the space's beginning as the top is below its end, which is random, and
 * goes below that when there is no other place.
 */
#include "place.h"

bool place_choose(struct mvm_space *space, mvm_vaddr_t top, size_t bytes, mvm_vaddr_t *out)
{
	mvm_vaddr_t bottom = space->low + (space->high - top), start;
	bool found = false, above = false;
	struct gap gap;

	while (place_next(space, &top, bytes, &gap)) {
		start = max_u64(gap.start, bottom);
		if (start < gap.end && gap.end - start >= bytes) {
			*out = start;
			above = true;
		} else if (!above) {
			*out = gap.start;
		}
		found = true;
	}
	return found;
}
