// SPDX-License-Identifier: MIT
/*
 * What a host gives to mm: the whole of the porting interface.
 *
 * A host writes mm/port/NAME/mvm_config.h (found as <mvm_config.h>) with three structures,
 *
 *	struct mvmh_pmap	an address space's translation tables
 *	struct mvmh_tlb		a batch of translations that were removed or reduced; with a
 *				member `bool whole`, which mm sets, for mvmh_tlb_sync()
 *	struct mvmh_lock	a lock with bounded holds
 *
 * a constant, MVMH_MAX_HARTS, and the 24 functions below.  A hook that is hot may be a `static
 * inline` in mvm_config.h, which then also says `#define mvmh_NAME mvmh_NAME`; one that only calls
 * something of the host's may be a macro with arguments, `#define mvmh_lock(l) acquire(&(l)->spin)`
 * (not when that has one of the names in mm/names.h: mm would take it for its own).  mm's files see
 * all that mvm_config.h includes, so let that be little.  Optional hooks stand at the end; mm has a
 * default for each.
 *
 * It may define MVMH_DEBUG as 1, to have mm assert that no hold of a lock covers too much.
 *
 * Rules that hold for every hook:
 *  - "Under a lock" means: mm may hold up to three mvmh_locks.  Such a hook neither sleeps nor
 *    reclaims nor calls back into mm.
 *  - mm calls no hook from an interrupt.
 *  - A hook uses at most what its comment says; mm checks every failure that it may report.
 *
 * Locks are spin-like: mm holds one over at most MVM_HOLD_PAGES pages' worth of work, and only
 * mvmh_wait() sleeps, which releases it.  A sleep lock serves as well.
 */
#pragma once

#include <mm/types.h>
#include <mvm_config.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most pages that one hold of a lock covers; a configuration may choose another, for tests. */
#ifndef MVM_HOLD_PAGES
#define MVM_HOLD_PAGES 64
#endif

struct mvmh_pmap;
struct mvmh_tlb;
struct mvmh_lock;

/* --- Frames (1-3) ------------------------------------------------------------------------- */

/*
 * Give 2^order physically contiguous frames, aligned to their size, contents undefined.  Returns
 * the first frame's number or MVM_NO_FRAME.  Under a lock.  mm asks for order 0 only, unless the
 * host's configuration has large pages:
 *
 *	#define MVMH_LARGE_ORDER 9
 *
 * says that mvmh_pmap_enter() makes entries of 2^9 pages, and that frames may be asked for that
 * way.  There need not be any: then mm does with single ones.  So a host says that there are none
 * while it has not many more: each thread that faults may have as many in hand for a moment, and
 * fails nobody by that.  Frames go back in other pieces than they came in: blocks of a lower order
 * that are aligned to their size, down to single frames, whatever they were part of.
 */
#ifndef mvmh_frame_alloc
mvm_frame_t mvmh_frame_alloc(unsigned order);
#endif

/* Take some back; no translation anywhere, stale ones included, reaches them.  Under a lock. */
#ifndef mvmh_frame_free
void mvmh_frame_free(mvm_frame_t frame, unsigned order);
#endif

/*
 * Free frames now; the total that the host manages in *total, never NULL.  An
 * estimate is enough.
 */
#ifndef mvmh_frame_count
size_t mvmh_frame_count(size_t *total);
#endif

/* --- Windows: mm looks into a frame (4-5) -------------------------------------------------- */

/*
 * A kernel address at which the frame's bytes are readable and writable until unmapped.  At most
 * two windows are live a thread, for a short time, never over a sleep.  Cannot fail.  A host with
 * a direct map computes an address.
 */
#ifndef mvmh_window_map
void *mvmh_window_map(mvm_frame_t frame);
#endif
#ifndef mvmh_window_unmap
void mvmh_window_unmap(void *window);
#endif

/* --- Metadata pages: where mm keeps its own structures (6-7) ------------------------------- */

/*
 * One zeroed page, permanently mapped, aligned to its size; NULL when there is none.  Under a
 * lock.
 */
#ifndef mvmh_meta_alloc
void *mvmh_meta_alloc(void);
#endif
#ifndef mvmh_meta_free
void mvmh_meta_free(void *page);
#endif

