// SPDX-License-Identifier: MIT
/* Errors of the device: who is told, how often, and what goes on all the same. */
#include "world.h"

#include "mapfs.h"

#include <string.h>

static int setup(void **state)
{
	static struct world w;

	world_make(&w, 16 << 20, 256);
	world_mount(&w);
	assert_int_equal(world_put(&w, "/a", 5000, 1), 0);
	assert_int_equal(mount_sync_all(), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static void fail_next(struct world *w, enum testdisk_op op)
{
	w->disk->fault[op] = (struct testdisk_fault){.countdown = 1};
}

/* What the device's cache held is not known any more: nobody is told that it is durable. */
static void after_a_failed_flush_nothing_is_durable(void **state)
{
	static const char data[100];
	struct world *w = *state;
	struct file *f, *other;

	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &f), 0);
	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &other), 0);
	assert_int_equal(world_write(f, data, sizeof(data), 0), 0);
	fail_next(w, TESTDISK_FLUSH);
	assert_int_equal(file_sync(f, true), -EIO);
	assert_int_equal(file_sync(f, true), -EIO);
	assert_int_equal(file_sync(other, true), -EIO);
	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/d", 0755), -EROFS);
	assert_non_null(strstr(world_said(), "read-only from now on"));
	file_unref(f);
	file_unref(other);
}

/*
 * O_DSYNC: write(2) has told; fsync of the same open file does not tell again,
 * of another one does.
 */
static void an_open_file_is_told_once(void **state)
{
	static const char data[100];
	struct world *w = *state;
	struct file *f, *other;

	assert_int_equal(world_open(w, "/a", FS_O_RDWR | FS_O_DSYNC, &f), 0);
	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &other), 0);
	fail_next(w, TESTDISK_WRITE);
	assert_int_equal(world_write(f, data, sizeof(data), 0), -EIO);
	assert_int_equal(world_write(f, data, sizeof(data), 0), 0);
	assert_int_equal(file_sync(f, false), 0);
	assert_int_equal(file_sync(other, false), -EIO);
	assert_int_equal(file_sync(other, false), 0);
	file_unref(f);
	file_unref(other);
}

/* --- A mount that has failed --------------------------------------------------------------- */

static struct testdisk *other_disk(void)
{
	struct mapfs_make how = {.device_is_zero = true, .now_ns = 1, .uuid = "another"};
	struct testdisk *disk = testdisk_new("other", 16 << 20);

	assert_int_equal(mapfs_make(&disk->dev, &how), 0);
	return disk;
}

static void mount_other(struct world *w)
{
	struct dentry *where;

	assert_int_equal(path_lookup(&w->ctx, NULL, "/m", PATH_FOLLOW, &where), 0);
	assert_int_equal(mount_on(where, "mapfs", "other", "other", 0, ""), 0);
	dentry_unref(where);
}

/* Names that cannot be written are let go of, with a message: the device is free again. */
static void a_mount_that_failed_can_be_taken_away(void **state)
{
	struct world *w = *state;
	struct testdisk *disk = other_disk();

	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/m", 0755), 0);
	mount_other(w);
	assert_int_equal(world_put(w, "/m/a", 5000, 1), 0);
	assert_int_equal(mount_sync_all(), 0);
	disk->fault[TESTDISK_WRITE] = (struct testdisk_fault){.countdown = 1, .forever = true};
	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/m/d", 0755), 0);
	assert_int_equal(mount_sync_all(), -EIO);
	assert_int_equal(vfs_umount(&w->ctx, "/m", PATH_FOLLOW, false), 0);
	assert_non_null(strstr(world_said(), "changes that it could not write are lost"));

	disk->fault[TESTDISK_WRITE] = (struct testdisk_fault){0};
	mount_other(w);
	world_check(w, "/m/a", 5000, 1);
	assert_int_equal(vfs_umount(&w->ctx, "/m", PATH_FOLLOW, false), 0);
	testdisk_free(disk);
}

/* The journal fails in the middle of a remount that is about other flags, or that fails for it. */
static void a_remount_does_not_hide_a_failure(void **state)
{
	struct world *w = *state;

	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/d", 0755), 0);
	fail_next(w, TESTDISK_FLUSH);
	assert_int_equal(vfs_remount(&w->ctx, "/", MOUNT_RDONLY), -EIO);
	assert_true(mount_readonly(w->ctx.root->mount));
	assert_int_equal(vfs_remount(&w->ctx, "/", MOUNT_NOEXEC), -EROFS);
	assert_true(mount_readonly(w->ctx.root->mount));
}

/* Who asked before the mount became one for reading, and changes after it: that is too late. */
static void a_late_change_is_refused(void **state)
{
	struct world *w = *state;
	struct fs_attr attr = {.mode = 0600};
	struct file *f;

	assert_int_equal(world_open(w, "/a", FS_O_RDONLY, &f), 0);
	assert_int_equal(mapfs_setattr(f->vnode, &attr, FS_SET_MODE), 0);
	assert_int_equal(vfs_remount(&w->ctx, "/", MOUNT_RDONLY), 0);
	assert_int_equal(image_is_clean(&w->disk->dev), 0);
	assert_int_equal(mapfs_setattr(f->vnode, &attr, FS_SET_MODE), -EROFS);
	assert_int_equal(vfs_remount(&w->ctx, "/", 0), 0);
	assert_int_equal(mapfs_setattr(f->vnode, &attr, FS_SET_MODE), 0);
	file_unref(f);
}

/* --- One part of the disk ------------------------------------------------------------------ */

/* A bitmap goes bad while it is not in memory: other groups have room. */
static void a_group_without_its_bitmap_is_left_out(void **state)
{
	static struct world large;
	struct mapfs *fs;
	struct file *f;

	(void)state;
	world_make(&large, (uint64_t)300 << 20, 256);
	world_mount(&large);
	fs = large.ctx.root->mount->fs;
	assert_int_equal(fs->sb.n_groups, 3);
	assert_int_equal(world_put(&large, "/a", 5000, 1), 0);
	mount_shrink_all(0);
	((struct mapfs_header *)testdisk_block(large.disk, mapfs_block_map_at(&fs->sb, 0)))->crc ^=
		1;
	assert_int_equal(world_open(&large, "/a", FS_O_RDWR, &f), 0);
	assert_int_equal(world_write(f, "x", 1, 100000), 0);
	assert_int_equal(file_sync(f, false), 0);
	assert_non_null(strstr(world_said(), "has a wrong checksum"));
	file_unref(f);
	world_free(&large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			after_a_failed_flush_nothing_is_durable, setup, teardown),
		cmocka_unit_test_setup_teardown(an_open_file_is_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_mount_that_failed_can_be_taken_away, setup, teardown),
		cmocka_unit_test_setup_teardown(a_remount_does_not_hide_a_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(a_late_change_is_refused, setup, teardown),
		cmocka_unit_test(a_group_without_its_bitmap_is_left_out),
	};

	return cmocka_run_group_tests_name("mapfs_errors", tests, NULL, NULL);
}
