// SPDX-License-Identifier: MIT
/*
 * What the parts of fsck share: the image, what was learnt of it, and how to change it.
 *
 *	fsck.c		super blocks, log, state, the passes in order, bitmaps and counts
 *	fsck_inode.c	pass 1: every inode
 *	fsck_map.c	the blocks of an inode
 *	fsck_claim.c	one owner a block
 *	fsck_dir.c	the tree of a directory, and its names
 *	fsck_tree.c	pass 2: where names lead; pass 3: what nobody refers to; link counts
 *
 * fsck reads the disk by itself, through format.h and layout.h only: a checker that used the code
 * that made the mistake would make it again.  Only the log is read by the file system's own
 * recovery, for what counts in it is what a mount would take for it.  It believes inodes before
 * bitmaps, and directories before link counts; bitmaps, counts and the list of orphans are made
 * anew from the rest.
 */
#pragma once

#include "image.h"

#include <mapfs/format.h>
#include <mapfs/layout.h>
#include <mapfs/recover.h>

/* The names in a directory, in the order of their keys. */
struct fsck_dir {
	struct mapfs_dirent **entry; /* NULL: taken away */
	size_t n, n_read;            /* the first were read, the others added */
	uint64_t *node;              /* blocks of the tree, but for the root's */
	unsigned n_nodes;
	bool changed; /* this is not what the disk has */
};

struct fsck_inode {
	struct mapfs_inode_disk d;
	bool in_use;      /* d holds an inode that may stay */
	bool changed;     /* d differs from the disk */
	bool map_changed; /* the pieces do, and are to be written as a tree */
	bool reached;     /* some directory has it */
	bool orphan;      /* on the list of orphans: its end was begun */
	uint32_t links;   /* found */
	uint32_t parent;
	struct mapfs_piece *piece; /* its blocks, in order */
	uint64_t *node;            /* blocks of the tree that says so */
	unsigned n_pieces, n_nodes;
	struct fsck_dir *dir; /* of a directory; NULL: nothing in it can be read, or it is new */
};

struct fsck {
	struct blkdev *dev;
	bool fix;
	void (*say)(const char *line);
	uint64_t found, left; /* problems; those not repaired */
	struct mapfs_super sb;
	uint32_t seed;
	struct mapfs_recovery log; /* what it has is read as if it were in place */
	uint32_t n_inodes;         /* numbers are 1 .. n_inodes */
	struct fsck_inode *inodes; /* by number */
	uint32_t *owner;           /* by block: inode, or 0 */
	uint8_t *claim;            /* by block: fsck_claim.c */
	uint64_t first_free;       /* no block before it is */
	uint32_t lost_found;       /* the directory; 0: not looked for yet */
};

/*
 * All of it, of f->dev; f is zero but for dev, fix and say.  What was learnt stays in *f, for who
 * wants to look at it, until fsck_release(), after any outcome.
 */
void fsck_check(struct fsck *f);
void fsck_release(struct fsck *f);

/* Tell image_fsck_at(). */
void fsck_at(const char *phase, uint64_t done, uint64_t total);

/* Report; true when it is to be repaired (then the caller does it). */
bool fsck_problem(struct fsck *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A problem that stays. */
void fsck_stuck(struct fsck *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* -EIO is reported.  Blocks of 4096 bytes. */
int fsck_read(struct fsck *f, uint64_t block, void *data);
int fsck_write(struct fsck *f, uint64_t block, void *data);

/* Complete the header and write. */
int fsck_write_metadata(
	struct fsck *f, uint64_t block, enum mapfs_kind kind, uint32_t owner, void *data);

/*
 * A node that was found to be the inode's becomes its own; false: some way led to it before.  Data
 * becomes its own but for blocks that somebody has already.
 */
bool fsck_claim_node(struct fsck *f, uint64_t block, uint32_t ino);
void fsck_claim_data(struct fsck *f, uint64_t start, uint32_t count, uint32_t ino);

/* What of these is the inode's is nobody's now. */
void fsck_give_back(struct fsck *f, uint64_t start, uint32_t count, uint32_t ino);

/* All inodes were read: a copy for each who wants what somebody else has. */
void fsck_settle_claims(struct fsck *f);

/*
 * A block that nobody wants, now owned by ino; 0: there is none.  Not before
 * all inodes were read.
 */
uint64_t fsck_take_block(struct fsck *f, uint32_t ino);

/* An inode number that is not in use, or 0. */
uint32_t fsck_take_inode(struct fsck *f);

void fsck_scan_inodes(struct fsck *f);
void fsck_drop_inode(struct fsck *f, uint32_t ino); /* and its blocks */
int fsck_store_inodes(struct fsck *f);              /* those that changed */

/* Fill in pieces and nodes of an inode and own them; NULL, or what is wrong behind them. */
const char *fsck_map_read(struct fsck *f, uint32_t ino);
void fsck_map_release(struct fsck *f, uint32_t ino); /* its blocks are nobody's */
uint64_t fsck_map_blocks(const struct fsck_inode *inode);

/* A piece more; one that goes on where the last one ends becomes a part of that. */
void fsck_map_append(struct fsck_inode *inode, const struct mapfs_piece *p);

/* Make a new tree of the pieces. */
void fsck_map_store(struct fsck *f, uint32_t ino);

/* Where a block of the file is, or 0. */
uint64_t fsck_block_of(const struct fsck_inode *inode, uint32_t logical);

/* Pass 1 of a directory whose map was read. */
void fsck_dir_read(struct fsck *f, uint32_t ino);
void fsck_dir_add(struct fsck *f, uint32_t ino, const char *name, uint32_t to, uint32_t type);
uint32_t fsck_dir_find(struct fsck *f, uint32_t ino, const char *name); /* as it was read; or 0 */
void fsck_dir_erase(struct fsck_dir *dir, size_t i);
bool fsck_dir_seen_before(const struct fsck_dir *dir, size_t i); /* an entry of this name */
void fsck_dir_release(struct fsck *f, uint32_t ino);             /* its nodes are nobody's */
void fsck_dir_free(struct fsck_dir *dir);
void fsck_store_dirs(struct fsck *f); /* those that changed */

void fsck_walk_tree(struct fsck *f);
void fsck_reconnect(struct fsck *f);
void fsck_link_counts(struct fsck *f);
