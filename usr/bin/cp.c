// SPDX-License-Identifier: MIT
// cp: copy files, and with -r whole folders.
#include <stdlib.h>
#include <unistd.h>

#include "lib/tree.h"
#include "lib/util.h"

const char prog[] = "cp";
const char usage_args[] = "[-r] SOURCE... DEST";

int main(int argc, char **argv)
{
	bool recursive = false;
	int option, status = 0;
	const char *dest;

	while ((option = getopt(argc, argv, "rR")) != -1) {
		if (option == '?')
			usage();
		recursive = true;
	}
	if (argc - optind < 2)
		usage();
	dest = argv[argc - 1];
	if (argc - optind > 2 && !is_folder(dest)) {
		complain_plain("%s: is not a directory", dest);
		return 1;
	}
	for (; optind < argc - 1; optind++) {
		char *target = tree_target(argv[optind], dest);

		if (tree_copy(argv[optind], target, recursive) != 0)
			status = 1;
		free(target);
	}
	return status;
}
