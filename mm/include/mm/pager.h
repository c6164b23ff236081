// SPDX-License-Identifier: MIT
/*
 * Objects and their pagers: how mm asks for the contents of a file, a device, or anything else
 * that has pages, and how it gives changed pages back.
 *
 * mm owns pages: lookup, state, dirty marks, translations.  A pager fills and writes them.  It
 * names a page by its index in the object, and asks mvm_object_frame() where its bytes are.
 *
 * The state of a cached page:
 *
 *	             fill                 first store: make_writable, writable_at_once
 *	  (absent) --------> CLEAN ------------------------------------> DIRTY
 *	     ^      BUSY      ^  |                                        |  ^
 *	     |                |  | evicted, truncated                 write  | store meanwhile,
 *	     +----------------|--+                                        v  | or write failed
 *	                      +------------------------------------- WRITEBACK
 *	                                  write succeeded
 *
 * BUSY (the contents or the identity are changing) keeps everybody out; WRITEBACK keeps nobody
 * out: a store during the write makes the page DIRTY again.
 *
 * Lifetime.  An object is counted: areas that map it, whoever looked it up, and its dirty pages
 * (as a whole) hold references.  At zero, release() runs, in a context that may sleep.  Its clean
 * pages stay in the cache, without holding the object, until the owner calls
 * mvm_object_destroy() or takes a new reference with mvm_object_ref() (only whoever excludes
 * destruction, by a lock of its own, may raise the count from zero).
 */
#pragma once

#include <mm/error.h>
#include <mm/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mvm_object;

/* fill() or write() has begun and will end with mvm_fill_done() or mvm_write_done(). */
#define MVM_PENDING 1

enum {
	MVM_WRITE_SYNC = 1,    /* somebody waits: data must be on the medium's way, no batching */
	MVM_WRITE_RECLAIM = 2, /* called to get memory: take as little as can be */
};

/*
 * The operations.  In all of them no lock of mm is held, so all may sleep, except where a line
 * says otherwise; none is called from an interrupt.  `obj` is referenced by the caller.
 */
struct mvm_pager_ops {
	/*
	 * Read the pages [index, index + n).  They are in the object, BUSY, and belong to the
	 * pager until done.  Bytes past the object's size, and holes, are zeroed.  Must not take a
	 * lock under which file data is read or written by system calls (the inode lock): a fault
	 * may come from inside such a call.
	 * 0; MVM_PENDING; -MVM_EIO, -MVM_ENOMEM: the pages hold nothing and mm drops them.
	 * Required.
	 */
	int (*fill)(struct mvm_object *obj, mvm_pgoff_t index, unsigned n);

	/*
	 * A clean page of a shared mapping is about to be stored to for the first time.  Or
	 * mvm_pc_write() is about to write to a page that is clean or under write-back, or to make
	 * the object larger: a write to a page that is DIRTY is otherwise like a store to it, of
	 * which nobody hears.  Reserve whatever writing it back will need, in memory only: start no
	 * transaction, sleep on no page.  The page is BUSY: it keeps its place in the object and
	 * nobody else asks for it.  Idempotent: one reservation a page, kept when the page has one
	 * already (a store during write-back); mm returns it with unreserve() or by a successful
	 * write().  Without write() a page is asked for once, until unreserve().
	 * 0; -MVM_ENOSPC, -MVM_EIO: the store ends in SIGBUS; -MVM_EAGAIN: mm drops
	 * everything, calls settle() and the access is tried again.
	 * NULL: always allowed.
	 */
	int (*make_writable)(struct mvm_object *obj, mvm_pgoff_t index);

	/*
	 * The same question about a page that is in the object, and BUSY of nobody else, where the
	 * pager has the answer at hand, because the page needs nothing that is not its own (it is
	 * to be written where it was read from): then the store need not wait for anything.
	 * Reserves nothing; may note that the contents change, as make_writable() does.  Called
	 * under the object's lock, and perhaps a space's: does not sleep, takes no lock but those
	 * that unreserve() may.  Whoever takes away what made the answer true does that before mm
	 * is told of the change that follows from it (the end of a punch, a new size), so that no
	 * answer is older than that.  True: the page is DIRTY when the lock is dropped.  False:
	 * make_writable() is asked.  NULL: false.
	 */
	bool (*writable_at_once)(struct mvm_object *obj, mvm_pgoff_t index);

