// SPDX-License-Identifier: MIT
/* What a mount finds that comes after a crash, and what it does first. */
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

static struct mapfs *fs_of(struct world *w)
{
	return w->ctx.root->mount->fs;
}

/* Nothing of what was not flushed arrives. */
static void none(void *arg, size_t i, const struct testdisk_write *write, uint8_t *mask)
{
	(void)arg;
	(void)i;
	(void)write;
	(void)mask;
}

/* The power goes now; unmounted. */
static void crash(struct world *w)
{
	uint8_t *saved;

	testdisk_cut(w->disk, w->disk->epoch, none, NULL);
	saved = testdisk_save(w->disk);
	testdisk_restore(w->disk);
	world_unmount(w);
	testdisk_load(w->disk, saved);
	testdisk_forget(w->disk, saved);
}

/* One head is whole at any time, and it is the newest: the other one is written. */
static void the_head_that_counts_is_not_written(void **state)
{
	struct world *w = *state;
	uint8_t head[MAPFS_BLOCK_BYTES];
	uint64_t block;

	crash(w);
	world_mount(w);
	assert_non_null(strstr(world_said(), "recovered"));
	block = fs_of(w)->sb.log_start + fs_of(w)->recovery->head;
	memcpy(head, testdisk_block(w->disk, block), sizeof(head));
	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/d", 0755), 0);
	assert_int_equal(mapfs_commit(fs_of(w)), 0);
	assert_memory_equal(head, testdisk_block(w->disk, block), sizeof(head));
	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/e", 0755), 0);
	assert_int_equal(mapfs_commit(fs_of(w)), 0);
	assert_memory_equal(head, testdisk_block(w->disk, block), sizeof(head));
}

/* So with a mount for reading that becomes one for writing. */
static void nor_after_a_remount(void **state)
{
	struct world *w = *state;
	uint8_t head[MAPFS_BLOCK_BYTES];
	struct dentry *root;
	uint64_t block;

	crash(w);
	assert_int_equal(mount_root("mapfs", "test", MOUNT_RDONLY, &root), 0);
	w->ctx.root = w->ctx.cwd = root;
	assert_int_equal(vfs_remount(&w->ctx, "/", 0), 0);
	block = fs_of(w)->sb.log_start + fs_of(w)->recovery->head;
	memcpy(head, testdisk_block(w->disk, block), sizeof(head));
	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/d", 0755), 0);
	assert_int_equal(mapfs_commit(fs_of(w)), 0);
	assert_memory_equal(head, testdisk_block(w->disk, block), sizeof(head));
}

/*
 * The n-th read of a mount after the crash fails, each of them once: never is
 * it lost in silence.
 */
static void a_bad_sector_is_no_end_of_the_log(void **state)
{
	struct world *w = *state;
	struct fs_attr attr;
	uint8_t *crashed;
	unsigned whole = 0, reading = 0;
	uint64_t n;

	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/d", 0755), 0);
	assert_int_equal(mount_sync_all(), 0);
	crash(w);
	crashed = testdisk_save(w->disk);
	for (n = 1;; n++) {
		testdisk_load(w->disk, crashed);
		w->disk->injected = 0;
		w->disk->fault[TESTDISK_READ] = (struct testdisk_fault){.countdown = n};
		if (world_try_mount(w))
			continue;
		w->disk->fault[TESTDISK_READ] = (struct testdisk_fault){0};
		if (!mount_readonly(w->ctx.root->mount)) {
			assert_int_equal(vfs_stat(&w->ctx, NULL, "/d", 0, &attr), 0);
			world_check(w, "/a", 5000, 1);
			whole++;
		} else {
			assert_non_null(strstr(world_said(), "read-only"));
			reading++;
		}
		world_unmount(w);
		if (!w->disk->injected)
			break;
	}
	testdisk_forget(w->disk, crashed);
	/* With the older head; with the newer one, any block of the log, any bitmap. */
	assert_in_range(whole, 2, n);
	assert_in_range(reading, 6, n);
}

/* Both ends of an exchange take a name that had data. */
static void an_exchange_shows_no_empty_file(void **state)
{
	struct world *w = *state;

	assert_int_equal(world_put(w, "/b", 7000, 2), 0);
	assert_int_equal(vfs_rename(&w->ctx, NULL, "/a", NULL, "/b", FS_RENAME_EXCHANGE), 0);
	assert_int_equal(mapfs_commit(fs_of(w)), 0);
	crash(w);
	world_mount(w);
	world_check(w, "/a", 7000, 2);
	world_check(w, "/b", 5000, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_head_that_counts_is_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(nor_after_a_remount, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_sector_is_no_end_of_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(an_exchange_shows_no_empty_file, setup, teardown),
	};

	return cmocka_run_group_tests_name("mapfs_after_crash", tests, NULL, NULL);
}
