// SPDX-License-Identifier: MIT
/*
 * Where files lie, and how they are moved: how many pieces a file has that was written in one way
 * or another, and how long the requests are.  The figures are printed, and may not get worse.
 */
#include "world.h"

#include <mapfs/mapfs.h>

#include <stdio.h>
#include <string.h>

#define PAGE        4096u
#define LARGE_PAGES ((64u << 20) / PAGE) /* more than fits into memory */
#define SMALL_PAGES ((16u << 20) / PAGE)

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_make(&w, 256 << 20, 0);
	world_mount(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_free(&w);
	return 0;
}

static struct file *open_file(const char *path)
{
	struct file *file;

	assert_int_equal(world_open(&w, path, FS_O_CREAT | FS_O_RDWR, &file), 0);
	return file;
}

static void write_page(struct file *file, uint64_t page)
{
	char data[PAGE];

	memset(data, (int)(page % 251 + 1), sizeof(data));
	assert_int_equal(world_write(file, data, sizeof(data), page * PAGE), 0);
}

static void sync_file(struct file *file)
{
	assert_int_equal(file_sync(file, false), 0);
}

/* Pieces that do not lie behind the one before them on the disk. */
static unsigned pieces_of(struct file *file)
{
	struct mapfs_inode *inode = mapfs_inode_of(file->vnode);
	struct mapfs_piece p;
	uint64_t end = 0;
	unsigned n = 0;

	fsh_mutex_lock(&inode->extent_lock);
	for (uint32_t at = 0; at < LARGE_PAGES; at += p.count) {
		assert_int_equal(mapfs_extent_find(inode, at, LARGE_PAGES - at, &p), 0);
		if (!p.start)
			continue;
		n += p.start != end;
		end = p.start + p.count;
	}
	fsh_mutex_unlock(&inode->extent_lock);
	return n;
}

static void expect_pieces(const char *what, struct file *file, unsigned most)
{
	unsigned n = pieces_of(file);

	fprintf(stderr, "# %s: %u pieces\n", what, n);
	assert_in_range(n, 1, most);
}

/* Requests of at least so many KiB, in the mean since `before`. */
static void expect_writes(const char *what, const struct blk_counts *before, unsigned kib)
{
	const struct blk_counts *now = &w.disk->dev.counts;
	uint64_t mean = (now->written_sectors - before->written_sectors) / 2 /
			(now->writes - before->writes);

	fprintf(stderr, "# %s: %d KiB a write\n", what, (int)mean);
	assert_in_range(mean, kib, 128);
}

static void expect_reads(const char *what, const struct blk_counts *before)
{
	const struct blk_counts *now = &w.disk->dev.counts;
	uint64_t mean =
		(now->read_sectors - before->read_sectors) / 2 / (now->reads - before->reads);

	fprintf(stderr, "# %s: %d KiB a read\n", what, (int)mean);
	assert_in_range(mean, 112, 128);
}

static void appended(void **state)
{
	struct file *file = open_file("/f");
	struct blk_counts before = w.disk->dev.counts;

	(void)state;
	for (uint64_t i = 0; i < LARGE_PAGES; i++)
		write_page(file, i);
	sync_file(file);
	expect_pieces("appended", file, 2);
	expect_writes("appended", &before, 120);
	file_unref(file);
}

/* Who writes must also write back, of the one file or of the other. */
static void appended_in_turns(void **state)
{
	struct file *file[2] = {open_file("/f"), open_file("/g")};
	struct blk_counts before = w.disk->dev.counts;

	(void)state;
	for (uint64_t i = 0; i < LARGE_PAGES / 2; i++)
		for (unsigned k = 0; k < 2; k++)
			write_page(file[k], i);
	for (unsigned k = 0; k < 2; k++)
		sync_file(file[k]);
	for (unsigned k = 0; k < 2; k++)
		expect_pieces("appended in turns", file[k], 8);
	expect_writes("appended in turns", &before, 112);
	for (unsigned k = 0; k < 2; k++)
		file_unref(file[k]);
}

/* What is appended goes behind what there is, not into a hole further in front. */
static void appended_behind_its_end(void **state)
{
	struct file *file;

	(void)state;
	assert_int_equal(world_put(&w, "/hole", 64 * PAGE, 1), 0);
	assert_int_equal(mount_sync_all(), 0);
	file = open_file("/f");
	for (uint64_t i = 0; i < 40; i++) {
		write_page(file, i);
		if (i % 10 == 9)
			sync_file(file);
		if (i == 9)
			assert_int_equal(vfs_unlink(&w.ctx, NULL, "/hole"), 0);
	}
	expect_pieces("appended behind its end", file, 1);
	file_unref(file);
}

/* Blocks are given when pages are written, in the file's order. */
static void written_in_any_order(void **state)
{
	static uint32_t order[SMALL_PAGES / 4];
	struct file *file = open_file("/f");
	struct blk_counts before = w.disk->dev.counts;
	uint64_t seed = world_seed();

	(void)state;
	for (uint32_t i = 0; i < SMALL_PAGES / 4; i++) {
		uint32_t k = (uint32_t)(world_random(&seed) % (i + 1));
		order[i] = order[k];
		order[k] = i;
	}
	for (uint32_t i = 0; i < SMALL_PAGES / 4; i++)
		write_page(file, order[i]);
	sync_file(file);
	expect_pieces("in any order", file, 2);
	expect_writes("in any order", &before, 112);
	for (uint32_t i = 0; i < SMALL_PAGES / 4; i++)
		write_page(file, SMALL_PAGES + order[i] * 2);
	sync_file(file);
	expect_pieces("every second page, in any order", file, 16);
	file_unref(file);
}

static struct file *a_cold_file(void)
{
	struct file *file = open_file("/f");

	for (uint64_t i = 0; i < SMALL_PAGES; i++)
		write_page(file, i);
	file_unref(file);
	world_remount(&w);
	return open_file("/f");
}

static void read_through(void **state)
{
	struct file *file = a_cold_file();
	struct blk_counts before = w.disk->dev.counts;
	char data[PAGE];
	size_t done;

	(void)state;
	for (uint64_t i = 0; i < SMALL_PAGES; i++)
		assert_int_equal(world_read(file, data, PAGE, i * PAGE, &done), 0);
	expect_reads("read", &before);
	file_unref(file);
}

static void read_by_faults(void **state)
{
	struct file *file = a_cold_file();
	struct blk_counts before = w.disk->dev.counts;
	uint8_t byte;

	(void)state;
	for (uint64_t i = 0; i < SMALL_PAGES; i++)
		assert_int_equal(mvm_pc_touch_read(file->object, i * PAGE, &byte), 0);
	expect_reads("faults", &before);
	file_unref(file);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(appended),
		TEST(appended_in_turns),
		TEST(appended_behind_its_end),
		TEST(written_in_any_order),
		TEST(read_through),
		TEST(read_by_faults),
	};

	return cmocka_run_group_tests_name("mapfs_runs", tests, NULL, NULL);
}
