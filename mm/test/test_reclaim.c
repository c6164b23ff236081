// SPDX-License-Identifier: MIT
/*
 * Reclaim and write-back under pressure: what goes first, in what portions, and how much may be
 * dirty.
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
#define FRAMES 2000
#define PAGES  1000
#define RUN    32 /* pages that are written or evicted together, at most */
#define AT     ((mvm_vaddr_t)0x400000)

static struct mvm_space *space;
static struct test_file *file, *other;
static struct mvm_stats before;
static unsigned told;

static void tell(bool now)
{
	(void)now;
	told++;
}

static int set_up(void **state)
{
	(void)state;
	file = test_file_new(PAGES, PAGES * PAGE);
	other = test_file_new(PAGES, PAGES * PAGE);
	told = 0;
	posix_on_writeback_wanted(tell);
	mvm_stats(&before);
	return mvm_space_new(0x1000, (mvm_vaddr_t)1 << 38, &space);
}

static int tear_down(void **state)
{
	(void)state;
	posix_on_writeback_wanted(NULL);
	mvm_check();
	mvm_space_unref(space);
	file->fail_write = other->fail_write = 0;
	test_file_free(file);
	test_file_free(other);
	return 0;
}

static void map(struct mvm_object *object)
{
	const unsigned rights = MVM_READ | MVM_WRITE;

	assert_int_equal(map_fixed(space, AT, PAGES, rights, MVM_MAP_SHARED, object, 0), 0);
}

static void load(unsigned page)
{
	char byte;

	assert_int_equal(posix_load(space, AT + page * PAGE, &byte, 1), MVM_FAULT_OK);
}

static void store(unsigned page)
{
	assert_int_equal(posix_store(space, AT + page * PAGE, "X", 1), MVM_FAULT_OK);
}

static struct mvm_stats now(void)
{
	struct mvm_stats stats;

	mvm_stats(&stats);
	return stats;
}

static void clean_pages_go_first(void **state)
{
	(void)state;
	map(file->object);
	for (unsigned i = 0; i < 100; i++)
		store(i);
	for (unsigned i = 100; i < 200; i++)
		load(i);
	for (size_t freed = 0; freed < 100 - RUN;)
		freed += mvm_reclaim(8);
	assert_int_equal(file->writes, 0);
	while (mvm_reclaim(8) > 0)
		;
	assert_int_equal(file->written_pages, 100);
	assert_int_equal(now().cached_pages, before.cached_pages);
}

/* One flush a run, not one a page; and dirty neighbours go in one write. */
static void neighbours_go_together(void **state)
{
	uint64_t flushes;

	(void)state;
	map(file->object);
	for (unsigned i = 0; i < 128; i++)
		load(i);
	flushes = now().shootdowns;
	assert_true(mvm_reclaim(128) >= 128);
	assert_true(now().shootdowns - flushes <= 128 / RUN + 2);
	while (mvm_reclaim(128) > 0) /* what was read ahead */
		;
	for (unsigned i = 0; i < 128; i++)
		store(i);
	while (mvm_reclaim(128) > 0)
		;
	assert_int_equal(file->written_pages, 128);
	assert_int_equal(file->writes, 128 / RUN);
	assert_int_equal(now().cached_pages, before.cached_pages);
}

static void used_pages_stay_longer(void **state)
{
	uint64_t fills;

	(void)state;
	map(file->object);
	for (unsigned i = 0; i < 256; i++)
		load(i);
	assert_true(mvm_reclaim(RUN) > 0); /* whatever: all marks are taken back */
	for (unsigned i = 128; i < 160; i++)
		load(i);
	fills = file->fills;
	assert_true(mvm_reclaim(64) >= 64);
	for (unsigned i = 128; i < 160; i++)
		load(i);
	assert_int_equal(file->fills, fills);
}

