// SPDX-License-Identifier: MIT
/*
 * The index of areas as a sorted list: every operation is a walk.  To read before area_tree.c, and
 * to check it against.  `child[0]` is the area before, `child[1]` the one after.
 */
#include "area_index.h"

enum { PREV, NEXT };

struct area *area_first(struct area_index *index)
{
	return index->root;
}

struct area *area_next(struct area *a)
{
	return a->child[NEXT];
}

struct area *area_prev(struct area *a)
{
	return a->child[PREV];
}

struct area *area_peek(const struct area_index *index, mvm_vaddr_t va)
{
	struct area *a = index->root;

	while (a && a->end <= va)
		a = area_next(a);
	return a;
}

struct area *area_find(struct area_index *index, mvm_vaddr_t va)
{
	return area_peek(index, va);
}

static void link_between(
	struct area_index *index, struct area *a, struct area *prev, struct area *next)
{
	a->child[PREV] = prev;
	a->child[NEXT] = next;
	if (prev)
		prev->child[NEXT] = a;
	else
		index->root = a;
	if (next)
		next->child[PREV] = a;
}

void area_insert(struct area_index *index, struct area *a)
{
	struct area *prev = NULL, *next = index->root;

	while (next && next->start < a->start) {
		prev = next;
		next = area_next(next);
	}
	link_between(index, a, prev, next);
}

void area_append_copy(struct area_index *index, struct area *a)
{
	area_insert(index, a);
}

void area_remove(struct area_index *index, struct area *a)
{
	if (a->child[PREV])
		a->child[PREV]->child[NEXT] = a->child[NEXT];
	else
		index->root = a->child[NEXT];
	if (a->child[NEXT])
		a->child[NEXT]->child[PREV] = a->child[PREV];
}

void area_split(struct area_index *index, struct area *lower, struct area *upper)
{
	link_between(index, upper, lower, area_next(lower));
}

void area_join(struct area_index *index, struct area *lower, struct area *upper)
{
	(void)lower;
	area_remove(index, upper);
}

void area_resized(struct area_index *index, struct area *a)
{
	(void)index, (void)a;
}

bool area_gap_below(struct area_index *index, mvm_vaddr_t floor, mvm_vaddr_t below, size_t bytes,
	struct gap *gap)
{
	mvm_vaddr_t start = floor;
	bool found = false;

	for (struct area *a = index->root; a && start < below; a = area_next(a)) {
		found |= gap_fits(start, a, below, bytes, gap);
		start = a->end;
	}
	return gap_fits(start, NULL, below, bytes, gap) || found;
}

void area_index_check(struct area_index *index)
{
	struct area *prev = NULL;

	for (struct area *a = index->root; a; prev = a, a = area_next(a)) {
		MUST(a->child[PREV] == prev);
		MUST(!prev || prev->end <= a->start);
	}
}
