// SPDX-License-Identifier: MIT
/*
 * Fork: a second space that looks the same.
 *
 *	1. claim the whole parent: no map call, and no store to private memory, goes on
 *	2. share the anon tree: one reference to its root
 *	3. copy the areas, a few a hold
 *	4. write-protect the parent's private writable areas, at most 64 entries a hold, and finish
 *	   the batch
 *	5. give up the claim
 *
 * From 2 on nothing private is exclusive, so no fault of the parent maps private memory writable;
 * stores wait until 5, because until the batch has finished another hart may still store through an
 * old translation, and a copy made meanwhile would miss that.  Loads, and shared memory, go on.
 *
 * Truncate, meanwhile, may drop private copies: it marks by the object's size, then walks.  An area
 * of the child that enters the object's list before the size changes is visited; one that enters
 * after it finds the new size there and drops the copies itself (drop_past_size).
 *
 * The cost is O(areas) and, for step 4, O(what is mapped): the tables say so, not the anons.
 *
 * Pages held for I/O (mvm_hold) must stay the parent's: the child gets copies of them at once.
 */
#include "meta.h"
#include "object.h"
#include "space.h"
#include "stats.h"
#include "trace.h"

/* Areas copied under one hold of the parent's lock. */
#define BATCH_AREAS 16

static struct area *area_copy(const struct area *a)
{
	struct area *copy = slab_alloc(SLAB_AREA);

	if (copy) {
		area_init_like(copy, a);
		if (a->object)
			mvm_object_ref(a->object);
	}
	return copy;
}

/* Copies of the next areas of the parent from *va on, linked by `parent`, in order. */
static int copy_some(struct mvm_space *parent, mvm_vaddr_t *va, struct area **copies)
{
	struct area **link = copies, *a;
	int err = 0;

	*copies = NULL;
	space_lock(parent);
	a = area_find(&parent->areas, *va);
	for (unsigned n = 0; a && n < BATCH_AREAS; n++, a = area_next(a)) {
		*link = area_copy(a);
		if (!*link) {
			err = -MVM_ENOMEM;
			break;
		}
		link = &(*link)->parent;
		*link = NULL;
		*va = a->end;
	}
	space_unlock(parent);
	return err;
}

/*
 * Drop copies of pages past the object's size: the file was cut while we copied.  The area is the
 * child's, in the list of its object; no map call or fault knows the child, so nothing is mapped.
 */
static void drop_past_size(struct area *a)
{
	uint64_t size = a->object ? pages_of(mvm_object_size(a->object)) : 0;
	uint64_t vpn = a->start >> MVM_PAGE_SHIFT, last = (a->end - 1) >> MVM_PAGE_SHIFT;
	struct anon_tree *tree = &a->space->anons;
	struct grave grave = {0};
	unsigned attempts = 0;
	bool reserved;

	if (!a->object || area_page(a, a->end) <= size || a->object->kind == OBJECT_DEVICE)
		return;
	vpn += size > a->offset ? size - a->offset : 0;
	while (vpn <= last) {
		space_lock(a->space);
		vpn = anon_next(tree, vpn, last);
		reserved = vpn > last || anon_reserve_edges(tree, vpn, last) == 0;
		if (vpn <= last && reserved)
			vpn = anon_remove(tree, vpn, last, &grave);
		space_unlock(a->space);
		if (!reserved)
			(void)memory_wait(&attempts);
	}
	anon_bury(&grave);
}

/* Put copied areas into the child. */
static void enter_copies(struct mvm_space *child, struct area *copies)
{
	while (copies) {
		struct area *a = copies;

		copies = a->parent;
		space_lock(child);
		space_insert(child, a);
		space_unlock(child);
		drop_past_size(a);
	}
}

static int copy_areas(struct mvm_space *parent, struct mvm_space *child)
{
	mvm_vaddr_t va = parent->low;
	struct area *copies;
	unsigned attempts = 0;
	int err;

	do {
		err = copy_some(parent, &va, &copies);
		if (!copies && !err)
			break;
		enter_copies(child, copies);
		if (err)
			err = memory_wait(&attempts) ? 0 : -MVM_ENOMEM;
	} while (!err);
	return err;
}

/* The first private writable area that ends above va. */
static struct area *next_to_protect(struct mvm_space *space, mvm_vaddr_t va)
{
	struct area *a = area_find(&space->areas, va);

	while (a && !(area_private(a) && a->rights & MVM_WRITE))
		a = area_next(a);
	return a;
}

/* Step 4. */
static void write_protect(struct mvm_space *space)
{
	struct sweep sweep = {0};
	mvm_vaddr_t va = space->low;
	struct area *a;

	do {
		space_lock(space);
		sweep_open(space, &sweep);
		a = next_to_protect(space, va);
		if (a)
			va = mvmh_pmap_protect(&space->pmap, max_u64(va, a->start), a->end,
				area_rights(a) & (MVM_READ | MVM_EXEC), &sweep.batch);
		space_unlock(space);
	} while (a);
	sweep_finish(space, &sweep);
}

/* Give the child a copy of its own of the page at vpn. */
static int copy_page(struct mvm_space *child, uint64_t vpn, struct anon *anon)
{
	struct mvm_page *page = page_alloc_wait();
	struct anon *copy = page ? anon_new(page) : NULL;
	struct grave grave = {0};
	int err;

	if (!copy) {
		if (page)
			page_put(page);
		return -MVM_ENOMEM;
	}
	COUNT(anon_pages, 1);
	page_copy(page, anon->page);
	space_lock(child);
	err = anon_set(&child->anons, vpn, copy, &grave);
	space_unlock(child);
	if (err)
		anon_put(copy, &grave);
	anon_bury(&grave);
	return err;
}

/* Copy what is held for I/O into the child, whom nobody else knows yet. */
static int copy_held(struct mvm_space *parent, struct mvm_space *child)
{
	uint64_t last = node_span(child->anons.levels) - 1;
	int err = 0;

	if (ref_count(&parent->holds) == 0)
		return 0;
	for (uint64_t vpn = 0; !err; vpn++) {
		struct anon *anon;
		bool exclusive;

		vpn = anon_next(&child->anons, vpn, last);
		if (vpn > last)
			break;
		anon = anon_find(&child->anons, vpn, &exclusive);
		if (ref_count(&anon->page->refs) > 1)
			err = copy_page(child, vpn, anon);
	}
	return err;
}

int mvm_space_fork(struct mvm_space *parent, struct mvm_space **out)
{
	struct mvm_space *child;
	struct claim claim;
	int err = mvm_space_new(parent->low, parent->high, &child);

	if (err)
		return err;
	space_lock(parent);
	claim_enter(parent, &claim, parent->low, parent->high, CLAIM_FORK);
	anon_share(&child->anons, &parent->anons);
	child->top = parent->top;
	child->tag = parent->tag;
	space_unlock(parent);
	trace(parent, MVM_TRACE_FORK, 0, child->tag, 0);
	mvm_trace_enable(child, parent->traced);
	err = copy_areas(parent, child);
	write_protect(parent);
	if (!err)
		err = copy_held(parent, child);
	space_lock(parent);
	claim_leave_unlock(parent, &claim);
	if (err)
		mvm_space_unref(child);
	else
		*out = child;
	return err;
}
