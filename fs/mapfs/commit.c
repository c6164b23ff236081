// SPDX-License-Identifier: MIT
/*
 * Group commit: what the collecting group changed becomes durable, all of it together.
 *
 *	group 8   begin .. end, begin .. end  |  copy  |  flush   write to the log   flush  |
 *	group 9        (the gate is closed)            |  begin .. end, begin .. end, ...
 *
 * Whoever wants something durable becomes the writer, or waits for the one that there is and looks
 * again: all who waited while one group was written find themselves in the next, and one of them
 * writes that for all.
 *
 * The first flush makes data durable before what refers to it, and the log's newest head before
 * what it gave free is used again; it is left out when nothing was written since the last one.
 * Only the writer may conclude that: another thread's flush may not be done yet.
 *
 * A group is committed because somebody syncs, because the next transaction does not fit into it
 * or into the log, or because the vfs syncs now and then.
 */
#include "mapfs.h"

#include <string.h>

/* Parts of the cache: what a group may have, and what may be logged before some goes in place. */
#define GROUP_SHARE_PERCENT  30
#define LOGGED_SHARE_PERCENT 40

/* A group may take half of the ring, so that the next one can be collected meanwhile. */
static uint32_t group_limit(const struct mapfs *fs)
{
	size_t by_cache = fs->cache.limit * GROUP_SHARE_PERCENT / 100;
	uint32_t by_ring = mapfs_log_max_copies(mapfs_ring_blocks(&fs->sb)) / 2;
	uint32_t limit = by_cache < by_ring ? (uint32_t)by_cache : by_ring;

	return limit > MAPFS_TXN_PINS + 1 ? limit : MAPFS_TXN_PINS + 1;
}

void mapfs_commit_init(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;

	fsh_mutex_init(&c->lock, "mapfs commit", FSH_RANK_LEAF);
	fsh_rwlock_init(&c->gate, "mapfs transaction", FSH_RANK_TXN);
	fsh_cond_init(&c->changed);
	c->logged.logged_next = c->logged.logged_prev = &c->logged;
	c->held_last = &c->held;
}

int mapfs_commit_start(struct mapfs *fs, const struct mapfs_recovery *recovery)
{
	struct mapfs_group_commit *c = &fs->commit;

	c->group_limit = group_limit(fs);
	c->logged_limit = fs->cache.limit * LOGGED_SHARE_PERCENT / 100;
	c->sequence = recovery->end.sequence + mapfs_ring_blocks(&fs->sb);
	c->committed = c->sequence - 1;
	c->images = fsh_alloc(c->group_limit * sizeof(c->images[0]));
	return c->images ? mapfs_log_open(fs, recovery, c->group_limit) : -ENOMEM;
}

void mapfs_note_unflushed(struct mapfs *fs)
{
	__atomic_store_n(&fs->commit.unflushed, 1, __ATOMIC_RELEASE);
}

/* --- Images ------------------------------------------------------------------------------ */

bool mapfs_images_copy(struct mapfs_image *images, uint32_t n)
{
	bool all = true;

	for (uint32_t i = 0; i < n; i++) {
		void *from = images[i].buf->data, *copy = fsh_page_alloc();

		images[i].data = copy ? memcpy(copy, from, MAPFS_BLOCK_BYTES) : from;
		all = all && copy;
	}
	return all;
}

void mapfs_images_seal(struct mapfs *fs, const struct mapfs_image *images, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct mapfs_header *h = images[i].data;
		if (images[i].buf->kind != MAPFS_KIND_INODES)
			h->crc = mapfs_block_crc(fs->seed, h);
	}
}

void mapfs_images_free(const struct mapfs_image *images, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (images[i].data != images[i].buf->data)
			fsh_page_free(images[i].data);
}

/* --- The writer -------------------------------------------------------------------------- */

/* Commit lock held. */
static void writer_begin(struct mapfs_group_commit *c)
{
	while (c->writing)
		fsh_cond_wait(&c->changed, &c->lock);
	c->writing = true;
}

