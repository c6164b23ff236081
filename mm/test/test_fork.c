// SPDX-License-Identifier: MIT
/*
 * Faults in the midst of a fork: which go on, and which wait for its end.  They come while the fork
 * waits for harts to forget that they may store.  Who would have to wait is dying, so that he says
 * so instead.
 */
#include "fixture.h"

#include <string.h>

#define PAGES 64 /* as many as a large page has */
#define SEEN  3

static enum mvm_fault_result stored, loaded[SEEN];
static char bytes[SEEN];

static void in_the_midst(void)
{
	posix_on_fence(NULL);
	posix_kill(posix_hart(), true);
	stored = posix_store(space, AT + PAGE, "x", 1);
	for (size_t i = 0; i < SEEN; i++)
		loaded[i] = posix_load(space, AT + i * PAGE, &bytes[i], 1);
	posix_kill(posix_hart(), false);
}

static int set_up(void **state)
{
	(void)state;
	memset(bytes, '?', sizeof bytes);
	return fixture_set_up(1);
}

/* Of two large pages' worth only the first page has been stored to, at AT and behind none. */
static void fork_in_the_midst_of_which(unsigned flags)
{
	map_pages(AT - PAGES * PAGE, 2 * PAGES, flags, NULL, 0);
	store(AT - PAGES * PAGE, 'a');
	posix_on_fence(in_the_midst);
	fork_child();
	assert_int_equal(stored, MVM_FAULT_KILLED);
}

static void loads_go_on(void **state)
{
	(void)state;
	fork_in_the_midst_of_which(0);
	for (size_t i = 0; i < SEEN; i++) {
		assert_int_equal(loaded[i], MVM_FAULT_OK);
		assert_int_equal(bytes[i], 0);
	}
	/* Neither side hears of what the other stores from then on. */
	mvm_check();
	store(AT, 'p');
	assert_int_equal(load_of(child, AT), 0);
	store_to(child, AT + PAGE, 'c');
	assert_int_equal(load(AT + PAGE), 0);
	assert_int_equal(load(AT), 'p');
	assert_int_equal(load_of(child, AT - PAGES * PAGE), 'a');
}

/* They would make pages, which the child is to have, too. */
static void loads_that_make_pages_wait(void **state)
{
	(void)state;
	fork_in_the_midst_of_which(MVM_MAP_HUGE);
	for (size_t i = 0; i < SEEN; i++)
		assert_int_equal(loaded[i], MVM_FAULT_KILLED);
	assert_int_equal(load(AT), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(loads_go_on),
		CASE(loads_that_make_pages_wait),
	};

	return fixture_main(4096, tests);
}
