// SPDX-License-Identifier: MIT
// The calls on names beyond the core: faccessat2, statx, mknodat, chroot, and attributes that no
// file has.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/tap.h"

#define NOBODY 1000

static void touch(const char *name, mode_t mode)
{
	CHECK_OK(close((int)CHECK_OK(open(name, O_WRONLY | O_CREAT, mode))));
}

static struct stat stat_of(const char *name)
{
	struct stat st;

	CHECK_OK(lstat(name, &st));
	return st;
}

// --- faccessat2

static long access2(int dir, const char *path, int mode, int flags)
{
	return syscall(SYS_faccessat2, dir, path, mode, flags);
}

static void access_flags(void)
{
	int fd;

	touch("f", 0600);
	CHECK_OK(symlink("none", "dangling"));
	CHECK_OK(access2(AT_FDCWD, "f", R_OK | W_OK, 0));
	CHECK_ERR(access2(AT_FDCWD, "f", X_OK, 0), EACCES); // for root, too
	CHECK_ERR(access2(AT_FDCWD, "f", 8, 0), EINVAL);
	CHECK_ERR(access2(AT_FDCWD, "f", F_OK, 1), EINVAL);
	CHECK_ERR(access2(AT_FDCWD, "dangling", F_OK, 0), ENOENT);
	CHECK_OK(access2(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
	fd = (int)CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(access2(fd, "", R_OK, AT_EMPTY_PATH));
	CHECK_ERR(access2(fd, "", R_OK, 0), ENOENT);
}

static void access_asks_who_it_was(void)
{
	touch("f", 0600);
	CHECK_OK(setresuid(-1, NOBODY, -1)); // root in disguise
	CHECK_OK(access2(AT_FDCWD, "f", R_OK, 0));
	CHECK_ERR(access2(AT_FDCWD, "f", R_OK, AT_EACCESS), EACCES);
	CHECK_OK(access("f", R_OK));
	CHECK_OK(seteuid(0));
	CHECK_OK(setresuid(NOBODY, 0, 0)); // the disguise of root
	CHECK_ERR(access2(AT_FDCWD, "f", R_OK, 0), EACCES);
	CHECK_OK(access2(AT_FDCWD, "f", R_OK, AT_EACCESS));
}

// --- statx

static void statx_tells_what_stat_tells(void)
{
	struct statx x;
	struct stat st;
	int fd;

	touch("f", 0640);
	CHECK_OK(truncate("f", 12345));
	CHECK_OK(chown("f", 5, 6));
	CHECK_OK(link("f", "g"));
	st = stat_of("f");
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
	CHECK_EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	CHECK_EQ(x.stx_mode, S_IFREG | 0640);
	CHECK_EQ(x.stx_size, 12345);
	CHECK_EQ(x.stx_uid, 5);
	CHECK_EQ(x.stx_gid, 6);
	CHECK_EQ(x.stx_nlink, 2);
	CHECK_EQ(x.stx_ino, st.st_ino);
	CHECK_EQ(x.stx_blocks, st.st_blocks);
	CHECK_EQ(x.stx_blksize, st.st_blksize);
	CHECK_EQ(x.stx_dev_major, major(st.st_dev));
	CHECK_EQ(x.stx_dev_minor, minor(st.st_dev));
	CHECK_EQ(x.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	CHECK_EQ(x.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
	CHECK_EQ(x.stx_ctime.tv_nsec, st.st_ctim.tv_nsec);
	fd = (int)CHECK_OK(open("f", O_PATH));
	CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_INO, &x));
	CHECK_EQ(x.stx_ino, st.st_ino);
	CHECK_OK(statx(AT_FDCWD, "/dev/null", 0, STATX_BASIC_STATS, &x));
	CHECK_EQ(x.stx_rdev_major, 1);
	CHECK_EQ(x.stx_rdev_minor, 3);
}

static void statx_errors(void)
{
	struct statx x;

	CHECK_OK(symlink("none", "s"));
	CHECK_OK(statx(AT_FDCWD, "s", AT_SYMLINK_NOFOLLOW, 0, &x));
	CHECK(S_ISLNK(x.stx_mode));
	CHECK_ERR(statx(AT_FDCWD, "s", 0, 0, &x), ENOENT);
	CHECK_ERR(statx(AT_FDCWD, "", 0, 0, &x), ENOENT);
	CHECK_ERR(statx(AT_FDCWD, ".", 1, 0, &x), EINVAL);
	CHECK_ERR(statx(AT_FDCWD, ".", 0x6000, 0, &x), EINVAL); // both ways to sync
	CHECK_ERR(statx(AT_FDCWD, ".", 0, 0x80000000, &x), EINVAL);
	CHECK_ERR(statx(AT_FDCWD, ".", 0, 0, (struct statx *)8), EFAULT);
	CHECK_ERR(statx(99, "", AT_EMPTY_PATH, 0, &x), EBADF);
}

// A file's birth is not moved by what happens to it.
static void birth(void)
{
	struct statx x, later;
	struct timespec past[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	touch("f", 0644);
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BTIME, &x));
	if (!(x.stx_mask & STATX_BTIME))
		tap_skip("this file system keeps no time of birth");
	CHECK_OK(utimensat(AT_FDCWD, "f", past, 0));
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BTIME | STATX_MTIME, &later));
	CHECK_EQ(later.stx_btime.tv_sec, x.stx_btime.tv_sec);
	CHECK_EQ(later.stx_btime.tv_nsec, x.stx_btime.tv_nsec);
	CHECK_EQ(later.stx_mtime.tv_sec, 1);
}

