// SPDX-License-Identifier: MIT
/*
 * Blocks whose checksums are right and whose contents are not: a mount that believed them would
 * break its own promises.  Each is refused where it is read; fsck finds each, too.
 */
#include "world.h"

#include "mapfs.h"

#include <mm/pagecache.h>

#include <string.h>

struct disk {
	struct mapfs_super sb;
	uint32_t seed;
};

/* Unmounted, to be damaged. */
static struct disk take(struct world *w)
{
	const struct mapfs *fs = w->ctx.root->mount->fs;
	struct disk d = {fs->sb, fs->seed};

	world_unmount(w);
	return d;
}

static uint32_t ino_of(struct world *w, const char *path)
{
	struct fs_attr attr;

	assert_int_equal(vfs_stat(&w->ctx, NULL, path, 0, &attr), 0);
	return (uint32_t)attr.ino;
}

static struct mapfs_inode_disk *inode_at(struct world *w, const struct disk *d, uint32_t ino)
{
	unsigned offset;
	uint64_t block = mapfs_inode_at(&d->sb, ino, &offset);

	return (struct mapfs_inode_disk *)((char *)testdisk_block(w->disk, block) + offset);
}

static void assert_said(const char *what)
{
	if (!strstr(world_said(), what))
		fail_msg("not said: %s\n%s", what, world_said());
}

/* --- Extents ----------------------------------------------------------------------------- */

#define N_LEAVES 8

/* A full leaf of extents behind block 10^6, all of them of one block of the disk. */
static void make_far_leaf(
	struct world *w, const struct disk *d, uint32_t ino, uint64_t at, uint64_t data, unsigned i)
{
	struct mapfs_extent_node *node = testdisk_block(w->disk, at);

	memset(node, 0, MAPFS_BLOCK_BYTES);
	node->header = (struct mapfs_header){.kind = MAPFS_KIND_EXTENTS, .block = at, .owner = ino};
	node->n = MAPFS_NODE_EXTENTS;
	for (unsigned j = 0; j < MAPFS_NODE_EXTENTS; j++) {
		struct mapfs_piece p = {1000000 + i * 10000 + 2 * j, 1, data, false};
		mapfs_piece_encode(&p, &node->entry[j]);
	}
	node->header.crc = mapfs_block_crc(d->seed, node);
}

/*
 * Full leaves that belong to ranges of ten blocks each.  Seven pages of one chunk would split seven
 * of them: more than a promise holds nodes for.
 */
static void leaves_with_keys_of_others_are_refused(void **state)
{
	static const unsigned pages[] = {5, 15, 25, 35, 45, 55, 63};
	static const char block[4096];
	struct world *w = *state;
	struct mapfs_inode_disk *i;
	struct mapfs_piece p;
	struct file *f;
	struct disk d;
	uint32_t ino;
	int err = 0;

	assert_int_equal(world_put(w, "/a", (N_LEAVES + 1) * 4096, 1), 0);
	ino = ino_of(w, "/a");
	d = take(w);
	i = inode_at(w, &d, ino);
	mapfs_piece_decode(&i->root[0], &p);
	assert_true(p.count > N_LEAVES);
	for (unsigned n = 0; n < N_LEAVES; n++) {
		struct mapfs_piece index = {10 * n, 0, p.start + n, false};
		mapfs_piece_encode(&index, &i->root[n]);
		make_far_leaf(w, &d, ino, p.start + n, p.start + N_LEAVES, n);
	}
	i->n_root = N_LEAVES;
	i->depth = 1;
	i->size = (uint64_t)1 << 40;
	i->crc = mapfs_inode_crc(d.seed, ino, i);
	assert_int_equal(world_try_fsck(w, false), IMAGE_ERRORS);

	world_mount(w);
	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &f), 0);
	for (unsigned n = 0; n < 7 && !err; n++)
		err = world_write(f, block, sizeof(block), pages[n] * 4096ul);
	assert_int_equal(err, -EIO);
	assert_said("has keys of another part of its tree");
	for (unsigned n = 7; n-- > 0;)
		(void)mvm_pc_flush(f->object, pages[n], pages[n], MVM_PC_WAIT);
	file_unref(f);
}

/* --- Bitmaps ----------------------------------------------------------------------------- */

/* A mount with this damage is for reading, says why, and has the files. */
static void assert_only_reading(struct world *w, const char *why)
{
	assert_int_equal(world_try_fsck(w, false), IMAGE_ERRORS);
	world_mount(w);
	assert_said(why);
	assert_said("read-only until fsck has seen it");
	world_check(w, "/a", 9000, 1);
	assert_int_equal(world_put(w, "/b", 1, 1), -EROFS);
	world_unmount(w);
	world_fsck(w, true, IMAGE_FIXED);
	world_mount(w);
	world_check(w, "/a", 9000, 1);
	assert_int_equal(world_put(w, "/b", 1, 1), 0);
}

static struct mapfs_bitmap *block_map(struct world *w, const struct disk *d)
{
	return testdisk_block(w->disk, mapfs_block_map_at(&d->sb, 0));
}

