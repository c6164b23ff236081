// SPDX-License-Identifier: MIT
/*
 * Changes of size, and holes.
 *
 * Truncate marks by setting the size: from then on no fault maps a page past it and no fill brings
 * one in.  Then it sweeps: translations and private copies through the reverse map, and last the
 * cached pages themselves, each after its BUSY or WRITEBACK is over.  Only when all that is done
 * may the file system free blocks.
 *
 * What can fail comes before the size is set.  Dropping private copies may take memory, where forks
 * share them: it is reserved (a fork that comes after that has the sweep wait for memory; it cannot
 * fail any more).  The rest of the page that the new end cuts is zeroed as the size changes: that
 * page must be got, and be writable.  It becomes dirty only if there is something to zero.
 *
 * A punch has no size to mark with: its mark is the object's hole, which fills wait for.  Pages of
 * the hole leave the cache as they do in a truncate; private copies stay.
 */
#include "object.h"
#include "rmap.h"
#include "stats.h"

static bool all_zero(const char *bytes, size_t n)
{
	while (n > 0 && *bytes == 0) {
		bytes++;
		n--;
	}
	return n == 0;
}

static bool page_is_zero(struct mvm_page *page, size_t from, size_t to)
{
	char *window = mvmh_window_map(page->frame);
	bool zero = all_zero(window + from, to - from);

	mvmh_window_unmap(window);
	return zero;
}

/*
 * Zero [from, to) of a page that is in the object, so that the medium will hold zeros there too:
 * the page is DIRTY, or clean and zero already.  False: make it writable first, or look again.  The
 * object's lock is held.
 */
static bool zero_now(struct mvm_object *obj, struct mvm_page *page, size_t from, size_t to)
{
	if (page->object != obj)
		return false;
	if (page->state & PAGE_DIRTY) {
		page_zero(page, from, to);
		return true;
	}
	return !(page->state & PAGE_WRITEBACK) && page_is_zero(page, from, to);
}

/*
 * Zero bytes [start, end), which lie in one page, reading it if need be; with `cut`, make `start`
 * the size under the same lock.  Else a store in between, valid when it is made, could reach the
 * medium before the size falls and stand there when it rises again.
 */
static int zero_part(struct mvm_object *obj, uint64_t start, uint64_t end, bool cut)
{
	size_t from = start & MVM_PAGE_MASK, to = from + (size_t)(end - start);
	bool done = false;
	int err = 0;

	while (!err && !done) {
		struct mvm_page *page;

		err = cache_get_wait(obj, start >> MVM_PAGE_SHIFT, 0, &page);
		if (err)
			break;
		object_lock(obj);
		done = zero_now(obj, page, from, to);
		if (done && cut)
			object_set_size(obj, start);
		mvmh_unlock(&obj->lock);
		if (!done)
			err = cache_make_writable(obj, page, true);
		page_put(page);
	}
	return err;
}

/* Take pages [first, last] out of the cache; nothing maps them any more and none comes in. */
static void drop_range(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct mvm_page *page;

	object_lock(obj);
	while ((page = index_next(obj, first, last, false)) != NULL) {
		page_get(page);
		if (page->state & (PAGE_BUSY | PAGE_WRITEBACK)) {
			(void)!page_wait(obj, page, PAGE_BUSY | PAGE_WRITEBACK, false);
		} else {
			page_detach(obj, page);
			page_put(page);
		}
		object_unlock(obj);
		page_put(page);
		object_lock(obj);
	}
	object_unlock(obj);
}

/*
 * Wait for the I/O under way on pages [first, last], before anything is marked: until then the call
 * may be given up when its thread must die.  0 or -MVM_EINTR.
 */
static int wait_idle(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct mvm_page *page;
	unsigned looks = 0;
	int err = 0;

	object_lock(obj);
	for (; !err && (page = index_next(obj, first, last, false)) != NULL; first++) {
		first = page_index(page);
		page_get(page);
		err = page_wait(obj, page, PAGE_BUSY | PAGE_WRITEBACK, true);
		page_put(page);
		if (++looks % RUN_PAGES == 0)
			object_relock(obj);
	}
	mvmh_unlock(&obj->lock);
	return err;
}

int mvm_pc_truncate(struct mvm_object *obj, uint64_t bytes)
{
	uint64_t old = mvm_object_size(obj), cut = bytes & MVM_PAGE_MASK;
	int err;

	if (pages_of(bytes) > PAGE_INDEX_MAX)
		return -MVM_EFBIG;
	if (bytes >= old)
		return object_grow(obj, bytes);
	err = wait_idle(obj, pages_of(bytes), PAGE_INDEX_MAX);
	if (!err)
		err = rmap_reserve(obj, pages_of(bytes), PAGE_INDEX_MAX);
	if (!err && cut)
		err = zero_part(obj, bytes, bytes - cut + MVM_PAGE_BYTES, true);
	if (err)
		return err;
	object_lock(obj);
	object_set_size(obj, bytes);
	mvmh_unlock(&obj->lock);
	rmap_truncate(obj, pages_of(bytes), PAGE_INDEX_MAX);
	drop_range(obj, pages_of(bytes), PAGE_INDEX_MAX);
	return 0;
}

static void set_hole(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t end)
{
	object_lock(obj);
	obj->hole_first = first;
	obj->hole_end = end;
	object_unlock(obj);
	if (first == end)
		mvmh_wake(&obj->hole_end);
}

int mvm_pc_punch(struct mvm_object *obj, uint64_t start, uint64_t end,
	int (*free_blocks)(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last))
{
	mvm_pgoff_t first = pages_of(start), past = end >> MVM_PAGE_SHIFT;
	int err = 0;

	end = min_u64(end, mvm_object_size(obj));
	if (start >= end)
		return 0;
	if (start & MVM_PAGE_MASK)
		err = zero_part(obj, start, min_u64(end, first << MVM_PAGE_SHIFT), false);
	if (!err && end > past << MVM_PAGE_SHIFT && past >= first)
		err = zero_part(obj, max_u64(start, past << MVM_PAGE_SHIFT), end, false);
	if (!err && first < past)
		err = wait_idle(obj, first, past - 1);
	if (err || first >= past)
		return err;
	set_hole(obj, first, past);
	rmap_unmap(obj, first, past - 1);
	drop_range(obj, first, past - 1);
	if (free_blocks)
		err = free_blocks(obj, first, past - 1);
	set_hole(obj, 0, 0);
	return err;
}
