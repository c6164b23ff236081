// SPDX-License-Identifier: MIT
/*
 * The journal: what is written when, what counts after a crash, and what waits for what.
 */
#include "world.h"

#include <fs_posix.h>
#include <mapfs/mapfs.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_BYTES (1 << 20) /* a log of 64 blocks: its ring wraps soon */

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_make(&w, DISK_BYTES, 256);
	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d", 0755), 0);
	assert_int_equal(mapfs_checkpoint(w.ctx.root->mount->fs), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_free(&w);
	return 0;
}

static struct mapfs *fs_of(void)
{
	return w.ctx.root->mount->fs;
}

/* One transaction about one name, in a group of its own. */
static void commit_mkdir(const char *path)
{
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, path, 0755), 0);
	assert_int_equal(mapfs_commit(fs_of()), 0);
}

static void commit_rmdir(const char *path)
{
	assert_int_equal(vfs_rmdir(&w.ctx, NULL, path), 0);
	assert_int_equal(mapfs_commit(fs_of()), 0);
}

static bool exists(const char *path)
{
	struct fs_attr attr;

	return vfs_stat(&w.ctx, NULL, path, 0, &attr) == 0;
}

/* What recovery would find on the disk as it is. */
static struct mapfs_recovery scan(void)
{
	static struct mapfs_super sb;
	struct mapfs_recovery r;

	sb = *(struct mapfs_super *)testdisk_block(w.disk, MAPFS_SUPER_BLOCK);
	assert_int_equal(mapfs_recovery_scan(&r, &w.disk->dev, &sb), 0);
	mapfs_recovery_free(&r);
	return r;
}

/* The machine stops here, and the disk is as it is now. */
static void stop(void)
{
	uint8_t *saved = testdisk_save(w.disk);

	world_unmount(&w);
	testdisk_load(w.disk, saved);
	testdisk_forget(w.disk, saved);
}

/* --- What is written --------------------------------------------------------------------- */

/* A commit is one request to the log and one flush; nothing goes in place. */
static void a_commit_is_one_write_and_one_flush(void **state)
{
	struct blk_counts before = w.disk->dev.counts, after;
	struct mapfs *fs = fs_of();
	uint64_t end;

	(void)state;
	/* The head that setup's checkpoint wrote is not flushed yet: the first commit does that. */
	commit_mkdir("/d/a");
	after = w.disk->dev.counts;
	assert_int_equal(after.flushes - before.flushes, 2);
	before = after;
	end = fs->log.end;
	commit_mkdir("/d/b");
	after = w.disk->dev.counts;
	assert_int_equal(after.flushes - before.flushes, 1);
	assert_int_equal(after.writes - before.writes, 1);
	assert_int_equal(after.written_sectors - before.written_sectors,
		(fs->log.end - end) * MAPFS_BLOCK_SECTORS);
	/* Two inode blocks at most, a bitmap, a directory block, the state. */
	assert_in_range(fs->log.end - end, 4, 8);
}

/* With nothing changed, a commit only flushes, for data that was written in place. */
static void nothing_to_commit(void **state)
{
	struct blk_counts before, after;

	(void)state;
	commit_mkdir("/d/a");
	before = w.disk->dev.counts;
	assert_int_equal(mapfs_commit(fs_of()), 0);
	after = w.disk->dev.counts;
	assert_int_equal(after.writes - before.writes, 0);
	assert_int_equal(after.flushes - before.flushes, 1);
}

/* The ring wraps many times; at any moment the disk has exactly the groups that memory thinks. */
static void the_ring_goes_round(void **state)
{
	struct mapfs *fs = fs_of();
	struct mapfs_recovery r;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		if (i % 2)
			commit_rmdir("/d/x");
		else
			commit_mkdir("/d/x");
		r = scan();
		assert_int_equal(r.end.sequence, fs->commit.sequence);
		assert_int_equal(
			r.end.position % fs->log.ring_blocks, fs->log.end % fs->log.ring_blocks);
		assert_int_equal(
			r.tail.position % fs->log.ring_blocks, fs->log.tail % fs->log.ring_blocks);
	}
	assert_in_range(fs->log.end / fs->log.ring_blocks, 10, 1000);
	world_remount(&w);
}

