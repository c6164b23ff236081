// SPDX-License-Identifier: MIT
/* Who may do what: modes against a model of their own, owners, groups, set-id bits, times. */
#include "harness.h"

static void chmod_to(const char *path, uint32_t mode)
{
	struct fs_attr attr = {.mode = mode};

	assert_int_equal(vfs_setattr(&ctx, NULL, path, 0, &attr, FS_SET_MODE), 0);
}

static int chown_to(const char *path, uint32_t uid, uint32_t gid)
{
	struct fs_attr attr = {.uid = uid, .gid = gid};

	return vfs_setattr(&ctx, NULL, path, 0, &attr, FS_SET_UID | FS_SET_GID);
}

static uint32_t mode_of(const char *path)
{
	struct fs_attr attr;

	assert_int_equal(lstat_of(path, &attr), 0);
	return attr.mode & FS_PERM;
}

/* --- Modes ----------------------------------------------------------------------------------- */

/* What POSIX says of a file of user 1 and group 10, in its own words. */
static bool posix_grants(uint32_t mode, const struct fs_cred *who, unsigned want)
{
	bool in_group = who->gid == 10;
	uint32_t bits;

	for (unsigned i = 0; i < who->n_groups; i++)
		in_group |= who->groups[i] == 10;
	if (who->uid == 0)
		return !(want & FS_EXECUTE) || (mode & 0111);
	if (who->uid == 1)
		bits = (mode & 0700) / 0100;
	else if (in_group)
		bits = (mode & 070) / 010;
	else
		bits = mode & 07;
	return (bits & want) == want;
}

static void all_modes(void **state)
{
	static const uint32_t groups[] = {7, 10};
	static const struct fs_cred who[] = {
		{0, 0, NULL, 0},
		{0, 10, NULL, 0},
		{1, 10, NULL, 0},
		{1, 11, NULL, 0},
		{2, 10, NULL, 0},
		{2, 11, groups, 2},
		{2, 11, groups, 1},
		{2, 11, NULL, 0},
	};

	(void)state;
	must_write("/f", "x");
	assert_int_equal(chown_to("/f", 1, 10), 0);
	for (uint32_t mode = 0; mode <= 0777; mode++) {
		become(0, 0);
		chmod_to("/f", mode);
		for (size_t i = 0; i < sizeof(who) / sizeof(*who); i++) {
			ctx.cred = &who[i];
			for (unsigned want = 0; want <= 7; want++) {
				int err = vfs_access(&ctx, NULL, "/f", 0, want);

				if (err != (posix_grants(mode, &who[i], want) ? 0 : -EACCES))
					fail_msg("%o, caller %zu, %u: %d", mode, i, want, err);
			}
		}
	}
	become(0, 0);
}

static void opens_ask(void **state)
{
	(void)state;
	chmod_to("/", 0777);
	must_write("/f", "x");
	must_mkdir("/d");
	chmod_to("/f", 0644);
	chmod_to("/d", 0755);
	become(1, 1);
	assert_int_equal(open_err("/f", FS_O_RDONLY), 0);
	assert_int_equal(open_err("/f", FS_O_WRONLY), -EACCES);
	assert_int_equal(open_err("/f", FS_O_RDONLY | FS_O_TRUNC), -EACCES);
	assert_int_equal(open_err("/f", FS_O_RDONLY | FS_O_NOATIME), -EPERM);
	assert_int_equal(open_err("/f", FS_O_ACCMODE), -EACCES);
	assert_int_equal(open_err("/f", FS_O_PATH), 0);
	assert_int_equal(open_err("/d/n", FS_O_WRONLY | FS_O_CREAT), -EACCES);
	assert_int_equal(open_err("/d", FS_O_WRONLY), -EISDIR);
	become(0, 0);
	chmod_to("/d", 0700);
	become(1, 1);
	assert_int_equal(open_err("/d/f", FS_O_RDONLY), -EACCES);
	assert_int_equal(open_err("/d/../f", FS_O_PATH), -EACCES);
	/* Who makes a file has it open, whatever its mode. */
	must_write("/mine", "x");
	assert_int_equal(open_err("/mine", FS_O_RDONLY | FS_O_NOATIME), 0);
	chmod_to("/mine", 0);
	assert_int_equal(open_err("/mine", FS_O_RDONLY), -EACCES);
	become(0, 0);
	assert_int_equal(open_err("/mine", FS_O_RDWR), 0);
}

/* --- Names ----------------------------------------------------------------------------------- */

