// SPDX-License-Identifier: MIT
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *tree_target(const char *source, const char *dest)
{
	char *leaf, *path;

	if (!is_folder(dest))
		return need_string(dest);
	leaf = path_leaf(source);
	path = path_join(dest, leaf);
	free(leaf);
	return path;
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static int copy_bytes(int from, int to, const char *source, const char *target)
{
	bool read_failed;

	if (copy_all(from, to, &read_failed) == 0)
		return 0;
	complain("%s", read_failed ? source : target);
	return -1;
}

static int copy_file(const char *source, const char *target, const struct stat *st)
{
	int from, to, status;
	struct stat there;

	if (stat(target, &there) == 0 && there.st_dev == st->st_dev && there.st_ino == st->st_ino) {
		complain_plain("%s and %s are the same file", source, target);
		return -1;
	}
	from = open(source, O_RDONLY | O_CLOEXEC);
	if (from < 0) {
		complain("%s", source);
		return -1;
	}
	to = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, st->st_mode & 0777);
	if (to < 0) {
		complain("%s", target);
		close(from);
		return -1;
	}
	status = copy_bytes(from, to, source, target);
	close(from);
	if (close(to) != 0) {
		complain("%s", target);
		status = -1;
	}
	return status;
}

static int copy_link(const char *source, const char *target)
{
	char text[PATH_MAX];
	ssize_t n = readlink(source, text, sizeof text - 1);

	if (n < 0) {
		complain("%s", source);
		return -1;
	}
	text[n] = '\0';
	if (symlink(text, target) != 0) {
		complain("%s", target);
		return -1;
	}
	return 0;
}

// Calls ACT on each child of FOLDER, with its own name and, when OTHER is not NULL, the same name
// below OTHER.
static int each_child(
	const char *folder, const char *other, int (*act)(const char *path, const char *other_path))
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int status = 0;

	if (!dir) {
		complain("%s", folder);
		return -1;
	}
	while ((entry = readdir(dir))) {
		char *path, *other_path;

		if (is_dot(entry->d_name))
			continue;
		path = path_join(folder, entry->d_name);
		other_path = other ? path_join(other, entry->d_name) : NULL;
		if (act(path, other_path) != 0)
			status = -1;
		free(path);
		free(other_path);
	}
	closedir(dir);
	return status;
}

static int copy_child(const char *path, const char *target)
{
	return tree_copy(path, target, true);
}

// Whether TARGET lies in the folder SOURCE: such a copy would never end.
static bool lies_in(const char *target, const struct stat *source)
{
	char *path = need_string(target);
	struct stat st;
	bool inside = false;
	char *slash;

	while (!inside && (slash = strrchr(path, '/'))) {
		*slash = '\0';
		inside = stat(*path ? path : "/", &st) == 0 && st.st_dev == source->st_dev &&
			 st.st_ino == source->st_ino;
	}
	free(path);
	return inside;
}

static int copy_folder(const char *source, const char *target, const struct stat *st)
{
	if (lies_in(target, st)) {
		complain_plain("%s: cannot be copied into itself, %s", source, target);
		return -1;
	}
	if (mkdir(target, (st->st_mode & 0777) | 0700) != 0 &&
		!(errno == EEXIST && is_folder(target))) {
		complain("%s", target);
		return -1;
	}
	return each_child(source, target, copy_child);
}

int tree_copy(const char *from, const char *to, bool recursive)
{
	struct stat st;

	if ((recursive ? lstat(from, &st) : stat(from, &st)) != 0) {
		complain("%s", from);
		return -1;
	}
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to);
	if (!S_ISDIR(st.st_mode))
		return copy_file(from, to, &st);
	if (!recursive) {
		complain_plain("%s: is a directory (-r copies it)", from);
		return -1;
	}
	return copy_folder(from, to, &st);
}

static int remove_child(const char *path, const char *unused)
{
	(void)unused;
	return tree_remove(path);
}

int tree_remove(const char *path)
{
	struct stat st;
	int status = 0;

	if (lstat(path, &st) != 0) {
		complain("%s", path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		status = unlink(path);
	} else {
		if (each_child(path, NULL, remove_child) != 0)
			return -1;
		status = rmdir(path);
	}
	if (status != 0)
		complain("%s", path);
	return status;
}
