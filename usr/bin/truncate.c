// SPDX-License-Identifier: MIT
// truncate: set, grow (+N) or shrink (-N) the size of files.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "truncate";
const char usage_args[] = "[-c] -s [+|-]SIZE[K|M|G] FILE...";

static int resize(const char *path, bool create, bool relative, long long size)
{
	int fd = open(path, O_WRONLY | (create ? O_CREAT : 0), 0666);
	struct stat st;
	int status = 1;

	if (fd < 0 || fstat(fd, &st) != 0)
		goto out;
	if (relative)
		size += st.st_size;
	if (ftruncate(fd, size < 0 ? 0 : size) == 0)
		status = 0;
out:
	if (status)
		complain("%s", path);
	if (fd >= 0)
		close(fd);
	return status;
}

int main(int argc, char **argv)
{
	bool create = true, given = false, relative = false;
	long long size = 0;
	int option, status = 0;

	while ((option = getopt(argc, argv, "cs:")) != -1) {
		switch (option) {
		case 'c':
			create = false;
			break;
		case 's':
			relative = optarg[0] == '+' || optarg[0] == '-';
			given = parse_size(optarg, &size);
			break;
		default:
			usage();
		}
	}
	if (!given || optind == argc)
		usage();
	for (; optind < argc; optind++)
		status |= resize(argv[optind], create, relative, size);
	return status;
}