/* Many flushes of data and metadata cost two each, and now and then one for a checkpoint. */
static void appends_cost_two_flushes(void **state)
{
	struct file *file;
	uint64_t before;

	(void)state;
	assert_int_equal(world_open(&w, "/d/f", FS_O_CREAT | FS_O_RDWR, &file), 0);
	assert_int_equal(file_sync(file, false), 0);
	before = w.disk->dev.counts.flushes;
	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(world_write(file, "x", 1, i * 4096), 0);
		assert_int_equal(file_sync(file, false), 0);
	}
	/* A group has 6 blocks here, a round is due after half of the ring, 62 blocks. */
	assert_in_range(w.disk->dev.counts.flushes - before, 200, 200 + 100 * 6 / 31 + 5);
	file_unref(file);
}

/* --- Sharing ----------------------------------------------------------------------------- */

#define N_THREADS 8

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned written; /* threads whose data and metadata wait for a commit */
	bool flushing;    /* the first one's commit is in its last flush */
} crowd = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};

static void until_all_wrote(struct testdisk *disk)
{
	pthread_mutex_lock(&crowd.lock);
	if (!crowd.flushing) {
		crowd.flushing = true;
		pthread_cond_broadcast(&crowd.changed);
		while (crowd.written < N_THREADS - 1)
			pthread_cond_wait(&crowd.changed, &crowd.lock);
		disk->before_flush = NULL;
	}
	pthread_mutex_unlock(&crowd.lock);
}

static void *write_and_sync(void *arg)
{
	struct file *file = arg;
	int err;

	pthread_mutex_lock(&crowd.lock);
	while (!crowd.flushing)
		pthread_cond_wait(&crowd.changed, &crowd.lock);
	pthread_mutex_unlock(&crowd.lock);
	err = world_write(file, "data", 4, 0);
	if (!err)
		err = mvm_pc_flush(file->object, 0, 0, MVM_PC_WAIT);
	pthread_mutex_lock(&crowd.lock);
	crowd.written++;
	pthread_cond_broadcast(&crowd.changed);
	pthread_mutex_unlock(&crowd.lock);
	if (!err)
		err = file_sync(file, false);
	return err ? (void *)"failed" : NULL;
}

/*
 * While one commit is in its last flush, seven threads write and ask for theirs: all of that is one
 * commit more, which was collected while the first was under way.
 */
