// SPDX-License-Identifier: MIT
/*
 * The naive model behind test_model.c: spaces as arrays of pages, files as arrays of cells.
 *
 *	model.c        the model, and what a load or a store should do
 *	model_space.c  map, unmap, protect, fork; loads, stores, holds
 *	model_call.c   the other calls on spaces: remap, brk, advice, locks, limits
 *	model_file.c   operations on files
 *	test_model.c   the run: episodes, coverage, shrinking
 *
 * The model keeps CELLS words of each page, spread over it; the real page is read and written at
 * the same places.  It knows nothing of areas: where a call's outcome depends on them, mm is asked
 * for them, and compare_areas() has compared them with the pages.
 */
#pragma once

#include "testfile.h"

#include "posix.h"

#include <mm/vm.h>

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sv39's lower half, or a 32-bit host's. */
#define SPACE_END ((mvm_vaddr_t)(UINT64_C(1) << (sizeof(mvm_vaddr_t) == 8 ? 38 : 31)))

#define SPACES       6
#define FILES        3 /* on disk; after them: */
#define MEMORY       3 /* the shared anonymous object */
#define DEVICE       4
#define OBJECTS      5
#define FILE_PAGES   24
#define DEVICE_PAGES 12
#define CELLS        8
#define CELL_BYTES   (MVM_PAGE_BYTES / CELLS)
#define HOLDS        4

/*
 * Of each space two windows are watched.  In the first, anything may be; its end is the heap's.  In
 * the second, far above, are stacks: there only GROWSDOWN areas are mapped, and nothing is placed
 * near them.
 */
#define MAIN_PAGES  96
#define HEAP        80 /* the first page of the heap */
#define STACK_PAGES 32
#define LARGE_PAGES 64 /* the first of the window */
#define PAGES       (MAIN_PAGES + STACK_PAGES)
#define BASE        ((mvm_vaddr_t)0x200000)
#define STACK_BASE  ((mvm_vaddr_t)0x2000000)

/* --- The model -------------------------------------------------------------------------------- */

/*
 * `litter`: bits of the cells that were written past the size, as a mapping may.  They are zeros to
 * whoever makes the file longer; who copied the page until then has, or does not have, what was
 * written.
 */
struct cells {
	uint64_t word[CELLS];
	unsigned litter;
};

enum kind { NONE, ANON, PRIVATE, SHARED }; /* the last two: of an object */

/* Is there an anon?  Only stores make one in anonymous memory, but loads may fill a large page. */
enum touched { UNTOUCHED, TOUCHED, MAYBE };

struct model_page {
	enum kind kind;
	unsigned rights, max_rights;
	unsigned flags; /* the area's MVM_MAP_..., but for SHARED */
	unsigned file, index;
	bool copied; /* private: `own` holds the contents; else the file's, or zeros */
	bool forked; /* for the coverage table: copied, and a fork came since */
	bool kept;   /* locked and seen in memory: reclaim may not take it */
	enum touched touched;
	unsigned hold; /* private: 1 + the hold for writing on it; 0: none */
	struct cells own;
};

struct model_space {
	struct mvm_space *space; /* NULL: none */
	unsigned heap;           /* pages */
	unsigned future;         /* flags of the areas to come: MVM_MAP_LOCKED, ..._LOCKONFAULT */
	struct mvm_limits limits;
	struct model_page page[PAGES];
};

struct model_file {
	struct test_file *file; /* NULL: not on disk */
	struct mvm_object *object;
	uint64_t size;
	struct cells page[FILE_PAGES];
	bool stored[FILE_PAGES]; /* for the coverage table: since the last full write-back */
};

/* A page held for writing, as a device would: its frame is read and written behind mm's back. */
struct model_hold {
	struct model_space *space; /* NULL: none */
	struct mvm_hold hold;
	bool detached;      /* the page is not mapped any more; its frame holds */
	struct cells cells; /* these */
};

