// SPDX-License-Identifier: MIT
/*
 * What a load may return, whatever the schedule.
 *
 * The simulation has one order of all loads and stores of all harts, the one in which they happen,
 * and memory that works is consistent with it: a load returns the last store to that word.  Stale
 * translations, copies made at the wrong moment, pages written back and lost: all show as another
 * value.  So each store writes a number of its own, and a *cell* knows what its word holds:
 *
 *	KNOWN   exactly this
 *	FORKED  a child's word: one of the stores from `first` to `value` of the parent's word, which
 *	        were made while the fork was under way.  The fork takes all of memory at one moment, so
 *	        there is one instant (struct cut) that explains all words: each load of one narrows
 *	        the interval in which the instant lies, and none may be left without
 *	LOOSE   a call that may take the contents away (munmap, truncate, ...) has met the accesses of
 *	        others: zeros, or any store that was made to this page
 *
 * While such a call is under way the page is *disturbed*, and its words are LOOSE.  If no two of
 * them overlapped, the page's contents are known when it ends.  A load of a LOOSE word that nobody
 * disturbs makes it KNOWN.  Mapping, write-back, reclaim, mprotect, fork of the parent do not
 * disturb: loads must be exact all the while.
 *
 * In the same way what an access comes to (done, SIGSEGV, SIGBUS) is known unless a call that
 * changes it runs at the same time.
 *
 * A page of a private mapping shows its file until it has been copied, when the file may be about
 * to change: its words are LOOSE until they are stored to.
 */
#include "world.h"

#include <string.h>

/* A word of memory: this mark and the number of the store, or 0. */
#define MARK       UINT64_C(0x5afe5afe00000000)
#define MAX_STORES 4096
#define MAX_CUTS   32

/* Pages by which LOOSE words are judged: of views, then of files. */
#define PAGE_OF_FILE(file, index) (VIEW_PAGES + (file)*FILE_PAGES + (index))

struct cut {
	uint32_t first, last; /* the fork happened after store `first`..., at `last` the latest */
};

struct view views[VIEWS];

static struct {
	uint32_t n_stores;
	uint32_t before[MAX_STORES]; /* what the cell held */
	uint8_t page[MAX_STORES];    /* to which it was made */
	struct cut cuts[MAX_CUTS];
	unsigned n_cuts;
} history;

struct file_state {
	struct cell cells[FILE_PAGES * WORDS];
	unsigned resizing, version, changes;
	unsigned words; /* below the size */
};

static struct file_state state[FILES];

/* --- Cells ------------------------------------------------------------------------------------ */

/* A new number, stored to the cell at this instant; `sure`: nobody disturbs it. */
static uint64_t cell_store(struct cell *c, unsigned page, bool sure)
{
	uint32_t number = ++history.n_stores;

	if (number >= MAX_STORES)
		sim_fail("the scenario stores too often");
	history.before[number] = c->certainty == KNOWN ? c->value : number;
	history.page[number] = (uint8_t)page;
	c->certainty = sure ? KNOWN : LOOSE;
	c->value = number;
	return MARK | number;
}

/* Narrow the instant of the fork by what was seen: `number`, and not the store after it. */
static void cell_resolve(struct cell *c, uint32_t number)
{
	struct cut *cut = c->cut;
	uint32_t next = 0, at = c->value;

	while (at != number && at != c->first && at != 0) {
		next = at;
		at = history.before[at];
	}
	if (at != number)
		sim_fail("a fork's child has store %u, the parent had %u to %u", number, c->first,
			c->value);
	if (number > cut->first)
		cut->first = number;
	if (next && next - 1 < cut->last)
		cut->last = next - 1;
	if (cut->first > cut->last)
		sim_fail("a fork's child is no picture of one moment: it has store %u, but not %u",
			cut->first, cut->last + 1);
}

static void cell_load(struct cell *c, uint64_t value, unsigned page, unsigned other, bool sure)
{
	uint32_t number = (uint32_t)value;

	if (value && (value & ~UINT64_C(0xffffffff)) != MARK)
		sim_fail("a load returns %#lx, which nobody has stored", (unsigned long)value);
	if (number > history.n_stores)
		sim_fail("a load returns store %u, which is still to come", number);
	if (!sure || c->certainty == LOOSE) {
		if (number && history.page[number] != page && history.page[number] != other)
			sim_fail("a load returns store %u, which was made to page %u, not %u",
				number, history.page[number], page);
	} else if (c->certainty == FORKED) {
		cell_resolve(c, number);
	} else if (c->value != number) {
		sim_fail("a load returns store %u instead of %u", number, c->value);
	}
	if (sure) {
		c->certainty = KNOWN;
		c->value = number;
	}
}

