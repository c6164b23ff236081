// SPDX-License-Identifier: MIT
/*
 * The disk is full: every operation with every number of blocks (or inodes) left, down to none,
 * either works or says ENOSPC and changes nothing; what was promised is kept.
 */
#include "world.h"

#include <mapfs/mapfs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_BYTES (2 << 20)

static struct world w;

static struct mapfs *fs_of(void)
{
	return w.ctx.root->mount->fs;
}

/* Take all free blocks but n into the reservation, as if others had promises on them. */
static uint64_t leave_blocks(uint64_t n)
{
	struct mapfs_space *space = &fs_of()->space[MAPFS_BLOCKS];
	uint64_t taken;

	assert_int_equal(mapfs_commit(fs_of()), 0);
	taken = space->free - space->reserved;
	taken = taken > n ? taken - n : 0;
	assert_int_equal(mapfs_reserve(fs_of(), taken), 0);
	return taken;
}

static int op_create(void)
{
	return world_put(&w, "/d/new", 0, 1);
}

static int op_create_big(void)
{
	return world_put(&w, "/d/new", 300 * 4096, 1);
}

static int op_write(void)
{
	return world_put(&w, "/d/file", 5 * 4096, 1);
}

static int op_append(void)
{
	struct file *file;
	int err;

	assert_int_equal(world_open(&w, "/d/file", FS_O_RDWR, &file), 0);
	err = world_write(file, "tail", 4, 10 * 4096);
	file_unref(file);
	return err;
}

static int op_store(void)
{
	struct file *file;
	int err;

	assert_int_equal(world_open(&w, "/d/file", FS_O_RDWR, &file), 0);
	err = file_truncate(file, 20 * 4096);
	if (!err)
		err = mvm_pc_touch_write(file->object, 15 * 4096, 'x');
	file_unref(file);
	return err;
}

static int op_mkdir(void)
{
	return vfs_mkdir(&w.ctx, NULL, "/d/dir", 0755);
}

static int op_symlink(void)
{
	char target[1001];

	memset(target, 't', 1000);
	target[1000] = 0;
	return vfs_symlink(&w.ctx, target, NULL, "/d/link");
}

static int op_link(void)
{
	return vfs_link(&w.ctx, NULL, "/d/file", 0, NULL, "/d/second");
}

static int op_rename(void)
{
	return vfs_rename(&w.ctx, NULL, "/d/file", NULL, "/e/moved", 0);
}

static int op_replace(void)
{
	return vfs_rename(&w.ctx, NULL, "/d/file", NULL, "/d/other", 0);
}

static int op_unlink(void)
{
	return vfs_unlink(&w.ctx, NULL, "/d/file");
}

static int op_allocate(void)
{
	struct file *file;
	int err;

	assert_int_equal(world_open(&w, "/d/file", FS_O_RDWR, &file), 0);
	err = file_allocate(file, 0, 30 * 4096, 0);
	file_unref(file);
	return err;
}

static int op_truncate(void)
{
	struct fs_attr attr = {.size_bytes = 5000};

	return vfs_setattr(&w.ctx, NULL, "/d/file", 0, &attr, FS_SET_SIZE);
}

static const struct {
	const char *name;
	int (*run)(void);
	bool may_fail;
} ops[] = {
	{"create", op_create, true},
	{"create_big", op_create_big, true},
	{"write", op_write, true},
	{"append", op_append, true},
	{"store", op_store, true},
	{"allocate", op_allocate, true},
	{"mkdir", op_mkdir, true},
	{"symlink", op_symlink, true},
	{"link", op_link, true},
	{"rename", op_rename, true},
	/* These give space back, and must work on a full disk. */
	{"replace", op_replace, false},
	{"unlink", op_unlink, false},
	{"truncate", op_truncate, false},
};
#define N_OPS (sizeof(ops) / sizeof(ops[0]))

