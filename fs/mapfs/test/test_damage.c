// SPDX-License-Identifier: MIT
/*
 * Damaged images.  Blocks that hold metadata are changed at random, with and without the checksum
 * made right again, and everything is walked, read and written: an error each time or none, never
 * a crash.  Then fsck must make of it something that is clean (test_repair.c takes its kinds one by
 * one).  And images that cannot be mounted are refused with the reason.
 *
 * MAPFS_SEED repeats, MAPFS_DAMAGE is how many images.
 */
#include "anatomy.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_BYTES (4 << 20)

static struct world w;
static struct anatomy a;
static uint8_t *pristine;
static uint64_t metadata[2000]; /* blocks */
static unsigned n_metadata;

static struct mapfs_header *header_at(uint64_t block)
{
	return testdisk_block(w.disk, block);
}

/* Which blocks hold metadata?  Those that say so, and the first inode tables. */
static void find_metadata(void)
{
	anatomy_look(&a, testdisk_block(w.disk, 0));
	n_metadata = 0;
	metadata[n_metadata++] = mapfs_inode_map_at(&a.sb, 0) + 1;
	metadata[n_metadata++] = mapfs_inode_map_at(&a.sb, 0) + 2;
	for (uint64_t b = 1; b < a.sb.n_blocks; b++) {
		const struct mapfs_header *h = header_at(b);
		if (h->kind && h->block == b && h->crc == mapfs_block_crc(a.seed, h))
			metadata[n_metadata++] = b;
	}
	assert_in_range(n_metadata, 8, 1990);
}

/* A directory of many leaves. */
static void make_tree(void)
{
	char name[300];

	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/t", 0755), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "/t/%0200d", i);
		assert_int_equal(vfs_link(&w.ctx, NULL, "/keep", 0, NULL, name), 0);
	}
}

static void prepare(void)
{
	struct file *file;
	char name[64], target[700];

	memset(target, 't', 699);
	target[699] = 0;
	world_make(&w, DISK_BYTES, 0);
	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d", 0755), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/e", 0755), 0);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "/d/file-with-a-name-%d", i);
		assert_int_equal(world_put(&w, name, (size_t)i * 500, (unsigned)i), 0);
	}
	assert_int_equal(vfs_symlink(&w.ctx, target, NULL, "/d/e/link"), 0);
	assert_int_equal(world_open(&w, "/d/e/tree", FS_O_CREAT | FS_O_RDWR, &file), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(world_write(file, "x", 1, (uint64_t)i * 8192), 0);
	file_unref(file);
	assert_int_equal(world_put(&w, "/keep", 10000, 99), 0);
	make_tree();
	world_unmount(&w);
	world_fsck(&w, false, IMAGE_CLEAN);
	find_metadata();
	pristine = testdisk_save(w.disk);
}

static void cleanup(void)
{
	testdisk_forget(w.disk, pristine);
	world_free(&w);
}

/* --- Use whatever there is ------------------------------------------------------------ */

/* After a repair nothing that is read may fail. */
static bool repaired;

static bool fails(int err)
{
	if (err && repaired)
		fail_msg("error %d after a repair: %s", err, world_said());
	return err;
}

struct visit {
	struct fs_readdir r;
	char names[100][256];
	unsigned n;
};

static bool note_name(struct fs_readdir *r, const struct fs_entry *e)
{
	struct visit *v = (struct visit *)r;

	if (e->name[0] == '.' || v->n == 100)
		return true;
	memcpy(v->names[v->n], e->name, e->name_bytes);
	v->names[v->n++][e->name_bytes] = 0;
	return true;
}

static void use(const char *path, unsigned depth);

static void use_dir(const char *path, struct file *file, unsigned depth)
{
	struct visit *v = calloc(1, sizeof(*v));
	char below[4096];

	v->r.emit = note_name;
	(void)fails(file_readdir(file, &v->r));
	for (unsigned i = 0; i < v->n && depth < 6; i++) {
		snprintf(below, sizeof(below), "%s/%s", path, v->names[i]);
		use(below, depth + 1);
	}
	free(v);
}

static void use(const char *path, unsigned depth)
{
	static uint8_t data[60000];
	struct fs_attr attr;
	struct file *file;
	char target[4096];
	size_t done;

	if (fails(vfs_stat(&w.ctx, NULL, path, 0, &attr)))
		return;
	if ((attr.mode & FS_IFMT) == FS_IFLNK) {
		int n = vfs_readlink(&w.ctx, NULL, path, 0, target, sizeof(target));
		(void)fails(n < 0 ? n : 0);
	}
	if ((attr.mode & FS_IFMT) != FS_IFREG && (attr.mode & FS_IFMT) != FS_IFDIR)
		return;
	if (fails(world_open(&w, path, FS_O_RDONLY | FS_O_NOFOLLOW, &file)))
		return;
	if ((attr.mode & FS_IFMT) == FS_IFDIR)
		use_dir(path, file, depth);
	else
		(void)fails(world_read(file, data, sizeof(data), 0, &done));
	file_unref(file);
}

