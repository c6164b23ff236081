// SPDX-License-Identifier: MIT
/*
 * The tree of extents from within: what extent.c and extent_cut.c share.  All of it under the
 * extent lock.
 */
#pragma once

#include "mapfs.h"

/* File blocks, `to` not among them. */
struct mapfs_range {
	uint64_t from, to;
};

/* A node on a path, root first; buf is NULL for the root. */
struct mapfs_level {
	struct mapfs_extent *entry;
	uint32_t n, room, slot;
	struct mapfs_buf *buf;
};

struct mapfs_path {
	struct mapfs_level level[MAPFS_MAX_DEPTH + 1];
	uint32_t n;
	struct mapfs_range range; /* of the leaf */
};

/* From the root to the leaf for `logical`.  Nodes stay pinned until mapfs_path_put().  May read. */
int mapfs_path_find(
	struct mapfs_inode *inode, uint32_t logical, struct mapfs_path *path) MAPFS_MUST_CHECK;
void mapfs_path_put(struct mapfs_inode *inode, struct mapfs_path *path);

/* The path's nodes become pins of the transaction too. */
void mapfs_path_pin(struct mapfs_txn *txn, struct mapfs_path *path);

static inline struct mapfs_level *mapfs_leaf_of(struct mapfs_path *path)
{
	return &path->level[path->n - 1];
}

/* In a transaction that has pinned it: l->n, and entries, are other ones now. */
void mapfs_level_changed(
	struct mapfs_txn *txn, struct mapfs_inode *inode, const struct mapfs_level *l);
void mapfs_entry_remove(struct mapfs_level *l, uint32_t at);
