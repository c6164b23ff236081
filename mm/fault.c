// SPDX-License-Identifier: MIT
/*
 * The fault: from an address to an entry in the translation tables.
 *
 * Two layers answer for a page: the anon layer (private pages, anon.c) and below it the area's
 * object (a file, a device, shared memory; cache.c), never a chain of more.
 *
 *	                         load, or fetch                 store
 *	 --------------------------------------------------------------------------------------
 *	 anon, exclusive         1A  map it as the area says    1A  the same ("reuse")
 *	 anon, shared by fork    1A' map it without WRITE       1B  copy it, put the copy into our
 *	                                                            tree, map that
 *	 no anon:
 *	  object, shared area    2A  map its page, with WRITE   2A' make it writable (the pager
 *	                             only if DIRTY                  reserves), DIRTY, map it
 *	  object, private area   2A  map its page without WRITE 2B  copy it to a new anon, map that
 *	  no object              3   zeros in a new anon, map that (both)
 *
 * A pass and its needs.  Everything is decided and done in look(), under the space's lock.  What
 * it lacks (a page of zeros, a copy, the object's page, the pager's consent, memory) it names; the
 * lock is dropped, supply() gets that one thing, however long it takes, and look() runs again from
 * the start with it in hand:
 *
 *	lock -> look -> [ install, done ]
 *	         |
 *	         +-> need X -> unlock -> get X -> lock -> look again
 *
 * So there is no code that "revalidates": the second look is the first one.  If meanwhile the area
 * was unmapped, the file cut short, the page copied by another thread, the look finds that out
 * as a first fault would.  What is in hand stays in hand (pages are referenced, so reclaim cannot
 * take them back), hence retries make progress; what turned out not to be needed is given back at
 * the end.
 *
 * Marks.  Whoever takes something away marks it first, under a lock that look() holds when it
 * checks the mark, and sweeps translations afterwards, under the space's lock:
 *
 *	unmap, FIXED, fork    a claim on the range                    space lock
 *	mprotect              the area's rights                       space lock
 *	truncate              the object's size                       object lock
 *	reclaim, punch        BUSY, then gone from the index          object lock
 *	write-back            not DIRTY any more                      object lock
 *
 * Either the install comes first, and the sweep, which needs the space's lock, removes it; or the
 * mark comes first, and the look sees it.  The object's lock need not be held over the install: the
 * sweep cannot overtake the space's lock.
 *
 * An entry never changes its frame in place.  1B and 2B remove what is mapped at once, and the
 * batch is finished before the copy is made.  But meanwhile another thread may have mapped the old
 * page again, and a third have removed that and not yet finished its batch: some hart may still
 * load from the old page when others store to the new one.  So if the old page is mapped, or any
 * batch is open, when the copy is to be mapped, the fault claims the page, removes what is there,
 * finishes a batch of its own, and maps the copy as it gives up the claim (pass_alone).
 *
 * Memory.  Who lacks it deep inside says so; the fault gives back what is in hand, and fault_in()
 * reclaims with little on the stack (page.h: memory_wait) before it tries again.  Tables and nodes
 * that were made stay, so that these attempts make progress, too.
 *
 * Locks: space, then object.  None is held in supply(), nor while we sleep; claims and BUSY pages
 * are waited for killably.
 */
#include "fault.h"

#include "meta.h"
#include "trace.h"
#include "object.h"
#include "place.h"
#include "stats.h"
#include "writeback.h"

enum need {
	NEED_NOTHING,   /* done: f->result */
	NEED_LOOK,      /* the batch finished, or a claim gone: only look again */
	NEED_REPLACE,   /* the page to be claimed, and unreachable, before it is mapped */
	NEED_ZEROS,     /* fresh: zeros */
	NEED_ANON_COPY, /* fresh: a copy of f->source */
	NEED_PAGE,      /* the object's page, filled and not BUSY */
	NEED_PAGE_COPY, /* fresh: a copy of f->page */
	NEED_WRITABLE,  /* f->page DIRTY */
	NEED_OTHER,     /* another object than before: let go of that first */
	NEED_MEMORY,    /* for a table or a node */
	NEED_INSTALL,   /* nothing: pass() installs the fresh page */
};

/* What a fresh page contains, if not a copy of something. */
static const char zeros[1];

