// SPDX-License-Identifier: MIT
/*
 * How anons come to stand at two places: in a child's tree (fork), or in the same (mremap).
 *
 * A fork shares the root.  A move shares runs of slots, of the highest nodes that stand at the new
 * place as at the old: whole nodes, as long as both ranges begin alike within one, else the anons
 * of leaves.  A shared node still knows where it began at its first place; at the second, that
 * tells no more than the levels that are skipped on the way to it.
 */
#include "anon_finger.h"

/* Give our node `to` what the other has in n slots; returns how many anons. */
static uint64_t node_share(
	struct node *to, unsigned to_slot, const struct node *from, unsigned slot, uint64_t n)
{
	uint64_t used = from->used >> slot & ~(uint64_t)0 >> (NODE_SLOTS - n), shared = 0;
	void *const *child = &from->slot[slot];

	to->used |= used << to_slot;
	for (void **at = &to->slot[to_slot]; used; used >>= 1, child++, at++) {
		unsigned unused = skip_unused(&used);

		child += unused;
		at += unused;
		child_get(from->level, *child);
		*at = *child;
		shared += from->level ? ((struct node *)*child)->anons : 1;
	}
	return shared;
}

/* The same, where there is no node but one child that it would have. */
static uint64_t child_share(
	struct node *to, unsigned to_slot, struct node *child, unsigned slot, uint64_t n)
{
	unsigned at = node_slot(child->first, to->level) - slot;

	if (at >= n)
		return 0;
	ref_get(&child->refs);
	node_set(to, to_slot + at, child);
	return child->anons;
}

/*
 * The highest node below which is all that a node of this level on the way to the page, not below
 * the finger's, would have: that node, or one below that another skips it for; or NULL.
 */
static struct node *node_of_level(struct anon_tree *tree, unsigned level, uint64_t vpn)
{
	struct node *n = finger_common(tree, vpn, vpn);
	unsigned above = n ? n->level : (unsigned)tree->levels;

	if (above == level)
		return n;
	for (n = n ? n->slot[node_slot_of(n, vpn)] : tree->root; n && n->level > level;) {
		if (!node_on_way(n, above, vpn))
			return NULL;
		above = n->level;
		n = n->slot[node_slot(vpn, above)];
	}
	return n && (node_begin(n, above, vpn) ^ vpn) >> node_shift(level + 1) == 0 ? n : NULL;
}

uint64_t anon_share_run(
	struct anon_tree *tree, uint64_t from, uint64_t to, uint64_t n, struct grave *grave)
{
	unsigned level = 0; /* of the nodes whose slots stand against one another */
	struct node *of;
	uint64_t run;

	while (level + 1 < tree->levels && n >= node_span(level + 1) &&
		!((from | to) & (node_span(level + 1) - 1)))
		level++;
	run = NODE_SLOTS - max_u64(node_slot(from, level), node_slot(to, level));
	run = min_u64(run, min_u64(n >> node_shift(level), MVM_HOLD_PAGES));
	if (finger_own(tree, to, level, true, grave) != 0)
		return 0;
	of = node_of_level(tree, level, from);
	if (of && of->level < level)
		tree->came += child_share(
			tree->here, node_slot(to, level), of, node_slot(from, level), run);
	else if (of)
		tree->came += node_share(
			tree->here, node_slot(to, level), of, node_slot(from, level), run);
	return run * node_span(level);
}

void anon_share(struct anon_tree *child, struct anon_tree *parent)
{
	finger_retreat(parent, parent->levels);
	child->root = parent->root;
	if (child->root)
		ref_get(&child->root->refs);
}