// A time that the file system cannot tell becomes the nearest that it can, and never one on the
// other side.
static void times_far_away(void)
{
	static const long far[] = {1L << 33, 1L << 40, 9223372037, -(1L << 40), -9223372038};

	touch("f", 0644);
	for (unsigned i = 0; i < sizeof far / sizeof far[0]; i++) {
		struct timespec times[2] = {{.tv_sec = far[i]}, {.tv_sec = far[i]}};
		time_t got;

		CHECK_OK(utimensat(AT_FDCWD, "f", times, 0));
		got = stat_of("f").st_mtim.tv_sec;
		CHECK((got < 0) == (far[i] < 0));
		CHECK(far[i] < 0 ? got >= far[i] : got <= far[i]);
		CHECK(far[i] != 1L << 33 || got == far[i]);
	}
}

// --- mknodat

static void nodes(void)
{
	char byte = 1;
	int fd;

	umask(022);
	CHECK_OK(mknod("plain", 0666, 0));
	CHECK_EQ(stat_of("plain").st_mode, S_IFREG | 0644);
	CHECK_OK(mknod("regular", S_IFREG | 0600, 0));
	CHECK_OK(mknod("socket", S_IFSOCK | 0600, 0));
	CHECK_EQ(stat_of("socket").st_mode, S_IFSOCK | 0600);
	CHECK_OK(mkfifo("fifo", 0666));
	CHECK_EQ(stat_of("fifo").st_mode, S_IFIFO | 0644);
	CHECK_ERR(mkfifo("fifo", 0666), EEXIST);
	CHECK_ERR(mknod("d", S_IFDIR | 0755, 0), EPERM);
	CHECK_ERR(mknod("l", S_IFLNK | 0777, 0), EINVAL);
	CHECK_ERR(open("socket", O_RDWR), ENXIO);
	CHECK_OK(mknod("zero", S_IFCHR | 0666, makedev(1, 5)));
	CHECK_EQ(stat_of("zero").st_rdev, makedev(1, 5));
	fd = (int)CHECK_OK(open("zero", O_RDONLY));
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 0);
	CHECK_OK(mknod("nobody_home", S_IFCHR | 0666, makedev(400, 7)));
	CHECK_ERR(open("nobody_home", O_RDONLY), ENXIO);
	CHECK_OK(mknod("no_disk", S_IFBLK | 0666, makedev(400, 7)));
	CHECK_ERR(open("no_disk", O_RDONLY), ENXIO);
	CHECK_OK(chmod(".", 0777));
	CHECK_OK(setresuid(NOBODY, NOBODY, NOBODY));
	CHECK_ERR(mknod("mine", S_IFCHR | 0666, makedev(1, 3)), EPERM);
	CHECK_OK(mkfifo("my_fifo", 0666));
}