/* --- Translation (8-14) -------------------------------------------------------------------- */

/*
 * Make the tables of an empty space; *pmap is zeroed memory inside mm's space.  0 or
 * -MVM_ENOMEM: mm reclaims and tries again.  No lock is held; may sleep.
 */
#ifndef mvmh_pmap_create
int mvmh_pmap_create(struct mvmh_pmap *pmap) MVM_MUST_CHECK;
#endif

/*
 * Free the tables, those too that mvmh_pmap_enter() made and that are empty again.  Nothing is
 * mapped any more, and no hart uses the space: the one that frees a process's last reference has
 * switched to other tables before.  May sleep.
 */
#ifndef mvmh_pmap_destroy
void mvmh_pmap_destroy(struct mvmh_pmap *pmap);
#endif

/*
 * Map 2^order frames at va with these rights (MVM_READ is implied by MVM_WRITE where the machine
 * wants that).  Where va maps the same frame already, these rights are added to those it has: only
 * mvmh_pmap_protect(), with its batch, takes rights away.  (Of a page that is part of a large
 * entry, no other page gets rights by this.)  An entry never changes its frame in place: where va
 * maps another frame, nothing changes and the answer is -MVM_EEXIST (mm removes it, finishes the
 * batch, enters again). 0; -MVM_EEXIST; -MVM_ENOMEM when a table cannot be had: nothing changed,
 * and mm drops its lock, reclaims and tries again.  By its next access through the space the
 * calling hart sees the translation: a host that flushes whenever it returns to user mode has
 * nothing to do.  Other harts may take a spurious fault.  With MVM_EXEC, every hart of the space
 * that finds the entry must fetch the frame's bytes: mvmh_sync_code() has seen to it, or, on a host
 * without that, this call does before it writes the entry.  Under the space's lock.
 */
#ifndef mvmh_pmap_enter
int mvmh_pmap_enter(struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights,
	unsigned order) MVM_MUST_CHECK;
#endif

/*
 * Remove what is mapped in [start, end), in ascending order, but at most MVM_HOLD_PAGES entries,
 * and note it in the batch.  Returns the address from which to go on, `end` when all is done.
 * Costs what is mapped, not the length: empty tables are skipped whole.  Of a large entry that lies
 * in the range in part, more may go, up to all, and the batch notes what did.  Under the space's
 * lock.
 */
#ifndef mvmh_pmap_remove
mvm_vaddr_t mvmh_pmap_remove(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	struct mvmh_tlb *batch) MVM_MUST_CHECK;
#endif

/*
 * Reduce what is mapped in [start, end) to at most these rights (0 is not allowed: remove); the
 * rest as for mvmh_pmap_remove().  Never adds a right.  Entries that have no right to lose are
 * neither noted nor counted against the bound.
 */
#ifndef mvmh_pmap_protect
mvm_vaddr_t mvmh_pmap_protect(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	unsigned rights, struct mvmh_tlb *batch) MVM_MUST_CHECK;
#endif

/*
 * Was the page at va used through this space since the last call?  Clears the mark.  A host that
 * cannot tell returns false.  Stale translations may hide a later use: no flush is wanted.  Under
 * the space's lock.
 */
#ifndef mvmh_pmap_test_and_clear
bool mvmh_pmap_test_and_clear(struct mvmh_pmap *pmap, mvm_vaddr_t va);
#endif

/*
 * Make every hart forget what the batch holds (with batch->whole: all of the pmap, whatever was
 * noted), and empty it.  A batch starts zeroed, belongs to one pmap and is filled under that
 * space's lock; this call comes after the lock was released, and may wait.
 *
 * A host without inter-processor interrupts flushes whenever a hart goes to user mode, and waits
 * here until each hart that is in user mode now has left it.  That must happen by itself (a timer),
 * and a kernel that uses user addresses directly is as good as user mode while it does.
 * mm/port/tiny does it with one counter a hart.
 */
#ifndef mvmh_tlb_sync
void mvmh_tlb_sync(struct mvmh_pmap *pmap, struct mvmh_tlb *batch);
#endif

/* --- Locks and waiting (15-19) ------------------------------------------------------------- */

