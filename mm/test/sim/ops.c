// SPDX-License-Identifier: MIT
#include "ops.h"

#include <string.h>

#define RW ((unsigned)(MVM_READ | MVM_WRITE))

static unsigned draw(struct actor *a, unsigned n)
{
	return random_below(&a->random, n);
}

static unsigned draw_page(struct actor *a)
{
	return a->first + draw(a, a->end - a->first);
}

/* Some pages in a row, [*first, *end). */
static void draw_range(struct actor *a, unsigned *first, unsigned *end)
{
	*first = draw_page(a);
	*end = *first + 1 + draw(a, a->end - *first);
}

void check_result(const char *call, int err, bool allowed)
{
	sim_trace("%s: %d", call, err);
	if (!allowed)
		sim_fail("%s: %d", call, err);
}

/* --- Accesses --------------------------------------------------------------------------------- */

void op_load(struct actor *a)
{
	view_load(a->view, draw_page(a), draw(a, WORDS));
}

void op_store(struct actor *a)
{
	view_store(a->view, draw_page(a), draw(a, WORDS));
}

void op_touch_all(struct actor *a)
{
	for (unsigned page = a->first; page < a->end; page++)
		view_load(a->view, page, draw(a, WORDS));
}

/* --- Map calls -------------------------------------------------------------------------------- */

/* Map a range of one kind. */
static int map_alike(struct view *view, unsigned first, unsigned end, unsigned rights)
{
	const struct view_page *p = &view->pages[first];
	struct mvm_map m = {
		.addr = view_va(first),
		.bytes = (end - first) * MVM_PAGE_BYTES,
		.rights = rights,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED | (p->kind == KIND_SHARED ? MVM_MAP_SHARED : 0u),
		.object = p->kind == KIND_ANON ? NULL : files[p->file].object,
		.offset_pages = p->kind == KIND_ANON ? 0 : p->index,
	};

	return mvm_map(view->space, &m);
}

static bool alike(const struct view_page *p, const struct view_page *next)
{
	return p->kind == next->kind &&
	       (p->kind == KIND_ANON || (p->file == next->file && p->index + 1 == next->index));
}

void map_pages(struct view *view, unsigned first, unsigned end, unsigned rights)
{
	while (first < end) {
		struct effect e;
		unsigned part = first + 1;
		int err;

		while (part < end && alike(&view->pages[part - 1], &view->pages[part]))
			part++;
		if (rights & MVM_WRITE)
			effect_begin_replace(&e, view, first, part);
		else
			effect_begin(&e, view, first, part, EFFECT_MAPPING);
		err = map_alike(view, first, part, rights);
		check_result("map", err, !err);
		effect_end(&e, true, true, rights);
		first = part;
	}
}

void op_map(struct actor *a)
{
	map_pages(a->view, a->first, a->end, RW);
}

void op_map_part(struct actor *a)
{
	unsigned first, end;

	draw_range(a, &first, &end);
	map_pages(a->view, first, end, draw(a, 4) ? RW : (unsigned)MVM_READ);
}

/* Wherever there is room; at the hint, if that is free. */
void op_map_hint(struct actor *a)
{
	unsigned page = draw_page(a);
	struct mvm_map m = {
		.addr = view_va(page),
		.bytes = MVM_PAGE_BYTES,
		.rights = RW,
		.max_rights = MVM_RWX,
	};
	bool there;
	struct effect e;
	int err;

	effect_begin(&e, a->view, page, page + 1, EFFECT_MAPPING);
	err = mvm_map(a->view->space, &m);
	check_result("map", err, !err);
	there = m.addr == view_va(page);
	effect_end(&e, there, true, RW);
	if (!there) {
		err = mvm_unmap(a->view->space, m.addr, m.bytes);
		check_result("unmap", err, !err);
	}
}

void op_unmap(struct actor *a)
{
	struct effect e;
	unsigned first, end;
	int err;

	draw_range(a, &first, &end);
	effect_begin(&e, a->view, first, end, EFFECT_MAPPING);
	err = mvm_unmap(a->view->space, view_va(first), (end - first) * MVM_PAGE_BYTES);
	check_result("unmap", err, !err);
	effect_end(&e, true, false, 0);
}

