// SPDX-License-Identifier: MIT
/*
 * Placement: the kit for what all policies have in common, and then, through mvm_map(), what this
 * one chooses (--policy NAME) and the arguments that say where.
 */
#include "kit_place.h"
#include "posix.h"
#include "space.h"

#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define PAGE  MVM_PAGE_BYTES
#define LOW   ((mvm_vaddr_t)0x100 << MVM_PAGE_SHIFT)
#define PAGES 64
#define HIGH  (LOW + PAGES * PAGE)

static struct mvm_space *space;

static int set_up(void **state)
{
	(void)state;
	return mvm_space_new(LOW, HIGH, &space);
}

static int tear_down(void **state)
{
	(void)state;
	mvm_check();
	mvm_space_unref(space);
	return 0;
}

/* Map n pages, by hint or FIXED; returns the first page's number in the space, or the error. */
static int map(int at, unsigned n, unsigned flags)
{
	struct mvm_map m = {
		.addr = at < 0 ? 0 : LOW + (mvm_vaddr_t)at * PAGE,
		.bytes = n * PAGE,
		.rights = MVM_READ,
		.max_rights = MVM_RWX,
		.flags = flags,
	};
	int err = mvm_map(space, &m);

	return err ? err : (int)((m.addr - LOW) / PAGE);
}

static void fixed(int at, unsigned n)
{
	assert_int_equal(map(at, n, MVM_MAP_FIXED), at);
}

/* Holes of 5, 3 and 4 pages, from low to high, and nothing else. */
static void three_holes(void)
{
	fixed(0, PAGES);
	assert_int_equal(mvm_unmap(space, LOW + 10 * PAGE, 5 * PAGE), 0);
	assert_int_equal(mvm_unmap(space, LOW + 20 * PAGE, 3 * PAGE), 0);
	assert_int_equal(mvm_unmap(space, LOW + 30 * PAGE, 4 * PAGE), 0);
}

/* Where three pages go, three times, by the name of the policy. */
static const struct choice {
	const char *policy;
	int places[3];
} choices[] = {
	{"topdown", {31, 20, 12}},
	{"bottomup", {10, 20, 30}},
	{"bestfit", {20, 31, 12}},
};

static const char *policy = "";

static const struct choice *choice_of(const char *name)
{
	for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
		if (strcmp(choices[i].policy, name) == 0)
			return &choices[i];
	return NULL;
}

static void three_pages_in_holes_of_5_3_4(void **state)
{
	const struct choice *c = choice_of(policy);

	(void)state;
	three_holes();
	for (unsigned i = 0; i < 3; i++) {
		int at = map(-1, 3, 0);

		assert_in_range(at, 10, 31);
		if (c)
			assert_int_equal(at, c->places[i]);
	}
	assert_int_equal(map(-1, 3, 0), -MVM_ENOMEM);
	assert_true(map(-1, 1, 0) >= 0);
}

/* Of all places, each is drawn now and then, but only by the policy that draws. */
static void anywhere(void **state)
{
	unsigned drawn[PAGES] = {0}, different = 0;

	(void)state;
	for (unsigned i = 0; i < 20 * PAGES; i++) {
		int at = map(-1, 1, 0);

		assert_in_range(at, 0, PAGES - 1);
		drawn[at]++;
		assert_int_equal(mvm_unmap(space, LOW + (mvm_vaddr_t)at * PAGE, PAGE), 0);
	}
	for (unsigned i = 0; i < PAGES; i++)
		different += drawn[i] > 0;
	if (strcmp(policy, "random") == 0)
		assert_in_range(different, PAGES - 2, PAGES); /* the top may be a page lower */
	else if (*policy)
		assert_int_equal(different, 1);
}

static void a_free_hint_is_taken(void **state)
{
	(void)state;
	assert_int_equal(map(17, 3, 0), 17);
	assert_int_equal(map(PAGES - 1, 1, 0), PAGES - 1);
	assert_int_not_equal(map(18, 3, 0), 18);
	assert_true(map(PAGES - 1, 2, 0) >= 0);
}

static void fixed_noreplace_refuses(void **state)
{
	(void)state;
	fixed(20, 5);
	assert_int_equal(map(18, 3, MVM_MAP_FIXED_NOREPLACE), -MVM_EEXIST);
	assert_int_equal(map(24, 1, MVM_MAP_FIXED_NOREPLACE), -MVM_EEXIST);
	assert_int_equal(map(25, 1, MVM_MAP_FIXED_NOREPLACE), 25);
	assert_int_equal(map(18, 2, MVM_MAP_FIXED_NOREPLACE), 18);
}

/* A stack of one page that may grow to four keeps these, and the guard below, free: here all. */
static void a_stack_keeps_its_room(void **state)
{
	(void)state;
	assert_int_equal(map(PAGES - 1, 1, MVM_MAP_FIXED | MVM_MAP_GROWSDOWN), PAGES - 1);
	assert_int_equal(map(-1, 1, 0), -MVM_ENOMEM);
	fixed(10, 1); /* the stack's guard is above */
	assert_true(map(-1, 1, 0) < 10);
}