/*
 * `rank` orders the locks of mm: one with a lower rank is taken first.  They are released in any
 * order.  A lock that is initialized may have held anything before.
 */
enum mvmh_rank { MVMH_RANK_SPACE, MVMH_RANK_OBJECT, MVMH_RANK_PAGE, MVMH_RANK_N };

#ifndef mvmh_lock_init
void mvmh_lock_init(struct mvmh_lock *lock, enum mvmh_rank rank);
#endif
#ifndef mvmh_lock
void mvmh_lock(struct mvmh_lock *lock);
#endif

/*
 * Let the next one in, and do not touch the lock after that: it may free the memory that the lock
 * is in at once (the one that drops a space's last reference does).  So a sleep lock needs a spin
 * lock inside that is released last, by one store, when its waiters have been woken.
 */
#ifndef mvmh_unlock
void mvmh_unlock(struct mvmh_lock *lock);
#endif

/*
 * Release the lock, sleep until mvmh_wake(chan), take the lock again; a wake-up after the release
 * is never lost.  Spurious returns are allowed: mm loops.  With `killable`, return -MVM_EINTR
 * (lock held again) once the calling thread must die, so what kills a thread wakes it here;
 * otherwise
 * 0.  Exactly this one lock is held.
 */
#ifndef mvmh_wait
int mvmh_wait(const void *chan, struct mvmh_lock *lock, bool killable) MVM_MUST_CHECK;
#endif

/*
 * Wake all that wait on chan.  Called with no lock of mm held: it may take any
 * lock of the host's.
 */
#ifndef mvmh_wake
void mvmh_wake(const void *chan);
#endif

/* --- Odds and ends (20-24) ----------------------------------------------------------------- */

/* A small number for the running hart, below MVMH_MAX_HARTS; a hint, it may be stale at once. */
#ifndef mvmh_cpu
unsigned mvmh_cpu(void);
#endif

/* Monotonic nanoseconds, for statistics and the event ring. */
#ifndef mvmh_now
uint64_t mvmh_now(void);
#endif

/* 64 random bits, for address-space randomization; a constant where none is wanted. */
#ifndef mvmh_entropy
uint64_t mvmh_entropy(void);
#endif

/* One line of text without a newline.  Under a lock. */
#ifndef mvmh_log
void mvmh_log(const char *line);
#endif

/* An invariant of mm is broken.  Does not return. */
#ifndef mvmh_panic
void mvmh_panic(const char *why) __attribute__((noreturn));
#endif

/* --- Optional hooks ------------------------------------------------------------------------- */

/*
 * Something has become dirty: from now on, until nothing is, a thread of the host is to call
 * mvm_writeback() now and then, always with the same age (mm knows what counts as older than it
 * is).  `now`: it is to call at once, for much is dirty.  With no lock of mm held; must not sleep;
 * is cheap when it was said before.  Default: nothing, for hosts that call regularly.
 */
#ifndef mvmh_writeback_wanted
static inline void mvmh_writeback_wanted(bool now)
{
	(void)now;
}
#endif

/*
 * As mvmh_tlb_sync(), if that need not wait for anybody; else false, and the batch is as it was.
 * Under the space's lock.  Mostly no other hart is in the space: then a call that takes
 * translations away is over in one hold.  Default: false, for hosts that always wait.
 */
#ifdef mvmh_tlb_sync_here
#define MVMH_SYNCS_HERE 1
#else
#define MVMH_SYNCS_HERE 0
static inline bool mvmh_tlb_sync_here(struct mvmh_pmap *pmap, struct mvmh_tlb *batch)
{
	(void)pmap, (void)batch;
	return false;
}
#endif

/*
 * Pages are about to be mapped with MVM_EXEC: from the return on every hart fetches, through this
 * pmap, what was written to any frame before the call.  It comes before the entries, so that no
 * hart finds one and has old instructions of the frame yet; and once for all that are entered under
 * this hold of the space's lock.  May spin until other harts have done so.  Under the space's lock,
 * and perhaps an object's.  Other harts may be spinning for these: they must be able to answer
 * there, so this is not for hosts that spin for mm's locks with interrupts off.  Default: nothing,
 * for machines that keep instruction fetch coherent, for those with one hart, and for hosts whose
 * mvmh_pmap_enter() does it.
 */
