// SPDX-License-Identifier: MIT
/*
 * madvise, case by case from its man page.
 */
#include "fixture.h"

#include <mm/host.h>

#include <string.h>

#define PAGES 64

static int set_up(void **state)
{
	(void)state;
	return fixture_set_up(PAGES);
}

static void map_file(mvm_vaddr_t at, size_t pages, unsigned flags)
{
	map_pages(at, pages, flags, file->object, 0);
}

static void map(mvm_vaddr_t at, size_t pages)
{
	map_pages(at, pages, 0, NULL, 0);
}

static int advise(mvm_vaddr_t at, size_t pages, enum mvm_advice advice)
{
	return mvm_advise(space, at, pages * PAGE, advice);
}

static unsigned flags_at(mvm_vaddr_t va)
{
	struct mvm_area_info info;

	assert_true(mvm_area_next(space, va, &info));
	if (info.object)
		mvm_object_unref(info.object);
	return info.flags;
}

static void arguments(void **state)
{
	(void)state;
	map(AT, 4);
	assert_int_equal(mvm_advise(space, AT + 1, PAGE, MVM_ADVISE_NORMAL), -MVM_EINVAL);
	assert_int_equal(mvm_advise(space, AT, PAGE, (enum mvm_advice)99), -MVM_EINVAL);
	assert_int_equal(mvm_advise(space, AT, (size_t)0 - PAGE, MVM_ADVISE_DONTNEED), -MVM_EINVAL);
	assert_int_equal(advise(AT, 0, MVM_ADVISE_DONTNEED), 0);
	store(AT, 'x');
	assert_int_equal(mvm_advise(space, AT, 1, MVM_ADVISE_DONTNEED), 0); /* a page */
	assert_int_equal(load(AT), 0);
}

static void holes_are_skipped_and_told(void **state)
{
	(void)state;
	map(AT, 2);
	map(AT + 4 * PAGE, 2);
	store(AT, 'x');
	store(AT + 5 * PAGE, 'x');
	assert_int_equal(advise(AT, 8, MVM_ADVISE_DONTNEED), -MVM_ENOMEM);
	assert_int_equal(load(AT), 0);
	assert_int_equal(load(AT + 5 * PAGE), 0);
	assert_int_equal(advise(AT, 6, MVM_ADVISE_RANDOM), -MVM_ENOMEM);
	assert_true(flags_at(AT) & MVM_MAP_RANDOM);
	assert_true(flags_at(AT + 4 * PAGE) & MVM_MAP_RANDOM);
}

static void dontneed_drops_private_pages(void **state)
{
	size_t used;

	(void)state;
	map(AT, PAGES);
	used = posix_frames_used();
	for (unsigned i = 0; i < PAGES; i++)
		store(AT + i * PAGE, 'x');
	assert_int_equal(advise(AT + PAGE, PAGES - 2, MVM_ADVISE_DONTNEED), 0);
	assert_true(posix_frames_used() <= used + 2);
	assert_int_equal(load(AT), 'x');
	assert_int_equal(load(AT + PAGE), 0);
	assert_int_equal(load(AT + (PAGES - 1) * PAGE), 'x');
	assert_int_equal(stats_of(space).areas, 1);
}

static void dontneed_shows_the_file_again(void **state)
{
	(void)state;
	map_file(AT, 4, 0);
	store(AT, 'x');
	assert_int_equal(advise(AT, 4, MVM_ADVISE_DONTNEED), 0);
	assert_int_equal(load(AT), 'a');
}

static void dontneed_keeps_shared_pages(void **state)
{
	(void)state;
	map_file(AT, 4, MVM_MAP_SHARED);
	store(AT, 'x');
	assert_int_equal(advise(AT, 4, MVM_ADVISE_DONTNEED), 0);
	assert_int_equal(posix_mapped(space), 0);
	assert_int_equal(load(AT), 'x');
}

static void dontneed_after_fork_is_of_one_side(void **state)
{
	(void)state;
	map(AT, PAGES);
	for (unsigned i = 0; i < PAGES; i++)
		store(AT + i * PAGE, 'x');
	fork_child();
	assert_int_equal(advise(AT + PAGE, 2, MVM_ADVISE_DONTNEED), 0);
	assert_int_equal(load(AT + PAGE), 0);
	assert_int_equal(load_of(child, AT + PAGE), 'x');
	assert_int_equal(load_of(child, AT + 2 * PAGE), 'x');
	assert_int_equal(load(AT + 3 * PAGE), 'x');
}

