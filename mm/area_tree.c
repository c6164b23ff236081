// SPDX-License-Identifier: MIT
/*
 * The index of areas as a balanced tree, threaded with a list.
 *
 * An AVL tree (Adelson-Velsky and Landis, 1962): the heights of two siblings differ by at most
 * one.  Each area knows the areas before and after it (`prev`, `next`), so that the hole before it
 * needs no search, and `gap`, the largest hole before any area of the tree below it:
 *
 *	            [30,40)  hole 15, gap 20
 *	           /       \
 *	     [10,15)        [60,70)  hole 20, gap 20
 *	  hole 0, gap 0           \
 *	                            [85,90)  hole 15, gap 15
 *
 *	gap(n) = max(gap(left), n.start - n.prev.end, gap(right)), but at most WIDE
 *
 * What lies below the first area of all and above the last belongs to nobody's `gap`.  An edge that
 * moves changes the holes at its two sides, and the paths from there to the root as far as the
 * largest changes: where a hole only grows, as far as there is none as large.  An area that is cut
 * in two, or two that become one, change no hole: then nothing is brought up to date but heights,
 * which is a step or two on average, however many areas there are.
 *
 * Holes from WIDE on count as alike.  Else the one that maps without an address eat away, which is
 * most of the space, would with each of them be another largest one, for all areas up to the root.
 *
 * The search for a place goes from an area to those before it, and enters only subtrees that have
 * room: it never turns back.  Only for what is larger than WIDE may it find a hole that is too
 * small, and go on; there are never more such holes than the space is times as large.
 *
 * The area found last, or inserted, is remembered.  It answers for all addresses from the end of
 * the one before it to its own end, and it or its next is where an area that comes is linked, so
 * that calls that work in one place search once.  So is the last of all, for above it the search
 * for a place mostly begins.  There is no recursion: areas have parents.
 *
 * A copy of a tree (a fork's) is built from the left to the right, without a search and without a
 * rotation.
 */
#include "area_index.h"

enum { LEFT, RIGHT };

#define WIDE ((size_t)1 << 30)

static unsigned height(const struct area *a)
{
	return a ? a->height : 0;
}

static size_t room(const struct area *a)
{
	return a ? a->gap : 0;
}

static size_t hole(const struct area *a)
{
	return a->prev ? a->start - a->prev->end : 0;
}

/* The same, as it counts for `gap`. */
static size_t width(const struct area *a)
{
	return min_u64(hole(a), WIDE);
}

/* Work out what an area knows from its children; true if that changed anything. */
static inline bool pull(struct area *a)
{
	struct area *l = a->child[LEFT], *r = a->child[RIGHT];
	unsigned tall = 1 + (height(l) > height(r) ? height(l) : height(r));
	size_t most = max_u64(width(a), max_u64(room(l), room(r)));

	if (a->height == tall && a->gap == most)
		return false;
	a->height = (uint16_t)tall;
	a->gap = most;
	return true;
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
	(void)pull(a);
	(void)pull(up);
	return up;
}

/* Restore the balance of an area whose subtrees are balanced; returns what stands there now. */
static struct area *balance(struct area_index *index, struct area *a)
{
	int tall = height(a->child[RIGHT]) > height(a->child[LEFT]) ? RIGHT : LEFT;
	struct area *c = a->child[tall];

	if (height(c->child[!tall]) > height(c->child[tall]))
		rotate(index, c, !tall);
	return rotate(index, a, tall);
}

static bool is_balanced(const struct area *a)
{
	unsigned l = height(a->child[LEFT]), r = height(a->child[RIGHT]);

	return l <= r + 1 && r <= l + 1;
}

/*
 * Bring the path from `a` to the root up to date, as far as something changes, or to an area that
 * is out of balance, which is returned.
 */
static OWN_FRAME struct area *pull_path(struct area *a)
{
	for (; a; a = a->parent) {
		if (unlikely(!is_balanced(a)))
			return a;
		if (!pull(a))
			return NULL;
	}
	return NULL;
}

/* The same, and restore the balance: of `a`, and on the path. */
static OWN_FRAME void balance_path(struct area_index *index, struct area *a)
{
	while (a)
		a = pull_path(balance(index, a)->parent);
}

/* Bring the path from `a` to the root up to date, and into balance. */
static inline void repair(struct area_index *index, struct area *a)
{
	a = pull_path(a);
	if (unlikely(a != NULL))
		balance_path(index, a);
}

