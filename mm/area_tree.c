// SPDX-License-Identifier: MIT
/*
 * The index of areas as a balanced tree.
 *
 * An AVL tree (Adelson-Velsky and Landis, 1962): the heights of two siblings differ by at most
 * one.  Each node also knows, of the tree below it, the span [low, high) from its first to its last
 * area and the largest hole inside that span.  All three follow from the children alone:
 *
 *	            [30,40)  span 10..90, gap 20
 *	           /       \
 *	     [10,15)        [60,70)  span 60..90, gap 15
 *	     gap 0                 \
 *	                            [85,90)
 *
 *	gap(n) = max(gap(left), n.start - high(left), low(right) - n.end, gap(right))
 *
 * so no neighbour has to be looked for when an area comes, goes or changes its size: the path to
 * the root is brought up to date, and only as far as something changes.  The search for a place
 * enters only subtrees whose largest hole is large enough.  Such a subtree disappoints only if the
 * limit `below` cuts off that hole, and of the subtrees of one height the limit cuts one: O(log n).
 *
 * There is no recursion: nodes have parents.
 */
#include "area_index.h"

enum { LEFT, RIGHT };

static unsigned height(const struct area *a)
{
	return a ? a->height : 0;
}

/* Work out what a node knows from its children; true if that changed anything. */
static bool pull(struct area *a)
{
	struct area *l = a->child[LEFT], *r = a->child[RIGHT];
	unsigned tall = 1 + (height(l) > height(r) ? height(l) : height(r));
	mvm_vaddr_t low = l ? l->low : a->start, high = r ? r->high : a->end;
	size_t gap = 0;
	bool changed;

	if (l)
		gap = max_u64(l->gap, a->start - l->high);
	if (r)
		gap = max_u64(gap, max_u64(r->gap, r->low - a->end));
	changed = a->height != tall || a->low != low || a->high != high || a->gap != gap;
	a->height = (uint16_t)tall;
	a->low = low;
	a->high = high;
	a->gap = gap;
	return changed;
}

/* `now` takes the place of `old` below old's parent; now may be NULL. */
static void replace(struct area_index *index, struct area *old, struct area *now)
{
	struct area *parent = old->parent;

	if (!parent)
		index->root = now;
	else
		parent->child[parent->child[RIGHT] == old] = now;
	if (now)
		now->parent = parent;
}

static void adopt(struct area *parent, int side, struct area *child)
{
	parent->child[side] = child;
	if (child)
		child->parent = parent;
}

/* Lift a's child on `side` above a; returns it. */
static struct area *rotate(struct area_index *index, struct area *a, int side)
{
	struct area *up = a->child[side];

	replace(index, a, up);
	adopt(a, side, up->child[!side]);
	adopt(up, !side, a);
	pull(a);
	pull(up);
	return up;
}

/* Restore the balance of a node whose subtrees are balanced; returns the subtree's new root. */
static struct area *balance(struct area_index *index, struct area *a)
{
	int tall = height(a->child[RIGHT]) > height(a->child[LEFT]) ? RIGHT : LEFT;
	struct area *c = a->child[tall];

	if (height(c) <= height(a->child[!tall]) + 1)
		return a;
	if (height(c->child[!tall]) > height(c->child[tall]))
		rotate(index, c, !tall);
	return rotate(index, a, tall);
}

/* Bring the path from `a` to the root up to date, as far as something changes. */
static void repair(struct area_index *index, struct area *a)
{
	for (bool changed = true; a && changed; a = a->parent) {
		struct area *top;

		changed = pull(a);
		top = balance(index, a);
		changed |= top != a;
		a = top;
	}
}

static struct area *outermost(struct area *a, int side)
{
	while (a && a->child[side])
		a = a->child[side];
	return a;
}

static struct area *step(struct area *a, int side)
{
	if (a->child[side])
		return outermost(a->child[side], !side);
	while (a->parent && a->parent->child[side] == a)
		a = a->parent;
	return a->parent;
}

