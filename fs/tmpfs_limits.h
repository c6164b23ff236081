// SPDX-License-Identifier: MIT
/*
 * What the files of a tmpfs may take: memory that nobody else can have until they are removed, and
 * that ending processes does not give back.
 *
 * Each mount has an account of pages and one of nodes.  A page counts from the first store to it, a
 * node as long as it lives, and each name of a file beyond its first like a node.  By itself a
 * mount may have half of memory in pages, and as many nodes as that is pages.  All mounts together
 * may have three quarters of memory, whatever their own limits say: without a place to page out to,
 * the rest is needed to run what could remove the files.
 */
#pragma once

#include <fs/types.h>
#include <stdbool.h>
#include <stdint.h>

struct tmpfs_limits {
	uint64_t max_pages, max_nodes; /* [I] UINT64_MAX: none of its own */
	uint64_t pages, nodes;         /* [a] taken */
};

/*
 * Defaults, and what the options ask for: NAME=VALUE with commas between them, or NULL.  size=
 * bytes, rounded up to pages, or a percentage of memory; nr_inodes=; mode=, octal.  Numbers may end
 * in k, m or g; 0 is no limit.  *mode keeps its value if no option gives one.  0 or -EINVAL.
 */
int tmpfs_limits_init(struct tmpfs_limits *limits, uint32_t *mode, const char *options);

/* One more page, or node; false: there is no room.  Any context. */
bool tmpfs_take_page(struct tmpfs_limits *limits);
bool tmpfs_take_node(struct tmpfs_limits *limits);

/* And back. */
void tmpfs_give_page(struct tmpfs_limits *limits);
void tmpfs_give_nodes(struct tmpfs_limits *limits, uint64_t n);

/* Room as it is now.  Of what has no limit of its own all is 0, as on Linux. */
void tmpfs_limits_stat(struct tmpfs_limits *limits, struct fs_stat *out);
