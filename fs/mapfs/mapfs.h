// SPDX-License-Identifier: MIT
/*
 * The structures of a mounted mapfs, and what its files offer one another.  The theory is at the
 * head of super.c.
 */
#pragma once

#include "format.h"
#include "journal.h"
#include "layout.h"
#include "recover.h"

#include <fs/blkdev.h>
#include <fs/host.h>
#include <fs/mount.h>
#include <fs/vnode.h>

#include <errno.h>

struct mapfs;
struct mapfs_buf;
struct mapfs_run;
struct mapfs_txn;

#define MAPFS_MUST_CHECK __attribute__((warn_unused_result))

/* --- io.c: many requests in flight, waited for together ---------------------------------- */

/*
 * A batch of requests.  Begin, add any number, wait once: 0 or the first error.  Adding does not
 * wait.  When memory for a request is short it is done at once, alone, with the batch's own.
 */
struct mapfs_io {
	struct blkdev *dev;
	uint32_t pending; /* [a] requests under way, and one for whoever adds */
	int32_t error;    /* [a] */
	struct mapfs_io_request *requests;
	struct fsh_completion done;
};

void mapfs_io_begin(struct mapfs_io *io, struct blkdev *dev);

/* `count` blocks from `block` on; data(arg, i) is where the i-th is in memory. */
void mapfs_io_add(struct mapfs_io *io, enum blk_op op, uint64_t block, uint32_t count,
	void *(*data)(void *arg, uint32_t i), void *arg);
int mapfs_io_wait(struct mapfs_io *io) MAPFS_MUST_CHECK;

/* --- cache.c: metadata blocks ------------------------------------------------------------ */

/*
 * A metadata block in memory.  Its contents are guarded by whatever guards the structure that it
 * is part of (a directory's inode lock, the allocator's lock, the inode store's lock), and change
 * only inside a transaction.
 * Legend: [I] immutable, [c] cache lock, [t] commit lock.
 */
struct mapfs_buf {
	uint64_t block;      /* [I] */
	uint32_t kind;       /* [c] */
	uint32_t owner;      /* [c] */
	uint32_t refs;       /* [c] pinned while not 0 */
	bool busy;           /* [c] being read */
	bool valid;          /* [c] holds what the disk has, or newer */
	bool dirty;          /* [t] a member of the collecting group, which holds a reference */
	void *data;          /* [I] MAPFS_BLOCK_BYTES */
	struct fs_link link; /* [c] */
	struct mapfs_buf *idle_next, *idle_prev; /* [c] when refs is 0: oldest first */
	struct mapfs_buf *dirty_next;            /* [t] */

	/* [t] the newest durable group that has it, while it is not in place; sequence 0: none */
	struct mapfs_log_point logged;
	struct mapfs_buf *logged_next, *logged_prev; /* [t] that list holds a reference, too */
};

/* Legend: [c] lock. */
struct mapfs_cache {
	struct fsh_mutex lock;
	struct fsh_cond read_done;
	struct fs_table table;
	struct mapfs_buf idle; /* [c] head of the ring of unused buffers */
	size_t n_bufs;         /* [c] */
	size_t limit;          /* it may always have so many; commits count on no more */
	size_t bound;          /* [c] it may have so many as things are; at least `limit` */
	bool fixed;            /* for tests: `bound` stays `limit` */
};

void mapfs_cache_init(struct mapfs_cache *cache, size_t limit);
void mapfs_cache_destroy(struct mapfs_cache *cache);

/*
 * The block, verified, pinned.  May read.  -EIO (also when the contents are damaged: the reason
 * is logged), -ENOMEM.
 */
int mapfs_buf_get(struct mapfs *fs, uint64_t block, enum mapfs_kind kind, uint32_t owner,
	struct mapfs_buf **out) MAPFS_MUST_CHECK;

/*
 * A block that is about to be used as metadata: zero but for its header; nothing is read.  -EIO:
 * somebody uses it already, so the bitmap that gave it is damaged; -ENOMEM.
 */
int mapfs_buf_new(struct mapfs *fs, uint64_t block, enum mapfs_kind kind, uint32_t owner,
	struct mapfs_buf **out) MAPFS_MUST_CHECK;
struct mapfs_buf *mapfs_buf_ref(struct mapfs *fs, struct mapfs_buf *buf);
void mapfs_buf_put(struct mapfs *fs, struct mapfs_buf *buf); /* NULL is allowed */

/* Let go of unused buffers until at most `keep` are left; returns how many went. */
size_t mapfs_cache_shrink(struct mapfs *fs, size_t keep);

