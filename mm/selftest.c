// SPDX-License-Identifier: MIT
/*
 * A conformance run for a new host: does what the host gives to mm behave as mm/host.h says?
 *
 * Each check uses mm through its public headers only, with a pager of a few pages, and says in one
 * line what held or what did not.  The order is that in which a port grows: frames, windows and
 * metadata; a space and its translations; copy-on-write; a file; write-back; reclaim.  Memory is
 * looked at with mvm_space_read() and mvm_space_write(), so the host need not switch to a space.
 */
#include "base.h"

#include <mm/pagecache.h>
#include <mm/vm.h>

#define FILE_PAGES 8

static struct selftest {
	struct mvm_space *space;
	struct mvm_object *obj;
	unsigned checks, failed;
	uint64_t filled, written, reserved;
	bool released;
	unsigned char stamp[FILE_PAGES]; /* what write() saw first in each page */
} test;

static void check(bool good, const char *what_failed)
{
	test.checks++;
	if (!good) {
		test.failed++;
		mvmh_log(what_failed);
	}
}

/* --- A pager of a few pages ------------------------------------------------------------------- */

#if MVM_STAGE >= 3
static int selftest_fill(struct mvm_object *obj, mvm_pgoff_t index, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned char *to = mvmh_window_map(mvm_object_frame(obj, index + i));

		__builtin_memset(to, (int)(index + i) + 1, MVM_PAGE_BYTES);
		mvmh_window_unmap(to);
		test.filled++;
	}
	return 0;
}

static int selftest_make_writable(struct mvm_object *obj, mvm_pgoff_t index)
{
	(void)obj, (void)index;
	test.reserved++;
	return 0;
}

static int selftest_write(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, unsigned flags)
{
	(void)flags;
	for (unsigned i = 0; i < n; i++) {
		unsigned char *from = mvmh_window_map(mvm_object_frame(obj, index + i));

		test.stamp[(index + i) % FILE_PAGES] = from[0];
		mvmh_window_unmap(from);
		test.written++;
	}
	return 0;
}

static void selftest_release(struct mvm_object *obj)
{
	(void)obj;
	test.released = true;
}

static const struct mvm_pager_ops selftest_pager = {
	.fill = selftest_fill,
	.make_writable = selftest_make_writable,
	.write = selftest_write,
	.release = selftest_release,
};
#endif

/* --- Helpers ---------------------------------------------------------------------------------- */

#define BASE ((mvm_vaddr_t)0x100000)

static OWN_FRAME bool map_at(
	struct mvm_space *space, unsigned page, unsigned n, unsigned flags, struct mvm_object *obj)
{
	static struct mvm_map map;

	map = (struct mvm_map){
		.addr = BASE + page * MVM_PAGE_BYTES,
		.bytes = n * MVM_PAGE_BYTES,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
		.flags = flags | MVM_MAP_FIXED,
		.object = obj,
	};

	return mvm_map(space, &map) == 0;
}

static int byte_at(struct mvm_space *space, unsigned page)
{
	unsigned char c;
	int err = mvm_space_read(space, BASE + page * MVM_PAGE_BYTES, &c, 1);

	return err ? err : c;
}

static bool set_byte(struct mvm_space *space, unsigned page, unsigned char c)
{
	return mvm_space_write(space, BASE + page * MVM_PAGE_BYTES, &c, 1, false) == 0;
}

/* --- The checks ------------------------------------------------------------------------------- */

static OWN_FRAME void check_frames(void)
{
	mvm_frame_t one = mvmh_frame_alloc(0), two = mvmh_frame_alloc(0);
	unsigned char *a, *b;
	size_t total;

	check(one != MVM_NO_FRAME && two != MVM_NO_FRAME, "frame_alloc: no memory at boot");
	check(one != two, "frame_alloc: the same frame twice");
	check(mvmh_frame_count(&total) < total,
		"frame_count: as many are free as there are, or more");
	if (one == MVM_NO_FRAME || two == MVM_NO_FRAME)
		return;
	a = mvmh_window_map(one);
	b = mvmh_window_map(two);
	check(a != b, "window_map: two frames at one address");
	__builtin_memset(a, 0x55, MVM_PAGE_BYTES);
	__builtin_memset(b, 0xaa, MVM_PAGE_BYTES);
	check(a[0] == 0x55 && a[MVM_PAGE_BYTES - 1] == 0x55,
		"window_map: a store into one frame changed another");
	mvmh_window_unmap(b);
	mvmh_window_unmap(a);
	a = mvmh_window_map(two);
	check(a[17] == 0xaa, "window_map: a frame lost its bytes between two windows");
	mvmh_window_unmap(a);
	mvmh_frame_free(one, 0);
	mvmh_frame_free(two, 0);
}

