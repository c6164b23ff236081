// SPDX-License-Identifier: MIT
/*
 * mapfsview on damaged images: everything is shown, whatever it is, and the image stays as it was.
 * Blocks of all kinds, those of the log and the super blocks with them, are changed at random, with
 * and without the checksum made right again; what it prints is thrown away, for the sanitizers
 * judge.  What it prints of good images is tested by tools/tests/test_mapfsview.py.
 *
 * MAPFS_SEED repeats, MAPFS_VIEWS is how many images, of each kind.
 */
#include "world.h"

#include <mapfsview/view.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_BYTES  (4 << 20)
#define DISK_BLOCKS (DISK_BYTES / MAPFS_BLOCK_BYTES)

static struct world w;
static struct mapfs_super sb;
static uint64_t metadata[DISK_BLOCKS];
static unsigned n_metadata;

/*
 * Trees of some depth, links; as a crash leaves it, with groups in the log that
 * are not in place.
 */
static uint8_t *make_image(bool crashed)
{
	char name[300], target[700];
	struct file *file;
	uint8_t *image;

	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = 0;
	world_make(&w, DISK_BYTES, 0);
	world_mount(&w);
	assert_int_equal(world_put(&w, "/keep", 10000, 99), 0);
	assert_int_equal(vfs_symlink(&w.ctx, target, NULL, "/long"), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/t", 0755), 0);
	assert_int_equal(world_open(&w, "/tree", FS_O_CREAT | FS_O_RDWR, &file), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "/t/%0200d", i);
		assert_int_equal(vfs_link(&w.ctx, NULL, "/keep", 0, NULL, name), 0);
		if (i % 3 == 0)
			assert_int_equal(world_write(file, "x", 1, (uint64_t)i * 8192), 0);
		if (i % 30 == 0)
			assert_int_equal(mount_sync_all(), 0);
	}
	assert_int_equal(file_allocate(file, 1 << 20, (1 << 20) + 40000, 0), 0);
	if (crashed)
		assert_int_equal(vfs_unlink(&w.ctx, NULL, "/tree"), 0); /* an orphan */
	assert_int_equal(mount_sync_all(), 0);
	image = testdisk_save(w.disk);
	file_unref(file);
	world_unmount(&w);
	if (!crashed) {
		testdisk_forget(w.disk, image);
		image = testdisk_save(w.disk);
	}
	return image;
}

static void find_metadata(void)
{
	uint32_t seed;

	memcpy(&sb, testdisk_block(w.disk, 0), sizeof(sb));
	seed = mapfs_crc_seed(&sb);
	n_metadata = 0;
	metadata[n_metadata++] = 0;
	metadata[n_metadata++] = sb.n_blocks - 1;
	metadata[n_metadata++] = mapfs_inode_map_at(&sb, 0) + 1;
	for (uint64_t b = 1; b < sb.n_blocks; b++) {
		const struct mapfs_header *h = testdisk_block(w.disk, b);

		if (h->kind && h->crc == mapfs_block_crc(seed, h))
			metadata[n_metadata++] = b;
	}
	assert_in_range(n_metadata, 20, DISK_BLOCKS);
}

/* --- Damage ------------------------------------------------------------------------------ */

static void seal(uint64_t block)
{
	union view_block *b = testdisk_block(w.disk, block);

	if (block == 0 || block == sb.n_blocks - 1) {
		b->super.crc = mapfs_super_crc(&b->super);
	} else if (b->header.kind) {
		b->header.crc = mapfs_block_crc(mapfs_crc_seed(&sb), b);
	} else {
		for (unsigned i = 0; i < MAPFS_INODES_PER_BLOCK; i++)
			b->inode[i].crc = mapfs_inode_crc(mapfs_crc_seed(&sb), i + 1, &b->inode[i]);
	}
}

static void damage_block(uint64_t block, uint64_t *seed)
{
	uint8_t *p = testdisk_block(w.disk, block);
	unsigned at =
		world_random(seed) % 4 ? 32 + world_random(seed) % 600 : world_random(seed) % 4096;

	switch (world_random(seed) % 4) {
	case 0:
		p[at] ^= (uint8_t)(1 << world_random(seed) % 8);
		break;
	case 1:
		p[at] = (uint8_t)world_random(seed);
		break;
	case 2:
		memset(p + (at & 4092), world_random(seed) % 2 ? 0xff : 0, 4);
		break;
	default:
		memcpy(p, testdisk_block(w.disk, metadata[world_random(seed) % n_metadata]),
			world_random(seed) % 2 ? 4096 : at);
	}
	if (world_random(seed) % 4)
		seal(block);
}

