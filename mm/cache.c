// SPDX-License-Identifier: MIT
/*
 * The page cache: getting pages of an object, and read(2) and write(2) through them.
 *
 * A page enters the index BUSY, before it is filled: whoever else wants it waits for it, so that
 * each page is read once.  Several absent pages in a row are filled by one call of the pager; how
 * many is guessed from the misses: one that continues where one of the last fills ended doubles the
 * run, from 16 to 128 KiB; any other reads only the page that is wanted.
 *
 * A write holds its page BUSY from before make_writable() until the bytes are in place and the size
 * says so.  So neither write-back nor a reader sees half a page's change, and a page that is
 * overwritten whole need not be read first: nobody can see it before it is complete.  The copy
 * itself runs with faults off (mm/pagecache.h): while a page is BUSY its owner waits for nothing.
 */
#include "object.h"

#include "meta.h"
#include "reclaim.h"
#include "stats.h"
#include "trace.h"
#include "writeback.h"

#define AHEAD_MIN 4 /* pages: 16 KiB */

/* Insert a new page; its reference becomes the index's.  Object locked. */
static inline __attribute__((always_inline)) int insert(
	struct mvm_object *obj, mvm_pgoff_t index, struct mvm_page *page, unsigned state)
{
	int err = index_insert(obj, index, page);

	if (err)
		return err;
	page->object = obj;
	page->state = (uint16_t)state;
	page_set_index(page, index);
	obj->cached++;
	COUNT(cached_pages, 1);
	return 0;
}

/* The same, BUSY of the caller, and where reclaim finds it. */
static inline __attribute__((always_inline)) int insert_busy(
	struct mvm_object *obj, mvm_pgoff_t index, struct mvm_page *page)
{
	int err = insert(obj, index, page, PAGE_BUSY);

	if (!err)
		queue_add(page);
	return err;
}

OWN_FRAME bool cache_absent(struct mvm_object *obj, mvm_pgoff_t index)
{
	return index < object_pages(obj) && !in_hole(obj, index) && !index_get(obj, index);
}

int cache_put_zeros(struct mvm_object *obj, mvm_pgoff_t index, struct mvm_page *page, bool dirty)
{
	int err = insert(obj, index, page, PAGE_USED);

	if (err)
		return err;
	if (dirty)
		page_set_dirty(obj, page);
	else
		queue_add(page);
	COUNT(fills, 1);
	COUNT(filled_pages, 1);
	return 0;
}

/*
 * The stream that a miss at the index continues, or a new one in place of the
 * one unused longest.
 */
static struct stream *stream_at(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct stream *streams = obj->streams, found;
	unsigned i = 0;

	while (i < AHEAD_STREAMS - 1 && streams[i].next != index)
		i++;
	found = streams[i];
	if (found.next != index)
		found.pages = 0;
	for (; i > 0; i--)
		streams[i] = streams[i - 1];
	streams[0] = found;
	return streams;
}

/* How many pages from an absent one on to read at once.  Object locked. */
static OWN_FRAME unsigned run_ahead(struct mvm_object *obj, mvm_pgoff_t index, enum ahead how)
{
	struct stream *s;
	unsigned n = 1, want = 1;

	if (how == AHEAD_NONE)
		return 1;
	s = stream_at(obj, index);
	if (how == AHEAD_MOST)
		want = RUN_PAGES;
	else if (index == s->next)
		want = (unsigned)max_u64(AHEAD_MIN, min_u64(2 * s->pages, RUN_PAGES));
	while (n < want && cache_absent(obj, index + n))
		n++;
	s->pages = want > 1 ? want : 0;
	s->next = index + n;
	return n;
}

OWN_FRAME void mvm_fill_done(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, int err)
{
	for (; n > 0; n--, index++) {
		struct mvm_page *page;
		bool waited;

		object_lock(obj);
		page = index_get(obj, index); /* BUSY, hence still there */
		if (err) {
			page_detach(obj, page);
			page->state |= PAGE_FAILED | (err == -MVM_ENOMEM ? PAGE_STARVED : 0);
		}
		waited = page_unbusy(page);
		mvmh_unlock(&obj->lock); /* it was not dirty */
		if (waited)
			mvmh_wake(page);
		if (err)
			page_put(page);
	}
}

/*
 * Put new pages, BUSY, at up to n indexes from `index` on, as long as these are absent and memory
 * lasts.  Returns how many, 0 when the first one is not absent any more, or -MVM_ENOMEM.  *first:
 * the first page, referenced.
 */
