// SPDX-License-Identifier: MIT
/* Taking ranges away: munmap, and what it shares with FIXED maps and the end of a space. */
#pragma once

#include "space.h"

/*
 * Everything of a dead space.  Cannot fail.  No lock held.
 */
void unmap_all(struct mvm_space *space);

/*
 * The first half: reserve what the second half needs, claim [start, end) and sweep it.  On return
 * nothing is mapped there, the batch is finished, private pages are freed; the areas are still in
 * the index.  No lock held before and after.  0, or -MVM_ENOMEM with nothing changed.
 */
struct unmap {
	struct claim claim;
	struct area *spare; /* for the upper part of an area cut in the middle */
	struct area *gone;  /* areas that left the index, linked by `parent` */
};
int unmap_begin(struct unmap *u, struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end,
	enum claim_kind kind) MVM_MUST_CHECK;

/*
 * The second half: take the claimed range out of the areas.  Locks the space, and leaves it locked
 * with the range empty and still claimed.
 */
void unmap_areas_lock(struct unmap *u, struct mvm_space *space);

/* The end: give the claim up, unlock, let go of what the areas referred to. */
void unmap_end_unlock(struct unmap *u, struct mvm_space *space);
