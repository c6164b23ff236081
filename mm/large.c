// SPDX-License-Identifier: MIT
/*
 * Large pages: private memory of which a program says that it is used as a whole (MVM_ADVISE_HUGE)
 * is filled 2^MVMH_LARGE_ORDER pages at a time, where the host's tables have entries of that size.
 *
 * A large page is many ordinary ones that lie side by side: as frames, because the host gave them
 * as one; as virtual pages, because they were put into the tree together, as whole leaves.
 *
 *	anon tree            [ a node of level 1 ]
 *	                    /      |      ...     \
 *	               [ leaf ] [ leaf ]  ...  [ leaf ]     all slots of each in use
 *	frames         ffffffff ffffffff  ...  ffffffff     one block, aligned
 *	tables         [          one entry           ]
 *
 * That is all, and nobody in mm knows more: there is no descriptor of the whole.  So whatever is
 * done to pages is done to these.  A hold has one of them; a store after a fork copies one; a part
 * that is unmapped, dropped or moved is so many pages.  The entry is the host's, and tables are a
 * cache: who changes a part of what an entry maps has the host split it, or forget it, and faults
 * bring back the rest, in single entries.
 *
 * When.  A fault finds nothing in the area at its page, and would make a page of zeros.  If the
 * range of the large page lies in the area, nothing of it is in the tree, and nobody claims any of
 * it, then the frames are had and zeroed without a lock, and all is looked at again before they are
 * put in: by then it may be another area, of a file.  One thing more is asked: that no sweep is
 * open.  The tree says that nothing is there.  Where a page was once, those who took it away have
 * finished a batch of their own before; but that is a long argument about all of them, to which a
 * large page is not worth adding: as long as any batch is open, single pages will do.
 *
 * Whatever is missing (so many frames in one piece, a node, room in the tables, because single
 * entries are there), the fault goes on with a single page.  So large pages fail nobody, and
 * reserve nothing.  Here a load fills pages, too: the page of zeros would be in the way of stores.
 *
 * Back.  A leaf that leaves the tree whole is a node in the grave.  If it has all the pages still
 * that it was made with (node.block), and nobody else has any of them, they go to the host in one
 * piece, and the host makes large pieces of small ones again.
 *
 * Not done: pages that are there are never moved together, what was split stays so until it is
 * dropped, and no memory is kept free for it.  On a host whose memory is in pieces there are just
 * fewer large pages.
 *
 * Refused: a leaf that stands for a block without looking at its pages' descriptors.  It would save
 * a few instructions of the hundreds that a page's zeroing takes, and each hold, copy, fork, move
 * and cut would have to make an ordinary leaf of it first, some of them where nothing may fail.
 */
#include "large.h"

#ifdef MVMH_LARGE_ORDER

#include "fault.h"
#include "meta.h"
#include "stats.h"
#include "trace.h"

#define LARGE_PAGES ((uint32_t)1 << MVMH_LARGE_ORDER)
#define LARGE_BYTES ((mvm_vaddr_t)LARGE_PAGES << MVM_PAGE_SHIFT)

_Static_assert(MVMH_LARGE_ORDER >= NODE_BITS && MVMH_LARGE_ORDER <= 2 * NODE_BITS,
	"a large page is whole leaves of one node");

bool large_fits(struct mvm_space *space, const struct area *a, mvm_vaddr_t va)
{
	mvm_vaddr_t start = va & -LARGE_BYTES;
	uint64_t vpn = start >> MVM_PAGE_SHIFT;

	if (a->object || !(a->flags & AREA_HUGE) || start < a->start ||
		a->end - start < LARGE_BYTES)
		return false;
	return space->anons.levels > 1 && ref_count(&space->open_sweeps) == 0 &&
	       !claim_find(space, start, start + LARGE_BYTES) &&
	       !anon_any(&space->anons, vpn, vpn + LARGE_PAGES - 1);
}

/* A leaf of zeros, in these frames of ours; NULL: no memory. */
static struct node *make_leaf(mvm_frame_t frame)
{
	struct node *leaf = node_new(0);
	struct mvm_page *pages = leaf ? page_room(frame) : NULL;

