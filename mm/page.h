// SPDX-License-Identifier: MIT
/*
 * Pages: the descriptors of frames.
 *
 * A descriptor exists once mm has used the frame; 32 bytes on 64-bit hosts.  References: one of
 * whoever owns the page (the object whose index has it, or the anon layer), one of each thread that
 * works on it without a lock, one of each mvm_hold().  The frame goes back to the host with the
 * last reference; no translation may be left then, so owners let go of a page that may have been
 * mapped only after the batch (struct sweep).
 */
#pragma once

#include "base.h"

#include <mm/pager.h>

/* Bits of page.state. */
enum {
	PAGE_BUSY = 1 << 0,      /* contents or identity are changing: everybody waits */
	PAGE_DIRTY = 1 << 1,     /* newer than the pager's copy */
	PAGE_WRITEBACK = 1 << 2, /* being written; blocks nobody */
	PAGE_WAITED = 1 << 3,    /* somebody waits for BUSY or WRITEBACK to go */
	PAGE_FAILED = 1 << 4,    /* the fill failed; the page has left the object */
	PAGE_USED = 1 << 5,      /* since reclaim last looked */
	PAGE_STARVED = 1 << 6,   /* what FAILED was for lack of memory */
};

/*
 * [I] immutable  [a] atomic  [o] the owner's lock: the object's, or for an anon nobody's
 * (it never changes)  [q] the replacement queue's lock
 */
struct mvm_page {
	mvm_frame_t frame; /* [I] */
	uint32_t refs;     /* [a] */
	union {
		/* [q] on the queue; else its sole owner's (struct page_list) */
		struct {
			mvm_frame_t next, prev;
		};
		struct mvm_page *next_anon; /* an anon in no tree: in its owner's chain */
	};
	struct mvm_object *object; /* [o] whose index has the page; NULL: an anon, or gone */
	union {
		uint32_t index_low; /* [o] page number in the object */
		uint32_t anon_refs; /* [a] an anon's: slots of nodes, threads that copy it */
	};
	uint8_t index_high; /* [o] */
	uint8_t queued;     /* [q] on the replacement queue */
	uint16_t state;     /* [o] */
};

/* An index has 40 bits: objects hold at most this many pages (4 PiB). */
#define PAGE_INDEX_MAX (((mvm_pgoff_t)1 << 40) - 1)

static inline mvm_pgoff_t page_index(const struct mvm_page *page)
{
	return (mvm_pgoff_t)page->index_high << 32 | page->index_low;
}

static inline void page_set_index(struct mvm_page *page, mvm_pgoff_t index)
{
	page->index_low = (uint32_t)index;
	page->index_high = (uint8_t)(index >> 32);
}

int page_init(void) MVM_MUST_CHECK;

/*
 * The page of zeros: a frame that private memory is mapped to which was loaded from and never
 * stored to.  It has no descriptor and belongs to nobody; never mapped writable.
 */
extern mvm_frame_t frame_of_zeros;

/* The descriptor of a frame that has one. */
struct mvm_page *page_of(mvm_frame_t frame);

/*
 * The descriptor of a frame that was had from the host, and after it those of the frames that
 * follow, up to a multiple of 128: made if need be, and not begun.  NULL: no memory.
 */
struct mvm_page *page_room(mvm_frame_t frame);

#define PAGE_CHUNK_BITS 7

/* As page_room(), with the descriptor of another frame at hand; mostly one beside. */
static inline struct mvm_page *page_room_near(struct mvm_page *near, mvm_frame_t frame)
{
	if ((near->frame ^ frame) >> PAGE_CHUNK_BITS)
		return page_room(frame);
	return near + ((int32_t)frame - (int32_t)near->frame);
}

/* Begin one: as page_alloc() leaves it. */
static inline void page_begin(struct mvm_page *page, mvm_frame_t frame)
{
	*page = (struct mvm_page){
		.frame = frame, .refs = 1, .next = MVM_NO_FRAME, .prev = MVM_NO_FRAME};
}

/* Give back a frame for whose descriptor there is no room. */
COLD void page_forgo(mvm_frame_t frame);

/*
 * A new page with one reference, contents undefined; NULL when frames or descriptors are short.
 * Neither sleeps nor reclaims.
 */
static inline struct mvm_page *page_alloc(void)
{
	mvm_frame_t frame = mvmh_frame_alloc(0);
	struct mvm_page *page;

	if (unlikely(frame == MVM_NO_FRAME))
		return NULL;
	page = page_room(frame);
	if (unlikely(!page)) {
		page_forgo(frame);
		return NULL;
	}
	page_begin(page, frame);
	return page;
}

static inline void page_get(struct mvm_page *page)
{
	ref_get(&page->refs);
}

/* Drop a reference; true: it was the last one, and the frame is the caller's, to be freed. */
static inline bool page_leave(struct mvm_page *page)
{
	if (!ref_put(&page->refs))
		return false;
	MUST(page->object == NULL && !page->queued);
	return true;
}

/* The last one frees the frame. */
void page_put(struct mvm_page *page);

void page_zero(struct mvm_page *page, size_t from, size_t to);

/* The same of all of it; and of a frame without a descriptor. */
static inline void frame_clear(mvm_frame_t frame)
{
	void *window = mvmh_window_map(frame);

	__builtin_memset(window, 0, MVM_PAGE_BYTES);
	mvmh_window_unmap(window);
}

static inline void page_clear(struct mvm_page *page)
{
	frame_clear(page->frame);
}

void page_copy(struct mvm_page *to, struct mvm_page *from);

/* Pages, each with one reference that belongs to the list; linked through `next`. */
struct page_list {
	struct mvm_page *first;
};

void page_list_add(struct page_list *list, struct mvm_page *page);
struct mvm_page *page_list_take(struct page_list *list);

/*
 * After reclaim found nothing this often, memory is short; and after it has freed something this
 * many times as often, the memory that is wanted is of another kind (a host's tables), or others
 * are faster.
 */
#define MEMORY_ATTEMPTS 16

/*
 * Something could not have memory; no lock is held now.  Reclaim, and say whether another attempt
 * makes sense; *attempts starts at 0.
 *
 * Reclaim goes deep: into pagers, and through the reverse map into other spaces.  So nobody calls
 * this from the depth where memory was wanted: -MVM_ENOMEM goes out to the function that a host
 * called, or near it, and that one reclaims and tries again.
 */
bool memory_wait(unsigned *attempts);
