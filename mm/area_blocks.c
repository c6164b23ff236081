// SPDX-License-Identifier: MIT
/*
 * The index of areas as a list with an express lane.
 *
 * All areas are on one sorted list (`child`), which is cut into blocks.  The first area of a block
 * is its head; heads are linked to each other, from the highest down (`parent`), and know how many
 * areas their block has (`height`; 0: not a head) and the largest hole before one of them (`gap`):
 *
 *	root ------------------------------------------------------+
 *	                                                           v
 *	     [head 3]<------------------------[head 2]<---------[head 3]
 *	NULL<-[ ]<->[ ]<->[ ]<--------------->[ ]<->[ ]<-------->[ ]<->[ ]<->[ ]->NULL
 *
 * A search walks the lane to the block, then the block.  Both are short when a block has about as
 * many areas as there are blocks, so that is the rule: a block that has more (and LEAST beyond
 * that) is cut in the middle, and two that together have less than half of it become one.  With n
 * areas all calls cost about the root of n: some hundred steps at 100,000, where the list has
 * 100,000 and the tree 17.  This is a skip list of two levels (Pugh, CACM 1990), and cut by size,
 * not by chance.
 */
#include "area_index.h"

enum { PREV, NEXT };

#define LEAST 16

/* --- The list --------------------------------------------------------------------------------- */

struct area *area_next(struct area *a)
{
	return a->child[NEXT];
}

struct area *area_prev(struct area *a)
{
	return a->child[PREV];
}

static void list_put(struct area *a, struct area *prev, struct area *next)
{
	a->child[PREV] = prev;
	a->child[NEXT] = next;
	if (prev)
		prev->child[NEXT] = a;
	if (next)
		next->child[PREV] = a;
}

static void list_take(struct area *a)
{
	if (a->child[PREV])
		a->child[PREV]->child[NEXT] = a->child[NEXT];
	if (a->child[NEXT])
		a->child[NEXT]->child[PREV] = a->child[PREV];
}

/* Where the hole before an area begins: at its start when it is the first. */
static mvm_vaddr_t hole_start(const struct area *a)
{
	return a->child[PREV] ? a->child[PREV]->end : a->start;
}

/* --- The lane --------------------------------------------------------------------------------- */

static size_t limit(const struct area_index *index)
{
	return index->blocks + LEAST;
}

/* The block in which an area that starts at va is or would be; NULL: below all. */
static struct area *block_of(const struct area_index *index, mvm_vaddr_t va)
{
	struct area *head = index->root;

	while (head && head->start > va)
		head = head->parent;
	return head;
}

/* What points to this head: the head above, or the root. */
static struct area **lane_to(struct area_index *index, const struct area *head)
{
	struct area **link = &index->root;

	while (*link != head)
		link = &(*link)->parent;
	return link;
}

/* The holes before some areas of the block have changed.  Returns the head above. */
static struct area *measure(struct area *head)
{
	struct area *a = head;

	head->gap = 0;
	for (unsigned n = head->height; n > 0; n--, a = a->child[NEXT])
		head->gap = max_u64(head->gap, a->start - hole_start(a));
	return a;
}

/* An area of the block has come, gone or changed: so have the holes on both its sides. */
static struct area *measure_both(struct area *head)
{
	struct area *above = measure(head);

	if (above)
		measure(above);
	return above;
}

/* `now` becomes the head in place of `old`, for a block of n areas. */
static void replace_head(struct area_index *index, struct area *old, struct area *now, unsigned n)
{
	*lane_to(index, old) = now;
	now->parent = old->parent;
	old->height = 0;
	now->height = (uint16_t)n;
}

/* Cut a block that has become too long. */
static void cut(struct area_index *index, struct area *head)
{
	unsigned lower = head->height / 2;
	struct area *middle = head;

	if (head->height <= limit(index))
		return;
	for (unsigned i = 0; i < lower; i++)
		middle = middle->child[NEXT];
	middle->height = (uint16_t)(head->height - lower);
	middle->parent = head;
	*lane_to(index, head) = middle;
	head->height = (uint16_t)lower;
	index->blocks++;
	measure(head);
	measure(middle);
}

/* Join a block to the one below if both are short. */
static void join(struct area_index *index, struct area *head)
{
	struct area *below = head->parent;

	if (!below || below->height + head->height > limit(index) / 2)
		return;
	below->height = (uint16_t)(below->height + head->height);
	below->gap = max_u64(below->gap, head->gap);
	*lane_to(index, head) = below;
	head->height = 0;
	index->blocks--;
}

