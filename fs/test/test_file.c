// SPDX-License-Identifier: MIT
/* Open files: what open allows, positions, appending, copies that fault, life after unlink. */
#include "harness.h"
#include <fs/chrdev.h>
#include <fs/poll.h>

/* --- Open ------------------------------------------------------------------------------------ */

struct open_row {
	const char *path;
	unsigned flags;
	const char *result;
};

static void opening(void **state)
{
	static const struct open_row rows[] = {
		{"f", FS_O_RDONLY, "ok"},
		{"f", FS_O_RDWR, "ok"},
		{"none", FS_O_RDONLY, "ENOENT"},
		{"f/", FS_O_RDONLY, "ENOTDIR"},
		{"f", FS_O_DIRECTORY, "ENOTDIR"},
		{"d", FS_O_RDONLY, "ok"},
		{"d", FS_O_DIRECTORY, "ok"},
		{"d", FS_O_WRONLY, "EISDIR"},
		{"d", FS_O_RDWR, "EISDIR"},
		{"d", FS_O_RDONLY | FS_O_TRUNC, "EISDIR"},
		{"d", FS_O_CREAT, "EISDIR"},
		{"d/", FS_O_CREAT, "EISDIR"},
		{"new/", FS_O_CREAT, "EISDIR"},
		{".", FS_O_CREAT, "EISDIR"},
		{"d", FS_O_CREAT | FS_O_DIRECTORY, "EINVAL"},
		{"f", FS_O_CREAT | FS_O_EXCL, "EEXIST"},
		{"s", FS_O_CREAT | FS_O_EXCL, "EEXIST"},
		{"s", FS_O_RDONLY, "ok"},
		{"s", FS_O_NOFOLLOW, "ELOOP"},
		{"s", FS_O_CREAT | FS_O_NOFOLLOW, "ELOOP"},
		{"s", FS_O_PATH | FS_O_NOFOLLOW, "ok"},
		{"loop", FS_O_RDONLY, "ELOOP"},
		{"loop", FS_O_CREAT, "ELOOP"},
		{"none/f", FS_O_CREAT, "ENOENT"},
		{"f/x", FS_O_CREAT, "ENOTDIR"},
		{"pipe", FS_O_RDONLY, "ENXIO"},
		{"nodriver", FS_O_RDONLY, "ENXIO"},
		{"nodriver", FS_O_PATH, "ok"},
		{"s_new", FS_O_CREAT | FS_O_EXCL, "EEXIST"},
		{"s_new", FS_O_CREAT | FS_O_WRONLY, "ok"},
		{"d/target", FS_O_RDONLY, "ok"},
	};

	(void)state;
	must_write("f", "F");
	must_mkdir("d");
	assert_int_equal(vfs_symlink(&ctx, "f", NULL, "s"), 0);
	assert_int_equal(vfs_symlink(&ctx, "d/target", NULL, "s_new"), 0);
	assert_int_equal(vfs_symlink(&ctx, "loop", NULL, "loop"), 0);
	assert_int_equal(vfs_mknod(&ctx, NULL, "pipe", FS_IFIFO | 0600, 0), 0);
	assert_int_equal(vfs_mknod(&ctx, NULL, "nodriver", FS_IFCHR | 0600, 77), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct file *f = NULL;
		int err = vfs_open(&ctx, NULL, rows[i].path, rows[i].flags, 0666, &f);

		if (strcmp(error_name(err), rows[i].result))
			fail_msg("open %s %o: %s, not %s", rows[i].path, rows[i].flags,
				error_name(err), rows[i].result);
		if (!err)
			file_unref(f);
	}
}

static void rights_of_open(void **state)
{
	struct fs_attr mode = {.mode = 0755};
	struct file *f;

	(void)state;
	ctx.umask = 0;
	assert_int_equal(vfs_setattr(&ctx, NULL, "/", 0, &mode, FS_SET_MODE), 0);
	assert_int_equal(vfs_open(&ctx, NULL, "f", FS_O_CREAT | FS_O_RDWR, 0444, &f), 0);
	file_unref(f);
	become(1, 1);
	assert_int_equal(vfs_open(&ctx, NULL, "f", FS_O_RDONLY, 0, &f), 0);
	file_unref(f);
	assert_int_equal(vfs_open(&ctx, NULL, "f", FS_O_WRONLY, 0, &f), -EACCES);
	assert_int_equal(vfs_open(&ctx, NULL, "f", FS_O_RDONLY | FS_O_TRUNC, 0, &f), -EACCES);
	assert_int_equal(vfs_open(&ctx, NULL, "g", FS_O_CREAT, 0666, &f), -EACCES);
}

