// SPDX-License-Identifier: MIT
// The calls on names and folders: links, renames, what is read of a folder, and where one works.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/tap.h"
#include "lib/text.h"

static unsigned long links_of(const char *name)
{
	struct stat st;

	CHECK_OK(lstat(name, &st));
	return (unsigned long)st.st_nlink;
}

static void hard_links(void)
{
	put_text("a", "text");
	CHECK_OK(link("a", "b"));
	CHECK_EQ(links_of("a"), 2);
	CHECK_EQ(inode_of("a"), inode_of("b"));
	CHECK_ERR(link("a", "b"), EEXIST);
	CHECK_ERR(link("none", "c"), ENOENT);
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERR(link("d", "e"), EPERM);
	CHECK_OK(unlink("a"));
	check_text("b", "text");
	CHECK_EQ(links_of("b"), 1);
}

static void unlink_while_open(void)
{
	int fd = make_file("f", 5 * PAGE);
	char c;

	CHECK_OK(unlink("f"));
	CHECK_ERR(unlink("f"), ENOENT);
	CHECK_EQ(pread(fd, &c, 1, 4 * PAGE), 1);
	CHECK_EQ(c, pattern(4 * PAGE));
	CHECK_EQ(pwrite(fd, "more", 4, 10 * PAGE), 4);
	struct stat st;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	put_text("f", "another");
	check_text("f", "another");
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, pattern(0));
}

static void rename_files(void)
{
	put_text("a", "A");
	put_text("b", "B");
	ino_t a = inode_of("a");
	CHECK_OK(rename("a", "b")); // replaces
	CHECK_ERR(open("a", O_RDONLY), ENOENT);
	check_text("b", "A");
	CHECK_EQ(inode_of("b"), a);
	CHECK_OK(rename("b", "b"));
	CHECK_ERR(rename("none", "x"), ENOENT);
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERR(rename("b", "d"), EISDIR);
	CHECK_ERR(rename("d", "b"), ENOTDIR);
	CHECK_OK(rename("b", "d/b"));
	check_text("d/b", "A");
	CHECK_OK(link("d/b", "c"));
	CHECK_OK(rename("c", "d/b")); // two names of one file: nothing happens
	check_text("c", "A");
}

static void rename_folders(void)
{
	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("a/sub", 0755));
	put_text("a/sub/f", "deep");
	CHECK_ERR(rename("a", "a/sub/x"), EINVAL);
	CHECK_OK(mkdir("b", 0755));
	CHECK_OK(rename("a", "b")); // over an empty one
	check_text("b/sub/f", "deep");
	CHECK_OK(mkdir("c", 0755));
	CHECK_ERR(rename("c", "b"), ENOTEMPTY);
	CHECK_OK(rename("b/sub", "c/moved"));
	check_text("c/moved/f", "deep");
	CHECK_EQ(links_of("c"), 3);
	CHECK_EQ(links_of("b"), 2);
	CHECK_OK(chdir("c/moved"));
	CHECK_EQ(inode_of(".."), inode_of("../../c"));
	CHECK_OK(chdir("../.."));
}

static void rename_while_open(void)
{
	int fd;
	char c;

	put_text("old", "o");
	fd = (int)CHECK_OK(open("old", O_RDONLY));
	put_text("new", "n");
	CHECK_OK(rename("new", "old"));
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 'o');
	check_text("old", "n");
}

static void folders(void)
{
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERR(mkdir("d", 0755), EEXIST);
	CHECK_ERR(mkdir("none/d", 0755), ENOENT);
	CHECK_EQ(links_of("d"), 2);
	CHECK_OK(mkdir("d/e", 0755));
	CHECK_EQ(links_of("d"), 3);
	CHECK_ERR(rmdir("d"), ENOTEMPTY);
	CHECK_ERR(unlink("d/e"), EISDIR);
	CHECK_OK(rmdir("d/e"));
	CHECK_EQ(links_of("d"), 2);
	put_text("f", "x");
	CHECK_ERR(rmdir("f"), ENOTDIR);
	CHECK_ERR(rmdir("none"), ENOENT);
	CHECK_ERR(rmdir("d/."), EINVAL);
	CHECK_OK(rmdir("d/"));
	CHECK_ERR(chdir("d"), ENOENT);
	CHECK_ERR(chdir("f"), ENOTDIR);
}

