// SPDX-License-Identifier: MIT
// rmdir: remove empty folders.
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "rmdir";
const char usage_args[] = "DIR...";

int main(int argc, char **argv)
{
	int status = 0;

	if (getopt(argc, argv, "") != -1 || optind == argc)
		usage();
	for (; optind < argc; optind++) {
		if (rmdir(argv[optind]) != 0) {
			complain("%s", argv[optind]);
			status = 1;
		}
	}
	return status;
}
