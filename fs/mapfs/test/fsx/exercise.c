// SPDX-License-Identifier: MIT
#include "exercise.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES (16 * FSX_PAGE) /* of one read, write, load or store */
#define TEXT_BYTES 100

/* A step: its random numbers, and what of the model it has chosen. */
struct step {
	struct model *m;
	uint64_t random;
	unsigned index;
	unsigned descriptor; /* open */
	unsigned space, area;
	int file;
	struct model_file *f;
	struct model_area *a;
};

static uint8_t data[MOST_BYTES];
static unsigned features;
static char history[FSX_STEPS][TEXT_BYTES];
static unsigned n_history;
static unsigned long refused; /* for want of room */

/* --- Telling ----------------------------------------------------------------------------- */

static void tell(const struct step *s, const char *format, ...)
{
	char *text = history[n_history++ % FSX_STEPS];
	int n = snprintf(text, TEXT_BYTES, "%4u ", s->index);
	va_list args;

	va_start(args, format);
	vsnprintf(text + n, TEXT_BYTES - (size_t)n, format, args);
	va_end(args);
}

void fsx_history(bool all, void (*line)(const char *text))
{
	unsigned n = all ? n_history : 20;

	for (unsigned i = n < n_history ? n_history - n : 0; i < n_history; i++)
		line(history[i % FSX_STEPS]);
}

static _Noreturn void fail(const char *format, ...)
{
	char why[200];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	back_fail(why);
}

static void must(const char *what, int err)
{
	if (err)
		fail("%s: error %d", what, -err);
}

static void same(const char *what, const uint8_t *is, const uint8_t *want, size_t n, size_t at)
{
	size_t i = 0;

	if (memcmp(is, want, n) == 0)
		return;
	while (is[i] == want[i])
		i++;
	fail("%s: byte %#zx is %02x, should be %02x", what, at + i, is[i], want[i]);
}

/* --- Choosing ---------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static unsigned draw(struct step *s, unsigned below)
{
	s->random += 0x9e3779b97f4a7c15u;
	return (unsigned)(mix(s->random) >> 33) % below;
}

static size_t capacity(const struct step *s)
{
	return s->m->capacity;
}

/* A place in the file, up to `most`: often at a page's edge or at the end. */
static size_t draw_place(struct step *s, size_t most)
{
	size_t at = draw(s, (unsigned)most + 1);

	switch (draw(s, 4)) {
	case 0:
		at -= at % FSX_PAGE;
		break;
	case 1:
		at = s->f->size + draw(s, 2) * draw(s, 100);
		break;
	}
	return at < most ? at : most;
}

static size_t draw_length(struct step *s, size_t most)
{
	size_t n = 1 + draw(s, draw(s, 3) ? 300 : MOST_BYTES);

	if (draw(s, 4) == 0)
		n = (1 + draw(s, 4)) * FSX_PAGE;
	return n < most ? n : most;
}

static void fill(const struct step *s, size_t n)
{
	uint64_t word = mix(s->index + 1) | 0x0101010101010101u;

	for (size_t i = 0; i < n; i += 8) {
		memcpy(data + i, &word, 8);
		word += 0x0202020402020202u;
	}
}

static bool choose_file(struct step *s)
{
	for (unsigned i = draw(s, FSX_DESCRIPTORS), n = 0; n < FSX_DESCRIPTORS; n++) {
		s->descriptor = (i + n) % FSX_DESCRIPTORS;
		s->file = s->m->descriptor[s->descriptor].file;
		if (s->file == MODEL_NONE)
			continue;
		s->f = &s->m->file[s->file];
		return true;
	}
	return false;
}

static void choose_area(struct step *s, unsigned space, unsigned area)
{
	s->space = space;
	s->area = area;
	s->a = &s->m->area[space][area];
	s->file = s->a->file;
	s->f = s->file == MODEL_NONE ? NULL : &s->m->file[s->file];
}

