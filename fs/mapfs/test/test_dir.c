// SPDX-License-Identifier: MIT
/*
 * Directories that grow to trees and shrink again, held against a model, while readers are under
 * way; the same on a disk that is full, and with memory and reads that fail.
 *
 * CMakeLists.txt builds this file twice: mapfs_dir, and mapfs_dir_collide, in which all names have
 * one of three hashes.  MAPFS_SEED repeats.
 */
#include "world.h"

#ifdef MAPFS_DIR_COLLIDE
#include "collide/siphash.h"
#endif

#include <fs_posix.h>

#include <mapfs/mapfs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_BYTES (32 << 20)
#define N_READERS  5

#ifndef N_NAMES
#define N_NAMES 6000 /* two indices under the root, too large to merge */
#endif

static struct world w;

/* Which names are in /d?  Each is a link to /file. */
static bool present[N_NAMES];
static unsigned n_present;

/* The i-th name: of every length, and some lengths often. */
static const char *name_of(unsigned i, char *path)
{
	unsigned want = i % 3 == 0 ? 255 : 1 + i * 7 % 255;
	int n = sprintf(path, "/d/%u", i), end = (int)(want + 3);

	for (; n < end; n++)
		path[n] = (char)('a' + (i + (unsigned)n) % 26);
	path[n] = 0;
	return path;
}

static unsigned number_of(const char *name)
{
	return (unsigned)atoi(name);
}

/* --- Readers ----------------------------------------------------------------------------- */

/* Somebody who reads /d a few names at a time. */
struct reader {
	struct fs_readdir r;
	struct file *file;
	unsigned left;          /* names to take this time */
	bool must[N_NAMES];     /* there since the beginning */
	uint8_t seen[N_NAMES];  /* of those that are there */
	unsigned taken, rounds; /* this time; from beginning to end */
};

static struct reader readers[N_READERS];

static bool take(struct fs_readdir *r, const struct fs_entry *e)
{
	struct reader *reader = (struct reader *)r;
	char name[256] = {0}, path[300];
	unsigned i;

	if (reader->left == 0)
		return false;
	reader->left--;
	reader->taken++;
	if (e->name[0] == '.')
		return true;
	memcpy(name, e->name, e->name_bytes);
	i = number_of(name);
	assert_in_range(i, 0, N_NAMES - 1);
	assert_string_equal(name, name_of(i, path) + 3);
	assert_true(present[i]);
	if (reader->seen[i]++)
		fail_msg("%s is seen again", name);
	return true;
}

static void reader_begin(struct reader *reader)
{
	assert_int_equal(world_open(&w, "/d", FS_O_RDONLY, &reader->file), 0);
	reader->r.emit = take;
	memcpy(reader->must, present, sizeof(present));
	memset(reader->seen, 0, sizeof(reader->seen));
}

static void reader_end(struct reader *reader)
{
	for (unsigned i = 0; i < N_NAMES; i++)
		if (reader->must[i] && !reader->seen[i])
			fail_msg("%u was not seen", i);
	file_unref(reader->file);
	reader->rounds++;
}

/* At most n names more.  Who sees the end checks, and begins again. */
static void reader_go_on(struct reader *reader, unsigned n)
{
	reader->left = n;
	reader->taken = 0;
	assert_int_equal(file_readdir(reader->file, &reader->r), 0);
	if (reader->taken == n)
		return;
	reader_end(reader);
	reader_begin(reader);
}

static void came(unsigned i)
{
	present[i] = true;
	n_present++;
	for (unsigned k = 0; k < N_READERS; k++)
		readers[k].seen[i] = 0;
}

static void went(unsigned i)
{
	present[i] = false;
	n_present--;
	for (unsigned k = 0; k < N_READERS; k++)
		readers[k].must[i] = false;
}

