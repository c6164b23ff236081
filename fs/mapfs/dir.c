// SPDX-License-Identifier: MIT
/*
 * Directories: a B+-tree of names in the order of their hashes (format.h).
 *
 * The problem.  A name is found among a million by reading a few blocks; a directory of three names
 * is one block; and readdir(3) goes on where it was, an hour later, while names come and go, and
 * shows each that stayed exactly once.
 *
 *	root (level 0)   [ 0 | k5 | k9 ]              the block that the inode leads to, for ever
 *	                   |     \    \
 *	leaves           [..k4] [k5..k8] [k9..]       entries, packed, in order of their keys
 *
 * Keys.  48 bits of a keyed hash, then 15 bits that tell names of one hash apart: a new name takes
 * the smallest number that none of them has.  So an entry has its key as long as it is there, the
 * order of keys is an order of entries that nothing disturbs, and the key after the last entry seen
 * is a cookie: splits and merges move entries between blocks, never past one another.  The hash is
 * keyed, so who makes names cannot make them collide; 32,768 names of one hash are ENOSPC.
 *
 * Looking a name up begins at its hash with the number 0 and compares names while the hash is the
 * same; these entries may go on in the next leaf.
 *
 * Ranges.  The keys that belong to the children of an index cover its own range without a gap, and
 * the first child's begin where the index's do, whatever its record says.  So every key has its
 * leaf, and nothing that is inserted or removed changes a key in more than one index.  Whatever way
 * a node is reached, that what is in it lies in its range is checked: behind that, no damage can
 * mislead a change (dir_change.c).
 *
 * Locks.  Everything here is under the directory's vnode lock.
 *
 * Why not the tree of extents (extent.c)?  There, records have one size and run into one another,
 * keys have 32 bits, the root is fourteen of them in the inode, and only the end is cut.  Here,
 * records have many sizes, so nodes fill and split by bytes; the root is a block, since a name does
 * not fit into an inode; and nodes empty and merge anywhere.  What both do alike is the descent, of
 * a dozen lines; a common tree would be those and a table of functions for all the rest.
 *
 * What was refused.  Blocks of a file with a tree of hashes beside them: two trees to keep.  An
 * order by time with a search from the front: what there was before, and a million names took days.
 * Offsets to the records of a node: halving the search of 4 KiB saves less than the checksum costs.
 */
#include "dir.h"

#include <string.h>

static bool has_root(const struct mapfs_inode *dir)
{
	return dir->n_root != 0;
}

static int node_get(struct mapfs_inode *dir, uint64_t block, struct mapfs_buf **out)
{
	return mapfs_buf_get(mapfs_of(&dir->vnode), block, MAPFS_KIND_DIR, mapfs_ino(dir), out);
}

static int root_get(struct mapfs_inode *dir, struct mapfs_buf **out)
{
	struct mapfs *fs = mapfs_of(&dir->vnode);
	const struct mapfs_dir_node *node;
	struct mapfs_piece p;
	const char *fault;
	int err;

	mapfs_piece_decode(&dir->root[0], &p);
	err = node_get(dir, p.start, out);
	if (err)
		return err;
	node = mapfs_dir_node_of(*out);
	fault = mapfs_dir_place_fault(node, node->depth, true, 0, MAPFS_DIR_KEY_END);
	if (!fault)
		return 0;
	mapfs_buf_put(fs, *out);
	return mapfs_damaged(fs, "block", p.start, fault);
}

/* Where the range of the child at `at` begins: a first one's where the index's does. */
static uint64_t range_begin(const struct mapfs_dir_path *path, unsigned level, unsigned at)
{
	for (; at == 0; at = path->at[--level])
		if (level == 0)
			return 0;
	return mapfs_dir_key_at(mapfs_dir_level(path, level), at);
}

/* Where it ends: where the next one's begins. */
static uint64_t range_end(const struct mapfs_dir_path *path, unsigned level, unsigned at)
{
	const struct mapfs_dir_node *node;

	for (;; at = path->at[--level]) {
		node = mapfs_dir_level(path, level);
		at += mapfs_dir_record_bytes(node, at);
		if (at < node->bytes)
			return mapfs_dir_key_at(node, at);
		if (level == 0)
			return MAPFS_DIR_KEY_END;
	}
}

int mapfs_dir_child_get(struct mapfs_inode *dir, const struct mapfs_dir_path *path, unsigned level,
	unsigned at, struct mapfs_buf **out)
{
	const struct mapfs_dir_node *above = mapfs_dir_level(path, level);
	const struct mapfs_dir_child *child = mapfs_dir_child_at(above, at);
	const char *fault;
	int err = node_get(dir, child->block, out);

	if (err)
		return err;
	fault = mapfs_dir_place_fault(mapfs_dir_node_of(*out), above->depth - 1u, false,
		range_begin(path, level, at), range_end(path, level, at));
	if (!fault)
		return 0;
	mapfs_buf_put(mapfs_of(&dir->vnode), *out);
	return mapfs_damaged(mapfs_of(&dir->vnode), "block", child->block, fault);
}

void mapfs_dir_path_put(struct mapfs_inode *dir, struct mapfs_dir_path *path)
{
	while (path->n)
		mapfs_buf_put(mapfs_of(&dir->vnode), path->buf[--path->n]);
}

