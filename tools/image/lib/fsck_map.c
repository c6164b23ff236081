// SPDX-License-Identifier: MIT
/*
 * The block map of an inode: read into a list of pieces, every block of it (nodes of the tree,
 * too) claimed for the inode on the way.  The first thing that is wrong ends the list: what lies
 * behind it in the file is lost.  A list that changed is written back as a new tree.
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
	const char *fault;
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

/* All of [start, start + count) is nobody's else, and ours now. */
static bool own(struct reading *r, uint64_t start, uint32_t count)
{
	if (!mapfs_data_run_valid(&r->f->sb, start, count)) {
		r->fault = "has an extent outside the data area";
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (r->f->owner[start + i]) {
			r->fault = "has a block that something else has";
			return false;
		}
	}
	for (uint32_t i = 0; i < count; i++)
		r->f->owner[start + i] = r->ino;
	return true;
}

static void read_piece(struct reading *r, const struct mapfs_piece *p)
{
	if (p->count == 0 || p->logical < r->end)
		r->fault = "has extents out of order";
	else if (p->unwritten && p->count > MAPFS_UNWRITTEN_MAX)
		r->fault = "has an unwritten extent that is too long";
	else if (!p->unwritten && (uint64_t)p->logical + p->count > r->wanted)
		r->fault = "has blocks behind its end";
	else if (own(r, p->start, p->count))
		add_piece(&r->f->inodes[r->ino], p);
	r->end = (uint64_t)p->logical + p->count;
}

static void read_entries(
	struct reading *r, const struct mapfs_extent *entry, unsigned n, unsigned depth);

/*
 * Room is kept for each block of an unwritten extent to become one of its own (format.h).  Without it
 * nothing is lost: the list is whole.
 */
static void check_weight(
	struct reading *r, const struct mapfs_extent *entry, unsigned n, unsigned room)
{
	uint64_t weight = 0;

	for (unsigned i = 0; i < n; i++)
		weight += mapfs_extent_weight(&entry[i]);
	if (!r->fault && weight > room)
		r->fault = "has no room for its unwritten extents";
}

static void read_node(struct reading *r, uint64_t block, unsigned depth)
{
	struct mapfs_extent_node node;

	if (!own(r, block, 1))
		return;
	add_node(&r->f->inodes[r->ino], block);
	if (fsck_read(r->f, block, &node))
		r->fault = "has a map that cannot be read";
	else if (mapfs_block_fault(r->f->seed, &node, block, MAPFS_KIND_EXTENTS, r->ino) ||
		 node.depth != depth || node.n == 0 || node.n > MAPFS_NODE_EXTENTS)
		r->fault = "has a damaged map";
	else
		read_entries(r, node.entry, node.n, depth);
	check_weight(r, node.entry, r->fault ? 0 : node.n, MAPFS_NODE_EXTENTS);
}

static void read_entries(
	struct reading *r, const struct mapfs_extent *entry, unsigned n, unsigned depth)
{
	struct mapfs_piece p;

	for (unsigned i = 0; i < n && !r->fault; i++) {
		mapfs_piece_decode(&entry[i], &p);
		if (depth == 0) {
			read_piece(r, &p);
		} else if (p.logical < r->end) {
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
	return r.fault;
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
		for (uint32_t b = 0; b < inode->piece[i].count; b++)
			f->owner[inode->piece[i].start + b] = 0;
	for (unsigned i = 0; i < inode->n_nodes; i++)
		f->owner[inode->node[i]] = 0;
	inode->n_pieces = inode->n_nodes = 0;
}

/* Pieces from the i-th on, as many as the room is for; returns how many. */
static unsigned put_pieces(
	const struct fsck_inode *inode, unsigned i, struct mapfs_extent *entry, uint32_t room)
{
	unsigned n = 0;

	for (uint32_t weight = 0; i + n < inode->n_pieces; n++) {
		struct mapfs_extent e;
		mapfs_piece_encode(&inode->piece[i + n], &e);
		weight += mapfs_extent_weight(&e);
		if (weight > room)
			break;
		entry[n] = e;
	}
	return n;
}

/* One leaf, of pieces from the i-th on; returns how many. */
static unsigned write_leaf(struct fsck *f, uint32_t ino, uint64_t block, unsigned i)
{
	struct fsck_inode *inode = &f->inodes[ino];
	struct mapfs_extent_node node = {0};

	node.n = (uint16_t)put_pieces(inode, i, node.entry, MAPFS_NODE_EXTENTS);
	fsck_write_metadata(f, block, MAPFS_KIND_EXTENTS, ino, &node);
	return node.n;
}

/* Leaves under the root, in the blocks that the old tree's nodes had, or new ones. */
static bool write_leaves(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];
	struct mapfs_inode_disk *d = &inode->d;

	for (unsigned i = 0; i < inode->n_pieces;) {
		struct mapfs_piece index = {.logical = inode->piece[i].logical};
		if (d->n_root == MAPFS_ROOT_EXTENTS)
			return false;
		if (d->n_root == inode->n_nodes) {
			index.start = fsck_take_block(f, ino);
			if (!index.start)
				return false;
			add_node(inode, index.start);
		}
		index.start = inode->node[d->n_root];
		mapfs_piece_encode(&index, &d->root[d->n_root++]);
		i += write_leaf(f, ino, index.start, i);
	}
	return true;
}

bool fsck_map_rebuild(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];
	struct mapfs_inode_disk *d = &inode->d;
	bool done = true;

	memset(d->root, 0, sizeof(d->root));
	d->n_root = (uint8_t)put_pieces(inode, 0, d->root, MAPFS_ROOT_EXTENTS);
	d->depth = d->n_root < inode->n_pieces;
	if (d->depth) {
		memset(d->root, 0, sizeof(d->root));
		d->n_root = 0;
		done = write_leaves(f, ino);
	}
	while (inode->n_nodes > (d->depth ? d->n_root : 0u))
		f->owner[inode->node[--inode->n_nodes]] = 0;
	d->n_blocks = fsck_map_blocks(inode);
	inode->changed = true;
	return done;
}
