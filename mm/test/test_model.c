// SPDX-License-Identifier: MIT
/*
 * mm against a naive model: random calls, loads and stores on several spaces and files, each
 * compared with an array of pages that knows nothing of areas, trees, sharing or laziness.
 *
 *	mm_model [--ops N] [--seed S] [--episode K] [--check-every N] [--forget N] [--verbose]
 *
 * A run is a series of episodes.  An episode makes spaces and files, applies OPS_PER_EPISODE
 * operations, compares everything, and ends with nothing left allocated.  Operation i of an
 * episode draws its parameters from (seed, episode, i) alone: so operations can be left out of a
 * failing episode while the others stay as they were, which is how a failure is shrunk before it
 * is reported.  `--seed S --episode K` replays one.
 *
 * The model keeps CELLS words of each page, spread over it; the real page is read and written at
 * the same places.  A run counts accepted operations: calls that did what they were asked, and
 * loads and stores, be their answer data or the expected signal.
 */
#include "testfile.h"

#include "posix.h"

#include <mm/host.h>
#include <mm/vm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPACES          4
#define FILES           3
#define PAGES           96 /* of each space that operations are about */
#define FILE_PAGES      24
#define CELLS           8
#define CELL_BYTES      (MVM_PAGE_BYTES / CELLS)
#define BASE            ((mvm_vaddr_t)0x200000)
#define OPS_PER_EPISODE 2000
#define FRAMES          4096

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

static struct {
	struct model_space space[SPACES];
	struct model_file file[FILES];
} world;

/* --- Options, randomness, failure ------------------------------------------------------------- */

static struct {
	uint64_t ops, seed;
	long episode;
	unsigned check_every, forget;
	bool verbose;
} options = {.ops = 1000000, .episode = -1, .check_every = 16};

/* Shared with the parent process, which reports and shrinks. */
static struct progress {
	uint64_t accepted, episodes, coverage[32][16];
	uint64_t episode;
	char why[200];
} * progress;

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

struct draw {
	uint64_t state;
};

static uint64_t draw(struct draw *d)
{
	return mix(d->state += UINT64_C(0x9e3779b97f4a7c15));
}

static unsigned below(struct draw *d, unsigned n)
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

/* --- Coverage: which call met which state of a page ------------------------------------------- */

static const char *const state_names[] = {"unmapped", "anon-new", "anon-own", "anon-forked",
	"priv-new", "priv-own", "priv-forked", "priv-past", "shared-clean", "shared-stored",
	"shared-past"};
enum { STATES = sizeof state_names / sizeof *state_names };

static bool past_size(const struct model_page *p)
{
	return (uint64_t)p->index << MVM_PAGE_SHIFT >= world.file[p->file].size;
}

static unsigned state_of(const struct model_page *p)
{
	switch (p->kind) {
	case NONE:
		return 0;
	case ANON:
		return !p->copied ? 1 : p->forked ? 3 : 2;
	case FILE_PRIVATE:
		return p->copied ? (p->forked ? 6 : 5) : past_size(p) ? 7 : 4;
	default:
		return past_size(p) ? 10 : world.file[p->file].stored[p->index] ? 9 : 8;
	}
}

/* --- Places ----------------------------------------------------------------------------------- */

static mvm_vaddr_t address(unsigned page)
{
	return BASE + ((mvm_vaddr_t)page << MVM_PAGE_SHIFT);
}

/* A space that exists; the caller's operation does nothing when there is none. */
static struct model_space *some_space(struct draw *d)
{
	struct model_space *s = &world.space[below(d, SPACES)];

	return s->space ? s : NULL;
}

static void some_range(struct draw *d, unsigned *first, unsigned *n)
{
	*first = below(d, PAGES);
	*n = 1 + below(d, below(d, 4) ? 8 : PAGES);
	if (*first + *n > PAGES)
		*n = PAGES - *first;
}

static void note(unsigned op, const struct model_space *s, unsigned page)
{
	progress->coverage[op][state_of(&s->page[page])]++;
}

/* --- What an access should do ------------------------------------------------------------------
 */