/* The whole space, what views do not know of too. */
void op_unmap_all(struct actor *a)
{
	struct effect e;
	int err;

	effect_begin(&e, a->view, 0, VIEW_PAGES, EFFECT_MAPPING);
	err = mvm_unmap(a->view->space, MVM_PAGE_BYTES, (SIM_PAGES - 1) * MVM_PAGE_BYTES);
	check_result("unmap", err, !err);
	effect_end(&e, true, false, 0);
}

static void protect(struct actor *a, unsigned rights)
{
	struct effect e;
	unsigned first, end;
	int err;

	draw_range(a, &first, &end);
	effect_begin(&e, a->view, first, end, EFFECT_RIGHTS);
	err = mvm_protect(a->view->space, view_va(first), (end - first) * MVM_PAGE_BYTES, rights);
	check_result("protect", err, !err || err == -MVM_ENOMEM);
	effect_end(&e, !err, true, rights);
}

void op_protect(struct actor *a)
{
	static const unsigned choice[] = {0, MVM_READ, MVM_READ | MVM_WRITE};

	protect(a, choice[draw(a, 3)]);
}

void op_read_only(struct actor *a)
{
	protect(a, MVM_READ);
	protect(a, RW);
}

/* madvise(DONTNEED). */
void op_forget(struct actor *a)
{
	struct effect e;
	unsigned first, end;
	int err;

	draw_range(a, &first, &end);
	effect_begin(&e, a->view, first, end, EFFECT_CONTENTS);
	err = mvm_advise(a->view->space, view_va(first), (end - first) * MVM_PAGE_BYTES,
		MVM_ADVISE_DONTNEED);
	check_result("advise", err, !err || err == -MVM_ENOMEM);
	effect_end(&e, !err, true, 0);
}

/* Each actor has a place of its own, outside of what views know. */
static mvm_vaddr_t place_of_actor(unsigned number)
{
	return (mvm_vaddr_t)(512 + number * 2 * VIEW_PAGES) << MVM_PAGE_SHIFT;
}

static mvm_vaddr_t place_aside(void)
{
	return place_of_actor(sched_self());
}

/* mremap() to another place, and back. */
void op_move(struct actor *a)
{
	struct view_page kept[VIEW_PAGES];
	struct mvm_space *space = a->view->space;
	unsigned flags = MVM_REMAP_MAYMOVE | MVM_REMAP_FIXED, first, end;
	mvm_vaddr_t aside = place_aside(), back;
	struct effect e;
	size_t bytes;
	int err;

	draw_range(a, &first, &end);
	bytes = (end - first) * MVM_PAGE_BYTES;
	back = view_va(first);
	effect_begin_move(&e, a->view, first, end, kept);
	err = mvm_remap(space, back, bytes, bytes, flags, &aside);
	check_result("remap", err, !err || err == -MVM_EFAULT);
	if (!err) {
		err = mvm_remap(space, aside, bytes, bytes, flags, &back);
		check_result("remap back", err, !err);
		effect_end(
			&e, !kept[first].calls && !kept[first].doubtful, true, kept[first].rights);
	} else {
		effect_end(&e, false, false, 0);
	}
}

static int map_aside(struct mvm_space *space, mvm_vaddr_t at, unsigned pages, unsigned flags)
{
	struct mvm_map m = {
		.addr = at,
		.bytes = pages * MVM_PAGE_BYTES,
		.rights = RW,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED | flags,
	};

	return mvm_map(space, &m);
}

#define GROW_PAGES 3

/* mremap() to one page more, in place, and then elsewhere, for the page behind is mapped. */
void op_grow(struct actor *a)
{
	struct mvm_space *space = a->view->space;
	const size_t before = GROW_PAGES * MVM_PAGE_BYTES, after = before + MVM_PAGE_BYTES;
	mvm_vaddr_t aside = place_aside(), now = aside;
	int err = map_aside(space, aside, GROW_PAGES, 0);

	check_result("map", err, !err);
	err = mvm_remap(space, aside, before, after, 0, &now);
	check_result("grow in place", err, !err);
	err = mvm_remap(space, aside, before, after, MVM_REMAP_MAYMOVE, &now);
	check_result("grow elsewhere", err, !err && now != aside);
	err = mvm_unmap(space, now, after);
	check_result("unmap", err, !err);
	err = mvm_unmap(space, aside, after);
	check_result("unmap", err, !err);
}