	/*
	 * A dirty page leaves the object unwritten (truncate, punch, destroy).  The page may have
	 * no reservation (a write has used it up, a store came later): ignore that.  Does not
	 * sleep; called under the object's lock.
	 * NULL when make_writable reserves nothing.
	 */
	void (*unreserve)(struct mvm_object *obj, mvm_pgoff_t index);

	/*
	 * make_writable said -MVM_EAGAIN.  May sleep and commit.  Takes no inode lock.
	 * 0: try again; -MVM_ENOSPC, -MVM_EIO: give up with that.  NULL: as if -MVM_EIO.
	 */
	int (*settle)(struct mvm_object *obj);

	/*
	 * Write back the pages [index, index + n), all under WRITEBACK: whole pages.  mm has
	 * zeroed what lies past the object's size in the last one, and counts on it that the medium
	 * then holds zeros there, should the object grow.  (A file system whose write moves the
	 * file's end stops at mvm_object_size(), and writes the rest of the last block as it is.)
	 * After success the bytes read back after a crash once the pager's own commit (fsync) has
	 * followed.
	 * Takes no lock under which the file is read, written or truncated (the inode lock): those
	 * calls may write back first, this object too.  Allocates without reclaim, whatever the
	 * flags: reclaim waits for writes under way.
	 * 0; MVM_PENDING; -MVM_EIO, -MVM_ENOSPC, ...: all n are DIRTY again.
	 * NULL for memory that has no other place (a tmpfs): then dirty pages stay until truncate
	 * or destroy, and do not keep the object alive.
	 */
	int (*write)(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, unsigned flags);

	/*
	 * The last reference is gone.  The owner may destroy the object now or keep it, with its
	 * clean pages, for the next user.  NULL: mm destroys it.
	 */
	void (*release)(struct mvm_object *obj);
};

/*
 * Make an object of `size_bytes` with one reference.  `owner` is the pager's own.
 * -MVM_ENOMEM.
 */
int mvm_object_new(const struct mvm_pager_ops *ops, void *owner, uint64_t size_bytes,
	struct mvm_object **out) MVM_MUST_CHECK;

/* Anonymous memory that several spaces share; pages appear zeroed on first use. */
int mvm_object_new_shared_anon(uint64_t size_bytes, struct mvm_object **out) MVM_MUST_CHECK;

/*
 * Physical memory of a device: page i is frame `first + i`.  Never cached, dirty or freed by mm.
 */
int mvm_object_new_device(
	mvm_frame_t first, uint64_t size_bytes, struct mvm_object **out) MVM_MUST_CHECK;

/* True when the count was zero: the object was kept by its owner after release(). */
bool mvm_object_ref(struct mvm_object *obj);

/*
 * May call release(), hence may sleep; no lock of mm held.  release() runs once for each time the
 * count went to zero, perhaps after somebody has raised it again.
 */
void mvm_object_unref(struct mvm_object *obj);

/*
 * Nobody will look for the contents again once the last user is gone (the file has no name left):
 * from now on dirty pages hold no reference, so that release() need not wait for their write-back.
 * Else nothing changes.  May call release().
 */
void mvm_object_doom(struct mvm_object *obj);

/*
 * No shared mapping shall store to the object any more: -MVM_EBUSY while there is one that may ever
 * have the right, else all that ask for it from now on get -MVM_EPERM of mvm_map().
 */
int mvm_object_freeze(struct mvm_object *obj) MVM_MUST_CHECK;

/*
 * Free the object and its pages, dirty ones included (their reservations are returned).  The
 * count is zero, nothing maps it, nobody can look it up.  Waits for write-back under way.
 */
void mvm_object_destroy(struct mvm_object *obj);

void *mvm_object_owner(const struct mvm_object *obj);
uint64_t mvm_object_size(struct mvm_object *obj);

/*
 * The frame of a page that the pager has at the moment: of a fill, of a write, of make_writable().
 * Takes the object's lock for the look-up: not from unreserve(), nor with a lock held that
 * unreserve() takes.
 */
mvm_frame_t mvm_object_frame(struct mvm_object *obj, mvm_pgoff_t index);

/*
 * The end of a pending fill or write, for all its pages together; in thread context.  After it the
 * pages are not the pager's any more.
 */
void mvm_fill_done(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, int err);
void mvm_write_done(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, int err);

#ifdef __cplusplus
}
#endif