static OWN_FRAME int insert_run(
	struct mvm_object *obj, mvm_pgoff_t index, int n, struct mvm_page **first)
{
	struct mvm_page *page = page_alloc();
	int count = 0, err = page ? 0 : -MVM_ENOMEM;

	*first = page;
	object_lock(obj);
	while (page && count < n && cache_absent(obj, index + (mvm_pgoff_t)count)) {
		err = insert_busy(obj, index + (mvm_pgoff_t)count, page);
		if (err)
			break;
		page = ++count < n ? page_alloc() : NULL;
	}
	if (count > 0)
		page_get(*first);
	mvmh_unlock(&obj->lock);
	if (page)
		page_put(page);
	return count > 0 ? count : err;
}

/* Wait for a fill that another thread will end. */
static OWN_FRAME int wait_filled(struct mvm_object *obj, struct mvm_page *page)
{
	int err;

	object_lock(obj);
	err = page_wait(obj, page, PAGE_BUSY, true);
	if (!err && page->state & PAGE_FAILED)
		err = page->state & PAGE_STARVED ? -MVM_ENOMEM : -MVM_EIO;
	mvmh_unlock(&obj->lock);
	return err;
}

static OWN_FRAME void count_fill(mvm_pgoff_t index, unsigned n, uint32_t tag)
{
	COUNT(fills, 1);
	COUNT(filled_pages, n);
	trace_for(tag, MVM_TRACE_FILL, index, n);
}

/*
 * Fill up to n <= RUN_PAGES absent pages from the index on; with `wait`, return when the first one
 * is there or has failed.  Nothing is done when the first one is not absent any more.
 */
static int fill(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, bool wait, uint32_t tag)
{
	struct mvm_page *first;
	int err = insert_run(obj, index, (int)n, &first);

	if (err <= 0)
		return err;
	n = (unsigned)err;
	count_fill(index, n, tag);
	err = obj->ops->fill(obj, index, n);
	if (err != MVM_PENDING)
		mvm_fill_done(obj, index, n, err);
	else
		err = wait ? wait_filled(obj, first) : 0;
	page_put(first);
	return err;
}

/* The page is BUSY: wait, with a reference, until it is not.  Unlocks the object. */
static OWN_FRAME int wait_unlock(struct mvm_object *obj, struct mvm_page *page)
{
	int err;

	page_get(page);
	err = page_wait(obj, page, PAGE_BUSY, true);
	mvmh_unlock(&obj->lock);
	page_put(page);
	return err;
}

/* The index lies in a hole that is being punched: wait until that is over.  Unlocks the object. */
static OWN_FRAME int wait_hole_unlock(struct mvm_object *obj)
{
	int err = object_wait(obj, &obj->hole_end, true);

	mvmh_unlock(&obj->lock);
	return err;
}

/* Fill a run around an absent page; one page alone when the run fails.  Unlocks the object. */
static int fill_unlock(struct mvm_object *obj, mvm_pgoff_t index, enum ahead how, uint32_t tag)
{
	unsigned n = run_ahead(obj, index, how);
	int err;

	mvmh_unlock(&obj->lock);
	err = fill(obj, index, n, true, tag);
	if (err && err != -MVM_EINTR && n > 1)
		err = fill(obj, index, 1, true, tag);
	return err;
}

int cache_get(struct mvm_object *obj, mvm_pgoff_t index, enum ahead how, uint32_t tag,
	struct mvm_page **out)
{
	int err = 0;

	while (!err) {
		struct mvm_page *page;

		object_lock(obj);
		page = index_get(obj, index);
		if (index >= object_pages(obj)) {
			mvmh_unlock(&obj->lock);
			return -MVM_EFAULT;
		}
		if (page && !(page->state & PAGE_BUSY) && !in_hole(obj, index)) {
			page_get(page);
			page->state |= PAGE_USED;
			mvmh_unlock(&obj->lock);
			*out = page;
			return 0;
		}
		if (in_hole(obj, index))
			err = wait_hole_unlock(obj);
		else if (page)
			err = wait_unlock(obj, page);
		else
			err = fill_unlock(obj, index, how, tag);
	}
	return err;
}

int cache_get_wait(struct mvm_object *obj, mvm_pgoff_t index, uint32_t tag, struct mvm_page **out)
{
	unsigned attempts = 0;
	int err;

	do {
		err = cache_get(obj, index, AHEAD_GUESS, tag, out);
	} while (err == -MVM_ENOMEM && memory_wait(&attempts));
	return err;
}

