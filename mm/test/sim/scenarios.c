// SPDX-License-Identifier: MIT
/*
 * Small scenarios find most bugs: two to four actors, one to three operations each, on a handful of
 * pages.  What exactly each does is drawn from the seed, so one scenario stands for some dozens.
 */
#include "../map_fixed.h"
#include "scenarios.h"

/* Pages of a view: anonymous, shared, private (world.h); the anon tree has a leaf's end at 8. */
#define ANON(n)    8 - (n) / 2, 8 - (n) / 2 + (n)
#define BELOW(n)   8 - (n), 8
#define ABOVE(n)   8, 8 + (n)
#define SHARED(n)  16, 16 + (n)
#define PRIVATE(n) 24, 24 + (n)
#define FILE_VIEWS 16, 32
#define ALL        0, VIEW_PAGES

/* What was done before: the pages mapped are stored to, loaded, untouched, part of a large page. */
#define STORED    BEFORE_STORED
#define LOADED    BEFORE_LOADED
#define UNTOUCHED BEFORE_UNTOUCHED
#define LARGE     BEFORE_LARGE

/* Works so many times on some pages of the first space, or of the fork that was made of it. */
#define FIRST 0
#define FORK  1
#define ACTOR(space, pages, times, ...) \
	{                               \
		space, pages, times,    \
		{                       \
			__VA_ARGS__     \
		}                       \
	}

