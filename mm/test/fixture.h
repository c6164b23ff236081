// SPDX-License-Identifier: MIT
/*
 * What most of mm's tests stand on: one space, a file whose page i is full of one letter, 'a' + i %
 * 26, and short forms of what is done to them, which fail the test when they fail.
 */
#pragma once

#include "map_fixed.h"
#include "posix.h"
#include "testfile.h"

#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define PAGE MVM_PAGE_BYTES
#define AT   ((mvm_vaddr_t)0x400000)
#define RW   (MVM_READ | MVM_WRITE)

extern struct mvm_space *space, *child; /* child: NULL, or one to be given up at the end */
extern struct test_file *file;          /* NULL: the test has freed it */
extern struct mvm_limits limits;        /* none at first; the space gets them by limit() */

/* A new space, and a file of so many pages. */
int fixture_set_up(size_t file_pages);

/* Fails when something is left behind, or an invariant does not hold. */
int fixture_tear_down(void **state);

/* Run the tests on a machine of so many frames. */
#define fixture_main(frames, tests) \
	(posix_start(frames), mvm_init() != 0 ? 2 : cmocka_run_group_tests(tests, NULL, NULL))

/* Map with FIXED, READ and WRITE; it must succeed.  map_fixed(space, ...) is for what may fail. */
void map_pages(
	mvm_vaddr_t at, size_t pages, unsigned flags, struct mvm_object *obj, mvm_pgoff_t offset);

char load_of(struct mvm_space *of, mvm_vaddr_t va);
void store_to(struct mvm_space *to, mvm_vaddr_t va, char byte);

static inline char load(mvm_vaddr_t va)
{
	return load_of(space, va);
}

static inline void store(mvm_vaddr_t va, char byte)
{
	store_to(space, va, byte);
}

/* Fork the space; and give the child up before the end. */
void fork_child(void);
void end_child(void);

void limit(void);
struct mvm_space_stats stats_of(struct mvm_space *of);
struct mvm_object_counts counts_of(struct mvm_object *obj);
