// SPDX-License-Identifier: MIT
/*
 * Rights: mprotect.
 *
 * Area by area: the rights change first (the mark), then, if some are lost, the translations are
 * reduced, at most 64 a hold, and the batch is finished once at the end.  Rights that are gained
 * cost nothing here: the next fault finds them.  There is no claim: a fault during the sweep
 * installs what the new rights allow, and that a sweep reduces an entry too much harms nobody.
 */
#include "meta.h"
#include "object.h"
#include "space.h"
#include "trace.h"

/* The state of one call. */
struct protect {
	struct mvm_space *space;
	mvm_vaddr_t at, end;   /* rights are set up to `at` */
	mvm_vaddr_t sweep_end; /* translations of [swept, sweep_end) are still to be reduced */
	mvm_vaddr_t swept;
	unsigned rights;
	struct area *gone;
	struct sweep sweep;
};

/*
 * Cut `a` at va if that lies inside; with `upper`, *a becomes the part from va on.  -MVM_EAGAIN: no
 * memory; -MVM_ENOMEM: one area too many.
 */
static int cut(struct protect *p, struct area **a, mvm_vaddr_t va, bool upper)
{
	struct area *part;

	if (va <= (*a)->start || va >= (*a)->end)
		return 0;
	if (space_room_area(p->space) != 0)
		return -MVM_ENOMEM;
	part = slab_alloc(SLAB_AREA);
	if (!part)
		return -MVM_EAGAIN;
	space_split(p->space, *a, va, part);
	if (upper)
		*a = part;
	return 0;
}

/* May `a`, from p->at on, have the rights? */
static int check_rights(const struct protect *p, const struct area *a)
{
	uint64_t pages = (min_u64(a->end, p->end) - p->at) >> MVM_PAGE_SHIFT;

	if (p->rights & ~(unsigned)a->max_rights)
		return -MVM_EACCES;
	return p->rights & ~a->rights & MVM_WRITE ? space_room_data(p->space, a->flags, pages) : 0;
}

static void merge_at(struct protect *p, mvm_vaddr_t va)
{
	struct area *gone = space_merge_at(p->space, va);

	if (gone) {
		gone->parent = p->gone;
		p->gone = gone;
	}
}

/* Set the rights of the next area.  The space's lock is held.  -MVM_EAGAIN: memory is needed. */
static int protect_area(struct protect *p)
{
	struct area *a = space_area(p->space, p->at);
	bool loses;
	int err = a ? check_rights(p, a) : -MVM_ENOMEM;

	if (!err && a->rights != p->rights)
		err = cut(p, &a, p->at, true);
	if (!err && a->rights != p->rights)
		err = cut(p, &a, p->end, false);
	if (err)
		return err;
	loses = a->rights & ~p->rights;
	space_set_rights(p->space, a, p->rights);
	p->swept = p->at;
	p->at = min_u64(a->end, p->end);
	p->sweep_end = loses ? p->at : p->swept;
	merge_at(p, max_u64(a->start, p->swept));
	return 0;
}

/* Reduce some translations.  The space's lock is held. */
static void sweep_some(struct protect *p)
{
	struct mvmh_pmap *pmap = &p->space->pmap;
	struct mvmh_tlb *batch = &p->sweep.batch;

	sweep_open(p->space, &p->sweep);
	if (p->rights)
		p->swept = mvmh_pmap_protect(pmap, p->swept, p->sweep_end, p->rights, batch);
	else
		p->swept = mvmh_pmap_remove(pmap, p->swept, p->sweep_end, batch);
}

/* One hold of the lock: an area's rights, and some of its translations. */
static int step(struct protect *p)
{
	int err = 0;

	space_lock(p->space);
	if (p->swept == p->sweep_end) {
		claim_wait(p->space, p->at, p->end);
		err = protect_area(p);
	}
	if (!err && p->swept != p->sweep_end)
		sweep_some(p);
	if (!err && p->at == p->end)
		merge_at(p, p->end);
	space_unlock(p->space);
	while (p->gone) {
		struct area *a = p->gone;

		p->gone = a->parent;
		area_free(a);
	}
	return err;
}

int mvm_protect(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes, unsigned rights)
{
	struct protect p = {
		.space = space,
		.at = addr,
		.end = addr + pages_of(bytes) * MVM_PAGE_BYTES,
		.rights = rights,
	};
	unsigned attempts = 0;
	int err = 0;

	if (addr & MVM_PAGE_MASK || p.end < addr)
		return -MVM_EINVAL;
	trace(space, MVM_TRACE_PROTECT, addr, p.end, rights);
	while (!err && (p.at < p.end || p.swept != p.sweep_end)) {
		err = step(&p);
		if (err == -MVM_EAGAIN)
			err = memory_wait(&attempts) ? 0 : -MVM_ENOMEM;
	}
	sweep_finish(space, &p.sweep);
	return err;
}
