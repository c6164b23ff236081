// SPDX-License-Identifier: MIT
#include "model.h"

struct world world;
struct options options = {.ops = 1000000, .episode = -1, .check_every = 1};
struct progress *progress;

const char *const state_names[STATES] = {"unmapped", "anon-new", "anon-own", "anon-forked",
	"priv-new", "priv-own", "priv-forked", "priv-past", "shared-clean", "shared-stored",
	"shared-past", "memory", "device", "stack", "locked"};

bool past_size(const struct model_page *p)
{
	return (uint64_t)p->index << MVM_PAGE_SHIFT >= world.file[p->file].size;
}

enum state state_of(const struct model_page *p)
{
	if (p->kind == NONE)
		return UNMAPPED;
	if (p->flags & MVM_MAP_LOCKED)
		return IS_LOCKED;
	if (p->flags & MVM_MAP_GROWSDOWN)
		return OF_STACK;
	if (is_device(p))
		return OF_DEVICE;
	if (p->kind == ANON)
		return !p->copied ? ANON_NEW : p->forked ? ANON_FORKED : ANON_OWN;
	if (p->kind == PRIVATE && p->copied)
		return p->forked ? PRIVATE_FORKED : PRIVATE_OWN;
	if (past_size(p))
		return p->kind == PRIVATE ? PRIVATE_PAST : SHARED_PAST;
	if (p->kind == PRIVATE)
		return PRIVATE_NEW;
	if (p->file == MEMORY)
		return SHARED_MEMORY;
	return world.file[p->file].stored[p->index] ? SHARED_STORED : SHARED_CLEAN;
}

mvm_vaddr_t address(unsigned page)
{
	if (page < MAIN_PAGES)
		return BASE + bytes_of(page);
	return STACK_BASE + bytes_of(page - MAIN_PAGES);
}

/* --- Drawing ---------------------------------------------------------------------------------- */

struct model_space *some_space(struct draw *d)
{
	unsigned i = below(d, SPACES);

	while (!world.space[i].space)
		i = (i + 1) % SPACES;
	return &world.space[i];
}

void some_range(struct draw *d, unsigned *first, unsigned *n)
{
	bool stacks = !below(d, 8);
	unsigned pages = stacks ? STACK_PAGES : MAIN_PAGES;

	*first = below(d, pages);
	*n = 1 + below(d, below(d, 4) ? 8 : pages);
	if (*first + *n > pages)
		*n = pages - *first;
	*first += stacks ? MAIN_PAGES : 0;
}

/* Go on from a hole to something mapped, most of the time. */
unsigned some_page(struct draw *d, const struct model_space *s)
{
	unsigned page = below(d, PAGES);

	for (unsigned i = 0; i < PAGES && s->page[page].kind == NONE && below(d, 12); i++)
		page = (page + 1) % PAGES;
	return page;
}

unsigned some_rights(struct draw *d)
{
	static const unsigned char rights[] = {MVM_READ | MVM_WRITE, MVM_READ | MVM_WRITE,
		MVM_READ | MVM_WRITE, MVM_READ, MVM_READ, 0, MVM_READ | MVM_EXEC, MVM_RWX};

	return rights[below(d, sizeof rights)];
}

void note(const struct model_space *s, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++)
		progress->coverage[progress->op][state_of(&s->page[i])]++;
}

void note_file(const struct model_file *f, unsigned first, unsigned last)
{
	for (unsigned s = 0; s < SPACES; s++) {
		for (unsigned i = 0; i < PAGES; i++) {
			const struct model_page *p = &world.space[s].page[i];

			if (p->kind >= PRIVATE && &world.file[p->file] == f && p->index >= first &&
				p->index <= last)
				note(&world.space[s], i, 1);
		}
	}
}

/* --- Spaces and pages ------------------------------------------------------------------------- */

