// SPDX-License-Identifier: MIT
/*
 * Shared memory by name: files of the tmpfs on /dev/shm.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FOLDER "/dev/shm/"

/* The file's path; a name has no slash but those it may begin with. */
static int path_of(const char *name, char path[sizeof FOLDER + NAME_MAX])
{
	size_t n;

	name += strspn(name, "/");
	n = strlen(name);
	if (n == 0 || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..")) {
		errno = EINVAL;
		return -1;
	}
	if (n > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(path, FOLDER);
	strcat(path, name);
	return 0;
}

int shm_open(const char *name, int flags, mode_t mode)
{
	char path[sizeof FOLDER + NAME_MAX];

	if (path_of(name, path) != 0)
		return -1;
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

int shm_unlink(const char *name)
{
	char path[sizeof FOLDER + NAME_MAX];

	return path_of(name, path) == 0 ? unlink(path) : -1;
}
