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
 * What is taken out goes from its end, a bounded number of extents a transaction; a node that becomes
 * empty is freed with its last extent.  Keys in an index are not raised: no piece lies across one.
 */
#include "mapfs.h"

#include <string.h>

#define CUT_EXTENTS 20 /* a transaction */

/* A node on a path, root first; buf is NULL for the root. */
struct level {
	struct mapfs_extent *entry;
	uint32_t n, room, slot;
	struct mapfs_buf *buf;
};

struct path {
	struct level level[MAPFS_MAX_DEPTH + 1];
	uint32_t n;
	uint64_t end; /* the first file block that belongs to the next leaf */
};

static struct mapfs_extent_node *node_of(const struct mapfs_buf *buf)
{
	return buf->data;
}

static uint64_t entry_start(const struct mapfs_extent *e)
{
	return (uint64_t)e->start_high << 32 | e->start_low;
}

/* The last entry that begins at or before `logical`; 0 when none does. */
static uint32_t slot_for(const struct level *l, uint32_t logical)
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

static void root_level(struct mapfs_inode *inode, struct level *l)
{
	*l = (struct level){.entry = inode->root, .n = inode->n_root, .room = MAPFS_ROOT_EXTENTS};
}

/* The node below the slot of `above`, which has depth `depth`; pinned. */
static int child_level(
	struct mapfs_inode *inode, const struct level *above, uint32_t depth, struct level *l)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);
	uint64_t block = entry_start(&above->entry[above->slot]);
	struct mapfs_extent_node *node;
	int err;

	err = mapfs_buf_get(fs, block, MAPFS_KIND_EXTENTS, mapfs_ino(inode), &l->buf);
	if (err)
		return err;
	node = node_of(l->buf);
	if (node->depth != depth) {
		mapfs_buf_put(fs, l->buf);
		return mapfs_damaged(fs, "block", block, "is no node of its tree");
	}
	l->entry = node->entry;
	l->n = node->n;
	l->room = MAPFS_NODE_EXTENTS;
	return 0;
}

static void path_put(struct mapfs_inode *inode, struct path *path)
{
	while (path->n)
		mapfs_buf_put(mapfs_of(&inode->vnode), path->level[--path->n].buf);
}

/* From the root to the leaf for `logical`; the extent lock is held.  Nodes stay pinned. */
static int path_find(struct mapfs_inode *inode, uint32_t logical, struct path *path)
{
	struct level *l = &path->level[0];
	int err;

	path->end = MAPFS_MAX_FILE / MAPFS_BLOCK_BYTES;
	path->n = 1;
	root_level(inode, l);
	for (uint32_t depth = inode->depth;; depth--) {
		l->slot = slot_for(l, logical);
		if (depth == 0)
			return 0;
		if (l->slot + 1 < l->n)
			path->end = l->entry[l->slot + 1].logical;
		err = child_level(inode, l, depth - 1, l + 1);
		if (err) {
			path_put(inode, path);
			return err;
		}
		path->n++;
		l++;
	}
}

static struct level *leaf_of(struct path *path)
{
	return &path->level[path->n - 1];
}

/* --- Looking ----------------------------------------------------------------------------- */

static void find_in_leaf(
	const struct path *path, const struct level *leaf, uint32_t max, struct mapfs_piece *out)
{
	uint64_t hole_end = path->end;
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
	struct path path;
	int err = path_find(inode, logical, &path);

	if (err)
		return err;
	*out = (struct mapfs_piece){.logical = logical};
	find_in_leaf(&path, leaf_of(&path), max, out);
	path_put(inode, &path);
	return 0;
}

int mapfs_extent_goal(struct mapfs_inode *inode, uint32_t logical, uint64_t *goal)
{
	const struct level *leaf;
	struct mapfs_piece p;
	struct path path;
	int err = path_find(inode, logical, &path);

	if (err)
		return err;
	leaf = leaf_of(&path);
	*goal = mapfs_inode_goal(inode);
	if (leaf->n && leaf->entry[leaf->slot].logical <= logical) {
		mapfs_piece_decode(&leaf->entry[leaf->slot], &p);
		*goal = p.start + p.count;
	}
	path_put(inode, &path);
	return 0;
}

/* --- Adding ------------------------------------------------------------------------------ */

static bool joins(const struct mapfs_piece *a, const struct mapfs_piece *b)
{
	return a->logical + a->count == b->logical && a->start + a->count == b->start &&
	       a->unwritten == b->unwritten && a->count + b->count <= MAPFS_EXTENT_MAX;
}

/* Where in the leaf the piece goes, and which neighbours it joins. */
struct fit {
	uint32_t at; /* first entry behind it */
	bool before, after;
};

