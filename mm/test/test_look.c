// SPDX-License-Identifier: MIT
/*
 * Residency: what smaps shows, case by case.
 */
#include "posix.h"
#include "testfile.h"

#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define PAGE  MVM_PAGE_BYTES
#define PAGES 32
#define AT    ((mvm_vaddr_t)0x400000)
#define RW    (MVM_READ | MVM_WRITE)

static struct mvm_space *space;
static struct test_file *file;
static struct mvm_residency r;

static int set_up(void **state)
{
	(void)state;
	file = test_file_new(PAGES, PAGES * PAGE);
	return mvm_space_new(0x1000, (mvm_vaddr_t)1 << 38, &space);
}

static int tear_down(void **state)
{
	(void)state;
	mvm_check();
	mvm_space_unref(space);
	test_file_free(file);
	return 0;
}

static void map(mvm_vaddr_t at, size_t pages, unsigned flags, struct mvm_object *obj)
{
	struct mvm_map m = {
		.addr = at,
		.bytes = pages * PAGE,
		.rights = RW,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED | flags,
		.object = obj,
	};

	assert_int_equal(mvm_map(space, &m), 0);
}

static void store(mvm_vaddr_t va)
{
	assert_int_equal(posix_store(space, va, "x", 1), MVM_FAULT_OK);
}

static void load(mvm_vaddr_t va)
{
	char byte;

	assert_int_equal(posix_load(space, va, &byte, 1), MVM_FAULT_OK);
}

static void look(mvm_vaddr_t at, size_t pages)
{
	mvm_residency(space, at, at + pages * PAGE, &r);
	assert_int_equal(
		r.resident, r.shared_clean + r.shared_dirty + r.private_clean + r.private_dirty);
}

static void private_memory_is_shared_by_fork(void **state)
{
	struct mvm_space *child, *grandchild;

	(void)state;
	map(AT, (size_t)1 << 20, 0, NULL); /* empty stretches cost nothing */
	for (unsigned i = 0; i < 100; i++)
		store(AT + i * 1000 * PAGE);
	look(AT, (size_t)1 << 20);
	assert_int_equal(r.resident, 100);
	assert_int_equal(r.anon, 100);
	assert_int_equal(r.private_dirty, 100);
	assert_int_equal(r.share, 100 * PAGE);
	assert_int_equal(mvm_space_fork(space, &child), 0);
	look(AT, (size_t)1 << 20);
	assert_int_equal(r.shared_dirty, 100);
	assert_int_equal(r.share, 50 * PAGE);
	assert_int_equal(mvm_space_fork(space, &grandchild), 0);
	look(AT, 1);
	assert_int_equal(r.share, PAGE / 3);
	store(AT);
	look(AT, 1001);
	assert_int_equal(r.private_dirty, 1);
	assert_int_equal(r.shared_dirty, 1);
	mvm_space_unref(grandchild);
	mvm_space_unref(child);
	look(AT, 1001);
	assert_int_equal(r.private_dirty, 2);
}

static void a_files_pages_are_shared_by_areas(void **state)
{
	(void)state;
	map(AT, 8, MVM_MAP_SHARED, file->object);
	mvm_pc_readahead(file->object, 0, PAGES);
	look(AT, 8);
	assert_int_equal(r.resident, 0); /* in the cache, but not mapped */
	load(AT);
	store(AT + PAGE);
	look(AT, 8);
	assert_int_equal(r.resident, 8); /* fault-around */
	assert_int_equal(r.private_clean, 7);
	assert_int_equal(r.private_dirty, 1);
	assert_int_equal(r.anon, 0);
	map(AT + 16 * PAGE, 4, 0, file->object); /* covers four of them */
	look(AT, 8);
	assert_int_equal(r.shared_clean, 3);
	assert_int_equal(r.shared_dirty, 1);
	assert_int_equal(r.share, 6 * PAGE);
	store(AT + 16 * PAGE);
	look(AT + 16 * PAGE, 4);
	assert_int_equal(r.anon, 1);
	assert_int_equal(r.private_dirty, 1);
}

static void used_is_what_reclaim_has_not_cleared(void **state)
{
	(void)state;
	map(AT, 1, MVM_MAP_SHARED, file->object);
	load(AT);
	look(AT, 1);
	assert_int_equal(r.used, 1);
	assert_int_equal(mvm_advise(space, AT, PAGE, MVM_ADVISE_DONTNEED), 0);
	look(AT, 1);
	assert_int_equal(r.resident, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(private_memory_is_shared_by_fork),
		CASE(a_files_pages_are_shared_by_areas),
		CASE(used_is_what_reclaim_has_not_cleared),
	};

	posix_start(4096);
	if (mvm_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
