// SPDX-License-Identifier: MIT
/*
 * The block map of an inode: read into a list of pieces, every block of it (nodes of the tree,
 * too) claimed for the inode on the way.  The first thing that is wrong ends the list: what lies
 * behind it in the file is lost.  A list that changed is written back as a new tree, packed.
 */
#include "fsck.h"

#include <fs/types.h>

#include <stdlib.h>
#include <string.h>

struct reading {
	struct fsck *f;
	uint32_t ino;
	uint64_t end,
		wanted; /* file blocks seen, and how many the size allows (unwritten ones apart) */
	const char *fault;   /* ends the list */
	const char *crowded; /* does not */
};

static void *grow(void *array, unsigned n, size_t bytes)
{
	if (n & (n - 1))
		return array;
	array = realloc(array, (n ? (size_t)n * 2 : 1) * bytes);
	if (!array)
		image_die(8, "out of memory");
	return array;
}

static void add_piece(struct fsck_inode *inode, const struct mapfs_piece *p)
{
	inode->piece = grow(inode->piece, inode->n_pieces, sizeof(*p));
	inode->piece[inode->n_pieces++] = *p;
}

static void add_node(struct fsck_inode *inode, uint64_t block)
{
	inode->node = grow(inode->node, inode->n_nodes, sizeof(block));
	inode->node[inode->n_nodes++] = block;
}

/*
 * Directories and symbolic links claim what their piece leads to when they have
 * seen that it is theirs.
 */
static bool has_data(const struct fsck_inode *inode)
{
	uint32_t type = inode->d.mode & FS_IFMT;

	return type != FS_IFDIR && type != FS_IFLNK;
}

static void take_piece(struct reading *r, const struct mapfs_piece *p)
{
	struct fsck_inode *inode = &r->f->inodes[r->ino];

	if (!mapfs_data_run_valid(&r->f->sb, p->start, p->count)) {
		r->fault = "has an extent outside the data area";
		return;
	}
	if (has_data(inode))
		fsck_claim_data(r->f, p->start, p->count, r->ino);
	add_piece(inode, p);
}

/*
 * What is before the file's end is the file's: a cut that a crash interrupted
 * has extents across it.
 */
static void take_front(struct reading *r, const struct mapfs_piece *p)
{
	struct mapfs_piece front = *p;

	if (p->logical < r->wanted) {
		front.count = (uint32_t)(r->wanted - p->logical);
		take_piece(r, &front);
	}
	if (!r->fault)
		r->fault = "has blocks behind its end";
}

static void read_piece(struct reading *r, const struct mapfs_piece *p)
{
	if (p->count == 0 || p->logical < r->end)
		r->fault = "has extents out of order";
	else if (p->unwritten && p->count > MAPFS_UNWRITTEN_MAX)
		r->fault = "has an unwritten extent that is too long";
	else if (!p->unwritten && (uint64_t)p->logical + p->count > r->wanted)
		take_front(r, p);
	else
		take_piece(r, p);
	r->end = (uint64_t)p->logical + p->count;
}

static void read_entries(
	struct reading *r, const struct mapfs_extent *entry, unsigned n, unsigned depth);

/*
 * Room is kept for each block of an unwritten extent to become one of its own (format.h).  Without
 * it nothing is lost: the list is whole.
 */
static void check_weight(
	struct reading *r, const struct mapfs_extent *entry, unsigned n, unsigned room)
{
	uint64_t weight = 0;

	for (unsigned i = 0; i < n; i++)
		weight += mapfs_extent_weight(&entry[i]);
	if (weight > room)
		r->crowded = "has no room for its unwritten extents";
}

static void read_node(struct reading *r, uint64_t block, unsigned depth)
{
	struct mapfs_extent_node node;

	if (!mapfs_data_run_valid(&r->f->sb, block, 1))
		r->fault = "has an extent outside the data area";
	else if (fsck_read(r->f, block, &node))
		r->fault = "has a map that cannot be read";
	else if (mapfs_block_fault(r->f->seed, &node, block, MAPFS_KIND_EXTENTS, r->ino) ||
		 node.depth != depth || node.n == 0 || node.n > MAPFS_NODE_EXTENTS)
		r->fault = "has a damaged map";
	else if (!fsck_claim_node(r->f, block, r->ino))
		r->fault = "has a node that something else has";
	if (r->fault)
		return;
	add_node(&r->f->inodes[r->ino], block);
	read_entries(r, node.entry, node.n, depth);
	check_weight(r, node.entry, node.n, MAPFS_NODE_EXTENTS);
}

static void read_entries(
	struct reading *r, const struct mapfs_extent *entry, unsigned n, unsigned depth)
{
	struct mapfs_piece p;

	for (unsigned i = 0; i < n && !r->fault; i++) {
		mapfs_piece_decode(&entry[i], &p);
		if (depth == 0) {
			read_piece(r, &p);
		} else if (p.logical < r->end || entry[i].count) {
			r->fault = "has a map out of order";
		} else {
			r->end = p.logical;
			read_node(r, p.start, depth - 1);
		}
	}
}