static void fsyncs_share_a_commit(void **state)
{
	struct file *file[N_THREADS];
	pthread_t thread[N_THREADS];
	uint64_t before;
	char path[16];
	void *failed;

	(void)state;
	for (unsigned i = 0; i < N_THREADS; i++) {
		snprintf(path, sizeof(path), "/d/f%u", i);
		assert_int_equal(world_open(&w, path, FS_O_CREAT | FS_O_RDWR, &file[i]), 0);
	}
	assert_int_equal(mapfs_checkpoint(fs_of()), 0);
	assert_int_equal(mapfs_commit(fs_of()), 0);
	before = fs_of()->commit.commits;
	for (unsigned i = 1; i < N_THREADS; i++)
		pthread_create(&thread[i], NULL, write_and_sync, file[i]);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/first", 0755), 0);
	w.disk->before_flush = until_all_wrote;
	assert_int_equal(mapfs_commit(fs_of()), 0);
	for (unsigned i = 1; i < N_THREADS; i++) {
		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(fs_of()->commit.commits - before, 2);
	for (unsigned i = 0; i < N_THREADS; i++)
		file_unref(file[i]);
	world_remount(&w);
}

static bool overwritten;

static void *overwrite_and_sync(void *arg)
{
	struct file *file = arg;
	int err = world_write(file, "new", 3, 0);

	if (!err)
		err = mvm_pc_flush(file->object, 0, 0, MVM_PC_WAIT);
	pthread_mutex_lock(&crowd.lock);
	overwritten = true;
	pthread_cond_broadcast(&crowd.changed);
	pthread_mutex_unlock(&crowd.lock);
	if (!err)
		err = file_sync(file, true);
	return err ? (void *)"failed" : NULL;
}

static pthread_t overwriter;
static struct file *overwritten_file;

/* The flush has begun, as far as the disk is concerned, when the data is written. */
static void overwrite_meanwhile(struct testdisk *disk)
{
	disk->before_flush = NULL;
	pthread_create(&overwriter, NULL, overwrite_and_sync, overwritten_file);
	pthread_mutex_lock(&crowd.lock);
	while (!overwritten)
		pthread_cond_wait(&crowd.changed, &crowd.lock);
	pthread_mutex_unlock(&crowd.lock);
}

/* fdatasync of a file whose metadata is being committed by another: its data needs a flush more. */
static void a_commit_under_way_is_not_enough(void **state)
{
	uint64_t before;
	void *failed;

	(void)state;
	assert_int_equal(world_open(&w, "/d/f", FS_O_CREAT | FS_O_RDWR, &overwritten_file), 0);
	assert_int_equal(world_write(overwritten_file, "old", 3, 0), 0);
	assert_int_equal(mapfs_commit(fs_of()), 0);
	assert_int_equal(mvm_pc_flush(overwritten_file->object, 0, 0, MVM_PC_WAIT), 0);
	before = w.disk->dev.counts.flushes;
	w.disk->before_flush = overwrite_meanwhile;
	assert_int_equal(mapfs_commit(fs_of()), 0);
	pthread_join(overwriter, &failed);
	assert_null(failed);
	/* One for the data, one for the group, one for what was written meanwhile. */
	assert_int_equal(w.disk->dev.counts.flushes - before, 3);
	file_unref(overwritten_file);
}

/* --- What counts ------------------------------------------------------------------------- */

/* Whichever block of a group is not what was written, the log ends before it. */
static void a_group_counts_as_a_whole(void **state)
{
	struct mapfs *fs = fs_of();
	uint64_t start[4], end;
	struct mapfs_recovery r;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		char path[8] = {'/', 'd', '/', (char)('a' + i)};
		start[i] = fs->log.end;
		commit_mkdir(path);
	}
	end = fs->log.end;
	assert_int_equal(scan().n_groups, 4);
	for (unsigned group = 0; group < 4; group++) {
		uint64_t stop_at = group == 3 ? end : start[group + 1];
		for (uint64_t at = start[group]; at < stop_at; at++) {
			uint8_t *p = testdisk_block(w.disk, mapfs_ring_block(&fs->sb, at));
			for (unsigned byte = 4; byte < 4096; byte += 341) {
				p[byte] ^= 0x10;
				r = scan();
				p[byte] ^= 0x10;
				assert_int_equal(r.n_groups, group);
			}
		}
	}
}

/* A crash with the last group broken: the ones before it are there, it is not, all is whole. */
static void a_broken_group_never_happened(void **state)
{
	uint64_t at;

	(void)state;
	commit_mkdir("/d/a");
	at = fs_of()->log.end;
	commit_mkdir("/d/b");
	*(uint8_t *)testdisk_block(w.disk, mapfs_ring_block(&fs_of()->sb, at + 2)) ^= 1;
	stop();
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	assert_true(exists("/d/a"));
	assert_false(exists("/d/b"));
	/* The next group takes its place. */
	commit_mkdir("/d/c");
	stop();
	world_mount(&w);
	assert_true(exists("/d/a") && exists("/d/c"));
	assert_false(exists("/d/b"));
	world_remount(&w);
}

