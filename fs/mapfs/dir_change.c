// SPDX-License-Identifier: MIT
/*
 * Changes of a directory's tree: a name comes, a name goes, a name stands for something else.
 *
 * Coming.  The leaf for the name's key may be full: then it splits, its parent takes one record
 * more and may be full, too, and so on up.  If that reaches the root, what the root has moves into
 * a new node, of which it becomes the only parent; so the root's block stays, and the inode's
 * extent with it.  A node that splits has at least half of its bytes less, so the record fits on
 * either side: one split a level, and MAPFS_DIR_MAX_DEPTH + 2 new nodes at most.
 *
 * Going.  A node that becomes empty is freed, and its parent loses a record.  One that is less than
 * a quarter full merges with the next node under the same parent (or the last one with the one
 * before), when both fit into three quarters, so that a split is not undone soon; that is what
 * makes a directory that was large small again.  A root with one child takes in what that has.
 * Merging is a favour: when the neighbour cannot be read, it is left out.
 *
 * Credits, at a depth of 4, with d = MAPFS_DIR_MAX_DEPTH:
 *
 *	coming   the path: d + 1; new nodes and their bitmaps: 2 (d + 2)              17
 *	going    the path: d + 1; neighbours and bitmaps: 2 d; the root's child: 2    15
 *	rename   both, four inodes and the list of orphans                            37
 *
 * of MAPFS_TXN_PINS.  Blocks are reserved before that: exactly as many as will be used, because the
 * directory is locked from the count to the change.  Going needs none, and so works on a full disk.
 *
 * In a rename both may concern one tree: then the name goes last, from a tree that is not what it
 * was when its end was prepared.  A node that splits was full, hence is not one that was to go; a
 * node that was to go may have got the new name, and stays.  So what goes is decided by what is
 * there, and a merge only happens if both nodes are still neighbours.
 */
#include "dir.h"

#include <string.h>

#define CHILD_BYTES ((unsigned)sizeof(struct mapfs_dir_child))
#define FEW_BYTES   (MAPFS_DIR_NODE_BYTES / 4)
#define MANY_BYTES  (MAPFS_DIR_NODE_BYTES * 3 / 4)

/* Where the end of a root's child is in a change: no other node of its depth has one. */
#define ROOT_END MAPFS_DIR_MAX_DEPTH

static void pin_path(struct mapfs_txn *txn, const struct mapfs_dir_path *path)
{
	for (unsigned i = 0; i < path->n; i++)
		mapfs_txn_pin(txn, mapfs_buf_ref(txn->fs, path->buf[i]));
}

/* The path to a key again: all of it is pinned. */
static void path_again(struct mapfs_inode *dir, uint64_t key, struct mapfs_dir_path *path)
{
	int err = mapfs_dir_path_find(dir, key, path);

	fsh_assert(!err);
}

static struct mapfs_dir_node *leaf_of(const struct mapfs_dir_path *path)
{
	return mapfs_dir_level(path, path->n - 1);
}

/* Nodes came or went. */
static void count_nodes(struct mapfs_inode *dir, int by)
{
	fsh_mutex_lock(&dir->extent_lock);
	dir->n_blocks += (uint64_t)(int64_t)by;
	fs_write(dir->vnode.size_bytes, dir->n_blocks * MAPFS_BLOCK_BYTES);
	fsh_mutex_unlock(&dir->extent_lock);
}

void mapfs_dir_cancel(struct mapfs *fs, struct mapfs_dir_change *change)
{
	while (change->n_nodes > change->n_used) {
		mapfs_unclaim(fs, change->node_run[--change->n_nodes]);
		change->reserved++;
	}
	mapfs_unreserve(fs, change->reserved);
	change->reserved = 0;
	for (unsigned i = 0; i < MAPFS_DIR_LEVELS; i++) {
		if (change->end[i].run)
			mapfs_free_cancel(fs, change->end[i].run);
		change->end[i].run = NULL;
	}
}

/* --- Coming ------------------------------------------------------------------------------ */

