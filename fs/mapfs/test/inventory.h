// SPDX-License-Identifier: MIT
/*
 * All that a mounted file system has, by inode: names, attributes, and a digest of the bytes; so
 * that what it was can be held against what it is.
 */
#pragma once

#include "world.h"

#define INVENTORY_INODES 1024
#define INVENTORY_NAMES  3

struct thing {
	char *name[INVENTORY_NAMES]; /* whole paths; those behind n_names are not kept */
	unsigned n_names;            /* 0: there is no such inode */
	struct fs_attr attr;
	uint64_t digest; /* of a file's bytes, a link's target */
};

struct inventory {
	struct thing thing[INVENTORY_INODES]; /* by inode */
};

/* All can be read; inodes have numbers below INVENTORY_INODES. */
struct inventory *inventory_take(struct world *w);
void inventory_free(struct inventory *inv);

uint32_t inventory_ino(const struct inventory *inv, const char *path); /* 0: no such name */
bool inventory_has(const struct thing *thing, const char *name);
bool inventory_same_contents(const struct thing *a, const struct thing *b);
