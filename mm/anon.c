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
 * The finger.  Neighbours are touched after one another, and a place again after it was emptied, so
 * the tree remembers the way to the page that it came to last, as far down as the nodes there are
 * its own.  They stay so until this tree is shared or loses them: nobody else can reach these nodes
 * to take a reference.  So the way to another page begins at the lowest node that both ways have in
 * common.  What comes into the leaf and goes meanwhile is counted when the finger leaves it, and in
 * the nodes above when it leaves those; and the leaf, or whatever node the way ends at, is freed
 * only then, should it be empty.  So there is at most one empty node in a tree, and who maps,
 * touches and unmaps the same place all the time makes none.
 *
 * Nothing is freed here under the lock: pages may still be mapped.  They go into a grave.
 */
#include "anon.h"

#include "large.h"
#include "meta.h"
#include "stats.h"

#define NO_LEAF UINT64_MAX

void anon_tree_init(struct anon_tree *tree, mvm_vaddr_t high)
{
	uint64_t last = (high - 1) >> MVM_PAGE_SHIFT;

	*tree = (struct anon_tree){.leaf = NO_LEAF};
	for (tree->levels = 1; last >> (tree->levels * NODE_BITS); tree->levels++)
		;
	tree->low = tree->levels;
}

/* A page that is begun becomes an anon, before others of a chain. */
static inline struct mvm_page *anon_begin(struct mvm_page *page, struct mvm_page *next)
{
	page->anon_refs = 1;
	page->next_anon = next;
	return page;
}

struct mvm_page *anon_new(void)
{
	struct mvm_page *page = page_alloc();

	if (unlikely(!page))
		return NULL;
	anon_begin(page, NULL);
	COUNT(anon_pages, 1);
	return page;
}

struct mvm_page *anon_new_some(unsigned n)
{
	mvm_frame_t frames[MVM_RUN_PAGES];
	unsigned got = mvmh_frame_alloc_some(frames, n), made = 0;
	struct mvm_page *chain = NULL;

	/* The last first, so that the chain is as the host gave them. */
	for (; made < got; made++) {
		mvm_frame_t frame = frames[got - 1 - made];
		struct mvm_page *page = chain ? page_room_near(chain, frame) : page_room(frame);

		if (unlikely(!page))
			break;
		page_begin(page, frame);
		chain = anon_begin(page, chain);
	}
	if (unlikely(made < got))
		mvmh_frame_free_some(frames, got - made);
	COUNT(anon_pages, made);
	return chain;
}

void anon_put(struct mvm_page *anon, struct grave *grave)
{
	if (!ref_put(&anon->anon_refs))
		return;
	anon->next_anon = grave->anons;
	grave->anons = anon;
}

/* Drop a reference to a node; the last one leaves its subtree to the burial. */
static void node_put(struct node *n, struct grave *grave)
{
	if (!ref_put(&n->refs))
		return;
	n->next_dead = grave->nodes;
	grave->nodes = n;
}

/* One more reference to a child that stands in a node of this level. */
static void child_get(unsigned level, void *child)
{
	if (level)
		ref_get(&((struct node *)child)->refs);
	else
		anon_get(child);
}

/* Free the first anons of the grave, a run of pages at a time. */
static OWN_FRAME void bury_some(struct grave *grave)
{
	mvm_frame_t frames[MVM_RUN_PAGES];
	unsigned n = 0, gone = 0;

	for (; grave->anons && n < MVM_RUN_PAGES; n++) {
		struct mvm_page *anon = grave->anons;

		grave->anons = anon->next_anon;
		if (page_leave(anon))
			frames[gone++] = anon->frame;
	}
	COUNT(anon_pages, -(long)n);
	mvmh_frame_free_some(frames, gone);
}

/*
 * For a walk over the bits of `rest`: to the next, which mostly is beside the last.  How far that
 * is.
 */
static unsigned skip_unused(uint64_t *rest)
{
	unsigned n = *rest & 1 ? 0 : lowest_bit(*rest);

	*rest >>= n;
	return n;
}

/* The children of a node that is gone. */
static void children_put(struct node *n, struct grave *grave)
{
	void **slot = n->slot;

	for (uint64_t rest = n->used; rest; rest >>= 1, slot++) {
		slot += skip_unused(&rest);
		if (n->level)
			node_put(*slot, grave);
		else
			anon_put(*slot, grave);
		*slot = NULL;
	}
	n->used = 0;
}

static OWN_FRAME void bury_all(struct grave *grave)
{
	struct node *n, *gone = NULL;
	unsigned n_gone = 0;

	while ((n = grave->nodes) != NULL) {
		grave->nodes = n->next_dead;
		if (!n->block || !large_bury(n))
			children_put(n, grave);
		*(struct node **)n = gone;
		gone = n;
		if (++n_gone == MVM_RUN_PAGES || !grave->nodes) {
			gone = slab_free_some(SLAB_NODE, gone, n_gone);
			n_gone = 0;
		}
	}
	while (grave->anons)
		bury_some(grave);
}