/*
 * Ask the pager; the page is BUSY of the caller.  Without write() a dirty page
 * has its consent for good.
 */
static int ask_writable(struct mvm_object *obj, struct mvm_page *page)
{
	if (!obj->ops->make_writable || (!obj->ops->write && page->state & PAGE_DIRTY))
		return 0;
	return obj->ops->make_writable(obj, page_index(page));
}

OWN_FRAME bool cache_dirty_at_once(struct mvm_object *obj, struct mvm_page *page)
{
	if (!obj->ops->writable_at_once || !(obj->dirty_ref || obj->doomed) || writeback_due())
		return false;
	if (!obj->ops->writable_at_once(obj, page_index(page)))
		return false;
	page_set_dirty(obj, page);
	page->state |= PAGE_USED;
	return true;
}

/* After -MVM_EAGAIN, with nothing held: -MVM_EAGAIN again when a new attempt makes sense. */
static int settle(struct mvm_object *obj)
{
	int err = obj->ops->settle ? obj->ops->settle(obj) : -MVM_EIO;

	return err ? err : -MVM_EAGAIN;
}

int cache_make_writable(struct mvm_object *obj, struct mvm_page *page, bool killable)
{
	int err;

	do {
		object_lock(obj);
		err = page_wait(obj, page, PAGE_BUSY, killable);
		if (err || page->object != obj || page->state & PAGE_DIRTY ||
			cache_dirty_at_once(obj, page)) {
			mvmh_unlock(&obj->lock);
			return err;
		}
		page->state |= PAGE_BUSY;
		mvmh_unlock(&obj->lock);
		err = ask_writable(obj, page);
		object_lock(obj);
		if (!err)
			page_set_dirty(obj, page);
		page_unbusy_unlock(obj, page);
		if (err == -MVM_EAGAIN)
			err = settle(obj);
	} while (err == -MVM_EAGAIN);
	return err;
}

/* --- read(2) ---------------------------------------------------------------------------------- */

/* Bytes of [offset, offset + n) that lie in offset's page. */
static size_t in_page(uint64_t offset, size_t n)
{
	return (size_t)min_u64(n, MVM_PAGE_BYTES - (offset & MVM_PAGE_MASK));
}

/* The caller's memory is not there: have it made present, with nothing held. */
static OWN_FRAME int copy_was_short(struct mvm_copy *c, size_t done, size_t n)
{
	return c->prefault ? c->prefault(c, done, n) : -MVM_EFAULT;
}

/* The page at the index, referenced, if it is there to be used; else NULL. */
static inline struct mvm_page *get_present(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct mvm_page *page;

	object_lock(obj);
	page = object_usable(obj, index);
	if (page) {
		page_get(page);
		page->state |= PAGE_USED;
	}
	mvmh_unlock(&obj->lock);
	return page;
}

int mvm_pc_read(struct mvm_object *obj, uint64_t offset, size_t n, struct mvm_copy *c, size_t *done)
{
	int err = 0;

	*done = 0;
	while (!err && *done < n) {
		uint64_t at = offset + *done, size = object_bytes(obj);
		struct mvm_page *page;
		size_t want, moved;
		char *window;

		if (at >= size)
			break;
		want = in_page(at, (size_t)min_u64(n - *done, size - at));
		page = get_present(obj, at >> MVM_PAGE_SHIFT);
		if (unlikely(!page))
			err = cache_get_wait(obj, at >> MVM_PAGE_SHIFT, 0, &page);
		if (unlikely(err))
			return err == -MVM_EFAULT ? 0 : err; /* 0: truncated just now */
		window = mvmh_window_map(page->frame);
		moved = c->copy(c, window + (at & MVM_PAGE_MASK), *done, want);
		mvmh_window_unmap(window);
		page_put(page);
		*done += moved;
		if (unlikely(moved < want))
			err = copy_was_short(c, *done, n - *done);
		else if (*done < n && mvmh_killed())
			err = -MVM_EINTR;
	}
	return err;
}

/* --- write(2) --------------------------------------------------------------------------------- */

/*
 * The page that is written to, BUSY of the writer: so it keeps its place, and
 * its reference is the object's.
 */
struct target {
	struct mvm_page *page;
	bool fresh;    /* it was absent and was not read: see get_busy() */
	bool promised; /* it may be DIRTY: the pager need not be asked */
};

/*
 * The page is BUSY of the caller from now on, for a write up to byte `end`.  One that is DIRTY has
 * the pager's promise, if not a write under way uses it up; but that was not for a larger size.
 * Object locked.
 */
