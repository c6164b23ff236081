// SPDX-License-Identifier: MIT
/*
 * mremap: a mapping gets another size, or another place.
 *
 * Shrinking is an unmap of the tail, also before a move.  Growing in place is an area made longer.
 * The rest is the move, of one area's pages to a place of that size or more:
 *
 *	1. claim the old range and the new one, both at once: two moves that cross could otherwise
 *	   wait for each other's second claim.  Faults in either wait, so neither is seen half done
 *	2. with FIXED, sweep what is at the new place and take it out of the areas
 *	3. put each private page of the old range into the tree at its new place too, by reference:
 *	   where leaves of the tree stand against one another, a leaf at a time
 *	4. move the translations of private memory, sweep the old range, translations first, then
 *	   its references to the pages
 *	5. enter an area at the new place, and take the old range out of the areas
 *
 * 3 is the only step that can fail, for it may need nodes for the tree, and it is taken back
 * by dropping what it put there: before 4 nothing has changed but for what FIXED replaced,
 * which is gone.  No page is copied; harts may store through translations of the old place until 4
 * removes them, and they store to the same page.  A page that was exclusive is so again after 4;
 * one that a fork shares stays shared.
 *
 * The object's list gets the new area at its end before it loses the old one.  So a reverse walk
 * that was to come to the old area comes to the new one: what truncate or reclaim marked is swept
 * at one of the two.  A truncate's walk that wants private pages of the old range waits for the
 * claim.
 */
#include "../meta.h"
#include "../object.h"
#include "../place.h"
#include "../range.h"
#include "../unmap.h"

#include <mm/vm.h>

/* One call. */
struct remap {
	struct mvm_space *space;
	mvm_vaddr_t start;           /* of the old range */
	size_t old_bytes, new_bytes; /* whole pages */
	unsigned flags;
	unsigned more_areas; /* there will be */
	mvm_vaddr_t target;  /* where the mapping is to be, or is */
	struct area *fresh;  /* for the new place */
	struct unmap *from;  /* of the old range, and of what is at the new place: */
	struct unmap *away;  /* on try_remap()'s stack */
};

static int check_args(const struct remap *r)
{
	const struct mvm_space *space = r->space;
	bool fixed = r->flags & MVM_REMAP_FIXED;

	if (r->flags & ~(unsigned)(MVM_REMAP_MAYMOVE | MVM_REMAP_FIXED) ||
		r->flags == MVM_REMAP_FIXED || r->start & MVM_PAGE_MASK || r->new_bytes == 0)
		return -MVM_EINVAL;
	if (r->start < space->low || r->start >= space->high ||
		r->old_bytes > space->high - r->start)
		return -MVM_EFAULT;
	if (!fixed)
		return r->new_bytes > space->high - space->low ? -MVM_ENOMEM : 0;
	if (r->target & MVM_PAGE_MASK || r->target < space->low || r->target >= space->high ||
		r->new_bytes > space->high - r->target)
		return -MVM_EINVAL;
	if (r->target < r->start + r->old_bytes && r->start < r->target + r->new_bytes)
		return -MVM_EINVAL;
	return 0;
}

/* What there will be more; `a` is what the old range lies in. */
static struct growth growth_by(const struct remap *r, const struct area *a)
{
	struct growth more =
		growth_of(a->rights, a->flags, (r->new_bytes - r->old_bytes) >> MVM_PAGE_SHIFT);

	more.areas = r->more_areas;
	return more;
}

static OWN_FRAME int check_growth(const struct remap *r, const struct area *a)
{
	struct growth more = growth_by(r, a);

	return limits_check(r->space, &more);
}

static OWN_FRAME int reserve_growth(const struct remap *r, const struct area *a)
{
	struct growth more = growth_by(r, a);
	int err = limits_check(r->space, &more);

	if (!err)
		limits_reserve(r->space, &more);
	return err;
}

static OWN_FRAME void release_growth(const struct remap *r, const struct area *a)
{
	struct growth more = growth_by(r, a);

	limits_release(r->space, &more);
}