/* The smallest key of the name's hash that no entry has. */
static int free_key(struct mapfs_inode *dir, const struct fs_name *name, uint64_t *key)
{
	uint64_t hash = mapfs_name_hash(&mapfs_of(&dir->vnode)->sb, name->text, name->bytes);
	const struct mapfs_dirent *e;
	struct mapfs_dir_walk walk;
	int err;

	*key = mapfs_dir_key(hash, 0);
	mapfs_dir_walk_begin(&walk, dir, *key);
	while (!(err = mapfs_dir_walk_next(&walk, &e)) && e && e->key == *key)
		++*key;
	mapfs_dir_walk_end(&walk);
	return !err && mapfs_dir_hash(*key) != hash ? -ENOSPC : err;
}

/* How many nodes are needed for a record more in the leaf? */
static unsigned nodes_needed(const struct mapfs_dir_path *path, unsigned bytes)
{
	unsigned level = path->n, n = 0;

	while (level > 0 && !mapfs_dir_has_room(mapfs_dir_level(path, level - 1), bytes)) {
		bytes = CHILD_BYTES;
		level--;
		n++;
	}
	return level == 0 ? n + 1 : n;
}

static int claim_nodes(struct mapfs_txn *txn, struct mapfs_inode *dir, unsigned n, uint64_t goal,
	struct mapfs_dir_change *change)
{
	int err = mapfs_reserve_wait(txn->fs, n);

	if (err)
		return err;
	for (change->reserved = n; change->reserved && !err;) {
		struct mapfs_run *run;
		unsigned i = change->n_nodes;
		err = mapfs_claim(txn->fs, MAPFS_BLOCKS, goal, 1, &run);
		if (err)
			break;
		change->reserved--;
		change->node_run[change->n_nodes++] = run;
		mapfs_txn_pin_map(txn, run);
		err = mapfs_buf_new(
			txn->fs, run->start, MAPFS_KIND_DIR, mapfs_ino(dir), &change->node[i]);
		if (!err)
			mapfs_txn_pin(txn, change->node[i]);
		goal = run->start + 1;
	}
	return err;
}

static int prepare_splits(struct mapfs_txn *txn, struct mapfs_inode *dir, unsigned bytes,
	struct mapfs_dir_change *change)
{
	struct mapfs_dir_path path;
	unsigned n;
	int err = mapfs_dir_path_find(dir, change->key, &path);

	if (err)
		return err;
	n = nodes_needed(&path, bytes);
	if (n > path.n && mapfs_dir_level(&path, 0)->depth == MAPFS_DIR_MAX_DEPTH)
		err = -ENOSPC;
	pin_path(txn, &path);
	if (!err && n)
		err = claim_nodes(txn, dir, n, path.buf[path.n - 1]->block + 1, change);
	mapfs_dir_path_put(dir, &path);
	return err;
}

int mapfs_dir_add_prepare(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct fs_name *name, struct mapfs_dir_change *change)
{
	int err = free_key(dir, name, &change->key);

	if (err)
		return err;
	if (!dir->n_root)
		return claim_nodes(txn, dir, 1, mapfs_inode_goal(dir), change);
	return prepare_splits(txn, dir, MAPFS_DIRENT_BYTES(name->bytes), change);
}

/* The next of the claimed nodes, now in use; empty. */
static struct mapfs_buf *take_node(struct mapfs_txn *txn, struct mapfs_dir_change *change)
{
	unsigned i = change->n_used++;

	fsh_assert(i < change->n_nodes);
	mapfs_publish(txn, change->node_run[i]);
	mapfs_txn_dirty(txn, change->node[i]);
	return change->node[i];
}

/* The first node of all is the root. */
static void make_root(
	struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_dir_change *change)
{
	struct mapfs_piece p = {0, 1, take_node(txn, change)->block, false};
	struct mapfs_map_plan no_nodes = {0}; /* the first extent is in the inode */

	fsh_mutex_lock(&dir->extent_lock);
	mapfs_extent_insert(txn, dir, &p, &no_nodes);
	fsh_mutex_unlock(&dir->extent_lock);
	count_nodes(dir, 0);
}