static struct fit fit_in(const struct level *leaf, const struct mapfs_piece *p)
{
	struct fit fit = {.at = 0};
	struct mapfs_piece other;

	if (leaf->n && leaf->entry[leaf->slot].logical <= p->logical)
		fit.at = leaf->slot + 1;
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

static int plan_nodes(struct mapfs_txn *txn, struct mapfs_inode *inode, const struct path *path,
	struct mapfs_map_plan *plan)
{
	int err = 0;

	if (inode->n_root == MAPFS_ROOT_EXTENTS && inode->depth == MAPFS_MAX_DEPTH)
		return -EFBIG;
	for (uint32_t i = 0; i < path->n && !err; i++)
		if (path->level[i].n == path->level[i].room)
			err = claim_node(txn, inode, plan);
	return err;
}

int mapfs_extent_needs(struct mapfs_inode *inode, const struct mapfs_piece *p, unsigned *n_nodes)
{
	struct path path;
	struct fit fit;
	int err;

	*n_nodes = 0;
	fsh_mutex_lock(&inode->extent_lock);
	err = path_find(inode, p->logical, &path);
	fsh_mutex_unlock(&inode->extent_lock);
	if (err)
		return err;
	fit = fit_in(leaf_of(&path), p);
	for (uint32_t i = 0; i < path.n && !fit.before && !fit.after; i++)
		*n_nodes += path.level[i].n == path.level[i].room;
	path_put(inode, &path);
	return 0;
}

int mapfs_extent_prepare(struct mapfs_txn *txn, struct mapfs_inode *inode,
	const struct mapfs_piece *p, struct mapfs_map_plan *plan)
{
	struct path path;
	struct fit fit;
	int err;

	plan->n_nodes = plan->n_used = 0;
	fsh_mutex_lock(&inode->extent_lock);
	err = path_find(inode, p->logical, &path);
	fsh_mutex_unlock(&inode->extent_lock);
	if (err)
		return err;
	fit = fit_in(leaf_of(&path), p);
	if (!fit.before && !fit.after)
		err = plan_nodes(txn, inode, &path, plan);
	for (uint32_t i = 1; i < path.n && !err; i++)
		mapfs_txn_pin(txn, mapfs_buf_ref(txn->fs, path.level[i].buf));
	path_put(inode, &path);
	return err;
}

void mapfs_extent_cancel(struct mapfs *fs, struct mapfs_map_plan *plan)
{
	while (plan->n_nodes)
		mapfs_unclaim(fs, plan->node_run[--plan->n_nodes]);
}

static void level_changed(struct mapfs_txn *txn, struct mapfs_inode *inode, struct level *l)
{
	if (!l->buf) {
		inode->n_root = (uint8_t)l->n;
		return;
	}
	node_of(l->buf)->n = (uint16_t)l->n;
	mapfs_txn_dirty(txn, l->buf);
}

static void entry_insert(struct level *l, uint32_t at, const struct mapfs_extent *e)
{
	memmove(&l->entry[at + 1], &l->entry[at], (l->n - at) * sizeof(*e));
	l->entry[at] = *e;
	l->n++;
}

static void entry_remove(struct level *l, uint32_t at)
{
	l->n--;
	memmove(&l->entry[at], &l->entry[at + 1], (l->n - at) * sizeof(l->entry[0]));
}

/* The next of the planned nodes, now in use. */
static struct level take_node(struct mapfs_txn *txn, struct mapfs_inode *inode,
	struct mapfs_map_plan *plan, uint32_t depth)
{
	struct mapfs_buf *buf = plan->node[plan->n_used];

	mapfs_publish(txn, plan->node_run[plan->n_used++]);
	node_of(buf)->depth = (uint16_t)depth;
	inode->n_blocks++;
	return (struct level){.entry = node_of(buf)->entry, .room = MAPFS_NODE_EXTENTS, .buf = buf};
}

static struct mapfs_extent index_entry(const struct level *l)
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
	struct level root, node = take_node(txn, inode, plan, inode->depth);

	root_level(inode, &root);
	memcpy(node.entry, root.entry, root.n * sizeof(root.entry[0]));
	node.n = root.n;
	root.entry[0] = index_entry(&node);
	root.n = 1;
	inode->depth++;
	level_changed(txn, inode, &node);
	level_changed(txn, inode, &root);
}

/* The upper half of `l` moves into a new node behind it; `above` points to both. */
static void split(struct mapfs_txn *txn, struct mapfs_inode *inode, struct mapfs_map_plan *plan,
	struct level *above, struct level *l)
{
	struct level right = take_node(txn, inode, plan, node_of(l->buf)->depth);
	struct mapfs_extent e;

