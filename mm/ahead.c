// SPDX-License-Identifier: MIT
/*
 * A fork's copies ahead of the stores to them.
 *
 * Right after a fork parent and child store to the same few pages each time: the stack, what the C
 * library keeps of a process.  Each of them costs up to four faults beside its copy: a load and a
 * store of either side.  So the spaces that forks join share a history of these pages, and a fork
 * copies them for the child, and maps them writable on both sides.  It is a help: what is not
 * copied here faults.
 *
 * The history.  The first pages that fault after a fork are the ones to know, so those that come
 * when there is no room are not taken.  Of a page that is copied ahead nobody hears any more
 * whether it is stored to: so every few forks the oldest is forgotten, and comes back if it faults.
 *
 * When.  The copies are made when the parent is write-protected on all harts, and before anybody
 * else knows the child: so they are of the same moment as all that is shared.  The parent may store
 * to them again from then on, while its other stores still wait for the fork.  No truncate takes
 * them from the child meanwhile: its walk comes to the parent's areas first.  There it waits for
 * the fork's claim; or it was there before the fork, and the child, whose areas it may be at, never
 * had what it takes away.
 */
#include "ahead.h"

#include "meta.h"
#include "space.h"
#include "stats.h"

#define FORKS_TRUSTED 4 /* before the oldest page is doubted */

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

static void set_count(struct history *h, uint32_t n)
{
	__atomic_store_n(&h->n, n, __ATOMIC_RELAXED);
}

void history_add(struct history *h, uint64_t vpn)
{
	uint32_t i = 0;

	mvmh_lock(&h->lock);
	while (i < h->n && h->vpn[i] != vpn)
		i++;
	if (i == h->n && i < HISTORY_PAGES) {
		h->vpn[i] = vpn;
		set_count(h, i + 1);
	}
	mvmh_unlock(&h->lock);
}

/* A fork begins: the pages there are; how many. */
static unsigned history_pages(struct history *h, uint64_t vpn[HISTORY_PAGES])
{
	unsigned n;

	mvmh_lock(&h->lock);
	if (++h->forks % FORKS_TRUSTED == 0 && h->n > 0) {
		set_count(h, h->n - 1);
		for (unsigned i = 0; i < h->n; i++)
			h->vpn[i] = h->vpn[i + 1];
	}
	n = h->n;
	for (unsigned i = 0; i < n; i++)
		vpn[i] = h->vpn[i];
	mvmh_unlock(&h->lock);
	return n;
}

/* --- The copies ------------------------------------------------------------------------------- */

/*
 * Pages that are copied: of the parent, and for the child; ascending, since neighbours cost less.
 */
struct copies {
	unsigned n;
	uint64_t vpn[HISTORY_PAGES];
	struct mvm_page *from[HISTORY_PAGES]; /* referenced */
	struct mvm_page *to[HISTORY_PAGES];   /* NULL: no memory */
};

static void sort(uint64_t *vpn, unsigned n)
{
	for (unsigned i = 1, at; i < n; i++) {
		uint64_t moved = vpn[i];

		for (at = i; at > 0 && vpn[at - 1] > moved; at--)
			vpn[at] = vpn[at - 1];
		vpn[at] = moved;
	}
}

/* Which: those of the history that the two spaces share. */
static OWN_FRAME void find_shared(struct copies *c, struct mvm_space *child)
{
	unsigned n = history_pages(child->history, c->vpn);
	bool exclusive;

	sort(c->vpn, n);
	c->n = 0;
	space_lock(child);
	for (unsigned i = 0; i < n; i++) {
		struct mvm_page *anon = anon_find(&child->anons, c->vpn[i], &exclusive);

		if (!anon || exclusive)
			continue;
		anon_get(anon);
		c->from[c->n] = anon;
		c->vpn[c->n++] = c->vpn[i];
	}
	space_unlock(child);
}

static OWN_FRAME void make_copies(struct copies *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		c->to[i] = anon_new();
		if (!c->to[i])
			continue;
		page_copy(c->to[i], c->from[i]);
		COUNT(cow_copies, 1);
	}
}

/* Map the private page as its area says, if the space has it for itself. */
static void map_own(struct mvm_space *space, uint64_t vpn)
{
	mvm_vaddr_t va = (mvm_vaddr_t)(vpn << MVM_PAGE_SHIFT);
	struct area *a = space_area(space, va);
	struct mvm_page *anon;
	bool exclusive;

	if (!a || !area_private(a) || !(a->rights & MVM_WRITE))
		return;
	anon = anon_find(&space->anons, vpn, &exclusive);
	if (anon && exclusive)
		(void)!mvmh_pmap_enter(&space->pmap, va, anon->frame, area_rights(a), 0);
}

/*
 * The child's tree gets the copies, and they are mapped; what they are of is then the parent's
 * alone, if nobody else has it.  It is still in the child's tree: nobody takes pages out of it yet,
 * see "When".
 */
static OWN_FRAME void put_copies(struct copies *c, struct mvm_space *child)
{
	struct grave grave = {0};

	space_lock(child);
	for (unsigned i = 0; i < c->n; i++) {
		if (c->to[i] && anon_set(&child->anons, c->vpn[i], c->to[i], &grave) == 0)
			map_own(child, c->vpn[i]);
		else if (c->to[i])
			anon_put(c->to[i], &grave);
	}
	space_unlock(child);
	for (unsigned i = 0; i < c->n; i++)
		anon_put(c->from[i], &grave);
	anon_bury(&grave);
}

/* What the copies are of is mapped writable at the parent again. */
static OWN_FRAME void map_originals(const struct copies *c, struct mvm_space *space)
{
	space_lock(space);
	for (unsigned i = 0; i < c->n; i++)
		map_own(space, c->vpn[i]);
	space_unlock(space);
}

OWN_FRAME void copy_ahead(struct mvm_space *parent, struct mvm_space *child)
{
	struct copies copies;

	if (!child->history)
		return;
	find_shared(&copies, child);
	make_copies(&copies);
	put_copies(&copies, child);
	map_originals(&copies, parent);
}