int mapfs_dir_path_find(struct mapfs_inode *dir, uint64_t key, struct mapfs_dir_path *path)
{
	const struct mapfs_dir_node *node;
	unsigned level = 0;
	int err;

	path->n = 0;
	path->end = MAPFS_DIR_KEY_END;
	err = root_get(dir, &path->buf[0]);
	if (err)
		return err;
	for (path->n = 1; (node = mapfs_dir_level(path, level))->depth; path->n++, level++) {
		path->at[level] = mapfs_dir_seek_child(node, key);
		err = mapfs_dir_child_get(dir, path, level, path->at[level], &path->buf[level + 1]);
		if (err) {
			mapfs_dir_path_put(dir, path);
			return err;
		}
	}
	if (level)
		path->end = range_end(path, level - 1, path->at[level - 1]);
	return 0;
}

/* --- Walking ----------------------------------------------------------------------------- */

void mapfs_dir_walk_begin(struct mapfs_dir_walk *walk, struct mapfs_inode *dir, uint64_t key)
{
	walk->dir = dir;
	walk->path.n = 0;
	walk->next = has_root(dir) ? key : MAPFS_DIR_KEY_END;
}

void mapfs_dir_walk_end(struct mapfs_dir_walk *walk)
{
	mapfs_dir_path_put(walk->dir, &walk->path);
}

static const struct mapfs_dir_node *leaf_of(const struct mapfs_dir_walk *walk)
{
	return mapfs_dir_level(&walk->path, walk->path.n - 1);
}

/* In the leaf: step on.  False at its end. */
static bool step(struct mapfs_dir_walk *walk)
{
	const struct mapfs_dir_node *leaf = leaf_of(walk);

	if (mapfs_dir_key_at(leaf, walk->at) < walk->next)
		walk->at += mapfs_dir_record_bytes(leaf, walk->at);
	if (walk->at < leaf->bytes)
		return true;
	walk->next = walk->path.end;
	mapfs_dir_walk_end(walk);
	return false;
}

static int enter_leaf(struct mapfs_dir_walk *walk)
{
	int err = mapfs_dir_path_find(walk->dir, walk->next, &walk->path);

	if (err)
		return err;
	walk->at = mapfs_dir_seek(leaf_of(walk), walk->next);
	if (walk->at == leaf_of(walk)->bytes) {
		walk->next = walk->path.end;
		mapfs_dir_walk_end(walk);
	}
	return 0;
}

int mapfs_dir_walk_next(struct mapfs_dir_walk *walk, const struct mapfs_dirent **entry)
{
	int err;

	*entry = NULL;
	while (!walk->path.n || !step(walk)) {
		if (walk->next == MAPFS_DIR_KEY_END)
			return 0;
		err = enter_leaf(walk);
		if (err)
			return err;
	}
	*entry = mapfs_dirent_at(leaf_of(walk), walk->at);
	walk->next = (*entry)->key + 1;
	return 0;
}

/* --- Looking ----------------------------------------------------------------------------- */

static bool entry_is(const struct mapfs_dirent *e, const struct fs_name *name)
{
	return e->name_len == name->bytes && memcmp(e->name, name->text, name->bytes) == 0;
}

int mapfs_dir_walk_to(struct mapfs_dir_walk *walk, struct mapfs_inode *dir,
	const struct fs_name *name, const struct mapfs_dirent **entry)
{
	uint64_t hash = mapfs_name_hash(&mapfs_of(&dir->vnode)->sb, name->text, name->bytes);
	int err;

	mapfs_dir_walk_begin(walk, dir, mapfs_dir_key(hash, 0));
	do {
		err = mapfs_dir_walk_next(walk, entry);
		if (!err && (!*entry || mapfs_dir_hash((*entry)->key) != hash))
			err = -ENOENT;
	} while (!err && !entry_is(*entry, name));
	if (err)
		mapfs_dir_walk_end(walk);
	return err;
}

int mapfs_dir_find(struct mapfs_inode *dir, const struct fs_name *name, uint32_t *ino)
{
	const struct mapfs_dirent *e;
	struct mapfs_dir_walk walk;
	int err = mapfs_dir_walk_to(&walk, dir, name, &e);

	if (err)
		return err;
	*ino = e->ino;
	mapfs_dir_walk_end(&walk);
	return 0;
}

int mapfs_dir_empty(struct mapfs_inode *dir)
{
	struct mapfs_buf *root;
	bool empty;
	int err;

	if (!has_root(dir))
		return 0;
	err = root_get(dir, &root);
	if (err)
		return err;
	empty = mapfs_dir_node_of(root)->bytes == 0;
	mapfs_buf_put(mapfs_of(&dir->vnode), root);
	return empty ? 0 : -ENOTEMPTY;
}

static bool emit(struct fs_readdir *r, const struct mapfs_dirent *e)
{
	struct fs_entry entry = {.name = e->name,
		.name_bytes = e->name_len,
		.mode = (uint32_t)e->type << 12,
		.ino = e->ino,
		.next = e->key + 1};

	return r->emit(r, &entry);
}

int mapfs_readdir(struct vnode *v, uint64_t *cookie, struct fs_readdir *r)
{
	const struct mapfs_dirent *e;
	struct mapfs_dir_walk walk;
	int err;

	mapfs_dir_walk_begin(&walk, mapfs_inode_of(v), *cookie);
	while (!(err = mapfs_dir_walk_next(&walk, &e)) && e) {
		*cookie = e->key;
		if (!emit(r, e))
			break;
		*cookie = e->key + 1;
	}
	if (!err && !e)
		*cookie = MAPFS_DIR_KEY_END - 1;
	mapfs_dir_walk_end(&walk);
	return err;
}
