// SPDX-License-Identifier: MIT
/*
 * Fault-around for private pages: who comes back to them in sequence, either way, faults once in
 * PAGES of them; nobody else gets any mapped that he did not ask for; and no page is mapped with
 * more than its own fault would give it.
 */
#include "fixture.h"

#define PAGES  32 /* that one fault maps, from a multiple of that on */
#define AREA   (3 * PAGES)
#define SINGLE 3  /* faults until a sequence is seen */
#define LEAF   64 /* pages of the tree's leaf, the area's first */

static int set_up(void **state)
{
	(void)state;
	return fixture_set_up(1);
}

/* AREA pages that are there, and mapped. */
static void make_pages(void)
{
	map_pages(AT, AREA, 0, NULL, 0);
	for (size_t i = 0; i < AREA; i++)
		store(AT + i * PAGE, (char)i);
}

/* Take rights away, and give them back; nothing is mapped then, or nothing may be stored to. */
static void protect(mvm_vaddr_t at, size_t pages, unsigned rights)
{
	assert_int_equal(mvm_protect(space, at, pages * PAGE, rights), 0);
	assert_int_equal(mvm_protect(space, at, pages * PAGE, RW), 0);
}

/* The same, not mapped. */
static void make_hidden(void)
{
	make_pages();
	protect(AT, AREA, 0);
	assert_int_equal(posix_mapped(space), 0);
}

static uint64_t faults_of(struct mvm_space *of)
{
	return stats_of(of).faults;
}

static uint64_t load_faults(struct mvm_space *of, size_t page)
{
	uint64_t before = faults_of(of);

	assert_int_equal(load_of(of, AT + page * PAGE), (char)page);
	return faults_of(of) - before;
}

static uint64_t load_faults_of_all(struct mvm_space *of)
{
	uint64_t faults = 0;

	for (size_t i = 0; i < AREA; i++)
		faults += load_faults(of, i);
	return faults;
}

static uint64_t store_faults(struct mvm_space *of, size_t page)
{
	uint64_t before = faults_of(of);

	store_to(of, AT + page * PAGE, (char)page);
	return faults_of(of) - before;
}

static void loads_in_sequence(void **state)
{
	(void)state;
	make_hidden();
	assert_int_equal(load_faults_of_all(space), SINGLE + AREA / PAGES - 1);
	for (size_t i = 0; i < AREA; i++)
		assert_int_equal(store_faults(space, i), 0); /* never forked: they were all ours */
}

static void stores_downwards(void **state)
{
	uint64_t faults = 0;

	(void)state;
	make_pages();
	protect(AT, AREA, MVM_READ);
	for (size_t i = AREA; i-- > 0;)
		faults += store_faults(space, i);
	assert_int_equal(faults, SINGLE + AREA / PAGES - 1);
}

/* One page, two, and others with something between: each faults alone. */
static void no_sequence(void **state)
{
	static const unsigned char page[] = {40, 41, 8, 10, 12, 50, 53, 52, 20, 22, 21};

	(void)state;
	make_hidden();
	for (size_t i = 0; i < sizeof page; i++) {
		assert_int_equal(load_faults(space, page[i]), 1);
		assert_int_equal(posix_mapped(space), i + 1);
	}
}

static void where_random_was_advised(void **state)
{
	(void)state;
	make_hidden();
	assert_int_equal(mvm_advise(space, AT, AREA * PAGE, MVM_ADVISE_RANDOM), 0);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(load_faults(space, i), 1);
}

/* Loads beside what may only be loaded are no sequence of stores. */
static void readable_pages_lead_to_no_stores(void **state)
{
	(void)state;
	make_pages();
	assert_int_equal(mvm_protect(space, AT, 8 * PAGE, 0), 0);
	assert_int_equal(mvm_protect(space, AT, 8 * PAGE, MVM_READ), 0);
	(void)load(AT), (void)load(AT + PAGE), (void)load(AT + 2 * PAGE);
	assert_int_equal(load_faults(space, 3), 0);
	assert_int_equal(mvm_protect(space, AT, 8 * PAGE, RW), 0);
	for (size_t i = 0; i < SINGLE; i++)
		assert_int_equal(store_faults(space, i), 1);
	assert_int_equal(store_faults(space, 3), 0);
}