struct fault {
	struct mvm_space *space;
	mvm_vaddr_t va; /* of the page */
	uint8_t access;
	uint8_t result; /* enum mvm_fault_result */
	uint8_t rights; /* NEED_INSTALL: of the area */
	bool force;
	bool again;   /* not the first pass */
	bool swept;   /* something is in the batch or the grave */
	bool dirtied; /* the object's page became DIRTY */
	bool alone;   /* the page was claimed until this look: no hart reaches anything here */

	/* In hand, from pass to pass: */
	struct anon *fresh;        /* of our own, in no tree */
	const void *fresh_of;      /* what it contains: zeros, an anon, a page; NULL: nothing yet */
	struct anon *source;       /* referenced */
	struct mvm_object *object; /* referenced, with */
	mvm_pgoff_t index;
	enum ahead ahead;      /* if it must be read */
	struct mvm_page *page; /* referenced */

	/* Of the pass under way: */
	struct sweep *sweep;
	struct grave *grave;
};

static enum need done(struct fault *f, enum mvm_fault_result result)
{
	f->result = (uint8_t)result;
	return NEED_NOTHING;
}

/* How a failed pager operation ends the fault. */
static enum mvm_fault_result result_of(int err)
{
	if (err == -MVM_EINTR)
		return MVM_FAULT_KILLED;
	return err == -MVM_ENOMEM ? MVM_FAULT_NOMEM : MVM_FAULT_BUS;
}

/* --- Install: the space's lock is held -------------------------------------------------------- */

/* Remove what is mapped at the page, to be finished after this pass. */
static void remove_entry(struct fault *f)
{
	mvm_vaddr_t end = f->va + MVM_PAGE_BYTES;

	f->swept = true;
	sweep_open(f->space, f->sweep);
	if (space_remove_some(f->space, f->va, end, &f->sweep->batch) != end)
		mvmh_panic("mm: the host removes one entry at a time");
}

static enum need map_frame(struct fault *f, mvm_frame_t frame, unsigned rights)
{
	struct mvm_space *space = f->space;
	int err = rights ? mvmh_pmap_enter(&space->pmap, f->va, frame, rights, 0) : 0;

	trace(space, MVM_TRACE_PTE, f->va, frame, rights);
	if (likely(!err))
		return done(f, MVM_FAULT_OK);
	return err == -MVM_ENOMEM ? NEED_MEMORY : NEED_REPLACE; /* another frame is mapped here */
}

/* The fresh page it is; pass() installs it, for which it takes the stack that the look had. */
static enum need install(struct fault *f, const struct area *a)
{
	f->rights = (uint8_t)area_rights(a);
	return NEED_INSTALL;
}

/* Make the fresh page the space's own, and map it. */
static OWN_FRAME enum need install_fresh(struct fault *f)
{
	struct mvm_page *page = f->fresh->page;

	/* What the copy replaces may still be reached by a hart: see unmap.c and struct sweep. */
	if (unlikely(ref_count(&f->space->open_sweeps) > 0) && f->fresh_of != zeros && !f->alone)
		return NEED_REPLACE;
	f->swept = true;
	if (anon_set(&f->space->anons, f->va >> MVM_PAGE_SHIFT, f->fresh, f->grave) != 0)
		return NEED_MEMORY;
	f->fresh = NULL;
	return map_frame(f, page->frame, f->rights);
}

/* --- Look: the space's lock is held ----------------------------------------------------------- */

/* Cases 1A and 1B. */
static enum need look_anon(struct fault *f, struct area *a, struct anon *anon, bool exclusive)
{
	trace(f->space, MVM_TRACE_ANON, f->va, anon->page->frame, 0);
	if (exclusive) {
		if (f->access == MVM_WRITE) {
			COUNT(cow_reuses, 1);
			history_note(f->space->history, f->va >> MVM_PAGE_SHIFT);
		}
		return map_frame(f, anon->page->frame, area_rights(a));
	}
	if (f->access != MVM_WRITE)
		return map_frame(f, anon->page->frame, area_rights(a) & ~(unsigned)MVM_WRITE);
	if (f->fresh && f->fresh_of == anon)
		return install(f, a);
	history_note(f->space->history, f->va >> MVM_PAGE_SHIFT);
	ref_get(&anon->refs);
	if (f->source)
		anon_put(f->source, f->grave);
	f->source = anon;
	remove_entry(f);
	return NEED_ANON_COPY;
}

/* What an entry for the object's page may grant: a store to a clean page must be heard of. */
static unsigned page_rights(const struct area *a, const struct mvm_page *page)
{
	bool writable = !area_private(a) && page->state & PAGE_DIRTY;

	return area_rights(a) & (writable ? MVM_RWX : MVM_READ | MVM_EXEC);
}

