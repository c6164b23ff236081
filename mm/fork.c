// SPDX-License-Identifier: MIT
/*
 * Fork: a second space that looks the same.
 *
 *	1. claim the whole parent: no map call, and no store to private memory, goes on
 *	2. share the anon tree: one reference to its root
 *	3. copy the areas, a few a hold
 *	4. write-protect the parent's private writable areas, at most 64 entries a hold, and end
 *	   the batch
 *	5. give up the claim
 *
 * From 2 on nothing private is exclusive, so no fault of the parent maps private memory writable;
 * stores wait until 5, because until the batch has finished another hart may still store through an
 * old translation, and a copy made meanwhile would miss that.  A load of memory that was never
 * touched waits too, for it may fill a large page: that would be the parent's alone, and stores to
 * it would not be the child's while later ones to old pages were.  Other loads, and shared memory,
 * go on.
 *
 * Truncate, meanwhile, may drop private copies: it marks by the object's size, then walks.  An area
 * of the child that enters the object's list before the size changes is visited; one that enters
 * after it finds the new size there and drops the copies itself (forget_from).
 *
 * The cost is O(areas) and, for step 4, O(what is mapped): the tables say so, not the anons.
 *
 * Pages held for I/O (mvm_hold) must stay the parent's: the child gets copies of them at once.
 *
 * And pages to which both will store at once are copied ahead, and those that the child will load
 * mapped (ahead.c).
 *
 * Of a small process's fork, exit and wait, 27,400 instructions with six areas and five pages
 * copied ahead, those pages are 11,000: 5,700 to make the copies, 2,200 to map them on both sides
 * (two new tables), 3,000 for the paths to them in the tree.  Three pages mapped for loads are 700,
 * where the child had three faults of 1,000 and more.  The areas are 2,600, write-protecting 1,300,
 * the end of the child's space 4,500; the rest is the process and thread.
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
		copy->flags &= (uint16_t)~AREA_LOCK_FLAGS;
		copy->touched &= (uint8_t)~TOUCHED_ZEROS; /* translations are not copied */
		if (a->object)
			mvm_object_ref(a->object);
	}
	return copy;
}

/* Copies of the next areas of the parent from *va on, linked by `parent`, in order. */
static OWN_FRAME int copy_some(struct mvm_space *parent, mvm_vaddr_t *va, struct area **copies)
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
 * Take the private pages of a range out of the child's tree; nothing is mapped there.  -MVM_ENOMEM:
 * some may be left; reclaim, and again.
 */
static OWN_FRAME int forget(struct mvm_space *child, mvm_vaddr_t start, mvm_vaddr_t end)
{
	uint64_t vpn = start >> MVM_PAGE_SHIFT, last = (end - 1) >> MVM_PAGE_SHIFT;
	struct grave grave = {0};
	int err = 0;

	while (!err && vpn <= last) {
		space_lock(child);
		space_work(child, NODE_SLOTS);
		vpn = anon_next(&child->anons, vpn, last);
		if (vpn <= last)
			err = anon_reserve_edges(&child->anons, vpn, last);
		if (vpn <= last && !err)
			vpn = anon_remove(&child->anons, vpn, last, &grave);
		space_unlock(child);
	}
	anon_bury(&grave);
	return err;
}

/*
 * From where on the area, in the child and in its object's list, is to have no private pages: all
 * of it, or what lies past the size, for the file may have been cut while we copied.
 */
static OWN_FRAME mvm_vaddr_t forget_from(const struct area *a)
{
	uint64_t pages;

	if (a->flags & AREA_WIPEONFORK)
		return a->start;
	if (!a->object || a->object->kind == OBJECT_DEVICE)
		return a->end;
	pages = pages_of(mvm_object_size(a->object));
	if (area_page(a, a->end) <= pages)
		return a->end;
	if (pages <= a->offset)
		return a->start;
	return a->start + (mvm_vaddr_t)((pages - a->offset) << MVM_PAGE_SHIFT);
}

/* Put a copied area into the child, or do without it. */
static int enter_copy(struct mvm_space *child, struct area *a)
{
	mvm_vaddr_t start = a->start, end = a->end;
	unsigned attempts = 0;
	int err = 0;

	if (a->flags & AREA_DONTFORK) {
		area_free(a);
	} else {
		space_lock(child);
		space_insert(child, a);
		space_unlock(child);
		start = forget_from(a);
	}
	do {
		if (start < end)
			err = forget(child, start, end);
	} while (err && memory_wait(&attempts));
	return err;
}

