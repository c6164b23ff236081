// SPDX-License-Identifier: MIT
/*
 * Placement: the highest hole that fits, at its upper end.  New maps grow towards old ones.
 *
 * A map that is as large as what a translation table covers begins at such a boundary, if the hole
 * has room for that: so most of it is in tables of its own, which then are unmapped, moved or
 * handed to a fork whole.
 */
#include "place.h"

#define TABLE_BYTES ((size_t)512 << MVM_PAGE_SHIFT)

bool place_choose(struct mvm_space *space, mvm_vaddr_t top, size_t bytes, mvm_vaddr_t *out)
{
	struct gap gap;

	if (!place_next(space, &top, bytes, &gap))
		return false;
	*out = gap.end - bytes;
	if (bytes >= TABLE_BYTES && (*out & -TABLE_BYTES) >= gap.start)
		*out &= -TABLE_BYTES;
	return true;
}
