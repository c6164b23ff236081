// SPDX-License-Identifier: MIT
/*
 * File attributes. -1 and errno on failure.
 */
#pragma once

#include <sys/types.h>
#include <abi/stat.h>

#define st_atime st_atim.tv_sec
#define st_mtime st_mtim.tv_sec
#define st_ctime st_ctim.tv_sec

int stat(const char *restrict path, struct stat *restrict to);
int lstat(const char *restrict path, struct stat *restrict to); /* of a link itself */
int fstat(int fd, struct stat *to);
int fstatat(int dir, const char *restrict path, struct stat *restrict to, int flags);
int statx(int dir, const char *restrict path, int flags, unsigned mask, struct statx *restrict to);
int chmod(const char *path, mode_t mode);
int fchmod(int fd, mode_t mode);
int fchmodat(int dir, const char *path, mode_t mode, int flags);
mode_t umask(mode_t mask); /* the old one */
int mkdir(const char *path, mode_t mode);
int mkdirat(int dir, const char *path, mode_t mode);
int mkfifo(const char *path, mode_t mode);
int mknod(const char *path, mode_t mode, dev_t device);
int mknodat(int dir, const char *path, mode_t mode, dev_t device);
int utimensat(int dir, const char *path, const struct timespec times[2], int flags);
int futimens(int fd, const struct timespec times[2]);