	if (!pages) {
		if (leaf)
			node_free(leaf);
		return NULL;
	}
	leaf->block = true;
	for (unsigned i = 0; i < NODE_SLOTS; i++) {
		page_begin(&pages[i], frame + i);
		pages[i].anon_refs = 1;
		page_clear(&pages[i]);
		node_set(leaf, i, &pages[i]);
	}
	COUNT(anon_pages, NODE_SLOTS);
	return leaf;
}

/*
 * The leaves of a large page, chained by next_dead in the order of their addresses; NULL: no
 * memory.
 */
static OWN_FRAME struct node *make_leaves(void)
{
	mvm_frame_t frame = mvmh_frame_alloc(MVMH_LARGE_ORDER), at = frame + LARGE_PAGES;
	struct grave made = {.nodes = NULL};

	if (frame == MVM_NO_FRAME)
		return NULL;
	while (at != frame) {
		struct node *leaf = make_leaf(at - NODE_SLOTS);

		if (!leaf)
			break;
		leaf->next_dead = made.nodes;
		made.nodes = leaf;
		at -= NODE_SLOTS;
	}
	if (at == frame)
		return made.nodes;
	for (; at != frame; at -= NODE_SLOTS)
		mvmh_frame_free(at - NODE_SLOTS, NODE_BITS);
	anon_bury(&made);
	return NULL;
}

/*
 * Put the leaves in and map them; false: they are in one of the graves.  The space's lock is held.
 */
static bool install(struct mvm_space *space, struct area *a, mvm_vaddr_t start, struct grave *made,
	struct grave *grave)
{
	uint64_t vpn = start >> MVM_PAGE_SHIFT, last = vpn + LARGE_PAGES - 1;
	mvm_frame_t frame = ((struct mvm_page *)made->nodes->slot[0])->frame;
	unsigned rights = area_rights(a);

	space_work(space, LARGE_PAGES / NODE_SLOTS);
	if (anon_set_leaves(&space->anons, vpn, made->nodes, grave) != 0)
		return false;
	made->nodes = NULL;
	a->touched |= TOUCHED_PAGES;
	space_sync_code(space, rights);
	if (!rights || mvmh_pmap_enter(&space->pmap, start, frame, rights, MVMH_LARGE_ORDER) == 0) {
		trace(space, MVM_TRACE_ZERO, start, frame, 0);
		trace(space, MVM_TRACE_PTE, start, frame, rights);
		return true;
	}
	while (vpn <= last)
		vpn = anon_remove(&space->anons, vpn, last, grave);
	return false;
}

unsigned large_fill(struct mvm_space *space, mvm_vaddr_t va, unsigned access, bool force)
{
	mvm_vaddr_t start = va & -LARGE_BYTES;
	struct grave made = {.nodes = make_leaves()}, grave = {.nodes = NULL};
	bool filled = false;
	struct area *a;

	if (!made.nodes)
		return 0;
	space_lock(space);
	a = space_area(space, va);
	if (a && !space->dead && fault_allowed(a, access, force) && large_fits(space, a, va))
		filled = install(space, a, start, &made, &grave);
	space_unlock(space);
	anon_bury(&made);
	anon_bury(&grave);
	if (!filled)
		return 0;
	COUNT(zero_fills, LARGE_PAGES);
	return LARGE_PAGES - (unsigned)((va - start) >> MVM_PAGE_SHIFT);
}

/* The bits of both counts. */
static inline uint32_t refs_of(const struct mvm_page *page)
{
	return __atomic_load_n(&page->refs, __ATOMIC_RELAXED) |
	       __atomic_load_n(&page->anon_refs, __ATOMIC_RELAXED);
}

bool large_bury(const struct node *leaf)
{
	const struct mvm_page *first = leaf->slot[0];
	uint32_t refs = 0;

	for (const struct mvm_page *p = first; p < first + NODE_SLOTS; p += 8) {
		refs |= refs_of(p) | refs_of(p + 1) | refs_of(p + 2) | refs_of(p + 3);
		refs |= refs_of(p + 4) | refs_of(p + 5) | refs_of(p + 6) | refs_of(p + 7);
	}
	if (refs != 1)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* what others did before they let go is done */
	COUNT(anon_pages, -(long)NODE_SLOTS);
	mvmh_frame_free(first->frame, NODE_BITS);
	return true;
}

#endif