/* The cells that a load of the page sees, or NULL: `*result` says which signal. */
static const struct cells *visible(const struct model_page *p, enum mvm_fault_result *result)
{
	static const struct cells zeros;

	*result = MVM_FAULT_OK;
	if (p->kind != ANON && !p->copied && past_size(p)) {
		*result = MVM_FAULT_BUS;
		return NULL;
	}
	if (p->copied)
		return &p->own;
	return p->kind == ANON ? &zeros : &world.file[p->file].page[p->index];
}

static enum mvm_fault_result refused(const struct model_page *p, unsigned access)
{
	if (p->kind == NONE)
		return MVM_FAULT_MAPERR;
	if (!(p->rights & access))
		return MVM_FAULT_ACCERR;
	return MVM_FAULT_OK;
}

/* Which cells may be compared or stored: past the size, a shared page's bytes are nobody's. */
static bool cell_counts(const struct model_page *p, unsigned cell)
{
	uint64_t at = ((uint64_t)p->index << MVM_PAGE_SHIFT) + cell * CELL_BYTES;

	return p->kind == ANON || p->copied || at < world.file[p->file].size;
}

static void load(struct model_space *s, unsigned page, unsigned cell)
{
	struct model_page *p = &s->page[page];
	enum mvm_fault_result want = refused(p, MVM_READ), got;
	const struct cells *cells = want ? NULL : visible(p, &want);
	uint64_t word = 0;

	if (cells && !cell_counts(p, cell))
		cell = 0;
	got = posix_load(s->space, address(page) + cell * CELL_BYTES, &word, sizeof word);
	EXPECT(got, want, "load");
	if (cells && word != cells->word[cell])
		FAIL("load of page %u cell %u (%s): got %#lx, the model has %#lx", page, cell,
			state_names[state_of(p)], (long)word, (long)cells->word[cell]);
	progress->accepted++;
}

static void store(struct model_space *s, unsigned page, unsigned cell, uint64_t word)
{
	struct model_page *p = &s->page[page];
	enum mvm_fault_result want = refused(p, MVM_WRITE), got;
	const struct cells *cells = want ? NULL : visible(p, &want);

	if (cells && p->kind == FILE_SHARED && !cell_counts(p, cell))
		cell = 0;
	got = posix_store(s->space, address(page) + cell * CELL_BYTES, &word, sizeof word);
	EXPECT(got, want, "store");
	progress->accepted++;
	if (!cells)
		return;
	if (p->kind == FILE_SHARED) {
		world.file[p->file].page[p->index].word[cell] = word;
		world.file[p->file].stored[p->index] = true;
		return;
	}
	p->own = *cells;
	p->copied = true;
	p->forked = false;
	p->own.word[cell] = word;
}

/* --- Operations --------------------------------------------------------------------------------
 */

enum op {
	OP_LOAD,
	OP_STORE,
	OP_EXEC,
	OP_MAP,
	OP_MAP_HINT,
	OP_UNMAP,
	OP_PROTECT,
	OP_SYNC,
	OP_FORK,
	OP_FREE,
	OP_PREFAULT,
	OP_SPACE_WRITE,
	OP_FILE_READ,
	OP_FILE_WRITE,
	OP_TRUNCATE,
	OP_PUNCH,
	OP_FLUSH,
	OP_RECLAIM,
	OP_WRITEBACK,
	OP_HOLD,
	OPS,
};

static const char *const op_names[OPS] = {"load", "store", "exec", "map", "map-hint", "unmap",
	"protect", "sync", "fork", "free", "prefault", "space-write", "file-read", "file-write",
	"truncate", "punch", "flush", "reclaim", "writeback", "hold"};

static const unsigned char op_weights[OPS] = {
	22, 24, 1, 8, 3, 6, 6, 2, 2, 1, 2, 2, 3, 4, 2, 1, 2, 3, 2, 2};

