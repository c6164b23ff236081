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
 *  - areas do not merge while somebody walks (space_merge_at);
 *  - an area leaves the list only after its translations are swept (unmap.c).
 */
#include "rmap.h"

#include "unmap.h"

enum which { ALL_AREAS, SHARED_AREAS, PRIVATE_AREAS };

/* Where an area, or a part of it, maps the pages. */
struct target {
	struct mvm_space *space; /* pinned */
	mvm_vaddr_t start, end;
};

/* One walk. */
struct walk {
	struct mvm_object *obj;
	mvm_pgoff_t first, last;
	enum which which;

	/* Visit a target, of which `visit` may want only parts; no lock held.  0 ends well. */
	int (*target)(struct walk *walk, const struct target *t);

	/*
	 * For visit_parts(): what to do with [start, end) of an area, which is all to be visited.
	 * The space's lock is held.  Returns the address to go on from, `end` when done.
	 */
	mvm_vaddr_t (*part)(struct walk *walk, struct area *a, mvm_vaddr_t start, mvm_vaddr_t end,
		struct sweep *sweep);
	uint32_t used; /* for part_used(): bit i stands for page first + i */
};

static bool wanted(const struct walk *walk, const struct area *a)
{
	if (walk->which == ALL_AREAS)
		return true;
	return area_private(a) == (walk->which == PRIVATE_AREAS);
}

/* The part of `a` that maps the pages; false if none. */
static bool part_of(
	const struct walk *walk, const struct area *a, mvm_vaddr_t *start, mvm_vaddr_t *end)
{
	mvm_pgoff_t n = (a->end - a->start) >> MVM_PAGE_SHIFT;
	mvm_pgoff_t from = max_u64(walk->first, a->offset);
	mvm_pgoff_t to = min_u64(walk->last, a->offset + n - 1);

	if (a->object != walk->obj || !wanted(walk, a) || from > to)
		return false;
	*start = a->start + (mvm_vaddr_t)((from - a->offset) << MVM_PAGE_SHIFT);
	*end = a->start + (mvm_vaddr_t)((to - a->offset + 1) << MVM_PAGE_SHIFT);
	return true;
}

/* Move the marker behind the next area that maps the pages; false at the end of the list. */
static OWN_FRAME bool next_target(struct walk *walk, struct rmap_link *marker, struct target *t)
{
	struct list *l = marker->list.next;
	bool found = false;

	for (; l != &walk->obj->areas && !found; l = l->next) {
		struct area *a = container_of(l, struct rmap_link, list)->area;

		found = a && part_of(walk, a, &t->start, &t->end);
		if (found) {
			t->space = a->space;
			space_pin(t->space);
		}
	}
	list_remove(&marker->list);
	list_insert(&marker->list, l->prev, l);
	return found;
}

static int for_each_target(struct walk *walk)
{
	struct mvm_object *obj = walk->obj;
	struct rmap_link marker = {.area = NULL};
	struct target t;
	int err = 0;

	object_lock(obj);
	if (list_empty(&obj->areas)) {
		mvmh_unlock(&obj->lock);
		return 0;
	}
	obj->walkers++;
	list_insert(&marker.list, &obj->areas, obj->areas.next);
	while (!err && next_target(walk, &marker, &t)) {
		mvmh_unlock(&obj->lock);
		err = walk->target(walk, &t);
		space_unpin(t.space);
		object_lock(obj);
	}
	list_remove(&marker.list);
	obj->walkers--;
	mvmh_unlock(&obj->lock);
	return err;
}

/*
 * The first part at or above va, in the target, of an area that maps the pages; false if none.  The
 * space's lock is held.
 */
static OWN_FRAME struct area *find_part(struct walk *walk, const struct target *t, mvm_vaddr_t va,
	mvm_vaddr_t *start, mvm_vaddr_t *end)
{
	struct area *a = area_find(&t->space->areas, va);

	while (a && a->start < t->end && !(part_of(walk, a, start, end) && *end > va))
		a = area_next(a);
	if (!a || a->start >= t->end)
		return NULL;
	*start = max_u64(*start, va);
	return a;
}

