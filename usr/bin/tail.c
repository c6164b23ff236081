// SPDX-License-Identifier: MIT
// tail: print the last lines (-n, 10 unless told) or bytes (-c) of files; +N counts from the start.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "tail";
const char usage_args[] = "[-n [+]LINES | -c [+]BYTES | -LINES] [FILE]...";

static struct {
	long long limit;
	bool lines, from_start;
} opt = {.limit = 10, .lines = true};

struct text {
	char *bytes;
	size_t n, room;
};

static int read_all(int fd, struct text *text)
{
	ssize_t got = 1;

	while (got != 0) {
		if (text->n == text->room) {
			text->room = text->room ? text->room * 2 : 65536;
			text->bytes = realloc(text->bytes, text->room);
			if (!text->bytes)
				die("%zu bytes", text->room);
		}
		got = read(fd, text->bytes + text->n, text->room - text->n);
		if (got < 0 && errno != EINTR)
			return -1;
		text->n += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

// Where the part that starts with line or byte LIMIT (counted from 1) begins.
static size_t start_forward(const struct text *text)
{
	long long left = opt.limit - 1;
	size_t i;

	if (!opt.lines)
		return left < 0 ? 0 : (size_t)left > text->n ? text->n : (size_t)left;
	for (i = 0; i < text->n && left > 0; i++)
		left -= text->bytes[i] == '\n';
	return i;
}

// Where the last LIMIT lines or bytes begin; a newline at the very end ends the last line.
static size_t start_backward(const struct text *text)
{
	long long left = opt.limit;
	size_t i = text->n;

	if (!opt.lines)
		return (unsigned long long)left > text->n ? 0 : text->n - (size_t)left;
	if (left == 0)
		return text->n;
	if (i > 0 && text->bytes[i - 1] == '\n')
		i--;
	for (; i > 0; i--)
		if (text->bytes[i - 1] == '\n' && --left == 0)
			break;
	return i;
}

// Reading the end of a large regular file needs not read its beginning.
static void skip_beginning(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END), start;

	if (end < 0)
		return;
	start = opt.lines || opt.from_start ? 0 : end - (off_t)opt.limit;
	lseek(fd, start < 0 ? 0 : start, SEEK_SET);
}

static int tail(const char *path)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY) : STDIN_FILENO;
	struct text text = {0};
	size_t start;
	int status = 0;

	if (fd > STDIN_FILENO)
		skip_beginning(fd);
	if (fd < 0 || read_all(fd, &text) != 0) {
		complain("%s", path);
		status = 1;
	}
	start = opt.from_start ? start_forward(&text) : start_backward(&text);
	if (text.n > start)
		fwrite(text.bytes + start, 1, text.n - start, stdout);
	free(text.bytes);
	if (fd > STDIN_FILENO)
		close(fd);
	return status;
}

int main(int argc, char **argv)
{
	int option, files, status = 0;

	if (argc > 1 && argv[1][0] == '-' && isdigit((unsigned char)argv[1][1])) {
		if (!parse_size(argv[1] + 1, &opt.limit))
			usage();
		optind = 2;
	}
	while ((option = getopt(argc, argv, "n:c:")) != -1) {
		if (option == '?' || !parse_size(optarg, &opt.limit))
			usage();
		opt.lines = option == 'n';
		opt.from_start = optarg[0] == '+';
		if (opt.limit < 0)
			opt.limit = -opt.limit;
	}
	files = argc - optind;
	if (files == 0)
		status = tail("-");
	for (int i = optind; i < argc; i++) {
		if (files > 1)
			printf("%s==> %s <==\n", i > optind ? "\n" : "", argv[i]);
		status |= tail(argv[i]);
	}
	return finish(status);
}
