// SPDX-License-Identifier: MIT
/*
 * Operations on areas that no view knows, each actor's in a place of its own; locked pages; and
 * limits, of which several want the last.
 */
#include "ops.h"

#include "../map_fixed.h"

static int map_aside(struct mvm_space *space, mvm_vaddr_t at, unsigned pages, unsigned flags)
{
	return map_fixed(space, at, pages, RW, flags, NULL, 0);
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
 * page that it grows by, or not.  An area or a hole goes in a hold, and both ranges have several.
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
	struct mvm_space *space = a->view->space;
	mvm_vaddr_t aside = place_aside();
	int err = map_aside(space, aside, 1, 0);

	check_result("map", err, !err);
	advise(a, start, SIM_PAGES * MVM_PAGE_BYTES);
	err = mvm_unmap(space, aside, MVM_PAGE_BYTES);
	check_result("unmap", err, !err);
}

/* --- Locked pages ----------------------------------------------------------------------------- */

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

/* The pages are two areas, of which one goes in a hold: others get between. */
void op_lock_limited(struct actor *a)
{
	struct mvm_space *space = a->view->space;
	mvm_vaddr_t va = view_va(a->first);
	size_t bytes = LIMIT_LOCKED * MVM_PAGE_BYTES;
	int err;

	limit_locked(space);
	err = mvm_advise(space, va, MVM_PAGE_BYTES, MVM_ADVISE_SEQUENTIAL);
	check_result("advise", err, !err);
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
 * Two actors have some pages each, beside one area of ANON_MAPPED, and want GROWS more: what the
 * limit has room for once.
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
 * A map over an area a page: one more than go in a hold, so that others get between; at first that
 * one is not counted as given back.
 */
void op_map_over_limited(struct actor *a)
{
	const size_t limit = ANON_MAPPED + 2 * OVER_PAGES + GROWS + OVER_PAGES - MVM_HOLD_PAGES;
	struct mvm_space *space = a->view->space;
	mvm_vaddr_t aside = place_aside();
	int err;

	set_limits(space, limit, MVM_NO_LIMIT, MVM_NO_LIMIT);
	err = map_aside(space, aside, OVER_PAGES, 0);
	check_result("map", err, !err);
	for (unsigned i = 1; i < OVER_PAGES; i += 2) {
		err = mvm_advise(
			space, aside + i * MVM_PAGE_BYTES, MVM_PAGE_BYTES, MVM_ADVISE_SEQUENTIAL);
		check_result("advise", err, !err);
	}
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