static void add_child(
	struct mapfs_dir_node *above, unsigned at, uint64_t key, const struct mapfs_buf *buf)
{
	mapfs_dir_insert(above, at, key, CHILD_BYTES);
	mapfs_dir_child_at(above, at)->block = buf->block;
}

/* The root's records move into a node, which becomes its only child. */
static void push_root_down(struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_buf *root,
	struct mapfs_dir_change *change)
{
	struct mapfs_buf *buf = take_node(txn, change);
	struct mapfs_dir_node *node = mapfs_dir_node_of(root);

	mapfs_dir_copy(mapfs_dir_node_of(buf), node);
	memset(node->records, 0, sizeof(node->records));
	node->depth++;
	node->bytes = 0;
	add_child(node, 0, 0, buf);
	mapfs_txn_dirty(txn, root);
	count_nodes(dir, 1);
}

/* The node of this level splits; the one above has room for that. */
static void split(struct mapfs_txn *txn, struct mapfs_inode *dir, const struct mapfs_dir_path *path,
	unsigned level, struct mapfs_dir_change *change)
{
	struct mapfs_buf *buf = take_node(txn, change);
	struct mapfs_dir_node *right = mapfs_dir_node_of(buf);

	mapfs_dir_split(mapfs_dir_level(path, level), right);
	add_child(mapfs_dir_level(path, level - 1), path->at[level - 1] + CHILD_BYTES,
		mapfs_dir_key_at(right, 0), buf);
	mapfs_txn_dirty(txn, path->buf[level]);
	mapfs_txn_dirty(txn, path->buf[level - 1]);
	count_nodes(dir, 1);
}

/* From the top down, each level that is full splits, as far as nodes were claimed for it. */
static void make_room(
	struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_dir_change *change)
{
	struct mapfs_dir_path path;

	path_again(dir, change->key, &path);
	if (change->n_nodes > path.n)
		push_root_down(txn, dir, path.buf[0], change);
	mapfs_dir_path_put(dir, &path);
	while (change->n_used < change->n_nodes) {
		path_again(dir, change->key, &path);
		split(txn, dir, &path, path.n - (change->n_nodes - change->n_used), change);
		mapfs_dir_path_put(dir, &path);
	}
}

static void set_entry(struct mapfs_dirent *e, uint32_t ino, uint32_t mode)
{
	e->ino = ino;
	e->type = (uint8_t)FS_DTYPE(mode);
}

void mapfs_dir_add(struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_dir_change *change,
	const struct fs_name *name, uint32_t ino, uint32_t mode)
{
	struct mapfs_dir_path path;
	struct mapfs_dirent *e;
	unsigned at;

	if (!dir->n_root)
		make_root(txn, dir, change);
	else
		make_room(txn, dir, change);
	path_again(dir, change->key, &path);
	fsh_assert(mapfs_dir_has_room(leaf_of(&path), MAPFS_DIRENT_BYTES(name->bytes)));
	at = mapfs_dir_seek(leaf_of(&path), change->key);
	mapfs_dir_insert(leaf_of(&path), at, change->key, MAPFS_DIRENT_BYTES(name->bytes));
	e = mapfs_dirent_at(leaf_of(&path), at);
	set_entry(e, ino, mode);
	e->name_len = (uint8_t)name->bytes;
	memcpy(e->name, name->text, name->bytes);
	mapfs_txn_dirty(txn, path.buf[path.n - 1]);
	mapfs_dir_path_put(dir, &path);
}

/* --- Going ------------------------------------------------------------------------------- */

/* Prepare that a node may go: when it is empty, or its records into the one before. */
static int prepare_end(struct mapfs_txn *txn, struct mapfs_buf *from, struct mapfs_buf *into,
	struct mapfs_dir_end *end)
{
	int err = mapfs_free_prepare(txn->fs, MAPFS_BLOCKS, from->block, 1, &end->run);