/* Visit what still maps the pages at the noted place, with one batch: some pages a hold. */
static int visit_parts(struct walk *walk, const struct target *t)
{
	struct sweep sweep = {0};
	mvm_vaddr_t va = t->start, start, end;
	struct area *a;

	do {
		space_lock(t->space);
		a = find_part(walk, t, va, &start, &end);
		if (a)
			va = walk->part(walk, a, start, end, &sweep);
		space_unlock(t->space);
	} while (a);
	sweep_sync(t->space, &sweep);
	return 0;
}

static mvm_vaddr_t part_unmap(
	struct walk *walk, struct area *a, mvm_vaddr_t start, mvm_vaddr_t end, struct sweep *sweep)
{
	(void)walk;
	sweep_open(a->space, sweep);
	return mvmh_pmap_remove(&a->space->pmap, start, end, &sweep->batch);
}

static mvm_vaddr_t part_protect(
	struct walk *walk, struct area *a, mvm_vaddr_t start, mvm_vaddr_t end, struct sweep *sweep)
{
	unsigned rights = area_rights(a) & (MVM_READ | MVM_EXEC);

	if (!rights)
		return part_unmap(walk, a, start, end, sweep);
	sweep_open(a->space, sweep);
	return mvmh_pmap_protect(&a->space->pmap, start, end, rights, &sweep->batch);
}

static mvm_vaddr_t part_used(
	struct walk *walk, struct area *a, mvm_vaddr_t start, mvm_vaddr_t end, struct sweep *sweep)
{
	(void)sweep;
	for (mvm_vaddr_t va = start; va < end; va += MVM_PAGE_BYTES)
		if (mvmh_pmap_test_and_clear(&a->space->pmap, va))
			walk->used |= (uint32_t)1 << (area_page(a, va) - walk->first);
	return end;
}

static struct walk walk_of(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	return (struct walk){.obj = obj, .first = first, .last = last, .target = visit_parts};
}

void rmap_unmap(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct walk walk = walk_of(obj, first, last);

	walk.part = part_unmap;
	(void)for_each_target(&walk);
}

void rmap_write_protect(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct walk walk = walk_of(obj, first, last);

	walk.which = SHARED_AREAS; /* others never map the pages with WRITE */
	walk.part = part_protect;
	(void)for_each_target(&walk);
}

uint32_t rmap_used(struct mvm_object *obj, mvm_pgoff_t first, unsigned n)
{
	struct walk walk = walk_of(obj, first, first + n - 1);

	walk.part = part_used;
	(void)for_each_target(&walk);
	return walk.used;
}

/*
 * Drop the private copies of the pages at the noted place, and what is mapped there.  Unlike an
 * object's pages, the copies bear no mark that a fault would see, so the range is claimed.
 */
static int drop_private(struct walk *walk, const struct target *t)
{
	struct grave grave = {0};
	struct claim claim;
	struct area *a;
	int err = 0;

	claim.end = t->start;
	do {
		space_lock(t->space);
		claim_enter(t->space, &claim, claim.end, t->end, CLAIM_REPLACE);
		a = find_part(walk, t, claim.start, &claim.start, &claim.end);
		if (a)
			err = anon_reserve_edges(&t->space->anons, claim.start >> MVM_PAGE_SHIFT,
				(claim.end - 1) >> MVM_PAGE_SHIFT);
		if (a && !err)
			unmap_sweep(t->space, &claim, &grave);
		claim_leave_unlock(t->space, &claim);
		anon_bury(&grave);
	} while (a && !err && claim.end < t->end);
	return err;
}

void rmap_truncate(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct walk copies = walk_of(obj, first, last), shared = copies;
	unsigned attempts = 0;

	copies.which = PRIVATE_AREAS;
	copies.target = drop_private;
	while (for_each_target(&copies) != 0)
		(void)memory_wait(&attempts);
	shared.which = SHARED_AREAS;
	shared.part = part_unmap;
	(void)for_each_target(&shared);
}