static void a_wrong_count_of_free_blocks_is_refused(void **state)
{
	struct world *w = *state;
	struct mapfs_bitmap *map;
	struct disk d;

	assert_int_equal(world_put(w, "/a", 9000, 1), 0);
	d = take(w);
	map = block_map(w, &d);
	map->n_free += 10000;
	map->header.crc = mapfs_block_crc(d.seed, map);
	assert_only_reading(w, "has a wrong count of free bits");
}

/* Clear the bit, with a count that fits. */
static void clear_bit(struct mapfs_bitmap *map, uint32_t seed, uint32_t bit)
{
	assert_true(map->bits[bit / 8] & 1 << bit % 8);
	map->bits[bit / 8] &= (uint8_t) ~(1 << bit % 8);
	map->n_free++;
	map->header.crc = mapfs_block_crc(seed, map);
}

static void free_bits_behind_the_end_are_refused(void **state)
{
	struct world *w = *state;
	struct disk d;

	assert_int_equal(world_put(w, "/a", 9000, 1), 0);
	d = take(w);
	clear_bit(block_map(w, &d), d.seed, mapfs_group_length(&d.sb, 0));
	assert_only_reading(w, "has free bits where nothing can be");
}

static void a_free_inode_table_is_refused(void **state)
{
	struct world *w = *state;
	struct disk d;

	assert_int_equal(world_put(w, "/a", 9000, 1), 0);
	d = take(w);
	clear_bit(block_map(w, &d), d.seed, 2);
	assert_only_reading(w, "has free bits where nothing can be");
}

/* Rescue needs no bitmaps. */
static void a_bitmap_that_cannot_be_read_is_missed_by_writers_only(void **state)
{
	struct world *w = *state;
	struct disk d;

	assert_int_equal(world_put(w, "/a", 9000, 1), 0);
	d = take(w);
	block_map(w, &d)->header.crc ^= 1;
	assert_only_reading(w, "has a wrong checksum");
}

static void so_is_one_of_inodes(void **state)
{
	struct world *w = *state;
	struct mapfs_bitmap *map;
	struct disk d;

	assert_int_equal(world_put(w, "/a", 9000, 1), 0);
	d = take(w);
	map = testdisk_block(w->disk, mapfs_inode_map_at(&d.sb, 0));
	map->header.kind = 0;
	assert_only_reading(w, "holds something else");
}

/* --- Two owners -------------------------------------------------------------------------- */

/* What one of them frees the other does not free again: in between it may be somebody else's. */
static void blocks_of_two_files_are_freed_once(void **state)
{
	struct world *w = *state;
	struct mapfs_inode_disk *a, *b;
	struct fs_stat one, both;
	uint32_t ino_a, ino_b;
	struct disk d;

	assert_int_equal(world_put(w, "/a", 9000, 1), 0);
	assert_int_equal(world_put(w, "/b", 9000, 2), 0);
	ino_a = ino_of(w, "/a");
	ino_b = ino_of(w, "/b");
	d = take(w);
	a = inode_at(w, &d, ino_a);
	b = inode_at(w, &d, ino_b);
	b->root[0] = a->root[0];
	b->crc = mapfs_inode_crc(d.seed, ino_b, b);

	world_mount(w);
	assert_int_equal(vfs_unlink(&w->ctx, NULL, "/a"), 0);
	one = world_statfs(w);
	assert_int_equal(vfs_unlink(&w->ctx, NULL, "/b"), 0);
	assert_said("is to be freed but is not in use");
	both = world_statfs(w);
	assert_int_equal(both.free_blocks, one.free_blocks);
}

/* Nor does one file with the block in two places. */
static void a_block_of_two_places_is_freed_once(void **state)
{
	struct world *w = *state;
	struct mapfs_inode_disk *a;
	struct fs_stat before, after;
	uint32_t ino;
	struct disk d;

	assert_int_equal(world_put(w, "/a", 9000, 1), 0);
	ino = ino_of(w, "/a");
	d = take(w);
	a = inode_at(w, &d, ino);
	a->root[1] = a->root[0];
	a->root[1].logical += 10;
	a->n_root = 2;
	a->size = 20 * 4096;
	a->crc = mapfs_inode_crc(d.seed, ino, a);

	world_mount(w);
	before = world_statfs(w);
	assert_int_equal(vfs_unlink(&w->ctx, NULL, "/a"), 0);
	assert_said("is to be freed but is not in use");
	after = world_statfs(w);
	assert_int_equal(after.free_blocks, before.free_blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			leaves_with_keys_of_others_are_refused, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			a_wrong_count_of_free_blocks_is_refused, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			free_bits_behind_the_end_are_refused, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			a_free_inode_table_is_refused, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			a_bitmap_that_cannot_be_read_is_missed_by_writers_only, world_set_up,
			world_tear_down),
		cmocka_unit_test_setup_teardown(so_is_one_of_inodes, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			blocks_of_two_files_are_freed_once, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			a_block_of_two_places_is_freed_once, world_set_up, world_tear_down),
	};

	return cmocka_run_group_tests_name("mapfs_trust", tests, NULL, NULL);
}