static inline void take_busy(
	struct mvm_object *obj, struct mvm_page *page, uint64_t end, struct target *t)
{
	t->page = page;
	t->promised = ((page->state & (PAGE_DIRTY | PAGE_WRITEBACK)) == PAGE_DIRTY &&
			      end <= obj->bytes) ||
		      cache_dirty_at_once(obj, page);
	page->state |= PAGE_BUSY | PAGE_USED;
}

/* As get_busy(), where the page is absent, or BUSY of somebody else, or was a moment ago. */
static OWN_FRAME int make_busy(
	struct mvm_object *obj, uint64_t at, uint64_t end, bool whole, struct target *t)
{
	mvm_pgoff_t index = at >> MVM_PAGE_SHIFT;
	struct mvm_page *page, *spare = NULL;
	int err = 0;

	while (!err && !t->page) {
		object_lock(obj);
		page = index_get(obj, index);
		t->fresh = !page;
		if (page && page->state & PAGE_BUSY) {
			err = wait_unlock(obj, page);
		} else if (page) {
			take_busy(obj, page, end, t);
			mvmh_unlock(&obj->lock);
		} else if (!whole && index < object_pages(obj)) {
			err = fill_unlock(obj, index, AHEAD_GUESS, 0);
		} else if (!spare) {
			mvmh_unlock(&obj->lock);
			spare = page_alloc();
			err = spare ? 0 : -MVM_ENOMEM;
			if (spare && !whole)
				page_clear(spare);
		} else {
			err = insert_busy(obj, index, spare);
			if (!err) {
				take_busy(obj, spare, end, t);
				spare = NULL;
			}
			mvmh_unlock(&obj->lock);
		}
	}
	if (spare)
		page_put(spare);
	return err;
}

/*
 * Get the page of bytes [at, end) BUSY of the caller, for a write to these, or (`whole`) to all of
 * it. t->fresh: it was absent and was not read: its contents are undefined if `whole`, else zeros,
 * for then it lies past the size.
 */
static inline int get_busy(
	struct mvm_object *obj, uint64_t at, uint64_t end, bool whole, struct target *t)
{
	struct mvm_page *page;

	*t = (struct target){.page = NULL};
	object_lock(obj);
	page = index_get_here(obj, at >> MVM_PAGE_SHIFT);
	if (page && !(page->state & PAGE_BUSY))
		take_busy(obj, page, end, t);
	mvmh_unlock(&obj->lock);
	return likely(t->page != NULL) ? 0 : make_busy(obj, at, end, whole, t);
}

/*
 * The end of a write to the page, which `drop` takes out of the cache.  Object
 * locked; unlocks it.
 */
static void put_busy_unlock(struct mvm_object *obj, struct mvm_page *page, bool drop)
{
	if (drop)
		page_detach(obj, page);
	page_unbusy_unlock(obj, page);
	if (drop)
		page_put(page);
}

/*
 * Zero what a mapping may have stored behind the end of the last page, before the size grows over
 * it.  The medium has zeros there (write-back sees to it).
 */
static int zero_tail(struct mvm_object *obj)
{
	struct mvm_page *page;
	int err = 0;

	object_lock(obj);
	page = index_get(obj, obj->bytes >> MVM_PAGE_SHIFT);
	while (page && page->state & PAGE_BUSY && !err) {
		err = wait_unlock(obj, page);
		object_lock(obj);
		page = index_get(obj, obj->bytes >> MVM_PAGE_SHIFT);
	}
	if (page && !err)
		page_zero(page, obj->bytes & MVM_PAGE_MASK, MVM_PAGE_BYTES);
	mvmh_unlock(&obj->lock);
	return err;
}

int object_grow(struct mvm_object *obj, uint64_t bytes)
{
	int err = bytes > mvm_object_size(obj) ? zero_tail(obj) : 0;

	if (err)
		return err;
	object_lock(obj);
	if (bytes > obj->bytes)
		object_set_size(obj, bytes);
	object_unlock(obj);
	return 0;
}

/*
 * Write up to the end of one page.  -MVM_EFAULT: the copy was short; -MVM_EAGAIN: call again;
 * -MVM_ENOMEM: reclaim first.  In each case nothing is held.  `whole` says that the copy is trusted
 * to be complete, so that a page that is overwritten from end to end need not be read first; if it
 * is not, the page goes.  The size grows with a page that stays.
 */
