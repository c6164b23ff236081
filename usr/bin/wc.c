// SPDX-License-Identifier: MIT
// wc: count lines, words and bytes by read(2). mapwc counts the same through a mapping.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/count.h"
#include "lib/util.h"

const char prog[] = "wc";
const char usage_args[] = "[-lwc] [FILE]...";

static int count_file(const char *path, struct counts *c)
{
	static char block[65536];
	int fd = path && strcmp(path, "-") ? open(path, O_RDONLY) : STDIN_FILENO;
	ssize_t n = -1;

	*c = (struct counts){0};
	if (fd >= 0) {
		while ((n = read(fd, block, sizeof block)) > 0 || (n < 0 && errno == EINTR))
			if (n > 0)
				count_bytes(c, block, (size_t)n);
	}
	if (n < 0)
		complain("%s", path ? path : "standard input");
	if (fd > STDIN_FILENO)
		close(fd);
	return n < 0;
}

int main(int argc, char **argv)
{
	struct count_columns columns = count_options(argc, argv);
	struct counts total = {0}, c;
	int files = argc - optind, status = 0;

	if (files == 0) {
		status = count_file(NULL, &c);
		count_print(&c, columns, NULL);
		return finish(status);
	}
	for (; optind < argc; optind++) {
		if (count_file(argv[optind], &c) != 0) {
			status = 1;
			continue;
		}
		count_print(&c, columns, argv[optind]);
		count_add(&total, &c);
	}
	if (files > 1)
		count_print(&total, columns, "total");
	return finish(status);
}
