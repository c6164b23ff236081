// SPDX-License-Identifier: MIT
/*
 * fallocate(): room that is promised is there, on a full disk too and after a remount; it reads as
 * zeros; what is stored to it, in whatever order, is found again, and fsck finds the map in order.
 */
#include "world.h"

#include <mapfs/mapfs.h>

#include <stdlib.h>
#include <string.h>

#define PAGE  4096u
#define PAGES 1500u

static struct world w;
static uint8_t *want;
static uint64_t want_size;

static int setup(void **state)
{
	(void)state;
	world_make(&w, 24 << 20, 0);
	world_mount(&w);
	want = calloc(PAGES, PAGE);
	want_size = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(want);
	world_free(&w);
	return 0;
}

static struct mapfs *fs_of(void)
{
	return w.ctx.root->mount->fs;
}

static struct file *open_file(const char *path)
{
	struct file *file;

	assert_int_equal(world_open(&w, path, FS_O_CREAT | FS_O_RDWR, &file), 0);
	return file;
}

static struct file *remounted(struct file *file)
{
	file_unref(file);
	world_remount(&w);
	return open_file("/f");
}

static void fill(struct file *file, uint64_t from, uint64_t n, uint8_t tag)
{
	memset(want + from, tag, n);
	if (want_size < from + n)
		want_size = from + n;
	assert_int_equal(world_write(file, want + from, n, from), 0);
}

static void punch(struct file *file, uint64_t from, uint64_t to)
{
	uint64_t end = to < want_size ? to : want_size;

	if (from < end)
		memset(want + from, 0, end - from);
	assert_int_equal(file_punch(file, from, to), 0);
}

static void cut(struct file *file, uint64_t size)
{
	if (size < want_size)
		memset(want + size, 0, want_size - size);
	want_size = size;
	assert_int_equal(file_truncate(file, size), 0);
}

static void allocate(struct file *file, uint64_t from, uint64_t to, unsigned how)
{
	assert_int_equal(file_allocate(file, from, to, how), 0);
	if (how & FS_ALLOCATE_ZERO && from < want_size)
		memset(want + from, 0, (to < want_size ? to : want_size) - from);
	if (!(how & FS_ALLOCATE_KEEP_SIZE) && want_size < to)
		want_size = to;
}

static void check(struct file *file)
{
	uint8_t *data = malloc(PAGES * PAGE);
	size_t done;

	assert_int_equal(world_read(file, data, PAGES * PAGE, 0, &done), 0);
	assert_int_equal(done, want_size);
	assert_memory_equal(data, want, done);
	free(data);
}

static struct mapfs_inode *inode_of(struct file *file)
{
	return mapfs_inode_of(file->vnode);
}

/* Nothing is written for it but metadata, it takes blocks, and behind the end it stays. */
static void room_reads_as_zeros(void **state)
{
	struct file *file = open_file("/f");
	uint64_t written = w.disk->dev.counts.writes;

	(void)state;
	allocate(file, 0, 100 * PAGE, 0);
	assert_int_equal(w.disk->dev.counts.writes, written);
	assert_int_equal(inode_of(file)->n_blocks, 101); /* and a node */
	allocate(file, 50 * PAGE + 1, 200 * PAGE - 1, FS_ALLOCATE_KEEP_SIZE);
	assert_int_equal(inode_of(file)->n_blocks, 201);
	check(file);
	file = remounted(file);
	assert_int_equal(inode_of(file)->n_blocks, 201);
	check(file);
	/* Growing and appending use it, ... */
	cut(file, 120 * PAGE + 5);
	fill(file, 120 * PAGE + 5, 20 * PAGE, 3);
	assert_int_equal(file_sync(file, false), 0);
	assert_int_equal(inode_of(file)->n_blocks, 201);
	file = remounted(file);
	check(file);
	/* ... a cut, be it to the same size, and a hole behind the end, give it back. */
	punch(file, 190 * PAGE, 1000 * PAGE);
	assert_int_equal(inode_of(file)->n_blocks, 191);
	cut(file, want_size);
	assert_int_equal(inode_of(file)->n_blocks, 142);
	check(file);
	file = remounted(file);
	check(file);
	file_unref(file);
}