	if (err)
		return err;
	end->run->metadata = true;
	end->from = from;
	end->into = into;
	mapfs_txn_pin_map(txn, end->run);
	return 0;
}

/* The node with which that of `level` may merge; pinned.  False: there is none. */
static bool neighbour_get(struct mapfs_inode *dir, const struct mapfs_dir_path *path,
	unsigned level, bool *behind, struct mapfs_buf **out)
{
	const struct mapfs_dir_node *above = mapfs_dir_level(path, level - 1);
	unsigned at = path->at[level - 1];

	*behind = at + CHILD_BYTES < above->bytes;
	if (!*behind && at == 0)
		return false;
	at = *behind ? at + CHILD_BYTES : at - CHILD_BYTES;
	return mapfs_dir_child_get(dir, path, level - 1, at, out) == 0;
}

/* The node of `level` will have `left` bytes, which are few. */
static int prepare_merge(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct mapfs_dir_path *path, unsigned level, unsigned left, struct mapfs_dir_end *end)
{
	struct mapfs_buf *buf = path->buf[level], *other;
	bool behind;

	if (!neighbour_get(dir, path, level, &behind, &other))
		return 0;
	mapfs_txn_pin(txn, other);
	if (left + mapfs_dir_node_of(other)->bytes > MANY_BYTES)
		return 0;
	return prepare_end(txn, behind ? other : buf, behind ? buf : other, end);
}

/* The root will have one child, and may become what that is. */
static int prepare_root(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct mapfs_dir_path *path, struct mapfs_dir_change *change)
{
	const struct mapfs_dir_node *root = mapfs_dir_level(path, 0);
	const struct mapfs_dir_end *below = &change->end[root->depth - 1];
	struct mapfs_buf *child;
	unsigned at = 0;

	if (below->run && mapfs_dir_child_at(root, 0)->block == below->run->start)
		at = CHILD_BYTES;
	if (mapfs_dir_child_get(dir, path, 0, at, &child))
		return 0;
	mapfs_txn_pin(txn, child);
	return prepare_end(txn, child, path->buf[0], &change->end[ROOT_END]);
}

/* From the leaf, which will lose a record of `lost` bytes, up. */
static int prepare_ends(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct mapfs_dir_path *path, unsigned lost, struct mapfs_dir_change *change)
{
	const struct mapfs_dir_node *root = mapfs_dir_level(path, 0);
	int err = 0;

	for (unsigned level = path->n - 1; level > 0 && lost && !err; level--) {
		const struct mapfs_dir_node *node = mapfs_dir_level(path, level);
		struct mapfs_dir_end *end = &change->end[node->depth];
		unsigned left = node->bytes - lost;

		if (left == 0)
			err = prepare_end(txn, path->buf[level], NULL, end);
		else if (left < FEW_BYTES)
			err = prepare_merge(txn, dir, path, level, left, end);
		lost = end->run ? CHILD_BYTES : 0;
	}
	if (!err && root->depth && root->bytes - lost == CHILD_BYTES)
		err = prepare_root(txn, dir, path, change);
	return err;
}

int mapfs_dir_remove_prepare(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct fs_name *name, struct mapfs_dir_change *change)
{
	const struct mapfs_dirent *e;
	struct mapfs_dir_walk walk;
	int err = mapfs_dir_walk_to(&walk, dir, name, &e);

	if (err)
		return err;
	change->key = e->key;
	pin_path(txn, &walk.path);
	err = prepare_ends(txn, dir, &walk.path, MAPFS_DIRENT_BYTES(e->name_len), change);
	mapfs_dir_walk_end(&walk);
	return err;
}

static void free_node(struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_dir_end *end)
{
	mapfs_free(txn, end->run);
	end->run = NULL;
	count_nodes(dir, -1);
}

static bool leads_to(const struct mapfs_dir_node *node, unsigned at, const struct mapfs_buf *buf)
{
	return at < node->bytes && mapfs_dir_child_at(node, at)->block == buf->block;
}