static void op_access(struct draw *d, enum op op)
{
	struct model_space *s = some_space(d);
	unsigned page = below(d, PAGES), cell = below(d, CELLS);

	if (!s)
		return;
	/* Go on from a hole to something mapped, most of the time. */
	for (unsigned i = 0; i < PAGES && s->page[page].kind == NONE && below(d, 8); i++)
		page = (page + 1) % PAGES;
	note(op, s, page);
	if (op == OP_LOAD) {
		load(s, page, cell);
	} else if (op == OP_STORE) {
		store(s, page, cell, draw(d));
	} else {
		enum mvm_fault_result want = refused(&s->page[page], MVM_EXEC);

		if (!want)
			visible(&s->page[page], &want);
		EXPECT(posix_execute(s->space, address(page)), want, "execute");
		progress->accepted++;
	}
}

static unsigned some_rights(struct draw *d)
{
	static const unsigned char rights[] = {MVM_READ | MVM_WRITE, MVM_READ | MVM_WRITE,
		MVM_READ | MVM_WRITE, MVM_READ, MVM_READ, 0, MVM_READ | MVM_EXEC, MVM_RWX};

	return rights[below(d, sizeof rights)];
}

static void op_map(struct draw *d, bool hint)
{
	struct model_space *s = some_space(d);
	struct mvm_map map = {.flags = hint ? 0 : MVM_MAP_FIXED};
	struct model_page model = {.kind = 1 + below(d, 3)};
	unsigned first, n;

	some_range(d, &first, &n);
	model.rights = some_rights(d);
	model.max_rights = MVM_RWX;
	if (model.kind != ANON) {
		model.file = below(d, FILES);
		model.index = below(d, FILE_PAGES);
		if (model.kind == FILE_SHARED && !below(d, 4))
			model.max_rights = model.rights | MVM_READ;
	}
	if (!s)
		return;
	note(hint ? OP_MAP_HINT : OP_MAP, s, first);
	map.addr = address(first);
	map.bytes = (size_t)n << MVM_PAGE_SHIFT;
	map.rights = model.rights;
	map.max_rights = model.max_rights;
	if (model.kind == FILE_SHARED)
		map.flags |= MVM_MAP_SHARED;
	if (!below(d, 8))
		map.flags |= MVM_MAP_POPULATE;
	if (model.kind != ANON) {
		/* Model pages do not reach past the array: keep the range inside it. */
		if (n > FILE_PAGES - model.index)
			n = FILE_PAGES - model.index;
		map.bytes = (size_t)n << MVM_PAGE_SHIFT;
		map.object = world.file[model.file].file->object;
		map.offset_pages = model.index;
	}
	EXPECT(mvm_map(s->space, &map), 0, "map");
	progress->accepted++;
	SAY("  map %lx+%u kind %d rights %u flags %x\n", (long)map.addr, n, model.kind,
		model.rights, map.flags);
	if (hint && (map.addr < BASE || map.addr + map.bytes > address(PAGES))) {
		/* Placed elsewhere: outside what the model watches. */
		EXPECT(mvm_unmap(s->space, map.addr, map.bytes), 0, "unmap of a placed mapping");
		return;
	}
	first = (unsigned)((map.addr - BASE) >> MVM_PAGE_SHIFT);
	for (unsigned i = 0; i < n; i++) {
		if (hint && s->page[first + i].kind != NONE)
			FAIL("map without FIXED over page %u, which is mapped", first + i);
		s->page[first + i] = model;
		model.index++;
	}
}

static void op_unmap(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned first, n;

	some_range(d, &first, &n);
	if (!s)
		return;
	note(OP_UNMAP, s, first);
	SAY("  unmap %u+%u\n", first, n);
	EXPECT(mvm_unmap(s->space, address(first), (size_t)n << MVM_PAGE_SHIFT), 0, "unmap");
	progress->accepted++;
	for (unsigned i = first; i < first + n; i++)
		s->page[i].kind = NONE, s->page[i].copied = false;
}

static void op_protect(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned first, n, rights = some_rights(d), end, err = 0;

	some_range(d, &first, &n);
	if (!s)
		return;
	for (end = first; end < first + n && s->page[end].kind != NONE; end++) {
		if (rights & ~s->page[end].max_rights)
			return; /* what changes before EACCES is nobody's promise */
	}
	if (end < first + n)
		err = MVM_ENOMEM;
	note(OP_PROTECT, s, first);
	SAY("  protect %u+%u rights %u\n", first, n, rights);
	EXPECT(mvm_protect(s->space, address(first), (size_t)n << MVM_PAGE_SHIFT, rights),
		-(int)err, "protect");
	progress->accepted += !err;
	for (unsigned i = first; i < end; i++)
		s->page[i].rights = rights;
}

