// SPDX-License-Identifier: MIT
/* What mvm_map() refuses, and among how many places a space's maps begin. */
#include "fixture.h"

#include <mm/vm.h>

#include <string.h>

static int set_up(void **state)
{
	(void)state;
	return fixture_set_up(4);
}

/* With no object nothing would keep what is stored once its translation is gone. */
static void shared_wants_an_object(void **state)
{
	struct mvm_object *obj;

	(void)state;
	assert_int_equal(map_fixed(space, AT, 1, RW, MVM_MAP_SHARED, NULL, 0), -MVM_EINVAL);
	assert_int_equal(mvm_object_new_shared_anon(PAGE, &obj), 0);
	map_pages(AT, 1, MVM_MAP_SHARED, obj, 0);
	store(AT, 'x');
	assert_int_equal(mvm_protect(space, AT, PAGE, 0), 0);
	assert_int_equal(mvm_protect(space, AT, PAGE, RW), 0);
	assert_int_equal(load(AT), 'x');
	mvm_object_unref(obj);
}

/* Where the first map of a new space lies. */
static mvm_vaddr_t first_place(mvm_vaddr_t low, mvm_vaddr_t high)
{
	struct mvm_map m = {.bytes = PAGE, .rights = RW, .max_rights = RW};
	struct mvm_space *s;

	assert_int_equal(mvm_space_new(low, high, &s), 0);
	assert_int_equal(mvm_map(s, &m), 0);
	assert_true(m.addr >= low && m.addr < high && (high - low) / 64 >= high - PAGE - m.addr);
	mvm_space_unref(s);
	return m.addr;
}

/* In how many of 16 equal parts of the upper 1/64 of [low, high) do maps begin? */
static unsigned parts_used(mvm_vaddr_t low, mvm_vaddr_t high)
{
	mvm_vaddr_t part = (high - low) / 64 / 16;
	unsigned used = 0;

	for (unsigned i = 0; i < 1000; i++)
		used |= 1u << (high - PAGE - first_place(low, high)) / part;
	return (unsigned)__builtin_popcount(used);
}

static void places_are_random_whatever_the_bounds(void **state)
{
	(void)state;
	assert_int_equal(parts_used(0x40000000, 0x80000000), 16);
	assert_int_equal(parts_used((mvm_vaddr_t)1 << 32, (mvm_vaddr_t)1 << 33), 16);
	assert_int_equal(parts_used(0x1000, (mvm_vaddr_t)1 << 38), 16);
	assert_int_equal(first_place(0x1000, 0x1000 + 63 * PAGE), 0x1000 + 62 * PAGE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(shared_wants_an_object),
		CASE(places_are_random_whatever_the_bounds),
	};

	return fixture_main(400, tests);
}
