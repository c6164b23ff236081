// SPDX-License-Identifier: MIT
/*
 * Write-back: from DIRTY to clean.
 *
 * Shared file pages are mapped read-only until the first store, so mm knows what is dirty without
 * looking at tables.  To write a run of dirty pages:
 *
 *	1. DIRTY -> WRITEBACK, under the object's lock: the mark.  From now on no fault maps
 *	   these pages writable
 *	2. write-protect all their translations, and finish the batches
 *	3. zero what lies past the size in the page that it cuts
 *	4. the pager's write()
 *	5. success clears WRITEBACK; failure makes the page DIRTY again
 *
 * A store between 1 and 2 goes into this write.  A store after 2 faults, asks the pager again and
 * makes the page DIRTY beside WRITEBACK; so 5 clears only WRITEBACK, and the page is written once
 * more.  WRITEBACK blocks neither loads nor stores.
 *
 * Unclean objects are on one list, the longest unclean first.  The list references them.
 *
 * How much may be dirty.  Memory that is dirty cannot be given to anybody before the disk has it,
 * so there is not to be much of it.  Above a share of all frames (BACKGROUND) the host's thread is
 * asked to begin, whatever the pages' age; above a larger one (LIMIT) whoever makes one more page
 * dirty writes a run of the same object: who dirties pays, and who does not waits for nobody.
 * Between the two the thread has time to be the faster one.
 */
#include "writeback.h"

#include "registry.h"
#include "rmap.h"
#include "stats.h"
#include "trace.h"

/* Shares of all frames that may be unclean, as shifts. */
#define BACKGROUND_SHIFT 3
#define LIMIT_SHIFT      2

static struct registry unclean;
static size_t unclean_pages;     /* [a] of objects that can write and are not doomed */
static size_t background, limit; /* [I] */

/* Writes of runs: [l] the lock, [a] also read without. */
static struct {
	struct mvmh_lock lock;
	size_t begun; /* [l] */
	size_t ended; /* [la] */
	bool waited;  /* [l] */
} writes;

void writeback_init(void)
{
	size_t total;

	(void)mvmh_frame_count(&total);
	background = total >> BACKGROUND_SHIFT;
	limit = total >> LIMIT_SHIFT;
	mvmh_lock_init(&unclean.lock, MVMH_RANK_PAGE);
	mvmh_lock_init(&writes.lock, MVMH_RANK_PAGE);
	list_init(&unclean.all);
}

void writeback_count(long pages)
{
	__atomic_fetch_add(&unclean_pages, (size_t)pages, __ATOMIC_RELAXED);
}

void writeback_check(uint64_t unclean_n)
{
	MUST(__atomic_load_n(&unclean_pages, __ATOMIC_RELAXED) == unclean_n);
}

static bool more_unclean_than(size_t pages)
{
	return __atomic_load_n(&unclean_pages, __ATOMIC_RELAXED) > pages;
}

bool writeback_due(void)
{
	return unlikely(more_unclean_than(background));
}

/* --- Writes under way ------------------------------------------------------------------------- */

size_t writes_ended(void)
{
	return __atomic_load_n(&writes.ended, __ATOMIC_RELAXED);
}

static void write_begins(void)
{
	mvmh_lock(&writes.lock);
	writes.begun++;
	mvmh_unlock(&writes.lock);
}

static void write_ends(void)
{
	bool waited;

	mvmh_lock(&writes.lock);
	__atomic_store_n(&writes.ended, writes.ended + 1, __ATOMIC_RELAXED);
	waited = writes.waited;
	writes.waited = false;
	mvmh_unlock(&writes.lock);
	if (waited)
		mvmh_wake(&writes);
}

void writeback_wait(size_t ended)
{
	mvmh_lock(&writes.lock);
	if (writes.ended == ended && writes.begun != ended) {
		writes.waited = true;
		(void)!mvmh_wait(&writes, &writes.lock, true);
	}
	mvmh_unlock(&writes.lock);
}

/* --- The list of unclean objects -------------------------------------------------------------- */

void unclean_list_move(struct mvm_object *obj, bool on)
{
	if (on) {
		obj->unclean_since = mvmh_now();
		__atomic_store_n(&obj->urgent, false, __ATOMIC_RELAXED);
		registry_add(&unclean, &obj->unclean);
	} else {
		registry_remove(&unclean, &obj->unclean);
	}
}

void writeback_urgent(struct mvm_object *obj)
{
	bool wanted;

	object_lock(obj);
	wanted = obj->dirty_ref && obj->dirty > 0;
	if (wanted)
		__atomic_store_n(&obj->urgent, true, __ATOMIC_RELAXED);
	mvmh_unlock(&obj->lock);
	if (wanted)
		mvmh_writeback_wanted(false);
}

/*
 * Collect a run of up to RUN_PAGES neighbours that are DIRTY and nothing else, from *at on, and
 * mark them.  With `wait`, waits for BUSY pages and earlier writes on the way, else passes them by.
 * *at moves behind what was looked at.  *length is the run's, which ends at *at; 0: that was all.
 * 0 or -MVM_EINTR.  Object locked.
 */