/* Room is one run of the disk, but for the tree's node, and its pieces become one when written. */
static void room_is_contiguous(void **state)
{
	struct file *file = open_file("/f");
	struct mapfs_piece p;
	unsigned n = 0;

	(void)state;
	allocate(file, 0, 200 * PAGE, 0);
	assert_int_equal(inode_of(file)->depth, 1);
	assert_int_equal(inode_of(file)->n_root, 1);
	fill(file, 0, 200 * PAGE, 4);
	assert_int_equal(file_sync(file, false), 0);
	for (uint32_t at = 0; at < 200; at += p.count, n++) {
		fsh_mutex_lock(&inode_of(file)->extent_lock);
		assert_int_equal(mapfs_extent_find(inode_of(file), at, 200, &p), 0);
		fsh_mutex_unlock(&inode_of(file)->extent_lock);
		assert_false(p.unwritten);
	}
	assert_in_range(n, 1, 2);
	check(file);
	file_unref(file);
}

static void kinds_of_zero_range(void **state)
{
	struct file *file = open_file("/f");

	(void)state;
	fill(file, 0, 20 * PAGE, 9);
	assert_int_equal(file_sync(file, false), 0);
	allocate(file, 3 * PAGE + 10, 5 * PAGE + 20, FS_ALLOCATE_ZERO | FS_ALLOCATE_KEEP_SIZE);
	check(file);
	assert_int_equal(inode_of(file)->n_blocks, 20);
	allocate(file, 19 * PAGE + 10, 25 * PAGE + 20, FS_ALLOCATE_ZERO | FS_ALLOCATE_KEEP_SIZE);
	check(file);
	assert_int_equal(inode_of(file)->n_blocks, 26);
	allocate(file, 18 * PAGE + 10, 30 * PAGE + 20, FS_ALLOCATE_ZERO);
	file = remounted(file);
	check(file);
	assert_in_range(inode_of(file)->n_blocks, 31, 32);
	file_unref(file);
}

static void what_is_refused(void **state)
{
	struct file *file = open_file("/f"), *reader;
	struct fs_stat before = world_statfs(&w), after;

	(void)state;
	assert_int_equal(file_allocate(file, 0, MAPFS_MAX_FILE + 1, 0), -EFBIG);
	assert_int_equal(file_allocate(file, 0, MAPFS_MAX_FILE, 0), -ENOSPC);
	assert_int_equal(file_allocate(file, 0, (before.free_blocks + 1) * PAGE, 0), -ENOSPC);
	assert_int_equal(vnode_size(file->vnode), 0);
	after = world_statfs(&w);
	assert_int_equal(before.free_blocks, after.free_blocks);
	assert_int_equal(world_open(&w, "/f", FS_O_RDONLY, &reader), 0);
	assert_int_equal(file_allocate(reader, 0, PAGE, 0), -EBADF);
	file_unref(reader);
	file_unref(file);
}

/* Pages that are dirty and have no block yet keep their promise; they do not get two. */
static void dirty_pages_are_left_out(void **state)
{
	struct file *file = open_file("/f");

	(void)state;
	for (unsigned i = 1; i < 100; i += 3)
		fill(file, (uint64_t)i * PAGE, PAGE, (uint8_t)i);
	allocate(file, 0, 100 * PAGE, 0);
	assert_int_equal(file_sync(file, false), 0);
	assert_int_equal(inode_of(file)->n_blocks, 101);
	assert_int_equal(fs_of()->space[MAPFS_BLOCKS].reserved, 0);
	check(file);
	file = remounted(file);
	check(file);
	file_unref(file);
}

/* Take the whole disk, but for what allocating needs for its tree. */
static uint64_t allocate_all(struct file *file)
{
	struct fs_stat st = world_statfs(&w);
	uint64_t pages = 0, step = 64;

	for (; step; step /= 2)
		while (pages + step <= PAGES && pages + step <= st.free_blocks &&
			file_allocate(file, 0, (pages + step) * PAGE, FS_ALLOCATE_KEEP_SIZE) == 0)
			pages += step;
	return pages;
}

