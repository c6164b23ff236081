// SPDX-License-Identifier: MIT
// rm: remove files; -r whole folders, -f says nothing of what is not there.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tree.h"
#include "lib/util.h"

const char prog[] = "rm";
const char usage_args[] = "[-rf] FILE...";

static bool names_dot_or_root(const char *path)
{
	char *leaf = path_leaf(path);
	bool is = !strcmp(leaf, ".") || !strcmp(leaf, "..") || !strcmp(leaf, "/");

	free(leaf);
	return is;
}

static int remove_one(const char *path, bool recursive, bool force)
{
	struct stat st;

	if (lstat(path, &st) != 0) {
		if (force && errno == ENOENT)
			return 0;
		complain("%s", path);
		return 1;
	}
	if (S_ISDIR(st.st_mode) && !recursive) {
		complain_plain("%s: is a directory (-r removes it)", path);
		return 1;
	}
	if (names_dot_or_root(path)) {
		complain_plain("%s: will not be removed", path);
		return 1;
	}
	return tree_remove(path) != 0;
}

int main(int argc, char **argv)
{
	bool recursive = false, force = false;
	int option, status = 0;

	while ((option = getopt(argc, argv, "rRf")) != -1) {
		switch (option) {
		case 'r':
		case 'R':
			recursive = true;
			break;
		case 'f':
			force = true;
			break;
		default:
			usage();
		}
	}
	if (optind == argc && !force)
		usage();
	for (; optind < argc; optind++)
		status |= remove_one(argv[optind], recursive, force);
	return status;
}
