// SPDX-License-Identifier: MIT
/*
 * The kernel as mm's host: mm's own conformance run. Last, since mm is started for it.
 */
#include <mm/vm.h>

#include "../port/mm_host.h"
#include "selftest.h"

static void test_host(void)
{
	mm_host_init();
	CHECK(mvm_host_selftest() == 0);
}

const struct selftest mm_tests[] = {
	{"mm-host", test_host},
	{0},
};