static OWN_FRAME void check_metadata(void)
{
	unsigned char *page = mvmh_meta_alloc();
	unsigned sum = 0;

	check(page != NULL, "meta_alloc: no memory at boot");
	if (!page)
		return;
	check(((uintptr_t)page & MVM_PAGE_MASK) == 0, "meta_alloc: not aligned to a page");
	for (size_t i = 0; i < MVM_PAGE_BYTES; i++)
		sum |= page[i];
	check(sum == 0, "meta_alloc: the page is not zeroed");
	mvmh_meta_free(page);
}

static OWN_FRAME void check_locks(void)
{
	struct mvmh_lock space, object;
	uint64_t before = mvmh_now();

	mvmh_lock_init(&space, MVMH_RANK_SPACE);
	mvmh_lock_init(&object, MVMH_RANK_OBJECT);
	mvmh_lock(&space);
	mvmh_lock(&object);
	mvmh_unlock(&space); /* not the last one taken: allowed */
	mvmh_unlock(&object);
	mvmh_wake(&space); /* nobody waits: nothing happens */
	check(mvmh_now() >= before, "now: time runs backwards");
	check(mvmh_cpu() < MVMH_MAX_HARTS, "cpu: not below MVMH_MAX_HARTS");
}

/* Can the host say what is mapped? */
#ifdef mvmh_pmap_query
#define TABLES_TELL true
#else
#define TABLES_TELL false
#endif

/* What the page is mapped to is as said; or, `lacking`, it is mapped to nothing. */
static void check_page(struct mvmh_pmap *pmap, unsigned page, mvm_frame_t frame, unsigned rights,
	bool lacking, const char *what_failed)
{
	mvm_frame_t is_frame;
	unsigned is_rights;

	if (mvmh_pmap_query(pmap, BASE + page * MVM_PAGE_BYTES, &is_frame, &is_rights))
		check(is_frame == frame && is_rights == rights, what_failed);
	else
		check(lacking || !TABLES_TELL, what_failed);
}

static void check_entry(
	struct mvmh_pmap *pmap, mvm_frame_t frame, unsigned rights, const char *what_failed)
{
	check_page(pmap, 0, frame, rights, false, what_failed);
}

static void check_enter(struct mvmh_pmap *pmap, mvm_frame_t one, mvm_frame_t two)
{
	check(mvmh_pmap_enter(pmap, BASE, one, MVM_READ, 0) == 0, "pmap_enter: failed at boot");
	check_entry(pmap, one, MVM_READ, "pmap_enter: no entry, another frame, or other rights");
	check(mvmh_pmap_enter(pmap, BASE, two, MVM_READ, 0) == -MVM_EEXIST,
		"pmap_enter: an entry changed its frame in place");
	check_entry(pmap, one, MVM_READ, "pmap_enter: refused, and yet changed something");
	check(mvmh_pmap_enter(pmap, BASE, one, MVM_READ | MVM_WRITE, 0) == 0,
		"pmap_enter: more rights for an entry");
	check_entry(pmap, one, MVM_READ | MVM_WRITE, "pmap_enter: did not add a right");
	check(mvmh_pmap_enter(pmap, BASE, one, MVM_READ, 0) == 0, "pmap_enter: fewer rights");
	check_entry(pmap, one, MVM_READ | MVM_WRITE, "pmap_enter: took a right away");
}