static OWN_FRAME int take_run(
	struct mvm_object *obj, mvm_pgoff_t *at, mvm_pgoff_t last, bool wait, unsigned *length)
{
	struct mvm_page *page;
	unsigned n = 0, passed = 0;
	int err = 0;

	while (!err && n < RUN_PAGES && (page = index_next(obj, *at, last, true)) != NULL) {
		if (n > 0 && page_index(page) != *at)
			break;
		*at = page_index(page);
		if (page->state & (PAGE_BUSY | PAGE_WRITEBACK)) {
			if (n > 0)
				break;
			if (!wait) {
				++*at;
				if (++passed % RUN_PAGES == 0)
					object_relock(obj);
				continue;
			}
			page_get(page);
			err = page_wait(obj, page, PAGE_BUSY | PAGE_WRITEBACK, true);
			page_put(page); /* not the last: or it has left the object, unmapped */
			continue;
		}
		page_begin_writeback(obj, page);
		n++;
		++*at;
	}
	*length = n;
	return err;
}

/* The page that the size cuts, if it is one of [first, first + n); else NULL.  Object locked. */
static struct mvm_page *page_cut(struct mvm_object *obj, mvm_pgoff_t first, unsigned n)
{
	mvm_pgoff_t index = obj->bytes >> MVM_PAGE_SHIFT;

	if ((obj->bytes & MVM_PAGE_MASK) == 0 || index < first || index >= first + n)
		return NULL;
	return index_get(obj, index);
}

/*
 * Zero what lies past the size in the pages [first, first + n), which are under WRITEBACK.  It need
 * not be the last one that the size cuts: a truncate may have come since they were marked.
 */
static void zero_past_size(struct mvm_object *obj, mvm_pgoff_t first, unsigned n)
{
	struct mvm_page *page;

	object_lock(obj);
	/* A write() that holds the page may have put bytes past the size that it will publish. */
	while ((page = page_cut(obj, first, n)) != NULL && page->state & PAGE_BUSY)
		(void)!page_wait(obj, page, PAGE_BUSY, false);
	if (page)
		page_zero(page, obj->bytes & MVM_PAGE_MASK, MVM_PAGE_BYTES);
	mvmh_unlock(&obj->lock);
}

/*
 * The write of the page is over; the object is locked.  True: somebody waits, wake the page once
 * the lock is dropped.
 */
static bool page_written(struct mvm_object *obj, struct mvm_page *page, int err)
{
	bool waited = page->state & PAGE_WAITED;

	page->state &= (uint16_t)~PAGE_WAITED;
	if (err) {
		page_set_dirty(obj, page);
		obj->errors++;
		obj->last_error = err;
	}
	page_end_writeback(obj, page);
	return waited;
}

void mvm_write_done(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, int err)
{
	for (; n > 0; n--, index++) {
		struct mvm_page *page;
		bool waited;

		object_lock(obj);
		page = index_get(obj, index); /* under WRITEBACK, hence still there */
		waited = page_written(obj, page, err);
		object_unlock(obj); /* the last one may drop the reference of dirty pages */
		if (waited)
			mvmh_wake(page);
	}
	write_ends();
}

/* The same for who waited for the write, and brings references in order afterwards. */
static void written_at_once(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, int err)
{
	for (; n > 0; n--, index++) {
		struct mvm_page *page;
		bool waited;

		object_lock(obj);
		page = index_get(obj, index);
		waited = page_written(obj, page, err);
		mvmh_unlock(&obj->lock);
		if (waited)
			mvmh_wake(page);
	}
	write_ends();
}

/* Steps 2 to 5 for a run that is marked.  No lock held; object_unlock() is to follow. */
static int write_run(struct mvm_object *obj, mvm_pgoff_t first, unsigned n, unsigned flags)
{
	unsigned how = (flags & MVM_PC_WAIT ? MVM_WRITE_SYNC : 0) |
		       (flags & MVM_PC_RECLAIM ? MVM_WRITE_RECLAIM : 0);
	int err;

	rmap_write_protect(obj, first, first + n - 1);
	zero_past_size(obj, first, n);
	COUNT(writes, 1);
	COUNT(written_pages, n);
	trace_for(0, MVM_TRACE_WRITEBACK, first, n);
	write_begins();
	err = obj->ops->write(obj, first, n, how);
	if (err == MVM_PENDING)
		return 0;
	written_at_once(obj, first, n, err);
	return err;
}

/* Wait until no page of the range is under WRITEBACK. */
static OWN_FRAME int wait_written(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct mvm_page *page;
	unsigned looks = 0;
	int err = 0;

	object_lock(obj);
	for (; !err && (page = index_next(obj, first, last, true)) != NULL; first++) {
		first = page_index(page);
		page_get(page);
		err = page_wait(obj, page, PAGE_WRITEBACK, true);
		page_put(page);
		if (++looks % RUN_PAGES == 0)
			object_relock(obj);
	}
	mvmh_unlock(&obj->lock);
	return err;
}

