// SPDX-License-Identifier: MIT
/* Errors of the device: who is told, how often, and what goes on all the same. */
#include "world.h"

#include "mapfs.h"

#include <string.h>

static int setup(void **state)
{
	static struct world w;

	world_make(&w, 16 << 20, 256);
	world_mount(&w);
	assert_int_equal(world_put(&w, "/a", 5000, 1), 0);
	assert_int_equal(mount_sync_all(), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static void fail_next(struct world *w, enum testdisk_op op)
{
	w->disk->fault[op] = (struct testdisk_fault){.countdown = 1};
}

/* What the device's cache held is not known any more: nobody is told that it is durable. */
static void after_a_failed_flush_nothing_is_durable(void **state)
{
	static const char data[100];
	struct world *w = *state;
	struct file *f, *other;

	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &f), 0);
	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &other), 0);
	assert_int_equal(world_write(f, data, sizeof(data), 0), 0);
	fail_next(w, TESTDISK_FLUSH);
	assert_int_equal(file_sync(f, true), -EIO);
	assert_int_equal(file_sync(f, true), -EIO);
	assert_int_equal(file_sync(other, true), -EIO);
	assert_int_equal(vfs_mkdir(&w->ctx, NULL, "/d", 0755), -EROFS);
	assert_non_null(strstr(world_said(), "read-only from now on"));
	file_unref(f);
	file_unref(other);
}

/* O_DSYNC: write(2) has told; fsync of the same open file does not tell again, of another one does. */
static void an_open_file_is_told_once(void **state)
{
	static const char data[100];
	struct world *w = *state;
	struct file *f, *other;

	assert_int_equal(world_open(w, "/a", FS_O_RDWR | FS_O_DSYNC, &f), 0);
	assert_int_equal(world_open(w, "/a", FS_O_RDWR, &other), 0);
	fail_next(w, TESTDISK_WRITE);
	assert_int_equal(world_write(f, data, sizeof(data), 0), -EIO);
	assert_int_equal(world_write(f, data, sizeof(data), 0), 0);
	assert_int_equal(file_sync(f, false), 0);
	assert_int_equal(file_sync(other, false), -EIO);
	assert_int_equal(file_sync(other, false), 0);
	file_unref(f);
	file_unref(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			after_a_failed_flush_nothing_is_durable, setup, teardown),
		cmocka_unit_test_setup_teardown(an_open_file_is_told_once, setup, teardown),
	};

	return cmocka_run_group_tests_name("mapfs_errors", tests, NULL, NULL);
}
