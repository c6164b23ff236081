// SPDX-License-Identifier: MIT
/*
 * The inside of one node of a directory's tree (format.h): pure functions, shared by the file
 * system and fsck.  Leaves and indices hold records of different kinds, but both kinds begin with
 * their key, so most of what follows does not ask.  Offsets count from the first record; that of
 * the end is node->bytes.
 */
#pragma once

#include "format.h"

#include <stdbool.h>
#include <stddef.h>

/* The first key that a name with this hash may have, and back. */
static inline uint64_t mapfs_dir_key(uint64_t hash, uint32_t number)
{
	return hash << MAPFS_DIR_NUMBER_BITS | number;
}

static inline uint64_t mapfs_dir_hash(uint64_t key)
{
	return key >> MAPFS_DIR_NUMBER_BITS;
}

static inline uint32_t mapfs_dir_number(uint64_t key)
{
	return (uint32_t)key & MAPFS_DIR_NUMBER_MAX;
}

/* The hash of a name: 48 bits, neither all zeros nor all ones. */
uint64_t mapfs_name_hash(const struct mapfs_super *sb, const char *name, size_t n);

static inline struct mapfs_dirent *mapfs_dirent_at(const struct mapfs_dir_node *node, unsigned at)
{
	return (struct mapfs_dirent *)((char *)node->records + at);
}

static inline struct mapfs_dir_child *mapfs_dir_child_at(
	const struct mapfs_dir_node *node, unsigned at)
{
	return (struct mapfs_dir_child *)((char *)node->records + at);
}

static inline uint64_t mapfs_dir_key_at(const struct mapfs_dir_node *node, unsigned at)
{
	return mapfs_dir_child_at(node, at)->key;
}

unsigned mapfs_dir_record_bytes(const struct mapfs_dir_node *node, unsigned at);

/* The first record whose key is not below `key`. */
unsigned mapfs_dir_seek(const struct mapfs_dir_node *node, uint64_t key);

/* Of an index: the child to which `key` belongs. */
unsigned mapfs_dir_seek_child(const struct mapfs_dir_node *node, uint64_t key);

static inline bool mapfs_dir_has_room(const struct mapfs_dir_node *node, unsigned bytes)
{
	return node->bytes + bytes <= MAPFS_DIR_NODE_BYTES;
}

/* Make room for a record; zero but for the key. */
void mapfs_dir_insert(struct mapfs_dir_node *node, unsigned at, uint64_t key, unsigned bytes);
void mapfs_dir_erase(struct mapfs_dir_node *node, unsigned at);

/* The upper half of the bytes moves to `right`, which is empty; neither will be empty. */
void mapfs_dir_split(struct mapfs_dir_node *node, struct mapfs_dir_node *right);

/*
 * The records of `right`, whose range begins at `from`, directly behind that of `left`, move to the
 * end of that; there is room.
 */
void mapfs_dir_join(struct mapfs_dir_node *left, struct mapfs_dir_node *right, uint64_t from);

/* All of it becomes what `from` is. */
void mapfs_dir_copy(struct mapfs_dir_node *node, const struct mapfs_dir_node *from);

/*
 * Why this is no node; NULL when it is, as far as it alone can tell: then everything above may be
 * used on it.
 */
const char *mapfs_dir_node_fault(const struct mapfs_super *sb, const struct mapfs_dir_node *node);

/* Why it cannot be what stands at `depth` for the keys [from, to) of a tree; NULL when it can. */
const char *mapfs_dir_place_fault(const struct mapfs_dir_node *node, unsigned depth, bool is_root,
	uint64_t from, uint64_t to);