static void check_reduce(struct mvmh_pmap *pmap, mvm_frame_t one)
{
	mvm_vaddr_t end = BASE + MVM_PAGE_BYTES;
	static struct mvmh_tlb batch;
	mvm_frame_t frame;
	unsigned rights;

	__builtin_memset(&batch, 0, sizeof batch);
	check(mvmh_pmap_protect(pmap, BASE, end, MVM_READ, &batch) == end,
		"pmap_protect: did not reach the end");
	check_entry(pmap, one, MVM_READ, "pmap_protect: did not take the right away");
	check(mvmh_pmap_protect(pmap, BASE, end, MVM_READ | MVM_WRITE, &batch) == end,
		"pmap_protect: with nothing to do, did not reach the end");
	check_entry(pmap, one, MVM_READ, "pmap_protect: added a right");
#if MVM_STAGE >= 4
	(void)mvmh_pmap_test_and_clear(pmap, BASE);
	check(!mvmh_pmap_test_and_clear(pmap, BASE), "pmap_test_and_clear: did not clear");
#endif
	check(mvmh_pmap_remove(pmap, BASE, end, &batch) == end, "pmap_remove: not to the end");
	check(!mvmh_pmap_query(pmap, BASE, &frame, &rights), "pmap_remove: the entry is there");
	batch.whole = true;
	mvmh_tlb_sync(pmap, &batch);
	check(!batch.whole, "tlb_sync: did not empty the batch");
}

/* Pages 0, 2 and 3 are mapped: beside each, what the hook says if it says anything. */
static void check_run_end(struct mvmh_pmap *pmap)
{
	static const signed char ends[] = {0, 0, 0, 0, 1};
	int said;

	for (unsigned i = 0; i < sizeof ends; i++) {
		said = mvmh_pmap_run_end(pmap, BASE + i * MVM_PAGE_BYTES, MVM_READ);
		check(said == 0 || said == ends[i], "pmap_run_end: no run ends there");
	}
}

/* The first page is mapped already, the second is to stay empty. */
static void check_run(struct mvmh_pmap *pmap, mvm_frame_t one, mvm_frame_t two)
{
	mvm_vaddr_t end = BASE + 4 * MVM_PAGE_BYTES;
	mvm_frame_t frames[] = {one, MVM_NO_FRAME, two, one}, frame;
	static struct mvmh_tlb batch;
	unsigned rights;

	__builtin_memset(&batch, 0, sizeof batch);
	check(mvmh_pmap_enter(pmap, BASE, two, MVM_READ, 0) == 0, "pmap_enter: failed at boot");
	mvmh_pmap_enter_run(pmap, BASE + 2 * MVM_PAGE_BYTES, frames + 2, 2, MVM_READ);
	check_page(pmap, 2, two, MVM_READ, true, "pmap_enter_run: another frame, or other rights");
	check_page(pmap, 3, one, MVM_READ, true, "pmap_enter_run: another frame, or other rights");
	mvmh_pmap_enter_run(pmap, BASE, frames, 3, MVM_READ | MVM_WRITE);
	check_entry(pmap, two, MVM_READ, "pmap_enter_run: an entry changed its frame in place");
	check(!mvmh_pmap_query(pmap, BASE + MVM_PAGE_BYTES, &frame, &rights),
		"pmap_enter_run: mapped something where there was no frame");
	check_run_end(pmap);
	check(mvmh_pmap_enter(pmap, BASE + 3 * MVM_PAGE_BYTES, one, MVM_READ | MVM_WRITE, 0) == 0,
		"pmap_enter: failed at boot");
	mvmh_pmap_enter_run(pmap, BASE + 2 * MVM_PAGE_BYTES, frames + 2, 2, MVM_READ);
	check_page(pmap, 3, one, MVM_READ | MVM_WRITE, true, "pmap_enter_run: took a right away");
	check(mvmh_pmap_remove(pmap, BASE, end, &batch) == end, "pmap_remove: not to the end");
	mvmh_tlb_sync(pmap, &batch);
}

static void check_bounds(struct mvmh_pmap *pmap, mvm_frame_t frame)
{
	mvm_vaddr_t bound = BASE + MVM_HOLD_PAGES * MVM_PAGE_BYTES;
	mvm_vaddr_t end = bound + 2 * MVM_PAGE_BYTES, high = (mvm_vaddr_t)1 << 30, va;
	static struct mvmh_tlb batch;
	bool entered = true;

	__builtin_memset(&batch, 0, sizeof batch);
	for (va = BASE; va < end; va += MVM_PAGE_BYTES)
		entered = entered && mvmh_pmap_enter(pmap, va, frame, MVM_READ, 0) == 0;
	check(entered, "pmap_enter: failed at boot");
	va = mvmh_pmap_remove(pmap, BASE, high, &batch);
	check(va > BASE && va <= bound, "pmap_remove: more than MVM_HOLD_PAGES at once, or none");
	check(va >= end || mvmh_pmap_remove(pmap, va, high, &batch) == high,
		"pmap_remove: did not pass over what is empty");
	mvmh_tlb_sync(pmap, &batch);
}

