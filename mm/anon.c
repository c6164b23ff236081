// SPDX-License-Identifier: MIT
/*
 * The anon layer: one copy-on-write radix tree a space.
 *
 *	 parent's root       child's root              before the first store after a fork:
 *	        \             /                        one tree, two references to its root
 *	         [ node: 2 refs ]
 *	          /           \
 *	   [ leaf: 1 ]     [ leaf: 1 ]
 *	    A(1)  B(1)        C(1)
 *
 *	 parent's root       child's root              the child stores to B's page:
 *	        |             |                        it copies the path to B (a node and a leaf,
 *	   [ node: 1 ]   [ node: 1 ]                   not the tree), which raises what the copied
 *	      |      \    /      |                     nodes point to, and puts its own B' there
 *	   [leaf:1]  [leaf:2]  [leaf:1]
 *	    A(2) B(1)  C(1)     A(2) B'(1)
 *
 * Levels are skipped.  A process has few leaves, far apart, so most nodes of a way through every
 * level would have one child; and a fork copies the ways to what is stored to.  So a slot refers to
 * the next node that is needed, of whatever level below (path compression, as in Morrison's
 * Patricia), and there are nodes only where ways part:
 *
 *	   level 4   [ 0 . . 3 ]                pages 5 and 2^26 - 3: three nodes, where two ways
 *	              /       \                 through every level would have nine
 *	   level 0  [ 5 ]   [ 61 ]
 *
 * A node knows the first page number that it is for.  Whoever comes to it compares with that the
 * bits of the levels between it and the slot (node_on_way).  The bits of the slot itself, and those
 * above, are what the way there says, and not always what the node says: it may stand at a second
 * place, too (anon_share_run), where only what is skipped is the same.  Where a page's way and a
 * node's part at a level between, a node of that level is put in (node_insert).  A node that has
 * lost all its children but one stays as it is, for it may be needed again.  But when a fork has
 * shared it, and somebody would have to copy it, he takes its only child in its place (step_over).
 *
 * The tree knows nothing of areas and areas nothing of it: unmapping half an area, splitting,
 * merging or moving need no arithmetic on maps of pages.  A fork is one increment.
 *
 * An anon is the descriptor of its page, with a count of its own: anon_refs are the tree's slots
 * that point to it, and together they hold one of the page's refs.  Others who hold the page, for
 * I/O, do not count there: they use it as whoever has it does.
 *
 * Exclusive.  A page may be written in place if every node on the path to it, and its anon, have
 * one reference.  Counts are read from the root down with acquire loads.  That order is safe
 * without the other trees' locks: while this space's lock is held nobody can add a reference to
 * its root, so if the root has one, only this tree reaches the next node, and so on down.  Other
 * trees only ever drop references; to see a drop late means one copy too many, never one too few.
 * For the same reason a path copy raises the children before it drops the node it copied.
 *
 * Whoever copies an anon without the lock holds a reference to it *as an anon*, not just as a page:
 * that makes it not exclusive, so that nobody writes to it meanwhile.
 *
 * Removal detaches shared subtrees that lie wholly inside the range, and leaves, without looking
 * into them.  Only the two boundary paths may have to be copied, and these are copied before
 * anything is marked (anon_reserve_edges), so that removal itself cannot fail.
 *
 * Nothing is freed here under the lock: pages may still be mapped.  They go into a grave
 * (anon_page.c).
 *
 * Read beside this:
 *	anon_finger.c   the way to a page: remembered; made the tree's own, where the above is done
 *	anon_share.c    what stands at a second place: a fork's, and a move's
 *	anon_page.c     how anons come and, with nodes, go
 *	anon_joint.c    what harts do to a tree at once
 *	anon_check.c    the above as assertions
 */
#include "anon_finger.h"

void anon_tree_init(struct anon_tree *tree, mvm_vaddr_t high)
{
	uint64_t last = (high - 1) >> MVM_PAGE_SHIFT;

	*tree = (struct anon_tree){.leaf = NO_LEAF, .end = tree->way};
	for (tree->levels = 1; last >> (tree->levels * NODE_BITS); tree->levels++)
		;
}