/* Memory became short: the same, for what it may have now. */
void mapfs_cache_trim(struct mapfs *fs);

/* --- txn.c: transactions ----------------------------------------------------------------- */

/*
 * One atomic change.  An operation first gathers: it reads and pins every block that it will
 * change and claims what it will allocate, and may fail at that.  Between begin and end nothing
 * can fail, so nothing is ever rolled back.
 *
 *	mapfs_txn_init(&txn, fs);
 *	... mapfs_txn_pin(&txn, buf) ...		the number of pins is the credits
 *	err = mapfs_txn_begin(&txn);			on failure: mapfs_txn_drop()
 *	... change, mapfs_txn_dirty(&txn, buf) ...
 *	mapfs_txn_end(&txn);				unpins
 */
#define MAPFS_TXN_PINS 40

struct mapfs_txn {
	struct mapfs *fs;
	bool running;
	bool last;         /* it is the one that marks the image as clean */
	uint64_t sequence; /* of the group, while running */
	unsigned n_pins, n_dirtied;
	struct mapfs_buf *pins[MAPFS_TXN_PINS];
};

void mapfs_txn_init(struct mapfs_txn *txn, struct mapfs *fs);

/* Takes over the caller's reference. */
void mapfs_txn_pin(struct mapfs_txn *txn, struct mapfs_buf *buf);

/*
 * Whoever is inside waits for no page, touches no user memory and takes no lock that comes before.
 * May commit and checkpoint for room.  -EROFS: for reading only, or after an error of the journal.
 */
int mapfs_txn_begin(struct mapfs_txn *txn) MAPFS_MUST_CHECK;

/* At most one block a credit. */
void mapfs_txn_dirty(struct mapfs_txn *txn, struct mapfs_buf *buf);

/* The run was freed inside txn: keep it back until that is durable. */
void mapfs_txn_quarantine(struct mapfs_txn *txn, struct mapfs_run *run);
void mapfs_txn_end(struct mapfs_txn *txn);
void mapfs_txn_drop(struct mapfs_txn *txn);

/* --- commit.c: groups of transactions ---------------------------------------------------- */

/*
 * The collecting group, the one that is being written, and what is logged but not in place.  One
 * thread at a time is the writer: it commits or checkpoints.
 * Legend: [t] lock, [w] the writer, [a] atomic, [I] immutable.
 */
struct mapfs_group_commit {
	struct fsh_mutex lock;
	struct fsh_cond changed; /* the writer has done something */
	struct fsh_rwlock gate;  /* shared: inside a transaction; exclusive: copying blocks */
	uint32_t group_limit;    /* [I] blocks */
	size_t logged_limit;     /* [I] beyond it a checkpoint is due */

	uint64_t sequence;       /* [t] of the collecting group; from 1 */
	unsigned credits;        /* [t] pins of those inside */
	struct mapfs_buf *dirty; /* [t] */
	size_t n_dirty;          /* [t] */
	struct mapfs_run *freed; /* [t] by the collecting group */
	bool changing;           /* [a] the state says that the image is not clean */
	bool closed;             /* [t] nobody may begin but the one that marks it as clean */

	bool writing;               /* [t] there is a writer */
	struct mapfs_image *images; /* [w] group_limit of them */
	uint64_t committed;         /* [t] all up to here are durable */
	uint32_t unflushed;         /* [a] something was written since the last flush of a commit */
	int error;                  /* [t] the journal failed: no more changes */

	struct mapfs_buf logged;             /* [t] head of the ring, oldest group first */
	size_t n_logged;                     /* [t] */
	struct mapfs_run *held, **held_last; /* [w] freed metadata, until the tail has passed it */
	uint64_t commits;                    /* [t] for tests */
};

void mapfs_commit_init(struct mapfs *fs);

/* Before the first transaction: groups go on behind what recovery found.  -ENOMEM. */
int mapfs_commit_start(struct mapfs *fs, const struct mapfs_recovery *recovery) MAPFS_MUST_CHECK;
void mapfs_commit_destroy(struct mapfs *fs); /* what was not committed is lost */

/* The last group that has something: what was read just now is in it or in one before it. */
uint64_t mapfs_commit_last(struct mapfs *fs);

/* Make durable all transactions that ended, and all data written, before the call. */
int mapfs_commit(struct mapfs *fs) MAPFS_MUST_CHECK;

/* As far as group `sequence`; cheaper when that is durable already: then only a flush. */
int mapfs_commit_through(struct mapfs *fs, uint64_t sequence) MAPFS_MUST_CHECK;

/*
 * Commit, then bring everything into place that no transaction changed again meanwhile: with no
 * other thread the log is empty, and nothing is in quarantine.
 */