static void sticky_directories(void **state)
{
	(void)state;
	must_mkdir("/tmp");
	chmod_to("/tmp", 01777);
	become(1, 1);
	must_write("/tmp/mine", "1");
	must_mkdir("/tmp/dir");
	become(2, 2);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/tmp/mine"), -EPERM);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/tmp/dir"), -EPERM);
	assert_int_equal(vfs_rename(&ctx, NULL, "/tmp/mine", NULL, "/tmp/x", 0), -EPERM);
	must_write("/tmp/other", "2");
	assert_int_equal(vfs_rename(&ctx, NULL, "/tmp/other", NULL, "/tmp/mine", 0), -EPERM);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/tmp/other"), 0);
	become(1, 1);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/tmp/mine"), 0);
}

static void ownership(void **state)
{
	struct fs_attr attr = {.mode = 06777};
	static const uint32_t groups[] = {20, 30};
	static const struct fs_cred in_groups = {1, 10, groups, 2};

	(void)state;
	chmod_to("/", 0777);
	become(1, 10);
	must_write("/f", "x");
	chmod_to("/f", 06755);
	assert_int_equal(chown_to("/f", 2, 10), -EPERM);
	assert_int_equal(chown_to("/f", 1, 30), -EPERM);
	ctx.cred = &in_groups;
	assert_int_equal(chown_to("/f", 1, 30), 0);
	assert_int_equal(lstat_of("/f", &attr), 0);
	assert_int_equal(attr.gid, 30);
	assert_int_equal(attr.mode & 07777, 0755);
	static const struct fs_cred stranger = {2, 2, NULL, 0};

	ctx.cred = &stranger;
	attr.mode = 0777;
	assert_int_equal(vfs_setattr(&ctx, NULL, "/f", 0, &attr, FS_SET_MODE), -EPERM);
	assert_int_equal(vfs_setattr(&ctx, NULL, "/f", 0, &attr, FS_SET_MTIME), -EPERM);
	assert_int_equal(vfs_setattr(&ctx, NULL, "/f", 0, &attr, FS_SET_SIZE), -EACCES);

	/* A set-group-id directory hands its group down. */
	become(0, 0);
	must_mkdir("/shared");
	assert_int_equal(chown_to("/shared", 0, 30), 0);
	chmod_to("/shared", 02777);
	become(2, 2);
	must_mkdir("/shared/d");
	assert_int_equal(lstat_of("/shared/d", &attr), 0);
	assert_int_equal(attr.gid, 30);
	assert_true(attr.mode & FS_ISGID);
	must_write("/shared/f", "x");
	assert_int_equal(lstat_of("/shared/f", &attr), 0);
	assert_int_equal(attr.gid, 30);
	assert_int_equal(attr.uid, 2);
}

static void links_by_descriptor(void **state)
{
	struct dentry *d;

	(void)state;
	chmod_to("/", 0777);
	must_write("/f", "x");
	assert_int_equal(path_lookup(&ctx, NULL, "/f", 0, &d), 0);
	become(1, 1);
	assert_int_equal(vfs_link(&ctx, d, "", PATH_EMPTY, NULL, "/g"), -ENOENT);
	become(0, 0);
	assert_int_equal(vfs_link(&ctx, d, "", PATH_EMPTY, NULL, "/g"), 0);
	dentry_unref(d);
}

/* --- Set-id bits ----------------------------------------------------------------------------- */

static void set_mode_of(const char *path, uint32_t mode)
{
	static const struct fs_cred root;
	const struct fs_cred *now = ctx.cred;

	ctx.cred = &root;
	chmod_to(path, mode);
	ctx.cred = now;
}

static void new_contents_lend_nothing(void **state)
{
	struct fs_attr size = {.size_bytes = 1};
	struct file *f;

	(void)state;
	chmod_to("/", 0777);
	become(1, 10);
	must_write("/f", "abc");
	f = must_open("/f", FS_O_RDWR);
	set_mode_of("/f", 06777);
	assert_int_equal(write_at(f, 0, "x", 1), 1);
	assert_int_equal(mode_of("/f"), 0777);
	set_mode_of("/f", 06766); /* set-group-id without the right to run: nothing is lent */
	assert_int_equal(write_at(f, 0, "x", 1), 1);
	assert_int_equal(mode_of("/f"), 02766);
	set_mode_of("/f", 06777);
	assert_int_equal(write_at(f, 0, "", 0), 0);
	assert_int_equal(mode_of("/f"), 06777);
	assert_int_equal(file_truncate(f, 2), 0);
	assert_int_equal(mode_of("/f"), 0777);
	set_mode_of("/f", 06777);
	assert_int_equal(vfs_setattr(&ctx, NULL, "/f", 0, &size, FS_SET_SIZE), 0);
	assert_int_equal(mode_of("/f"), 0777);
	set_mode_of("/f", 06777);
	assert_int_equal(open_err("/f", FS_O_WRONLY | FS_O_TRUNC), 0);
	assert_int_equal(mode_of("/f"), 0777);
	file_unref(f);

	/* uid 0 is trusted with what it writes. */
	become(0, 0);
	set_mode_of("/f", 06777);
	f = must_open("/f", FS_O_RDWR);
	assert_int_equal(write_at(f, 0, "x", 1), 1);
	assert_int_equal(file_truncate(f, 0), 0);
	assert_int_equal(mode_of("/f"), 06777);
	file_unref(f);
}

