// SPDX-License-Identifier: MIT
/*
 * mlock, mlock2, munlock, mlockall, munlockall, MAP_LOCKED and mincore, case by case from their man
 * pages.
 */
#include "fixture.h"

#define PAGES 32
#define FILE  ((mvm_vaddr_t)0x800000)
#define TOP   ((mvm_vaddr_t)0x4000000)

static int set_up(void **state)
{
	(void)state;
	return fixture_set_up(PAGES);
}

static int map_as(mvm_vaddr_t at, size_t pages, unsigned rights, unsigned flags)
{
	struct mvm_object *obj = at >= FILE && at < TOP ? file->object : NULL;

	return map_fixed(space, at, pages, rights, flags, obj, 0);
}

static void map(mvm_vaddr_t at, size_t pages, unsigned flags)
{
	assert_int_equal(map_as(at, pages, RW, flags), 0);
}

static void limit_locked(size_t pages)
{
	limits.locked = pages;
	limit();
}

static int lock(mvm_vaddr_t at, size_t pages)
{
	return mvm_mlock(space, at, pages * PAGE, false);
}

static int unlock(mvm_vaddr_t at, size_t pages)
{
	return mvm_munlock(space, at, pages * PAGE);
}

static unsigned resident(mvm_vaddr_t at, size_t pages)
{
	unsigned char bytes[PAGES];
	unsigned n = 0;

	assert_int_equal(mvm_incore(space, at, pages, bytes), 0);
	for (size_t i = 0; i < pages; i++)
		n += bytes[i];
	return n;
}

static void reclaim(void)
{
	for (unsigned i = 0; i < 4; i++)
		(void)mvm_reclaim(1000);
}

static void incore_says_what_is_there(void **state)
{
	unsigned char bytes[PAGES];
	char byte;

	(void)state;
	map(AT, 4, 0);
	assert_int_equal(posix_store(space, AT + PAGE, "x", 1), MVM_FAULT_OK);
	assert_int_equal(posix_load(space, AT + 2 * PAGE, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(mvm_incore(space, AT, 4, bytes), 0);
	assert_memory_equal(bytes, "\0\1\0\0", 4);
	map(FILE, PAGES, MVM_MAP_SHARED);
	assert_int_equal(resident(FILE, PAGES), 0);
	mvm_pc_readahead(file->object, 3, 5); /* of the cache, mapped or not */
	assert_int_equal(resident(FILE, PAGES), 5);
	assert_int_equal(mvm_pc_truncate(file->object, 4 * PAGE), 0);
	assert_int_equal(resident(FILE, PAGES), 1);
	assert_int_equal(mvm_incore(space, AT + 1, 1, bytes), -MVM_EINVAL);
	assert_int_equal(mvm_incore(space, AT + PAGE, 4, bytes), -MVM_ENOMEM);
	assert_int_equal(mvm_incore(space, AT, 0, bytes), 0);
}

static void lock_brings_in_and_keeps(void **state)
{
	(void)state;
	map(FILE, PAGES, MVM_MAP_SHARED);
	assert_int_equal(lock(FILE, 8), 0);
	assert_int_equal(stats_of(space).locked_pages, 8);
	assert_int_equal(posix_mapped(space) >= 8, 1);
	mvm_pc_readahead(file->object, 0, PAGES);
	reclaim();
	assert_int_equal(resident(FILE, 8), 8);
	assert_int_equal(resident(FILE, PAGES), 8);
	mvm_pc_invalidate(file->object, 0, PAGES);
	assert_int_equal(resident(FILE, 8), 8);
	assert_int_equal(unlock(FILE, 4), 0);
	reclaim();
	assert_int_equal(resident(FILE, 8), 4);
	assert_int_equal(stats_of(space).locked_pages, 4);
	assert_int_equal(file->reserves, 0); /* a page that is only read is not made dirty */
}

static void lock_copies_private_pages(void **state)
{
	(void)state;
	map(FILE, 4, 0);
	assert_int_equal(lock(FILE, 4), 0);
	assert_int_equal(stats_of(space).anon_pages, 4);
	map(AT, 4, 0);
	assert_int_equal(lock(AT, 4), 0);
	assert_int_equal(stats_of(space).anon_pages, 8);
	assert_int_equal(posix_mapped(space), 8);
}

static void on_fault_brings_nothing_in(void **state)
{
	char byte;

	(void)state;
	map(FILE, 8, MVM_MAP_SHARED);
	assert_int_equal(mvm_mlock(space, FILE, 8 * PAGE, true), 0);
	assert_int_equal(resident(FILE, 8), 0);
	assert_int_equal(posix_load(space, FILE + 2 * PAGE, &byte, 1), MVM_FAULT_OK);
	reclaim();
	assert_int_equal(resident(FILE + 2 * PAGE, 1), 1);
	assert_int_equal(lock(FILE, 8), 0); /* now all */
	assert_int_equal(resident(FILE, 8), 8);
	assert_int_equal(stats_of(space).locked_pages, 8);
	assert_int_equal(stats_of(space).areas, 1);
}

static void areas_before_a_hole_are_locked(void **state)
{
	(void)state;
	map(AT, 2, 0);
	map(AT + 4 * PAGE, 2, 0);
	assert_int_equal(lock(AT, 6), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).locked_pages, 2);
	assert_int_equal(unlock(AT, 6), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).locked_pages, 0);
	assert_int_equal(mvm_mlock(space, AT + 1, PAGE, false), -MVM_EINVAL);
	assert_int_equal(mvm_munlock(space, AT + 1, PAGE), -MVM_EINVAL);
	assert_int_equal(lock(AT, 0), 0);
}

