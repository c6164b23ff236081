// SPDX-License-Identifier: MIT
/*
 * mkfs IMAGE [SIZE] [DIR]: a new file system, with the contents of a host directory.
 *
 * The same directory gives the same image, byte for byte: entries go in by name, times are those
 * of the files, and everything that mkfs itself would have to make up (UUID, times of creation)
 * is fixed.  SOURCE_DATE_EPOCH sets the latter.
 *
 * Exit status: 0; 2 wrong arguments; 8 it could not be made, and then there is no image.
 */
#include "lib/image.h"
#include "lib/progress.h"

#include <fs/file.h>
#include <fs/mapfs.h>
#include <fs/vfs.h>
#include <mapfs/format.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_TIME_S 1767225600 /* 2026-01-01 00:00 UTC */
#define NS             1000000000ll
#define MIB            ((uint64_t)1 << 20)

/* What one group may have at most, and more than it is large. */
#define INODES_PER_GROUP 32256u
#define GROUP_MIB        136u

static const char usage[] =
	"usage: mkfs [--inodes N] [--label TEXT] IMAGE [SIZE] [DIR]\n"
	"SIZE like 64M or 1G; without it as large as DIR needs and half of that again.\n";

#define LINK_BUCKETS 16384u

/* A host file with several names. */
struct known_link {
	struct known_link *next;
	dev_t dev;
	ino_t ino;
	char *guest_path; /* NULL: not in the image yet */
};

static struct fs_context ctx;
static struct known_link *links[LINK_BUCKETS];

