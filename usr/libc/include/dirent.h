// SPDX-License-Identifier: MIT
/*
 * Reading folders.
 */
#pragma once

#include <sys/types.h>
#include <abi/dirent.h>

typedef struct dir DIR;

struct dirent {
	ino_t d_ino;
	off_t d_off;
	unsigned short d_reclen;
	unsigned char d_type; /* DT_UNKNOWN: ask lstat */
	char d_name[256];
};

DIR *opendir(const char *path); /* NULL: open's errors, ENOTDIR, ENOMEM */
DIR *fdopendir(int fd);         /* the descriptor is the DIR's from then on */
/* The next entry, valid until the next call on this DIR. NULL at the end, errno unchanged; NULL
 * and errno on error. */
struct dirent *readdir(DIR *dir);
void rewinddir(DIR *dir);
long telldir(DIR *dir);
void seekdir(DIR *dir, long place);
int dirfd(DIR *dir);
int closedir(DIR *dir);
int alphasort(const struct dirent **a, const struct dirent **b);
int scandir(const char *path, struct dirent ***list, int (*want)(const struct dirent *),
	int (*compare)(const struct dirent **, const struct dirent **));
