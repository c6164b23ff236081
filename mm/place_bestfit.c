// SPDX-License-Identifier: MIT
/* Placement: the smallest hole that fits, the highest of these, at its upper end. */
#include "place.h"

bool place_choose(struct mvm_space *space, mvm_vaddr_t top, size_t bytes, mvm_vaddr_t *out)
{
	size_t best = SIZE_MAX;
	struct gap gap;

	while (place_next(space, &top, bytes, &gap)) {
		if (gap.end - gap.start < best) {
			best = gap.end - gap.start;
			*out = gap.end - bytes;
		}
	}
	return best != SIZE_MAX;
}
