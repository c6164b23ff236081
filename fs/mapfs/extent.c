// SPDX-License-Identifier: MIT
/*
 * The block map of a file: a B+-tree of extents whose root is in the inode.
 *
 *	inode: depth 1   [ 0 | 5000 | 9000 ]            up to 14 entries, lowest block below
 *	                   |      \      \
 *	nodes: depth 0   [0..] [5000..] [9000..]        up to 338 extents each
 *
 * A small file has depth 0: its extents are in the inode.  When the root is full its entries move
 * to a node of their own and the root points to that; a full node is split in two halves.  Splits
 * are done on the way down, so the parent of a node that splits always has room.  Extents that
 * touch are joined when they are in one node.
 *
 * Two locks.  map_lock is for whoever changes the map, from gathering (which finds the path, pins
 * it, and claims the nodes that splits will need) to the end of the transaction; it is taken
 * before the transaction begins and no page is waited for under it.  extent_lock is for the
 * moment: the change itself, and every look.
 *
 * Unwritten extents have room to come apart.  A store into the middle of one makes three of it, and
 * that must not want a block for a node: fallocate() has promised that stores find room, on a full
 * disk and after any number of mounts.  So an unwritten extent counts as many entries as it has
 * blocks, the most that it can ever become, and is at most MAPFS_UNWRITTEN_MAX long; a node is full
 * when the sum of these weights is its room.  Then, whatever is written in whatever order, the
 * weight of a leaf does not grow (k blocks of n: 1 + (n - k) <= n), so there is never more than
 * fits, and what a promise has to be, the nodes for it, was claimed when the extent was added.
 * This costs a node for some 160 to 320 blocks.  Nothing of it is remembered anywhere, and fsck can
 * check it in each leaf by itself.
 *
 * The halves of a node that is split by weight have room for 64 entries more: an extent that counts
 * at most 64 stands between them.  reserve.c counts on that.
 *
 * Ranges.  What a node has lies in the range that the index above gives it: from its key (the first
 * child's begins where the index's own range does, whatever its key says) to the next one's.  That
 * is checked whatever way a node is reached, so no damage can mislead a change: one file block has
 * one leaf, and a full leaf spans as many file blocks as it weighs, which is the other thing that
 * reserve.c counts on.
 */
#include "extent.h"

#include <string.h>

static struct mapfs_extent_node *node_of(const struct mapfs_buf *buf)
{
	return buf->data;
}

static uint64_t entry_start(const struct mapfs_extent *e)
{
	return (uint64_t)e->start_high << 32 | e->start_low;
}

/* The last entry that begins at or before `logical`; 0 when none does. */
static uint32_t slot_for(const struct mapfs_level *l, uint32_t logical)
{
	uint32_t low = 0, high = l->n;

	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;
		if (l->entry[middle].logical <= logical)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void root_level(struct mapfs_inode *inode, struct mapfs_level *l)
{
	*l = (struct mapfs_level){
		.entry = inode->root, .n = inode->n_root, .room = MAPFS_ROOT_EXTENTS};
}

/*
 * Entries are sorted and disjoint: the first and the last one say it of all.  A node without any is
 * one that the transaction under way has just made.
 */
static bool lies_in(const struct mapfs_extent_node *node, struct mapfs_range range)
{
	struct mapfs_piece last;

	if (node->n == 0)
		return true;
	mapfs_piece_decode(&node->entry[node->n - 1], &last);
	return node->entry[0].logical >= range.from && last.logical < range.to &&
	       (uint64_t)last.logical + last.count <= range.to;
}

static const char *place_fault(
	const struct mapfs_extent_node *node, uint32_t depth, struct mapfs_range range)
{
	if (node->depth != depth)
		return "is no node of its tree";
	return lies_in(node, range) ? NULL : "has keys of another part of its tree";
}

/* The node below the slot of `above`, which has this depth and range; pinned. */
static int child_level(struct mapfs_inode *inode, const struct mapfs_level *above, uint32_t depth,
	struct mapfs_range range, struct mapfs_level *l)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);
	uint64_t block = entry_start(&above->entry[above->slot]);
	struct mapfs_extent_node *node;
	const char *fault;
	int err;

	err = mapfs_buf_get(fs, block, MAPFS_KIND_EXTENTS, mapfs_ino(inode), &l->buf);
	if (err)
		return err;
	node = node_of(l->buf);
	fault = place_fault(node, depth, range);
	if (fault) {
		mapfs_buf_put(fs, l->buf);
		return mapfs_damaged(fs, "block", block, fault);
	}
	l->entry = node->entry;
	l->n = node->n;
	l->room = MAPFS_NODE_EXTENTS;
	return 0;
}