/* --- Views ------------------------------------------------------------------------------------ */

void world_begin(void)
{
	memset(views, 0, sizeof views);
	memset(&history, 0, sizeof history);
	memset(state, 0, sizeof state);
	for (unsigned i = 0; i < FILES; i++)
		state[i].words = FILE_PAGES * WORDS;
}

struct view *view_unused(void)
{
	for (unsigned i = 0; i < VIEWS; i++) {
		struct view *view = &views[i];

		if (view->taken)
			continue;
		*view = (struct view){.taken = true, .life = view->life + 1};
		for (unsigned p = 16; p < VIEW_PAGES; p++) {
			view->pages[p].kind = p < 24 ? KIND_SHARED : KIND_PRIVATE;
			view->pages[p].index = p % FILE_PAGES;
		}
		return view;
	}
	sim_fail("the scenario has too many spaces");
}

struct view *view_new(void)
{
	struct view *view = view_unused();

	if (mvm_space_new(MVM_PAGE_BYTES, (mvm_vaddr_t)SIM_PAGES << MVM_PAGE_SHIFT, &view->space))
		sim_fail("a space cannot be made");
	return view;
}

/* The cell behind a word of a view. */
static struct cell *cell_of(struct view *view, unsigned page, unsigned word)
{
	struct view_page *p = &view->pages[page];

	return p->kind == KIND_SHARED ? &state[p->file].cells[p->index * WORDS + word]
				      : &p->cells[word];
}

/* Is what the word holds certain to stay unless it is stored to? */
static bool sure_of(struct view *view, unsigned page, unsigned word)
{
	struct view_page *p = &view->pages[page];

	return !cell_of(view, page, word)->disturbance &&
	       (p->kind == KIND_SHARED || !p->disturbance);
}

/* The page by which stores to it are known, and another whose stores it may show. */
static unsigned page_name(const struct view_page *p, unsigned page)
{
	return p->kind == KIND_SHARED ? PAGE_OF_FILE(p->file, p->index) : page;
}

static unsigned other_name(const struct view_page *p, unsigned page)
{
	return p->kind == KIND_PRIVATE ? PAGE_OF_FILE(p->file, p->index) : page_name(p, page);
}

uint64_t view_word_store(struct view *view, unsigned page, unsigned word)
{
	struct view_page *p = &view->pages[page];
	bool sure = sure_of(view, page, word);

	if (!sure)
		p->changes++; /* the call under way leaves more than it knows */
	else if (p->kind == KIND_PRIVATE)
		p->copied = true;
	return cell_store(cell_of(view, page, word), page_name(p, page), sure);
}

void view_word_load(struct view *view, unsigned page, unsigned word, uint64_t value)
{
	struct view_page *p = &view->pages[page];
	bool through = p->kind == KIND_PRIVATE && !p->copied;

	cell_load(cell_of(view, page, word), value, page_name(p, page), other_name(p, page),
		!through && sure_of(view, page, word));
}

void view_word_seen(struct view *view, unsigned page, uint64_t value)
{
	struct view_page *p = &view->pages[page];
	struct cell any = {.certainty = LOOSE};

	cell_load(&any, value, page_name(p, page), other_name(p, page), false);
}

uint64_t uncertain_begin(struct uncertain *u, struct view *view, unsigned page, unsigned word)
{
	struct cell *c = cell_of(view, page, word);
	uint64_t value;

	c->disturbance++;
	value = cell_store(c, page_name(&view->pages[page], page), false);
	view->pages[page].holds++;
	view->pages[page].changes++;
	*u = (struct uncertain){.page = &view->pages[page], .cell = c, .number = c->value};
	return value;
}

void uncertain_end(struct uncertain *u, bool done)
{
	struct cell *c = u->cell;

	u->page->holds++;
	u->page->changes++;
	if (--c->disturbance || !done || c->value != u->number || u->page->disturbance)
		return; /* somebody else was there, too */
	c->certainty = KNOWN;
	u->page->copied = true;
}

/* What an access to the page comes to if nothing changes. */
static enum mvm_fault_result expected(const struct view_page *p, unsigned access)
{
	if (!p->mapped)
		return MVM_FAULT_MAPERR;
	if (!(p->rights & access))
		return MVM_FAULT_ACCERR;
	if (p->kind != KIND_ANON && p->index * WORDS >= state[p->file].words &&
		!(p->kind == KIND_PRIVATE && p->copied))
		return MVM_FAULT_BUS;
	return MVM_FAULT_OK;
}