/* Case 2A; the object's lock is held. */
static enum need map_page(struct fault *f, struct area *a, struct mvm_page *page)
{
	enum need need = map_frame(f, page->frame, page_rights(a, page));

	page->state |= PAGE_USED;
	if (need == NEED_NOTHING && !(a->flags & AREA_RANDOM))
		map_around(a, f->va);
	return need;
}

static enum need look_device(struct fault *f, struct area *a)
{
	if (f->index >= object_pages(a->object))
		return done(f, MVM_FAULT_BUS);
	if (area_private(a) && f->access == MVM_WRITE)
		return done(f, MVM_FAULT_ACCERR); /* nothing to copy: registers */
	return map_frame(f, a->object->device_first + (mvm_frame_t)f->index,
		area_rights(a) & (area_private(a) ? MVM_READ | MVM_EXEC : MVM_RWX));
}

/*
 * Have this page, referenced, in hand; NULL: none.  What was copied from the one before is worth
 * nothing now: its descriptor may come back as another page's.
 */
static void hold_page(struct fault *f, struct mvm_page *page)
{
	if (f->page != page && f->fresh_of == f->page)
		f->fresh_of = NULL;
	if (f->page)
		page_put(f->page);
	f->page = page;
}

static void take_page(struct fault *f, struct mvm_page *page)
{
	if (f->page == page)
		return;
	page_get(page);
	hold_page(f, page);
}

/* What was said of the area by madvise. */
static enum ahead ahead_of(const struct area *a)
{
	if (a->flags & AREA_RANDOM)
		return AHEAD_NONE;
	return a->flags & AREA_SEQUENTIAL ? AHEAD_MOST : AHEAD_GUESS;
}

/* Cases 2A and 2B; the object's lock is held. */
static enum need look_page(struct fault *f, struct area *a)
{
	struct mvm_object *obj = a->object;
	struct mvm_page *page = object_usable(obj, f->index);

	trace(f->space, MVM_TRACE_OBJECT, f->va, f->index, page ? page->frame : MVM_NO_FRAME);
	if (f->index >= object_pages(obj))
		return done(f, MVM_FAULT_BUS);
	if (!page) {
		f->ahead = ahead_of(a);
		return NEED_PAGE;
	}
	if (f->access != MVM_WRITE || (!area_private(a) && page->state & PAGE_DIRTY))
		return map_page(f, a, page);
	take_page(f, page);
	if (!area_private(a))
		return NEED_WRITABLE;
	if (f->fresh && f->fresh_of == page)
		return install(f, a);
	remove_entry(f);
	return NEED_PAGE_COPY;
}

static enum need look_object(struct fault *f, struct area *a)
{
	struct mvm_object *obj = a->object;
	enum need need;

	f->index = area_page(a, f->va);
	if (obj->kind == OBJECT_DEVICE)
		return look_device(f, a);
	if (unlikely(f->object && f->object != obj))
		return NEED_OTHER;
	object_lock(obj);
	need = look_page(f, a);
	mvmh_unlock(&obj->lock);
	if (need != NEED_NOTHING && !f->object) {
		mvm_object_ref(obj);
		f->object = obj;
	}
	return need;
}

/* Case 3. */
static enum need look_zero(struct fault *f, struct area *a)
{
	return f->fresh && f->fresh_of == zeros ? install(f, a) : NEED_ZEROS;
}

/* The claim is in our way. */
static COLD enum need wait_claim(struct fault *f, struct claim *c)
{
	if (c->kind == CLAIM_UNMAP)
		return done(f, MVM_FAULT_MAPERR);
	c->waited = true;
	if (space_wait(f->space, &f->space->claims, true) != 0)
		return done(f, MVM_FAULT_KILLED);
	return NEED_LOOK;
}

/* Have the stack `a` reach down to the page; false: *need says what is in the way. */
static COLD bool grow_stack(struct fault *f, struct area *a, enum need *need)
{
	struct claim *c = claim_find(f->space, f->va, a->end);

	if (!place_may_grow(f->space, a, f->va))
		*need = done(f, MVM_FAULT_MAPERR);
	else if (c)
		*need = wait_claim(f, c);
	else
		space_resize(f->space, a, f->va, a->end);
	return a->start == f->va;
}