/* Neighbours that belong to another area keep what that allows, and what is absent stays so. */
static void ends_with_the_area(void **state)
{
	(void)state;
	make_hidden();
	assert_int_equal(mvm_protect(space, AT + 8 * PAGE, 8 * PAGE, MVM_READ), 0);
	assert_int_equal(mvm_advise(space, AT + 6 * PAGE, PAGE, MVM_ADVISE_DONTNEED), 0);
	for (size_t i = 15; i > 15 - SINGLE; i--)
		assert_int_equal(load_faults(space, i), 1);
	assert_int_equal(posix_mapped(space), 8);
	for (size_t i = 0; i < SINGLE; i++)
		assert_int_equal(load_faults(space, i), 1);
	assert_int_equal(posix_mapped(space), 8 + 7);
	assert_int_equal(load(AT + 6 * PAGE), 0);
	assert_int_equal(posix_store(space, AT + 8 * PAGE, "x", 1), MVM_FAULT_ACCERR);
}

/* Where the space ends no host is asked what is beside, and pages fault alone. */
static void at_the_ends_of_the_space(void **state)
{
	mvm_vaddr_t top = (mvm_vaddr_t)1 << 39;

	(void)state;
	mvm_space_unref(space);
	assert_int_equal(mvm_space_new(PAGE, top, &space), 0);
	for (size_t i = 0; i < 2; i++) {
		mvm_vaddr_t at = i ? PAGE : top - 2 * PAGE;

		map_pages(at, 2, 0, NULL, 0);
		store(at, 'a'), store(at + PAGE, 'b');
		protect(at, 2, 0);
		assert_int_equal(load(at + PAGE), 'b');
		assert_int_equal(load(at), 'a');
	}
}

/* After a fork both sides load what they share without faults of each, and store to copies. */
static void what_a_fork_shares_is_not_writable(void **state)
{
	(void)state;
	make_pages();
	fork_child();
	assert_int_equal(load_faults_of_all(child), SINGLE + AREA / PAGES - 1);
	store_to(child, AT + 20 * PAGE, 'c');
	assert_int_equal(load(AT + 20 * PAGE), 20);
	store(AT + 21 * PAGE, 'p');
	assert_int_equal(load_of(child, AT + 21 * PAGE), 21);
}

/*
 * Nor once the history of forks hears of no more stores: these are to pages of another leaf of the
 * tree, so that those here are shared by their leaf alone.
 */
static void nor_when_the_history_is_full(void **state)
{
	(void)state;
	make_pages();
	fork_child();
	for (size_t i = LEAF; i < LEAF + 8; i++)
		store(AT + i * PAGE, (char)i);
	end_child();
	protect(AT, LEAF, 0);
	fork_child();
	store(AT + (LEAF + 8) * PAGE, 'p');
	for (size_t i = 0; i < LEAF; i++)
		(void)load(AT + i * PAGE);
	for (size_t i = 0; i < LEAF; i++) {
		store(AT + i * PAGE, 'p');
		assert_int_equal(load_of(child, AT + i * PAGE), (char)i);
	}
}

/* Pages of our own beside such that are shared: only they become writable. */
static void some_are_shared(void **state)
{
	(void)state;
	make_pages();
	fork_child();
	for (size_t i = 0; i < AREA; i += i == 8 ? 2 : 1)
		store(AT + i * PAGE, (char)i); /* fills the history, too */
	protect(AT, AREA, 0);
	for (size_t i = 0; i < SINGLE; i++)
		assert_int_equal(store_faults(space, i), 1);
	assert_int_equal(store_faults(space, 7), 0);
	store(AT + 9 * PAGE, 'p');
	assert_int_equal(load_of(child, AT + 9 * PAGE), 9);
}

/* While the history of forks has room a load makes no page writable but its own. */
static void the_history_hears_of_stores(void **state)
{
	(void)state;
	make_hidden();
	fork_child();
	end_child();
	protect(AT, AREA, 0);
	for (size_t i = 0; i < PAGES; i++)
		assert_int_equal(load_faults(space, i), i < SINGLE);
	assert_int_equal(store_faults(space, 20), 1);
	fork_child();
	assert_int_equal(store_faults(space, 20), 0); /* it was copied ahead */
	assert_int_equal(store_faults(child, 20), 0);
}

/* So stores in sequence fault until it is full, and then no more. */
static void the_history_is_filled_first(void **state)
{
	uint64_t faults = 0;

	(void)state;
	make_pages();
	fork_child();
	end_child();
	for (size_t i = 0; i < AREA; i++)
		faults += store_faults(space, i);
	assert_int_equal(faults, 8 + AREA / PAGES - 1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(loads_in_sequence),
		CASE(stores_downwards),
		CASE(no_sequence),
		CASE(where_random_was_advised),
		CASE(readable_pages_lead_to_no_stores),
		CASE(ends_with_the_area),
		CASE(at_the_ends_of_the_space),
		CASE(what_a_fork_shares_is_not_writable),
		CASE(nor_when_the_history_is_full),
		CASE(some_are_shared),
		CASE(the_history_hears_of_stores),
		CASE(the_history_is_filled_first),
	};

	return fixture_main(4096, tests);
}