/* One access of a program, up to its end or the signal. */
struct access {
	struct view *view;
	unsigned page, word, kind;
};

/* Once a call has returned, no access goes through that it forbids. */
static void check_allowed(const struct access *a)
{
	const struct view_page *p = &a->view->pages[a->page];
	enum mvm_fault_result want = expected(p, a->kind);

	if (!p->calls && !p->doubtful && !(p->kind != KIND_ANON && state[p->file].resizing) && want)
		sim_fail("an access (%u) to page %u goes through that should end with %d", a->kind,
			a->page, want);
}

static void touch(char *bytes, void *argument)
{
	struct access *a = argument;
	uint64_t value;

	check_allowed(a);
	bytes += word_offset(a->word);
	if (a->kind == MVM_WRITE) {
		value = view_word_store(a->view, a->page, a->word);
		memcpy(bytes, &value, sizeof value);
	} else {
		memcpy(&value, bytes, sizeof value);
	}
	sim_trace("%s page %u, word %u: store %u",
		a->kind == MVM_WRITE ? "stores to" : "loads from", a->page, a->word,
		(unsigned)value);
	if (a->kind != MVM_WRITE)
		view_word_load(a->view, a->page, a->word, value);
}

static void view_access(struct view *view, unsigned page, unsigned word, unsigned kind)
{
	struct view_page *p = &view->pages[page];
	struct access a = {.view = view, .page = page, .word = word, .kind = kind};
	struct mvmh_pmap *pmap = mvm_space_pmap(view->space);
	mvm_vaddr_t va = view_va(page) + word_offset(word);
	unsigned version = p->version, file_version = state[p->file].version;
	bool certain = !p->calls && !p->doubtful && !state[p->file].resizing;
	enum mvm_fault_result result = MVM_FAULT_OK, want;

	while (result == MVM_FAULT_OK && !tlb_access(pmap, va, kind, touch, &a))
		result = mvm_fault(view->space, va, kind);
	want = expected(p, kind);
	if (result)
		sim_trace("%s page %u: %d", kind == MVM_WRITE ? "store to" : "load from", page,
			result);
	if (result == MVM_FAULT_KILLED && host_is_dead())
		return;
	if (result == MVM_FAULT_NOMEM)
		sim_fail("an access to page %u finds no memory", page);
	if (certain && p->version == version && state[p->file].version == file_version &&
		result != want)
		sim_fail("an access (%u) to page %u ends with %d instead of %d", kind, page, result,
			want);
}

void view_store(struct view *view, unsigned page, unsigned word)
{
	view_access(view, page, word, MVM_WRITE);
}

void view_load(struct view *view, unsigned page, unsigned word)
{
	view_access(view, page, word, MVM_READ);
}

/* --- What calls do ---------------------------------------------------------------------------- */

static void make_loose(struct view_page *p)
{
	p->copied = false;
	for (unsigned w = 0; w < WORDS; w++)
		p->cells[w].certainty = LOOSE;
}

/* The contents as a new mapping finds them. */
static void make_fresh(struct view_page *p)
{
	make_loose(p);
	for (unsigned w = 0; w < WORDS && p->kind == KIND_ANON; w++) {
		if (!p->cells[w].disturbance)
			p->cells[w].certainty = KNOWN;
		p->cells[w].value = 0;
	}
}

void effect_begin(
	struct effect *e, struct view *view, unsigned first, unsigned end, enum effect_kind kind)
{
	*e = (struct effect){
		.view = view, .life = view->life, .first = first, .end = end, .kind = kind};
	for (unsigned i = first; i < end; i++) {
		struct view_page *p = &view->pages[i];

		if (kind != EFFECT_CONTENTS) {
			p->calls++;
			e->version[i] = ++p->version;
		}
		if (kind != EFFECT_RIGHTS) {
			p->disturbance++;
			e->changes[i] = ++p->changes;
			make_loose(p);
		}
	}
}

static void end_contents(struct view_page *p, bool sure, bool alone)
{
	p->disturbance--;
	p->changes++;
	if (sure && alone && !p->disturbance)
		make_fresh(p);
}

static void end_mapping(struct view_page *p, bool sure, bool mapped, unsigned rights)
{
	p->calls--;
	p->version++;
	p->doubtful = !sure;
	if (sure) {
		p->mapped = mapped;
		p->rights = rights;
	}
}

