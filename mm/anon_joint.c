// SPDX-License-Identifier: MIT
/*
 * A tree in joint holds of its space's lock (theory at the head of joint.c): harts fill its empty
 * slots at once.
 *
 * Nothing else changes meanwhile but what other trees drop: what was found to be the tree's own
 * stays so, and a slot in use stays as it is.  So harts can only be rivals for an empty slot, which
 * is compared as it is filled.  The finger is one, and theirs are many: it is neither used nor
 * moved, and counts are added from the root down.
 */
#include "anon.h"

#if MVMH_JOINT
struct node *anon_place(const struct anon_tree *tree, uint64_t vpn)
{
	unsigned above = tree->levels;
	struct node *next;

	for (struct node *n = tree->root; n && !node_shared(n) && node_on_way(n, above, vpn);
		n = next) {
		next = n->level ? anon_there(n, vpn) : NULL;
		if (!next)
			return n;
		above = n->level;
	}
	return NULL;
}

/* Other harts may be filling other slots, or this one. */
static inline bool fill_slot(struct node *n, unsigned slot, void *what)
{
	void *empty = NULL;

	if (!__atomic_compare_exchange_n(
		    &n->slot[slot], &empty, what, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return false;
	__atomic_fetch_or(&n->used, node_bit(slot), __ATOMIC_RELAXED);
	return true;
}

/* A new leaf, which has the anon before others can see it: none is ever found empty. */
static COLD bool fill_leaf(struct node **place, uint64_t vpn, struct mvm_page *anon)
{
	struct node *leaf = node_new(0);

	if (!leaf)
		return false;
	leaf->first = vpn & -node_span(1);
	node_set(leaf, node_slot(vpn, 0), anon);
	if (!fill_slot(*place, node_slot_of(*place, vpn), leaf)) {
		node_free(leaf);
		return false;
	}
	*place = leaf;
	return true;
}

bool anon_fill(struct node **place, uint64_t vpn, struct mvm_page *anon)
{
	if (unlikely((*place)->level != 0))
		return fill_leaf(place, vpn, anon);
	return fill_slot(*place, node_slot(vpn, 0), anon);
}

void anon_count_filled(struct anon_tree *tree, uint64_t leaf, uint64_t anons)
{
	struct node *n = tree->root;

	for (; n->level > 0; n = anon_there(n, leaf << NODE_BITS))
		__atomic_fetch_add(&n->anons, anons, __ATOMIC_RELAXED);
	__atomic_fetch_add(&n->anons, anons, __ATOMIC_RELAXED);
}
#endif