static bool choose_mapped(struct step *s)
{
	unsigned all = FSX_SPACES * FSX_AREAS;

	for (unsigned i = draw(s, all), n = 0; n < all; n++) {
		unsigned at = (i + n) % all;
		choose_area(s, at / FSX_AREAS, at % FSX_AREAS);
		if (s->f)
			return true;
	}
	return false;
}

/* Bytes of an area: *n of them from the result on, mostly where the file is. */
static size_t draw_range(struct step *s, size_t *n)
{
	size_t all = s->a->pages * (size_t)FSX_PAGE, at;
	size_t reach = model_reach(s->m, s->a, 0, all);

	if (reach && draw(s, 8))
		all = reach;
	at = draw(s, 4) ? draw(s, (unsigned)all) : draw(s, (unsigned)(all / FSX_PAGE)) * FSX_PAGE;
	*n = draw_length(s, s->a->pages * (size_t)FSX_PAGE - at);
	return at;
}

/* --- Calls ------------------------------------------------------------------------------- */

static void no_room(void)
{
	char *text = history[(n_history - 1) % FSX_STEPS];
	size_t n = strlen(text);

	snprintf(text + n, TEXT_BYTES - n, " (no room)");
	refused++;
}

/* A call that takes room: true when it was done, false when there was none. */
static bool had_room(const char *what, int err)
{
	if (err != -ENOSPC || !(features & BACK_IS_FULL)) {
		must(what, err);
		return true;
	}
	no_room();
	return false;
}

static void do_read(struct step *s)
{
	size_t at, n, want, done;

	if (!choose_file(s))
		return;
	at = draw_place(s, capacity(s));
	n = draw_length(s, MOST_BYTES);
	want = at >= s->f->size ? 0 : s->f->size - at < n ? s->f->size - at : n;
	tell(s, "read %d at %#zx %#zx", s->file, at, n);
	memset(data, 0xee, n);
	must("read", back_read(s->descriptor, data, n, at, &done));
	if (done != want)
		fail("read: %zu bytes, should be %zu", done, want);
	same("read", data, s->f->data + at, want, at);
}

static void do_write(struct step *s)
{
	size_t at, asked, n, done;
	int err;

	if (!choose_file(s))
		return;
	asked = at = draw_place(s, capacity(s));
	if (s->m->descriptor[s->descriptor].append)
		at = s->f->size;
	n = draw_length(s, capacity(s) - at);
	if (n == 0)
		return;
	tell(s, "write %d at %#zx %#zx", s->file, at, n);
	fill(s, n);
	err = back_write(s->descriptor, data, n, asked, &done);
	model_write(s->m, s->file, data, done, at);
	if (!had_room("write", err))
		model_trim(s->m, s->file);
	else if (done != n)
		fail("write: %zu bytes", done);
}

static void do_truncate(struct step *s)
{
	size_t size;

	if (!choose_file(s))
		return;
	size = draw_place(s, capacity(s));
	tell(s, "truncate %d to %#zx, was %#zx", s->file, size, s->f->size);
	if (had_room("truncate", back_truncate(s->descriptor, size)))
		model_truncate(s->m, s->file, size);
}

static void do_punch(struct step *s)
{
	size_t at, n;

	if (!(features & BACK_PUNCHES) || !choose_file(s))
		return;
	at = draw_place(s, capacity(s) - 1);
	n = draw_length(s, capacity(s) - at);
	tell(s, "punch %d at %#zx %#zx", s->file, at, n);
	if (had_room(
		    "punch", back_allocate(s->descriptor, BACK_PUNCH_HOLE | BACK_KEEP_SIZE, at, n)))
		model_zero(s->m, s->file, at, at + n, false);
}

/*
 * The disk was full in the midst of an allocation: pages have room or not, are
 * zero or as they were.
 */
static void was_begun(struct step *s, size_t at, size_t n, bool zeroes)
{
	size_t end = at + n < s->f->size ? at + n : s->f->size, done;

	model_begun(s->m, s->file, at, at + n);
	if (!zeroes || at >= end)
		return;
	must("read", back_read(s->descriptor, data, end - at, at, &done));
	for (size_t i = 0; i < end - at; i++)
		if (data[i])
			same("read of what was to be zero", data + i, s->f->data + at + i, 1,
				at + i);
	memcpy(s->f->data + at, data, end - at);
}

