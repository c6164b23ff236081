// SPDX-License-Identifier: MIT
/*
 * The mount table as users see it: on top of each other, read-only and back,
 * detached while in use.
 */
#include "harness.h"

#include <fs/blkdev.h>

static int mount_at(const char *path, const char *type, unsigned flags)
{
	return vfs_mount(&ctx, path, type, "none", flags, "");
}

static int umount(const char *path)
{
	return vfs_umount(&ctx, path, PATH_FOLLOW, false);
}

static int detach(const char *path)
{
	return vfs_umount(&ctx, path, PATH_FOLLOW, true);
}

static void list_mount(struct mount *mount, void *arg)
{
	char buffer[256], *path, *list = arg;

	assert_int_equal(dentry_path(mount->root, ctx.root, buffer, sizeof(buffer), &path), 0);
	strcat(list, path);
	strcat(list, " ");
}

static const char *listed(void)
{
	static char list[1024];

	list[0] = '\0';
	mount_for_each(list_mount, list);
	return list;
}

static void only_root_mounts(void **state)
{
	struct fs_attr mode = {.mode = 0777};

	(void)state;
	must_mkdir("/m");
	must_write("/f", "x");
	assert_int_equal(vfs_setattr(&ctx, NULL, "/m", 0, &mode, FS_SET_MODE), 0);
	become(1, 1);
	assert_int_equal(mount_at("/m", "tmpfs", 0), -EPERM);
	assert_int_equal(umount("/"), -EPERM);
	assert_int_equal(vfs_remount(&ctx, "/", MOUNT_RDONLY), -EPERM);
	become(0, 0);
	assert_int_equal(mount_at("/m", "nosuchfs", 0), -ENODEV);
	assert_int_equal(mount_at("/f", "tmpfs", 0), -ENOTDIR);
	assert_int_equal(mount_at("/none", "tmpfs", 0), -ENOENT);
	assert_int_equal(mount_at("/", "tmpfs", 0), -EBUSY);
	assert_int_equal(umount("/m"), -EINVAL);
	assert_int_equal(umount("/"), -EBUSY);
	assert_int_equal(detach("/"), -EBUSY);
	assert_int_equal(vfs_remount(&ctx, "/m", 0), -EINVAL);
	assert_string_equal(listed(), "/ ");
}

static int device_mounts;

static int device_mount(
	struct mount *mount, const char *source, const char *options, struct vnode **root)
{
	(void)mount;
	(void)options;
	(void)root;
	assert_string_equal(source, "disk");
	device_mounts++;
	return -EIO;
}

/* A path leads to the node, the node to the device. */
static void sources_are_nodes(void **state)
{
	static struct fs_type type = {
		.name = "test_on_device", .on_device = true, .mount = device_mount};
	static struct blkdev disk = {.name = "disk"};

	(void)state;
	fs_register(&type);
	blkdev_register(&disk);
	must_mkdir("/m");
	must_write("/f", "x");
	assert_int_equal(vfs_mknod(&ctx, NULL, "/disk", FS_IFBLK | 0600, disk.dev), 0);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/no_disk", FS_IFBLK | 0600, 1), 0);
	assert_int_equal(vfs_symlink(&ctx, "disk", NULL, "/link"), 0);
	assert_int_equal(vfs_mount(&ctx, "/m", type.name, "/f", 0, ""), -ENOTBLK);
	assert_int_equal(vfs_mount(&ctx, "/m", type.name, "/none", 0, ""), -ENOENT);
	assert_int_equal(vfs_mount(&ctx, "/m", type.name, "/no_disk", 0, ""), -ENXIO);
	assert_int_equal(device_mounts, 0);
	assert_int_equal(vfs_mount(&ctx, "/m", type.name, "/link", 0, ""), -EIO);
	assert_int_equal(device_mounts, 1);
	assert_int_equal(blkdev_claim(&disk), 0);
	assert_int_equal(blkdev_claim(&disk), -EBUSY);
	blkdev_release(&disk);
	assert_int_equal(blkdev_claim(&disk), 0);
}

static void on_top_of_each_other(void **state)
{
	(void)state;
	must_mkdir("/m");
	must_write("/m/0", "x");
	assert_int_equal(mount_at("/m", "tmpfs", 0), 0);
	must_write("/m/1", "x");
	assert_int_equal(mount_at("/m", "tmpfs", 0), 0);
	must_write("/m/2", "x");
	assert_string_equal(names_in("/m"), "2");
	assert_string_equal(walked("/m/..", 0), "/");
	assert_string_equal(listed(), "/ /m /m ");
	assert_int_equal(umount("/m"), 0);
	assert_string_equal(names_in("/m"), "1");
	assert_int_equal(umount("/m"), 0);
	assert_string_equal(names_in("/m"), "0");
	assert_string_equal(listed(), "/ ");
}

/* --- Read-only ------------------------------------------------------------------------------- */

