// SPDX-License-Identifier: MIT
/*
 * What a fork copies ahead: who is stored to soon after forks has his page without a fault at the
 * next one, on both sides, each with its own contents; and who is not any more is forgotten.
 */
#include "fixture.h"

#define PAGES  32
#define FORKS  40 /* more than it takes to doubt every page that is known */
#define STABLE 8  /* forks after which what is known has settled */

static int set_up(void **state)
{
	(void)state;
	return fixture_set_up(PAGES);
}

/* Faults that a store to the page takes. */
static unsigned store_faults(struct mvm_space *of, unsigned page, char value)
{
	uint64_t before = stats_of(of).faults;

	assert_int_equal(posix_store(of, AT + page * PAGE, &value, 1), MVM_FAULT_OK);
	return (unsigned)(stats_of(of).faults - before);
}

static uint64_t copies(void)
{
	struct mvm_stats s;

	mvm_stats(&s);
	return s.cow_copies;
}

static void first_stores_take_no_fault(void **state)
{
	unsigned faults = 0;

	(void)state;
	map_pages(AT, PAGES, 0, NULL, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_faults(space, i, (char)i);
	for (unsigned n = 0; n < FORKS; n++) {
		uint64_t before;
		unsigned of_this;

		fork_child();
		before = copies();
		of_this = store_faults(child, 1, 'c') + store_faults(child, 20, 'd') +
			  store_faults(space, 20, 'p');

		if (n > STABLE)
			faults += of_this;
		assert_int_equal(load_of(space, AT + PAGE), 1);
		assert_int_equal(load_of(child, AT + PAGE), 'c');
		assert_int_equal(load_of(child, AT + 20 * PAGE), 'd');
		assert_int_equal(load_of(space, AT + 20 * PAGE), 'p');
		assert_true(copies() - before <= of_this);
		end_child();
	}
	/* One page in four forks is doubted. */
	assert_in_range(faults, 1, (FORKS - STABLE) * 2 / 4);
}

static void fork_and_end(void)
{
	fork_child();
	end_child();
}

/* Of pages that nobody stores to any more none is copied in the end. */
static void what_is_not_stored_to_is_forgotten(void **state)
{
	uint64_t before;

	(void)state;
	map_pages(AT, PAGES, 0, NULL, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_faults(space, i, (char)i);
	fork_child();
	for (unsigned i = 0; i < PAGES; i++)
		store_faults(child, i, 'c');
	end_child();
	before = copies();
	fork_and_end();
	assert_in_range(copies() - before, 1, 8);
	for (unsigned n = 0; n < FORKS; n++)
		fork_and_end();
	before = copies();
	fork_and_end();
	assert_int_equal(copies(), before);
}

/* What is known by its number may be something else by now, or nothing. */
static void pages_that_went_are_left_alone(void **state)
{

	(void)state;
	map_pages(AT, PAGES, 0, NULL, 0);
	for (unsigned i = 0; i < 4; i++)
		store_faults(space, i, (char)('a' + i));
	fork_child();
	for (unsigned i = 0; i < 4; i++)
		store_faults(child, i, 'c');
	end_child();
	assert_int_equal(mvm_unmap(space, AT, PAGE), 0);
	assert_int_equal(mvm_protect(space, AT + PAGE, PAGE, MVM_READ), 0);
	fork_child();
	assert_int_equal(posix_store(space, AT + PAGE, "x", 1), MVM_FAULT_ACCERR);
	assert_int_equal(posix_store(child, AT + PAGE, "x", 1), MVM_FAULT_ACCERR);
	assert_int_equal(posix_store(child, AT, "x", 1), MVM_FAULT_MAPERR);
	assert_int_equal(load_of(child, AT + PAGE), 'b');
	assert_int_equal(load_of(child, AT + 2 * PAGE), 'c');
	end_child();
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(first_stores_take_no_fault),
		CASE(what_is_not_stored_to_is_forgotten),
		CASE(pages_that_went_are_left_alone),
	};

	return fixture_main(4096, tests);
}