static void change(void)
{
	(void)world_put(&w, "/new", 30000, 1);
	(void)world_put(&w, "/d/file-with-a-name-3", 20000, 1);
	(void)vfs_mkdir(&w.ctx, NULL, "/d/dir", 0755);
	(void)vfs_rename(&w.ctx, NULL, "/d/file-with-a-name-5", NULL, "/d/e/moved", 0);
	for (int i = 10; i < 20; i++) {
		char name[64];
		snprintf(name, sizeof(name), "/d/file-with-a-name-%d", i);
		(void)vfs_unlink(&w.ctx, NULL, name);
	}
	(void)vfs_unlink(&w.ctx, NULL, "/d/e/tree");
	for (int i = 0; i < 100; i++) {
		char name[300];
		snprintf(name, sizeof(name), "/t/%0200d", i);
		if (i % 10)
			(void)vfs_unlink(&w.ctx, NULL, name);
		else
			(void)vfs_rename(&w.ctx, NULL, name, NULL, "/t/other", 0);
	}
	(void)mount_sync_all();
}

static void seal(uint64_t block)
{
	uint32_t first = (uint32_t)(block - metadata[0]) * MAPFS_INODES_PER_BLOCK + 1;

	if (block != metadata[0] && block != metadata[1]) {
		anatomy_seal(&a, header_at(block));
		return;
	}
	for (uint32_t ino = first; ino < first + MAPFS_INODES_PER_BLOCK; ino++)
		if (anatomy_inode(&a, ino)->mode)
			anatomy_seal_inode(&a, ino);
}

static void damage(uint64_t *seed)
{
	unsigned n = 1 + world_random(seed) % 4;

	for (unsigned i = 0; i < n; i++) {
		uint64_t block = metadata[world_random(seed) % n_metadata];
		uint8_t *p = testdisk_block(w.disk, block);
		unsigned at = world_random(seed) % 4 ? 32 + world_random(seed) % 600
						     : world_random(seed) % 4096;
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
		case 3:
			memcpy(p, testdisk_block(w.disk, metadata[world_random(seed) % n_metadata]),
				world_random(seed) % 2 ? 4096 : at);
			break;
		}
		if (world_random(seed) % 4)
			seal(block);
	}
}

static void repair(unsigned number)
{
	enum image_fsck_result result = world_try_fsck(&w, true);

	if (result == IMAGE_ERRORS) {
		/* What is left over may be repairable now that the rest is right. */
		result = world_try_fsck(&w, true);
	}
	if (result == IMAGE_ERRORS)
		fail_msg("image %u cannot be repaired:\n%s", number, world_said());
	result = world_try_fsck(&w, false);
	if (result != IMAGE_CLEAN)
		fail_msg("image %u is not clean after its repair:\n%s", number, world_said());
}

static void random_damage(void **state)
{
	const char *text = getenv("MAPFS_DAMAGE");
	unsigned n = text ? (unsigned)atoi(text) : 1500, mounted = 0;
	uint64_t seed = world_seed();

	(void)state;
	prepare();
	for (unsigned i = 0; i < n; i++) {
		testdisk_load(w.disk, pristine);
		damage(&seed);
		if (world_try_mount(&w) == 0) {
			mounted++;
			use("/", 0);
			change();
			world_unmount(&w);
		}
		repair(i);
		world_mount(&w);
		repaired = true;
		use("/", 0);
		repaired = false;
		change();
		world_unmount(&w);
		world_fsck(&w, false, IMAGE_CLEAN);
	}
	fprintf(stderr, "# %u images, %u of them could be mounted\n", n, mounted);
	cleanup();
}

/* --- Damage with a name --------------------------------------------------------------- */

static void refused(const char *because)
{
	assert_int_not_equal(world_try_mount(&w), 0);
	if (!strstr(world_said(), because))
		fail_msg("expected '%s', got: %s", because, world_said());
	testdisk_load(w.disk, pristine);
}

static void both_supers_changed(void (*change_super)(struct mapfs_super *s))
{
	struct mapfs_super *s = testdisk_block(w.disk, 0);

	change_super(s);
	s->crc = mapfs_super_crc(s);
	memcpy(testdisk_block(w.disk, a.sb.n_blocks - 1), s, sizeof(*s));
}

static void new_version(struct mapfs_super *s)
{
	s->version = 7;
}

