// SPDX-License-Identifier: MIT
// cat: copy files, or standard input, to standard output.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "cat";
const char usage_args[] = "[-u] [FILE]...";

static int cat(const char *path)
{
	bool from_stdin = !strcmp(path, "-"), read_failed;
	int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY);
	int status = 0;

	if (fd < 0) {
		complain("%s", path);
		return 1;
	}
	if (copy_all(fd, STDOUT_FILENO, &read_failed) != 0) {
		if (!read_failed)
			die("standard output");
		complain("%s", path);
		status = 1;
	}
	if (!from_stdin)
		close(fd);
	return status;
}

int main(int argc, char **argv)
{
	int option, status = 0;

	while ((option = getopt(argc, argv, "u")) != -1)
		if (option != 'u')
			usage();
	if (optind == argc)
		return cat("-");
	for (; optind < argc; optind++)
		status |= cat(argv[optind]);
	return status;
}