/* What cannot go is neither looked at nor counted as dirty. */
static void shared_memory_is_left_alone(void **state)
{
	struct mvm_object *object;
	struct mvm_stats stats;
	uint64_t scanned;

	(void)state;
	assert_int_equal(mvm_object_new_shared_anon(PAGES * PAGE, &object), 0);
	map(object);
	mvm_object_unref(object);
	for (unsigned i = 0; i < 256; i++)
		store(i);
	while (mvm_reclaim(64) > 0) /* zeros that were made ahead */
		;
	scanned = now().reclaim_scanned;
	assert_int_equal(mvm_reclaim(64), 0);
	stats = now();
	assert_int_equal(stats.reclaim_scanned, scanned);
	assert_int_equal(stats.kept_pages - before.kept_pages, 256);
	assert_int_equal(stats.dirty_pages, before.dirty_pages);
	assert_int_equal(mvm_unmap(space, AT, PAGES * PAGE), 0);
	assert_int_equal(now().kept_pages, before.kept_pages);
}

static void check_bounded(void)
{
	assert_true(now().dirty_pages <= FRAMES / 4 + RUN);
	assert_true(file->written_pages >= PAGES - FRAMES / 4 - RUN);
	assert_true(file->writes <= file->written_pages / (RUN / 2));
	assert_true(now().throttled > before.throttled);
}

static void stores_are_bounded(void **state)
{
	(void)state;
	map(file->object);
	for (unsigned i = 0; i < PAGES; i++)
		store(i);
	check_bounded();
}

static void writes_are_bounded(void **state)
{
	char bytes[PAGE] = {0};
	size_t done;

	(void)state;
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(test_file_write(file, i * PAGE, bytes, PAGE, &done), 0);
	check_bounded();
}

/* With a file whose disk fails, and which nobody can make less dirty. */
static void who_dirties_pays_for_its_own(void **state)
{
	char bytes[PAGE] = {0};
	uint64_t writes;
	size_t done;

	(void)state;
	file->fail_write = 1;
	file->for_good = true;
	map(file->object);
	for (unsigned i = 0; i < FRAMES / 4 + 100; i++)
		store(i);
	assert_true(now().dirty_pages > FRAMES / 4);
	writes = now().writes;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(test_file_write(other, i * PAGE, bytes, PAGE, &done), 0);
	assert_true(other->writes > 0);
	assert_int_equal(now().writes - writes, other->writes);
}

/* Nobody writes them, so who makes other pages dirty must not be told that there are too many. */
static void doomed_pages_throttle_nobody(void **state)
{
	char bytes[PAGE] = {0};
	uint64_t throttled;
	size_t done;

	(void)state;
	map(file->object);
	for (unsigned i = 0; i < FRAMES / 4; i++)
		store(i);
	mvm_object_doom(file->object);
	mvm_check();
	for (unsigned i = FRAMES / 4; i < FRAMES / 2; i++)
		store(i);
	throttled = now().throttled;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(test_file_write(other, i * PAGE, bytes, PAGE, &done), 0);
	assert_int_equal(now().throttled, throttled);
	assert_int_equal(other->writes, 0);
	mvm_check();
	assert_int_equal(mvm_pc_truncate(file->object, 0), 0);
	mvm_check();
}

static void the_host_is_told(void **state)
{
	(void)state;
	map(file->object);
	load(0);
	assert_int_equal(told, 0);
	store(0);
	assert_int_equal(told, 1);
	for (unsigned i = 1; i < FRAMES / 8; i++)
		store(i);
	assert_int_equal(told, 1);
	store(FRAMES / 8);
	store(FRAMES / 8 + 1);
	assert_true(told > 1);
}

/* Above the background share age does not count. */
static void much_is_written_at_any_age(void **state)
{
	(void)state;
	map(file->object);
	store(0);
	assert_int_equal(mvm_writeback(UINT64_MAX, false), 0);
	assert_int_equal(file->writes, 0);
	for (unsigned i = 1; i < FRAMES / 8 + 2; i++)
		store(i);
	assert_int_equal(mvm_writeback(UINT64_MAX, false), 0);
	assert_int_equal(now().dirty_pages, before.dirty_pages);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(clean_pages_go_first),
		CASE(neighbours_go_together),
		CASE(used_pages_stay_longer),
		CASE(shared_memory_is_left_alone),
		CASE(stores_are_bounded),
		CASE(writes_are_bounded),
		CASE(who_dirties_pays_for_its_own),
		CASE(doomed_pages_throttle_nobody),
		CASE(the_host_is_told),
		CASE(much_is_written_at_any_age),
	};

	posix_start(FRAMES);
	if (mvm_init() != 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
