// SPDX-License-Identifier: MIT
// touch: set the times of files to now, and make those that are missing unless -c.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "touch";
const char usage_args[] = "[-c] FILE...";

static int touch(const char *path, bool create)
{
	int fd;

	if (utimensat(AT_FDCWD, path, NULL, 0) == 0)
		return 0;
	if (errno == ENOENT && !create)
		return 0;
	if (errno == ENOENT) {
		fd = open(path, O_WRONLY | O_CREAT, 0666);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
	}
	complain("%s", path);
	return 1;
}

int main(int argc, char **argv)
{
	bool create = true;
	int option, status = 0;

	while ((option = getopt(argc, argv, "c")) != -1) {
		if (option == '?')
			usage();
		create = false;
	}
	if (optind == argc)
		usage();
	for (; optind < argc; optind++)
		status |= touch(argv[optind], create);
	return status;
}
