// SPDX-License-Identifier: MIT
/*
 * Where a map goes that does not say where: which ranges may be used at all.
 *
 * A hole between areas is not free to its last page.  A stack above it may grow into it, down to
 * its limit, and below that a gap stays.  And a range under a claim (space.h) may be empty at this
 * moment but belongs to the call that claims it.
 *
 *	  area                                claim              gap and growth    stack
 *	[//////]                            [:::::::]         {                 }[///////]
 *	        |<------ second range ----->|       |<-first->|
 */
#include "place.h"

/*
 * How large the stack `a` may become; of one without a limit, or with a high one, no more than an
 * eighth of the space is kept free for it.
 */
static size_t may_span(const struct mvm_space *space, const struct area *a)
{
	uint64_t most =
		min_u64(space->limits.stack, (space->high - space->low) >> (MVM_PAGE_SHIFT + 3));

	return (size_t)max_u64(a->end - a->start, most << MVM_PAGE_SHIFT);
}

/* How far down the stack `a` lays claim to what is below it. */
static mvm_vaddr_t stack_floor(const struct mvm_space *space, const struct area *a)
{
	size_t reserve = may_span(space, a) + GUARD_BYTES;

	return a->end - space->low > reserve ? a->end - reserve : space->low;
}

/* The end of what may be used of a hole. */
static mvm_vaddr_t usable_end(const struct mvm_space *space, const struct gap *hole)
{
	if (!hole->above || !(hole->above->flags & AREA_GROWSDOWN))
		return hole->end;
	return min_u64(stack_floor(space, hole->above), hole->end);
}

/* The claim in [start, end) that reaches highest, or NULL. */
static struct claim *highest_claim(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct claim *highest = NULL;

	for (struct claim *c = space->claims; c; c = c->next)
		if (c->start < end && start < c->end && (!highest || c->end > highest->end))
			highest = c;
	return highest;
}

static bool fits(const struct gap *g, size_t bytes)
{
	return g->start < g->end && g->end - g->start >= bytes;
}

bool place_next(struct mvm_space *space, mvm_vaddr_t *top, size_t bytes, struct gap *usable)
{
	while (area_gap_below(&space->areas, space->low, *top, bytes, usable)) {
		struct claim *c;

		*top = usable->start;
		usable->end = usable_end(space, usable);
		c = highest_claim(space, usable->start, usable->end);
		if (unlikely(c != NULL)) {
			*top = max_u64(c->start, space->low); /* no hole inside of it */
			usable->start = c->end;
		}
		if (fits(usable, bytes))
			return true;
	}
	return false;
}

/*
 * May a hint be followed?  It may lead to where a stack would grow, but not
 * into the gap below it.
 */
static bool is_free(struct mvm_space *space, mvm_vaddr_t start, size_t bytes)
{
	struct area *a;
	size_t gap;

	if (start < space->low || start >= space->high || space->high - start < bytes)
		return false;
	a = area_find(&space->areas, start);
	gap = a && a->flags & AREA_GROWSDOWN ? GUARD_BYTES : 0;
	if (a && (a->start <= start || a->start - start < bytes + gap))
		return false;
	return !claim_find(space, start, start + bytes);
}

int place_elsewhere(struct mvm_space *space, mvm_vaddr_t hint, size_t bytes, mvm_vaddr_t *out)
{
	if (hint >= MVM_PAGE_BYTES && is_free(space, page_floor(hint), bytes)) {
		*out = page_floor(hint);
		return 0;
	}
	if (place_choose(space, space->top, bytes, out))
		return 0;
	return place_choose(space, space->high, bytes, out) ? 0 : -MVM_ENOMEM;
}

bool place_wait(struct mvm_space *space, size_t bytes)
{
	struct claim *claims = space->claims, *c;
	mvm_vaddr_t start;
	int err;

	space->claims = NULL;
	err = place(space, 0, bytes, &start);
	space->claims = claims;
	c = err ? NULL : claim_find(space, start, start + bytes);
	if (c)
		claim_wait(space, c->start, c->end);
	return c;
}

bool place_may_grow(struct mvm_space *space, struct area *a, mvm_vaddr_t va)
{
	struct area *below = area_prev(a);
	mvm_vaddr_t floor = below ? below->end : space->low;
	struct growth more = growth_of(a->rights, a->flags, (a->start - va) >> MVM_PAGE_SHIFT);

	if (!(a->flags & AREA_GROWSDOWN) || (a->end - va) >> MVM_PAGE_SHIFT > space->limits.stack ||
		limits_check(space, &more) != 0)
		return false;
	return va >= floor && (!below || va - floor >= GUARD_BYTES);
}
