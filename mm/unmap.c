// SPDX-License-Identifier: MIT
/*
 * Unmapping: mark, sweep, forget.
 *
 *	1. reserve  what could fail: an area for the upper part of one cut in the middle, and the
 *	            shared boundary paths of the anon tree
 *	2. mark     the claim: from now on no fault installs anything in the range, no map call
 *	            changes it, no placement enters it
 *	3. sweep    the translations, at most 64 a hold, into one batch; then finish the batch
 *	4. drop     private pages, at most a leaf a hold: nothing reaches them through this space now
 *	5. forget   take the range out of the areas: whole ones go, others shrink in place; the last
 *	            hold drops the claim
 *
 * Why 3 is finished before 4 begins: a private page may be shared with a fork.  Once our reference
 * is dropped, that other space may drop the last one and free the frame, while a hart of ours could
 * still reach it through a translation whose batch we have not finished.
 *
 * The areas outlive the sweep because truncate and reclaim find translations through them: an area
 * that left its object's reverse map while something of it was still mapped would let a freed
 * frame be reached.  And the claim outlives the batch: if the range could be mapped again before
 * it is finished, a hart with a stale translation would store to the old page.
 *
 * Where no other hart has to be waited for and the range is short, all of it is one hold of the lock; and
 * where no page of an area without an object was ever made there, only step 5 is left (untouched).
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
#include "range.h"
#include "stats.h"
#include "writeback.h"

/* Does [start, end) leave something of one area on both sides, so that one more is needed?  Locked. */
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

/* Whatever is shared of the tree: where no private page is, nothing of it will have to be copied. */
static int reserve_edges(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	uint64_t first = first_vpn(space, start), last = last_vpn(space, end);

	return anon_any(&space->anons, first, last) ? anon_reserve_edges(&space->anons, first, last)
						    : 0;
}

OWN_FRAME int unmap_reserve(
	struct unmap *u, struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	if (cuts_middle(space, start, end)) {
		if (limits_check(space, &one_area) != 0)
			return -MVM_ENOMEM;
		u->spare = slab_alloc(SLAB_AREA);
		if (!u->spare)
			return -MVM_EAGAIN;
		limits_reserve(space, &one_area);
	}
	return reserve_edges(space, start, end) ? -MVM_EAGAIN : 0;
}

void unmap_unreserve(struct unmap *u, struct mvm_space *space)
{
	if (!u->spare)
		return;
	slab_free(SLAB_AREA, u->spare);
	u->spare = NULL;
	limits_release(space, &one_area);
}

/* Step 3.  Locked at the start and at the end; in between only if it is long, or waits for harts. */
static void remove_translations(struct mvm_space *space, const struct claim *c)
{
	struct sweep sweep = {0};
	mvm_vaddr_t va = c->start;

	for (;;) {
		sweep_open(space, &sweep);
		va = space_remove_some(space, va, c->end, &sweep.batch);
		if (va == c->end)
			break;
		space_relock(space);
	}
	sweep_finish(space, &sweep);
}

/* Step 4.  Locked at the start and at the end. */
static void remove_anons(struct mvm_space *space, const struct claim *c, struct grave *grave)
{
	uint64_t vpn = first_vpn(space, c->start), last = last_vpn(space, c->end);

	if ((c->end - c->start) >> MVM_PAGE_SHIFT > MVM_HOLD_PAGES / 2)
		space_relock(space); /* step 3 was enough work for that hold */
	while ((vpn = anon_next(&space->anons, vpn, last)) <= last) {
		uint64_t before = anon_count(&space->anons);

		vpn = anon_remove(&space->anons, vpn, last, grave);
		space_work(space, min_u64(before - anon_count(&space->anons), MVM_HOLD_PAGES));
		if (vpn <= last)
			space_relock(space);
	}
}

/* Is the range part of an area of private pages only?  Then what is mapped there is in the tree. */
static bool is_anonymous(struct mvm_space *space, const struct claim *c)
{
	struct area *a = space_area(space, c->start);

	return a && !a->object && c->end <= a->end;
}

OWN_FRAME void unmap_sweep(struct mvm_space *space, const struct claim *c, struct grave *grave)
{
	bool private_pages =
		anon_any(&space->anons, first_vpn(space, c->start), last_vpn(space, c->end));

	if (private_pages || !is_anonymous(space, c))
		remove_translations(space, c);
	if (private_pages)
		remove_anons(space, c, grave);
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
		limits_release(space, &one_area);
	}
	if (a->start < start)
		space_resize(space, a, a->start, start);
	else
		space_resize(space, a, end, a->end);
}