/* Blocks of an earlier round that stand where the next group would begin are of the past. */
static void an_old_group_is_not_replayed(void **state)
{
	struct mapfs *fs = fs_of();
	uint8_t old[16][4096];
	uint64_t start = fs->log.end, n;

	(void)state;
	commit_mkdir("/d/old");
	n = fs->log.end - start;
	assert_in_range(n, 4, 16);
	for (uint64_t i = 0; i < n; i++)
		memcpy(old[i], testdisk_block(w.disk, mapfs_ring_block(&fs->sb, start + i)), 4096);
	commit_rmdir("/d/old");
	/* Bring the end of the log to where the group was, a round later. */
	while ((fs->log.end - start) % fs->log.ring_blocks != 0) {
		uint64_t before = fs->log.end;
		struct fs_attr attr = {.mode = 0700 + (uint32_t)(before % 8)};
		assert_int_equal(vfs_setattr(&w.ctx, NULL, "/d", 0, &attr, FS_SET_MODE), 0);
		assert_int_equal(mapfs_commit(fs), 0);
		assert_true(fs->log.end > before && fs->log.end < start + 4000);
	}
	for (uint64_t i = 0; i < n; i++)
		memcpy(testdisk_block(w.disk, mapfs_ring_block(&fs->sb, fs->log.end + i)), old[i],
			4096);
	assert_int_equal(scan().end.sequence, fs->commit.sequence);
	stop();
	world_mount(&w);
	assert_false(exists("/d/old"));
	world_remount(&w);
}

/*
 * A group that a crash tore; the next mount writes another one in its place, of which a crash
 * leaves just what was missing of the first.  That one stays what it was when the next mount
 * looked.
 */
static void a_torn_group_stays_torn(void **state)
{
	struct mapfs *fs = fs_of();
	uint8_t old[16][4096];
	uint64_t start, n;

	(void)state;
	start = fs->log.end;
	commit_mkdir("/d/b");
	n = fs->log.end - start;
	assert_in_range(n, 4, 16);
	for (uint64_t i = 0; i < n; i++)
		memcpy(old[i], testdisk_block(w.disk, mapfs_ring_block(&fs->sb, start + i)), 4096);
	*(uint8_t *)testdisk_block(w.disk, mapfs_ring_block(&fs->sb, start + 2)) ^= 1;
	stop();
	world_mount(&w);
	fs = fs_of();
	start = fs->log.end;
	commit_mkdir("/d/c");
	assert_int_equal(fs->log.end - start, n);
	for (uint64_t i = 0; i < n; i++)
		memcpy(testdisk_block(w.disk, mapfs_ring_block(&fs->sb, start + i)), old[i], 4096);
	assert_int_equal(scan().n_groups, 0);
	stop();
	world_mount(&w);
	assert_false(exists("/d/b") || exists("/d/c"));
	world_remount(&w);
}

/* Set modes in one group: of /d, and of a directory whose inode is in another block. */
static void commit_modes(uint32_t mode, bool both)
{
	struct fs_attr attr = {.mode = mode};

	assert_int_equal(vfs_setattr(&w.ctx, NULL, "/d", 0, &attr, FS_SET_MODE), 0);
	if (both)
		assert_int_equal(vfs_setattr(&w.ctx, NULL, "/d/19", 0, &attr, FS_SET_MODE), 0);
	assert_int_equal(mapfs_commit(fs_of()), 0);
}

/*
 * Damage cuts off groups in the middle of the log.  What the next mount commits ends where one of
 * them begins, which would be the next by a count of groups: it is of the past.
 */
static void groups_that_were_cut_off_stay_so(void **state)
{
	uint64_t start, sixth;
	char name[16];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "/d/%d", i);
		commit_mkdir(name);
	}
	start = fs_of()->log.end;
	commit_mkdir("/d/b");
	for (unsigned i = 0; i < 4; i++)
		commit_modes(0700 + i, false);
	sixth = fs_of()->log.end;
	commit_modes(0777, false);
	*(uint8_t *)testdisk_block(w.disk, mapfs_ring_block(&fs_of()->sb, start + 2)) ^= 1;
	stop();
	world_mount(&w);
	assert_int_equal(fs_of()->log.end, start % fs_of()->log.ring_blocks);
	commit_mkdir("/d/c");
	for (unsigned i = 0; i < 3; i++)
		commit_modes(0700 + i, true);
	assert_int_equal(
		fs_of()->log.end % fs_of()->log.ring_blocks, sixth % fs_of()->log.ring_blocks);
	assert_int_equal(scan().n_groups, 4);
	stop();
	world_mount(&w);
	assert_true(exists("/d/c"));
	world_remount(&w);
}