/* --- Looking ----------------------------------------------------------------------------- */

static void look_at_super(struct view *v)
{
	view_supers(v);
	view_one_block(v, 0);
	view_one_block(v, DISK_BLOCKS - 1);
	view_one_block(v, DISK_BLOCKS); /* there is none */
}

/* A block of each kind, and others. */
static void look_at_blocks(struct view *v, uint64_t *seed)
{
	for (unsigned i = 0; i < 20; i++) {
		uint64_t block = i % 2 ? metadata[world_random(seed) % n_metadata]
				       : world_random(seed) % DISK_BLOCKS;

		view_one_block(v, block);
		if (!v->super_fault)
			view_owner(v, block);
	}
}

static void look_at_inodes(struct view *v)
{
	for (uint32_t ino = 1; ino <= 8 && mapfs_ino_valid(&v->sb, ino); ino++) {
		view_inode(v, ino);
		view_tree(v, ino);
		view_dir(v, ino);
	}
}

static void look_at_all(struct view *v, uint64_t *seed)
{
	look_at_super(v);
	look_at_blocks(v, seed);
	if (v->super_fault)
		return;
	view_state(v);
	view_log(v);
	view_groups(v);
	view_bitmaps(v, v->sb.n_groups - 1);
	look_at_inodes(v);
	view_summary(v);
	view_free(v);
	view_files(v);
	view_page(v);
}

/* How many faults were shown. */
static uint64_t look(uint64_t *seed, FILE *out)
{
	uint64_t writes = w.disk->dev.counts.writes, n_faults;
	struct view v;

	view_open(&v, &w.disk->dev, out);
	look_at_all(&v, seed);
	n_faults = v.n_faults;
	view_close(&v);
	assert_int_equal(w.disk->dev.counts.writes, writes);
	return n_faults;
}

static void damage_and_look(bool crashed)
{
	const char *text = getenv("MAPFS_VIEWS");
	unsigned n = text ? (unsigned)atoi(text) : 500, faulty = 0;
	uint64_t seed = world_seed(), undamaged;
	uint8_t *image = make_image(crashed);
	FILE *out = fopen("/dev/null", "we");

	assert_non_null(out);
	testdisk_load(w.disk, image);
	find_metadata();
	undamaged = look(&seed, out); /* a block behind the end, directories that are none */
	for (unsigned i = 0; i < n; i++) {
		testdisk_load(w.disk, image);
		for (unsigned k = world_random(&seed) % 4 + 1; k > 0; k--)
			damage_block(metadata[world_random(&seed) % n_metadata], &seed);
		faulty += look(&seed, out) != undamaged;
	}
	fprintf(stderr, "# %u images, what is wrong was shown of %u\n", n, faulty);
	assert_in_range(faulty, n / 4, n);
	fclose(out);
	testdisk_forget(w.disk, image);
	world_free(&w);
}

static void damaged_images_are_shown(void **state)
{
	(void)state;
	damage_and_look(false);
}

/* Much of what is in place does not count here, and a group that is damaged does not, either. */
static void damaged_images_with_a_log_are_shown(void **state)
{
	(void)state;
	damage_and_look(true);
}

/* As a crash left it: the log is to be replayed, and nothing is damaged. */
static void an_image_after_a_crash_is_whole(void **state)
{
	uint8_t *image = make_image(true);
	struct view v;
	char *shown;
	size_t bytes;
	FILE *out = open_memstream(&shown, &bytes);

	(void)state;
	testdisk_load(w.disk, image);
	view_open(&v, &w.disk->dev, out);
	assert_true(v.log.n_groups > 1);
	view_log(&v);
	view_state(&v);
	view_summary(&v);
	fflush(out);
	assert_int_equal(v.n_faults, 0);
	assert_non_null(strstr(shown, "to be put in place"));
	assert_non_null(strstr(shown, "a later copy counts"));
	assert_non_null(strstr(shown, "newer in the log"));
	assert_non_null(strstr(shown, "orphan         inode "));
	assert_non_null(strstr(shown, "unwritten                      10 blocks"));
	assert_non_null(strstr(shown, "fsck finds nothing wrong"));
	view_close(&v);
	fclose(out);
	free(shown);
	testdisk_forget(w.disk, image);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_after_a_crash_is_whole),
		cmocka_unit_test(damaged_images_are_shown),
		cmocka_unit_test(damaged_images_with_a_log_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