static void do_allocate(struct step *s)
{
	static const int modes[] = {
		0, BACK_KEEP_SIZE, BACK_ZERO_RANGE, BACK_ZERO_RANGE | BACK_KEEP_SIZE};
	int mode = modes[draw(s, 4)];
	size_t at, n;

	if (!(features & BACK_ALLOCATES) || !choose_file(s))
		return;
	at = draw_place(s, capacity(s) - 1);
	n = draw_length(s, capacity(s) - at);
	tell(s, "allocate %d at %#zx %#zx%s%s", s->file, at, n,
		mode & BACK_ZERO_RANGE ? ", zeros" : "",
		mode & BACK_KEEP_SIZE ? ", keep size" : "");
	if (!had_room("fallocate", back_allocate(s->descriptor, mode, at, n))) {
		was_begun(s, at, n, mode & BACK_ZERO_RANGE);
		return;
	}
	if (mode & BACK_ZERO_RANGE)
		model_zero(s->m, s->file, at, at + n, true);
	if (!(mode & BACK_KEEP_SIZE) && at + n > s->f->size)
		model_truncate(s->m, s->file, at + n);
	model_allocate(s->m, s->file, at, at + n);
}

static void do_fsync(struct step *s)
{
	bool data_only = draw(s, 2);

	if (!choose_file(s))
		return;
	tell(s, "%s %d", data_only ? "fdatasync" : "fsync", s->file);
	must("fsync", back_fsync(s->descriptor, data_only));
}

static void do_sync(struct step *s)
{
	tell(s, "sync");
	must("sync", back_sync());
}

static void check_stat(struct step *s)
{
	struct back_stat st;
	unsigned least = model_blocks(s->m, s->file, BLOCK_MUST),
		 most = model_blocks(s->m, s->file, BLOCK_MAY) + 4; /* nodes of the tree */

	must("stat", back_stat(s->descriptor, &st));
	if (st.size != s->f->size)
		fail("stat: size %#llx, should be %#zx", (unsigned long long)st.size, s->f->size);
	if (st.links != s->f->named)
		fail("stat: %u links", st.links);
	if (features & BACK_COUNTS_BLOCKS && (st.blocks / 8 < least || st.blocks / 8 > most))
		fail("stat: %llu blocks, should be %u to %u", (unsigned long long)st.blocks / 8,
			least, most);
}

static void do_stat(struct step *s)
{
	if (!choose_file(s))
		return;
	tell(s, "stat %d", s->file);
	check_stat(s);
}

/* --- Descriptors and names --------------------------------------------------------------- */

static void close_descriptor(struct step *s, unsigned descriptor)
{
	int file = s->m->descriptor[descriptor].file;

	if (file == MODEL_NONE)
		return;
	back_close(descriptor);
	s->m->descriptor[descriptor].file = MODEL_NONE;
	model_unuse(s->m, file);
}

/* Open another one, in the place of the one that was there. */
static void do_open(struct step *s)
{
	static const unsigned flags[] = {0, 0, 0, BACK_APPEND, BACK_SYNC, BACK_DSYNC};
	unsigned descriptor = draw(s, FSX_DESCRIPTORS), name = draw(s, FSX_NAMES),
		 flag = flags[draw(s, 6)];
	int file, err;

	close_descriptor(s, descriptor);
	file = model_open(s->m, name);
	if (file == MODEL_NONE)
		return;
	tell(s, "open name %u: file %d, flags %o", name, file, flag);
	err = back_open(descriptor, name, flag);
	if (!had_room("open", err)) {
		if (s->m->file[file].uses == 1)
			model_unlink(s->m, name);
		return;
	}
	model_use(s->m, file);
	s->m->descriptor[descriptor].file = file;
	s->m->descriptor[descriptor].append = flag == BACK_APPEND;
}

