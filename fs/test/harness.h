// SPDX-License-Identifier: MIT
/*
 * What the tests of the vfs share: one machine a program, a tmpfs as the root of each test, users,
 * and short forms of the calls.
 */
#pragma once

#include <fs/host.h>
#include <fs/vfs.h>
#include <fs_posix.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* For cmocka: once a program; around each test.  The teardown fails if anything is left. */
int group_setup(void **state);
int test_setup(void **state);
int test_teardown(void **state);

/* Who calls: uid 0 in the root directory unless a test changes it. */
extern struct fs_context ctx;
void become(uint32_t uid, uint32_t gid);

/* A copy from or to memory of this process, which may come in pieces. */
struct memory {
	struct mvm_copy copy;
	char *bytes;
	bool to_file; /* the direction */
	size_t piece; /* > 0: a copy moves at most this much before it wants a prefault */
	size_t ready;
	size_t end; /* prefault fails from here on */
};
struct memory memory_for_read(void *to, size_t n);
struct memory memory_for_write(const void *from, size_t n);

/* Calls that must succeed; the file's contents as a string. */
struct file *must_open(const char *path, unsigned flags);
/* How an open of it ends; the file is closed again. */
int open_err(const char *path, unsigned flags);
void must_write(const char *path, const char *text);
void must_mkdir(const char *path);
/* Text of the whole file, to be freed; NULL: the open failed. */
char *contents(const char *path);
/* Names of a directory in order, "a b c", without the dots; static. */
const char *names_in(const char *path);
/* 0 or -errno of stat without following the last link; attr may be NULL. */
int lstat_of(const char *path, struct fs_attr *attr);
/* The path of what this path leads to, or the errno's name: "ENOENT"; static. */
const char *walked(const char *path, unsigned flags);
const char *error_name(int err);

int write_at(struct file *f, uint64_t offset, const void *bytes, size_t n);
int read_at(struct file *f, uint64_t offset, void *bytes, size_t n);

/* --- Random numbers, replayable ------------------------------------------------------------- */

/* From the environment's FS_TEST_SEED, else the clock; printed. */
uint64_t test_seed(void);
/* From FS_TEST_STEPS, else `normal`. */
uint64_t test_steps(uint64_t normal);
uint32_t random_below(uint64_t *rng, uint32_t n);