int mapfs_checkpoint(struct mapfs *fs) MAPFS_MUST_CHECK;

/* Commit or checkpoint, whichever may give room for a transaction that finds none. */
void mapfs_make_room(struct mapfs *fs);

/* Data was written in place: the next commit flushes it first.  Any thread, before it begins. */
void mapfs_note_unflushed(struct mapfs *fs);

/* The transactions of group `sequence` are durable; of data nothing is said. */
int mapfs_commit_wait(struct mapfs *fs, uint64_t sequence) MAPFS_MUST_CHECK;

/* Why there are no more changes: -EIO, or 0. */
int mapfs_commit_error(struct mapfs *fs) MAPFS_MUST_CHECK;

/*
 * Nobody begins a transaction any more (-EROFS), also who passed the vfs's check before.  Commit
 * what there is, and mark the image as clean.  After mapfs_allow_changes() the next change marks it
 * as not clean again.
 */
int mapfs_end_changes(struct mapfs *fs) MAPFS_MUST_CHECK;
void mapfs_allow_changes(struct mapfs *fs);

/*
 * For the writer.  Copy n images while the gate is closed (false: memory was short, so it must stay
 * closed until they are written), complete their checksums, give the copies back.
 */
bool mapfs_images_copy(struct mapfs_image *images, uint32_t n);
void mapfs_images_seal(struct mapfs *fs, const struct mapfs_image *images, uint32_t n);
void mapfs_images_free(const struct mapfs_image *images, uint32_t n);

/* The journal cannot go on: say so, once; the mount is for reading from now on. */
void mapfs_journal_failed(struct mapfs *fs, int err);

/* --- checkpoint.c: from the log into place ------------------------------------------------ */

/*
 * Logged with the group at `at`, which is durable.  Commit lock held.  True: it
 * was logged before.
 */
bool mapfs_logged_add(
	struct mapfs_group_commit *c, struct mapfs_buf *buf, struct mapfs_log_point at);

/* The oldest logged block, off the list, with the list's reference; NULL when there is none. */
struct mapfs_buf *mapfs_logged_take(struct mapfs_group_commit *c);

/* Enough is logged that some should go into place.  Commit lock held. */
bool mapfs_checkpoint_due(const struct mapfs *fs);

/*
 * The writer: bring the oldest logged blocks that may go into place there, as many as a group has,
 * and move the tail.  Returns how many; none, too, after an error, which ends all changes.
 */
uint32_t mapfs_checkpoint_round(struct mapfs *fs);

/* --- alloc.c: blocks and inode numbers --------------------------------------------------- */

enum mapfs_space_kind { MAPFS_BLOCKS, MAPFS_INODES, MAPFS_SPACE_KINDS };

/*
 * A run of blocks (or inode numbers) of one group, on its way: claimed but not yet published, or
 * about to be freed, or freed and in quarantine.  Pins the bitmap that it is a part of, so that
 * publishing and freeing cannot fail.
 */
struct mapfs_run {
	struct mapfs_run *next;
	enum mapfs_space_kind kind;
	uint32_t group, first, count; /* bits */
	uint64_t start;               /* block, or inode number */
	uint32_t logical;             /* the caller's */
	struct mapfs_buf *map;
	bool metadata;     /* of a free: the blocks may have copies in the log */
	uint64_t sequence; /* of the group that freed it */
};

/* Legend: [a] the allocator's lock, [s] space_lock. */
struct mapfs_space {
	uint64_t total;       /* [I] */
	uint64_t free;        /* [s] neither in use, nor held */
	uint64_t reserved;    /* [s] of the free ones, promised (blocks only) */
	uint64_t quarantined; /* [s] held because their free is not durable */
};

struct mapfs_group {
	uint32_t n_free[MAPFS_SPACE_KINDS]; /* [a] neither in use, nor held */
	uint64_t *held[MAPFS_SPACE_KINDS];  /* [a] bitmaps: on their way (alloc.c); or NULL */
};

void mapfs_alloc_init(struct mapfs *fs);

/* All bitmaps, for their counts; fs->read_only when one is damaged.  -ENOMEM. */
int mapfs_alloc_read(struct mapfs *fs) MAPFS_MUST_CHECK;
void mapfs_alloc_destroy(struct mapfs *fs);

/*
 * Find a run of up to `want`, at `goal` if it is free there, long rather than near; it is nobody
 * else's from now on, in memory only.  Blocks come out of the caller's reservation.
 * -ENOSPC (inodes), -EIO, -ENOMEM.
 */
