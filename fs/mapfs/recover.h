// SPDX-License-Identifier: MIT
/*
 * What the log of a device says: which metadata blocks are newer there than in their place.  Used
 * by mount and by fsck; needs no mounted file system.
 *
 *	mapfs_recovery_scan(&r, dev, &sb);		reads, writes nothing
 *	block = mapfs_recovery_find(&r, block);		to read as if all was in place
 *	mapfs_recovery_replay(&r);			or put it there
 *	mapfs_recovery_free(&r);
 */
#pragma once

#include "journal.h"
#include "layout.h"

#include <fs/blkdev.h>

#define MAPFS_RECOVERY_BUCKETS 512

/* The newest copy of a block. */
struct mapfs_moved {
	struct mapfs_moved *next;
	uint64_t block; /* where it belongs */
	uint64_t copy;  /* where it is */
};

struct mapfs_recovery {
	struct blkdev *dev;
	const struct mapfs_super *sb;
	uint32_t seed;
	unsigned head;               /* the one that counts */
	struct mapfs_log_point tail; /* the oldest group */
	struct mapfs_log_point end;  /* where the next one goes */
	uint64_t n_groups, n_copies; /* in between; no groups: nothing to replay, any more */
	uint64_t n_moved;
	struct mapfs_moved *bucket[MAPFS_RECOVERY_BUCKETS];
	const char *fault; /* why -EINVAL */
};

/*
 * Find the groups that count.  *r need not be initialized, and may be freed after any outcome.
 * -EINVAL: the heads are damaged, and not by a crash (r->fault says how): what the log has cannot
 * be told.  -EIO, -ENOMEM.
 */
int mapfs_recovery_scan(struct mapfs_recovery *r, struct blkdev *dev, const struct mapfs_super *sb)
	__attribute__((warn_unused_result));

/* Is there anything to replay? */
bool mapfs_recovery_needed(const struct mapfs_recovery *r);

/* Where the newest committed contents of a metadata block are. */
uint64_t mapfs_recovery_find(const struct mapfs_recovery *r, uint64_t block);

/*
 * Write every copy to its place, then the head of an empty log; both are flushed.  May be stopped
 * anywhere and done again.  Afterwards r finds every block in its place.  -EIO, -ENOMEM.
 */
int mapfs_recovery_replay(struct mapfs_recovery *r) __attribute__((warn_unused_result));
void mapfs_recovery_free(struct mapfs_recovery *r);

/*
 * An empty log on a device: what mkfs and fsck write.  clear: the ring is not
 * zero.  -EIO, -ENOMEM.
 */
int mapfs_log_make(struct blkdev *dev, const struct mapfs_super *sb, bool clear)
	__attribute__((warn_unused_result));

/* A head that names `tail` as the oldest group, complete but not written. */
void mapfs_log_head_fill(struct mapfs_log_head *head, const struct mapfs_super *sb, unsigned which,
	struct mapfs_log_point tail);