void free_space(struct model_space *s)
{
	for (unsigned i = 0; i < HOLDS; i++) {
		struct model_hold *h = &world.hold[i];

		if (h->space == s) {
			EXPECT(mvm_release(&h->hold), 0, "release");
			h->space = NULL;
		}
	}
	mvm_space_unref(s->space);
	memset(s, 0, sizeof *s);
}

/* Without a limit, a stack would grow down into the main window. */
struct mvm_limits no_limits(void)
{
	size_t no = MVM_NO_LIMIT;

	return (struct mvm_limits){no, no, 2 * STACK_PAGES, no, no};
}

void new_space(struct model_space *s)
{
	memset(s, 0, sizeof *s);
	s->limits = no_limits();
	EXPECT(mvm_space_new(0x1000, SPACE_END, &s->space), 0, "space_new");
	mvm_space_set_limits(s->space, &s->limits);
}

void drop_contents(struct model_page *p)
{
	if (p->hold) {
		world.hold[p->hold - 1].detached = true;
		world.hold[p->hold - 1].cells = p->own;
	}
	p->copied = p->forked = p->kept = false;
	p->touched = UNTOUCHED;
	p->hold = 0;
}

void drop_page(struct model_page *p)
{
	drop_contents(p);
	memset(p, 0, sizeof *p);
}

bool is_mapped(const struct model_page *p)
{
	return p->kind != NONE;
}

bool is_data(const struct model_page *p)
{
	return is_private(p) && p->rights & MVM_WRITE && !(p->flags & MVM_MAP_GROWSDOWN);
}

bool is_locked(const struct model_page *p)
{
	return p->flags & MVM_MAP_LOCKED;
}

size_t count_pages(const struct model_space *s, bool (*counts)(const struct model_page *p))
{
	size_t n = 0;

	for (unsigned i = 0; i < PAGES; i++)
		n += counts(&s->page[i]);
	return n;
}

int over_limit(const struct model_space *s, const struct model_page *like, long add)
{
	size_t n = add > 0 ? (size_t)add : 0;

	if (is_locked(like) && count_pages(s, is_locked) + n > s->limits.locked)
		return MVM_EAGAIN;
	if (count_pages(s, is_mapped) + n > s->limits.total)
		return MVM_ENOMEM;
	if (is_data(like) && count_pages(s, is_data) + n > s->limits.data)
		return MVM_ENOMEM;
	return 0;
}

int map_limit(const struct model_space *s, const struct model_page *p, unsigned first, unsigned n)
{
	size_t mapped = count_pages(s, is_mapped) + n, data = count_pages(s, is_data) + n;

	if (is_locked(p) && count_pages(s, is_locked) + n > s->limits.locked)
		return MVM_EAGAIN;
	for (unsigned i = first; i < first + n; i++) {
		mapped -= is_mapped(&s->page[i]);
		data -= is_data(&s->page[i]);
	}
	return mapped > s->limits.total || (is_data(p) && data > s->limits.data) ? MVM_ENOMEM : 0;
}

static unsigned find_area(const struct model_space *s, unsigned page, struct mvm_area_info *info)
{
	if (!mvm_area_next(s->space, address(page), info))
		FAIL("there is no area at page %u", page);
	if (info->object)
		mvm_object_unref(info->object);
	return (unsigned)((info->end - address(page)) >> MVM_PAGE_SHIFT) + page;
}

unsigned area_end(const struct model_space *s, unsigned page)
{
	struct mvm_area_info info;

	return find_area(s, page, &info);
}

void maybe_grow(struct model_space *s, unsigned page)
{
	unsigned top = page;
	struct model_page grown = {.kind = ANON};

	if (page < MAIN_PAGES || s->page[page].kind != NONE)
		return;
	for (unsigned i = MAIN_PAGES; i < page; i++) {
		if (s->page[i].kind != NONE)
			return; /* the gap would be too small */
	}
	while (top < PAGES && s->page[top].kind == NONE)
		top++;
	if (top == PAGES || !(s->page[top].flags & MVM_MAP_GROWSDOWN))
		return;
	grown.rights = s->page[top].rights;
	grown.max_rights = s->page[top].max_rights;
	grown.flags = s->page[top].flags;
	if (area_end(s, top) - page > s->limits.stack || over_limit(s, &grown, top - page))
		return;
	for (unsigned i = page; i < top; i++) {
		s->page[i] = grown;
		s->page[i].touched = MAYBE; /* if it is locked */
	}
}

