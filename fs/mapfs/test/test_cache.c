// SPDX-License-Identifier: MIT
/*
 * How much metadata a mount keeps in memory: what is used, up to a share of the memory that there
 * is, and what is beyond that goes when memory becomes short.
 */
#include "world.h"

#include <mapfs/mapfs.h>

#include <stdio.h>

#define LIMIT 64   /* blocks, for these tests */
#define FILES 3000 /* so many have some 250 blocks of names and inodes */
#define BIG   (28u << 20)

static struct world w;

static struct mapfs *the_fs(void)
{
	return w.ctx.root->mount->fs;
}

static size_t kept(void)
{
	return the_fs()->cache.n_bufs;
}

static const char *name_of(unsigned i)
{
	static char name[32];

	snprintf(name, sizeof(name), "/d/file-%u", i);
	return name;
}

static void forget_names(void)
{
	assert_int_equal(mount_sync_all(), 0);
	dentry_shrink(0);
	vnode_shrink(0);
}

static void stat_all(void)
{
	struct fs_attr attr;

	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(vfs_stat(&w.ctx, NULL, name_of(i), 0, &attr), 0);
}

static int setup(void **state)
{
	(void)state;
	world_make(&w, 64 << 20, FILES + 100);
	world_mount(&w);
	the_fs()->cache.limit = the_fs()->cache.bound = LIMIT;
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d", 0755), 0);
	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(world_put(&w, name_of(i), 0, 0), 0);
	assert_int_equal(mapfs_checkpoint(the_fs()), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_free(&w);
	return 0;
}

/* With memory enough a large folder is read once. */
static void what_is_used_stays(void **state)
{
	(void)state;
	mapfs_cache_shrink(the_fs(), 0);
	forget_names();
	stat_all();
	assert_true(kept() > 2 * LIMIT);
	forget_names();
	w.disk->fault[TESTDISK_READ] = (struct testdisk_fault){.countdown = 1, .forever = true};
	stat_all();
	w.disk->fault[TESTDISK_READ] = (struct testdisk_fault){0};
}

/* Where others have taken the memory, the share is less than the limit, which then holds. */
static void what_grew_is_given_back(void **state)
{
	struct file *big;

	(void)state;
	stat_all();
	assert_int_equal(world_put(&w, "/big", BIG, 1), 0);
	assert_int_equal(world_open(&w, "/big", FS_O_RDONLY, &big), 0); /* keeps its pages */
	forget_names();
	assert_int_equal(mapfs_checkpoint(the_fs()), 0);
	assert_true(kept() > 2 * LIMIT);
	mount_trim_all();
	assert_in_range(kept(), 1, LIMIT);
	stat_all();
	assert_in_range(kept(), 1, LIMIT + MAPFS_TXN_PINS);
	file_unref(big);
	assert_int_equal(vfs_unlink(&w.ctx, NULL, "/big"), 0);
	forget_names();
	stat_all();
	assert_true(kept() > 2 * LIMIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_used_stays),
		TEST(what_grew_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
