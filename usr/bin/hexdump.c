// SPDX-License-Identifier: MIT
// hexdump: bytes in hexadecimal, sixteen a line; -C adds the characters. Equal lines become "*".
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "hexdump";
const char usage_args[] = "[-C] [-v] [-n LENGTH] [-s OFFSET] [FILE]";

#define LINE 16

static void print_canonical(unsigned long long at, const unsigned char *line, size_t n)
{
	printf("%08llx", at);
	for (size_t i = 0; i < LINE; i++) {
		if (i % 8 == 0)
			putchar(' ');
		if (i < n)
			printf(" %02x", line[i]);
		else
			fputs("   ", stdout);
	}
	fputs("  |", stdout);
	for (size_t i = 0; i < n; i++)
		putchar(line[i] < 128 && isprint(line[i]) ? line[i] : '.');
	puts("|");
}

static void print_words(unsigned long long at, const unsigned char *line, size_t n)
{
	printf("%07llx", at);
	for (size_t i = 0; i < n; i += 2)
		printf(" %04x", line[i] | (i + 1 < n ? line[i + 1] << 8 : 0));
	putchar('\n');
}

// Fills LINE, across short reads; less than it at the end only. Returns -1 on an error.
static ssize_t read_line(int fd, unsigned char *line, size_t want)
{
	size_t n = 0;

	while (n < want) {
		ssize_t got = read(fd, line + n, want - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int skip(int fd, long long offset)
{
	unsigned char line[LINE];

	if (lseek(fd, offset, SEEK_SET) >= 0)
		return 0;
	while (offset > 0) {
		size_t want = offset < LINE ? (size_t)offset : LINE;
		ssize_t n = read_line(fd, line, want);

		if (n <= 0)
			return (int)n;
		offset -= n;
	}
	return 0;
}

static int dump(int fd, bool canonical, bool verbose, long long at, long long left)
{
	unsigned char line[LINE], previous[LINE];
	bool have_previous = false, starred = false;
	ssize_t n = 0;

	while (left != 0) {
		n = read_line(fd, line, left > 0 && left < LINE ? (size_t)left : LINE);
		if (n <= 0)
			break;
		if (!verbose && have_previous && n == LINE && !memcmp(line, previous, LINE)) {
			if (!starred)
				puts("*");
			starred = true;
		} else {
			(canonical ? print_canonical : print_words)(
				(unsigned long long)at, line, (size_t)n);
			starred = false;
		}
		memcpy(previous, line, LINE);
		have_previous = true;
		at += n;
		if (left > 0)
			left -= n;
	}
	if (at > 0)
		printf(canonical ? "%08llx\n" : "%07llx\n", (unsigned long long)at);
	return n < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	bool canonical = false, verbose = false;
	long long length = -1, offset = 0;
	int option, fd = STDIN_FILENO, status;
	const char *name = "standard input";

	while ((option = getopt(argc, argv, "Cvn:s:")) != -1) {
		switch (option) {
		case 'C':
			canonical = true;
			break;
		case 'v':
			verbose = true;
			break;
		case 'n':
			if (!parse_size(optarg, &length) || length < 0)
				usage();
			break;
		case 's':
			if (!parse_size(optarg, &offset) || offset < 0)
				usage();
			break;
		default:
			usage();
		}
	}
	if (argc - optind > 1)
		usage();
	if (optind < argc) {
		name = argv[optind];
		fd = open(name, O_RDONLY);
		if (fd < 0)
			die("%s", name);
	}
	if (offset > 0 && skip(fd, offset) != 0)
		die("%s", name);
	status = dump(fd, canonical, verbose, offset, length);
	if (status != 0)
		complain("%s", name);
	return finish(status != 0);
}
