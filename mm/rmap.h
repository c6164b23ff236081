// SPDX-License-Identifier: MIT
/*
 * The reverse map: from pages of an object to the places where spaces map them.
 */
#pragma once

#include "object.h"
#include "space.h"

/*
 * What a walk does with a part of an area that maps the pages: called with the space's lock held,
 * for [start, end) inside `a`; at most MVM_HOLD_PAGES pages' work.  Returns the address from which
 * to go on (after the lock was dropped and everything looked up again), `end` when done; or
 * RMAP_MEMORY, which ends the walk.
 */
#define RMAP_MEMORY ((mvm_vaddr_t)-1)

struct rmap_walk {
	mvm_vaddr_t (*visit)(struct rmap_walk *walk, struct area *a, mvm_vaddr_t start,
		mvm_vaddr_t end, struct sweep *sweep);
	bool shared_only; /* private areas never map the object's pages with WRITE */
	bool used;        /* for visitors that ask */
};

/*
 * Visit all that maps pages [first, last] of the object, after the caller has marked them.  Areas
 * that are attached during the walk are visited too.  Each space's batch is finished before the
 * next space.  No lock held; sleeps.  0, or -MVM_ENOMEM when a visit said RMAP_MEMORY.
 */
int rmap_for_each(
	struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, struct rmap_walk *walk);

/* Remove all translations of pages [first, last]. */
void rmap_unmap(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last);

/* The same, and drop private copies of these pages too; waits for memory as long as it takes. */
void rmap_truncate(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last);

/*
 * Drop the private copies of [start, end) of an area; its space's lock is held.  Returns how far it
 * got, or RMAP_MEMORY.
 */
mvm_vaddr_t rmap_drop_private(
	struct area *a, mvm_vaddr_t start, mvm_vaddr_t end, struct sweep *sweep);

/* Make all translations of pages [first, last] read-only. */
void rmap_write_protect(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last);

/* Was one of them used since last asked? */
bool rmap_test_and_clear(struct mvm_object *obj, mvm_pgoff_t index);