int mapfs_claim(struct mapfs *fs, enum mapfs_space_kind kind, uint64_t goal, uint32_t want,
	struct mapfs_run **out) MAPFS_MUST_CHECK;

/* Give the claim back (blocks to the reservation), and the memory of the run. */
void mapfs_unclaim(struct mapfs *fs, struct mapfs_run *run);

/* Inside a transaction that has pinned run->map: in use from now on.  Frees the run. */
void mapfs_publish(struct mapfs_txn *txn, struct mapfs_run *run);

/*
 * Prepare to free: pins the bitmap, and nobody else may prepare that.  The caller says whether it
 * is metadata.  -EIO (also when it is not in use: the damage is logged), -ENOMEM.
 */
int mapfs_free_prepare(struct mapfs *fs, enum mapfs_space_kind kind, uint64_t start, uint32_t count,
	struct mapfs_run **out) MAPFS_MUST_CHECK;
void mapfs_free_cancel(struct mapfs *fs, struct mapfs_run *run);

/* Inside a transaction that has pinned run->map.  The run goes into quarantine. */
void mapfs_free(struct mapfs_txn *txn, struct mapfs_run *run);

/* The frees are durable: a whole list of runs may be used again. */
void mapfs_release_quarantine(struct mapfs *fs, struct mapfs_run *freed);

/* Pin the run's bitmap in the transaction too. */
void mapfs_txn_pin_map(struct mapfs_txn *txn, struct mapfs_run *run);

/* --- space.c: how many blocks, for whom --------------------------------------------------- */

/*
 * Promise n blocks, in memory.  0; -EAGAIN: not now, but quarantined blocks come back with
 * mapfs_end_quarantine(); -ENOSPC.
 */
int mapfs_reserve(struct mapfs *fs, uint64_t n) MAPFS_MUST_CHECK;

/* The same for the data of files and its trees: some blocks are kept for names. */
#define MAPFS_KEPT_MAX 256
uint64_t mapfs_kept_blocks(const struct mapfs *fs);
int mapfs_reserve_data(struct mapfs *fs, uint64_t n) MAPFS_MUST_CHECK;
void mapfs_unreserve(struct mapfs *fs, uint64_t n); /* does not sleep */

uint64_t mapfs_quarantined(struct mapfs *fs, enum mapfs_space_kind kind);

/* Commit, and checkpoint when that gave nothing back.  Not inside a transaction. */
int mapfs_end_quarantine(struct mapfs *fs) MAPFS_MUST_CHECK;

/* The same as mapfs_reserve(), mapfs_reserve_data(), with that when it helps. */
int mapfs_reserve_wait(struct mapfs *fs, uint64_t n) MAPFS_MUST_CHECK;
int mapfs_reserve_data_wait(struct mapfs *fs, uint64_t n) MAPFS_MUST_CHECK;

/* --- inode.c ----------------------------------------------------------------------------- */

/* A cut of a file (resize.c). */
enum mapfs_cut_state {
	MAPFS_CUT_NONE,
	MAPFS_CUT_BEGUN,  /* the disk has the smaller size, the cache may have not */
	MAPFS_CUT_EDGE,   /* but for the page with the edge, which has to be written, it is over */
	MAPFS_CUT_FAILED, /* it could not be ended: no page from the edge on becomes dirty, nor does
			     the file grow */
};

/* Legend: [x] extent lock, [o] the inode store's lock, [p] the promises' lock, [I] immutable;
 * the vnode's own: fs/vnode.h. */
struct mapfs_inode {
	struct vnode vnode;
	uint32_t generation; /* [I] */
	uint32_t parent;     /* vnode lock: of a directory */

	struct fsh_mutex map_lock; /* whoever changes the block map, over the whole change */
	struct fsh_mutex extent_lock;
	uint8_t n_root, depth;                        /* [x] as in the inode on the disk */
	struct mapfs_extent root[MAPFS_ROOT_EXTENTS]; /* [x] */
	uint64_t n_blocks;                            /* [x] */
	uint64_t placed;                              /* [x] changes, [a]: mapfs_placed() */
	uint32_t promised_pages, promised_chunks;     /* [p] */
	uint32_t promised_nodes;                      /* [p] reserved for the tree */
	uint64_t disk_size;                           /* [x] the published size */
	uint8_t cut;                                  /* [x] enum mapfs_cut_state, [a] to look at */
	bool grows;                                   /* [x] a larger size is on its way: */
	uint64_t grows_from;                          /* [x] the size before it */
	uint32_t cuts;                                /* [x] how many were begun */
	uint64_t cut_size;                            /* [x] of the last one */
	uint64_t cut_sequence;                        /* [x] the group that has it */
	char *target;                                 /* [I] of a short symlink */

