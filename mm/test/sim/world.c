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
 *	FORKED  a child's word: one of the stores from `first` to `value` of the parent's word,
 *	        which were made while the fork was under way.  The fork takes all of memory at one
 *	        moment, so there is one instant (struct cut) that explains all words: each load of
 *	        one narrows the interval in which the instant lies, and none may be left without
 *	LOOSE   a call that may take the contents away (truncate, a map over them, ...) has met the
 *	        accesses of others: zeros, or any store that was made to this page
 *
 * While such a call is under way the page is *disturbed*, and its words are LOOSE.  If no two of
 * them overlapped, the page's contents are known when it ends.  A load of a LOOSE word that nobody
 * disturbs makes it KNOWN.  Mapping, write-back, reclaim, mprotect, fork of the parent do not
 * disturb: loads must be exact all the while.  Nor does munmap: a load that still finds something
 * finds what was stored last, and what comes after it is another mapping, which begins by itself.
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
	unsigned life[MAX_STORES];   /* by the program of which view; 0: through a file */
	struct cut cuts[MAX_CUTS];
	unsigned n_cuts, n_lives;
} history;

struct file_state {
	struct cell cells[FILE_PAGES * WORDS];
	unsigned resizing, version, changes;
	unsigned words; /* below the size */
};

static struct file_state state[FILES];

/* --- Cells ------------------------------------------------------------------------------------ */

static void make_loose(struct cell *c)
{
	if (c->certainty != LOOSE)
		c->first = 0;
	c->certainty = LOOSE;
}