/*
 * Write dirty pages from *at on, in runs, until *budget pages are written or `last` is passed.  *at
 * moves behind them.  Returns the first error.
 */
static OWN_FRAME int write_range(
	struct mvm_object *obj, mvm_pgoff_t *at, mvm_pgoff_t last, unsigned flags, uint64_t *budget)
{
	int err = 0, failed;
	unsigned n;

	object_lock(obj);
	while (*budget > 0) {
		failed = take_run(obj, at, last, flags & MVM_PC_WAIT, &n);
		if (failed)
			err = failed;
		if (failed || n == 0)
			break;
		object_unlock(obj);
		failed = write_run(obj, *at - n, n, flags);
		if (!err)
			err = failed;
		*budget -= min_u64(*budget, n);
		object_lock(obj);
	}
	object_unlock(obj);
	return err;
}

/* Flush and wait; see mvm_pc_flush(). */
static OWN_FRAME int flush_wait(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	uint64_t budget = UINT64_MAX;
	mvm_pgoff_t at = first;
	uint32_t errors;
	int err, failed;

	object_lock(obj);
	errors = obj->errors;
	mvmh_unlock(&obj->lock);
	err = write_range(obj, &at, last, MVM_PC_WAIT, &budget);
	failed = wait_written(obj, first, last);
	if (!err)
		err = failed;
	object_lock(obj);
	if (!err && obj->errors != errors)
		err = obj->last_error;
	mvmh_unlock(&obj->lock);
	return err;
}

int flush_start(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, unsigned flags)
{
	uint64_t budget = UINT64_MAX;

	return write_range(obj, &first, last, flags, &budget);
}

int mvm_pc_flush(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, unsigned flags)
{
	if (!obj->ops->write)
		return 0;
	if (flags & MVM_PC_WAIT)
		return flush_wait(obj, first, last);
	return flush_start(obj, first, last, flags);
}

/* --- Keeping it little ------------------------------------------------------------------------ */

/* Write a run's worth of pages, from where the last such write ended, around. */
static OWN_FRAME void write_share(struct mvm_object *obj)
{
	uint64_t budget = RUN_PAGES;
	mvm_pgoff_t at;

	object_lock(obj);
	at = obj->write_next;
	mvmh_unlock(&obj->lock);
	/* Who dirties is not told of errors here: the pages stay dirty, fsync tells. */
	(void)!write_range(obj, &at, PAGE_INDEX_MAX, 0, &budget);
	if (budget > 0) {
		at = 0;
		(void)!write_range(obj, &at, PAGE_INDEX_MAX, 0, &budget);
	}
	object_lock(obj);
	obj->write_next = at;
	mvmh_unlock(&obj->lock);
}

void writeback_balance(struct mvm_object *obj)
{
	if (!writeback_due() || !obj->ops->write)
		return;
	mvmh_writeback_wanted(true);
	if (more_unclean_than(limit)) {
		COUNT(throttled, 1);
		write_share(obj);
	}
}

void writeback_pay(struct mvm_object *obj)
{
	writeback_balance(obj);
	mvm_object_unref(obj);
}

/*
 * The object that is unclean longest, referenced, if that is long enough or too much is; moved to
 * the end.
 */
static struct mvm_object *next_unclean(uint64_t age_ns)
{
	uint64_t now = mvmh_now();
	bool due;
	struct mvm_object *obj = NULL;

	mvmh_lock(&unclean.lock);
	if (!list_empty(&unclean.all)) {
		obj = container_of(unclean.all.next, struct mvm_object, unclean);
		due = now - obj->unclean_since >= age_ns ||
		      __atomic_load_n(&obj->urgent, __ATOMIC_RELAXED);
		list_remove(&obj->unclean);
		list_append(&unclean.all, &obj->unclean);
		if (!due && !more_unclean_than(background))
			obj = NULL;
		else
			mvm_object_ref(obj); /* on the list: not the first */
	}
	mvmh_unlock(&unclean.lock);
	return obj;
}

/*
 * Write what is dirty in the object now.  What is made dirty meanwhile is not chased: a file that
 * grows would be written in runs of one page, right behind the writer.
 */
static int write_present(struct mvm_object *obj)
{
	mvm_pgoff_t at = 0;
	uint64_t budget;

	object_lock(obj);
	budget = obj->dirty;
	mvmh_unlock(&obj->lock);
	return write_range(obj, &at, PAGE_INDEX_MAX, 0, &budget);
}

int mvm_writeback(uint64_t age_ns, bool wait)
{
	uint64_t n = registry_count(&unclean);
	int err = 0, failed;

	while (n-- > 0) {
		struct mvm_object *obj = next_unclean(age_ns);

		if (!obj)
			continue;
		failed = wait ? mvm_pc_flush(obj, 0, PAGE_INDEX_MAX, MVM_PC_WAIT)
			      : write_present(obj);
		if (!err)
			err = failed;
		mvm_object_unref(obj);
	}
	return err;
}
