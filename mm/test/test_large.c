// SPDX-License-Identifier: MIT
/*
 * Large pages (large.c), on a machine that has entries of 64 pages: when there is one, what is done
 * without one, and that its pages are as others'.
 */
#include "large.h"

#include "fixture.h"

#include <mm/host.h>

#define LARGE ((size_t)1 << MVMH_LARGE_ORDER)

static int set_up(void **state)
{
	(void)state;
	if (fixture_set_up(1) != 0)
		return -1;
	map_pages(AT, 3 * LARGE, MVM_MAP_HUGE, NULL, 0);
	return 0;
}

static uint64_t anons(void)
{
	return stats_of(space).anon_pages;
}

/* Each page has its own letter. */
static void fill(struct mvm_space *of, size_t first, size_t end, char letter)
{
	for (size_t i = first; i < end; i++)
		store_to(of, AT + i * PAGE + i, (char)(letter + i % 20));
}

static void check(struct mvm_space *of, size_t first, size_t end, char letter)
{
	for (size_t i = first; i < end; i++)
		assert_int_equal(load_of(of, AT + i * PAGE + i), letter + (int)(i % 20));
}

static void one_access_fills_it(void **state)
{
	unsigned char in[3 * LARGE];

	(void)state;
	store(AT + (LARGE + 17) * PAGE, 'x');
	assert_int_equal(anons(), LARGE);
	assert_int_equal(mvm_incore(space, AT, 3 * LARGE, in), 0);
	for (size_t i = 0; i < 3 * LARGE; i++)
		assert_int_equal(in[i], i / LARGE == 1);
	assert_int_equal(load(AT + (LARGE + 17) * PAGE), 'x');
	for (size_t i = LARGE; i < 2 * LARGE; i++)
		assert_int_equal(load(AT + i * PAGE + 1), 0);
	assert_int_equal(load(AT), 0); /* a load, too */
	assert_int_equal(anons(), 2 * LARGE);
}

static void a_range_is_filled_by_few_faults(void **state)
{
	uint64_t before = stats_of(space).faults;

	(void)state;
	assert_int_equal(mvm_prefault(space, AT + PAGE, 3 * LARGE * PAGE - PAGE, MVM_WRITE), 0);
	assert_int_equal(anons(), 3 * LARGE);
	assert_int_equal(stats_of(space).faults - before, 3);
}

static void only_where_it_fits(void **state)
{
	(void)state;
	assert_int_equal(mvm_unmap(space, AT, PAGE), 0);
	assert_int_equal(mvm_unmap(space, AT + (3 * LARGE - 1) * PAGE, PAGE), 0);
	store(AT + PAGE, 'x');
	store(AT + 2 * LARGE * PAGE, 'x');
	assert_int_equal(anons(), 2);
	assert_int_equal(mvm_advise(space, AT + LARGE * PAGE, PAGE, MVM_ADVISE_NOHUGE), 0);
	store(AT + (LARGE + 1) * PAGE, 'x');
	assert_int_equal(anons(), 3);
	assert_int_equal(mvm_advise(space, AT + LARGE * PAGE, PAGE, MVM_ADVISE_HUGE), 0);
	store(AT + (LARGE + 2) * PAGE, 'x'); /* something is there */
	assert_int_equal(anons(), 4);
	assert_int_equal(
		mvm_advise(space, AT + LARGE * PAGE, LARGE * PAGE, MVM_ADVISE_DONTNEED), 0);
	store(AT + (LARGE + 2) * PAGE, 'x');
	assert_int_equal(anons(), 2 + LARGE);
}

