// SPDX-License-Identifier: MIT
/*
 * What the exerciser compares with: a file is an array of bytes, a private page that was stored to
 * is another one.  It knows nothing of blocks, caches or laziness.
 */
#pragma once

#include "back.h"

enum {
	MODEL_FILES = 8,   /* with a name or without */
	MODEL_COPIES = 64, /* private pages, of all spaces */
	MODEL_NONE = -1,
};

/* What may and what must have a block, page for page: bits of model_file.block[]. */
enum { BLOCK_MAY = 1, BLOCK_MUST = 2 };

struct model_file {
	unsigned uses; /* descriptors and areas; its name is one, too */
	bool named;
	size_t size;
	uint8_t *data;   /* the capacity; zero behind the size */
	bool dirty_tail; /* a mapping may show anything behind the end, in the last page */
	uint8_t block[FSX_FILE_PAGES];
};

/* A page that a private store made: the file's no more. */
struct model_copy {
	bool used;
	unsigned known; /* bytes; the rest was behind the file's end when this was a part of it */
	uint8_t data[FSX_PAGE];
};

struct model_area {
	int file; /* MODEL_NONE: not mapped */
	bool shared;
	unsigned first, pages;
	struct model_copy *copy[FSX_FILE_PAGES]; /* NULL: shows the file */
};

struct model {
	size_t capacity; /* bytes a file may have; whole pages */
	struct model_file file[MODEL_FILES];
	struct model_copy copy[MODEL_COPIES];
	int name[FSX_NAMES]; /* the file, or MODEL_NONE */
	struct {
		int file; /* MODEL_NONE: closed */
		bool append;
	} descriptor[FSX_DESCRIPTORS];
	struct model_area area[FSX_SPACES][FSX_AREAS];
};

void model_init(struct model *m, size_t capacity);
void model_free(struct model *m);

/* The file of this name, which is made when there is none; MODEL_NONE: too many are in use. */
int model_open(struct model *m, unsigned name);
void model_unlink(struct model *m, unsigned name);
void model_use(struct model *m, int file);
void model_unuse(struct model *m, int file);

void model_write(struct model *m, int file, const void *from, size_t n, size_t at);
void model_truncate(struct model *m, int file, size_t size);
void model_zero(struct model *m, int file, size_t start, size_t end, bool keeps_blocks);
void model_allocate(struct model *m, int file, size_t start, size_t end);

/* Nobody knows which pages of [start, end) have a block. */
void model_begun(struct model *m, int file, size_t start, size_t end);

/* What was allocated behind the end may be gone: a write there was begun, and failed. */
void model_trim(struct model *m, int file);

/* The least and the most of its pages that have a block. */
unsigned model_blocks(const struct model *m, int file, unsigned bit);

void model_map(struct model *m, struct model_area *a, int file, bool shared, unsigned first,
	unsigned pages);
void model_unmap(struct model *m, struct model_area *a);
void model_forget(struct model *m, struct model_area *a, unsigned page, unsigned pages);

/* All areas of `to`, which has none, become copies.  False: too many private pages. */
bool model_fork(struct model *m, unsigned from, unsigned to);

/* How many of the n bytes at `at` of the area an access reaches: the others are SIGBUS. */
size_t model_reach(const struct model *m, const struct model_area *a, size_t at, size_t n);

/*
 * What a load of n bytes must find, inside one page: *known bytes of them, the rest may be
 * anything. Returned memory is the model's.
 */
const uint8_t *model_load(
	const struct model *m, const struct model_area *a, size_t at, size_t n, size_t *known);

/*
 * A store inside one page.  False: there is no room for another private page,
 * nothing has changed.
 */
bool model_store(struct model *m, struct model_area *a, size_t at, const void *from, size_t n);