extern struct world {
	struct model_space space[SPACES];
	struct model_file file[OBJECTS];
	struct model_hold hold[HOLDS];
} world;

/* --- The run ---------------------------------------------------------------------------------- */

extern struct options {
	uint64_t ops, seed;
	long episode;
	unsigned check_every, forget, fail;
	bool verbose;
} options;

/* The states of a page that the coverage table tells apart. */
enum state {
	UNMAPPED,
	ANON_NEW,
	ANON_OWN,
	ANON_FORKED,
	PRIVATE_NEW,
	PRIVATE_OWN,
	PRIVATE_FORKED,
	PRIVATE_PAST,
	SHARED_CLEAN,
	SHARED_STORED,
	SHARED_PAST,
	SHARED_MEMORY,
	OF_DEVICE,
	OF_STACK,
	IS_LOCKED,
	STATES
};

/* Shared with the parent process, which reports and shrinks. */
extern struct progress {
	uint64_t accepted, failed, episodes, coverage[64][STATES];
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

/* The next request of some kind, or one soon after, fails; perhaps all that follow, too. */
void plan_failure(struct draw *d, bool even_for_good);
void plan_none(void);

/*
 * The operation under way runs with something planned to fail: is what the call says that it did
 * fail, or may it be?  After the first call that is looked at nothing fails any more.
 */
bool planned_failure(long got);

/* Go back to where the operation was begun. */
extern jmp_buf op_give_up;
void op_failed(void) __attribute__((noreturn));

#define FAIL(...)                                                           \
	do {                                                                \
		snprintf(progress->why, sizeof progress->why, __VA_ARGS__); \
		fprintf(stderr, "%s\n", progress->why);                     \
		abort();                                                    \
	} while (0)

#define EXPECT(got, want, what)                                                       \
	do {                                                                          \
		long got_ = (long)(got), want_ = (long)(want);                        \
		if (planned_failure(got_))                                            \
			op_failed();                                                  \
		if (got_ != want_)                                                    \
			FAIL("%s: got %ld, the model says %ld", (what), got_, want_); \
	} while (0)

#define SAY(...)                                      \
	do {                                          \
		if (options.verbose)                  \
			fprintf(stderr, __VA_ARGS__); \
	} while (0)

/* --- model.c ---------------------------------------------------------------------------------- */

extern const char *const state_names[STATES];
enum state state_of(const struct model_page *p);

/* Count that the operation under way met these pages, or all that show the file's [first, last]. */
void note(const struct model_space *s, unsigned first, unsigned n);
void note_file(const struct model_file *f, unsigned first, unsigned last);

mvm_vaddr_t address(unsigned page);
static inline size_t bytes_of(unsigned pages)
{
	return (size_t)pages << MVM_PAGE_SHIFT;
}

struct model_space *some_space(struct draw *d);
/* A range in the main window; now and then one among the stacks. */
void some_range(struct draw *d, unsigned *first, unsigned *n);
unsigned some_page(struct draw *d, const struct model_space *s);
unsigned some_rights(struct draw *d);

struct mvm_limits no_limits(void);
void new_space(struct model_space *s);
/* Its holds go with it. */
void free_space(struct model_space *s);

/* The page is private memory's, has private contents? */
static inline bool is_private(const struct model_page *p)
{
	return p->kind == ANON || p->kind == PRIVATE;
}

static inline bool is_device(const struct model_page *p)
{
	return (p->kind == PRIVATE || p->kind == SHARED) && p->file == DEVICE;
}

/* The page has what was there before the first store; what is left of a hold is its own. */
void drop_contents(struct model_page *p);
void drop_page(struct model_page *p);

/* What a limit makes of `add` pages more like this one: 0 or the error; *either: or the other. */
int over_limit(const struct model_space *s, const struct model_page *like, long add);

/*
 * How a map at [first, first + n) must end as for the limits: what FIXED replaces is given back,
 * but not to the limit of locked pages.
 */
int map_limit(const struct model_space *s, const struct model_page *p, unsigned first, unsigned n);
size_t count_pages(const struct model_space *s, bool (*counts)(const struct model_page *p));
bool is_mapped(const struct model_page *p);
bool is_data(const struct model_page *p);
bool is_locked(const struct model_page *p);

/* A stack grows down to the page if it may. */
void maybe_grow(struct model_space *s, unsigned page);

/*
 * An operation failed on the way: it may have made a stack grow or copied a page, so see what mm
 * has, and have brought in pages that nobody had touched.
 */
void adopt_failed(struct model_space *s);

/*
 * How an access at the page must end: MVM_FAULT_OK; how it ends when the area forbids it, or when
 * there are no bytes.  A stack may grow by it.
 */
enum mvm_fault_result access_result(struct model_space *s, unsigned page, unsigned access);

/* The page was loaded from, which makes no page where none is, but that it may fill a large one. */
void note_load(struct model_page *p);

/* The cells that a load of the page sees; there are bytes. */
/* No litter; set a word, which is known then. */
bool is_known(const struct cells *c, unsigned cell);
void know(struct cells *c, unsigned cell, uint64_t word);

const struct cells *visible(const struct model_page *p);
bool past_size(const struct model_page *p);

/*
 * Which cells may be compared or stored: past the size, a shared page's bytes
 * are nobody's; no litter.
 */
bool cell_counts(const struct model_page *p, unsigned cell);

/* What a store means for the model. */
void set_cell(struct model_page *p, unsigned cell, uint64_t word);

/* Do it, and compare with the model. */
void load(struct model_space *s, unsigned page, unsigned cell);
void store(struct model_space *s, unsigned page, unsigned cell, uint64_t word);

/*
 * A call has perhaps copied private pages of files (it prefaulted them for stores): store to them,
 * so that they are copied for certain.
 */
void store_to_copied(struct draw *d, struct model_space *s, unsigned first, unsigned n);

/* mm's areas of the space say what the pages say; so do its counts. */
void compare_areas(const struct model_space *s);

/* The page past the area that mm has there. */
unsigned area_end(const struct model_space *s, unsigned page);

/* The disk holds what the model says of pages [first, last] of the file. */
void compare_disk(const struct model_file *f, unsigned first, unsigned last);

/* What a hold keeps is as it was left; all that is locked is in memory. */
void compare_holds(void);
void compare_kept(void);

/* --- Operations: each draws its parameters, acts, compares, counts ---------------------------- */

void op_load(struct draw *d);
void op_store(struct draw *d);
void op_execute(struct draw *d);
void op_map_fixed(struct draw *d);
void op_map_large(struct draw *d);
void op_map_hint(struct draw *d);
void op_map_stack(struct draw *d);
void op_unmap(struct draw *d);
void op_protect(struct draw *d);
void op_sync(struct draw *d);
void op_fork(struct draw *d);
void op_free(struct draw *d);
void op_prefault(struct draw *d);
void op_space_write(struct draw *d);
void op_hold(struct draw *d);
void op_device_write(struct draw *d);
void op_futex(struct draw *d);

void op_remap(struct draw *d);
void op_brk(struct draw *d);
void op_limits(struct draw *d);
void op_advise(struct draw *d);
void op_incore(struct draw *d);
void op_lock(struct draw *d);
void op_unlock(struct draw *d);
void op_lock_all(struct draw *d);

void op_file_read(struct draw *d);
void op_file_write(struct draw *d);
void op_file_read_user(struct draw *d);
void op_file_write_user(struct draw *d);
void op_file_touch(struct draw *d);
void op_truncate(struct draw *d);
void op_punch(struct draw *d);
void op_flush(struct draw *d);
void op_readahead(struct draw *d);
void op_invalidate(struct draw *d);
void op_writeback(struct draw *d);
void op_reclaim(struct draw *d);
