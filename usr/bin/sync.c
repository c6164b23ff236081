// SPDX-License-Identifier: MIT
// sync: write all that is dirty to the disks; with arguments, these files only.
#include <fcntl.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "sync";
const char usage_args[] = "[FILE]...";

static int sync_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	int status = 0;

	if (fd < 0 || fsync(fd) != 0) {
		complain("%s", path);
		status = 1;
	}
	if (fd >= 0)
		close(fd);
	return status;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (getopt(argc, argv, "") != -1)
		usage();
	if (optind == argc)
		sync();
	for (; optind < argc; optind++)
		status |= sync_file(argv[optind]);
	return status;
}
