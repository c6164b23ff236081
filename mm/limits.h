// SPDX-License-Identifier: MIT
/*
 * Limits: what a space may have (struct mvm_limits), and how calls keep to it.
 *
 * A call compares before it changes anything, and some drop the space's lock between that and the
 * moment at which the areas are there.  These reserve what they will add in the hold of the
 * comparison, and whoever compares meanwhile counts it as if it were there.  The hold that enters
 * the areas, or gives up, releases it.
 *
 *	FIXED over something     what will be more, and the area (map.c)
 *	mremap that moves        what it grows by, and the area (modules/remap.c)
 *	an area cut in two       its upper part (unmap.c)
 *	mlock                    the pages that are not locked yet (modules/mlock.c)
 *
 * Whoever compares and enters in one hold reserves nothing: other maps, brk, mprotect, a stack that
 * grows.  The space's lock is held in all of these calls.
 */
#pragma once

#include "area.h"

/* What a call adds to what has limits. */
struct growth {
	uint64_t mapped, data, locked; /* pages */
	uint64_t areas;
};

/* Do pages of such an area count as data? */
static inline bool is_data(unsigned rights, unsigned flags)
{
	return rights & MVM_WRITE && !(flags & (AREA_SHARED | AREA_GROWSDOWN));
}

/* That many pages with these rights and flags; no area. */
static inline struct growth growth_of(unsigned rights, unsigned flags, uint64_t pages)
{
	return (struct growth){
		.mapped = pages,
		.data = is_data(rights, flags) ? pages : 0,
		.locked = flags & AREA_LOCKED ? pages : 0,
	};
}

/* The upper part of an area that is cut. */
extern const struct growth one_area;

/*
 * May the space grow like this?  0; -MVM_EAGAIN: the limit of locked pages;
 * -MVM_ENOMEM: another.
 */
int limits_check(const struct mvm_space *space, const struct growth *more) MVM_MUST_CHECK;

void limits_reserve(struct mvm_space *space, const struct growth *more);
void limits_release(struct mvm_space *space, const struct growth *more);
