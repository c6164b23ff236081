// SPDX-License-Identifier: MIT
/*
 * The commonest faults, the short way: stores to private memory.
 *
 * A page is stored to for the first time (case 3 of fault.c), for the first time since a fork (1B) or since
 * the file was mapped (2B); or nobody shares it any more (1A); or the area allows no store at all.
 * Then the steps of a fault are known before it begins, and nothing has to be kept from pass to pass:
 *
 *	lock -> look -> unlock -> fill a page of our own -> lock -> map it, enter it in the tree -> unlock
 *
 * They are those of fault.c, under the same locks and marks.  If somebody has had the lock in between,
 * the second hold looks again, and goes on if it finds the same.  Whatever is not as it mostly is ends
 * the short way, and the long way begins from its beginning, but with what was in hand: it alone
 * knows how to wait, to make room, to tell other harts, and to say what is wrong.
 */
#include "fault.h"

#include "meta.h"
#include "object.h"
#include "trace.h"

/* How a fault goes on. */
enum way {
	WAY_LONG,
	WAY_DENIED, /* the area allows no store */
	WAY_REUSE,  /* the anon is the space's own: map it */
	WAY_FILL,   /* a page of our own is wanted */
};

/* What a look finds. */
struct found {
	unsigned rights;       /* what an entry may grant */
	struct mvm_page *anon; /* what is stored to now: an anon, */
	struct mvm_page *page; /* or the object's page; both NULL: zeros */
};

/* The object's page, referenced; NULL: it is not to be had now. */
static struct mvm_page *page_of_object(const struct area *a, mvm_vaddr_t va)
{
	struct mvm_page *page;

	if (a->object->kind == OBJECT_DEVICE)
		return NULL;
	object_lock(a->object);
	page = object_usable(a->object, area_page(a, va));
	if (page)
		page_get(page);
	mvmh_unlock(&a->object->lock);
	return page;
}

/*
 * Find what is at the page; for WAY_FILL, what it is to be copied from is referenced.  The space's lock is
 * held.
 */
static inline __attribute__((always_inline)) enum way look(
	struct mvm_space *space, mvm_vaddr_t va, struct found *found)
{
	struct area *a;
	bool exclusive;

	if (unlikely(space->claims != NULL) || space->dead || is_traced(space))
		return WAY_LONG;
	a = area_find(&space->areas, va);
	if (!a || a->start > va)
		return WAY_LONG;
	if (!(a->rights & MVM_WRITE))
		return WAY_DENIED;
	if (!area_private(a))
		return WAY_LONG;
	found->rights = area_rights(a);
	found->anon = anon_find(&space->anons, va >> MVM_PAGE_SHIFT, &exclusive);
	found->page = NULL;
	if (!anon_at_finger(&space->anons, va >> MVM_PAGE_SHIFT))
		return WAY_LONG;
	if (found->anon) {
		if (exclusive)
			return WAY_REUSE;
		anon_get(found->anon);
	} else if (a->object) {
		found->page = page_of_object(a, va);
		return found->page ? WAY_FILL : WAY_LONG;
	} else {
		a->touched |= TOUCHED_PAGES;
		return a->flags & AREA_HUGE ? WAY_LONG : WAY_FILL;
	}
	return WAY_FILL;
}

/* Let go of what was found to fill a page with. */
static inline void let_go(const struct found *found, struct grave *grave)
{
	if (found->anon)
		anon_put(found->anon, grave);
	else if (found->page)
		page_put(found->page);
}

/* Is all as it was found?  The space's lock is held. */
static COLD bool is_still(
	struct mvm_space *space, mvm_vaddr_t va, struct found found, struct grave *grave)
{
	struct found now;
	bool same;

	if (look(space, va, &now) != WAY_FILL)
		return false;
	same = now.anon == found.anon && now.page == found.page && now.rights == found.rights;
	let_go(&now, grave);
	return same;
}

