// SPDX-License-Identifier: MIT
/*
 * The self-test on the posix host, and nothing else: small enough to be linked with a part of mm,
 * and for another machine than the one it is built on.
 */
#include "posix.h"

#include <mm/vm.h>

#include <stdio.h>

static void print(const char *line)
{
	printf("# %s\n", line);
}

int main(void)
{
	unsigned failed;

	setvbuf(stdout, NULL, _IOLBF, 0); /* lines count, even if the host stops the run */
	posix_start(400);
	posix_on_log(print);
	if (mvm_init() != 0) {
		print("mvm_init: no frame");
		return 2;
	}
	failed = mvm_host_selftest();
	printf("1..1\n%sok 1 - %u checks of the host failed\n", failed ? "not " : "", failed);
	return failed || posix_frames_used() != 1;
}
