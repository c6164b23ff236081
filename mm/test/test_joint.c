// SPDX-License-Identifier: MIT
/*
 * Joint holds (joint.c): what threads fill at once is all there, once, and counted; and whoever has
 * the space's lock is alone.
 *
 * Threads make the order of things new each time.  A rule that is broken shows in one round of some
 * thousand, so the rounds are many and small.
 */
#include "space.h"

#include "fixture.h"

#include <pthread.h>
#include <unistd.h>

#define THREADS 4
#define PAGES   (4 * NODE_SLOTS)
#define ROUNDS  300

static pthread_barrier_t together;

/* Work that all threads begin at once, round after round; `number` is the thread's. */
struct crew {
	pthread_t thread[THREADS];
	void (*work)(unsigned number);
	unsigned rounds;
};

static struct crew crew;
static unsigned failures; /* [a] cmocka's own asserts are for the main thread */

static void must(bool condition)
{
	if (!condition)
		__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
}

static void *member(void *number)
{
	for (unsigned round = 0; round < crew.rounds; round++) {
		pthread_barrier_wait(&together); /* the round begins */
		crew.work((unsigned)(uintptr_t)number);
		pthread_barrier_wait(&together); /* and is over */
	}
	return NULL;
}

/*
 * Have them work; in each round the main thread does `beside` while they do,
 * and `after` when all have.
 */
static void work(void (*by_each)(unsigned number), unsigned rounds, void (*before)(void),
	void (*beside)(void), void (*after)(void))
{
	crew = (struct crew){.work = by_each, .rounds = rounds};
	failures = 0;
	pthread_barrier_init(&together, NULL, THREADS + 1);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&crew.thread[i], NULL, member, (void *)i), 0);
	for (unsigned round = 0; round < rounds; round++) {
		before();
		pthread_barrier_wait(&together);
		if (beside)
			beside();
		pthread_barrier_wait(&together);
		after();
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(crew.thread[i], NULL);
	pthread_barrier_destroy(&together);
	assert_int_equal(failures, 0);
}

static mvm_vaddr_t page_at(size_t page)
{
	return AT + page * PAGE;
}

/*
 * Nothing is there, but a leaf of the tree and a table for each page of it: a
 * page in each was touched.
 */
static void empty_with_leaves(void)
{
	assert_int_equal(mvm_unmap(space, AT, PAGES * PAGE), 0);
	map_pages(AT, PAGES, 0, NULL, 0);
	for (size_t i = 0; i < PAGES; i += NODE_SLOTS)
		store(page_at(i), 0);
}

static unsigned long tried; /* [a] faults of fill_own() */
static uint64_t faults, turn;

static void count_from_here(void)
{
	tried = 0;
	faults = stats_of(space).faults;
	turn = space->joint ? space->joint->turn : 0;
}

static void begin_to_count(void)
{
	empty_with_leaves();
	count_from_here();
}

/*
 * Nothing is there, but the node that leaves hang in, and a table: the page before the first was
 * touched, and the one after the last.
 */
static void begin_without_leaves(void)
{
	mvm_vaddr_t before = page_at(0) - PAGE, after = page_at(PAGES);

	assert_int_equal(mvm_unmap(space, before, (PAGES + 2) * PAGE), 0);
	map_pages(before, PAGES + 2, 0, NULL, 0);
	store(before, 0);
	store(after, 0);
	count_from_here();
}

/* --- All fill, and nobody else does anything -------------------------------------------------- */

/* Each has a page in THREADS, so in each leaf there are all of them at once. */
static void fill_own(unsigned number)
{
	for (size_t i = number; i < PAGES; i += THREADS) {
		must(mvm_fault(space, page_at(i), MVM_WRITE) == MVM_FAULT_OK);
		__atomic_fetch_add(&tried, 1, __ATOMIC_RELAXED);
	}
}

/* All want the same page; each stores to a byte of its own in it, which must stay. */
static void fill_same(unsigned number)
{
	char byte = (char)('a' + number);

	for (size_t i = 0; i < PAGES; i++)
		must(posix_store(space, page_at(i) + number, &byte, 1) == MVM_FAULT_OK);
}

static void all_are_there(void)
{
	assert_in_range(stats_of(space).anon_pages, PAGES, PAGES + 2); /* the ones beside */
	mvm_check_space(space);
}

static void own_are_counted(void)
{
	all_are_there();
	assert_int_equal(stats_of(space).faults - faults, tried);
}

/* Else nothing was tested. */
static void check_joined(void)
{
	unsigned harts = 0;

	assert_true(space->joined);
	for (unsigned i = 0; i < MVMH_MAX_HARTS; i++)
		harts += space->joint->harts[i].turn != 0;
	assert_true(harts > 1);
}

