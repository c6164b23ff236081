// SPDX-License-Identifier: MIT
/* File data: far and scattered blocks, what is written and what is not, what comes back. */
#include "world.h"

#include <fs_posix.h>
#include <mapfs/mapfs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	world_make(w, 32 * MIB, 0);
	world_mount(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (w->ctx.root) {
		world_unmount(w);
		world_fsck(w, false, IMAGE_CLEAN);
	}
	world_free(w);
	free(w);
	return 0;
}

static struct file *open_file(struct world *w, const char *path)
{
	struct file *file;

	assert_int_equal(world_open(w, path, FS_O_CREAT | FS_O_RDWR, &file), 0);
	return file;
}

static uint8_t byte_at(struct file *file, uint64_t offset)
{
	uint8_t byte;
	size_t done;

	assert_int_equal(world_read(file, &byte, 1, offset, &done), 0);
	assert_int_equal(done, 1);
	return byte;
}

static void far_and_sparse(void **state)
{
	static const uint64_t places[] = {0, 4095, 4 * GIB - 1, 4 * GIB, 5 * GIB + 123, 1024 * GIB};
	struct world *w = *state;
	struct file *file = open_file(w, "/far");
	struct fs_attr attr;

	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(world_write(file, "x", 1, places[i]), 0);
	file_unref(file);
	world_remount(w);
	file = open_file(w, "/far");
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(byte_at(file, places[i]), 'x');
		if (i > 1)
			assert_int_equal(byte_at(file, places[i] - 4096), 0);
	}
	assert_int_equal(file_getattr(file, &attr), 0);
	assert_true(attr.size_bytes == 1024 * GIB + 1);
	/* Five pages have data, for places 0 and 4095 share one. */
	assert_int_equal(attr.blocks, 5 * 8);
	assert_int_equal(file_truncate(file, 5), 0);
	assert_int_equal(file_getattr(file, &attr), 0);
	assert_int_equal(attr.blocks, 8);
	assert_int_equal(world_write(file, "x", 1, MAPFS_MAX_FILE - 1), 0);
	assert_int_equal(world_write(file, "x", 1, MAPFS_MAX_FILE), -EFBIG);
	file_unref(file);
}

/* Every second page of a file, in random order: as many extents as there are. */
#define SCATTERED 3000

static void scattered(void **state)
{
	struct world *w = *state;
	uint64_t seed = world_seed();
	struct file *file = open_file(w, "/scattered");
	struct fs_stat before = world_statfs(w);
	static uint32_t order[SCATTERED];

	for (uint32_t i = 0; i < SCATTERED; i++) {
		uint32_t j = (uint32_t)(world_random(&seed) % (i + 1));
		order[i] = order[j];
		order[j] = i;
	}
	for (uint32_t i = 0; i < SCATTERED; i++) {
		assert_int_equal(world_write(file, &order[i], 4, order[i] * (uint64_t)8192), 0);
		if (i % 50 == 0)
			assert_int_equal(file_sync(file, true), 0);
	}
	assert_int_equal(file_sync(file, false), 0);
	assert_in_range(mapfs_inode_of(file->vnode)->depth, 1, 2);
	file_unref(file);
	world_remount(w);
	file = open_file(w, "/scattered");
	for (uint32_t i = 0; i < SCATTERED; i++) {
		uint32_t value;
		size_t done;
		assert_int_equal(world_read(file, &value, 4, i * (uint64_t)8192, &done), 0);
		assert_int_equal(value, i);
		if (i + 1 < SCATTERED)
			assert_int_equal(byte_at(file, i * (uint64_t)8192 + 4096), 0);
	}
	/* Cut at random places down to nothing; what stays is there, what went is not. */
	for (uint64_t n = SCATTERED * 8192; n > 0; n = n > 100000 ? world_random(&seed) % n : 0) {
		assert_int_equal(file_truncate(file, n), 0);
		if (n >= 8192) {
			uint64_t last = (n - 8192) / 8192;
			assert_int_equal(byte_at(file, last * 8192), (uint8_t)last);
		}
		assert_int_equal(file_truncate(file, n + 10000), 0);
		assert_int_equal(byte_at(file, n), 0);
		assert_int_equal(byte_at(file, n + 9999), 0);
	}
	assert_int_equal(file_truncate(file, 0), 0);
	assert_true(world_statfs(w).free_blocks == before.free_blocks);
	file_unref(file);
}