#ifndef mvmh_sync_code
static inline void mvmh_sync_code(struct mvmh_pmap *pmap)
{
	(void)pmap;
}
#endif

/*
 * Map another frame at va, with these rights and no others, if no hart but the calling one can know
 * what is mapped there; true: none knows it any more.  Else false, and nothing has changed.  As
 * mvmh_pmap_remove(), mvmh_tlb_sync_here() and mvmh_pmap_enter() in one.  Under the space's lock.
 * Default: false; mm claims the page, removes the old translation, finishes a batch, and enters the
 * new.
 */
#ifndef mvmh_pmap_replace
static inline bool mvmh_pmap_replace(
	struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights)
{
	(void)pmap, (void)va, (void)frame, (void)rights;
	return false;
}
#endif

/*
 * Remove what is mapped at va, a page, if no hart but the calling one can know it; true: none knows
 * it any more.  Else false, and nothing has changed.  As mvmh_pmap_remove() and
 * mvmh_tlb_sync_here() in one, without a batch.  Under the space's lock.  Default: false; mm fills
 * a batch and finishes it.
 */
#ifndef mvmh_pmap_remove_here
static inline bool mvmh_pmap_remove_here(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	(void)pmap, (void)va;
	return false;
}
#endif

/*
 * Joint holds: faults of several harts in one space at once (mm/joint.c).  Five hooks, all or none;
 * which these are, the first one says.  Default: none, and each fault takes the space's lock.
 *
 * mvmh_stay() keeps the calling thread on its hart, and that hart from running others, until
 * mvmh_stay_end(); it gives the hart's number, below MVMH_MAX_HARTS, which no other thread is given
 * meanwhile.  In between mm does a page's work, and calls hooks that may be called under a lock,
 * but takes no lock of rank MVMH_RANK_SPACE.
 *
 * mvmh_lock_waited() says, but need not say exactly, whether somebody has had to wait for the lock
 * since it was asked last.  No lock is held.
 *
 * mvmh_await() returns when another hart, which is inside mvmh_stay(), has made *word 0; that is a
 * matter of some hundred instructions, or of a table that is made.  Under the space's lock.
 *
 * mvmh_pmap_fill() is mvmh_pmap_enter() of one page where nothing is mapped; else, or where that
 * takes more than to write an entry (MVM_EXEC, mostly), it returns false, and nothing is mapped
 * that was not.  Whether it makes a table that is missing, or returns false, is the host's to say.
 * Inside mvmh_stay(), with nobody under the space's lock: other harts may be filling other entries
 * of the same pmap, or this one.
 */
#ifdef mvmh_stay
#define MVMH_JOINT 1
#else
#define MVMH_JOINT 0
static inline bool mvmh_lock_waited(struct mvmh_lock *lock)
{
	(void)lock;
	return false;
}
#endif

/*
 * Map what is mapped in [start, end) at `to` and after it instead, with the same rights: as
 * mvmh_pmap_remove() and mvmh_pmap_enter() of each page, also in that at most MVM_HOLD_PAGES
 * entries go, the batch notes them, and the address from which to go on is returned.  At the new
 * place nothing is mapped.  What cannot be entered is only removed.  Under the space's lock.
 * Default: nothing is moved; mm removes it, and faults map it again.
 */
#ifndef mvmh_pmap_move
static inline mvm_vaddr_t mvmh_pmap_move(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	mvm_vaddr_t to, struct mvmh_tlb *batch)
{
	(void)pmap, (void)start, (void)to, (void)batch;
	return end;
}
#endif

/*
 * There is no memory, nothing can be reclaimed, and the calling thread cannot give up: let others
 * run, and return when there may be some.  No lock is held; may sleep, is to sleep where only who
 * sleeps lets others run.  Default: nothing, for hosts that take the hart away from a thread that
 * tries again and again.
 */
#ifndef mvmh_starved
static inline void mvmh_starved(void)
{
}
#endif

/*
 * Must the calling thread die?  As mvmh_wait() finds out, but no wait is near: those that bring in
 * many pages (mvm_prefault, populate, mlock, advice, mvm_pc_read, _write and _readahead) ask after
 * each page, or run of pages, that is not their last, and end with -MVM_EINTR.  No lock is held; is
 * to be cheap.  Default: no; such calls end when all is done.
 */