/* All pages, in a space that has joint holds then. */
static void fill_jointly(void)
{
	work(fill_own, 1, begin_to_count, NULL, own_are_counted);
	check_joined();
}

static void own_pages_are_filled_once_and_counted(void **state)
{
	(void)state;
	work(fill_own, ROUNDS, begin_to_count, NULL, own_are_counted);
	check_joined();
}

static void no_store_is_lost(void)
{
	all_are_there();
	for (size_t i = 0; i < PAGES; i++)
		for (unsigned number = 0; number < THREADS; number++)
			assert_int_equal(load(page_at(i) + number), 'a' + (int)number);
}

static void the_same_pages_are_filled_once(void **state)
{
	(void)state;
	work(fill_same, 3 * ROUNDS, begin_to_count, NULL, no_store_is_lost);
	check_joined();
}

/* Whoever has the lock sees a space at rest: mvm_check_space() looks at all of it in one hold. */
static void look_again_and_again(void)
{
	for (unsigned i = 0; i < 8; i++)
		mvm_check_space(space);
}

/* All need the same leaf, and have none: one makes it, and what the others made goes back. */
static void the_same_leaves_are_made_once(void **state)
{
	(void)state;
	work(fill_same, ROUNDS, begin_without_leaves, NULL, no_store_is_lost);
	work(fill_own, ROUNDS, begin_without_leaves, look_again_and_again, own_are_counted);
	check_joined();
}

/* The same, one after the other: as if two had seen that there is none. */
static void who_comes_second_frees_his_leaf(void **state)
{
	uint64_t vpn = page_at(0) >> MVM_PAGE_SHIFT;
	struct grave grave = {.anons = anon_new()};
	struct node *first, *second;
	uint64_t nodes;

	(void)state;
	begin_without_leaves();
	nodes = slab_live(SLAB_NODE);
	space_lock(space);
	first = second = anon_place(&space->anons, vpn);
	assert_int_equal(first->level, 1);
	assert_true(anon_fill(&first, vpn, anon_new()));
	assert_int_equal(first->level, 0);
	assert_false(anon_fill(&second, vpn + 1, grave.anons));
	assert_int_equal(second->level, 1);
	anon_count_filled(&space->anons, vpn >> NODE_BITS, 1);
	space_unlock(space);
	anon_bury(&grave);
	assert_int_equal(slab_live(SLAB_NODE), nodes + 1);
	mvm_check_space(space);
}

/* A leaf may hang in a node of a higher level: it is found, and only where it is. */
static void a_leaf_is_filled_in_where_levels_are_skipped(void **state)
{
	mvm_vaddr_t apart = NODE_SLOTS * NODE_SLOTS * NODE_SLOTS * PAGE, va[3];
	uint64_t vpn;
	struct node *place;
	bool exclusive;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		va[i] = page_at(0) + (i + 1) * apart;
	map_pages(va[0], 2 * apart / PAGE + 1, 0, NULL, 0);
	store(va[0], 0);
	store(va[1], 0);
	vpn = va[2] >> MVM_PAGE_SHIFT;
	space_lock(space);
	place = anon_place(&space->anons, vpn);
	assert_int_equal(place->level, 3);
	assert_true(anon_fill(&place, vpn, anon_new()));
	assert_int_equal(place->level, 0);
	anon_count_filled(&space->anons, vpn >> NODE_BITS, 1);
	assert_non_null(anon_find(&space->anons, vpn, &exclusive));
	assert_true(exclusive);
	assert_null(anon_place(&space->anons, vpn + NODE_SLOTS));
	space_unlock(space);
	mvm_check_space(space);
	assert_int_equal(mvm_unmap(space, va[0], va[2] + PAGE - va[0]), 0);
}

/* Each has leaves of its own. */
static void fill_own_leaves(unsigned number)
{
	for (size_t i = 0; i < PAGES / THREADS; i++)
		must(mvm_fault(space, page_at(number * (PAGES / THREADS) + i), MVM_WRITE) ==
			MVM_FAULT_OK);
}

static void nobody_took_the_lock(void)
{
	assert_int_equal(space->joint->turn, turn);
	all_are_there();
}

static void leaves_are_made_without_the_lock(void **state)
{
	(void)state;
	fill_jointly();
	work(fill_own_leaves, 10, begin_without_leaves, NULL, nobody_took_the_lock);
}

/* Pages that are there and only not mapped for stores: none is made for them. */
static void none_is_made_in_vain(void **state)
{
	uint64_t requests;

	(void)state;
	fill_jointly();
	assert_int_equal(mvm_protect(space, AT, PAGES * PAGE, MVM_READ), 0);
	assert_int_equal(mvm_protect(space, AT, PAGES * PAGE, RW), 0);
	requests = posix_requests(POSIX_FAIL_FRAME);
	for (size_t i = 0; i < PAGES; i++)
		store(page_at(i), 'x');
	assert_in_range(posix_requests(POSIX_FAIL_FRAME) - requests, 0, 1);
}

