// SPDX-License-Identifier: MIT
/*
 * Memory fails at every place: for each call, its first allocation, its second, and so on until it
 * gets through.  A call that fails says ENOMEM, and has changed nothing that a new look (with the
 * name cache empty) could see; one that gets through has done what it should.
 */
#include "harness.h"

#define LONG_NAME "a_name_that_does_not_fit_inside_an_entry_of_the_name_cache"

static int open_new(void)
{
	struct file *f;
	int err = vfs_open(&ctx, NULL, "/d/" LONG_NAME, FS_O_CREAT | FS_O_RDWR, 0666, &f);

	if (!err)
		file_unref(f);
	return err;
}

static int open_old(void)
{
	struct file *f;
	int err = vfs_open(&ctx, NULL, "/s", FS_O_RDWR, 0666, &f);

	if (!err)
		file_unref(f);
	return err;
}

static int mkdir_new(void)
{
	return vfs_mkdir(&ctx, NULL, "/d/new", 0777);
}

static int symlink_new(void)
{
	return vfs_symlink(&ctx, "/f", NULL, "/d/new");
}

static int link_new(void)
{
	return vfs_link(&ctx, NULL, "/f", 0, NULL, "/d/new");
}

static int rename_new(void)
{
	return vfs_rename(&ctx, NULL, "/f", NULL, "/d/" LONG_NAME, 0);
}

static int rename_over(void)
{
	return vfs_rename(&ctx, NULL, "/f", NULL, "/g", 0);
}

static int exchange(void)
{
	return vfs_rename(&ctx, NULL, "/f", NULL, "/" LONG_NAME, FS_RENAME_EXCHANGE);
}

static int unlink_old(void)
{
	return vfs_unlink(&ctx, NULL, "/f");
}

static int stat_old(void)
{
	return lstat_of("/s/.", NULL) == -ENOTDIR ? 0 : lstat_of("/s", NULL);
}

static int mount_new(void)
{
	struct dentry *d;
	int err = path_lookup(&ctx, NULL, "/e", 0, &d);

	if (err)
		return err;
	err = mount_on(d, "devfs", "none", "none", 0, "");
	dentry_unref(d);
	return err;
}

static const struct nomem_row {
	const char *name;
	int (*call)(void);
	const char *after, *after_d; /* the names in / and in /d */
} rows[] = {
	{"create", open_new, NULL, LONG_NAME},
	{"open", open_old, NULL, NULL},
	{"mkdir", mkdir_new, NULL, "new"},
	{"symlink", symlink_new, NULL, "new"},
	{"link", link_new, NULL, "new"},
	{"rename", rename_new, "d e g " LONG_NAME " s", LONG_NAME},
	{"rename over", rename_over, "d e " LONG_NAME " s g", NULL},
	{"exchange", exchange, NULL, NULL},
	{"unlink", unlink_old, "d e g " LONG_NAME " s", NULL},
	{"stat", stat_old, NULL, NULL},
	{"mount", mount_new, NULL, NULL},
};

#define BEFORE "d e f g " LONG_NAME " s"

static void make_tree(void)
{
	must_mkdir("/d");
	must_mkdir("/e");
	must_write("/f", "F");
	must_write("/g", "G");
	must_write("/" LONG_NAME, "L");
	assert_int_equal(vfs_symlink(&ctx, "/f", NULL, "/s"), 0);
	dentry_shrink(0);
}

/* A create that could not be remembered has happened all the same. */
static bool is_as_before(void)
{
	dentry_shrink(0);
	return strcmp(names_in("/"), BEFORE) == 0 && strcmp(names_in("/d"), "") == 0;
}

static void check_after(const struct nomem_row *row)
{
	dentry_shrink(0);
	assert_string_equal(names_in("/"), row->after ? row->after : BEFORE);
	assert_string_equal(names_in("/d"), row->after_d ? row->after_d : "");
}

/* Returns how many allocations had to succeed; each run is on a fresh tmpfs. */
static void sweep(const struct nomem_row *row)
{
	long n;

	for (n = 1;; n++) {
		int err;

		assert_int_equal(test_setup(NULL), 0);
		make_tree();
		fsh_posix_fail_after = n;
		err = row->call();
		if (fsh_posix_fail_after > 0) {
			fsh_posix_fail_after = 0;
			assert_int_equal(err, 0);
			check_after(row);
			assert_int_equal(test_teardown(NULL), 0);
			break;
		}
		if (err && (err != -ENOMEM || !is_as_before()))
			fail_msg("%s, allocation %ld: %s", row->name, n, error_name(err));
		if (!err)
			check_after(row);
		assert_int_equal(test_teardown(NULL), 0);
	}
	print_message("# %s: %ld allocations\n", row->name, n - 1);
	assert_true(n > 1 || strcmp(row->name, "unlink") == 0);
}

static void every_allocation_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		sweep(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_fails),
	};

	return cmocka_run_group_tests_name("fs_nomem", tests, group_setup, NULL);
}