/*
 * A crash tears the head with which a mount begins, before anything is
 * committed: nothing is lost.
 */
static void the_first_head_may_be_torn(void **state)
{
	struct mapfs *fs;

	(void)state;
	commit_mkdir("/d/a");
	world_remount(&w);
	fs = fs_of();
	w.disk->fault[TESTDISK_FLUSH] = (struct testdisk_fault){.countdown = 1, .forever = true};
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/b", 0755), 0);
	assert_int_equal(mapfs_commit(fs), -EIO);
	memset(w.disk->fault, 0, sizeof(w.disk->fault));
	memset((uint8_t *)testdisk_block(w.disk, fs->sb.log_start + !fs->log.next_head) + 512, 9,
		512);
	stop();
	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/b", 0755), 0);
	assert_true(exists("/d/a"));
	world_remount(&w);
}

/* A file system made over one of the same UUID does not find that one's groups. */
static void making_forgets_the_log(void **state)
{
	struct mapfs_make how = {.n_inodes = 0, .now_ns = 1, .uuid = "mapfs test disk"};

	(void)state;
	commit_mkdir("/d/a");
	stop();
	assert_int_equal(mapfs_make(&w.disk->dev, &how), 0);
	assert_int_equal(scan().n_groups, 0);
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	assert_false(exists("/d"));
}

/* The newest head is torn: the other one counts, and the state is the same. */
static void one_head_is_enough(void **state)
{
	struct mapfs *fs = fs_of();

	(void)state;
	commit_mkdir("/d/a");
	assert_int_equal(mapfs_checkpoint(fs), 0);
	assert_int_equal(scan().n_groups, 0);
	memset((uint8_t *)testdisk_block(w.disk, fs->sb.log_start + !fs->log.next_head) + 512, 9,
		512);
	assert_int_equal(scan().n_groups, 1);
	stop();
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	assert_true(exists("/d/a"));
	world_remount(&w);
}

/*
 * The newest head is damaged by something else than a crash: the other one leads to all that is
 * committed, or the log is not trusted; nothing is lost in silence.
 */
static void a_damaged_head_loses_nothing(void **state)
{
	struct mapfs_super sb = fs_of()->sb;
	struct mapfs_log_head *newest, *other;
	struct mapfs_recovery r;

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		commit_mkdir("/d/b");
		commit_rmdir("/d/b");
		newest = testdisk_block(w.disk, sb.log_start + !fs_of()->log.next_head);
		newest->offset ^= 1;
		assert_int_equal(scan().end.sequence, fs_of()->commit.sequence);
		newest->offset ^= 1;
	}
	other = testdisk_block(w.disk, sb.log_start + fs_of()->log.next_head);
	stop();
	newest->offset ^= 1;
	memset(testdisk_block(w.disk, mapfs_ring_block(&sb, other->offset)), 0, 4096);
	assert_int_equal(mapfs_recovery_scan(&r, &w.disk->dev, &sb), -EINVAL);
	mapfs_recovery_free(&r);
	world_fsck(&w, false, IMAGE_ERRORS);
	world_mount(&w);
	assert_non_null(strstr(world_said(), "head of the log"));
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/x", 0755), -EROFS);
	world_unmount(&w);
	world_fsck(&w, true, IMAGE_FIXED);
	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/x", 0755), 0);
	world_remount(&w);
}

/* --- Recovery ---------------------------------------------------------------------------- */

/* A disk with some groups in its log, and something of a checkpoint. */
static uint8_t *crashed_disk(void)
{
	commit_mkdir("/d/a");
	assert_int_equal(world_put(&w, "/d/a/f", 9000, 1), 0);
	assert_int_equal(mount_sync_all(), 0);
	commit_mkdir("/d/b");
	commit_rmdir("/d/b");
	stop();
	return testdisk_save(w.disk);
}

static int replay(void)
{
	static struct mapfs_super sb;
	struct mapfs_recovery r;
	int err;

	sb = *(struct mapfs_super *)testdisk_block(w.disk, MAPFS_SUPER_BLOCK);
	err = mapfs_recovery_scan(&r, &w.disk->dev, &sb);
	if (!err)
		err = mapfs_recovery_replay(&r);
	mapfs_recovery_free(&r);
	return err;
}