/* The hooks of translation by themselves; nothing is mapped in the space yet. */
static OWN_FRAME void check_pmap(struct mvm_space *space)
{
	struct mvmh_pmap *pmap = mvm_space_pmap(space);
	mvm_frame_t one = mvmh_frame_alloc(0), two = mvmh_frame_alloc(0);

	if (one != MVM_NO_FRAME && two != MVM_NO_FRAME) {
		check_enter(pmap, one, two);
		check_reduce(pmap, one);
		check_run(pmap, one, two);
		check_bounds(pmap, one);
	}
	if (one != MVM_NO_FRAME)
		mvmh_frame_free(one, 0);
	if (two != MVM_NO_FRAME)
		mvmh_frame_free(two, 0);
}

static OWN_FRAME void check_anonymous(struct mvm_space *space)
{
	check(map_at(space, 0, 4, 0, NULL), "map: anonymous memory");
	check(byte_at(space, 0) == 0, "anonymous memory does not begin as zeros");
	check(set_byte(space, 0, 7) && byte_at(space, 0) == 7, "a store is not read back");
	check(set_byte(space, 3, 9) && byte_at(space, 3) == 9, "a store to the last page");
	check(byte_at(space, 4) < 0, "memory past the mapping can be read");
	check(mvm_protect(space, BASE, MVM_PAGE_BYTES, MVM_READ) == 0, "protect");
	check(!set_byte(space, 0, 8) && byte_at(space, 0) == 7, "a read-only page was written");
	check(mvm_unmap(space, BASE + MVM_PAGE_BYTES, MVM_PAGE_BYTES) == 0, "unmap of a page");
	check(byte_at(space, 1) < 0, "a page that was unmapped can be read");
	check(byte_at(space, 3) == 9, "unmap took a neighbour with it");
	mvm_check();
}

static OWN_FRAME void check_tables(struct mvm_space *space)
{
	struct mvmh_pmap *pmap = mvm_space_pmap(space);
	static struct mvmh_tlb batch;
	mvm_vaddr_t page3 = BASE + 3 * MVM_PAGE_BYTES;
	enum mvm_fault_result result;

	/* Entries may go at any time; faults bring them back. */
	__builtin_memset(&batch, 0, sizeof batch);
	check(mvmh_pmap_remove(pmap, page3, page3 + MVM_PAGE_BYTES, &batch) ==
			page3 + MVM_PAGE_BYTES,
		"pmap_remove: did not reach the end");
	mvmh_tlb_sync(pmap, &batch);
	result = mvm_fault(space, page3, MVM_WRITE);
	check(result == MVM_FAULT_OK, "a fault after pmap_remove");
	check(byte_at(space, 3) == 9, "the page is another one after pmap_remove");
	check(mvm_fault(space, BASE + 100 * MVM_PAGE_BYTES, MVM_READ) == MVM_FAULT_MAPERR,
		"a fault where nothing is mapped");
	check(mvm_fault(space, BASE, MVM_WRITE) == MVM_FAULT_ACCERR,
		"a store fault on a read-only area");
}

#if MVM_STAGE >= 2
static OWN_FRAME void check_fork(struct mvm_space *space)
{
	struct mvm_space *child = NULL;

	check(mvm_space_fork(space, &child) == 0, "fork");
	if (!child)
		return;
	check(byte_at(child, 3) == 9, "the child does not see the parent's page");
	check(set_byte(child, 3, 11) && byte_at(space, 3) == 9,
		"the child's store reached the parent");
	check(set_byte(space, 3, 12) && byte_at(child, 3) == 11,
		"the parent's store reached the child");
	mvm_check();
	mvm_space_unref(child);
	check(byte_at(space, 3) == 12, "the child's end changed the parent");
}
#endif

#if MVM_STAGE >= 3
static OWN_FRAME void check_file(struct mvm_space *space, struct mvm_object *obj)
{
	test.filled = 0;
	check(map_at(space, 8, FILE_PAGES, MVM_MAP_SHARED, obj), "map: a shared file");
	check(map_at(space, 32, FILE_PAGES, 0, obj), "map: a private file");
	check(test.filled == 0, "a map call read the file");
	check(byte_at(space, 8 + 2) == 3 && byte_at(space, 32 + 5) == 6, "the file's bytes");
}
#endif

