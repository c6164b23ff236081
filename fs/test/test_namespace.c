// SPDX-License-Identifier: MIT
/* Making, linking, removing and renaming: who may, what replaces what, and what is left. */
#include "harness.h"

/* --- Rename: a table ------------------------------------------------------------------------- */

/* The tree that each row starts from:  f g (files)  h (= f)  s -> f  e/ (empty)  d/ with d/x d/sub/
 */
static void make_cast(void)
{
	must_write("f", "F");
	must_write("g", "G");
	assert_int_equal(vfs_link(&ctx, NULL, "f", 0, NULL, "h"), 0);
	assert_int_equal(vfs_symlink(&ctx, "f", NULL, "s"), 0);
	must_mkdir("e");
	must_mkdir("d");
	must_mkdir("d/sub");
	must_write("d/x", "X");
}

#define NR FS_RENAME_NOREPLACE
#define EX FS_RENAME_EXCHANGE

static const struct rename_row {
	const char *from, *to;
	unsigned flags;
	const char *result;
	const char *names;   /* afterwards */
	const char *d_names; /* in d (or where it went), NULL: as before */
} renames[] = {
	{"f", "n", 0, "ok", "g h s e d n", NULL},
	{"f", "g", 0, "ok", "h s e d g", NULL},
	{"f", "f", 0, "ok", "f g h s e d", NULL},
	{"f", "h", 0, "ok", "f g h s e d", NULL},
	{"f", "e", 0, "EISDIR", "f g h s e d", NULL},
	{"f", "d/x", 0, "ok", "g h s e d", "sub x"},
	{"f", "d/new", 0, "ok", "g h s e d", "sub x new"},
	{"d/x", "f", 0, "ok", "g h s e d f", "sub"},
	{"f/", "n", 0, "ENOTDIR", "f g h s e d", NULL},
	{"f", "n/", 0, "ENOTDIR", "f g h s e d", NULL},
	{"s", "n", 0, "ok", "f g h e d n", NULL},
	{"f", "s", 0, "ok", "g h e d s", NULL},
	{"none", "n", 0, "ENOENT", "f g h s e d", NULL},
	{"none", "none", 0, "ENOENT", "f g h s e d", NULL},
	{"f", "none/n", 0, "ENOENT", "f g h s e d", NULL},
	{"f", "g/n", 0, "ENOTDIR", "f g h s e d", NULL},
	{"d", "e", 0, "ok", "f g h s e", NULL},
	{"e", "d", 0, "ENOTEMPTY", "f g h s e d", NULL},
	{"e", "d/sub", 0, "ok", "f g h s d", "x sub"},
	{"e", "f", 0, "ENOTDIR", "f g h s e d", NULL},
	{"e/", "n/", 0, "ok", "f g h s d n", NULL},
	{"d", "d/sub/n", 0, "EINVAL", "f g h s e d", NULL},
	{"d", "d/n", 0, "EINVAL", "f g h s e d", NULL},
	{"d/sub", "d", 0, "ENOTEMPTY", "f g h s e d", NULL},
	{"d", "d", 0, "ok", "f g h s e d", NULL},
	{"d/.", "n", 0, "EBUSY", "f g h s e d", NULL},
	{"d/..", "n", 0, "EBUSY", "f g h s e d", NULL},
	{"f", ".", 0, "EBUSY", "f g h s e d", NULL},
	{"f", ".", NR, "EEXIST", "f g h s e d", NULL},
	{".", "f", NR, "EBUSY", "f g h s e d", NULL},
	{"f", "g", NR, "EEXIST", "f g h s e d", NULL},
	{"f", "f", NR, "EEXIST", "f g h s e d", NULL},
	{"f", "n", NR, "ok", "g h s e d n", NULL},
	{"f", "g", EX, "ok", "f g h s e d", NULL},
	{"f", "n", EX, "ENOENT", "f g h s e d", NULL},
	{"f", "d", EX, "ok", "f g h s e d", NULL},
	{"f", "d/x", EX, "ok", "f g h s e d", "sub x"},
	{"e", "d/sub", EX, "ok", "f g h s e d", "sub x"},
	{"d", "d/sub", EX, "EINVAL", "f g h s e d", NULL},
	{"d/sub", "d", EX, "EINVAL", "f g h s e d", NULL},
	{"f", "g", NR | EX, "EINVAL", "f g h s e d", NULL},
	{"f", "g", 8, "EINVAL", "f g h s e d", NULL},
};

