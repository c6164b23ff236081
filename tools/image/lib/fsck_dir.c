// SPDX-License-Identifier: MIT
/*
 * The tree of a directory: its shape, the order of its keys, the hashes of its names; every node of
 * it claimed for the directory on the way.  What cannot be believed is left out with all that is
 * below it, the rest goes into a list of entries in memory, of which the other passes take some
 * away and to which they add.  A list that changed, or whose tree was not what it should be, is
 * written back as a new tree, packed, into the blocks that the old one had.
 */
#include "fsck.h"

#include <mapfs/dirnode.h>

#include <stdlib.h>
#include <string.h>

/* --- The list ---------------------------------------------------------------------------- */

static void *grow(void *array, size_t n, size_t bytes)
{
	if (n & (n - 1))
		return array;
	array = realloc(array, (n ? n * 2 : 1) * bytes);
	if (!array)
		image_die(8, "out of memory");
	return array;
}

static struct fsck_dir *dir_of(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];

	if (!inode->dir)
		inode->dir = calloc(1, sizeof(*inode->dir));
	if (!inode->dir)
		image_die(8, "out of memory");
	return inode->dir;
}

static void add_node(struct fsck_dir *dir, uint64_t block)
{
	dir->node = grow(dir->node, dir->n_nodes, sizeof(block));
	dir->node[dir->n_nodes++] = block;
}

static struct mapfs_dirent *new_entry(struct fsck_dir *dir, unsigned bytes)
{
	struct mapfs_dirent *e = calloc(1, bytes);

	dir->entry = grow(dir->entry, dir->n, sizeof(struct mapfs_dirent *));
	if (!e)
		image_die(8, "out of memory");
	return dir->entry[dir->n++] = e;
}

void fsck_dir_add(struct fsck *f, uint32_t ino, const char *name, uint32_t to, uint32_t type)
{
	struct fsck_dir *dir = dir_of(f, ino);
	struct mapfs_dirent *e = new_entry(dir, MAPFS_DIRENT_BYTES(strlen(name)));

	e->ino = to;
	e->type = (uint8_t)type;
	e->name_len = (uint8_t)strlen(name);
	memcpy(e->name, name, e->name_len);
	e->key = mapfs_dir_key(mapfs_name_hash(&f->sb, name, e->name_len), MAPFS_DIR_NUMBER_MAX);
	dir->changed = true;
}

uint32_t fsck_dir_find(struct fsck *f, uint32_t ino, const char *name)
{
	const struct fsck_dir *dir = f->inodes[ino].dir;
	size_t bytes = strlen(name);

	for (size_t i = 0; dir && i < dir->n_read; i++) {
		const struct mapfs_dirent *e = dir->entry[i];
		if (e && e->name_len == bytes && memcmp(e->name, name, bytes) == 0)
			return e->ino;
	}
	return 0;
}

void fsck_dir_erase(struct fsck_dir *dir, size_t i)
{
	free(dir->entry[i]);
	dir->entry[i] = NULL;
	dir->changed = true;
}

