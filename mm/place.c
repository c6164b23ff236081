// SPDX-License-Identifier: MIT
/*
 * Where a map goes that does not say where.
 *
 * A policy (place_topdown.c, place_bestfit.c, place_bottomup.c; one is linked in) chooses among the
 * holes; this file says which holes there are.  A policy sees a hole without the parts that must
 * stay free: below a stack as far as it may grow, and its guard; and ranges under a claim.
 */
#include "space.h"

/* From the bytes of a space to the pages of its eighth. */
#define STACK_SHIFT (MVM_PAGE_SHIFT + 3)

/*
 * How far down the area above a hole lays claim to it: a stack may span what its limit says, but to
 * no more than an eighth of the space is it kept free for it.
 */
static mvm_vaddr_t stack_floor(struct mvm_space *space, mvm_vaddr_t hole_end)
{
	struct area *a = area_find(&space->areas, hole_end);
	size_t reserve;

	if (!a || !(a->flags & AREA_GROWSDOWN))
		return hole_end;
	reserve = (size_t)min_u64(space->limits.stack, (space->high - space->low) >> STACK_SHIFT)
		  << MVM_PAGE_SHIFT;
	reserve += GUARD_BYTES;
	return a->end - space->low > reserve ? min_u64(a->end - reserve, hole_end) : space->low;
}

/* Cut a hole down to a part of `bytes` or more without a claim, the upper one if there is a choice.
 */
static void avoid_claims(struct mvm_space *space, size_t bytes, struct gap *g)
{
	struct claim *c;

	while (g->start < g->end && (c = claim_find(space, g->start, g->end)) != NULL) {
		if (c->end < g->end && g->end - c->end >= bytes)
			g->start = c->end;
		else
			g->end = c->start;
	}
}

bool place_next(struct mvm_space *space, mvm_vaddr_t *top, size_t bytes, struct gap *usable)
{
	if (!area_gap_below(&space->areas, space->low, *top, bytes, usable))
		return false;
	*top = usable->start;
	usable->end = stack_floor(space, usable->end);
	avoid_claims(space, bytes, usable);
	if (usable->end < usable->start)
		usable->end = usable->start;
	return true;
}

static bool is_free(struct mvm_space *space, mvm_vaddr_t start, size_t bytes)
{
	struct area *a;

	if (start < space->low || start >= space->high || space->high - start < bytes)
		return false;
	a = area_find(&space->areas, start);
	return (!a || start + bytes <= a->start) && !claim_find(space, start, start + bytes);
}

int place(struct mvm_space *space, mvm_vaddr_t hint, size_t bytes, mvm_vaddr_t *out)
{
	hint = page_floor(hint);
	if (hint && is_free(space, hint, bytes)) {
		*out = hint;
		return 0;
	}
	if (place_choose(space, space->top, bytes, out))
		return 0;
	return place_choose(space, space->high, bytes, out) ? 0 : -MVM_ENOMEM;
}