static OWN_FRAME int write_page(struct mvm_object *obj, uint64_t at, size_t want,
	struct mvm_copy *c, size_t *done, bool whole)
{
	struct target t;
	size_t moved;
	char *window;
	bool drop;
	int err = get_busy(obj, at, at + want, whole, &t);

	if (unlikely(err))
		return err;
	err = t.promised ? 0 : ask_writable(obj, t.page);
	if (unlikely(err)) {
		object_lock(obj);
		put_busy_unlock(obj, t.page, t.fresh);
		return err == -MVM_EAGAIN ? settle(obj) : err;
	}
	window = mvmh_window_map(t.page->frame);
	moved = c->copy(c, window + (at & MVM_PAGE_MASK), *done, want);
	mvmh_window_unmap(window);
	drop = t.fresh && moved < (whole ? want : 1);
	object_lock(obj);
	page_set_dirty(obj, t.page);
	if (!drop && moved > 0 && at + moved > obj->bytes)
		object_set_size(obj, at + moved);
	put_busy_unlock(obj, t.page, drop);
	if (!t.promised)
		writeback_balance(obj); /* one more is dirty */
	if (!drop)
		*done += moved;
	return moved < want ? -MVM_EFAULT : 0;
}

int mvm_pc_write(
	struct mvm_object *obj, uint64_t offset, size_t n, struct mvm_copy *c, size_t *done)
{
	unsigned attempts = 0;
	bool whole = true;
	int err = 0;

	*done = 0;
	if (n == 0)
		return 0;
	if (pages_of(offset + n) > PAGE_INDEX_MAX || offset + n < offset)
		return -MVM_EFBIG;
	if (offset > object_bytes(obj)) /* else the bytes behind the end are overwritten */
		err = zero_tail(obj);
	while (!err && *done < n) {
		uint64_t at = offset + *done;
		size_t want = in_page(at, n - *done);

		err = write_page(obj, at, want, c, done, whole && want == MVM_PAGE_BYTES);
		whole = true;
		if (likely(!err)) {
			attempts = 0;
			err = *done < n && mvmh_killed() ? -MVM_EINTR : 0;
		} else if (err == -MVM_EFAULT) {
			err = copy_was_short(c, *done, n - *done);
			whole = false; /* it may be short for ever: have the page's bytes */
		} else if (err == -MVM_EAGAIN || (err == -MVM_ENOMEM && memory_wait(&attempts))) {
			err = 0;
		}
	}
	return err;
}

/* --- The rest --------------------------------------------------------------------------------- */

void mvm_pc_readahead(struct mvm_object *obj, mvm_pgoff_t first, unsigned n)
{
	mvm_pgoff_t end = first + n;

	while (first < end) {
		unsigned run = (unsigned)min_u64(end - first, RUN_PAGES);
		bool wanted;

		object_lock(obj);
		wanted = cache_absent(obj, first);
		mvmh_unlock(&obj->lock);
		if (wanted && (mvmh_killed() || fill(obj, first, run, false, 0) != 0))
			return;
		first += wanted ? run : 1;
	}
}

/* One byte, as a load or store would.  -MVM_EAGAIN: the page has left or become clean again. */
static int touch_once(struct mvm_object *obj, uint64_t offset, bool write, uint8_t *byte)
{
	struct mvm_page *page;
	uint8_t *window;
	int err = cache_get_wait(obj, offset >> MVM_PAGE_SHIFT, 0, &page);

	if (err)
		return err;
	if (write)
		err = cache_make_writable(obj, page, true);
	object_lock(obj);
	window = mvmh_window_map(page->frame);
	if (!err && (page->object != obj || (write && !(page->state & PAGE_DIRTY))))
		err = -MVM_EAGAIN;
	else if (!err && write)
		window[offset & MVM_PAGE_MASK] = *byte;
	else if (!err)
		*byte = window[offset & MVM_PAGE_MASK];
	mvmh_window_unmap(window);
	mvmh_unlock(&obj->lock);
	page_put(page);
	return err;
}

static int touch(struct mvm_object *obj, uint64_t offset, bool write, uint8_t *byte)
{
	int err;

	if (write)
		writeback_balance(obj);
	do {
		err = touch_once(obj, offset, write, byte);
	} while (err == -MVM_EAGAIN);
	return err;
}

int mvm_pc_touch_read(struct mvm_object *obj, uint64_t offset, uint8_t *byte)
{
	return touch(obj, offset, false, byte);
}

int mvm_pc_touch_write(struct mvm_object *obj, uint64_t offset, uint8_t byte)
{
	return touch(obj, offset, true, &byte);
}
