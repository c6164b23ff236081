// SPDX-License-Identifier: MIT
/* The invariants of a space's tree of anons: its nodes, its counts, its finger. */
#include "anon_finger.h"

/*
 * A node's counts are right, but for what was not counted yet; none is empty but what the finger
 * points to last.
 */
static void node_check(const struct anon_tree *tree, const struct node *n)
{
	unsigned level = n->level;
	uint64_t anons = n == tree->here ? -tree->came : 0, used = 0;

	for (const struct anon_step *up = tree->way; up < tree->end; up++)
		anons -= n == up->node ? up->came : 0;
	MUST(ref_count(&n->refs) >= 1);
	MUST(n->used || n == tree->here);
	MUST(n->shift == node_shift(level));
	for (unsigned i = 0; i < NODE_SLOTS; i++) {
		if (!n->slot[i])
			continue;
		used |= node_bit(i);
		MUST(!n->block || (struct mvm_page *)n->slot[i] - i == n->slot[0]);
		anons += level ? ((struct node *)n->slot[i])->anons : 1;
	}
	MUST(n->used == used && n->anons == anons);
	MUST(!n->block || (level == 0 && used == ~(uint64_t)0));
}

static void anon_check(const struct mvm_page *anon)
{
	MUST(ref_count(&anon->anon_refs) >= 1);
	MUST(ref_count(&anon->refs) >= 1);
	MUST(anon->object == NULL && anon->state == 0);
}

static void finger_check(const struct anon_tree *tree)
{
	const struct node *n = tree->root, *here;
	unsigned above = tree->levels;

	MUST(tree->leaf == (finger_level(tree) ? NO_LEAF : tree->near >> NODE_BITS));
	MUST((tree->end == tree->way) == (tree->here == NULL));
	for (const struct anon_step *up = tree->way; up < tree->end; up++) {
		here = up + 1 < tree->end ? up[1].node : tree->here;
		MUST(n == here && !node_shared(n) && node_on_way(n, above, tree->near));
		above = n->level;
		n = n->slot[node_slot(tree->near, above)];
	}
}

/* What is to be looked at after this page number, to which one of this level refers through n. */
static uint64_t check_way(
	const struct anon_tree *tree, struct node *n, unsigned above, uint64_t vpn)
{
	while (n && above > 0) {
		uint64_t begin = node_begin(n, above, vpn);

		MUST(n->level < above && !(n->first & (node_span(n->level + 1u) - 1)));
		if (!node_on_way(n, above, vpn)) {
			if (begin > vpn)
				return begin;
			break;
		}
		if (vpn == begin)
			node_check(tree, n);
		above = n->level;
		n = n->slot[node_slot(vpn, above)];
	}
	if (n && above == 0)
		anon_check((struct mvm_page *)n);
	return (vpn | (node_span(above) - 1)) + 1;
}

void anon_tree_check(struct anon_tree *tree)
{
	uint64_t last = node_span(tree->levels) - 1;

	finger_check(tree);
	for (uint64_t vpn = 0; vpn <= last;)
		vpn = check_way(tree, tree->root, tree->levels, vpn);
}