void effect_end(struct effect *e, bool sure, bool mapped, unsigned rights)
{
	for (unsigned i = e->first; i < e->end && e->view->life == e->life; i++) {
		struct view_page *p = &e->view->pages[i];
		bool known = e->kind == EFFECT_MAPPING || (p->mapped && !p->doubtful);

		if (e->kind != EFFECT_RIGHTS)
			end_contents(p, sure, p->changes == e->changes[i]);
		if (e->kind != EFFECT_CONTENTS)
			end_mapping(
				p, sure && known && p->version == e->version[i], mapped, rights);
	}
}

void fork_begin(struct fork_effect *e, struct view *parent)
{
	if (history.n_cuts == MAX_CUTS)
		sim_fail("the scenario forks too often");
	e->parent = parent;
	e->cut = &history.cuts[history.n_cuts++];
	e->cut->first = history.n_stores;
	for (unsigned i = 0; i < VIEW_PAGES; i++) {
		struct view_page *p = &parent->pages[i];

		e->version[i] = p->version;
		e->changes[i] = p->disturbance ? ~0u : p->changes;
		e->holds[i] = p->held ? ~0u : p->holds;
		e->copied[i] = p->copied;
		memcpy(e->before[i], p->cells, sizeof p->cells);
	}
}

/* What the child's word may be: something from `before` to `now`. */
static struct cell cell_between(
	const struct cell *before, const struct cell *at_end, struct cut *cut)
{
	if (before->certainty == KNOWN && at_end->certainty == KNOWN)
		return (struct cell){
			.certainty = FORKED,
			.first = before->value,
			.value = at_end->value,
			.cut = cut,
		};
	if (before->certainty == FORKED && at_end->certainty == FORKED)
		return *at_end;
	return (struct cell){.certainty = LOOSE};
}

void fork_end(struct fork_effect *e, struct view *child)
{
	e->cut->last = history.n_stores;
	for (unsigned i = 0; i < VIEW_PAGES; i++) {
		struct view_page *p = &e->parent->pages[i], *c = &child->pages[i];
		bool still =
			!p->disturbance && p->changes == e->changes[i] && p->holds == e->holds[i];

		c->mapped = p->mapped;
		c->rights = p->rights;
		c->doubtful = p->doubtful || p->calls || p->version != e->version[i];
		c->disturbance += p->disturbance; /* for ever: its calls see to the child, too */
		make_loose(c);
		c->copied = e->copied[i] && p->copied && still;
		for (unsigned w = 0; w < WORDS && still; w++)
			c->cells[w] = cell_between(&e->before[i][w], &p->cells[w], e->cut);
	}
}

/* --- Files ------------------------------------------------------------------------------------ */

void file_disturb(unsigned file, unsigned first, unsigned end)
{
	state[file].changes++;
	for (unsigned i = first; i < end; i++) {
		state[file].cells[i].disturbance++;
		state[file].cells[i].certainty = LOOSE;
	}
}

void file_settle(unsigned file, unsigned first, unsigned end, bool zeros)
{
	state[file].changes++;
	for (unsigned i = first; i < end; i++) {
		struct cell *c = &state[file].cells[i];

		if (--c->disturbance || !zeros)
			continue;
		c->certainty = KNOWN;
		c->value = 0;
	}
}

void file_resize_begin(unsigned file)
{
	state[file].resizing++;
	state[file].version++;
}

void file_resize_end(unsigned file, unsigned words)
{
	state[file].resizing--;
	state[file].version++;
	state[file].words = words;
}

unsigned file_changes(unsigned file)
{
	return state[file].changes;
}

unsigned file_words(unsigned file)
{
	return state[file].words;
}

uint64_t file_word_store(unsigned file, unsigned index, unsigned word)
{
	struct cell *c = &state[file].cells[index * WORDS + word];

	return cell_store(c, PAGE_OF_FILE(file, index), !c->disturbance);
}

void file_word_load(unsigned file, unsigned index, unsigned word, uint64_t value, unsigned changes)
{
	struct cell *c = &state[file].cells[index * WORDS + word];
	unsigned page = PAGE_OF_FILE(file, index);

	cell_load(c, value, page, page, !c->disturbance && changes == state[file].changes);
}

void file_check_disk(unsigned file)
{
	for (unsigned i = 0; i < FILE_PAGES * WORDS; i++)
		file_word_load(file, i / WORDS, i % WORDS,
			file_disk_word(file, i / WORDS, word_offset(i % WORDS)),
			state[file].changes);
}