void mapfs_path_put(struct mapfs_inode *inode, struct mapfs_path *path)
{
	while (path->n)
		mapfs_buf_put(mapfs_of(&inode->vnode), path->level[--path->n].buf);
}

int mapfs_path_find(struct mapfs_inode *inode, uint32_t logical, struct mapfs_path *path)
{
	struct mapfs_level *l = &path->level[0];
	int err;

	path->range = (struct mapfs_range){0, MAPFS_FILE_BLOCKS};
	path->n = 1;
	root_level(inode, l);
	for (uint32_t depth = inode->depth;; depth--) {
		l->slot = slot_for(l, logical);
		if (depth == 0)
			return 0;
		if (l->slot > 0)
			path->range.from = l->entry[l->slot].logical;
		if (l->slot + 1 < l->n)
			path->range.to = l->entry[l->slot + 1].logical;
		err = child_level(inode, l, depth - 1, path->range, l + 1);
		if (err) {
			mapfs_path_put(inode, path);
			return err;
		}
		path->n++;
		l++;
	}
}

void mapfs_path_pin(struct mapfs_txn *txn, struct mapfs_path *path)
{
	for (uint32_t i = 1; i < path->n; i++)
		mapfs_txn_pin(txn, mapfs_buf_ref(txn->fs, path->level[i].buf));
}

/* --- Looking ----------------------------------------------------------------------------- */

static void find_in_leaf(const struct mapfs_path *path, const struct mapfs_level *leaf,
	uint32_t max, struct mapfs_piece *out)
{
	uint64_t hole_end = path->range.to;
	struct mapfs_piece p;

	for (uint32_t i = leaf->slot; i < leaf->n; i++) {
		mapfs_piece_decode(&leaf->entry[i], &p);
		if (p.logical > out->logical) {
			hole_end = p.logical;
			break;
		}
		if (out->logical - p.logical < p.count) {
			out->start = p.start + (out->logical - p.logical);
			out->unwritten = p.unwritten;
			hole_end = (uint64_t)p.logical + p.count;
			break;
		}
	}
	out->count = hole_end - out->logical < max ? (uint32_t)(hole_end - out->logical) : max;
}

int mapfs_extent_find(
	struct mapfs_inode *inode, uint32_t logical, uint32_t max, struct mapfs_piece *out)
{
	struct mapfs_path path;
	int err = mapfs_path_find(inode, logical, &path);

	if (err)
		return err;
	*out = (struct mapfs_piece){.logical = logical};
	find_in_leaf(&path, mapfs_leaf_of(&path), max, out);
	mapfs_path_put(inode, &path);
	return 0;
}

int mapfs_extent_goal(struct mapfs_inode *inode, uint32_t logical, uint64_t *goal)
{
	const struct mapfs_level *leaf;
	struct mapfs_piece p;
	struct mapfs_path path;
	int err = mapfs_path_find(inode, logical, &path);

	if (err)
		return err;
	leaf = mapfs_leaf_of(&path);
	*goal = mapfs_inode_goal(inode);
	if (leaf->n && leaf->entry[leaf->slot].logical <= logical) {
		mapfs_piece_decode(&leaf->entry[leaf->slot], &p);
		*goal = p.start + p.count;
	}
	mapfs_path_put(inode, &path);
	return 0;
}

/* --- Adding ------------------------------------------------------------------------------ */

static uint32_t weight_of(const struct mapfs_level *l)
{
	uint32_t weight = 0;

	for (uint32_t i = 0; i < l->n; i++)
		weight += mapfs_extent_weight(&l->entry[i]);
	return weight;
}

static bool lacks_room(const struct mapfs_level *l, uint32_t more)
{
	return weight_of(l) + more > l->room;
}