static bool has_copy(const struct model_space *s, unsigned page)
{
	char text[256];

	(void)mvm_describe(s->space, address(page), text, sizeof text);
	return strstr(text, "private page");
}

void adopt_failed(struct model_space *s)
{
	for (unsigned i = 0; s->space && i < PAGES; i++) {
		struct model_page *p = &s->page[i];

		if (p->touched == UNTOUCHED)
			p->touched = MAYBE;
		if (p->kind == PRIVATE && !p->copied && !is_device(p) && has_copy(s, i)) {
			p->own = *visible(p);
			p->copied = true;
		}
	}
	for (unsigned i = PAGES - 1; s->space && i > MAIN_PAGES; i--) {
		const struct model_page *p = &s->page[i];
		struct mvm_area_info area;

		if (!(p->flags & MVM_MAP_GROWSDOWN) || s->page[i - 1].kind != NONE)
			continue;
		(void)find_area(s, i, &area);
		if (area.start <= address(i - 1)) {
			s->page[i - 1] = *p;
			s->page[i - 1].hold = 0;
			drop_contents(&s->page[i - 1]);
			s->page[i - 1].touched = MAYBE;
		}
	}
}

/* --- Planned failures ------------------------------------------------------------------------- */

jmp_buf op_give_up;

static struct {
	bool made;
	unsigned what; /* enum posix_failure, or beyond: a file's */
	unsigned nth;
	uint64_t file_failures; /* there were when it was made */
} plan;

static uint64_t file_failures(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < FILES; i++)
		n += world.file[i].file->failures;
	return n;
}

void plan_failure(struct draw *d, bool even_for_good)
{
	unsigned what = below(d, POSIX_FAILURES + 3), nth = 1 + below(d, below(d, 2) ? 3 : 12);
	bool for_good = below(d, 2) && even_for_good;
	struct test_file *file = world.file[below(d, FILES)].file;

	plan.made = true;
	plan.what = what;
	plan.nth = nth;
	plan.file_failures = file_failures();
	if (what < POSIX_FAILURES) {
		posix_fail(what, nth, for_good);
		return;
	}
	file->for_good = for_good;
	*(what == POSIX_FAILURES             ? &file->fail_fill
		: what == POSIX_FAILURES + 1 ? &file->fail_write
					     : &file->fail_reserve) = nth;
}

void plan_none(void)
{
	plan.made = false;
	for (unsigned what = 0; what < POSIX_FAILURES; what++)
		posix_fail(what, 0, false);
	for (unsigned i = 0; i < FILES; i++) {
		struct test_file *file = world.file[i].file;

		file->fail_fill = file->fail_write = file->fail_reserve = 0;
	}
}

/* Did what was planned come to pass? */
static bool failed_already(void)
{
	if (plan.what < POSIX_FAILURES)
		return posix_requests(plan.what) >= plan.nth;
	return file_failures() > plan.file_failures;
}

/*
 * The model may have wanted that very error, for another reason: what is done by then is not known
 * in that case, either.
 */
bool planned_failure(long got)
{
	bool failed = plan.made && failed_already();

	if (plan.made)
		plan_none();
	return failed &&
	       (got == -MVM_ENOMEM || got == -MVM_EIO || got == -MVM_EFAULT || got == -MVM_EAGAIN ||
		       got == MVM_FAULT_NOMEM || got == MVM_FAULT_BUS);
}

void op_failed(void)
{
	longjmp(op_give_up, 1);
}

/* --- Loads and stores ------------------------------------------------------------------------- */