/* May the mapping have its new size?  The space's lock is held. */
static int check_area(struct remap *r, const struct area *a)
{
	mvm_pgoff_t pages = r->new_bytes >> MVM_PAGE_SHIFT;

	if (!a || a->end - r->start < r->old_bytes)
		return -MVM_EFAULT;
	if (a->object && PAGE_INDEX_MAX - area_page(a, r->start) < pages)
		return -MVM_EFAULT;
	r->more_areas = 0;
	return check_growth(r, a);
}

/* --- In place --------------------------------------------------------------------------------- */

/*
 * Make the area longer where it is; nobody claims that (wait_for_others).  False: something is in
 * the way.  The space's lock is held.
 */
static bool grow_here(struct remap *r, struct area *a, struct area **gone)
{
	struct mvm_space *space = r->space;
	mvm_vaddr_t end = r->start + r->new_bytes;
	struct area *next = area_next(a);

	if (r->flags & MVM_REMAP_FIXED || r->old_bytes == 0 || a->end != r->start + r->old_bytes ||
		r->new_bytes > space->high - r->start || (next && next->start < end))
		return false;
	space_resize(space, a, a->start, end);
	*gone = space_merge(space, a, NULL);
	r->target = r->start;
	return true;
}

static OWN_FRAME int shrink(struct remap *r)
{
	mvm_vaddr_t end = r->start + r->new_bytes;
	bool mapped;

	space_lock(r->space);
	mapped = space_area(r->space, r->start);
	space_unlock(r->space);
	if (!mapped)
		return -MVM_EFAULT;
	r->target = r->start;
	if (r->new_bytes == r->old_bytes)
		return 0;
	return mvm_unmap(r->space, end, r->old_bytes - r->new_bytes);
}

/* --- The move --------------------------------------------------------------------------------- */

/*
 * Wait until nobody claims the old range, nor the new one: that is given, or where the old one may
 * be able to grow.  Locked.
 */
static void wait_for_others(struct remap *r)
{
	struct mvm_space *space = r->space;
	bool fixed = r->flags & MVM_REMAP_FIXED;
	size_t here = fixed ? r->old_bytes : min_u64(r->new_bytes, space->high - r->start);
	mvm_vaddr_t end = r->target + r->new_bytes;

	for (;;) {
		claim_wait(space, r->start, r->start + here);
		if (!fixed || !claim_find(space, r->target, end))
			return;
		claim_wait(space, r->target, end);
	}
}

/*
 * All that may fail before anything changes, but step 3: a place, an area for it, the edges of both
 * ranges, and what the limits allow.  Locked; AGAIN_LOOK: not all the time.
 */
static int reserve(struct remap *r, const struct area *a)
{
	struct mvm_space *space = r->space;
	int err = 0;

	if (!(r->flags & MVM_REMAP_FIXED))
		err = place(space, 0, r->new_bytes, &r->target);
	if (err)
		return place_wait(space, r->new_bytes) ? AGAIN_LOOK : err;
	if (!r->fresh)
		r->fresh = slab_alloc(SLAB_AREA);
	if (!r->fresh)
		return AGAIN_MEMORY;
	err = unmap_reserve(r->from, space, r->start, r->start + r->old_bytes);
	if (!err)
		err = unmap_reserve(r->away, space, r->target, r->target + r->new_bytes);
	if (err)
		return err == -MVM_EAGAIN ? AGAIN_MEMORY : err;
	/* The area at the new place is one more, if of the old one something stays. */
	r->more_areas = a->start < r->start || r->start + r->old_bytes < a->end;
	return reserve_growth(r, a);
}

/* Step 3, some pages a hold; empty leaves are passed by.  Locked at the start and at the end. */
static OWN_FRAME int share_pages(struct remap *r)
{
	struct anon_tree *tree = &r->space->anons;
	uint64_t from = r->start >> MVM_PAGE_SHIFT, to = r->target >> MVM_PAGE_SHIFT, n = 1;

	for (uint64_t left = r->old_bytes >> MVM_PAGE_SHIFT; n > 0 && left > 0; left -= n) {
		space_relock(r->space);
		n = (anon_next(tree, from, from + left - 1) - from) & -(uint64_t)NODE_SLOTS;
		if (n == 0)
			n = anon_share_run(tree, from, to, left, &r->away->grave);
		space_work(r->space, min_u64(n, MVM_HOLD_PAGES));
		from += n;
		to += n;
	}
	space_relock(r->space); /* a sweep is next */
	return n == 0 ? AGAIN_MEMORY : 0;
}

