// SPDX-License-Identifier: MIT
// head: print the first lines (-n, 10 unless told) or bytes (-c) of files.
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "head";
const char usage_args[] = "[-n LINES | -c BYTES | -LINES] [FILE]...";

// How much of BLOCK still belongs to the head; takes it off *LEFT.
static size_t share(const char *block, size_t n, bool lines, long long *left)
{
	size_t i;

	if (!lines) {
		if ((long long)n > *left)
			n = (size_t)*left;
		*left -= (long long)n;
		return n;
	}
	for (i = 0; i<n && * left> 0; i++)
		*left -= block[i] == '\n';
	return i;
}

static int head(const char *path, bool lines, long long left)
{
	static char block[16384];
	int fd = strcmp(path, "-") ? open(path, O_RDONLY) : STDIN_FILENO;
	ssize_t n = fd < 0 ? -1 : 0;

	while (n >= 0 && left > 0 && (n = read(fd, block, sizeof block)) > 0)
		fwrite(block, 1, share(block, (size_t)n, lines, &left), stdout);
	if (n < 0)
		complain("%s", path);
	if (fd > STDIN_FILENO)
		close(fd);
	return n < 0;
}

int main(int argc, char **argv)
{
	long long limit = 10;
	bool lines = true;
	int option, files, status = 0;

	if (argc > 1 && argv[1][0] == '-' && isdigit((unsigned char)argv[1][1])) {
		if (!parse_size(argv[1] + 1, &limit))
			usage();
		optind = 2;
	}
	while ((option = getopt(argc, argv, "n:c:")) != -1) {
		if (option == '?' || !parse_size(optarg, &limit) || limit < 0)
			usage();
		lines = option == 'n';
	}
	files = argc - optind;
	if (files == 0)
		status = head("-", lines, limit);
	for (int i = optind; i < argc; i++) {
		if (files > 1)
			printf("%s==> %s <==\n", i > optind ? "\n" : "", argv[i]);
		status |= head(argv[i], lines, limit);
	}
	return finish(status);
}
