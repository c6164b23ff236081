// SPDX-License-Identifier: MIT
/*
 * All invariants, in one place, of an mm at rest: between a mark and its sweep the tables show
 * more than the truth.  Tests call this after each step; it may be slow and hold locks for long.
 *
 * Of a space:
 *  - the index of areas keeps its own (area_index_check); areas are whole pages inside the space;
 *  - each area of an object is in that object's list, exactly once (counted);
 *  - the anon tree keeps its own (anon_tree_check), and every anon lies in a private area;
 *  - what the tables map is what the fault would map: an anon's page, writable only if the anon is
 *    exclusive; or the object's page at that index, writable only if the area is shared and the
 *    page DIRTY; never more than the area's rights; nothing outside areas.
 *
 * Of an object: the page index keeps its own (index_check).
 *
 * Of all: slabs, the replacement queue, how many pages are to be written back.
 */
#include "meta.h"
#include "object.h"
#include "reclaim.h"
#include "registry.h"
#include "space.h"
#include "writeback.h"

static void check_attached(struct area *a)
{
	unsigned found = 0;

	object_lock(a->object);
	for (struct list *l = a->object->areas.next; l != &a->object->areas; l = l->next)
		found += container_of(l, struct rmap_link, list)->area == a;
	mvmh_unlock(&a->object->lock);
	MUST(found == 1);
}

static uint64_t check_areas(struct mvm_space *space)
{
	uint64_t n = 0, pages = 0, data = 0, stack = 0, locked = 0;

	area_index_check(&space->areas);
	for (struct area *a = area_first(&space->areas); a; a = area_next(a)) {
		MUST(a->space == space && a->start < a->end);
		MUST(((a->start | a->end) & MVM_PAGE_MASK) == 0);
		MUST(space->low <= a->start && a->end <= space->high);
		MUST((a->rights & ~a->max_rights) == 0);
		if (a->object)
			check_attached(a);
		pages += area_pages(a);
		locked += a->flags & AREA_LOCKED ? area_pages(a) : 0;
		if (a->flags & AREA_GROWSDOWN)
			stack += area_pages(a);
		else if (area_private(a) && a->rights & MVM_WRITE)
			data += area_pages(a);
		n++;
	}
	MUST(space->mapped == pages && space->peak >= pages);
	MUST(space->data == data && space->stack == stack && space->locked == locked);
	MUST(!space->reserved.mapped && !space->reserved.data);
	MUST(!space->reserved.locked && !space->reserved.areas);
	return n;
}

static void check_anons(struct mvm_space *space)
{
	uint64_t last = node_span(space->anons.levels) - 1, n = 0;

	anon_tree_check(&space->anons);
	for (uint64_t vpn = anon_next(&space->anons, 0, last); vpn <= last;
		vpn = anon_next(&space->anons, vpn + 1, last)) {
		struct area *a = space_area(space, (mvm_vaddr_t)vpn << MVM_PAGE_SHIFT);

		MUST(a && area_private(a) && (a->object || a->touched & TOUCHED_PAGES));
		n++;
	}
	MUST(n == anon_count(&space->anons));
}

/* What is mapped of an object is its page now, and writable only if a store was announced. */
static void check_object_entry(struct area *a, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights)
{
	struct mvm_object *obj = a->object;
	mvm_pgoff_t index = area_page(a, va);
	struct mvm_page *page;

	object_lock(obj);
	MUST(index < object_pages(obj));
	if (obj->kind == OBJECT_DEVICE) {
		MUST(frame == obj->device_first + index);
	} else {
		page = index_get(obj, index);
		MUST(page && page->frame == frame);
		if (rights & MVM_WRITE)
			MUST(!area_private(a) && page->state & PAGE_DIRTY);
	}
	mvmh_unlock(&obj->lock);
}

