// SPDX-License-Identifier: MIT
/*
 * A file in memory behind a pager, for the tests of mm.  Its "disk" is an array of pages that only
 * fill() reads and only write() changes, so a test can tell what has been written back.
 */
#pragma once

#include <mm/pagecache.h>
#include <mm/pager.h>

#include <pthread.h>

struct test_file {
	struct mvm_object *object;
	size_t n_pages; /* what the disk holds; writes past it are an error of the test */
	char *disk;
	bool *reserved; /* a byte a page */
	bool *placed;   /* those that have been written */
	bool at_once;   /* they need no reservation: writable_at_once() says so; to be set first */

	pthread_mutex_t mutex; /* of reserved and the counts */
	uint64_t fills, filled_pages, writes, written_pages, reserves, unreserves, settles;
	uint64_t stores_at_once;
	uint64_t released;

	/* Planned failures: the nth operation from now on (1: the next), once or for good. */
	uint64_t fail_fill, fail_write, fail_reserve;
	bool for_good;
	int fail_with;     /* 0: -MVM_EIO */
	uint64_t failures; /* that came as planned */

	void (*on_reserve)(void); /* called when a page is to become writable; NULL: nothing */

	bool slow_writes; /* a write takes a while after it has read its pages */
};

/* A file of size_bytes zeros on a disk of n_pages; the caller has the one reference. */
struct test_file *test_file_new(size_t n_pages, uint64_t size_bytes);

/* Drop the caller's reference to the object; it must have been the last one.  Frees all. */
void test_file_free(struct test_file *file);

/* What a file system does after mvm_pc_truncate(): the pages past the size read as zeros. */
void test_file_free_blocks(struct test_file *file, uint64_t size_bytes);

/* The file's reservations that are out. */
size_t test_file_reserved(struct test_file *file);

/* Plain copies through the page cache; 0 or the error, all n bytes or an assertion fails. */
int test_file_read(struct test_file *file, uint64_t offset, void *to, size_t n, size_t *done);
int test_file_write(
	struct test_file *file, uint64_t offset, const void *from, size_t n, size_t *done);
