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
 * old translation, and a copy made meanwhile would miss that.  A load that may fill a large page
 * waits, too: that would be the parent's alone and writable, and stores to it would not be the
 * child's while later ones to old pages were.  Other loads, and shared memory, go on: what they map
 * of private memory, the page of zeros where nothing was stored to, has no WRITE.
 *
 * Truncate, meanwhile, may drop private copies: it marks by the object's size, then walks over the
 * object's areas in the order of their list.  It leaves the child nothing, and takes nothing from
 * it as long as the fork goes on.  For a copy enters that list at its end, so a walk comes to the
 * parent's area first.  Either it is done with that before 1; then nothing past the new size was
 * there to be shared in 2, since no fault has brought in any after the mark.  Or it waits there for
 * the claim, and comes to the copy after 5.
 *
 * The child's index of areas becomes as the parent's is, without a search (area_append_copy): so it
 * gets all of them, and those that it is not to have are taken out at the end.
 *
 * The cost is O(areas) and, for step 4, O(what is mapped): the tables say so, not the anons.
 *
 * Pages held for I/O (mvm_hold) must stay the parent's: the child gets copies of them at once.
 *
 * And pages to which both will store at once are copied ahead, and those that the child will load
 * mapped (ahead.c).
 *
 * Of a small process's fork, exit and wait, 23,600 instructions with six areas and five pages
 * copied ahead, those pages are 11,700: 5,400 to copy them, 3,900 to map them on both sides and
 * three more for loads (of which two new tables are 1,300), 1,800 for the paths to them in the tree
 * and the end of these, 600 for their frames.  The areas are 1,300, and 600 as they go; write-
 * protecting is 1,100.  The kernel beside mm takes 6,300 for the process and its thread.
 * (tools/bench =fork_exit_wait_0m; tools/profile --most 200 =fork_exit_wait_0m, by function)
 */
#include "meta.h"
#include "object.h"
#include "space.h"
#include "stats.h"
#include "trace.h"

/* Areas copied under one hold of the parent's lock. */
#define BATCH_AREAS 16

/* A way through the parent's areas. */
struct copying {
	struct mvm_space *parent, *child;
	uint64_t left;       /* areas to be copied yet, */
	mvm_vaddr_t va;      /* from there on */
	struct area *copies; /* that are not the child's yet, in order, linked by rmap.area */
	bool unwanted;       /* the child has some that it is to do without */
};

static void area_copy(struct area *copy, const struct area *a)
{
	area_init_like(copy, a); /* not its place in the reverse map: that is the object's lock's */
	copy->height = a->height;
	copy->gap = a->gap;
	copy->flags &= (uint16_t)~AREA_LOCK_FLAGS;
	copy->touched &= (uint8_t)~TOUCHED_ZEROS; /* translations are not copied */
	if (a->object)
		mvm_object_ref(a->object);
}

/* Copy the parent's next areas.  -MVM_ENOMEM: they are less than they might be. */
static OWN_FRAME int copy_some(struct copying *c)
{
	unsigned n = (unsigned)min_u64(c->left, BATCH_AREAS);
	struct area **link = &c->copies, *a, *next;

	space_lock(c->parent);
	a = area_find(&c->parent->areas, c->va);
	for (struct area *copy = slab_alloc_some(SLAB_AREA, n); copy; copy = next, n--) {
		next = *(struct area **)copy;
		area_copy(copy, a);
		*link = copy;
		link = &copy->rmap.area;
		c->left--;
		c->va = a->end;
		a = area_next(a);
	}
	space_unlock(c->parent);
	*link = NULL;
	return n > 0 ? -MVM_ENOMEM : 0;
}

/*
 * Take the private pages of an area out of the child's tree; nothing is mapped there.  -MVM_ENOMEM:
 * some may be left; reclaim, and again.
 */