static char *join(const char *a, const char *b)
{
	char *path;

	if (asprintf(&path, "%s/%s", a, b) < 0)
		image_die(8, "out of memory");
	return path;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_dots(const struct dirent *e)
{
	return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

/* --- Links ------------------------------------------------------------------------------- */

/* Was this file seen under another name?  *l is what is known of it; NULL when it has only one. */
static bool known(const struct stat *st, struct known_link **l)
{
	struct known_link **bucket = &links[(st->st_ino ^ st->st_dev * 31) % LINK_BUCKETS];

	*l = NULL;
	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return false;
	for (*l = *bucket; *l; *l = (*l)->next)
		if ((*l)->dev == st->st_dev && (*l)->ino == st->st_ino)
			return true;
	*l = calloc(1, sizeof(**l));
	if (!*l)
		image_die(8, "out of memory");
	**l = (struct known_link){.next = *bucket, .dev = st->st_dev, .ino = st->st_ino};
	*bucket = *l;
	return false;
}

/* --- How much room does a tree need? ----------------------------------------------------- */

struct size {
	uint64_t blocks, inodes, bytes; /* the latter of regular files */
};

/* What is no hole, in blocks; and one in 100 for the map of it. */
static uint64_t data_blocks(const char *host, const struct stat *st)
{
	int fd = open(host, O_RDONLY | O_CLOEXEC);
	off_t at = 0, end;
	uint64_t blocks = 0;

	if (fd < 0)
		image_die_errno(8, host, -errno);
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && (end = lseek(fd, at, SEEK_HOLE)) >= 0) {
		blocks += (uint64_t)(end - at + 4095) / 4096;
		at = end;
	}
	if (errno != ENXIO) /* nothing but a hole is left */
		blocks = ((uint64_t)st->st_size + 4095) / 4096;
	close(fd);
	return blocks + blocks / 100;
}

static void measure(const char *host, struct size *size);

/* Names in the order of their hashes leave nodes half full at worst. */
static void measure_contents(const char *host, struct size *size)
{
	struct dirent **entries;
	uint64_t bytes = 0;
	char *path;
	int n = scandir(host, &entries, not_dots, by_name);

	for (int i = 0; i < n; i++) {
		path = join(host, entries[i]->d_name);
		bytes += MAPFS_DIRENT_BYTES(strlen(entries[i]->d_name));
		measure(path, size);
		free(path);
		free(entries[i]);
	}
	size->blocks += 1 + bytes * 2 / MAPFS_DIR_NODE_BYTES * 101 / 100;
	if (n >= 0)
		free(entries);
}

static void measure(const char *host, struct size *size)
{
	struct known_link *l;
	struct stat st;

	if (lstat(host, &st) < 0)
		image_die_errno(8, host, -errno);
	if (known(&st, &l))
		return;
	size->inodes++;
	if (S_ISREG(st.st_mode)) {
		size->bytes += (uint64_t)st.st_size;
		size->blocks += data_blocks(host, &st);
	} else if (S_ISDIR(st.st_mode)) {
		measure_contents(host, size);
	} else {
		size->blocks++;
	}
}

/* So many inodes need so many groups, and a log beside them. */
static uint64_t least_for(uint64_t n_inodes)
{
	return n_inodes / INODES_PER_GROUP * GROUP_MIB * MIB;
}

static uint64_t estimate(const struct size *size, uint64_t *n_inodes)
{
	uint64_t blocks = size->blocks, inodes = size->inodes, bytes;

	if (*n_inodes == 0 && inodes > blocks / 4)
		*n_inodes = inodes * 3 / 2;
	inodes = inodes > *n_inodes ? inodes : *n_inodes;
	bytes = (blocks * 3 / 2 + inodes / 8) * 4096 + 8 * MIB;
	bytes = bytes > least_for(*n_inodes) ? bytes : least_for(*n_inodes);
	return (bytes + MIB - 1) / MIB * MIB;
}

/* --- Copying a tree ---------------------------------------------------------------------- */

static void check(const char *guest, int err)
{
	if (err == -ENOSPC)
		image_die(8, "%s: no space left: give a larger SIZE, or more --inodes", guest);
	if (err)
		image_die_errno(8, guest, err);
}

static void set_attributes(const char *guest, const struct stat *st)
{
	struct fs_attr attr = {.mode = st->st_mode & FS_PERM,
		.atime = image_time(&st->st_mtim),
		.mtime = image_time(&st->st_mtim)};
	unsigned mask = FS_SET_ATIME | FS_SET_MTIME;

	if (!S_ISLNK(st->st_mode))
		mask |= FS_SET_MODE;
	check(guest, vfs_setattr(&ctx, NULL, guest, 0, &attr, mask));
}

/* Link to a file that went in under another name; true when there was one. */
static bool copied_before(const char *guest, const struct stat *st)
{
	struct known_link *l;

	(void)known(st, &l);
	if (!l)
		return false;
	if (l->guest_path) {
		check(guest, vfs_link(&ctx, NULL, l->guest_path, 0, NULL, guest));
		return true;
	}
	l->guest_path = strdup(guest);
	if (!l->guest_path)
		image_die(8, "out of memory");
	return false;
}

static void copy_file(const char *host, const char *guest)
{
	int fd = open(host, O_RDONLY | O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		image_die_errno(8, host, -errno);
	check(guest, vfs_open(&ctx, NULL, guest, FS_O_CREAT | FS_O_EXCL | FS_O_RDWR, 0600, &file));
	check(guest, image_copy_in(fd, file));
	file_unref(file);
	close(fd);
}

static void copy_symlink(const char *host, const char *guest)
{
	char target[PATH_MAX];
	ssize_t n = readlink(host, target, sizeof(target) - 1);

	if (n < 0)
		image_die_errno(8, host, -errno);
	target[n] = 0;
	check(guest, vfs_symlink(&ctx, target, NULL, guest));
}

static void copy_entry(const char *host, const char *guest);

static void copy_contents(const char *host, const char *guest)
{
	struct dirent **entries;
	int n = scandir(host, &entries, not_dots, by_name);

	if (n < 0)
		image_die_errno(8, host, -errno);
	for (int i = 0; i < n; i++) {
		char *from = join(host, entries[i]->d_name), *to = join(guest, entries[i]->d_name);
		copy_entry(from, to);
		free(from);
		free(to);
		free(entries[i]);
	}
	free(entries);
}

static void copy_entry(const char *host, const char *guest)
{
	struct stat st;

	if (lstat(host, &st) < 0)
		image_die_errno(8, host, -errno);
	if (copied_before(guest, &st))
		return;
	if (S_ISREG(st.st_mode)) {
		copy_file(host, guest);
	} else if (S_ISLNK(st.st_mode)) {
		copy_symlink(host, guest);
	} else if (S_ISDIR(st.st_mode)) {
		check(guest, vfs_mkdir(&ctx, NULL, guest, 0700));
		copy_contents(host, guest);
	} else {
		fprintf(stderr, "mkfs: %s: is neither file, directory nor link: left out\n", host);
		return;
	}
	set_attributes(guest, &st);
}

static void copy_tree(const char *host)
{
	struct stat st;

	if (stat(host, &st) < 0)
		image_die_errno(8, host, -errno);
	copy_contents(host, "");
	set_attributes("/", &st);
}

/* --- Arguments --------------------------------------------------------------------------- */

static int64_t fixed_time_ns(void)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");

	return (epoch ? strtoll(epoch, NULL, 10) : DEFAULT_TIME_S) * NS;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Not random, yet different for different sizes and labels. */
static void make_uuid(uint8_t uuid[16], uint64_t bytes, const char *label)
{
	uint64_t a = bytes * 0x9e3779b97f4a7c15u, b = a ^ 0x6d61706173686531u;

	for (; label && *label; label++)
		b = (b ^ (uint8_t)*label) * 0x100000001b3u;
	memcpy(uuid, &a, 8);
	memcpy(uuid + 8, &b, 8);
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80); /* version 8: made up by rules of our own */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static void make_image(const char *path, uint64_t bytes, const char *dir, struct mapfs_make *how)
{
	struct blkdev *dev = image_create(path, bytes);
	int err;

	image_unfinished(path);
	make_uuid(how->uuid, bytes, how->label);
	err = mapfs_make(dev, how);
	if (err)
		image_die(8, "%s: %s", path,
			err == -ENOSPC
				? "too small (1M is the least, and 136M for each 32,256 inodes)"
				: strerror(-err));
	if (dir) {
		image_mount(dev, true, &ctx);
		copy_tree(dir);
		image_unmount(&ctx);
	}
	image_close(dev);
	image_unfinished(NULL);
}

static uint64_t parse_inodes(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n == 0)
		image_die(2, "--inodes %s: is not a number of inodes", text);
	return n;
}

int main(int argc, char **argv)
{
	struct mapfs_make how = {.now_ns = fixed_time_ns(), .device_is_zero = true};
	const char *path, *dir = NULL;
	struct size size = {0};
	uint64_t bytes = 0;
	int i;

	image_tool = "mkfs";
	for (i = 1; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (strcmp(argv[i], "--inodes") == 0)
			how.n_inodes = parse_inodes(argv[i + 1]);
		else if (strcmp(argv[i], "--label") == 0)
			how.label = argv[i + 1];
		else
			break;
	}
	if (i >= argc || argv[i][0] == '-' || argc - i > 3) {
		fputs(usage, stderr);
		return 2;
	}
	path = argv[i++];
	if (i < argc && !(i + 1 == argc && is_directory(argv[i])))
		bytes = image_parse_size(argv[i++]);
	if (i < argc)
		dir = argv[i];
	if (dir && !is_directory(dir))
		image_die(2, "%s: is not a directory", dir);
	if (!bytes && !dir)
		image_die(2, "give a size, a directory, or both");
	if (dir)
		measure(dir, &size);
	if (!bytes)
		bytes = estimate(&size, &how.n_inodes);
	image_start(how.now_ns);
	progress_to(path, 0, size.bytes, PROGRESS_BYTES);
	make_image(path, bytes, dir, &how);
	progress_end();
	return 0;
}
