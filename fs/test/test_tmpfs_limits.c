// SPDX-License-Identifier: MIT
/* What a tmpfs may take: the options, pages and nodes up to the limit, and all of it back. */
#include "harness.h"
#include <mm/vm.h>

#define PAGE MVM_PAGE_BYTES

static int mount_with(const char *path, const char *options)
{
	must_mkdir(path);
	return vfs_mount(&ctx, path, "tmpfs", "none", 0, options);
}

static struct fs_stat stat_of(const char *path)
{
	struct fs_stat stat;

	assert_int_equal(vfs_statfs(&ctx, NULL, path, &stat), 0);
	return stat;
}

static uint64_t memory_pages(void)
{
	struct mvm_stats stats;

	mvm_stats(&stats);
	return stats.total_frames;
}

static void options(void **state)
{
	static const char *const wrong[] = {
		"size",
		"size=",
		"size=k",
		"size=x",
		"size=4q",
		"size=4k4",
		"size=-1",
		"size=50%%",
		"size=99999999999999999999",
		"size=18446744073709551615g",
		"nr_inodes=",
		"nr_inodes=5%",

		"nr_inodes=1 ",
		"mode=",
		"mode=8",
		"mode=17777",
		"uid=0",
		"sizes=1",
	};
	static const struct {
		const char *options;
		uint64_t pages, nodes;
		uint32_t mode;
	} right[] = {
		{"size=4096", 1, 0, 01777},
		{"size=4097,mode=700", 2, 0, 0700},
		{",mode=755,,size=64k,", 16, 0, 0755},
		{"size=1g,size=3M,nr_inodes=5", 768, 5, 01777},
		{"nr_inodes=2k,mode=700,mode=1777", 0, 2048, 01777},
	};
	uint64_t half = memory_pages() / 2;
	struct fs_attr attr;
	struct fs_stat stat;

	(void)state;
	assert_int_equal(mount_with("/m", ""), 0);
	stat = stat_of("/m");
	assert_int_equal(stat.blocks, half);
	assert_int_equal(stat.free_blocks, half);
	assert_int_equal(stat.inodes, half);
	assert_int_equal(stat.free_inodes, half - 1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (vfs_mount(&ctx, "/m", "tmpfs", "none", 0, wrong[i]) != -EINVAL)
			fail_msg("\"%s\" is no error", wrong[i]);
	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
		assert_int_equal(vfs_mount(&ctx, "/m", "tmpfs", "none", 0, right[i].options), 0);
		stat = stat_of("/m");
		assert_int_equal(stat.blocks, right[i].pages ? right[i].pages : half);
		assert_int_equal(stat.inodes, right[i].nodes ? right[i].nodes : half);
		assert_int_equal(lstat_of("/m", &attr), 0);
		assert_int_equal(attr.mode, FS_IFDIR | right[i].mode);
	}
	assert_int_equal(vfs_mount(&ctx, "/m", "tmpfs", "none", 0, "size=25%"), 0);
	assert_int_equal(stat_of("/m").blocks, memory_pages() / 4);
	assert_int_equal(vfs_mount(&ctx, "/m", "tmpfs", "none", 0, "size=0,nr_inodes=0"), 0);
	stat = stat_of("/m");
	assert_int_equal(stat.blocks + stat.free_blocks + stat.inodes + stat.free_inodes, 0);
	must_write("/m/f", "no limit");
}

