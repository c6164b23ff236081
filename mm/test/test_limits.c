// SPDX-License-Identifier: MIT
/*
 * The limits of a space, case by case: each is met exactly, and a call that would pass one leaves
 * the space as it was.
 */
#include "fixture.h"

#define TOP ((mvm_vaddr_t)0x4000000)

static int set_up(void **state)
{
	(void)state;
	return fixture_set_up(1);
}

static int map(mvm_vaddr_t at, size_t pages, unsigned rights, unsigned flags)
{
	return map_fixed(space, at, pages, rights, flags, NULL, 0);
}

static void total_counts_all_areas(void **state)
{
	(void)state;
	limits.total = 10;
	limit();
	assert_int_equal(map(AT, 6, MVM_READ, 0), 0);
	assert_int_equal(map(AT + 8 * PAGE, 5, MVM_READ, 0), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).mapped_pages, 6);
	assert_int_equal(map(AT + 8 * PAGE, 4, 0, 0), 0);
	assert_int_equal(map(AT + 20 * PAGE, 1, 0, 0), -MVM_ENOMEM);
	assert_int_equal(mvm_unmap(space, AT, PAGE), 0);
	assert_int_equal(map(AT + 20 * PAGE, 1, 0, 0), 0);
}

static void fixed_over_itself_is_no_growth(void **state)
{
	(void)state;
	limits.total = 10;
	limit();
	assert_int_equal(map(AT, 10, RW, 0), 0);
	assert_int_equal(map(AT + 2 * PAGE, 8, MVM_READ, 0), 0);
	assert_int_equal(map(AT + 2 * PAGE, 9, MVM_READ, 0), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).mapped_pages, 10);
	assert_int_equal(stats_of(space).peak_mapped_pages, 10);
}

static void data_is_private_writable_and_no_stack(void **state)
{
	struct mvm_object *obj;
	struct mvm_map shared = {.addr = AT + 64 * PAGE,
		.bytes = 8 * PAGE,
		.rights = RW,
		.max_rights = RW,
		.flags = MVM_MAP_SHARED | MVM_MAP_FIXED};

	(void)state;
	limits.data = 4;
	limit();
	assert_int_equal(map(AT, 8, MVM_READ, 0), 0);
	assert_int_equal(map(TOP, 8, RW, MVM_MAP_GROWSDOWN), 0);
	assert_int_equal(mvm_object_new_shared_anon(8 * PAGE, &obj), 0);
	shared.object = obj;
	assert_int_equal(mvm_map(space, &shared), 0);
	mvm_object_unref(obj);
	assert_int_equal(stats_of(space).data_pages, 0);
	assert_int_equal(stats_of(space).stack_pages, 8);
	assert_int_equal(map(AT + 32 * PAGE, 5, RW, 0), -MVM_ENOMEM);
	assert_int_equal(map(AT + 32 * PAGE, 3, RW, 0), 0);
	assert_int_equal(stats_of(space).data_pages, 3);
}

static void protect_makes_data(void **state)
{
	(void)state;
	limits.data = 4;
	limit();
	assert_int_equal(map(AT, 8, MVM_READ, 0), 0);
	assert_int_equal(mvm_protect(space, AT, 5 * PAGE, RW), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).areas, 1);
	assert_int_equal(mvm_protect(space, AT + PAGE, 4 * PAGE, RW), 0);
	assert_int_equal(stats_of(space).data_pages, 4);
	assert_int_equal(mvm_protect(space, AT + PAGE, 4 * PAGE, MVM_RWX), 0);
	assert_int_equal(mvm_protect(space, AT, 8 * PAGE, 0), 0);
	assert_int_equal(stats_of(space).data_pages, 0);
	assert_int_equal(stats_of(space).areas, 1);
}

static void the_break_is_data(void **state)
{
	(void)state;
	limits.data = 4;
	limit();
	assert_int_equal(mvm_brk(space, AT, AT, AT + 4 * PAGE), 0);
	assert_int_equal(mvm_brk(space, AT, AT + 4 * PAGE, AT + 5 * PAGE), -MVM_ENOMEM);
	assert_int_equal(mvm_brk(space, AT, AT + 4 * PAGE, AT + PAGE), 0);
	assert_int_equal(stats_of(space).data_pages, 1);
}