void anon_bury(struct grave *grave)
{
	struct mvm_page *anon = grave->anons;

	if (grave->nodes || !anon || anon->next_anon) {
		bury_all(grave);
		return;
	}
	grave->anons = NULL;
	COUNT(anon_pages, -1);
	if (page_leave(anon))
		mvmh_frame_free(anon->frame, 0);
}

static bool node_shared(const struct node *n)
{
	return ref_count(&n->refs) != 1;
}

/*
 * Make the node at *link this tree's own.  Every node above is already.  The children are raised
 * first: at no moment may one that two nodes point to look as if it had one reference.
 */
static int node_own(struct node **link, struct grave *grave)
{
	struct node *old = *link, *copy;
	unsigned slot = 0;

	if (likely(!node_shared(old)))
		return 0;
	copy = node_new(old->level);
	if (!copy)
		return -MVM_ENOMEM;
	copy->block = old->block;
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

/*
 * The level of the lowest node of the finger's path that is on the way to the page and to those
 * that differ from it in the bits; tree->levels: none is.
 */
static size_t level_towards(const struct anon_tree *tree, uint64_t vpn, uint64_t differ)
{
	size_t level = level_of((vpn ^ tree->near) | differ);

	return level > tree->low ? level : tree->low;
}

/* Where the path's node of this level, or the tree, refers to what is next on the way. */
static struct node **link_of(struct anon_tree *tree, size_t level, uint64_t vpn)
{
	if (level == tree->levels)
		return &tree->root;
	return (struct node **)&tree->path[level]->slot[node_slot(vpn, level)];
}

/* What the finger points to last is empty: free it, and what is empty then. */
static COLD void free_empty(struct anon_tree *tree)
{
	size_t level = tree->low;

	do {
		tree->came[level + 1] += tree->came[level];
		tree->came[level] = 0;
		node_free(tree->path[level]);
		*link_of(tree, ++level, tree->near) = NULL;
		if (level < tree->levels)
			tree->path[level]->used &= ~node_bit(node_slot(tree->near, level));
	} while (level < tree->levels && !tree->path[level]->used);
	tree->low = level;
}

/* Is what the finger points to last empty, and would it go up from there to this level? */
static inline bool leaves_empty(const struct anon_tree *tree, size_t to)
{
	return to > tree->low && tree->low < tree->levels && !tree->path[tree->low]->used;
}

/* Count what came below the level for the nodes there.  Returns the level that the finger is at. */
static inline __attribute__((always_inline)) size_t go_up(struct anon_tree *tree, size_t to)
{
	uint64_t came = 0;
	size_t level;

	for (level = tree->low; level < to; level++) {
		came += tree->came[level];
		tree->came[level] = 0;
		tree->path[level]->anons += came;
	}
	tree->came[level] += came;
	return level;
}

/* The finger gives up what is below the level, and what is empty. */
static inline __attribute__((always_inline)) void retreat(struct anon_tree *tree, size_t to)
{
	if (unlikely(leaves_empty(tree, to)))
		free_empty(tree);
	tree->low = go_up(tree, to);
	tree->leaf = NO_LEAF;
}

/*
 * point(), from this level on, or from the finger's, if that is higher; nothing empty is left
 * behind.
 */
static inline __attribute__((always_inline)) void *point_from(
	struct anon_tree *tree, uint64_t vpn, size_t above)
{
	size_t level = go_up(tree, above);
	struct node *n = *link_of(tree, level, vpn);

	while (level > 0 && n && !node_shared(n)) {
		tree->path[--level] = n;
		n = n->slot[node_slot(vpn, level)];
	}
	tree->low = level;
	tree->near = vpn;
	tree->leaf = level ? NO_LEAF : vpn >> NODE_BITS;
	return n;
}

/*
 * Point the finger towards the page, as far down as the nodes are this tree's own.  Returns what
 * comes next on the way: the page's anon, or NULL, if the finger is at its leaf.
 */
static inline void *point(struct anon_tree *tree, uint64_t vpn)
{
	size_t above = level_of(vpn ^ tree->near);

	if (unlikely(leaves_empty(tree, above)))
		free_empty(tree);
	return point_from(tree, vpn, above);
}

/*
 * The same, down to `lowest` at least: what is shared is copied; and what is missing is made, if it
 * is to be, and then what the finger knows below `lowest` given up.  Inline: a frame less.
 */
static inline __attribute__((always_inline)) int own_path(
	struct anon_tree *tree, uint64_t vpn, unsigned lowest, bool make, struct grave *grave)
{
	(void)point(tree, vpn);
	if (make && tree->low < lowest)
		retreat(tree, lowest);
	while (tree->low > lowest) {
		struct node **link = link_of(tree, tree->low, vpn);

		if (*link) {
			if (node_own(link, grave) != 0)
				return -MVM_ENOMEM;
		} else if (!make) {
			return 0;
		} else {
			struct node *n = node_new(tree->low - 1);

			if (!n)
				return -MVM_ENOMEM;
			*link = n;
			if (tree->low < tree->levels)
				tree->path[tree->low]->used |= node_bit(node_slot(vpn, tree->low));
		}
		tree->path[--tree->low] = *link;
	}
	if (tree->low == 0)
		tree->leaf = vpn >> NODE_BITS;
	return 0;
}

/* --- Look-ups --------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) struct mvm_page *search_from(
	struct anon_tree *tree, uint64_t vpn, size_t above, bool *exclusive)
{
	struct node *n = point_from(tree, vpn, above);

	for (unsigned level = tree->low; n && level-- > 0;)
		n = n->slot[node_slot(vpn, level)];
	*exclusive = n && tree->low == 0 && ref_count(&((struct mvm_page *)n)->anon_refs) == 1;
	return (struct mvm_page *)n;
}

static COLD struct mvm_page *search_from_empty(
	struct anon_tree *tree, uint64_t vpn, size_t above, bool *exclusive)
{
	free_empty(tree);
	return search_from(tree, vpn, above, exclusive);
}

struct mvm_page *anon_search(struct anon_tree *tree, uint64_t vpn, bool *exclusive)
{
	size_t above = level_of(vpn ^ tree->near);

	if (unlikely(leaves_empty(tree, above)))
		return search_from_empty(tree, vpn, above, exclusive);
	return search_from(tree, vpn, above, exclusive);
}

void *const *anon_slots(const struct anon_tree *tree, uint64_t vpn)
{
	const struct node *n = tree->root;

	if (anon_at_finger(tree, vpn))
		n = tree->path[0];
	for (unsigned level = n->level; level > 0; level--)
		n = n->slot[node_slot(vpn, level)];
	return &n->slot[node_slot(vpn, 0)];
}

/* Each node's other parents are other trees' nodes, and each of these has one root at least. */
unsigned anon_reach(struct anon_tree *tree, uint64_t vpn)
{
	struct node *n = tree->root;
	unsigned trees = 1;

	for (unsigned level = tree->levels; level-- > 0;) {
		trees += ref_count(&n->refs) - 1;
		n = n->slot[node_slot(vpn, level)];
	}
	return trees + ref_count(&((struct mvm_page *)n)->anon_refs) - 1;
}

/* node_next() of the lowest node of the path, or the tree, that both lie in. */
static uint64_t next_towards(struct anon_tree *tree, uint64_t vpn, uint64_t last)
{
	unsigned level = level_towards(tree, vpn, vpn ^ last);
	uint64_t mask = node_span(level + 1) - 1, at = vpn & mask;

	if (level >= tree->levels)
		return node_next(tree->root, tree->levels, &vpn, last, false) ? vpn : last + 1;
	return node_next(tree->path[level], level + 1, &at, last & mask, false) ? (vpn & ~mask) + at
										: last + 1;
}

uint64_t anon_next(struct anon_tree *tree, uint64_t vpn, uint64_t last)
{
	if (anon_at_finger(tree, vpn) && tree->path[0]->slot[node_slot(vpn, 0)])
		return vpn;
	return next_towards(tree, vpn, last);
}

bool anon_any(struct anon_tree *tree, uint64_t first, uint64_t last)
{
	uint64_t used;

	if (!all_at_finger(tree, first, last))
		return next_towards(tree, first, last) <= last;
	used = tree->path[0]->used >> node_slot(first, 0);
	return used & (((uint64_t)2 << (last - first)) - 1);
}

/* --- Changes ---------------------------------------------------------------------------------- */

int anon_point_at(struct anon_tree *tree, uint64_t vpn, struct grave *grave)
{
	return own_path(tree, vpn, 0, true, grave);
}

void anon_replace(struct anon_tree *tree, uint64_t vpn, struct mvm_page *anon, struct grave *grave)
{
	struct node *leaf = tree->path[0];
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
		node_set(tree->path[1], node_slot(vpn, 1), leaf);
		tree->came[1] += NODE_SLOTS;
	}
	return 0;
}