/*
 * Advice for all that is not of the first actor's op_grow(), holes included; above it, also for the
 * page that it grows by, or not.
 */
static void advise(struct actor *a, mvm_vaddr_t start, mvm_vaddr_t end)
{
	int err = mvm_advise(a->view->space, start, end - start, MVM_ADVISE_RANDOM);

	check_result("advise", err, err == -MVM_ENOMEM);
}

void op_advise_below(struct actor *a)
{
	advise(a, MVM_PAGE_BYTES, place_of_actor(1));
}

void op_advise_above(struct actor *a)
{
	mvm_vaddr_t start = place_of_actor(1) + (GROW_PAGES + draw(a, 2)) * MVM_PAGE_BYTES;

	advise(a, start, SIM_PAGES * MVM_PAGE_BYTES);
}

static unsigned *fills_of(const struct view_page *p)
{
	return &files[p->file].fills[p->index];
}

/* What is locked is not read again. */
void op_lock(struct actor *a)
{
	unsigned fills[VIEW_PAGES], first, end;
	mvm_vaddr_t va;
	size_t bytes;
	int err;

	draw_range(a, &first, &end);
	va = view_va(first);
	bytes = (end - first) * MVM_PAGE_BYTES;
	err = mvm_mlock(a->view->space, va, bytes, false);
	check_result("mlock", err, !err);
	for (unsigned i = first; i < end; i++)
		fills[i] = *fills_of(&a->view->pages[i]);
	for (unsigned i = first; i < end; i++) {
		view_load(a->view, i, draw(a, WORDS));
		if (fills[i] != *fills_of(&a->view->pages[i]))
			sim_fail("page %u was locked, and read again", i);
	}
	err = mvm_munlock(a->view->space, va, bytes);
	check_result("munlock", err, !err);
}

/* Everything there is, and back. */
void op_lock_all(struct actor *a)
{
	int err = mvm_mlockall(a->view->space, MVM_LOCK_CURRENT);

	check_result("mlockall", err, !err);
	mvm_munlockall(a->view->space);
}

/* --- Limits ----------------------------------------------------------------------------------- */

static void set_limits(struct mvm_space *space, size_t total, size_t locked, size_t areas)
{
	const struct mvm_limits limits = {
		.total = total,
		.data = total,
		.stack = MVM_NO_LIMIT,
		.locked = locked,
		.areas = areas,
	};

	mvm_space_set_limits(space, &limits);
}

static struct mvm_space_stats stats_of(struct mvm_space *space)
{
	struct mvm_space_stats stats;

	mvm_space_stats(space, &stats);
	return stats;
}

/* Of several who want to lock two pages each, the limit lets one at a time. */
#define LIMIT_LOCKED 2

static void limit_locked(struct mvm_space *space)
{
	set_limits(space, MVM_NO_LIMIT, LIMIT_LOCKED, MVM_NO_LIMIT);
}

static void check_locked(struct mvm_space *space)
{
	unsigned locked = (unsigned)stats_of(space).locked_pages;

	if (locked > LIMIT_LOCKED)
		sim_fail("%u pages are locked", locked);
}

void op_lock_limited(struct actor *a)
{
	struct mvm_space *space = a->view->space;
	mvm_vaddr_t va = view_va(a->first);
	size_t bytes = LIMIT_LOCKED * MVM_PAGE_BYTES;
	int err;

	limit_locked(space);
	err = mvm_mlock(space, va, bytes, false);
	check_result("mlock", err, !err || err == -MVM_ENOMEM);
	check_locked(space);
	if (!err) {
		err = mvm_munlock(space, va, bytes);
		check_result("munlock", err, !err);
	}
}