static void read_only_and_back(void **state)
{
	struct file *f;

	(void)state;
	must_mkdir("/m");
	assert_int_equal(mount_at("/m", "tmpfs", MOUNT_RDONLY | MOUNT_NOEXEC), 0);
	assert_int_equal(open_err("/m/f", FS_O_CREAT | FS_O_RDWR), -EROFS);
	assert_int_equal(vfs_remount(&ctx, "/m", 0), 0);
	must_write("/m/f", "x");
	assert_int_equal(vfs_access(&ctx, NULL, "/m/f", 0, FS_WRITE), 0);

	/* Who writes keeps it writable, and who only reads does not. */
	f = must_open("/m/f", FS_O_RDWR);
	assert_int_equal(vfs_remount(&ctx, "/m", MOUNT_RDONLY), -EBUSY);
	assert_int_equal(write_at(f, 0, "y", 1), 1);
	assert_int_equal(vfs_mkdir(&ctx, NULL, "/m/d", 0777), 0);
	file_unref(f);
	f = must_open("/m/f", FS_O_RDONLY);
	assert_int_equal(vfs_remount(&ctx, "/m", MOUNT_RDONLY | MOUNT_NOSUID), 0);
	assert_int_equal(open_err("/m/f", FS_O_RDWR), -EROFS);
	assert_int_equal(vfs_mkdir(&ctx, NULL, "/m/e", 0777), -EROFS);
	assert_int_equal(
		fs_read(f->dentry->mount->flags) & MOUNT_ASKED, MOUNT_RDONLY | MOUNT_NOSUID);

	/* A file without a name would be freed by its last user. */
	assert_int_equal(vfs_remount(&ctx, "/m", 0), 0);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/m/f"), 0);
	assert_int_equal(vfs_remount(&ctx, "/m", MOUNT_RDONLY), -EBUSY);
	file_unref(f);
	assert_int_equal(vfs_remount(&ctx, "/m", MOUNT_RDONLY), 0);
	assert_int_equal(umount("/m"), 0);
}

/* Each way to open for writing, and each end of it, is counted. */
static void writers_are_counted(void **state)
{
	struct mount *m = ctx.root->mount;
	struct file *f;

	(void)state;
	f = must_open("/f", FS_O_CREAT | FS_O_WRONLY);
	assert_int_equal(m->writers, 1);
	assert_int_equal(open_err("/f", FS_O_RDONLY), 0);
	assert_int_equal(open_err("/f", FS_O_PATH), 0);
	assert_int_equal(open_err("/f", FS_O_WRONLY | FS_O_CREAT | FS_O_EXCL), -EEXIST);
	assert_int_equal(m->writers, 1);
	file_unref(file_ref(f));
	assert_int_equal(m->writers, 1);
	file_unref(f);
	assert_int_equal(m->writers, 0);
}

/* --- Detached -------------------------------------------------------------------------------- */

static void detached_lives_on(void **state)
{
	struct vfs_counts before, after;
	struct file *f;
	char byte;

	(void)state;
	must_mkdir("/m");
	vfs_counts(&before);
	assert_int_equal(mount_at("/m", "tmpfs", 0), 0);
	must_mkdir("/m/d");
	must_write("/m/f", "x");
	f = must_open("/m/f", FS_O_RDWR);
	assert_int_equal(vfs_chdir(&ctx, NULL, "/m/d", &ctx.cwd), 0);
	assert_int_equal(umount("/m"), -EBUSY);
	assert_int_equal(detach("/m"), 0);
	assert_string_equal(listed(), "/ ");
	assert_string_equal(names_in("/m"), "");
	assert_int_equal(umount("/m"), -EINVAL);
	/* Those inside go on as ever, and cannot leave upwards. */
	assert_int_equal(read_at(f, 0, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	must_write("new", "n");
	assert_string_equal(names_in(".."), "d f");
	assert_string_equal(names_in("../.."), "d f");
	assert_string_equal(walked("new", 0), "EXDEV");
	dentry_unref(ctx.cwd);
	ctx.cwd = ctx.root;
	assert_int_equal(mount_sync_all(), 0);
	file_unref(f);
	/* Nobody is left: it ends when somebody looks. */
	assert_string_equal(listed(), "/ ");
	dentry_shrink(0);
	vfs_counts(&after);
	assert_int_equal(after.vnodes, before.vnodes);
}

static void detached_with_all_below(void **state)
{
	struct dentry *inner;

	(void)state;
	must_mkdir("/m");
	assert_int_equal(mount_at("/m", "tmpfs", 0), 0);
	must_mkdir("/m/a");
	must_mkdir("/m/b");
	assert_int_equal(mount_at("/m/a", "tmpfs", 0), 0);
	must_mkdir("/m/a/c");
	assert_int_equal(mount_at("/m/a/c", "tmpfs", 0), 0);
	assert_int_equal(mount_at("/m/b", "tmpfs", 0), 0);
	assert_string_equal(listed(), "/ /m /m/a /m/a/c /m/b ");
	assert_int_equal(umount("/m"), -EBUSY);
	assert_int_equal(umount("/m/a"), -EBUSY);
	assert_int_equal(path_lookup(&ctx, NULL, "/m/a/c", 0, &inner), 0);
	assert_int_equal(detach("/m"), 0);
	assert_string_equal(listed(), "/ ");
	assert_string_equal(walked("/m/a", 0), "ENOENT");
	/* The one in use is left of all. */
	ctx.cwd = inner;
	must_write("f", "x");
	assert_string_equal(names_in(".."), "f");
	ctx.cwd = ctx.root;
	dentry_unref(inner);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/m"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_root_mounts),
		TEST(sources_are_nodes),
		TEST(on_top_of_each_other),
		TEST(read_only_and_back),
		TEST(writers_are_counted),
		TEST(detached_lives_on),
		TEST(detached_with_all_below),
	};

	return cmocka_run_group_tests_name("fs_mount", tests, group_setup, NULL);
}
