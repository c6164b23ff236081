// SPDX-License-Identifier: MIT
/*
 * Holes: random ones in a file of many pieces, against an array of bytes; what is free comes back,
 * and fsck finds the map in order.
 */
#include "world.h"

#include <mapfs/mapfs.h>

#include <stdlib.h>
#include <string.h>

#define PAGE  4096u
#define PAGES 1500u

static struct world w;
static uint8_t *want;

static int setup(void **state)
{
	(void)state;
	world_make(&w, 24 << 20, 0);
	world_mount(&w);
	want = calloc(PAGES, PAGE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(want);
	world_free(&w);
	return 0;
}

static struct file *open_file(void)
{
	struct file *file;

	assert_int_equal(world_open(&w, "/f", FS_O_CREAT | FS_O_RDWR, &file), 0);
	return file;
}

static void fill(struct file *file, uint64_t from, uint64_t n, uint8_t tag)
{
	memset(want + from, tag, n);
	assert_int_equal(world_write(file, want + from, n, from), 0);
}

static void punch(struct file *file, uint64_t from, uint64_t to)
{
	memset(want + from, 0, to - from);
	assert_int_equal(file_punch(file, from, to), 0);
}

static void check(struct file *file)
{
	uint8_t *data = malloc(PAGES * PAGE);
	size_t done;

	assert_int_equal(world_read(file, data, PAGES * PAGE, 0, &done), 0);
	assert_memory_equal(data, want, done);
	free(data);
}

static struct file *remounted(struct file *file)
{
	file_unref(file);
	world_remount(&w);
	return open_file();
}

/* The front, the middle and the end of one piece; then what is left, across two. */
static void pieces_become_more(void **state)
{
	struct file *file = open_file();
	struct mapfs_inode *inode = mapfs_inode_of(file->vnode);

	(void)state;
	fill(file, 0, 30 * PAGE, 7);
	assert_int_equal(file_sync(file, false), 0);
	assert_int_equal(inode->n_root, 1);
	punch(file, 10 * PAGE, 12 * PAGE);
	assert_int_equal(inode->n_root, 2);
	assert_int_equal(inode->n_blocks, 28);
	punch(file, 0, 3 * PAGE);
	assert_int_equal(inode->n_root, 2);
	punch(file, 29 * PAGE + 5, 30 * PAGE);
	assert_int_equal(inode->n_blocks, 25);
	punch(file, 28 * PAGE, 30 * PAGE);
	assert_int_equal(inode->n_blocks, 23);
	punch(file, 5 * PAGE + 100, 15 * PAGE + 100);
	assert_int_equal(inode->n_blocks, 16);
	check(file);
	file = remounted(file);
	check(file);
	punch(file, 0, PAGES * PAGE);
	inode = mapfs_inode_of(file->vnode);
	assert_int_equal(inode->n_blocks, 0);
	assert_int_equal(inode->n_root, 0);
	file_unref(file);
}

/* Every second page, so that the tree has nodes; then holes over many of them. */
static void nodes_come_and_go(void **state)
{
	struct file *file = open_file();
	struct mapfs_inode *inode = mapfs_inode_of(file->vnode);

	(void)state;
	for (unsigned i = 0; i < PAGES; i += 2)
		fill(file, (uint64_t)i * PAGE, PAGE, (uint8_t)(1 + i % 200));
	assert_int_equal(file_sync(file, false), 0);
	assert_int_equal(inode->depth, 1);
	punch(file, 300 * PAGE, 1200 * PAGE);
	check(file);
	file = remounted(file);
	check(file);
	/* Into the hole again, in one piece that may not lie across two nodes' keys. */
	fill(file, 250 * PAGE, 1000 * PAGE, 9);
	assert_int_equal(file_sync(file, false), 0);
	punch(file, 400 * PAGE, 401 * PAGE);
	punch(file, 0, 1499 * PAGE);
	inode = mapfs_inode_of(file->vnode);
	assert_in_range(inode->n_blocks, 0, 1);
	file = remounted(file);
	check(file);
	file_unref(file);
}

static void random_holes(void **state)
{
	struct fs_stat before = world_statfs(&w), after;
	uint64_t seed = world_seed();
	struct file *file = open_file();

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t from = world_random(&seed) % (PAGES * PAGE);
		uint64_t n = world_random(&seed) % (i % 8 ? 3 * PAGE : 200 * PAGE) + 1;

		if (i % 3 == 0)
			from &= ~(uint64_t)(PAGE - 1);
		if (from + n > PAGES * PAGE)
			n = PAGES * PAGE - from;
		if (world_random(&seed) % 2)
			fill(file, from, n, (uint8_t)(1 + i % 255));
		else
			punch(file, from, from + n);
		if (i % 50 == 0)
			assert_int_equal(file_sync(file, i % 100), 0);
		if (i % 500 == 499) {
			file = remounted(file);
			check(file);
		}
	}
	check(file);
	punch(file, 0, PAGES * PAGE);
	assert_int_equal(mapfs_inode_of(file->vnode)->n_blocks, 0);
	check(file);
	file = remounted(file);
	check(file);
	file_unref(file);
	after = world_statfs(&w);
	/* The root has a block for its names now. */
	assert_int_equal(before.free_blocks - after.free_blocks, 1);
}