/* Does [first, last] cover all that a node of this level on vpn's path covers? */
static bool covers(uint64_t first, uint64_t last, uint64_t vpn, unsigned level)
{
	uint64_t mask = node_span(level + 1) - 1;

	return first <= (vpn & ~mask) && (vpn | mask) <= last;
}

static int reserve_edge(
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
	struct node *next;

	for (struct node *n = tree->root; n && !node_shared(n); n = next) {
		next = n->level ? anon_there(n, vpn) : NULL;
		if (n->level == 0 || (n->level == 1 && !next))
			return n;
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
	node_set(leaf, node_slot(vpn, 0), anon);
	if (!fill_slot(*place, node_slot(vpn, 1), leaf)) {
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
 * what stands beside it, as long as it is so, too.
 */
static uint64_t remove_whole(
	struct anon_tree *tree, uint64_t first, uint64_t last, struct grave *grave)
{
	unsigned level = tree->low;
	uint64_t span = node_span(level), bit = node_bit(node_slot(first, level)), gone = 0,
		 lost = 0;
	struct node **link = link_of(tree, level, first), *n;

	MUST(!*link || (first | (span - 1)) <= last);
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
	} while (level < tree->levels && bit && first + (span - 1) <= last &&
		 (!*link || (*link)->level == 0 || node_shared(*link)));
	if (level < tree->levels)
		tree->path[level]->used &= ~gone;
	tree->came[level] -= lost;
	return min_u64(first, last + 1);
}

uint64_t anon_remove(struct anon_tree *tree, uint64_t first, uint64_t last, struct grave *grave)
{
	if (!all_at_finger(tree, first, last)) {
		(void)point(tree, first);
		if (tree->low == 0 && leaf_inside(tree->path[0], first, last))
			retreat(tree, 1);
		if (tree->low > 0)
			return remove_whole(tree, first, last, grave);
	}
	tree->came[0] -= leaf_remove(tree->path[0], first, last, grave);
	return min_u64((first | (NODE_SLOTS - 1)) + 1, last + 1);
}

void anon_remove_one(struct anon_tree *tree, uint64_t vpn, struct grave *grave)
{
	struct node *leaf = tree->path[0];
	unsigned slot = node_slot(vpn, 0);
	struct mvm_page *anon = leaf->slot[slot];

	node_clear(leaf, slot);
	leaf->block = false;
	tree->came[0]--;
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

/* The node of this level, not below the finger's, on the way to the page; or NULL. */
static const struct node *node_on_way(struct anon_tree *tree, unsigned level, uint64_t vpn)
{
	unsigned above = level_towards(tree, vpn, 0);
	const struct node *n;

	if (above == level)
		return tree->path[level];
	for (n = *link_of(tree, above, vpn); n && n->level > level;)
		n = n->slot[node_slot(vpn, n->level)];
	return n;
}

uint64_t anon_share_run(
	struct anon_tree *tree, uint64_t from, uint64_t to, uint64_t n, struct grave *grave)
{
	unsigned level = 0; /* of the nodes whose slots stand against one another */
	const struct node *of;
	uint64_t run;

	while (level + 1 < tree->levels && n >= node_span(level + 1) &&
		!((from | to) & (node_span(level + 1) - 1)))
		level++;
	run = NODE_SLOTS - max_u64(node_slot(from, level), node_slot(to, level));
	run = min_u64(run, min_u64(n >> node_shift(level), MVM_HOLD_PAGES));
	if (own_path(tree, to, level, true, grave) != 0)
		return 0;
	of = node_on_way(tree, level, from);
	if (of)
		tree->came[level] += node_share(
			tree->path[level], node_slot(to, level), of, node_slot(from, level), run);
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
static void node_check(const struct anon_tree *tree, const struct node *n, unsigned level)
{
	bool finger = level >= tree->low && n == tree->path[level];
	uint64_t anons = finger ? -tree->came[level] : 0, used = 0;

	MUST(n->level == level && ref_count(&n->refs) >= 1);
	MUST(n->used || (finger && level == tree->low));
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
	struct node *n = tree->root;

	MUST(tree->leaf == (tree->low ? NO_LEAF : tree->near >> NODE_BITS));
	for (unsigned level = tree->levels; level-- > tree->low;) {
		MUST(n == tree->path[level] && !node_shared(n));
		n = n->slot[node_slot(tree->near, level)];
	}
	for (unsigned level = 0; level < tree->low; level++)
		MUST(tree->came[level] == 0);
}

void anon_tree_check(struct anon_tree *tree)
{
	uint64_t last = node_span(tree->levels) - 1, next;

	finger_check(tree);
	for (uint64_t vpn = 0; vpn <= last; vpn = next) {
		struct node *n = tree->root;
		unsigned level = tree->levels;

		while (n && level-- > 0) {
			if ((vpn & (node_span(level + 1) - 1)) == 0)
				node_check(tree, n, level);
			n = n->slot[node_slot(vpn, level)];
		}
		if (n)
			anon_check((struct mvm_page *)n);
		next = (vpn | (node_span(n ? 0 : level) - 1)) + 1;
	}
}
