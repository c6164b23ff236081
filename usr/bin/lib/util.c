// SPDX-License-Identifier: MIT
#include "util.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void usage(void)
{
	fprintf(stderr, "usage: %s%s%s\n", prog, usage_args[0] ? " " : "", usage_args);
	exit(EXIT_USAGE);
}

static void message(const char *format, va_list args, const char *reason)
{
	fflush(stdout);
	fprintf(stderr, "%s: ", prog);
	vfprintf(stderr, format, args);
	if (reason)
		fprintf(stderr, ": %s", reason);
	fputc('\n', stderr);
}

void complain(const char *format, ...)
{
	const char *reason = strerror(errno);
	va_list args;

	va_start(args, format);
	message(format, args, reason);
	va_end(args);
}

void complain_plain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message(format, args, NULL);
	va_end(args);
}

void die(const char *format, ...)
{
	const char *reason = strerror(errno);
	va_list args;

	va_start(args, format);
	message(format, args, reason);
	va_end(args);
	exit(1);
}

int finish(int status)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain("standard output");
		return 1;
	}
	return status;
}

void *need_memory(size_t bytes)
{
	void *p = malloc(bytes ? bytes : 1);

	if (!p)
		die("%zu bytes", bytes);
	return p;
}

char *need_string(const char *s)
{
	size_t bytes = strlen(s) + 1;

	return memcpy(need_memory(bytes), s, bytes);
}

char *path_join(const char *dir, const char *name)
{
	size_t n = strlen(dir), m = strlen(name);
	bool slash = n > 0 && dir[n - 1] != '/';
	char *path = need_memory(n + slash + m + 1);

	memcpy(path, dir, n);
	if (slash)
		path[n] = '/';
	memcpy(path + n + slash, name, m + 1);
	return path;
}

char *path_leaf(const char *path)
{
	size_t end = strlen(path), start;
	char *leaf;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	if (start == end && start > 0)
		start--;
	leaf = need_memory(end - start + 1);
	memcpy(leaf, path + start, end - start);
	leaf[end - start] = '\0';
	return leaf;
}

int write_all(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int copy_all(int from, int to, bool *read_failed)
{
	static char block[65536];
	ssize_t n;

	*read_failed = false;
	while ((n = read(from, block, sizeof block)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			*read_failed = true;
			return -1;
		}
		if (write_all(to, block, (size_t)n) != 0)
			return -1;
	}
	return 0;
}

static int suffix_shift(const char *s)
{
	if (*s == '\0')
		return 0;
	if (s[1] != '\0')
		return -1;
	switch (*s) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	default:
		return -1;
	}
}

bool parse_size(const char *text, long long *value)
{
	char *end;
	int shift;

	errno = 0;
	*value = strtoll(text, &end, 10);
	shift = suffix_shift(end);
	if (errno || end == text || shift < 0)
		return false;
	if (*value > LLONG_MAX >> shift || *value < LLONG_MIN >> shift)
		return false;
	*value *= 1ll << shift;
	return true;
}
