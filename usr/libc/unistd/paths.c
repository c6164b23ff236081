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

/* The way of realpath: `done` is the part that is settled, "" for the root or "/a/b"; `rest` is
 * what is still to be walked. */

/* If done names a link, its target goes in front of rest. Whether it was one, or -1. */
static int follow(const char *done, char *rest)
{
	char target[PATH_MAX];
	ssize_t length = readlink(done, target, sizeof(target) - 1);
	size_t left = strlen(rest);

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

/* Moves one name to the end of done. */
static int append(char *done, const char *name, size_t n)
{
	size_t length = strlen(done);

	if (length + n + 2 > PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	done[length] = '/';
	memcpy(done + length + 1, name, n);
	done[length + 1 + n] = 0;
	return 0;
}

/* Walks one name of rest. How many links that followed (0 or 1), or -1. */
static int advance(char *done, char *rest)
{
	char *name = rest + strspn(rest, "/"), *parent = done + strlen(done);
	size_t n = strcspn(name, "/");
	int up = n == 2 && name[0] == '.' && name[1] == '.',
	    stay = n == 0 || (n == 1 && *name == '.');
	int linked;

	if (up && *done)
		*strrchr(done, '/') = 0;
	if (!up && !stay && append(done, name, n) != 0)
		return -1;
	memmove(rest, name + n, strlen(name + n) + 1);
	if (up || stay)
		return 0;
	linked = follow(done, rest);
	if (linked > 0) /* from the root, or from where the link lies */
		*(*rest == '/' ? done : parent) = 0;
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