const char *fsck_map_read(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];
	struct reading r = {.f = f, .ino = ino};

	r.wanted = (inode->d.size + MAPFS_BLOCK_BYTES - 1) / MAPFS_BLOCK_BYTES;
	/* What a directory has is counted elsewhere; a file may have more while it is being cut. */
	if ((inode->d.mode & FS_IFMT) == FS_IFDIR ||
		(inode->d.flags & MAPFS_INODE_ORPHAN && !f->fix))
		r.wanted = UINT64_MAX;
	read_entries(&r, inode->d.root, inode->d.n_root, inode->d.depth);
	check_weight(&r, inode->d.root, inode->d.n_root, MAPFS_ROOT_EXTENTS);
	return r.fault ? r.fault : r.crowded;
}

uint64_t fsck_map_blocks(const struct fsck_inode *inode)
{
	uint64_t n = inode->n_nodes;

	for (unsigned i = 0; i < inode->n_pieces; i++)
		n += inode->piece[i].count;
	return n;
}

uint64_t fsck_block_of(const struct fsck_inode *inode, uint32_t logical)
{
	for (unsigned i = 0; i < inode->n_pieces; i++) {
		const struct mapfs_piece *p = &inode->piece[i];
		if (logical >= p->logical && logical - p->logical < p->count)
			return p->start + (logical - p->logical);
	}
	return 0;
}

void fsck_map_release(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];

	for (unsigned i = 0; i < inode->n_pieces; i++)
		fsck_give_back(f, inode->piece[i].start, inode->piece[i].count, ino);
	for (unsigned i = 0; i < inode->n_nodes; i++)
		fsck_give_back(f, inode->node[i], 1, ino);
	inode->n_pieces = inode->n_nodes = 0;
}

/* --- Writing ----------------------------------------------------------------------------- */

static bool runs_on(const struct mapfs_piece *a, const struct mapfs_piece *b)
{
	uint32_t max = a->unwritten ? MAPFS_UNWRITTEN_MAX : MAPFS_EXTENT_MAX;

	return a->logical + a->count == b->logical && a->start + a->count == b->start &&
	       a->unwritten == b->unwritten && a->count + b->count <= max;
}

void fsck_map_append(struct fsck_inode *inode, const struct mapfs_piece *p)
{
	struct mapfs_piece *last = inode->n_pieces ? &inode->piece[inode->n_pieces - 1] : NULL;

	if (last && runs_on(last, p))
		last->count += p->count;
	else
		add_piece(inode, p);
}

/* How many of n entries does a node, or the root, have the room for? */
static unsigned how_many_fit(const struct mapfs_extent *entry, unsigned n, uint32_t room)
{
	uint32_t weight = 0;

	for (unsigned i = 0; i < n; i++) {
		weight += mapfs_extent_weight(&entry[i]);
		if (weight > room)
			return i;
	}
	return n;
}

/*
 * The entries become nodes of this depth, and indices to them take their place.  Returns how many
 * these are; 0: there is no room.
 */
static unsigned write_level(
	struct fsck *f, uint32_t ino, struct mapfs_extent *entry, unsigned n, unsigned depth)
{
	unsigned n_nodes = 0;

	for (unsigned i = 0; i < n;) {
		struct mapfs_extent_node node = {.depth = (uint16_t)depth};
		struct mapfs_piece index = {.logical = entry[i].logical};

		index.start = fsck_take_block(f, ino);
		if (!index.start)
			return 0;
		add_node(&f->inodes[ino], index.start);
		node.n = (uint16_t)how_many_fit(entry + i, n - i, MAPFS_NODE_EXTENTS);
		memcpy(node.entry, entry + i, node.n * sizeof(*entry));
		i += node.n;
		fsck_write_metadata(f, index.start, MAPFS_KIND_EXTENTS, ino, &node);
		mapfs_piece_encode(&index, &entry[n_nodes++]);
	}
	return n_nodes;
}

static bool write_tree(struct fsck *f, uint32_t ino, struct mapfs_extent *entry)
{
	struct mapfs_inode_disk *d = &f->inodes[ino].d;
	unsigned n = f->inodes[ino].n_pieces;

	memset(d->root, 0, sizeof(d->root));
	d->n_root = d->depth = 0;
	while (how_many_fit(entry, n, MAPFS_ROOT_EXTENTS) < n) {
		n = write_level(f, ino, entry, n, d->depth);
		if (n == 0 || d->depth++ == MAPFS_MAX_DEPTH)
			return false;
	}
	d->n_root = (uint8_t)n;
	memcpy(d->root, entry, n * sizeof(*entry));
	return true;
}

void fsck_map_store(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];
	struct mapfs_extent *entry = calloc(inode->n_pieces + 1u, sizeof(*entry));

	if (!entry)
		image_die(8, "out of memory");
	for (unsigned i = 0; i < inode->n_pieces; i++)
		mapfs_piece_encode(&inode->piece[i], &entry[i]);
	while (inode->n_nodes)
		fsck_give_back(f, inode->node[--inode->n_nodes], 1, ino);
	if (!write_tree(f, ino, entry)) {
		fsck_stuck(f, "there is no room for the map of inode %u", ino);
		fsck_map_release(f, ino);
		inode->d.depth = 0;
	}
	inode->d.n_blocks = fsck_map_blocks(inode);
	inode->changed = true;
	free(entry);
}
