// SPDX-License-Identifier: MIT
/*
 * One file mapped in very many pieces: whatever walks over all places that map it, or over all
 * areas of a space, does not do so in one hold of a lock.  mm is compiled with MVMH_DEBUG here, and
 * panics when a hold covers too much.
 */
#include "map_fixed.h"
#include "posix.h"
#include "testfile.h"

#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define PAGE   MVM_PAGE_BYTES
#define PAGES  4
#define PIECES 10000
#define LOW    ((mvm_vaddr_t)0x400000)
#define ELSE   1 /* the file's page that no piece maps */

static struct mvm_space *space;
static struct test_file *file;

static mvm_vaddr_t piece(unsigned i)
{
	return LOW + 2 * i * PAGE;
}

/* Each maps the file's first page; none touches the next. */
static void map(unsigned i, unsigned rights, unsigned flags)
{
	assert_int_equal(map_fixed(space, piece(i), 1, rights, flags, file->object, 0), 0);
}

static int set_up(void **state)
{
	(void)state;
	file = test_file_new(PAGES, PAGES * PAGE);
	if (mvm_space_new(0x1000, (mvm_vaddr_t)1 << 38, &space) != 0)
		return -1;
	for (unsigned i = 0; i < PIECES; i++)
		map(i, MVM_READ, i % 2 ? MVM_MAP_SHARED : 0);
	assert_int_equal(mvm_pc_touch_write(file->object, ELSE * PAGE, 'x'), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mvm_space_unref(space);
	test_file_free(file);
	mvm_check();
	return 0;
}

static char load(struct mvm_space *s, unsigned i)
{
	char byte = 0;

	assert_int_equal(posix_load(s, piece(i), &byte, 1), MVM_FAULT_OK);
	return byte;
}

static void written_back(void **state)
{
	(void)state;
	assert_int_equal(mvm_pc_flush(file->object, ELSE, ELSE, MVM_PC_WAIT), 0);
	assert_int_equal(file->disk[ELSE * PAGE], 'x');
}

static void reclaimed(void **state)
{
	struct mvm_object_counts counts;

	(void)state;
	(void)load(space, PIECES - 1);
	while (mvm_reclaim(PAGES) > 0)
		;
	mvm_object_counts(file->object, &counts);
	assert_int_equal(counts.cached_pages, 0);
	assert_int_equal(posix_mapped(space), 0);
}

static void truncated(void **state)
{
	char byte;

	(void)state;
	(void)load(space, 0);
	(void)load(space, PIECES - 1);
	assert_int_equal(mvm_pc_truncate(file->object, PAGE), 0);
	assert_int_equal(posix_mapped(space), 2);
	assert_int_equal(mvm_pc_truncate(file->object, 0), 0);
	assert_int_equal(posix_mapped(space), 0);
	assert_int_equal(posix_load(space, piece(PIECES - 1), &byte, 1), MVM_FAULT_BUS);
}

/* Only the last piece can have been written. */
static void forked(void **state)
{
	struct mvm_space *child;

	(void)state;
	map(PIECES - 1, MVM_READ | MVM_WRITE, 0);
	assert_int_equal(posix_store(space, piece(PIECES - 1), "a", 1), MVM_FAULT_OK);
	assert_int_equal(mvm_space_fork(space, &child), 0);
	assert_int_equal(posix_store(space, piece(PIECES - 1), "b", 1), MVM_FAULT_OK);
	assert_int_equal(load(child, PIECES - 1), 'a');
	assert_int_equal(load(space, PIECES - 1), 'b');
	mvm_space_unref(child);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(written_back),
		CASE(reclaimed),
		CASE(truncated),
		CASE(forked),
	};

	posix_start(4000);
	if (mvm_init() != 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
