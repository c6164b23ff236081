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
 *	                             only if DIRTY                  reserves), DIRTY, map it; at
 *	                                                            once if the pager needs nothing
 *	                                                            for it, or it is new memory
 *	  object, private area   2A  map its page without WRITE 2B  copy it to a new anon, map that
 *	  no object              3   map the page of zeros, 3   zeros in a new anon, map that
 *	                             without WRITE
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
 * So there is no code that "revalidates": the second look is the first one.  If meanwhile the
 * area was unmapped, the file cut short, the page copied by another thread, the look finds that
 * out as a first fault would.  Only if nobody has had the space's lock in between, and what was
 * lacking was a page of our own, is there no need to look: what the first look found still is, or
 * a mark has been made whose sweep is yet to come.  What is in hand stays in hand (pages are
 * referenced, so reclaim cannot take them back), hence retries make progress; what turned out not
 * to be needed is given back at the end.
 *
 * The short way.  Most stores to private memory need none of this: mvm_fault() serves them in one
 * piece (shortcut.c), which repeats the look, the marks and the install for three cases.  What
 * changes here of these (claims, dead, open batches, touched, what may be shared) changes there.
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
 * An entry does not change its frame while harts may know the old one: some would still load from
 * the old page when others store to the new one.  1B and 2B find the old page mapped when the
 * copy is to be, and a store of 3 the page of zeros, if the area was loaded from
 * (TOUCHED_ZEROS).  Mostly the space runs on this hart only, and the host replaces the entry on the
 * spot (mvmh_pmap_replace).  Else, or if any batch is open, so that even a page that is not mapped
 * any more may be reached, the fault claims the page, removes what is there, finishes a batch of
 * its own, and maps the copy as it gives up the claim (pass_alone).  The copy enters the tree only
 * as it is mapped: who found it there before could store to it, by mvm_hold(), while harts load
 * from the old page.
 *
 * Memory.  Who lacks it deep inside says so; the fault gives back what is in hand, and fault_in()
 * reclaims with little on the stack (page.h: memory_wait) before it tries again.  Tables and nodes
 * that were made stay, so that these attempts make progress, too.
 *
 * Locks: space, then object.  None is held in supply(), nor while we sleep; claims and BUSY pages
 * are waited for killably.
 */
#include "fault.h"

#include "large.h"
#include "meta.h"
#include "trace.h"
#include "object.h"
#include "place.h"
#include "stats.h"
#include "writeback.h"

enum need {
	NEED_NOTHING,   /* done: f->result */
	NEED_LOOK,      /* a claim is gone: only look again */
	NEED_REPLACE,   /* the page to be claimed, and unreachable, before it is mapped */
	NEED_ZEROS,     /* fresh: zeros */
	NEED_ANON_COPY, /* fresh: a copy of f->source */
	NEED_PAGE,      /* the object's page, filled and not BUSY */
	NEED_BLANK,     /* blank: a page of zeros, to become the object's */
	NEED_PAGE_COPY, /* fresh: a copy of f->page */
	NEED_WRITABLE,  /* f->page DIRTY */
	NEED_LARGE,     /* a large page of zeros, installed (large.c) */
	NEED_OTHER,     /* another object than before: let go of that first */
	NEED_MEMORY,    /* for a table or a node */
	NEED_INSTALL,   /* nothing: pass() installs what is fresh */
};

/* What fresh pages contain, if not a copy of something. */
static const char zeros[1];

struct fault {
	struct mvm_space *space;
	mvm_vaddr_t va;  /* of the page */
	mvm_vaddr_t end; /* what is empty behind the page may be filled, too, up to here */
	uint8_t access;
	uint8_t result; /* enum mvm_fault_result */
	uint8_t rights; /* of the area */
	uint16_t run;   /* pages of zeros that are wanted from the page on; then: pages done */
	bool force;
	bool again;    /* not the first pass */
	bool supplied; /* the last pass wanted a page of our own, which is fresh now */
	bool dirtied;  /* the object's page became DIRTY */
	bool alone;    /* the page was claimed until this look: no hart reaches anything here */
	bool over;     /* what is fresh takes the place of something that harts may reach */
	uint64_t turn; /* the space's, at the last pass */

	/* In hand, from pass to pass: */
	struct mvm_page *fresh;    /* a chain of our own, in no tree */
	const void *fresh_of;      /* what they contain: zeros; or, the first, a copy of an anon or
				      a page; NULL: nothing yet */
	struct mvm_page *source;   /* referenced */
	struct mvm_object *object; /* referenced, with */
	mvm_pgoff_t index;
	struct mvm_page *page;  /* referenced */
	struct mvm_page *blank; /* of zeros, of our own */
	enum ahead ahead;       /* if it must be read */