/* The disk is full to the last block; all of the room can be stored to, in the worst order. */
static void stores_find_their_room(uint64_t stride, bool behind_end)
{
	struct mapfs_space *space = &fs_of()->space[MAPFS_BLOCKS];
	struct file *file = open_file("/f");
	uint64_t pages, taken;

	pages = allocate_all(file);
	assert_in_range(pages, 1000, PAGES);
	if (!behind_end)
		cut(file, pages * PAGE);
	allocate(file, 0, pages * PAGE, FS_ALLOCATE_KEEP_SIZE);
	file = remounted(file);
	space = &fs_of()->space[MAPFS_BLOCKS];
	taken = space->free;
	assert_int_equal(mapfs_reserve(fs_of(), taken), 0);
	for (uint64_t from = 0; from < stride; from++) {
		for (uint64_t i = from; i < pages; i += stride)
			fill(file, i * PAGE, PAGE - 7, (uint8_t)(1 + i % 250));
		assert_int_equal(file_sync(file, from % 2), 0);
		assert_int_equal(space->free, taken);
	}
	mapfs_unreserve(fs_of(), taken);
	check(file);
	file = remounted(file);
	check(file);
	file_unref(file);
}

static void stores_on_a_full_disk(void **state)
{
	(void)state;
	stores_find_their_room(2, false);
}

static void stores_far_apart_on_a_full_disk(void **state)
{
	(void)state;
	stores_find_their_room(7, true);
}

/* A hole in the room needs nothing, on a full disk too. */
static void room_can_be_given_back(void **state)
{
	struct file *file = open_file("/f");
	uint64_t pages = allocate_all(file), taken;

	(void)state;
	taken = fs_of()->space[MAPFS_BLOCKS].free;
	assert_int_equal(mapfs_reserve(fs_of(), taken), 0);
	for (uint64_t i = 1; i < pages; i += 3)
		punch(file, i * PAGE, (i + 1) * PAGE);
	mapfs_unreserve(fs_of(), taken);
	file = remounted(file);
	assert_in_range(inode_of(file)->n_blocks, pages * 2 / 3 - 1, pages * 2 / 3 + 20);
	file_unref(file);
}

static void one_operation(struct file *file, uint64_t *seed, unsigned i)
{
	uint64_t from = world_random(seed) % (PAGES * PAGE);
	uint64_t n = world_random(seed) % (i % 8 ? 3 * PAGE : 200 * PAGE) + 1;

	if (i % 3 == 0)
		from &= ~(uint64_t)(PAGE - 1);
	if (from + n > PAGES * PAGE)
		n = PAGES * PAGE - from;
	switch (world_random(seed) % 8) {
	case 0:
	case 1:
	case 2:
		fill(file, from, n, (uint8_t)(1 + i % 255));
		break;
	case 3:
		punch(file, from, from + n);
		break;
	case 4:
		allocate(file, from, from + n, FS_ALLOCATE_ZERO | (i & FS_ALLOCATE_KEEP_SIZE));
		break;
	case 5:
		if (i % 10 == 0)
			cut(file, from);
		break;
	default:
		allocate(file, from, from + n, i & FS_ALLOCATE_KEEP_SIZE);
	}
}

static void random_operations(void **state)
{
	struct fs_stat before = world_statfs(&w), after;
	uint64_t seed = world_seed();
	struct file *file = open_file("/f");

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		one_operation(file, &seed, i);
		if (i % 50 == 0)
			assert_int_equal(file_sync(file, i % 100), 0);
		if (i % 500 == 499) {
			file = remounted(file);
			check(file);
		}
	}
	check(file);
	cut(file, 0);
	assert_int_equal(inode_of(file)->n_blocks, 0);
	file = remounted(file);
	check(file);
	file_unref(file);
	after = world_statfs(&w);
	/* The root may have a block for its names now. */
	assert_in_range(before.free_blocks - after.free_blocks, 0, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(room_reads_as_zeros),
		TEST(room_is_contiguous),
		TEST(kinds_of_zero_range),
		TEST(what_is_refused),
		TEST(dirty_pages_are_left_out),
		TEST(stores_on_a_full_disk),
		TEST(stores_far_apart_on_a_full_disk),
		TEST(room_can_be_given_back),
		TEST(random_operations),
	};

	return cmocka_run_group_tests_name("mapfs_allocate", tests, NULL, NULL);
}
