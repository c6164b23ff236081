// SPDX-License-Identifier: MIT
/*
 * What a fork does ahead of the accesses that follow it.
 *
 * Right after a fork parent and child store to the same few pages each time: the stack, what the C
 * library keeps of a process.  Each of them costs up to four faults beside its copy: a load and a
 * store of either side.  And the child loads from a few more, its code first of all.  So the spaces
 * that forks join share a history of these pages.  A fork copies for the child those that are
 * stored to, and maps them writable on both sides; and it maps for the child those that are loaded
 * from, as they are.  It is a help: what is not done here faults.
 *
 * The history.  The first pages that fault after a fork are the ones to know, of stores on either
 * side, of loads in the child: as many as there is room for, and at least one, which takes the
 * place of another.  So the history follows what a program does, but pages that are stored to once
 * do not push out those that always are.  Of a page that is done ahead nobody hears any more
 * whether it is used: so every few forks one is forgotten, each in its turn, and comes back if it
 * faults.  A page that is mapped for nothing costs a tenth of a fault, one that is copied for
 * nothing more than one: loads are trusted longer.
 *
 * When.  The copies are made when the parent is write-protected on all harts, and before anybody
 * else knows the child: so they are of the same moment as all that is shared.  The parent may store
 * to them again from then on, while its other stores still wait for the fork.  No truncate takes
 * them from the child meanwhile (fork.c).
 *
 * What is mapped for loads is mapped as a fault of the child would do it, under the same locks and
 * with a look at the same marks (fault.c), but for claims, which only truncates have of the child:
 * of these the object's size tells as much.  It is one page each time, since what lies around it
 * may be nothing to the child.
 */
#include "ahead.h"

#include "meta.h"
#include "object.h"
#include "space.h"
#include "stats.h"

/* Before one page is doubted: */
#define FORKS_STORED 4
#define FORKS_LOADED 16

/* --- The history ------------------------------------------------------------------------------ */

static struct history *history_new(void)
{
	struct history *h = slab_alloc(SLAB_HISTORY);

	if (h) {
		__builtin_memset(h, 0, sizeof(*h));
		mvmh_lock_init(&h->lock, MVMH_RANK_PAGE);
		h->refs = 1;
	}
	return h;
}

struct history *history_of(struct mvm_space *parent)
{
	if (!parent->history)
		parent->history = history_new();
	if (parent->history)
		ref_get(&parent->history->refs);
	return parent->history;
}

void history_put(struct history *h)
{
	if (h && ref_put(&h->refs))
		slab_free(SLAB_HISTORY, h);
}

/* The history is locked. */
static void set_room(struct known *k, uint32_t room)
{
	__atomic_store_n(&k->room, room, __ATOMIC_RELAXED);
}

/* Is the page known?  Then it is at *at, else it would be there. */
static bool known_find(const struct known *k, uint64_t vpn, uint32_t *at)
{
	for (*at = 0; *at < k->n && k->vpn[*at] < vpn;)
		++*at;
	return *at < k->n && k->vpn[*at] == vpn;
}

static void known_forget(struct known *k, uint32_t at)
{
	for (k->n--; at < k->n; at++)
		k->vpn[at] = k->vpn[at + 1];
}

/* Forget the page whose turn it is. */
static COLD void known_doubt(struct known *k)
{
	if (k->n > 0)
		known_forget(k, k->turn++ % k->n);
}

static void known_add(struct known *k, uint64_t vpn)
{
	uint32_t at;

	if (k->room == 0 || known_find(k, vpn, &at))
		return;
	if (k->n == HISTORY_PAGES)
		known_doubt(k);
	known_find(k, vpn, &at);
	for (uint32_t i = k->n++; i > at; i--)
		k->vpn[i] = k->vpn[i - 1];
	k->vpn[at] = vpn;
	set_room(k, k->room - 1);
}

/* What is stored to counts no more as loaded from. */
void history_add(struct history *h, struct known *k, uint64_t vpn)
{
	uint32_t at;

	mvmh_lock(&h->lock);
	known_add(k, vpn);
	if (k == &h->stores && known_find(&h->loads, vpn, &at))
		known_forget(&h->loads, at);
	mvmh_unlock(&h->lock);
}

/* A fork begins. */
static void known_renew(struct known *k, bool doubt)
{
	if (doubt)
		known_doubt(k);
	set_room(k, k->n < HISTORY_PAGES ? HISTORY_PAGES - k->n : 1);
}

/* What it knows. */
struct plan {
	struct known stores, loads;
};

static OWN_FRAME void make_plan(struct history *h, struct plan *plan)
{
	mvmh_lock(&h->lock);
	h->forks++;
	known_renew(&h->stores, h->forks % FORKS_STORED == 0);
	known_renew(&h->loads, h->forks % FORKS_LOADED == 0);
	plan->stores = h->stores;
	plan->loads = h->loads;
	mvmh_unlock(&h->lock);
}

/* --- The copies ------------------------------------------------------------------------------- */