/* On a full disk a hole gives room, also out of the middle of a piece. */
static void a_full_disk_gets_room(void **state)
{
	struct file *file = open_file();
	struct fs_stat st = world_statfs(&w);
	struct mapfs_space *space = &((struct mapfs *)w.ctx.root->mount->fs)->space[MAPFS_BLOCKS];

	(void)state;
	fill(file, 0, 100 * PAGE, 3);
	assert_int_equal(file_sync(file, false), 0);
	st = world_statfs(&w);
	assert_int_equal(mapfs_reserve(w.ctx.root->mount->fs, st.free_blocks), 0);
	punch(file, 50 * PAGE, 60 * PAGE);
	assert_int_equal(mapfs_commit(w.ctx.root->mount->fs), 0);
	assert_int_equal(space->free - space->reserved, 10);
	mapfs_unreserve(w.ctx.root->mount->fs, st.free_blocks);
	file = remounted(file);
	check(file);
	file_unref(file);
}

/* Only dirty pages knew of the size, and they are gone. */
static void the_size_stays(void **state)
{
	struct file *file = open_file();
	struct fs_attr attr;

	(void)state;
	fill(file, 0, 5 * PAGE - 100, 7);
	punch(file, 2 * PAGE, 5 * PAGE);
	file = remounted(file);
	assert_int_equal(file_getattr(file, &attr), 0);
	assert_int_equal(attr.size_bytes, 5 * PAGE - 100);
	check(file);
	file_unref(file);
}

/* A disk that data has filled has room for the node that a hole may want. */
static void data_leaves_room_for_holes(void **state)
{
	struct file *file = open_file(), *filler;
	struct mapfs_inode *inode = mapfs_inode_of(file->vnode);
	uint64_t blocks, at = 0;

	(void)state;
	fill(file, 0, 200 * PAGE, 3);
	assert_int_equal(file_sync(file, false), 0);
	for (unsigned i = 1; i < 27; i += 2)
		punch(file, i * PAGE, (i + 1) * PAGE);
	assert_int_equal(inode->n_root, MAPFS_ROOT_EXTENTS);
	assert_int_equal(world_open(&w, "/filler", FS_O_CREAT | FS_O_RDWR, &filler), 0);
	while (file_allocate(filler, at, at + PAGE, 0) == 0)
		at += PAGE;
	blocks = inode->n_blocks;
	punch(file, 100 * PAGE, 150 * PAGE);
	assert_int_equal(inode->n_blocks, blocks - 50 + 1);
	file_unref(filler);
	file = remounted(file);
	check(file);
	file_unref(file);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pieces_become_more),
		TEST(nodes_come_and_go),
		TEST(random_holes),
		TEST(a_full_disk_gets_room),
		TEST(data_leaves_room_for_holes),
		TEST(the_size_stays),
	};

	return cmocka_run_group_tests_name("mapfs_punch", tests, NULL, NULL);
}
