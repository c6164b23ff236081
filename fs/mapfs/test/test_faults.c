// SPDX-License-Identifier: MIT
/*
 * Every n-th read, write, flush, allocation fails, once and for good, while a fixed sequence of
 * operations runs.  An operation may fail; nothing may crash, hang or leak; and what is on the
 * disk afterwards is what fsck can make whole, with the files that were there before unharmed.
 */
#include "world.h"

#include <fs_posix.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_BYTES (4 << 20)

static struct world w;
static uint8_t *pristine;

/* Files that no operation touches. */
static void prepare(void)
{
	world_make(&w, DISK_BYTES, 0);
	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/keep", 0755), 0);
	assert_int_equal(world_put(&w, "/keep/a", 20000, 1), 0);
	assert_int_equal(world_put(&w, "/keep/b", 100, 2), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d", 0755), 0);
	assert_int_equal(world_put(&w, "/d/old", 30000, 3), 0);
	assert_int_equal(world_put(&w, "/d/victim", 5000, 4), 0);
	world_unmount(&w);
	world_fsck(&w, false, IMAGE_CLEAN);
	pristine = testdisk_save(w.disk);
}

static void cleanup(void)
{
	testdisk_forget(w.disk, pristine);
	world_free(&w);
}

/* Errors that a failure below may become. */
static void allowed(int err)
{
	if (err && err != -EIO && err != -EROFS && err != -ENOMEM && err != -ENOSPC &&
		err != -ENOENT)
		fail_msg("error %d", err);
}

static void store(const char *path, uint64_t offset)
{
	struct file *file;
	int err = world_open(&w, path, FS_O_RDWR, &file);

	allowed(err);
	if (err)
		return;
	allowed(mvm_pc_touch_write(file->object, offset, 'x'));
	allowed(file_sync(file, false));
	file_unref(file);
}

static void work(void)
{
	struct fs_attr attr = {.size_bytes = 1234};
	struct file *file = NULL;
	char target[600];
	int err;

	memset(target, 't', sizeof(target));
	target[599] = 0;
	allowed(world_put(&w, "/d/new", 50000, 7));
	allowed(mount_sync_all());
	allowed(vfs_mkdir(&w.ctx, NULL, "/d/sub", 0755));
	allowed(vfs_symlink(&w.ctx, target, NULL, "/d/sub/link"));
	allowed(vfs_rename(&w.ctx, NULL, "/d/new", NULL, "/d/victim", 0));
	store("/d/old", 9000);
	allowed(vfs_setattr(&w.ctx, NULL, "/d/old", 0, &attr, FS_SET_SIZE));
	err = world_open(&w, "/d/old", FS_O_RDWR, &file);
	allowed(err);
	if (!err) {
		allowed(vfs_unlink(&w.ctx, NULL, "/d/old"));
		allowed(world_write(file, "orphan", 6, 100000));
		file_unref(file);
	}
	allowed(vfs_link(&w.ctx, NULL, "/d/victim", 0, NULL, "/d/sub/hard"));
	allowed(mount_sync_all());
}

/* Power off, repair, look: what nobody touched is there. */
static void check_after(void)
{
	enum image_fsck_result result;

	world_unmount(&w);
	memset(w.disk->fault, 0, sizeof(w.disk->fault));
	fsh_posix_fail_after = 0;
	result = world_try_fsck(&w, true);
	if (result == IMAGE_ERRORS)
		fprintf(stderr, "%s", world_said());
	assert_int_not_equal(result, IMAGE_ERRORS);
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	world_check(&w, "/keep/a", 20000, 1);
	world_check(&w, "/keep/b", 100, 2);
	assert_int_equal(world_put(&w, "/after", 10000, 9), 0);
	world_unmount(&w);
	world_fsck(&w, false, IMAGE_CLEAN);
}

/* One run with a fault; false when it was never met. */
static bool run_with(enum testdisk_op op, uint64_t n, bool forever, bool tear)
{
	bool met;

	testdisk_load(w.disk, pristine);
	w.disk->injected = 0;
	w.disk->fault[op] =
		(struct testdisk_fault){.countdown = n, .forever = forever, .tear = tear};
	if (world_try_mount(&w) == 0)
		work();
	met = w.disk->injected > 0;
	if (w.ctx.root)
		check_after();
	memset(w.disk->fault, 0, sizeof(w.disk->fault));
	return met;
}

static void sweep(enum testdisk_op op, const char *name)
{
	uint64_t n[3] = {0};

	prepare();
	for (int kind = 0; kind < (op == TESTDISK_WRITE ? 3 : 2); kind++)
		while (run_with(op, n[kind] + 1, kind == 1, kind == 2))
			n[kind]++;
	fprintf(stderr, "# %s: %d once, %d for good, %d torn\n", name, (int)n[0], (int)n[1],
		(int)n[2]);
	assert_true(n[0] > 3 && n[1] > 3);
	cleanup();
}

static void reads_fail(void **state)
{
	(void)state;
	sweep(TESTDISK_READ, "reads");
}

static void writes_fail(void **state)
{
	(void)state;
	sweep(TESTDISK_WRITE, "writes");
}

static void flushes_fail(void **state)
{
	(void)state;
	sweep(TESTDISK_FLUSH, "flushes");
}

static void allocations_fail(void **state)
{
	long n = 1;
	bool met = true;

	(void)state;
	prepare();
	for (; met; n++) {
		testdisk_load(w.disk, pristine);
		fsh_posix_fail_after = n;
		if (world_try_mount(&w) == 0)
			work();
		met = fsh_posix_fail_after == 0;
		fsh_posix_fail_after = 0;
		if (w.ctx.root)
			check_after();
	}
	fprintf(stderr, "# allocations: %ld\n", n);
	assert_true(n > 50);
	cleanup();
}

static void some_sectors(void *seed, size_t i, const struct testdisk_write *write, uint8_t *mask)
{
	uint64_t r = world_random(seed) % 4;

	(void)i;
	for (uint32_t s = 0; s < write->n_sectors; s++)
		mask[s] = r < 2 || (r == 2 && world_random(seed) % 2);
}

/*
 * The power goes at a random moment, with a random part of what was not flushed.  What the log has
 * makes the image whole, whether it is only looked at or mounted, and what was synced and not
 * touched since is there.
 */
static void the_power_goes(void **state)
{
	uint64_t seed = world_seed();
	unsigned unclean = 0;

	(void)state;
	prepare();
	for (int i = 0; i < 150; i++) {
		testdisk_load(w.disk, pristine);
		w.disk->epoch = 0;
		testdisk_begin_recording(w.disk);
		world_mount(&w);
		work();
		world_unmount(&w);
		testdisk_cut(w.disk, (uint32_t)(world_random(&seed) % (w.disk->epoch + 1)),
			some_sectors, &seed);
		w.disk->record = false;
		unclean += image_is_clean(&w.disk->dev) == 1;
		world_fsck(&w, false, IMAGE_CLEAN);
		world_mount(&w);
		world_check(&w, "/keep/a", 20000, 1);
		world_check(&w, "/keep/b", 100, 2);
		world_unmount(&w);
		world_fsck(&w, false, IMAGE_CLEAN);
	}
	fprintf(stderr, "# 150 cuts, %u left the image not clean\n", unclean);
	assert_in_range(unclean, 50, 149);
	cleanup();
}

/* A store whose page cannot be written stays dirty, is told at fsync, and goes out later. */
static void a_failed_write_is_told_and_kept(void **state)
{
	struct file *file;

	(void)state;
	prepare();
	world_mount(&w);
	assert_int_equal(world_open(&w, "/keep/a", FS_O_RDWR, &file), 0);
	assert_int_equal(mvm_pc_touch_write(file->object, 5000, 'x'), 0);
	w.disk->fault[TESTDISK_WRITE] = (struct testdisk_fault){.countdown = 1};
	assert_int_equal(file_sync(file, true), -EIO);
	assert_int_equal(file_sync(file, true), 0);
	file_unref(file);
	world_remount(&w);
	assert_int_equal(world_open(&w, "/keep/a", FS_O_RDWR, &file), 0);
	uint8_t byte;
	assert_int_equal(mvm_pc_touch_read(file->object, 5000, &byte), 0);
	assert_int_equal(byte, 'x');
	file_unref(file);
	world_unmount(&w);
	cleanup();
}

/* A journal that cannot be written makes the mount read-only: nothing changes, reading goes on. */
static void a_failed_commit_stops_changes(void **state)
{
	struct file *file;

	(void)state;
	prepare();
	world_mount(&w);
	assert_int_equal(world_open(&w, "/keep/a", FS_O_RDWR, &file), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/new", 0755), 0);
	w.disk->fault[TESTDISK_WRITE] = (struct testdisk_fault){.countdown = 1, .forever = true};
	assert_int_equal(mount_sync_all(), -EIO);
	assert_non_null(strstr(world_said(), "the journal cannot be written"));
	assert_non_null(strstr(world_said(), "read-only from now on"));
	memset(w.disk->fault, 0, sizeof(w.disk->fault));
	assert_true(mount_readonly(w.ctx.root->mount));
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/more", 0755), -EROFS);
	assert_int_equal(mvm_pc_touch_write(file->object, 0, 'x'), -EIO);
	assert_int_equal(file_sync(file, false), -EIO);
	assert_int_equal(mount_sync_all(), -EIO);
	assert_int_equal(vfs_remount(&w.ctx, "/", 0), -EROFS);
	file_unref(file);
	world_check(&w, "/keep/a", 20000, 1);
	assert_int_equal(vfs_stat(&w.ctx, NULL, "/new", 0, &(struct fs_attr){0}), 0);
	world_unmount(&w);
	/* What was committed before is whole. */
	world_fsck(&w, false, IMAGE_CLEAN);
	cleanup();
}

/* The image of a mount that ended without a warning, with a change that only the log has. */
static void crash(void)
{
	uint8_t *saved;

	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/new", 0755), 0);
	assert_int_equal(mount_sync_all(), 0);
	saved = testdisk_save(w.disk);
	world_unmount(&w);
	testdisk_load(w.disk, saved);
	testdisk_forget(w.disk, saved);
	assert_int_equal(image_is_clean(&w.disk->dev), 1);
}

/* A mount for reading finds what the log has, and writes nothing; one that may write recovers. */
static void the_log_is_replayed_in_memory(void **state)
{
	struct fs_attr attr;
	struct dentry *root;
	uint64_t written;

	(void)state;
	prepare();
	crash();
	written = w.disk->dev.counts.writes;
	world_fsck(&w, false, IMAGE_CLEAN);
	assert_int_equal(mount_root("mapfs", "test", MOUNT_RDONLY, &root), 0);
	w.ctx.root = w.ctx.cwd = root;
	assert_int_equal(vfs_stat(&w.ctx, NULL, "/new", 0, &attr), 0);
	world_check(&w, "/keep/a", 20000, 1);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/x", 0755), -EROFS);
	assert_int_equal(w.disk->dev.counts.writes, written);

	assert_int_equal(vfs_remount(&w.ctx, "/", 0), 0);
	assert_non_null(strstr(world_said(), "recovered"));
	assert_int_equal(vfs_stat(&w.ctx, NULL, "/new", 0, &attr), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/new/x", 0755), 0);
	world_unmount(&w);
	assert_int_equal(image_is_clean(&w.disk->dev), 0);
	world_fsck(&w, false, IMAGE_CLEAN);
	cleanup();
}

/* A mount for reading that ends leaves everything as it was; fsck replays, and says so. */
static void reading_leaves_the_log_alone(void **state)
{
	struct dentry *root;
	uint64_t written;

	(void)state;
	prepare();
	crash();
	written = w.disk->dev.counts.writes;
	assert_int_equal(mount_root("mapfs", "test", MOUNT_RDONLY, &root), 0);
	w.ctx.root = w.ctx.cwd = root;
	world_unmount(&w);
	assert_int_equal(w.disk->dev.counts.writes, written);
	assert_int_equal(image_is_clean(&w.disk->dev), 1);
	world_fsck(&w, true, IMAGE_FIXED);
	assert_int_equal(image_is_clean(&w.disk->dev), 0);
	world_mount(&w);
	assert_int_equal(vfs_rmdir(&w.ctx, NULL, "/new"), 0);
	world_unmount(&w);
	cleanup();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_fail),
		cmocka_unit_test(writes_fail),
		cmocka_unit_test(flushes_fail),
		cmocka_unit_test(allocations_fail),
		cmocka_unit_test(the_power_goes),
		cmocka_unit_test(a_failed_write_is_told_and_kept),
		cmocka_unit_test(a_failed_commit_stops_changes),
		cmocka_unit_test(the_log_is_replayed_in_memory),
		cmocka_unit_test(reading_leaves_the_log_alone),
	};

	return cmocka_run_group_tests_name("mapfs_faults", tests, NULL, NULL);
}