/* Map a page that the space has for itself as its area says, if stores are allowed there. */
static void map_own(struct mvm_space *space, uint64_t vpn, const struct mvm_page *anon)
{
	mvm_vaddr_t va = (mvm_vaddr_t)(vpn << MVM_PAGE_SHIFT);
	struct area *a = space_area(space, va);

	if (!a || !area_private(a) || !(a->rights & MVM_WRITE))
		return;
	space_sync_code(space, a->rights);
	(void)!mvmh_pmap_enter(&space->pmap, va, anon->frame, entry_rights(a, true), 0);
}

/*
 * Give the child a page of its own for one that it shares, and map it.  False: it does not share
 * it.  What the copy is of is the parent's alone then, if nobody else has it.
 */
static bool copy_shared(
	struct mvm_space *child, uint64_t vpn, struct mvm_page *copy, struct grave *grave)
{
	struct mvm_page *anon = NULL;
	bool exclusive = false;

	if (anon_reserve(&child->anons, vpn, grave) == 0)
		anon = anon_find(&child->anons, vpn, &exclusive);
	if (!anon || exclusive)
		return false;
	page_copy(copy, anon);
	COUNT(cow_copies, 1);
	anon_replace(&child->anons, vpn, copy, grave);
	map_own(child, vpn, copy);
	return true;
}

/* What the copies are of is mapped writable at the parent again, if it has it for itself now. */
static OWN_FRAME void map_originals(const struct known *copied, struct mvm_space *space)
{
	struct mvm_page *anon;
	bool exclusive;

	space_lock(space);
	for (unsigned i = 0; i < copied->n; i++) {
		anon = anon_find(&space->anons, copied->vpn[i], &exclusive);
		if (anon && exclusive)
			map_own(space, copied->vpn[i], anon);
	}
	space->young = false;
	space_unlock(space);
}

/* --- The loads -------------------------------------------------------------------------------- */

/* The frame that a load of the area's object finds there at once, or MVM_NO_FRAME. */
static mvm_frame_t frame_of_object(const struct area *a, mvm_vaddr_t va)
{
	struct mvm_object *obj = a->object;
	struct mvm_page *page;

	if (!obj || obj->kind == OBJECT_DEVICE)
		return MVM_NO_FRAME;
	object_lock(obj);
	page = object_usable(obj, area_page(a, va));
	if (page)
		page->state |= PAGE_USED;
	mvmh_unlock(&obj->lock);
	return page ? page->frame : MVM_NO_FRAME;
}

/*
 * Map what a load of the page would find without waiting, and without what it might store to; but
 * what the space has for itself is mapped already.
 */
static void map_load(struct mvm_space *space, uint64_t vpn)
{
	mvm_vaddr_t va = (mvm_vaddr_t)(vpn << MVM_PAGE_SHIFT);
	struct area *a = space_area(space, va);
	unsigned rights = a ? entry_rights(a, false) : 0;
	struct mvm_page *anon = NULL;
	bool exclusive = false;
	mvm_frame_t frame;

	if (!rights)
		return;
	if (area_private(a))
		anon = anon_find(&space->anons, vpn, &exclusive);
	if (anon && exclusive)
		return;
	frame = anon ? anon->frame : frame_of_object(a, va);
	if (frame == MVM_NO_FRAME)
		return;
	space_sync_code(space, rights);
	(void)!mvmh_pmap_enter(&space->pmap, va, frame, rights, 0);
}

/* --- Both ------------------------------------------------------------------------------------- */

/*
 * The child's side, in one ascending pass, since neighbours cost less; and in one hold, although it
 * copies pages: nobody waits for the lock of a child that is not known yet, but a truncate or
 * reclaim that finds it by its objects.  What is copied stays in the plan.
 */
static OWN_FRAME void serve_child(
	struct plan *plan, struct mvm_space *child, struct mvm_page *copies, struct grave *grave)
{
	struct known *stores = &plan->stores, *loads = &plan->loads;
	unsigned s = 0, l = 0, copied = 0;

	space_lock(child);
	space_work(child, stores->n + loads->n);
	while (s < stores->n || l < loads->n) {
		if (s == stores->n || (l < loads->n && loads->vpn[l] < stores->vpn[s])) {
			map_load(child, loads->vpn[l++]);
		} else if (copies && copy_shared(child, stores->vpn[s], copies, grave)) {
			copies = copies->next_anon;
			stores->vpn[copied++] = stores->vpn[s++];
		} else {
			s++;
		}
	}
	child->young = true;
	space_unlock(child);
	stores->n = copied;
	while (copies) {
		struct mvm_page *unused = copies;

		copies = copies->next_anon;
		anon_put(unused, grave);
	}
}

OWN_FRAME void copy_ahead(struct mvm_space *parent, struct mvm_space *child)
{
	struct grave grave = {0};
	struct plan plan;

	if (!child->history)
		return;
	make_plan(child->history, &plan);
	serve_child(&plan, child, plan.stores.n ? anon_new_some(plan.stores.n) : NULL, &grave);
	anon_bury(&grave);
	map_originals(&plan.stores, parent);
}
