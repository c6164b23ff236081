// SPDX-License-Identifier: MIT
/* Placement: the lowest hole that fits, at its lower end.  To compare; it looks at all holes. */
#include "place.h"

bool place_choose(struct mvm_space *space, mvm_vaddr_t top, size_t bytes, mvm_vaddr_t *out)
{
	struct gap gap;
	bool found = false;

	while (place_next(space, &top, bytes, &gap)) {
		*out = gap.start;
		found = true;
	}
	return found;
}