/* A hart that has filled pages of an area remembers it; stores there are not allowed any more. */
static void none_is_made_where_none_may_be_stored_to(void **state)
{
	uint64_t requests;

	(void)state;
	fill_jointly();
	empty_with_leaves();
	store(page_at(1), 'x');
	assert_int_equal(mvm_protect(space, AT, PAGES * PAGE, MVM_READ), 0);
	requests = posix_requests(POSIX_FAIL_FRAME);
	for (size_t i = 2; i < NODE_SLOTS; i++)
		assert_int_equal(mvm_fault(space, page_at(i), MVM_WRITE), MVM_FAULT_ACCERR);
	assert_in_range(posix_requests(POSIX_FAIL_FRAME) - requests, 0, 1);
}

/* --- Beside somebody who takes the lock ------------------------------------------------------- */

static void nobody_fills_while_the_lock_is_held(void **state)
{
	(void)state;
	work(fill_own, ROUNDS, begin_to_count, look_again_and_again, own_are_counted);
	check_joined();
}

static void hold_for_long(void)
{
	space_lock(space);
	usleep(20000); /* all have come by then, mostly: if not, nothing is tested */
	space_unlock(space);
}

/* But for the pages that are there. */
static void nobody_else_took_the_lock(void)
{
	assert_in_range(space->joint->turn - turn, 1, 1 + PAGES / NODE_SLOTS);
	own_are_counted();
}

/* Who finds the lock taken fills in a joint hold after that. */
static void who_waited_is_not_alone_then(void **state)
{
	(void)state;
	fill_jointly();
	work(fill_own, 10, begin_to_count, hold_for_long, nobody_else_took_the_lock);
}

/* What was emptied, or is the child's, is filled again. */
static void take_away(void)
{
	for (unsigned i = 0; i < 4; i++) {
		must(mvm_advise(space, page_at(NODE_SLOTS / 2), 2 * NODE_SLOTS * PAGE,
			     MVM_ADVISE_DONTNEED) == 0);
		mvm_check_space(space);
		fork_child();
		mvm_check_space(child);
		end_child();
		must(mvm_protect(space, page_at(8), 4 * PAGE, RW) == 0);
	}
}

static void counts_agree(void)
{
	mvm_check_space(space);
}

static void what_is_taken_away_meanwhile_is_counted_as_well(void **state)
{
	(void)state;
	work(fill_own, ROUNDS / 3, begin_to_count, take_away, counts_agree);
}

/* --- The end of joint holds ------------------------------------------------------------------- */

static void nothing(unsigned number)
{
	(void)number;
}

static void do_not_care(void)
{
}

static void fill_and_give_back(void)
{
	store(page_at(1), 'x');
	assert_int_equal(mvm_advise(space, page_at(1), PAGE, MVM_ADVISE_DONTNEED), 0);
}

/* Not even if it fills pages all the time. */
static void a_thread_that_is_left_alone_is_alone(void **state)
{
	(void)state;
	fill_jointly();
	begin_to_count();
	/* The next store would join it again: this host's locks are always waited for. */
	for (unsigned i = 0; i < 1000 && space->joined; i++)
		fill_and_give_back();
	assert_false(space->joined);
	mvm_check_space(space);
}

/* A thread that is alone does not pay for others for ever, and pays again when they come back. */
static void a_space_forgets_that_it_was_joined(void **state)
{
	(void)state;
	fill_jointly();
	for (unsigned i = 0; i < 1000; i++)
		(void)stats_of(space);
	assert_false(space->joined);
	work(nothing, 1, do_not_care, NULL, do_not_care);
	assert_false(space->joined);
	fill_jointly();
}

static int set_up(void **state)
{
	(void)state;
	return fixture_set_up(1);
}

#define JOINT_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOINT_TEST(own_pages_are_filled_once_and_counted),
		JOINT_TEST(the_same_pages_are_filled_once),
		JOINT_TEST(the_same_leaves_are_made_once),
		JOINT_TEST(who_comes_second_frees_his_leaf),
		JOINT_TEST(a_leaf_is_filled_in_where_levels_are_skipped),
		JOINT_TEST(leaves_are_made_without_the_lock),
		JOINT_TEST(none_is_made_in_vain),
		JOINT_TEST(none_is_made_where_none_may_be_stored_to),
		JOINT_TEST(nobody_fills_while_the_lock_is_held),
		JOINT_TEST(who_waited_is_not_alone_then),
		JOINT_TEST(what_is_taken_away_meanwhile_is_counted_as_well),
		JOINT_TEST(a_thread_that_is_left_alone_is_alone),
		JOINT_TEST(a_space_forgets_that_it_was_joined),
	};

	return fixture_main(4 * PAGES, tests);
}
