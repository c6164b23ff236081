// SPDX-License-Identifier: MIT
/*
 * Anons, that is private pages, and the copy-on-write tree of a space that finds them by virtual
 * page number.  Theory at the head of anon.c.
 */
#pragma once

#include "node.h"
#include "page.h"

/* Page numbers have at most 54 bits: more than any machine has. */
#define ANON_LEVELS_MAX 9

/* [s] the space's lock.  Not to be copied by value, for `end` points into it. */
struct anon_tree {
	struct node *root; /* [s] */
	size_t levels;     /* [I] height of the tree: every virtual page number fits */

	/*
	 * The finger [s]: the way to a page, as far down as the nodes are the tree's own.  What
	 * came below one of them, less what left (modulo 2^64), is not yet in the counts of that
	 * node and those above.
	 */
	uint64_t near;     /* the page's number */
	uint64_t leaf;     /* its part that says which leaf, if the way is known down to there */
	struct node *here; /* the last of the way; NULL: no node is known */
	uint64_t came;
	struct anon_step { /* from the tree itself (no node) on, what is above that */
		struct node *node;
		uint64_t came;
	} way[ANON_LEVELS_MAX], *end;
};

/* What left a tree and may still be mapped; buried (anon_bury) after the batch is finished
 * (sweep_sync). */
struct grave {
	struct mvm_page *anons; /* chained by next_anon */
	struct node *nodes;     /* that nobody refers to */
};

void anon_tree_init(struct anon_tree *tree, mvm_vaddr_t high);

/* How many private pages the tree reaches. */
static inline uint64_t anon_count(const struct anon_tree *tree)
{
	uint64_t n = tree->root ? tree->root->anons : 0;

	if (tree->here)
		n += tree->came;
	for (const struct anon_step *up = tree->way + 1; up < tree->end; up++)
		n += up->came;
	return n;
}

/*
 * A new page, contents undefined, as an anon with one reference (anon_refs), in no chain; or NULL.
 * Neither sleeps nor reclaims.
 */
struct mvm_page *anon_new(void);

/* A chain of 1 to n <= MVM_RUN_PAGES such, as many as there are; or NULL. */
struct mvm_page *anon_new_some(unsigned n);

static inline void anon_get(struct mvm_page *anon)
{
	ref_get(&anon->anon_refs);
}

/* Drop a reference; the last one puts the anon into the grave. */
void anon_put(struct mvm_page *anon, struct grave *grave);

/* Drop a reference to a node; the last one leaves its subtree to the burial. */
static inline void node_put(struct node *n, struct grave *grave)
{
	if (!ref_put(&n->refs))
		return;
	n->next_dead = grave->nodes;
	grave->nodes = n;
}

/* Do others refer to the node, too? */
static inline bool node_shared(const struct node *n)
{
	return ref_count(&n->refs) != 1;
}

/* One more reference to what stands in a node of this level: another node, or an anon. */
static inline void child_get(unsigned level, void *child)
{
	if (level)
		ref_get(&((struct node *)child)->refs);
	else
		anon_get(child);
}

/* --- Under the space's lock ------------------------------------------------------------------- */

/*
 * Does the finger point to the leaf of the virtual page?  Then all of the path there is the tree's
 * own.
 */
static inline bool anon_at_finger(const struct anon_tree *tree, uint64_t vpn)
{
	return tree->leaf == vpn >> NODE_BITS;
}

/* anon_find() where the finger is elsewhere: points it there, if it may. */
struct mvm_page *anon_search(struct anon_tree *tree, uint64_t vpn, bool *exclusive);

/*
 * The anon at the virtual page, or NULL; *exclusive says whether this tree alone reaches it (and
 * the page may be written in place).
 */
static inline struct mvm_page *anon_find(struct anon_tree *tree, uint64_t vpn, bool *exclusive)
{
	struct mvm_page *anon;

	if (unlikely(!anon_at_finger(tree, vpn)))
		return anon_search(tree, vpn, exclusive);
	anon = tree->here->slot[node_slot(vpn, 0)];
	*exclusive = anon && ref_count(&anon->anon_refs) == 1;
	return anon;
}

/*
 * How many trees reach the anon at the virtual page, which has one: what this tree can see of it,
 * that is at least so many; exact as long as nobody beside has forked again.
 */
unsigned anon_reach(struct anon_tree *tree, uint64_t vpn);

/*
 * The slots of the leaf of the virtual page, from that one on: it was found (anon_find) in this
 * hold, or one that shares the leaf with it.
 */
void *const *anon_slots(const struct anon_tree *tree, uint64_t vpn);

/* The first virtual page at or above vpn, up to last, that has an anon; last + 1 if none has. */
uint64_t anon_next(struct anon_tree *tree, uint64_t vpn, uint64_t last);

/* Is there an anon in [first, last]? */
bool anon_any(struct anon_tree *tree, uint64_t first, uint64_t last);

/*
 * anon_reserve() where the finger is elsewhere: points it there, making and
 * copying what it takes.
 */
int anon_point_at(struct anon_tree *tree, uint64_t vpn, struct grave *grave) MVM_MUST_CHECK;