static void what_cannot_be_touched_is_told(void **state)
{
	(void)state;
	map(FILE, 4, MVM_MAP_SHARED);
	assert_int_equal(mvm_pc_truncate(file->object, 2 * PAGE), 0);
	assert_int_equal(lock(FILE, 4), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).locked_pages, 4);
	assert_int_equal(map_as(AT, 1, 0, 0), 0);
	assert_int_equal(lock(AT, 1), -MVM_ENOMEM);
}

static void no_memory_is_again(void **state)
{
	(void)state;
	map(AT, 4, 0);
	posix_fail(POSIX_FAIL_FRAME, 3, true);
	assert_int_equal(lock(AT, 4), -MVM_EAGAIN);
	posix_fail(POSIX_FAIL_FRAME, 0, false);
	assert_int_equal(stats_of(space).locked_pages, 4);
	assert_int_equal(resident(AT, 4), 2);
}

static void the_limit_counts_what_is_new(void **state)
{
	(void)state;
	map(AT, 8, 0);
	limit_locked(4);
	assert_int_equal(lock(AT, 5), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).locked_pages, 0);
	assert_int_equal(stats_of(space).areas, 1);
	assert_int_equal(lock(AT, 3), 0);
	assert_int_equal(lock(AT, 4), 0);
	assert_int_equal(lock(AT + 4 * PAGE, 1), -MVM_ENOMEM);
	assert_int_equal(map_as(AT + 16 * PAGE, 1, RW, MVM_MAP_LOCKED), -MVM_EAGAIN);
	assert_int_equal(unlock(AT, 8), 0);
	assert_int_equal(map_as(AT + 16 * PAGE, 4, RW, MVM_MAP_LOCKED), 0);
	assert_int_equal(resident(AT + 16 * PAGE, 4), 4);
	assert_int_equal(mvm_unmap(space, AT + 17 * PAGE, PAGE), 0);
	assert_int_equal(stats_of(space).locked_pages, 3);
}

static void map_locked_on_fault(void **state)
{
	(void)state;
	map(AT, 4, MVM_MAP_LOCKED | MVM_MAP_LOCKONFAULT);
	assert_int_equal(stats_of(space).locked_pages, 4);
	assert_int_equal(resident(AT, 4), 0);
	map(AT + 8 * PAGE, 4, MVM_MAP_LOCKONFAULT); /* alone it says nothing */
	assert_int_equal(stats_of(space).locked_pages, 4);
}

static void a_locked_stack_grows_within_the_limit(void **state)
{
	(void)state;
	map(TOP, 1, MVM_MAP_GROWSDOWN | MVM_MAP_LOCKED);
	limit_locked(2);
	assert_int_equal(posix_store(space, TOP - PAGE, "x", 1), MVM_FAULT_OK);
	assert_int_equal(posix_store(space, TOP - 2 * PAGE, "x", 1), MVM_FAULT_MAPERR);
	assert_int_equal(stats_of(space).locked_pages, 2);
}

