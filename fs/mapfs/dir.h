// SPDX-License-Identifier: MIT
/* What dir.c offers to dir_change.c: ways through the tree of a directory. */
#pragma once

#include "dirnode.h"
#include "mapfs.h"

/* The nodes from the root, which is level 0, to a leaf; pinned. */
struct mapfs_dir_path {
	unsigned n;
	struct mapfs_buf *buf[MAPFS_DIR_LEVELS];
	unsigned at[MAPFS_DIR_LEVELS]; /* in each but the leaf, the child that is taken */
	uint64_t end;                  /* the first key that belongs to the next leaf */
};

static inline struct mapfs_dir_node *mapfs_dir_node_of(const struct mapfs_buf *buf)
{
	return buf->data;
}

static inline struct mapfs_dir_node *mapfs_dir_level(
	const struct mapfs_dir_path *path, unsigned level)
{
	return mapfs_dir_node_of(path->buf[level]);
}

/* The directory has a root.  To the leaf that `key` belongs to. */
int mapfs_dir_path_find(
	struct mapfs_inode *dir, uint64_t key, struct mapfs_dir_path *path) MAPFS_MUST_CHECK;
void mapfs_dir_path_put(struct mapfs_inode *dir, struct mapfs_dir_path *path);

/*
 * The child of `level` that stands at `at` in it; pinned.  The path need not go there, and only
 * what it has at the levels above counts.
 */
int mapfs_dir_child_get(struct mapfs_inode *dir, const struct mapfs_dir_path *path, unsigned level,
	unsigned at, struct mapfs_buf **out) MAPFS_MUST_CHECK;

/* The entries from a key on, in order.  Begin, next until NULL, end whatever happened. */
struct mapfs_dir_walk {
	struct mapfs_inode *dir;
	struct mapfs_dir_path path; /* path.n == 0: not in a leaf */
	unsigned at;                /* of the entry in the leaf */
	uint64_t next;              /* key from which to go on */
};

void mapfs_dir_walk_begin(struct mapfs_dir_walk *walk, struct mapfs_inode *dir, uint64_t key);
int mapfs_dir_walk_next(
	struct mapfs_dir_walk *walk, const struct mapfs_dirent **entry) MAPFS_MUST_CHECK;
void mapfs_dir_walk_end(struct mapfs_dir_walk *walk);

/* Walk to the entry with the name: -ENOENT.  Only after success the walk is to be ended. */
int mapfs_dir_walk_to(struct mapfs_dir_walk *walk, struct mapfs_inode *dir,
	const struct fs_name *name, const struct mapfs_dirent **entry) MAPFS_MUST_CHECK;
