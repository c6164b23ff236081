// SPDX-License-Identifier: MIT
/*
 * Unmapping: mark, sweep, forget.
 *
 *	1. reserve  what could fail: an area for the upper part of one cut in the middle, and the
 *	            shared boundary paths of the anon tree
 *	2. mark     the claim: from now on no fault installs anything in the range, no map call
 *	            changes it, no placement enters it
 *	3. sweep    the translations, at most 64 a hold, into one batch; then finish the batch
 *	4. drop     private pages: nothing reaches them through this space.  A hold drops those of
 *	            one leaf of the tree, or unhooks from one node those below that lie inside as a
 *	            whole: its work is at most 64 slots, however many pages are there, for at these
 *	            looks the burial, without a lock
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
 * Mostly nobody has to wait: the range is short, part of one area without an object, and no other
 * hart is in the space.  Then all of it is one hold of the lock, which is as good a mark as a claim
 * (unmap_at_once); and where no fault has found anything to map, only step 5 is left of it.  A
 * single page needs no batch then, either (sweep_page): the host empties its entry and forgets it.
 *
 * Refused: a flag on each area ("dying").  It would need the areas to be cut first, so a third
 * and a fourth structure in the common case, and an area to exist where FIXED replaces a hole.
 *
 * Holes, and pages that were never touched, cost nothing: both sweeps skip them.
 */
#include "unmap.h"

#include "object.h"
#include "range.h"
#include "stats.h"
#include "trace.h"
#include "writeback.h"

/* Does [start, end) leave something of the area on both sides, so that one more is needed? */
static bool cuts_middle(const struct area *a, mvm_vaddr_t start, mvm_vaddr_t end)
{
	return a->start < start && end < a->end;
}

/*
 * Find out whether there are private pages, and have the edges of what is shared of the tree ready:
 * where there are none, nothing of it will have to be copied.
 */
static int reserve_pages(
	struct unmap *u, struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	uint64_t first = start >> MVM_PAGE_SHIFT, last = (end - 1) >> MVM_PAGE_SHIFT;
	struct area *a = area_find(&space->areas, start);

	u->private_pages = a && a->start < end && anon_any(&space->anons, first, last);
	return u->private_pages ? anon_reserve_edges(&space->anons, first, last) : 0;
}

OWN_FRAME int unmap_reserve(
	struct unmap *u, struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct area *a = space_area(space, start);

	if (a && cuts_middle(a, start, end)) {
		if (limits_check(space, &one_area) != 0)
			return -MVM_ENOMEM;
		u->spare = area_alloc(space);
		if (!u->spare)
			return -MVM_EAGAIN;
		limits_reserve(space, &one_area);
	}
	return reserve_pages(u, space, start, end) ? -MVM_EAGAIN : 0;
}

void unmap_unreserve(struct unmap *u, struct mvm_space *space)
{
	if (!u->spare)
		return;
	slab_free(SLAB_AREA, u->spare);
	u->spare = NULL;
	limits_release(space, &one_area);
}

/*
 * Step 3.  Locked at the start and at the end; in between only if it is long,
 * or waits for harts.
 */
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

/* Step 4: there are some.  Locked at the start and at the end. */
static void remove_anons(struct mvm_space *space, const struct claim *c, struct grave *grave)
{
	uint64_t vpn = c->start >> MVM_PAGE_SHIFT, last = (c->end - 1) >> MVM_PAGE_SHIFT;

	if ((c->end - c->start) >> MVM_PAGE_SHIFT > MVM_HOLD_PAGES / 2)
		space_relock(space); /* step 3 was enough work for that hold */
	for (;;) {
		uint64_t before = anon_count(&space->anons);

		vpn = anon_remove(&space->anons, vpn, last, grave);
		space_work(space, min_u64(before - anon_count(&space->anons), MVM_HOLD_PAGES));
		if (vpn <= last)
			vpn = anon_next(&space->anons, vpn, last);
		if (vpn > last)
			return;
		space_relock(space);
	}
}

/*
 * May something be mapped there?  Not where no area is; nor in one without an object, if there are
 * no private pages and no zeros.
 */
static bool may_be_mapped(const struct unmap *u, struct mvm_space *space)
{
	struct area *a = area_find(&space->areas, u->claim.start);

	if (!a || a->start >= u->claim.end)
		return false;
	return u->private_pages || a->object || u->claim.end > a->end || a->touched & TOUCHED_ZEROS;
}