	uint64_t data_sequence; /* [a] the group that last changed what reading data needs */
	fs_time_t saved_mtime, saved_ctime; /* [a] as in the inode's block */

	bool orphan;                                   /* [o] */
	uint32_t orphan_next_ino;                      /* [o] as on the disk */
	struct mapfs_inode *orphan_next, *orphan_prev; /* [o] */
	struct mapfs_buf *orphan_buf;                  /* [o] pins the inode's block while orphan */
};

static inline struct mapfs_inode *mapfs_inode_of(struct vnode *v)
{
	return (struct mapfs_inode *)v;
}

static inline uint32_t mapfs_ino(const struct mapfs_inode *inode)
{
	return (uint32_t)inode->vnode.ino;
}

/* Are there times that its block does not know of yet?  No lock. */
static inline bool mapfs_inode_times_wait(const struct mapfs_inode *inode)
{
	return fs_read(inode->vnode.mtime) != fs_read(inode->saved_mtime) ||
	       fs_read(inode->vnode.ctime) != fs_read(inode->saved_ctime);
}

/*
 * A run of file blocks that have blocks on the disk: the piece that was looked at last for a store;
 * so a page that is stored to need not be looked for.  First block and end are one word, so that it
 * is read without a lock.  It is set and, before a block leaves the map, emptied under the extent
 * lock; and pages whose blocks go are out of the cache until then (resize.c, punch.c).
 */
static inline void mapfs_placed_set(struct mapfs_inode *inode, const struct mapfs_piece *p)
{
	fs_write(inode->placed, (uint64_t)p->logical << 32 | (p->logical + p->count));
}

static inline void mapfs_placed_clear(struct mapfs_inode *inode)
{
	fs_write(inode->placed, 0);
}

static inline bool mapfs_placed(const struct mapfs_inode *inode, uint64_t page)
{
	uint64_t placed = fs_read(inode->placed);

	return placed >> 32 <= page && page < (uint32_t)placed;
}

/* What the disk (or the block in memory) says of an inode in use, verified.  -EIO. */
int mapfs_inode_peek(struct mapfs *fs, uint32_t ino, struct mapfs_inode_disk *out) MAPFS_MUST_CHECK;

/* The vnode of an inode in use.  -EIO when it is damaged or free. */
int mapfs_inode_get(struct mapfs *fs, uint32_t ino, struct mapfs_inode **out) MAPFS_MUST_CHECK;

/* Memory for an inode that nobody knows yet. */
int mapfs_inode_alloc(
	struct mapfs *fs, uint32_t ino, uint32_t mode, struct mapfs_inode **out) MAPFS_MUST_CHECK;
void mapfs_inode_free(struct mapfs_inode *inode);

/* Where the blocks of a file that has none yet should be. */
uint64_t mapfs_inode_goal(const struct mapfs_inode *inode);

/* Its block, referenced; -EIO, -ENOMEM. */
int mapfs_inode_buf(struct mapfs *fs, uint32_t ino, struct mapfs_buf **out) MAPFS_MUST_CHECK;

/* Pin the block that the inode is in; that block, in a transaction that has pinned it. */
int mapfs_inode_pin(struct mapfs_txn *txn, const struct mapfs_inode *inode) MAPFS_MUST_CHECK;
struct mapfs_buf *mapfs_inode_pinned(struct mapfs_txn *txn, const struct mapfs_inode *inode);

/*
 * In a transaction that has pinned it: copy the inode into its block.  Takes the extent lock.
 * data: something changed that reading the data needs (size, extents).
 */
void mapfs_inode_store(struct mapfs_txn *txn, struct mapfs_inode *inode, bool data);

/* The generation for a new inode in this slot, which txn has pinned. */
uint32_t mapfs_inode_next_generation(struct mapfs_txn *txn, const struct mapfs_inode *inode);

/* Save what is in memory only: the times. */
int mapfs_inode_flush(struct mapfs_inode *inode) MAPFS_MUST_CHECK;

/* --- orphan.c ---------------------------------------------------------------------------- */

/*
 * The list of orphans: inodes without a name, and those that are being cut.  Add, which may have
 * been done before, and remove: in a transaction that has pinned the inode and this.  keep_named:
 * remove it if it has a name; whoever takes the last name away says so first, and adds it then.
 */
void mapfs_orphan_pin(struct mapfs_txn *txn);
void mapfs_orphan_add(struct mapfs_txn *txn, struct mapfs_inode *inode);
void mapfs_orphan_remove(struct mapfs_txn *txn, struct mapfs_inode *inode);
void mapfs_orphan_keep_named(struct mapfs_txn *txn, struct mapfs_inode *inode);

