// SPDX-License-Identifier: MIT
/*
 * Changes of size: what a cut leaves behind its edge is never seen again, whatever comes in
 * between: a crash, a failure, a write, an unlink.
 */
#include "world.h"

#include <fs_posix.h>
#include <mapfs/mapfs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE   4096u
#define PIECES 60u /* more than one transaction frees */
#define LENGTH ((uint64_t)(2 * PIECES - 1) * PAGE)

static struct world w;
static struct file *file;

static uint8_t byte_of(uint64_t at)
{
	return at / PAGE % 2 ? 0 : (uint8_t)(1 + at % 251);
}

/* /f: every second page is written, so every piece is one block. */
static int setup(void **state)
{
	uint8_t page[PAGE];

	(void)state;
	world_make(&w, 4 << 20, 0);
	world_mount(&w);
	assert_int_equal(world_open(&w, "/f", FS_O_CREAT | FS_O_RDWR, &file), 0);
	for (uint64_t at = 0; at < LENGTH; at += 2 * PAGE) {
		for (unsigned i = 0; i < PAGE; i++)
			page[i] = byte_of(at + i);
		assert_int_equal(world_write(file, page, PAGE, at), 0);
	}
	assert_int_equal(file_sync(file, false), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_free(&w);
	return 0;
}

static uint64_t size_of_file(void)
{
	struct fs_attr attr;

	assert_int_equal(vfs_stat(&w.ctx, NULL, "/f", 0, &attr), 0);
	return attr.size_bytes;
}

/* Bytes of /f up to `kept` are what they were; those behind, up to its size, are zero. */
static void check_bytes(uint64_t kept)
{
	uint64_t size = size_of_file();
	uint8_t *data = malloc(size + 1);
	size_t done;

	assert_int_equal(world_open(&w, "/f", FS_O_RDWR, &file), 0);
	assert_int_equal(world_read(file, data, size + 1, 0, &done), 0);
	assert_int_equal(done, size);
	for (uint64_t at = 0; at < size; at++)
		if (data[at] != (at < kept ? byte_of(at) : 0))
			fail_msg("byte %llu of %llu, kept %llu: %x", (unsigned long long)at,
				(unsigned long long)size, (unsigned long long)kept, data[at]);
	file_unref(file);
	free(data);
}

static void resize(uint64_t size)
{
	struct fs_attr attr = {.size_bytes = size};

	assert_int_equal(vfs_setattr(&w.ctx, NULL, "/f", 0, &attr, FS_SET_SIZE), 0);
}

/* --- Crashes ----------------------------------------------------------------------------- */

static void some_sectors(void *seed, size_t i, const struct testdisk_write *write, uint8_t *mask)
{
	uint64_t r = world_random(seed) % 4;

	(void)i;
	for (uint32_t s = 0; s < write->n_sectors; s++)
		mask[s] = r < 2 || (r == 2 && world_random(seed) % 2);
}

/* The old size with all its bytes, or the new one; and a larger one shows zeros. */
static uint64_t check_after_crash(uint64_t cut)
{
	uint64_t kept;

	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	kept = size_of_file();
	assert_true(kept == LENGTH || kept == cut);
	check_bytes(kept);
	resize(LENGTH + 5000);
	world_remount(&w);
	check_bytes(kept);
	world_unmount(&w);
	return kept;
}

/* The power goes at any moment of a cut, with a random part of what was not flushed. */
static void cut_and_crash(uint64_t cut)
{
	uint64_t seed = world_seed();
	unsigned after = 0;
	uint8_t *before;

	file_unref(file);
	world_unmount(&w);
	before = testdisk_save(w.disk);
	for (unsigned i = 0; i < 60; i++) {
		testdisk_load(w.disk, before);
		testdisk_begin_recording(w.disk);
		world_mount(&w);
		resize(cut);
		assert_int_equal(mount_sync_all(), 0);
		world_unmount(&w);
		testdisk_cut(w.disk, (uint32_t)(world_random(&seed) % (w.disk->epoch + 1)),
			some_sectors, &seed);
		w.disk->record = false;
		after += check_after_crash(cut) == cut;
	}
	assert_in_range(after, 1, 59); /* both were seen */
	testdisk_forget(w.disk, before);
}

static void a_cut_inside_a_block_survives(void **state)
{
	(void)state;
	cut_and_crash(6 * PAGE + 100);
}

static void a_cut_between_blocks_survives(void **state)
{
	(void)state;
	cut_and_crash(6 * PAGE);
}

static void a_cut_of_a_tail_survives(void **state)
{
	(void)state;
	cut_and_crash(LENGTH - 1000);
}

/* What a crash leaves behind the next flush of pages, if somebody else commits then. */
static struct {
	bool wanted;
	uint8_t *disk;
} behind_flush;

int __real_mvm_pc_flush(
	struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, unsigned flags);
int __wrap_mvm_pc_flush(
	struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, unsigned flags);

/* In the place of mvm_pc_flush() (CMakeLists.txt). */
int __wrap_mvm_pc_flush(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, unsigned flags)
{
	int err = __real_mvm_pc_flush(obj, first, last, flags);

	if (behind_flush.wanted) {
		behind_flush.wanted = false;
		assert_int_equal(mapfs_commit(w.ctx.root->mount->fs), 0);
		behind_flush.disk = testdisk_save(w.disk);
	}
	return err;
}

/*
 * A growth is seen whole or not at all, whatever is committed beside it: here, when its old end has
 * been written.
 */
static void a_growth_is_whole(void **state)
{
	const uint64_t old = 6 * PAGE + 100;

	(void)state;
	resize(old);
	assert_int_equal(file_sync(file, false), 0);
	behind_flush.wanted = true;
	resize(LENGTH);
	assert_false(behind_flush.wanted);
	file_unref(file);
	world_unmount(&w);
	testdisk_load(w.disk, behind_flush.disk);
	testdisk_forget(w.disk, behind_flush.disk);
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	if (size_of_file() != old)
		assert_int_equal(size_of_file(), LENGTH);
	check_bytes(old);
}

/* --- Between the size and the edge ------------------------------------------------------- */

static struct mapfs_inode *inode(void)
{
	return mapfs_inode_of(file->vnode);
}

/* The machine stops here, and the disk is as it is now. */
static void stop(void)
{
	uint8_t *saved = testdisk_save(w.disk);

	file_unref(file);
	world_unmount(&w);
	testdisk_load(w.disk, saved);
	testdisk_forget(w.disk, saved);
}

/*
 * The smaller size is durable, its edge was not written: who grows the file
 * after mount writes it.
 */
static void the_edge_is_zeroed_after_a_crash(void **state)
{
	uint64_t cut = 6 * PAGE + 100;

	(void)state;
	resize(cut);
	assert_int_equal(mapfs_commit(w.ctx.root->mount->fs), 0);
	assert_int_equal(inode()->cut, MAPFS_CUT_EDGE);
	stop();
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	assert_int_equal(size_of_file(), cut);
	resize(7 * PAGE);
	world_remount(&w);
	check_bytes(cut);
}

/* The same after fsck has ended the cut. */
static void the_edge_is_zeroed_after_fsck(void **state)
{
	uint64_t cut = 6 * PAGE + 100;

	(void)state;
	resize(cut);
	assert_int_equal(mapfs_commit(w.ctx.root->mount->fs), 0);
	stop();
	world_fsck(&w, true, IMAGE_FIXED);
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	resize(7 * PAGE);
	world_remount(&w);
	check_bytes(cut);
}

/* A write behind the edge has the edge written first; one inside its page comes with it. */
static void writing_goes_on_behind_the_edge(void **state)
{
	uint64_t cut = 6 * PAGE + 100;

	(void)state;
	resize(cut);
	assert_int_equal(inode()->cut, MAPFS_CUT_EDGE);
	assert_int_equal(mvm_pc_touch_write(file->object, cut - 1, byte_of(cut - 1)), 0);
	assert_int_equal(inode()->cut, MAPFS_CUT_EDGE);
	assert_int_equal(world_write(file, "", 1, 9 * PAGE), 0);
	assert_int_equal(inode()->cut, MAPFS_CUT_NONE);
	assert_int_equal(file_sync(file, true), 0);
	stop();
	world_mount(&w);
	assert_int_equal(size_of_file(), 9 * PAGE + 1);
	check_bytes(cut);
}

/* The edge is not written before the size is durable: its write-back commits. */
static void the_edge_waits_for_the_size(void **state)
{
	struct mapfs_group_commit *c = &mapfs_of(file->vnode)->commit;
	uint64_t commits = c->commits;

	(void)state;
	resize(6 * PAGE + 100);
	assert_int_equal(c->commits, commits);
	assert_int_equal(mvm_pc_flush(file->object, 6, 6, MVM_PC_WAIT), 0);
	assert_int_equal(c->commits, commits + 1);
	assert_int_equal(inode()->cut, MAPFS_CUT_NONE);
	assert_false(inode()->orphan);
	file_unref(file);
	world_remount(&w);
	check_bytes(6 * PAGE + 100);
}

/* A growth that fails has not been. */
static void a_growth_may_fail(void **state)
{
	uint64_t old = 6 * PAGE + 100;

	(void)state;
	resize(old);
	assert_int_equal(file_sync(file, false), 0);
	w.disk->fault[TESTDISK_WRITE] = (struct testdisk_fault){.countdown = 1};
	assert_int_equal(file_truncate(file, LENGTH), -EIO);
	assert_int_equal(size_of_file(), old);
	resize(LENGTH);
	file_unref(file);
	world_remount(&w);
	check_bytes(old);
}

/* What is left of a cut that failed is done by fsync: then the last page can be stored to again. */
static void fsync_ends_a_cut_that_failed(void **state)
{
	uint64_t cut = 6 * PAGE + 100;

	for (long n = 1; inode()->cut != MAPFS_CUT_FAILED; n++) {
		assert_in_range(n, 1, 200);
		file_unref(file);
		world_free(&w);
		setup(state);
		fsh_posix_fail_after = n;
		(void)!file_truncate(file, cut);
		fsh_posix_fail_after = 0;
	}
	assert_int_equal(file_sync(file, false), 0);
	assert_int_not_equal(inode()->cut, MAPFS_CUT_FAILED);
	assert_int_equal(mvm_pc_touch_write(file->object, cut - 1, byte_of(cut - 1)), 0);
	file_unref(file);
	world_remount(&w);
	check_bytes(cut);
}

/* A file that is being cut loses its name: it stays on the list, once, and all of it comes back. */
static void unlinked_while_it_is_cut(void **state)
{
	struct mapfs *fs = mapfs_of(file->vnode);
	struct mapfs_space *space = &fs->space[MAPFS_BLOCKS];

	(void)state;
	resize(6 * PAGE + 100);
	assert_true(inode()->orphan);
	assert_int_equal(vfs_unlink(&w.ctx, NULL, "/f"), 0);
	assert_int_equal(mvm_pc_flush(file->object, 0, 100, MVM_PC_WAIT), 0);
	assert_int_equal(mapfs_commit(fs), 0);
	assert_true(inode()->orphan);
	stop();
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	fs = w.ctx.root->mount->fs;
	space = &fs->space[MAPFS_BLOCKS];
	assert_int_equal(mapfs_checkpoint(fs), 0);
	assert_int_equal(mapfs_state(fs)->orphan_head, 0);
	/* The root's block of names is all there is. */
	assert_int_equal(space->total - space->free, 1);
	world_remount(&w);
}

/* --- Failures ---------------------------------------------------------------------------- */

/*
 * A cut fails anywhere, for want of memory or because the disk cannot be read; then the file grows,
 * or somebody appends to it, or nobody does anything.  Never does anything that was cut show.
 */
enum then { NOTHING, GROW, APPEND, N_THEN };

static void cut_with_a_failure(bool memory, uint64_t n, bool *met)
{
	struct fs_attr attr = {.size_bytes = 6 * PAGE + 100};
	int err;

	if (memory)
		fsh_posix_fail_after = (long)n;
	else
		w.disk->fault[TESTDISK_READ] = (struct testdisk_fault){.countdown = n};
	w.disk->injected = 0;
	err = vfs_setattr(&w.ctx, NULL, "/f", 0, &attr, FS_SET_SIZE);
	*met = memory ? fsh_posix_fail_after == 0 : w.disk->injected > 0;
	fsh_posix_fail_after = 0;
	memset(w.disk->fault, 0, sizeof(w.disk->fault));
	assert_true(err == 0 || (*met && (err == -ENOMEM || err == -EIO)));
}

/* Either it works, or it is refused because the cut has failed; *kept: what is to be there then. */
static void append(uint64_t *kept, unsigned *refused)
{
	uint8_t bytes[100];
	size_t done;
	int err;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = byte_of(*kept + i);
	assert_int_equal(world_open(&w, "/f", FS_O_RDWR, &file), 0);
	err = world_write_some(file, bytes, sizeof(bytes), *kept, &done);
	if (err) {
		assert_int_equal(err, -EIO);
		assert_int_equal(inode()->cut, MAPFS_CUT_FAILED);
		*refused += 1;
	}
	*kept += done;
	file_unref(file);
	assert_int_equal(size_of_file(), *kept);
}

static void a_cut_may_fail_and_then(const uint8_t *before, bool memory, enum then then)
{
	unsigned refused = 0;
	bool met = true;
	uint64_t n = 0;

	while (met) {
		uint64_t kept;

		testdisk_load(w.disk, before);
		world_mount(&w);
		cut_with_a_failure(memory, ++n, &met);
		kept = size_of_file();
		assert_true(kept == LENGTH || kept == 6 * PAGE + 100);
		if (then == APPEND)
			append(&kept, &refused);
		if (then != NOTHING)
			resize(LENGTH + 1000);
		check_bytes(kept);
		world_remount(&w);
		check_bytes(kept);
		world_unmount(&w);
		world_fsck(&w, false, IMAGE_CLEAN);
	}
	assert_in_range(n, memory ? 20 : 3, 1000);
	/*
	 * The disk fails only before the smaller size is the cache's: what comes
	 * then is in memory.
	 */
	assert_int_equal(refused > 0, memory && then == APPEND);
}

static void a_cut_may_fail(bool memory)
{
	uint8_t *before;

	file_unref(file);
	world_unmount(&w);
	before = testdisk_save(w.disk);
	for (enum then then = NOTHING; then < N_THEN; then++)
		a_cut_may_fail_and_then(before, memory, then);
	testdisk_forget(w.disk, before);
}

static void a_cut_without_memory(void **state)
{
	(void)state;
	a_cut_may_fail(true);
}

static void a_cut_of_what_cannot_be_read(void **state)
{
	(void)state;
	a_cut_may_fail(false);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_cut_inside_a_block_survives),
		TEST(a_cut_between_blocks_survives),
		TEST(a_cut_of_a_tail_survives),
		TEST(a_growth_is_whole),
		TEST(the_edge_is_zeroed_after_a_crash),
		TEST(the_edge_is_zeroed_after_fsck),
		TEST(writing_goes_on_behind_the_edge),
		TEST(the_edge_waits_for_the_size),
		TEST(a_growth_may_fail),
		TEST(fsync_ends_a_cut_that_failed),
		TEST(unlinked_while_it_is_cut),
		TEST(a_cut_without_memory),
		TEST(a_cut_of_what_cannot_be_read),
	};

	return cmocka_run_group_tests_name("mapfs_resize", tests, NULL, NULL);
}