static void writer_end(struct mapfs_group_commit *c)
{
	c->writing = false;
	fsh_cond_broadcast(&c->changed);
}

void mapfs_journal_failed(struct mapfs *fs, int err)
{
	struct mapfs_group_commit *c = &fs->commit;
	bool first;

	fsh_mutex_lock(&c->lock);
	first = !c->error;
	if (first)
		c->error = err;
	fsh_mutex_unlock(&c->lock);
	if (!first)
		return;
	fs_write(fs->read_only, true);
	__atomic_fetch_or(&fs->mount->flags, MOUNT_RDONLY | MOUNT_FAILED, __ATOMIC_SEQ_CST);
	fsh_log("mapfs %s: the journal cannot be written (error %d): read-only from now on",
		fs->dev->name, -err);
}

/* A group on its way to the log. */
struct group {
	struct mapfs_log_point at;
	uint32_t n; /* images */
	struct mapfs_run *freed;
};

/*
 * The gate is closed: the group's blocks become images, its place in the ring is taken, and the
 * next group collects.
 */
static void take_group(struct mapfs *fs, struct group *g)
{
	struct mapfs_group_commit *c = &fs->commit;
	struct mapfs_buf *buf;

	fsh_mutex_lock(&c->lock);
	*g = (struct group){.at = {c->sequence++, fs->log.end}, .freed = c->freed};
	for (buf = c->dirty; buf; buf = buf->dirty_next) {
		struct mapfs_header *h = buf->data;
		if (buf->kind != MAPFS_KIND_INODES)
			h->sequence = g->at.sequence;
		buf->dirty = false;
		c->images[g->n++].buf = buf;
	}
	fsh_assert(mapfs_log_need(g->n) <= mapfs_log_room(&fs->log));
	fs->log.end += mapfs_log_need(g->n);
	c->dirty = NULL;
	c->n_dirty = 0;
	c->freed = NULL;
	fsh_mutex_unlock(&c->lock);
}

static int flush_before(struct mapfs *fs)
{
	if (!__atomic_exchange_n(&fs->commit.unflushed, 0, __ATOMIC_ACQ_REL))
		return 0;
	return blk_flush(fs->dev);
}

static int write_group(struct mapfs *fs, const struct group *g)
{
	struct mapfs_group_commit *c = &fs->commit;
	int err;

	mapfs_images_seal(fs, c->images, g->n);
	err = mapfs_log_begin(fs, g->at);
	if (!err)
		err = flush_before(fs);
	if (!err)
		err = mapfs_log_write(fs, g->at, c->images, g->n);
	return err ? err : blk_flush(fs->dev);
}

/* Until the tail has passed the group that freed the run. */
static void hold_freed(struct mapfs_group_commit *c, struct mapfs_run *run)
{
	run->next = NULL;
	*c->held_last = run;
	c->held_last = &run->next;
}

/*
 * Not durable, and never will be: memory knows better than the disk, keeps
 * that, and frees nothing.
 */
static void keep_group(struct mapfs *fs, struct group *g)
{
	struct mapfs_group_commit *c = &fs->commit;
	struct mapfs_run *run;

	for (uint32_t i = 0; i < g->n; i++) {
		struct mapfs_buf *buf = c->images[i].buf;
		bool again;

		fsh_mutex_lock(&c->lock);
		again = buf->dirty;
		if (!again) {
			buf->dirty = true;
			buf->dirty_next = c->dirty;
			c->dirty = buf;
		}
		fsh_mutex_unlock(&c->lock);
		if (again)
			mapfs_buf_put(fs, buf);
	}
	while ((run = g->freed)) {
		g->freed = run->next;
		hold_freed(c, run);
	}
}

/* What was freed with the group: data may be used again, metadata when the tail has passed it. */
static void release_freed(struct mapfs *fs, struct mapfs_run *freed)
{
	struct mapfs_group_commit *c = &fs->commit;
	struct mapfs_run *run, *data = NULL;

	while ((run = freed)) {
		freed = run->next;
		if (run->metadata) {
			hold_freed(c, run);
		} else {
			run->next = data;
			data = run;
		}
	}
	mapfs_release_quarantine(fs, data);
}