/* /d is a directory whose last block is full, /e an empty one. */
static void prepare(void)
{
	char name[300];

	world_make(&w, DISK_BYTES, 0);
	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d", 0755), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/e", 0755), 0);
	assert_int_equal(world_put(&w, "/d/file", 3 * 4096 + 77, 5), 0);
	assert_int_equal(world_put(&w, "/d/other", 100, 6), 0);
	for (int i = 0; i < 15; i++) {
		snprintf(name, sizeof(name), "/d/%0240d", i);
		assert_int_equal(world_put(&w, name, 0, 0), 0);
	}
	assert_int_equal(mount_sync_all(), 0);
}

/* One operation with n blocks left.  True when it worked. */
static bool with_blocks_left(unsigned op, uint64_t n)
{
	uint64_t taken;
	int err;

	prepare();
	taken = leave_blocks(n);
	err = ops[op].run();
	if (err && !(ops[op].may_fail && err == -ENOSPC))
		fail_msg("%s with %d blocks left: %d", ops[op].name, (int)n, err);
	/* Whatever was accepted is written back. */
	assert_int_equal(mount_sync_all(), 0);
	mapfs_unreserve(fs_of(), taken);
	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(fs_of()->space[MAPFS_BLOCKS].reserved, 0);
	if (err && ops[op].run != op_write && ops[op].run != op_rename)
		world_check(&w, "/d/other", 100, 6);
	world_unmount(&w);
	world_fsck(&w, false, IMAGE_CLEAN);
	world_free(&w);
	return err == 0;
}

static void every_operation_with_few_blocks(void **state)
{
	(void)state;
	for (unsigned op = 0; op < N_OPS; op++) {
		uint64_t n = 0;
		while (!with_blocks_left(op, n) && n < 500)
			n++;
		assert_in_range(n, 0, 400);
		fprintf(stderr, "# %-10s works with %d blocks left\n", ops[op].name, (int)n);
	}
}

/* A disk that data has filled has room for names, and what gives back works to the last block. */
static void a_full_disk_can_be_tidied(void **state)
{
	char name[80], to[80];
	struct file *file;
	struct fs_stat st;

	(void)state;
	world_make(&w, DISK_BYTES, 0);
	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d", 0755), 0);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "/d/%060d", i);
		assert_int_equal(world_put(&w, name, 1, 1), 0);
	}
	assert_int_equal(world_put(&w, "/big", DISK_BYTES, 1), -ENOSPC);
	assert_int_equal(world_open(&w, "/big", FS_O_RDWR, &file), 0);
	assert_int_equal(file_sync(file, false), 0);
	for (uint64_t at = DISK_BYTES; file_allocate(file, at, at + 4096, 0) == 0; at += 4096)
		;
	file_unref(file);
	st = world_statfs(&w);
	assert_in_range(st.data_blocks, 0, 1); /* which a node may want together with its block */
	assert_true(st.free_blocks > st.data_blocks);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/e", 0755), 0);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "/d/%060d", i);
		snprintf(to, sizeof(to), "/e/%060d", i);
		assert_int_equal(vfs_rename(&w.ctx, NULL, name, NULL, to, 0), 0);
	}
	assert_int_equal(vfs_unlink(&w.ctx, NULL, "/big"), 0);
	assert_int_equal(world_put(&w, "/big", DISK_BYTES / 2, 1), 0);
	world_remount(&w);
	world_free(&w);
}

static void no_inodes_left(void **state)
{
	struct fs_stat st;
	char name[32];
	int n = 0;

	(void)state;
	world_make(&w, DISK_BYTES, 16);
	world_mount(&w);
	assert_int_equal(vfs_statfs(&w.ctx, NULL, "/", &st), 0);
	for (;; n++) {
		snprintf(name, sizeof(name), "/f%d", n);
		int err = world_put(&w, name, 1, 1);
		if (err) {
			assert_int_equal(err, -ENOSPC);
			break;
		}
	}
	assert_int_equal(n, st.free_inodes);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/dir", 0755), -ENOSPC);
	assert_int_equal(vfs_unlink(&w.ctx, NULL, "/f0"), 0);
	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/dir", 0755), 0);
	world_remount(&w);
	world_free(&w);
}

