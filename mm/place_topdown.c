// SPDX-License-Identifier: MIT
/* Placement: the highest hole that fits, at its upper end.  New maps grow towards old ones. */
#include "space.h"

bool place_choose(struct mvm_space *space, mvm_vaddr_t top, size_t bytes, mvm_vaddr_t *out)
{
	struct gap gap;

	while (place_next(space, &top, bytes, &gap)) {
		if (gap.end - gap.start >= bytes) {
			*out = gap.end - bytes;
			return true;
		}
	}
	return false;
}