/* One reading from beginning to end finds exactly what should be there. */
static void check_names(void)
{
	static struct reader all;
	unsigned n = 0;

	reader_begin(&all);
	all.left = N_NAMES + 3;
	assert_int_equal(file_readdir(all.file, &all.r), 0);
	for (unsigned i = 0; i < N_NAMES; i++)
		n += all.seen[i];
	assert_int_equal(n, n_present);
	reader_end(&all);
}

/* --- Changes ----------------------------------------------------------------------------- */

static int add(unsigned i)
{
	char path[300];
	int err = vfs_link(&w.ctx, NULL, "/file", 0, NULL, name_of(i, path));

	if (present[i])
		assert_int_equal(err, -EEXIST);
	else if (!err)
		came(i);
	return err;
}

static int take_away(unsigned i)
{
	char path[300];
	int err = vfs_unlink(&w.ctx, NULL, name_of(i, path));

	if (!present[i])
		assert_int_equal(err, -ENOENT);
	else if (!err)
		went(i);
	return err;
}

/* From a name that is there to one that is not; over another directory or straight. */
static int move(unsigned from, unsigned to, bool over)
{
	char old[300], new[300];
	int err;

	name_of(from, old);
	name_of(to, new);
	if (over) {
		err = vfs_rename(&w.ctx, NULL, old, NULL, "/e/name", 0);
		if (err)
			return err;
		went(from);
		err = vfs_rename(&w.ctx, NULL, "/e/name", NULL, new, 0);
	} else {
		err = vfs_rename(&w.ctx, NULL, old, NULL, new, 0);
		if (!err)
			went(from);
	}
	if (!err)
		came(to);
	return err;
}

static void change(uint64_t *seed, unsigned grow_percent)
{
	unsigned i = world_random(seed) % N_NAMES, k = world_random(seed) % N_NAMES;

	if (world_random(seed) % 8 == 0 && present[i] && !present[k])
		assert_int_equal(move(i, k, world_random(seed) % 2), 0);
	else if (world_random(seed) % 100 < grow_percent)
		(void)add(i);
	else
		(void)take_away(i);
}

static uint64_t size_of(const char *path)
{
	struct fs_attr attr;

	assert_int_equal(vfs_stat(&w.ctx, NULL, path, 0, &attr), 0);
	assert_int_equal(attr.size_bytes, attr.blocks * 512);
	return attr.size_bytes;
}

static void prepare(uint64_t disk_bytes)
{
	memset(present, 0, sizeof(present));
	memset(readers, 0, sizeof(readers));
	n_present = 0;
	world_make(&w, disk_bytes, 0);
	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d", 0755), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/e", 0755), 0);
	assert_int_equal(world_put(&w, "/file", 10, 1), 0);
}

/* The directory grows and shrinks in waves; who reads it meanwhile misses nothing. */
static void readers_see_each_name_once(void **state)
{
	static const unsigned grow_percent[] = {90, 20, 95, 50, 10, 99, 0};
	uint64_t seed = world_seed(), largest = 0;
	unsigned rounds = 0;

	(void)state;
	prepare(DISK_BYTES);
	for (unsigned k = 0; k < N_READERS; k++)
		reader_begin(&readers[k]);
	for (unsigned wave = 0; wave < 7; wave++) {
		for (unsigned step = 0; step < 4 * N_NAMES; step++) {
			change(&seed, grow_percent[wave]);
			if (step % 2 == 0)
				reader_go_on(&readers[world_random(&seed) % N_READERS],
					1 + world_random(&seed) % 40);
			largest = size_of("/d") > largest ? size_of("/d") : largest;
		}
		check_names();
	}
	for (unsigned k = 0; k < N_READERS; k++) {
		file_unref(readers[k].file);
		rounds += readers[k].rounds;
	}
	assert_in_range(rounds, 5, 100000);
	world_remount(&w);
	check_names();
	fprintf(stderr, "# %u readings, up to %llu blocks\n", rounds,
		(unsigned long long)largest / 4096);
	for (unsigned i = 0; i < N_NAMES; i++)
		(void)take_away(i);
	assert_int_equal(size_of("/d"), 4096);
	assert_int_equal(vfs_rmdir(&w.ctx, NULL, "/d"), 0);
	world_remount(&w);
	world_free(&w);
}