/* Free, or end the cut of, what an earlier mount left on the list. */
int mapfs_orphans_reap(struct mapfs *fs) MAPFS_MUST_CHECK;

/*
 * An inode that is on the disk's list came into memory, and nobody has it yet: it takes the place
 * of what was left of it, and what is left of its cut is done.
 */
int mapfs_orphan_return(struct mapfs *fs, struct mapfs_inode *inode) MAPFS_MUST_CHECK;

/* The end of the mount: what could not be freed stays on the disk's list. */
void mapfs_orphans_forget(struct mapfs *fs);

/* --- extent.c: which blocks a file has --------------------------------------------------- */

/*
 * Under the extent lock.  mapfs_extent_find(): the piece that begins at `logical`, up to `max`
 * blocks long; a hole has start 0, and may be longer than is said.  May read; -EIO, -ENOMEM.
 */
int mapfs_extent_find(struct mapfs_inode *inode, uint32_t logical, uint32_t max,
	struct mapfs_piece *out) MAPFS_MUST_CHECK;

/* Where the block for `logical` should be: behind the piece before it. */
int mapfs_extent_goal(struct mapfs_inode *inode, uint32_t logical, uint64_t *goal) MAPFS_MUST_CHECK;

/* What adding one piece needs: nodes for splits. */
struct mapfs_map_plan {
	uint32_t weight; /* that the leaf gets more */
	unsigned n_nodes, n_used;
	struct mapfs_run *node_run[MAPFS_MAX_DEPTH + 1];
	struct mapfs_buf *node[MAPFS_MAX_DEPTH + 1];
};

/*
 * Adding a piece where there is a hole.  Prepare: the map is the caller's (map_lock, or nobody
 * else knows the inode), and nodes come out of the caller's reservation, at most MAPFS_MAX_DEPTH +
 * 1 of them.  Cancel, also after an error, when the transaction's pins are dropped.  Insert: inside
 * the transaction, under the extent lock.
 */
int mapfs_extent_needs(struct mapfs_inode *inode, const struct mapfs_piece *p,
	unsigned *n_nodes) MAPFS_MUST_CHECK; /* exactly how many */
int mapfs_extent_prepare(struct mapfs_txn *txn, struct mapfs_inode *inode,
	const struct mapfs_piece *p, struct mapfs_map_plan *plan) MAPFS_MUST_CHECK;
void mapfs_extent_cancel(struct mapfs *fs, struct mapfs_map_plan *plan);
void mapfs_extent_insert(struct mapfs_txn *txn, struct mapfs_inode *inode,
	const struct mapfs_piece *p, struct mapfs_map_plan *plan);

/*
 * p, a part or all of an unwritten piece, is written: its data is on its way.  That needs no nodes.
 * Pin first, with the map locked; then in the transaction, under the extent lock.
 */
int mapfs_extent_pin(
	struct mapfs_txn *txn, struct mapfs_inode *inode, uint32_t logical) MAPFS_MUST_CHECK;
void mapfs_extent_written(
	struct mapfs_txn *txn, struct mapfs_inode *inode, const struct mapfs_piece *p);

/* A part of a range of blocks that goes in one transaction, from the range's end on. */
struct mapfs_cut {
	struct mapfs_run *runs;  /* to free */
	uint32_t last;           /* block of the range */
	uint32_t n_entries;      /* of a leaf, from the one for `last` down, that go wholly */
	uint32_t keep;           /* blocks of the entry before them, 0: it is not concerned */
	uint32_t n_nodes;        /* that become empty */
	struct mapfs_piece rest; /* of the last entry, behind the range, if count is not 0 */
	uint64_t past;           /* the rest of the range ends here */
	bool more;               /* and may have something */
};

/*
 * Taking out blocks [first, past); as adding.  When something of a piece stays on both sides
 * (cut->keep and cut->rest), the rest is to be added in the same transaction.
 */
int mapfs_extent_cut_prepare(struct mapfs_txn *txn, struct mapfs_inode *inode, uint32_t first,
	uint64_t past, struct mapfs_cut *cut) MAPFS_MUST_CHECK;
void mapfs_extent_cut_cancel(struct mapfs *fs, struct mapfs_cut *cut);
void mapfs_extent_cut(struct mapfs_txn *txn, struct mapfs_inode *inode, struct mapfs_cut *cut);

/* --- reserve.c: pages that may be stored to, before they have a block -------------------- */

