// SPDX-License-Identifier: MIT
/*
 * What fsync, fdatasync and sync said is durable, whatever happened before or
 * happens beside them.
 */
#include "world.h"

#include "mapfs.h"

#include <fs_posix.h>
#include <mm/pagecache.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void choose_nothing(void *arg, size_t i, const struct testdisk_write *write, uint8_t *mask)
{
	(void)arg, (void)i, (void)write, (void)mask;
}

/* What the medium would hold if the power went now and nothing survived that was not flushed. */
static uint8_t *save_durable(struct testdisk *disk)
{
	uint8_t *saved;

	testdisk_cut(disk, disk->epoch, choose_nothing, NULL);
	saved = testdisk_save(disk);
	testdisk_restore(disk);
	return saved;
}

static void mount_saved(struct world *w, uint8_t *saved)
{
	world_unmount(w);
	testdisk_load(w->disk, saved);
	testdisk_forget(w->disk, saved);
	world_mount(w);
}

/* fdatasync of a file that left memory after its last change, and came back. */
static void forgotten_changes(void **state)
{
	struct world *w = *state;
	struct file *f;
	struct fs_attr attr;
	uint8_t *saved;
	char path[32];

	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(world_put(w, "/a", 50000, 1), 0);
	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &f), 0);
	assert_int_equal(mvm_pc_flush(f->object, 0, UINT64_MAX, MVM_PC_WAIT), 0);
	file_unref(f);
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/none%d", i);
		assert_int_equal(vfs_stat(&w->ctx, NULL, path, 0, &attr), -ENOENT);
	}
	assert_true(vnode_shrink(0) > 0);
	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &f), 0);
	assert_int_equal(file_sync(f, true), 0);
	saved = save_durable(w->disk);
	file_unref(f);
	mount_saved(w, saved);
	world_check(w, "/a", 50000, 1);
}

/* --- While a mount becomes read-only ---------------------------------------------------------- */

static struct beside {
	struct world *w;
	struct file *file;
	pthread_t thread;
	bool returned; /* before the flush that it came beside */
	int result;
} beside;

static void *sync_beside(void *arg)
{
	(void)arg;
	beside.result = file_sync(beside.file, false);
	return NULL;
}

/*
 * Time enough for one that waits for nothing; one that waits for this flush is
 * not done before it.
 */
static void sync_now(struct testdisk *disk)
{
	struct timespec until;

	disk->before_flush = NULL;
	assert_true(mount_readonly(beside.w->ctx.root->mount));
	assert_int_equal(pthread_create(&beside.thread, NULL, sync_beside, NULL), 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 1;
	beside.returned = pthread_timedjoin_np(beside.thread, NULL, &until) == 0;
}

/* An fsync that meets it half-way does not believe that there is nothing to do. */
static void beside_a_remount(void **state)
{
	struct world *w = *state;

	beside = (struct beside){.w = w, .result = -1};
	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/d", 0755), 0);
	assert_int_equal(world_open(w, "/d", FS_O_RDONLY, &beside.file), 0);
	w->disk->before_flush = sync_now;
	assert_int_equal(vfs_remount(&w->ctx, "/", MOUNT_RDONLY), 0);
	assert_false(beside.returned);
	assert_int_equal(pthread_join(beside.thread, NULL), 0);
	assert_int_equal(beside.result, 0);
	file_unref(beside.file);
}

static bool was_readonly;

static void look_at_mount(struct testdisk *disk)
{
	(void)disk;
	was_readonly |= mount_readonly(beside.w->ctx.root->mount);
}

/* Nobody who writes sees a remount that is refused because somebody writes. */
static void refused_remount_is_not_seen(void **state)
{
	struct world *w = *state;
	struct file *f;

	beside = (struct beside){.w = w};
	was_readonly = false;
	assert_int_equal(world_put(w, "/a", 5000, 1), 0);
	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &f), 0);
	w->disk->before_flush = look_at_mount;
	assert_int_equal(vfs_remount(&w->ctx, "/", MOUNT_RDONLY), -EBUSY);
	w->disk->before_flush = NULL;
	assert_false(was_readonly);
	assert_int_equal(world_write(f, "x", 1, 0), 0);
	file_unref(f);
}

/* --- Beside damage ---------------------------------------------------------------------------- */

/* One inode that cannot be saved does not keep the others from the disk. */
static void others_are_saved(void **state)
{
	struct world *w = *state;
	struct mapfs *fs = w->ctx.root->mount->fs;
	struct fs_attr attr;
	struct file *f;
	uint8_t *saved;
	char path[32];

	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "/f%d", i);
		assert_int_equal(world_put(w, path, 5000, 1), 0);
	}
	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(world_open(w, "/f20", FS_O_RDWR, &f), 0);
	while (fs_time_now() == f->vnode->mtime) /* times go in steps */
		;
	assert_int_equal(mvm_pc_touch_write(f->object, 0, 7), 0);
	assert_int_equal(mvm_pc_flush(f->object, 0, UINT64_MAX, MVM_PC_WAIT), 0);
	assert_true(mapfs_inode_times_wait(mapfs_inode_of(f->vnode)));
	assert_int_equal(mapfs_checkpoint(fs), 0);
	mapfs_cache_shrink(fs, 0);
	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/d", 0755), 0);
	mapfs_cache_shrink(fs, 0);
	w->disk->fault[TESTDISK_READ] = (struct testdisk_fault){.countdown = 1, .forever = true};
	assert_int_equal(mount_sync_all(), -EIO);
	w->disk->fault[TESTDISK_READ] = (struct testdisk_fault){0};
	saved = save_durable(w->disk);
	file_unref(f);
	mount_saved(w, saved);
	assert_int_equal(vfs_stat(&w->ctx, NULL, "/d", 0, &attr), 0);
}

/* --- By itself -------------------------------------------------------------------------------- */

/* Each kind of change asks for a sync, once; that makes it durable; then nothing more is wanted. */
static void syncs_itself(void **state)
{
	struct world *w = *state;
	struct fs_attr attr;
	struct file *f;

	assert_int_equal(world_put(w, "/a", 5000, 1), 0);
	assert_int_equal(mount_sync_all(), 0);
	assert_false(mount_any_changed());
	fsh_posix_syncs_wanted = 0;
	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/d", 0755), 0);
	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/e", 0755), 0);
	assert_int_equal(fsh_posix_syncs_wanted, 1);
	assert_true(mount_any_changed());
	assert_int_equal(mount_sync_changed(), 0);
	assert_false(mount_any_changed());
	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &f), 0);
	assert_int_equal(world_write(f, "x", 1, 0), 0);
	assert_int_equal(fsh_posix_syncs_wanted, 1); /* it is a page of mm's until it is written */
	assert_int_equal(mvm_pc_flush(f->object, 0, UINT64_MAX, MVM_PC_WAIT), 0);
	assert_int_equal(fsh_posix_syncs_wanted, 2);
	assert_int_equal(mount_sync_changed(), 0);
	assert_false(mount_any_changed());
	file_unref(f);
	mount_saved(w, save_durable(w->disk));
	assert_int_equal(vfs_stat(&w->ctx, NULL, "/e", 0, &attr), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(forgotten_changes),
		TEST(beside_a_remount),
		TEST(refused_remount_is_not_seen),
		TEST(others_are_saved),
		TEST(syncs_itself),
	};

	return cmocka_run_group_tests_name("mapfs_sync", tests, NULL, NULL);
}
