// SPDX-License-Identifier: MIT
/*
 * Who may have how much: counts of blocks, without saying which.
 *
 * What is reserved can be claimed later.  When it is not there now, it may be in quarantine, and
 * then a commit, or a checkpoint, brings it back.
 *
 * Data may not take all: some blocks are left for names and for what trees need when holes are
 * made, so that a disk that is full of data can be tidied up.  What only gives back (unlink,
 * truncate) takes no block at all.
 */
#include "mapfs.h"

/* One of 64 blocks, but not many. */
uint64_t mapfs_kept_blocks(const struct mapfs *fs)
{
	uint64_t n = fs->space[MAPFS_BLOCKS].total / 64;

	return n < MAPFS_KEPT_MAX ? n : MAPFS_KEPT_MAX;
}

/* n blocks if that leaves `keep`. */
static int reserve(struct mapfs *fs, uint64_t n, uint64_t keep)
{
	struct mapfs_space *space = &fs->space[MAPFS_BLOCKS];
	int err = 0;

	fsh_spin_lock(&fs->space_lock);
	if (space->free - space->reserved >= n + keep)
		space->reserved += n;
	else
		err = space->quarantined ? -EAGAIN : -ENOSPC;
	fsh_spin_unlock(&fs->space_lock);
	return err;
}

int mapfs_reserve(struct mapfs *fs, uint64_t n)
{
	return reserve(fs, n, 0);
}

int mapfs_reserve_data(struct mapfs *fs, uint64_t n)
{
	return reserve(fs, n, mapfs_kept_blocks(fs));
}

void mapfs_unreserve(struct mapfs *fs, uint64_t n)
{
	fsh_spin_lock(&fs->space_lock);
	fsh_assert(fs->space[MAPFS_BLOCKS].reserved >= n);
	fs->space[MAPFS_BLOCKS].reserved -= n;
	fsh_spin_unlock(&fs->space_lock);
}

uint64_t mapfs_quarantined(struct mapfs *fs, enum mapfs_space_kind kind)
{
	uint64_t n;

	fsh_spin_lock(&fs->space_lock);
	n = fs->space[kind].quarantined;
	fsh_spin_unlock(&fs->space_lock);
	return n;
}

/* A commit is enough for data; what else there is needs a checkpoint. */
int mapfs_end_quarantine(struct mapfs *fs)
{
	uint64_t before = mapfs_quarantined(fs, MAPFS_BLOCKS);
	int err = mapfs_commit(fs);

	return err || mapfs_quarantined(fs, MAPFS_BLOCKS) < before ? err : mapfs_checkpoint(fs);
}

static int reserve_wait(struct mapfs *fs, uint64_t n, uint64_t keep)
{
	int err;

	while ((err = reserve(fs, n, keep)) == -EAGAIN) {
		err = mapfs_end_quarantine(fs);
		if (err)
			return err;
	}
	return err;
}

int mapfs_reserve_wait(struct mapfs *fs, uint64_t n)
{
	return reserve_wait(fs, n, 0);
}

int mapfs_reserve_data_wait(struct mapfs *fs, uint64_t n)
{
	return reserve_wait(fs, n, mapfs_kept_blocks(fs));
}
