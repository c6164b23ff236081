// SPDX-License-Identifier: MIT
/*
 * Transactions: how operations join the collecting group.
 *
 *	gather    read and pin every block that will change; may fail
 *	begin     enter by the gate, with as many credits as there are pins
 *	          change blocks in memory, say so with dirty; nothing can fail
 *	end       leave; what was changed becomes durable with the group
 *
 * Credits are what makes "nothing can fail" true: whoever is let in finds, in the ring of the log,
 * room for the blocks of the group so far, for the credits of all inside, and for its own.  When
 * there is no room the newcomer makes some first (commit.c), before it is inside.
 *
 * The first transaction of a mount also says, in the state block, that the image is not clean.
 */
#include "mapfs.h"

void mapfs_txn_init(struct mapfs_txn *txn, struct mapfs *fs)
{
	txn->fs = fs;
	txn->running = false;
	txn->last = false;
	txn->n_pins = 0;
	txn->n_dirtied = 0;
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

/* --- Begin ------------------------------------------------------------------------------- */

/* What it may dirty at most: its pins, and the state block, if it is the first of the mount. */
static unsigned credits_of(const struct mapfs_txn *txn)
{
	return txn->n_pins + 1;
}

static bool group_has_room(const struct mapfs *fs, unsigned credits)
{
	const struct mapfs_group_commit *c = &fs->commit;
	uint64_t blocks = c->n_dirty + c->credits + credits;

	return blocks <= c->group_limit && mapfs_log_need(blocks) <= mapfs_log_room(&fs->log);
}

/* The gate is held.  -EAGAIN: no room. */
static int join_group(struct mapfs_txn *txn)
{
	struct mapfs_group_commit *c = &txn->fs->commit;
	int err = 0;

	fsh_mutex_lock(&c->lock);
	if (c->error || (c->closed && !txn->last))
		err = -EROFS;
	else if (!group_has_room(txn->fs, credits_of(txn)))
		err = -EAGAIN;
	else
		c->credits += credits_of(txn);
	txn->sequence = c->sequence;
	fsh_mutex_unlock(&c->lock);
	return err;
}

static void mark_not_clean(struct mapfs_txn *txn)
{
	struct mapfs *fs = txn->fs;
	struct mapfs_state *state = mapfs_state(fs);

	fsh_mutex_lock(&fs->store_lock);
	if (!fs->commit.changing) {
		state->mounts += state->clean;
		state->mounted_ns = fsh_realtime_ns();
		state->clean = 0;
		mapfs_txn_dirty(txn, fs->state_buf);
		fs_write(fs->commit.changing, true);
	}
	fsh_mutex_unlock(&fs->store_lock);
}

int mapfs_txn_begin(struct mapfs_txn *txn)
{
	struct mapfs_group_commit *c = &txn->fs->commit;
	int err;

	if (fs_read(txn->fs->read_only))
		return -EROFS;
	for (;;) {
		fsh_rwlock_lock_shared(&c->gate);
		err = join_group(txn);
		if (!err)
			break;
		fsh_rwlock_unlock_shared(&c->gate);
		if (err != -EAGAIN)
			return err;
		mapfs_make_room(txn->fs);
	}
	txn->running = true;
	if (!fs_read(c->changing))
		mark_not_clean(txn);
	return 0;
}

/* --- Inside ------------------------------------------------------------------------------ */

void mapfs_txn_dirty(struct mapfs_txn *txn, struct mapfs_buf *buf)
{
	struct mapfs_group_commit *c = &txn->fs->commit;
	bool first, alone;

	fsh_assert(txn->running);
	mapfs_buf_ref(txn->fs, buf);
	fsh_mutex_lock(&c->lock);
	first = !buf->dirty;
	alone = !c->dirty;
	if (first) {
		buf->dirty = true;
		buf->dirty_next = c->dirty;
		c->dirty = buf;
		c->n_dirty++;
		txn->n_dirtied++;
		fsh_assert(txn->n_dirtied <= credits_of(txn));
	}
	fsh_mutex_unlock(&c->lock);
	if (alone)
		mount_changed(txn->fs->mount);
	if (!first)
		mapfs_buf_put(txn->fs, buf);
}

void mapfs_txn_quarantine(struct mapfs_txn *txn, struct mapfs_run *run)
{
	struct mapfs_group_commit *c = &txn->fs->commit;

	fsh_mutex_lock(&c->lock);
	run->sequence = txn->sequence;
	run->next = c->freed;
	c->freed = run;
	fsh_mutex_unlock(&c->lock);
}

void mapfs_txn_end(struct mapfs_txn *txn)
{
	struct mapfs_group_commit *c = &txn->fs->commit;

	fsh_mutex_lock(&c->lock);
	fsh_assert(txn->running && c->credits >= credits_of(txn));
	c->credits -= credits_of(txn);
	txn->running = false;
	fsh_mutex_unlock(&c->lock);
	fsh_rwlock_unlock_shared(&c->gate);
	mapfs_txn_drop(txn);
}
