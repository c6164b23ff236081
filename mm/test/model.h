// SPDX-License-Identifier: MIT
/*
 * The naive model behind test_model.c: spaces as arrays of pages, files as arrays of cells.
 *
 *	model.c        the model, and what a load or a store should do
 *	model_space.c  operations on spaces
 *	model_file.c   operations on files
 *	test_model.c   the run: episodes, coverage, shrinking
 *
 * The model keeps CELLS words of each page, spread over it; the real page is read and written at
 * the same places.
 */
#pragma once

#include "testfile.h"

#include "posix.h"

#include <mm/vm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACES     4
#define FILES      3
#define PAGES      96 /* of each space that operations are about */
#define FILE_PAGES 24
#define CELLS      8
#define CELL_BYTES (MVM_PAGE_BYTES / CELLS)
#define BASE       ((mvm_vaddr_t)0x200000)

/* --- The model -------------------------------------------------------------------------------- */

struct cells {
	uint64_t word[CELLS];
};

enum kind { NONE, ANON, FILE_PRIVATE, FILE_SHARED };

struct model_page {
	enum kind kind;
	unsigned rights, max_rights;
	unsigned file, index;
	bool copied; /* private: `own` holds the contents; else the file's, or zeros */
	bool forked; /* for the coverage table: copied, and a fork came since */
	struct cells own;
};

struct model_space {
	struct mvm_space *space; /* NULL: none */
	struct model_page page[PAGES];
};

struct model_file {
	struct test_file *file;
	uint64_t size;
	struct cells page[FILE_PAGES];
	bool stored[FILE_PAGES]; /* for the coverage table: since the last full write-back */
};

extern struct world {
	struct model_space space[SPACES];
	struct model_file file[FILES];
} world;

/* --- The run ---------------------------------------------------------------------------------- */

extern struct options {
	uint64_t ops, seed;
	long episode;
	unsigned check_every, forget;
	bool verbose;
} options;

/* Shared with the parent process, which reports and shrinks. */
extern struct progress {
	uint64_t accepted, episodes, coverage[32][16];
	uint64_t episode;
	unsigned op; /* the one under way */
	char why[200];
} * progress;

static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

struct draw {
	uint64_t state;
};

static inline uint64_t draw(struct draw *d)
{
	return mix(d->state += UINT64_C(0x9e3779b97f4a7c15));
}

static inline unsigned below(struct draw *d, unsigned n)
{
	return (unsigned)((draw(d) >> 33) % n);
}

#define FAIL(...)                                                           \
	do {                                                                \
		snprintf(progress->why, sizeof progress->why, __VA_ARGS__); \
		fprintf(stderr, "%s\n", progress->why);                     \
		abort();                                                    \
	} while (0)

#define EXPECT(got, want, what)                                                       \
	do {                                                                          \
		long got_ = (long)(got), want_ = (long)(want);                        \
		if (got_ != want_)                                                    \
			FAIL("%s: got %ld, the model says %ld", (what), got_, want_); \
	} while (0)

#define SAY(...)                                      \
	do {                                          \
		if (options.verbose)                  \
			fprintf(stderr, __VA_ARGS__); \
	} while (0)
/* --- model.c ------------------------------------------------------------------------------------ */

/* The states of a page that the coverage table tells apart. */
#define STATES 11
extern const char *const state_names[STATES];
unsigned state_of(const struct model_page *p);

/* Count that the operation under way met this page. */
void note(const struct model_space *s, unsigned page);

mvm_vaddr_t address(unsigned page);

/* A space that exists; NULL: the caller's operation does nothing. */
struct model_space *some_space(struct draw *d);
void some_range(struct draw *d, unsigned *first, unsigned *n);

void new_space(struct model_space *s);
void free_space(struct model_space *s);

/* MVM_FAULT_OK, or how an access that the area forbids ends. */
enum mvm_fault_result refused(const struct model_page *p, unsigned access);

/* The cells that a load of the page sees, or NULL: `*result` says which signal. */
const struct cells *visible(const struct model_page *p, enum mvm_fault_result *result);

/* Which cells may be compared or stored: past the size, a shared page's bytes are nobody's. */
bool cell_counts(const struct model_page *p, unsigned cell);

/* Do it, and compare with the model. */
void load(struct model_space *s, unsigned page, unsigned cell);
void store(struct model_space *s, unsigned page, unsigned cell, uint64_t word);

/* The disk holds what the model says of pages [first, last] of the file. */
void compare_disk(const struct model_file *f, unsigned first, unsigned last);

/* --- Operations: each draws its parameters, acts, compares, counts ------------------------------ */

void op_load(struct draw *d);
void op_store(struct draw *d);
void op_execute(struct draw *d);
void op_map_fixed(struct draw *d);
void op_map_hint(struct draw *d);
void op_unmap(struct draw *d);
void op_protect(struct draw *d);
void op_sync(struct draw *d);
void op_fork(struct draw *d);
void op_free(struct draw *d);
void op_prefault(struct draw *d);
void op_space_write(struct draw *d);
void op_hold(struct draw *d);
void op_file_read(struct draw *d);
void op_file_write(struct draw *d);
void op_truncate(struct draw *d);
void op_punch(struct draw *d);
void op_flush(struct draw *d);
void op_writeback(struct draw *d);
