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
 * shared it, and somebody would have to copy it, he takes its only child in its place (only_child).
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
 * The finger.  Neighbours are touched after one another, and a place again after it was emptied,
 * so the tree remembers the way to the page that it came to last, as far down as the nodes there
 * are its own.  They stay so until this tree is shared or loses them: nobody else can reach these
 * nodes to take a reference.  So the way to another page begins at the lowest node that both ways
 * have in common, to which the finger goes back up, a step at a time.  What comes into the leaf
 * and goes meanwhile is counted when the finger leaves it, and in the nodes above when it leaves
 * those; and the leaf, or whatever node the way ends at, is freed only then, should it be empty.
 * So there is at most one empty node in a tree, and who maps, touches and unmaps the same place
 * all the time makes none.
 *
 * Nothing is freed here under the lock: pages may still be mapped.  They go into a grave
 * (anon_page.c).
 */
#include "anon.h"

#include "meta.h"

#define NO_LEAF UINT64_MAX

void anon_tree_init(struct anon_tree *tree, mvm_vaddr_t high)
{
	uint64_t last = (high - 1) >> MVM_PAGE_SHIFT;

	*tree = (struct anon_tree){.leaf = NO_LEAF, .end = tree->way};
	for (tree->levels = 1; last >> (tree->levels * NODE_BITS); tree->levels++)
		;
}

/* One more reference to a child that stands in a node of this level. */
static void child_get(unsigned level, void *child)
{
	if (level)
		ref_get(&((struct node *)child)->refs);
	else
		anon_get(child);
}

static bool node_shared(const struct node *n)
{
	return ref_count(&n->refs) != 1;
}

/*
 * Put a copy, which is this tree's own as every node above is, in the place of the node at *link.
 * The children are raised first: at no moment may one that two nodes point to look as if it had one
 * reference.
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

/* --- The finger ------------------------------------------------------------------------------- */

/* Do [first, last] lie in the finger's leaf? */
static bool all_at_finger(const struct anon_tree *tree, uint64_t first, uint64_t last)
{
	return anon_at_finger(tree, first) && anon_at_finger(tree, last);
}

/* The level of the lowest node that page numbers which differ in these bits have in common. */
static size_t level_of(uint64_t differ)
{
	size_t level = 0;

	while (differ >>= NODE_BITS)
		level++;
	return level;
}

/* The level of what the finger points to last, or of the tree. */
static inline unsigned level_here(const struct anon_tree *tree)
{
	return tree->here ? tree->here->level : (unsigned)tree->levels;
}

/* Where that refers to what is next on the way. */
static inline struct node **link_of(struct anon_tree *tree, uint64_t vpn)
{
	if (unlikely(!tree->here))
		return &tree->root;
	return (struct node **)&tree->here->slot[node_slot_of(tree->here, vpn)];
}

/* Do page numbers that differ in these bits, but for those of a leaf, part above the node? */
static inline bool parts(uint64_t differ, const struct node *n)
{
	return differ >> n->shift != 0;
}

/* In which bits two page numbers differ, but for those of a leaf. */
static inline uint64_t differ(uint64_t vpn, uint64_t other)
{
	return (vpn ^ other) >> NODE_BITS;
}

/* The lowest node of the finger's way where those that differ so from its page part not above. */
static struct node *common(const struct anon_tree *tree, uint64_t differ)
{
	struct node *n = tree->here;

	for (const struct anon_step *end = tree->end; n && parts(differ, n);)
		n = (--end)->node;
	return n;
}

static inline void step_down(struct anon_tree *tree, struct node *n)
{
	*tree->end++ = (struct anon_step){tree->here, tree->came};
	tree->here = n;
	tree->came = 0;
}

/* What the finger points to last is empty: free it, and what is empty then. */
static COLD void free_empty(struct anon_tree *tree)
{
	do {
		const struct anon_step *up = --tree->end;

		node_free(tree->here);
		tree->here = up->node;
		tree->came += up->came;
		*link_of(tree, tree->near) = NULL;
		if (tree->here)
			tree->here->used &= ~node_bit(node_slot_of(tree->here, tree->near));
	} while (tree->here && !tree->here->used);
}

/* Is what the finger points to last empty, and would it go up from there to where those part? */
static inline bool leaves_empty(const struct anon_tree *tree, uint64_t differ)
{
	return tree->here && parts(differ, tree->here) && !tree->here->used;
}

/* Count what came below the node where those part, for the nodes there. */
static inline __attribute__((always_inline)) void go_up(struct anon_tree *tree, uint64_t differ)
{
	struct node *here = tree->here;
	struct anon_step *up = tree->end;
	uint64_t came = tree->came;

	while (here && parts(differ, here)) {
		here->anons += came;
		up--;
		came += up->came;
		here = up->node;
	}
	tree->here = here;
	tree->came = came;
	tree->end = up;
}

/* The finger gives up what is below the level, which is not 0, and what is empty. */
static inline __attribute__((always_inline)) void retreat(struct anon_tree *tree, unsigned to)
{
	uint64_t differ = node_span(to - 1);

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
	n = *link_of(tree, vpn);
	level = level_here(tree);
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

/* The same, wherever the finger is. */
static inline void point(struct anon_tree *tree, uint64_t vpn)
{
	uint64_t beyond = differ(vpn, tree->near);

	if (unlikely(leaves_empty(tree, beyond)))
		free_empty(tree);
	(void)go(tree, vpn, beyond);
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

/*
 * Point the finger towards the page, down to `lowest` at least, from where point() stopped: what is
 * on the way there is shared, and is copied or stepped over; what is missing is made, if it is to
 * be, and then what the finger knows below `lowest` given up.  Inline: a frame less.
 */
static inline __attribute__((always_inline)) int own_path(
	struct anon_tree *tree, uint64_t vpn, unsigned lowest, bool make, struct grave *grave)
{
	unsigned above;

	point(tree, vpn);
	if (make && level_here(tree) < lowest)
		retreat(tree, lowest);
	while ((above = level_here(tree)) > lowest) {
		struct node **link = link_of(tree, vpn);
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
	uint64_t beyond = differ(vpn, tree->near);

	if (unlikely(leaves_empty(tree, beyond)))
		return search_from_empty(tree, vpn, beyond, exclusive);
	return search_from(tree, vpn, beyond, exclusive);
}

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
	struct node *n = common(tree, differ(vpn, tree->near) | differ(vpn, last));
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

int anon_point_at(struct anon_tree *tree, uint64_t vpn, struct grave *grave)
{
	return own_path(tree, vpn, 0, true, grave);
}

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
	if (own_path(tree, vpn, 1, true, grave) != 0)
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
	return own_path(tree, vpn, level, false, grave);
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
	unsigned level = level_here(tree);
	uint64_t span = node_span(level), bit = node_bit(node_slot(first, level)), gone = 0,
		 lost = 0;
	struct node **link = link_of(tree, first), *n = *link;

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
		point(tree, first);
		if (level_here(tree) == 0 && leaf_inside(tree->here, first, last))
			retreat(tree, 1);
		if (level_here(tree) > 0)
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
	retreat(tree, tree->levels);
	if (tree->root)
		node_put(tree->root, grave);
	tree->root = NULL;
}

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
	struct node *n = common(tree, differ(vpn, tree->near));
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
	if (own_path(tree, to, level, true, grave) != 0)
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
	retreat(parent, parent->levels);
	child->root = parent->root;
	if (child->root)
		ref_get(&child->root->refs);
}

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

	MUST(tree->leaf == (level_here(tree) ? NO_LEAF : tree->near >> NODE_BITS));
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