/* The same for inode numbers. */
static void numbers_in_quarantine_are_waited_for(void **state)
{
	char name[32];
	int n = 0;

	(void)state;
	world_make(&w, DISK_BYTES, 16);
	world_mount(&w);
	do {
		snprintf(name, sizeof(name), "/f%d", n++);
	} while (world_put(&w, name, 0, 1) == 0);
	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(vfs_unlink(&w.ctx, NULL, "/f0"), 0);
	assert_int_equal(world_put(&w, "/again", 0, 1), 0);
	world_free(&w);
}

/* What other files' dirty pages hold for their trees, and will not take, is no lack of space. */
static void small_files_fit(void **state)
{
	struct fs_stat st;
	char name[32];
	unsigned n;

	(void)state;
	world_make(&w, DISK_BYTES, 400);
	world_mount(&w);
	for (n = 0; n < 300; n++) {
		snprintf(name, sizeof(name), "/f%u", n);
		assert_int_equal(world_put(&w, name, 0, 1), 0);
	}
	st = world_statfs(&w);
	for (n = 0; n < 300 && n + MAPFS_PROMISE_NODES < st.data_blocks; n++) {
		snprintf(name, sizeof(name), "/f%u", n);
		assert_int_equal(world_put(&w, name, 4096, 1), 0);
	}
	assert_in_range(n, 250, 300);
	world_remount(&w);
	world_free(&w);
}

/* Fill the disk with files until nothing fits, check them, remove them: all is free again. */
static void fill_and_empty(void **state)
{
	struct fs_stat before, after;
	char name[32];
	int n, err = 0;

	(void)state;
	world_make(&w, DISK_BYTES, 0);
	world_mount(&w);
	assert_int_equal(world_put(&w, "/f0", 0, 0), 0);
	assert_int_equal(vfs_unlink(&w.ctx, NULL, "/f0"), 0);
	before = world_statfs(&w);
	for (int round = 0; round < 3; round++) {
		for (n = 0; !err; n++) {
			snprintf(name, sizeof(name), "/f%d", n);
			err = world_put(&w, name, 7000 + (size_t)n * 10, (unsigned)n);
			if (n % 20 == 0)
				assert_int_equal(mount_sync_all(), 0);
		}
		assert_int_equal(err, -ENOSPC);
		err = 0;
		n--;
		(void)vfs_unlink(&w.ctx, NULL, name);
		world_remount(&w);
		for (int i = 0; i < n; i++) {
			snprintf(name, sizeof(name), "/f%d", i);
			world_check(&w, name, 7000 + (size_t)i * 10, (unsigned)i);
		}
		/* Every second first, so that the next round meets holes. */
		for (int i = 0; i < 2 * n; i++) {
			snprintf(name, sizeof(name), "/f%d", i < n ? i & ~1 : i - n);
			(void)vfs_unlink(&w.ctx, NULL, name);
		}
		after = world_statfs(&w);
		assert_in_range(before.free_blocks - after.free_blocks, 0, 8);
		assert_int_equal(before.free_inodes, after.free_inodes);
	}
	world_free(&w);
}

/* Space that is only quarantined is waited for: delete and write, over and over. */
static void quarantine_is_waited_for(void **state)
{
	struct fs_stat st;
	size_t bytes;

	(void)state;
	world_make(&w, DISK_BYTES, 0);
	world_mount(&w);
	assert_int_equal(vfs_statfs(&w.ctx, NULL, "/", &st), 0);
	bytes = (st.free_blocks * 3 / 4) * 4096;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(world_put(&w, "/big", bytes, i), 0);
		world_check(&w, "/big", bytes, i);
		assert_int_equal(vfs_unlink(&w.ctx, NULL, "/big"), 0);
	}
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_with_few_blocks),
		cmocka_unit_test(a_full_disk_can_be_tidied),
		cmocka_unit_test(no_inodes_left),
		cmocka_unit_test(small_files_fit),
		cmocka_unit_test(fill_and_empty),
		cmocka_unit_test(quarantine_is_waited_for),
		cmocka_unit_test(numbers_in_quarantine_are_waited_for),
	};

	return cmocka_run_group_tests_name("mapfs_space", tests, NULL, NULL);
}