/* While others are at work on a part of it, or harts may remember what was there, it is a page. */
static void not_where_others_are(void **state)
{
	struct claim claim;
	struct sweep sweep = {.open = false};

	(void)state;
	space_lock(space);
	claim_enter(space, &claim, AT + 10 * PAGE, AT + 11 * PAGE, CLAIM_REPLACE);
	space_unlock(space);
	store(AT, 'x');
	assert_int_equal(anons(), 1);
	space_lock(space);
	claim_leave_unlock(space, &claim);

	space_lock(space);
	sweep_open(space, &sweep);
	space_unlock(space);
	store(AT + LARGE * PAGE, 'x');
	assert_int_equal(anons(), 2);
	sweep_sync(space, &sweep);
	store(AT + 2 * LARGE * PAGE, 'x');
	assert_int_equal(anons(), 2 + LARGE);
}

/* When the frames are there, the area may be another. */
static void not_over_a_file(void **state)
{
	(void)state;
	map_pages(AT, LARGE, MVM_MAP_HUGE, file->object, 0);
	map_pages(AT + LARGE * PAGE, LARGE, MVM_MAP_HUGE | MVM_MAP_SHARED, file->object, 0);
	assert_int_equal(large_fill(space, AT, MVM_WRITE, false), 0);
	assert_int_equal(large_fill(space, AT + LARGE * PAGE, MVM_WRITE, false), 0);
	assert_int_equal(anons(), 0);
	assert_int_equal(load(AT), 'a');
	store(AT + LARGE * PAGE, 'x');
	assert_int_equal(load(AT), 'x');
	assert_int_equal(large_fill(space, AT + 2 * LARGE * PAGE, MVM_EXEC, false), 0);
	assert_int_equal(large_fill(space, AT + 3 * LARGE * PAGE, MVM_WRITE, false), 0);
	assert_int_equal(
		large_fill(space, AT + (2 * LARGE + 1) * PAGE, MVM_WRITE, false), LARGE - 1);
}

/* Whatever is not to be had, the access goes on with a page. */
static void without_memory_it_is_a_page(void **state)
{
	(void)state;
	for (unsigned what = 0; what < POSIX_FAILURES; what++) {
		for (uint64_t nth = 1; nth < 6; nth++) {
			posix_fail((enum posix_failure)what, nth, false);
			fill(space, 20, 23, 'A');
			posix_fail((enum posix_failure)what, 0, false);
			check(space, 20, 23, 'A');
			assert_true(anons() == 3 || anons() == LARGE);
			assert_int_equal(load(AT), 0);
			mvm_check();
			assert_int_equal(mvm_unmap(space, AT, 3 * LARGE * PAGE), 0);
			map_pages(AT, 3 * LARGE, MVM_MAP_HUGE, NULL, 0);
		}
	}
}

/* The tables have something else there: nothing of the large page is left in the tree. */
static void where_an_entry_is_it_is_a_page(void **state)
{
	struct mvmh_pmap *pmap = mvm_space_pmap(space);
	mvm_frame_t other = mvmh_frame_alloc(0);
	mvm_vaddr_t at = AT + 5 * PAGE;
	struct mvmh_tlb batch = {0};

	(void)state;
	assert_int_equal(mvmh_pmap_enter(pmap, at, other, MVM_READ, 0), 0);
	store(AT + 9 * PAGE, 'x');
	assert_int_equal(anons(), 1);
	assert_int_equal(mvmh_pmap_remove(pmap, at, at + PAGE, &batch), at + PAGE);
	mvmh_tlb_sync(pmap, &batch);
	mvmh_frame_free(other, 0);
	assert_int_equal(load(AT + 9 * PAGE), 'x');
}

/* So it is where loads have mapped the page of zeros, before anybody spoke of large pages. */
static void where_zeros_are_it_is_a_page(void **state)
{
	(void)state;
	assert_int_equal(mvm_advise(space, AT, LARGE * PAGE, MVM_ADVISE_NOHUGE), 0);
	assert_int_equal(load(AT + 5 * PAGE), 0);
	assert_int_equal(anons(), 0);
	assert_int_equal(mvm_advise(space, AT, LARGE * PAGE, MVM_ADVISE_HUGE), 0);
	store(AT + 9 * PAGE, 'x');
	assert_int_equal(anons(), 1);
	store(AT + 5 * PAGE, 'y');
	assert_int_equal(load(AT + 5 * PAGE), 'y');
	assert_int_equal(load(AT + 9 * PAGE), 'x');
	assert_int_equal(load(AT + 6 * PAGE), 0);
}

