// SPDX-License-Identifier: MIT
/* Placement: the highest hole that fits, at its upper end.  New maps grow towards old ones. */
#include "place.h"

bool place_choose(struct mvm_space *space, mvm_vaddr_t top, size_t bytes, mvm_vaddr_t *out)
{
	struct gap gap;

	if (!place_next(space, &top, bytes, &gap))
		return false;
	*out = gap.end - bytes;
	return true;
}
