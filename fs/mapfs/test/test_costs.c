// SPDX-License-Identifier: MIT
/*
 * What operations cost the disk: blocks and requests written, and flushes, the mean of many, with
 * their share of commits and checkpoints.  The figures are printed, and may not grow.
 */
#include "world.h"

#include <mapfs/mapfs.h>

#include <stdio.h>
#include <string.h>

#define N 200

static struct world w;
static struct file *file, *sync_file, *dsync_file;
static unsigned round_number;

static int setup(void **state)
{
	(void)state;
	world_make(&w, 64 << 20, 0);
	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d", 0755), 0);
	assert_int_equal(world_open(&w, "/d/file", FS_O_CREAT | FS_O_RDWR, &file), 0);
	assert_int_equal(world_open(&w, "/d/s", FS_O_CREAT | FS_O_RDWR | FS_O_SYNC, &sync_file), 0);
	assert_int_equal(world_open(&w, "/d/s", FS_O_RDWR | FS_O_DSYNC, &dsync_file), 0);
	assert_int_equal(mapfs_checkpoint(w.ctx.root->mount->fs), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	file_unref(file);
	file_unref(sync_file);
	file_unref(dsync_file);
	world_free(&w);
	return 0;
}

/* Two names may be in use at a time; each kind of operation has names of its own. */
static const char *name_of(const char *prefix, unsigned i)
{
	static char names[2][32];
	static unsigned turn;
	char *name = names[turn++ % 2];

	snprintf(name, sizeof(names[0]), "/d/%s%u-%u", prefix, round_number, i);
	return name;
}

static void sync_all(void)
{
	assert_int_equal(mapfs_commit(w.ctx.root->mount->fs), 0);
}

static void create(unsigned i)
{
	assert_int_equal(world_put(&w, name_of("new", i), 0, 0), 0);
}

static void create_and_sync(unsigned i)
{
	create(i);
	sync_all();
}

static void rename_one(unsigned i)
{
	assert_int_equal(
		vfs_rename(&w.ctx, NULL, name_of("old", i), NULL, name_of("moved", i), 0), 0);
}

static void rename_and_sync(unsigned i)
{
	rename_one(i);
	sync_all();
}

static void make_old_names(void)
{
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(world_put(&w, name_of("old", i), 0, 0), 0);
}

static void make_old_files(void)
{
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(world_put(&w, name_of("old", i), 4096, i), 0);
}

static void link_one(unsigned i)
{
	assert_int_equal(vfs_link(&w.ctx, NULL, name_of("old", i), 0, NULL, name_of("link", i)), 0);
}

static void unlink_one(unsigned i)
{
	assert_int_equal(vfs_unlink(&w.ctx, NULL, name_of("old", i)), 0);
}

static void unlink_and_sync(unsigned i)
{
	unlink_one(i);
	sync_all();
}

static void make_dir(unsigned i)
{
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, name_of("dir", i), 0755), 0);
}

static void make_dir_and_sync(unsigned i)
{
	make_dir(i);
	sync_all();
}

static void truncate_to(unsigned i, uint64_t size)
{
	struct file *old;

	assert_int_equal(world_open(&w, name_of("old", i), FS_O_RDWR, &old), 0);
	assert_int_equal(file_truncate(old, size), 0);
	file_unref(old);
}

static void empty_file(unsigned i)
{
	truncate_to(i, 0);
}

static void empty_and_sync(unsigned i)
{
	truncate_to(i, 0);
	sync_all();
}

/* Its edge is zeroed when the smaller size is durable. */
static void cut_in_a_block(unsigned i)
{
	truncate_to(i, 100);
}

static void append_and_fsync(unsigned i)
{
	static const char page[4096] = "page";

	assert_int_equal(world_write(file, page, sizeof(page), (uint64_t)i * 4096), 0);
	assert_int_equal(file_sync(file, false), 0);
}

static void overwrite_and_fdatasync(unsigned i)
{
	static const char page[4096] = "other";

	assert_int_equal(world_write(file, page, sizeof(page), (uint64_t)i * 4096), 0);
	assert_int_equal(file_sync(file, true), 0);
}

static void append_with_o_sync(unsigned i)
{
	static const char page[4096] = "page";

	assert_int_equal(world_write(sync_file, page, sizeof(page), (uint64_t)i * 4096), 0);
}

static void overwrite_with_o_dsync(unsigned i)
{
	static const char page[4096] = "other";

	assert_int_equal(world_write(dsync_file, page, sizeof(page), (uint64_t)i * 4096), 0);
}

