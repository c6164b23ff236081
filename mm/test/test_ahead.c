// SPDX-License-Identifier: MIT
/*
 * What a fork does ahead: who is stored to soon after forks has his page without a fault at the
 * next one, on both sides, each with its own contents; a child has what its like have loaded from;
 * and who is not accessed any more is forgotten.
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

/* PAGES pages, each with a letter or number of its own. */
static void make_pages(char first)
{
	map_pages(AT, PAGES, 0, NULL, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_faults(space, i, (char)(first + (char)i));
}

/* A child that stores to the first pages, and ends. */
static void fork_and_store(unsigned pages)
{
	fork_child();
	for (unsigned i = 0; i < pages; i++)
		store_faults(child, i, 'c');
	end_child();
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
	make_pages(0);
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
	make_pages(0);
	fork_and_store(PAGES);
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
	fork_and_store(4);
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

/* A store where there is no room for it, and many: each fork forgets one page for the first. */
static void new_stores_take_the_place_of_old_ones(void **state)
{
	unsigned old = 0;

	(void)state;
	make_pages(0);
	fork_and_end();
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(store_faults(space, 2 * i, 'o'), 1);
	fork_child();
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(store_faults(space, 2 * i + 1, 'n'), 1);
	end_child();
	fork_child();
	assert_int_equal(store_faults(space, 1, 'n'), 0);
	for (unsigned i = 0; i < 8; i++)
		old += store_faults(space, 2 * i, 'o') == 0;
	assert_int_equal(old, 7);
}

/* --- Loads ------------------------------------------------------------------------------------ */

#define FILE_AT (AT + 4 * PAGES * PAGE)
#define LOADED  200 /* forks: more than it takes to doubt every page that is loaded */

static bool is_mapped(struct mvm_space *of, mvm_vaddr_t va)
{
	char byte;

	return posix_try_load(of, va, &byte, 1) == 1;
}

/* A private page, one of a file mapped privately, and one of it shared. */
static const mvm_vaddr_t loaded[] = {
	AT + 3 * PAGE, FILE_AT + 5 * PAGE, FILE_AT + (PAGES + 7) * PAGE};

#define N_LOADED (sizeof loaded / sizeof loaded[0])

static void map_what_is_loaded(void)
{
	make_pages('A');
	map_pages(FILE_AT, PAGES, 0, file->object, 0);
	map_pages(FILE_AT + PAGES * PAGE, PAGES, MVM_MAP_SHARED, file->object, 0);
}

/* Fork, and load in the child; how many of the pages it had then. */
static unsigned fork_and_load(void)
{
	unsigned had = 0;

	fork_child();
	for (unsigned i = 0; i < N_LOADED; i++) {
		had += is_mapped(child, loaded[i]);
		load_of(child, loaded[i]);
	}
	return had;
}

static void first_loads_take_no_fault(void **state)
{
	unsigned missed = 0;

	(void)state;
	map_what_is_loaded();
	assert_int_equal(fork_and_load(), 0);
	end_child();
	for (unsigned n = 0; n < LOADED; n++) {
		missed += N_LOADED - fork_and_load();
		assert_int_equal(load_of(child, loaded[1]), 'f');
		assert_int_equal(load_of(child, loaded[2]), 'h');
		assert_int_equal(load_of(child, loaded[0]), 'D');
		assert_int_equal(posix_try_store(child, loaded[0], "x", 1), 0);
		assert_int_equal(posix_try_store(child, loaded[1], "x", 1), 0);
		assert_int_equal(posix_try_store(child, loaded[2], "x", 1), 0);
		end_child();
	}
	/* What is mapped is what was there at the fork. */
	fork_child();
	store_to(space, loaded[0], 'p');
	assert_int_equal(load_of(child, loaded[0]), 'D');
	/* One page in sixteen forks is doubted. */
	assert_in_range(missed, 1, LOADED / 16 + 2);
}

static void what_is_not_loaded_is_forgotten(void **state)
{
	(void)state;
	map_what_is_loaded();
	fork_and_load();
	end_child();
	for (unsigned n = 0; n < LOADED; n++)
		fork_and_end();
	assert_int_equal(fork_and_load(), 0);
}

/* Others than before take the place of those that are known, one a fork. */
static void new_loads_take_the_place_of_old_ones(void **state)
{
	(void)state;
	map_what_is_loaded();
	fork_child();
	for (unsigned i = 0; i < 8; i++)
		load_of(child, AT + (10 + 2 * i) * PAGE); /* no sequence */
	end_child();
	for (unsigned n = 0; n < N_LOADED; n++) {
		assert_int_equal(fork_and_load(), n);
		end_child();
	}
	assert_int_equal(fork_and_load(), N_LOADED);
}

/* Only what children load counts, not what others in the space do. */
static void the_parents_loads_do_not_count(void **state)
{
	(void)state;
	map_what_is_loaded();
	fork_and_end();
	for (unsigned i = 0; i < N_LOADED; i++)
		load(loaded[i]);
	fork_child();
	for (unsigned i = 0; i < N_LOADED; i++)
		assert_false(is_mapped(child, loaded[i]));
}

/* What is known by its number may be past the file's end by now, not to be read, or nothing. */
static void loads_that_may_not_be_are_left_alone(void **state)
{
	char byte;

	(void)state;
	map_what_is_loaded();
	fork_and_load();
	end_child();
	assert_int_equal(mvm_pc_truncate(file->object, 6 * PAGE), 0);
	assert_int_equal(mvm_protect(space, loaded[1], PAGE, 0), 0);
	assert_int_equal(mvm_unmap(space, loaded[0], PAGE), 0);
	fork_child();
	assert_int_equal(posix_load(child, loaded[0], &byte, 1), MVM_FAULT_MAPERR);
	assert_int_equal(posix_load(child, loaded[1], &byte, 1), MVM_FAULT_ACCERR);
	assert_int_equal(posix_load(child, loaded[2], &byte, 1), MVM_FAULT_BUS);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(first_stores_take_no_fault),
		CASE(what_is_not_stored_to_is_forgotten),
		CASE(pages_that_went_are_left_alone),
		CASE(new_stores_take_the_place_of_old_ones),
		CASE(first_loads_take_no_fault),
		CASE(what_is_not_loaded_is_forgotten),
		CASE(new_loads_take_the_place_of_old_ones),
		CASE(the_parents_loads_do_not_count),
		CASE(loads_that_may_not_be_are_left_alone),
	};

	return fixture_main(4096, tests);
}