/* The name, the pages that are mapped, stored to or not, how many spaces, who does what. */
const struct scenario scenarios[] = {
	/* Private memory of one space, and forks of it. */
	{"fault-fault", ANON(2), UNTOUCHED, 1,
		{ACTOR(FIRST, ANON(2), 2, op_store, op_load),
			ACTOR(FIRST, ANON(2), 2, op_store, op_load),
			ACTOR(FIRST, ANON(2), 2, op_load)}},
	/* Empty pages of one leaf and of two, filled jointly and not, emptied and filled again. */
	{"fill-fill", BELOW(4), UNTOUCHED, 1,
		{ACTOR(FIRST, BELOW(4), 4, op_store), ACTOR(FIRST, BELOW(4), 4, op_store),
			ACTOR(FIRST, BELOW(4), 4, op_store, op_load)}},
	{"fill-forget", ANON(6), UNTOUCHED, 1,
		{ACTOR(FIRST, ANON(6), 4, op_store), ACTOR(FIRST, ANON(6), 4, op_store),
			ACTOR(FIRST, ANON(6), 3, op_forget, op_read_only, op_unmap, op_map_part),
			ACTOR(FIRST, ANON(6), 2, op_store, op_fork)}},
	{"fault-unmap", ANON(4), STORED, 1,
		{ACTOR(FIRST, ANON(4), 2, op_store, op_load),
			ACTOR(FIRST, ANON(4), 3, op_load, op_store),
			ACTOR(FIRST, ANON(4), 2, op_unmap, op_map_part)}},
	{"prefault-unmap", ANON(4), UNTOUCHED, 1,
		{ACTOR(FIRST, ANON(4), 2, op_prefault, op_store),
			ACTOR(FIRST, ANON(4), 2, op_prefault, op_load),
			ACTOR(FIRST, ANON(4), 3, op_unmap, op_map_part, op_read_only)}},
	{"fault-replace", ANON(4), STORED, 1,
		{ACTOR(FIRST, ANON(4), 3, op_store, op_load),
			ACTOR(FIRST, ANON(4), 2, op_map, op_map_part),
			ACTOR(FIRST, ANON(4), 2, op_map_part, op_unmap)}},
	{"placement", ANON(2), STORED, 1,
		{ACTOR(FIRST, ANON(2), 2, op_unmap),
			ACTOR(FIRST, ANON(2), 3, op_map_hint, op_store),
			ACTOR(FIRST, ANON(2), 3, op_load, op_store)}},
	{"fault-protect", ANON(4), STORED, 1,
		{ACTOR(FIRST, ANON(4), 3, op_store, op_load),
			ACTOR(FIRST, ANON(4), 2, op_store, op_load),
			ACTOR(FIRST, ANON(4), 2, op_protect, op_read_only)}},
	{"fault-fork", ANON(2), STORED, 1,
		{ACTOR(FIRST, ANON(2), 3, op_store, op_load), ACTOR(FIRST, ANON(2), 3, op_store),
			ACTOR(FIRST, ANON(2), 1, op_fork, op_fork_store)}},
	{"fork-fork", ANON(2), STORED, 1,
		{ACTOR(FIRST, ANON(2), 2, op_store, op_load),
			ACTOR(FIRST, ANON(2), 2, op_fork, op_fork_store),
			ACTOR(FIRST, ANON(2), 1, op_fork, op_fork_store)}},
	{"fork-again", ANON(2), STORED, 2, /* whose pages were stored to after a fork */
		{ACTOR(FIRST, ANON(2), 6, op_store), ACTOR(FIRST, ANON(2), 3, op_store, op_load),
			ACTOR(FIRST, ANON(2), 3, op_fork, op_fork_store)}},
	{"fork-unmap", ANON(4), STORED, 1,
		{ACTOR(FIRST, ANON(4), 2, op_store, op_load),
			ACTOR(FIRST, ANON(4), 1, op_fork, op_fork_store),
			ACTOR(FIRST, ANON(4), 2, op_unmap, op_map_part, op_protect)}},
	{"family", ANON(2), STORED, 2,
		{ACTOR(FIRST, ANON(2), 2, op_store, op_load),
			ACTOR(FORK, ANON(2), 2, op_store, op_load),
			ACTOR(FIRST, ANON(2), 2, op_store, op_load, op_fork)}},
	{"copy-exit", ANON(1), STORED, 2,
		{ACTOR(FIRST, ANON(1), 2, op_store), ACTOR(FIRST, ANON(1), 2, op_store, op_load),
			ACTOR(FIRST, ANON(1), 3, op_load), ACTOR(FORK, ANON(1), 1, op_unmap)}},
	{"poke-close", ANON(2), STORED, 2,
		{ACTOR(FIRST, BELOW(1), 2, op_space_poke), ACTOR(FIRST, ANON(2), 1, op_close),
			ACTOR(FIRST, BELOW(1), 3, op_load), ACTOR(FORK, BELOW(1), 1, op_unmap)}},
	/* Unmapping in one hold waits for harts: its batch is open, and nothing is claimed. */
	{"unmap-copy", ANON(1), STORED, 2,
		{ACTOR(FIRST, ANON(1), 1, op_unmap), ACTOR(FIRST, ANON(1), 1, op_store),
			ACTOR(FIRST, ANON(1), 6, op_load)}},
	{"unmap-zeros", ANON(1), LOADED, 1,
		{ACTOR(FIRST, ANON(1), 1, op_unmap), ACTOR(FIRST, ANON(1), 1, op_store),
			ACTOR(FIRST, ANON(1), 6, op_load)}},
	{"unmap-unmap", ANON(1), STORED, 1,
		{ACTOR(FIRST, ANON(1), 1, op_unmap), ACTOR(FIRST, ANON(1), 1, op_unmap),
			ACTOR(FIRST, ANON(1), 4, op_load)}},
	{"family-unmap", ANON(4), STORED, 2,
		{ACTOR(FIRST, ANON(4), 2, op_unmap, op_map_part),
			ACTOR(FORK, ANON(4), 2, op_store, op_load),
			ACTOR(FIRST, ANON(4), 2, op_load, op_store),
			ACTOR(FORK, ANON(4), 1, op_fork, op_unmap, op_load)}},
	{"hold-fork", ANON(2), STORED, 1,
		{ACTOR(FIRST, ANON(2), 2, op_hold, op_space_write, op_space_read),
			ACTOR(FIRST, ANON(2), 2, op_store, op_load),
			ACTOR(FIRST, ANON(2), 1, op_fork, op_fork_store)}},
	{"hold-copy", ANON(1), STORED, 2,
		{ACTOR(FIRST, ANON(1), 2, op_space_read), ACTOR(FIRST, ANON(1), 2, op_store),
			ACTOR(FORK, ANON(1), 2, op_store, op_space_read)}},
	{"fork-marks", ANON(4), STORED, 1,
		{ACTOR(FIRST, ANON(4), 1, op_wipe_on_fork, op_dont_fork),
			ACTOR(FIRST, ANON(4), 2, op_fork, op_store),
			ACTOR(FIRST, ANON(4), 3, op_store, op_load)}},
	/* Pages that are there are gone through, and mapped around, while they change. */
	{"around-change", ANON(8), STORED, 1,
		{ACTOR(FIRST, ANON(8), 2, op_store_along, op_load_along),
			ACTOR(FIRST, ANON(8), 3, op_unmap, op_map_part, op_protect, op_read_only,
				op_move, op_forget)}},
	{"around-fork", ANON(6), STORED, 2,
		{ACTOR(FIRST, ANON(6), 2, op_load_along, op_store_along, op_read_only),
			ACTOR(FORK, ANON(6), 2, op_load_along, op_store),
			ACTOR(FIRST, ANON(6), 2, op_fork_store, op_unmap, op_protect)}},
	/* The page of zeros is mapped; stores put pages in its place. */
	{"zeros-store", ANON(2), LOADED, 1,
		{ACTOR(FIRST, ANON(2), 2, op_store, op_space_write),
			ACTOR(FIRST, ANON(2), 4, op_load),
			ACTOR(FIRST, ANON(2), 4, op_load, op_hold, op_space_read),
			ACTOR(FIRST, ANON(2), 2, op_store, op_protect, op_read_only)}},
	{"zeros-unmap", ANON(4), LOADED, 1,
		{ACTOR(FIRST, ANON(4), 3, op_load, op_store),
			ACTOR(FIRST, ANON(4), 3, op_load, op_store, op_prefault),
			ACTOR(FIRST, ANON(4), 2, op_unmap, op_map_part, op_forget, op_move)}},
	{"zeros-fork", ANON(2), LOADED, 1,
		{ACTOR(FIRST, ANON(2), 2, op_store, op_load), ACTOR(FIRST, ANON(2), 4, op_load),
			ACTOR(FIRST, ANON(2), 2, op_fork, op_fork_store)}},
	{"load-fork", ANON(2), UNTOUCHED, 1,
		{ACTOR(FIRST, ANON(2), 3, op_load), ACTOR(FIRST, ANON(2), 2, op_load, op_store),
			ACTOR(FIRST, ANON(2), 2, op_fork, op_fork_store)}},
	/* The end of a large page. */
	{"large-fill", BELOW(4), LARGE, 1,
		{ACTOR(FIRST, BELOW(4), 2, op_store, op_load),
			ACTOR(FIRST, BELOW(4), 2, op_store, op_prefault),
			ACTOR(FIRST, BELOW(4), 2, op_unmap, op_map_part, op_read_only)}},
	{"large-fork", BELOW(4), LARGE, 1,
		{ACTOR(FIRST, BELOW(4), 2, op_store, op_load),
			ACTOR(FIRST, BELOW(4), 2, op_fork, op_fork_store),
			ACTOR(FIRST, BELOW(4), 2, op_forget, op_store, op_space_write)}},
	/* Advice, moves and locks. */
	{"forget-fault", ANON(4), STORED, 2,
		{ACTOR(FIRST, ANON(4), 2, op_forget), ACTOR(FIRST, ANON(4), 3, op_store, op_load),
			ACTOR(FORK, ANON(4), 2, op_store, op_forget),
			ACTOR(FIRST, ANON(4), 1, op_fork, op_load)}},
	{"move-fault", ANON(4), STORED, 2,
		{ACTOR(FIRST, ANON(4), 2, op_move), ACTOR(FIRST, ANON(4), 3, op_store, op_load),
			ACTOR(FORK, ANON(4), 2, op_store, op_load),
			ACTOR(FIRST, ANON(4), 1, op_fork, op_move, op_unmap)}},
	{"move-file", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, SHARED(4), 1, op_move),
			ACTOR(FIRST, PRIVATE(4), 1, op_move, op_forget),
			ACTOR(FIRST, FILE_VIEWS, 3, op_store, op_load),
			ACTOR(FIRST, SHARED(4), 2, op_truncate, op_reclaim, op_invalidate, op_flush,
				op_punch)}},
	{"lock-reclaim", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, SHARED(4), 2, op_lock), ACTOR(FIRST, PRIVATE(4), 1, op_lock),
			ACTOR(FIRST, SHARED(4), 3, op_store, op_load, op_flush),
			ACTOR(FIRST, SHARED(4), 3, op_reclaim, op_invalidate)}},
	/* Calls that claim the whole space, against some that want room: they wait, and get it. */
	{"lock-all-map", ANON(4), STORED, 1,
		{ACTOR(FIRST, ANON(4), 2, op_lock_all), ACTOR(FIRST, ANON(4), 3, op_map_hint),
			ACTOR(FIRST, ANON(4), 2, op_load, op_store)}},
	{"lock-all-grow", ANON(4), STORED, 1,
		{ACTOR(FIRST, ANON(4), 2, op_grow), ACTOR(FIRST, ANON(4), 2, op_lock_all),
			ACTOR(FIRST, ANON(4), 2, op_load, op_store)}},
	{"advise-all-grow", ANON(4), STORED, 1,
		{ACTOR(FIRST, ANON(4), 2, op_grow), ACTOR(FIRST, ANON(4), 2, op_advise_below),
			ACTOR(FIRST, ANON(4), 2, op_advise_above)}},
	{"unmap-all-map", ANON(4), STORED, 1,
		{ACTOR(FIRST, ANON(4), 2, op_unmap_all), ACTOR(FIRST, ANON(4), 3, op_map_hint),
			ACTOR(FIRST, ANON(4), 2, op_store, op_map_part)}},
	{"lock-limit", ANON(8), STORED, 1,
		{ACTOR(FIRST, BELOW(2), 2, op_lock_limited),
			ACTOR(FIRST, ABOVE(2), 2, op_lock_limited),
			ACTOR(FIRST, ANON(2), 1, op_map_locked)}},
	{"map-limit", ANON(8), UNTOUCHED, 1,
		{ACTOR(FIRST, ANON(2), 1, op_map_over_limited),
			ACTOR(FIRST, ANON(2), 1, op_map_over_limited)}},
	{"grow-limit", ANON(8), UNTOUCHED, 1,
		{ACTOR(FIRST, ANON(2), 1, op_grow_limited),
			ACTOR(FIRST, ANON(2), 1, op_grow_limited)}},
	{"cut-limit", ANON(8), UNTOUCHED, 1,
		{ACTOR(FIRST, ANON(2), 1, op_cut_limited),
			ACTOR(FIRST, ANON(2), 1, op_cut_limited)}},
	{"lock-all-fails", ANON(8), UNTOUCHED, 1,
		{ACTOR(FIRST, ANON(2), 1, op_lock_all_fails),
			ACTOR(FIRST, ANON(2), 2, op_map_unlocked)}},
	/* Files. */
	{"truncate-fault", FILE_VIEWS, UNTOUCHED, 1,
		{ACTOR(FIRST, SHARED(4), 3, op_store, op_load),
			ACTOR(FIRST, PRIVATE(4), 2, op_store, op_load),
			ACTOR(FIRST, SHARED(4), 1, op_truncate, op_cut_page)}},
	{"truncate-unmap", FILE_VIEWS, UNTOUCHED, 2,
		{ACTOR(FIRST, SHARED(4), 2, op_store, op_load),
			ACTOR(FORK, PRIVATE(4), 2, op_store, op_load),
			ACTOR(FIRST, FILE_VIEWS, 2, op_unmap, op_map_part, op_protect),
			ACTOR(FIRST, SHARED(4), 1, op_truncate, op_cut_page)}},
	{"truncate-fork", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, PRIVATE(4), 3, op_store, op_load),
			ACTOR(FIRST, PRIVATE(4), 1, op_fork, op_fork_store),
			ACTOR(FIRST, PRIVATE(4), 1, op_truncate)}},
	{"truncate-merge", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, SHARED(6), 2, op_store, op_load),
			ACTOR(FIRST, SHARED(6), 4, op_protect, op_read_only),
			ACTOR(FIRST, SHARED(6), 1, op_truncate)}},
	{"sweep-sweep", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, SHARED(1), 3, op_load, op_store),
			ACTOR(FIRST, SHARED(1), 1, op_invalidate),
			ACTOR(FIRST, SHARED(1), 1, op_truncate, op_punch),
			ACTOR(FIRST, SHARED(1), 2, op_unmap, op_map)}},
	{"cut-flush", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, SHARED(3), 4, op_store), ACTOR(FIRST, SHARED(3), 1, op_cut_page),
			ACTOR(FIRST, SHARED(3), 2, op_flush)}},
	{"punch-fault", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, SHARED(4), 3, op_store, op_load),
			ACTOR(FIRST, PRIVATE(4), 2, op_store, op_load),
			ACTOR(FIRST, SHARED(4), 1, op_punch),
			ACTOR(FIRST, SHARED(4), 2, op_read, op_write)}},
	{"writeback-store", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, SHARED(2), 3, op_store, op_load),
			ACTOR(FIRST, SHARED(2), 3, op_store),
			ACTOR(FIRST, SHARED(2), 2, op_flush, op_sync, op_writeback)}},
	{"writeback-merge", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, SHARED(6), 3, op_store, op_load),
			ACTOR(FIRST, SHARED(6), 4, op_protect, op_read_only),
			ACTOR(FIRST, SHARED(6), 2, op_flush, op_invalidate)}},
	{"reclaim-fault", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, SHARED(4), 3, op_store, op_load),
			ACTOR(FIRST, PRIVATE(4), 2, op_store, op_load),
			ACTOR(FIRST, SHARED(4), 2, op_reclaim, op_invalidate),
			ACTOR(FIRST, SHARED(4), 1, op_reclaim, op_flush)}},
	{"reclaim-unmap", FILE_VIEWS, STORED, 2,
		{ACTOR(FIRST, FILE_VIEWS, 2, op_unmap, op_map_part, op_protect),
			ACTOR(FORK, SHARED(4), 2, op_store, op_load),
			ACTOR(FIRST, SHARED(4), 2, op_load),
			ACTOR(FIRST, SHARED(4), 2, op_reclaim, op_invalidate, op_flush)}},
	{"read-write", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, SHARED(2), 2, op_store, op_load),
			ACTOR(FIRST, SHARED(2), 3, op_read, op_write),
			ACTOR(FIRST, SHARED(2), 2, op_flush, op_reclaim, op_invalidate),
			ACTOR(FIRST, SHARED(2), 1, op_truncate, op_cut_page, op_punch, op_write)}},
	{"death", FILE_VIEWS, STORED, 1,
		{ACTOR(FIRST, SHARED(2), 2, op_die, op_load),
			ACTOR(FIRST, PRIVATE(2), 2, op_die, op_store),
			ACTOR(FIRST, FILE_VIEWS, 2, op_unmap, op_map_part),
			ACTOR(FIRST, SHARED(2), 2, op_reclaim, op_truncate, op_flush)}},
	/* All at once. */
	{"mix-private", ANON(16), STORED, 2,
		{ACTOR(FIRST, ANON(8), 4, op_load, op_store, op_map_part, op_unmap, op_protect,
			 op_fork, op_fork_store, op_hold, op_space_write, op_space_read, op_forget,
			 op_move),
			ACTOR(FIRST, ANON(8), 4, op_load, op_store, op_map_part, op_unmap,
				op_protect, op_fork),
			ACTOR(FORK, ANON(8), 4, op_load, op_store, op_map_part, op_unmap,
				op_fork_store),
			ACTOR(FIRST, ANON(8), 6, op_load, op_store)}},
	{"mix-files", FILE_VIEWS, STORED, 2,
		{ACTOR(FIRST, FILE_VIEWS, 4, op_load, op_store, op_map_part, op_unmap, op_protect,
			 op_read_only, op_sync, op_fork),
			ACTOR(FORK, FILE_VIEWS, 4, op_load, op_store, op_map_part, op_unmap,
				op_fork),
			ACTOR(FIRST, SHARED(4), 3, op_truncate, op_cut_page, op_punch, op_read,
				op_write, op_flush),
			ACTOR(FIRST, SHARED(4), 3, op_reclaim, op_invalidate, op_writeback,
				op_read)}},
	{"mix-all", ALL, STORED, 2,
		{ACTOR(FIRST, ALL, 5, op_load, op_store, op_map_part, op_unmap, op_protect,
			 op_read_only, op_fork, op_fork_store, op_hold, op_sync, op_die, op_move),
			ACTOR(FORK, ALL, 5, op_load, op_store, op_map_part, op_unmap, op_fork,
				op_space_read, op_space_write, op_forget),
			ACTOR(FIRST, ALL, 5, op_load, op_store, op_truncate, op_cut_page, op_punch,
				op_read, op_write, op_flush),
			ACTOR(FORK, ALL, 5, op_load, op_store, op_reclaim, op_invalidate,
				op_writeback, op_protect)}},
};

