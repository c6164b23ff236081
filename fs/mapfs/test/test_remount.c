// SPDX-License-Identifier: MIT
/* Read-only and back, one file system a device, and what the medium looks like meanwhile. */
#include "world.h"

#include "mapfs.h"

static int setup(void **state)
{
	static struct world w;

	world_make(&w, 8 << 20, 256);
	world_mount(&w);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static int remount(struct world *w, unsigned flags)
{
	return vfs_remount(&w->ctx, "/", flags);
}

/* What a mount after a power cut would find, with all that is committed. */
static bool disk_is_clean(struct world *w)
{
	assert_int_equal(mount_sync_all(), 0);
	return image_is_clean(&w->disk->dev) == 0;
}

static void read_only_is_clean(void **state)
{
	struct world *w = *state;

	assert_int_equal(world_put(w, "/a", 5000, 1), 0);
	assert_false(disk_is_clean(w));
	assert_int_equal(remount(w, MOUNT_RDONLY), 0);
	assert_true(disk_is_clean(w));
	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/d", 0755), -EROFS);
	assert_int_equal(remount(w, 0), 0);
	assert_true(disk_is_clean(w));
	assert_int_equal(world_put(w, "/b", 5000, 2), 0);
	assert_false(disk_is_clean(w));
	assert_int_equal(remount(w, MOUNT_RDONLY), 0);
	world_check(w, "/a", 5000, 1);
	world_check(w, "/b", 5000, 2);
	world_unmount(w);
	world_fsck(w, false, IMAGE_CLEAN);
	world_mount(w);
	world_check(w, "/a", 5000, 1);
	world_check(w, "/b", 5000, 2);
}

/* A page that a mapping stored to was protected by the sync: the next store is refused. */
static void stores_end(void **state)
{
	struct world *w = *state;
	struct file *f;

	assert_int_equal(world_put(w, "/a", 5000, 1), 0);
	assert_int_equal(vfs_open(&w->ctx, NULL, "/a", FS_O_RDONLY, 0, &f), 0);
	assert_int_equal(mvm_pc_touch_write(f->object, 0, 7), 0);
	assert_int_equal(remount(w, MOUNT_RDONLY), 0);
	assert_int_equal(mvm_pc_touch_write(f->object, 0, 7), -EIO);
	assert_int_equal(remount(w, 0), 0);
	assert_int_equal(mvm_pc_touch_write(f->object, 0, 7), 0);
	file_unref(f);
}

/* What an earlier mount left to be freed is freed when the mount may write. */
static void orphans_wait_for_writing(void **state)
{
	struct world *w = *state;
	struct fs_stat before = world_statfs(w), waiting, after;
	struct dentry *root;
	struct file *f;
	uint8_t *saved;

	assert_int_equal(world_put(w, "/a", 50000, 1), 0);
	assert_int_equal(vfs_open(&w->ctx, NULL, "/a", FS_O_RDONLY, 0, &f), 0);
	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(vfs_unlink(&w->ctx, NULL, "/a"), 0);
	assert_int_equal(remount(w, MOUNT_RDONLY), -EBUSY);
	assert_int_equal(mapfs_end_changes(w->ctx.root->mount->fs), 0);
	saved = testdisk_save(w->disk);
	file_unref(f);
	world_unmount(w);
	testdisk_load(w->disk, saved);
	testdisk_forget(w->disk, saved);
	assert_int_equal(mount_root("mapfs", "test", MOUNT_RDONLY, &root), 0);
	w->ctx.root = w->ctx.cwd = root;
	waiting = world_statfs(w);
	assert_true(waiting.free_inodes < before.free_inodes);
	assert_int_equal(remount(w, 0), 0);
	after = world_statfs(w);
	assert_true(after.free_inodes == before.free_inodes);
	assert_true(after.free_blocks > waiting.free_blocks);
}

/* Cut off the power with a log that is not empty, and mount for reading. */
static uint8_t *mount_unclean(struct world *w)
{
	struct dentry *root;
	uint8_t *saved;

	assert_int_equal(world_put(w, "/a", 50000, 1), 0);
	assert_int_equal(mount_sync_all(), 0);
	saved = testdisk_save(w->disk);
	world_unmount(w);
	testdisk_load(w->disk, saved);
	assert_int_equal(mount_root("mapfs", "test", MOUNT_RDONLY, &root), 0);
	w->ctx.root = w->ctx.cwd = root;
	return saved;
}

/* Not even when the cache is given back: then what the log has is read from there again. */
static void reading_writes_nothing(void **state)
{
	struct world *w = *state;
	uint8_t *saved = mount_unclean(w), *after;

	world_check(w, "/a", 50000, 1);
	mount_shrink_all(0);
	world_check(w, "/a", 50000, 1);
	world_unmount(w);
	after = testdisk_save(w->disk);
	assert_memory_equal(after, saved, w->disk->dev.n_sectors * 512);
	testdisk_forget(w->disk, saved);
	testdisk_forget(w->disk, after);
	world_mount(w);
	world_check(w, "/a", 50000, 1);
}

static void one_mount_a_device(void **state)
{
	struct world *w = *state;
	struct dentry *d;

	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/m", 0755), 0);
	assert_int_equal(path_lookup(&w->ctx, NULL, "/m", 0, &d), 0);
	assert_int_equal(mount_on(d, "mapfs", "test", "test", 0, ""), -EBUSY);
	assert_int_equal(mount_on(d, "mapfs", "test", "test", 0, "size=1"), -EINVAL);
	assert_int_equal(mount_on(d, "mapfs", "none", "none", 0, ""), -ENODEV);
	dentry_unref(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(read_only_is_clean),
		TEST(stores_end),
		TEST(orphans_wait_for_writing),
		TEST(reading_writes_nothing),
		TEST(one_mount_a_device),
	};

	return cmocka_run_group_tests_name("mapfs_remount", tests, NULL, NULL);
}
