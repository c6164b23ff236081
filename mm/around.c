// SPDX-License-Identifier: MIT
/*
 * Fault-around: the resident pages about the one that a fault has just mapped are mapped with it,
 * so that who goes through a file in memory faults once in MVM_RUN_PAGES pages.  Of a program's
 * code, which is run here and there, it is CODE_PAGES.
 *
 * A help, not a duty.  It maps what it finds under the fault's locks; it waits for nothing and
 * reads nothing.  Where something is in the way (a claim, whose sweep may be past some page; a hole
 * being punched; a private copy; want of a table) pages stay unmapped, and fault by themselves
 * later.
 *
 * What a page costs is mostly the way down two trees, so each is gone once: the window's pages are
 * side by side in a leaf of the index, or in two, and their entries in one table, into which the
 * host puts them as a run (mvmh_pmap_enter_run).
 *
 * So does who only loads from private memory that has no pages: the page of zeros is mapped all
 * around.
 */
#include "fault.h"

#include "object.h"

/* A host with shorter holds of locks has what others have for data. */
#define CODE_PAGES (MVM_HOLD_PAGES < 64 ? MVM_RUN_PAGES : 64)

/* So many pages at most, that the fault's own looks have room in the hold. */
#define MOST_PAGES (MVM_HOLD_PAGES - 4)

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

/* The bytes of the window in which the area's pages are mapped together. */
static mvm_vaddr_t window_of(const struct area *a)
{
	return (a->rights & MVM_EXEC ? CODE_PAGES : MVM_RUN_PAGES) * MVM_PAGE_BYTES;
}

/* Pages from va on, up to n, that are one run of entries. */
static unsigned run_from(mvm_vaddr_t va, unsigned n)
{
	unsigned in_run = (unsigned)(va >> MVM_PAGE_SHIFT) % MVM_RUN_PAGES;

	return (unsigned)min_u64(n, MVM_RUN_PAGES - in_run);
}

void map_around(struct area *a, mvm_vaddr_t at)
{
	mvm_vaddr_t window = window_of(a), va = max_u64(a->start, at & ~(window - 1));
	mvm_vaddr_t end = min_u64(a->end, (at | (window - 1)) + 1);
	struct mvm_object *obj = a->object;
	mvm_pgoff_t index = area_page(a, va);
	uint64_t there = min_u64((end - va) >> MVM_PAGE_SHIFT, object_pages(obj) - index);
	unsigned n = (unsigned)min_u64(there, MOST_PAGES);
	struct part_of_leaf part = {.va = va, .skip = 0};
	uint64_t last = (va >> MVM_PAGE_SHIFT) + n - 1;

	if (unlikely(claim_find(a->space, va, end)))
		return;
	if (unlikely(obj->hole_first < index + n && index < obj->hole_end))
		return;
	space_work(a->space, n);
	if (area_private(a) && anon_any(&a->space->anons, va >> MVM_PAGE_SHIFT, last))
		part.skip = private_pages(a->space, va, n);
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
	mvm_vaddr_t window = MVM_RUN_PAGES * MVM_PAGE_BYTES,
		    va = max_u64(a->start, at & ~(window - 1));
	mvm_vaddr_t end = min_u64(a->end, (at | (window - 1)) + 1);
	unsigned n = (unsigned)((end - va) >> MVM_PAGE_SHIFT);
	mvm_frame_t frames[MVM_RUN_PAGES];
	uint64_t skip;

	if (a->flags & AREA_RANDOM || claim_find(a->space, va, end))
		return 1;
	space_work(a->space, min_u64(n, MVM_HOLD_PAGES));
	skip = private_pages(a->space, va, n);
	for (unsigned i = 0; i < n; i++, skip >>= 1)
		frames[i] = skip & 1 ? MVM_NO_FRAME : frame_of_zeros;
	mvmh_pmap_enter_run(&a->space->pmap, va, frames, n, area_rights(a) & ~(unsigned)MVM_WRITE);
	return (unsigned)((end - at) >> MVM_PAGE_SHIFT);
}