/* Recovery stops at every write and flush, perhaps in the midst of one, and is done again. */
static void recovery_may_stop_anywhere(void **state)
{
	uint8_t *crashed = crashed_disk(), *want;
	unsigned stops = 0;

	(void)state;
	assert_true(scan().n_groups >= 4);
	assert_int_equal(replay(), 0);
	want = testdisk_save(w.disk);
	for (unsigned op = TESTDISK_READ; op < TESTDISK_OPS; op++) {
		for (uint64_t n = 1;; n++) {
			testdisk_load(w.disk, crashed);
			w.disk->injected = 0;
			w.disk->fault[op] = (struct testdisk_fault){
				.countdown = n, .forever = true, .tear = n % 2};
			int err = replay();
			memset(w.disk->fault, 0, sizeof(w.disk->fault));
			if (!w.disk->injected)
				break;
			/* -EINVAL: neither head. */
			assert_int_equal(err, op == TESTDISK_READ && n == 1 ? -EINVAL : -EIO);
			assert_int_equal(replay(), 0);
			assert_memory_equal(w.disk->view, want, DISK_BYTES);
			stops++;
		}
	}
	assert_in_range(stops, 20, 1000);
	testdisk_forget(w.disk, crashed);
	testdisk_forget(w.disk, want);
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	world_check(&w, "/d/a/f", 9000, 1);
	assert_false(exists("/d/b"));
}

/* The same with each allocation: an error, and nothing is lost. */
static void recovery_without_memory(void **state)
{
	uint8_t *crashed = crashed_disk();
	long n = 0;
	int err;

	(void)state;
	do {
		testdisk_load(w.disk, crashed);
		fsh_posix_fail_after = ++n;
		err = world_try_mount(&w);
		assert_true(err == 0 || err == -ENOMEM);
		fsh_posix_fail_after = 0;
	} while (err);
	assert_in_range(n, 5, 1000);
	testdisk_forget(w.disk, crashed);
	world_check(&w, "/d/a/f", 9000, 1);
	world_remount(&w);
}

/* --- Waiting ----------------------------------------------------------------------------- */

/* One round of a checkpoint, for the log's sake, while a group is being collected. */
static void checkpoint_some(void)
{
	struct mapfs_group_commit *c = &fs_of()->commit;

	fsh_mutex_lock(&c->lock);
	c->writing = true;
	fsh_mutex_unlock(&c->lock);
	mapfs_checkpoint_round(fs_of());
	fsh_mutex_lock(&c->lock);
	c->writing = false;
	fsh_mutex_unlock(&c->lock);
}

/* Freed data may be used after the commit; a freed directory's block only after the tail passed. */
static void freed_metadata_waits_for_the_tail(void **state)
{
	struct mapfs *fs = fs_of();
	struct mapfs_space *space = &fs->space[MAPFS_BLOCKS];

	(void)state;
	assert_int_equal(world_put(&w, "/d/f", 8 * 4096, 1), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/a", 0755), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/a/b", 0755), 0);
	assert_int_equal(vfs_rmdir(&w.ctx, NULL, "/d/a/b"), 0);
	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(space->quarantined, 0);
	assert_int_equal(vfs_unlink(&w.ctx, NULL, "/d/f"), 0);
	assert_int_equal(vfs_rmdir(&w.ctx, NULL, "/d/a"), 0);
	assert_int_equal(space->quarantined, 9);
	assert_int_equal(mapfs_commit(fs), 0);
	assert_int_equal(space->quarantined, 1);
	assert_int_equal(mapfs_commit(fs), 0);
	assert_int_equal(space->quarantined, 1);
	assert_int_equal(mapfs_checkpoint(fs), 0);
	assert_int_equal(space->quarantined, 0);
}