/* 64 pages of a file; a bit says: one block is reserved for it. */
struct mapfs_promise {
	struct mapfs_promise *next;
	uint32_t ino;
	uint32_t chunk; /* page / 64 */
	uint64_t pages;
};

#define MAPFS_PROMISE_BUCKETS 512

struct mapfs_promises {
	struct fsh_spin lock;
	struct mapfs_promise *bucket[MAPFS_PROMISE_BUCKETS];
	struct mapfs_promise *spare;
	uint64_t nodes; /* [p] reserved for trees, of all files */
};

/*
 * What the tree may need for 64 pages more: their range lies in at most two nodes of each depth,
 * each of which splits at most once (half a node has room for 64), and the root may move down.
 */
#define MAPFS_PROMISE_NODES (2 * MAPFS_MAX_DEPTH + 1)

/*
 * One promise a page.  mapfs_promise(): 0 also when there was one; errors as mapfs_reserve_data(),
 * and -EAGAIN also when writing dirty pages, of this file or others, would give space back.
 */
int mapfs_promise(struct mapfs_inode *inode, uint32_t page) MAPFS_MUST_CHECK;
bool mapfs_promised(struct mapfs_inode *inode, uint32_t page);

/*
 * The page has its block (used: the claim consumed the reservation), or has gone.  False when
 * there was no promise.  Does not sleep.
 */
bool mapfs_promise_drop(struct mapfs_inode *inode, uint32_t page, bool used);

uint32_t mapfs_promised_pages(struct mapfs_inode *inode);

/* Blocks held for the tree on account of the file's promises; of all files'. */
uint32_t mapfs_promised_nodes(struct mapfs_inode *inode);
uint64_t mapfs_all_promised_nodes(struct mapfs *fs);

/*
 * Write what makes promises hold blocks for trees: this file's dirty pages, or, if it has none, all
 * files'.  -EIO of this file; -ENOSPC: nothing came back.
 */
int mapfs_promises_settle(struct mapfs_inode *inode) MAPFS_MUST_CHECK;

/* The tree has consumed n blocks of what was reserved for it. */
void mapfs_promise_nodes_used(struct mapfs_inode *inode, uint32_t n);
void mapfs_promises_trim(struct mapfs *fs); /* free the spare memory */
void mapfs_promises_destroy(struct mapfs *fs);

/* --- dir.c, dir_change.c: directories ---------------------------------------------------- */

/* The directory is locked.  -ENOENT. */
int mapfs_dir_find(
	struct mapfs_inode *dir, const struct fs_name *name, uint32_t *ino) MAPFS_MUST_CHECK;
int mapfs_dir_empty(struct mapfs_inode *dir) MAPFS_MUST_CHECK; /* 0, -ENOTEMPTY */

#define MAPFS_DIR_LEVELS (MAPFS_DIR_MAX_DEPTH + 1)

/* A node that may go when a name does: it became empty, or what it has goes to the one before. */
struct mapfs_dir_end {
	struct mapfs_run *run;         /* its block; NULL: nothing goes */
	struct mapfs_buf *from, *into; /* pinned by the transaction; into NULL: when it is empty */
};

/* What the change of one name has gathered.  All zeros: nothing. */
struct mapfs_dir_change {
	uint64_t key; /* of the entry */

	/* Adding: nodes for splits, and for two roots if need be. */
	unsigned n_nodes, n_used;
	uint64_t reserved; /* blocks, for nodes not claimed yet */
	struct mapfs_run *node_run[MAPFS_DIR_LEVELS + 1];
	struct mapfs_buf *node[MAPFS_DIR_LEVELS + 1];

	/* Removing: by depth of what goes; the last is the child that the root takes in. */
	struct mapfs_dir_end end[MAPFS_DIR_LEVELS];
};

/*
 * Each change is prepared, in the pins of a transaction that has not begun: -ENOENT, -ENOSPC.  Then
 * it is made in the transaction, or cancelled after the transaction's pins are dropped.  Of one
 * directory, an addition may be made before a removal, and settings before either.
 */
int mapfs_dir_add_prepare(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct fs_name *name, struct mapfs_dir_change *change) MAPFS_MUST_CHECK;
int mapfs_dir_remove_prepare(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct fs_name *name, struct mapfs_dir_change *change) MAPFS_MUST_CHECK;
int mapfs_dir_set_prepare(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct fs_name *name, struct mapfs_dir_change *change) MAPFS_MUST_CHECK;
void mapfs_dir_cancel(struct mapfs *fs, struct mapfs_dir_change *change);

