// SPDX-License-Identifier: MIT
// ls: list files. A folder is read whole, sorted, and printed in columns on a terminal.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "ls";
const char usage_args[] = "[-1adilR] [FILE]...";

static struct {
	bool all, folder_itself, one_column, inode, long_form, recursive;
} opt;

struct file {
	char *name; // as printed
	char *path;
	struct stat st;
};

struct list {
	struct file *files;
	size_t n, room;
};

static int status;

static bool list_add(struct list *list, char *name, char *path)
{
	struct file f = {.name = name, .path = path};

	if (lstat(path, &f.st) != 0) {
		complain("%s", path);
		status = 1;
		free(name);
		free(path);
		return false;
	}
	if (list->n == list->room) {
		list->room = list->room ? list->room * 2 : 64;
		list->files = realloc(list->files, list->room * sizeof f);
		if (!list->files)
			die("%zu files", list->room);
	}
	list->files[list->n++] = f;
	return true;
}

static void list_free(struct list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->files[i].name);
		free(list->files[i].path);
	}
	free(list->files);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static void mode_text(mode_t mode, char text[11])
{
	static const char rights[] = "rwxrwxrwx";

	text[0] = S_ISDIR(mode)    ? 'd'
		  : S_ISLNK(mode)  ? 'l'
		  : S_ISCHR(mode)  ? 'c'
		  : S_ISBLK(mode)  ? 'b'
		  : S_ISFIFO(mode) ? 'p'
		  : S_ISSOCK(mode) ? 's'
				   : '-';
	for (int i = 0; i < 9; i++)
		text[i + 1] = mode & (0400 >> i) ? rights[i] : '-';
	text[10] = '\0';
}

static void print_long(const struct file *f)
{
	const struct stat *st = &f->st;
	char mode[11], when[32], target[4096];
	time_t seconds = st->st_mtime;
	struct tm *tm = gmtime(&seconds);
	ssize_t n;

	mode_text(st->st_mode, mode);
	if (!tm || !strftime(when, sizeof when, "%Y-%m-%d %H:%M", tm))
		strcpy(when, "?");
	printf("%s %3lu %4u %4u ", mode, (unsigned long)st->st_nlink, st->st_uid, st->st_gid);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		printf("%5u,%4u", (unsigned)(st->st_rdev >> 8 & 0xfff),
			(unsigned)(st->st_rdev & 0xff));
	else
		printf("%10lld", (long long)st->st_size);
	printf(" %s %s", when, f->name);
	if (S_ISLNK(st->st_mode)) {
		n = readlink(f->path, target, sizeof target - 1);
		if (n >= 0) {
			target[n] = '\0';
			printf(" -> %s", target);
		}
	}
	putchar('\n');
}

static size_t terminal_columns(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

static int print_name(const struct file *f)
{
	int n = 0;

	if (opt.inode)
		n = printf("%7lu ", (unsigned long)f->st.st_ino);
	return n + printf("%s", f->name);
}

// Down the columns, then across, as many columns as the widest name allows.
static void print_columns(const struct list *list, size_t width)
{
	size_t cell = 0, columns, rows;

	for (size_t i = 0; i < list->n; i++) {
		size_t n = strlen(list->files[i].name) + 2 + (opt.inode ? 8 : 0);

		cell = n > cell ? n : cell;
	}
	columns = width / cell ? width / cell : 1;
	rows = (list->n + columns - 1) / columns;
	for (size_t row = 0; row < rows; row++) {
		for (size_t i = row; i < list->n; i += rows) {
			int n = print_name(&list->files[i]);

			if (i + rows < list->n)
				printf("%*s", (int)cell - n, "");
		}
		putchar('\n');
	}
}

static void print_list(const struct list *list)
{
	size_t width = opt.one_column || opt.long_form ? 0 : terminal_columns();

	if (width && list->n) {
		print_columns(list, width);
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		if (opt.long_form) {
			if (opt.inode)
				printf("%7lu ", (unsigned long)list->files[i].st.st_ino);
			print_long(&list->files[i]);
		} else {
			print_name(&list->files[i]);
			putchar('\n');
		}
	}
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static void list_folder(const char *path, bool heading)
{
	static bool printed;
	struct list list = {0};
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir) {
		complain("%s", path);
		status = 1;
		return;
	}
	while ((entry = readdir(dir)))
		if (opt.all || entry->d_name[0] != '.')
			list_add(&list, need_string(entry->d_name), path_join(path, entry->d_name));
	closedir(dir);
	if (list.n)
		qsort(list.files, list.n, sizeof *list.files, by_name);
	if (heading)
		printf("%s%s:\n", printed ? "\n" : "", path);
	printed = true;
	print_list(&list);
	for (size_t i = 0; opt.recursive && i < list.n; i++)
		if (S_ISDIR(list.files[i].st.st_mode) && !is_dot(list.files[i].name))
			list_folder(list.files[i].path, true);
	list_free(&list);
}

static bool shown_as_folder(const char *path)
{
	struct stat st;

	if (opt.folder_itself)
		return false;
	if (opt.long_form && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return false;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void list_arguments(char **paths, int n)
{
	struct list plain = {0};

	for (int i = 0; i < n; i++)
		if (!shown_as_folder(paths[i]))
			list_add(&plain, need_string(paths[i]), need_string(paths[i]));
	if (plain.n)
		qsort(plain.files, plain.n, sizeof *plain.files, by_name);
	print_list(&plain);
	if (plain.n && plain.n < (size_t)n)
		putchar('\n');
	list_free(&plain);
	for (int i = 0; i < n; i++)
		if (shown_as_folder(paths[i]))
			list_folder(paths[i], n > 1 || opt.recursive);
}

int main(int argc, char **argv)
{
	static char *here[] = {"."};
	int option;

	while ((option = getopt(argc, argv, "1adilR")) != -1) {
		switch (option) {
		case '1':
			opt.one_column = true;
			break;
		case 'a':
			opt.all = true;
			break;
		case 'd':
			opt.folder_itself = true;
			break;
		case 'i':
			opt.inode = true;
			break;
		case 'l':
			opt.long_form = true;
			break;
		case 'R':
			opt.recursive = true;
			break;
		default:
			usage();
		}
	}
	if (optind == argc)
		list_arguments(here, 1);
	else
		list_arguments(argv + optind, argc - optind);
	return finish(status);
}