/* The disk holds what the model says of pages [first, last] of the file. */
static void compare_disk(const struct model_file *f, unsigned first, unsigned last)
{
	for (unsigned i = first; i <= last && i < FILE_PAGES; i++) {
		for (unsigned c = 0; c < CELLS; c++) {
			uint64_t at = ((uint64_t)i << MVM_PAGE_SHIFT) + c * CELL_BYTES, word;

			if (at >= f->size)
				return;
			memcpy(&word, f->file->disk + at, sizeof word);
			if (word != f->page[i].word[c])
				FAIL("disk page %u cell %u: %#lx, the model has %#lx", i, c,
					(long)word, (long)f->page[i].word[c]);
		}
	}
}

static void op_sync(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned first, n, want = 0;

	some_range(d, &first, &n);
	if (!s)
		return;
	for (unsigned i = first; i < first + n; i++)
		want = s->page[i].kind == NONE ? MVM_ENOMEM : want;
	note(OP_SYNC, s, first);
	EXPECT(mvm_sync(s->space, address(first), (size_t)n << MVM_PAGE_SHIFT, MVM_SYNC_WAIT, NULL),
		-(int)want, "sync");
	progress->accepted += !want;
	for (unsigned i = first; i < first + n; i++) {
		struct model_page *p = &s->page[i];

		if (p->kind == FILE_SHARED)
			compare_disk(&world.file[p->file], p->index, p->index);
	}
}

static void op_fork(struct draw *d)
{
	struct model_space *from = some_space(d), *to = &world.space[below(d, SPACES)];

	if (!from || to->space)
		return;
	note(OP_FORK, from, below(d, PAGES));
	for (unsigned i = 0; i < PAGES; i++)
		from->page[i].forked = from->page[i].copied;
	*to = *from;
	SAY("  fork %d -> %d\n", (int)(from - world.space), (int)(to - world.space));
	EXPECT(mvm_space_fork(from->space, &to->space), 0, "fork");
	progress->accepted++;
}

static void free_space(struct model_space *s)
{
	mvm_space_unref(s->space);
	memset(s, 0, sizeof *s);
}

static void new_space(struct model_space *s)
{
	memset(s, 0, sizeof *s);
	EXPECT(mvm_space_new(0x1000, (mvm_vaddr_t)1 << 38, &s->space), 0, "space_new");
}

static void op_free(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned left = 0;

	for (unsigned i = 0; i < SPACES; i++)
		left += world.space[i].space != NULL;
	if (!s)
		return;
	note(OP_FREE, s, below(d, PAGES));
	SAY("  free %d\n", (int)(s - world.space));
	free_space(s);
	if (left == 1)
		new_space(s);
	progress->accepted++;
}

static void op_prefault(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = below(d, PAGES), access = below(d, 2) ? MVM_READ : MVM_WRITE;
	enum mvm_fault_result want;
	struct model_page *p;

	if (!s)
		return;
	p = &s->page[page];
	want = refused(p, access);
	if (!want)
		visible(p, &want);
	note(OP_PREFAULT, s, page);
	EXPECT(mvm_prefault(s->space, address(page) + 5, 1, access), want ? -MVM_EFAULT : 0,
		"prefault");
	progress->accepted += !want;
	if (!want && access == MVM_WRITE && p->kind != FILE_SHARED && !p->copied) {
		p->own = *visible(p, &want); /* it may have been copied now: same bytes, but */
		p->copied = true;            /* cut off from what the file does later */
	}
	if (!want && access == MVM_WRITE)
		store(s, page, 0, draw(d)); /* so that model and mm agree that it was */
}

