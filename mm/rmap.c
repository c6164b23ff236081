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

#include "stats.h"

/* Where an area, or a part of it, maps the pages. */
struct target {
	struct mvm_space *space; /* pinned */
	mvm_vaddr_t start, end;
};

/* The part of `a` that maps pages [first, last]; false if none. */
static bool part_of(const struct area *a, mvm_pgoff_t first, mvm_pgoff_t last, mvm_vaddr_t *start,
	mvm_vaddr_t *end)
{
	mvm_pgoff_t n = (a->end - a->start) >> MVM_PAGE_SHIFT;
	mvm_pgoff_t from = max_u64(first, a->offset), to = min_u64(last, a->offset + n - 1);

	if (from > to)
		return false;
	*start = a->start + (mvm_vaddr_t)((from - a->offset) << MVM_PAGE_SHIFT);
	*end = a->start + (mvm_vaddr_t)((to - a->offset + 1) << MVM_PAGE_SHIFT);
	return true;
}

/* Move the marker behind the next area that maps the pages; false at the end of the list. */
static bool next_target(struct mvm_object *obj, struct rmap_link *marker, mvm_pgoff_t first,
	mvm_pgoff_t last, bool shared_only, struct target *t)
{
	struct list *l = marker->list.next;
	bool found = false;

	for (; l != &obj->areas && !found; l = l->next) {
		struct area *a = container_of(l, struct rmap_link, list)->area;

		if (!a || (shared_only && area_private(a)))
			continue;
		found = part_of(a, first, last, &t->start, &t->end);
		if (found) {
			t->space = a->space;
			space_pin(t->space);
		}
	}
	list_remove(&marker->list);
	list_insert(&marker->list, l->prev, l);
	return found;
}

/* Visit what still maps the pages at the noted place: some pages a hold. */
static int visit_target(struct mvm_object *obj, const struct target *t, mvm_pgoff_t first,
	mvm_pgoff_t last, struct rmap_walk *walk)
{
	struct sweep sweep = {0};
	mvm_vaddr_t va = t->start, reached, start, end;
	struct area *a;

	while (va < t->end) {
		space_lock(t->space);
		sweep_open(t->space, &sweep);
		a = area_find(&t->space->areas, va);
		reached = t->end;
		if (a && a->start < t->end) {
			reached = max_u64(va, a->end);
			if (a->object == obj && part_of(a, first, last, &start, &end) && end > va)
				reached = walk->visit(walk, a, max_u64(start, va), end, &sweep);
		}
		space_unlock(t->space);
		va = reached;
	}
	sweep_finish(t->space, &sweep);
	return va == RMAP_MEMORY ? -MVM_ENOMEM : 0;
}

int rmap_for_each(
	struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, struct rmap_walk *walk)
{
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
	while (!err && next_target(obj, &marker, first, last, walk->shared_only, &t)) {
		mvmh_unlock(&obj->lock);
		err = visit_target(obj, &t, first, last, walk);
		space_unpin(t.space);
		object_lock(obj);
	}
	list_remove(&marker.list);
	obj->walkers--;
	mvmh_unlock(&obj->lock);
	return err;
}

static mvm_vaddr_t visit_unmap(struct rmap_walk *walk, struct area *a, mvm_vaddr_t start,
	mvm_vaddr_t end, struct sweep *sweep)
{
	(void)walk;
	return mvmh_pmap_remove(&a->space->pmap, start, end, &sweep->batch);
}

void rmap_unmap(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct rmap_walk walk = {.visit = visit_unmap};

	(void)rmap_for_each(obj, first, last, &walk);
}

mvm_vaddr_t rmap_drop_private(
	struct area *a, mvm_vaddr_t start, mvm_vaddr_t end, struct sweep *sweep)
{
	struct anon_tree *tree = &a->space->anons;
	uint64_t first = start >> MVM_PAGE_SHIFT, last = (end >> MVM_PAGE_SHIFT) - 1;

	if (!area_private(a))
		return end;
	first = anon_next(tree, first, last);
	if (first > last)
		return end;
	if (anon_reserve_edges(tree, first, last) != 0)
		return RMAP_MEMORY;
	return (mvm_vaddr_t)anon_remove(tree, first, last, &sweep->grave) << MVM_PAGE_SHIFT;
}

static mvm_vaddr_t visit_truncate(struct rmap_walk *walk, struct area *a, mvm_vaddr_t start,
	mvm_vaddr_t end, struct sweep *sweep)
{
	mvm_vaddr_t reached = visit_unmap(walk, a, start, end, sweep);

	return rmap_drop_private(a, start, reached, sweep);
}

void rmap_truncate(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct rmap_walk walk = {.visit = visit_truncate};
	unsigned attempts = 0;

	while (rmap_for_each(obj, first, last, &walk) != 0)
		(void)memory_wait(&attempts);
}

static mvm_vaddr_t visit_protect(struct rmap_walk *walk, struct area *a, mvm_vaddr_t start,
	mvm_vaddr_t end, struct sweep *sweep)
{
	unsigned rights = area_rights(a) & (MVM_READ | MVM_EXEC);

	if (!rights)
		return visit_unmap(walk, a, start, end, sweep);
	return mvmh_pmap_protect(&a->space->pmap, start, end, rights, &sweep->batch);
}

void rmap_write_protect(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct rmap_walk walk = {.visit = visit_protect, .shared_only = true};

	(void)rmap_for_each(obj, first, last, &walk);
}

static mvm_vaddr_t visit_used(struct rmap_walk *walk, struct area *a, mvm_vaddr_t start,
	mvm_vaddr_t end, struct sweep *sweep)
{
	(void)sweep;
	walk->used |= mvmh_pmap_test_and_clear(&a->space->pmap, start);
	return end;
}

bool rmap_test_and_clear(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct rmap_walk walk = {.visit = visit_used};

	(void)rmap_for_each(obj, index, index, &walk);
	return walk.used;
}
