// SPDX-License-Identifier: MIT
/*
 * What the operations of a workload mean: the tree after each of them, and the history of each
 * file's bytes.
 *
 * Namespace, attributes, truncates and punches are *ordered*: they survive a crash as one prefix,
 * so the model keeps the tree after every operation.  Bytes are not: they reach the disk when
 * write-back pleases, so a file has a list of events, each with the whole file as the caches then
 * had it.
 *
 * A punch cuts whole blocks; of the blocks at its edges it only writes zeros, which is data.
 */
#pragma once

#include "op.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_OPS        256
#define MODEL_INODES     64
#define MODEL_ENTRIES    96
#define MODEL_NAME_BYTES 16
#define MODEL_FILE_BYTES 147456u /* the largest file */
#define MODEL_ROOT       0u

struct model_entry {
	unsigned dir, inode; /* in model.inode */
	char name[MODEL_NAME_BYTES];
};

/* The namespace at one moment. */
struct model_tree {
	unsigned n_entries;
	struct model_entry entry[MODEL_ENTRIES];
	struct {
		uint32_t mode, nlink;
		unsigned changed; /* the operation that last changed a directory's entries */
	} inode[MODEL_INODES];
};

enum model_event_kind {
	MODEL_WRITE, /* bytes [start, end) */
	MODEL_CUT,   /* ordered: bytes [start, end) are zero from now on */
	MODEL_SIZE,  /* ordered: a new size; what is behind it is cut, which is [start, end) */
};

struct model_event {
	enum model_event_kind kind;
	unsigned op;
	uint64_t start, end;
	uint64_t size;  /* of the file, after it */
	uint8_t *after; /* the file's bytes; zero behind the size */
};

struct model_inode {
	unsigned created; /* by which operation */
	size_t target_bytes;
	uint64_t size;
	uint8_t *data; /* MODEL_FILE_BYTES, of a regular file */
	unsigned n_events;
	struct model_event *events;
	/*
	 * Operations that set its times, and those that may have: a store to a
	 * dirty page does not.
	 */
	uint64_t stamped[(MODEL_OPS + 63) / 64], touched[(MODEL_OPS + 63) / 64];
};

/* What was done before operation `op` must be durable once that has returned: */
struct model_sync {
	unsigned op;
	bool all;       /* of everything; else of one inode: */
	bool data_only; /* its bytes, and the size needed to read them */
	unsigned inode;
	uint64_t start, end; /* of these bytes */
};

struct model {
	unsigned n_ops, n_inodes, n_syncs;
	struct model_tree tree[MODEL_OPS + 1]; /* [i]: after i operations */
	struct model_inode inode[MODEL_INODES];
	struct model_sync sync[MODEL_OPS];
	bool ordered[MODEL_OPS]; /* the operation changed the tree, or cut a file */
};

struct model *model_new(void);
void model_free(struct model *m);

/*
 * Operation m->n_ops, which the file system has done (or refused, then it only counts).
 * 0, or why the model does not agree: an errno's negative.
 */
int model_apply(struct model *m, const struct op *op);
void model_refused(struct model *m);

/* All operations done so far are durable, as if a sync came behind the last one. */
void model_synced(struct model *m);

/* Has `op` set the inode's times; may it have? */
bool model_stamped(const struct model_inode *inode, unsigned op);
bool model_touched(const struct model_inode *inode, unsigned op);