static void all_and_what_comes(void **state)
{
	(void)state;
	map(AT, 4, 0);
	assert_int_equal(map_as(AT + 8 * PAGE, 2, 0, 0), 0); /* cannot be brought in: no failure */
	assert_int_equal(mvm_mlockall(space, 0), -MVM_EINVAL);
	assert_int_equal(mvm_mlockall(space, MVM_LOCK_ONFAULT), -MVM_EINVAL);
	assert_int_equal(mvm_mlockall(space, 8), -MVM_EINVAL);
	assert_int_equal(mvm_mlockall(space, MVM_LOCK_CURRENT), 0);
	assert_int_equal(stats_of(space).locked_pages, 6);
	assert_int_equal(resident(AT, 4), 4);
	map(AT + 16 * PAGE, 2, 0);
	assert_int_equal(stats_of(space).locked_pages, 6);
	assert_int_equal(mvm_mlockall(space, MVM_LOCK_FUTURE), 0);
	map(AT + 20 * PAGE, 2, 0);
	assert_int_equal(stats_of(space).locked_pages, 8);
	assert_int_equal(resident(AT + 20 * PAGE, 2), 2);
	assert_int_equal(mvm_brk(space, AT + 32 * PAGE, AT + 32 * PAGE, AT + 34 * PAGE), 0);
	assert_int_equal(resident(AT + 32 * PAGE, 2), 2);
	assert_int_equal(mvm_mlockall(space, MVM_LOCK_FUTURE | MVM_LOCK_ONFAULT), 0);
	map(AT + 24 * PAGE, 2, 0);
	assert_int_equal(stats_of(space).locked_pages, 12);
	assert_int_equal(resident(AT + 24 * PAGE, 2), 0);
	mvm_munlockall(space);
	map(AT + 28 * PAGE, 2, 0);
	assert_int_equal(stats_of(space).locked_pages, 0);
}

static void all_within_the_limit(void **state)
{
	(void)state;
	map(AT, 4, 0);
	limit_locked(3);
	assert_int_equal(mvm_mlockall(space, MVM_LOCK_CURRENT | MVM_LOCK_FUTURE), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).locked_pages, 0);
	map(AT + 8 * PAGE, 1, 0);
	assert_int_equal(stats_of(space).locked_pages, 0); /* nor what comes */
	assert_int_equal(mvm_mlockall(space, MVM_LOCK_FUTURE), 0);
	assert_int_equal(map_as(AT + 16 * PAGE, 4, RW, 0), -MVM_EAGAIN);
	assert_int_equal(
		mvm_brk(space, AT + 32 * PAGE, AT + 32 * PAGE, AT + 36 * PAGE), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).mapped_pages, 5);
}

static void a_child_has_no_locks(void **state)
{
	struct mvm_space *parent = space;

	(void)state;
	map(AT, 4, MVM_MAP_LOCKED);
	assert_int_equal(mvm_mlockall(space, MVM_LOCK_FUTURE), 0);
	fork_child();
	assert_int_equal(stats_of(space).locked_pages, 4);
	space = child;
	assert_int_equal(stats_of(space).locked_pages, 0);
	map(AT + 8 * PAGE, 1, 0);
	assert_int_equal(stats_of(space).locked_pages, 0);
	space = parent;
	end_child();
}

static void locked_memory_refuses_to_be_dropped(void **state)
{
	(void)state;
	map(AT, 4, MVM_MAP_LOCKED);
	assert_int_equal(mvm_advise(space, AT, PAGE, MVM_ADVISE_DONTNEED), -MVM_EINVAL);
	assert_int_equal(mvm_advise(space, AT, PAGE, MVM_ADVISE_FREE), -MVM_EINVAL);
	map(FILE, 4, MVM_MAP_SHARED);
	assert_int_equal(mvm_sync(space, FILE, 4 * PAGE, MVM_SYNC_INVALIDATE, NULL), 0);
	assert_int_equal(lock(FILE + PAGE, 1), 0);
	assert_int_equal(mvm_sync(space, FILE, 4 * PAGE, MVM_SYNC_INVALIDATE, NULL), -MVM_EBUSY);
	assert_int_equal(mvm_sync(space, FILE, 4 * PAGE, MVM_SYNC_WAIT, NULL), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(incore_says_what_is_there),
		CASE(lock_brings_in_and_keeps),
		CASE(lock_copies_private_pages),
		CASE(on_fault_brings_nothing_in),
		CASE(areas_before_a_hole_are_locked),
		CASE(what_cannot_be_touched_is_told),
		CASE(no_memory_is_again),
		CASE(the_limit_counts_what_is_new),
		CASE(map_locked_on_fault),
		CASE(a_locked_stack_grows_within_the_limit),
		CASE(all_and_what_comes),
		CASE(all_within_the_limit),
		CASE(a_child_has_no_locks),
		CASE(locked_memory_refuses_to_be_dropped),
	};

	return fixture_main(4096, tests);
}
