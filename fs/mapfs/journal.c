// SPDX-License-Identifier: MIT
/*
 * The journal.
 *
 * The problem.  A rename changes two directories, two inodes and perhaps a bitmap: five blocks in
 * five places, of which a power cut leaves any subset.  All or none of them must survive, and what
 * survives must be a prefix of what was done.
 *
 * The idea.  Whole blocks, after their change, go to the log first, together; only when all are
 * there do they go to their places.  After a crash the log is read from its oldest group on, and
 * every group that is whole is written to its places again.  Doing that twice is doing it once.
 *
 *	operations   begin .. dirty .. end      join the collecting group              txn.c
 *	commit       close the gate, copy, open it; flush data; write the group
 *	             to the log; flush          the group is durable                   commit.c
 *	checkpoint   close the gate, copy, open it; write in place; flush;
 *	             move the tail              its part of the log is free            checkpoint.c
 *	recovery     heads, groups, replay      at the next mount, or by fsck          recover.c
 *
 *	           tail                                        end
 *	  ring  ....|  group 7  |  group 8  |    group 9       |......
 *	            |           |           |
 *	  logged:   a b c       b d         a    (b and d wait for group 8, a for 9, c for 7)
 *
 * The life of a metadata block.  Clean; changed inside a transaction and so *dirty*, a member of
 * the collecting group; with the commit *logged*, with that group's sequence; after a checkpoint
 * wrote it in place, clean.  A logged block that becomes dirty again is both, and moves to the new
 * group when that commits.  So all logged blocks are a list in the order of their newest group, the
 * first of them says where the tail may be, and nothing else has to be remembered of old groups.
 *
 * Invariants.
 *
 *  1. A group is on the disk as a whole or does not count.  Its checksums prove that, so its blocks
 *     and its commit record are written together, and one flush after them commits it.  The
 *     checksums are seeded with the UUID, and every record names its sequence and its place: what
 *     an earlier round of the ring, or an earlier file system, left there is never taken for it.
 *     And no two groups ever have one sequence: a group that a crash tore, written again by the
 *     next mount and torn elsewhere, could be whole with what is left of the first.
 *  2. What a group refers to is durable before it.  A flush before the log is written, unless
 *     nothing was written since the last one.  The same flush makes the newest head durable before
 *     the part of the ring that it gave free is used again.
 *  3. A copy goes to its place only when its group is durable, and the tail passes the group only
 *     when that is flushed.
 *  4. The collecting group always fits: whoever begins a transaction finds room for its credits in
 *     the ring, besides those of all who are inside, or commits and checkpoints until there is.  So
 *     a commit never waits for a checkpoint, which could not write blocks that are dirty again.
 *  5. A block that was freed may still have copies in the log, and replaying one over data of a new
 *     owner would destroy it.  So a freed metadata block is in quarantine until the tail has passed
 *     the group that freed it; a block of data, which the log never has, until that group is
 *     durable.  There are no records of revocation.
 *  6. A failed write or flush of the log, of a head, or in place ends all changes: the mount is for
 *     reading from then on, and what memory knows better than the disk stays in memory.
 *
 * The gate.  Transactions hold it shared, a commit exclusively, and only as long as it copies
 * blocks; then the next group collects while this one is written.  Without memory for a copy the
 * block is written from where it is, and the gate stays closed until then: slower, never wrong.
 *
 * What was refused.  Waiting between the copies and the commit record (a flush more; checksums do
 * it).  Logging operations or parts of blocks: replaying whole blocks is simpler to believe, and
 * repairs torn ones.  Copying a block when it is dirtied again: that is inside a transaction, where
 * nothing may fail.  Revocation records: quarantine is needed anyway.  A thread that checkpoints:
 * whoever committed does a bounded part of it, and everything stays as deterministic as its caller.
 *
 * To read: format.h, this file, txn.c, commit.c, checkpoint.c, recover.c.
 */
#include "mapfs.h"

#include "recover.h"

#include <string.h>

static uint32_t descriptors_for(uint64_t n_copies)
{
	return (uint32_t)((n_copies + MAPFS_LOG_ENTRIES - 1) / MAPFS_LOG_ENTRIES);
}

uint64_t mapfs_log_need(uint64_t n_copies)
{
	return descriptors_for(n_copies) + n_copies + 1;
}

uint32_t mapfs_log_max_copies(uint64_t ring_blocks)
{
	uint64_t n = ring_blocks - 1;

	while (mapfs_log_need(n) > ring_blocks)
		n--;
	return (uint32_t)n;
}

uint64_t mapfs_log_room(const struct mapfs_log *log)
{
	return log->ring_blocks - (log->end - log->tail);
}