static void check_entry(struct area *a, mvm_vaddr_t va)
{
	struct mvm_page *anon = NULL;
	mvm_frame_t frame;
	unsigned rights;
	bool exclusive;

	if (!mvmh_pmap_query(&a->space->pmap, va, &frame, &rights))
		return;
	MUST((rights & ~area_rights(a)) == 0);
	if (area_private(a))
		anon = anon_find(&a->space->anons, va >> MVM_PAGE_SHIFT, &exclusive);
	if (anon) {
		MUST(anon->frame == frame);
		MUST(exclusive || !(rights & MVM_WRITE));
	} else if (!a->object) {
		MUST(frame == frame_of_zeros && !(rights & MVM_WRITE));
		MUST(a->touched & TOUCHED_ZEROS);
	} else {
		check_object_entry(a, va, frame, rights);
	}
}

/* Nothing is mapped in the hole [start, end). */
static void check_hole(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	mvm_frame_t frame;
	unsigned rights;

	for (; start < end; start += MVM_PAGE_BYTES)
		MUST(!mvmh_pmap_query(&space->pmap, start, &frame, &rights));
}

/* Areas may be large and empty, and so are holes: more of them is not looked at page by page. */
#define CHECK_PAGES      4096
#define CHECK_HOLE_PAGES 64

static void check_holes(struct mvm_space *space)
{
	mvm_vaddr_t most = CHECK_HOLE_PAGES * MVM_PAGE_BYTES, from = space->low;

	for (struct area *a = area_first(&space->areas); a; a = area_next(a)) {
		struct area *next = area_next(a);
		mvm_vaddr_t to = next ? next->start : space->high;

		check_hole(space, max_u64(from, a->start - min_u64(most, a->start)), a->start);
		check_hole(space, a->end, min_u64(to, a->end + most));
		from = a->end;
	}
}

static void check_entries(struct mvm_space *space)
{
	for (struct area *a = area_first(&space->areas); a; a = area_next(a)) {
		mvm_vaddr_t end = min_u64(a->end, a->start + CHECK_PAGES * MVM_PAGE_BYTES);

		for (mvm_vaddr_t va = a->start; va < end; va += MVM_PAGE_BYTES)
			check_entry(a, va);
	}
}

void mvm_check_space(struct mvm_space *space)
{
	space_lock(space);
	MUST(check_areas(space) == space->n_areas);
	MUST(!space->claims);
	check_anons(space);
	check_entries(space);
	check_holes(space);
	space_unlock(space);
}

/* Returns how many of its pages are to be written back. */
static uint64_t check_object(struct mvm_object *obj)
{
	uint64_t areas = 0, writers = 0, unclean;

	object_lock(obj);
	index_check(obj);
	for (struct list *l = obj->areas.next; l != &obj->areas; l = l->next) {
		const struct area *a = container_of(l, struct rmap_link, list)->area;

		areas += a != NULL;
		writers += a && area_is_writer(a);
	}
	MUST(areas == obj->mapped);
	MUST(writers == obj->writers && !(obj->frozen && writers));
	unclean = obj->ops->write && !obj->doomed ? obj->unclean_n : 0;
	MUST(obj->dirty_ref == (unclean > 0));
	mvmh_unlock(&obj->lock);
	return unclean;
}

/* The entry after `l`, pinned; `pin` gets it under the registry's lock. */
static struct list *registry_next(struct registry *r, struct list *l, void (*pin)(struct list *))
{
	mvmh_lock(&r->lock);
	l = l->next == &r->all ? NULL : l->next;
	if (l)
		pin(l);
	mvmh_unlock(&r->lock);
	return l;
}

static void pin_object(struct list *l)
{
	object_pin(container_of(l, struct mvm_object, all));
}

static void pin_space(struct list *l)
{
	space_pin(container_of(l, struct mvm_space, all));
}

void mvm_check(void)
{
	struct list *l, *prev;
	uint64_t unclean = 0;

	for (l = registry_next(&all_objects, &all_objects.all, pin_object); l;) {
		prev = l;
		unclean += check_object(container_of(l, struct mvm_object, all));
		l = registry_next(&all_objects, l, pin_object);
		object_unpin(container_of(prev, struct mvm_object, all));
	}
	for (l = registry_next(&all_spaces, &all_spaces.all, pin_space); l;) {
		prev = l;
		mvm_check_space(container_of(l, struct mvm_space, all));
		l = registry_next(&all_spaces, l, pin_space);
		space_unpin(container_of(prev, struct mvm_space, all));
	}
	writeback_check(unclean);
	slab_check();
	queue_check();
}