struct order {
	struct fs_readdir r;
	unsigned number[N_NAMES], n;
};

static bool note_order(struct fs_readdir *r, const struct fs_entry *e)
{
	struct order *order = (struct order *)r;

	if (e->name[0] != '.')
		order->number[order->n++] = number_of(e->name);
	return true;
}

/*
 * Removed in the order in which they are read, or in the reverse: one end of
 * the tree goes first.
 */
static void names_go_in_order(void **state)
{
	static struct order order;
	struct file *file;

	(void)state;
	prepare(DISK_BYTES);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < N_NAMES; i++)
			assert_int_equal(add(i), 0);
		order = (struct order){.r.emit = note_order};
		assert_int_equal(world_open(&w, "/d", FS_O_RDONLY, &file), 0);
		assert_int_equal(file_readdir(file, &order.r), 0);
		file_unref(file);
		assert_int_equal(order.n, N_NAMES);
		for (unsigned i = 0; i < N_NAMES; i++) {
			unsigned at = round ? N_NAMES - 1 - i : i;

			assert_int_equal(take_away(order.number[at]), 0);
			if (i % 100 == 0)
				check_names();
		}
		assert_int_equal(size_of("/d"), 4096);
		world_remount(&w);
	}
	world_free(&w);
}

/* A directory costs nothing at first, then a block; names that go leave no blocks behind. */
static void small_directories_are_small(void **state)
{
	struct fs_stat before, after;
	char path[300];

	(void)state;
	prepare(DISK_BYTES);
	before = world_statfs(&w);
	assert_int_equal(size_of("/e"), 0);
	assert_int_equal(vfs_rmdir(&w.ctx, NULL, "/e"), 0);
	assert_int_equal(size_of("/d"), 0);
	for (unsigned i = 0; i < 169; i++) {
		sprintf(path, "/d/%010u", i);
		assert_int_equal(vfs_link(&w.ctx, NULL, "/file", 0, NULL, path), 0);
		assert_int_equal(size_of("/d"), 4096);
	}
	assert_int_equal(vfs_link(&w.ctx, NULL, "/file", 0, NULL, "/d/more"), 0);
	assert_int_equal(size_of("/d"), 3 * 4096);
	after = world_statfs(&w);
	assert_int_equal(before.free_blocks - after.free_blocks, 3);
	world_remount(&w);
	for (unsigned i = 0; i < 169; i++) {
		sprintf(path, "/d/%010u", i);
		assert_int_equal(vfs_unlink(&w.ctx, NULL, path), 0);
	}
	assert_int_equal(size_of("/d"), 4096);
	world_remount(&w);
	world_free(&w);
}

/* --- A full disk ------------------------------------------------------------------------- */

static struct mapfs *fs_of(void)
{
	return w.ctx.root->mount->fs;
}

/* All free blocks but n are promised to somebody else; returns how many that is. */
static uint64_t leave_blocks(uint64_t n)
{
	struct mapfs_space *space = &fs_of()->space[MAPFS_BLOCKS];
	uint64_t taken = space->free - space->reserved - n;

	assert_int_equal(mapfs_reserve(fs_of(), taken), 0);
	return taken;
}