/* Each of the list has its turn, also after a failure: what is not entered is freed. */
static int enter_copies(struct mvm_space *child, struct area *copies)
{
	int err = 0, failed;

	while (copies) {
		struct area *a = copies;

		copies = a->parent;
		failed = enter_copy(child, a);
		if (!err)
			err = failed;
	}
	return err;
}

static OWN_FRAME int copy_areas(struct mvm_space *parent, struct mvm_space *child)
{
	mvm_vaddr_t va = parent->low;
	struct area *copies;
	unsigned attempts = 0;
	int err;

	do {
		int entered;

		err = copy_some(parent, &va, &copies);
		if (!copies && !err)
			break;
		entered = enter_copies(child, copies);
		if (entered)
			return entered;
		if (err)
			err = memory_wait(&attempts) ? 0 : -MVM_ENOMEM;
	} while (!err);
	return err;
}

/*
 * Write-protect some of the area at va, or next above it.  Returns where to go on, after one area
 * at most.  Only private writable ones have writable entries, for an mprotect claims its range
 * until its sweep is over.
 */
static mvm_vaddr_t protect_some(struct mvm_space *space, mvm_vaddr_t va, struct mvmh_tlb *batch)
{
	struct area *a = area_find(&space->areas, va);

	if (!a)
		return space->high;
	if (!area_private(a) || !(a->rights & MVM_WRITE)) {
		space_work(space, 1);
		return a->end;
	}
	return space_protect_some(space, max_u64(va, a->start), a->end,
		area_rights(a) & (MVM_READ | MVM_EXEC), batch);
}

/* Step 4. */
static OWN_FRAME void write_protect(struct mvm_space *space)
{
	struct sweep sweep = {0};
	mvm_vaddr_t va = space->low;

	while (va < space->high) {
		space_lock(space);
		sweep_open(space, &sweep);
		va = protect_some(space, va, &sweep.batch);
		space_unlock(space);
	}
	sweep_sync(space, &sweep);
}

/*
 * The anon at the next private page from *vpn on, referenced if the page is held, else NULL.
 * False: no private page is left.
 */
static bool next_held(struct mvm_space *child, uint64_t *vpn, struct mvm_page **held)
{
	uint64_t last = node_span(child->anons.levels) - 1;
	bool exclusive;

	*held = NULL;
	space_lock(child);
	*vpn = anon_next(&child->anons, *vpn, last);
	if (*vpn <= last)
		*held = anon_find(&child->anons, *vpn, &exclusive);
	if (*held && ref_count(&(*held)->refs) > 1)
		anon_get(*held);
	else
		*held = NULL;
	space_unlock(child);
	return *vpn <= last;
}

/*
 * Give the child a copy of its own of the page at vpn, whose anon is referenced, unless a truncate
 * has taken it meanwhile.  0 or -MVM_ENOMEM.
 */
static OWN_FRAME int copy_page(struct mvm_space *child, uint64_t vpn, struct mvm_page *anon)
{
	struct mvm_page *copy = anon_new();
	struct grave grave = {0};
	bool exclusive, there;
	int err = 0;

	if (!copy)
		return -MVM_ENOMEM;
	page_copy(copy, anon);
	space_lock(child);
	there = anon_find(&child->anons, vpn, &exclusive) == anon;
	if (there)
		err = anon_set(&child->anons, vpn, copy, &grave);
	space_unlock(child);
	if (err || !there)
		anon_put(copy, &grave);
	anon_bury(&grave);
	return err;
}

/* Copy what is held for I/O into the child, which only truncates know yet. */
static OWN_FRAME int copy_held(struct mvm_space *parent, struct mvm_space *child)
{
	struct grave grave = {0};
	struct mvm_page *held;
	unsigned attempts = 0;
	int err = 0;

	if (ref_count(&parent->holds) == 0)
		return 0;
	for (uint64_t vpn = 0; !err && next_held(child, &vpn, &held); vpn++) {
		if (!held)
			continue;
		do {
			err = copy_page(child, vpn, held);
		} while (err == -MVM_ENOMEM && memory_wait(&attempts));
		anon_put(held, &grave);
		anon_bury(&grave);
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
	child->history = history_of(parent);
	child->top = parent->top;
	child->limits = parent->limits;
	child->tag = parent->tag;
	space_unlock(parent);
	trace(parent, MVM_TRACE_FORK, 0, child->tag, 0);
	mvm_trace_enable(child, is_traced(parent));
	err = copy_areas(parent, child);
	write_protect(parent);
	if (!err)
		err = copy_held(parent, child);
	if (!err)
		copy_ahead(parent, child);
	space_lock(parent);
	claim_leave_unlock(parent, &claim);
	if (err)
		mvm_space_unref(child);
	else
		*out = child;
	return err;
}