static OWN_FRAME int forget(struct mvm_space *child, const struct area *a)
{
	uint64_t vpn = a->start >> MVM_PAGE_SHIFT, last = (a->end - 1) >> MVM_PAGE_SHIFT;
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
 * Enter the copies, or some up to one whose pages the child is to forget: that one; else NULL.
 * Nobody else changes the child's areas.
 */
static OWN_FRAME const struct area *enter_some(struct copying *c)
{
	struct area *a = NULL;
	bool bare = false;

	space_lock(c->child);
	while (!bare && (a = c->copies) != NULL) {
		c->copies = a->rmap.area;
		space_append_copy(c->child, a);
		bare = unlikely(a->flags & (AREA_WIPEONFORK | AREA_DONTFORK));
		c->unwanted |= a->flags & AREA_DONTFORK;
	}
	space_unlock(c->child);
	return a;
}

/* Take the next area from *va on that is AREA_DONTFORK out of the child; or NULL. */
static struct area *take_unwanted(struct mvm_space *child, mvm_vaddr_t *va)
{
	struct area *a;
	unsigned n = 0;

	space_lock(child);
	a = area_find(&child->areas, *va);
	while (a && !(a->flags & AREA_DONTFORK) && ++n < MVM_HOLD_PAGES)
		a = area_next(a);
	*va = a ? a->end : child->high;
	if (a && a->flags & AREA_DONTFORK)
		space_remove(child, a);
	else
		a = NULL;
	child->peak = child->mapped;
	space_unlock(child);
	return a;
}

/* The child has all of the parent's areas; their pages it has forgotten. */
static COLD void remove_unwanted(struct mvm_space *child)
{
	mvm_vaddr_t va = child->low;

	while (va < child->high) {
		struct area *a = take_unwanted(child, &va);

		if (a)
			area_free(a);
	}
}

/* All `areas` of the parent.  What was copied is entered, also after a failure. */
static OWN_FRAME int copy_areas(struct mvm_space *parent, struct mvm_space *child, uint64_t areas)
{
	struct copying c = {.parent = parent, .child = child, .left = areas, .va = parent->low};
	const struct area *bare;
	unsigned attempts = 0;
	int err = 0, failed;

	while (c.left > 0 && !err) {
		bool all = copy_some(&c) == 0;

		while ((bare = enter_some(&c)) != NULL) {
			while ((failed = forget(child, bare)) && memory_wait(&attempts))
				;
			err = failed ? failed : err;
		}
		if (!all && !err && !memory_wait(&attempts))
			err = -MVM_ENOMEM;
	}
	if (unlikely(c.unwanted) && !err)
		remove_unwanted(child);
	return err;
}

/* Is there something to write-protect?  Others have no writable entries of their own. */
static bool is_writable(const struct area *a)
{
	return area_private(a) && a->rights & MVM_WRITE;
}

/*
 * Write-protect what one hold allows of the areas from va on.  Returns where to go on.  An mprotect
 * claims its range until its sweep is over, so it is what the areas' rights say.
 */
static mvm_vaddr_t protect_some(struct mvm_space *space, mvm_vaddr_t va, struct mvmh_tlb *batch)
{
	struct area *a = area_find(&space->areas, va);
	uint64_t left = MVM_HOLD_PAGES, work;

	for (; a; a = area_next(a), left -= work) {
		va = max_u64(va, a->start);
		work = is_writable(a) ? min_u64((a->end - va) >> MVM_PAGE_SHIFT, MVM_HOLD_PAGES)
				      : 1;
		if (work > left)
			return va;
		if (!is_writable(a)) {
			space_work(space, 1);
			continue;
		}
		va = space_protect_some(space, va, a->end, entry_rights(a, false), batch);
		if (va < a->end)
			return va;
	}
	return space->high;
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

/* Give the child a copy of its own of the private page at vpn, if that is held.  Locked. */
static int copy_if_held(struct mvm_space *child, uint64_t vpn, struct grave *grave)
{
	bool exclusive;
	struct mvm_page *anon = anon_find(&child->anons, vpn, &exclusive), *copy;
	int err;

	if (ref_count(&anon->refs) == 1)
		return 0;
	copy = anon_new();
	if (!copy)
		return -MVM_ENOMEM;
	page_copy(copy, anon);
	err = anon_set(&child->anons, vpn, copy, grave);
	if (err)
		anon_put(copy, grave);
	return err;
}

/*
 * The same with the next private page from *vpn on; *vpn becomes its number, or what no page has if
 * there is none.  0 or -MVM_ENOMEM.
 */
static OWN_FRAME int copy_next_if_held(struct mvm_space *child, uint64_t *vpn, uint64_t last)
{
	struct grave grave = {0};
	int err = 0;

	space_lock(child);
	*vpn = anon_next(&child->anons, *vpn, last);
	if (*vpn <= last)
		err = copy_if_held(child, *vpn, &grave);
	space_unlock(child);
	anon_bury(&grave);
	return err;
}

/* Copy what is held for I/O into the child. */
static OWN_FRAME int copy_held(struct mvm_space *parent, struct mvm_space *child)
{
	uint64_t last = node_span(child->anons.levels) - 1;
	unsigned attempts = 0;
	int err = 0;

	if (ref_count(&parent->holds) == 0)
		return 0;
	for (uint64_t vpn = 0; !err && vpn <= last; vpn++) {
		while ((err = copy_next_if_held(child, &vpn, last)) && memory_wait(&attempts))
			;
	}
	return err;
}

int mvm_space_fork(struct mvm_space *parent, struct mvm_space **out)
{
	struct mvm_space *child;
	struct claim claim;
	uint64_t areas;
	int err = mvm_space_new(parent->low, parent->high, &child);

	if (err)
		return err;
	space_lock(parent);
	claim_enter(parent, &claim, parent->low, parent->high, CLAIM_FORK);
	anon_share(&child->anons, &parent->anons);
	areas = parent->n_areas;
	child->history = history_of(parent);
	child->top = parent->top;
	child->limits = parent->limits;
	child->tag = tag_of(parent);
	space_unlock(parent);
	trace(parent, MVM_TRACE_FORK, 0, child->tag, 0);
	mvm_trace_enable(child, is_traced(parent));
	err = copy_areas(parent, child, areas);
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
