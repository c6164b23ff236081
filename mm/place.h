// SPDX-License-Identifier: MIT
/*
 * Placement: where a map goes that does not say where.
 *
 * The mechanism (place.c) knows what may be used at all.  The policy chooses, by one function; one
 * is linked in when mm is configured (MAPACHE_MM_PLACE):
 *
 *	place_topdown.c    the highest hole that fits, at its upper end, large maps at a table's
 *	                   boundary: the default
 *	place_bottomup.c   the lowest hole that fits, at its lower end
 *	place_bestfit.c    the smallest hole that fits
 *	place_random.c     any place where it fits, each as likely as the others
 *
 * docs/plugging.md tells how to write another and compares these by figures; mm/test/kit_place.h is
 * what it must pass.  The space's lock is held in all of these calls.
 */
#pragma once

#include "space.h"

/* The gap that is kept free below a stack. */
#define GUARD_BYTES ((size_t)256 << MVM_PAGE_SHIFT)

/* --- What a policy is given ------------------------------------------------------------------- */

/*
 * The highest range below *top in which `bytes` may be put, the whole of it in *usable; *top then
 * becomes where to look on for the next.  Left out are areas, what a stack may still grow into and
 * the gap below that, and ranges that a call under way lays claim to.  False: that was all.
 * Costs one search of the index for each hole that is large enough.
 */
bool place_next(struct mvm_space *space, mvm_vaddr_t *top, size_t bytes, struct gap *usable);

/* --- What a policy is ------------------------------------------------------------------------- */

/*
 * Choose a place for `bytes` below `top`: *out is a page boundary, and [*out, *out + bytes) lies in
 * a range that place_next() has given.  True if place_next() gives any.  Beside these ranges it may
 * look at the space's ends, and at mvmh_entropy(), on nothing else does the choice depend: a host
 * without randomization gets the same places in each run.  It allocates nothing and keeps nothing:
 * the next call may be for another space.
 */
bool place_choose(struct mvm_space *space, mvm_vaddr_t top, size_t bytes, mvm_vaddr_t *out);

/* --- What calls ask -------------------------------------------------------------------------- */

/* place() for a hint, or where there was nothing below the random top. */
int place_elsewhere(
	struct mvm_space *space, mvm_vaddr_t hint, size_t bytes, mvm_vaddr_t *out) MVM_MUST_CHECK;

/*
 * Find room for `bytes` (a multiple of the page, not 0): at `hint` (its page) if there is room,
 * else where the policy says, below the space's randomized top if possible.  0 or -MVM_ENOMEM; then
 * no hole of the space is large enough, or those that are lie under claims, which end: before a
 * call fails for that, it asks place_wait().
 */
MVM_MUST_CHECK static inline int place(
	struct mvm_space *space, mvm_vaddr_t hint, size_t bytes, mvm_vaddr_t *out)
{
	if (likely(hint < MVM_PAGE_BYTES && place_choose(space, space->top, bytes, out)))
		return 0;
	return place_elsewhere(space, hint, bytes, out);
}

/*
 * Would there be room, were it not for claims?  Then wait for one that is in the way, and call
 * place() again; drops the lock, look everything up again.  False: there is none, and nobody was
 * waited for.
 */
bool place_wait(struct mvm_space *space, size_t bytes);

/*
 * May the stack `a` grow down to the page?  Not past its limit, and not so far that less than the
 * guard gap stays free below.  The space's lock is held.
 */
bool place_may_grow(struct mvm_space *space, struct area *a, mvm_vaddr_t va);
