// SPDX-License-Identifier: MIT
/*
 * Orphans that cannot be freed when their last user goes, and mounts that fail
 * when they find some.
 */
#include "world.h"

#include "mapfs.h"

#include <fs_posix.h>
#include <mm/pagecache.h>

#include <stdio.h>
#include <string.h>

static struct mapfs *fs_of(struct world *w)
{
	return w->ctx.root->mount->fs;
}

/* The one in the middle stays on the list when both of its neighbours go. */
static void middle_one_stays(void **state)
{
	struct world *w = *state;
	const char *path[] = {"/a", "/b", "/c"};
	struct file *f[3];
	struct fs_stat before, after;

	assert_int_equal(
		vfs_mkdir(&w->ctx, NULL, "/d", 0755), 0); /* the root has its first block */
	before = world_statfs(w);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(world_put(w, path[i], 50000, 1), 0);
		assert_int_equal(world_open(w, path[i], FS_O_RDWR, &f[i]), 0);
		assert_int_equal(file_sync(f[i], false), 0);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(vfs_unlink(&w->ctx, NULL, path[i]), 0);
	fsh_posix_fail_after = 1;
	file_unref(f[1]);
	assert_int_equal(fsh_posix_fail_after, 0);
	file_unref(f[0]);
	file_unref(f[2]);
	assert_non_null(strstr(world_said(), "cannot be freed"));
	world_unmount(w);
	world_mount(w);
	after = world_statfs(w);
	assert_true(after.free_blocks == before.free_blocks);
	assert_true(after.free_inodes == before.free_inodes);
	world_unmount(w);
	world_fsck(w, false, IMAGE_CLEAN);
}

/*
 * A cut of /a that fails between its first transaction and its end; returns
 * what the size is then.
 */
static uint64_t cut_badly(struct world *w)
{
	struct fs_attr attr;
	struct file *f;
	bool failed = false;

	assert_int_equal(world_put(w, "/a", 50000, 1), 0);
	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &f), 0);
	for (unsigned n = 1; n < 12 && !failed; n++) {
		fsh_posix_fail_after = n;
		(void)file_truncate(f, 50000 - 4096 * n - 7);
		fsh_posix_fail_after = 0;
		failed = fs_read(((struct mapfs_inode *)f->vnode)->cut) == MAPFS_CUT_FAILED;
	}
	assert_true(failed);
	assert_int_equal(file_getattr(f, &attr), 0);
	assert_int_equal(mvm_pc_flush(f->object, 0, UINT64_MAX, MVM_PC_WAIT), 0);
	file_unref(f);
	return attr.size_bytes;
}

/* Names that are not there push the others out of memory. */
static void forget_names(struct world *w)
{
	struct fs_attr attr;
	char path[32];

	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/none%d", i);
		assert_int_equal(vfs_stat(&w->ctx, NULL, path, 0, &attr), -ENOENT);
	}
}

/* A file whose cut could be ended neither then nor when it left memory: its next user ends it. */
static void cut_is_ended_later(void **state)
{
	struct world *w = *state;
	struct fs_attr attr = {.mode = 0600}, now;
	uint64_t size = cut_badly(w);

	forget_names(w);
	fsh_posix_fail_after = 1;
	vnode_shrink(0);
	fsh_posix_fail_after = 0;
	assert_non_null(fs_of(w)->orphans);
	assert_int_equal(vfs_setattr(&w->ctx, NULL, "/a", 0, &attr, FS_SET_MODE), 0);
	assert_null(fs_of(w)->orphans);
	assert_int_equal(vfs_stat(&w->ctx, NULL, "/a", 0, &now), 0);
	assert_true(now.size_bytes == size);
	world_remount(w);
	world_check(w, "/a", size, 1);
	assert_int_equal(world_put(w, "/b", 1000, 1), 0);
}

/*
 * Between the smaller size and the end of the cut the power goes, and fsck is
 * there before any mount.
 */
static void repair_ends_a_cut(void **state)
{
	struct world *w = *state;
	uint64_t size = cut_badly(w);
	uint8_t *saved;

	assert_int_equal(mapfs_commit(fs_of(w)), 0);
	saved = testdisk_save(w->disk);
	world_unmount(w);
	testdisk_load(w->disk, saved);
	testdisk_forget(w->disk, saved);
	world_fsck(w, false, IMAGE_CLEAN);
	world_fsck(w, true, IMAGE_FIXED);
	world_fsck(w, false, IMAGE_CLEAN);
	world_mount(w);
	world_check(w, "/a", size, 1);
}

/* The mount fails after it has ended a cut: nothing of it stays in memory. */
static void failed_mount_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct mapfs *fs = fs_of(w);
	unsigned offset;
	uint64_t block = mapfs_inode_at(&fs->sb, fs->sb.root_ino, &offset);
	struct vfs_counts counts;
	struct file *f;
	uint8_t *saved;

	assert_int_equal(world_put(w, "/a", 50000, 1), 0);
	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &f), 0);
	assert_int_equal(file_truncate(f, 5000), 0);
	assert_int_equal(mapfs_commit(fs), 0); /* but for the edge */
	assert_int_equal(mapfs_checkpoint(fs), 0);
	saved = testdisk_save(w->disk);
	file_unref(f);
	world_unmount(w);
	testdisk_load(w->disk, saved);
	testdisk_forget(w->disk, saved);
	((struct mapfs_inode_disk *)((char *)testdisk_block(w->disk, block) + offset))->crc ^= 1;
	assert_int_equal(world_try_mount(w), -EIO);
	w->ctx.root = NULL;
	vfs_counts(&counts);
	assert_int_equal(counts.vnodes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(middle_one_stays),
		TEST(cut_is_ended_later),
		TEST(repair_ends_a_cut),
		TEST(failed_mount_leaves_nothing),
	};

	return cmocka_run_group_tests_name("mapfs_orphans", tests, NULL, NULL);
}