/* As one piece they would not be too long. */
static bool fit_together(const struct mapfs_piece *a, const struct mapfs_piece *b)
{
	return a->count + b->count <= (a->unwritten ? MAPFS_UNWRITTEN_MAX : MAPFS_EXTENT_MAX);
}

static bool joins(const struct mapfs_piece *a, const struct mapfs_piece *b)
{
	return a->logical + a->count == b->logical && a->start + a->count == b->start &&
	       a->unwritten == b->unwritten && fit_together(a, b);
}

/* Where in the leaf the piece goes, and which neighbours it joins. */
struct fit {
	uint32_t at; /* first entry behind it */
	bool before, after;
};

static struct fit fit_in(const struct mapfs_level *leaf, const struct mapfs_piece *p)
{
	struct fit fit = {.at = slot_for(leaf, p->logical)};
	struct mapfs_piece other;

	if (leaf->n && leaf->entry[fit.at].logical <= p->logical)
		fit.at++;
	if (fit.at > 0) {
		mapfs_piece_decode(&leaf->entry[fit.at - 1], &other);
		fit.before = joins(&other, p);
	}
	if (fit.at < leaf->n) {
		mapfs_piece_decode(&leaf->entry[fit.at], &other);
		fit.after = joins(p, &other);
	}
	return fit;
}

/* A block for a node, out of the caller's reservation; the node is empty. */
static int claim_node(struct mapfs_txn *txn, struct mapfs_inode *inode, struct mapfs_map_plan *plan)
{
	struct mapfs_run *run;
	int err = mapfs_claim(txn->fs, MAPFS_BLOCKS, mapfs_inode_goal(inode), 1, &run);

	if (err)
		return err;
	plan->node_run[plan->n_nodes++] = run;
	mapfs_txn_pin_map(txn, run);
	err = mapfs_buf_new(txn->fs, run->start, MAPFS_KIND_EXTENTS, mapfs_ino(inode),
		&plan->node[plan->n_nodes - 1]);
	if (!err)
		mapfs_txn_pin(txn, plan->node[plan->n_nodes - 1]);
	return err;
}

/* What the leaf has to have room for: 0 when a written piece joins what is there. */
static uint32_t weight_to_add(const struct mapfs_level *leaf, const struct mapfs_piece *p)
{
	struct fit fit = fit_in(leaf, p);

	if (p->unwritten)
		return p->count;
	return fit.before || fit.after ? 0 : 1;
}

/* Is the i-th node of the path to be split (the root: moved down) to add that? */
static bool splits(const struct mapfs_path *path, uint32_t i, uint32_t weight)
{
	return weight && lacks_room(&path->level[i], i == path->n - 1 ? weight : 1);
}

static int plan_nodes(struct mapfs_txn *txn, struct mapfs_inode *inode, struct mapfs_path *path,
	const struct mapfs_piece *p, struct mapfs_map_plan *plan)
{
	int err = 0;

	plan->weight = weight_to_add(mapfs_leaf_of(path), p);
	if (inode->depth == MAPFS_MAX_DEPTH && splits(path, 0, plan->weight))
		return -EFBIG;
	for (uint32_t i = 0; i < path->n && !err; i++)
		if (splits(path, i, plan->weight))
			err = claim_node(txn, inode, plan);
	return err;
}

int mapfs_extent_needs(struct mapfs_inode *inode, const struct mapfs_piece *p, unsigned *n_nodes)
{
	struct mapfs_path path;
	uint32_t weight;
	int err;

	*n_nodes = 0;
	fsh_mutex_lock(&inode->extent_lock);
	err = mapfs_path_find(inode, p->logical, &path);
	fsh_mutex_unlock(&inode->extent_lock);
	if (err)
		return err;
	weight = weight_to_add(mapfs_leaf_of(&path), p);
	for (uint32_t i = 0; i < path.n; i++)
		*n_nodes += splits(&path, i, weight);
	mapfs_path_put(inode, &path);
	return 0;
}

