// SPDX-License-Identifier: MIT
// mv: rename files and folders; between file systems, copy them and remove the source.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tree.h"
#include "lib/util.h"

const char prog[] = "mv";
const char usage_args[] = "[-f] SOURCE... DEST";

static int move(const char *source, const char *target)
{
	struct stat st;

	if (rename(source, target) == 0)
		return 0;
	if (errno != EXDEV) {
		complain("%s to %s", source, target);
		return 1;
	}
	if (lstat(target, &st) == 0 && !S_ISDIR(st.st_mode) && unlink(target) != 0) {
		complain("%s", target);
		return 1;
	}
	if (tree_copy(source, target, true) != 0)
		return 1;
	return tree_remove(source) != 0;
}

int main(int argc, char **argv)
{
	int option, status = 0;
	const char *dest;

	while ((option = getopt(argc, argv, "f")) != -1)
		if (option == '?')
			usage();
	if (argc - optind < 2)
		usage();
	dest = argv[argc - 1];
	if (argc - optind > 2 && !is_folder(dest)) {
		complain_plain("%s: is not a directory", dest);
		return 1;
	}
	for (; optind < argc - 1; optind++) {
		char *target = tree_target(argv[optind], dest);

		status |= move(argv[optind], target);
		free(target);
	}
	return status;
}