static void parts_go_and_the_rest_stays(void **state)
{
	size_t before;

	(void)state;
	fill(space, 0, LARGE, 'A');
	before = posix_frames_used();
	assert_int_equal(mvm_unmap(space, AT + 10 * PAGE, 20 * PAGE), 0);
	assert_int_equal(posix_frames_used(), before - 20);
	check(space, 0, 10, 'A');
	check(space, 30, LARGE, 'A');
	assert_int_equal(mvm_advise(space, AT + 40 * PAGE, 2 * PAGE, MVM_ADVISE_DONTNEED), 0);
	assert_int_equal(load(AT + 40 * PAGE + 40), 0);
	fill(space, 40, 42, 'a');
	check(space, 30, 40, 'A');
	assert_int_equal(mvm_unmap(space, AT, LARGE * PAGE), 0);
	assert_int_equal(posix_frames_used(), before - LARGE);
}

/* Of a large page that is unmapped, what is held stays the holder's. */
static void a_held_page_outlives_it(void **state)
{
	struct mvm_hold hold;
	size_t before;

	(void)state;
	fill(space, 0, LARGE, 'A');
	assert_int_equal(mvm_hold(space, AT + 7 * PAGE, MVM_READ, &hold), 0);
	assert_int_equal(mvm_unmap(space, AT, LARGE * PAGE), 0);
	for (size_t i = 0; i < 2 * LARGE; i++) /* frames are wanted */
		store(AT + (LARGE + i) * PAGE, 'x');
	before = posix_frames_used();
	assert_int_equal(((char *)posix_frame_data(hold.frame))[7], 'A' + 7);
	assert_int_equal(mvm_release(&hold), 0);
	assert_int_equal(posix_frames_used(), before - 1);
}

static void a_fork_shares_it_page_by_page(void **state)
{
	size_t before;

	(void)state;
	fill(space, 0, LARGE, 'A');
	fork_child();
	check(child, 0, LARGE, 'A');
	before = posix_frames_used();
	fill(child, 3, 5, 'a');
	assert_int_equal(posix_frames_used(), before + 2);
	check(space, 0, LARGE, 'A');
	check(child, 0, 3, 'A');
	check(child, 3, 5, 'a');
	mvm_check();
	assert_int_equal(mvm_unmap(space, AT, LARGE * PAGE), 0);
	assert_int_equal(posix_frames_used(), before); /* but for the two that the child copied */
	check(child, 5, LARGE, 'A');
	fill(child, 0, LARGE, 'B');
	check(child, 0, LARGE, 'B');
}

/* Its leaf goes as a whole in one space while the other still uses some of its pages. */
static void what_a_fork_keeps_is_not_freed(void **state)
{
	(void)state;
	fill(space, 0, LARGE, 'A');
	fork_child();
	fill(space, 0, 1, 'b'); /* the leaf is copied */
	assert_int_equal(mvm_unmap(child, AT + 20 * PAGE, (LARGE - 20) * PAGE), 0);
	assert_int_equal(mvm_unmap(space, AT, LARGE * PAGE), 0);
	check(child, 0, 20, 'A');
	mvm_check();
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(one_access_fills_it),
		CASE(a_range_is_filled_by_few_faults),
		CASE(only_where_it_fits),
		CASE(not_where_others_are),
		CASE(not_over_a_file),
		CASE(without_memory_it_is_a_page),
		CASE(where_an_entry_is_it_is_a_page),
		CASE(where_zeros_are_it_is_a_page),
		CASE(parts_go_and_the_rest_stays),
		CASE(a_held_page_outlives_it),
		CASE(a_fork_shares_it_page_by_page),
		CASE(what_a_fork_keeps_is_not_freed),
	};

	return fixture_main(1024, tests);
}
