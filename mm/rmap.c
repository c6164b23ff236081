// SPDX-License-Identifier: MIT
/*
 * Reverse walks.
 *
 * Pages keep no list of their mappings: a page of an object is mapped, if at all, at one address
 * in each area that covers it, and the object lists its areas.  A walk goes over that list.
 *
 * Order of locks is space, then object; a walk comes from the object.  So for each area it notes
 * the space and the address range under the object's lock, pins the space, drops the object's
 * lock, takes the space's, and looks the range up again, for meanwhile the area may be another.
 * Its place in the list is kept by a marker, a link without an area.
 *
 * The walk misses nothing that was mapped when it began:
 *  - the caller marked the pages first, so nothing new is installed (fault.c: marks);
 *  - new areas go to the end of the list, in front of the walk; so do the upper halves of areas
 *    that are cut, and a child's areas are later in the list than its parent's;
 *  - areas do not merge while somebody walks (space_merge);
 *  - an area leaves the list only after its translations are swept (unmap.c).
 */
#include "rmap.h"

#include "unmap.h"

#include <mm/vm.h>

enum which { ALL_AREAS, SHARED_AREAS, PRIVATE_AREAS };

/* One walk: all that its steps need, so that their own frames stay small. */
struct walk {
	struct mvm_object *obj;
	mvm_pgoff_t first, last;
	enum which which;
	uint32_t used; /* for part_used() and part_locked(): bit i stands for page first + i */

	/*
	 * For visit_all(): what to do with [start, end) of an area, which is all to be visited.
	 * The space's lock is held.  Returns the address to go on from, `end` when done.
	 */
	mvm_vaddr_t (*part)(struct walk *walk, struct area *a);

	struct rmap_link marker; /* the walk's place in the object's list */
	struct mvm_space *space; /* pinned: where an area, or a part of it, maps the pages, */
	mvm_vaddr_t from, to;    /* from there to there */
	mvm_vaddr_t start, end;  /* the part of an area to be visited */
	struct sweep sweep;
};

static bool wanted(const struct walk *walk, const struct area *a)
{
	if (walk->which == ALL_AREAS)
		return true;
	return area_private(a) == (walk->which == PRIVATE_AREAS);
}

/* The part of `a` that maps the pages, as walk->start and end; false if none. */
static bool part_of(struct walk *walk, const struct area *a)
{
	mvm_pgoff_t n = (a->end - a->start) >> MVM_PAGE_SHIFT;
	mvm_pgoff_t from = max_u64(walk->first, a->offset);
	mvm_pgoff_t to = min_u64(walk->last, a->offset + n - 1);

	if (a->object != walk->obj || !wanted(walk, a) || from > to)
		return false;
	walk->start = a->start + (mvm_vaddr_t)((from - a->offset) << MVM_PAGE_SHIFT);
	walk->end = a->start + (mvm_vaddr_t)((to - a->offset + 1) << MVM_PAGE_SHIFT);
	return true;
}

/*
 * Move the marker behind the next link.  True: that is of an area that maps the
 * pages, now noted.
 */
static bool note_link(struct walk *walk)
{
	struct list *l = walk->marker.list.next;
	struct area *a = container_of(l, struct rmap_link, list)->area;

	object_work(walk->obj, 1);
	list_remove(&walk->marker.list);
	list_insert(&walk->marker.list, l, l->next);
	if (!a || !part_of(walk, a))
		return false;
	walk->space = a->space;
	walk->from = walk->start;
	walk->to = walk->end;
	space_pin(a->space);
	return true;
}

/* Note the next area that maps the pages; false at the end of the list. */
static bool note_next(struct walk *walk)
{
	for (unsigned n = 1; walk->marker.list.next != &walk->obj->areas; n++) {
		if (note_link(walk))
			return true;
		if (n % MVM_HOLD_PAGES == 0)
			object_relock(walk->obj);
	}
	return false;
}

/* Leave the place that is noted, and with `on` note the next.  False: the walk is over. */
static OWN_FRAME bool walk_on(struct walk *walk, bool on)
{
	struct mvm_object *obj = walk->obj;

	if (walk->space)
		space_unpin(walk->space);
	object_lock(obj);
	if (!walk->space) {
		obj->walkers++;
		list_insert(&walk->marker.list, &obj->areas, obj->areas.next);
	}
	on = on && note_next(walk);
	if (!on) {
		list_remove(&walk->marker.list);
		obj->walkers--;
	}
	mvmh_unlock(&obj->lock);
	return on;
}

/*
 * The area at *va, or next above it at the noted place, if that maps the pages, and then which
 * part: [walk->start, walk->end).  Else NULL, and *va has moved behind it.  The space's lock is
 * held.
 */
static OWN_FRAME struct area *find_part(struct walk *walk, mvm_vaddr_t *va)
{
	struct area *a = area_find(&walk->space->areas, *va);

	if (!a || a->start >= walk->to) {
		*va = walk->to;
		return NULL;
	}
	if (!part_of(walk, a) || walk->end <= *va) {
		space_work(walk->space, 1);
		*va = a->end;
		return NULL;
	}
	walk->start = max_u64(walk->start, *va);
	return a;
}

