// SPDX-License-Identifier: MIT
/*
 * Joint holds of a space's lock: faults of several harts at once.  Theory at the head of joint.c;
 * the public side is mvm_fault().
 */
#pragma once

#include "base.h"

struct mvm_space;

/*
 * Of one hart in one space; no two in a line of a cache.
 * [a] atomic  [h] written by the hart in its joint hold, and by who has the lock
 */
struct joint_hart {
	uint32_t in;            /* [a] the hart has a joint hold */
	uint32_t rights;        /* [h] of that area */
	uint64_t turn;          /* [h] the joint's, in which the rest was found: */
	mvm_vaddr_t start, end; /* [h] an area whose empty pages may be filled; */
	uint64_t leaf;          /* [h] a leaf of the anon tree, numbered as its finger's is, */
	struct node *place;     /* [h] which is the space's own; or what it is to hang in; */
	uint64_t uncounted;     /* [h] anons put there that are not in the tree's counts yet; */
	unsigned long faults;   /* [h] faults that are not in the space's count yet */
} __attribute__((aligned(64)));

/* [s] the space's lock */
struct joint {
	uint32_t shut;  /* [a] no joint hold begins; written under [s] */
	uint32_t quiet; /* [s] how many holds have found fills of the last hart only, or none */
	uint64_t turn;  /* [s] changes with each hold of the lock */
	struct joint_hart *last; /* [s] the hart that has filled anything last; or NULL */
	struct joint_hart harts[MVMH_JOINT ? MVMH_MAX_HARTS : 1];
};

/*
 * mvm_fault() for a store, in a joint hold, if it takes no more than to fill what is empty; else as
 * ever.
 */
enum mvm_fault_result joint_fault(struct mvm_space *space, mvm_vaddr_t va);

/*
 * For space_lock(): wait until no hart has a joint hold, and take over what they have counted.
 * None begins until joint_open().
 */
void joint_shut(struct mvm_space *space);
void joint_open(struct mvm_space *space);