/* Two files that grow in turns are in pieces, and both still whole. */
static void interleaved(void **state)
{
	struct world *w = *state;
	struct file *a = open_file(w, "/a"), *b = open_file(w, "/b");

	for (uint32_t i = 0; i < 200; i++) {
		assert_int_equal(world_write(a, &i, 4, i * 4096), 0);
		assert_int_equal(file_sync(a, true), 0);
		assert_int_equal(world_write(b, &i, 4, i * 4096), 0);
		assert_int_equal(file_sync(b, true), 0);
	}
	file_unref(a);
	file_unref(b);
	world_remount(w);
	a = open_file(w, "/a");
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(byte_at(a, i * 4096), (uint8_t)i);
	file_unref(a);
}

/* A file written in one go is in one piece and goes out in few requests. */
static void sequential_is_contiguous(void **state)
{
	struct world *w = *state;
	struct mapfs_inode *inode;
	struct file *file;
	uint64_t writes;

	assert_int_equal(world_put(w, "/big", 4 * MIB, 1), 0);
	file = open_file(w, "/big");
	writes = w->disk->dev.counts.writes;
	assert_int_equal(file_sync(file, true), 0);
	inode = mapfs_inode_of(file->vnode);
	assert_int_equal(inode->depth, 0);
	assert_int_equal(inode->n_root, 1);
	/* 1024 blocks, at least 16 a request, and a handful for the metadata. */
	assert_in_range(w->disk->dev.counts.writes - writes, 1, 64 + 10);
	file_unref(file);
	world_check(w, "/big", 4 * MIB, 1);
}

static uint64_t sectors_written(struct world *w)
{
	return w->disk->dev.counts.written_sectors;
}