bool is_known(const struct cells *c, unsigned cell)
{
	return !(c->litter >> cell & 1);
}

void know(struct cells *c, unsigned cell, uint64_t word)
{
	c->word[cell] = word;
	c->litter &= ~(1u << cell);
}

const struct cells *visible(const struct model_page *p)
{
	static const struct cells zeros;

	if (p->copied)
		return &p->own;
	return p->kind == ANON ? &zeros : &world.file[p->file].page[p->index];
}

enum mvm_fault_result access_result(struct model_space *s, unsigned page, unsigned access)
{
	struct model_page *p = &s->page[page];

	maybe_grow(s, page);
	if (p->kind == NONE)
		return MVM_FAULT_MAPERR;
	if (!(p->rights & access))
		return MVM_FAULT_ACCERR;
	if (p->kind != ANON && !p->copied && past_size(p))
		return MVM_FAULT_BUS;
	if (is_device(p) && p->kind == PRIVATE && access == MVM_WRITE)
		return MVM_FAULT_ACCERR;
	return MVM_FAULT_OK;
}

bool cell_counts(const struct model_page *p, unsigned cell)
{
	uint64_t at = ((uint64_t)p->index << MVM_PAGE_SHIFT) + cell * CELL_BYTES;

	if (!is_known(visible(p), cell))
		return false;
	return p->kind == ANON || p->copied || at + sizeof(uint64_t) <= world.file[p->file].size;
}

void set_cell(struct model_page *p, unsigned cell, uint64_t word)
{
	p->touched = TOUCHED;
	if (p->kind == SHARED) {
		world.file[p->file].page[p->index].word[cell] = word;
		world.file[p->file].stored[p->index] = true;
		return;
	}
	p->own = *visible(p);
	p->copied = true;
	p->forked = false;
	know(&p->own, cell, word);
}

void note_load(struct model_page *p)
{
	if (p->flags & MVM_MAP_HUGE && p->touched == UNTOUCHED)
		p->touched = MAYBE;
}

void load(struct model_space *s, unsigned page, unsigned cell)
{
	enum mvm_fault_result want = access_result(s, page, MVM_READ);
	struct model_page *p = &s->page[page];
	uint64_t word = 0;

	if (!want && !cell_counts(p, cell))
		cell = 0;
	EXPECT(posix_load(s->space, address(page) + cell * CELL_BYTES, &word, sizeof word), want,
		"load");
	if (want)
		return;
	note_load(p);
	if (cell_counts(p, cell) && word != visible(p)->word[cell])
		FAIL("load of page %u cell %u (%s): got %#lx, the model has %#lx", page, cell,
			state_names[state_of(p)], (long)word, (long)visible(p)->word[cell]);
}

void store(struct model_space *s, unsigned page, unsigned cell, uint64_t word)
{
	enum mvm_fault_result want = access_result(s, page, MVM_WRITE);
	struct model_page *p = &s->page[page];

	if (!want && p->kind == SHARED && !cell_counts(p, cell))
		cell = 0;
	if (!want && p->kind == SHARED && !cell_counts(p, cell))
		return; /* of this page no cell has a model */
	EXPECT(posix_store(s->space, address(page) + cell * CELL_BYTES, &word, sizeof word), want,
		"store");
	if (!want)
		set_cell(p, cell, word);
}

void store_to_copied(struct draw *d, struct model_space *s, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		struct model_page *p = &s->page[i];

		if (p->kind == PRIVATE && p->rights & MVM_WRITE && !p->copied && !is_device(p))
			store(s, i, below(d, CELLS), draw(d));
		if (p->kind != NONE)
			p->touched = p->touched == TOUCHED ? TOUCHED : MAYBE;
	}
}

/* --- Comparing -------------------------------------------------------------------------------- */

#define AREA_FLAGS                                                                             \
	(MVM_MAP_SHARED | MVM_MAP_GROWSDOWN | MVM_MAP_NORESERVE | MVM_MAP_LOCKED |             \
		MVM_MAP_LOCKONFAULT | MVM_MAP_RANDOM | MVM_MAP_SEQUENTIAL | MVM_MAP_DONTFORK | \
		MVM_MAP_WIPEONFORK | MVM_MAP_HUGE)