/* A page of our own with what is stored to; NULL: no memory. */
static inline struct mvm_page *make_fresh(const struct found *found)
{
	struct mvm_page *from = found->anon ? found->anon : found->page;
	struct mvm_page *fresh = anon_new();

	if (unlikely(!fresh))
		return NULL;
	if (from) {
		page_copy(fresh, from);
		COUNT(cow_copies, 1);
	} else {
		page_zero(fresh, 0, MVM_PAGE_BYTES);
		COUNT(zero_fills, 1);
	}
	return fresh;
}

/* Map the page in the place of what was found, or of the page of zeros, if that is mapped. */
static inline bool map_fresh(
	struct mvm_space *space, mvm_vaddr_t va, mvm_frame_t frame, const struct found *found)
{
	if (ref_count(&space->open_sweeps) > 0)
		return false;
	if (likely(mvmh_pmap_enter(&space->pmap, va, frame, found->rights, 0) == 0))
		return true;
	return mvmh_pmap_replace(&space->pmap, va, frame, found->rights);
}

/* The same, and make it the space's own; `turn` was that of the look. */
static inline bool install(struct mvm_space *space, mvm_vaddr_t va, struct mvm_page *fresh,
	const struct found *found, uint64_t turn, struct grave *grave)
{
	if (unlikely(space->turn != turn + 1) && !is_still(space, va, *found, grave))
		return false;
	if (!map_fresh(space, va, fresh->frame, found))
		return false;
	anon_enter(&space->anons, va >> MVM_PAGE_SHIFT, fresh, grave);
	return true;
}

/* After the look that found what to fill a page with: the rest. */
static inline enum mvm_fault_result fill_and_install(
	struct mvm_space *space, mvm_vaddr_t va, const struct found *found, uint64_t turn)
{
	struct mvm_page *fresh = make_fresh(found);
	struct grave grave = {.nodes = NULL};
	struct in_hand hand;
	bool done = false;

	if (likely(fresh)) {
		space_lock(space);
		done = install(space, va, fresh, found, turn, &grave);
		space_unlock(space);
	}
	if (likely(done))
		let_go(found, &grave);
	if (grave.anons)
		anon_bury(&grave);
	if (likely(done)) {
		fault_count(space);
		return MVM_FAULT_OK;
	}
	hand = (struct in_hand){fresh, found->anon, found->page};
	return fault_long(space, va, MVM_WRITE, &hand);
}

/* Map what is the space's own; unlock it. */
static inline enum mvm_fault_result reuse_unlock(
	struct mvm_space *space, mvm_vaddr_t va, const struct found *found)
{
	int err = mvmh_pmap_enter(&space->pmap, va, found->anon->frame, found->rights, 0);

	history_note(space->history, va >> MVM_PAGE_SHIFT);
	space_unlock(space);
	if (unlikely(err))
		return fault_long(space, va, MVM_WRITE, NULL);
	fault_count(space);
	COUNT(cow_reuses, 1);
	return MVM_FAULT_OK;
}

enum mvm_fault_result mvm_fault(struct mvm_space *space, mvm_vaddr_t va, unsigned access)
{
	mvm_vaddr_t page = page_floor(va);
	struct found found = {.anon = NULL};
	enum way way;
	uint64_t turn;

	if (access != MVM_WRITE)
		return fault_long(space, va, access, NULL);
	if (unlikely(faults_join(space)) && joint_fault(space, va))
		return MVM_FAULT_OK;
	space_lock(space);
	way = look(space, page, &found);
	if (way == WAY_REUSE)
		return reuse_unlock(space, page, &found);
	if (way == WAY_FILL && found.anon)
		history_note(space->history, page >> MVM_PAGE_SHIFT);
	turn = space->turn;
	space_unlock(space);
	if (likely(way == WAY_FILL))
		return fill_and_install(space, page, &found, turn);
	if (way == WAY_LONG)
		return fault_long(space, va, access, NULL);
	fault_count(space);
	return MVM_FAULT_ACCERR;
}
