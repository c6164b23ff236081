// SPDX-License-Identifier: MIT
/*
 * Residency: what smaps shows, case by case.
 */
#include "fixture.h"

#define PAGES 32

static int set_up(void **state)
{
	(void)state;
	return fixture_set_up(PAGES);
}

static struct mvm_residency r;

static void look(mvm_vaddr_t at, size_t pages)
{
	mvm_residency(space, at, at + pages * PAGE, &r);
	assert_int_equal(
		r.resident, r.shared_clean + r.shared_dirty + r.private_clean + r.private_dirty);
}

static void private_memory_is_shared_by_fork(void **state)
{
	struct mvm_space *grandchild;

	(void)state;
	map_pages(AT, (size_t)1 << 20, 0, NULL, 0); /* empty stretches cost nothing */
	for (unsigned i = 0; i < 100; i++)
		store(AT + i * 1000 * PAGE, 'x');
	look(AT, (size_t)1 << 20);
	assert_int_equal(r.resident, 100);
	assert_int_equal(r.anon, 100);
	assert_int_equal(r.private_dirty, 100);
	assert_int_equal(r.share, 100 * PAGE);
	assert_int_equal(r.share_dirty, 100 * PAGE);
	assert_int_equal(r.share_anon, 100 * PAGE);
	fork_child();
	look(AT, (size_t)1 << 20);
	assert_int_equal(r.shared_dirty, 100);
	assert_int_equal(r.share, 50 * PAGE);
	assert_int_equal(mvm_space_fork(space, &grandchild), 0);
	look(AT, 1);
	assert_int_equal(r.share, PAGE / 3);
	store(AT, 'x');
	look(AT, 1001);
	assert_int_equal(r.private_dirty, 1);
	assert_int_equal(r.shared_dirty, 1);
	mvm_space_unref(grandchild);
	end_child();
	look(AT, 1001);
	assert_int_equal(r.private_dirty, 2);
}

static void a_files_pages_are_shared_by_areas(void **state)
{
	(void)state;
	map_pages(AT, 8, MVM_MAP_SHARED, file->object, 0);
	mvm_pc_readahead(file->object, 0, PAGES);
	look(AT, 8);
	assert_int_equal(r.resident, 0); /* in the cache, but not mapped */
	(void)load(AT);
	store(AT + PAGE, 'x');
	look(AT, 8);
	assert_int_equal(r.resident, 8); /* fault-around */
	assert_int_equal(r.private_clean, 7);
	assert_int_equal(r.private_dirty, 1);
	assert_int_equal(r.anon, 0);
	map_pages(AT + 16 * PAGE, 4, 0, file->object, 0); /* covers four of them */
	look(AT, 8);
	assert_int_equal(r.shared_clean, 3);
	assert_int_equal(r.shared_dirty, 1);
	assert_int_equal(r.share, 6 * PAGE);
	assert_int_equal(r.share_dirty, PAGE / 2);
	assert_int_equal(r.share_anon + r.share_kept, 0);
	store(AT + 16 * PAGE, 'x');
	look(AT + 16 * PAGE, 4);
	assert_int_equal(r.anon, 1);
	assert_int_equal(r.private_dirty, 1);
}

static void used_is_what_reclaim_has_not_cleared(void **state)
{
	(void)state;
	map_pages(AT, 1, MVM_MAP_SHARED, file->object, 0);
	(void)load(AT);
	look(AT, 1);
	assert_int_equal(r.used, 1);
	assert_int_equal(mvm_advise(space, AT, PAGE, MVM_ADVISE_DONTNEED), 0);
	look(AT, 1);
	assert_int_equal(r.resident, 0);
}

/* Memory never stored to is held for reading without a page; its frame has the zeros. */
static void zeros_are_held_by_their_frame(void **state)
{
	struct mvm_hold hold;

	(void)state;
	map_pages(AT, 1, 0, NULL, 0);
	assert_int_equal(mvm_hold(space, AT, MVM_READ, &hold), 0);
	assert_null(hold.page);
	for (unsigned i = 0; i < PAGE; i++)
		assert_int_equal(((char *)posix_frame_data(hold.frame))[i], 0);
	store(AT, 'x');
	assert_int_equal(*(char *)posix_frame_data(hold.frame), 0);
	assert_int_equal(mvm_release(&hold), 0);
	assert_int_equal(mvm_hold(space, AT, MVM_READ, &hold), 0);
	assert_non_null(hold.page);
	assert_int_equal(*(char *)posix_frame_data(hold.frame), 'x');
	assert_int_equal(mvm_release(&hold), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(private_memory_is_shared_by_fork),
		CASE(a_files_pages_are_shared_by_areas),
		CASE(used_is_what_reclaim_has_not_cleared),
		CASE(zeros_are_held_by_their_frame),
	};

	return fixture_main(4096, tests);
}
