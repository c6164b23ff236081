// SPDX-License-Identifier: MIT
/*
 * The page cache, as a file system uses it: read(2) and write(2) go through the same pages as
 * mappings do, so there is one truth at any moment.
 *
 * Who holds what.  "Inode lock" below is the file system's own lock that orders read, write and
 * truncate of one file; mm neither knows nor takes it.  All functions may sleep and are called
 * with no lock of mm and no transaction of the file system held.
 *
 * User memory is reached only through the caller's copy function, called with faults off and the
 * page referenced: a short copy makes mm drop the page, call the caller's prefault function with
 * nothing held, and go on from there.  So write(fd, mapping of the same page of the same file)
 * ends, although it may see its own bytes.
 */
#pragma once

#include <mm/error.h>
#include <mm/pager.h>
#include <mm/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The other side of a copy.  `done` counts from the start of the pc_read or pc_write call.
 *
 * copy: move `n` bytes between `kernel` and the caller's memory at `done`; must not sleep or
 * fault; returns how many bytes were moved, which may be fewer than n when the caller's memory is
 * not there.
 * prefault: make the caller's memory at `done` (at least its first byte) present, for the
 * direction of the call; may sleep; 0 or -MVM_EFAULT (or -MVM_EINTR).  NULL when copy is never
 * short.
 */
struct mvm_copy {
	size_t (*copy)(struct mvm_copy *c, void *kernel, size_t done, size_t n);
	int (*prefault)(struct mvm_copy *c, size_t done, size_t n);
};

/*
 * Read up to `n` bytes at byte `offset`, not past the size.  *done is what was moved, also on
 * failure.  0; -MVM_EIO (a fill failed), -MVM_EFAULT, -MVM_ENOMEM; -MVM_EINTR: the thread must die
 * (mvmh_wait, mvmh_killed).
 */
int mvm_pc_read(struct mvm_object *obj, uint64_t offset, size_t n, struct mvm_copy *c,
	size_t *done) MVM_MUST_CHECK;

/*
 * Write `n` bytes at byte `offset`.  Each page is made writable (reserved) as by a store through a
 * mapping.  The size grows with each page done, after its bytes are in place; a gap between
 * the old size and `offset` reads as zeros.  The caller holds the inode lock (one writer, no
 * truncate).  *done is what was moved, also on failure.
 * 0; -MVM_ENOSPC, -MVM_EIO, -MVM_EFAULT, -MVM_ENOMEM; -MVM_EINTR as above, after a whole page.
 */
int mvm_pc_write(struct mvm_object *obj, uint64_t offset, size_t n, struct mvm_copy *c,
	size_t *done) MVM_MUST_CHECK;

/*
 * Start write-back of the dirty pages with index in [first, last]; with MVM_PC_WAIT also wait
 * until every page of the range that was dirty at the call is written.  0, or the first error of
 * this call's writes (their pages are dirty again); -MVM_EINTR.
 */
enum { MVM_PC_WAIT = 1, MVM_PC_RECLAIM = 2 };
int mvm_pc_flush(
	struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, unsigned flags) MVM_MUST_CHECK;

/*
 * Set the size.  Smaller: mappings and cached pages wholly past it go (private copies too), the
 * rest of the last page is zeroed (it becomes dirty if it was cached clean with bytes there), and
 * waits for BUSY and WRITEBACK pages on the way.  Larger: the new bytes read as zeros.  The
 * caller holds the inode lock, and frees blocks only afterwards.
 * 0, or the error of make_writable or fill on the partial page, -MVM_ENOMEM or -MVM_EINTR: the size
 * is then unchanged.  Once it is set, the call waits for I/O that began meanwhile, and for memory
 * if a fork that came meanwhile makes it need some (mvmh_starved), and is not given up.
 */
int mvm_pc_truncate(struct mvm_object *obj, uint64_t size_bytes) MVM_MUST_CHECK;

/*
 * Bytes [start, end) read as zeros from now on; whole pages leave the cache unwritten (private
 * copies stay), partial ones are zeroed and dirty.  The caller holds the inode lock.  Faults and
 * reads of the range wait until free_blocks(obj, first, last) has run, which gives back what the
 * medium holds of pages [first, last] (it must not touch the page cache; NULL: nothing to do).
 * Errors as mvm_pc_truncate(), or free_blocks's.
 */
int mvm_pc_punch(struct mvm_object *obj, uint64_t start, uint64_t end,
	int (*free_blocks)(
		struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)) MVM_MUST_CHECK;

/*
 * Begin to read pages [first, first + n) that are absent; never waits for them, never fails.  A
 * thread that must die begins no more.
 */
void mvm_pc_readahead(struct mvm_object *obj, mvm_pgoff_t first, unsigned n);

/*
 * Drop the pages in [first, last] that are clean and that nobody holds; mappings of them fault
 * again.  A help, no promise: what is busy or dirty stays.
 */
void mvm_pc_invalidate(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last);

/*
 * What a load or a store through a mapping would do to the page, without a mapping: for tests of
 * file systems.  For a store, `byte` is written at `offset`.
 */
int mvm_pc_touch_read(struct mvm_object *obj, uint64_t offset, uint8_t *byte) MVM_MUST_CHECK;
int mvm_pc_touch_write(struct mvm_object *obj, uint64_t offset, uint8_t byte) MVM_MUST_CHECK;

/* Counts of one object, a snapshot. */
struct mvm_object_counts {
	uint64_t cached_pages, dirty_pages, writeback_pages, areas;
};
void mvm_object_counts(struct mvm_object *obj, struct mvm_object_counts *out);

#ifdef __cplusplus
}
#endif