static void group_is_durable(struct mapfs *fs, const struct group *g)
{
	struct mapfs_group_commit *c = &fs->commit;

	for (uint32_t i = 0; i < g->n; i++) {
		bool before;

		fsh_mutex_lock(&c->lock);
		before = mapfs_logged_add(c, c->images[i].buf, g->at);
		fsh_mutex_unlock(&c->lock);
		if (before)
			mapfs_buf_put(fs, c->images[i].buf);
	}
	release_freed(fs, g->freed);
	fsh_mutex_lock(&c->lock);
	c->committed = g->at.sequence;
	c->commits++;
	fsh_cond_broadcast(&c->changed);
	fsh_mutex_unlock(&c->lock);
}

/* The writer. */
static int commit_group(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;
	struct group g;
	bool copied;
	int err;

	fsh_rwlock_lock(&c->gate);
	take_group(fs, &g);
	copied = mapfs_images_copy(c->images, g.n);
	if (copied)
		fsh_rwlock_unlock(&c->gate);
	err = write_group(fs, &g);
	if (!copied)
		fsh_rwlock_unlock(&c->gate);
	mapfs_images_free(c->images, g.n);
	if (err) {
		keep_group(fs, &g);
		mapfs_journal_failed(fs, err);
	} else {
		group_is_durable(fs, &g);
	}
	return err;
}

/*
 * The writer, with the commit lock, which is dropped meanwhile: commit, and a
 * part of what is due.
 */
static void commit_and_more(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;
	bool due;
	int err;

	fsh_mutex_unlock(&c->lock);
	err = commit_group(fs);
	fsh_mutex_lock(&c->lock);
	due = !err && mapfs_checkpoint_due(fs);
	fsh_mutex_unlock(&c->lock);
	if (due)
		mapfs_checkpoint_round(fs);
	fsh_mutex_lock(&c->lock);
}

/* --- Making durable ---------------------------------------------------------------------- */

/* *closed: the group was under way already, or durable. */
static int wait_durable(struct mapfs *fs, uint64_t sequence, bool *closed)
{
	struct mapfs_group_commit *c = &fs->commit;
	int err;

	fsh_mutex_lock(&c->lock);
	*closed = c->sequence > sequence;
	while (c->committed < sequence && !c->error) {
		if (c->writing) {
			fsh_cond_wait(&c->changed, &c->lock);
			continue;
		}
		c->writing = true;
		commit_and_more(fs);
		writer_end(c);
	}
	err = c->error;
	fsh_mutex_unlock(&c->lock);
	return err;
}

int mapfs_commit_wait(struct mapfs *fs, uint64_t sequence)
{
	bool closed;

	return wait_durable(fs, sequence, &closed);
}

/*
 * Somebody will be told that what was written is durable.  When that fails nobody knows what of it
 * the device still has, and to write it again is too late: its pages are clean.  As with a group
 * that cannot be written, changes end there, so that nobody hears of success who asks after the
 * first one.
 */
static int flush_for_answer(struct mapfs *fs)
{
	int err = blk_flush(fs->dev);

	if (err)
		mapfs_journal_failed(fs, err);
	return err;
}

/*
 * The last flush of a group that was closed before may have begun before the
 * caller's data was there.
 */
int mapfs_commit_through(struct mapfs *fs, uint64_t sequence)
{
	bool closed;
	int err = wait_durable(fs, sequence, &closed);

	return !err && closed ? flush_for_answer(fs) : err;
}

uint64_t mapfs_commit_last(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;
	uint64_t sequence;

	fsh_mutex_lock(&c->lock);
	sequence = c->dirty ? c->sequence : c->sequence - 1;
	fsh_mutex_unlock(&c->lock);
	return sequence;
}