static void check_rename(const struct rename_row *row)
{
	int err = vfs_rename(&ctx, NULL, row->from, NULL, row->to, row->flags);

	if (strcmp(error_name(err), row->result) || strcmp(names_in("."), row->names))
		fail_msg("rename %s %s %u: %s, and \"%s\"", row->from, row->to, row->flags,
			error_name(err), names_in("."));
	if (row->d_names)
		assert_string_equal(names_in("d"), row->d_names);
	/* What the name cache says is what the file system says. */
	dentry_shrink(0);
	assert_string_equal(names_in("."), row->names);
}

static void rename_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(renames) / sizeof(*renames); i++) {
		char name[16];

		snprintf(name, sizeof(name), "/case%zu", i);
		must_mkdir(name);
		assert_int_equal(vfs_chdir(&ctx, NULL, name, &ctx.cwd), 0);
		make_cast();
		check_rename(&renames[i]);
		vfs_check();
		dentry_unref(ctx.cwd);
		ctx.cwd = ctx.root;
	}
}

static void renames_carry_files(void **state)
{
	struct fs_attr before, after, dir;
	char *text;

	(void)state;
	make_cast();
	assert_int_equal(lstat_of("f", &before), 0);
	assert_int_equal(before.nlink, 2);
	assert_int_equal(vfs_rename(&ctx, NULL, "f", NULL, "d/x", 0), 0);
	assert_int_equal(lstat_of("d/x", &after), 0);
	assert_int_equal(after.ino, before.ino);
	assert_int_equal(after.nlink, 2);
	assert_int_equal(lstat_of("f", NULL), -ENOENT);
	text = contents("d/x");
	assert_string_equal(text, "F");
	free(text);

	assert_int_equal(lstat_of("d", &dir), 0);
	assert_int_equal(dir.nlink, 3);
	assert_int_equal(vfs_rename(&ctx, NULL, "d/sub", NULL, "e/sub", 0), 0);
	assert_int_equal(lstat_of("d", &dir), 0);
	assert_int_equal(dir.nlink, 2);
	assert_int_equal(lstat_of("e", &dir), 0);
	assert_int_equal(dir.nlink, 3);
	assert_string_equal(walked("e/sub/..", 0), "/e");

	/* A file and a directory change places. */
	assert_int_equal(vfs_rename(&ctx, NULL, "d/x", NULL, "e/sub", EX), 0);
	assert_string_equal(names_in("d/x"), "");
	text = contents("e/sub");
	assert_string_equal(text, "F");
	free(text);
	assert_int_equal(lstat_of("d", &dir), 0);
	assert_int_equal(dir.nlink, 3);
}

/* --- Making and removing --------------------------------------------------------------------- */

static int mkdir_at(const char *path)
{
	return vfs_mkdir(&ctx, NULL, path, 0777);
}