/* One pass. */
static enum need look(struct fault *f)
{
	struct mvm_space *space = f->space;
	struct claim *c = claim_find(space, f->va, f->va + MVM_PAGE_BYTES);
	struct area *a = area_find(&space->areas, f->va);
	struct anon *anon;
	bool exclusive, fork = c && c->kind == CLAIM_FORK;

	if (unlikely(c && c->kind <= CLAIM_REPLACE))
		return wait_claim(f, c);
	if (!a || space->dead)
		return done(f, MVM_FAULT_MAPERR);
	if (a->start > f->va) {
		enum need need;

		if (!grow_stack(f, a, &need))
			return need;
	}
	trace(space, MVM_TRACE_AREA, f->va, a->start, a->end);
	if (!fault_allowed(a, f->access, f->force))
		return done(f, MVM_FAULT_ACCERR);
	if (!area_private(a))
		return look_object(f, a);
	if (unlikely(fork && f->access == MVM_WRITE))
		return wait_claim(f, c);
	anon = anon_find(&space->anons, f->va >> MVM_PAGE_SHIFT, &exclusive);
	if (anon)
		return look_anon(f, a, anon, exclusive);
	if (a->object)
		return look_object(f, a);
	return unlikely(fork) ? wait_claim(f, c) : look_zero(f, a);
}

/* --- Supply: no lock is held ------------------------------------------------------------------ */

/* A page of our own to fill, if there is none yet. */
static bool have_fresh(struct fault *f)
{
	struct mvm_page *page;

	if (f->fresh)
		return true;
	page = page_alloc();
	f->fresh = page ? anon_new(page) : NULL;
	if (f->fresh)
		COUNT(anon_pages, 1);
	else if (page)
		page_put(page);
	return f->fresh;
}

static OWN_FRAME enum mvm_fault_result supply_fresh(struct fault *f, enum need need)
{
	struct mvm_page *from = need == NEED_ANON_COPY ? f->source->page : f->page;

	f->fresh_of = NULL;
	if (!have_fresh(f))
		return MVM_FAULT_NOMEM;
	if (need == NEED_ZEROS) {
		page_zero(f->fresh->page, 0, MVM_PAGE_BYTES);
		f->fresh_of = zeros;
		COUNT(zero_fills, 1);
		trace(f->space, MVM_TRACE_ZERO, f->va, f->fresh->page->frame, 0);
		return MVM_FAULT_OK;
	}
	page_copy(f->fresh->page, from);
	f->fresh_of = need == NEED_ANON_COPY ? (void *)f->source : (void *)f->page;
	COUNT(cow_copies, 1);
	trace(f->space, MVM_TRACE_COPY, f->va, from->frame, f->fresh->page->frame);
	return MVM_FAULT_OK;
}

static enum mvm_fault_result supply_page(struct fault *f)
{
	struct mvm_page *page;
	int err;

	err = cache_get(
		f->object, f->index, f->ahead, is_traced(f->space) ? f->space->tag : 0, &page);
	if (err == -MVM_EFAULT) /* truncated: the next look says what that means */
		return MVM_FAULT_OK;
	if (err)
		return result_of(err);
	COUNT(major_faults, 1);
	__atomic_fetch_add(&f->space->major_faults, 1, __ATOMIC_RELAXED);
	hold_page(f, page);
	return MVM_FAULT_OK;
}

static OWN_FRAME enum mvm_fault_result supply_writable(struct fault *f)
{
	int err = cache_make_writable(f->object, f->page, true);

	trace(f->space, MVM_TRACE_WRITABLE, f->va, f->index, (uint64_t)err);
	f->dirtied |= !err;
	return err ? result_of(err) : MVM_FAULT_OK;
}

static void let_go(struct fault *f)
{
	hold_page(f, NULL);
	if (f->object)
		mvm_object_unref(f->object);
	f->object = NULL;
}

/*
 * Get what the pass needed.  Anything but MVM_FAULT_OK ends the fault, but MVM_FAULT_NOMEM only if
 * there is nothing to reclaim.
 */
static OWN_FRAME enum mvm_fault_result supply(struct fault *f, enum need need)
{
	if (f->again) {
		COUNT(fault_retries, 1);
		trace(f->space, MVM_TRACE_RETRY, f->va, need, 0);
	}
	f->again = true;
	switch (need) {
	case NEED_ZEROS:
	case NEED_ANON_COPY:
	case NEED_PAGE_COPY:
		return supply_fresh(f, need);
	case NEED_PAGE:
		return supply_page(f);
	case NEED_WRITABLE:
		return supply_writable(f);
	case NEED_MEMORY:
		return MVM_FAULT_NOMEM;
	case NEED_OTHER:
		let_go(f);
		return MVM_FAULT_OK;
	default:
		return MVM_FAULT_OK;
	}
}