bool unmap_some_areas(struct unmap *u, struct mvm_space *space)
{
	struct area *a = area_find(&space->areas, u->claim.start), *next;

	for (unsigned n = 0; a && a->start < u->claim.end; n++, a = next) {
		if (n == MVM_HOLD_PAGES)
			return true;
		next = area_next(a);
		cut(u, space, a);
	}
	return false;
}

OWN_FRAME void unmap_areas(struct unmap *u, struct mvm_space *space)
{
	while (unmap_some_areas(u, space))
		space_relock(space);
}

/* The space is locked before. */
static int unmap_locked(struct unmap *u, struct mvm_space *space, mvm_vaddr_t start,
	mvm_vaddr_t end, enum claim_kind kind)
{
	int err;

	*u = (struct unmap){.spare = NULL};
	claim_wait(space, start, end);
	err = unmap_reserve(u, space, start, end);
	if (unlikely(err)) {
		unmap_unreserve(u, space);
		space_unlock(space);
		return err;
	}
	claim_enter(space, &u->claim, start, end, kind);
	trace(space, MVM_TRACE_UNMAP, start, end, 0);
	unmap_sweep(space, &u->claim, &u->grave);
	unmap_areas(u, space);
	return 0;
}

int unmap_lock(struct unmap *u, struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end,
	enum claim_kind kind)
{
	space_lock(space);
	return unmap_locked(u, space, start, end, kind);
}

/* Objects may be released here, so no lock is held, and no claim. */
static void free_areas(struct area *a)
{
	struct area *next;

	for (; a; a = next) {
		next = a->parent;
		if (a->object && !area_private(a))
			writeback_urgent(a->object);
		area_free(a);
	}
}

void unmap_end_unlock(struct unmap *u, struct mvm_space *space)
{
	unmap_unreserve(u, space);
	claim_leave_unlock(space, &u->claim);
	anon_bury(&u->grave);
	free_areas(u->gone);
}

int unmap_contents(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct grave grave = {0};
	struct claim claim;
	unsigned attempts = 0;

	space_lock(space);
	for (;;) {
		claim_wait(space, start, end);
		if (reserve_edges(space, start, end) == 0)
			break;
		space_unlock(space);
		if (!memory_wait(&attempts))
			return -MVM_ENOMEM;
		space_lock(space);
	}
	claim_enter(space, &claim, start, end, CLAIM_REPLACE);
	unmap_sweep(space, &claim, &grave);
	claim_leave_unlock(space, &claim);
	anon_bury(&grave);
	return 0;
}

void unmap_all(struct mvm_space *space)
{
	struct unmap u;

	/* Nothing has to be reserved: no area is cut, no path of the tree is at an edge. */
	if (unmap_lock(&u, space, space->low, space->high, CLAIM_UNMAP) != 0)
		mvmh_panic("mm: unmapping a whole space needs no memory");
	unmap_end_unlock(&u, space);
}

/* The whole of it where there is something to sweep, or much to cut.  Locked; unlocks. */
static COLD int unmap_swept(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct unmap u;
	int err = unmap_locked(&u, space, start, end, CLAIM_UNMAP);

	if (!err)
		unmap_end_unlock(&u, space);
	return err;
}

/*
 * The area of which the range is the beginning, the end or all, if nothing of it was ever touched: then
 * the steps are one, and nobody can come between them.  Else NULL.  Locked.
 */
static struct area *untouched(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct area *a = space_area(space, start);

	if (!a || a->object || end > a->end || (a->start < start && end < a->end))
		return NULL;
	if (claim_find(space, start, end) ||
		anon_any(&space->anons, start >> MVM_PAGE_SHIFT, (end - 1) >> MVM_PAGE_SHIFT))
		return NULL;
	return a;
}

/* -MVM_EAGAIN: reclaim, and again. */
static OWN_FRAME int unmap_once(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct area *a;

	space_lock(space);
	a = untouched(space, start, end);
	if (!a)
		return unmap_swept(space, start, end);
	trace(space, MVM_TRACE_UNMAP, start, end, 0);
	if (start > a->start) {
		space_resize(space, a, a->start, start);
		a = NULL;
	} else if (end < a->end) {
		space_resize(space, a, end, a->end);
		a = NULL;
	} else {
		space_remove(space, a);
	}
	space_unlock(space);
	if (a)
		area_free(a);
	return 0;
}

int mvm_unmap(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes)
{
	mvm_vaddr_t end;
	unsigned attempts = 0;
	int err;

	if (!range_end(addr, bytes, &end) || bytes == 0 || addr < space->low || end > space->high)
		return -MVM_EINVAL;
	do {
		err = unmap_once(space, addr, end);
	} while (err == -MVM_EAGAIN && memory_wait(&attempts));
	return err == -MVM_EAGAIN ? -MVM_ENOMEM : err;
}