static void op_space_write(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = below(d, PAGES), cell = below(d, CELLS);
	uint64_t word = draw(d), back = 0;
	enum mvm_fault_result want;
	struct model_page *p;

	if (!s)
		return;
	p = &s->page[page];
	want = refused(p, MVM_WRITE);
	if (!want && !(p->rights & MVM_READ))
		want = MVM_FAULT_ACCERR;
	if (!want)
		visible(p, &want);
	note(OP_SPACE_WRITE, s, page);
	if (!want && p->kind == FILE_SHARED && !cell_counts(p, cell))
		cell = 0;
	EXPECT(mvm_space_write(
		       s->space, address(page) + cell * CELL_BYTES, &word, sizeof word, false),
		want ? -MVM_EFAULT : 0, "space_write");
	if (want)
		return;
	store(s, page, cell, word);
	EXPECT(mvm_space_read(s->space, address(page) + cell * CELL_BYTES, &back, sizeof back), 0,
		"space_read");
	EXPECT(back, word, "space_read's word");
}

static void op_hold(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = below(d, PAGES), access = below(d, 2) ? MVM_READ : MVM_WRITE;
	enum mvm_fault_result want;
	struct mvm_hold hold;
	uint64_t word;

	if (!s)
		return;
	want = refused(&s->page[page], access);
	if (!want)
		visible(&s->page[page], &want);
	note(OP_HOLD, s, page);
	EXPECT(mvm_hold(s->space, address(page), access, &hold), want ? -MVM_EFAULT : 0, "hold");
	if (want)
		return;
	if (access == MVM_WRITE)
		store(s, page, 0, draw(d));
	memcpy(&word, posix_frame_data(hold.frame), sizeof word);
	if (word != visible(&s->page[page], &want)->word[0])
		FAIL("the frame that was held is not the page's");
	mvm_release(&hold);
	progress->accepted++;
}

/* --- Operations on files ------------------------------------------------------------------------
 */

static void op_file_read(struct draw *d)
{
	struct model_file *f = &world.file[below(d, FILES)];
	unsigned first = below(d, FILE_PAGES), n = 1 + below(d, 4);
	static char buffer[FILE_PAGES * MVM_PAGE_BYTES];
	uint64_t offset = (uint64_t)first << MVM_PAGE_SHIFT, want;
	size_t done;

	if (first + n > FILE_PAGES)
		n = FILE_PAGES - first;
	want = f->size <= offset ? 0 : f->size - offset;
	if (want > (uint64_t)n << MVM_PAGE_SHIFT)
		want = (uint64_t)n << MVM_PAGE_SHIFT;
	EXPECT(test_file_read(f->file, offset, buffer, (size_t)n << MVM_PAGE_SHIFT, &done), 0,
		"pc_read");
	EXPECT(done, want, "pc_read's length");
	for (size_t at = 0; at < done; at += CELL_BYTES) {
		uint64_t word;

		memcpy(&word, buffer + at, sizeof word);
		if (word != f->page[(offset + at) >> MVM_PAGE_SHIFT]
				    .word[(at & MVM_PAGE_MASK) / CELL_BYTES])
			FAIL("pc_read of page %u: the bytes at %zu differ", first, at);
	}
	progress->accepted++;
}

static void op_file_write(struct draw *d)
{
	struct model_file *f = &world.file[below(d, FILES)];
	unsigned cell = below(d, FILE_PAGES * CELLS), n = 1 + below(d, 3 * CELLS);
	static char buffer[FILE_PAGES * MVM_PAGE_BYTES];
	uint64_t offset = (uint64_t)cell * CELL_BYTES;
	size_t done, bytes;

	if (cell + n > FILE_PAGES * CELLS)
		n = FILE_PAGES * CELLS - cell;
	bytes = (size_t)n * CELL_BYTES;
	memset(buffer, 0x11, bytes);
	for (unsigned i = 0; i < n; i++) {
		uint64_t word = draw(d);

		memcpy(buffer + (size_t)i * CELL_BYTES, &word, sizeof word);
		f->page[(cell + i) / CELLS].word[(cell + i) % CELLS] = word;
		f->stored[(cell + i) / CELLS] = true;
	}
	SAY("  write file %d at %lu, %zu bytes\n", (int)(f - world.file), (long)offset, bytes);
	EXPECT(test_file_write(f->file, offset, buffer, bytes, &done), 0, "pc_write");
	EXPECT(done, bytes, "pc_write's length");
	if (offset + bytes > f->size)
		f->size = offset + bytes;
	EXPECT(mvm_object_size(f->file->object), f->size, "the size after pc_write");
	progress->accepted++;
}

