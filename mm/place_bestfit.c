// SPDX-License-Identifier: MIT
/* Placement: the smallest hole that fits, the highest of these, at its lower end. */
#include "space.h"

bool place_choose(struct mvm_space *space, mvm_vaddr_t top, size_t bytes, mvm_vaddr_t *out)
{
	size_t best = SIZE_MAX, size;
	struct gap gap;

	while (place_next(space, &top, bytes, &gap)) {
		size = gap.end - gap.start;
		if (size >= bytes && size < best) {
			best = size;
			*out = gap.start;
		}
	}
	return best != SIZE_MAX;
}
