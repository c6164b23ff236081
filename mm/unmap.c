// SPDX-License-Identifier: MIT
/*
 * Unmapping: mark, sweep, forget.
 *
 *	1. reserve  what could fail: an area for the upper part of one cut in the middle, and the
 *	            shared boundary paths of the anon tree
 *	2. mark     the claim: from now on no fault installs anything in the range, no map call
 *	            changes it, no placement enters it
 *	3. sweep    translations, then private pages, at most 64 a hold; they collect in one batch
 * and one grave
 *	4. finish   the batch (no lock), then free the pages
 *	5. forget   take the range out of the areas, at most 64 areas a hold: whole ones go, others
 *	            shrink in place; the last hold drops the claim
 *
 * The areas outlive the sweep because truncate and reclaim find translations through them: an area
 * that left its object's reverse map while something of it was still mapped would let a freed
 * frame be reached.  And the claim outlives the batch: if the range could be mapped again before
 * it is finished, a hart with a stale translation would store to the old page.
 *
 * Refused: a flag on each area ("dying").  It would need the areas to be cut first, so a third
 * and a fourth structure in the common case, and an area to exist where FIXED replaces a hole.
 *
 * Holes, and pages that were never touched, cost nothing: both sweeps skip them.
 */
#include "unmap.h"

#include "meta.h"
#include "trace.h"
#include "object.h"
#include "stats.h"
#include "writeback.h"

/* Will [start, end) leave something of one area on both sides? */
static bool cuts_middle(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct area *a = space_area(space, start);

	return a && a->start < start && end < a->end;
}

/*
 * The page numbers of a range.  At the space's ends it is widened to all that the tree can hold: so
 * the end of a space cuts no path.
 */
static uint64_t first_vpn(const struct mvm_space *space, mvm_vaddr_t start)
{
	return start == space->low ? 0 : start >> MVM_PAGE_SHIFT;
}

static uint64_t last_vpn(const struct mvm_space *space, mvm_vaddr_t end)
{
	return (end == space->high ? node_span(space->anons.levels) : end >> MVM_PAGE_SHIFT) - 1;
}

/* Reserve; the space's lock is held, nobody claims the range. */
static int reserve(struct unmap *u, struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	if (!u->spare && cuts_middle(space, start, end)) {
		u->spare = slab_alloc(SLAB_AREA);
		if (!u->spare)
			return -MVM_ENOMEM;
	}
	return anon_reserve_edges(&space->anons, first_vpn(space, start), last_vpn(space, end));
}

/* Sweep the claimed range.  Locked at the start, unlocked at the end. */
static void sweep_unlock(struct mvm_space *space, struct claim *c, struct sweep *sweep)
{
	uint64_t vpn = first_vpn(space, c->start), last = last_vpn(space, c->end);
	mvm_vaddr_t va = c->start;

	for (;;) {
		sweep_open(space, sweep);
		if (va < c->end)
			va = mvmh_pmap_remove(&space->pmap, va, c->end, &sweep->batch);
		if (va == c->end) {
			vpn = anon_next(&space->anons, vpn, last);
			if (vpn > last)
				break;
			vpn = anon_remove(&space->anons, vpn, last, &sweep->grave);
		}
		space_unlock(space);
		space_lock(space);
	}
	space_unlock(space);
}

int unmap_begin(struct unmap *u, struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end,
	enum claim_kind kind)
{
	struct sweep sweep = {0};
	unsigned attempts = 0;

	u->spare = u->gone = NULL;
	space_lock(space);
	for (;;) {
		claim_wait(space, start, end);
		if (reserve(u, space, start, end) == 0)
			break;
		space_unlock(space);
		if (!memory_wait(&attempts)) {
			if (u->spare)
				slab_free(SLAB_AREA, u->spare);
			return -MVM_ENOMEM;
		}
		space_lock(space);
	}
	claim_enter(space, &u->claim, start, end, kind);
	trace(space, MVM_TRACE_UNMAP, start, end, 0);
	sweep_unlock(space, &u->claim, &sweep);
	sweep_finish(space, &sweep);
	return 0;
}

/* Take the claimed range out of one area. */
static void cut(struct unmap *u, struct mvm_space *space, struct area *a)
{
	mvm_vaddr_t start = u->claim.start, end = u->claim.end;

	if (start <= a->start && a->end <= end) {
		space_remove(space, a);
		a->parent = u->gone;
		u->gone = a;
		return;
	}
	if (a->start < start && end < a->end) {
		space_split(space, a, end, u->spare);
		u->spare = NULL;
	}
	if (a->start < start)
		space_resize(space, a, a->start, start);
	else
		space_resize(space, a, end, a->end);
}

/* Free what is left over.  Objects may be released here: no lock is held. */
static void free_leftovers(struct unmap *u)
{
	struct area *a;

	while ((a = u->gone) != NULL) {
		u->gone = a->parent;
		if (a->object && !area_private(a))
			writeback_urgent(a->object);
		area_free(a);
	}
	if (u->spare)
		slab_free(SLAB_AREA, u->spare);
	u->spare = NULL;
}

void unmap_areas_lock(struct unmap *u, struct mvm_space *space)
{
	struct claim *c = &u->claim;
	struct area *a;
	unsigned n = 0;

	space_lock(space);
	while ((a = area_find(&space->areas, c->start)) != NULL && a->start < c->end) {
		cut(u, space, a);
		if (++n % MVM_HOLD_PAGES == 0) {
			space_unlock(space);
			free_leftovers(u);
			space_lock(space);
		}
	}
}

void unmap_end_unlock(struct unmap *u, struct mvm_space *space)
{
	claim_leave_unlock(space, &u->claim);
	free_leftovers(u);
}

void unmap_all(struct mvm_space *space)
{
	struct unmap u;

	/* Nothing has to be reserved: no area is cut, no path of the tree is at an edge. */
	if (unmap_begin(&u, space, space->low, space->high, CLAIM_UNMAP) != 0)
		mvmh_panic("mm: unmapping a whole space needs no memory");
	unmap_areas_lock(&u, space);
	unmap_end_unlock(&u, space);
}

int mvm_unmap(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes)
{
	mvm_vaddr_t end = addr + pages_of(bytes) * MVM_PAGE_BYTES;
	struct unmap u;
	int err;

	if (bytes == 0 || addr & MVM_PAGE_MASK || addr < space->low || end <= addr ||
		end > space->high)
		return -MVM_EINVAL;
	err = unmap_begin(&u, space, addr, end, CLAIM_UNMAP);
	if (err)
		return err;
	unmap_areas_lock(&u, space);
	unmap_end_unlock(&u, space);
	return 0;
}
