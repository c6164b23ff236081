// SPDX-License-Identifier: MIT
// stat: what the file system knows of a file; -c prints only what its format names.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "stat";
const char usage_args[] = "[-L] [-c FORMAT] FILE...";

static const char *kind(mode_t mode)
{
	if (S_ISDIR(mode))
		return "directory";
	if (S_ISLNK(mode))
		return "symbolic link";
	if (S_ISCHR(mode))
		return "character device";
	if (S_ISBLK(mode))
		return "block device";
	if (S_ISFIFO(mode))
		return "fifo";
	if (S_ISSOCK(mode))
		return "socket";
	return "regular file";
}

static void print_time(const char *label, const struct timespec *t)
{
	time_t seconds = t->tv_sec;
	struct tm *tm = gmtime(&seconds);
	char text[32];

	if (!tm || !strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", tm))
		strcpy(text, "?");
	printf("%s: %s.%09ld\n", label, text, (long)t->tv_nsec);
}

static void print_all(const char *path, const struct stat *st)
{
	printf("  File: %s\n", path);
	printf("  Size: %lld\tBlocks: %lld\tIO Block: %ld\t%s\n", (long long)st->st_size,
		(long long)st->st_blocks, (long)st->st_blksize, kind(st->st_mode));
	printf("Device: %lu\tInode: %lu\tLinks: %lu\n", (unsigned long)st->st_dev,
		(unsigned long)st->st_ino, (unsigned long)st->st_nlink);
	printf("Access: %04o\tUid: %u\tGid: %u\n", st->st_mode & 07777, st->st_uid, st->st_gid);
	print_time("Access", &st->st_atim);
	print_time("Modify", &st->st_mtim);
	print_time("Change", &st->st_ctim);
}

static void print_field(char letter, const char *path, const struct stat *st)
{
	switch (letter) {
	case 'n':
		fputs(path, stdout);
		break;
	case 's':
		printf("%lld", (long long)st->st_size);
		break;
	case 'b':
		printf("%lld", (long long)st->st_blocks);
		break;
	case 'i':
		printf("%lu", (unsigned long)st->st_ino);
		break;
	case 'h':
		printf("%lu", (unsigned long)st->st_nlink);
		break;
	case 'a':
		printf("%o", st->st_mode & 07777);
		break;
	case 'u':
		printf("%u", st->st_uid);
		break;
	case 'g':
		printf("%u", st->st_gid);
		break;
	case 'F':
		fputs(kind(st->st_mode), stdout);
		break;
	case 'Y':
		printf("%lld", (long long)st->st_mtim.tv_sec);
		break;
	default:
		putchar(letter);
	}
}

static void print_format(const char *format, const char *path, const struct stat *st)
{
	for (; *format; format++) {
		if (format[0] == '%' && format[1])
			print_field(*++format, path, st);
		else
			putchar(*format);
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	const char *format = NULL;
	bool follow = false;
	int option, status = 0;

	while ((option = getopt(argc, argv, "Lc:")) != -1) {
		if (option == 'L')
			follow = true;
		else if (option == 'c')
			format = optarg;
		else
			usage();
	}
	if (optind == argc)
		usage();
	for (; optind < argc; optind++) {
		struct stat st;

		if ((follow ? stat : lstat)(argv[optind], &st) != 0) {
			complain("%s", argv[optind]);
			status = 1;
		} else if (format) {
			print_format(format, argv[optind], &st);
		} else {
			print_all(argv[optind], &st);
		}
	}
	return finish(status);
}