	right.n = l->n / 2;
	l->n -= right.n;
	memcpy(right.entry, &l->entry[l->n], right.n * sizeof(l->entry[0]));
	e = index_entry(&right);
	entry_insert(above, above->slot + 1, &e);
	level_changed(txn, inode, &right);
	level_changed(txn, inode, l);
	level_changed(txn, inode, above);
}

/* The path again, with room in every node of it.  Its nodes are cached: they are pinned. */
static void make_room(struct mapfs_txn *txn, struct mapfs_inode *inode, uint32_t logical,
	struct mapfs_map_plan *plan, struct path *path)
{
	if (inode->n_root == MAPFS_ROOT_EXTENTS)
		push_root_down(txn, inode, plan);
	for (uint32_t i = 1; i <= inode->depth; i++) {
		int err = path_find(inode, logical, path);
		fsh_assert(!err);
		if (path->level[i].n == path->level[i].room)
			split(txn, inode, plan, &path->level[i - 1], &path->level[i]);
		path_put(inode, path);
	}
}

/* The piece lies before everything in its leaf: the index entries above say so too. */
static void lower_keys(
	struct mapfs_txn *txn, struct mapfs_inode *inode, struct path *path, uint32_t logical)
{
	for (uint32_t i = 0; i + 1 < path->n; i++) {
		struct level *l = &path->level[i];
		if (l->entry[l->slot].logical <= logical)
			continue;
		l->entry[l->slot].logical = logical;
		level_changed(txn, inode, l);
	}
}

static void join_or_add(struct level *leaf, const struct mapfs_piece *p)
{
	struct fit fit = fit_in(leaf, p);
	struct mapfs_piece whole = *p, other;
	struct mapfs_extent e;

	if (fit.after) {
		mapfs_piece_decode(&leaf->entry[fit.at], &other);
		whole.count += other.count;
		entry_remove(leaf, fit.at);
	}
	if (fit.before) {
		mapfs_piece_decode(&leaf->entry[fit.at - 1], &other);
		if (other.count + whole.count <= MAPFS_EXTENT_MAX) {
			whole.logical = other.logical;
			whole.start = other.start;
			whole.count += other.count;
			entry_remove(leaf, --fit.at);
		}
	}
	mapfs_piece_encode(&whole, &e);
	entry_insert(leaf, fit.at, &e);
}

void mapfs_extent_insert(struct mapfs_txn *txn, struct mapfs_inode *inode,
	const struct mapfs_piece *p, struct mapfs_map_plan *plan)
{
	struct path path;
	int err;

	if (plan->n_nodes)
		make_room(txn, inode, p->logical, plan, &path);
	err = path_find(inode, p->logical, &path);
	fsh_assert(!err && plan->n_used == plan->n_nodes);
	join_or_add(leaf_of(&path), p);
	level_changed(txn, inode, leaf_of(&path));
	lower_keys(txn, inode, &path, p->logical);
	path_put(inode, &path);
	inode->n_blocks += p->count;
}

/* --- Taking out -------------------------------------------------------------------------- */

static int cut_add(
	struct mapfs_txn *txn, uint64_t start, uint32_t count, bool metadata, struct mapfs_cut *cut)
{
	struct mapfs_run *run;
	int err = mapfs_free_prepare(txn->fs, MAPFS_BLOCKS, start, count, &run);

	if (err)
		return err;
	mapfs_txn_pin_map(txn, run);
	run->metadata = metadata;
	run->next = cut->runs;
	cut->runs = run;
	return 0;
}

/* Nodes of the path that will be empty, from the leaf up, are freed too. */
static int cut_nodes(struct mapfs_txn *txn, const struct path *path, struct mapfs_cut *cut)
{
	int err = 0;

	for (uint32_t i = path->n - 1; i > 0 && !err; i--) {
		if (i == path->n - 1 ? cut->n_entries < path->level[i].n : path->level[i].n > 1)
			break;
		err = cut_add(txn, path->level[i].buf->block, 1, true, cut);
		cut->n_nodes++;
	}
	return err;
}

/* A piece of which [from, to) goes and something behind that stays: what stays, and where. */
static void cut_before_end(
	const struct mapfs_piece *p, uint32_t from, uint32_t to, struct mapfs_cut *cut)
{
	uint32_t off = to - p->logical;

	cut->rest = (struct mapfs_piece){to, p->count - off, p->start + off, p->unwritten};
	cut->keep = from - p->logical;
}

/* Nothing below `logical` is in this leaf: where the one before it ends, or 0. */
static uint64_t leaf_begin(const struct path *path)
{
	const struct level *above;

	if (path->n < 2)
		return 0;
	above = &path->level[path->n - 2];
	return above->entry[above->slot].logical;
}