static void do_unlink(struct step *s)
{
	unsigned name = draw(s, FSX_NAMES);

	if (s->m->name[name] == MODEL_NONE)
		return;
	tell(s, "unlink name %u: file %d", name, s->m->name[name]);
	must("unlink", back_unlink(name));
	model_unlink(s->m, name);
}

/* --- Mappings ---------------------------------------------------------------------------- */

static void unmap_area(struct step *s)
{
	must("unmap", back_unmap(s->space, s->area, s->a->pages));
	model_unmap(s->m, s->a);
}

/* Map a file that is open, in the place of what the area mapped. */
static void do_map(struct step *s)
{
	unsigned space = draw(s, FSX_SPACES), area = draw(s, FSX_AREAS), first, pages;
	unsigned all = (unsigned)(capacity(s) / FSX_PAGE);
	bool shared = draw(s, 3);

	choose_area(s, space, area);
	if (s->f)
		unmap_area(s);
	if (!choose_file(s))
		return;
	first = draw(s, 2) ? 0 : draw(s, all);
	pages = 1 + draw(s, all - first);
	tell(s, "map %d %s in %u/%u: %u pages from %u", s->file, shared ? "shared" : "private",
		space, area, pages, first);
	must("map", back_map(space, area, s->descriptor, shared, first, pages));
	model_map(s->m, s->a, s->file, shared, first, pages);
}

static void do_unmap(struct step *s)
{
	if (!choose_mapped(s))
		return;
	tell(s, "unmap %u/%u", s->space, s->area);
	unmap_area(s);
}

static void draw_pages(struct step *s, unsigned *page, unsigned *pages)
{
	*page = draw(s, s->a->pages);
	*pages = 1 + draw(s, s->a->pages - *page);
}

static void do_forget(struct step *s)
{
	unsigned page, pages;

	if (!choose_mapped(s))
		return;
	draw_pages(s, &page, &pages);
	tell(s, "forget %u/%u: %u pages from %u", s->space, s->area, pages, page);
	must("madvise", back_forget(s->space, s->area, page, pages));
	model_forget(s->m, s->a, page, pages);
}

static void do_msync(struct step *s)
{
	unsigned page, pages;
	bool wait = draw(s, 2);

	if (!choose_mapped(s))
		return;
	draw_pages(s, &page, &pages);
	tell(s, "msync %u/%u %s: %u pages from %u", s->space, s->area, wait ? "sync" : "async",
		pages, page);
	must("msync", back_msync(s->space, s->area, page, pages, wait));
}

static void compare_load(struct step *s, size_t at, size_t n)
{
	for (size_t i = 0, piece, known; i < n; i += piece) {
		const uint8_t *want;
		piece = FSX_PAGE - (at + i) % FSX_PAGE;
		piece = piece < n - i ? piece : n - i;
		want = model_load(s->m, s->a, at + i, piece, &known);
		same("load", data + i, want, known, at + i);
	}
}

static void load_range(struct step *s, size_t at, size_t n)
{
	size_t reach = model_reach(s->m, s->a, at, n), done;
	int err = back_load(s->space, s->area, at, data, n, &done);

	if (err != (reach < n ? -EFAULT : 0) || done != reach)
		fail("load: result %d after %#zx bytes, should be %d after %#zx", err, done,
			reach < n ? -EFAULT : 0, reach);
	compare_load(s, at, reach);
}

static void do_load(struct step *s)
{
	size_t at, n;

	if (!choose_mapped(s))
		return;
	at = draw_range(s, &n);
	tell(s, "load %u/%u (%d) at %#zx %#zx", s->space, s->area, s->file, at, n);
	load_range(s, at, n);
}

/*
 * What was stored goes into the model page by page.  False: it has no room for
 * another private one.
 */
static bool store_pieces(struct step *s, size_t at, size_t n)
{
	for (size_t i = 0, piece; i < n; i += piece) {
		piece = FSX_PAGE - (at + i) % FSX_PAGE;
		piece = piece < n - i ? piece : n - i;
		if (!model_store(s->m, s->a, at + i, data + i, piece))
			return false;
	}
	return true;
}