static void zero_cells(struct model_file *f, uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at < end && at < FILE_PAGES * MVM_PAGE_BYTES; at += CELL_BYTES) {
		f->page[at >> MVM_PAGE_SHIFT].word[(at & MVM_PAGE_MASK) / CELL_BYTES] = 0;
		f->stored[at >> MVM_PAGE_SHIFT] |= at < f->size;
	}
}

static void op_truncate(struct draw *d)
{
	struct model_file *f = &world.file[below(d, FILES)];
	uint64_t size = (uint64_t)below(d, FILE_PAGES * CELLS + 1) * CELL_BYTES;

	SAY("  truncate file %d: %lu -> %lu\n", (int)(f - world.file), (long)f->size, (long)size);
	EXPECT(mvm_pc_truncate(f->file->object, size), 0, "pc_truncate");
	if (size < f->size) {
		zero_cells(f, size, f->size);
		test_file_free_blocks(f->file, size);
		for (unsigned s = 0; s < SPACES; s++) {
			for (unsigned i = 0; i < PAGES; i++) {
				struct model_page *p = &world.space[s].page[i];

				if (p->kind == FILE_PRIVATE && &world.file[p->file] == f &&
					(uint64_t)p->index << MVM_PAGE_SHIFT >= size)
					p->copied = p->forked = false;
			}
		}
	}
	f->size = size;
	progress->accepted++;
}

static struct model_file *punched;

static int free_blocks(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	(void)obj;
	for (mvm_pgoff_t i = first; i <= last && i < FILE_PAGES; i++)
		memset(punched->file->disk + (i << MVM_PAGE_SHIFT), 0, MVM_PAGE_BYTES);
	return 0;
}

static void op_punch(struct draw *d)
{
	struct model_file *f = &world.file[below(d, FILES)];
	uint64_t start = (uint64_t)below(d, FILE_PAGES * CELLS) * CELL_BYTES;
	uint64_t end = start + (1 + below(d, 4 * CELLS)) * CELL_BYTES;

	if (start >= f->size)
		return;
	if (end > f->size)
		end = f->size;
	SAY("  punch file %d: %lu to %lu\n", (int)(f - world.file), (long)start, (long)end);
	punched = f;
	EXPECT(mvm_pc_punch(f->file->object, start, end, free_blocks), 0, "pc_punch");
	zero_cells(f, start, end);
	progress->accepted++;
}

static void op_flush(struct draw *d)
{
	struct model_file *f = &world.file[below(d, FILES)];
	unsigned first = below(d, FILE_PAGES), last = first + below(d, FILE_PAGES);

	EXPECT(mvm_pc_flush(f->file->object, first, last, MVM_PC_WAIT), 0, "pc_flush");
	compare_disk(f, first, last);
	for (unsigned i = first; i <= last && i < FILE_PAGES; i++)
		f->stored[i] = false;
	progress->accepted++;
}

static void op_writeback(struct draw *d)
{
	bool wait = below(d, 2);

	EXPECT(mvm_writeback(0, wait), 0, "writeback");
	progress->accepted++;
	for (unsigned i = 0; i < FILES && wait; i++) {
		compare_disk(&world.file[i], 0, FILE_PAGES - 1);
		memset(world.file[i].stored, 0, sizeof world.file[i].stored);
	}
}