const unsigned n_scenarios = sizeof scenarios / sizeof *scenarios;

static struct actor actors[MAX_ACTORS];
static const struct scenario *current;

/* The body of a fiber: its program. */
static void act(void)
{
	unsigned i = sched_self() - 1, n = 0;
	const struct program *p = &current->programs[i];
	struct actor *a = &actors[i];

	while (n < MAX_OPERATIONS && p->operations[n])
		n++;
	for (unsigned done = 0; done < p->length; done++)
		p->operations[random_below(&a->random, n)](a);
}

static unsigned make_actors(struct view **spaces, uint64_t *random)
{
	unsigned n = 0;

	for (; n < MAX_ACTORS && current->programs[n].length; n++) {
		const struct program *p = &current->programs[n];

		actors[n] = (struct actor){
			.random = random_next(random),
			.view = spaces[p->view],
			.first = p->first,
			.end = p->end,
		};
	}
	return n;
}

/* What is mapped, up to `end`, is part of an area in which there may be a large page. */
static void map_large(struct view *view, unsigned first, unsigned end)
{
	size_t bytes = MVM_PAGE_BYTES << MVMH_LARGE_ORDER;
	mvm_vaddr_t start = view_va(end) - bytes;
	int err = map_fixed(
		view->space, start, (view_va(first) - start) >> MVM_PAGE_SHIFT, RW, 0, NULL, 0);

	check_result("map", err, !err);
	err = mvm_advise(view->space, start, bytes, MVM_ADVISE_HUGE);
	check_result("advise", err, !err);
}

