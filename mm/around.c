// SPDX-License-Identifier: MIT
/*
 * Fault-around: pages about the one that a fault has just mapped are mapped with it, so that who
 * goes through memory which is there already faults once in a run of pages.  Three kinds:
 *
 *	                what is mapped around          which
 *	map_around()    resident pages of the object   all about it; of a program's code, which is
 *	                                               run here and there, CODE_PAGES
 *	map_zeros()     the page of zeros              all about it where no private page is
 *	map_private()   private pages                  what follows, for who comes in sequence
 *
 * A help, not a duty.  It maps what it finds under the fault's locks; it waits for nothing and
 * reads nothing.  Where something is in the way (a claim, whose sweep may be past some page; a hole
 * being punched; a private copy; want of a table) pages stay unmapped, and fault by themselves
 * later.
 *
 * What a page costs is mostly the way down two trees, so each is gone once: the window's pages are
 * side by side in a leaf of the index or of the anon layer's tree, or in two, and their entries in
 * one table, into which the host puts them as a run (mvmh_pmap_enter_run).  All of them had their
 * contents when the fault had code synchronized (space_sync_code) for its own.
 *
 * Private pages are there already and not mapped, or with less than their area allows, when rights
 * came back that mprotect had taken away, or after a fork.  Both leave that to faults: most of what
 * they were about is not used again before it changes once more.  So it is not mapped for one
 * fault alone: only for one beside two pages that are mapped as it needs them, with a next page
 * that is not, is the rest of PRIVATE_PAGES in that direction; who faults at random pays for a look
 * at two entries.
 *
 * WRITE comes around only with pages that the space has for itself.  And not while the history of
 * its forks wants to hear of stores (ahead.h), which are the first after a fork.
 */
#include "fault.h"

#include "object.h"

/* A host with shorter holds of locks has what others have for data. */
#define CODE_PAGES (MVM_HOLD_PAGES < 64 ? MVM_RUN_PAGES : 2 * MVM_RUN_PAGES)

/* Of private pages; they are in one leaf. */
#define PRIVATE_PAGES (MVM_HOLD_PAGES < 64 ? MVM_RUN_PAGES : 2 * MVM_RUN_PAGES)

_Static_assert(PRIVATE_PAGES <= NODE_SLOTS, "a window of private pages is in one leaf");

_Static_assert(MVM_HOLD_PAGES < 64 || CODE_PAGES <= MVM_HOLD_PAGES - 4,
	"a window of code is mapped under one hold, with the fault's own looks");

/* Pages side by side that may be mapped together. */
struct window {
	mvm_vaddr_t va, end;
};

/* What the area has of so many pages, a power of two, about the one at `at`. */
static struct window window_at(const struct area *a, mvm_vaddr_t at, unsigned pages)
{
	mvm_vaddr_t mask = pages * MVM_PAGE_BYTES - 1;

	return (struct window){max_u64(a->start, at & ~mask), min_u64(a->end, (at | mask) + 1)};
}

static unsigned window_pages(const struct window *w)
{
	return (unsigned)((w->end - w->va) >> MVM_PAGE_SHIFT);
}

/*
 * Pages side by side from va on, in these slots; those with a bit in `skip` are
 * not to be mapped.
 */
struct part_of_leaf {
	mvm_vaddr_t va;
	void *const *slots;
	unsigned n;
	uint64_t skip;
};

/* Map the pages there of whose bits of state `mask` just `state` are set; how many have them. */
static OWN_FRAME unsigned map_some(struct mvmh_pmap *pmap, const struct part_of_leaf *p,
	unsigned mask, unsigned state, unsigned rights)
{
	mvm_frame_t frames[MVM_RUN_PAGES];
	unsigned found = 0;

	for (unsigned i = 0; i < p->n; i++) {
		const struct mvm_page *page = p->slots[i];
		bool wanted = page && (page->state & mask) == state;

		frames[i] = wanted ? page->frame : MVM_NO_FRAME;
		found += wanted;
	}
	for (uint64_t skip = p->skip & (((uint64_t)1 << p->n) - 1); skip; skip &= skip - 1)
		frames[lowest_bit(skip)] = MVM_NO_FRAME;
	if (found)
		mvmh_pmap_enter_run(pmap, p->va, frames, p->n, rights);
	return found;
}

/* Pages of which a store is to be heard get no WRITE as long as they are clean. */
static void map_part(const struct area *a, const struct part_of_leaf *p)
{
	unsigned rights = area_rights(a);

	if (area_private(a) || !(rights & MVM_WRITE)) {
		map_some(&a->space->pmap, p, PAGE_BUSY, 0, rights & ~(unsigned)MVM_WRITE);
	} else if (map_some(&a->space->pmap, p, PAGE_BUSY | PAGE_DIRTY, PAGE_DIRTY, rights) <
		   p->n) {
		map_some(&a->space->pmap, p, PAGE_BUSY | PAGE_DIRTY, 0,
			rights & ~(unsigned)MVM_WRITE);
	}
}