/* Only pages that were stored to are written, and only once. */
static void only_dirty_pages_are_written(void **state)
{
	struct world *w = *state;
	struct file *file;
	uint64_t before;
	uint8_t byte;

	assert_int_equal(world_put(w, "/f", 100 * 4096, 1), 0);
	world_remount(w);
	file = open_file(w, "/f");
	for (int i = 0; i < 100; i++)
		assert_int_equal(mvm_pc_touch_read(file->object, i * 4096, &byte), 0);
	before = sectors_written(w);
	assert_int_equal(mvm_pc_flush(file->object, 0, 1000, MVM_PC_WAIT), 0);
	assert_int_equal(sectors_written(w) - before, 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(mvm_pc_touch_write(file->object, i * 13 * 4096, 'x'), 0);
	assert_int_equal(mvm_pc_flush(file->object, 0, 1000, MVM_PC_WAIT), 0);
	/* In place: no metadata changes. */
	assert_int_equal(sectors_written(w) - before, 7 * 8);
	assert_int_equal(mvm_pc_flush(file->object, 0, 1000, MVM_PC_WAIT), 0);
	assert_int_equal(sectors_written(w) - before, 7 * 8);
	file_unref(file);
}

/* Nothing is read or written by mounting, looking and unmounting that need not be. */
static void looking_leaves_the_image_alone(void **state)
{
	struct world *w = *state;
	struct fs_attr attr;
	uint64_t before;

	assert_int_equal(world_put(w, "/f", 5000, 3), 0);
	world_unmount(w);
	before = sectors_written(w);
	world_mount(w);
	world_check(w, "/f", 5000, 3);
	assert_int_equal(vfs_stat(&w->ctx, NULL, "/f", 0, &attr), 0);
	world_unmount(w);
	assert_int_equal(sectors_written(w) - before, 0);
	world_mount(w);
}

/* What is free once the root has a block for its names. */
static struct fs_stat settled(struct world *w)
{
	assert_int_equal(world_put(w, "/x", 1, 1), 0);
	assert_int_equal(vfs_unlink(&w->ctx, NULL, "/x"), 0);
	return world_statfs(w);
}

/* A file without a name lives until its last user goes; then its blocks and its inode come back. */
static void unlinked_files_come_back(void **state)
{
	struct world *w = *state;
	struct fs_stat before, held, after;
	struct file *file;

	before = settled(w);
	file = open_file(w, "/x");
	assert_int_equal(world_write(file, "hello", 5, 100000), 0);
	assert_int_equal(mvm_pc_flush(file->object, 0, 1000, MVM_PC_WAIT), 0);
	assert_int_equal(vfs_unlink(&w->ctx, NULL, "/x"), 0);
	held = world_statfs(w);
	assert_true(held.free_blocks == before.free_blocks - 1);
	assert_true(held.free_inodes == before.free_inodes - 1);
	assert_int_equal(byte_at(file, 100004), 'o');
	assert_int_equal(world_write(file, "more", 4, 200000), 0);
	assert_int_equal(byte_at(file, 200003), 'e');
	file_unref(file);
	after = world_statfs(w);
	assert_true(after.free_blocks == before.free_blocks);
	assert_true(after.free_inodes == before.free_inodes);
}

/* Three files lose their names, two stay open, all is committed: what the disk then has. */
static uint8_t *crash_with_orphans(struct world *w)
{
	struct file *file[3];
	uint8_t *saved;
	char name[] = "/o0";

	for (int i = 0; i < 3; i++) {
		name[2] = (char)('0' + i);
		file[i] = open_file(w, name);
		assert_int_equal(world_write(file[i], "data", 4, 0), 0);
		assert_int_equal(mvm_pc_flush(file[i]->object, 0, 10, MVM_PC_WAIT), 0);
		assert_int_equal(vfs_unlink(&w->ctx, NULL, name), 0);
	}
	file_unref(file[1]); /* out of the middle of the list */
	assert_int_equal(mount_sync_all(), 0);
	saved = testdisk_save(w->disk);
	file_unref(file[0]);
	file_unref(file[2]);
	world_unmount(w);
	return saved;
}

/* The power goes while files without names are open: the next mount frees them. */
static void orphans_are_freed_by_mount(void **state)
{
	struct world *w = *state;
	struct fs_stat before = settled(w), after;
	uint8_t *saved = crash_with_orphans(w);

	testdisk_load(w->disk, saved);
	testdisk_forget(w->disk, saved);
	assert_int_equal(image_is_clean(&w->disk->dev), 1);
	world_fsck(w, false, IMAGE_CLEAN);
	world_mount(w);
	after = world_statfs(w);
	assert_true(after.free_blocks == before.free_blocks);
	assert_true(after.free_inodes == before.free_inodes);
	assert_int_equal(world_put(w, "/works", 10, 1), 0);
	world_remount(w);
}

/* The same by fsck. */
static void orphans_are_freed_by_fsck(void **state)
{
	struct world *w = *state;
	struct fs_stat before = settled(w), after;
	uint8_t *saved = crash_with_orphans(w);

	testdisk_load(w->disk, saved);
	testdisk_forget(w->disk, saved);
	world_fsck(w, true, IMAGE_FIXED);
	world_fsck(w, false, IMAGE_CLEAN);
	assert_int_equal(image_is_clean(&w->disk->dev), 0);
	world_mount(w);
	after = world_statfs(w);
	assert_true(after.free_blocks == before.free_blocks);
	assert_true(after.free_inodes == before.free_inodes);
}

/* What was freed is not used again before the transaction that freed it is durable. */
static void freed_blocks_wait_for_the_commit(void **state)
{
	struct world *w = *state;
	struct mapfs *fs = w->ctx.root->mount->fs;
	struct mapfs_piece old, new;
	struct file *file;

	assert_int_equal(world_put(w, "/old", 8 * 4096, 1), 0);
	assert_int_equal(mount_sync_all(), 0);
	file = open_file(w, "/old");
	fsh_mutex_lock(&mapfs_inode_of(file->vnode)->extent_lock);
	assert_int_equal(mapfs_extent_find(mapfs_inode_of(file->vnode), 0, 8, &old), 0);
	fsh_mutex_unlock(&mapfs_inode_of(file->vnode)->extent_lock);
	assert_int_equal(old.count, 8);
	assert_int_equal(file_truncate(file, 0), 0);
	assert_int_equal(fs->space[MAPFS_BLOCKS].quarantined, 8);
	assert_int_equal(world_write(file, "new", 3, 0), 0);
	assert_int_equal(mvm_pc_flush(file->object, 0, 10, MVM_PC_WAIT), 0);
	fsh_mutex_lock(&mapfs_inode_of(file->vnode)->extent_lock);
	assert_int_equal(mapfs_extent_find(mapfs_inode_of(file->vnode), 0, 8, &new), 0);
	fsh_mutex_unlock(&mapfs_inode_of(file->vnode)->extent_lock);
	assert_true(new.start < old.start || new.start >= old.start + 8);
	assert_int_equal(mapfs_commit(fs), 0);
	assert_int_equal(fs->space[MAPFS_BLOCKS].quarantined, 0);
	file_unref(file);
}

/* Bytes behind the end are zero on the disk, whatever a mapping stored there. */
static void tails_are_zero(void **state)
{
	struct world *w = *state;
	struct file *file;
	uint8_t data[8192];

	memset(data, 'x', sizeof(data));
	file = open_file(w, "/t");
	assert_int_equal(world_write(file, data, 8192, 0), 0);
	assert_int_equal(file_sync(file, false), 0);
	assert_int_equal(file_truncate(file, 100), 0);
	file_unref(file);
	world_remount(w);
	file = open_file(w, "/t");
	assert_int_equal(file_truncate(file, 8192), 0);
	file_unref(file);
	world_remount(w);
	file = open_file(w, "/t");
	assert_int_equal(byte_at(file, 99), 'x');
	for (uint64_t at = 100; at < 8192; at++)
		assert_int_equal(byte_at(file, at), 0);
	file_unref(file);
}

/* A file that grows inside its last block needs no block, but a new size. */
static void appends_within_a_block(void **state)
{
	struct world *w = *state;
	struct file *file = open_file(w, "/log");
	struct fs_attr attr;

	for (uint64_t i = 0; i < 20; i++) {
		assert_int_equal(world_write(file, "0123456789", 10, i * 10), 0);
		assert_int_equal(file_sync(file, i % 2), 0);
	}
	file_unref(file);
	world_remount(w);
	assert_int_equal(vfs_stat(&w->ctx, NULL, "/log", 0, &attr), 0);
	assert_int_equal(attr.size_bytes, 200);
}

/* append and fsync: how many flushes?  overwrite and fdatasync: one. */
static void flushes_are_counted(void **state)
{
	struct world *w = *state;
	struct file *file = open_file(w, "/f");
	uint64_t flushes;

	assert_int_equal(world_write(file, "a", 1, 0), 0);
	assert_int_equal(file_sync(file, false), 0);
	flushes = w->disk->dev.counts.flushes;
	assert_int_equal(world_write(file, "b", 1, 4096), 0);
	assert_int_equal(file_sync(file, false), 0);
	assert_int_equal(w->disk->dev.counts.flushes - flushes, 2);
	flushes = w->disk->dev.counts.flushes;
	assert_int_equal(world_write(file, "c", 1, 0), 0);
	assert_int_equal(file_sync(file, true), 0);
	assert_int_equal(w->disk->dev.counts.flushes - flushes, 1);
	file_unref(file);
}

/*
 * What could not be written stays dirty, and each open file is told once; a want of memory, which
 * passes, is told to who met it only.
 */
static void errors_are_told_once(void **state)
{
	struct world *w = *state;
	struct file *file[2];
	struct mvm_object_counts counts;
	char data[4096];
	size_t done;

	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(world_open(w, "/f", FS_O_CREAT | FS_O_RDWR, &file[i]), 0);
	assert_int_equal(world_write(file[0], "text", 4, 0), 0);
	fsh_posix_fail_after = 1;
	assert_int_equal(mvm_pc_flush(file[0]->object, 0, 0, MVM_PC_WAIT), -ENOMEM);
	fsh_posix_fail_after = 0;
	assert_int_equal(file_sync(file[1], false), 0);

	assert_int_equal(world_write(file[0], "more", 4, 0), 0);
	w->disk->fault[TESTDISK_WRITE] = (struct testdisk_fault){.countdown = 1};
	assert_int_equal(mvm_pc_flush(file[0]->object, 0, 0, MVM_PC_WAIT), -EIO);
	mvm_object_counts(file[0]->object, &counts);
	assert_int_equal(counts.dirty_pages, 1);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(file_sync(file[i], false), -EIO);
		assert_int_equal(file_sync(file[i], false), 0);
		file_unref(file[i]);
	}
	world_remount(w);
	assert_int_equal(world_open(w, "/f", FS_O_RDWR, &file[0]), 0);
	assert_int_equal(file_sync(file[0], false), 0);
	assert_int_equal(world_read(file[0], data, 4096, 0, &done), 0);
	assert_int_equal(done, 4);
	assert_memory_equal(data, "more", 4);
	file_unref(file[0]);
}

