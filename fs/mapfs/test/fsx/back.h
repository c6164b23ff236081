// SPDX-License-Identifier: MIT
/*
 * What the exerciser is run on: calls of a system, each in the narrowest form.  host.c has them on
 * mapfs and mm inside this process; usr/test/fsx has them as system calls, on Mapache or on Linux.
 *
 * Descriptors, spaces and areas are named by small numbers that the caller chooses.  A space is
 * what a process has; an area is a mapping in it, of at most FSX_FILE_PAGES pages, and at the same
 * address in each space.  Offsets inside an area are bytes.
 *
 * Results are 0 or a negative errno with Linux's numbers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FSX_PAGE       4096u
#define FSX_FILE_PAGES 256u /* the longest file that can be asked for */

enum {
	FSX_NAMES = 4,
	FSX_DESCRIPTORS = 6,
	FSX_SPACES = 3,
	FSX_AREAS = 5, /* of a space */
};

/* What this system can do, and what of it can be checked. */
enum back_feature {
	BACK_ALLOCATES = 1,     /* fallocate but for holes */
	BACK_PUNCHES = 2,       /* and these */
	BACK_COUNTS_BLOCKS = 4, /* st_blocks says at once what is promised, and no more than that */
	BACK_ZEROES_TAILS = 8,  /* what is stored behind a file's end never becomes a part of it */
	BACK_IS_FULL = 16,      /* the disk may be full at any time */
};
unsigned back_features(void);

/* The numbers of Linux's fallocate and open. */
enum {
	BACK_KEEP_SIZE = 1,
	BACK_PUNCH_HOLE = 2,
	BACK_ZERO_RANGE = 16,
	BACK_APPEND = 02000,
	BACK_DSYNC = 010000,
	BACK_SYNC = 04010000,
};

/* Open file `name` for reading and writing, which is made when it is not there. */
int back_open(unsigned descriptor, unsigned name, unsigned flags);
void back_close(unsigned descriptor);
int back_unlink(unsigned name);

/* *done is what was moved, also after an error.  With BACK_APPEND `at` does not matter. */
int back_read(unsigned descriptor, void *to, size_t n, uint64_t at, size_t *done);
int back_write(unsigned descriptor, const void *from, size_t n, uint64_t at, size_t *done);
int back_truncate(unsigned descriptor, uint64_t size);
int back_allocate(unsigned descriptor, int mode, uint64_t at, uint64_t n);
int back_fsync(unsigned descriptor, bool data_only);
int back_sync(void);

struct back_stat {
	uint64_t size, blocks; /* of 512 bytes */
	unsigned links;
};
int back_stat(unsigned descriptor, struct back_stat *st);

int back_map(unsigned space, unsigned area, unsigned descriptor, bool shared, unsigned first_page,
	unsigned pages);
int back_unmap(unsigned space, unsigned area, unsigned pages);
int back_msync(unsigned space, unsigned area, unsigned page, unsigned pages, bool wait);

/* Drop private pages: MADV_DONTNEED. */
int back_forget(unsigned space, unsigned area, unsigned page, unsigned pages);

/* Loads and stores.  -EFAULT: SIGBUS, after *done bytes. */
int back_load(unsigned space, unsigned area, size_t at, void *to, size_t n, size_t *done);
int back_store(unsigned space, unsigned area, size_t at, const void *from, size_t n, size_t *done);

/* Space `to`, which has no area, becomes a copy of `from`, as fork() makes it. */
void back_fork(unsigned from, unsigned to);

/*
 * Memory is short, in a way that follows from `how`: something is written back,
 * something is dropped.
 */
void back_press(unsigned how);

/* Nothing is open or mapped: whatever is cached goes, and the disk is looked at. */
void back_remount(void);

/* The run is over: say why, and what led to it (fsx_history()), and end. */
_Noreturn void back_fail(const char *why);