	/* Of the pass under way: what it took out of the tree. */
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

static enum need map_frame(struct fault *f, mvm_frame_t frame, unsigned rights)
{
	struct mvm_space *space = f->space;
	int err = rights ? mvmh_pmap_enter(&space->pmap, f->va, frame, rights, 0) : 0;

	trace(space, MVM_TRACE_PTE, f->va, frame, rights);
	if (likely(!err))
		return done(f, MVM_FAULT_OK);
	return err == -MVM_ENOMEM ? NEED_MEMORY : NEED_REPLACE; /* another frame is mapped here */
}

/* Out of what is fresh, to be the space's own. */
static struct mvm_page *take_fresh(struct fault *f)
{
	struct mvm_page *anon = f->fresh;

	f->fresh = anon->next_anon;
	return anon;
}

/* The rest of the run of zeros, behind the page that was just put into the tree. */
static OWN_FRAME void install_run(struct fault *f)
{
	mvm_frame_t frames[MVM_RUN_PAGES];
	uint64_t vpn = f->va >> MVM_PAGE_SHIFT;
	unsigned n = 1;

	for (; n < f->run && f->fresh; n++) {
		frames[n] = f->fresh->frame;
		anon_set_beside(&f->space->anons, vpn + n, take_fresh(f));
	}
	space_work(f->space, n - 1);
	mvmh_pmap_enter_run(&f->space->pmap, f->va + MVM_PAGE_BYTES, &frames[1], n - 1, f->rights);
	f->run = (uint16_t)n;
}

/* Map what is fresh, and perhaps in the place of what it is a copy of. */
static enum need map_fresh(struct fault *f)
{
	mvm_frame_t frame = f->fresh->frame;
	enum need need = map_frame(f, frame, f->rights);

	if (need == NEED_REPLACE && mvmh_pmap_replace(&f->space->pmap, f->va, frame, f->rights))
		return done(f, MVM_FAULT_OK);
	return need;
}

/* Map what is fresh, and make it the space's own. */
static enum need install_fresh(struct fault *f)
{
	struct anon_tree *tree = &f->space->anons;
	uint64_t vpn = f->va >> MVM_PAGE_SHIFT;
	enum need need;

	/*
	 * What is replaced may still be reached by a hart: see unmap.c and struct sweep.  And where
	 * a forced store maps nothing, nobody would find the entry that a mark of mprotect's has
	 * not reached yet.
	 */
	if (unlikely(ref_count(&f->space->open_sweeps) > 0 || !f->rights) && f->over && !f->alone)
		return NEED_REPLACE;
	if (anon_reserve(tree, vpn, f->grave) != 0)
		return NEED_MEMORY;
	need = map_fresh(f);
	if (unlikely(need != NEED_NOTHING))
		return need;
	anon_enter(tree, vpn, take_fresh(f), f->grave);
	if (f->run > 1)
		install_run(f);
	else if (unlikely(f->fresh != NULL) && f->fresh_of != zeros)
		f->fresh_of = NULL; /* what is left in hand is no copy */
	return NEED_NOTHING;
}

/* --- Look: the space's lock is held ----------------------------------------------------------- */

/* Cases 1A and 1B. */
static enum need look_anon(struct fault *f, struct mvm_page *anon, bool exclusive)
{
	trace(f->space, MVM_TRACE_ANON, f->va, anon->frame, 0);
	if (exclusive) {
		if (f->access == MVM_WRITE) {
			COUNT(cow_reuses, 1);
			history_note(f->space->history, f->va >> MVM_PAGE_SHIFT);
		}
		return map_frame(f, anon->frame, f->rights);
	}
	if (f->access != MVM_WRITE)
		return map_frame(f, anon->frame, f->rights & ~(unsigned)MVM_WRITE);
	if (f->fresh && f->fresh_of == anon)
		return NEED_INSTALL;
	history_note(f->space->history, f->va >> MVM_PAGE_SHIFT);
	anon_get(anon);
	if (f->source)
		anon_put(f->source, f->grave);
	f->source = anon;
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
	if (!page && object_is_memory(obj) && cache_absent(obj, f->index)) {
		bool dirty = f->access == MVM_WRITE && !area_private(a);

		if (!f->blank)
			return NEED_BLANK;
		if (cache_put_zeros(obj, f->index, f->blank, dirty) != 0)
			return NEED_MEMORY;
		page = f->blank;
		f->blank = NULL;
		/* What is in memory beside a new page is mostly mapped: this is how it came there. */
		if (dirty || f->access != MVM_WRITE)
			return map_frame(f, page->frame, page_rights(a, page));
	}
	if (!page) {
		f->ahead = ahead_of(a);
		return NEED_PAGE;
	}
	if (f->access != MVM_WRITE || (!area_private(a) && page->state & PAGE_DIRTY))
		return map_page(f, a, page);
	/* Its neighbours are clean, or have faulted for stores of their own: it is mapped alone. */
	if (!area_private(a) && cache_dirty_at_once(obj, page)) {
		trace(f->space, MVM_TRACE_WRITABLE, f->va, f->index, 0);
		return map_frame(f, page->frame, page_rights(a, page));
	}
	take_page(f, page);
	if (!area_private(a))
		return NEED_WRITABLE;
	if (f->fresh && f->fresh_of == page)
		return NEED_INSTALL;
	return NEED_PAGE_COPY;
}

static enum need look_object(struct fault *f, struct area *a)
{
	enum need need;