/* A round that leaves a part of the group that freed it: the tail has not passed that group. */
static void the_tail_stops_at_what_is_dirty(void **state)
{
	struct mapfs_space *space = &fs_of()->space[MAPFS_BLOCKS];

	(void)state;
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/a", 0755), 0);
	commit_mkdir("/d/a/b");
	assert_int_equal(vfs_rmdir(&w.ctx, NULL, "/d/a/b"), 0);
	assert_int_equal(mapfs_checkpoint(fs_of()), 0);
	commit_rmdir("/d/a");
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/c", 0755), 0);
	checkpoint_some();
	assert_true(fs_of()->commit.n_logged > 0);
	assert_int_equal(space->quarantined, 1);
	assert_int_equal(mapfs_checkpoint(fs_of()), 0);
	assert_int_equal(space->quarantined, 0);
}

/*
 * What that is good for: a directory's block comes to a file, the file's data is synced, and a
 * crash finds the directory in the log.
 */
static void no_replay_over_new_data(void **state)
{
	uint64_t blocks;
	struct fs_stat st;
	size_t bytes;

	(void)state;
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/a", 0755), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/a/b", 0755), 0);
	assert_int_equal(mapfs_commit(fs_of()), 0);
	assert_int_equal(vfs_rmdir(&w.ctx, NULL, "/d/a/b"), 0);
	assert_int_equal(vfs_rmdir(&w.ctx, NULL, "/d/a"), 0);
	assert_int_equal(mapfs_commit(fs_of()), 0);
	/* A file that takes every block there is, so also that one. */
	assert_int_equal(vfs_statfs(&w.ctx, NULL, "/", &st), 0);
	blocks = st.free_blocks;
	do
		bytes = (size_t)--blocks * 4096;
	while (world_put(&w, "/d/big", bytes, 7) != 0);
	assert_in_range(st.free_blocks - blocks, 1, 40);
	assert_int_equal(mount_sync_all(), 0);
	stop();
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	world_check(&w, "/d/big", bytes, 7);
	world_remount(&w);
}

/* A block that is dirty again stays in memory as it is, and goes in place as it was committed. */
static void what_is_dirty_is_not_checkpointed(void **state)
{
	(void)state;
	commit_mkdir("/d/a");
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/b", 0755), 0);
	checkpoint_some();
	stop();
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	assert_true(exists("/d/a"));
	assert_false(exists("/d/b"));
	world_remount(&w);
}

/* n directories with a name in each: more than n blocks change, in one group if it can be. */
static void make_dirs(const char *where, unsigned n)
{
	char path[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%u", where, i);
		assert_int_equal(vfs_mkdir(&w.ctx, NULL, path, 0755), 0);
		snprintf(path, sizeof(path), "%s/%u/x", where, i);
		assert_int_equal(vfs_mkdir(&w.ctx, NULL, path, 0755), 0);
	}
}

/*
 * A group of less than half of the ring, and then one that is larger than what is left: before it
 * comes so far there is a checkpoint, or a commit.
 */
static void a_group_finds_room(void **state)
{
	struct mapfs *fs = fs_of();

	(void)state;
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/e", 0755), 0);
	make_dirs("/d", 21);
	assert_int_equal(mapfs_commit(fs), 0);
	assert_in_range(fs->log.end - fs->log.tail, 28, 31);
	make_dirs("/e", 33);
	assert_int_equal(mapfs_commit(fs), 0);
	stop();
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	assert_true(exists("/d/20/x") && exists("/e/32/x"));
	world_remount(&w);
}

static void *wait_in_a_transaction(void *arg)
{
	struct file *file = arg;
	struct mapfs_txn txn;
	int err;

	mapfs_txn_init(&txn, fs_of());
	err = mapfs_txn_begin(&txn);
	if (!err)
		err = mvm_pc_flush(file->object, 0, 0, MVM_PC_WAIT);
	(void)err;
	_exit(0);
}

/* A page is under write-back, for the group that it waits for is being flushed. */
static void wait_meanwhile(struct testdisk *disk)
{
	pthread_t thread;

	disk->before_flush = NULL;
	pthread_create(&thread, NULL, wait_in_a_transaction, overwritten_file);
	pthread_join(thread, NULL);
}

