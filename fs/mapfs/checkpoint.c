// SPDX-License-Identifier: MIT
/*
 * Checkpoint: what is durable in the log goes into its place, and the log's tail moves on.
 *
 * Logged blocks are a list, oldest group first (journal.c).  A round takes the oldest ones, copies
 * them while the gate is closed, writes the copies in order of their place, neighbours in one
 * request, and flushes.  A block that the collecting group has changed again is left out: its
 * memory is newer than what is durable.  It is no obstacle for long, for when that group commits
 * the block moves to the end of the list.
 *
 * Then nothing before the first block that is still on the list is needed: a head says so, and
 * metadata that was freed by groups before it comes out of quarantine.  The head is not flushed
 * here.  Whoever uses what it gave free, be it a part of the ring or a block, does so for the sake
 * of a later group, and that one's first flush makes the head durable before (commit.c).
 *
 * A round is due when half of the ring is in use, or when logged blocks, which are all pinned,
 * crowd the cache.
 */
#include "mapfs.h"

/* --- The list ---------------------------------------------------------------------------- */

static void unlink_logged(struct mapfs_group_commit *c, struct mapfs_buf *buf)
{
	buf->logged_prev->logged_next = buf->logged_next;
	buf->logged_next->logged_prev = buf->logged_prev;
	buf->logged.sequence = 0;
	c->n_logged--;
}

bool mapfs_logged_add(
	struct mapfs_group_commit *c, struct mapfs_buf *buf, struct mapfs_log_point at)
{
	bool before = buf->logged.sequence != 0;

	if (before)
		unlink_logged(c, buf);
	buf->logged = at;
	buf->logged_next = &c->logged;
	buf->logged_prev = c->logged.logged_prev;
	buf->logged_prev->logged_next = buf;
	c->logged.logged_prev = buf;
	c->n_logged++;
	return before;
}

struct mapfs_buf *mapfs_logged_take(struct mapfs_group_commit *c)
{
	struct mapfs_buf *buf = c->logged.logged_next;

	if (buf == &c->logged)
		return NULL;
	unlink_logged(c, buf);
	return buf;
}

bool mapfs_checkpoint_due(const struct mapfs *fs)
{
	return mapfs_log_room(&fs->log) < fs->log.ring_blocks / 2 ||
	       fs->commit.n_logged > fs->commit.logged_limit;
}

/* --- A round ----------------------------------------------------------------------------- */

/* The gate is closed: the oldest ones that may go.  Returns how many. */
static uint32_t choose(struct mapfs_group_commit *c)
{
	uint32_t n = 0;

	fsh_mutex_lock(&c->lock);
	for (struct mapfs_buf *buf = c->logged.logged_next; buf != &c->logged && n < c->group_limit;
		buf = buf->logged_next)
		if (!buf->dirty)
			c->images[n++].buf = buf;
	fsh_mutex_unlock(&c->lock);
	return n;
}

/* By place.  Shell's sort: no memory, no recursion, and some hundred elements. */
static void sort_images(struct mapfs_image *images, uint32_t n)
{
	for (uint32_t gap = n / 2; gap > 0; gap /= 2) {
		for (uint32_t i = gap; i < n; i++) {
			struct mapfs_image image = images[i];
			uint32_t at = i;

			for (; at >= gap && images[at - gap].buf->block > image.buf->block;
				at -= gap)
				images[at] = images[at - gap];
			images[at] = image;
		}
	}
}

static void *image_data(void *arg, uint32_t i)
{
	const struct mapfs_image *images = arg;

	return images[i].data;
}

static int write_in_place(struct mapfs *fs, struct mapfs_image *images, uint32_t n)
{
	struct mapfs_io io;
	uint32_t count;
	int err;

	mapfs_images_seal(fs, images, n);
	mapfs_io_begin(&io, fs->dev);
	for (uint32_t i = 0; i < n; i += count) {
		uint64_t block = images[i].buf->block;

		for (count = 1; i + count < n && images[i + count].buf->block == block + count;)
			count++;
		mapfs_io_add(&io, BLK_WRITE, block, count, image_data, &images[i]);
	}
	err = mapfs_io_wait(&io);
	return err ? err : blk_flush(fs->dev);
}

static void are_in_place(struct mapfs *fs, const struct mapfs_image *images, uint32_t n)
{
	struct mapfs_group_commit *c = &fs->commit;

	fsh_mutex_lock(&c->lock);
	for (uint32_t i = 0; i < n; i++)
		unlink_logged(c, images[i].buf);
	fsh_mutex_unlock(&c->lock);
	for (uint32_t i = 0; i < n; i++)
		mapfs_buf_put(fs, images[i].buf);
}

/* --- The tail ---------------------------------------------------------------------------- */

/* The oldest group that is still needed, or where the next one will be. */
static struct mapfs_log_point oldest(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;
	struct mapfs_log_point at;

	fsh_mutex_lock(&c->lock);
	at = (struct mapfs_log_point){c->committed + 1, fs->log.end};
	if (c->n_logged)
		at = c->logged.logged_next->logged;
	fsh_mutex_unlock(&c->lock);
	return at;
}

/* Runs are held in the order of their groups. */
static void release_held(struct mapfs *fs, uint64_t tail)
{
	struct mapfs_group_commit *c = &fs->commit;
	struct mapfs_run *passed = c->held, **link = &c->held;

	while (*link && (*link)->sequence < tail)
		link = &(*link)->next;
	if (link == &c->held)
		return;
	c->held = *link;
	*link = NULL;
	if (!c->held)
		c->held_last = &c->held;
	mapfs_release_quarantine(fs, passed);
}

static int move_tail(struct mapfs *fs)
{
	struct mapfs_log_point tail = oldest(fs);
	int err = 0;

	if (tail.position != fs->log.tail)
		err = mapfs_log_write_head(fs, tail);
	if (err)
		return err;
	fsh_mutex_lock(&fs->commit.lock);
	fs->log.tail = tail.position;
	fsh_mutex_unlock(&fs->commit.lock);
	release_held(fs, tail.sequence);
	return 0;
}

uint32_t mapfs_checkpoint_round(struct mapfs *fs)
{
	struct mapfs_group_commit *c = &fs->commit;
	uint32_t n;
	bool copied;
	int err = 0;

	fsh_rwlock_lock(&c->gate);
	n = choose(c);
	copied = mapfs_images_copy(c->images, n);
	if (copied)
		fsh_rwlock_unlock(&c->gate);
	sort_images(c->images, n);
	if (n)
		err = write_in_place(fs, c->images, n);
	if (!copied)
		fsh_rwlock_unlock(&c->gate);
	mapfs_images_free(c->images, n);
	if (!err) {
		are_in_place(fs, c->images, n);
		err = move_tail(fs);
	}
	if (err)
		mapfs_journal_failed(fs, err);
	return err ? 0 : n;
}
