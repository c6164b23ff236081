// SPDX-License-Identifier: MIT
/*
 * Objects: things that have pages.  The public side is mm/pager.h and mm/pagecache.h.
 *
 *	object.c     life, references, state changes of pages
 *	index.c      which page stands at an index; which are unclean
 *	cache.c      getting a page, filling it; read and write through the cache
 *	truncate.c   changes of size, punched holes
 *	writeback.c  from DIRTY to clean
 *	reclaim.c    from clean to gone
 *	rmap.c       from an object's pages to the spaces that map them
 */
#pragma once

#include "base.h"
#include "node.h"
#include "page.h"

#include <mm/pagecache.h>
#include <mm/pager.h>

/* The most pages of one fill or write. */
#define RUN_PAGES 32

/* Readers that go through an object in order: so many at a time are recognized. */
#define AHEAD_STREAMS 4

struct stream {
	uint64_t next;  /* the index whose miss continues it */
	unsigned pages; /* that were read last; 0: it may be none */
};

enum object_kind { OBJECT_PAGED, OBJECT_DEVICE };

/* [I] immutable  [a] atomic  [o] the object's lock  [d] the list of unclean objects' lock */
struct mvm_object {
	struct mvmh_lock lock;
	uint32_t work;                   /* [o] pages' work under this hold */
	const struct mvm_pager_ops *ops; /* [I] */
	void *owner;                     /* [I] */
	enum object_kind kind;           /* [I] */
	mvm_frame_t device_first;        /* [I] of a device: the frame of page 0 */
	uint32_t refs;                   /* [a] */
	uint32_t pins;  /* [a] keep the structure, not the object: of reclaim and reverse walks */
	uint64_t bytes; /* [o] the size; only object_set_size() writes it, object_bytes() reads it
			   without the lock */

	struct node *root;   /* [o] the page index */
	unsigned levels;     /* [o] its height; 0: empty */
	uint64_t cached;     /* [o] pages in the index */
	uint64_t dirty;      /* [o] pages that are DIRTY */
	uint64_t write_next; /* [o] where who must write some pages goes on (writeback.c) */
	uint64_t writeback;  /* [o] pages under WRITEBACK */
	uint64_t unclean_n;  /* [o] pages that are either; counted in all, too, if not doomed */
	bool doomed;         /* [o] dirty pages hold no reference: they will never be written */
	bool dirty_ref;      /* [o] dirty pages hold a reference now */
	uint32_t errors;     /* [o] failed writes, ever; */
	int last_error;      /* [o] the last one's code */
	uint64_t hole_first; /* [o] pages that a punch keeps out of the cache: */
	uint64_t hole_end;   /* [o] [hole_first, hole_end) */
	struct stream streams[AHEAD_STREAMS]; /* [o] readahead; the last one used first */

	struct list areas; /* [o] struct rmap_link of the areas that map it, and walkers' markers */
	unsigned walkers;  /* [o] reverse walks under way: no area merges meanwhile */
	uint64_t mapped;   /* [o] areas in the list */
	uint32_t writers;  /* [o] those that may ever store, and calls about to make one */
	bool frozen;       /* [o] there shall be no writers */

	struct list unclean;    /* [d] */
	uint64_t unclean_since; /* [d] ns */
	bool urgent;            /* [a] counts as old */
	struct list all;        /* the registry's */
};

static inline uint64_t object_pages(const struct mvm_object *obj)
{
	return pages_of(obj->bytes);
}

/* Is the page being punched out? */
static inline bool in_hole(const struct mvm_object *obj, mvm_pgoff_t index)
{
	return obj->hole_first <= index && index < obj->hole_end;
}

/* --- object.c: the object's lock is held unless said otherwise -------------------------------- */

static inline void object_lock(struct mvm_object *obj)
{
	mvmh_lock(&obj->lock);
	if (MVMH_DEBUG)
		obj->work = 0;
}

/* Let others in: another hold begins.  Not where object_unlock() would have something to do. */
static inline void object_relock(struct mvm_object *obj)
{
	mvmh_unlock(&obj->lock);
	object_lock(obj);
}

/* That much is done under this hold (base.h). */
static inline void object_work(struct mvm_object *obj, uint64_t pages)
{
	charge(&obj->work, pages);
}