/* One look, and the end of the batch that it began; `claim`, if any, of the page is given up. */
static OWN_FRAME enum need pass(struct fault *f, struct claim *claim)
{
	struct sweep sweep = {0};
	struct grave grave = {0};
	enum need need;

	f->sweep = &sweep;
	f->grave = &grave;
	f->swept = false;
	f->alone = claim;
	space_lock(f->space);
	if (unlikely(claim))
		claim_leave(f->space, claim);
	need = look(f);
	if (need == NEED_INSTALL)
		need = install_fresh(f);
	space_unlock(f->space);
	if (unlikely(claim && claim->waited))
		mvmh_wake(&f->space->claims);
	if (f->swept) {
		sweep_sync(f->space, &sweep);
		anon_bury(&grave);
	}
	return need;
}

/* Claim the page, until no hart reaches anything there.  False: others claim it. */
static OWN_FRAME bool claim_page(struct fault *f, struct claim *claim)
{
	struct sweep sweep = {0};
	bool claimed;

	f->sweep = &sweep;
	space_lock(f->space);
	claimed = claim_enter_change(f->space, claim, f->va, f->va + MVM_PAGE_BYTES);
	if (claimed)
		remove_entry(f);
	space_unlock(f->space);
	sweep_sync(f->space, &sweep);
	return claimed;
}

/* A pass that begins with nothing mapped at the page, whatever others do. */
static OWN_FRAME enum need pass_alone(struct fault *f)
{
	struct claim claim;

	return claim_page(f, &claim) ? pass(f, &claim) : NEED_LOOK;
}

/* Give back what is still in hand. */
static OWN_FRAME void finish(struct fault *f)
{
	struct grave grave = {0};

	if (f->fresh)
		anon_put(f->fresh, &grave);
	if (f->source)
		anon_put(f->source, &grave);
	anon_bury(&grave);
	let_go(f);
}

/* Count it, trace it; the time, if that is wanted. */
static OWN_FRAME uint64_t begin(struct mvm_space *space, mvm_vaddr_t va, unsigned access)
{
	COUNT(faults, 1);
	__atomic_fetch_add(&space->faults, 1, __ATOMIC_RELAXED);
	trace(space, MVM_TRACE_FAULT, va, access, 0);
	return is_traced(space) ? mvmh_now() : 0;
}

static OWN_FRAME void trace_end(
	struct mvm_space *space, mvm_vaddr_t va, enum mvm_fault_result result, uint64_t began)
{
	trace(space, MVM_TRACE_FAULT_END, va, result, mvmh_now() - began);
}

/*
 * Passes, until the fault is over or memory is short.  *dirtied: the object, referenced, of which a
 * page was made DIRTY, else NULL.
 */
static OWN_FRAME enum mvm_fault_result attempt(struct mvm_space *space, mvm_vaddr_t va,
	unsigned access, bool force, struct mvm_object **dirtied)
{
	struct fault f = {.space = space, .va = va, .force = force};
	enum need need = NEED_LOOK;

	f.access = (uint8_t)access;
	while ((need = need == NEED_REPLACE ? pass_alone(&f) : pass(&f, NULL)) != NEED_NOTHING) {
		f.result = (uint8_t)supply(&f, need);
		if (f.result != MVM_FAULT_OK)
			break;
	}
	*dirtied = f.dirtied ? f.object : NULL;
	if (f.dirtied)
		f.object = NULL; /* the caller's */
	finish(&f);
	return f.result;
}

enum mvm_fault_result fault_in(struct mvm_space *space, mvm_vaddr_t va, unsigned access, bool force)
{
	uint64_t began = begin(space, va, access);
	struct mvm_object *dirtied;
	enum mvm_fault_result result;
	unsigned attempts = 0;

	do {
		result = attempt(space, page_floor(va), access, force, &dirtied);
		if (dirtied)
			writeback_pay(dirtied);
	} while (unlikely(result == MVM_FAULT_NOMEM) && memory_wait(&attempts));
	if (unlikely(began))
		trace_end(space, va, result, began);
	return result;
}

enum mvm_fault_result mvm_fault(struct mvm_space *space, mvm_vaddr_t va, unsigned access)
{
	return fault_in(space, va, access, false);
}