static void making(void **state)
{
	struct fs_attr attr;

	(void)state;
	make_cast();
	assert_int_equal(mkdir_at("d"), -EEXIST);
	assert_int_equal(mkdir_at("f"), -EEXIST);
	assert_int_equal(mkdir_at("s"), -EEXIST);
	assert_int_equal(mkdir_at("."), -EEXIST);
	assert_int_equal(mkdir_at("/"), -EEXIST);
	assert_int_equal(mkdir_at("none/n"), -ENOENT);
	assert_int_equal(mkdir_at("f/n"), -ENOTDIR);
	assert_int_equal(mkdir_at("n/"), 0);
	assert_int_equal(vfs_symlink(&ctx, "", NULL, "empty"), -ENOENT);
	assert_int_equal(vfs_symlink(&ctx, "x", NULL, "slash/"), -ENOENT);
	assert_int_equal(vfs_mknod(&ctx, NULL, "p", FS_IFIFO | 0600, 0), 0);
	assert_int_equal(vfs_mknod(&ctx, NULL, "dir", FS_IFDIR | 0600, 0), -EPERM);
	ctx.umask = 027;
	assert_int_equal(vfs_mknod(&ctx, NULL, "dev", FS_IFCHR | 0666, FS_DEV(1, 300)), 0);
	assert_int_equal(lstat_of("dev", &attr), 0);
	assert_int_equal(attr.mode, FS_IFCHR | 0640);
	assert_int_equal(attr.rdev, FS_DEV(1, 300));
	become(7, 8);
	assert_int_equal(vfs_mknod(&ctx, NULL, "dev2", FS_IFCHR | 0666, 0), -EPERM);
}

static void linking(void **state)
{
	struct fs_attr attr;

	(void)state;
	make_cast();
	assert_int_equal(vfs_link(&ctx, NULL, "d", 0, NULL, "n"), -EPERM);
	assert_int_equal(vfs_link(&ctx, NULL, "f", 0, NULL, "g"), -EEXIST);
	assert_int_equal(vfs_link(&ctx, NULL, "f", 0, NULL, "."), -EEXIST);
	assert_int_equal(vfs_link(&ctx, NULL, "f", 0, NULL, "n/"), -ENOENT);
	assert_int_equal(vfs_link(&ctx, NULL, "none", 0, NULL, "n"), -ENOENT);
	assert_int_equal(vfs_link(&ctx, NULL, "s", 0, NULL, "s2"), 0);
	assert_int_equal(lstat_of("s2", &attr), 0);
	assert_int_equal(attr.mode & FS_IFMT, FS_IFLNK);
	assert_int_equal(vfs_link(&ctx, NULL, "s", PATH_FOLLOW, NULL, "f2"), 0);
	assert_int_equal(lstat_of("f2", &attr), 0);
	assert_int_equal(attr.mode & FS_IFMT, FS_IFREG);
	assert_int_equal(attr.nlink, 3);
	assert_int_equal(vfs_unlink(&ctx, NULL, "f2"), 0);
	assert_int_equal(lstat_of("f", &attr), 0);
	assert_int_equal(attr.nlink, 2);
}

static void removing(void **state)
{
	struct fs_attr attr;

	(void)state;
	make_cast();
	assert_int_equal(vfs_unlink(&ctx, NULL, "d"), -EISDIR);
	assert_int_equal(vfs_unlink(&ctx, NULL, "."), -EISDIR);
	assert_int_equal(vfs_unlink(&ctx, NULL, "f/"), -ENOTDIR);
	assert_int_equal(vfs_unlink(&ctx, NULL, "d/"), -EISDIR);
	assert_int_equal(vfs_unlink(&ctx, NULL, "none/"), -ENOENT);
	assert_int_equal(vfs_unlink(&ctx, NULL, "none"), -ENOENT);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "f"), -ENOTDIR);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "s"), -ENOTDIR);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "d"), -ENOTEMPTY);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "d/."), -EINVAL);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "d/sub/.."), -ENOTEMPTY);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/"), -EBUSY);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "d/sub/"), 0);
	assert_int_equal(vfs_unlink(&ctx, NULL, "d/x"), 0);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "d"), 0);
	assert_int_equal(vfs_unlink(&ctx, NULL, "s"), 0);
	assert_string_equal(names_in("."), "f g h e");
	assert_int_equal(lstat_of("/", &attr), 0);
	assert_int_equal(attr.nlink, 3);
}