/* Put an anon in where nothing stands, in the leaf that the finger points to. */
static inline void anon_set_beside(struct anon_tree *tree, uint64_t vpn, struct mvm_page *anon)
{
	tree->came++;
	node_set(tree->here, node_slot(vpn, 0), anon);
}

/* In the place of the one that stands there. */
void anon_replace(struct anon_tree *tree, uint64_t vpn, struct mvm_page *anon, struct grave *grave);

/* Take the one out that stands there. */
void anon_remove_one(struct anon_tree *tree, uint64_t vpn, struct grave *grave);

/*
 * Put an anon in; the tree takes over the caller's reference.  What stood there is dropped into
 * the grave.  0 or -MVM_ENOMEM, with no change that a lookup could see.
 */
int anon_set(struct anon_tree *tree, uint64_t vpn, struct mvm_page *anon,
	struct grave *grave) MVM_MUST_CHECK;

/*
 * The same in two steps, in one hold: make it certain that the second cannot fail, if it comes;
 * enter it.
 */
static inline int anon_reserve(struct anon_tree *tree, uint64_t vpn, struct grave *grave)
{
	return likely(anon_at_finger(tree, vpn)) ? 0 : anon_point_at(tree, vpn, grave);
}

static inline void anon_enter(
	struct anon_tree *tree, uint64_t vpn, struct mvm_page *anon, struct grave *grave)
{
	if (unlikely(tree->here->slot[node_slot(vpn, 0)] != NULL))
		anon_replace(tree, vpn, anon, grave);
	else
		anon_set_beside(tree, vpn, anon);
}

/*
 * Put a chain of full leaves in (by next_dead; each with one reference, which the tree takes over),
 * at vpn, which one of them begins at, and the page numbers after it.  They go below one node of
 * level 1; the tree has one, and nothing stands there.  0 or -MVM_ENOMEM: they are still the
 * caller's.
 */
int anon_set_leaves(struct anon_tree *tree, uint64_t vpn, struct node *leaves,
	struct grave *grave) MVM_MUST_CHECK;

/*
 * Make it certain that anon_remove() of [first, last] cannot fail: copy the parts of the two
 * boundary paths that are shared and only partly inside.  0 or -MVM_ENOMEM; no visible change.
 */
int anon_reserve_edges(struct anon_tree *tree, uint64_t first, uint64_t last) MVM_MUST_CHECK;

/*
 * Take anons out of [first, last], ascending: of a leaf, or a node's worth of whole nodes; returns
 * the page number to go on from, last + 1 when done.  The edges were reserved and no fork came
 * since.
 */
uint64_t anon_remove(struct anon_tree *tree, uint64_t first, uint64_t last, struct grave *grave);

/* Take all anons out, at once. */
void anon_remove_all(struct anon_tree *tree, struct grave *grave);

/*
 * Let `to` and the pages after it have what `from` and those after it have, by reference; returns
 * for how many of the n pages, 0: no memory, nothing has changed.  Nothing stands there yet.  Where
 * whole nodes stand against one another, they are shared, else what they hold; in either case at
 * most MVM_HOLD_PAGES.  Until one of the ranges is emptied (anon_remove) none of these pages is
 * exclusive.
 */
uint64_t anon_share_run(struct anon_tree *tree, uint64_t from, uint64_t to, uint64_t n,
	struct grave *grave) MVM_MUST_CHECK;

/* Make the empty tree `child` share everything of `parent`. */
void anon_share(struct anon_tree *child, struct anon_tree *parent);

/* --- In a joint hold (joint.c), or under the space's lock ------------------------------------- */

/*
 * Where an anon of the virtual page can be filled in: its leaf; or, where there is none, the node
 * that it is to hang in, where nothing stands.  NULL: neither is there, or not all of the path is
 * the tree's own.
 */
struct node *anon_place(const struct anon_tree *tree, uint64_t vpn);

/* What stands in such a node on the way to the virtual page; or NULL. */
static inline void *anon_there(const struct node *place, uint64_t vpn)
{
	return __atomic_load_n(&place->slot[node_slot_of(place, vpn)], __ATOMIC_ACQUIRE);
}

/*
 * As anon_set(), with the place in hand, which becomes the leaf, and but for the counts:
 * anon_count_filled() is to come.  False: something stands there, or there is no memory for a leaf,
 * and nothing has changed.
 */
bool anon_fill(struct node **place, uint64_t vpn, struct mvm_page *anon);

/* So many anons were filled into the leaf of this number (as of the finger's). */
void anon_count_filled(struct anon_tree *tree, uint64_t leaf, uint64_t anons);

/* --- No lock ---------------------------------------------------------------------------------- */

/*
 * Free what the grave holds; no translation reaches it any more.  (Nodes whose children others
 * have, too, may be buried under the space's lock.)
 */
void anon_bury(struct grave *grave);

#ifdef MVMH_LARGE_ORDER
/*
 * Free the pages of a leaf that nobody refers to, which are a block still, in one piece; false:
 * others have some of them, too (large.c).
 */
bool large_bury(const struct node *leaf);
#else
static inline bool large_bury(const struct node *leaf)
{
	(void)leaf;
	return false;
}
#endif

/* Panics unless the tree's own invariants hold; the space's lock is held. */
void anon_tree_check(struct anon_tree *tree);