int mapfs_commit(struct mapfs *fs)
{
	return mapfs_commit_through(fs, mapfs_commit_last(fs));
}

int mapfs_commit_error(struct mapfs *fs)
{
	int err;

	fsh_mutex_lock(&fs->commit.lock);
	err = fs->commit.error;
	fsh_mutex_unlock(&fs->commit.lock);
	return err;
}

void mapfs_make_room(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;

	fsh_mutex_lock(&c->lock);
	writer_begin(c);
	if (!c->error && c->dirty) {
		commit_and_more(fs);
	} else if (!c->error) {
		fsh_mutex_unlock(&c->lock);
		mapfs_checkpoint_round(fs);
		fsh_mutex_lock(&c->lock);
	}
	writer_end(c);
	fsh_mutex_unlock(&c->lock);
}

int mapfs_checkpoint(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;
	int err = mapfs_commit(fs);

	if (err)
		return err;
	fsh_mutex_lock(&c->lock);
	writer_begin(c);
	fsh_mutex_unlock(&c->lock);
	while (mapfs_checkpoint_round(fs))
		continue;
	fsh_mutex_lock(&c->lock);
	err = c->error;
	writer_end(c);
	fsh_mutex_unlock(&c->lock);
	return err;
}

/* --- The end ----------------------------------------------------------------------------- */

/* Nothing is claimed any more: what is not in use is free. */
static void mark_clean(struct mapfs_txn *txn)
{
	struct mapfs *fs = txn->fs;
	struct mapfs_state *state = mapfs_state(fs);

	fsh_mutex_lock(&fs->store_lock);
	fsh_spin_lock(&fs->space_lock);
	state->free_blocks = fs->space[MAPFS_BLOCKS].free + fs->space[MAPFS_BLOCKS].quarantined;
	state->free_inodes = fs->space[MAPFS_INODES].free + fs->space[MAPFS_INODES].quarantined;
	fsh_spin_unlock(&fs->space_lock);
	state->clean = 1;
	mapfs_txn_dirty(txn, fs->state_buf);
	fs_write(fs->commit.changing, false);
	fsh_mutex_unlock(&fs->store_lock);
}

void mapfs_allow_changes(struct mapfs *fs)
{
	fsh_mutex_lock(&fs->commit.lock);
	fs->commit.closed = false;
	fsh_mutex_unlock(&fs->commit.lock);
}

/* Nobody is inside a transaction, and nobody will be. */
static void close_gate(struct mapfs_group_commit *c)
{
	fsh_mutex_lock(&c->lock);
	c->closed = true;
	fsh_mutex_unlock(&c->lock);
	fsh_rwlock_lock(&c->gate);
	fsh_rwlock_unlock(&c->gate);
}

int mapfs_end_changes(struct mapfs *fs)
{
	struct mapfs_txn txn;
	int err;

	close_gate(&fs->commit);
	if (!fs_read(fs->commit.changing))
		return 0;
	mapfs_txn_init(&txn, fs);
	txn.last = true;
	mapfs_orphan_pin(&txn);
	err = mapfs_txn_begin(&txn);
	if (err) {
		mapfs_txn_drop(&txn);
		return err;
	}
	mark_clean(&txn);
	mapfs_txn_end(&txn);
	err = mapfs_checkpoint(fs);
	return err ? err : flush_for_answer(fs);
}

void mapfs_commit_destroy(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;
	struct mapfs_buf *buf;

	fsh_assert(c->credits == 0 && !c->writing);
	while ((buf = c->dirty)) {
		c->dirty = buf->dirty_next;
		mapfs_buf_put(fs, buf);
	}
	while ((buf = mapfs_logged_take(c)))
		mapfs_buf_put(fs, buf);
	mapfs_release_quarantine(fs, c->freed);
	mapfs_release_quarantine(fs, c->held);
	mapfs_log_close(fs);
	fsh_free(c->images);
	fsh_rwlock_destroy(&c->gate);
	fsh_cond_destroy(&c->changed);
	fsh_mutex_destroy(&c->lock);
}