/* Each name comes with as few blocks as can be; with fewer it does not, and nothing has changed. */
static void every_name_on_a_full_disk(void **state)
{
	unsigned most = 0, splits = 0;
	uint64_t taken;

	(void)state;
	prepare(DISK_BYTES);
	for (unsigned i = 0; i < N_NAMES; i++) {
		uint64_t before = size_of("/d");
		unsigned n = 0;
		int err;
		do {
			taken = leave_blocks(n);
			err = add(i);
			mapfs_unreserve(fs_of(), taken);
			if (err) {
				assert_int_equal(err, -ENOSPC);
				assert_int_equal(size_of("/d"), before);
				n++;
			}
		} while (err);
		assert_int_equal(size_of("/d") - before, n * 4096);
		most = n > most ? n : most;
		splits += n > 0;
	}
	check_names();
	assert_in_range(most, 2, MAPFS_DIR_LEVELS + 1);
	world_remount(&w);
	taken = leave_blocks(0);
	for (unsigned i = 0; i < N_NAMES; i++)
		assert_int_equal(take_away(i * 7 % N_NAMES), 0);
	mapfs_unreserve(fs_of(), taken);
	assert_int_equal(size_of("/d"), 4096);
	fprintf(stderr, "# %u names needed blocks, up to %u\n", splits, most);
	world_remount(&w);
	world_free(&w);
}

/* --- Failures ---------------------------------------------------------------------------- */

#define N_SOME 16

static bool saved_present[N_NAMES];
static unsigned saved_n;

static void allowed(int err)
{
	if (err && err != -EIO && err != -ENOMEM && err != -EEXIST && err != -ENOENT)
		fail_msg("error %d", err);
}

static void some_changes(void)
{
	for (unsigned i = 0; i < N_SOME; i++) {
		allowed(add(400 + i));
		if (present[i] && !present[900 + i])
			allowed(move(i, 900 + i, false));
		allowed(take_away(100 + i));
		allowed(take_away(140 + i));
	}
}

/* With one failure somewhere.  False: it was never met. */
static bool changes_with_failure(bool of_reads, long n)
{
	bool met;

	memcpy(present, saved_present, sizeof(present));
	n_present = saved_n;
	world_mount(&w);
	if (of_reads)
		w.disk->fault[TESTDISK_READ] = (struct testdisk_fault){.countdown = (uint64_t)n};
	else
		fsh_posix_fail_after = n;
	w.disk->injected = 0;
	some_changes();
	met = of_reads ? w.disk->injected > 0 : fsh_posix_fail_after == 0;
	memset(w.disk->fault, 0, sizeof(w.disk->fault));
	fsh_posix_fail_after = 0;
	check_names();
	world_unmount(&w);
	world_fsck(&w, false, IMAGE_CLEAN);
	return met;
}

static void every_failure(bool of_reads)
{
	uint8_t *saved;
	long n = 0;

	prepare(8 << 20);
	for (unsigned i = 0; i < 400; i++)
		assert_int_equal(add(i), 0);
	world_unmount(&w);
	saved = testdisk_save(w.disk);
	memcpy(saved_present, present, sizeof(present));
	saved_n = n_present;
	do
		testdisk_load(w.disk, saved);
	while (changes_with_failure(of_reads, ++n));
	fprintf(stderr, "# %ld failures\n", n - 1);
	assert_in_range(n, 20, 100000);
	testdisk_forget(w.disk, saved);
	world_free(&w);
}

static void every_read_fails(void **state)
{
	(void)state;
	every_failure(true);
}

static void every_allocation_fails(void **state)
{
	(void)state;
	every_failure(false);
}

/* --- Crashes ----------------------------------------------------------------------------- */

#define N_CRASH 150

static void some_sectors(void *seed, size_t i, const struct testdisk_write *write, uint8_t *mask)
{
	uint64_t r = world_random(seed) % 4;

	(void)i;
	for (uint32_t s = 0; s < write->n_sectors; s++)
		mask[s] = r < 2 || (r == 2 && world_random(seed) % 2);
}

static bool note(struct fs_readdir *r, const struct fs_entry *e)
{
	struct reader *reader = (struct reader *)r;
	char name[256] = {0};

	memcpy(name, e->name, e->name_bytes);
	if (name[0] != '.')
		reader->seen[number_of(name)]++;
	return true;
}