/* What an open file may do: each call against each way of opening. */
static void access_modes(void **state)
{
	static const unsigned flags[] = {FS_O_RDONLY, FS_O_WRONLY, FS_O_RDWR, FS_O_PATH};
	static const int reads[] = {1, -EBADF, 1, -EBADF};
	static const int writes[] = {-EBADF, 1, 1, -EBADF};
	static const int truncates[] = {-EINVAL, 0, 0, -EBADF};
	static const int maps_shared[] = {-EACCES, -EACCES, 0, -EBADF};
	static const int maps_private[] = {0, -EACCES, 0, -EBADF};
	char byte = 'x';

	(void)state;
	must_write("f", "F");
	for (int i = 0; i < 4; i++) {
		struct file *f = must_open("f", flags[i]);
		struct mvm_object *object;
		int err;

		assert_int_equal(read_at(f, 0, &byte, 1), reads[i]);
		assert_int_equal(write_at(f, 0, &byte, 1), writes[i]);
		assert_int_equal(file_truncate(f, 1), truncates[i]);
		err = file_map(f, true, true, &object);
		assert_int_equal(err, maps_shared[i]);
		if (!err)
			mvm_object_unref(object);
		err = file_map(f, false, true, &object);
		assert_int_equal(err, maps_private[i]);
		if (!err)
			mvm_object_unref(object);
		assert_int_equal(file_ioctl(f, 1, 0), i == 3 ? -EBADF : -ENOTTY);
		file_unref(f);
	}
}

/* --- Positions ------------------------------------------------------------------------------- */

static int next(struct file *f, char *to, size_t n)
{
	struct memory m = memory_for_read(to, n);
	size_t done;
	int err = file_read(f, &m.copy, n, &done);

	return err ? err : (int)done;
}

static int put(struct file *f, const char *text)
{
	struct memory m = memory_for_write(text, strlen(text));
	size_t done;
	int err = file_write(f, &m.copy, strlen(text), &done);

	return err ? err : (int)done;
}

