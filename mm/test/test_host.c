// SPDX-License-Identifier: MIT
/*
 * The self-test that a new host runs at boot, on the host of the tests; and that it sees what it is
 * for: a host that breaks a promise fails a check.
 */
#include "posix.h"

#include <mm/host.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static unsigned lines, failed;

static void count_line(const char *line)
{
	lines++;
	failed += strstr(line, "FAIL") != NULL || strstr(line, "not ok") != NULL;
}

static void this_host_passes(void **state)
{
	(void)state;
	lines = failed = 0;
	assert_int_equal(mvm_host_selftest(), 0);
	assert_true(lines > 0);
	assert_int_equal(failed, 0);
	assert_int_equal(posix_frames_used(), 1); /* the page of zeros */
}

/* Without metadata it cannot pass, and must say so instead of stopping. */
static void a_poor_host_fails(void **state)
{
	(void)state;
	posix_limit_frames(0);
	assert_true(mvm_host_selftest() > 0);
	posix_limit_frames(400);
	assert_int_equal(posix_frames_used(), 1); /* the page of zeros */
	assert_int_equal(mvm_host_selftest(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_host_passes),
		cmocka_unit_test(a_poor_host_fails),
	};

	posix_start(400);
	posix_on_log(count_line);
	if (mvm_init() != 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