/* MAP_LOCKED, and an mlock that its limit or the hole behind forbids: it leaves nothing behind. */
void op_map_locked(struct actor *a)
{
	struct mvm_space *space = a->view->space;
	mvm_vaddr_t aside = place_aside();
	int err;

	limit_locked(space);
	err = map_aside(space, aside, LIMIT_LOCKED, MVM_MAP_LOCKED);
	check_result("map locked", err, !err || err == -MVM_EAGAIN);
	check_locked(space);
	err = mvm_unmap(space, aside, LIMIT_LOCKED * MVM_PAGE_BYTES);
	check_result("unmap", err, !err);
	err = map_aside(space, aside, 1, 0);
	check_result("map", err, !err);
	err = mvm_mlock(space, aside, LIMIT_LOCKED * MVM_PAGE_BYTES, false);
	check_result("mlock", err, err == -MVM_ENOMEM);
	err = mvm_unmap(space, aside, MVM_PAGE_BYTES);
	check_result("unmap", err, !err);
}

/*
 * Two actors have some pages each, beside one area of ANON_MAPPED, and want GROWS more: what the limit
 * has room for once.
 */
#define ANON_MAPPED 8
#define OVER_PAGES  4
#define GROWS       2

static void check_limit(const char *what, uint64_t n, uint64_t limit)
{
	if (n > limit)
		sim_fail("%u %s, and the limit is %u", (unsigned)n, what, (unsigned)limit);
}

/*
 * A map over three areas: no more go in one hold, so that others get between the last and the new one.
 */
void op_map_over_limited(struct actor *a)
{
	const size_t limit = ANON_MAPPED + 2 * OVER_PAGES + GROWS;
	struct mvm_space *space = a->view->space;
	mvm_vaddr_t aside = place_aside();
	int err;

	set_limits(space, limit, MVM_NO_LIMIT, MVM_NO_LIMIT);
	err = map_aside(space, aside, OVER_PAGES, 0);
	check_result("map", err, !err);
	err = mvm_advise(space, aside + MVM_PAGE_BYTES, MVM_PAGE_BYTES, MVM_ADVISE_SEQUENTIAL);
	check_result("advise", err, !err);
	err = map_aside(space, aside, OVER_PAGES + GROWS, 0);
	check_result("map over", err, !err || err == -MVM_ENOMEM);
	check_limit("pages are mapped", stats_of(space).mapped_pages, limit);
	check_limit("pages are data", stats_of(space).data_pages, limit);
	err = mvm_unmap(space, aside, (OVER_PAGES + GROWS) * MVM_PAGE_BYTES);
	check_result("unmap", err, !err);
}

/* A move of what is locked. */
void op_grow_limited(struct actor *a)
{
	const size_t before = GROW_PAGES * MVM_PAGE_BYTES, limit = 2 * GROW_PAGES + GROWS;
	struct mvm_space *space = a->view->space;
	mvm_vaddr_t aside = place_aside(), now = aside;
	size_t after = before + GROWS * MVM_PAGE_BYTES;
	int err;

	set_limits(space, MVM_NO_LIMIT, limit, MVM_NO_LIMIT);
	err = map_aside(space, aside, GROW_PAGES, MVM_MAP_LOCKED);
	check_result("map locked", err, !err);
	err = map_aside(space, aside + before, 1, 0);
	check_result("map behind", err, !err);
	err = mvm_remap(space, aside, before, after, MVM_REMAP_MAYMOVE, &now);
	check_result("grow elsewhere", err, err ? err == -MVM_EAGAIN : now != aside);
	check_limit("pages are locked", stats_of(space).locked_pages, limit);
	if (!err) {
		err = mvm_unmap(space, now, after);
		check_result("unmap", err, !err);
	}
	err = mvm_unmap(space, aside, before + MVM_PAGE_BYTES);
	check_result("unmap", err, !err);
}

/* An area that is cut in two, of which there may be one. */
void op_cut_limited(struct actor *a)
{
	struct mvm_space *space = a->view->space;
	mvm_vaddr_t aside = place_aside();
	const size_t limit = 1 + 2 + 1;
	int err;

	set_limits(space, MVM_NO_LIMIT, MVM_NO_LIMIT, limit);
	err = map_aside(space, aside, 3, 0);
	check_result("map", err, !err);
	err = mvm_unmap(space, aside + MVM_PAGE_BYTES, MVM_PAGE_BYTES);
	check_result("cut", err, !err || err == -MVM_ENOMEM);
	check_limit("areas are there", stats_of(space).areas, limit);
	err = mvm_unmap(space, aside, 3 * MVM_PAGE_BYTES);
	check_result("unmap", err, !err);
}

