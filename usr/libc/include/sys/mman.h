// SPDX-License-Identifier: MIT
/*
 * Memory maps. MAP_FAILED or -1, and errno. Lengths are rounded up to pages; offsets and, for
 * all but mmap without MAP_FIXED, addresses must be multiples of the page size (EINVAL).
 */
#pragma once

#include <sys/types.h>
#include <abi/mman.h>

#define MAP_FAILED ((void *)-1)

#define POSIX_MADV_NORMAL     MADV_NORMAL
#define POSIX_MADV_RANDOM     MADV_RANDOM
#define POSIX_MADV_SEQUENTIAL MADV_SEQUENTIAL
#define POSIX_MADV_WILLNEED   MADV_WILLNEED
#define POSIX_MADV_DONTNEED   MADV_DONTNEED

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int munmap(void *address, size_t length);
int mprotect(void *address, size_t length, int protection);
void *mremap(void *old, size_t old_length, size_t length, int flags, ...);
int msync(void *address, size_t length, int flags);
int madvise(void *address, size_t length, int advice);
int posix_madvise(void *address, size_t length, int advice); /* an error number, or 0 */
int mlock(const void *address, size_t length);
int mlock2(const void *address, size_t length, unsigned flags);
int munlock(const void *address, size_t length);
int mlockall(int flags);
int munlockall(void);
int mincore(void *address, size_t length, unsigned char *resident);
int memfd_create(const char *name, unsigned flags);

/* Shared memory by name, "/NAME": a descriptor (flags and errors of open), which ftruncate sizes
 * and mmap shows. EINVAL: not such a name. */
int shm_open(const char *name, int flags, mode_t mode);
int shm_unlink(const char *name);
