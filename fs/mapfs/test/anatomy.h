// SPDX-License-Identifier: MIT
/*
 * An image that is not mounted, cut open: where its structures are, for tests that damage them.
 * What these functions return is the image itself; whoever changes it seals it again, or not.
 */
#pragma once

#include <mapfs/dirnode.h>
#include <mapfs/layout.h>

struct anatomy {
	char *image;
	struct mapfs_super sb;
	uint32_t seed; /* of its checksums */
};

void anatomy_look(struct anatomy *a, void *image);

void *anatomy_block(const struct anatomy *a, uint64_t block);
struct mapfs_state *anatomy_state(const struct anatomy *a);
struct mapfs_bitmap *anatomy_map(const struct anatomy *a, bool inodes); /* of group 0 */

/* Make a checksum right. */
void anatomy_seal(const struct anatomy *a, void *block);
void anatomy_seal_inode(const struct anatomy *a, uint32_t ino);

struct mapfs_inode_disk *anatomy_inode(const struct anatomy *a, uint32_t ino);

/* The i-th node of an inode's tree of this kind and depth, by the number of its block. */
void *anatomy_node(
	const struct anatomy *a, enum mapfs_kind kind, uint32_t ino, unsigned depth, unsigned i);

/* The entry in a directory, and its leaf. */
struct mapfs_dirent *anatomy_entry(
	const struct anatomy *a, uint32_t dir, const char *name, struct mapfs_dir_node **leaf);

/* Each run of blocks that holds data of an inode. */
typedef void (*anatomy_visit)(void *arg, const struct mapfs_piece *piece);
void anatomy_pieces(const struct anatomy *a, uint32_t ino, anatomy_visit visit, void *arg);
