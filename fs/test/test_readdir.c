// SPDX-License-Identifier: MIT
/* Reading a directory while names come and go: who stays is seen exactly once. */
#include "harness.h"

#define STAYING 300

struct batch {
	struct fs_readdir r;
	int room;
	int seen[STAYING];
	int dots;
	int others;
};

static bool take(struct fs_readdir *r, const struct fs_entry *entry)
{
	struct batch *b = (struct batch *)r;
	int i;

	if (b->room == 0)
		return false;
	b->room--;
	if (entry->name[0] == '.')
		b->dots++;
	else if (sscanf(entry->name, "stay%d", &i) == 1)
		b->seen[i]++;
	else
		b->others++;
	return true;
}

static void make(const char *kind, int i)
{
	char path[32];

	snprintf(path, sizeof(path), "/d/%s%d", kind, i);
	file_unref(must_open(path, FS_O_CREAT | FS_O_EXCL));
}

static int drop(const char *kind, int i)
{
	char path[32];

	snprintf(path, sizeof(path), "/d/%s%d", kind, i);
	return vfs_unlink(&ctx, NULL, path);
}

/* Between the batches names appear, vanish and move. */
static void churn(uint64_t *rng, int *next)
{
	char from[32], to[32];

	for (int i = 0; i < 5; i++)
		make("go", (*next)++);
	for (int i = 0; i < 4; i++)
		(void)drop("go", (int)random_below(rng, (uint32_t)*next));
	snprintf(from, sizeof(from), "/d/go%u", random_below(rng, (uint32_t)*next));
	snprintf(to, sizeof(to), "/d/moved%d", *next);
	(void)vfs_rename(&ctx, NULL, from, NULL, to, 0);
}

static void survivors_are_seen_once(void **state)
{
	struct batch b = {.r = {take}};
	uint64_t rng = test_seed();
	int next = 0, rounds = 0;
	struct file *f;

	(void)state;
	must_mkdir("/d");
	for (int i = 0; i < STAYING; i++) {
		make("stay", i);
		make("go", next++);
	}
	f = must_open("/d", FS_O_RDONLY);
	do {
		b.room = 1 + (int)random_below(&rng, 20);
		assert_int_equal(file_readdir(f, &b.r), 0);
		if (rounds++ < 100)
			churn(&rng, &next);
	} while (b.room == 0);
	assert_int_equal(b.dots, 2);
	for (int i = 0; i < STAYING; i++)
		assert_int_equal(b.seen[i], 1);

	/* From the start again, and from a place that lseek told. */
	uint64_t at;

	memset(b.seen, 0, sizeof(b.seen));
	b.room = 10;
	assert_int_equal(file_seek(f, 0, 0, &at), 0);
	assert_int_equal(file_readdir(f, &b.r), 0);
	assert_int_equal(b.dots, 4);
	assert_int_equal(file_seek(f, 0, 1, &at), 0);
	b.room = 10;
	assert_int_equal(file_readdir(f, &b.r), 0);
	assert_int_equal(file_seek(f, (int64_t)at, 0, &at), 0);
	b.room = 10000;
	assert_int_equal(file_readdir(f, &b.r), 0);
	for (int i = 0, twice = 0; i < STAYING; i++) {
		twice += b.seen[i] == 2;
		assert_in_range(b.seen[i], 1, 2);
		assert_in_range(twice, 0, 10);
	}
	file_unref(f);
}

static bool refuse(struct fs_readdir *r, const struct fs_entry *entry)
{
	(void)r;
	(void)entry;
	return false;
}

static void no_room_loses_nothing(void **state)
{
	struct batch b = {.r = {take}, .room = 100};
	struct fs_readdir none = {refuse};
	struct file *f;

	(void)state;
	must_mkdir("/d");
	make("stay", 1);
	f = must_open("/d", FS_O_RDONLY);
	for (int room = 0; room < 3; room++) {
		assert_int_equal(file_readdir(f, &none), 0);
		b.room = 1;
		assert_int_equal(file_readdir(f, &b.r), 0);
	}
	assert_int_equal(b.dots, 2);
	assert_int_equal(b.seen[1], 1);
	file_unref(f);
	f = must_open("/d/stay1", FS_O_RDONLY);
	assert_int_equal(file_readdir(f, &none), -ENOTDIR);
	file_unref(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(survivors_are_seen_once, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(no_room_loses_nothing, test_setup, test_teardown),
	};

	return cmocka_run_group_tests_name("fs_readdir", tests, group_setup, NULL);
}
