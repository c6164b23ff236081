// SPDX-License-Identifier: MIT
// Paths: how they are walked, what open and the *at calls make of their flags, and descriptors that
// only stand for a place (O_PATH).
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/tap.h"

static void touch(const char *name)
{
	CHECK_OK(close((int)CHECK_OK(open(name, O_WRONLY | O_CREAT, 0644))));
}

static bool is_there(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

// --- the walk

static void dots_and_slashes(void)
{
	ino_t here = inode_of("."), root = inode_of("/");
	struct statfs fs;

	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/e", 0755));
	touch("f");
	CHECK_EQ(inode_of("d/.."), here);
	CHECK_EQ(inode_of("./d//e/../../././/"), here);
	CHECK_EQ(inode_of("/.."), root);
	CHECK_EQ(inode_of("///../../.."), root);
	CHECK_ERR(chdir("f/."), ENOTDIR);
	CHECK_ERR(chdir("f/.."), ENOTDIR);
	CHECK_ERR(chdir("f/"), ENOTDIR);
	CHECK_ERR(chdir("none/.."), ENOENT);
	CHECK_ERR(chdir(""), ENOENT);
	CHECK_ERR(statfs("", &fs), ENOENT);
	CHECK_ERR(mkdir(".", 0755), EEXIST);
	CHECK_ERR(mkdir("d/..", 0755), EEXIST);
	CHECK_OK(mkdir("with_slash/", 0755));
	CHECK_ERR(symlink("x", "link_with_slash/"), ENOENT);
	CHECK_ERR(rmdir("d/."), EINVAL);
	CHECK_ERR(rmdir("d/e/.."), ENOTEMPTY);
	CHECK_ERR(unlink("f/"), ENOTDIR);
	CHECK_ERR(unlink("d/"), EISDIR);
	CHECK_ERR(unlink("none/"), ENOENT);
}

static void links_lead_on(void)
{
	CHECK_OK(mkdir("d", 0755));
	touch("d/f");
	CHECK_OK(symlink("d", "to_d"));
	CHECK_OK(symlink("to_d/f", "to_f"));
	CHECK_OK(symlink("../d", "d/again"));
	CHECK_EQ(inode_of("to_d/again/again/f"), inode_of("d/f"));
	CHECK_EQ(inode_of("to_f"), inode_of("d/f"));
	CHECK_EQ(inode_of("to_d/.."), inode_of("."));
	CHECK_ERR(open("to_f/", O_RDONLY), ENOTDIR);
	CHECK_ERR(rmdir("to_d"), ENOTDIR);
	CHECK_ERR(rmdir("to_d/"), ENOTDIR);
	CHECK_ERR(mkdir("to_d", 0755), EEXIST);
	CHECK_OK(unlink("to_d"));
	CHECK(is_there("d/f"));
}

// Link l<i> to l<i - 1>, l0 to a file.
static void make_chain(int n)
{
	char name[16], target[16] = "file";

	touch(target);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "l%d", i);
		CHECK_OK(symlink(target, name));
		strcpy(target, name);
	}
}

static void forty_links_and_no_more(void)
{
	int fd;

	make_chain(41);
	CHECK_EQ(inode_of("l39"), inode_of("file"));
	CHECK_ERR(open("l40", O_RDONLY), ELOOP);
	CHECK_ERR(open("l40", O_WRONLY | O_CREAT, 0644), ELOOP);
	fd = (int)CHECK_OK(open("l39", O_WRONLY | O_CREAT, 0644));
	CHECK_OK(close(fd));
	CHECK_OK(symlink("me", "me"));
	CHECK_ERR(open("me", O_RDONLY), ELOOP);
	CHECK_ERR(open("me/x", O_RDONLY), ELOOP);
	CHECK_ERR(open("me", O_RDONLY | O_NOFOLLOW), ELOOP);
}

// A path of `bytes` bytes to the name, by way of "./././".
static char *long_way(const char *name, size_t bytes)
{
	size_t n = strlen(name), slashes = bytes - n;
	char *path = malloc(bytes + 1);

	CHECK(path);
	for (size_t i = 0; i < slashes; i++)
		path[i] = i % 2 ? '/' : '.';
	if (slashes % 2)
		path[slashes - 1] = '/';
	strcpy(path + slashes, name);
	return path;
}

