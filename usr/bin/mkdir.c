// SPDX-License-Identifier: MIT
// mkdir: make folders; -p makes the ones above too and is content with those that exist.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tree.h"
#include "lib/util.h"

const char prog[] = "mkdir";
const char usage_args[] = "[-p] [-m MODE] DIR...";

static int make(const char *path, mode_t mode, bool existing_is_fine)
{
	if (mkdir(path, mode) == 0 || (existing_is_fine && errno == EEXIST && is_folder(path)))
		return 0;
	complain("%s", path);
	return 1;
}

static int make_with_parents(const char *path, mode_t mode)
{
	char *copy = need_string(path);
	int status = 0;

	for (char *p = copy + 1; copy[0] && *p && !status; p++) {
		if (*p != '/' || p[1] == '/' || p[1] == '\0')
			continue;
		*p = '\0';
		status = make(copy, 0777, true);
		*p = '/';
	}
	free(copy);
	return status ? status : make(path, mode, true);
}

int main(int argc, char **argv)
{
	bool parents = false;
	mode_t mode = 0777;
	int option, status = 0;
	char *end;

	while ((option = getopt(argc, argv, "pm:")) != -1) {
		switch (option) {
		case 'p':
			parents = true;
			break;
		case 'm':
			mode = (mode_t)strtoul(optarg, &end, 8);
			if (*end || end == optarg)
				usage();
			break;
		default:
			usage();
		}
	}
	if (optind == argc)
		usage();
	for (; optind < argc; optind++)
		status |= parents ? make_with_parents(argv[optind], mode)
				  : make(argv[optind], mode, false);
	return status;
}