static void positions(void **state)
{
	struct file *f;
	char text[16] = "";
	uint64_t at;

	(void)state;
	f = must_open("f", FS_O_RDWR | FS_O_CREAT);
	assert_int_equal(put(f, "hello "), 6);
	assert_int_equal(put(f, "world"), 5);
	assert_int_equal(next(f, text, 4), 0);
	assert_int_equal(file_seek(f, -5, 2, &at), 0);
	assert_int_equal(at, 6);
	assert_int_equal(next(f, text, 3), 3);
	assert_string_equal(text, "wor");
	assert_int_equal(file_seek(f, 1, 1, &at), 0);
	assert_int_equal(at, 10);
	assert_int_equal(next(f, text, 9), 1);
	assert_int_equal(read_at(f, 0, text, 5), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(file_seek(f, 0, 1, &at), 0);
	assert_int_equal(at, 11);

	assert_int_equal(file_seek(f, -1, 0, &at), -EINVAL);
	assert_int_equal(file_seek(f, -12, 1, &at), -EINVAL);
	assert_int_equal(file_seek(f, 0, 5, &at), -EINVAL);
	assert_int_equal(file_seek(f, INT64_MAX, 1, &at), -EINVAL);
	assert_int_equal(file_seek(f, 3, 3, &at), 0);
	assert_int_equal(at, 3);
	assert_int_equal(file_seek(f, 3, 4, &at), 0);
	assert_int_equal(at, 11);
	assert_int_equal(file_seek(f, 11, 3, &at), -ENXIO);

	/* A gap reads as zeros. */
	assert_int_equal(write_at(f, 14, "!", 1), 1);
	assert_int_equal(read_at(f, 9, text, 16), 6);
	assert_memory_equal(text, "ld\0\0\0!", 6);
	assert_int_equal(read_at(f, (uint64_t)1 << 63, text, 1), -EINVAL);
	file_unref(f);
}

static void appending(void **state)
{
	struct file *a, *b;
	char *text;
	uint64_t at;

	(void)state;
	a = must_open("f", FS_O_WRONLY | FS_O_CREAT | FS_O_APPEND);
	b = must_open("f", FS_O_WRONLY);
	assert_int_equal(put(a, "one"), 3);
	assert_int_equal(put(b, "ONE+two"), 7);
	assert_int_equal(file_seek(a, 0, 0, &at), 0);
	assert_int_equal(put(a, "end"), 3);
	assert_int_equal(write_at(a, 0, "!", 1), 1);
	file_set_flags(a, ~0u, 0);
	assert_int_equal(write_at(a, 0, "o", 1), 1);
	file_set_flags(b, ~0u, FS_O_APPEND | FS_O_RDWR | FS_O_SYNC);
	assert_int_equal(b->flags & FS_O_SYNC, 0);
	assert_int_equal(put(b, "."), 1);
	file_unref(a);
	file_unref(b);
	text = contents("f");
	assert_string_equal(text, "oNE+twoend!.");
	free(text);
}

static void limits(void **state)
{
	struct file *f;
	uint64_t at;

	(void)state;
	f = must_open("f", FS_O_RDWR | FS_O_CREAT);
	f->vnode->mount->max_file_bytes = 100;
	assert_int_equal(write_at(f, 98, "abcd", 4), 2);
	assert_int_equal(write_at(f, 100, "x", 1), -EFBIG);
	assert_int_equal(file_truncate(f, 101), -EFBIG);
	assert_int_equal(file_truncate(f, 100), 0);
	assert_int_equal(file_seek(f, 100, 0, &at), 0);
	assert_int_equal(file_seek(f, 1, 1, &at), -EINVAL);
	assert_int_equal(file_seek(f, 1, 2, &at), -EINVAL);
	assert_int_equal(file_seek(f, 0, 1, &at), 0);
	assert_int_equal(at, 100);
	file_unref(f);
}

/* A caller whose memory appears a piece at a time, and ends too early. */
static void copies_that_fault(void **state)
{
	struct file *f;
	char text[64] = "";
	struct memory m;
	size_t done;

	(void)state;
	f = must_open("f", FS_O_RDWR | FS_O_CREAT);
	m = memory_for_write("0123456789abcdef", 16);
	m.piece = 3;
	assert_int_equal(file_pwrite(f, &m.copy, 16, 4090, &done), 0);
	assert_int_equal(done, 16);
	m = memory_for_read(text, 16);
	m.piece = 5;
	assert_int_equal(file_pread(f, &m.copy, 16, 4090, &done), 0);
	assert_string_equal(text, "0123456789abcdef");

	m = memory_for_write("xxxxxxxx", 8);
	m.piece = 1;
	m.end = 5;
	assert_int_equal(file_pwrite(f, &m.copy, 8, 4090, &done), -EFAULT);
	assert_int_equal(done, 5);
	assert_int_equal(read_at(f, 4090, text, 16), 16);
	assert_string_equal(text, "xxxxx56789abcdef");
	/* Not a byte: the gap before it is not made either. */
	m = memory_for_write("x", 1);
	m.piece = 1;
	m.end = 0;
	assert_int_equal(file_pwrite(f, &m.copy, 1, 9000, &done), -EFAULT);
	assert_int_equal(done, 0);
	assert_int_equal(vnode_size(f->vnode), 4106);
	m = memory_for_read(text, 4);
	m.piece = 1;
	m.end = 0;
	assert_int_equal(file_pread(f, &m.copy, 4, 0, &done), -EFAULT);
	assert_int_equal(done, 0);
	file_unref(f);
}

/* --- Life ------------------------------------------------------------------------------------ */

static void life_after_unlink(void **state)
{
	struct vfs_counts before, counts;
	struct mvm_object *object;
	struct fs_attr attr;
	struct file *f;
	char text[4] = "";

	(void)state;
	vfs_counts(&before);
	must_write("f", "abc");
	f = must_open("f", FS_O_RDWR);
	assert_int_equal(vfs_unlink(&ctx, NULL, "f"), 0);
	assert_int_equal(lstat_of("f", NULL), -ENOENT);
	assert_int_equal(read_at(f, 0, text, 3), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(file_getattr(f, &attr), 0);
	assert_int_equal(attr.nlink, 0);

	/* As a mapping does: the object alone keeps the file. */
	assert_int_equal(file_map(f, true, true, &object), 0);
	file_unref(f);
	assert_ptr_equal(vnode_of_object(object)->object, object);
	assert_int_equal(mvm_object_size(object), 3);
	vfs_counts(&counts);
	assert_int_equal(counts.vnodes, before.vnodes + 1);
	mvm_object_unref(object);
	dentry_shrink(0);
	vfs_counts(&counts);
	assert_int_equal(counts.vnodes, before.vnodes);
	assert_int_equal(counts.names, before.names);
}

static void truncating(void **state)
{
	struct file *f;
	char *text;

	(void)state;
	must_write("f", "abcdef");
	f = must_open("f", FS_O_RDWR);
	assert_int_equal(file_truncate(f, 2), 0);
	assert_int_equal(file_truncate(f, 4), 0);
	text = contents("f");
	assert_memory_equal(text, "ab\0\0", 4);
	free(text);
	file_unref(must_open("f", FS_O_WRONLY | FS_O_TRUNC));
	assert_int_equal(vnode_size(f->vnode), 0);
	file_unref(f);
}

static void times(void **state)
{
	const fs_time_t step = FS_TIME_STEP_NS;
	struct fs_attr attr, set = {.atime = 5, .mtime = 6};

	(void)state;
	fsh_posix_fixed_time_ns = step + 7;
	must_write("f", "x");
	assert_int_equal(lstat_of("f", &attr), 0);
	assert_int_equal(attr.mtime, step);
	fsh_posix_fixed_time_ns = 3 * step - 1;
	assert_int_equal(vfs_setattr(&ctx, NULL, "f", 0, &set, FS_SET_ATIME | FS_SET_MTIME), 0);
	assert_int_equal(lstat_of("f", &attr), 0);
	assert_int_equal(attr.atime, 5);
	assert_int_equal(attr.mtime, 6);
	assert_int_equal(attr.ctime, 2 * step);
	assert_int_equal(vfs_setattr(&ctx, NULL, "f", 0, &set, FS_SET_MTIME_NOW), 0);
	assert_int_equal(lstat_of("f", &attr), 0);
	assert_int_equal(attr.mtime, 2 * step);
	fsh_posix_fixed_time_ns = 3 * step;
	must_write("f", "y");
	assert_int_equal(lstat_of("f", &attr), 0);
	assert_int_equal(attr.mtime, 3 * step);
	assert_int_equal(lstat_of("/", &attr), 0);
	assert_int_equal(attr.mtime, step);
	fsh_posix_fixed_time_ns = 0;
}

/* A write-back that fails in the background is told to each open file once. */
static void latched_errors(void **state)
{
	struct file *a, *b;

	(void)state;
	a = must_open("f", FS_O_RDWR | FS_O_CREAT);
	b = must_open("f", FS_O_RDWR);
	vnode_report_error(a->vnode, -EIO);
	assert_int_equal(file_sync(a, true), -EIO);
	assert_int_equal(file_sync(a, true), 0);
	assert_int_equal(file_sync(b, false), -EIO);
	assert_int_equal(file_sync(b, false), 0);
	file_unref(b);
	b = must_open("f", FS_O_RDWR);
	assert_int_equal(file_sync(b, false), 0);
	file_unref(a);
	file_unref(b);
}

/* --- Devices --------------------------------------------------------------------------------- */

static struct chrdev late = {.name = "late", .dev = FS_DEV(200, 1), .mode = 0600};
static const struct file_ops late_ops = {.read = NULL};

static void devices(void **state)
{
	struct mvm_object *object;
	struct dentry *dev;
	struct file *f;
	char bytes[600];

	(void)state;
	must_mkdir("/dev");
	assert_int_equal(path_lookup(&ctx, NULL, "/dev", 0, &dev), 0);
	assert_int_equal(mount_on(dev, "devfs", "none", "none", 0, ""), 0);
	dentry_unref(dev);
	assert_string_equal(
		names_in("/dev"), "null zero full random urandom pts shm fd stdin stdout stderr");

	f = must_open("/dev/null", FS_O_RDWR);
	assert_int_equal(write_at(f, 0, "x", 1), 1);
	assert_int_equal(read_at(f, 0, bytes, 1), 0);
	file_unref(f);

	f = must_open("/dev/zero", FS_O_RDWR);
	memset(bytes, 1, sizeof(bytes));
	assert_int_equal(read_at(f, 0, bytes, sizeof(bytes)), sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0);
	assert_int_equal(file_map(f, false, true, &object), 0);
	assert_null(object);
	file_unref(f);

	f = must_open("/dev/full", FS_O_RDWR);
	assert_int_equal(write_at(f, 0, "x", 1), -ENOSPC);
	file_unref(f);

	f = must_open("/dev/urandom", FS_O_RDONLY);
	assert_int_equal(read_at(f, 0, bytes, 300), 300);
	assert_int_equal(read_at(f, 0, bytes + 300, 300), 300);
	assert_memory_not_equal(bytes, bytes + 300, 300);
	file_unref(f);

	late.ops = &late_ops;
	assert_string_equal(walked("/dev/late", 0), "ENOENT");
	assert_int_equal(chrdev_register(&late), 0);
	assert_int_equal(chrdev_register(&late), -EEXIST);
	f = must_open("/dev/late", FS_O_RDONLY);
	assert_int_equal(read_at(f, 0, bytes, 1), -EINVAL);
	assert_int_equal(file_poll(f, NULL), FS_POLLIN | FS_POLLOUT);
	file_unref(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opening, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(rights_of_open, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(access_modes, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(positions, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(appending, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(limits, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(copies_that_fault, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(life_after_unlink, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(truncating, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(times, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(latched_errors, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(devices, test_setup, test_teardown),
	};

	return cmocka_run_group_tests_name("fs_file", tests, group_setup, NULL);
}
