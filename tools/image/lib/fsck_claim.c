// SPDX-License-Identifier: MIT
/*
 * One owner a block.
 *
 * While inodes are read they claim their blocks.  Metadata says whose it is, so a node that was
 * found to be what leads to it is its inode's, whoever else wants that block.  Data says nothing:
 * the first who claims it has it.  When all inodes are read, everybody else who wants a block gets
 * a copy of it: which of them is damaged cannot be told, but whichever is not has the bytes that it
 * had.
 */
#include "fsck.h"

#include <fs/types.h>

#include <stdlib.h>
#include <string.h>

enum claim {
	NODE = 1,      /* it is metadata, of its owner */
	CONTESTED = 2, /* more than one wants it: not to be given away before all have a copy */
	KEPT = 4,      /* contested data whose owner has found it again */
};

bool fsck_claim_node(struct fsck *f, uint64_t block, uint32_t ino)
{
	if (f->claim[block] & NODE)
		return false;
	if (f->owner[block])
		f->claim[block] |= CONTESTED;
	f->claim[block] |= NODE;
	f->owner[block] = ino;
	return true;
}

void fsck_claim_data(struct fsck *f, uint64_t start, uint32_t count, uint32_t ino)
{
	for (uint64_t b = start; b < start + count; b++) {
		if (f->owner[b])
			f->claim[b] |= CONTESTED;
		else
			f->owner[b] = ino;
	}
}

void fsck_give_back(struct fsck *f, uint64_t start, uint32_t count, uint32_t ino)
{
	for (uint64_t b = start; b < start + count; b++) {
		if (f->owner[b] != ino)
			continue;
		f->owner[b] = 0;
		f->claim[b] &= CONTESTED;
		if (b < f->first_free)
			f->first_free = b;
	}
}

uint64_t fsck_take_block(struct fsck *f, uint32_t ino)
{
	if (f->first_free < f->sb.groups_start)
		f->first_free = f->sb.groups_start;
	for (; f->first_free < f->sb.n_blocks - 1; f->first_free++) {
		uint64_t b = f->first_free;
		if (f->owner[b] == 0 && f->claim[b] == 0 && mapfs_data_run_valid(&f->sb, b, 1)) {
			f->owner[b] = ino;
			return b;
		}
	}
	return 0;
}

/* --- Settling ---------------------------------------------------------------------------- */

/* Does this block of a file stay its own?  Each is asked for once. */
static bool keeps(struct fsck *f, uint64_t block, uint32_t ino)
{
	if (!(f->claim[block] & CONTESTED))
		return true;
	if (f->owner[block] != ino || f->claim[block] & (NODE | KEPT))
		return false;
	f->claim[block] |= KEPT;
	return true;
}

static uint64_t copy_of(struct fsck *f, uint64_t block, uint32_t ino)
{
	uint8_t data[MAPFS_BLOCK_BYTES];
	uint64_t copy = fsck_take_block(f, ino);

	if (!copy) {
		fsck_stuck(f, "inode %u loses a block: there is no room for a copy", ino);
		return 0;
	}
	if (fsck_read(f, block, data) || fsck_write(f, copy, data))
		return 0;
	return copy;
}

/* Has the file data that is not its own alone? */
static bool is_contested(const struct fsck *f, const struct fsck_inode *inode)
{
	for (unsigned i = 0; i < inode->n_pieces; i++)
		for (uint32_t k = 0; k < inode->piece[i].count; k++)
			if (f->claim[inode->piece[i].start + k] & CONTESTED)
				return true;
	return false;
}

/*
 * The file's pieces again, block by block, with copies of what it does not
 * keep; how many there are.
 */
static unsigned settle(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino], old = *inode;
	unsigned copies = 0;

	inode->piece = NULL;
	inode->n_pieces = 0;
	for (unsigned i = 0; i < old.n_pieces; i++) {
		for (uint32_t k = 0; k < old.piece[i].count; k++) {
			struct mapfs_piece p = old.piece[i];
			p.start += k;
			p.logical += k;
			p.count = 1;
			if (!keeps(f, p.start, ino)) {
				copies++;
				p.start = f->fix ? copy_of(f, p.start, ino) : 0;
			}
			if (p.start)
				fsck_map_append(inode, &p);
		}
	}
	free(old.piece);
	return copies;
}

void fsck_settle_claims(struct fsck *f)
{
	for (uint32_t ino = 1; ino <= f->n_inodes; ino++) {
		struct fsck_inode *inode = &f->inodes[ino];
		uint32_t type = inode->d.mode & FS_IFMT;

		if (!inode->in_use || type == FS_IFDIR || type == FS_IFLNK ||
			!is_contested(f, inode))
			continue;
		if (settle(f, ino) &&
			fsck_problem(f, "inode %u has a block that something else has", ino))
			inode->map_changed = true;
	}
}