static void free_is_for_private_anonymous_memory(void **state)
{
	struct mvm_object *obj;

	(void)state;
	map(AT, 2);
	store(AT, 'x');
	assert_int_equal(advise(AT, 2, MVM_ADVISE_FREE), 0);
	store(AT, 'y');
	assert_int_equal(load(AT), 'y');
	map_file(AT + 2 * PAGE, 2, 0);
	assert_int_equal(advise(AT + 2 * PAGE, 2, MVM_ADVISE_FREE), -MVM_EINVAL);
	assert_int_equal(mvm_object_new_shared_anon(PAGE, &obj), 0);
	map_pages(AT + 4 * PAGE, 1, MVM_MAP_SHARED, obj, 0);
	mvm_object_unref(obj);
	assert_int_equal(advise(AT + 4 * PAGE, 1, MVM_ADVISE_FREE), -MVM_EINVAL);
}

static void a_device_is_left_alone(void **state)
{
	struct mvm_object *obj;

	(void)state;
	assert_int_equal(mvm_object_new_device(0, PAGE, &obj), 0);
	map_pages(AT, 1, MVM_MAP_SHARED, obj, 0);
	mvm_object_unref(obj);
	assert_int_equal(advise(AT, 1, MVM_ADVISE_DONTNEED), -MVM_EINVAL);
	assert_int_equal(advise(AT, 1, MVM_ADVISE_FREE), -MVM_EINVAL);
	assert_int_equal(advise(AT, 1, MVM_ADVISE_DONTFORK), 0);
	assert_int_equal(advise(AT, 1, MVM_ADVISE_DOFORK), -MVM_EINVAL);
	assert_int_equal(advise(AT, 1, MVM_ADVISE_POPULATE_READ), -MVM_EINVAL);
	assert_int_equal(advise(AT, 1, MVM_ADVISE_RANDOM), 0);
}

static void flags_cut_and_merge_areas(void **state)
{
	(void)state;
	map(AT, 8);
	assert_int_equal(advise(AT + 2 * PAGE, 2, MVM_ADVISE_RANDOM), 0);
	assert_int_equal(stats_of(space).areas, 3);
	assert_int_equal(advise(AT + 2 * PAGE, 2, MVM_ADVISE_SEQUENTIAL), 0);
	assert_int_equal(flags_at(AT + 2 * PAGE), MVM_MAP_SEQUENTIAL);
	assert_int_equal(advise(AT, 8, MVM_ADVISE_NORMAL), 0);
	assert_int_equal(stats_of(space).areas, 1);
	assert_int_equal(flags_at(AT), 0);
}

static void random_reads_what_is_asked(void **state)
{
	(void)state;
	map_file(AT, PAGES, MVM_MAP_SHARED);
	assert_int_equal(advise(AT, PAGES, MVM_ADVISE_RANDOM), 0);
	for (unsigned i = 0; i < 8; i++)
		load(AT + i * PAGE);
	assert_int_equal(counts_of(file->object).cached_pages, 8);
	assert_int_equal(mvm_protect(space, AT, PAGES * PAGE, 0), 0);
	assert_int_equal(mvm_protect(space, AT, PAGES * PAGE, RW), 0);
	load(AT + 3 * PAGE);
	assert_int_equal(posix_mapped(space), 1); /* no fault-around */
}

static void sequential_reads_the_most_at_once(void **state)
{
	(void)state;
	map_file(AT, PAGES, MVM_MAP_SHARED);
	assert_int_equal(advise(AT, PAGES, MVM_ADVISE_SEQUENTIAL), 0);
	load(AT + 8 * PAGE);
	assert_int_equal(counts_of(file->object).cached_pages, 32);
	assert_int_equal(file->fills, 1);
}

static void willneed_reads_without_mapping(void **state)
{
	(void)state;
	map_file(AT, PAGES, MVM_MAP_SHARED);
	assert_int_equal(advise(AT + 10 * PAGE, 40, MVM_ADVISE_WILLNEED), 0);
	assert_int_equal(counts_of(file->object).cached_pages, 40);
	assert_int_equal(posix_mapped(space), 0);
	file->fail_fill = 1;
	assert_int_equal(advise(AT, 4, MVM_ADVISE_WILLNEED), 0); /* an error shows at the access */
	assert_int_equal(mvm_pc_truncate(file->object, 5 * PAGE), 0);
	assert_int_equal(advise(AT, PAGES, MVM_ADVISE_WILLNEED), 0);
	assert_int_equal(counts_of(file->object).cached_pages, 5);
}

