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
 * Around what 1A and 2A map, and the page of zeros, more of the same is mapped (around.c).
 *
 * A pass and its needs.  A fault is decided and done in look(), in one hold of the space's lock: a
 * page of our own is taken, zeroed or copied, mapped and entered in the tree right there, for none
 * of that sleeps, and all of it is less than what one hold may do.  What cannot be had so (a page
 * that is to be read, the pager's consent, harts that forget, memory) the look names; the lock is
 * dropped, fault_supply() gets that one thing, however long it takes (supply.c), and look() runs
 * again from the start with it in hand:
 *
 *	lock -> look -> [ take, fill, map, enter ] -> unlock, done
 *	         |
 *	         +-> need X -> unlock -> get X -> lock -> look again
 *
 * So there is no code that "revalidates": the second look is the first one.  If meanwhile the
 * area was unmapped, the file cut short, the page copied by another thread, the look finds that
 * out as a first fault would.  What is in hand stays in hand (pages are referenced, so reclaim
 * cannot take them back), hence retries make progress; it is given back at the end.
 *
 * Marks.  Whoever takes something away marks it first, under a lock that look() holds when it
 * checks the mark, and sweeps translations afterwards, under the space's lock:
 *
 *	unmap, FIXED, mremap,
 *	MADV_DONTNEED, fork,
 *	truncate's private
 *	copies                a claim on the range                    space lock
 *	mprotect              the area's rights                       space lock
 *	truncate              the object's size                       object lock
 *	punch                 the object's hole                       object lock
 *	reclaim               BUSY, then gone from the index          object lock
 *	write-back            not DIRTY any more                      object lock
 *	the end of a space    a claim on all, then no areas           space lock
 *
 * Either the install comes first, and the sweep, which needs the space's lock, removes it; or the
 * mark comes first, and the look sees it.  The object's lock need not be held over the install: the
 * sweep cannot overtake the space's lock.  Nor over 2B's copy: the page is referenced.  1B's copy
 * needs no reference: until the tree gives the old anon up, in the same hold, nobody else can find
 * it exclusive and store to it.
 *
 * An entry does not change its frame while harts may know the old one: some would still load from
 * the old page when others store to the new one.  1B and 2B find the old page mapped when the
 * copy is to be, and a store of 3 the page of zeros, if the area was loaded from
 * (TOUCHED_ZEROS).  Mostly the space runs on this hart only, and the host replaces the entry on the
 * spot (mvmh_pmap_replace).  Else the fault claims the page, removes what is there, finishes a
 * batch of its own, and makes the copy, which was made for nothing before, and maps it as it gives
 * up the claim (pass_alone): to have kept it would take references and a look at whether it is one
 * still, and telling other harts costs more than it.  The copy enters the tree only as it is
 * mapped: who found it there before could store to it, by mvm_hold(), while harts load from the old
 * page.
 *
 * What a page holds is code for every hart before an entry with EXEC can be found: whoever enters
 * one, here, in large.c or ahead.c, has the harts synchronize first (space_sync_code), when all
 * that comes under this hold has its contents.  map_around() relies on the fault's.
 *
 * Nor does a page take the place of another while any batch of the space is open, though nothing is
 * mapped: what that batch removed may be what harts still know.  Most batches stand under a mark
 * that ends only after them, so that no look comes this far.  But unmap in one hold has none
 * while it waits for harts that it did not expect, and where a host gives up a whole large entry
 * for a part of it, the rest bears no mark.  Where nothing was mapped before, in an area that was
 * never loaded from, none of this matters, and first stores go on whatever batches are open.
 *
 * Memory.  Who lacks it deep inside says so, and the attempt ends: what is in hand is given back,
 * then reclaimed with little on the stack (page.h: memory_wait).  Tables and nodes that were made
 * stay, so that these attempts make progress, too.
 *
 * Locks: space, then object, then those of frames.  None is held in fault_supply(), nor while we
 * sleep; claims and BUSY pages are waited for killably.
 */
#include "fault.h"

#include "large.h"
#include "meta.h"
#include "trace.h"
#include "object.h"
#include "place.h"
#include "stats.h"
#include "supply.h"
#include "writeback.h"

/* What is asked for, and what came of it beside the result. */
struct request {
	struct mvm_space *space;
	mvm_vaddr_t va; /* of the access */
	uint8_t access;
	bool force;
	unsigned attempts; /* while memory was short */
	uint64_t began;    /* if the space is traced */
	mvm_vaddr_t end;   /* what is empty behind the page may be filled, too, up to here; or 0 */
	mvm_vaddr_t next;  /* out, if so: behind what was done */
	struct mvm_object *dirtied; /* out: referenced; a page of it was made DIRTY; or NULL */
};

static enum need done(struct fault *f, enum mvm_fault_result result)
{
	f->result = (uint8_t)result;
	return NEED_NOTHING;
}

/* --- Install: the space's lock is held -------------------------------------------------------- */

static inline enum need map_frame(struct fault *f, mvm_frame_t frame, unsigned rights)
{
	struct mvm_space *space = f->space;
	int err;

	space_sync_code(space, rights);
	err = rights ? mvmh_pmap_enter(&space->pmap, f->va, frame, rights, 0) : 0;
	trace(space, MVM_TRACE_PTE, f->va, frame, rights);
	if (likely(!err))
		return done(f, MVM_FAULT_OK);
	return err == -MVM_ENOMEM ? NEED_MEMORY : NEED_CLAIM; /* another frame is mapped here */
}

/*
 * May what a page takes the place of be reached by a hart though nothing is mapped?  See above.
 * And where a forced store maps nothing, nobody would find the entry that a mark of mprotect's has
 * not reached yet.
 */
static inline bool is_in_doubt(const struct fault *f, const struct area *a)
{
	return (ref_count(&f->space->open_sweeps) > 0 || !a->rights) && !f->alone;
}

/*
 * Does a page of our own, which is a copy of `from`, or (NULL) of zeros, take
 * the place of something?
 */
static inline bool takes_place(const struct area *a, const struct mvm_page *from)
{
	return from || a->touched & TOUCHED_ZEROS;
}

/* Make one; NULL: no memory. */
static inline struct mvm_page *make_own(struct mvm_page *from)
{
	struct mvm_page *own = anon_new();

	if (unlikely(!own))
		return NULL;
	if (from)
		page_copy(own, from);
	else
		page_clear(own);
	return own;
}

/*
 * It could not just be mapped: something else is there, which it is to replace,
 * or there is no memory.
 */
static COLD enum need replace_or_claim(
	struct fault *f, struct mvm_page *own, unsigned rights, int err)
{
	if (err == -MVM_EEXIST && mvmh_pmap_replace(&f->space->pmap, f->va, own->frame, rights))
		return NEED_NOTHING;
	anon_put(own, &f->grave);
	return err == -MVM_EEXIST ? NEED_CLAIM : NEED_MEMORY;
}

static COLD void trace_own(
	struct fault *f, const struct mvm_page *from, mvm_frame_t frame, unsigned rights)
{
	if (from)
		trace(f->space, MVM_TRACE_COPY, f->va, from->frame, frame);
	else
		trace(f->space, MVM_TRACE_ZERO, f->va, frame, 0);
	trace(f->space, MVM_TRACE_PTE, f->va, frame, rights);
}

/* Make a page of our own, a copy of `from`, or (NULL) of zeros; map it, and have it in the tree. */
static inline __attribute__((always_inline)) enum need install_own(
	struct fault *f, struct mvm_space *space, const struct area *a, struct mvm_page *from)
{
	struct mvm_page *own;
	unsigned rights;
	enum need need;
	int err;

	if (takes_place(a, from) && unlikely(is_in_doubt(f, a)))
		return NEED_CLAIM;
	if (anon_reserve(&space->anons, f->va >> MVM_PAGE_SHIFT, &f->grave) != 0)
		return NEED_MEMORY;
	own = make_own(from);
	if (unlikely(!own))
		return NEED_MEMORY;
	rights = area_rights(a);
	space_sync_code(space, rights);
	err = likely(rights) ? mvmh_pmap_enter(&space->pmap, f->va, own->frame, rights, 0) : 0;
	if (unlikely(err != 0)) {
		need = replace_or_claim(f, own, area_rights(a), err);
		if (need != NEED_NOTHING)
			return need;
	}
	if (unlikely(is_traced(space)))
		trace_own(f, from, own->frame, area_rights(a));
	anon_enter(&space->anons, f->va >> MVM_PAGE_SHIFT, own, &f->grave);
	if (from)
		COUNT(cow_copies, 1);
	else
		COUNT(zero_fills, 1);
	return done(f, MVM_FAULT_OK);
}

/* --- Look: the space's lock is held ----------------------------------------------------------- */

/* The page is one that a child shares with its parent: soon after the fork others want to know. */
static inline void note_load(struct fault *f)
{
	if (unlikely(f->space->young) && f->access != MVM_WRITE)
		history_note_load(f->space->history, f->va >> MVM_PAGE_SHIFT);
}

/* Case 1A. */
static OWN_FRAME enum need map_anon(
	struct fault *f, struct area *a, const struct mvm_page *anon, bool exclusive)
{
	unsigned rights = entry_rights(a, exclusive);
	enum need need = map_frame(f, anon->frame, rights);
	int way;

	if (need != NEED_NOTHING || unlikely(!rights) || is_near_end(a, f->va))
		return need;
	way = mvmh_pmap_run_end(&f->space->pmap, f->va, f->access);
	if (way)
		map_private(a, f->va, f->access, exclusive, way > 0);
	return need;
}

/* Cases 1A and 1B. */
static inline __attribute__((always_inline)) enum need look_anon(
	struct fault *f, struct area *a, struct mvm_page *anon, bool exclusive)
{
	trace(f->space, MVM_TRACE_ANON, f->va, anon->frame, 0);
	if (f->access == MVM_WRITE) {
		history_note(f->space->history, f->va >> MVM_PAGE_SHIFT);
		if (!exclusive)
			return NEED_OWN;
		COUNT(cow_reuses, 1);
	} else if (!exclusive) {
		note_load(f);
	}
	return map_anon(f, a, anon, exclusive);
}

/* What an entry for the object's page may grant: a store to a clean page must be heard of. */
static unsigned page_rights(const struct area *a, const struct mvm_page *page)
{
	return entry_rights(a, !area_private(a) && page->state & PAGE_DIRTY);
}

/* Case 2A; the object's lock is held. */
static enum need map_page(struct fault *f, struct area *a, struct mvm_page *page)
{
	enum need need = map_frame(f, page->frame, page_rights(a, page));

	page->state |= PAGE_USED;
	note_load(f);
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
		entry_rights(a, !area_private(a)));
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

/* A new page of zeros for memory that is shared; NULL: no memory.  The object's lock is held. */
static inline struct mvm_page *enter_zeros(struct fault *f, struct mvm_object *obj, bool dirty)
{
	struct mvm_page *page = page_alloc();

	if (!page)
		return NULL;
	page_clear(page);
	if (cache_put_zeros(obj, f->index, page, dirty) != 0) {
		page_put(page);
		return NULL;
	}
	COUNT(zero_fills, 1);
	trace(f->space, MVM_TRACE_ZERO, f->va, page->frame, 0);
	return page;
}

/* Cases 2A and 2B; the object's lock is held.  NEED_OWN: a copy of *copied, which is referenced. */
static inline enum need look_page(struct fault *f, struct area *a, struct mvm_page **copied)
{
	bool writes = f->access == MVM_WRITE, shares = !area_private(a);
	struct mvm_object *obj = a->object;
	struct mvm_page *page = object_usable(obj, f->index);

	trace(f->space, MVM_TRACE_OBJECT, f->va, f->index, page ? page->frame : MVM_NO_FRAME);
	if (f->index >= object_pages(obj))
		return done(f, MVM_FAULT_BUS);
	if (!page && object_is_memory(obj) && cache_absent(obj, f->index)) {
		page = enter_zeros(f, obj, writes && shares);
		if (!page)
			return NEED_MEMORY;
		/*
		 * What is in memory beside a new page is mostly mapped: this is how it
		 * came there.
		 */
		if (shares || !writes)
			return map_frame(f, page->frame, page_rights(a, page));
	}
	if (!page) {
		f->ahead = ahead_of(a);
		return NEED_PAGE;
	}
	if (!writes || (shares && page->state & PAGE_DIRTY))
		return map_page(f, a, page);
	/* Its neighbours are clean, or have faulted for stores of their own: it is mapped alone. */
	if (shares && cache_dirty_at_once(obj, page)) {
		trace(f->space, MVM_TRACE_WRITABLE, f->va, f->index, 0);
		return map_frame(f, page->frame, page_rights(a, page));
	}
	if (shares) {
		take_page(f, page);
		return NEED_WRITABLE;
	}
	page_get(page);
	*copied = page;
	return NEED_OWN;
}

static OWN_FRAME enum need look_object(struct fault *f, struct area *a)
{
	struct mvm_page *copied = NULL;
	enum need need;

	f->index = area_page(a, f->va);
	if (a->object->kind == OBJECT_DEVICE)
		return look_device(f, a);
	if (unlikely(f->object && f->object != a->object))
		return NEED_OTHER;
	object_lock(a->object);
	need = look_page(f, a, &copied);
	mvmh_unlock(&a->object->lock);
	if (need == NEED_OWN) {
		need = install_own(f, f->space, a, copied);
		page_put(copied);
	} else if (need != NEED_NOTHING && !f->object) {
		f->object = a->object;
		mvm_object_ref(f->object);
	}
	return need;
}

/* Case 3, a load: nothing is stored to the page of zeros, so all may share it. */
static OWN_FRAME enum need look_zeros(struct fault *f, struct area *a)
{
	unsigned rights = entry_rights(a, false);
	enum need need = map_frame(f, frame_of_zeros, rights);
	unsigned behind = 1;

	a->touched |= TOUCHED_ZEROS;
	if (need == NEED_NOTHING && rights)
		behind = map_zeros(a, f->va);
	if (f->run)
		f->run->next = f->va + behind * MVM_PAGE_BYTES;
	return need;
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

/*
 * How many pages behind this one, in one run of entries with it, are as empty as it was, and may be
 * filled.
 */
static unsigned empty_behind(struct fault *f, const struct area *a)
{
	mvm_vaddr_t window = MVM_RUN_PAGES * MVM_PAGE_BYTES, start = f->va + MVM_PAGE_BYTES;
	mvm_vaddr_t end = min_u64(min_u64(f->run->end, a->end), (f->va | (window - 1)) + 1);
	uint64_t vpn = start >> MVM_PAGE_SHIFT, last = (end >> MVM_PAGE_SHIFT) - 1;

	if (start >= end || claim_find(f->space, start, end))
		return 0;
	return (unsigned)(anon_next(&f->space->anons, vpn, last) - vpn);
}

/* Pages of our own for these, too, or for as many as there is memory for: a chain. */
static OWN_FRAME struct mvm_page *make_behind(struct fault *f, const struct area *a)
{
	unsigned n = empty_behind(f, a);
	struct mvm_page *chain = n ? anon_new_some(n) : NULL;

	for (struct mvm_page *own = chain; own; own = own->next_anon) {
		page_clear(own);
		COUNT(zero_fills, 1);
	}
	return chain;
}

/* Map them, and have them in the tree; nothing is mapped there. */
static OWN_FRAME void install_behind(struct fault *f, const struct area *a, struct mvm_page *own)
{
	mvm_frame_t frames[MVM_RUN_PAGES];
	mvm_vaddr_t start = f->va + MVM_PAGE_BYTES, va = start;
	struct mvm_page *next;
	unsigned n = 0;

	for (; own; own = next, n++, va += MVM_PAGE_BYTES) {
		next = own->next_anon;
		frames[n] = own->frame;
		anon_set_beside(&f->space->anons, va >> MVM_PAGE_SHIFT, own);
		trace(f->space, MVM_TRACE_ZERO, va, own->frame, 0);
	}
	space_work(f->space, n);
	space_sync_code(f->space, area_rights(a));
	mvmh_pmap_enter_run(&f->space->pmap, start, frames, n, area_rights(a));
	f->run->next = va;
}

static COLD void fill_behind(struct fault *f, const struct area *a)
{
	struct mvm_page *chain = make_behind(f, a);

	if (chain)
		install_behind(f, a, chain);
}

/* Case 3. */
static inline enum need look_zero(struct fault *f, struct area *a)
{
	if (unlikely(a->flags & AREA_HUGE) && !f->again && large_fits(f->space, a, f->va))
		return NEED_LARGE;
	if (f->access != MVM_WRITE && !(a->flags & AREA_HUGE))
		return look_zeros(f, a);
	a->touched |= TOUCHED_PAGES;
	return NEED_OWN;
}

/*
 * The page is claimed: has the fault to wait?  A fork lets those go on that neither store to
 * private memory nor make pages for it, as a load does only where pages are large: the child would
 * not know of them.
 */
static COLD bool is_in_way(struct fault *f, const struct claim *c, const struct area *a)
{
	bool exclusive;

	if (c->kind != CLAIM_FORK)
		return c->kind <= CLAIM_REPLACE;
	if (!a || a->start > f->va || !area_private(a))
		return false;
	return f->access == MVM_WRITE ||
	       (a->flags & AREA_HUGE && !a->object &&
		       !anon_find(&f->space->anons, f->va >> MVM_PAGE_SHIFT, &exclusive));
}

/* One look, and what can be done under the same hold. */
static inline __attribute__((always_inline)) enum need look(
	struct fault *f, struct mvm_space *space, mvm_vaddr_t va)
{
	struct claim *c = claim_find(space, va, va + MVM_PAGE_BYTES);
	struct area *a = area_find(&space->areas, va);
	struct mvm_page *anon = NULL;
	bool exclusive;
	enum need need, why;

	if (unlikely(c != NULL) && is_in_way(f, c, a))
		return wait_claim(f, c);
	if (unlikely(!a))
		return done(f, MVM_FAULT_MAPERR);
	if (unlikely(a->start > va) && !grow_stack(f, a, &why))
		return why;
	trace(space, MVM_TRACE_AREA, va, a->start, a->end);
	if (!fault_allowed(a, f->access, f->force))
		return done(f, MVM_FAULT_ACCERR);
	if (area_private(a))
		anon = anon_find(&space->anons, va >> MVM_PAGE_SHIFT, &exclusive);
	if (!anon && a->object)
		return look_object(f, a);
	need = anon ? look_anon(f, a, anon, exclusive) : look_zero(f, a);
	if (need != NEED_OWN)
		return need;
	need = install_own(f, space, a, anon);
	if (unlikely(f->run != NULL) && need == NEED_NOTHING && !takes_place(a, anon))
		fill_behind(f, a);
	return need;
}

/* --- Passes ----------------------------------------------------------------------------------- */

/* One look; `claim`, if any, of the page is given up. */
static inline __attribute__((always_inline)) enum need pass(
	struct fault *f, struct mvm_space *space, mvm_vaddr_t va, struct claim *claim)
{
	enum need need;

	space_lock(space);
	if (claim)
		claim_leave(space, claim);
	need = look(f, space, va);
	space_unlock(space);
	if (claim && claim->waited)
		mvmh_wake(&space->claims);
	if (unlikely(f->grave.anons || f->grave.nodes))
		anon_bury(&f->grave);
	return need;
}

/* Any but the first. */
static OWN_FRAME enum need next_pass(struct fault *f, struct claim *claim)
{
	f->alone = claim;
	return pass(f, f->space, f->va, claim);
}

/* Claim the page, until no hart reaches anything there.  False: others claim it. */
static OWN_FRAME bool claim_page(struct fault *f, struct claim *claim)
{
	mvm_vaddr_t end = f->va + MVM_PAGE_BYTES;
	struct sweep sweep = {.open = false};
	bool claimed;

	space_lock(f->space);
	claimed = claim_try_inside(f->space, claim, f->va, end);
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

	return claim_page(f, &claim) ? next_pass(f, &claim) : NEED_LOOK;
}

/* Fill a large page, which needs no further look; else go on with a single one. */
static OWN_FRAME enum need pass_large(struct fault *f)
{
	unsigned n = large_fill(f->space, f->va, f->access, f->force);

	if (n == 0)
		return NEED_LOOK;
	if (f->run)
		f->run->next = f->va + n * MVM_PAGE_BYTES;
	return done(f, MVM_FAULT_OK);
}

/*
 * What follows the first pass: supplies and passes, until the fault is over or memory is short,
 * which MVM_FAULT_NOMEM says.
 */
static inline __attribute__((always_inline)) enum mvm_fault_result go_on(
	struct fault *f, enum need need, struct request *r)
{
	while (need != NEED_NOTHING) {
		f->result = (uint8_t)fault_supply(f, need);
		if (f->result != MVM_FAULT_OK)
			break;
		if (need == NEED_CLAIM)
			need = pass_alone(f);
		else
			need = need == NEED_LARGE ? pass_large(f) : next_pass(f, NULL);
	}
	r->dirtied = f->dirtied ? f->object : NULL;
	if (f->dirtied)
		f->object = NULL;
	fault_let_go(f);
	return f->result;
}

/* Written out, because the compiler would call memset(). */
static inline void begin(struct fault *f, struct mvm_space *space, mvm_vaddr_t va, unsigned access,
	bool force, struct request *run)
{
	f->space = space;
	f->va = va;
	f->run = run;
	f->access = (uint8_t)access;
	f->force = force;
	f->again = f->dirtied = f->alone = false;
	f->grave = (struct grave){.anons = NULL, .nodes = NULL};
	f->object = NULL;
	f->page = NULL;
}

static OWN_FRAME enum mvm_fault_result attempt(struct request *r)
{
	struct fault f;

	begin(&f, r->space, page_floor(r->va), r->access, r->force, r->end ? r : NULL);
	return go_on(&f, next_pass(&f, NULL), r);
}

/* What is done with little on the stack; attempts go on as long as reclaim helps. */
static inline __attribute__((always_inline)) enum mvm_fault_result finish(
	struct request *r, enum mvm_fault_result result)
{
	for (;;) {
		if (r->dirtied)
			writeback_pay(r->dirtied);
		if (likely(result != MVM_FAULT_NOMEM) || !memory_wait(&r->attempts))
			return result;
		result = attempt(r);
	}
}

static inline void count(struct mvm_space *space)
{
	COUNT(faults, 1);
	__atomic_fetch_add(&space->faults, 1, __ATOMIC_RELAXED);
}

/* All of a fault, and what is written down about it. */
static OWN_FRAME enum mvm_fault_result fault(struct request *r)
{
	enum mvm_fault_result result;

	r->attempts = 0;
	r->began = is_traced(r->space) ? mvmh_now() : 0;
	count(r->space);
	trace(r->space, MVM_TRACE_FAULT, r->va, r->access, 0);
	result = finish(r, attempt(r));
	if (unlikely(r->began))
		trace(r->space, MVM_TRACE_FAULT_END, r->va, result, mvmh_now() - r->began);
	return result;
}

OWN_FRAME enum mvm_fault_result fault_in(
	struct mvm_space *space, mvm_vaddr_t va, unsigned access, bool force)
{
	struct request r = {.space = space, .va = va, .access = (uint8_t)access, .force = force};

	return fault(&r);
}

/* What is left of a fault whose first pass was the following one. */
static COLD enum mvm_fault_result fault_rest(struct fault *f, enum need need)
{
	struct request r = {.space = f->space, .va = f->va, .access = f->access};

	return finish(&r, go_on(f, need, &r));
}

/* The same in a space that is not traced.  Most faults end with their first pass. */
static OWN_FRAME enum mvm_fault_result fault_untraced(
	struct mvm_space *space, mvm_vaddr_t va, unsigned access)
{
	struct fault f;
	enum need need;

	va = page_floor(va);
	begin(&f, space, va, access, false, NULL);
	need = pass(&f, space, va, NULL);
	count(space);
	return likely(need == NEED_NOTHING) ? f.result : fault_rest(&f, need);
}

enum mvm_fault_result fault_alone(struct mvm_space *space, mvm_vaddr_t va, unsigned access)
{
	if (unlikely(is_traced(space)))
		return fault_in(space, va, access, false);
	return fault_untraced(space, va, access);
}

enum mvm_fault_result mvm_fault(struct mvm_space *space, mvm_vaddr_t va, unsigned access)
{
	if (MVMH_JOINT && access == MVM_WRITE && unlikely(faults_join(space)))
		return joint_fault(space, va);
	return fault_alone(space, va, access);
}

int mvm_prefault(struct mvm_space *space, mvm_vaddr_t va, size_t bytes, unsigned access)
{
	struct request r = {.space = space, .next = page_floor(va), .access = (uint8_t)access};
	int err;

	if (bytes == 0)
		return 0;
	r.end = page_floor(va + bytes - 1) + MVM_PAGE_BYTES;
	if (va + bytes - 1 < va || r.end == 0)
		return -MVM_EFAULT;
	for (;;) {
		r.va = r.next;
		r.next += MVM_PAGE_BYTES;
		err = fault_error(fault(&r));
		if (err || r.next >= r.end)
			return err;
		if (mvmh_killed())
			return -MVM_EINTR;
	}
}
