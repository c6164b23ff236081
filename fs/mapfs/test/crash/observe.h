// SPDX-License-Identifier: MIT
/* All that a mounted file system shows: names, attributes, bytes. */
#pragma once

#include "model.h"

#include <fs/types.h>

#define OBSERVED_NODES 100

struct observed_node {
	unsigned dir;  /* index of the directory; the root is 0, and its own */
	unsigned twin; /* the first node with the same inode, perhaps this one */
	char name[MODEL_NAME_BYTES];
	struct fs_attr attr;
	uint8_t *data; /* of a regular file or symlink, when twin is itself: attr.size_bytes */
};

struct observed {
	unsigned n;
	struct observed_node node[OBSERVED_NODES]; /* directories before what is in them */
	uint64_t digest;                           /* of all of this */
};

/* False: something cannot be read; `why` says what. */
struct world;
bool observe(struct observed *o, struct world *w, char why[256]);
void observed_free(struct observed *o);
