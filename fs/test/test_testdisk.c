// SPDX-License-Identifier: MIT
/* The test disk keeps, forgets, tears and fails as it says. */
#include "testdisk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct testdisk *disk;

static int setup(void **state)
{
	(void)state;
	disk = testdisk_new(NULL, 64 * 1024);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testdisk_free(disk);
	return 0;
}

static int put(uint64_t sector, char c, unsigned sectors)
{
	char data[4096];

	memset(data, c, sizeof(data));
	return blk_write(&disk->dev, sector, data, sectors * 512);
}

static char get(uint64_t sector)
{
	char data[512];

	assert_int_equal(blk_read(&disk->dev, sector, data, 512), 0);
	for (unsigned i = 1; i < 512; i++)
		assert_int_equal(data[i], data[0]);
	return data[0];
}

static void none(void *arg, size_t i, const struct testdisk_write *w, uint8_t *mask)
{
	(void)arg, (void)i, (void)w, (void)mask;
}

static void only(void *arg, size_t i, const struct testdisk_write *w, uint8_t *mask)
{
	memset(mask, i == *(size_t *)arg, w->n_sectors);
}

static void first_sector(void *arg, size_t i, const struct testdisk_write *w, uint8_t *mask)
{
	(void)arg, (void)i, (void)w;
	mask[0] = 1;
}

static void reads_see_every_write(void **state)
{
	(void)state;
	assert_int_equal(put(3, 'a', 1), 0);
	assert_int_equal(put(3, 'b', 1), 0);
	assert_int_equal(get(3), 'b');
	assert_int_equal(get(4), 0);
}

static void a_cut_takes_what_was_not_flushed(void **state)
{
	(void)state;
	testdisk_begin_recording(disk);
	assert_int_equal(put(0, 'a', 1), 0);
	assert_int_equal(blk_flush(&disk->dev), 0);
	assert_int_equal(put(0, 'b', 1), 0);
	assert_int_equal(put(1, 'c', 2), 0);
	assert_int_equal(disk->epoch, 1);

	testdisk_cut(disk, 0, none, NULL);
	assert_int_equal(get(0), 0);
	testdisk_cut(disk, 1, none, NULL);
	assert_int_equal(get(0), 'a');
	assert_int_equal(get(1), 0);
	for (size_t keep = 1; keep <= 2; keep++) {
		testdisk_cut(disk, 1, only, &keep);
		assert_int_equal(get(0), keep == 1 ? 'b' : 'a');
		assert_int_equal(get(1), keep == 2 ? 'c' : 0);
	}
	testdisk_cut(disk, 1, first_sector, NULL);
	assert_int_equal(get(1), 'c');
	assert_int_equal(get(2), 0);
	testdisk_restore(disk);
	assert_int_equal(get(0), 'b');
	assert_int_equal(get(2), 'c');
}

static void random_cuts_keep_what_was_flushed(void **state)
{
	uint64_t seed = 42;
	unsigned kept = 0, lost = 0, torn = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(put(0, 'a', 2), 0);
		assert_int_equal(blk_flush(&disk->dev), 0);
		assert_int_equal(put(0, 'b', 2), 0);
		testdisk_power_cut(disk, &seed);
		assert_true(get(0) == 'a' || get(0) == 'b');
		kept += get(0) == 'b' && get(1) == 'b';
		lost += get(0) == 'a' && get(1) == 'a';
		torn += get(0) != get(1);
	}
	assert_true(kept && lost && torn);
}

static void a_lying_flush_keeps_nothing(void **state)
{
	(void)state;
	testdisk_begin_recording(disk);
	disk->lie = true;
	assert_int_equal(put(0, 'a', 1), 0);
	assert_int_equal(blk_flush(&disk->dev), 0);
	testdisk_cut(disk, disk->epoch, none, NULL);
	assert_int_equal(get(0), 0);
}

static void a_recording_is_taken_back(void **state)
{
	char data[512];

	(void)state;
	memset(data, 'x', sizeof(data));
	assert_int_equal(put(2, 'a', 1), 0);
	testdisk_begin_recording(disk);
	assert_int_equal(put(1, 'b', 3), 0);
	assert_int_equal(blk_flush(&disk->dev), 0);
	testdisk_rewind(disk);
	assert_int_equal(disk->n_log, 0);
	assert_int_equal(disk->epoch, 0);
	assert_int_equal(get(1), 0);
	assert_int_equal(get(2), 'a');
	testdisk_put(disk, 2, 1, data);
	assert_int_equal(put(2, 'c', 1), 0);
	testdisk_rewind(disk);
	assert_int_equal(get(2), 'x');
}

static void faults_come_when_told(void **state)
{
	(void)state;
	disk->fault[TESTDISK_WRITE] = (struct testdisk_fault){.countdown = 2};
	assert_int_equal(put(0, 'a', 1), 0);
	assert_int_equal(put(0, 'b', 1), -EIO);
	assert_int_equal(put(1, 'c', 1), 0);
	assert_int_equal(get(0), 'a');
	disk->fault[TESTDISK_WRITE] =
		(struct testdisk_fault){.countdown = 1, .forever = true, .tear = true};
	assert_int_equal(put(0, 'd', 2), -EIO);
	assert_int_equal(put(0, 'd', 2), -EIO);
	assert_int_equal(get(0), 'd');
	assert_int_equal(get(1), 'c');
	disk->fault[TESTDISK_FLUSH] = (struct testdisk_fault){.countdown = 1};
	assert_int_equal(blk_flush(&disk->dev), -EIO);
	assert_int_equal(blk_flush(&disk->dev), 0);
	assert_int_equal(disk->injected, 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_see_every_write),
		TEST(a_cut_takes_what_was_not_flushed),
		TEST(random_cuts_keep_what_was_flushed),
		TEST(a_lying_flush_keeps_nothing),
		TEST(a_recording_is_taken_back),
		TEST(faults_come_when_told),
	};

	return cmocka_run_group_tests_name("fs_testdisk", tests, NULL, NULL);
}
