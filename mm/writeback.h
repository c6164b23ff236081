// SPDX-License-Identifier: MIT
/* Write-back: from DIRTY to clean.  Theory at the head of writeback.c. */
#pragma once

#include "object.h"

void writeback_init(void);

/* mvm_pc_flush() without MVM_PC_WAIT, of an object that can write. */
int flush_start(
	struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, unsigned flags) MVM_MUST_CHECK;

/* Put the object on the list of unclean objects, or take it off; its lock is held. */
void unclean_list_move(struct mvm_object *obj, bool on);

/* Have its dirty pages count as old: the next mvm_writeback() writes them.  No lock held. */
void writeback_urgent(struct mvm_object *obj);

/*
 * So many more pages (or fewer) are unclean, of an object that can write and is not doomed.  Any
 * lock of mm held.
 */
void writeback_count(long pages);

/* Panics unless so many are, at rest. */
void writeback_check(uint64_t unclean_n);

/* Is there so much that is dirty that writeback_balance() would do something?  Any lock held. */
bool writeback_due(void);

/*
 * To be called by whoever makes pages of the object dirty, once a page, before or after: with too
 * much that is dirty, has some of the object's written.  No lock held, the object referenced; may
 * sleep for a write.
 */
void writeback_balance(struct mvm_object *obj);

/* The same for who has made one dirty; the reference goes. */
void writeback_pay(struct mvm_object *obj);

/*
 * How many writes of runs have ended; and wait until that has changed, unless none is under way.
 * May come back early.  No lock held; not from inside a pager's write().
 */
size_t writes_ended(void);
void writeback_wait(size_t ended);