static void compare_area(
	const struct model_page *p, unsigned page, const struct mvm_area_info *area)
{
	unsigned flags = p->flags | (p->kind == SHARED ? MVM_MAP_SHARED : 0);
	struct mvm_object *object = p->kind == ANON ? NULL : world.file[p->file].object;
	uint64_t offset = (address(page) - area->start) >> MVM_PAGE_SHIFT;

	EXPECT(area->rights, p->rights, "an area's rights");
	EXPECT(area->max_rights, p->max_rights, "an area's maximum rights");
	EXPECT(area->flags & AREA_FLAGS, flags, "an area's flags");
	EXPECT((intptr_t)area->object, (intptr_t)object, "an area's object");
	if (object)
		EXPECT(area->offset_pages + offset, p->index, "an area's offset");
}

void compare_areas(const struct model_space *s)
{
	struct mvm_area_info area;
	struct mvm_space_stats stats;
	size_t stack = 0;

	for (unsigned i = 0, end = 0; i < PAGES; i++) {
		const struct model_page *p = &s->page[i];

		if (p->kind == NONE)
			continue;
		if (i >= end)
			end = find_area(s, i, &area);
		if (area.start > address(i))
			FAIL("no area covers page %u (%s)", i, state_names[state_of(p)]);
		compare_area(p, i, &area);
		stack += (p->flags & MVM_MAP_GROWSDOWN) != 0;
	}
	mvm_space_stats(s->space, &stats);
	EXPECT(stats.mapped_pages, count_pages(s, is_mapped), "mapped pages");
	EXPECT(stats.data_pages, count_pages(s, is_data), "data pages");
	EXPECT(stats.locked_pages, count_pages(s, is_locked), "locked pages");
	EXPECT(stats.stack_pages, stack, "stack pages");
}

void compare_disk(const struct model_file *f, unsigned first, unsigned last)
{
	for (unsigned i = first; f->file && i <= last && i < FILE_PAGES; i++) {
		for (unsigned c = 0; c < CELLS; c++) {
			uint64_t at = ((uint64_t)i << MVM_PAGE_SHIFT) + c * CELL_BYTES, word;

			if (at + sizeof word > f->size)
				return;
			memcpy(&word, f->file->disk + at, sizeof word);
			if (word != f->page[i].word[c])
				FAIL("disk page %u cell %u: %#lx, the model has %#lx", i, c,
					(long)word, (long)f->page[i].word[c]);
		}
	}
}

void compare_holds(void)
{
	for (unsigned i = 0; i < HOLDS; i++) {
		struct model_hold *h = &world.hold[i];
		const char *bytes;

		if (!h->space || !h->detached)
			continue;
		bytes = posix_frame_data(h->hold.frame);
		for (unsigned c = 0; c < CELLS; c++) {
			if (is_known(&h->cells, c) &&
				memcmp(bytes + c * CELL_BYTES, &h->cells.word[c],
					sizeof(uint64_t)) != 0)
				FAIL("a held page has changed after it was unmapped");
		}
	}
}

void compare_kept(void)
{
	for (unsigned s = 0; s < SPACES; s++) {
		for (unsigned i = 0; i < PAGES; i++) {
			struct model_page *p = &world.space[s].page[i];
			unsigned char in = 1;

			p->kept = p->kept && p->flags & MVM_MAP_LOCKED &&
				  (is_private(p) ? p->copied || p->kind == ANON || !past_size(p)
						 : !past_size(p));
			if (p->kept)
				EXPECT(mvm_incore(world.space[s].space, address(i), 1, &in), 0,
					"incore of a locked page");
			if (!in)
				FAIL("page %u is locked and has left memory (%s)", i,
					state_names[state_of(p)]);
		}
	}
}