/* Do [first, last] lie in the finger's leaf? */
static bool all_at_finger(const struct anon_tree *tree, uint64_t first, uint64_t last)
{
	return anon_at_finger(tree, first) && anon_at_finger(tree, last);
}

/* --- Look-ups --------------------------------------------------------------------------------- */

void *const *anon_slots(const struct anon_tree *tree, uint64_t vpn)
{
	const struct node *n = tree->root;

	if (anon_at_finger(tree, vpn))
		n = tree->here;
	while (n->level > 0)
		n = n->slot[node_slot(vpn, n->level)];
	return &n->slot[node_slot(vpn, 0)];
}

/* Each node's other parents are other trees' nodes, and each of these has one root at least. */
unsigned anon_reach(struct anon_tree *tree, uint64_t vpn)
{
	struct node *n = tree->root;
	unsigned trees = ref_count(&n->refs);

	while (n->level > 0) {
		n = n->slot[node_slot(vpn, n->level)];
		trees += ref_count(&n->refs) - 1;
	}
	return trees + ref_count(&((struct mvm_page *)n->slot[node_slot(vpn, 0)])->anon_refs) - 1;
}

/* node_next() of the lowest node of the path, or the tree, that both lie in. */
static uint64_t next_towards(struct anon_tree *tree, uint64_t vpn, uint64_t last)
{
	struct node *n = finger_common(tree, vpn, last);
	uint64_t mask, at;

	if (!n)
		return node_next(tree->root, tree->levels, &vpn, last, false) ? vpn : last + 1;
	mask = node_span(n->level + 1u) - 1;
	at = vpn & mask;
	return node_next(n, n->level + 1u, &at, last & mask, false) ? (vpn & ~mask) + at : last + 1;
}

uint64_t anon_next(struct anon_tree *tree, uint64_t vpn, uint64_t last)
{
	if (anon_at_finger(tree, vpn) && tree->here->slot[node_slot(vpn, 0)])
		return vpn;
	return next_towards(tree, vpn, last);
}

bool anon_any(struct anon_tree *tree, uint64_t first, uint64_t last)
{
	uint64_t used;

	if (!all_at_finger(tree, first, last))
		return next_towards(tree, first, last) <= last;
	used = tree->here->used >> node_slot(first, 0);
	return used & (((uint64_t)2 << (last - first)) - 1);
}

/* --- Changes ---------------------------------------------------------------------------------- */

void anon_replace(struct anon_tree *tree, uint64_t vpn, struct mvm_page *anon, struct grave *grave)
{
	struct node *leaf = tree->here;
	void **slot = &leaf->slot[node_slot(vpn, 0)];
	struct mvm_page *old = *slot;

	*slot = anon;
	leaf->block = false;
	anon_put(old, grave);
}

int anon_set(struct anon_tree *tree, uint64_t vpn, struct mvm_page *anon, struct grave *grave)
{
	int err = anon_reserve(tree, vpn, grave);

	if (!err)
		anon_enter(tree, vpn, anon, grave);
	return err;
}

int anon_set_leaves(struct anon_tree *tree, uint64_t vpn, struct node *leaves, struct grave *grave)
{
	if (finger_own(tree, vpn, 1, true, grave) != 0)
		return -MVM_ENOMEM;
	for (; leaves; vpn += NODE_SLOTS) {
		struct node *leaf = leaves;

		leaves = leaf->next_dead;
		leaf->anons = NODE_SLOTS;
		leaf->first = vpn;
		node_set(tree->here, node_slot(vpn, 1), leaf);
		tree->came += NODE_SLOTS;
	}
	return 0;
}

/* --- Removal ---------------------------------------------------------------------------------- */

/* Does [first, last] cover all that a node of this level on vpn's path covers? */
static bool covers(uint64_t first, uint64_t last, uint64_t vpn, unsigned level)
{
	uint64_t mask = node_span(level + 1) - 1;

	return first <= (vpn & ~mask) && (vpn | mask) <= last;
}

/* Inline: a frame less. */
static inline __attribute__((always_inline)) int reserve_edge(
	struct anon_tree *tree, uint64_t vpn, uint64_t first, uint64_t last, struct grave *grave)
{
	unsigned level;

