// SPDX-License-Identifier: MIT
// tee: copy standard input to standard output and to files; -a appends to them.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "tee";
const char usage_args[] = "[-a] [FILE]...";

static int open_outputs(char **names, int *fds, int n, bool append)
{
	int status = 0;

	for (int i = 0; i < n; i++) {
		fds[i] = open(names[i], O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), 0666);
		if (fds[i] < 0) {
			complain("%s", names[i]);
			status = 1;
		}
	}
	return status;
}

int main(int argc, char **argv)
{
	static char block[65536];
	bool append = false;
	int option, status, n, *fds;
	ssize_t got;

	while ((option = getopt(argc, argv, "a")) != -1) {
		if (option == '?')
			usage();
		append = true;
	}
	n = argc - optind;
	fds = need_memory((size_t)n * sizeof *fds);
	status = open_outputs(argv + optind, fds, n, append);
	while ((got = read(STDIN_FILENO, block, sizeof block)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			die("standard input");
		if (write_all(STDOUT_FILENO, block, (size_t)got) != 0)
			die("standard output");
		for (int i = 0; i < n; i++) {
			if (fds[i] < 0 || write_all(fds[i], block, (size_t)got) == 0)
				continue;
			complain("%s", argv[optind + i]);
			close(fds[i]);
			fds[i] = -1;
			status = 1;
		}
	}
	return status;
}