#if MVM_STAGE >= 3
static OWN_FRAME void check_private_stores(struct mvm_space *space)
{
	check(set_byte(space, 32 + 5, 99) && byte_at(space, 8 + 5) == 6,
		"a private store reached the file");
	mvm_check();
}
#endif

#if MVM_STAGE >= 4
static OWN_FRAME void check_shared_stores(struct mvm_space *space)
{
	check(set_byte(space, 8 + 2, 77) && byte_at(space, 32 + 2) == 77,
		"a shared store is not seen by another mapping");
	check(test.reserved > 0, "a store did not ask make_writable");
	mvm_check();
}
#endif

#if MVM_STAGE >= 4
static OWN_FRAME void check_writeback(struct mvm_space *space)
{
	uint64_t written;

	check(mvm_sync(space, BASE + 8 * MVM_PAGE_BYTES, FILE_PAGES * MVM_PAGE_BYTES, MVM_SYNC_WAIT,
		      NULL) == 0,
		"sync");
	check(test.written == 1 && test.stamp[2] == 77, "sync wrote what was not dirty, or less");
	written = test.written;
	check(set_byte(space, 8 + 2, 78), "a store after write-back");
	check(mvm_sync(space, BASE + 8 * MVM_PAGE_BYTES, FILE_PAGES * MVM_PAGE_BYTES, MVM_SYNC_WAIT,
		      NULL) == 0 &&
			test.written == written + 1 && test.stamp[2] == 78,
		"a store after write-back was not noticed: tables or TLBs kept the right to write");
}
#endif

#if MVM_STAGE >= 4
static OWN_FRAME void check_truncate(struct mvm_space *space, struct mvm_object *obj)
{
	check(mvm_pc_truncate(obj, 3 * MVM_PAGE_BYTES + 10) == 0, "truncate");
	check(byte_at(space, 8 + 3) == 4, "truncate took the last page's first bytes");
	check(byte_at(space, 8 + 4) < 0 && byte_at(space, 32 + 5) < 0,
		"pages past the size can still be read");
	mvm_check();
}
#endif

#if MVM_STAGE >= 5
static OWN_FRAME void check_reclaim(struct mvm_space *space)
{
	for (unsigned i = 0; i < 4; i++)
		(void)mvm_reclaim(64);
	check(byte_at(space, 8) == 1 && byte_at(space, 3) == 12, "memory changed under reclaim");
	mvm_check();
}
#endif

/* What a host can do that has only private memory; it is left mapped for the stages to come. */
static void check_memory(void)
{
	check_pmap(test.space);
	check_anonymous(test.space);
	check_tables(test.space);
#if MVM_STAGE >= 2
	check_fork(test.space);
#endif
}

#if MVM_STAGE >= 3
static void check_object(void)
{
	check_file(test.space, test.obj);
	check_private_stores(test.space);
#if MVM_STAGE >= 4
	check_shared_stores(test.space);
	check_writeback(test.space);
	check_truncate(test.space, test.obj);
#endif
#if MVM_STAGE >= 5
	check_reclaim(test.space);
#endif
}

static void check_release(void)
{
#if MVM_STAGE >= 4
	check(mvm_pc_flush(test.obj, 0, FILE_PAGES, MVM_PC_WAIT) == 0, "the last flush");
#endif
	mvm_object_unref(test.obj);
	check(test.released, "the object was not released: a reference leaked");
	if (test.released)
		mvm_object_destroy(test.obj);
}
#endif

unsigned mvm_host_selftest(void)
{
	__builtin_memset(&test, 0, sizeof test);
	check_frames();
	check_metadata();
	check_locks();
	check(mvm_space_new(MVM_PAGE_BYTES, (mvm_vaddr_t)1 << 30, &test.space) == 0, "space_new");
	if (test.space)
		check_memory();
#if MVM_STAGE >= 3
	check(mvm_object_new(&selftest_pager, NULL, FILE_PAGES * MVM_PAGE_BYTES, &test.obj) == 0,
		"object_new");
	if (test.space && test.obj)
		check_object();
#endif
	if (test.space)
		mvm_space_unref(test.space);
#if MVM_STAGE >= 3
	if (test.obj)
		check_release();
#endif
	mvmh_log(test.failed ? "mvm_host_selftest: failed" : "mvm_host_selftest: passed");
	return test.failed;
}
