// SPDX-License-Identifier: MIT
/*
 * A million files in one directory: made, found, read through, removed again.  The time and the
 * blocks of each step are printed.  MAPFS_FILES is how many.
 */
#include "world.h"

#include <mapfs/format.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILES 1000000u

static struct world w;

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *name_of(unsigned i, char *path)
{
	sprintf(path, "/many/file-%u", i);
	return path;
}

/* How long, and how large the directory is after it. */
static void report(const char *what, unsigned n, double since)
{
	struct fs_attr attr;
	double s = now_s() - since;

	assert_int_equal(vfs_stat(&w.ctx, NULL, "/many", 0, &attr), 0);
	fprintf(stderr, "# %u names %s: %.1f s, %.1f us each; the directory has %llu blocks\n", n,
		what, s, s / n * 1e6, (unsigned long long)(attr.size_bytes / 4096));
}

static int stat_one(unsigned i)
{
	struct fs_attr attr;
	char path[64];

	return vfs_stat(&w.ctx, NULL, name_of(i, path), 0, &attr);
}

struct listing {
	struct fs_readdir r;
	uint8_t *seen;
	unsigned n, first, total; /* only from `first` on there are any */
};

static bool list(struct fs_readdir *r, const struct fs_entry *e)
{
	struct listing *l = (struct listing *)r;
	char name[64] = {0};
	unsigned i;

	if (e->name[0] == '.')
		return true;
	memcpy(name, e->name, e->name_bytes);
	i = (unsigned)atoi(name + strlen("file-"));
	assert_in_range(i, l->first, l->total - 1);
	assert_int_equal(l->seen[i]++, 0);
	l->n++;
	return true;
}

static void check_list(unsigned first, unsigned total)
{
	struct listing l = {
		.r.emit = list, .seen = calloc(total, 1), .first = first, .total = total};
	struct file *file;
	double since = now_s();

	assert_int_equal(world_open(&w, "/many", FS_O_RDONLY, &file), 0);
	assert_int_equal(file_readdir(file, &l.r), 0);
	file_unref(file);
	assert_int_equal(l.n, total - first);
	free(l.seen);
	report("listed", total - first, since);
}

static void a_million_names(void **state)
{
	const char *text = getenv("MAPFS_FILES");
	unsigned n = text ? (unsigned)atoi(text) : FILES;
	double since;
	char path[64];

	(void)state;
	/* Sparse; so many groups have room for the inodes. */
	world_make(&w, (uint64_t)(n / MAPFS_GROUP_BLOCKS + 2) * MAPFS_GROUP_BLOCKS * 4096, n + 100);
	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/many", 0755), 0);
	since = now_s();
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(world_put(&w, name_of(i, path), 0, 0), 0);
	report("made", n, since);
	world_unmount(&w);
	since = now_s();
	world_fsck(&w, false, IMAGE_CLEAN);
	fprintf(stderr, "# checked: %.1f s\n", now_s() - since);
	world_mount(&w);
	check_list(0, n);
	since = now_s();
	for (unsigned i = 0; i < n; i += 100)
		assert_int_equal(stat_one((unsigned)((uint64_t)i * 7919 % n)), 0);
	report("found", n / 100, since);
	assert_int_equal(stat_one(n), -ENOENT);
	since = now_s();
	for (unsigned i = 0; i < n - n / 10; i++)
		assert_int_equal(vfs_unlink(&w.ctx, NULL, name_of(i, path)), 0);
	report("removed", n - n / 10, since);
	check_list(n - n / 10, n);
	world_remount(&w);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_names),
	};

	return cmocka_run_group_tests_name("mapfs_many", tests, NULL, NULL);
}