int mapfs_extent_prepare(struct mapfs_txn *txn, struct mapfs_inode *inode,
	const struct mapfs_piece *p, struct mapfs_map_plan *plan)
{
	struct mapfs_path path;
	int err;

	plan->n_nodes = plan->n_used = 0;
	fsh_mutex_lock(&inode->extent_lock);
	err = mapfs_path_find(inode, p->logical, &path);
	fsh_mutex_unlock(&inode->extent_lock);
	if (err)
		return err;
	err = plan_nodes(txn, inode, &path, p, plan);
	if (!err)
		mapfs_path_pin(txn, &path);
	mapfs_path_put(inode, &path);
	return err;
}

void mapfs_extent_cancel(struct mapfs *fs, struct mapfs_map_plan *plan)
{
	while (plan->n_nodes)
		mapfs_unclaim(fs, plan->node_run[--plan->n_nodes]);
}

void mapfs_level_changed(
	struct mapfs_txn *txn, struct mapfs_inode *inode, const struct mapfs_level *l)
{
	if (!l->buf) {
		inode->n_root = (uint8_t)l->n;
		return;
	}
	node_of(l->buf)->n = (uint16_t)l->n;
	mapfs_txn_dirty(txn, l->buf);
}

static void entry_insert(struct mapfs_level *l, uint32_t at, const struct mapfs_extent *e)
{
	memmove(&l->entry[at + 1], &l->entry[at], (l->n - at) * sizeof(*e));
	l->entry[at] = *e;
	l->n++;
}

void mapfs_entry_remove(struct mapfs_level *l, uint32_t at)
{
	l->n--;
	memmove(&l->entry[at], &l->entry[at + 1], (l->n - at) * sizeof(l->entry[0]));
}

/* The next of the planned nodes, now in use. */
static struct mapfs_level take_node(struct mapfs_txn *txn, struct mapfs_inode *inode,
	struct mapfs_map_plan *plan, uint32_t depth)
{
	struct mapfs_buf *buf = plan->node[plan->n_used];

	mapfs_publish(txn, plan->node_run[plan->n_used++]);
	node_of(buf)->depth = (uint16_t)depth;
	inode->n_blocks++;
	return (struct mapfs_level){
		.entry = node_of(buf)->entry, .room = MAPFS_NODE_EXTENTS, .buf = buf};
}

static struct mapfs_extent index_entry(const struct mapfs_level *l)
{
	struct mapfs_piece p = {l->entry[0].logical, 0, l->buf->block, false};
	struct mapfs_extent e;

	mapfs_piece_encode(&p, &e);
	return e;
}

/* The root's entries move into a node, to which it then points. */
static void push_root_down(
	struct mapfs_txn *txn, struct mapfs_inode *inode, struct mapfs_map_plan *plan)
{
	struct mapfs_level root, node = take_node(txn, inode, plan, inode->depth);

	root_level(inode, &root);
	memcpy(node.entry, root.entry, root.n * sizeof(root.entry[0]));
	node.n = root.n;
	root.entry[0] = index_entry(&node);
	root.n = 1;
	inode->depth++;
	mapfs_level_changed(txn, inode, &node);
	mapfs_level_changed(txn, inode, &root);
}

/* How many entries come first that weigh half of all, or a little less. */
static uint32_t lower_half(const struct mapfs_level *l)
{
	uint32_t half = (weight_of(l) + 1) / 2, weight = 0, n = 0;

	for (; n < l->n; n++) {
		weight += mapfs_extent_weight(&l->entry[n]);
		if (weight > half)
			break;
	}
	return n;
}

/* The upper half of `l` moves into a new node behind it; `above` points to both. */
static void split(struct mapfs_txn *txn, struct mapfs_inode *inode, struct mapfs_map_plan *plan,
	struct mapfs_level *above, struct mapfs_level *l)
{
	struct mapfs_level right = take_node(txn, inode, plan, node_of(l->buf)->depth);
	struct mapfs_extent e;

	right.n = l->n - lower_half(l);
	l->n -= right.n;
	memcpy(right.entry, &l->entry[l->n], right.n * sizeof(l->entry[0]));
	e = index_entry(&right);
	entry_insert(above, above->slot + 1, &e);
	mapfs_level_changed(txn, inode, &right);
	mapfs_level_changed(txn, inode, l);
	mapfs_level_changed(txn, inode, above);
}

/* The path again, with room in every node of it.  Its nodes are cached: they are pinned. */
static void make_room(struct mapfs_txn *txn, struct mapfs_inode *inode, uint32_t logical,
	struct mapfs_map_plan *plan, struct mapfs_path *path)
{
	int err = mapfs_path_find(inode, logical, path);