static void new_owners_lend_nothing(void **state)
{
	(void)state;
	must_write("/f", "x");
	must_mkdir("/d");
	set_mode_of("/f", 06777);
	assert_int_equal(chown_to("/f", 1, 10), 0);
	assert_int_equal(mode_of("/f"), 0777);
	set_mode_of("/d", 06777);
	assert_int_equal(chown_to("/d", 1, 10), 0);
	assert_int_equal(mode_of("/d"), 06777);
	/* The group's bit is for those of the group. */
	become(1, 11);
	chmod_to("/f", 06777);
	assert_int_equal(mode_of("/f"), 04777);
}

static void shared_directories_lend_nothing(void **state)
{
	(void)state;
	must_mkdir("/d");
	assert_int_equal(chown_to("/d", 0, 30), 0);
	chmod_to("/d", 02777);
	ctx.umask = 0;
	become(2, 2);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/d/a", FS_IFREG | 02775, 0), 0);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/d/b", FS_IFREG | 02765, 0), 0);
	become(2, 30);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/d/c", FS_IFREG | 02775, 0), 0);
	assert_int_equal(mode_of("/d/a"), 0775);
	assert_int_equal(mode_of("/d/b"), 02765);
	assert_int_equal(mode_of("/d/c"), 02775);
}

static void nodes(void **state)
{
	(void)state;
	chmod_to("/", 0777);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/dir", FS_IFDIR | 0777, 0), -EPERM);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/link", FS_IFLNK | 0777, 0), -EINVAL);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/null", FS_IFCHR | 0666, FS_DEV(1, 3)), 0);
	become(1, 1);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/zero", FS_IFCHR | 0666, FS_DEV(1, 5)), -EPERM);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/vda", FS_IFBLK | 0666, 0), -EPERM);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/fifo", FS_IFIFO | 0666, 0), 0);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/socket", FS_IFSOCK | 0666, 0), 0);
	assert_int_equal(vfs_mknod(&ctx, NULL, "/file", 0666, 0), 0);
	assert_int_equal(open_err("/socket", FS_O_RDONLY), -ENXIO);
}

/* --- Times ----------------------------------------------------------------------------------- */

static int set_times(unsigned mask)
{
	struct fs_attr attr = {.atime = 1, .mtime = 2};

	return vfs_setattr(&ctx, NULL, "/f", 0, &attr, mask);
}

static void times(void **state)
{
	const unsigned both_now = FS_SET_ATIME_NOW | FS_SET_MTIME_NOW;

	(void)state;
	must_write("/f", "x");
	assert_int_equal(chown_to("/f", 1, 10), 0);
	chmod_to("/f", 0664);
	become(1, 1);
	assert_int_equal(set_times(FS_SET_ATIME), 0);
	become(2, 10); /* may write */
	assert_int_equal(set_times(both_now), 0);
	assert_int_equal(set_times(FS_SET_MTIME_NOW), -EPERM);
	assert_int_equal(set_times(FS_SET_ATIME | FS_SET_MTIME_NOW), -EPERM);
	assert_int_equal(set_times(FS_SET_ATIME | FS_SET_MTIME), -EPERM);
	become(2, 2);
	assert_int_equal(set_times(both_now), -EACCES);
	assert_int_equal(set_times(FS_SET_MTIME), -EPERM);
	become(0, 0);
	assert_int_equal(set_times(FS_SET_ATIME | FS_SET_MTIME), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_modes),
		TEST(opens_ask),
		TEST(sticky_directories),
		TEST(ownership),
		TEST(links_by_descriptor),
		TEST(new_contents_lend_nothing),
		TEST(new_owners_lend_nothing),
		TEST(shared_directories_lend_nothing),
		TEST(nodes),
		TEST(times),
	};

	return cmocka_run_group_tests_name("fs_rights", tests, group_setup, NULL);
}
