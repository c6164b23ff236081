// SPDX-License-Identifier: MIT
/*
 * What simulated programs do: operations on a view or a file, each of which tells the model
 * (world.h) what it is about to change and checks what comes of it.
 *
 * An actor is the program of one fiber: it draws operations from its list, and pages from its
 * range, by random numbers of its own, so what it does does not depend on the schedule.
 */
#pragma once

#include "world.h"

struct actor {
	uint64_t random;
	struct view *view;
	unsigned first, end; /* pages of the view that it is about */
	unsigned file;
};

typedef void operation(struct actor *a);

operation op_load, op_store, op_touch_all, op_load_along, op_store_along, op_prefault;
operation op_map, op_map_part, op_map_hint, op_unmap, op_unmap_all, op_protect, op_read_only;
operation op_close;
operation op_fork, op_fork_store, op_wipe_on_fork, op_dont_fork;
operation op_forget, op_move, op_grow, op_advise_below, op_advise_above;
operation op_lock, op_lock_all, op_lock_limited, op_map_locked;
operation op_map_over_limited, op_grow_limited, op_cut_limited, op_lock_all_fails, op_map_unlocked;
operation op_hold, op_space_write, op_space_poke, op_space_read;
operation op_truncate, op_cut_page, op_punch;
operation op_read, op_write, op_flush, op_sync, op_writeback, op_invalidate;
operation op_reclaim, op_die;

/* Not drawn, but used to set up: map [first, end) of the view with these rights. */
void map_pages(struct view *view, unsigned first, unsigned end, unsigned rights);

struct view *view_fork(struct view *parent);
void view_end(struct view *view);

/* Does a call of this kind allow the result that it has? */
void check_result(const char *call, int err, bool allowed);

/* --- Between the files of operations ---------------------------------------------------------- */

#define RW ((unsigned)(MVM_READ | MVM_WRITE))

/* One of n; one of the actor's pages; some of them in a row, [*first, *end). */
unsigned draw(struct actor *a, unsigned n);
unsigned draw_page(struct actor *a);
void draw_range(struct actor *a, unsigned *first, unsigned *end);

/*
 * Each actor has a place of its own, outside of what views know: an actor's,
 * and the running one's.
 */
mvm_vaddr_t place_of_actor(unsigned number);
mvm_vaddr_t place_aside(void);