	fsh_assert(!err);
	if (splits(path, 0, plan->weight))
		push_root_down(txn, inode, plan);
	mapfs_path_put(inode, path);
	for (uint32_t i = 1; i <= inode->depth; i++) {
		err = mapfs_path_find(inode, logical, path);
		fsh_assert(!err);
		if (splits(path, i, plan->weight))
			split(txn, inode, plan, &path->level[i - 1], &path->level[i]);
		mapfs_path_put(inode, path);
	}
}

/* The piece lies before everything in its leaf: the index entries above say so too. */
static void lower_keys(
	struct mapfs_txn *txn, struct mapfs_inode *inode, struct mapfs_path *path, uint32_t logical)
{
	for (uint32_t i = 0; i + 1 < path->n; i++) {
		struct mapfs_level *l = &path->level[i];
		if (l->entry[l->slot].logical <= logical)
			continue;
		l->entry[l->slot].logical = logical;
		mapfs_level_changed(txn, inode, l);
	}
}

static void join_or_add(struct mapfs_level *leaf, const struct mapfs_piece *p)
{
	struct fit fit = fit_in(leaf, p);
	struct mapfs_piece whole = *p, other;
	struct mapfs_extent e;

	if (fit.after) {
		mapfs_piece_decode(&leaf->entry[fit.at], &other);
		whole.count += other.count;
		mapfs_entry_remove(leaf, fit.at);
	}
	if (fit.before) {
		mapfs_piece_decode(&leaf->entry[fit.at - 1], &other);
		if (fit_together(&other, &whole)) {
			whole.logical = other.logical;
			whole.start = other.start;
			whole.count += other.count;
			mapfs_entry_remove(leaf, --fit.at);
		}
	}
	mapfs_piece_encode(&whole, &e);
	entry_insert(leaf, fit.at, &e);
}

void mapfs_extent_insert(struct mapfs_txn *txn, struct mapfs_inode *inode,
	const struct mapfs_piece *p, struct mapfs_map_plan *plan)
{
	struct mapfs_path path;
	int err;

	if (plan->n_nodes)
		make_room(txn, inode, p->logical, plan, &path);
	err = mapfs_path_find(inode, p->logical, &path);
	fsh_assert(!err && plan->n_used == plan->n_nodes);
	join_or_add(mapfs_leaf_of(&path), p);
	mapfs_level_changed(txn, inode, mapfs_leaf_of(&path));
	lower_keys(txn, inode, &path, p->logical);
	mapfs_path_put(inode, &path);
	inode->n_blocks += p->count;
}

/* --- Unwritten pieces -------------------------------------------------------------------- */

int mapfs_extent_pin(struct mapfs_txn *txn, struct mapfs_inode *inode, uint32_t logical)
{
	struct mapfs_path path;
	int err;

	fsh_mutex_lock(&inode->extent_lock);
	err = mapfs_path_find(inode, logical, &path);
	fsh_mutex_unlock(&inode->extent_lock);
	if (err)
		return err;
	mapfs_path_pin(txn, &path);
	mapfs_path_put(inode, &path);
	return 0;
}

void mapfs_extent_written(
	struct mapfs_txn *txn, struct mapfs_inode *inode, const struct mapfs_piece *p)
{
	struct mapfs_piece old, part = *p;
	struct mapfs_level *leaf;
	struct mapfs_path path;
	int err = mapfs_path_find(inode, p->logical, &path);

	fsh_assert(!err);
	leaf = mapfs_leaf_of(&path);
	mapfs_piece_decode(&leaf->entry[leaf->slot], &old);
	mapfs_entry_remove(leaf, leaf->slot);
	part.unwritten = false;
	join_or_add(leaf, &part);
	part = old;
	part.count = p->logical - old.logical;
	if (part.count)
		join_or_add(leaf, &part);
	part.logical = p->logical + p->count;
	part.start = p->start + p->count;
	part.count = old.logical + old.count - part.logical;
	if (part.count)
		join_or_add(leaf, &part);
	mapfs_level_changed(txn, inode, leaf);
	mapfs_path_put(inode, &path);
}