	f->index = area_page(a, f->va);
	if (a->object->kind == OBJECT_DEVICE)
		return look_device(f, a);
	if (unlikely(f->object && f->object != a->object))
		return NEED_OTHER;
	object_lock(a->object);
	need = look_page(f, a);
	mvmh_unlock(&a->object->lock);
	if (need != NEED_NOTHING && !f->object) {
		f->object = a->object;
		mvm_object_ref(f->object);
	}
	return need;
}

/* How many pages from this one on, in one run of entries, are as empty and may be filled. */
static OWN_FRAME unsigned empty_run(struct fault *f, const struct area *a)
{
	mvm_vaddr_t window = MVM_RUN_PAGES * MVM_PAGE_BYTES;
	mvm_vaddr_t end = min_u64(min_u64(f->end, a->end), (f->va | (window - 1)) + 1);
	uint64_t vpn = f->va >> MVM_PAGE_SHIFT, last = (end >> MVM_PAGE_SHIFT) - 1;

	if (claim_find(f->space, f->va, end))
		return 1;
	return (unsigned)(anon_next(&f->space->anons, vpn, last) - vpn);
}

/* Case 3, a load: nothing is stored to the page of zeros, so all may share it. */
static enum need look_zeros(struct fault *f, struct area *a)
{
	unsigned rights = f->rights & ~(unsigned)MVM_WRITE;
	enum need need = map_frame(f, frame_of_zeros, rights);