static void apply(uint64_t episode, unsigned i)
{
	struct draw d = {.state = mix(mix(options.seed) ^ mix(episode) ^ mix(i))};
	unsigned total = 0, pick;
	enum op op = 0;

	for (unsigned k = 0; k < OPS; k++)
		total += op_weights[k];
	for (pick = below(&d, total); pick >= op_weights[op]; op++)
		pick -= op_weights[op];
	SAY("%u: %s\n", i, op_names[op]);
	switch (op) {
	case OP_LOAD:
	case OP_STORE:
	case OP_EXEC:
		op_access(&d, op);
		break;
	case OP_MAP:
	case OP_MAP_HINT:
		op_map(&d, op == OP_MAP_HINT);
		break;
	case OP_UNMAP:
		op_unmap(&d);
		break;
	case OP_PROTECT:
		op_protect(&d);
		break;
	case OP_SYNC:
		op_sync(&d);
		break;
	case OP_FORK:
		op_fork(&d);
		break;
	case OP_FREE:
		op_free(&d);
		break;
	case OP_PREFAULT:
		op_prefault(&d);
		break;
	case OP_SPACE_WRITE:
		op_space_write(&d);
		break;
	case OP_FILE_READ:
		op_file_read(&d);
		break;
	case OP_FILE_WRITE:
		op_file_write(&d);
		break;
	case OP_TRUNCATE:
		op_truncate(&d);
		break;
	case OP_PUNCH:
		op_punch(&d);
		break;
	case OP_FLUSH:
		op_flush(&d);
		break;
	case OP_RECLAIM:
		(void)mvm_reclaim(1 + below(&d, 64));
		progress->accepted++;
		break;
	case OP_WRITEBACK:
		op_writeback(&d);
		break;
	default:
		op_hold(&d);
		break;
	}
}

/* --- Episodes -----------------------------------------------------------------------------------
 */

static void compare_everything(void)
{
	for (unsigned s = 0; s < SPACES; s++) {
		for (unsigned i = 0; world.space[s].space && i < PAGES; i++) {
			for (unsigned c = 0; c < CELLS; c++)
				load(&world.space[s], i, c);
		}
	}
}

/* Caches of mm (the chunks of descriptors, slabs) grow once; what pages hold must come back. */
static void expect_nothing_left(void)
{
	struct mvm_stats stats;

	mvm_check();
	mvm_stats(&stats);
	EXPECT(stats.anon_pages, 0, "anon pages left");
	EXPECT(stats.cached_pages, 0, "cached pages left");
	EXPECT(stats.spaces, 0, "spaces left");
	EXPECT(stats.areas, 0, "areas left");
	EXPECT(stats.objects, 0, "objects left");
	EXPECT(posix_frames_used(), 0, "frames left");
}

static void run_episode(uint64_t episode, const bool *skip)
{
	struct draw d = {.state = mix(mix(options.seed) ^ mix(~episode))};

	progress->episode = episode;
	posix_seed(draw(&d));
	posix_forget(options.forget ? options.forget : episode % 4 == 3 ? 5 : 0);
	new_space(&world.space[0]);
	for (unsigned i = 0; i < FILES; i++) {
		memset(&world.file[i], 0, sizeof world.file[i]);
		world.file[i].size = (uint64_t)below(&d, FILE_PAGES * CELLS) * CELL_BYTES;
		world.file[i].file = test_file_new(FILE_PAGES, world.file[i].size);
	}
	for (unsigned i = 0; i < OPS_PER_EPISODE; i++) {
		if (!skip || !skip[i])
			apply(episode, i);
		if (i % options.check_every == 0)
			mvm_check();
	}
	compare_everything();
	for (unsigned i = 0; i < SPACES; i++) {
		if (world.space[i].space)
			free_space(&world.space[i]);
	}
	for (unsigned i = 0; i < FILES; i++) {
		test_file_free(world.file[i].file);
	}
	expect_nothing_left();
	progress->episodes++;
}

/* True: the episode without the skipped operations still fails. */
static bool fails_without(uint64_t episode, const bool *skip)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		options.check_every = 1;
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		run_episode(episode, skip);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status != 0;
}