/*
 * The hole before `a`, which may be NULL, is another, and no height is.  One that has become the
 * largest is so as far up as there is none as large.
 */
static void hole_changed(struct area *a)
{
	size_t most = a ? width(a) : 0;

	if (a && most < a->gap) {
		while (a && pull(a))
			a = a->parent;
		return;
	}
	for (; a && a->gap < most; a = a->parent)
		a->gap = most;
}

static struct area *outermost(struct area *a, int side)
{
	while (a && a->child[side])
		a = a->child[side];
	return a;
}

struct area *area_first(struct area_index *index)
{
	return outermost(index->root, LEFT);
}

struct area *area_next(struct area *a)
{
	return a->next;
}

struct area *area_prev(struct area *a)
{
	return a->prev;
}

/* Is `a` the first area that ends above va? */
static bool answers(const struct area *a, mvm_vaddr_t va)
{
	return va < a->end && (!a->prev || a->prev->end <= va);
}

static struct area *search(const struct area_index *index, mvm_vaddr_t va)
{
	struct area *a = index->root, *found = NULL;

	while (a) {
		for (; a && a->end <= va; a = a->child[RIGHT])
			;
		for (; a && a->end > va; a = a->child[LEFT])
			found = a;
	}
	return found;
}

/* Not what was found last: mostly what comes after it, if there is any. */
static OWN_FRAME struct area *find_other(struct area_index *index, mvm_vaddr_t va)
{
	struct area *found = index->hint ? index->hint->next : NULL;

	if (!index->last || index->last->end <= va)
		return NULL;
	if (!found || !answers(found, va))
		found = search(index, va);
	index->hint = found;
	return found;
}

static inline struct area *find(struct area_index *index, mvm_vaddr_t va)
{
	struct area *found = index->hint;

	return likely(found && answers(found, va)) ? found : find_other(index, va);
}

struct area *area_find(struct area_index *index, mvm_vaddr_t va)
{
	return find(index, va);
}

struct area *area_peek(const struct area_index *index, mvm_vaddr_t va)
{
	struct area *found = index->hint;

	return found && answers(found, va) ? found : search(index, va);
}

/*
 * An area comes between two neighbours, of which either may be NULL: one has no
 * child on that side.
 */
static void link_between(
	struct area_index *index, struct area *a, struct area *prev, struct area *next)
{
	a->prev = prev;
	a->next = next;
	if (prev)
		prev->next = a;
	if (next)
		next->prev = a;
	else
		index->last = a;
	a->child[LEFT] = a->child[RIGHT] = NULL;
	a->height = 1;
	a->gap = width(a);
	a->parent = NULL;
	if (next && !next->child[LEFT])
		adopt(next, LEFT, a);
	else if (prev)
		adopt(prev, RIGHT, a);
	else
		index->root = a;
	repair(index, a->parent);
}

void area_insert(struct area_index *index, struct area *a)
{
	struct area *next = find(index, a->start);

	link_between(index, a, next ? next->prev : index->last, next);
	if (next && next->child[LEFT] != a) /* else it is up to date, as all above `a` is */
		hole_changed(next);
	index->hint = a;
}

/*
 * The shape of the other tree follows from its heights: of areas beside one another the higher one
 * stands above.  So `a` goes below the last one on the right edge that is higher, and what was
 * there, all of it before `a`, goes below `a`.  Each area leaves that edge once.
 */
void area_append_copy(struct area_index *index, struct area *a)
{
	struct area *above = index->last, *below = NULL;

	for (; above && above->height < a->height; above = above->parent)
		below = above;
	a->prev = index->last;
	a->next = NULL;
	if (a->prev)
		a->prev->next = a;
	adopt(a, LEFT, below);
	a->child[RIGHT] = NULL;
	a->parent = above;
	if (above)
		above->child[RIGHT] = a;
	else
		index->root = a;
	index->last = index->hint = a;
}

void area_split(struct area_index *index, struct area *lower, struct area *upper)
{
	link_between(index, upper, lower, lower->next);
}

/* Take an area out of the tree that is not on the list any more. */
static void unlink(struct area_index *index, struct area *a)
{
	struct area *fix = a->parent, *heir = a->child[LEFT];

	if (!heir || !a->child[RIGHT]) {
		replace(index, a, heir ? heir : a->child[RIGHT]);
		repair(index, fix);
		return;
	}
	heir = a->prev; /* which stands at the right end of the tree to the left */
	fix = heir;
	if (heir->parent != a) {
		fix = heir->parent;
		adopt(fix, RIGHT, heir->child[LEFT]);
		adopt(heir, LEFT, a->child[LEFT]);
	}
	replace(index, a, heir);
	adopt(heir, RIGHT, a->child[RIGHT]);
	/* The same holes are below, but for a's own, and that is part of the next area's. */
	heir->height = a->height;
	heir->gap = a->gap;
	repair(index, fix);
}