/* What the limit forbids to lock all does not lock what is mapped meanwhile. */
void op_lock_all_fails(struct actor *a)
{
	struct mvm_space *space = a->view->space;
	int err;

	limit_locked(space);
	err = mvm_mlockall(space, MVM_LOCK_CURRENT | MVM_LOCK_FUTURE);
	check_result("mlockall", err, err == -MVM_ENOMEM);
}

void op_map_unlocked(struct actor *a)
{
	struct mvm_space *space = a->view->space;
	mvm_vaddr_t aside = place_aside();
	int err = map_aside(space, aside, 1, 0);

	check_result("map", err, !err);
	check_limit("pages are locked", stats_of(space).locked_pages, 0);
	err = mvm_unmap(space, aside, MVM_PAGE_BYTES);
	check_result("unmap", err, !err);
}

/* --- Fork ------------------------------------------------------------------------------------- */

struct view *view_fork(struct view *parent)
{
	struct view *child = view_unused();
	struct fork_effect e;
	int err;

	fork_begin(&e, parent);
	err = mvm_space_fork(parent->space, &child->space);
	check_result("fork", err, !err);
	fork_end(&e, child);
	return child;
}

void view_end(struct view *view)
{
	mvm_space_unref(view->space);
	view->taken = false;
}

static void load_all(struct actor *a, struct view *view)
{
	for (unsigned page = a->first; page < a->end; page++) {
		for (unsigned word = 0; word < WORDS; word++)
			view_load(view, page, word);
	}
}

/* The child sees one moment of the parent, and goes on seeing it. */
void op_fork(struct actor *a)
{
	struct view *child = view_fork(a->view);

	load_all(a, child);
	load_all(a, child);
	view_end(child);
}

/* Both store to their own. */
void op_fork_store(struct actor *a)
{
	struct view *child = view_fork(a->view);

	view_store(child, draw_page(a), draw(a, WORDS));
	op_store(a);
	view_store(child, draw_page(a), draw(a, WORDS));
	load_all(a, child);
	view_end(child);
	load_all(a, a->view);
}

static void mark_for_fork(
	struct actor *a, enum mvm_advice advice, enum mvm_advice undo, enum fork_mark mark)
{
	unsigned first = a->first, end = a->end;
	mvm_vaddr_t va = view_va(first);
	size_t bytes = (end - first) * MVM_PAGE_BYTES;
	int err;

	mark_begin(a->view, first, end);
	err = mvm_advise(a->view->space, va, bytes, advice);
	check_result("advise", err, !err);
	mark_end(a->view, first, end, mark);
	op_fork(a);
	mark_begin(a->view, first, end);
	err = mvm_advise(a->view->space, va, bytes, undo);
	check_result("advise", err, !err);
	mark_end(a->view, first, end, MARK_NONE);
}

void op_wipe_on_fork(struct actor *a)
{
	mark_for_fork(a, MVM_ADVISE_WIPEONFORK, MVM_ADVISE_KEEPONFORK, MARK_WIPE);
}

void op_dont_fork(struct actor *a)
{
	mark_for_fork(a, MVM_ADVISE_DONTFORK, MVM_ADVISE_DOFORK, MARK_DONT);
}

/* --- The kernel's own accesses ---------------------------------------------------------------- */

/* The program must die while it works. */
void op_die(struct actor *a)
{
	host_kill(sched_self(), true);
	op_store(a);
	op_load(a);
	host_kill(sched_self(), false);
}

/* A device stores to held memory at a time of its own, and the program sees it. */
static void device_store(struct actor *a, unsigned page, unsigned word, const struct mvm_hold *hold)
{
	uint64_t value = view_word_store(a->view, page, word);

	memcpy(host_frame_data(hold->frame) + word_offset(word), &value, sizeof value);
}