/* Behind the file's end nothing is stored, unless it is to be lost. */
static size_t cut_store(struct step *s, size_t at, size_t n)
{
	size_t in_file = s->a->first * (size_t)FSX_PAGE + at;
	bool scribble = features & BACK_ZEROES_TAILS && draw(s, 8) == 0;

	if (scribble || !s->a->shared || model_reach(s->m, s->a, at, n) < n ||
		in_file + n <= s->f->size)
		return n;
	return in_file >= s->f->size ? 0 : s->f->size - in_file;
}

/* Private pages are given up before the model has no room for more. */
static void make_room(struct step *s, size_t at, size_t n)
{
	unsigned page = (unsigned)(at / FSX_PAGE), last = (unsigned)((at + n - 1) / FSX_PAGE),
		 used = 0;

	for (unsigned i = 0; i < MODEL_COPIES; i++)
		used += s->m->copy[i].used;
	if (s->a->shared || used + last - page + 1 <= MODEL_COPIES)
		return;
	for (unsigned space = 0; space < FSX_SPACES; space++) {
		for (unsigned area = 0; area < FSX_AREAS; area++) {
			struct model_area *a = &s->m->area[space][area];
			if (a->file == MODEL_NONE || a->shared)
				continue;
			must("madvise", back_forget(space, area, 0, a->pages));
			model_forget(s->m, a, 0, a->pages);
		}
	}
}

static void do_store(struct step *s)
{
	size_t at, n, reach, done;
	int err;

	if (!choose_mapped(s))
		return;
	at = draw_range(s, &n);
	n = cut_store(s, at, n);
	if (n == 0)
		return;
	tell(s, "store %u/%u (%d) at %#zx %#zx", s->space, s->area, s->file, at, n);
	make_room(s, at, n);
	reach = model_reach(s->m, s->a, at, n);
	fill(s, n);
	err = back_store(s->space, s->area, at, data, n, &done);
	if (err == -EFAULT && done < reach && s->a->shared && features & BACK_IS_FULL) {
		no_room();
		reach = done;
	} else if (err != (reach < n ? -EFAULT : 0) || done != reach)
		fail("store: result %d after %#zx bytes, should be %d after %#zx", err, done,
			reach < n ? -EFAULT : 0, reach);
	if (!store_pieces(s, at, reach))
		fail("too many private pages");
}

static void unmap_space(struct step *s, unsigned space)
{
	for (unsigned area = 0; area < FSX_AREAS; area++) {
		choose_area(s, space, area);
		if (s->f)
			unmap_area(s);
	}
}

static void do_fork(struct step *s)
{
	unsigned from = draw(s, FSX_SPACES), to = (from + 1 + draw(s, FSX_SPACES - 1)) % FSX_SPACES;

	unmap_space(s, to);
	if (!model_fork(s->m, from, to))
		return;
	tell(s, "fork space %u to %u", from, to);
	back_fork(from, to);
}

/* --- Pressure, and what is left ----------------------------------------------------------- */

static void do_press(struct step *s)
{
	unsigned how = draw(s, 1u << 30);

	tell(s, "press %u", how % 8);
	back_press(how);
}

/* All that can be seen of all files. */
static void compare_all(struct step *s)
{
	for (unsigned i = 0; i < FSX_DESCRIPTORS; i++) {
		size_t done;
		s->descriptor = i;
		s->file = s->m->descriptor[i].file;
		if (s->file == MODEL_NONE)
			continue;
		s->f = &s->m->file[s->file];
		check_stat(s);
		for (size_t at = 0; at < s->f->size; at += done) {
			must("read", back_read(i, data, MOST_BYTES, at, &done));
			if (done == 0 || done > s->f->size - at)
				fail("read: %zu bytes at %#zx", done, at);
			same("read of all", data, s->f->data + at, done, at);
		}
	}
	for (unsigned i = 0; i < FSX_SPACES * FSX_AREAS; i++) {
		choose_area(s, i / FSX_AREAS, i % FSX_AREAS);
		for (size_t at = 0; s->f && at < s->a->pages * (size_t)FSX_PAGE; at += FSX_PAGE)
			load_range(s, at, FSX_PAGE);
	}
}

