// SPDX-License-Identifier: MIT
/*
 * The finger: the way to a page in a space's tree of anons, as far as it is known.
 *
 * Neighbours are touched after one another, and a place again after it was emptied, so the tree
 * remembers the way to the page that it came to last, as far down as the nodes there are its own.
 * They stay so until this tree is shared or loses them: nobody else can reach these nodes to take a
 * reference.  So the way to another page begins at the lowest node that both ways have in common,
 * to which the finger goes back up, a step at a time.  What comes into the leaf and goes meanwhile
 * is counted when the finger leaves it, and in the nodes above when it leaves those; and the leaf,
 * or whatever node the way ends at, is freed only then, should it be empty.  So there is at most
 * one empty node in a tree, and who maps, touches and unmaps the same place all the time makes
 * none.
 *
 * Whoever wants to change a leaf, or a node above, makes the way there the tree's own first: what
 * comes next where the finger stops is shared, or not on the way, or nothing.  From there down a
 * copy takes the place of each node that is shared, and a new one that of each which is missing
 * (finger_own).
 */
#include "anon_finger.h"

/* What the finger points to last is empty: free it, and what is empty then. */
static COLD void free_empty(struct anon_tree *tree)
{
	do {
		const struct anon_step *up = --tree->end;

		node_free(tree->here);
		tree->here = up->node;
		tree->came += up->came;
		*finger_link(tree, tree->near) = NULL;
		if (tree->here)
			tree->here->used &= ~node_bit(node_slot_of(tree->here, tree->near));
	} while (tree->here && !tree->here->used);
}

/* Is what the finger points to last empty, and would it go up from there to where those part? */
static inline bool leaves_empty(const struct anon_tree *tree, uint64_t differ)
{
	return tree->here && ways_part(differ, tree->here) && !tree->here->used;
}

/* Count what came below the node where those part, for the nodes there. */
static inline __attribute__((always_inline)) void go_up(struct anon_tree *tree, uint64_t differ)
{
	struct node *here = tree->here;
	struct anon_step *up = tree->end;
	uint64_t came = tree->came;

	while (here && ways_part(differ, here)) {
		here->anons += came;
		up--;
		came += up->came;
		here = up->node;
	}
	tree->here = here;
	tree->came = came;
	tree->end = up;
}

void finger_retreat(struct anon_tree *tree, unsigned level)
{
	uint64_t differ = node_span(level - 1);

	if (unlikely(leaves_empty(tree, differ)))
		free_empty(tree);
	go_up(tree, differ);
	tree->leaf = NO_LEAF;
}

/*
 * Point the finger towards the page, from where the way parts from its own, as far down as the
 * nodes are this tree's own.  Nothing empty is left behind.  Returns what comes next on the way:
 * the page's anon, if the finger is at its leaf; else a node that is shared; or NULL: nothing does.
 */
static inline __attribute__((always_inline)) struct node *go(
	struct anon_tree *tree, uint64_t vpn, uint64_t differ)
{
	struct anon_step *up;
	struct node *n, *here;
	unsigned level;
	uint64_t came;

	go_up(tree, differ);
	n = *finger_link(tree, vpn);
	level = finger_level(tree);
	up = tree->end;
	here = tree->here;
	came = tree->came;
	while (level > 0 && n) {
		if (!node_on_way(n, level, vpn)) {
			n = NULL;
			break;
		}
		if (node_shared(n))
			break;
		*up++ = (struct anon_step){here, came};
		came = 0;
		here = n;
		level = n->level;
		n = n->slot[node_slot_of(n, vpn)];
	}
	tree->end = up;
	tree->here = here;
	tree->came = came;
	tree->near = vpn;
	tree->leaf = level ? NO_LEAF : vpn >> NODE_BITS;
	return n;
}

void finger_point(struct anon_tree *tree, uint64_t vpn)
{
	uint64_t beyond = ways_differ(vpn, tree->near);

	if (unlikely(leaves_empty(tree, beyond)))
		free_empty(tree);
	(void)go(tree, vpn, beyond);
}

/* --- Look-ups --------------------------------------------------------------------------------- */

/* Is the page's anon, which the leaf at the finger refers to, this tree's alone? */
static inline bool is_exclusive(const struct node *anon)
{
	return anon && ref_count(&((const struct mvm_page *)anon)->anon_refs) == 1;
}

/* anon_search() below a node on the way that is shared: there nothing is exclusive. */
static struct mvm_page *search_shared(const struct node *n, uint64_t vpn, bool *exclusive)
{
	*exclusive = false;
	while (n && n->level > 0) {
		const struct node *next = n->slot[node_slot_of(n, vpn)];

		n = next && node_on_way(next, n->level, vpn) ? next : NULL;
	}
	return n ? n->slot[node_slot(vpn, 0)] : NULL;
}

static inline __attribute__((always_inline)) struct mvm_page *search_from(
	struct anon_tree *tree, uint64_t vpn, uint64_t beyond, bool *exclusive)
{
	struct node *n = go(tree, vpn, beyond);