static void working_folder(void)
{
	char before[PATH_MAX], now[PATH_MAX];

	CHECK(getcwd(before, sizeof before));
	CHECK_OK(mkdir("sub", 0755));
	CHECK_OK(chdir("sub"));
	CHECK(getcwd(now, sizeof now));
	CHECK(!strncmp(now, before, strlen(before)) && !strcmp(now + strlen(before), "/sub"));
	CHECK(!getcwd(now, 3) && errno == ERANGE);
	put_text("f", "x");
	CHECK_OK(chdir(".."));
	check_text("sub/../sub/./f", "x");
	CHECK_OK(chdir("/"));
	CHECK(getcwd(now, sizeof now) && !strcmp(now, "/"));
	CHECK_OK(chdir("/.."));
	CHECK(getcwd(now, sizeof now) && !strcmp(now, "/"));
	CHECK_OK(chdir(before));
}

static void calls_relative_to_a_folder(void)
{
	int dir, fd;

	CHECK_OK(mkdir("d", 0755));
	dir = (int)CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
	fd = (int)CHECK_OK(openat(dir, "f", O_WRONLY | O_CREAT, 0644));
	CHECK_EQ(write(fd, "at", 2), 2);
	check_text("d/f", "at");
	CHECK_OK(mkdirat(dir, "e", 0755));
	CHECK_OK(syscall(SYS_renameat2, dir, "f", dir, "g", 0));
	CHECK_OK(linkat(dir, "g", AT_FDCWD, "h", 0));
	check_text("h", "at");
	CHECK_OK(unlinkat(dir, "g", 0));
	CHECK_ERR(unlinkat(dir, "e", 0), EISDIR);
	CHECK_OK(unlinkat(dir, "e", AT_REMOVEDIR));
	CHECK_ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
	CHECK_ERR(openat(999, "x", O_RDONLY), EBADF);
}

enum { MANY = 300 };

// Each name once, and nothing else, through a buffer that holds only a few.
static void reading_a_folder(void)
{
	bool seen[MANY] = {false};
	char name[16];
	struct dirent *entry;
	int others = 0;
	DIR *dir;

	CHECK_OK(mkdir("d", 0755));
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "d/f%d", i);
		put_text(name, "");
	}
	dir = opendir("d");
	CHECK(dir);
	while ((entry = readdir(dir))) {
		int i = entry->d_name[0] == 'f' ? atoi(entry->d_name + 1) : -1;

		if (i < 0) {
			others++;
			CHECK(entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN);
			continue;
		}
		CHECK(i < MANY && !seen[i]);
		seen[i] = true;
		snprintf(name, sizeof name, "d/f%d", i);
		CHECK_EQ(entry->d_ino, inode_of(name));
	}
	closedir(dir);
	CHECK_EQ(others, 2); // . and ..
	for (int i = 0; i < MANY; i++)
		CHECK(seen[i]);
}

// Removing what has been read, while reading: each name still comes once.
static void emptying_while_reading(void)
{
	char name[300];
	struct dirent *entry;
	int removed = 0;
	DIR *dir;

	CHECK_OK(mkdir("d", 0755));
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "d/f%d", i);
		put_text(name, "");
	}
	dir = opendir("d");
	CHECK(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "d/%s", entry->d_name);
		CHECK_OK(unlink(name));
		removed++;
	}
	closedir(dir);
	CHECK_EQ(removed, MANY);
	CHECK_OK(rmdir("d"));
}

static void folder_without_its_name(void)
{
	DIR *dir;

	CHECK_OK(mkdir("d", 0755));
	dir = opendir("d");
	CHECK(dir);
	CHECK_OK(rmdir("d"));
	CHECK(!readdir(dir));
	CHECK_ERR(openat(dirfd(dir), "x", O_WRONLY | O_CREAT, 0644), ENOENT);
	closedir(dir);
}

static void reading_a_folder_as_a_file(void)
{
	int fd = (int)CHECK_OK(open(".", O_RDONLY));
	char c;

	CHECK_ERR(read(fd, &c, 1), EISDIR);
	CHECK_ERR(write(fd, &c, 1), EBADF);
}

static const struct test tests[] = {
	{"hard_links", hard_links},
	{"unlink_while_open", unlink_while_open},
	{"rename_files", rename_files},
	{"rename_folders", rename_folders},
	{"rename_while_open", rename_while_open},
	{"folders", folders},
	{"working_folder", working_folder},
	{"calls_relative_to_a_folder", calls_relative_to_a_folder},
	{"reading_a_folder", reading_a_folder},
	{"emptying_while_reading", emptying_while_reading},
	{"folder_without_its_name", folder_without_its_name},
	{"reading_a_folder_as_a_file", reading_a_folder_as_a_file},
};

TEST_MAIN(tests)