static void longest_paths(void)
{
	char name[NAME_MAX + 2], *path;

	touch("f");
	path = long_way("f", PATH_MAX - 1);
	CHECK_EQ(inode_of(path), inode_of("f"));
	free(path);
	path = long_way("f", PATH_MAX);
	CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
	CHECK_ERR(symlink(path, "longer"), ENAMETOOLONG);
	free(path);

	memset(name, 'n', sizeof name);
	name[NAME_MAX + 1] = '\0';
	CHECK_ERR(open(name, O_RDONLY), ENAMETOOLONG);
	CHECK_ERR(mkdir(name, 0755), ENAMETOOLONG);
	CHECK_ERR(rename("f", name), ENAMETOOLONG);
	name[NAME_MAX] = '\0';
	CHECK_OK(rename("f", name));
	CHECK_OK(unlink(name));
}

// What a link leads to and what follows it count apart.
static void long_links_in_long_paths(void)
{
	char *target, *path;

	CHECK_OK(mkdir("d", 0755));
	touch("d/f");
	target = long_way("d", 3000);
	CHECK_OK(symlink(target, "link"));
	free(target);
	path = malloc(PATH_MAX);
	CHECK(path);
	strcpy(path, "link/");
	for (size_t n = 5; n < 3000; n += 2)
		strcpy(path + n, "./");
	strcat(path, "f");
	CHECK_EQ(inode_of(path), inode_of("d/f"));
	free(path);
}

// --- open

static void what_open_creates(void)
{
	int fd;

	CHECK_OK(mkdir("d", 0755));
	touch("f");
	CHECK_OK(symlink("made", "dangling"));
	CHECK_ERR(open("d", O_RDONLY | O_CREAT, 0644), EISDIR);
	CHECK_ERR(open(".", O_RDONLY | O_CREAT, 0644), EISDIR);
	CHECK_ERR(open(".", O_RDONLY | O_CREAT | O_EXCL, 0644), EEXIST);
	CHECK_ERR(open("d", O_RDONLY | O_CREAT | O_EXCL, 0644), EEXIST);
	CHECK_ERR(open("n/", O_RDONLY | O_CREAT, 0644), EISDIR);
	CHECK_ERR(open("none/n", O_RDONLY | O_CREAT, 0644), ENOENT);
	CHECK_ERR(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	CHECK_ERR(open("dangling", O_RDWR | O_CREAT | O_NOFOLLOW, 0644), ELOOP);
	CHECK_ERR(open("dangling", O_RDWR), ENOENT);
	CHECK(!is_there("made"));
	fd = (int)CHECK_OK(open("dangling", O_RDWR | O_CREAT, 0400));
	CHECK_EQ(write(fd, "x", 1), 1); // the new file's mode does not bind its maker
	CHECK(is_there("made"));
	CHECK_OK(close(fd));
	umask(027);
	fd = (int)CHECK_OK(open("masked", O_RDWR | O_CREAT, 0666));
	struct stat st;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
}

static void what_open_refuses(void)
{
	touch("f");
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("f", "to_f"));
	CHECK_OK(symlink("d", "to_d"));
	CHECK_ERR(open("d", O_RDWR), EISDIR);
	CHECK_ERR(open("d", O_RDONLY | O_TRUNC), EISDIR);
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open("to_f", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERR(open("to_d", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open("to_f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_OK(close((int)CHECK_OK(open("to_d/", O_RDONLY | O_NOFOLLOW))));
	CHECK_ERR(open((char *)8, O_RDONLY), EFAULT);
}

// --- descriptors that stand for a place

static void places(void)
{
	struct statfs fs;
	struct stat st;
	char c;
	int fd;

	touch("f");
	fd = (int)CHECK_OK(open("f", O_PATH | O_CLOEXEC));
	CHECK_ERR(read(fd, &c, 1), EBADF);
	CHECK_ERR(write(fd, &c, 1), EBADF);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), EBADF);
	CHECK_ERR(ftruncate(fd, 0), EBADF);
	CHECK_ERR(fsync(fd), EBADF);
	CHECK_ERR(fchmod(fd, 0600), EBADF);
	CHECK_ERR(fchown(fd, 0, 0), EBADF);
	CHECK_ERR(futimens(fd, NULL), EBADF);
	CHECK_ERR(ioctl(fd, 0), EBADF);
	CHECK_ERR(fcntl(fd, F_SETFL, 0), EBADF);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
	CHECK_EQ(errno, EBADF);
	CHECK_EQ(CHECK_OK(fcntl(fd, F_GETFD)), FD_CLOEXEC);
	CHECK(CHECK_OK(fcntl(fd, F_GETFL)) & O_PATH);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_ino, inode_of("f"));
	CHECK_OK(fstatfs(fd, &fs));
	CHECK_OK(close((int)CHECK_OK(dup(fd))));
	CHECK_ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
	CHECK_ERR(fchdir(fd), ENOTDIR);
	CHECK_OK(close(fd));
}

static void places_of_directories(void)
{
	int fd;

	CHECK_OK(mkdir("d", 0755));
	touch("d/f");
	fd = (int)CHECK_OK(open("d", O_PATH | O_DIRECTORY));
	CHECK_OK(close((int)CHECK_OK(openat(fd, "f", O_RDONLY))));
	CHECK_OK(mkdirat(fd, "e", 0755));
	CHECK(is_there("d/e"));
	CHECK_OK(fchdir(fd));
	CHECK(is_there("f"));
	CHECK_OK(close(fd));
}

static void places_of_links(void)
{
	char target[8] = "";
	struct stat st;
	int fd;

	CHECK_OK(symlink("target", "link"));
	fd = (int)CHECK_OK(open("link", O_PATH | O_NOFOLLOW));
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(readlinkat(fd, "", target, sizeof target), 6);
	CHECK(memcmp(target, "target", 6) == 0);
	CHECK_OK(close(fd));
	touch("f");
	fd = (int)CHECK_OK(open("f", O_PATH));
	CHECK_ERR(readlinkat(fd, "", target, sizeof target), ENOENT);
	CHECK_ERR(readlink("f", target, sizeof target), EINVAL);
	CHECK_ERR(readlink("link", target, 0), EINVAL);
}

// --- bases and empty paths

static void bases(void)
{
	char absolute[PATH_MAX];
	int file, dir;

	touch("f");
	CHECK_OK(mkdir("d", 0755));
	file = (int)CHECK_OK(open("f", O_RDONLY));
	dir = (int)CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
	CHECK_ERR(openat(file, "x", O_RDONLY), ENOTDIR);
	CHECK_ERR(openat(99, "x", O_RDONLY), EBADF);
	CHECK_OK(close((int)CHECK_OK(openat(dir, "../f", O_RDONLY))));
	CHECK(getcwd(absolute, sizeof absolute - 3));
	strcat(absolute, "/f");
	CHECK_OK(close((int)CHECK_OK(openat(99, absolute, O_RDONLY))));
	CHECK_OK(renameat(AT_FDCWD, "f", dir, "moved"));
	CHECK_OK(linkat(dir, "moved", AT_FDCWD, "f", 0));
	CHECK_OK(symlinkat("moved", dir, "link"));
	CHECK_OK(unlinkat(dir, "moved", 0));
	CHECK_ERR(unlinkat(dir, ".", AT_REMOVEDIR), EINVAL);
	CHECK_ERR(unlinkat(AT_FDCWD, "d", 0), EISDIR);
	CHECK_ERR(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR), ENOTEMPTY);
	CHECK_ERR(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR), ENOTDIR);
	CHECK_ERR(unlinkat(AT_FDCWD, "f", 1), EINVAL);
}