struct area *area_first(struct area_index *index)
{
	return outermost(index->root, LEFT);
}

struct area *area_next(struct area *a)
{
	return step(a, RIGHT);
}

struct area *area_prev(struct area *a)
{
	return step(a, LEFT);
}

struct area *area_find(struct area_index *index, mvm_vaddr_t va)
{
	struct area *found = index->hint;

	if (found && found->start <= va && va < found->end)
		return found;
	found = NULL;
	for (struct area *a = index->root; a;) {
		if (a->end > va) {
			found = a;
			a = a->child[LEFT];
		} else {
			a = a->child[RIGHT];
		}
	}
	if (found)
		index->hint = found;
	return found;
}

void area_insert(struct area_index *index, struct area *a)
{
	struct area *parent = NULL;
	int side = LEFT;

	for (struct area *at = index->root; at; at = at->child[side]) {
		parent = at;
		side = a->start > at->start ? RIGHT : LEFT;
	}
	a->child[LEFT] = a->child[RIGHT] = NULL;
	a->parent = parent;
	a->height = 0;
	if (parent)
		parent->child[side] = a;
	else
		index->root = a;
	repair(index, a);
}

void area_remove(struct area_index *index, struct area *a)
{
	struct area *fix = a->parent, *heir = a->child[LEFT];

	if (index->hint == a)
		index->hint = NULL;
	if (!heir) {
		replace(index, a, a->child[RIGHT]);
	} else if (!a->child[RIGHT]) {
		replace(index, a, heir);
	} else { /* the area before takes the place */
		heir = outermost(heir, RIGHT);
		fix = heir;
		if (heir->parent != a) {
			fix = heir->parent;
			adopt(fix, RIGHT, heir->child[LEFT]);
			adopt(heir, LEFT, a->child[LEFT]);
		}
		replace(index, a, heir);
		adopt(heir, RIGHT, a->child[RIGHT]);
		heir->height = 0; /* another subtree: do not stop below it */
	}
	repair(index, fix);
}

void area_resized(struct area_index *index, struct area *a)
{
	repair(index, a);
}

/* The rightmost node of the tree below `a` whose holes may be large enough. */
static struct area *enter(struct area *a, mvm_vaddr_t below, size_t bytes)
{
	struct area *r = a->child[RIGHT];

	while (r && r->gap >= bytes && r->low < below) {
		a = r;
		r = a->child[RIGHT];
	}
	return a;
}

/* Where a search from right to left goes after the subtree of `a` is exhausted. */
static struct area *leave(struct area *a)
{
	while (a->parent && a->parent->child[LEFT] == a)
		a = a->parent;
	return a->parent;
}

bool area_gap_below(struct area_index *index, mvm_vaddr_t floor, mvm_vaddr_t below, size_t bytes,
	struct gap *gap)
{
	struct area *root = index->root, *l, *r;

	if (gap_fits(root ? root->high : floor, below, below, bytes, gap))
		return true;
	for (struct area *a = root ? enter(root, below, bytes) : NULL; a;) {
		l = a->child[LEFT];
		r = a->child[RIGHT];
		if (r && gap_fits(a->end, r->low, below, bytes, gap))
			return true;
		if (l && gap_fits(l->high, a->start, below, bytes, gap))
			return true;
		a = l && l->gap >= bytes ? enter(l, below, bytes) : leave(a);
	}
	return root && gap_fits(floor, root->low, below, bytes, gap);
}

void area_index_check(struct area_index *index)
{
	struct area *prev = NULL;

	MUST(!index->root || !index->root->parent);
	for (struct area *a = area_first(index); a; prev = a, a = area_next(a)) {
		unsigned l = height(a->child[LEFT]), r = height(a->child[RIGHT]);

		MUST(!a->child[LEFT] || a->child[LEFT]->parent == a);
		MUST(!a->child[RIGHT] || a->child[RIGHT]->parent == a);
		MUST(l <= r + 1 && r <= l + 1);
		MUST(!pull(a));
		MUST(!prev || prev->end <= a->start);
	}
}