static void pages(void **state)
{
	static char bytes[20 * PAGE];
	struct file *f, *g;
	uint8_t byte = 1;

	(void)state;
	assert_int_equal(mount_with("/m", "size=64k"), 0);
	f = must_open("/m/f", FS_O_RDWR | FS_O_CREAT);
	g = must_open("/m/g", FS_O_RDWR | FS_O_CREAT);

	/* Holes, and reading them, take nothing. */
	assert_int_equal(file_truncate(f, 1000 * PAGE), 0);
	assert_int_equal(read_at(f, 0, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(stat_of("/m").free_blocks, 16);

	assert_int_equal(write_at(f, 0, bytes, sizeof(bytes)), 16 * PAGE);
	assert_int_equal(stat_of("/m").free_blocks, 0);
	assert_int_equal(write_at(f, 16 * PAGE, bytes, 1), -ENOSPC);
	assert_int_equal(write_at(g, 0, bytes, 1), -ENOSPC);
	assert_int_equal(mvm_pc_touch_write(f->object, 17 * PAGE, byte), -ENOSPC);

	/* What is there can be changed. */
	assert_int_equal(write_at(f, 3, bytes, 5 * PAGE), 5 * PAGE);
	assert_int_equal(mvm_pc_touch_write(f->object, 0, byte), 0);

	/* And given back: the end, a hole, all. */
	assert_int_equal(file_truncate(f, 15 * PAGE + 1), 0);
	assert_int_equal(stat_of("/m").free_blocks, 0);
	assert_int_equal(file_truncate(f, 15 * PAGE), 0);
	assert_int_equal(stat_of("/m").free_blocks, 1);
	assert_int_equal(file_punch(f, PAGE, 3 * PAGE), 0);
	assert_int_equal(stat_of("/m").free_blocks, 1 + 2);
	assert_int_equal(write_at(g, 0, bytes, sizeof(bytes)), 3 * PAGE);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/m/f"), 0);
	assert_int_equal(stat_of("/m").free_blocks, 0);
	file_unref(f);
	assert_int_equal(stat_of("/m").free_blocks, 13);
	file_unref(g);
	assert_int_equal(stat_of("/m").free_blocks, 13);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/m/g"), 0);
	assert_int_equal(stat_of("/m").free_blocks, 16);
}

static int create(const char *path)
{
	return open_err(path, FS_O_RDWR | FS_O_CREAT | FS_O_EXCL);
}

static void nodes(void **state)
{
	(void)state;
	assert_int_equal(mount_with("/m", "nr_inodes=5"), 0);
	must_mkdir("/m/d");
	must_write("/m/f", "");
	assert_int_equal(vfs_symlink(&ctx, "f", NULL, "/m/s"), 0);
	assert_int_equal(stat_of("/m").free_inodes, 1);
	assert_int_equal(vfs_link(&ctx, NULL, "/m/f", 0, NULL, "/m/d/f2"), 0);
	assert_int_equal(stat_of("/m").free_inodes, 0);
	assert_int_equal(vfs_link(&ctx, NULL, "/m/f", 0, NULL, "/m/f3"), -ENOSPC);
	assert_int_equal(create("/m/g"), -ENOSPC);
	assert_int_equal(vfs_mkdir(&ctx, NULL, "/m/g", 0777), -ENOSPC);
	assert_string_equal(names_in("/m"), "d f s");

	/* One of two names is gone, whichever way. */
	assert_int_equal(vfs_unlink(&ctx, NULL, "/m/f"), 0);
	assert_int_equal(stat_of("/m").free_inodes, 1);
	assert_int_equal(vfs_link(&ctx, NULL, "/m/d/f2", 0, NULL, "/m/f"), 0);
	assert_int_equal(vfs_rename(&ctx, NULL, "/m/s", NULL, "/m/f", 0), 0);
	assert_int_equal(stat_of("/m").free_inodes, 1);
	assert_int_equal(create("/m/g"), 0);
	assert_int_equal(create("/m/h"), -ENOSPC);

	/* The last name, but somebody has the file. */
	struct file *f = must_open("/m/g", FS_O_RDONLY);

	assert_int_equal(vfs_unlink(&ctx, NULL, "/m/g"), 0);
	assert_int_equal(create("/m/h"), -ENOSPC);
	file_unref(f);
	assert_int_equal(create("/m/h"), 0);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/m/h"), 0);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/m/d/f2"), 0);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/m/d"), 0);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/m/f"), 0);
	assert_int_equal(stat_of("/m").free_inodes, 4);
}

/* Write until there is no room; how many pages that were. */
static uint64_t fill(struct file *f)
{
	static char bytes[64 * PAGE];
	uint64_t at = 0;
	int n;

	while ((n = write_at(f, at, bytes, sizeof(bytes))) > 0)
		at += (uint64_t)n;
	assert_int_equal(n, -ENOSPC);
	return at / PAGE;
}

/* Each may have half; together they leave a quarter of memory alone. */
static void all_together(void **state)
{
	uint64_t memory = memory_pages(), most = memory / 4 * 3;
	struct file *f, *g;

	(void)state;
	assert_int_equal(mount_with("/m", "size=0"), 0);
	assert_int_equal(mount_with("/n", ""), 0);
	f = must_open("/m/f", FS_O_RDWR | FS_O_CREAT);
	g = must_open("/n/g", FS_O_RDWR | FS_O_CREAT);
	assert_int_equal(fill(g), memory / 2);
	assert_int_equal(stat_of("/n").free_blocks, 0);
	assert_int_equal(fill(f), most - memory / 2);
	assert_int_equal(file_truncate(g, PAGE), 0);
	assert_int_equal(stat_of("/n").free_blocks, memory / 2 - 1);
	assert_int_equal(write_at(f, memory * PAGE, "x", 1), 1);
	assert_int_equal(fill(f), most - 2);
	assert_int_equal(write_at(g, PAGE, "x", 1), -ENOSPC);
	assert_int_equal(stat_of("/n").free_blocks, 0);
	file_unref(g);
	file_unref(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(options),
		TEST(pages),
		TEST(nodes),
		TEST(all_together),
	};

	return cmocka_run_group_tests_name("fs_tmpfs_limits", tests, group_setup, NULL);
}