int mapfs_log_open(struct mapfs *fs, const struct mapfs_recovery *recovery, uint32_t max_copies)
{
	struct mapfs_log *log = &fs->log;
	unsigned n = descriptors_for(max_copies) + 1;

	log->ring_blocks = mapfs_ring_blocks(&fs->sb);
	log->tail = log->end = recovery->end.position;
	log->record = fsh_alloc(n * sizeof(log->record[0]));
	if (!log->record)
		return -ENOMEM;
	while (log->n_records < n) {
		void *page = fsh_page_alloc();
		if (!page)
			return -ENOMEM;
		log->record[log->n_records++] = page;
	}
	return 0;
}

void mapfs_log_close(struct mapfs *fs)
{
	while (fs->log.n_records)
		fsh_page_free(fs->log.record[--fs->log.n_records]);
	fsh_free(fs->log.record);
}

/* --- Writing a group --------------------------------------------------------------------- */

struct group {
	struct mapfs *fs;
	struct mapfs_log_point at;
	const struct mapfs_image *images;
	uint32_t n, n_descriptors;
	uint32_t first; /* of the part that goes into one request: the ring may end inside */
};

/* Complete a record, the i-th block of the group. */
static void finish_record(
	const struct group *g, void *record, enum mapfs_kind kind, uint32_t owner, uint32_t i)
{
	struct mapfs_header *h = record;

	h->kind = kind;
	h->owner = owner;
	h->block = mapfs_ring_block(&g->fs->sb, g->at.position + i);
	h->sequence = g->at.sequence;
	h->crc = mapfs_block_crc(g->fs->seed, record);
}

static void fill_descriptor(const struct group *g, uint32_t index)
{
	struct mapfs_log_blocks *d = g->fs->log.record[index];
	uint32_t from = index * MAPFS_LOG_ENTRIES, n = g->n - from;

	memset(d, 0, sizeof(*d));
	d->n_copies = g->n;
	for (uint32_t i = 0; i < n && i < MAPFS_LOG_ENTRIES; i++) {
		const struct mapfs_image *image = &g->images[from + i];
		d->entry[i].block = image->buf->block;
		d->entry[i].kind = image->buf->kind;
		d->entry[i].crc = mapfs_copy_crc(g->fs->seed, image->data, image->buf->kind);
	}
	finish_record(g, d, MAPFS_KIND_LOG_BLOCKS, index, index);
}

static void fill_records(const struct group *g)
{
	struct mapfs_log_commit *commit = g->fs->log.record[g->n_descriptors];

	for (uint32_t i = 0; i < g->n_descriptors; i++)
		fill_descriptor(g, i);
	memset(commit, 0, sizeof(*commit));
	commit->n_copies = g->n;
	commit->time_ns = fsh_realtime_ns();
	finish_record(g, commit, MAPFS_KIND_LOG_COMMIT, g->n_descriptors, g->n_descriptors + g->n);
}

static void *group_block(void *arg, uint32_t i)
{
	const struct group *g = arg;

	i += g->first;
	if (i >= g->n_descriptors && i < g->n_descriptors + g->n)
		return g->images[i - g->n_descriptors].data;
	return g->fs->log.record[i < g->n_descriptors ? i : g->n_descriptors];
}

int mapfs_log_write(
	struct mapfs *fs, struct mapfs_log_point at, const struct mapfs_image *images, uint32_t n)
{
	struct group g = {fs, at, images, n, descriptors_for(n), 0};
	uint32_t total = (uint32_t)mapfs_log_need(n), until_wrap;
	struct mapfs_io io;

	fsh_assert(g.n_descriptors < fs->log.n_records);
	fill_records(&g);
	until_wrap = (uint32_t)(fs->log.ring_blocks - at.position % fs->log.ring_blocks);
	until_wrap = total < until_wrap ? total : until_wrap;
	mapfs_io_begin(&io, fs->dev);
	mapfs_io_add(&io, BLK_WRITE, mapfs_ring_block(&fs->sb, at.position), until_wrap,
		group_block, &g);
	g.first = until_wrap;
	mapfs_io_add(&io, BLK_WRITE, mapfs_ring_block(&fs->sb, at.position + until_wrap),
		total - until_wrap, group_block, &g);
	return mapfs_io_wait(&io);
}

/* --- The head ---------------------------------------------------------------------------- */

int mapfs_log_begin(struct mapfs *fs, struct mapfs_log_point first)
{
	int err;

	if (fs->log.begun)
		return 0;
	/* Only now: a replay meanwhile has changed which one counts. */
	fs->log.next_head = !fs->recovery->head;
	err = mapfs_log_write_head(fs, first);
	fs->log.begun = !err;
	return err;
}

int mapfs_log_write_head(struct mapfs *fs, struct mapfs_log_point tail)
{
	struct mapfs_log *log = &fs->log;
	struct mapfs_log_head *head = log->record[0];
	int err;

	mapfs_log_head_fill(head, &fs->sb, log->next_head, tail);
	err = blk_write(fs->dev, head->header.block * MAPFS_BLOCK_SECTORS, head, sizeof(*head));
	log->next_head = !log->next_head;
	mapfs_note_unflushed(fs);
	return err;
}