/*
 * What the leaf has of [first, past), from its end on: entries that go wholly, until there are
 * enough, or one of which something stays.  cut->past is then the end of what may be left.
 */
static int cut_leaf(struct mapfs_txn *txn, const struct mapfs_inode *inode, const struct path *path,
	uint32_t first, struct mapfs_cut *cut)
{
	const struct level *leaf = &path->level[path->n - 1];
	uint32_t i = leaf->n ? leaf->slot + 1 : 0;
	uint64_t past = cut->past;
	struct mapfs_piece p;
	int err = 0;

	while (i > 0 && cut->n_entries < CUT_EXTENTS && !err) {
		uint64_t end, from, to;

		mapfs_piece_decode(&leaf->entry[--i], &p);
		end = (uint64_t)p.logical + p.count;
		from = first > p.logical ? first : p.logical;
		to = past < end ? past : end;
		if (p.logical >= past)
			break;
		cut->past = from;
		if (from >= to)
			return 0;
		err = cut_add(txn, p.start + (from - p.logical), (uint32_t)(to - from),
			!vnode_is(&inode->vnode, FS_IFREG), cut);
		if (to < end)
			cut_before_end(&p, (uint32_t)from, (uint32_t)to, cut);
		else
			cut->keep = (uint32_t)(from - p.logical);
		if (cut->keep || to < end)
			return err;
		cut->n_entries++;
	}
	if (i == 0 && leaf_begin(path) < cut->past)
		cut->past = leaf_begin(path);
	return err ? err : cut_nodes(txn, path, cut);
}

int mapfs_extent_cut_prepare(struct mapfs_txn *txn, struct mapfs_inode *inode, uint32_t first,
	uint64_t past, struct mapfs_cut *cut)
{
	struct path path;
	int err;

	*cut = (struct mapfs_cut){.last = (uint32_t)(past - 1), .past = past};
	fsh_mutex_lock(&inode->extent_lock);
	err = path_find(inode, cut->last, &path);
	fsh_mutex_unlock(&inode->extent_lock);
	if (err)
		return err;
	err = cut_leaf(txn, inode, &path, first, cut);
	for (uint32_t i = 1; i < path.n; i++)
		mapfs_txn_pin(txn, mapfs_buf_ref(txn->fs, path.level[i].buf));
	cut->more = cut->past > first && cut->past < past;
	path_put(inode, &path);
	if (err)
		mapfs_extent_cut_cancel(txn->fs, cut);
	return err;
}

void mapfs_extent_cut_cancel(struct mapfs *fs, struct mapfs_cut *cut)
{
	struct mapfs_run *next;

	for (; cut->runs; cut->runs = next) {
		next = cut->runs->next;
		mapfs_free_cancel(fs, cut->runs);
	}
}

/* Take the entry of the empty nodes' topmost one out of what is above. */
static void unlink_nodes(
	struct mapfs_txn *txn, struct mapfs_inode *inode, struct path *path, uint32_t n_nodes)
{
	struct level *above = &path->level[path->n - 1 - n_nodes];

	entry_remove(above, above->slot);
	level_changed(txn, inode, above);
	if (inode->n_root == 0)
		inode->depth = 0;
}

/* The entries of the leaf, as the cut leaves them; but for the rest of a piece in two. */
static void cut_entries(struct level *leaf, const struct mapfs_cut *cut)
{
	uint32_t at = leaf->slot;
	struct mapfs_piece p;

	for (uint32_t i = 0; i < cut->n_entries; i++)
		entry_remove(leaf, at--);
	if (cut->keep) {
		mapfs_piece_decode(&leaf->entry[at], &p);
		p.count = cut->keep;
		mapfs_piece_encode(&p, &leaf->entry[at]);
	} else if (cut->rest.count) {
		mapfs_piece_encode(&cut->rest, &leaf->entry[at]);
	}
}

void mapfs_extent_cut(struct mapfs_txn *txn, struct mapfs_inode *inode, struct mapfs_cut *cut)
{
	struct mapfs_run *next;
	struct level *leaf;
	struct path path;
	int err = path_find(inode, cut->last, &path);

	fsh_assert(!err);
	leaf = leaf_of(&path);
	cut_entries(leaf, cut);
	level_changed(txn, inode, leaf);
	if (cut->n_nodes)
		unlink_nodes(txn, inode, &path, cut->n_nodes);
	path_put(inode, &path);
	for (; cut->runs; cut->runs = next) {
		next = cut->runs->next;
		inode->n_blocks -= cut->runs->count;
		mapfs_free(txn, cut->runs);
	}
}
