// SPDX-License-Identifier: MIT
/*
 * The reverse map: from pages of an object to the places where spaces map them.
 *
 * Each function visits all that maps pages [first, last], after the caller has marked them.  Areas
 * that are attached during the walk are visited too.  No lock is held; sleeps.
 */
#pragma once

#include "object.h"
#include "space.h"

/* Remove all translations of pages [first, last]. */
void rmap_unmap(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last);

/*
 * The same, and drop private copies of these pages too.  Where a fork shares copies that are to be
 * cut off from others this needs memory, and waits for it as long as it takes; so reserve that
 * while it can still fail: then only a fork that comes in between makes it wait.
 */
int rmap_reserve(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last) MVM_MUST_CHECK;
void rmap_truncate(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last);

/* Make all translations of pages [first, last] read-only. */
void rmap_write_protect(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last);

/*
 * Which of the n <= 32 pages from `first` on were used since last asked, or lie in a locked area:
 * bit i is page first + i.
 */
uint32_t rmap_used(struct mvm_object *obj, mvm_pgoff_t first, unsigned n);

/* Which of them lie in a locked area. */
uint32_t rmap_locked(struct mvm_object *obj, mvm_pgoff_t first, unsigned n);