	if (unlikely(tree->leaf == NO_LEAF && n))
		return search_shared(n, vpn, exclusive);
	*exclusive = is_exclusive(n);
	return (struct mvm_page *)n;
}

static COLD struct mvm_page *search_from_empty(
	struct anon_tree *tree, uint64_t vpn, uint64_t beyond, bool *exclusive)
{
	free_empty(tree);
	return search_from(tree, vpn, beyond, exclusive);
}

struct mvm_page *anon_search(struct anon_tree *tree, uint64_t vpn, bool *exclusive)
{
	uint64_t beyond = ways_differ(vpn, tree->near);

	if (unlikely(leaves_empty(tree, beyond)))
		return search_from_empty(tree, vpn, beyond, exclusive);
	return search_from(tree, vpn, beyond, exclusive);
}

/* --- The tree's own --------------------------------------------------------------------------- */

/*
 * Put a copy, which is this tree's own as every node above is, in the place of the node at *link.
 * The children are raised first: at no moment may one that two nodes point to look as if it had one
 * reference.  If the other trees have let the old one go meanwhile, it was copied in vain, no more.
 */
static int node_copy(struct node **link, struct grave *grave)
{
	struct node *old = *link, *copy = node_new(old->level);
	unsigned slot = 0;

	if (!copy)
		return -MVM_ENOMEM;
	copy->block = old->block;
	copy->first = old->first;
	copy->used = old->used;
	copy->anons = old->anons;
	for (uint64_t rest = old->used; rest; rest >>= 1, slot++) {
		slot += skip_unused(&rest);
		child_get(old->level, old->slot[slot]);
		copy->slot[slot] = old->slot[slot];
	}
	*link = copy;
	node_put(old, grave);
	return 0;
}

/*
 * Put a new node of this level on the way to the page, where the finger ends, and below it what was
 * there.
 */
static int node_insert(struct anon_tree *tree, uint64_t vpn, struct node **link, unsigned level)
{
	struct node *below = *link, *n = node_new(level);

	if (!n)
		return -MVM_ENOMEM;
	n->first = vpn & -node_span(level + 1);
	if (below) {
		node_set(n, node_slot(below->first, level), below);
		n->anons = below->anons;
	}
	*link = n;
	if (tree->here)
		tree->here->used |= node_bit(node_slot_of(tree->here, vpn));
	return 0;
}

/*
 * Put the only child of the node at *link, to which one of level `above` refers, in its place.
 * False: it has others, or may not be referred to from there: where a node stands at another place,
 * too (anon_share_run), its children may not know more than what is below it.
 */
static bool step_over(struct node **link, unsigned above, struct grave *grave)
{
	struct node *n = *link, *child;

	if (n->used & (n->used - 1))
		return false;
	child = n->slot[lowest_bit(n->used)];
	if (node_slot_of(n, child->first) != lowest_bit(n->used) ||
		!node_on_way(n, above, child->first))
		return false;
	ref_get(&child->refs);
	*link = child;
	node_put(n, grave);
	return true;
}

/* The level of the lowest node that page numbers which differ in these bits have in common. */
static size_t level_of(uint64_t differ)
{
	size_t level = 0;

	while (differ >>= NODE_BITS)
		level++;
	return level;
}

/*
 * The level of the next node that the way to the page needs, where one of level `above` refers to
 * n: n's, if that is on the way; else that of the node which is missing, below which n's way and
 * the page's part.  None is needed below `lowest`.
 */
static inline unsigned next_level(
	const struct node *n, unsigned above, uint64_t vpn, unsigned lowest)
{
	unsigned level = lowest;

	if (n)
		level = node_on_way(n, above, vpn) ? n->level
						   : level_of(node_begin(n, above, vpn) ^ vpn);
	return level > lowest ? level : lowest;
}

static inline void step_down(struct anon_tree *tree, struct node *n)
{
	*tree->end++ = (struct anon_step){tree->here, tree->came};
	tree->here = n;
	tree->came = 0;
}

/* finger_extend(); inline, for the one to leaves is worth a function of its own. */
static inline __attribute__((always_inline)) int extend(
	struct anon_tree *tree, uint64_t vpn, unsigned lowest, bool make, struct grave *grave)
{
	unsigned above;

	while ((above = finger_level(tree)) > lowest) {
		struct node **link = finger_link(tree, vpn);
		unsigned level = next_level(*link, above, vpn, lowest);
		int err;

		if (!*link || (*link)->level != level) {
			if (!make)
				return 0;
			err = node_insert(tree, vpn, link, level);
		} else if (level > lowest && step_over(link, above, grave)) {
			continue;
		} else {
			err = node_copy(link, grave);
		}
		if (err)
			return err;
		step_down(tree, *link);
	}
	if (above == 0)
		tree->leaf = vpn >> NODE_BITS;
	return 0;
}

int finger_extend(
	struct anon_tree *tree, uint64_t vpn, unsigned lowest, bool make, struct grave *grave)
{
	return extend(tree, vpn, lowest, make, grave);
}

int anon_point_at(struct anon_tree *tree, uint64_t vpn, struct grave *grave)
{
	finger_point(tree, vpn);
	return extend(tree, vpn, 0, true, grave);
}
