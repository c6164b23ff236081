// SPDX-License-Identifier: MIT
#include "model.h"

struct world world;
struct options options = {.ops = 1000000, .episode = -1, .check_every = 16};
struct progress *progress;

const char *const state_names[STATES] = {"unmapped", "anon-new", "anon-own", "anon-forked",
	"priv-new", "priv-own", "priv-forked", "priv-past", "shared-clean", "shared-stored",
	"shared-past"};

static bool past_size(const struct model_page *p)
{
	return (uint64_t)p->index << MVM_PAGE_SHIFT >= world.file[p->file].size;
}

unsigned state_of(const struct model_page *p)
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

mvm_vaddr_t address(unsigned page)
{
	return BASE + ((mvm_vaddr_t)page << MVM_PAGE_SHIFT);
}

struct model_space *some_space(struct draw *d)
{
	struct model_space *s = &world.space[below(d, SPACES)];

	return s->space ? s : NULL;
}

void some_range(struct draw *d, unsigned *first, unsigned *n)
{
	*first = below(d, PAGES);
	*n = 1 + below(d, below(d, 4) ? 8 : PAGES);
	if (*first + *n > PAGES)
		*n = PAGES - *first;
}

void note(const struct model_space *s, unsigned page)
{
	progress->coverage[progress->op][state_of(&s->page[page])]++;
}

void free_space(struct model_space *s)
{
	mvm_space_unref(s->space);
	memset(s, 0, sizeof *s);
}

void new_space(struct model_space *s)
{
	memset(s, 0, sizeof *s);
	EXPECT(mvm_space_new(0x1000, (mvm_vaddr_t)1 << 38, &s->space), 0, "space_new");
}

const struct cells *visible(const struct model_page *p, enum mvm_fault_result *result)
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

enum mvm_fault_result refused(const struct model_page *p, unsigned access)
{
	if (p->kind == NONE)
		return MVM_FAULT_MAPERR;
	if (!(p->rights & access))
		return MVM_FAULT_ACCERR;
	return MVM_FAULT_OK;
}

bool cell_counts(const struct model_page *p, unsigned cell)
{
	uint64_t at = ((uint64_t)p->index << MVM_PAGE_SHIFT) + cell * CELL_BYTES;

	return p->kind == ANON || p->copied || at < world.file[p->file].size;
}

void load(struct model_space *s, unsigned page, unsigned cell)
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

void store(struct model_space *s, unsigned page, unsigned cell, uint64_t word)
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

void compare_disk(const struct model_file *f, unsigned first, unsigned last)
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
