// SPDX-License-Identifier: MIT
/*
 * Replacement: a clock over the pages of the cache that could go.
 *
 * The queue holds them in the order of their coming.  The hand takes the first: if it was used
 * since the hand last came by (a fault or a read set PAGE_USED, or a translation's mark says so),
 * it goes to the end; else it is evicted if it is clean.  Clean pages go first: dirty ones are
 * passed by for two rounds (in the first everything may have been used), and written only if these
 * have freed nothing, since who waits for memory should not wait for the disk.  Write-back keeps
 * dirty pages few (writeback.c), so a third round is rare.
 *
 * Runs.  What comes into the cache together stands together on the queue, and mostly under
 * neighbouring indexes of one object.  So the hand takes runs of such neighbours, and everything
 * is done for a run at a time: one look at the object, one reverse walk for the marks of use, one
 * to unmap, hence one flush of translations for up to 32 pages in each space, and one write.  A run
 * is a range of indexes, not a list of pages: whatever page stands there when it is looked at is as
 * good as another.
 *
 * Eviction is mark, sweep, forget, as everywhere: BUSY under the object's lock; translations
 * through the reverse map; then, if nobody got a reference before the mark, out of the index.
 *
 * Not on the queue: pages that can never go, the DIRTY ones of objects that cannot write (shared
 * anonymous memory, a tmpfs).  Private pages are not, either: there is no swap yet.
 *
 * Locks.  The queue's is of rank PAGE, below the object's: from a page on the queue to its object
 * leads only a pin, taken under the queue's lock; page_detach() takes a page off the queue before
 * the object can go.  Reclaim only tries: it never waits for a BUSY page, so whoever holds one may
 * allocate.  For a write under way it waits (writeback_wait), when all else has failed.
 */
#include "reclaim.h"

#include "object.h"
#include "rmap.h"
#include "stats.h"
#include "trace.h"
#include "writeback.h"

/* [l] the lock */
static struct {
	struct mvmh_lock lock;
	mvm_frame_t first, last; /* [l] */
	uint64_t count;          /* [l] */
} queue;

void reclaim_init(void)
{
	mvmh_lock_init(&queue.lock, MVMH_RANK_PAGE);
	queue.first = queue.last = MVM_NO_FRAME;
}

static void append(struct mvm_page *page)
{
	page->queued = 1;
	page->prev = queue.last;
	page->next = MVM_NO_FRAME;
	if (queue.last == MVM_NO_FRAME)
		queue.first = page->frame;
	else
		page_of(queue.last)->next = page->frame;
	queue.last = page->frame;
	queue.count++;
}

static void unlink_page(struct mvm_page *page)
{
	page->queued = 0;
	if (page->prev == MVM_NO_FRAME)
		queue.first = page->next;
	else
		page_of(page->prev)->next = page->next;
	if (page->next == MVM_NO_FRAME)
		queue.last = page->prev;
	else
		page_of(page->next)->prev = page->prev;
	queue.count--;
}

void queue_add(struct mvm_page *page)
{
	mvmh_lock(&queue.lock);
	append(page);
	mvmh_unlock(&queue.lock);
}

void queue_remove(struct mvm_page *page)
{
	mvmh_lock(&queue.lock);
	if (page->queued)
		unlink_page(page);
	mvmh_unlock(&queue.lock);
}

static uint64_t queue_length(void)
{
	uint64_t n;

	mvmh_lock(&queue.lock);
	n = queue.count;
	mvmh_unlock(&queue.lock);
	return n;
}

/* Neighbours of one object, at most RUN_PAGES; which of them, is said by masks. */
struct run {
	struct mvm_object *obj; /* pinned */
	mvm_pgoff_t first;
	unsigned n;
};

/* Does the page continue the run?  The queue's lock is held, so a queued page keeps its place. */
static bool continues(const struct run *run, const struct mvm_page *page)
{
	return run->n < RUN_PAGES && page->object == run->obj &&
	       page_index(page) == run->first + run->n;
}

/* The run under the hand; the hand moves on.  False: the queue is empty. */
static OWN_FRAME bool hand_take(struct run *run)
{
	struct mvm_page *page;

	run->n = 0;
	mvmh_lock(&queue.lock);
	while (queue.first != MVM_NO_FRAME) {
		page = page_of(queue.first);
		if (run->n == 0) {
			run->obj = page->object;
			run->first = page_index(page);
			object_pin(run->obj);
		} else if (!continues(run, page)) {
			break;
		}
		run->n++;
		unlink_page(page);
		append(page);
	}
	mvmh_unlock(&queue.lock);
	return run->n > 0;
}

/* --- Eviction --------------------------------------------------------------------------------- */

static uint32_t bit(unsigned i)
{
	return (uint32_t)1 << i;
}

/* May it go, if it was not used?  The object's lock is held; the one reference is the index's. */
static bool may_go(const struct mvm_page *page)
{
	return ref_count(&page->refs) == 1 &&
	       !(page->state & (PAGE_BUSY | PAGE_DIRTY | PAGE_WRITEBACK));
}

/* Mark what may go, but the pages `keep`, and those that were used since the last call. */
static OWN_FRAME uint32_t mark(const struct run *run, uint32_t keep)
{
	uint32_t marked = 0;

	object_lock(run->obj);
	for (unsigned i = 0; i < run->n; i++) {
		struct mvm_page *page = index_get(run->obj, run->first + i);

		if (!page)
			continue;
		if (page->state & PAGE_USED)
			keep |= bit(i);
		page->state &= (uint16_t)~PAGE_USED;
		if (may_go(page) && !(keep & bit(i))) {
			page->state |= PAGE_BUSY;
			marked |= bit(i);
		}
	}
	mvmh_unlock(&run->obj->lock);
	return marked;
}