	a->touched |= TOUCHED_ZEROS;
	if (need == NEED_NOTHING && rights)
		f->run = (uint16_t)map_zeros(a, f->va);
	return need;
}

/* Case 3. */
static enum need look_zero(struct fault *f, struct area *a)
{
	if (f->access != MVM_WRITE && !(a->flags & AREA_HUGE))
		return look_zeros(f, a);
	a->touched |= TOUCHED_PAGES;
	if (unlikely(a->flags & AREA_HUGE) && !f->again && large_fits(f->space, a, f->va))
		return NEED_LARGE;
	f->over = a->touched & TOUCHED_ZEROS;
	if (unlikely(f->end > f->va + MVM_PAGE_BYTES) && !f->over)
		f->run = (uint16_t)empty_run(f, a);
	return f->fresh && f->fresh_of == zeros ? NEED_INSTALL : NEED_ZEROS;
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
static inline enum need look(struct fault *f)
{
	struct mvm_space *space = f->space;
	struct claim *c = claim_find(space, f->va, f->va + MVM_PAGE_BYTES);
	struct area *a = area_find(&space->areas, f->va);
	struct mvm_page *anon;
	bool exclusive, fork = c && c->kind == CLAIM_FORK;

	f->run = 1;
	f->over = true;
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
	f->rights = (uint8_t)area_rights(a);
	if (!area_private(a))
		return look_object(f, a);
	if (unlikely(fork && f->access == MVM_WRITE))
		return wait_claim(f, c);
	anon = anon_find(&space->anons, f->va >> MVM_PAGE_SHIFT, &exclusive);
	if (anon)
		return look_anon(f, anon, exclusive);
	if (a->object)
		return look_object(f, a);
	return unlikely(fork) ? wait_claim(f, c) : look_zero(f, a);
}

/* --- Supply: no lock is held ------------------------------------------------------------------ */

/* Have the run of zeros, or what there is memory for; what is in hand already counts. */
static OWN_FRAME enum mvm_fault_result supply_zeros(struct fault *f)
{
	struct mvm_page **link = &f->fresh;
	unsigned n = 0;

	for (;; n++, link = &(*link)->next_anon) {
		if (!*link && n < f->run)
			*link = unlikely(f->run > 1) ? anon_new_some(f->run - n) : anon_new();
		if (!*link)
			break;
		page_zero(*link, 0, MVM_PAGE_BYTES);
		trace(f->space, MVM_TRACE_ZERO, f->va + n * MVM_PAGE_BYTES, (*link)->frame, 0);
	}
	if (unlikely(!f->fresh))
		return MVM_FAULT_NOMEM;
	f->fresh_of = zeros;
	f->supplied = true;
	COUNT(zero_fills, n);
	return MVM_FAULT_OK;
}

static OWN_FRAME enum mvm_fault_result supply_blank(struct fault *f)
{
	f->blank = page_alloc();
	if (!f->blank)
		return MVM_FAULT_NOMEM;
	page_zero(f->blank, 0, MVM_PAGE_BYTES);
	COUNT(zero_fills, 1);
	trace(f->space, MVM_TRACE_ZERO, f->va, f->blank->frame, 0);
	return MVM_FAULT_OK;
}

static OWN_FRAME enum mvm_fault_result supply_copy(
	struct fault *f, const void *of, struct mvm_page *from)
{
	f->fresh_of = NULL;
	if (!f->fresh)
		f->fresh = anon_new();
	if (!f->fresh)
		return MVM_FAULT_NOMEM;
	page_copy(f->fresh, from);
	f->fresh_of = of;
	f->supplied = true;
	COUNT(cow_copies, 1);
	trace(f->space, MVM_TRACE_COPY, f->va, from->frame, f->fresh->frame);
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

/* What is not the commonest. */
static OWN_FRAME enum mvm_fault_result supply_other(struct fault *f, enum need need)
{
	switch (need) {
	case NEED_ANON_COPY:
		return supply_copy(f, f->source, f->source);
	case NEED_PAGE_COPY:
		return supply_copy(f, f->page, f->page);
	case NEED_BLANK:
		return supply_blank(f);
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

/*
 * Get what the pass needed.  Anything but MVM_FAULT_OK ends the fault, but MVM_FAULT_NOMEM only if
 * there is nothing to reclaim.
 */
static inline enum mvm_fault_result supply(struct fault *f, enum need need)
{
	if (unlikely(f->again)) {
		COUNT(fault_retries, 1);
		trace(f->space, MVM_TRACE_RETRY, f->va, need, 0);
	}
	f->again = true;
	f->supplied = false;
	return need == NEED_ZEROS ? supply_zeros(f) : supply_other(f, need);
}

/* One look; `claim`, if any, of the page is given up. */
static OWN_FRAME enum need pass(struct fault *f, struct claim *claim)
{
	struct mvm_space *space = f->space;
	struct grave grave = {.nodes = NULL};
	enum need need;

	f->grave = &grave;
	f->alone = claim;
	space_lock(space);
	if (unlikely(claim))
		claim_leave(space, claim);
	need = f->supplied && space->turn == f->turn + 1 ? NEED_INSTALL : look(f);
	if (need == NEED_INSTALL)
		need = install_fresh(f);
	f->turn = space->turn;
	space_unlock(space);
	if (unlikely(claim && claim->waited))
		mvmh_wake(&space->claims);
	if (grave.anons || grave.nodes)
		anon_bury(&grave);
	return need;
}

/* Claim the page, until no hart reaches anything there.  False: others claim it. */
static OWN_FRAME bool claim_page(struct fault *f, struct claim *claim)
{
	mvm_vaddr_t end = f->va + MVM_PAGE_BYTES;
	struct sweep sweep = {.open = false};
	bool claimed;

	space_lock(f->space);
	claimed = claim_enter_change(f->space, claim, f->va, end);
	if (claimed) {
		sweep_open(f->space, &sweep);
		if (space_remove_some(f->space, f->va, end, &sweep.batch) != end)
			mvmh_panic("mm: the host removes one entry at a time");
	}
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

/* Fill a large page, which needs no further look; else go on with a single one. */
static OWN_FRAME enum need pass_large(struct fault *f)
{
	unsigned n = large_fill(f->space, f->va, f->access, f->force);

	if (n == 0)
		return NEED_LOOK;
	f->run = (uint16_t)n;
	return done(f, MVM_FAULT_OK);
}

/* What the last pass says how to begin. */
static inline enum need next_pass(struct fault *f, enum need need)
{
	if (unlikely(need == NEED_REPLACE))
		return pass_alone(f);
	return unlikely(need == NEED_LARGE) ? pass_large(f) : pass(f, NULL);
}

/* Give back what is still in hand. */
static OWN_FRAME void give_back(struct fault *f)
{
	struct grave grave = {.anons = f->fresh};

	if (f->source)
		anon_put(f->source, &grave);
	anon_bury(&grave);
	if (f->blank)
		page_put(f->blank);
	let_go(f);
}

/* What is asked for, and what came of it beside the result. */
struct request {
	struct mvm_space *space;
	mvm_vaddr_t va;  /* of the access */
	mvm_vaddr_t end; /* struct fault's */
	uint8_t access;
	bool force;
	struct in_hand *hand;       /* for the first attempt, or NULL */
	unsigned attempts;          /* while memory was short */
	struct mvm_object *dirtied; /* out: referenced; a page of it was made DIRTY; or NULL */
	mvm_vaddr_t next;           /* out: behind what was done */
};

/* A new fault; written out, because the compiler would call memset() for the whole. */
static inline void begin(struct fault *f, const struct request *r)
{
	f->space = r->space;
	f->va = page_floor(r->va);
	f->end = r->end;
	f->access = r->access;
	f->force = r->force;
	f->run = 1;
	f->again = f->supplied = f->dirtied = false;
	f->fresh = NULL;
	f->fresh_of = NULL;
	f->source = NULL;
	f->object = NULL;
	f->page = NULL;
	f->blank = NULL;
}

/* Take over what the short way had in hand. */
static void take_over(struct fault *f, struct in_hand *hand)
{
	const void *of = hand->anon ? hand->anon : hand->page;

	f->fresh = hand->fresh;
	f->fresh_of = of ? of : zeros;
	f->source = hand->anon;
	f->page = hand->page;
	*hand = (struct in_hand){NULL, NULL, NULL};
}

/* Passes, until the fault is over or memory is short. */
static OWN_FRAME enum mvm_fault_result attempt(struct request *r)
{
	enum need need = NEED_LOOK;
	struct fault f;

	begin(&f, r);
	if (r->hand)
		take_over(&f, r->hand);
	while ((need = next_pass(&f, need)) != NEED_NOTHING) {
		f.result = (uint8_t)supply(&f, need);
		if (f.result != MVM_FAULT_OK)
			break;
	}
	r->next = f.va + f.run * MVM_PAGE_BYTES;
	r->dirtied = f.dirtied ? f.object : NULL;
	if (f.dirtied)
		f.object = NULL; /* the caller's */
	if (f.fresh || f.source || f.blank || f.page || f.object)
		give_back(&f);
	return f.result;
}

/* Attempts, as long as reclaim helps; and all that is written down about a fault. */
static inline enum mvm_fault_result fault(struct request *r)
{
	uint64_t began = is_traced(r->space) ? mvmh_now() : 0;
	enum mvm_fault_result result;

	r->attempts = 0;
	fault_count(r->space);
	trace(r->space, MVM_TRACE_FAULT, r->va, r->access, 0);
	do {
		result = attempt(r);
		if (unlikely(r->dirtied != NULL))
			writeback_pay(r->dirtied);
	} while (unlikely(result == MVM_FAULT_NOMEM) && memory_wait(&r->attempts));
	if (unlikely(began))
		trace(r->space, MVM_TRACE_FAULT_END, r->va, result, mvmh_now() - began);
	return result;
}

enum mvm_fault_result fault_in(struct mvm_space *space, mvm_vaddr_t va, unsigned access, bool force)
{
	struct request r = {.space = space, .va = va, .access = (uint8_t)access, .force = force};

	return fault(&r);
}

enum mvm_fault_result fault_long(
	struct mvm_space *space, mvm_vaddr_t va, unsigned access, struct in_hand *hand)
{
	struct request r = {.space = space, .va = va, .access = (uint8_t)access, .hand = hand};

	return fault(&r);
}

int mvm_prefault(struct mvm_space *space, mvm_vaddr_t va, size_t bytes, unsigned access)
{
	struct request r = {.space = space, .next = page_floor(va), .access = (uint8_t)access};
	int err = 0;

	if (bytes == 0)
		return 0;
	r.end = page_floor(va + bytes - 1) + MVM_PAGE_BYTES;
	if (va + bytes - 1 < va || r.end == 0)
		return -MVM_EFAULT;
	while (!err && r.next < r.end) {
		r.va = r.next;
		err = fault_error(fault(&r));
	}
	return err;
}