static enum mvm_fault_result touch(mvm_vaddr_t va)
{
	char byte = 1;

	return posix_store(space, va, &byte, 1);
}

static void a_stack_grows_to_its_limit(void **state)
{
	(void)state;
	limits.stack = 4;
	limit();
	assert_int_equal(map(TOP, 1, RW, MVM_MAP_GROWSDOWN), 0);
	assert_int_equal(touch(TOP - 3 * PAGE), MVM_FAULT_OK);
	assert_int_equal(touch(TOP - 3 * PAGE - 1), MVM_FAULT_MAPERR);
	assert_int_equal(stats_of(space).stack_pages, 4);
	limits.stack = 5; /* the limit of the moment counts */
	limit();
	assert_int_equal(touch(TOP - 3 * PAGE - 1), MVM_FAULT_OK);
	limits.stack = 2; /* what is there stays */
	limit();
	assert_int_equal(touch(TOP - 4 * PAGE), MVM_FAULT_OK);
	assert_int_equal(touch(TOP - 5 * PAGE), MVM_FAULT_MAPERR);
}

static void a_stack_grows_within_the_total(void **state)
{
	(void)state;
	limits.total = 3;
	limit();
	assert_int_equal(map(TOP, 1, RW, MVM_MAP_GROWSDOWN), 0);
	assert_int_equal(touch(TOP - 2 * PAGE), MVM_FAULT_OK);
	assert_int_equal(touch(TOP - 3 * PAGE), MVM_FAULT_MAPERR);
}

/* What lies below the space is nobody's to grow into. */
static void a_stack_grows_within_the_space(void **state)
{
	const mvm_vaddr_t low = 0x1000;

	(void)state;
	assert_int_equal(map(low + PAGE, 1, RW, MVM_MAP_GROWSDOWN), 0);
	assert_int_equal(touch(low - 1), MVM_FAULT_MAPERR);
	assert_int_equal(touch(low), MVM_FAULT_OK);
	assert_int_equal(touch(low - 1), MVM_FAULT_MAPERR);
	assert_int_equal(stats_of(space).mapped_pages, 2);
}

static void areas_are_limited_where_they_are_made(void **state)
{
	(void)state;
	assert_int_equal(map(AT, 8, RW, 0), 0);
	assert_int_equal(map(AT + 16 * PAGE, 8, MVM_READ, 0), 0);
	limits.areas = 2;
	limit();
	assert_int_equal(map(AT + 32 * PAGE, 1, MVM_READ, 0), -MVM_ENOMEM);
	assert_int_equal(mvm_unmap(space, AT + 2 * PAGE, PAGE), -MVM_ENOMEM);
	assert_int_equal(mvm_protect(space, AT + 2 * PAGE, PAGE, MVM_READ), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).areas, 2);
	assert_int_equal(stats_of(space).mapped_pages, 16);
	assert_int_equal(mvm_unmap(space, AT, 2 * PAGE), 0);
	assert_int_equal(mvm_unmap(space, AT + 16 * PAGE, 8 * PAGE), 0);
	assert_int_equal(mvm_unmap(space, AT + 4 * PAGE, PAGE), 0);
	assert_int_equal(stats_of(space).areas, 2);
}

static void a_child_inherits_them(void **state)
{
	struct mvm_space *parent = space;

	(void)state;
	limits.total = 4;
	limit();
	assert_int_equal(map(AT, 4, RW, 0), 0);
	fork_child();
	space = child;
	assert_int_equal(map(AT + 8 * PAGE, 1, RW, 0), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).data_pages, 4);
	space = parent;
	end_child();
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(total_counts_all_areas),
		CASE(fixed_over_itself_is_no_growth),
		CASE(data_is_private_writable_and_no_stack),
		CASE(protect_makes_data),
		CASE(the_break_is_data),
		CASE(a_stack_grows_to_its_limit),
		CASE(a_stack_grows_within_the_total),
		CASE(a_stack_grows_within_the_space),
		CASE(areas_are_limited_where_they_are_made),
		CASE(a_child_inherits_them),
	};

	return fixture_main(4096, tests);
}
