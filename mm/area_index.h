// SPDX-License-Identifier: MIT
/*
 * The index of areas: which area an address lies in, who stands beside whom, and where there is
 * room.  One implementation is linked in, chosen when mm is configured (MAPACHE_MM_AREAS):
 *
 *	                find, insert, next, prev   split, join gap_below
 *	                remove, resized
 *	area_tree.c     log n         1            log n (*)   log n   a balanced tree, the default
 *	area_blocks.c   sqrt n        1            sqrt n      sqrt n  a list with an express lane
 *	area_list.c     n             1            1           n       to read, and to test against
 *	(*) 1 on average over many, and append_copy, too; in the others that is an insert
 *
 * docs/plugging.md tells how to write another; mm/test/kit_index.h is what it must pass.
 *
 * What holds for all calls:
 *  - The space's lock is held (or jointly, for area_peek()), and only the areas of that space's
 *    index are touched. An index has no lock and no variables of its own: what it knows is in
 *    struct area_index, zeroed when empty, and in the fields of struct area that are its own.
 *  - No call fails, allocates, sleeps, or calls a hook of the host.  No recursion: mm's deepest
 *    chain of calls has 1 KiB of stack.
 *  - Areas in an index do not overlap, are not empty, and start and end on page boundaries.  The
 *    index reads `start` and `end` and leaves them, and all fields that are not its own, alone.
 *  - An area that is not in an index may hold anything in the index's fields.
 */
#pragma once

#include "area.h"

struct area_index {
	struct area *root; /* of a list: the first area */
	struct area *hint; /* where to look first */
	struct area *last; /* area_tree.c: of all */
	size_t blocks;     /* area_blocks.c: how many */
};

/* A range without an area. */
struct gap {
	mvm_vaddr_t start, end;
	struct area *above; /* the first area that ends above its end, or NULL */
};

/* The first area that ends above va, or NULL: the area of va, if va has one. */
struct area *area_find(struct area_index *index, mvm_vaddr_t va);

/* The same for several harts at once: no area moves, nothing is written. */
struct area *area_peek(const struct area_index *index, mvm_vaddr_t va);

/* In ascending order; NULL at the end. */
struct area *area_first(struct area_index *index);
struct area *area_next(struct area *a);
struct area *area_prev(struct area *a);

/* The area's range is free in the index. */
void area_insert(struct area_index *index, struct area *a);

/*
 * For an index that becomes as another one is: `a` is a copy of an area there, with `height` and
 * `gap` as they are there, and with its range.  It comes after all that are in this index, and all
 * that stand before it there are in this one.  Until the last of them has come, nothing but
 * area_find(), area_peek(), area_first(), area_next() and area_prev() may be asked, or all be taken
 * out (area_take_all).
 */
void area_append_copy(struct area_index *index, struct area *a);

/* The area is in the index; afterwards its memory may go. */
void area_remove(struct area_index *index, struct area *a);

/*
 * An area was cut: `lower`, which is in the index, has a new end, and there, or after a hole,
 * begins `upper`, which ends where lower did.  As one area_insert() and one area_resized(), and may
 * cost less.
 */
void area_split(struct area_index *index, struct area *lower, struct area *upper);

/* The contrary: `upper` goes, and `lower`, the area before it, ends where upper does. */
void area_join(struct area_index *index, struct area *lower, struct area *upper);

/*
 * The start or the end (or both) of an area in the index have changed since the last call; it still
 * overlaps no other, and its place in the order has not changed.
 */
void area_resized(struct area_index *index, struct area *a);

/*
 * The highest hole of at least `bytes` (not 0) in [floor, below).  A hole that `below` cuts counts
 * as far as it is below.  `floor` is where the space begins: no area lies below it.  `below` is any
 * page boundary, inside an area or a hole or past all areas.  False: there is none, and *gap is as
 * it was.
 */
bool area_gap_below(struct area_index *index, mvm_vaddr_t floor, mvm_vaddr_t below, size_t bytes,
	struct gap *gap);

/*
 * Empty the index at once; returns the first area that was in it.  From each, area_next() goes on
 * to the one after it, as long as that is there: it looks at nothing but the areas themselves.
 */
static inline struct area *area_take_all(struct area_index *index)
{
	struct area *first = area_first(index);

	*index = (struct area_index){.root = NULL};
	return first;
}

/* Panic unless the index's own invariants hold: links, order, and whatever it keeps beside them. */
void area_index_check(struct area_index *index);

/*
 * For an index: does the hole from `start` to the area `above` (NULL: it ends nowhere), cut off at
 * `below`, have `bytes`?  Then it is *gap.
 */
static inline bool gap_fits(
	mvm_vaddr_t start, struct area *above, mvm_vaddr_t below, size_t bytes, struct gap *gap)
{
	mvm_vaddr_t end = above ? min_u64(above->start, below) : below;

	if (start >= end || end - start < bytes)
		return false;
	*gap = (struct gap){start, end, above};
	return true;
}
