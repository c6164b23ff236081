// SPDX-License-Identifier: MIT
/*
 * Frame descriptors.
 *
 * A host's frame numbers may lie anywhere in 32 bits and it may have little memory, so there is
 * no array of descriptors: a table of three levels leads from a frame's number to a metadata page
 * with the descriptors of 128 neighbours, made when the first of them is used and kept for ever.
 *
 *	frame number:  [ top 7 | middle 9 | leaf 9 | place in the chunk 7 ]
 *
 * Lookups take no lock: an entry is written once, under `lock`, after what it points to is ready.
 */
#include "page.h"

#include "meta.h"
#include "reclaim.h"
#include "stats.h"

#define TABLE_BITS 9
#define TOP_BITS   (32 - PAGE_CHUNK_BITS - 2 * TABLE_BITS)

_Static_assert(sizeof(struct mvm_page) <= 32, "a descriptor is at most 32 bytes");
_Static_assert(
	(sizeof(struct mvm_page) << PAGE_CHUNK_BITS) <= MVM_PAGE_BYTES, "a chunk fits a page");

static void *top[1u << TOP_BITS];
static struct mvmh_lock lock;

mvm_frame_t frame_of_zeros;

int page_init(void)
{
	mvmh_lock_init(&lock, MVMH_RANK_PAGE);
	frame_of_zeros = mvmh_frame_alloc(0);
	if (frame_of_zeros == MVM_NO_FRAME)
		return -MVM_ENOMEM;
	frame_clear(frame_of_zeros);
	return 0;
}

static unsigned table_slot(mvm_frame_t frame, unsigned level)
{
	return (frame >> (PAGE_CHUNK_BITS + level * TABLE_BITS)) & ((1u << TABLE_BITS) - 1);
}

static void *load(void **entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

/* The descriptor, or NULL if there is none yet. */
static inline struct mvm_page *page_find(mvm_frame_t frame)
{
	void **middle = load(&top[table_slot(frame, 2)]);
	void **leaf = middle ? load(&middle[table_slot(frame, 1)]) : NULL;
	struct mvm_page *chunk = leaf ? load(&leaf[table_slot(frame, 0)]) : NULL;

	return chunk ? &chunk[frame & ((1u << PAGE_CHUNK_BITS) - 1)] : NULL;
}

struct mvm_page *page_of(mvm_frame_t frame)
{
	return page_find(frame);
}

/* What the entry points to, made if need be; NULL when there is no memory. */
static void *entry_get(void **entry)
{
	void *page;

	mvmh_lock(&lock);
	page = *entry;
	if (!page) {
		page = meta_page_alloc();
		if (page)
			__atomic_store_n(entry, page, __ATOMIC_RELEASE);
	}
	mvmh_unlock(&lock);
	return page;
}

/* As page_of(), for a frame that may be new. */
static COLD struct mvm_page *page_make(mvm_frame_t frame)
{
	void **middle = entry_get(&top[table_slot(frame, 2)]);
	void **leaf = middle ? entry_get(&middle[table_slot(frame, 1)]) : NULL;
	struct mvm_page *chunk = leaf ? entry_get(&leaf[table_slot(frame, 0)]) : NULL;

	return chunk ? &chunk[frame & ((1u << PAGE_CHUNK_BITS) - 1)] : NULL;
}

struct mvm_page *page_room(mvm_frame_t frame)
{
	struct mvm_page *page = page_find(frame);

	return likely(page) ? page : page_make(frame);
}

void page_forgo(mvm_frame_t frame)
{
	mvmh_frame_free(frame, 0);
}

bool memory_wait(unsigned *attempts)
{
	COUNT(reclaim_direct, 1);
	*attempts += mvm_reclaim(MVM_HOLD_PAGES) > 0 ? 1 : MEMORY_ATTEMPTS;
	return *attempts < MEMORY_ATTEMPTS * MEMORY_ATTEMPTS;
}

void page_put(struct mvm_page *page)
{
	if (page_leave(page))
		mvmh_frame_free(page->frame, 0);
}

void page_zero(struct mvm_page *page, size_t from, size_t to)
{
	char *window = mvmh_window_map(page->frame);

	__builtin_memset(window + from, 0, to - from);
	mvmh_window_unmap(window);
}

void page_copy(struct mvm_page *to, struct mvm_page *from)
{
	void *target = mvmh_window_map(to->frame);
	void *source = mvmh_window_map(from->frame);
	size_t bytes = MVM_PAGE_BYTES;

	/* The host's memcpy() is faster than the loop that a constant length is expanded to. */
	__asm__("" : "+r"(bytes));
	__builtin_memcpy(target, source, bytes);
	mvmh_window_unmap(source);
	mvmh_window_unmap(target);
}

void page_list_add(struct page_list *list, struct mvm_page *page)
{
	page->next = list->first ? list->first->frame : MVM_NO_FRAME;
	list->first = page;
}

struct mvm_page *page_list_take(struct page_list *list)
{
	struct mvm_page *page = list->first;

	if (page)
		list->first = page->next == MVM_NO_FRAME ? NULL : page_of(page->next);
	return page;
}