static void empty_paths(void)
{
	struct stat st;
	int fd;

	touch("f");
	fd = (int)CHECK_OK(open("f", O_RDONLY));
	CHECK_ERR(fstatat(fd, "", &st, 0), ENOENT);
	CHECK_OK(fstatat(fd, "", &st, AT_EMPTY_PATH));
	CHECK_EQ(st.st_ino, inode_of("f"));
	CHECK_OK(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
	CHECK_EQ(st.st_ino, inode_of("."));
	CHECK_ERR(fstatat(fd, "", &st, 0x80000000), EINVAL);
	CHECK_OK(linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH));
	CHECK_EQ(inode_of("g"), inode_of("f"));
	CHECK_OK(unlink("f"));
	CHECK_OK(unlink("g"));
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH), ENOENT);
}

static void links_of_links(void)
{
	struct stat st;

	touch("f");
	CHECK_OK(symlink("f", "s"));
	CHECK_OK(linkat(AT_FDCWD, "s", AT_FDCWD, "hard_s", 0));
	CHECK_OK(linkat(AT_FDCWD, "s", AT_FDCWD, "hard_f", AT_SYMLINK_FOLLOW));
	CHECK_OK(lstat("hard_s", &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(st.st_nlink, 2);
	CHECK_OK(lstat("hard_f", &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_ERR(link(".", "x"), EPERM);
	CHECK_ERR(link("f", "s"), EEXIST);
	CHECK_ERR(linkat(AT_FDCWD, "f", AT_FDCWD, "x", 1), EINVAL);
}

// --- times

static struct stat stat_of(const char *name)
{
	struct stat st;

	CHECK_OK(lstat(name, &st));
	return st;
}

static void times(void)
{
	struct timespec set[2] = {{.tv_sec = 1000, .tv_nsec = 5}, {.tv_sec = -3, .tv_nsec = 7}};
	struct stat st;

	touch("f");
	CHECK_OK(symlink("f", "s"));
	CHECK_OK(utimensat(AT_FDCWD, "s", set, 0));
	st = stat_of("f");
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK_EQ(st.st_atim.tv_nsec, 5);
	CHECK_EQ(st.st_mtim.tv_sec, -3);
	CHECK_EQ(st.st_mtim.tv_nsec, 7);
	CHECK(stat_of("s").st_mtim.tv_sec > 0);
	CHECK_OK(utimensat(AT_FDCWD, "s", set, AT_SYMLINK_NOFOLLOW));
	CHECK_EQ(stat_of("s").st_mtim.tv_sec, -3);
	set[0].tv_nsec = UTIME_OMIT;
	set[1].tv_nsec = UTIME_NOW;
	CHECK_OK(utimensat(AT_FDCWD, "f", set, 0));
	CHECK_EQ(stat_of("f").st_atim.tv_sec, 1000);
	CHECK(stat_of("f").st_mtim.tv_sec > 1000);
	set[1].tv_nsec = UTIME_OMIT; // nothing to do: nobody looks
	CHECK_OK(utimensat(AT_FDCWD, "none", set, 0));
	set[1].tv_nsec = 1000000000;
	CHECK_ERR(utimensat(AT_FDCWD, "f", set, 0), EINVAL);
	CHECK_ERR(utimensat(AT_FDCWD, "none", NULL, 0), ENOENT);
}

// --- the working directory

static void a_working_directory_that_is_gone(void)
{
	char buffer[PATH_MAX];

	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(chdir("d"));
	CHECK_OK(rmdir("../d"));
	CHECK(!getcwd(buffer, sizeof buffer));
	CHECK_EQ(errno, ENOENT);
	CHECK_ERR(mkdir("x", 0755), ENOENT);
	CHECK_ERR(open("x", O_RDWR | O_CREAT, 0644), ENOENT);
	CHECK_OK(close((int)CHECK_OK(open(".", O_RDONLY))));
	CHECK_OK(chdir(".."));
	CHECK(getcwd(buffer, sizeof buffer));
	CHECK(!getcwd(buffer, strlen(buffer)));
	CHECK_EQ(errno, ERANGE);
}

// Directories may lie deeper than a path can tell.
static void deeper_than_paths(void)
{
	char name[NAME_MAX + 1], path[PATH_MAX];
	int depth = PATH_MAX / NAME_MAX + 1;

	memset(name, 'd', NAME_MAX);
	name[NAME_MAX] = '\0';
	for (int i = 0; i < depth; i++) {
		CHECK_OK(mkdir(name, 0755));
		CHECK_OK(chdir(name));
	}
	touch("f");
	CHECK(is_there("f"));
	CHECK_ERR(syscall(SYS_getcwd, path, sizeof path), ENAMETOOLONG);
	CHECK_OK(unlink("f"));
	for (int i = 0; i < depth; i++) {
		CHECK_OK(chdir(".."));
		CHECK_OK(rmdir(name));
	}
	CHECK_OK(syscall(SYS_getcwd, path, sizeof path));
}

static const struct test tests[] = {
	{"dots_and_slashes", dots_and_slashes},
	{"links_lead_on", links_lead_on},
	{"forty_links_and_no_more", forty_links_and_no_more},
	{"longest_paths", longest_paths},
	{"long_links_in_long_paths", long_links_in_long_paths},
	{"what_open_creates", what_open_creates},
	{"what_open_refuses", what_open_refuses},
	{"places", places},
	{"places_of_directories", places_of_directories},
	{"places_of_links", places_of_links},
	{"bases", bases},
	{"empty_paths", empty_paths},
	{"links_of_links", links_of_links},
	{"times", times},
	{"a_working_directory_that_is_gone", a_working_directory_that_is_gone},
	{"deeper_than_paths", deeper_than_paths},
};

TEST_MAIN(tests)