/* As mvmh_wait(): after it another hold begins. */
static inline int object_wait(struct mvm_object *obj, const void *chan, bool killable)
{
	int err = mvmh_wait(chan, &obj->lock, killable);

	obj->work = 0;
	return err;
}

/*
 * Unlock, and bring in order what follows from changes of dirty and doomed: the reference that
 * dirty pages hold, and the place on the list of unclean objects.  May so drop the object's last
 * reference: only where release() may be called, unless no page became clean under this hold.
 */
void object_unlock(struct mvm_object *obj);

/* Do its unclean pages wait for write-back, which so is to know how many there are? */
static inline bool unclean_counted(const struct mvm_object *obj)
{
	return obj->ops->write && !obj->doomed;
}

/* Has object_unlock() nothing to bring in order? */
static inline bool object_in_order(const struct mvm_object *obj)
{
	return (obj->unclean_n > 0 && unclean_counted(obj)) == obj->dirty_ref;
}

void object_set_size(struct mvm_object *obj, uint64_t bytes);

/* The size, at some moment; no lock held.  What was done before it was set is seen. */
static inline uint64_t object_bytes(struct mvm_object *obj)
{
#if UINTPTR_MAX > UINT32_MAX
	return __atomic_load_n(&obj->bytes, __ATOMIC_ACQUIRE);
#else /* it is two words */
	uint64_t bytes;

	object_lock(obj);
	bytes = obj->bytes;
	mvmh_unlock(&obj->lock);
	return bytes;
#endif
}

/*
 * Is the object memory that nothing stands behind: absent pages are zeros, and
 * stay until it goes?
 */
bool object_is_memory(const struct mvm_object *obj);

/* Changes of state; the page is in the object. */
void page_becomes_dirty(struct mvm_object *obj, struct mvm_page *page); /* it is not */
void page_begin_writeback(struct mvm_object *obj, struct mvm_page *page);
void page_end_writeback(struct mvm_object *obj, struct mvm_page *page);

static inline void page_set_dirty(struct mvm_object *obj, struct mvm_page *page)
{
	if (!(page->state & PAGE_DIRTY))
		page_becomes_dirty(obj, page);
}

/*
 * Take the page, not BUSY of anybody but the caller and not under WRITEBACK, out of the object,
 * with whatever dirt it has.  The index's reference passes to the caller; BUSY stays.
 */
void page_detach(struct mvm_object *obj, struct mvm_page *page);

/*
 * Wait until none of the state bits `what` is set on the page, whose reference the caller holds.
 * The lock is released meanwhile: look everything up again.  0 or -MVM_EINTR.
 */
int page_wait(
	struct mvm_object *obj, struct mvm_page *page, unsigned what, bool killable) MVM_MUST_CHECK;

/* End BUSY; true: somebody waits, wake the page once the lock is dropped. */
static inline bool page_unbusy(struct mvm_page *page)
{
	bool waited = page->state & PAGE_WAITED;

	page->state &= (uint16_t) ~(PAGE_BUSY | PAGE_WAITED);
	return waited;
}

/* End BUSY, unlock the object (object_unlock), wake those who wait. */
static inline void page_unbusy_unlock(struct mvm_object *obj, struct mvm_page *page)
{
	bool waited = page_unbusy(page);

	if (likely(object_in_order(obj)))
		mvmh_unlock(&obj->lock);
	else
		object_unlock(obj);
	if (unlikely(waited))
		mvmh_wake(page);
}

/* Keep the structure beyond the object's life (reclaim, walks).  Any lock or none held. */
static inline void object_pin(struct mvm_object *obj)
{
	ref_get(&obj->pins);
}
void object_unpin(struct mvm_object *obj);

/* Somebody is about to make a shared area that may store; the second undoes the first.  No lock
 * held. 0 or -MVM_EPERM. */
int object_writer_enter(struct mvm_object *obj) MVM_MUST_CHECK;
void object_writer_leave(struct mvm_object *obj);

/* --- cache.c: no lock held -------------------------------------------------------------------- */

/* How many pages behind an absent one are read with it: as its history suggests, none, the most. */
enum ahead { AHEAD_GUESS, AHEAD_NONE, AHEAD_MOST };

/*
 * The page at the index, filled if need be, with a reference for the caller; it was not BUSY.
 * `tag` is that of the space for which it is (trace.h), or 0; `how` matters if it must be filled.
 * 0; -MVM_EFAULT past the size; -MVM_EIO and other errors of fill; -MVM_ENOMEM, nothing having been
 * reclaimed; -MVM_EINTR.
 */
