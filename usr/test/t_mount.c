// SPDX-License-Identifier: MIT
// mount and umount2, and what /proc says of the mounts. On Linux in a mount namespace of its own.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/tap.h"

#define NEW_NAMESPACE 0x20000

// Elsewhere the test must not touch the machine's own mounts.
static void begin(void)
{
	if (!on_mapache() && (syscall(SYS_unshare, NEW_NAMESPACE) ||
				     mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)))
		tap_skip("no mount namespace to be had");
	CHECK_OK(mkdir("m", 0755));
}

static void touch(const char *name)
{
	CHECK_OK(close((int)CHECK_OK(open(name, O_WRONLY | O_CREAT, 0644))));
}

static bool is_there(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

static dev_t device_of(const char *name)
{
	struct stat st;

	CHECK_OK(stat(name, &st));
	return st.st_dev;
}

static int mount_tmpfs(const char *where, unsigned long flags)
{
	return mount("source", where, "tmpfs", flags, NULL);
}

// The line of a file in /proc in which a word (with spaces around it) is "here/PATH"; "": none.
static const char *line_with(const char *file, const char *path)
{
	static char line[8192];
	char word[4200], here[4096];
	FILE *f = fopen(file, "r");

	CHECK(f && getcwd(here, sizeof here));
	snprintf(word, sizeof word, " %s/%s ", here, path);
	while (fgets(line, sizeof line, f)) {
		if (!strstr(line, word))
			continue;
		fclose(f);
		return line;
	}
	fclose(f);
	return "";
}

static void comes_and_goes(void)
{
	dev_t outside;

	begin();
	outside = device_of("m");
	touch("m/below");
	CHECK_OK(mount_tmpfs("m", 0));
	CHECK(device_of("m") != outside);
	CHECK(!is_there("m/below"));
	CHECK_EQ(device_of("m/.."), outside);
	touch("m/inside");
	CHECK_ERR(rmdir("m"), EBUSY);
	CHECK_ERR(rename("m", "n"), EBUSY);
	CHECK_ERR(rename("m/inside", "inside"), EXDEV);
	CHECK_ERR(link("m/inside", "inside"), EXDEV);
	CHECK_OK(umount("m"));
	CHECK(is_there("m/below"));
	CHECK_ERR(umount("m"), EINVAL);
}

// How it went there is remembered by who walks often; nobody else need know.
static bool is_there_often(const char *name)
{
	for (int i = 0; i < 4; i++)
		is_there(name);
	return is_there(name);
}

// What was walked often is not held by that, and what changes on the way is seen.
static void ways_walked_often(void)
{
	char below[4096], outside[4200];

	begin();
	touch("m/below");
	CHECK(is_there_often("m/below"));
	CHECK_OK(mount_tmpfs("m", 0));
	CHECK(!is_there("m/below"));
	CHECK_OK(mkdir("m/d", 0755));
	touch("m/d/f");
	CHECK(is_there_often("m/d/f") && !is_there_often("m/below"));
	CHECK_OK(umount("m")); // it is not busy
	CHECK(is_there("m/below") && !is_there("m/d/f"));
	CHECK_OK(mkdir("m/d", 0755));
	touch("m/d/g");
	CHECK(is_there_often("m/d/g") && !is_there_often("m/d/f"));
	CHECK_OK(mount_tmpfs("m/d", 0));
	CHECK(!is_there("m/d/g"));
	CHECK_OK(umount("m/d"));

	// Others' rights, and other roots.
	CHECK_OK(seteuid(1000));
	CHECK(is_there_often("m/d/g"));
	CHECK_OK(seteuid(0));
	CHECK_OK(chmod("m", 0700));
	CHECK(is_there_often("m/d/g"));
	CHECK_OK(seteuid(1000));
	CHECK(!is_there("m/d/g"));
	CHECK_OK(seteuid(0));
	CHECK(getcwd(below, sizeof below));
	snprintf(outside, sizeof outside, "%s/m/d/g", below);
	CHECK(is_there_often(outside));
	CHECK_OK(chroot("m"));
	CHECK(!is_there(outside) && is_there_often("/d/g") && is_there_often("m/d/g"));
	CHECK_OK(chdir("m"));
	CHECK(!is_there("m/d/g") && is_there_often("d/g"));
	CHECK_OK(rename("d", "e"));
	CHECK(!is_there("d/g") && !is_there("/d/g") && is_there_often("/e/g"));
}

static void what_mount_refuses(void)
{
	char *const bad = (char *)8;

	begin();
	touch("f");
	CHECK_ERR(mount("x", "m", "no_such_type", 0, NULL), ENODEV);
	CHECK_ERR(mount("x", "m", NULL, 0, NULL), EINVAL);
	CHECK_ERR(mount_tmpfs("f", 0), ENOTDIR);
	CHECK_ERR(mount_tmpfs("none", 0), ENOENT);
	CHECK_ERR(mount("x", bad, "tmpfs", 0, NULL), EFAULT);
	CHECK_ERR(mount("x", "m", bad, 0, NULL), EFAULT);
	CHECK_ERR(mount("x", "m", "tmpfs", 0, "no_such_option"), EINVAL);
	CHECK_ERR(mount_tmpfs("m", MS_REMOUNT), EINVAL);
	CHECK_ERR(umount("none"), ENOENT);
	CHECK_ERR(umount2("m", 0x100), EINVAL);
	CHECK_OK(chmod("m", 0777));
	CHECK_OK(setresuid(1000, 1000, 0));
	CHECK_ERR(mount_tmpfs("m", 0), EPERM);
	CHECK_ERR(umount("m"), EPERM);
	CHECK_ERR(mount("none", "/", NULL, MS_PRIVATE, NULL), EPERM);
}

static void what_mapache_refuses(void)
{
	begin();
	if (!on_mapache())
		tap_skip("about what Mapache lacks");
	CHECK_ERR(mount(".", "m", NULL, MS_BIND, NULL), EINVAL);
	CHECK_ERR(mount("none", "/", NULL, MS_SHARED, NULL), EINVAL);
	CHECK_OK(mount("none", "/", NULL, MS_PRIVATE | MS_REC, NULL));
	CHECK_ERR(mount("/dev/null", "m", "mapfs", 0, NULL), ENOTBLK);
	CHECK_ERR(mount("/dev/vda", "m", "mapfs", 0, NULL), EBUSY); // the root's
	CHECK_ERR(umount("/"), EBUSY);
	CHECK_ERR(open("/dev/vda", O_RDONLY), ENXIO);
}

static void on_top_of_each_other(void)
{
	begin();
	CHECK_OK(mount_tmpfs("m", 0));
	touch("m/1");
	CHECK_OK(mount_tmpfs("m", 0));
	CHECK(!is_there("m/1"));
	CHECK_OK(umount("m"));
	CHECK(is_there("m/1"));
	CHECK_OK(umount("m"));
}

static void read_only_and_back(void)
{
	int fd;

	begin();
	CHECK_OK(mount_tmpfs("m", 0));
	touch("m/f");
	fd = (int)CHECK_OK(open("m/f", O_RDWR));
	CHECK_ERR(mount_tmpfs("m", MS_REMOUNT | MS_RDONLY), EBUSY);
	CHECK_OK(close(fd));
	CHECK_OK(mount_tmpfs("m", MS_REMOUNT | MS_RDONLY));
	CHECK_ERR(open("m/f", O_RDWR), EROFS);
	CHECK_ERR(open("m/n", O_RDWR | O_CREAT, 0644), EROFS);
	CHECK_ERR(mkdir("m/d", 0755), EROFS);
	CHECK_ERR(unlink("m/f"), EROFS);
	CHECK_ERR(unlink("m/none"), EROFS);
	CHECK_ERR(chmod("m/f", 0600), EROFS);
	CHECK_ERR(utimensat(AT_FDCWD, "m/f", NULL, 0), EROFS);
	CHECK_ERR(truncate("m/f", 0), EROFS);
	CHECK_ERR(access("m/f", W_OK), EROFS);
	CHECK_OK(close((int)CHECK_OK(open("m/f", O_RDONLY))));
	CHECK_OK(mount_tmpfs("m", MS_REMOUNT));
	CHECK_OK(unlink("m/f"));
	CHECK_OK(umount("m"));
}

static void what_flags_forbid(void)
{
	char *argv[] = {"true", NULL};
	struct statfs fs;
	struct stat st;

	begin();
	CHECK_OK(mount_tmpfs("m", MS_NODEV | MS_NOEXEC | MS_NOSUID));
	CHECK_OK(mknod("m/null", S_IFCHR | 0666, 0x103));
	CHECK_ERR(open("m/null", O_RDWR), EACCES);
	touch("m/program");
	CHECK_OK(chmod("m/program", 0755));
	CHECK_ERR(access("m/program", X_OK), EACCES);
	CHECK_ERR(execv("m/program", argv), EACCES);
	CHECK_OK(statfs("m", &fs));
	CHECK_EQ(fs.f_type, 0x01021994);
	CHECK_EQ(fs.f_flags & 15, MS_NODEV | MS_NOEXEC | MS_NOSUID);
	CHECK(fs.f_bfree && fs.f_bfree <= fs.f_blocks);
	CHECK(fs.f_ffree && fs.f_ffree <= fs.f_files);
	CHECK_OK(stat("m", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 01777);
	CHECK_OK(umount("m"));
}

// Pages and files up to the limit, errors and signals beyond it, and the room that was there again.
static void limits_of_tmpfs(void)
{
	static char bytes[20 * PAGE];
	struct statfs fs;
	char *p;
	int fd;

	begin();
	CHECK_ERR(mount("source", "m", "tmpfs", 0, "size=x"), EINVAL);
	CHECK_OK(mount("source", "m", "tmpfs", 0, "size=64k,nr_inodes=3"));
	fd = (int)CHECK_OK(open("m/f", O_RDWR | O_CREAT, 0644));
	CHECK_EQ(write(fd, bytes, sizeof bytes), 16 * PAGE);
	CHECK_ERR(write(fd, bytes, 1), ENOSPC);
	CHECK_EQ(pwrite(fd, bytes, PAGE, 1), PAGE);
	CHECK_OK(ftruncate(fd, 20 * PAGE));
	p = mmap(NULL, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_FAULT(try_store(p + 16 * PAGE), SIGBUS, BUS_ADRERR, p + 16 * PAGE);
	CHECK_NO_FAULT(try_store(p));
	touch("m/g");
	CHECK_ERR(open("m/h", O_WRONLY | O_CREAT, 0644), ENOSPC);
	CHECK_OK(statfs("m", &fs));
	CHECK(fs.f_blocks == 16 && fs.f_bfree == 0 && fs.f_files == 3 && fs.f_ffree == 0);
	CHECK_OK(munmap(p, 20 * PAGE));
	CHECK_OK(close(fd));
	CHECK_OK(unlink("m/f"));
	CHECK_OK(statfs("m", &fs));
	CHECK(fs.f_bfree == 16 && fs.f_ffree == 1);
	CHECK_OK(umount("m"));
}

static void busy_stays(void)
{
	int fd;

	begin();
	CHECK_OK(mount_tmpfs("m", 0));
	touch("m/f");
	fd = (int)CHECK_OK(open("m/f", O_RDONLY));
	CHECK_ERR(umount("m"), EBUSY);
	CHECK_OK(unlink("m/f"));
	CHECK_ERR(umount("m"), EBUSY);
	CHECK_OK(close(fd));
	CHECK_OK(chdir("m"));
	CHECK_ERR(umount("../m"), EBUSY);
	CHECK_OK(chdir(".."));
	CHECK_OK(mkdir("m/d", 0755));
	CHECK_OK(mount_tmpfs("m/d", 0));
	CHECK_ERR(umount("m"), EBUSY);
	CHECK_OK(umount("m/d"));
	CHECK_OK(umount("m"));
}

static void detached_lives_on(void)
{
	char c = 0;
	int fd;

	begin();
	CHECK_OK(mount_tmpfs("m", 0));
	CHECK_OK(mkdir("m/d", 0755));
	CHECK_OK(mount_tmpfs("m/d", 0));
	fd = (int)CHECK_OK(open("m/f", O_RDWR | O_CREAT, 0644));
	CHECK_OK(umount2("m", MNT_DETACH));
	CHECK_ERR(umount("m"), EINVAL);
	CHECK(!is_there("m/d"));
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'x');
	CHECK_OK(mount_tmpfs("m", 0)); // the place is free
	CHECK_OK(close(fd));
	CHECK_OK(umount("m"));
}

static void links_to_mounts(void)
{
	begin();
	CHECK_OK(symlink("m", "s"));
	CHECK_OK(mount_tmpfs("s", 0));
	CHECK_ERR(umount2("s", UMOUNT_NOFOLLOW), EINVAL);
	CHECK_OK(umount2("s", 0));
}

static void what_proc_says(void)
{
	const char *line;
	unsigned id, parent, major, minor;
	char root[8];
	dev_t dev;

	begin();
	CHECK_OK(mkdir("a b", 0755));
	CHECK_OK(mount("s#c", "a b", "tmpfs", MS_NOSUID, NULL));
	line = line_with("/proc/mounts", "a\\040b");
	CHECK(strncmp(line, "s\\043c ", 7) == 0);
	CHECK(strstr(line, " tmpfs rw,nosuid,"));
	CHECK(strcmp(line + strlen(line) - 5, " 0 0\n") == 0);
	line = line_with("/proc/self/mountinfo", "a\\040b");
	CHECK_EQ(sscanf(line, "%u %u %u:%u %7s", &id, &parent, &major, &minor, root), 5);
	CHECK(strcmp(root, "/") == 0);
	CHECK(strstr(line, " - tmpfs s\\043c rw"));
	dev = device_of("a b");
	CHECK_EQ(dev, (dev_t)(major << 8 | minor));
	CHECK_OK(mount("s", "a b", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL));
	CHECK(strstr(line_with("/proc/mounts", "a\\040b"), " tmpfs ro"));
	CHECK_OK(umount("a b"));
	CHECK(!*line_with("/proc/mounts", "a\\040b"));
}

static void other_types(void)
{
	struct statfs fs;

	begin();
	CHECK_OK(mount("proc", "m", "proc", 0, NULL));
	CHECK(is_there("m/self/stat"));
	CHECK_OK(statfs("m", &fs));
	CHECK_EQ(fs.f_type, 0x9fa0);
	CHECK_OK(umount("m"));
	if (!on_mapache())
		return;
	CHECK_OK(mount("dev", "m", "devfs", 0, NULL));
	CHECK(is_there("m/null") && is_there("m/vda"));
	CHECK_OK(umount("m"));
	CHECK_OK(access("/dev/null", W_OK));
}

static const struct test tests[] = {
	{"comes_and_goes", comes_and_goes},
	{"ways_walked_often", ways_walked_often},
	{"what_mount_refuses", what_mount_refuses},
	{"what_mapache_refuses", what_mapache_refuses},
	{"on_top_of_each_other", on_top_of_each_other},
	{"read_only_and_back", read_only_and_back},
	{"what_flags_forbid", what_flags_forbid},
	{"limits_of_tmpfs", limits_of_tmpfs},
	{"busy_stays", busy_stays},
	{"detached_lives_on", detached_lives_on},
	{"links_to_mounts", links_to_mounts},
	{"what_proc_says", what_proc_says},
	{"other_types", other_types},
};

BEYOND_CORE_MAIN(tests)
