// SPDX-License-Identifier: MIT
/* Taking ranges away: munmap, and what it shares with FIXED maps, mremap and the end of a space. */
#pragma once

#include "space.h"

/* What an attempt of a call that maps may say besides errors: why there is to be another. */
enum again {
	AGAIN_MEMORY = 1, /* reclaim first (memory_wait) */
	AGAIN_LOOK,       /* a claim is gone: only look again */
	AGAIN_OVER,       /* FIXED is to replace something; nothing was done */
};

/*
 * Everything of a dead space.  Cannot fail.  No lock held.
 */
void unmap_all(struct mvm_space *space);

/* One unmapping under way, on the stack of its caller. */
struct unmap {
	struct claim claim;
	struct grave grave;
	struct area *spare; /* for the upper part of one cut in the middle; reserved (limits.h) */
	struct area *gone;  /* that left the index, linked by `parent` */
	bool private_pages; /* there may be such: nobody adds any under the claim */
};

/*
 * The parts of an unmapping, for a call that enters the claim itself.  Reserve what could fail, for
 * a range that nobody claims; locked.  -MVM_EAGAIN: memory is short, reclaim (memory_wait) and call
 * again; -MVM_ENOMEM: an area more than the limit allows; after either unmap_unreserve(), locked.
 * Then claim, unmap_sweep(), and take the range out of the areas: unmap_areas(), locked at the
 * start and at the end; or unmap_some_areas(), each in a hold of its own, until it says false: that
 * is all.
 */
int unmap_reserve(struct unmap *u, struct mvm_space *space, mvm_vaddr_t start,
	mvm_vaddr_t end) MVM_MUST_CHECK;
void unmap_unreserve(struct unmap *u, struct mvm_space *space);
bool unmap_some_areas(struct unmap *u, struct mvm_space *space);
void unmap_areas(struct unmap *u, struct mvm_space *space);

/* Give the claim up, unlock, let go of what the range referred to. */
void unmap_end_unlock(struct unmap *u, struct mvm_space *space);

/*
 * Take translations and private pages out of [start, end), whatever lies there; the areas stay.
 * 0 or -MVM_ENOMEM: nothing has changed.  No lock held.
 */
int unmap_contents(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end) MVM_MUST_CHECK;

/*
 * Take translations and private pages out of the range, which is reserved and claimed; the pages go
 * into the grave.  The space is locked at the start and at the end, not all the time between.
 */
void unmap_sweep(struct unmap *u, struct mvm_space *space);