#ifndef mvmh_killed
static inline bool mvmh_killed(void)
{
	return false;
}
#endif

/*
 * Map frames[i] at va + i pages for i < n, except where it is MVM_NO_FRAME.  n is at most
 * MVM_RUN_PAGES, and the run does not cross a boundary of that many pages, so it lies in one table.
 * Otherwise as n times mvmh_pmap_enter(), of which none need succeed: an entry of the same frame
 * may be left without the rights that it is to gain, and what is not mapped is faulted for.  Under
 * the space's lock.  Default: these calls.
 */
#define MVM_RUN_PAGES 16
#ifndef mvmh_pmap_enter_run
static inline void mvmh_pmap_enter_run(struct mvmh_pmap *pmap, mvm_vaddr_t va,
	const mvm_frame_t *frames, unsigned n, unsigned rights)
{
	for (unsigned i = 0; i < n; i++) {
		if (frames[i] != MVM_NO_FRAME)
			(void)!mvmh_pmap_enter(pmap, va + i * MVM_PAGE_BYTES, frames[i], rights, 0);
	}
}
#endif

/*
 * Give up to n <= MVM_RUN_PAGES single frames into frames[], and say how many: as so many times
 * mvmh_frame_alloc(), which is the default, up to the first that has none.
 */
#ifndef mvmh_frame_alloc_some
static inline unsigned mvmh_frame_alloc_some(mvm_frame_t *frames, unsigned n)
{
	unsigned got = 0;

	while (got < n && (frames[got] = mvmh_frame_alloc(0)) != MVM_NO_FRAME)
		got++;
	return got;
}
#endif

/*
 * Take back n <= MVM_RUN_PAGES single frames; as n times mvmh_frame_free(), which is the default.
 */
#ifndef mvmh_frame_free_some
static inline void mvmh_frame_free_some(const mvm_frame_t *frames, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		mvmh_frame_free(frames[i], 0);
}
#endif

/*
 * What va is mapped to: true, with *frame and *rights (those that the entry grants now), or
 * false.  For mvm_check(), mvm_describe(), mvm_residency() and mvmh_pmap_run_end() only.  Under the
 * space's lock.  Default: unknown, and the checks against the tables are left out.
 */
#ifndef mvmh_pmap_query
static inline bool mvmh_pmap_query(
	struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t *frame, unsigned *rights)
{
	(void)pmap, (void)va, (void)frame, (void)rights;
	return false;
}
#endif

/*
 * Does a run of pages that are mapped with these rights end beside the one at va?  1: the two
 * before it are, and the next one is not; -1: the other way round; 0: neither.  It may say 0 for
 * any, but then there is no fault-around for private pages.  All five are pages of the space.
 * Under the space's lock.  Default: what mvmh_pmap_query() says.
 */
#ifndef mvmh_pmap_run_end
static inline bool mvmh_pmap_grants(struct mvmh_pmap *pmap, mvm_vaddr_t va, unsigned rights)
{
	mvm_frame_t frame;
	unsigned granted;

	return mvmh_pmap_query(pmap, va, &frame, &granted) && !(rights & ~granted);
}

static inline int mvmh_pmap_run_end(struct mvmh_pmap *pmap, mvm_vaddr_t va, unsigned rights)
{
	bool below = mvmh_pmap_grants(pmap, va - MVM_PAGE_BYTES, rights);
	bool above = mvmh_pmap_grants(pmap, va + MVM_PAGE_BYTES, rights);
	int way = below - above;
	mvm_vaddr_t before = below ? va - 2 * MVM_PAGE_BYTES : va + 2 * MVM_PAGE_BYTES;

	return way && mvmh_pmap_grants(pmap, before, rights) ? way : 0;
}
#endif

/*
 * How many pages, as an order, has the entry that maps va?  For mvm_residency() only.  Under the
 * space's lock.  Default: one page.
 */
#ifndef mvmh_pmap_order
static inline unsigned mvmh_pmap_order(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	(void)pmap, (void)va;
	return 0;
}
#endif

#ifdef __cplusplus
}
#endif