static void bad_arguments(void **state)
{
	struct mvm_map m = {.rights = MVM_READ, .max_rights = MVM_READ, .flags = MVM_MAP_FIXED};

	(void)state;
	m.addr = LOW;
	assert_int_equal(mvm_map(space, &m), -MVM_EINVAL); /* no bytes */
	m.bytes = SIZE_MAX;
	assert_int_equal(mvm_map(space, &m), -MVM_ENOMEM);
	m.bytes = PAGE;
	m.addr = LOW + 1;
	assert_int_equal(mvm_map(space, &m), -MVM_EINVAL);
	m.addr = HIGH;
	assert_int_equal(mvm_map(space, &m), -MVM_ENOMEM);
	m.addr = LOW;
	m.rights = MVM_WRITE;
	assert_int_equal(mvm_map(space, &m), -MVM_EACCES);
	assert_int_equal(mvm_unmap(space, LOW, 0), -MVM_EINVAL);
	assert_int_equal(mvm_unmap(space, LOW + 1, PAGE), -MVM_EINVAL);
	assert_int_equal(mvm_unmap(space, LOW, SIZE_MAX), -MVM_EINVAL);
	assert_int_equal(mvm_unmap(space, LOW, PAGE), 0); /* a hole */
	assert_int_equal(mvm_protect(space, LOW, PAGE, MVM_READ), -MVM_ENOMEM);
}

/* Whoever claims an area counts on its borders: also where nothing is before the map. */
static void a_claimed_neighbour_stays(void **state)
{
	struct mvm_map m = {.bytes = PAGE, .rights = MVM_READ, .max_rights = MVM_RWX};
	struct mvm_space *from_0;
	struct mvm_space_stats stats;
	struct claim claim;

	(void)state;
	assert_int_equal(mvm_space_new(0, HIGH, &from_0), 0);
	for (m.addr = 2 * PAGE; m.addr > 0;) {
		m.addr -= PAGE;
		m.flags = MVM_MAP_FIXED_NOREPLACE;
		space_lock(from_0);
		claim_enter(from_0, &claim, m.addr + PAGE, m.addr + 2 * PAGE, CLAIM_CHANGE);
		space_unlock(from_0);
		assert_int_equal(mvm_map(from_0, &m), 0);
		space_lock(from_0);
		claim_leave_unlock(from_0, &claim);
	}
	mvm_space_stats(from_0, &stats);
	assert_int_equal(stats.areas, 2);
	mvm_space_unref(from_0);
}

/* Lengths that go round the end of all addresses, also when only rounding them up does. */
static void ranges_past_all_addresses(void **state)
{
	const size_t lengths[] = {SIZE_MAX, SIZE_MAX - PAGE + 2, SIZE_MAX - PAGE + 1};
	mvm_vaddr_t to;

	(void)state;
	fixed(0, 2);
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		size_t n = lengths[i];

		assert_int_equal(mvm_unmap(space, LOW, n), -MVM_EINVAL);
		assert_int_equal(mvm_protect(space, LOW, n, 0), -MVM_EINVAL);
		assert_int_equal(mvm_sync(space, LOW, n, 0, NULL), -MVM_EINVAL);
		assert_int_equal(mvm_advise(space, LOW, n, MVM_ADVISE_RANDOM), -MVM_EINVAL);
		assert_int_equal(mvm_advise(space, LOW, n, MVM_ADVISE_DONTNEED), -MVM_EINVAL);
		assert_int_equal(mvm_mlock(space, LOW, n, false), -MVM_EINVAL);
		assert_int_equal(mvm_munlock(space, LOW, n), -MVM_EINVAL);
		to = 0;
		assert_int_not_equal(mvm_remap(space, LOW, n, PAGE, MVM_REMAP_MAYMOVE, &to), 0);
		assert_int_not_equal(mvm_remap(space, LOW, PAGE, n, MVM_REMAP_MAYMOVE, &to), 0);
	}
	assert_int_equal(
		mvm_remap(space, LOW, SIZE_MAX, PAGE, MVM_REMAP_MAYMOVE, &to), -MVM_EINVAL);
	assert_int_equal(
		mvm_remap(space, LOW, PAGE, SIZE_MAX, MVM_REMAP_MAYMOVE, &to), -MVM_EINVAL);
}

/* With a claim far from anything that could be had, nobody waits for it: it does not go. */
static void no_room_is_said_at_once(void **state)
{
	struct claim claim;
	mvm_vaddr_t target;

	(void)state;
	fixed(20, 2);
	space_lock(space);
	claim_enter(space, &claim, LOW, LOW + PAGE, CLAIM_UNMAP);
	space_unlock(space);
	assert_int_equal(map(-1, PAGES, 0), -MVM_ENOMEM);
	assert_int_equal(mvm_remap(space, LOW + 20 * PAGE, 2 * PAGE, PAGES * PAGE,
				 MVM_REMAP_MAYMOVE, &target),
		-MVM_ENOMEM);
	space_lock(space);
	claim_leave_unlock(space, &claim);
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	unsigned ops = 20000;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(three_pages_in_holes_of_5_3_4, set_up, tear_down),
		cmocka_unit_test_setup_teardown(anywhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_free_hint_is_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fixed_noreplace_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stack_keeps_its_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_arguments, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_room_is_said_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_claimed_neighbour_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ranges_past_all_addresses, set_up, tear_down),
	};

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 0);
		else if (strcmp(argv[i], "--ops") == 0)
			ops = (unsigned)strtoul(argv[i + 1], NULL, 0);
		else if (strcmp(argv[i], "--policy") == 0)
			policy = argv[i + 1];
	}
	posix_start(256);
	if (mvm_init() != 0)
		return 2;
	return kit_place(seed, ops) + cmocka_run_group_tests(tests, NULL, NULL);
}
