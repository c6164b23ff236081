// SPDX-License-Identifier: MIT
/*
 * What the name cache keeps, and what it costs to keep it: names that are in use cost nobody
 * anything, and unmounting looks at each name once.
 */
#include "harness.h"

#define LEVELS 3000 /* thrice what the cache keeps unused (group_setup) */

static struct vfs_counts counts_now(void)
{
	struct vfs_counts counts;

	vfs_counts(&counts);
	return counts;
}

static uint64_t looks_since(const struct vfs_counts *before)
{
	return counts_now().name_looks - before->name_looks;
}

static void go_to(const char *path)
{
	struct dentry *d;

	assert_int_equal(vfs_chdir(&ctx, NULL, path, &d), 0);
	if (ctx.cwd != ctx.root)
		dentry_unref(ctx.cwd);
	ctx.cwd = d;
}

static void go_home(void)
{
	if (ctx.cwd != ctx.root)
		dentry_unref(ctx.cwd);
	ctx.cwd = ctx.root;
}

/* Down into new directories; the last is the working directory, so all of them are in use. */
static void go_deep(unsigned levels)
{
	while (levels--) {
		must_mkdir("d");
		go_to("d");
	}
}

static void stat_often(const char *path, unsigned times)
{
	while (times--)
		assert_int_equal(lstat_of(path, NULL), 0);
}

static void make_files(unsigned first, unsigned n)
{
	char path[32];

	for (unsigned i = first; i < first + n; i++) {
		snprintf(path, sizeof(path), "/f%u", i);
		must_write(path, "");
	}
}

/* One who makes a deep tree, and stays in it, does not slow the walks of the others. */
static void names_in_use_cost_walks_nothing(void **state)
{
	struct vfs_counts before;

	(void)state;
	must_write("/file", "x");
	before = counts_now();
	go_deep(LEVELS);
	assert_true(counts_now().names > LEVELS);
	assert_true(looks_since(&before) < 4 * LEVELS);
	before = counts_now();
	stat_often("/file", 100);
	assert_true(looks_since(&before) < 100);
	go_home();
	before = counts_now();
	stat_often("/file", 100);
	assert_true(looks_since(&before) < 100);
}

/* Nor does it leave them less room. */
static void names_in_use_take_no_room(void **state)
{
	struct vfs_counts before;

	(void)state;
	go_deep(LEVELS);
	make_files(0, 500);
	before = counts_now();
	for (unsigned i = 0; i < 500; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/f%u", i);
		assert_int_equal(lstat_of(path, NULL), 0);
	}
	assert_int_equal(counts_now().names, before.names);
	go_home();
}

static void unused_names_keep_to_the_limit(void **state)
{
	struct vfs_counts before = counts_now();

	(void)state;
	make_files(0, 5000);
	assert_true(counts_now().names <= 1000 + 32);
	assert_true(looks_since(&before) < 5 * 5000);
	/* What is walked over stays: no walk has to ask for it again. */
	make_files(5000, 1);
	for (unsigned i = 0; i < 3000; i += 100) {
		before = counts_now();
		stat_often("/f5000", 1);
		assert_int_equal(counts_now().names, before.names);
		make_files(6000 + i, 100);
	}
}

/* The names of one file do not keep each other. */
static void links_keep_to_the_limit(void **state)
{
	(void)state;
	must_write("/file", "x");
	for (unsigned i = 0; i < 5000; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/link%u", i);
		assert_int_equal(vfs_link(&ctx, NULL, "/file", 0, NULL, path), 0);
	}
	assert_true(counts_now().names <= 1000 + 32);
	dentry_shrink(0);
	assert_true(counts_now().names < 10);
}

/* Names whose files are in use elsewhere are kept, however many; a walk looks at a few of them. */
static void kept_names_cost_walks_little(void **state)
{
	enum { N = 2000 };
	struct mvm_object *objects[N];
	struct vfs_counts before;
	char path[32];

	(void)state;
	must_write("/file", "x");
	for (unsigned i = 0; i < N; i++) {
		struct file *f;

		snprintf(path, sizeof(path), "/kept%u", i);
		f = must_open(path, FS_O_RDWR | FS_O_CREAT);
		objects[i] = vnode_object(f->vnode);
		file_unref(f);
	}
	before = counts_now();
	stat_often("/file", 100);
	assert_true(looks_since(&before) < 100 * 64);
	assert_true(counts_now().names > N);
	for (unsigned i = 0; i < N; i++)
		mvm_object_unref(objects[i]);
}

static void nothing(struct mount *mount, void *arg)
{
	(void)mount;
	(void)arg;
}

static void unmounting_looks_at_each_name_once(void **state)
{
	struct vfs_counts before, mounted;

	(void)state;
	make_files(0, 300);
	must_mkdir("/m");
	before = counts_now();
	assert_int_equal(vfs_mount(&ctx, "/m", "tmpfs", "none", 0, ""), 0);
	go_to("/m");
	go_deep(LEVELS);
	mounted = counts_now();
	/* In use, and nothing is to be gained. */
	assert_int_equal(vfs_umount(&ctx, "/m", PATH_FOLLOW, false), -EBUSY);
	assert_true(looks_since(&mounted) < mounted.names);
	assert_int_equal(vfs_umount(&ctx, "/m", PATH_FOLLOW, true), 0);
	go_home();
	mounted = counts_now();
	mount_for_each(nothing, NULL); /* ends what nobody uses any more */
	assert_true(looks_since(&mounted) <= mounted.names + 1);
	assert_true(counts_now().names <= before.names);
}

/* Memory is short: all goes that nobody uses, whatever it is in. */
static void shrinking_takes_whole_trees(void **state)
{
	struct vfs_counts before, deep;

	(void)state;
	dentry_shrink(0);
	before = counts_now();
	go_deep(LEVELS);
	go_home();
	deep = counts_now();
	dentry_shrink(0);
	assert_int_equal(counts_now().names, before.names);
	assert_true(looks_since(&deep) <= deep.names);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_in_use_cost_walks_nothing),
		TEST(names_in_use_take_no_room),
		TEST(unused_names_keep_to_the_limit),
		TEST(links_keep_to_the_limit),
		TEST(kept_names_cost_walks_little),
		TEST(unmounting_looks_at_each_name_once),
		TEST(shrinking_takes_whole_trees),
	};

	return cmocka_run_group_tests_name("fs_names", tests, group_setup, NULL);
}
