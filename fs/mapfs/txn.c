// SPDX-License-Identifier: MIT
/*
 * Transactions, and their commit.
 *
 * Operations join the collecting group, change buffers in memory, and leave.  A commit closes the
 * group: nobody may begin, those inside leave, then the group's blocks go to the disk, and what
 * the group freed comes out of quarantine.  A group is committed when somebody wants something
 * durable, when its blocks would crowd the cache, or when the vfs syncs now and then.
 *
 *	begin, change, end ...    }  group N        commit:  flush        the data that N refers to
 *	     begin, change, end   }                          write        N's blocks in place
 *	              (wait)  begin, change, end ... N+1     flush
 *
 * The middle line is the write-through body: a crash inside it leaves a mixture, so the image is
 * not clean and fsck must see it.  A journal replaces that line (a copy of the blocks to the log,
 * in place later) and nothing else in this file's callers.
 */
#include "mapfs.h"

/* A group is committed before it takes more than this part of the cache. */
#define GROUP_SHARE_PERCENT 60

void mapfs_commit_init(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;

	fsh_mutex_init(&c->lock, "mapfs commit", FSH_RANK_LEAF);
	fsh_cond_init(&c->changed);
	c->sequence = 1;
}

void mapfs_txn_init(struct mapfs_txn *txn, struct mapfs *fs)
{
	txn->fs = fs;
	txn->running = false;
	txn->n_pins = 0;
}

void mapfs_txn_pin(struct mapfs_txn *txn, struct mapfs_buf *buf)
{
	fsh_assert(!txn->running && txn->n_pins < MAPFS_TXN_PINS);
	txn->pins[txn->n_pins++] = buf;
}

void mapfs_txn_drop(struct mapfs_txn *txn)
{
	fsh_assert(!txn->running);
	while (txn->n_pins)
		mapfs_buf_put(txn->fs, txn->pins[--txn->n_pins]);
}

/* The state block, for itself. */
static int write_state(struct mapfs *fs, bool clean)
{
	struct mapfs_state *state = mapfs_state(fs);
	int err;

	fsh_mutex_lock(&fs->store_lock);
	if (state->clean && !clean) {
		state->mounts++;
		state->mounted_ns = fsh_realtime_ns();
	}
	state->clean = clean;
	state->free_blocks = fs->space[MAPFS_BLOCKS].free;
	state->free_inodes = fs->space[MAPFS_INODES].free;
	state->header.sequence = fs->commit.sequence;
	state->header.crc = mapfs_block_crc(fs->seed, state);
	err = blk_write(fs->dev, MAPFS_STATE_BLOCK * MAPFS_BLOCK_SECTORS, state, MAPFS_BLOCK_BYTES);
	fsh_mutex_unlock(&fs->store_lock);
	return err ? err : blk_flush(fs->dev);
}

/*
 * The first change of this mount: from now on the image is not clean.  Called and returns with
 * the commit lock held, which it drops; others wait as for a commit.
 */
static void begin_changes(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;
	int err;

	c->committing = true;
	fsh_mutex_unlock(&c->lock);
	err = write_state(fs, false);
	fsh_mutex_lock(&c->lock);
	c->changing = !err;
	c->error = err;
	c->committing = false;
	fsh_cond_broadcast(&c->changed);
}

static size_t group_limit(const struct mapfs *fs)
{
	return fs->cache.limit * GROUP_SHARE_PERCENT / 100;
}

/* The group's blocks, checksums and all, in place. */
static int write_blocks(struct mapfs *fs, struct mapfs_buf *dirty, uint64_t sequence)
{
	struct mapfs_io io;
	int err;

	err = blk_flush(fs->dev);
	if (err || !dirty)
		return err;
	mapfs_io_begin(&io, fs->dev);
	for (struct mapfs_buf *buf = dirty; buf; buf = buf->dirty_next) {
		struct mapfs_header *h = buf->data;
		if (buf->kind != MAPFS_KIND_INODES) {
			h->sequence = sequence;
			h->crc = mapfs_block_crc(fs->seed, buf->data);
		}
		mapfs_io_add_block(&io, BLK_WRITE, buf->block, buf->data);
	}
	err = mapfs_io_wait(&io);
	return err ? err : blk_flush(fs->dev);
}

/* The group is written, or never will be: its buffers are as others again. */
static void release_blocks(struct mapfs *fs, struct mapfs_buf *dirty)
{
	struct mapfs_buf *next;

	for (struct mapfs_buf *buf = dirty; buf; buf = next) {
		next = buf->dirty_next;
		buf->dirty = false;
		mapfs_buf_put(fs, buf);
	}
}

/*
 * Commit the collecting group.  Called and returns with the commit lock held; nobody commits.
 */