/* Leave out ever smaller pieces for as long as the rest fails (Zeller's ddmin, one way). */
static void shrink(uint64_t episode)
{
	static bool skip[OPS_PER_EPISODE];
	unsigned kept = 0;

	if (!fails_without(episode, skip)) {
		printf("# episode %lu does not fail alone: replay with --ops\n", (long)episode);
		return;
	}
	for (unsigned size = OPS_PER_EPISODE / 2; size; size /= 2) {
		for (unsigned at = 0; at < OPS_PER_EPISODE; at += size) {
			bool saved[OPS_PER_EPISODE];

			memcpy(saved, skip, sizeof skip);
			memset(skip + at, 1,
				(at + size > OPS_PER_EPISODE ? OPS_PER_EPISODE - at : size));
			if (memcmp(saved, skip, sizeof skip) && !fails_without(episode, skip))
				memcpy(skip, saved, sizeof skip);
		}
	}
	printf("# the operations that fail together:");
	for (unsigned i = 0; i < OPS_PER_EPISODE; i++) {
		if (!skip[i] && kept++ < 100)
			printf(" %u", i);
	}
	printf("\n");
	fflush(stdout);
	options.verbose = true;
	options.check_every = 1;
	run_episode(episode, skip);
}

static void print_coverage(void)
{
	printf("# calls by the state of the first page they met\n# %-12s", "");
	for (unsigned s = 0; s < STATES; s++)
		printf(" %13s", state_names[s]);
	for (unsigned op = 0; op < OPS; op++) {
		uint64_t sum = 0;

		for (unsigned s = 0; s < STATES; s++)
			sum += progress->coverage[op][s];
		if (!sum)
			continue;
		printf("\n# %-12s", op_names[op]);
		for (unsigned s = 0; s < STATES; s++)
			printf(" %13lu", (long)progress->coverage[op][s]);
	}
	printf("\n");
}

/* Every call of a space must have met every state; exceptions are impossible or too rare. */
static unsigned uncovered(void)
{
	static const enum op must[] = {
		OP_LOAD, OP_STORE, OP_MAP, OP_UNMAP, OP_PROTECT, OP_PREFAULT};
	unsigned n = 0;

	for (unsigned k = 0; k < sizeof must / sizeof *must; k++) {
		for (unsigned s = 0; s < STATES; s++)
			n += progress->coverage[must[k]][s] == 0;
	}
	return n;
}

static void parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		bool value = i + 1 < argc;

		if (!strcmp(argv[i], "--verbose"))
			options.verbose = true;
		else if (value && !strcmp(argv[i], "--ops"))
			options.ops = strtoull(argv[++i], NULL, 0);
		else if (value && !strcmp(argv[i], "--seed"))
			options.seed = strtoull(argv[++i], NULL, 0);
		else if (value && !strcmp(argv[i], "--episode"))
			options.episode = strtol(argv[++i], NULL, 0);
		else if (value && !strcmp(argv[i], "--check-every"))
			options.check_every = (unsigned)strtoul(argv[++i], NULL, 0);
		else if (value && !strcmp(argv[i], "--forget"))
			options.forget = (unsigned)strtoul(argv[++i], NULL, 0);
		else {
			fprintf(stderr,
				"usage: %s [--ops N] [--seed S] [--episode K] "
				"[--check-every N] [--forget N] [--verbose]\n",
				argv[0]);
			exit(2);
		}
	}
	if (!options.check_every)
		options.check_every = ~0u;
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	options.seed = (uint64_t)getpid() ^ mvmh_now();
	parse(argc, argv);
	progress = mmap(
		NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return 2;
	printf("TAP version 13\n1..1\n# seed %lu\n", (long)options.seed);
	fflush(stdout);
	posix_start(FRAMES);
	if (mvm_init() != 0)
		return 2;
	pid = fork();
	if (pid == 0) {
		if (options.episode >= 0)
			run_episode((uint64_t)options.episode, NULL);
		for (uint64_t e = 0; options.episode < 0 && progress->accepted < options.ops; e++)
			run_episode(e, NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	print_coverage();
	printf("# %lu accepted operations in %lu episodes\n", (long)progress->accepted,
		(long)progress->episodes);
	if (status != 0) {
		printf("not ok 1 - random operations against the model\n"
		       "# replay: --seed %lu --episode %lu: %s\n",
			(long)options.seed, (long)progress->episode, progress->why);
		fflush(stdout);
		shrink(progress->episode);
		return 1;
	}
	if (options.ops >= 1000000 && options.episode < 0 && uncovered()) {
		printf("not ok 1 - %u pairs of call and page state were never met\n", uncovered());
		return 1;
	}
	printf("ok 1 - random operations against the model\n");
	return 0;
}