	for (level = 0; level < tree->levels && covers(first, last, vpn, level); level++)
		;
	return finger_own(tree, vpn, level, false, grave);
}

int anon_reserve_edges(struct anon_tree *tree, uint64_t first, uint64_t last)
{
	struct grave grave = {0};
	int err;

	if (all_at_finger(tree, first, last))
		return 0;
	err = reserve_edge(tree, last, first, last, &grave);
	if (!err)
		err = reserve_edge(tree, first, first, last, &grave);
	anon_bury(&grave); /* at most nodes whose children the copies hold: no page goes */
	return err;
}

/* Empty a leaf of ours from vpn to last; returns how many anons went. */
static unsigned leaf_remove(struct node *leaf, uint64_t vpn, uint64_t last, struct grave *grave)
{
	unsigned slot = node_slot(vpn, 0), lost = 0;
	uint64_t gone = leaf->used >> slot << slot;

	if (last >> NODE_BITS == vpn >> NODE_BITS)
		gone &= ((uint64_t)2 << node_slot(last, 0)) - 1;
	leaf->used &= ~gone;
	leaf->block = false;
	for (gone >>= slot; gone; gone >>= 1, slot++) {
		if (!(gone & 1))
			continue;
		anon_put(leaf->slot[slot], grave);
		leaf->slot[slot] = NULL;
		lost++;
	}
	return lost;
}

/* Is all that the leaf holds in [first, last], whose first page it covers? */
static bool leaf_inside(const struct node *leaf, uint64_t first, uint64_t last)
{
	return !(leaf->used & (node_bit(node_slot(first, 0)) - 1)) &&
	       (first | (NODE_SLOTS - 1)) <= last;
}

/*
 * anon_remove() where the finger points to no leaf: what comes next on the way is shared, a leaf
 * inside or missing.  It lies inside, for the edges are ours, and below `first` is nothing.  And
 * what stands beside it, as long as it is so, too.  What is not on the way may be so later.
 */
static uint64_t remove_whole(
	struct anon_tree *tree, uint64_t first, uint64_t last, struct grave *grave)
{
	unsigned level = finger_level(tree);
	uint64_t span = node_span(level), bit = node_bit(node_slot(first, level)), gone = 0,
		 lost = 0;
	struct node **link = finger_link(tree, first), *n = *link;

	if (unlikely(n && !node_on_way(n, level, first))) {
		uint64_t begin = node_begin(n, level, first);

		return min_u64(begin > first ? begin : (first | (span - 1)) + 1, last + 1);
	}
	MUST(!n || (first | (node_span(n->level + 1u) - 1)) <= last);
	first &= -span;
	do {
		n = *link;
		if (n) {
			*link = NULL;
			lost += n->anons;
			node_put(n, grave);
		}
		gone |= bit;
		first += span;
		link++;
		bit <<= 1;
	} while (tree->here && bit && first + (span - 1) <= last &&
		 (!*link || (*link)->level == 0 || node_shared(*link)));
	if (tree->here)
		tree->here->used &= ~gone;
	tree->came -= lost;
	return min_u64(first, last + 1);
}

uint64_t anon_remove(struct anon_tree *tree, uint64_t first, uint64_t last, struct grave *grave)
{
	if (!all_at_finger(tree, first, last)) {
		finger_point(tree, first);
		if (finger_level(tree) == 0 && leaf_inside(tree->here, first, last))
			finger_retreat(tree, 1);
		if (finger_level(tree) > 0)
			return remove_whole(tree, first, last, grave);
	}
	tree->came -= leaf_remove(tree->here, first, last, grave);
	return min_u64((first | (NODE_SLOTS - 1)) + 1, last + 1);
}

void anon_remove_one(struct anon_tree *tree, uint64_t vpn, struct grave *grave)
{
	struct node *leaf = tree->here;
	unsigned slot = node_slot(vpn, 0);
	struct mvm_page *anon = leaf->slot[slot];

	node_clear(leaf, slot);
	leaf->block = false;
	tree->came--;
	anon_put(anon, grave);
}

void anon_remove_all(struct anon_tree *tree, struct grave *grave)
{
	finger_retreat(tree, tree->levels);
	if (tree->root)
		node_put(tree->root, grave);
	tree->root = NULL;
}