/* Take an area off the list. */
static void pass_by(struct area_index *index, struct area *a)
{
	if (index->hint == a)
		index->hint = a->next;
	if (a->prev)
		a->prev->next = a->next;
	if (a->next)
		a->next->prev = a->prev;
	else
		index->last = a->prev;
}

void area_remove(struct area_index *index, struct area *a)
{
	pass_by(index, a);
	if (a->next &&
		a->next->child[LEFT] != a) /* else it is brought up to date by what follows */
		hole_changed(a->next);
	unlink(index, a);
}

void area_join(struct area_index *index, struct area *lower, struct area *upper)
{
	(void)lower;
	pass_by(index, upper);
	unlink(index, upper);
}

void area_resized(struct area_index *index, struct area *a)
{
	(void)index;
	hole_changed(a);
	hole_changed(a->next);
}

/* The last area of the tree below `a`, which has room, whose hole is large enough. */
static struct area *last_wide(struct area *a, size_t bytes)
{
	for (;;) {
		if (room(a->child[RIGHT]) >= bytes)
			a = a->child[RIGHT];
		else if (width(a) >= bytes)
			return a;
		else
			a = a->child[LEFT];
	}
}

/*
 * The last area before `a`, before the end of all if that is NULL, whose hole
 * is large enough; or NULL.
 */
static struct area *wide_before(struct area_index *index, struct area *a, size_t bytes)
{
	struct area *below = a ? a->child[LEFT] : index->root;

	while (room(below) < bytes) {
		while (a && a->parent && a->parent->child[LEFT] == a)
			a = a->parent;
		a = a ? a->parent : NULL;
		if (!a || width(a) >= bytes)
			return a;
		below = a->child[LEFT];
	}
	return last_wide(below, bytes);
}

/* As area_gap_below(), where `above` is the first area that ends above `below`, or NULL. */
static OWN_FRAME bool gap_under(struct area_index *index, struct area *above, mvm_vaddr_t floor,
	mvm_vaddr_t below, size_t bytes, struct gap *gap)
{
	struct area *prev = above ? above->prev : index->last;
	size_t wide = min_u64(bytes, WIDE);

	if (gap_fits(prev ? prev->end : floor, above, below, bytes, gap))
		return true;
	if (!prev)
		return false;
	do {
		above = room(index->root) < wide ? NULL : wide_before(index, above, wide);
	} while (unlikely(above && hole(above) < bytes));
	if (!above)
		above = area_first(index);
	index->hint = above; /* whoever goes on from here is in the hole before it */
	return gap_fits(above->prev ? above->prev->end : floor, above, below, bytes, gap);
}

/* Of its own, so that the search from the end of all needs no frame. */
static OWN_FRAME bool gap_inside(struct area_index *index, mvm_vaddr_t floor, mvm_vaddr_t below,
	size_t bytes, struct gap *gap)
{
	return gap_under(index, find(index, below), floor, below, bytes, gap);
}

bool area_gap_below(struct area_index *index, mvm_vaddr_t floor, mvm_vaddr_t below, size_t bytes,
	struct gap *gap)
{
	if (unlikely(index->last && index->last->end > below))
		return gap_inside(index, floor, below, bytes, gap);
	return gap_under(index, NULL, floor, below, bytes, gap);
}

void area_index_check(struct area_index *index)
{
	struct area *prev = NULL;

	MUST(!index->root || !index->root->parent);
	for (struct area *a = area_first(index); a; prev = a, a = a->next) {
		MUST(!a->child[LEFT] || a->child[LEFT]->parent == a);
		MUST(!a->child[RIGHT] || a->child[RIGHT]->parent == a);
		MUST(is_balanced(a));
		MUST(!pull(a));
		MUST(a->prev == prev);
		MUST(!prev || prev->end <= a->start);
		MUST(!prev || prev->child[RIGHT] || a->child[LEFT] || prev->parent == a ||
			a->parent == prev);
	}
	MUST(prev == index->last && prev == outermost(index->root, RIGHT));
}