/* As msync(MS_SYNC) of a page that a mapping stored to. */
static void store_and_msync(unsigned i)
{
	struct vnode *v = dsync_file->vnode;

	assert_int_equal(mvm_pc_touch_write(dsync_file->object, (uint64_t)i * 4096, 'x'), 0);
	assert_int_equal(mvm_pc_flush(dsync_file->object, i, i, MVM_PC_WAIT), 0);
	assert_int_equal(v->ops->fsync(v, true), 0);
}

static void write_mib(unsigned i)
{
	static const char mib[1 << 20] = "mib";

	if (i < 32)
		assert_int_equal(world_write(file, mib, sizeof(mib), (uint64_t)i << 20), 0);
}

static const struct {
	const char *name;
	void (*before)(void);
	void (*run)(unsigned i);
	unsigned n;
	bool synced; /* each of them, else all at the end */
	/* at most, in hundredths each */
	unsigned blocks, requests, flushes;
} kinds[] = {
	{"create", NULL, create, N, false, 30, 10, 10},
	{"create, synced", NULL, create_and_sync, N, true, 650, 120, 110},
	{"rename", make_old_names, rename_one, N, false, 30, 10, 10},
	{"rename, synced", make_old_names, rename_and_sync, N, true, 650, 120, 110},
	{"link", make_old_names, link_one, N, false, 40, 10, 10},
	{"unlink", make_old_files, unlink_one, N, false, 40, 10, 10},
	{"unlink, synced", make_old_files, unlink_and_sync, N, true, 900, 120, 110},
	{"mkdir", NULL, make_dir, N, false, 40, 10, 10},
	{"mkdir, synced", NULL, make_dir_and_sync, N, true, 700, 120, 110},
	{"truncate to 0", make_old_files, empty_file, N, false, 40, 10, 10},
	{"truncate to 0, synced", make_old_files, empty_and_sync, N, true, 450, 120, 110},
	{"truncate within a block", make_old_files, cut_in_a_block, N, false, 140, 120, 10},
	{"append of 4 KiB, fsync", NULL, append_and_fsync, N, true, 550, 220, 210},
	{"overwrite of 4 KiB, fdatasync", NULL, overwrite_and_fdatasync, N, true, 100, 100, 100},
	{"append of 4 KiB, O_SYNC", NULL, append_with_o_sync, N, true, 550, 220, 210},
	{"overwrite of 4 KiB, O_DSYNC", NULL, overwrite_with_o_dsync, N, true, 100, 100, 100},
	{"store of 4 KiB, msync", NULL, store_and_msync, N, true, 100, 100, 100},
	{"write of 1 MiB", NULL, write_mib, 32, false, 25700, 1000, 30},
};

/* The mean of `n` times, all synced and in place at the end. */
static void costs(void **state)
{
	struct mapfs *fs = w.ctx.root->mount->fs;

	(void)state;
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct blk_counts before, after;
		unsigned blocks, requests, flushes, n = kinds[k].n;

		round_number = k;
		if (kinds[k].before)
			kinds[k].before();
		assert_int_equal(mount_sync_all(), 0);
		assert_int_equal(mapfs_checkpoint(fs), 0);
		before = w.disk->dev.counts;
		for (unsigned i = 0; i < n; i++)
			kinds[k].run(i);
		if (!kinds[k].synced)
			assert_int_equal(mount_sync_all(), 0);
		assert_int_equal(mapfs_checkpoint(fs), 0);
		after = w.disk->dev.counts;
		blocks = (unsigned)((after.written_sectors - before.written_sectors) * 100 /
				    MAPFS_BLOCK_SECTORS / n);
		requests = (unsigned)((after.writes - before.writes) * 100 / n);
		flushes = (unsigned)((after.flushes - before.flushes) * 100 / n);
		fprintf(stderr, "# %-30s %4u.%02u blocks %3u.%02u requests %2u.%02u flushes\n",
			kinds[k].name, blocks / 100, blocks % 100, requests / 100, requests % 100,
			flushes / 100, flushes % 100);
		if (blocks > kinds[k].blocks || requests > kinds[k].requests ||
			flushes > kinds[k].flushes)
			fail_msg("%s costs more than it did", kinds[k].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(costs, setup, teardown),
	};

	return cmocka_run_group_tests_name("mapfs_costs", tests, NULL, NULL);
}