void op_hold(struct actor *a)
{
	unsigned page = draw_page(a), word = draw(a, WORDS);
	struct view_page *p = &a->view->pages[page];
	unsigned access = draw(a, 3) ? MVM_WRITE : MVM_READ, changes = p->changes;
	bool undisturbed = p->disturbance == 0;
	struct mvm_hold hold;
	int err;

	p->held++;
	p->holds++;
	err = mvm_hold(a->view->space, view_va(page), access, &hold);
	check_result("hold", err, !err || err == -MVM_EFAULT);
	for (unsigned i = 0; !err && i < 2; i++) {
		sched_point(POINT_USER);
		/* What was unmapped, or cut off, since it was held is only the device's. */
		if (access == MVM_WRITE && p->kind == KIND_ANON && undisturbed &&
			p->changes == changes)
			device_store(a, page, word, &hold);
	}
	if (!err)
		mvm_release(&hold);
	p->held--;
}

/* The instant is the kernel's secret: whoever stores meanwhile may come before or after. */
void op_space_write(struct actor *a)
{
	unsigned page = draw_page(a), word = draw(a, WORDS);
	mvm_vaddr_t va = view_va(page) + word_offset(word);
	struct uncertain u;
	uint64_t value = uncertain_begin(&u, a->view, page, word);
	int err = mvm_space_write(a->view->space, va, &value, sizeof value, false);

	check_result("space_write", err, !err || err == -MVM_EFAULT);
	uncertain_end(&u, !err);
}

void op_space_read(struct actor *a)
{
	unsigned page = draw_page(a), word = draw(a, WORDS);
	uint64_t value;
	int err = mvm_space_read(
		a->view->space, view_va(page) + word_offset(word), &value, sizeof value);

	check_result("space_read", err, !err || err == -MVM_EFAULT);
	if (!err)
		view_word_seen(a->view, page, value);
}

/* --- Changes of size -------------------------------------------------------------------------- */

static uint64_t bytes_of_words(unsigned words)
{
	return words * (MVM_PAGE_BYTES / WORDS);
}

static void set_size(unsigned file, unsigned words)
{
	int err;

	file_resize_begin(file);
	err = mvm_pc_truncate(files[file].object, bytes_of_words(words));
	check_result("truncate", err, !err);
	file_resize_end(file, words);
}

/* What is behind the end in the last page is zeros, and may be stored to without a trace. */
static void look_behind_end(struct actor *a, unsigned words)
{
	unsigned page = 0;

	while (page < VIEW_PAGES && !(a->view->pages[page].kind == KIND_SHARED &&
					    a->view->pages[page].index == words / WORDS))
		page++;
	if (words % WORDS == 0 || page == VIEW_PAGES || draw(a, 2))
		return;
	view_load(a->view, page, words % WORDS);
	view_store(a->view, page, words % WORDS);
	view_load(a->view, page, words % WORDS);
}

/* Cut the file, and make it as long as it was. */
static void cut(struct actor *a, unsigned words)
{
	unsigned file = a->file, index = (words + WORDS - 1) / WORDS, all = file_words(file);
	struct cut_effect copies;
	uint32_t since = last_store();

	file_inode_lock(&files[file]);
	file_disturb(file, words, all);
	cut_begin(&copies, file, index);
	set_size(file, words);
	file_since(file, words, index * WORDS, since);
	cut_end(&copies);
	look_behind_end(a, words);
	file_free_blocks(&files[file], index, FILE_PAGES - 1);
	file_settle_zeros(file, index * WORDS, all);
	since = last_store(); /* what stands behind the end goes when the file grows */
	set_size(file, all);
	file_since(file, words, index * WORDS, since);
	file_settle(file, words, index * WORDS);
	file_inode_unlock(&files[file]);
}

void op_truncate(struct actor *a)
{
	cut(a, WORDS * draw(a, FILE_PAGES));
}

void op_cut_page(struct actor *a)
{
	cut(a, WORDS * draw(a, FILE_PAGES) + 1);
}

