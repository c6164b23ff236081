// SPDX-License-Identifier: MIT
/*
 * Every request for memory, and every operation of a pager, fails once: the first, then the second,
 * and so on, until a run of the script meets no failure; then the same with all that follow failing
 * too.  Whatever fails, the invariants hold after each step, a call either does its work or says
 * why not, and at the end nothing is left behind.
 */
#include "posix.h"
#include "testfile.h"

#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define FILE_PAGES 40
#define PAGE       MVM_PAGE_BYTES
#define AT         ((mvm_vaddr_t)0x400000)

static struct mvm_space *space;
static struct test_file *file;
static unsigned failed; /* calls of this run that said so */

/* 0, or an error that lack of memory, or the file, explains. */
static bool try(int err)
{
	if (err == 0)
		return true;
	assert_true(err == -MVM_ENOMEM || err == -MVM_EIO || err == -MVM_EFAULT);
	failed++;
	return false;
}

static bool try_fault(enum mvm_fault_result result)
{
	if (result == MVM_FAULT_OK)
		return true;
	assert_true(result == MVM_FAULT_NOMEM || result == MVM_FAULT_BUS);
	failed++;
	return false;
}

static bool map(mvm_vaddr_t at, size_t pages, unsigned flags, struct mvm_object *object)
{
	struct mvm_map m = {
		.addr = at,
		.bytes = pages * PAGE,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED | flags,
		.object = object,
	};

	return try(mvm_map(space, &m));
}

/* Store, then load: what was stored is there, whatever failed in between. */
static void touch(struct mvm_space *s, mvm_vaddr_t va, uint64_t word)
{
	uint64_t seen = 0;

	if (try_fault(posix_store(s, va, &word, 8)) && try_fault(posix_load(s, va, &seen, 8)))
		assert_true(seen == word);
	mvm_check();
}

static void in_spaces(void)
{
	struct mvm_space *child;

	if (map(AT, 200, 0, NULL)) {
		for (unsigned i = 0; i < 200; i += 7)
			touch(space, AT + i * PAGE, i + 1);
		try(mvm_unmap(space, AT + 50 * PAGE, 9 * PAGE));
		try(mvm_protect(space, AT + 20 * PAGE, 9 * PAGE, MVM_READ));
		mvm_check();
	}
	if (map(AT + 300 * PAGE, FILE_PAGES, 0, file->object))
		touch(space, AT + 310 * PAGE, 5);
	if (map(AT + 400 * PAGE, FILE_PAGES, MVM_MAP_SHARED, file->object))
		for (unsigned i = 0; i < FILE_PAGES; i += 3)
			touch(space, AT + (400 + i) * PAGE, 100 + i);
	mvm_check();
	if (try(mvm_space_fork(space, &child))) {
		touch(child, AT + 7 * PAGE, 99);
		touch(space, AT + 14 * PAGE, 98);
		mvm_check();
		mvm_space_unref(child);
	}
	map(AT + 5 * PAGE, 3, 0, NULL);
	mvm_check();
}

static void in_file(void)
{
	char bytes[3 * PAGE / 2];
	size_t done;

	memset(bytes, 'x', sizeof bytes);
	try(test_file_write(file, 700, bytes, sizeof bytes, &done));
	try(test_file_read(file, 600, bytes, sizeof bytes, &done));
	mvm_check();
	if (try(mvm_pc_truncate(file->object, 10 * PAGE + 100)))
		test_file_free_blocks(file, 10 * PAGE + 100);
	mvm_check();
	try(mvm_pc_truncate(file->object, FILE_PAGES * PAGE));
	try(mvm_pc_punch(file->object, 100, 3 * PAGE + 5, NULL));
	try(mvm_sync(space, AT + 400 * PAGE, FILE_PAGES * PAGE, MVM_SYNC_WAIT, NULL));
	try(mvm_writeback(0, true));
	(void)mvm_reclaim(10);
	mvm_check();
}

static void set_up(void)
{
	failed = 0;
	file = test_file_new(FILE_PAGES, FILE_PAGES * PAGE);
	assert_int_equal(mvm_space_new(0x1000, (mvm_vaddr_t)1 << 38, &space), 0);
}

static void clean_up(size_t frames)
{
	for (unsigned what = 0; what < POSIX_FAILURES; what++)
		posix_fail(what, 0, false);
	file->fail_fill = file->fail_write = file->fail_reserve = 0;
	mvm_check();
	mvm_space_unref(space);
	test_file_free(file);
	mvm_check();
	assert_int_equal(posix_frames_used(), frames);
}

static void sweep_memory(enum posix_failure what, bool for_good)
{
	size_t frames = posix_frames_used();
	uint64_t requests;

	for (uint64_t n = 1;; n++) {
		set_up();
		posix_fail(what, n, for_good);
		in_spaces();
		in_file();
		requests = posix_requests(what);
		clean_up(frames);
		if (requests < n)
			break;
	}
}

static void frames_fail_once(void **state)
{
	(void)state;
	sweep_memory(POSIX_FAIL_FRAME, false);
}

static void frames_fail_for_good(void **state)
{
	(void)state;
	sweep_memory(POSIX_FAIL_FRAME, true);
}

static void metadata_fails_once(void **state)
{
	(void)state;
	sweep_memory(POSIX_FAIL_META, false);
}

static void tables_fail_once(void **state)
{
	(void)state;
	sweep_memory(POSIX_FAIL_TABLE, false);
}

/* One operation of the pager fails: the nth. */
static void sweep_pager(size_t which)
{
	size_t frames = posix_frames_used();

	bool met = true;

	for (uint64_t n = 1; met; n++) {
		set_up();
		*(uint64_t *)((char *)file + which) = n;
		in_spaces();
		in_file();
		met = *(uint64_t *)((char *)file + which) == 0;
		clean_up(frames);
	}
}

static void fills_fail(void **state)
{
	(void)state;
	sweep_pager(offsetof(struct test_file, fail_fill));
}

static void writes_fail(void **state)
{
	(void)state;
	sweep_pager(offsetof(struct test_file, fail_write));
}

static void reserves_fail(void **state)
{
	(void)state;
	sweep_pager(offsetof(struct test_file, fail_reserve));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_fail_once),
		cmocka_unit_test(frames_fail_for_good),
		cmocka_unit_test(metadata_fails_once),
		cmocka_unit_test(tables_fail_once),
		cmocka_unit_test(fills_fail),
		cmocka_unit_test(writes_fail),
		cmocka_unit_test(reserves_fail),
	};

	posix_start(1000);
	if (mvm_init() != 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
