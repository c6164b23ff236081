// SPDX-License-Identifier: MIT
/*
 * Where things are: what follows from a super block.  Pure functions, shared by the file system,
 * mkfs and fsck.
 */
#pragma once

#include "format.h"

#include <stdbool.h>
#include <stddef.h>

/* Blocks that fit between groups_start and the copy of the super block, for group `group`. */
uint64_t mapfs_group_first(const struct mapfs_super *sb, uint32_t group);
uint32_t mapfs_group_length(const struct mapfs_super *sb, uint32_t group);
uint32_t mapfs_inode_table_blocks(const struct mapfs_super *sb);

/* Blocks of each group that its bitmaps and its inode table take. */
uint32_t mapfs_group_overhead(const struct mapfs_super *sb);

/* The group of a block, or n_groups when it is in none. */
uint32_t mapfs_block_group(const struct mapfs_super *sb, uint64_t block);

/* All of [start, start + count) may hold data: inside one group, behind its inode table. */
bool mapfs_data_run_valid(const struct mapfs_super *sb, uint64_t start, uint64_t count);

uint64_t mapfs_block_map_at(const struct mapfs_super *sb, uint32_t group);
uint64_t mapfs_inode_map_at(const struct mapfs_super *sb, uint32_t group);

/* The block of the inode tables that holds inode `ino`, and where in it. */
bool mapfs_ino_valid(const struct mapfs_super *sb, uint32_t ino);
uint64_t mapfs_inode_at(const struct mapfs_super *sb, uint32_t ino, unsigned *offset);

/*
 * Lay out a file system of n_blocks blocks with room for at least n_inodes inodes (0: one for
 * every four blocks).  Fills in the numbers of *sb, nothing else.  -ENOSPC: too small; a group has
 * at most MAPFS_GROUP_BLOCKS inodes.
 */
#define MAPFS_MIN_BLOCKS 256u
int mapfs_layout(struct mapfs_super *sb, uint64_t n_blocks, uint64_t n_inodes);

/* The ring of the log, and where in it position p is. */
uint64_t mapfs_ring_blocks(const struct mapfs_super *sb);
uint64_t mapfs_ring_block(const struct mapfs_super *sb, uint64_t position);

/* Checksums: the seed of a file system, a whole block, one inode, the super block. */
uint32_t mapfs_crc_seed(const struct mapfs_super *sb);
uint32_t mapfs_block_crc(uint32_t seed, const void *block);
uint32_t mapfs_copy_crc(uint32_t seed, const void *block, uint32_t kind); /* in the log */
uint32_t mapfs_inode_crc(uint32_t seed, uint32_t ino, const struct mapfs_inode_disk *d);
uint32_t mapfs_super_crc(const struct mapfs_super *sb);

/*
 * Why `block`, read from block number `at`, is not what it should be; NULL when it is.  Kind
 * MAPFS_KIND_INODES always is.
 */
const char *mapfs_block_fault(
	uint32_t seed, const void *block, uint64_t at, uint32_t kind, uint32_t owner);

/* Why this, a block as it should be, is no bitmap of the group; NULL when it is. */
const char *mapfs_bitmap_fault(const struct mapfs_super *sb, const struct mapfs_bitmap *map,
	uint32_t kind, uint32_t group);

/*
 * Why this is not a super block that this code may use on a device of n_blocks; NULL when it is.
 * *read_only is set when there is a feature that forbids writing.
 */
const char *mapfs_super_fault(const struct mapfs_super *sb, uint64_t n_blocks, bool *read_only);

/* A name that a directory may hold: not empty, no '/' or NUL, not "." or "..". */
bool mapfs_name_valid(const char *name, size_t n);

struct mapfs_piece {
	uint32_t logical, count;
	uint64_t start;
	bool unwritten;
};
void mapfs_piece_decode(const struct mapfs_extent *e, struct mapfs_piece *p);
void mapfs_piece_encode(const struct mapfs_piece *p, struct mapfs_extent *e);

/* Of how many entries it takes the room (format.h). */
static inline uint32_t mapfs_extent_weight(const struct mapfs_extent *e)
{
	return e->count & MAPFS_EXTENT_UNWRITTEN ? e->count & MAPFS_EXTENT_MAX : 1;
}

/*
 * Why these are not `n` entries of a node of this depth and with this room, all at or behind *at;
 * NULL when they are, and then *at is the first file block behind them (at depth 0).
 */
const char *mapfs_extents_fault(const struct mapfs_super *sb, const struct mapfs_extent *entry,
	unsigned n, unsigned room, unsigned depth, uint64_t *at);
