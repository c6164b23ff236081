// SPDX-License-Identifier: MIT
/*
 * Changes of size, and holes.
 *
 * Truncate marks by setting the size: from then on no fault maps a page past it and no fill brings
 * one in.  Then it sweeps: translations and private copies through the reverse map, and last the
 * cached pages themselves, each after its BUSY or WRITEBACK is over.  Only when all that is done
 * may the file system free blocks.
 *
 * The rest of the page that the new end cuts is zeroed before the size changes, which is also the
 * only step that can fail.  It becomes dirty only if there was something to zero.
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

/* One attempt to zero [from, to) of a page in hand; -MVM_EAGAIN: it left, or became clean. */
static int zero_part_once(struct mvm_object *obj, struct mvm_page *page, size_t from, size_t to)
{
	int err = 0;

	if (page_is_zero(page, from, to))
		return 0;
	err = cache_make_writable(obj, page);
	if (err)
		return err;
	object_lock(obj);
	if (page->object == obj && page->state & PAGE_DIRTY)
		page_zero(page, from, to);
	else
		err = -MVM_EAGAIN;
	mvmh_unlock(&obj->lock);
	return err;
}

/* Zero bytes [start, end), which lie in one page; reads it if need be.  Past the size: nothing. */
static int zero_part(struct mvm_object *obj, uint64_t start, uint64_t end)
{
	size_t from = start & MVM_PAGE_MASK, to = from + (size_t)(end - start);
	int err;

	do {
		struct mvm_page *page;

		err = cache_get(obj, start >> MVM_PAGE_SHIFT, &page);
		if (err)
			return err == -MVM_EFAULT ? 0 : err;
		err = zero_part_once(obj, page, from, to);
		page_put(page);
	} while (err == -MVM_EAGAIN);
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

int mvm_pc_truncate(struct mvm_object *obj, uint64_t bytes)
{
	uint64_t old = mvm_object_size(obj), cut = bytes & MVM_PAGE_MASK;
	int err = 0;

	if (pages_of(bytes) > PAGE_INDEX_MAX)
		return -MVM_EFBIG;
	if (bytes >= old)
		return object_grow(obj, bytes);
	if (cut)
		err = zero_part(obj, bytes, min_u64(bytes - cut + MVM_PAGE_BYTES, old));
	if (err)
		return err;
	object_lock(obj);
	object_set_size(obj, bytes);
	object_unlock(obj);
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
		err = zero_part(obj, start, min_u64(end, first << MVM_PAGE_SHIFT));
	if (!err && end & MVM_PAGE_MASK && past >= first)
		err = zero_part(obj, max_u64(start, past << MVM_PAGE_SHIFT), end);
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