/* The two that were to merge do, if they still can; `at` is where the second stands in `above`. */
static bool merge(struct mapfs_txn *txn, const struct mapfs_dir_node *above, unsigned at,
	const struct mapfs_dir_end *end)
{
	struct mapfs_dir_node *left, *right;

	if (!end->into || at == 0 || !leads_to(above, at, end->from) ||
		!leads_to(above, at - CHILD_BYTES, end->into))
		return false;
	left = mapfs_dir_node_of(end->into);
	right = mapfs_dir_node_of(end->from);
	if (!mapfs_dir_has_room(left, right->bytes))
		return false;
	mapfs_dir_join(left, right, mapfs_dir_key_at(above, at));
	mapfs_txn_dirty(txn, end->into);
	return true;
}

/*
 * What was prepared for the depth of this level's node happens, if it still can: the parent loses a
 * child.  The parent is changed, but not said to be dirty.
 */
static bool end_node(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct mapfs_dir_path *path, unsigned level, struct mapfs_dir_change *change)
{
	struct mapfs_dir_node *node = mapfs_dir_level(path, level),
			      *above = mapfs_dir_level(path, level - 1);
	struct mapfs_dir_end *end = &change->end[node->depth];
	unsigned at = path->at[level - 1];
	bool itself = end->run && end->from == path->buf[level];

	fsh_assert(node->bytes || itself);
	if (!end->run)
		return false;
	if (!itself)
		at += CHILD_BYTES;
	if (node->bytes && !merge(txn, above, at, end))
		return false;
	mapfs_dir_erase(above, at);
	free_node(txn, dir, end);
	return true;
}

/*
 * A root without children is an empty leaf; one with one child is what that is,
 * if it was prepared.
 */
static void end_root(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct mapfs_dir_path *path, struct mapfs_dir_change *change)
{
	struct mapfs_dir_node *root = mapfs_dir_level(path, 0);
	struct mapfs_dir_end *end = &change->end[ROOT_END];

	if (root->bytes == 0)
		root->depth = 0;
	if (!end->run || root->depth == 0 || root->bytes != CHILD_BYTES ||
		!leads_to(root, 0, end->from))
		return;
	mapfs_dir_copy(root, mapfs_dir_node_of(end->from));
	mapfs_txn_dirty(txn, path->buf[0]);
	free_node(txn, dir, end);
}

void mapfs_dir_remove(
	struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_dir_change *change)
{
	struct mapfs_dir_path path;
	unsigned level, at;

	path_again(dir, change->key, &path);
	at = mapfs_dir_seek(leaf_of(&path), change->key);
	mapfs_dir_erase(leaf_of(&path), at);
	for (level = path.n - 1; level > 0 && end_node(txn, dir, &path, level, change);)
		level--;
	mapfs_txn_dirty(txn, path.buf[level]);
	end_root(txn, dir, &path, change);
	mapfs_dir_path_put(dir, &path);
	mapfs_dir_cancel(txn->fs, change);
}

/* --- Staying ----------------------------------------------------------------------------- */

int mapfs_dir_set_prepare(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct fs_name *name, struct mapfs_dir_change *change)
{
	const struct mapfs_dirent *e;
	struct mapfs_dir_walk walk;
	int err = mapfs_dir_walk_to(&walk, dir, name, &e);

	if (err)
		return err;
	change->key = e->key;
	pin_path(txn, &walk.path);
	mapfs_dir_walk_end(&walk);
	return 0;
}

void mapfs_dir_set(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct mapfs_dir_change *change, uint32_t ino, uint32_t mode)
{
	struct mapfs_dir_path path;
	struct mapfs_dir_node *leaf;

	path_again(dir, change->key, &path);
	leaf = leaf_of(&path);
	set_entry(mapfs_dirent_at(leaf, mapfs_dir_seek(leaf, change->key)), ino, mode);
	mapfs_txn_dirty(txn, path.buf[path.n - 1]);
	mapfs_dir_path_put(dir, &path);
}
