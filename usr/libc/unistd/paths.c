// SPDX-License-Identifier: MIT
/*
 * Paths as text: their parts, and the one name without links.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40

/* The length without trailing slashes, but at least 1. */
static size_t trimmed(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return n;
}

char *basename(char *path)
{
	char *slash;

	if (!path || !*path)
		return ".";
	path[trimmed(path)] = 0;
	slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

char *dirname(char *path)
{
	char *slash;

	if (!path || !*path)
		return ".";
	path[trimmed(path)] = 0;
	slash = strrchr(path, '/');
	if (!slash)
		return ".";
	*slash = 0;
	path[*path ? trimmed(path) : 0] = 0;
	return *path ? path : "/";
}

/* Replaces the link at the end of done[0, n) by its target, in front of what is left. */
static int follow(char *done, size_t n, char *rest)
{
	char target[PATH_MAX];
	ssize_t length = readlink(done, target, sizeof(target) - 1);
	size_t left = strlen(rest);

	(void)n;
	if (length < 0)
		return errno == EINVAL ? 0 : -1;
	if ((size_t)length + left + 2 > PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memmove(rest + length + 1, rest, left + 1);
	memcpy(rest, target, (size_t)length);
	rest[length] = '/';
	return 1;
}

/* Removes the last part of an absolute path; "/" stays. */
static void go_up(char *path)
{
	*strrchr(path, '/') = 0;
	if (!*path)
		return;
}

/* done is "" (the root) or "/a/b"; one part of rest moves to it. Returns the links followed, or
 * -1. */
static int advance(char *done, char *rest)
{
	size_t at = strspn(rest, "/"), n = strcspn(rest + at, "/"), length = strlen(done);
	char *part = rest + at;
	int linked;

	if (n == 0 || (n == 1 && part[0] == '.')) {
		memmove(rest, part + n, strlen(part + n) + 1);
		return 0;
	}
	if (n == 2 && part[0] == '.' && part[1] == '.') {
		if (length)
			go_up(done);
		memmove(rest, part + n, strlen(part + n) + 1);
		return 0;
	}
	if (length + n + 2 > PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	done[length] = '/';
	memcpy(done + length + 1, part, n);
	done[length + 1 + n] = 0;
	memmove(rest, part + n, strlen(part + n) + 1);
	linked = follow(done, n, rest);
	if (linked > 0)
		done[*rest == '/' ? 0 : length] = 0;
	return linked;
}

char *realpath(const char *restrict path, char *restrict to)
{
	char done[PATH_MAX] = "", rest[PATH_MAX];
	int links = 0, n = 0, saved = errno;

	if (!*path || strlcpy(rest, path, sizeof(rest)) >= sizeof(rest)) {
		errno = *path ? ENAMETOOLONG : ENOENT;
		return NULL;
	}
	if (*path != '/' && !getcwd(done, sizeof(done)))
		return NULL;
	if (strcmp(done, "/") == 0)
		*done = 0;
	while (*rest && n >= 0 && links <= LINKS_MAX) {
		n = advance(done, rest);
		links += n;
	}
	if (n < 0)
		return NULL;
	if (links > LINKS_MAX) {
		errno = ELOOP;
		return NULL;
	}
	errno = saved;
	if (!*done)
		strcpy(done, "/");
	return to ? strcpy(to, done) : strdup(done);
}