static void do_compare(struct step *s)
{
	tell(s, "compare all");
	compare_all(s);
}

static void let_go(struct step *s)
{
	for (unsigned space = 0; space < FSX_SPACES; space++)
		unmap_space(s, space);
	for (unsigned i = 0; i < FSX_DESCRIPTORS; i++)
		close_descriptor(s, i);
}

static void do_remount(struct step *s)
{
	tell(s, "remount");
	let_go(s);
	back_remount();
	for (unsigned name = 0; name < FSX_NAMES; name++) {
		if (s->m->name[name] == MODEL_NONE)
			continue;
		must("open", back_open(name, name, 0));
		s->m->descriptor[name].file = s->m->name[name];
		s->m->descriptor[name].append = false;
		model_use(s->m, s->m->name[name]);
	}
	compare_all(s);
}

/* --- Episodes ---------------------------------------------------------------------------- */

static struct {
	const char *name;
	void (*run)(struct step *s);
	unsigned weight;
	unsigned long done;
} kinds[] = {
	{"read", do_read, 120, 0},
	{"write", do_write, 130, 0},
	{"load", do_load, 160, 0},
	{"store", do_store, 180, 0},
	{"truncate", do_truncate, 60, 0},
	{"punch", do_punch, 40, 0},
	{"allocate", do_allocate, 40, 0},
	{"msync", do_msync, 30, 0},
	{"fsync", do_fsync, 30, 0},
	{"sync", do_sync, 5, 0},
	{"stat", do_stat, 40, 0},
	{"open", do_open, 60, 0},
	{"unlink", do_unlink, 6, 0},
	{"map", do_map, 70, 0},
	{"unmap", do_unmap, 25, 0},
	{"forget", do_forget, 10, 0},
	{"fork", do_fork, 5, 0},
	{"press", do_press, 30, 0},
	{"compare", do_compare, 4, 0},
	{"remount", do_remount, 4, 0},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

void fsx_counts(void (*line)(const char *text))
{
	char text[TEXT_BYTES];

	for (unsigned i = 0; i < KINDS; i++) {
		snprintf(text, sizeof(text), "%-8s %7lu", kinds[i].name, kinds[i].done);
		line(text);
	}
	snprintf(text, sizeof(text), "for want of room %lu were refused", refused);
	line(text);
}

/* A step counts when it found something to be done to. */
static void run_step(struct step *s)
{
	unsigned total = 0, before = n_history;
	size_t i = 0;

	for (size_t k = 0; k < KINDS; k++)
		total += kinds[k].weight;
	for (unsigned at = draw(s, total); at >= kinds[i].weight; i++)
		at -= kinds[i].weight;
	kinds[i].run(s);
	kinds[i].done += n_history != before;
}

static void end_episode(struct step *s)
{
	do_remount(s);
	let_go(s);
	for (unsigned name = 0; name < FSX_NAMES; name++) {
		if (s->m->name[name] == MODEL_NONE)
			continue;
		must("unlink", back_unlink(name));
		model_unlink(s->m, name);
	}
}

void fsx_episode(const struct fsx_run *run, unsigned steps)
{
	static struct model m;

	model_init(&m, (run->file_bytes + FSX_PAGE - 1) / FSX_PAGE * FSX_PAGE);
	features = back_features();
	n_history = 0;
	for (unsigned i = 0; i < steps; i++) {
		struct step s = {.m = &m,
			.random = mix(mix(run->seed) + run->episode * (uint64_t)FSX_STEPS + i),
			.index = i};
		if (run->at)
			*run->at = i;
		if (!run->skip || !run->skip[i])
			run_step(&s);
	}
	end_episode(&(struct step){.m = &m, .index = steps});
	model_free(&m);
}