static void removed_directories_are_dead(void **state)
{
	struct file *f;

	(void)state;
	must_mkdir("/gone");
	assert_int_equal(vfs_chdir(&ctx, NULL, "/gone", &ctx.cwd), 0);
	f = must_open(".", FS_O_RDONLY);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/gone"), 0);
	assert_int_equal(vfs_mkdir(&ctx, NULL, "n", 0777), -ENOENT);
	assert_int_equal(vfs_symlink(&ctx, "x", NULL, "n"), -ENOENT);
	assert_string_equal(walked("n", 0), "ENOENT");
	assert_string_equal(walked("..", 0), "/");
	assert_string_equal(walked(".", 0), "ENOENT");
	assert_int_equal(file_readdir(f, NULL), -ENOENT);
	file_unref(f);
	dentry_unref(ctx.cwd);
	ctx.cwd = ctx.root;
}

/* Free names that are remembered in a directory do not keep it when it goes. */
static void removed_directories_go(void **state)
{
	struct vfs_counts before, after;

	(void)state;
	must_mkdir("/other");
	vfs_counts(&before);
	must_mkdir("/d");
	assert_string_equal(walked("/d/none", 0), "ENOENT");
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/d"), 0);
	must_mkdir("/d");
	assert_string_equal(walked("/d/none", 0), "ENOENT");
	assert_int_equal(vfs_rename(&ctx, NULL, "/other", NULL, "/d", 0), 0);
	vfs_counts(&after);
	assert_int_equal(after.vnodes, before.vnodes);
	assert_int_equal(after.names, before.names);
}

static void read_only_mounts(void **state)
{
	struct fs_attr attr = {.mode = 0};
	struct dentry *m;
	struct file *f;

	(void)state;
	must_mkdir("/ro");
	assert_int_equal(path_lookup(&ctx, NULL, "/ro", 0, &m), 0);
	assert_int_equal(mount_on(m, "tmpfs", "none", "none", 0, ""), 0);
	dentry_unref(m);
	must_write("/ro/f", "x");
	must_mkdir("/ro/d");
	assert_int_equal(path_lookup(&ctx, NULL, "/ro", 0, &m), 0);
	m->mount->flags |= MOUNT_RDONLY;
	assert_int_equal(vfs_mkdir(&ctx, NULL, "/ro/n", 0777), -EROFS);
	assert_int_equal(vfs_mkdir(&ctx, NULL, "/ro/d", 0777), -EEXIST);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/ro/f"), -EROFS);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/ro/none"), -EROFS);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/ro/d"), -EROFS);
	assert_int_equal(vfs_rename(&ctx, NULL, "/ro/f", NULL, "/ro/g", 0), -EROFS);
	assert_int_equal(vfs_link(&ctx, NULL, "/ro/f", 0, NULL, "/ro/g"), -EROFS);
	assert_int_equal(vfs_setattr(&ctx, NULL, "/ro/f", 0, &attr, FS_SET_MODE), -EROFS);
	assert_int_equal(vfs_open(&ctx, NULL, "/ro/f", FS_O_WRONLY, 0, &f), -EROFS);
	assert_int_equal(vfs_open(&ctx, NULL, "/ro/f", FS_O_TRUNC, 0, &f), -EROFS);
	assert_int_equal(vfs_open(&ctx, NULL, "/ro/n", FS_O_CREAT, 0, &f), -EROFS);
	assert_int_equal(vfs_access(&ctx, NULL, "/ro/f", 0, FS_WRITE), -EROFS);
	assert_int_equal(vfs_open(&ctx, NULL, "/ro/f", FS_O_CREAT, 0, &f), 0);
	file_unref(f);
	assert_int_equal(mount_take(m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rename_rules, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(renames_carry_files, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(making, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(linking, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(removing, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(
			removed_directories_are_dead, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(removed_directories_go, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(read_only_mounts, test_setup, test_teardown),
	};

	return cmocka_run_group_tests_name("fs_namespace", tests, group_setup, NULL);
}