/*
 * What is mapped at the old place is mapped at the new one instead, if the host can do that: else
 * the next faults bring it back.  Not what belongs to an object: its reverse walks do not know the
 * new place yet.  Locked at the start and at the end.
 */
static OWN_FRAME void move_translations(struct remap *r)
{
	struct mvm_space *space = r->space;
	mvm_vaddr_t at = r->start, end = at + r->old_bytes;
	struct sweep sweep = {0};

	for (;;) {
		sweep_open(space, &sweep);
		space_work(space, MVM_HOLD_PAGES);
		at = mvmh_pmap_move(
			&space->pmap, at, end, r->target + (at - r->start), &sweep.batch);
		if (at == end)
			break;
		space_relock(space);
	}
	sweep_finish(space, &sweep);
	space_relock(space);
}

/* Step 5, after `a` was looked up again.  Locked. */
static void replace_area(struct remap *r, const struct area *a)
{
	struct mvm_space *space = r->space;
	uint64_t peak = space->peak;

	area_init_like(r->fresh, a);
	r->fresh->start = r->target;
	r->fresh->end = r->target + r->new_bytes;
	if (a->object) {
		r->fresh->offset = area_page(a, r->start);
		mvm_object_ref(a->object);
	}
	space_insert(space, r->fresh);
	r->fresh = NULL;
	unmap_areas(r->from, space);
	space->peak = max_u64(peak, space->mapped); /* for a moment it was counted twice */
}

/* Both ranges are claimed, and what was at the new place is to go.  Locked; unlocks. */
static OWN_FRAME int move_unlock(struct remap *r)
{
	struct mvm_space *space = r->space;
	struct area *a;
	int err;

	if (r->flags & MVM_REMAP_FIXED) {
		unmap_sweep(r->away, space);
		unmap_areas(r->away, space);
	}
	err = share_pages(r);
	if (!err) {
		if (!space_area(space, r->start)->object)
			move_translations(r);
		unmap_sweep(r->from, space);
	} else {
		r->away->private_pages = true; /* what step 3 put there */
		unmap_sweep(r->away, space);
	}
	a = space_area(space, r->start);
	release_growth(r, a);
	if (!err)
		replace_area(r, a);
	unmap_end_unlock(r->from, space);
	space_lock(space);
	unmap_end_unlock(r->away, space);
	return err;
}

/* One attempt to grow or to move. */
static OWN_FRAME int try_remap(struct remap *r)
{
	struct unmap from = {.spare = NULL}, away = {.spare = NULL};
	struct mvm_space *space = r->space;
	struct area *a, *gone = NULL;
	bool done = false;
	int err;

	r->from = &from;
	r->away = &away;
	space_lock(space);
	wait_for_others(r);
	a = space_area(space, r->start);
	err = space->dead ? -MVM_EFAULT : check_area(r, a);
	if (!err)
		done = grow_here(r, a, &gone);
	if (!err && !done)
		err = r->flags & MVM_REMAP_MAYMOVE ? reserve(r, a) : -MVM_ENOMEM;
	if (err || done) {
		unmap_unreserve(r->from, space);
		unmap_unreserve(r->away, space);
		space_unlock(space);
		if (gone)
			area_free(gone);
		return err;
	}
	claim_enter(space, &r->from->claim, r->start, r->start + r->old_bytes, CLAIM_REPLACE);
	claim_enter(space, &r->away->claim, r->target, r->target + r->new_bytes, CLAIM_REPLACE);
	return move_unlock(r);
}

/* --- The whole -------------------------------------------------------------------------------- */