/* Enough names that the directory itself is in pieces; each is found, seen once, and goes. */
static void many_names(void **state)
{
	struct world *w = *state;
	char name[64];

	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/d", 0755), 0);
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "/d/a-rather-long-name-of-a-file-%d", i);
		assert_int_equal(world_put(w, name, i % 7 ? 0 : 10, (unsigned)i), 0);
	}
	world_remount(w);
	for (int i = 0; i < 1500; i += 7) {
		snprintf(name, sizeof(name), "/d/a-rather-long-name-of-a-file-%d", i);
		world_check(w, name, 10, (unsigned)i);
	}
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "/d/a-rather-long-name-of-a-file-%d", i);
		assert_int_equal(vfs_unlink(&w->ctx, NULL, name), 0);
	}
	assert_int_equal(vfs_rmdir(&w->ctx, NULL, "/d"), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(far_and_sparse),
		TEST(scattered),
		TEST(interleaved),
		TEST(sequential_is_contiguous),
		TEST(only_dirty_pages_are_written),
		TEST(looking_leaves_the_image_alone),
		TEST(unlinked_files_come_back),
		TEST(orphans_are_freed_by_mount),
		TEST(orphans_are_freed_by_fsck),
		TEST(freed_blocks_wait_for_the_commit),
		TEST(tails_are_zero),
		TEST(appends_within_a_block),
		TEST(flushes_are_counted),
		TEST(errors_are_told_once),
		TEST(many_names),
	};

	return cmocka_run_group_tests_name("mapfs_file", tests, NULL, NULL);
}