/* Remove all translations of the marked pages. */
static void sweep(const struct run *run, uint32_t marked)
{
	unsigned i = 0, from;

	while (i < run->n) {
		for (from = i; i < run->n && marked & bit(i); i++)
			;
		if (i > from)
			rmap_unmap(run->obj, run->first + from, run->first + i - 1);
		else
			i++;
	}
}

/*
 * Take the marked pages out of the index, except those that somebody waits for.
 * Returns how many.
 */
static OWN_FRAME unsigned drop_run(const struct run *run, uint32_t marked)
{
	struct page_list gone = {.first = NULL};
	struct mvm_page *page;
	unsigned n = 0;

	object_lock(run->obj);
	for (unsigned i = 0; i < run->n; i++) {
		if (!(marked & bit(i)))
			continue;
		page = index_get(run->obj, run->first + i); /* BUSY of ours: it is there */
		if (ref_count(&page->refs) == 1) {
			trace_for(0, MVM_TRACE_EVICT, run->first + i, page->frame);
			page_detach(run->obj, page);
			page_list_add(&gone, page);
			n++;
		} else {
			page_unbusy_unlock(run->obj, page);
			object_lock(run->obj);
		}
	}
	mvmh_unlock(&run->obj->lock);
	while ((page = page_list_take(&gone)) != NULL)
		page_put(page);
	return n;
}

/* Evict what is clean and was not used since reclaim last looked.  Returns how many pages. */
static OWN_FRAME unsigned evict(const struct run *run, bool even_used)
{
	uint32_t keep, marked;

	if (even_used) /* until now; what is locked meanwhile has been used by that */
		(void)mark(run, ~(uint32_t)0);
	keep = even_used ? rmap_locked(run->obj, run->first, run->n)
			 : rmap_used(run->obj, run->first, run->n);
	marked = mark(run, keep);
	if (!marked)
		return 0;
	sweep(run, marked);
	return drop_run(run, marked);
}

/* --- Dirty pages ------------------------------------------------------------------------------ */

/* Does the run have pages that a write would make evictable?  The object's lock is held. */
static OWN_FRAME bool has_dirty(const struct run *run)
{
	struct mvm_page *page = NULL;

	if (run->obj->ops->write)
		page = index_next(run->obj, run->first, run->first + run->n - 1, true);
	return page && (page->state & (PAGE_BUSY | PAGE_DIRTY | PAGE_WRITEBACK)) == PAGE_DIRTY;
}

/*
 * Have the dirty pages of the run written, with their neighbours, and evict them.  The object is
 * pinned, and this gives the pin back.  The write needs the object: the reference of its dirty
 * pages is there to be shared, and the pin must go first, for the last unref may destroy.  A doomed
 * object's dirty pages have none; there the pin alone keeps it, for whoever destroys it waits.
 */
static unsigned write_unpin(const struct run *run)
{
	mvm_pgoff_t window = RUN_PAGES - 1;
	bool dirty, referenced;
	unsigned freed = 0;

	object_lock(run->obj);
	dirty = has_dirty(run);
	referenced = dirty && run->obj->dirty_ref;
	if (referenced)
		mvm_object_ref(run->obj);
	mvmh_unlock(&run->obj->lock);
	if (referenced)
		object_unpin(run->obj);
	if (dirty) {
		(void)!flush_start(run->obj, run->first & ~window,
			(run->first + run->n - 1) | window, MVM_PC_RECLAIM);
		freed = evict(run, false);
	}
	if (referenced)
		mvm_object_unref(run->obj);
	else
		object_unpin(run->obj);
	return freed;
}

/* --- The hand's rounds ------------------------------------------------------------------------ */

static size_t go_round(size_t want, uint64_t looks, bool write)
{
	size_t freed = 0;
	uint64_t done;

	for (done = 0; freed < want && done < looks;) {
		struct run run;

		if (!hand_take(&run))
			break;
		done += run.n;
		freed += evict(&run, false);
		if (write)
			freed += write_unpin(&run);
		else
			object_unpin(run.obj);
	}
	COUNT(reclaim_scanned, done);
	return freed;
}

size_t mvm_reclaim(size_t want)
{
	size_t writes = writes_ended();
	uint64_t length = queue_length();
	size_t freed = go_round(want, 2 * length, false);

	if (freed == 0)
		freed = go_round(want, 2 * length, true);
	if (freed == 0)
		writeback_wait(writes);
	COUNT(reclaim_freed, freed);
	return freed;
}

void mvm_pc_invalidate(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct run run = {.obj = obj};
	struct mvm_page *page;

	object_pin(obj);
	for (;;) {
		object_lock(obj);
		page = index_next(obj, first, last, false);
		if (page)
			run.first = page_index(page);
		mvmh_unlock(&obj->lock);
		if (!page)
			break;
		run.n = (unsigned)min_u64(last - run.first, RUN_PAGES - 1) + 1;
		evict(&run, true);
		first = run.first + run.n;
	}
	object_unpin(obj);
}

void queue_check(void)
{
	mvm_frame_t prev = MVM_NO_FRAME;
	uint64_t n = 0;

	mvmh_lock(&queue.lock);
	for (mvm_frame_t f = queue.first; f != MVM_NO_FRAME; f = page_of(f)->next) {
		MUST(page_of(f)->queued && page_of(f)->prev == prev && page_of(f)->object);
		prev = f;
		n++;
	}
	MUST(queue.last == prev && queue.count == n);
	mvmh_unlock(&queue.lock);
}