/* Inside the transaction; the directory's inode is to be stored after them. */
void mapfs_dir_add(struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_dir_change *change,
	const struct fs_name *name, uint32_t ino, uint32_t mode);
void mapfs_dir_remove(
	struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_dir_change *change);
void mapfs_dir_set(struct mapfs_txn *txn, struct mapfs_inode *dir,
	const struct mapfs_dir_change *change, uint32_t ino, uint32_t mode);

int mapfs_readdir(struct vnode *dir, uint64_t *cookie, struct fs_readdir *r);

/* --- namespace.c, file.c ----------------------------------------------------------------- */

extern const struct vnode_ops mapfs_dir_ops, mapfs_file_ops, mapfs_symlink_ops, mapfs_node_ops;
extern const struct mvm_pager_ops mapfs_pager_ops;

int mapfs_setattr(struct vnode *v, const struct fs_attr *attr, unsigned mask);
int mapfs_fsync(struct vnode *v, bool data_only);
void mapfs_evict(struct vnode *v);

/* --- punch.c ----------------------------------------------------------------------------- */

int mapfs_punch(struct vnode *v, uint64_t start, uint64_t end);

/* --- unwritten.c ------------------------------------------------------------------------- */

int mapfs_allocate(struct vnode *v, uint64_t start, uint64_t end, unsigned how);

/* The data of pages [first, first + n) is where it belongs, and the map is locked. */
int mapfs_publish_written(struct mapfs_inode *inode, uint32_t first, uint32_t n) MAPFS_MUST_CHECK;

/* --- resize.c ---------------------------------------------------------------------------- */

/* The size of a regular file changes; its vnode is locked.  File data only: not times. */
int mapfs_file_resize(struct mapfs_inode *inode, uint64_t size) MAPFS_MUST_CHECK;

/*
 * May page `index` become dirty, or the file grow in it?  -EAGAIN: after mapfs_cut_settle(); -EIO:
 * not before it is cut.
 */
int mapfs_cut_forbids(const struct mapfs_inode *inode, uint64_t index) MAPFS_MUST_CHECK;

/* What is left of the last cut, before the file changes behind its end.  Its vnode is locked. */
int mapfs_cut_end(struct mapfs_inode *inode) MAPFS_MUST_CHECK;

/* The same, if a cut failed, by whom has no lock: for fsync. */
int mapfs_cut_retry(struct mapfs_inode *inode) MAPFS_MUST_CHECK;

/* Write the edge that a cut waits for, if any.  No lock of mm or of the map is held. */
int mapfs_cut_settle(struct mapfs_inode *inode) MAPFS_MUST_CHECK;

/* In a transaction that has pinned the inode and the list of orphans; storing it is to follow. */
void mapfs_cut_over(struct mapfs_txn *txn, struct mapfs_inode *inode);

/* The rest of a cut, of an inode of which no page is in memory. */
int mapfs_cut_complete(struct mapfs_inode *inode) MAPFS_MUST_CHECK;

static inline uint32_t mapfs_blocks_of(uint64_t bytes)
{
	return (uint32_t)((bytes + MAPFS_BLOCK_BYTES - 1) / MAPFS_BLOCK_BYTES);
}

/* --- super.c ----------------------------------------------------------------------------- */

struct mapfs {
	struct blkdev *dev;
	struct mount *mount;
	struct mapfs_super sb; /* [I] */
	uint32_t seed;         /* [I] of checksums */
	bool read_only;        /* [a] no changes in this mount, whatever it is asked for */
	bool writing;          /* [m] recovered, and orphans of earlier mounts freed */
	struct mapfs_cache cache;
	struct mapfs_recovery *recovery; /* [I] in a mount for reading: has what only the log has */
	struct mapfs_log log;
	struct mapfs_group_commit commit;

	struct fsh_mutex alloc_lock;
	struct fsh_spin space_lock;
	struct mapfs_space space[MAPFS_SPACE_KINDS];
	struct mapfs_group *groups;
	uint32_t next_dir_group; /* [a] */
	struct mapfs_promises promises;

	struct fsh_mutex store_lock; /* inodes in their blocks; the list of orphans */
	struct mapfs_inode *orphans; /* [o] */
	struct mapfs_buf *state_buf; /* [I] pinned; contents [o] */
};

static inline struct mapfs *mapfs_of(const struct vnode *v)
{
	return v->mount->fs;
}

static inline struct mapfs_state *mapfs_state(struct mapfs *fs)
{
	return fs->state_buf->data;
}

/* Metadata is not what it should be: say so, and refuse.  Returns -EIO. */
int mapfs_damaged(struct mapfs *fs, const char *what, uint64_t number, const char *reason);