static void new_feature(struct mapfs_super *s)
{
	s->incompat |= (uint64_t)1 << 40;
}

static void no_magic(struct mapfs_super *s)
{
	memset(s->magic, 0, sizeof(s->magic));
}

static void images_are_refused_with_the_reason(void **state)
{
	(void)state;
	prepare();
	both_supers_changed(new_version);
	refused("version");
	both_supers_changed(new_feature);
	refused("features");
	both_supers_changed(no_magic);
	refused("not a mapfs image");
	((struct mapfs_inode_disk *)testdisk_block(w.disk, metadata[0]))->mode ^= 1;
	refused("inode 1 has a wrong checksum");
	cleanup();
}

/* The first super block is gone: the copy serves for reading, and fsck restores the first. */
static void the_copy_of_the_super_block_serves(void **state)
{
	(void)state;
	prepare();
	memset(testdisk_block(w.disk, 0), 0, 4096);
	world_mount(&w);
	assert_non_null(strstr(world_said(), "using its copy"));
	world_check(&w, "/keep", 10000, 99);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/x", 0755), -EROFS);
	world_unmount(&w);
	world_fsck(&w, true, IMAGE_FIXED);
	assert_memory_equal(testdisk_block(w.disk, 0), pristine, 4096);
	testdisk_load(w.disk, pristine);
	memset(testdisk_block(w.disk, a.sb.n_blocks - 1), 0, 4096);
	world_fsck(&w, true, IMAGE_FIXED);
	assert_memory_equal(testdisk_block(w.disk, a.sb.n_blocks - 1),
		pristine + (a.sb.n_blocks - 1) * 4096, 4096);
	cleanup();
}

/* A feature that only writers must know. */
static void reader_feature(struct mapfs_super *s)
{
	s->ro_compat = 1;
}

static void unknown_ro_features_are_for_reading(void **state)
{
	(void)state;
	prepare();
	both_supers_changed(reader_feature);
	world_mount(&w);
	world_check(&w, "/keep", 10000, 99);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/x", 0755), -EROFS);
	world_unmount(&w);
	cleanup();
}

/* What a mount says of them: an error, and a line in the log. */
static void a_wrong_tree_is_an_error(void **state)
{
	struct mapfs_dir_node *root;
	struct mapfs_dir_child *child;
	struct fs_attr attr;
	char name[300];
	unsigned failed = 0;

	(void)state;
	prepare();
	world_mount(&w);
	assert_int_equal(vfs_stat(&w.ctx, NULL, "/t", 0, &attr), 0);
	world_unmount(&w);
	root = anatomy_node(&a, MAPFS_KIND_DIR, (uint32_t)attr.ino, 1, 0);
	child = mapfs_dir_child_at(root, 0);
	child[2].block = child[1].block;
	anatomy_seal(&a, root);
	world_mount(&w);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "/t/%0200d", i);
		int err = vfs_unlink(&w.ctx, NULL, name);
		if (err)
			assert_int_equal(err, -EIO);
		failed += err != 0;
	}
	assert_in_range(failed, 1, 99);
	assert_non_null(strstr(world_said(), "keys of another part"));
	world_unmount(&w);
	world_fsck(&w, true, IMAGE_FIXED);
	cleanup();
}

/* A folder that would be below itself is an error where its name is looked up. */
static void folders_have_one_place(void **state)
{
	struct mapfs_dir_node *leaf;
	struct mapfs_dirent *e;
	struct fs_attr attr;

	(void)state;
	prepare();
	world_mount(&w);
	assert_int_equal(vfs_stat(&w.ctx, NULL, "/d", 0, &attr), 0);
	world_unmount(&w);
	e = anatomy_entry(&a, (uint32_t)attr.ino, "e", &leaf);
	e->ino = (uint32_t)attr.ino;
	anatomy_seal(&a, leaf);
	world_mount(&w);
	assert_int_equal(vfs_rmdir(&w.ctx, NULL, "/d/e"), -EIO);
	assert_int_equal(vfs_rename(&w.ctx, NULL, "/d/e", NULL, "/d/e/e", 0), -EIO);
	assert_non_null(strstr(world_said(), "is not where its name is"));
	world_unmount(&w);
	world_fsck(&w, true, IMAGE_FIXED);
	cleanup();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_are_refused_with_the_reason),
		cmocka_unit_test(the_copy_of_the_super_block_serves),
		cmocka_unit_test(unknown_ro_features_are_for_reading),
		cmocka_unit_test(a_wrong_tree_is_an_error),
		cmocka_unit_test(folders_have_one_place),
		cmocka_unit_test(random_damage),
	};

	return cmocka_run_group_tests_name("mapfs_damage", tests, NULL, NULL);
}