static void commit_group(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;
	struct mapfs_buf *dirty;
	struct mapfs_run *freed;
	int err;

	c->committing = true;
	while (c->handles)
		fsh_cond_wait(&c->changed, &c->lock);
	dirty = c->dirty;
	freed = c->freed;
	fsh_mutex_unlock(&c->lock);

	err = write_blocks(fs, dirty, c->sequence);
	if (err)
		fsh_log("mapfs %s: cannot write metadata (error %d): no more changes",
			fs->dev->name, -err);
	else {
		release_blocks(fs, dirty);
		mapfs_release_quarantine(fs, freed);
	}

	fsh_mutex_lock(&c->lock);
	c->error = err;
	if (!err) {
		c->dirty = NULL;
		c->n_dirty = 0;
		c->freed = NULL;
		c->committed = c->sequence++;
	}
	c->committing = false;
	fsh_cond_broadcast(&c->changed);
}

int mapfs_txn_begin(struct mapfs_txn *txn)
{
	struct mapfs *fs = txn->fs;
	struct mapfs_group_commit *c = &fs->commit;
	int err;

	if (fs->read_only)
		return -EROFS;
	fsh_mutex_lock(&c->lock);
	for (;;) {
		if (c->error)
			break;
		if (c->committing)
			fsh_cond_wait(&c->changed, &c->lock);
		else if (!c->changing)
			begin_changes(fs);
		else if (c->n_dirty && c->n_dirty + txn->n_pins > group_limit(fs))
			commit_group(fs);
		else
			break;
	}
	err = c->error ? -EROFS : 0;
	if (!err)
		c->handles++;
	txn->sequence = c->sequence;
	fsh_mutex_unlock(&c->lock);
	txn->running = !err;
	return err;
}

void mapfs_txn_dirty(struct mapfs_txn *txn, struct mapfs_buf *buf)
{
	struct mapfs_group_commit *c = &txn->fs->commit;
	bool first;

	fsh_assert(txn->running);
	mapfs_buf_ref(txn->fs, buf);
	fsh_mutex_lock(&c->lock);
	first = !buf->dirty;
	if (first) {
		buf->dirty = true;
		buf->dirty_next = c->dirty;
		c->dirty = buf;
		c->n_dirty++;
	}
	fsh_mutex_unlock(&c->lock);
	if (!first)
		mapfs_buf_put(txn->fs, buf);
}

void mapfs_txn_quarantine(struct mapfs_txn *txn, struct mapfs_run *run)
{
	struct mapfs_group_commit *c = &txn->fs->commit;

	fsh_mutex_lock(&c->lock);
	run->next = c->freed;
	c->freed = run;
	fsh_mutex_unlock(&c->lock);
}

void mapfs_txn_end(struct mapfs_txn *txn)
{
	struct mapfs_group_commit *c = &txn->fs->commit;

	fsh_mutex_lock(&c->lock);
	fsh_assert(txn->running && c->handles > 0);
	txn->running = false;
	if (--c->handles == 0)
		fsh_cond_broadcast(&c->changed);
	fsh_mutex_unlock(&c->lock);
	mapfs_txn_drop(txn);
}

int mapfs_commit_through(struct mapfs *fs, uint64_t sequence)
{
	struct mapfs_group_commit *c = &fs->commit;
	bool durable;
	int err;

	fsh_mutex_lock(&c->lock);
	durable = c->committed >= sequence;
	while (c->committed < sequence && !c->error) {
		if (c->committing)
			fsh_cond_wait(&c->changed, &c->lock);
		else
			commit_group(fs);
	}
	err = c->error;
	fsh_mutex_unlock(&c->lock);
	if (!err && durable)
		err = blk_flush(fs->dev);
	return err;
}

int mapfs_commit(struct mapfs *fs)
{
	uint64_t sequence;

	fsh_mutex_lock(&fs->commit.lock);
	sequence =
		fs->commit.dirty || fs->commit.handles ? fs->commit.sequence : fs->commit.committed;
	fsh_mutex_unlock(&fs->commit.lock);
	return mapfs_commit_through(fs, sequence);
}

int mapfs_end_changes(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;
	int err;

	fsh_mutex_lock(&c->lock);
	while (!c->error && (c->committing || c->handles || c->dirty)) {
		if (c->committing || c->handles)
			fsh_cond_wait(&c->changed, &c->lock);
		else
			commit_group(fs);
	}
	err = c->error;
	if (!err && c->changing) {
		c->committing = true;
		fsh_mutex_unlock(&c->lock);
		err = write_state(fs, true);
		fsh_mutex_lock(&c->lock);
		c->changing = err != 0;
		c->committing = false;
		fsh_cond_broadcast(&c->changed);
	}
	fsh_mutex_unlock(&c->lock);
	return err;
}

void mapfs_commit_destroy(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;

	fsh_assert(c->handles == 0 && !c->committing);
	release_blocks(fs, c->dirty);
	mapfs_release_quarantine(fs, c->freed);
	fsh_cond_destroy(&c->changed);
	fsh_mutex_destroy(&c->lock);
}
