// SPDX-License-Identifier: MIT
/* Large pages: theory at the head of large.c.  A host that has none costs nothing. */
#pragma once

#include "space.h"

#ifdef MVMH_LARGE_ORDER

/* Would a fault at va, in this area, do well to fill a large page?  The space's lock is held. */
bool large_fits(struct mvm_space *space, const struct area *a, mvm_vaddr_t va);

/*
 * Fill the large page that va lies in with zeros and map it, if it still may be when there is
 * memory.  Returns how many pages are there from the one of va on; 0: nothing has changed.  No lock
 * held.
 */
unsigned large_fill(struct mvm_space *space, mvm_vaddr_t va, unsigned access, bool force);

#else

static inline bool large_fits(struct mvm_space *space, const struct area *a, mvm_vaddr_t va)
{
	(void)space, (void)a, (void)va;
	return false;
}

static inline unsigned large_fill(
	struct mvm_space *space, mvm_vaddr_t va, unsigned access, bool force)
{
	(void)space, (void)va, (void)access, (void)force;
	return 0;
}

#endif
