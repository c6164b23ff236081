// SPDX-License-Identifier: MIT
/*
 * Fault-around for code: who runs through a program that is in memory, either way, faults once in
 * PAGES of it, and each time harts are told of new code once.  (That they are told before they can
 * find it the machine of posix.h checks in every test.)
 */
#include "fixture.h"

#define PAGES 32 /* that one fault maps, from a multiple of that on */
#define AREA  (4 * PAGES)

/* A file that is in memory and mapped as code. */
static int set_up(void **state)
{
	static char bytes[AREA * PAGE];
	size_t done;

	(void)state;
	return fixture_set_up(AREA) || test_file_read(file, 0, bytes, sizeof bytes, &done) ||
	       map_fixed(space, AT, AREA, MVM_READ | MVM_EXEC, 0, file->object, 0);
}

static uint64_t faults_of_page(size_t page)
{
	uint64_t before = stats_of(space).faults;

	assert_int_equal(posix_execute(space, AT + page * PAGE), MVM_FAULT_OK);
	return stats_of(space).faults - before;
}

static void forwards(void **state)
{
	uint64_t faults = 0, syncs = posix_code_syncs();

	(void)state;
	for (size_t i = 0; i < AREA; i++)
		faults += faults_of_page(i);
	assert_int_equal(faults, AREA / PAGES);
	assert_int_equal(posix_code_syncs() - syncs, faults);
}

static void backwards(void **state)
{
	uint64_t faults = 0, syncs = posix_code_syncs();

	(void)state;
	for (size_t i = AREA; i-- > 0;)
		faults += faults_of_page(i);
	assert_int_equal(faults, AREA / PAGES);
	assert_int_equal(posix_code_syncs() - syncs, faults);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(forwards),
		CASE(backwards),
	};

	return fixture_main(4096, tests);
}
