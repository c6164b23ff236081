// SPDX-License-Identifier: MIT
/*
 * A disk for tests of file systems: it forgets what was not flushed, it fails when told to, and it
 * remembers every write, so that any state that a power cut could leave can be built.
 *
 * The medium has three layers:
 *
 *	view     what reads see: all writes, in the order in which they were submitted
 *	log      the writes, in that order, each with its epoch: the flushes before it
 *	base     what the disk held when the log began
 *
 * A flush makes all writes of the log so far durable and begins a new epoch.  A power cut in epoch
 * e leaves base + all writes of epochs before e + any subset of those of epoch e, each of them
 * perhaps torn: only some of its sectors arrived.  testdisk_cut() builds such a state.
 *
 * Requests are done when submit returns, unless the disk was told to hold them back.  One lock
 * around all; any thread.
 */
#pragma once

#include <fs/blkdev.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct testdisk_write {
	uint64_t first_sector;
	uint32_t n_sectors;
	uint32_t epoch;
	uint8_t *data;
};

enum testdisk_op { TESTDISK_READ, TESTDISK_WRITE, TESTDISK_FLUSH, TESTDISK_OPS };

/* Which requests fail with -EIO. */
struct testdisk_fault {
	uint64_t countdown; /* the n-th from now on; 0: none */
	bool forever;       /* and all after it */
	bool tear;          /* a write that fails has changed half of its sectors */
};

struct testdisk {
	struct blkdev dev;
	pthread_mutex_t lock;
	uint8_t *base, *view; /* n_sectors each, sparse */
	struct testdisk_write *log;
	size_t n_log, log_room;
	uint32_t epoch;
	bool record; /* keep the log over flushes; else base follows at each flush */
	bool lie;    /* a flush does nothing (for planted bugs) */
	struct testdisk_fault fault[TESTDISK_OPS];
	uint64_t injected; /* how many requests were failed */

	/* Called before each flush, with no lock held: it may wait for what other threads do. */
	void (*before_flush)(struct testdisk *disk);
};

/* A zeroed disk, registered under `name` when that is not NULL.  Memory is taken as it is used. */
struct testdisk *testdisk_new(const char *name, uint64_t n_bytes);

/* A registered disk stays findable: its name may then be used by another one. */
void testdisk_free(struct testdisk *disk);

/* Everything written so far is the base, the log is empty, epoch 0.  Recording begins. */
void testdisk_begin_recording(struct testdisk *disk);

/*
 * Which sectors of write `w` (log[i]) of the epoch that was cut arrive?  Sets mask[s] for each of
 * its sectors; mask comes zeroed.
 */
typedef void (*testdisk_choice)(void *arg, size_t i, const struct testdisk_write *w, uint8_t *mask);

/*
 * The power went away in `epoch`: the view becomes base + all earlier epochs + what `choose` lets
 * through.  With recording on, the log stays, so that another cut may follow (the view is built
 * anew each time); call testdisk_restore() to go on after the last write instead.
 */
void testdisk_cut(struct testdisk *disk, uint32_t epoch, testdisk_choice choose, void *arg);
void testdisk_restore(struct testdisk *disk);

/*
 * Everything recorded is taken back, at the price of what it wrote: the view is the base again, the
 * log empty, epoch 0.  testdisk_put() changes what the base holds, unrecorded; the log is empty.
 */
void testdisk_rewind(struct testdisk *disk);
void testdisk_put(
	struct testdisk *disk, uint64_t first_sector, uint32_t n_sectors, const void *data);

/* Power goes away now, with a random subset by *seed; what is left is durable. */
void testdisk_power_cut(struct testdisk *disk, uint64_t *seed);

/* Copies of the contents, of n_sectors sectors; forget frees one. */
uint8_t *testdisk_save(struct testdisk *disk);
void testdisk_forget(struct testdisk *disk, uint8_t *saved);
void testdisk_load(struct testdisk *disk, const uint8_t *saved);

/* Direct access for those who damage images: block `block` of 4 KiB in the view. */
void *testdisk_block(struct testdisk *disk, uint64_t block);