static OWN_FRAME int run_move(struct remap *r)
{
	unsigned attempts = 0;
	int err;

	do {
		err = try_remap(r);
	} while (err == AGAIN_LOOK || (err == AGAIN_MEMORY && memory_wait(&attempts)));
	return err == AGAIN_MEMORY ? -MVM_ENOMEM : err;
}

/* What a move to a smaller place leaves behind goes first: it may be of any areas. */
static int cut_surplus(struct remap *r)
{
	size_t surplus = r->old_bytes - r->new_bytes;

	r->old_bytes = r->new_bytes;
	return mvm_unmap(r->space, r->start + r->new_bytes, surplus);
}

static int run(struct remap *r)
{
	int err = 0;

	if (r->new_bytes <= r->old_bytes && !(r->flags & MVM_REMAP_FIXED))
		return shrink(r);
	if (r->new_bytes < r->old_bytes)
		err = cut_surplus(r);
	return err ? err : run_move(r);
}

static OWN_FRAME int remap(struct mvm_space *space, mvm_vaddr_t addr, size_t old_bytes,
	size_t new_bytes, unsigned flags, mvm_vaddr_t *new_addr)
{
	struct remap r = {
		.space = space,
		.start = addr,
		.old_bytes = old_bytes,
		.new_bytes = new_bytes,
		.flags = flags,
		.target = *new_addr,
	};
	int err = check_args(&r);

	if (!err)
		err = run(&r);
	if (r.fresh)
		slab_free(SLAB_AREA, r.fresh);
	if (!err)
		*new_addr = r.target;
	return err;
}

/* What is mapped at r->start, for one more map of it; the object is referenced. */
static int describe(const struct remap *r, struct mvm_map *m)
{
	struct part part;
	int err = check_args(r);

	if (err)
		return err;
	part_at(r->space, r->start, r->start + MVM_PAGE_BYTES, &part);
	m->rights = part.rights;
	m->max_rights = part.max_rights;
	m->flags = part.flags | (r->flags & MVM_REMAP_FIXED ? MVM_MAP_FIXED : 0);
	m->object = part.object;
	m->offset_pages = part.first;
	if (part.hole)
		return -MVM_EFAULT;
	return part.flags & AREA_SHARED && r->flags ? 0 : -MVM_EINVAL;
}

static OWN_FRAME int describe_again(struct mvm_space *space, mvm_vaddr_t addr, unsigned flags,
	mvm_vaddr_t target, struct mvm_map *m)
{
	struct remap r = {.space = space, .start = addr, .flags = flags, .target = target};

	r.new_bytes = m->bytes;
	return describe(&r, m);
}

/* Old size 0: map the pages of a shared mapping once more. */
static OWN_FRAME int duplicate(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes,
	unsigned flags, mvm_vaddr_t *new_addr)
{
	struct mvm_map m = {.bytes = bytes};
	int err = describe_again(space, addr, flags, *new_addr, &m);

	m.addr = flags & MVM_REMAP_FIXED ? *new_addr : 0;
	if (!err)
		err = map_only(space, &m);
	if (!err)
		*new_addr = m.addr;
	if (m.object)
		mvm_object_unref(m.object);
	return err == -MVM_EFBIG ? -MVM_EFAULT : err;
}

int mvm_remap(struct mvm_space *space, mvm_vaddr_t addr, size_t old_bytes, size_t new_bytes,
	unsigned flags, mvm_vaddr_t *new_addr)
{
	mvm_vaddr_t end;
	int err;

	if (!range_end(0, old_bytes, &end) || !range_end(0, new_bytes, &end))
		return -MVM_EINVAL;
	old_bytes = (size_t)(pages_of(old_bytes) << MVM_PAGE_SHIFT);
	new_bytes = (size_t)(pages_of(new_bytes) << MVM_PAGE_SHIFT);
	err = old_bytes == 0 ? duplicate(space, addr, new_bytes, flags, new_addr)
			     : remap(space, addr, old_bytes, new_bytes, flags, new_addr);
	if (!err && new_bytes > old_bytes)
		(void)!range_populate(space, *new_addr + old_bytes, *new_addr + new_bytes,
			POPULATE_LOCKED | POPULATE_ALL);
	return err;
}