OWN_FRAME void unmap_sweep(struct unmap *u, struct mvm_space *space)
{
	if (may_be_mapped(u, space))
		remove_translations(space, &u->claim);
	if (u->private_pages)
		remove_anons(space, &u->claim, &u->grave);
	u->private_pages = false;
}

/*
 * Take [start, end) out of an area; `upper`: for one cut in the middle.  Returns it if it is to be
 * freed.
 */
static inline struct area *take_out(struct mvm_space *space, struct area *a, mvm_vaddr_t start,
	mvm_vaddr_t end, struct area *upper)
{
	if (start <= a->start && a->end <= end) {
		space_remove(space, a);
		return area_keep(space, a) ? NULL : a;
	}
	if (upper)
		space_cut(space, a, start, end, upper);
	else if (a->start < start)
		space_resize(space, a, a->start, start);
	else
		space_resize(space, a, end, a->end);
	return NULL;
}

/* Take the claimed range out of one area. */
static void cut(struct unmap *u, struct mvm_space *space, struct area *a)
{
	struct area *upper = NULL;

	if (cuts_middle(a, u->claim.start, u->claim.end)) {
		upper = u->spare;
		u->spare = NULL;
		limits_release(space, &one_area);
	}
	a = take_out(space, a, u->claim.start, u->claim.end, upper);
	if (a) {
		a->parent = u->gone;
		u->gone = a;
	}
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

/*
 * Claim [start, end), sweep it and take it out of the areas.  Locked at the start.  On return, too:
 * the range is empty, but still claimed; else not, and nothing has changed: errors as of
 * unmap_reserve().
 */
static int unmap_locked(
	struct unmap *u, struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
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
	claim_enter(space, &u->claim, start, end, CLAIM_UNMAP);
	unmap_sweep(u, space);
	unmap_areas(u, space);
	return 0;
}

/* Objects may be released here, so no lock is held, and no claim. */
static void free_areas(struct area *a)
{
	struct area *next, *chain = NULL;
	unsigned n = 0;

	for (; a; a = next) {
		next = a->parent;
		if (a->object && !area_private(a))
			writeback_urgent(a->object);
		if (a->object)
			mvm_object_unref(a->object);
		*(struct area **)a = chain;
		chain = a;
		if (++n == MVM_RUN_PAGES || !next) {
			chain = slab_free_some(SLAB_AREA, chain, n);
			n = 0;
		}
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
	struct unmap u = {.spare = NULL};
	unsigned attempts = 0;

	space_lock(space);
	for (;;) {
		claim_wait(space, start, end);
		if (reserve_pages(&u, space, start, end) == 0)
			break;
		space_unlock(space);
		if (!memory_wait(&attempts))
			return -MVM_ENOMEM;
		space_lock(space);
	}
	claim_enter(space, &u.claim, start, end, CLAIM_REPLACE);
	unmap_sweep(&u, space);
	claim_leave_unlock(space, &u.claim);
	anon_bury(&u.grave);
	return 0;
}

/* Step 5 for all areas: nothing is looked up any more where they were.  Locked as unmap_areas(). */
static void forget_all(struct unmap *u, struct mvm_space *space)
{
	struct area *a = space_remove_all(space), *next;

	for (unsigned n = 1; a; n++, a = next) {
		next = area_next(a);
		area_leave_object(a);
		a->parent = u->gone;
		u->gone = a;
		if (n % MVM_HOLD_PAGES == 0)
			space_relock(space);
	}
}

/* Nothing has to be reserved: no area is cut, and both trees go as a whole. */
void unmap_all(struct mvm_space *space)
{
	struct unmap u = {.spare = NULL};

	space_lock(space);
	claim_enter(space, &u.claim, space->low, space->high, CLAIM_UNMAP);
	trace(space, MVM_TRACE_UNMAP, space->low, space->high, 0);
	remove_translations(space, &u.claim);
	anon_remove_all(&space->anons, &u.grave);
	forget_all(&u, space);
	unmap_end_unlock(&u, space);
}

/* The five steps.  Locked; unlocks. */
static OWN_FRAME int unmap_claimed(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct unmap u;
	int err = unmap_locked(&u, space, start, end);

	if (!err)
		unmap_end_unlock(&u, space);
	return err;
}

/* --- In one hold ------------------------------------------------------------------------------ */

/*
 * Steps 3 and 4 for a page, which has this anon, or none: without a batch.  Locked.  False, and
 * nothing has changed: other harts may know what is mapped, or what a batch has removed that is
 * open; or the tree shares the anon's leaf.
 */
static bool sweep_page(
	struct mvm_space *space, mvm_vaddr_t va, const struct mvm_page *anon, struct grave *grave)
{
	uint64_t vpn = va >> MVM_PAGE_SHIFT;

	if (anon && !anon_at_finger(&space->anons, vpn))
		return false;
	if (ref_count(&space->open_sweeps) > 0 || !mvmh_pmap_remove_here(&space->pmap, va))
		return false;
	trace(space, MVM_TRACE_SHOOTDOWN, 0, false, 0);
	COUNT(shootdowns, 1);
	space_work(space, 1);
	if (anon)
		anon_remove_one(&space->anons, vpn, grave);
	return true;
}

/*
 * Steps 1, 3 and 4 for a part of one area.  Locked.  False: it takes longer, and some of 3 may be
 * done.
 */
static bool sweep_at_once(struct mvm_space *space, const struct area *a, mvm_vaddr_t start,
	mvm_vaddr_t end, struct grave *grave)
{
	uint64_t vpn = start >> MVM_PAGE_SHIFT, last = (end - 1) >> MVM_PAGE_SHIFT;
	struct sweep sweep = {.open = false};
	bool exclusive, pages;
	/* That puts the tree's finger there, if it was not: whatever follows is cheap. */
	struct mvm_page *anon = anon_find(&space->anons, vpn, &exclusive);

	pages = anon || (vpn < last && anon_any(&space->anons, vpn, last));
	if (!pages && !(a->touched & TOUCHED_ZEROS))
		return true;
	if (vpn == last && sweep_page(space, start, anon, grave))
		return true;
	if (!MVMH_SYNCS_HERE || last - vpn >= MVM_HOLD_PAGES / 2)
		return false;
	if (pages && anon_reserve_edges(&space->anons, vpn, last) != 0)
		return false;
	sweep_open(space, &sweep);
	if (space_remove_some(space, start, end, &sweep.batch) != end)
		mvmh_panic("mm: the host removes as many entries as fit in a hold");
	if (!sweep_finish(space, &sweep))
		return false;
	space_work(space, last - vpn + 1);
	while (pages && vpn <= last)
		vpn = anon_remove(&space->anons, vpn, last, grave);
	return true;
}

/*
 * Part of one area without an object, which nobody claims?  Then what stands in the way of one hold
 * is only how much there is to sweep.  Locked.
 */
static bool is_simple(
	struct mvm_space *space, const struct area *a, mvm_vaddr_t start, mvm_vaddr_t end)
{
	return a && !a->object && end <= a->end && !claim_find(space, start, end);
}

/* Step 5 for what is not cut in the middle, or `upper` is there.  Locked; unlocks. */
static inline void take_out_unlock(struct mvm_space *space, struct area *a, mvm_vaddr_t start,
	mvm_vaddr_t end, struct area *upper)
{
	a = take_out(space, a, start, end, upper);
	space_unlock(space);
	if (a)
		area_free(a);
}

/* All steps, for a simple range.  Locked; unlocks if it is done.  False: it takes a claim. */
static OWN_FRAME bool unmap_at_once(
	struct mvm_space *space, struct area *a, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct grave grave = {.anons = NULL};
	struct area *upper = NULL;

	if (cuts_middle(a, start, end)) {
		upper = limits_check(space, &one_area) ? NULL : area_alloc(space);
		if (!upper)
			return false;
	}
	if (a->touched && !sweep_at_once(space, a, start, end, &grave)) {
		if (upper)
			slab_free(SLAB_AREA, upper);
		return false;
	}
	take_out_unlock(space, a, start, end, upper);
	if (grave.anons || grave.nodes)
		anon_bury(&grave);
	return true;
}

int mvm_unmap(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes)
{
	unsigned attempts = 0;
	mvm_vaddr_t end;
	struct area *a;
	int err;

	if (!range_end(addr, bytes, &end) || bytes == 0 || addr < space->low || end > space->high)
		return -MVM_EINVAL;
	space_lock(space);
	trace(space, MVM_TRACE_UNMAP, addr, end, 0);
	a = space_area(space, addr);
	if (likely(is_simple(space, a, addr, end))) {
		if (!a->touched && !cuts_middle(a, addr, end)) {
			take_out_unlock(space, a, addr, end, NULL);
			return 0;
		}
		if (unmap_at_once(space, a, addr, end))
			return 0;
	}
	while ((err = unmap_claimed(space, addr, end)) == -MVM_EAGAIN && memory_wait(&attempts))
		space_lock(space);
	return err == -MVM_EAGAIN ? -MVM_ENOMEM : err;
}
