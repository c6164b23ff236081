// SPDX-License-Identifier: MIT
/*
 * Folders: getdents64 fills a buffer, readdir hands out one entry at a time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syscall.h"

#define BUFFER_BYTES 4096

struct dir {
	int fd;
	off_t place; /* behind the last entry handed out */
	size_t pos, end;
	struct dirent entry;
	_Alignas(8) char buffer[BUFFER_BYTES];
};

DIR *fdopendir(int fd)
{
	struct stat st;
	DIR *dir;

	if (fstat(fd, &st) != 0)
		return NULL;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return NULL;
	}
	dir = malloc(sizeof(*dir));
	if (!dir)
		return NULL;
	dir->fd = fd;
	dir->place = 0;
	dir->pos = dir->end = 0;
	return dir;
}

DIR *opendir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (fd < 0)
		return NULL;
	dir = fdopendir(fd);
	if (!dir)
		close(fd);
	return dir;
}

struct dirent *readdir(DIR *dir)
{
	const struct linux_dirent64 *raw;

	if (dir->pos == dir->end) {
		long n = SYSCALL_ERRNO(getdents64, dir->fd, dir->buffer, BUFFER_BYTES);

		if (n <= 0)
			return NULL;
		dir->pos = 0;
		dir->end = (size_t)n;
	}
	raw = (const struct linux_dirent64 *)(dir->buffer + dir->pos);
	dir->pos += raw->d_reclen;
	dir->place = raw->d_off;
	dir->entry.d_ino = raw->d_ino;
	dir->entry.d_off = raw->d_off;
	dir->entry.d_reclen = sizeof(dir->entry);
	dir->entry.d_type = raw->d_type;
	strlcpy(dir->entry.d_name, raw->d_name, sizeof(dir->entry.d_name));
	return &dir->entry;
}

void seekdir(DIR *dir, long place)
{
	lseek(dir->fd, place, SEEK_SET);
	dir->place = place;
	dir->pos = dir->end = 0;
}

void rewinddir(DIR *dir)
{
	seekdir(dir, 0);
}

long telldir(DIR *dir)
{
	return dir->place;
}

int dirfd(DIR *dir)
{
	return dir->fd;
}

int closedir(DIR *dir)
{
	int fd = dir->fd;

	free(dir);
	return close(fd);
}

int alphasort(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_add(struct dirent ***list, size_t n, const struct dirent *entry)
{
	struct dirent **bigger = realloc(*list, (n + 1) * sizeof(*bigger));

	if (!bigger)
		return -1;
	*list = bigger;
	bigger[n] = malloc(sizeof(**bigger));
	if (!bigger[n])
		return -1;
	*bigger[n] = *entry;
	return 0;
}

int scandir(const char *path, struct dirent ***list, int (*want)(const struct dirent *),
	int (*compare)(const struct dirent **, const struct dirent **))
{
	DIR *dir = opendir(path);
	struct dirent **found = NULL, *entry;
	size_t n = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		if (want && !want(entry))
			continue;
		if (list_add(&found, n, entry) != 0)
			goto out_free;
		n++;
	}
	closedir(dir);
	if (compare && n > 1)
		qsort(found, n, sizeof(*found), (int (*)(const void *, const void *))compare);
	*list = found;
	return (int)n;

out_free:
	while (n > 0)
		free(found[--n]);
	free(found);
	closedir(dir);
	errno = ENOMEM;
	return -1;
}