static void populate_brings_pages_in(void **state)
{
	(void)state;
	map(AT, 4);
	assert_int_equal(advise(AT, 4, MVM_ADVISE_POPULATE_WRITE), 0);
	assert_int_equal(posix_mapped(space), 4);
	map_file(AT + 8 * PAGE, 4, MVM_MAP_SHARED);
	assert_int_equal(advise(AT + 8 * PAGE, 4, MVM_ADVISE_POPULATE_READ), 0);
	assert_int_equal(posix_mapped(space), 8);
	assert_int_equal(advise(AT, 12, MVM_ADVISE_POPULATE_READ), -MVM_ENOMEM);
}

static void populate_says_what_an_access_would(void **state)
{
	(void)state;
	map_file(AT, 4, MVM_MAP_SHARED);
	assert_int_equal(mvm_protect(space, AT, PAGE, MVM_READ), 0);
	assert_int_equal(advise(AT, 1, MVM_ADVISE_POPULATE_WRITE), -MVM_EINVAL);
	assert_int_equal(mvm_pc_truncate(file->object, PAGE), 0);
	assert_int_equal(advise(AT, 4, MVM_ADVISE_POPULATE_READ), -MVM_EFAULT);
}

/* Ranges that end where addresses end, and behind. */
static void no_prefault_goes_round_the_end(void **state)
{
	mvm_vaddr_t last = -(mvm_vaddr_t)PAGE;

	(void)state;
	map(AT, 1);
	assert_int_equal(mvm_prefault(space, last, PAGE, MVM_READ), -MVM_EFAULT);
	assert_int_equal(mvm_prefault(space, last, PAGE + 1, MVM_READ), -MVM_EFAULT);
	assert_int_equal(mvm_prefault(space, AT, (size_t)-AT, MVM_READ), -MVM_EFAULT);
}

static void dontfork_areas_are_not_in_the_child(void **state)
{
	char byte;

	(void)state;
	map(AT, 8);
	for (unsigned i = 0; i < 8; i++)
		store(AT + i * PAGE, 'x');
	assert_int_equal(advise(AT + 2 * PAGE, 3, MVM_ADVISE_DONTFORK), 0);
	fork_child();
	assert_int_equal(stats_of(child).areas, 2);
	assert_int_equal(stats_of(child).mapped_pages, 5);
	assert_int_equal(stats_of(child).peak_mapped_pages, 5);
	assert_int_equal(stats_of(child).anon_pages, 5);
	assert_int_equal(posix_load(child, AT + 2 * PAGE, &byte, 1), MVM_FAULT_MAPERR);
	assert_int_equal(load_of(child, AT + 5 * PAGE), 'x');
	assert_int_equal(load(AT + 2 * PAGE), 'x');
	mvm_check();
	end_child();
	assert_int_equal(advise(AT, 8, MVM_ADVISE_DOFORK), 0);
	fork_child();
	assert_int_equal(load_of(child, AT + 2 * PAGE), 'x');
}

/* More areas than are looked at in one hold, of which it has some not. */
static void of_many_areas_the_child_has_not_all(void **state)
{
	const unsigned n = 2 * MVM_HOLD_PAGES + 2;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		map(AT + 2 * i * PAGE, 1);
		if (i % MVM_HOLD_PAGES == 0 || i == n - 1)
			assert_int_equal(advise(AT + 2 * i * PAGE, 1, MVM_ADVISE_DONTFORK), 0);
	}
	fork_child();
	assert_int_equal(stats_of(child).areas, n - 4);
	assert_int_equal(stats_of(child).mapped_pages, n - 4);
	mvm_check();
}