static bool same_name(const struct mapfs_dirent *a, const struct mapfs_dirent *b)
{
	return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

bool fsck_dir_seen_before(const struct fsck_dir *dir, size_t i)
{
	uint64_t hash = mapfs_dir_hash(dir->entry[i]->key);

	for (size_t k = i; k-- > 0;) {
		if (!dir->entry[k])
			continue;
		if (mapfs_dir_hash(dir->entry[k]->key) != hash)
			return false;
		if (same_name(dir->entry[k], dir->entry[i]))
			return true;
	}
	return false;
}

void fsck_dir_free(struct fsck_dir *dir)
{
	if (!dir)
		return;
	for (size_t i = 0; i < dir->n; i++)
		free(dir->entry[i]);
	free(dir->entry);
	free(dir->node);
	free(dir);
}

void fsck_dir_release(struct fsck *f, uint32_t ino)
{
	struct fsck_dir *dir = f->inodes[ino].dir;

	for (unsigned i = 0; dir && i < dir->n_nodes; i++)
		fsck_give_back(f, dir->node[i], 1, ino);
	fsck_dir_free(dir);
	f->inodes[ino].dir = NULL;
}

/* --- Order ------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	const struct mapfs_dirent *const *x = a, *const *y = b;

	return ((*x)->key > (*y)->key) - ((*x)->key < (*y)->key);
}

/* In the order of right hashes, numbered anew; without what was taken away. */
static void put_in_order(struct fsck *f, struct fsck_dir *dir)
{
	uint32_t number;
	size_t n = 0;

	for (size_t i = 0; i < dir->n; i++)
		if (dir->entry[i])
			dir->entry[n++] = dir->entry[i];
	dir->n = n;
	for (size_t i = 0; i < n; i++) {
		struct mapfs_dirent *e = dir->entry[i];
		number = mapfs_dir_number(e->key);
		e->key = mapfs_dir_key(mapfs_name_hash(&f->sb, e->name, e->name_len), number);
	}
	if (n)
		qsort(dir->entry, n, sizeof(struct mapfs_dirent *), by_key);
	for (size_t i = 0; i < n; i++) {
		struct mapfs_dirent *e = dir->entry[i];
		uint64_t hash = mapfs_dir_hash(e->key);
		number = i && mapfs_dir_hash(dir->entry[i - 1]->key) == hash ? number + 1 : 0;
		e->key = mapfs_dir_key(hash, number);
	}
}

/* --- Reading ----------------------------------------------------------------------------- */

struct reading {
	struct fsck *f;
	struct fsck_dir *dir;
	uint32_t ino;
	uint64_t block;    /* the last one that was at fault */
	const char *fault; /* why */
};

static void at_fault(struct reading *r, uint64_t block, const char *fault)
{
	r->block = block;
	r->fault = fault;
}

static void read_leaf(struct reading *r, uint64_t block, const struct mapfs_dir_node *node)
{
	for (unsigned at = 0; at < node->bytes; at += mapfs_dir_record_bytes(node, at)) {
		const struct mapfs_dirent *e = mapfs_dirent_at(node, at);
		unsigned bytes = mapfs_dir_record_bytes(node, at);

		memcpy(new_entry(r->dir, bytes), e, bytes);
		if (mapfs_dir_hash(e->key) != mapfs_name_hash(&r->f->sb, e->name, e->name_len))
			at_fault(r, block, "has a name under a wrong hash");
	}
}

/* Expected at `depth`, or, of the root, at any, and to have the keys [from, to). */
static void read_node(
	struct reading *r, uint64_t block, unsigned depth, bool is_root, uint64_t from, uint64_t to)
{
	struct mapfs_dir_node node;
	const char *fault;

	if (fsck_read(r->f, block, &node)) {
		at_fault(r, block, "cannot be read");
		return;
	}
	fault = mapfs_block_fault(r->f->seed, &node, block, MAPFS_KIND_DIR, r->ino);
	if (!fault)
		fault = mapfs_dir_node_fault(&r->f->sb, &node);
	if (!fault && !is_root && node.depth != depth)
		fault = "is no node of its tree";
	if (!fault && !fsck_claim_node(r->f, block, r->ino))
		fault = "has another owner, too";
	if (fault) {
		at_fault(r, block, fault);
		return;
	}
	if (!is_root)
		add_node(r->dir, block);
	fault = mapfs_dir_place_fault(&node, node.depth, is_root, from, to);
	if (fault)
		at_fault(r, block, fault);
	if (node.depth == 0)
		read_leaf(r, block, &node);
	for (unsigned at = 0; node.depth && at < node.bytes; at += sizeof(struct mapfs_dir_child)) {
		const struct mapfs_dir_child *child = mapfs_dir_child_at(&node, at);
		bool last = at + sizeof(*child) == node.bytes;

		read_node(r, child->block, node.depth - 1u, false, at ? child->key : from,
			last ? to : mapfs_dir_key_at(&node, at + sizeof(*child)));
	}
}

static bool has_root(const struct fsck_inode *inode)
{
	return inode->n_pieces == 1 && inode->n_nodes == 0 && inode->piece[0].logical == 0 &&
	       inode->piece[0].count == 1 && !inode->piece[0].unwritten;
}

static void check_counts(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];
	uint64_t n = fsck_map_blocks(inode) + inode->dir->n_nodes;

	if (inode->d.n_blocks == n && inode->d.size == n * MAPFS_BLOCK_BYTES)
		return;
	if (!fsck_problem(f, "directory %u counts %llu blocks and %llu bytes but has %llu blocks",
		    ino, (unsigned long long)inode->d.n_blocks, (unsigned long long)inode->d.size,
		    (unsigned long long)n))
		return;
	inode->d.n_blocks = n;
	inode->d.size = n * MAPFS_BLOCK_BYTES;
	inode->changed = true;
}

void fsck_dir_read(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];
	struct reading r = {.f = f, .ino = ino, .dir = dir_of(f, ino)};

	inode->dir->changed = inode->map_changed;
	inode->map_changed = false; /* a new tree has a new map */
	if (inode->n_pieces && !has_root(inode)) {
		if (fsck_problem(f, "directory %u has something else for its root", ino)) {
			fsck_map_release(f, ino);
			inode->dir->changed = true;
		}
		return;
	}
	if (inode->n_pieces)
		read_node(&r, inode->piece[0].start, 0, true, 0, MAPFS_DIR_KEY_END);
	if (inode->n_pieces && f->owner[inode->piece[0].start] != ino)
		inode->n_pieces = 0; /* it is not this directory's root */
	inode->dir->n_read = inode->dir->n;
	if (!r.fault) {
		check_counts(f, ino);
		return;
	}
	if (fsck_problem(
		    f, "block %llu of directory %u %s", (unsigned long long)r.block, ino, r.fault))
		inode->dir->changed = true;
	put_in_order(f, inode->dir);
}

/* --- Writing ----------------------------------------------------------------------------- */

