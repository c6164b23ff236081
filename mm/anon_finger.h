// SPDX-License-Identifier: MIT
/*
 * The finger of a tree of anons: the way to a page.  Theory at the head of anon_finger.c.  All that
 * is here is under the space's lock.
 */
#pragma once

#include "anon.h"

/* The finger is at no leaf (anon_tree.leaf). */
#define NO_LEAF UINT64_MAX

/* The level of what the finger points to last, or of the tree. */
static inline unsigned finger_level(const struct anon_tree *tree)
{
	return tree->here ? tree->here->level : (unsigned)tree->levels;
}

/* Where that refers to what is next on the way. */
static inline struct node **finger_link(struct anon_tree *tree, uint64_t vpn)
{
	if (unlikely(!tree->here))
		return &tree->root;
	return (struct node **)&tree->here->slot[node_slot_of(tree->here, vpn)];
}

/* Do page numbers that differ in these bits, but for those of a leaf, part above the node? */
static inline bool ways_part(uint64_t differ, const struct node *n)
{
	return differ >> n->shift != 0;
}

/* In which bits two page numbers differ, but for those of a leaf. */
static inline uint64_t ways_differ(uint64_t vpn, uint64_t other)
{
	return (vpn ^ other) >> NODE_BITS;
}

/* The lowest node of the finger's way that is on those to both pages, too; or NULL. */
static inline struct node *finger_common(
	const struct anon_tree *tree, uint64_t first, uint64_t last)
{
	uint64_t beyond = ways_differ(first, tree->near) | ways_differ(first, last);
	struct node *n = tree->here;

	for (const struct anon_step *end = tree->end; n && ways_part(beyond, n);)
		n = (--end)->node;
	return n;
}

/*
 * Point the finger towards the page, as far down as the nodes are the tree's own.  Nothing empty is
 * left behind.
 */
void finger_point(struct anon_tree *tree, uint64_t vpn);

/*
 * And from there on, down to a node of the level `lowest`: what is shared is copied or stepped
 * over; where something is missing, it is made, or the finger stops.  0 or -MVM_ENOMEM, with no
 * change that a look-up could see.
 */
int finger_extend(struct anon_tree *tree, uint64_t vpn, unsigned lowest, bool make,
	struct grave *grave) MVM_MUST_CHECK;

/* The finger gives up what is below the level, which is not 0, and what is empty. */
void finger_retreat(struct anon_tree *tree, unsigned level);

/*
 * Point the finger towards the page, along nodes that are the tree's own, down to one of the level
 * `lowest`, made if it is missing; or, where nothing is to be made, as far as that goes, and as far
 * below as it is known.  As finger_extend().  Inline: a frame less.
 */
static inline __attribute__((always_inline)) int finger_own(
	struct anon_tree *tree, uint64_t vpn, unsigned lowest, bool make, struct grave *grave)
{
	finger_point(tree, vpn);
	if (make && finger_level(tree) < lowest)
		finger_retreat(tree, lowest);
	return finger_level(tree) > lowest ? finger_extend(tree, vpn, lowest, make, grave) : 0;
}