/* A new number, stored to the cell at this instant; `sure`: nobody disturbs it. */
static uint64_t cell_store(struct cell *c, unsigned page, unsigned life, bool sure)
{
	uint32_t number = ++history.n_stores;

	if (number >= MAX_STORES)
		sim_fail("the scenario stores too often");
	history.before[number] = c->certainty == KNOWN ? c->value : number;
	history.page[number] = (uint8_t)page;
	history.life[number] = life;
	if (sure)
		c->certainty = KNOWN;
	else
		make_loose(c);
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
		*view = (struct view){.taken = true, .life = ++history.n_lives};
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

/* Whose stores those to the page are: a file's are everybody's. */
static unsigned life_of(const struct view *view, const struct view_page *p)
{
	return p->kind == KIND_SHARED ? 0 : view->life;
}

/* No space has what another has stored to its own memory, but for what was there before a fork. */
static void check_life(const struct view *view, uint32_t number)
{
	unsigned life = number <= history.n_stores ? history.life[number] : 0;

	if (life && life != view->life && number > view->born)
		sim_fail("a load returns store %u, which was made to another space", number);
}

uint64_t view_word_store(struct view *view, unsigned page, unsigned word)
{
	struct view_page *p = &view->pages[page];
	bool sure = sure_of(view, page, word);

	if (!sure)
		p->changes++; /* the call under way leaves more than it knows */
	else if (p->kind == KIND_PRIVATE)
		p->copied = true;
	return cell_store(cell_of(view, page, word), page_name(p, page), life_of(view, p), sure);
}

void view_word_load(struct view *view, unsigned page, unsigned word, uint64_t value)
{
	struct view_page *p = &view->pages[page];
	bool through = p->kind == KIND_PRIVATE && !p->copied;

	check_life(view, (uint32_t)value);
	cell_load(cell_of(view, page, word), value, page_name(p, page), other_name(p, page),
		!through && sure_of(view, page, word));
}

void view_word_seen(struct view *view, unsigned page, uint64_t value)
{
	struct view_page *p = &view->pages[page];
	struct cell any = {.certainty = LOOSE};

	check_life(view, (uint32_t)value);
	cell_load(&any, value, page_name(p, page), other_name(p, page), false);
}

uint64_t uncertain_begin(struct uncertain *u, struct view *view, unsigned page, unsigned word)
{
	struct view_page *p = &view->pages[page];
	struct cell *c = cell_of(view, page, word);
	uint64_t value;

	c->disturbance++;
	value = cell_store(c, page_name(p, page), life_of(view, p), false);
	p->holds++;
	p->changes++;
	*u = (struct uncertain){.page = p, .cell = c, .number = c->value, .changes = p->changes};
	return value;
}

void uncertain_end(struct uncertain *u, bool done)
{
	struct cell *c = u->cell;

	struct view_page *p = u->page;
	bool alone = !p->disturbance && p->changes == u->changes && c->value == u->number;

	p->holds++;
	p->changes++;
	if (c->certainty == LOOSE && c->first >= u->number)
		c->first = u->number - 1; /* it may have been made later than its number says */
	if (--c->disturbance || !done || !alone)
		return;
	c->certainty = KNOWN;
	p->copied = true;
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

/* What was known of a page when an access began. */
struct before {
	unsigned version, file_version, cracks;
	bool certain, solid;
};

static struct before look_before(const struct view_page *p)
{
	return (struct before){
		.version = p->version,
		.file_version = state[p->file].version,
		.cracks = p->cracks,
		.certain = !p->calls && !p->doubtful && !state[p->file].resizing,
		.solid = p->solid && p->kind == KIND_ANON,
	};
}

/* Was it right that the access ended so? */
static void check_result_of(
	const struct access *a, const struct before *b, enum mvm_fault_result result)
{
	const struct view_page *p = &a->view->pages[a->page];
	enum mvm_fault_result want = expected(p, a->kind);

	if (result == MVM_FAULT_KILLED && host_is_dead())
		return;
	if (result == MVM_FAULT_NOMEM)
		sim_fail("an access to page %u finds no memory", a->page);
	if (b->certain && p->version == b->version && state[p->file].version == b->file_version &&
		result != want)
		sim_fail("an access (%u) to page %u ends with %d instead of %d", a->kind, a->page,
			result, want);
	if (b->solid && p->solid && p->cracks == b->cracks && result != MVM_FAULT_OK)
		sim_fail("an access (%u) to page %u, which is mapped all the time, ends with %d",
			a->kind, a->page, result);
}

static void view_access(struct view *view, unsigned page, unsigned word, unsigned kind)
{
	struct before before = look_before(&view->pages[page]);
	struct access a = {.view = view, .page = page, .word = word, .kind = kind};
	struct mvmh_pmap *pmap = mvm_space_pmap(view->space);
	mvm_vaddr_t va = view_va(page) + word_offset(word);
	enum mvm_fault_result result = MVM_FAULT_OK;

	while (result == MVM_FAULT_OK && !tlb_access(pmap, va, kind, touch, &a))
		result = mvm_fault(view->space, va, kind);
	if (result)
		sim_trace("%s page %u: %d", kind == MVM_WRITE ? "store to" : "load from", page,
			result);
	check_result_of(&a, &before, result);
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

static void page_make_loose(struct view_page *p)
{
	p->copied = false;
	for (unsigned w = 0; w < WORDS; w++)
		make_loose(&p->cells[w]);
}

/* The contents as a new mapping finds them. */
static void make_fresh(struct view_page *p)
{
	page_make_loose(p);
	for (unsigned w = 0; w < WORDS && p->kind == KIND_ANON; w++) {
		if (!p->cells[w].disturbance)
			p->cells[w].certainty = KNOWN;
		p->cells[w].value = 0;
	}
}

/* May the contents be others while the call is under way? */
static bool disturbs(const struct effect *e)
{
	return e->kind == EFFECT_CONTENTS || e->kind == EFFECT_MAPPING;
}

static void begin(struct effect *e, struct view_page *p, unsigned i)
{
	if (e->kind != EFFECT_CONTENTS) {
		p->calls++;
		e->version[i] = ++p->version;
	}
	if (e->kind != EFFECT_RIGHTS)
		e->changes[i] = ++p->changes;
	if (disturbs(e)) {
		p->disturbance++;
		page_make_loose(p);
	}
	if (e->holes) {
		p->holes++;
		p->cracks++;
		p->solid = false;
	}
	e->cracks[i] = p->holes ? ~0u : p->cracks;
}

static void begin_all(struct effect *e)
{
	for (unsigned i = e->first; i < e->end; i++)
		begin(e, &e->view->pages[i], i);
}

void effect_begin(
	struct effect *e, struct view *view, unsigned first, unsigned end, enum effect_kind kind)
{
	*e = (struct effect){
		.view = view,
		.life = view->life,
		.first = first,
		.end = end,
		.kind = kind,
		.holes = kind != EFFECT_CONTENTS,
	};
	begin_all(e);
}

void effect_begin_move(
	struct effect *e, struct view *view, unsigned first, unsigned end, struct view_page *kept)
{
	memcpy(kept, view->pages, sizeof view->pages);
	effect_begin(e, view, first, end, EFFECT_MAPPING);
	e->kept = kept;
	for (unsigned i = first; i < end; i++) {
		if (kept[i].disturbance) /* they are not known */
			e->changes[i]--;
	}
}

void effect_begin_replace(struct effect *e, struct view *view, unsigned first, unsigned end)
{
	*e = (struct effect){
		.view = view,
		.life = view->life,
		.first = first,
		.end = end,
		.kind = EFFECT_MAPPING,
	};
	begin_all(e);
}

static void end_contents(struct view_page *p, bool known, const struct view_page *kept)
{
	p->disturbance--;
	p->changes++;
	if (!known || p->disturbance)
		return;
	make_fresh(p);
	if (kept) {
		p->copied = kept->copied;
		memcpy(p->cells, kept->cells, sizeof p->cells);
	}
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
		bool known = e->kind == EFFECT_MAPPING || e->kind == EFFECT_UNMAPPING ||
			     (p->mapped && !p->doubtful);

		if (disturbs(e))
			end_contents(p, sure && p->changes == e->changes[i],
				e->kept ? &e->kept[i] : NULL);
		else if (e->kind == EFFECT_UNMAPPING)
			p->changes++;
		if (e->kind != EFFECT_CONTENTS)
			end_mapping(
				p, sure && known && p->version == e->version[i], mapped, rights);
		if (e->holes)
			p->holes--;
		if (e->kind == EFFECT_MAPPING && sure && p->cracks == e->cracks[i])
			p->solid = true;
	}
}

void mark_begin(struct view *view, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++) {
		view->pages[i].marking++;
		view->pages[i].marks++;
	}
}

void mark_end(struct view *view, unsigned first, unsigned end, enum fork_mark mark)
{
	for (unsigned i = first; i < end; i++) {
		view->pages[i].marking--;
		view->pages[i].mark = mark;
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
		e->marks[i] = p->marking ? ~0u : p->marks;
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

/* A truncate under way sees to the child, too. */
static void inherit_cuts(const struct view_page *parent, struct view_page *child)
{
	for (; child->cuts < parent->cuts; child->cuts++)
		child->disturbance++;
}

/* What the child has of a page that was marked for that; `sure`: all the while. */
static void obey_mark(const struct view_page *parent, struct view_page *child, bool sure)
{
	child->mark = parent->mark;
	if (!sure) {
		child->doubtful = true;
		page_make_loose(child);
	} else if (parent->mark == MARK_WIPE) {
		make_fresh(child);
	} else if (parent->mark == MARK_DONT) {
		child->mapped = false;
	}
}

void fork_end(struct fork_effect *e, struct view *child)
{
	e->cut->last = child->born = history.n_stores;
	for (unsigned i = 0; i < VIEW_PAGES; i++) {
		struct view_page *p = &e->parent->pages[i], *c = &child->pages[i];
		bool still =
			!p->disturbance && p->changes == e->changes[i] && p->holds == e->holds[i];

		c->mapped = p->mapped;
		c->rights = p->rights;
		c->doubtful = p->doubtful || p->calls || p->version != e->version[i];
		page_make_loose(c);
		inherit_cuts(p, c);
		c->copied = e->copied[i] && p->copied && still;
		for (unsigned w = 0; w < WORDS && still; w++)
			c->cells[w] = cell_between(&e->before[i][w], &p->cells[w], e->cut);
		obey_mark(p, c, p->marks == e->marks[i]);
	}
}

/* --- Files ------------------------------------------------------------------------------------ */

void cut_begin(struct cut_effect *e, unsigned file, unsigned index)
{
	e->file = file;
	e->index = index;
	for (unsigned v = 0; v < VIEWS; v++) {
		unsigned first = VIEW_PAGES, end = views[v].taken ? VIEW_PAGES : 0;

		while (first > 0 && views[v].pages[first - 1].kind == KIND_PRIVATE &&
			views[v].pages[first - 1].file == file &&
			views[v].pages[first - 1].index >= index)
			first--;
		effect_begin(&e->effects[v], &views[v], first, end, EFFECT_CONTENTS);
		for (unsigned i = first; i < end; i++)
			views[v].pages[i].cuts++;
	}
}

/* What is in the page now is younger than the cut. */
static void make_young(struct view_page *p)
{
	p->changes++;
	page_make_loose(p);
	for (unsigned w = 0; w < WORDS; w++) {
		if (!p->cells[w].disturbance)
			p->cells[w].first = history.n_stores;
	}
}

void cut_end(struct cut_effect *e)
{
	for (unsigned v = 0; v < VIEWS; v++) {
		bool forked = views[v].life != e->effects[v].life;

		effect_end(&e->effects[v], true, false, 0);
		for (unsigned i = 0; i < VIEW_PAGES && views[v].taken; i++) {
			struct view_page *p = &views[v].pages[i];

			if (p->kind != KIND_PRIVATE || p->file != e->file || p->index < e->index ||
				p->cuts == 0)
				continue;
			p->cuts--;
			p->disturbance -= forked;
			make_young(p);
		}
	}
}

void file_disturb(unsigned file, unsigned first, unsigned end)
{
	state[file].changes++;
	for (unsigned i = first; i < end; i++) {
		state[file].cells[i].disturbance++;
		make_loose(&state[file].cells[i]);
	}
}

void file_settle_zeros(unsigned file, unsigned first, unsigned end)
{
	state[file].changes++;
	for (unsigned i = first; i < end; i++) {
		struct cell *c = &state[file].cells[i];

		if (--c->disturbance == 0)
			c->certainty = KNOWN;
		c->value = 0;
	}
}

void file_since(unsigned file, unsigned first, unsigned end, uint32_t since)
{
	for (unsigned i = first; i < end; i++) {
		make_loose(&state[file].cells[i]);
		state[file].cells[i].first = since;
		state[file].cells[i].value = 0;
	}
}

void file_settle(unsigned file, unsigned first, unsigned end)
{
	state[file].changes++;
	for (unsigned i = first; i < end; i++)
		state[file].cells[i].disturbance--;
}

uint32_t last_store(void)
{
	return history.n_stores;
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

	return cell_store(c, PAGE_OF_FILE(file, index), 0, !c->disturbance);
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