/* Nodes of a new tree: leaves first, each level behind the one below, the root last. */
struct writing {
	struct mapfs_dir_node *node; /* what leads to a child has its index here */
	uint64_t *low;               /* where each one's range begins */
	size_t n;
};

static struct mapfs_dir_node *next_node(struct writing *w, unsigned depth, uint64_t low)
{
	w->node = grow(w->node, w->n, sizeof(*w->node));
	w->low = grow(w->low, w->n, sizeof(*w->low));
	memset(&w->node[w->n], 0, sizeof(*w->node));
	w->node[w->n].depth = (uint16_t)depth;
	w->low[w->n] = low;
	return &w->node[w->n++];
}

static void build_leaves(struct writing *w, const struct fsck_dir *dir)
{
	struct mapfs_dir_node *leaf = NULL;

	for (size_t i = 0; i < dir->n; i++) {
		const struct mapfs_dirent *e = dir->entry[i];
		unsigned bytes = MAPFS_DIRENT_BYTES(e->name_len), at;

		if (!leaf || !mapfs_dir_has_room(leaf, bytes))
			leaf = next_node(w, 0, i ? e->key : 0);
		at = leaf->bytes;
		mapfs_dir_insert(leaf, at, e->key, bytes);
		memcpy(mapfs_dirent_at(leaf, at), e, bytes);
	}
}

/* An index over the nodes [first, end). */
static void build_level(struct writing *w, size_t first, size_t end, unsigned depth)
{
	struct mapfs_dir_node *node = NULL;

	for (size_t i = first; i < end; i++) {
		unsigned at;

		if (!node || !mapfs_dir_has_room(node, sizeof(struct mapfs_dir_child)))
			node = next_node(w, depth, w->low[i]);
		at = node->bytes;
		mapfs_dir_insert(node, at, w->low[i], sizeof(struct mapfs_dir_child));
		mapfs_dir_child_at(node, at)->block = i;
	}
}

static void build(struct writing *w, const struct fsck_dir *dir)
{
	size_t first = 0, end;

	build_leaves(w, dir);
	for (unsigned depth = 1; w->n - first > 1; depth++, first = end) {
		end = w->n;
		build_level(w, first, end, depth);
	}
}

/* Exactly `n` blocks in dir->node: the old tree's, and others. */
static bool take_blocks(struct fsck *f, uint32_t ino, size_t n)
{
	struct fsck_dir *dir = f->inodes[ino].dir;
	unsigned before = dir->n_nodes;

	while (dir->n_nodes < n) {
		uint64_t block = fsck_take_block(f, ino);
		if (!block)
			break;
		add_node(dir, block);
	}
	if (dir->n_nodes < n) {
		while (dir->n_nodes > before)
			fsck_give_back(f, dir->node[--dir->n_nodes], 1, ino);
		return false;
	}
	while (dir->n_nodes > n)
		fsck_give_back(f, dir->node[--dir->n_nodes], 1, ino);
	return true;
}

static void write_nodes(struct fsck *f, uint32_t ino, struct writing *w)
{
	const struct fsck_dir *dir = f->inodes[ino].dir;

	for (size_t i = 0; i < w->n; i++) {
		struct mapfs_dir_node *node = &w->node[i];

		for (unsigned at = 0; node->depth && at < node->bytes;
			at += sizeof(struct mapfs_dir_child))
			mapfs_dir_child_at(node, at)->block =
				dir->node[mapfs_dir_child_at(node, at)->block];
		fsck_write_metadata(f, dir->node[i], MAPFS_KIND_DIR, ino, node);
	}
}

static void point_to_root(struct fsck_inode *inode, size_t n, uint64_t root)
{
	struct mapfs_inode_disk *d = &inode->d;
	struct mapfs_piece p = {0, 1, root, false};

	memset(d->root, 0, sizeof(d->root));
	d->depth = 0;
	d->n_root = n > 0;
	if (n)
		mapfs_piece_encode(&p, &d->root[0]);
	d->n_blocks = n;
	d->size = n * MAPFS_BLOCK_BYTES;
	inode->changed = true;
}

/* The blocks of the old tree, the root's with them, are a list of blocks like any other now. */
static void own_all(struct fsck_inode *inode)
{
	for (unsigned i = 0; i < inode->n_pieces; i++)
		add_node(inode->dir, inode->piece[i].start);
	inode->n_pieces = 0;
}

static void store_dir(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];
	struct writing w = {0};

	put_in_order(f, inode->dir);
	build(&w, inode->dir);
	own_all(inode);
	if (take_blocks(f, ino, w.n)) {
		write_nodes(f, ino, &w);
		point_to_root(inode, w.n, w.n ? inode->dir->node[w.n - 1] : 0);
	} else {
		fsck_stuck(f, "there is no room for the names of directory %u", ino);
	}
	free(w.node);
	free(w.low);
}

void fsck_store_dirs(struct fsck *f)
{
	for (uint32_t ino = 1; ino <= f->n_inodes; ino++) {
		const struct fsck_inode *inode = &f->inodes[ino];

		if (inode->in_use && inode->dir && inode->dir->changed)
			store_dir(f, ino);
	}
}