/* Those of n pages from va on that the space has private pages at: a bit each. */
static uint64_t private_pages(struct mvm_space *space, mvm_vaddr_t va, unsigned n)
{
	uint64_t first = va >> MVM_PAGE_SHIFT, last = first + n - 1, vpn = first;
	uint64_t pages = 0;

	for (; (vpn = anon_next(&space->anons, vpn, last)) <= last; vpn++)
		pages |= (uint64_t)1 << (vpn - first);
	return pages;
}

/* Pages from va on, up to n, that are one run of entries. */
static unsigned run_from(mvm_vaddr_t va, unsigned n)
{
	unsigned in_run = (unsigned)(va >> MVM_PAGE_SHIFT) % MVM_RUN_PAGES;

	return (unsigned)min_u64(n, MVM_RUN_PAGES - in_run);
}

void map_around(struct area *a, mvm_vaddr_t at)
{
	struct window w = window_at(a, at, a->rights & MVM_EXEC ? CODE_PAGES : MVM_RUN_PAGES);
	struct mvm_object *obj = a->object;
	mvm_pgoff_t index = area_page(a, w.va);
	unsigned n = (unsigned)min_u64(window_pages(&w), object_pages(obj) - index);
	struct part_of_leaf part = {.va = w.va, .skip = 0};
	uint64_t vpn = w.va >> MVM_PAGE_SHIFT;

	if (unlikely(claim_find(a->space, w.va, w.end)))
		return;
	if (unlikely(obj->hole_first < index + n && index < obj->hole_end))
		return;
	space_work(a->space, min_u64(n, MVM_HOLD_PAGES));
	if (area_private(a) && anon_any(&a->space->anons, vpn, vpn + n - 1))
		part.skip = private_pages(a->space, w.va, n);
	for (; n > 0; n -= part.n) {
		part.n = run_from(part.va, n);
		part.slots = index_run(obj, index, &part.n);
		if (part.slots)
			map_part(a, &part);
		part.va += part.n * MVM_PAGE_BYTES;
		part.skip >>= part.n;
		index += part.n;
	}
}

unsigned map_zeros(struct area *a, mvm_vaddr_t at)
{
	struct window w = window_at(a, at, MVM_RUN_PAGES);
	mvm_frame_t frames[MVM_RUN_PAGES];
	unsigned n = window_pages(&w);
	uint64_t skip;

	if (a->flags & AREA_RANDOM || claim_find(a->space, w.va, w.end))
		return 1;
	space_work(a->space, min_u64(n, MVM_HOLD_PAGES));
	skip = private_pages(a->space, w.va, n);
	for (unsigned i = 0; i < n; i++, skip >>= 1)
		frames[i] = skip & 1 ? MVM_NO_FRAME : frame_of_zeros;
	mvmh_pmap_enter_run(&a->space->pmap, w.va, frames, n, entry_rights(a, false));
	return (unsigned)((w.end - at) >> MVM_PAGE_SHIFT);
}

/* --- Private pages ---------------------------------------------------------------------------- */

/* Map the private pages of the window; WRITE only to those that are exclusive, if others are. */
static OWN_FRAME void map_anons(struct area *a, const struct window *w, unsigned rights)
{
	unsigned left = window_pages(w), n, refs_most = rights & MVM_WRITE ? 1 : UINT32_MAX;
	void *const *slots = anon_slots(&a->space->anons, w->va >> MVM_PAGE_SHIFT);
	mvm_frame_t frames[MVM_RUN_PAGES];
	mvm_vaddr_t va = w->va;

	space_work(a->space, min_u64(left, MVM_HOLD_PAGES));
	for (; left > 0; left -= n, va += n * MVM_PAGE_BYTES) {
		n = run_from(va, left);
		for (unsigned i = 0; i < n; i++) {
			const struct mvm_page *anon = *slots++;
			bool wanted = anon && ref_count(&anon->anon_refs) <= refs_most;

			frames[i] = wanted ? anon->frame : MVM_NO_FRAME;
		}
		mvmh_pmap_enter_run(&a->space->pmap, va, frames, n, rights);
	}
}

OWN_FRAME void map_private(
	struct area *a, mvm_vaddr_t at, unsigned access, bool exclusive, bool upwards)
{
	unsigned rights = area_rights(a);
	struct window w = window_at(a, at, PRIVATE_PAGES);

	if (upwards)
		w.va = at + MVM_PAGE_BYTES;
	else
		w.end = at;
	if (w.va == w.end || a->flags & AREA_RANDOM || claim_find(a->space, w.va, w.end))
		return;
	if (!exclusive || history_wants_stores(a->space->history))
		rights &= ~(unsigned)MVM_WRITE;
	if (rights & access)
		map_anons(a, &w, rights);
}