/* Visit what still maps the pages at the noted place, with one batch: some pages a hold. */
static OWN_FRAME void visit_parts(struct walk *walk)
{
	struct mvm_space *space = walk->space;
	mvm_vaddr_t va = walk->from;
	struct area *a;

	walk->sweep = (struct sweep){.open = false};
	do {
		space_lock(space);
		a = find_part(walk, &va);
		if (a)
			va = walk->part(walk, a);
		space_unlock(space);
	} while (va < walk->to);
	sweep_sync(space, &walk->sweep);
}

/* Inline: a frame less below reclaim. */
static inline __attribute__((always_inline)) void visit_all(struct walk *walk)
{
	while (walk_on(walk, true))
		visit_parts(walk);
}

static mvm_vaddr_t part_unmap(struct walk *walk, struct area *a)
{
	sweep_open(a->space, &walk->sweep);
	return space_remove_some(a->space, walk->start, walk->end, &walk->sweep.batch);
}

static mvm_vaddr_t part_protect(struct walk *walk, struct area *a)
{
	unsigned rights = entry_rights(a, false);
	struct mvmh_tlb *batch = &walk->sweep.batch;

	sweep_open(a->space, &walk->sweep);
	if (!rights)
		return space_remove_some(a->space, walk->start, walk->end, batch);
	return space_protect_some(a->space, walk->start, walk->end, rights, batch);
}

static mvm_vaddr_t part_used(struct walk *walk, struct area *a)
{
	for (mvm_vaddr_t va = walk->start; va < walk->end; va += MVM_PAGE_BYTES)
		if (a->flags & AREA_LOCKED || mvmh_pmap_test_and_clear(&a->space->pmap, va))
			walk->used |= (uint32_t)1 << (area_page(a, va) - walk->first);
	return walk->end;
}

static mvm_vaddr_t part_locked(struct walk *walk, struct area *a)
{
	mvm_vaddr_t end = a->flags & AREA_LOCKED ? walk->end : walk->start;

	for (mvm_vaddr_t va = walk->start; va < end; va += MVM_PAGE_BYTES)
		walk->used |= (uint32_t)1 << (area_page(a, va) - walk->first);
	return walk->end;
}

void rmap_unmap(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct walk walk = {.obj = obj, .first = first, .last = last};

	walk.part = part_unmap;
	visit_all(&walk);
}

void rmap_write_protect(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct walk walk = {.obj = obj, .first = first, .last = last};

	walk.which = SHARED_AREAS; /* others never map the pages with WRITE */
	walk.part = part_protect;
	visit_all(&walk);
}

uint32_t rmap_locked(struct mvm_object *obj, mvm_pgoff_t first, unsigned n)
{
	struct walk walk = {.obj = obj, .first = first};

	walk.last = first + n - 1;
	walk.part = part_locked;
	visit_all(&walk);
	return walk.used;
}

uint32_t rmap_used(struct mvm_object *obj, mvm_pgoff_t first, unsigned n)
{
	struct walk walk = {.obj = obj, .first = first};

	walk.last = first + n - 1;
	walk.part = part_used;
	visit_all(&walk);
	return walk.used;
}

/*
 * Drop the private copies of the pages at the noted place, and what is mapped there; or only
 * reserve what that takes.  Unlike an object's pages, the copies bear no mark that a fault would
 * see, so the range is claimed.
 */
static OWN_FRAME int drop_private(struct walk *walk, bool reserve_only)
{
	struct mvm_space *space = walk->space;
	struct unmap u = {.spare = NULL};
	mvm_vaddr_t va = walk->from;
	struct area *a;
	int err = 0;

	do {
		space_lock(space);
		claim_enter(space, &u.claim, va, walk->to, CLAIM_REPLACE);
		a = find_part(walk, &va);
		if (a) {
			u.claim.start = walk->start;
			u.claim.end = va = walk->end;
			u.private_pages = true; /* maybe */
			err = anon_reserve_edges(&space->anons, u.claim.start >> MVM_PAGE_SHIFT,
				(u.claim.end - 1) >> MVM_PAGE_SHIFT);
		}
		if (a && !err && !reserve_only)
			unmap_sweep(&u, space);
		claim_leave_unlock(space, &u.claim);
		anon_bury(&u.grave);
	} while (!err && va < walk->to);
	return err;
}

static OWN_FRAME int drop_copies(
	struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, bool reserve_only)
{
	struct walk walk = {.obj = obj, .first = first, .last = last};
	int err = 0;

	walk.which = PRIVATE_AREAS; /* each claimed: a fork relies on that wait (fork.c) */
	while (walk_on(&walk, !err))
		err = drop_private(&walk, reserve_only);
	return err;
}

int rmap_reserve(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	unsigned attempts = 0;
	int err;

	do {
		err = drop_copies(obj, first, last, true);
	} while (err && memory_wait(&attempts));
	return err;
}

static OWN_FRAME void unmap_shared(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct walk walk = {.obj = obj, .first = first, .last = last};

	walk.which = SHARED_AREAS;
	walk.part = part_unmap;
	visit_all(&walk);
}

void rmap_truncate(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	while (drop_copies(obj, first, last, false) != 0) {
		(void)mvm_reclaim(MVM_HOLD_PAGES);
		mvmh_starved();
	}
	unmap_shared(obj, first, last);
}
