// SPDX-License-Identifier: MIT
/*
 * Placement: anywhere.  Every page at which the map may start is as likely as any other, so that
 * knowing where one thing lies says little of the next.  It costs two looks at all holes, and
 * leaves no large one whole: docs/plugging.md shows the price.
 */
#include "place.h"

/* At how many pages of the range a map of `bytes` may start. */
static size_t starts(const struct gap *gap, size_t bytes)
{
	return ((gap->end - gap->start - bytes) >> MVM_PAGE_SHIFT) + 1;
}

bool place_choose(struct mvm_space *space, mvm_vaddr_t top, size_t bytes, mvm_vaddr_t *out)
{
	mvm_vaddr_t at = top;
	size_t all = 0, drawn;
	struct gap gap;

	while (place_next(space, &at, bytes, &gap))
		all += starts(&gap, bytes);
	if (all == 0)
		return false;
	drawn = (size_t)mvmh_entropy() % all;
	for (at = top; place_next(space, &at, bytes, &gap); drawn -= starts(&gap, bytes)) {
		if (drawn < starts(&gap, bytes)) {
			*out = gap.start + (drawn << MVM_PAGE_SHIFT);
			return true;
		}
	}
	return false;
}
