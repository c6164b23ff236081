// SPDX-License-Identifier: MIT
/*
 * What all operations need, and those on the pages of a view: accesses, map calls, fork.
 */
#include "ops.h"

#include "../map_fixed.h"

#include <string.h>

unsigned draw(struct actor *a, unsigned n)
{
	return random_below(&a->random, n);
}

unsigned draw_page(struct actor *a)
{
	return a->first + draw(a, a->end - a->first);
}

void draw_range(struct actor *a, unsigned *first, unsigned *end)
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

mvm_vaddr_t place_of_actor(unsigned number)
{
	return (mvm_vaddr_t)(512 + number * 2 * VIEW_PAGES) << MVM_PAGE_SHIFT;
}

mvm_vaddr_t place_aside(void)
{
	return place_of_actor(sched_self());
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

/* In sequence, this way or the other, which fault-around goes by. */
static void go_along(struct actor *a, void (*go)(struct view *view, unsigned page, unsigned word))
{
	bool down = draw(a, 2);

	for (unsigned i = a->first; i < a->end; i++)
		go(a->view, down ? a->end - 1 - (i - a->first) : i, draw(a, WORDS));
}

void op_load_along(struct actor *a)
{
	go_along(a, view_load);
}

void op_store_along(struct actor *a)
{
	go_along(a, view_store);
}

/* --- Map calls -------------------------------------------------------------------------------- */

/* Map a range of one kind. */
static int map_alike(struct view *view, unsigned first, unsigned end, unsigned rights)
{
	const struct view_page *p = &view->pages[first];
	unsigned flags = p->kind == KIND_SHARED ? MVM_MAP_SHARED : 0u;
	bool anon = p->kind == KIND_ANON;

	return map_fixed(view->space, view_va(first), end - first, rights, flags,
		anon ? NULL : files[p->file].object, anon ? 0 : p->index);
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
	effect_begin(&e, a->view, first, end, EFFECT_UNMAPPING);
	err = mvm_unmap(a->view->space, view_va(first), (end - first) * MVM_PAGE_BYTES);
	check_result("unmap", err, !err);
	effect_end(&e, true, false, 0);
}

/* The whole space, what views do not know of too. */
void op_unmap_all(struct actor *a)
{
	struct effect e;
	int err;

	effect_begin(&e, a->view, 0, VIEW_PAGES, EFFECT_UNMAPPING);
	err = mvm_unmap(a->view->space, MVM_PAGE_BYTES, (SIM_PAGES - 1) * MVM_PAGE_BYTES);
	check_result("unmap", err, !err);
	effect_end(&e, true, false, 0);
}

static void protect_range(struct actor *a, unsigned first, unsigned end, unsigned rights)
{
	struct effect e;
	int err;

	effect_begin(&e, a->view, first, end, EFFECT_RIGHTS);
	err = mvm_protect(a->view->space, view_va(first), (end - first) * MVM_PAGE_BYTES, rights);
	check_result("protect", err, !err || err == -MVM_ENOMEM);
	effect_end(&e, !err, true, rights);
}

static void protect(struct actor *a, unsigned rights)
{
	unsigned first, end;

	draw_range(a, &first, &end);
	protect_range(a, first, end, rights);
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

/* No access at all, for two areas: as many holds of the lock, before any translation goes. */
void op_close(struct actor *a)
{
	protect_range(a, a->first, a->first + 1, MVM_READ);
	protect_range(a, a->first, a->end, 0);
	protect_range(a, a->first, a->end, RW);
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

/* As if each page of a range were stored to, what it contains apart. */
void op_prefault(struct actor *a)
{
	unsigned first, end;
	int err;

	draw_range(a, &first, &end);
	err = mvm_prefault(
		a->view->space, view_va(first), (end - first) * MVM_PAGE_BYTES, MVM_WRITE);
	check_result("prefault", err, !err || err == -MVM_EFAULT);
}

/* The instant is the kernel's secret: whoever stores meanwhile may come before or after. */
static void space_write(struct actor *a, bool force)
{
	unsigned page = draw_page(a), word = draw(a, WORDS);
	mvm_vaddr_t va = view_va(page) + word_offset(word);
	struct uncertain u;
	uint64_t value = uncertain_begin(&u, a->view, page, word);
	int err = mvm_space_write(a->view->space, va, &value, sizeof value, force);

	check_result("space_write", err, !err || err == -MVM_EFAULT);
	uncertain_end(&u, !err);
}

void op_space_write(struct actor *a)
{
	space_write(a, false);
}

/* A debugger's, whatever the area allows. */
void op_space_poke(struct actor *a)
{
	space_write(a, true);
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