static void wipeonfork_areas_are_zeros_in_the_child(void **state)
{
	struct mvm_space *grandchild;

	(void)state;
	map(AT, 8);
	map_file(AT + 8 * PAGE, 1, 0);
	for (unsigned i = 0; i < 8; i++)
		store(AT + i * PAGE, 'x');
	assert_int_equal(advise(AT + 8 * PAGE, 1, MVM_ADVISE_WIPEONFORK), -MVM_EINVAL);
	assert_int_equal(advise(AT + 2 * PAGE, 3, MVM_ADVISE_WIPEONFORK), 0);
	fork_child();
	assert_int_equal(stats_of(child).mapped_pages, 9);
	assert_int_equal(load_of(child, AT + PAGE), 'x');
	assert_int_equal(load_of(child, AT + 2 * PAGE), 0);
	assert_int_equal(load(AT + 2 * PAGE), 'x');
	assert_int_equal(posix_store(child, AT + 2 * PAGE, "y", 1), MVM_FAULT_OK);
	assert_int_equal(mvm_space_fork(child, &grandchild), 0); /* the mark is inherited */
	assert_int_equal(load_of(grandchild, AT + 2 * PAGE), 0);
	mvm_space_unref(grandchild);
	end_child();
	assert_int_equal(advise(AT, 8, MVM_ADVISE_KEEPONFORK), 0);
	fork_child();
	assert_int_equal(load_of(child, AT + 2 * PAGE), 'x');
}

/* Without memory for the child's own paths there is no child, and nothing is lost. */
static void a_fork_that_cannot_wipe_fails(void **state)
{
	uint64_t n;
	int err = -1;

	(void)state;
	map(AT, 256);
	for (unsigned i = 0; i < 256; i++)
		store(AT + i * PAGE, 'x');
	assert_int_equal(advise(AT + 3 * PAGE, 200, MVM_ADVISE_WIPEONFORK), 0);
	for (n = 1; err != 0; n++) {
		posix_fail(POSIX_FAIL_META, n, true);
		err = mvm_space_fork(space, &child);
		posix_fail(POSIX_FAIL_META, 0, false);
		assert_true(err == 0 || err == -MVM_ENOMEM);
		if (err)
			child = NULL;
		mvm_check();
		assert_int_equal(load(AT + 100 * PAGE), 'x');
	}
	assert_int_equal(load_of(child, AT + 100 * PAGE), 0);
}

/*
 * The same, with another area behind it that has nothing to wipe: that cannot fail, and hides no
 * failure.  What nodes there are in hand is another number each time.
 */
static void what_cannot_fail_hides_no_failure(void **state)
{
	unsigned failed = 0;

	(void)state;
	map(AT, 64 * 64);
	for (unsigned i = 0; i < 256; i++)
		store(AT + i * PAGE, 'x');
	assert_int_equal(advise(AT + 3 * PAGE, 200, MVM_ADVISE_WIPEONFORK), 0);
	map(AT + 8192 * PAGE, 1);
	assert_int_equal(advise(AT + 8192 * PAGE, 1, MVM_ADVISE_WIPEONFORK), 0);
	for (unsigned i = 4; i < 64; i++) {
		int err;

		store(AT + i * 64 * PAGE, 'x');
		posix_fail(POSIX_FAIL_META, 1, true);
		err = mvm_space_fork(space, &child);
		posix_fail(POSIX_FAIL_META, 0, false);
		if (err) {
			assert_int_equal(err, -MVM_ENOMEM);
			child = NULL;
			failed++;
			continue;
		}
		assert_int_equal(load_of(child, AT + 100 * PAGE), 0);
		end_child();
	}
	assert_true(failed > 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(arguments),
		CASE(holes_are_skipped_and_told),
		CASE(dontneed_drops_private_pages),
		CASE(dontneed_shows_the_file_again),
		CASE(dontneed_keeps_shared_pages),
		CASE(dontneed_after_fork_is_of_one_side),
		CASE(free_is_for_private_anonymous_memory),
		CASE(a_device_is_left_alone),
		CASE(flags_cut_and_merge_areas),
		CASE(random_reads_what_is_asked),
		CASE(sequential_reads_the_most_at_once),
		CASE(willneed_reads_without_mapping),
		CASE(populate_brings_pages_in),
		CASE(populate_says_what_an_access_would),
		CASE(no_prefault_goes_round_the_end),
		CASE(dontfork_areas_are_not_in_the_child),
		CASE(of_many_areas_the_child_has_not_all),
		CASE(wipeonfork_areas_are_zeros_in_the_child),
		CASE(a_fork_that_cannot_wipe_fails),
		CASE(what_cannot_fail_hides_no_failure),
	};

	return fixture_main(4096, tests);
}