static void set_up(const struct scenario *s, struct view **spaces)
{
	for (unsigned i = 0; i < FILES; i++)
		file_make(i);
	spaces[0] = view_new();
	map_pages(spaces[0], s->mapped_first, s->mapped_end, MVM_READ | MVM_WRITE);
	if (s->before == BEFORE_LARGE)
		map_large(spaces[0], s->mapped_first, s->mapped_end);
	for (unsigned page = s->mapped_first; page < s->mapped_end; page++) {
		if (s->before == BEFORE_STORED)
			view_store(spaces[0], page, page % WORDS);
		else if (s->before == BEFORE_LOADED)
			view_load(spaces[0], page, page % WORDS);
	}
	for (unsigned i = 1; i < s->spaces; i++)
		spaces[i] = view_fork(spaces[0]);
}

/* What is left after all have ended is right, too; then everything goes. */
static void take_down(const struct scenario *s, struct view **spaces)
{
	mvm_check();
	for (unsigned i = 0; i < s->spaces; i++) {
		for (unsigned page = s->mapped_first; page < s->mapped_end; page++) {
			view_load(spaces[i], page, 0);
			view_load(spaces[i], page, 1);
		}
	}
	for (unsigned i = 0; i < s->spaces; i++)
		view_end(spaces[i]);
	for (unsigned i = 0; i < FILES; i++) {
		file_unmake(i);
		file_check_disk(i);
	}
	file_end();
	mvm_check();
	if (host_frames_used() != 1) /* the page of zeros */
		sim_fail("%zu frames were not given back", host_frames_used() - 1);
	host_check_empty();
}

static void draw_machine(struct machine *m, uint64_t *random)
{
	*m = (struct machine){
		.random = random_next(random),
		.frames = SIM_FRAMES,
		.speculation = random_below(random, 5),
		.spurious = random_below(random, 5),
		.forget = random_below(random, 4) ? 0 : 8,
		.joins = random_below(random, 5),
		.wake_early = random_below(random, 4) ? 0 : 4,
	};
}

void scenario_run(const struct scenario *s, const struct plan *plan, uint64_t seed)
{
	uint64_t random = seed;
	void (*const bodies[MAX_ACTORS])(void) = {act, act, act, act};
	struct view *spaces[2];
	struct machine m;

	current = s;
	draw_machine(&m, &random);
	sched_begin(plan, random_next(&random));
	host_begin(&m);
	world_begin();
	file_begin(random_next(&random) & 1);
	if (mvm_init() != 0)
		sim_fail("mvm_init");
	set_up(s, spaces);
	sched_run(bodies, make_actors(spaces, &random));
	take_down(s, spaces);
}
