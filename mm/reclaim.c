// SPDX-License-Identifier: MIT
/*
 * Replacement: a clock over the pages of the cache.
 *
 * The queue holds all cached pages, in the order of their coming.  The hand takes the first: if it
 * was used since the hand last came by (a fault or a read set PAGE_USED, or a translation's mark
 * says so), it goes to the end; else it is evicted if it is clean, and written back if it is dirty,
 * to be clean when the hand comes again.
 *
 * Eviction is mark, sweep, forget, as everywhere: BUSY under the object's lock; translations
 * through the reverse map; then, if nobody got a reference before the mark, out of the index.
 *
 * Locks.  The queue's is of rank PAGE, below the object's: from a page on the queue to its object
 * leads only a pin, taken under the queue's lock; page_detach() takes a page off the queue before
 * the object can go.  Reclaim only tries: it never waits for a BUSY page, so whoever holds one may
 * allocate.
 *
 * Private pages stay: there is no swap yet.
 */
#include "reclaim.h"

#include "object.h"
#include "rmap.h"
#include "stats.h"
#include "trace.h"

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
	unlink_page(page);
	mvmh_unlock(&queue.lock);
}

/* The page under the hand, referenced, its object pinned; the hand moves on.  NULL: empty. */
static OWN_FRAME struct mvm_page *hand_take(struct mvm_object **obj)
{
	struct mvm_page *page = NULL;

	mvmh_lock(&queue.lock);
	if (queue.first != MVM_NO_FRAME) {
		page = page_of(queue.first);
		unlink_page(page);
		append(page);
		page_get(page);
		*obj = page->object;
		object_pin(*obj);
	}
	mvmh_unlock(&queue.lock);
	return page;
}

static uint64_t queue_length(void)
{
	uint64_t n;

	mvmh_lock(&queue.lock);
	n = queue.count;
	mvmh_unlock(&queue.lock);
	return n;
}

/* The index's reference and ours. */
static bool unreferenced(const struct mvm_page *page)
{
	return ref_count(&page->refs) == 2;
}

/* May it go, if no translation was used?  Marks it.  The object's lock is held. */
static bool mark(struct mvm_object *obj, struct mvm_page *page)
{
	bool used = page->state & PAGE_USED;

	page->state &= (uint16_t)~PAGE_USED;
	if (used || page->object != obj || !unreferenced(page) ||
		page->state & (PAGE_BUSY | PAGE_DIRTY | PAGE_WRITEBACK))
		return false;
	page->state |= PAGE_BUSY;
	return true;
}

/* Evict a page that we hold a reference to, if it is clean and nobody uses it. */
static OWN_FRAME bool evict(struct mvm_object *obj, struct mvm_page *page, bool even_used)
{
	mvm_pgoff_t index;
	bool gone;

	object_lock(obj);
	if (even_used)
		page->state &= (uint16_t)~PAGE_USED;
	if (!mark(obj, page)) {
		mvmh_unlock(&obj->lock);
		return false;
	}
	index = page_index(page);
	mvmh_unlock(&obj->lock);
	gone = even_used || !rmap_test_and_clear(obj, index);
	if (gone)
		rmap_unmap(obj, index, index);
	object_lock(obj);
	gone = gone && unreferenced(page);
	if (gone) {
		trace_for(0, MVM_TRACE_EVICT, index, page->frame);
		page_detach(obj, page);
	}
	page_unbusy_unlock(obj, page);
	if (gone)
		page_put(page);
	return gone;
}

/*
 * Have a page written that would then be evictable, with its neighbours.  The object is pinned, and
 * this gives the pin back.  The write needs the object: the reference of its dirty pages is there
 * to be shared, and the pin must go first, for the last unref may destroy.  A doomed object's dirty
 * pages have none; there the pin alone keeps it, for whoever destroys it waits.
 */
static void write_unpin(struct mvm_object *obj, struct mvm_page *page)
{
	bool dirty, referenced;
	mvm_pgoff_t index;

	object_lock(obj);
	index = page_index(page);
	dirty = page->object == obj && obj->ops->write &&
		(page->state & (PAGE_BUSY | PAGE_DIRTY | PAGE_WRITEBACK)) == PAGE_DIRTY;
	referenced = dirty && obj->dirty_ref;
	if (referenced)
		mvm_object_ref(obj);
	mvmh_unlock(&obj->lock);
	if (referenced)
		object_unpin(obj);
	if (dirty)
		(void)!mvm_pc_flush(obj, index, index + RUN_PAGES - 1, MVM_PC_RECLAIM);
	if (referenced)
		mvm_object_unref(obj);
	else
		object_unpin(obj);
}

size_t mvm_reclaim(size_t want)
{
	uint64_t looks = 2 * queue_length() + 1;
	size_t freed = 0;

	while (freed < want && looks-- > 0) {
		struct mvm_object *obj;
		struct mvm_page *page = hand_take(&obj);

		if (!page)
			break;
		COUNT(reclaim_scanned, 1);
		if (evict(obj, page, false))
			freed++;
		write_unpin(obj, page);
		page_put(page);
	}
	COUNT(reclaim_freed, freed);
	return freed;
}

void mvm_pc_invalidate(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct mvm_page *page;

	object_pin(obj);
	object_lock(obj);
	for (; (page = index_next(obj, first, last, false)) != NULL; first++) {
		first = page_index(page);
		page_get(page);
		mvmh_unlock(&obj->lock);
		evict(obj, page, true);
		page_put(page);
		object_lock(obj);
	}
	mvmh_unlock(&obj->lock);
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