int cache_get(struct mvm_object *obj, mvm_pgoff_t index, enum ahead how, uint32_t tag,
	struct mvm_page **out) MVM_MUST_CHECK;

/* The same, but reclaims and tries again before it says -MVM_ENOMEM. */
int cache_get_wait(struct mvm_object *obj, mvm_pgoff_t index, uint32_t tag,
	struct mvm_page **out) MVM_MUST_CHECK;

/*
 * Put a page of zeros at the index, which is absent, of an object that is memory; the caller's
 * reference becomes the object's, and the object's lock is held.  It is DIRTY at once, or, if
 * `dirty` is false, may be reclaimed until it is.  0 or -MVM_ENOMEM.
 */
int cache_put_zeros(struct mvm_object *obj, mvm_pgoff_t index, struct mvm_page *page,
	bool dirty) MVM_MUST_CHECK;

/*
 * May a page come to the index now: is it below the size, in no hole, and not
 * there?  Object locked.
 */
bool cache_absent(struct mvm_object *obj, mvm_pgoff_t index);

/*
 * Make a page that the caller has a reference to DIRTY, with the pager's consent.
 * 0, also when the page has left the object meanwhile (look again); -MVM_ENOSPC, -MVM_EIO;
 * -MVM_EINTR if the wait for whoever has it BUSY, a short one, is killable.
 */
int cache_make_writable(
	struct mvm_object *obj, struct mvm_page *page, bool killable) MVM_MUST_CHECK;

/*
 * Make a page that is in the object and not BUSY DIRTY under this hold of the object's lock, if the
 * pager agrees at once, and nothing follows from it: neither does the object come onto the list of
 * unclean ones, nor has anybody to pay for too much that is dirty.  After it mvmh_unlock() will do.
 */
bool cache_dirty_at_once(struct mvm_object *obj, struct mvm_page *page);

/*
 * Raise the size to `bytes` if it is smaller; what lies between reads as zeros.  The inode lock of
 * the file system is held.  0 or -MVM_EINTR.
 */
int object_grow(struct mvm_object *obj, uint64_t bytes) MVM_MUST_CHECK;

/* --- index.c: under the object's lock --------------------------------------------------------- */

/* Can the index be in the tree, as high as it is? */
static inline bool index_fits(const struct mvm_object *obj, mvm_pgoff_t index)
{
	return obj->levels > 0 && index < node_span(obj->levels);
}

/* The page at the index, or NULL. */
struct mvm_page *index_get(struct mvm_object *obj, mvm_pgoff_t index);

/* The same, in the caller. */
static inline struct mvm_page *index_get_here(struct mvm_object *obj, mvm_pgoff_t index)
{
	void *at = obj->root;

	object_work(obj, 1);
	if (unlikely(!index_fits(obj, index)))
		return NULL;
	for (unsigned level = obj->levels; at && level-- > 0;)
		at = ((struct node *)at)->slot[node_slot(index, level)];
	return at;
}

/*
 * The page at the index that may be used now: in the object, not BUSY, neither past the size nor in
 * a hole under way.
 */
static inline struct mvm_page *object_usable(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct mvm_page *page = index_get_here(obj, index);

	if (!page || page->state & PAGE_BUSY || index >= object_pages(obj) || in_hole(obj, index))
		return NULL;
	return page;
}

/*
 * The pages at the index and behind it as far as they lie side by side, at most *n: *n slots, NULL
 * in those without a page.  NULL: there is none of these *n pages.
 */
void *const *index_run(struct mvm_object *obj, mvm_pgoff_t index, unsigned *n);

/* The slot is empty.  The index takes over a reference.  0 or -MVM_ENOMEM. */
int index_insert(struct mvm_object *obj, mvm_pgoff_t index, struct mvm_page *page) MVM_MUST_CHECK;
void index_remove(struct mvm_object *obj, mvm_pgoff_t index);

/* Mark the page at the index as unclean (DIRTY or WRITEBACK), or take the mark away. */
void index_tag(struct mvm_object *obj, mvm_pgoff_t index);
void index_untag(struct mvm_object *obj, mvm_pgoff_t index);

/* The first page (unclean page) in [first, last], or NULL. */
struct mvm_page *index_next(
	struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, bool unclean);

void index_check(struct mvm_object *obj);