/* The medium's part of a punch: nothing shows the old contents any more, nor is new there. */
static int free_blocks(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct sim_file *file = file_of(obj);

	file_free_blocks(file, first, last);
	file_settle_zeros(
		(unsigned)(file - files), (unsigned)first * WORDS, (unsigned)(last + 1) * WORDS);
	return 0;
}

void op_punch(struct actor *a)
{
	unsigned first = draw(a, FILE_PAGES), end = first + 1 + draw(a, FILE_PAGES - first);
	struct sim_file *file = &files[a->file];
	int err;

	file_inode_lock(file);
	file_disturb(a->file, first * WORDS, end * WORDS);
	err = mvm_pc_punch(file->object, first * MVM_PAGE_BYTES, end * MVM_PAGE_BYTES, free_blocks);
	check_result("punch", err, !err);
	file_inode_unlock(file);
}

/* --- read(2), write(2), write-back, reclaim --------------------------------------------------- */

/* One word, copied at one instant. */
struct word_copy {
	struct mvm_copy copy;
	unsigned file, index, word;
	unsigned changes; /* of the file, when the call began */
};

static size_t copy_word_out(struct mvm_copy *copy, void *kernel, size_t done, size_t n)
{
	struct word_copy *c = (struct word_copy *)copy;
	uint64_t value;

	(void)done;
	sched_point(POINT_USER);
	memcpy(&value, kernel, sizeof value);
	sim_trace("reads file page %u, word %u: store %u", c->index, c->word, (unsigned)value);
	file_word_load(c->file, c->index, c->word, value, c->changes);
	return n;
}

static size_t copy_word_in(struct mvm_copy *copy, void *kernel, size_t done, size_t n)
{
	struct word_copy *c = (struct word_copy *)copy;
	uint64_t value;

	(void)done;
	sched_point(POINT_USER);
	value = file_word_store(c->file, c->index, c->word);
	memcpy(kernel, &value, sizeof value);
	sim_trace("writes file page %u, word %u: store %u", c->index, c->word, (unsigned)value);
	return n;
}

static struct word_copy draw_word(struct actor *a)
{
	return (struct word_copy){
		.file = a->file,
		.index = draw(a, FILE_PAGES),
		.word = draw(a, WORDS),
		.changes = file_changes(a->file),
	};
}

static uint64_t place_of(const struct word_copy *c)
{
	return c->index * MVM_PAGE_BYTES + word_offset(c->word);
}

void op_read(struct actor *a)
{
	struct word_copy c = draw_word(a);
	size_t done;
	int err;

	c.copy.copy = copy_word_out;
	err = mvm_pc_read(files[c.file].object, place_of(&c), sizeof(uint64_t), &c.copy, &done);
	check_result("read", err, !err);
}

void op_write(struct actor *a)
{
	struct word_copy c = draw_word(a);
	size_t done;
	int err;

	c.copy.copy = copy_word_in;
	file_inode_lock(&files[c.file]);
	err = mvm_pc_write(files[c.file].object, place_of(&c), sizeof(uint64_t), &c.copy, &done);
	check_result("write", err, !err && done == sizeof(uint64_t));
	file_inode_unlock(&files[c.file]);
}

void op_flush(struct actor *a)
{
	int err = mvm_pc_flush(
		files[a->file].object, draw(a, 2), FILE_PAGES, draw(a, 2) ? MVM_PC_WAIT : 0);

	check_result("flush", err, !err);
}

void op_sync(struct actor *a)
{
	unsigned first, end;
	int err;

	draw_range(a, &first, &end);
	err = mvm_sync(a->view->space, view_va(first), (end - first) * MVM_PAGE_BYTES,
		draw(a, 2) ? MVM_SYNC_WAIT : 0, NULL);
	check_result("sync", err, !err || err == -MVM_ENOMEM);
}

void op_writeback(struct actor *a)
{
	int err = mvm_writeback(0, draw(a, 2));

	check_result("writeback", err, !err);
}

void op_invalidate(struct actor *a)
{
	unsigned first = draw(a, FILE_PAGES);

	mvm_pc_invalidate(files[a->file].object, first, first + draw(a, 3));
}

void op_reclaim(struct actor *a)
{
	(void)mvm_reclaim(1 + draw(a, 8));
}
