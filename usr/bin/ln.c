// SPDX-License-Identifier: MIT
// ln: give a file another name; -s makes a symbolic link, -f replaces what is there.
#include <stdlib.h>
#include <unistd.h>

#include "lib/tree.h"
#include "lib/util.h"

const char prog[] = "ln";
const char usage_args[] = "[-sf] TARGET... [LINK]";

static int make_link(const char *to, const char *name, bool symbolic, bool force)
{
	if (force)
		unlink(name);
	if ((symbolic ? symlink(to, name) : link(to, name)) == 0)
		return 0;
	complain("%s", name);
	return 1;
}

int main(int argc, char **argv)
{
	bool symbolic = false, force = false;
	int option, last, status = 0;

	while ((option = getopt(argc, argv, "sf")) != -1) {
		if (option == '?')
			usage();
		symbolic |= option == 's';
		force |= option == 'f';
	}
	if (optind == argc)
		usage();
	last = argc - optind == 1 ? argc : argc - 1;
	if (last - optind > 1 && !is_folder(argv[last]))
		usage();
	for (; optind < last; optind++) {
		char *name = tree_target(argv[optind], last == argc ? "." : argv[last]);

		status |= make_link(argv[optind], name, symbolic, force);
		free(name);
	}
	return status;
}
