// SPDX-License-Identifier: MIT
/*
 * The log as a mounted file system writes it.  What it looks like: format.h; how it is used:
 * journal.c, the theory.
 */
#pragma once

#include "format.h"

#include <stdbool.h>
#include <stdint.h>

struct mapfs;
struct mapfs_buf;
struct mapfs_recovery;

/*
 * Where a group is.  A position counts the blocks that ever went into the ring before it: it only
 * grows, and its remainder by the ring's length is the offset.
 */
struct mapfs_log_point {
	uint64_t sequence, position;
};

/* Legend: [I] immutable, [t] the commit lock, [w] the writer's (commit.c). */
struct mapfs_log {
	uint64_t ring_blocks; /* [I] */
	uint64_t tail;        /* [t] position of the oldest group that is kept */
	uint64_t end;         /* [t] behind the newest one, as soon as its place is taken */
	unsigned next_head;   /* [w] once begun, the head to write next: not the one that counts */
	bool begun;           /* [w] a head of this mount was written */
	void **record;        /* [w] memory for a group's descriptors and its commit block */
	unsigned n_records;   /* [I] */
};

/* A copy of a metadata block on its way, or the block itself while nobody may change it. */
struct mapfs_image {
	struct mapfs_buf *buf;
	void *data;
};

/*
 * The log is empty and begins where recovery left it; groups have at most max_copies.  -ENOMEM;
 * mapfs_log_close() after any outcome.
 */
int mapfs_log_open(struct mapfs *fs, const struct mapfs_recovery *recovery, uint32_t max_copies)
	__attribute__((warn_unused_result));
void mapfs_log_close(struct mapfs *fs);

/* How many blocks of the ring a group of n copies takes, and how large n may be at most. */
uint64_t mapfs_log_need(uint64_t n_copies);
uint32_t mapfs_log_max_copies(uint64_t ring_blocks);

/* Commit lock held: blocks of the ring that are nobody's. */
uint64_t mapfs_log_room(const struct mapfs_log *log);

/*
 * The writer: write a whole group at `at`, whose place was taken.  Durable with the next flush,
 * but only as a whole.  -EIO.
 */
int mapfs_log_write(struct mapfs *fs, struct mapfs_log_point at, const struct mapfs_image *images,
	uint32_t n) __attribute__((warn_unused_result));

/* The writer: before the first group of a mount, whose sequence is new; else nothing.  -EIO. */
int mapfs_log_begin(struct mapfs *fs, struct mapfs_log_point first)
	__attribute__((warn_unused_result));

/* The writer: groups before `tail` are not needed any more, and that is flushed.  -EIO. */
int mapfs_log_write_head(struct mapfs *fs, struct mapfs_log_point tail)
	__attribute__((warn_unused_result));
