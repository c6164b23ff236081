// SPDX-License-Identifier: MIT
/*
 * Opening and controlling descriptors. -1 and errno on failure.
 */
#pragma once

#include <sys/types.h>
#include <abi/fcntl.h>

int open(const char *path, int flags, ...);
int openat(int dir, const char *path, int flags, ...);
int creat(const char *path, mode_t mode);
int fcntl(int fd, int command, ...);
/* These two return an error number, not -1. */
int posix_fallocate(int fd, off_t offset, off_t size);
int posix_fadvise(int fd, off_t offset, off_t size, int advice);
int fallocate(int fd, int mode, off_t offset, off_t size);
ssize_t readahead(int fd, off_t offset, size_t n);
int sync_file_range(int fd, off_t offset, off_t n, unsigned flags);