/* The names came in order, then went in order: of both, a prefix happened. */
static void check_prefix(void)
{
	static struct reader all;
	unsigned first = 0, end;

	assert_int_equal(world_open(&w, "/d", FS_O_RDONLY, &all.file), 0);
	all.r.emit = note;
	memset(all.seen, 0, sizeof(all.seen));
	assert_int_equal(file_readdir(all.file, &all.r), 0);
	file_unref(all.file);
	while (first < N_CRASH && !all.seen[first])
		first++;
	for (end = first; end < N_CRASH && all.seen[end];)
		end++;
	for (unsigned i = end; i < N_CRASH; i++)
		assert_int_equal(all.seen[i], 0);
	assert_true(first == 0 || end == N_CRASH || first == end);
}

/*
 * The power goes while the tree grows and shrinks; only looked at, so that the
 * next cut may follow.
 */
static void the_power_goes(void **state)
{
	uint64_t seed = world_seed();
	struct dentry *root;
	uint32_t epochs;

	(void)state;
	prepare(8 << 20);
	assert_int_equal(mount_sync_all(), 0);
	testdisk_begin_recording(w.disk);
	for (unsigned i = 0; i < 2 * N_CRASH; i++) {
		assert_int_equal(i < N_CRASH ? add(i) : take_away(i - N_CRASH), 0);
		if (i % 4 == 0)
			assert_int_equal(mount_sync_all(), 0);
	}
	world_unmount(&w);
	epochs = w.disk->epoch;
	for (unsigned i = 0; i < 300; i++) {
		testdisk_cut(w.disk, (uint32_t)(world_random(&seed) % (epochs + 1)), some_sectors,
			&seed);
		world_fsck(&w, false, IMAGE_CLEAN);
		assert_int_equal(mount_root("mapfs", "test", MOUNT_RDONLY, &root), 0);
		w.ctx.root = w.ctx.cwd = root;
		check_prefix();
		world_unmount(&w);
	}
	fprintf(stderr, "# 300 cuts in %u epochs\n", epochs);
	world_free(&w);
}

#ifdef MAPFS_DIR_COLLIDE
/* As many names of one hash as a key has numbers for; one more is ENOSPC until another goes. */
static void numbers_run_out(void **state)
{
	const unsigned most = MAPFS_DIR_NUMBER_MAX + 1;
	unsigned made = 0;
	char path[32];

	(void)state;
	prepare(DISK_BYTES);
	for (unsigned i = 0; made < most; i++) {
		sprintf(path, "/d/%u", i);
		if (collide_index(path + 3, strlen(path + 3)) != 0)
			continue;
		assert_int_equal(vfs_link(&w.ctx, NULL, "/file", 0, NULL, path), 0);
		made++;
	}
	assert_int_equal(vfs_link(&w.ctx, NULL, "/file", 0, NULL, "/d/c"), -ENOSPC);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/f", 0755), -ENOSPC);
	assert_int_equal(vfs_rename(&w.ctx, NULL, "/file", NULL, "/d/c", 0), -ENOSPC);
	assert_int_equal(vfs_link(&w.ctx, NULL, "/file", 0, NULL, "/d/a"), 0); /* of another hash */
	world_remount(&w);
	assert_int_equal(vfs_unlink(&w.ctx, NULL, path), 0);
	assert_int_equal(vfs_link(&w.ctx, NULL, "/file", 0, NULL, "/d/c"), 0);
	assert_int_equal(vfs_link(&w.ctx, NULL, "/file", 0, NULL, "/d/f"), -ENOSPC);
	world_free(&w);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef MAPFS_DIR_COLLIDE
		cmocka_unit_test(numbers_run_out),
#endif
		cmocka_unit_test(small_directories_are_small),
		cmocka_unit_test(readers_see_each_name_once),
		cmocka_unit_test(names_go_in_order),
		cmocka_unit_test(every_name_on_a_full_disk),
		cmocka_unit_test(every_read_fails),
		cmocka_unit_test(every_allocation_fails),
		cmocka_unit_test(the_power_goes),
	};

	return cmocka_run_group_tests_name("mapfs_dir", tests, NULL, NULL);
}
