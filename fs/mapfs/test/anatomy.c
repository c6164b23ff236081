// SPDX-License-Identifier: MIT
#include "anatomy.h"

#include <stdlib.h>
#include <string.h>

void anatomy_look(struct anatomy *a, void *image)
{
	a->image = image;
	memcpy(&a->sb, image, sizeof(a->sb));
	a->seed = mapfs_crc_seed(&a->sb);
}

void *anatomy_block(const struct anatomy *a, uint64_t block)
{
	return a->image + block * MAPFS_BLOCK_BYTES;
}

struct mapfs_state *anatomy_state(const struct anatomy *a)
{
	return anatomy_block(a, MAPFS_STATE_BLOCK);
}

struct mapfs_bitmap *anatomy_map(const struct anatomy *a, bool inodes)
{
	return anatomy_block(
		a, inodes ? mapfs_inode_map_at(&a->sb, 0) : mapfs_block_map_at(&a->sb, 0));
}

void anatomy_seal(const struct anatomy *a, void *block)
{
	struct mapfs_header *h = block;

	h->crc = mapfs_block_crc(a->seed, h);
}

void anatomy_seal_inode(const struct anatomy *a, uint32_t ino)
{
	struct mapfs_inode_disk *d = anatomy_inode(a, ino);

	d->crc = mapfs_inode_crc(a->seed, ino, d);
}

struct mapfs_inode_disk *anatomy_inode(const struct anatomy *a, uint32_t ino)
{
	unsigned offset;
	uint64_t block = mapfs_inode_at(&a->sb, ino, &offset);

	return (struct mapfs_inode_disk *)((char *)anatomy_block(a, block) + offset);
}

static bool is_node(
	const struct mapfs_header *h, enum mapfs_kind kind, uint32_t ino, unsigned depth)
{
	if (h->kind != kind || h->owner != ino)
		return false;
	if (kind == MAPFS_KIND_DIR)
		return ((const struct mapfs_dir_node *)h)->depth == depth;
	return ((const struct mapfs_extent_node *)h)->depth == depth;
}

void *anatomy_node(
	const struct anatomy *a, enum mapfs_kind kind, uint32_t ino, unsigned depth, unsigned i)
{
	for (uint64_t b = a->sb.groups_start; b < a->sb.n_blocks - 1; b++)
		if (is_node(anatomy_block(a, b), kind, ino, depth) && i-- == 0)
			return anatomy_block(a, b);
	return NULL;
}

struct mapfs_dirent *anatomy_entry(
	const struct anatomy *a, uint32_t dir, const char *name, struct mapfs_dir_node **leaf)
{
	for (unsigned i = 0; (*leaf = anatomy_node(a, MAPFS_KIND_DIR, dir, 0, i)); i++) {
		for (unsigned at = 0; at < (*leaf)->bytes;
			at += mapfs_dir_record_bytes(*leaf, at)) {
			struct mapfs_dirent *e = mapfs_dirent_at(*leaf, at);
			if (e->name_len == strlen(name) && !memcmp(e->name, name, e->name_len))
				return e;
		}
	}
	abort();
}

static void visit_entries(const struct anatomy *a, const struct mapfs_extent *entry, unsigned n,
	unsigned depth, anatomy_visit visit, void *arg)
{
	struct mapfs_piece p;

	for (unsigned i = 0; i < n; i++) {
		mapfs_piece_decode(&entry[i], &p);
		if (depth) {
			const struct mapfs_extent_node *node = anatomy_block(a, p.start);
			visit_entries(a, node->entry, node->n, depth - 1, visit, arg);
		} else {
			visit(arg, &p);
		}
	}
}

void anatomy_pieces(const struct anatomy *a, uint32_t ino, anatomy_visit visit, void *arg)
{
	const struct mapfs_inode_disk *d = anatomy_inode(a, ino);

	if (!(d->flags & MAPFS_INODE_INLINE_DATA))
		visit_entries(a, d->root, d->n_root, d->depth, visit, arg);
}