/*
 * Debug checks: a process that waits for a page inside a transaction is
 * stopped, with the reason.
 */
static void no_page_is_waited_for_in_a_transaction(void **state)
{
	char text[512] = "";
	int pipe_fd[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(world_open(&w, "/d/f", FS_O_CREAT | FS_O_RDWR, &overwritten_file), 0);
	assert_int_equal(world_write(overwritten_file, "0123456789", 10, 0), 0);
	assert_int_equal(file_sync(overwritten_file, false), 0);
	assert_int_equal(file_truncate(overwritten_file, 5), 0);
	assert_int_equal(pipe(pipe_fd), 0);
	child = fork();
	if (child == 0) {
		dup2(pipe_fd[1], 2);
		signal(SIGABRT, SIG_DFL);
		alarm(60); /* without the check the two wait for one another */
		w.disk->before_flush = wait_meanwhile;
		(void)!mvm_pc_flush(overwritten_file->object, 0, 0, MVM_PC_WAIT);
		_exit(0);
	}
	close(pipe_fd[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(read(pipe_fd[0], text, sizeof(text) - 1) > 0);
	close(pipe_fd[0]);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "waits for a page"));
	file_unref(overwritten_file);
}

/* --- Errors ------------------------------------------------------------------------------ */

/* Whichever write or flush of a commit and a checkpoint fails: read-only, with a message, whole. */
static void a_failed_journal_is_read_only(void **state)
{
	uint8_t *before = NULL;
	unsigned failed = 0;

	(void)state;
	for (unsigned op = TESTDISK_WRITE; op <= TESTDISK_FLUSH; op++) {
		for (uint64_t n = 1;; n++) {
			if (before) {
				world_unmount(&w);
				testdisk_load(w.disk, before);
				world_mount(&w);
			} else {
				stop();
				before = testdisk_save(w.disk);
				world_mount(&w);
			}
			assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/new", 0755), 0);
			w.disk->injected = 0;
			w.disk->fault[op] = (struct testdisk_fault){.countdown = n, .tear = true};
			int err = mapfs_checkpoint(fs_of());
			memset(w.disk->fault, 0, sizeof(w.disk->fault));
			if (!w.disk->injected)
				break;
			failed++;
			assert_int_equal(err, -EIO);
			assert_non_null(strstr(world_said(), "read-only from now on"));
			assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/more", 0755), -EROFS);
			assert_true(exists("/d/new"));
			stop();
			world_fsck(&w, false, IMAGE_CLEAN);
			world_mount(&w);
			bool kept = exists("/d/new");
			assert_false(exists("/d/more"));
			assert_int_equal(vfs_rmdir(&w.ctx, NULL, "/d/new"), kept ? 0 : -ENOENT);
		}
	}
	assert_in_range(failed, 6, 40);
	testdisk_forget(w.disk, before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_commit_is_one_write_and_one_flush),
		TEST(nothing_to_commit),
		TEST(the_ring_goes_round),
		TEST(appends_cost_two_flushes),
		TEST(fsyncs_share_a_commit),
		TEST(a_commit_under_way_is_not_enough),
		TEST(a_group_counts_as_a_whole),
		TEST(a_broken_group_never_happened),
		TEST(an_old_group_is_not_replayed),
		TEST(a_torn_group_stays_torn),
		TEST(groups_that_were_cut_off_stay_so),
		TEST(the_first_head_may_be_torn),
		TEST(making_forgets_the_log),
		TEST(one_head_is_enough),
		TEST(a_damaged_head_loses_nothing),
		TEST(recovery_may_stop_anywhere),
		TEST(recovery_without_memory),
		TEST(freed_metadata_waits_for_the_tail),
		TEST(the_tail_stops_at_what_is_dirty),
		TEST(no_replay_over_new_data),
		TEST(what_is_dirty_is_not_checkpointed),
		TEST(a_group_finds_room),
		TEST(no_page_is_waited_for_in_a_transaction),
		TEST(a_failed_journal_is_read_only),
	};

	return cmocka_run_group_tests_name("mapfs_journal", tests, NULL, NULL);
}