// --- chroot

static void another_root(void)
{
	char path[PATH_MAX], outside[PATH_MAX + 16];
	struct stat root;
	int fd;

	CHECK_OK(mkdir("jail", 0755));
	CHECK_OK(mkdir("jail/inside", 0755));
	touch("jail/inside/f", 0644);
	CHECK_OK(symlink("/inside/f", "jail/link"));
	CHECK(getcwd(outside, sizeof outside));
	fd = (int)CHECK_OK(open(".", O_RDONLY));
	root = stat_of("jail");
	CHECK_ERR(chroot("none"), ENOENT);
	CHECK_ERR(chroot("jail/inside/f"), ENOTDIR);
	CHECK_OK(chroot("jail"));
	CHECK_EQ(stat_of("/").st_ino, root.st_ino);
	CHECK_EQ(stat_of("/..").st_ino, root.st_ino);
	CHECK_OK(close((int)CHECK_OK(open("/link", O_RDONLY))));
	// Where one stands lies outside, and has no path any more.
	CHECK_OK(syscall(SYS_getcwd, path, sizeof path));
	CHECK(strncmp(path, "(unreachable)/", 14) == 0);
	CHECK_OK(chdir("/inside"));
	CHECK(getcwd(path, sizeof path));
	CHECK(strcmp(path, "/inside") == 0);
	CHECK_OK(chdir("../.."));
	CHECK(getcwd(path, sizeof path));
	CHECK(strcmp(path, "/") == 0);
	CHECK_OK(fchdir(fd)); // the known way out, for root
	CHECK_OK(chroot("."));
	CHECK_OK(setresuid(NOBODY, NOBODY, NOBODY));
	CHECK_ERR(chroot("."), EPERM);
}

// --- extended attributes

static void no_attributes(void)
{
	char value[8];
	int fd;

	if (!on_mapache())
		tap_skip("about a kernel whose file systems have none");
	touch("f", 0644);
	fd = (int)CHECK_OK(open("f", O_RDONLY));
	CHECK_ERR(syscall(SYS_getxattr, "f", "user.a", value, sizeof value), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_setxattr, "f", "user.a", value, 1, 0), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_removexattr, "f", "user.a"), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_fgetxattr, fd, "user.a", value, sizeof value), EOPNOTSUPP);
	CHECK_EQ(syscall(SYS_listxattr, "f", value, sizeof value), 0);
	CHECK_ERR(syscall(SYS_lgetxattr, "none", "user.a", value, sizeof value), ENOENT);
	CHECK_ERR(syscall(SYS_flistxattr, 99, value, sizeof value), EBADF);
}

static void not_here(void)
{
	if (!on_mapache())
		tap_skip("about what Mapache lacks");
	CHECK_ERR(syscall(SYS_inotify_init1, 0), ENOSYS);
	CHECK_ERR(syscall(SYS_name_to_handle_at, AT_FDCWD, ".", 0, 0, 0), ENOSYS);
	CHECK_ERR(syscall(SYS_quotactl, 0, 0, 0, 0), ENOSYS);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, ".", 0, 0), ENOSYS);
}

static const struct test tests[] = {
	{"access_flags", access_flags},
	{"access_asks_who_it_was", access_asks_who_it_was},
	{"statx_tells_what_stat_tells", statx_tells_what_stat_tells},
	{"statx_errors", statx_errors},
	{"birth", birth},
	{"times_far_away", times_far_away},
	{"nodes", nodes},
	{"another_root", another_root},
	{"no_attributes", no_attributes},
	{"not_here", not_here},
};

BEYOND_CORE_MAIN(tests)