/* --- The index -------------------------------------------------------------------------------- */

static struct area *first(const struct area_index *index)
{
	struct area *head = index->root;

	while (head && head->parent)
		head = head->parent;
	return head;
}

struct area *area_first(struct area_index *index)
{
	return first(index);
}

struct area *area_peek(const struct area_index *index, mvm_vaddr_t va)
{
	struct area *a = block_of(index, va);

	if (!a)
		return first(index);
	while (a && a->end <= va)
		a = a->child[NEXT];
	return a;
}

struct area *area_find(struct area_index *index, mvm_vaddr_t va)
{
	return area_peek(index, va);
}

/* Put the area into the list and into a block, whose head is returned. */
static struct area *enter(struct area_index *index, struct area *a)
{
	struct area *head = block_of(index, a->start), *prev = head;

	a->height = 0;
	if (head) {
		while (prev->child[NEXT] && prev->child[NEXT]->start < a->start)
			prev = prev->child[NEXT];
		list_put(a, prev, prev->child[NEXT]);
		head->height++;
		return head;
	}
	head = area_first(index);
	list_put(a, NULL, head);
	if (head) {
		replace_head(index, head, a, head->height + 1u);
	} else {
		index->root = a;
		index->blocks = a->height = 1;
		a->parent = NULL;
	}
	return a;
}

void area_insert(struct area_index *index, struct area *a)
{
	struct area *head = enter(index, a);

	measure_both(head);
	cut(index, head);
}

void area_append_copy(struct area_index *index, struct area *a)
{
	area_insert(index, a);
}

void area_remove(struct area_index *index, struct area *a)
{
	struct area *head = block_of(index, a->start), *next = a->child[NEXT], *above;

	list_take(a);
	if (head->height == 1) { /* the block was `a` */
		*lane_to(index, head) = head->parent;
		index->blocks--;
		if (next)
			measure(next);
		return;
	}
	if (head == a) {
		replace_head(index, a, next, a->height - 1u);
		head = next;
	} else {
		head->height--;
	}
	above = measure_both(head);
	if (above)
		join(index, above);
	join(index, head);
}

void area_split(struct area_index *index, struct area *lower, struct area *upper)
{
	(void)lower;
	area_insert(index, upper);
}

void area_join(struct area_index *index, struct area *lower, struct area *upper)
{
	(void)lower;
	area_remove(index, upper);
}

void area_resized(struct area_index *index, struct area *a)
{
	measure_both(block_of(index, a->start));
}

static struct area *last_of(struct area *head)
{
	while (head->child[NEXT])
		head = head->child[NEXT];
	return head;
}

bool area_gap_below(struct area_index *index, mvm_vaddr_t floor, mvm_vaddr_t below, size_t bytes,
	struct gap *gap)
{
	struct area *last = index->root ? last_of(index->root) : NULL, *lowest = last;

	if (gap_fits(last ? last->end : floor, NULL, below, bytes, gap))
		return true;
	for (struct area *head = index->root; head; head = head->parent) {
		bool worth = head->gap >= bytes && hole_start(head) < below;

		for (struct area *a = last; worth && a != head->child[PREV]; a = a->child[PREV])
			if (gap_fits(hole_start(a), a, below, bytes, gap))
				return true;
		last = head->child[PREV];
		lowest = head;
	}
	return lowest && gap_fits(floor, lowest, below, bytes, gap);
}

/* One block; returns the first area behind it. */
static struct area *check_block(struct area *head)
{
	size_t gap = head->gap;
	struct area *a = head;

	for (unsigned n = head->height; n > 0; n--, a = a->child[NEXT]) {
		MUST(a && (a == head || a->height == 0));
		MUST(!a->child[PREV] || a->child[PREV]->child[NEXT] == a);
		MUST(!a->child[PREV] || a->child[PREV]->end <= a->start);
	}
	measure(head);
	MUST(head->gap == gap);
	return a;
}

void area_index_check(struct area_index *index)
{
	struct area *above = NULL;
	size_t blocks = 0;

	for (struct area *head = index->root; head; above = head, head = head->parent) {
		MUST(head->height > 0);
		MUST(check_block(head) == above);
		MUST(head->parent || !head->child[PREV]);
		blocks++;
	}
	MUST(blocks == index->blocks);
}
