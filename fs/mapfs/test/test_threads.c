// SPDX-License-Identifier: MIT
/*
 * Threads on one tree: each has files of its own that it checks, all share a directory in which
 * they create, rename and unlink, one file that all append to, and somebody syncs all the time.
 * MAPFS_ROUNDS makes it longer.
 */
#include "world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_THREADS 4

static struct world w;
static unsigned rounds;
static uint64_t base_seed;

struct worker {
	pthread_t thread;
	unsigned number;
	uint64_t seed;
};

/* cmocka's assertions belong to the main thread. */
static void want(bool condition, const char *what, int err)
{
	if (condition)
		return;
	fprintf(stderr, "%s: %d\n", what, err);
	abort();
}

static void own_file(struct worker *me, unsigned round)
{
	uint8_t data[9000], back[9000];
	char path[64], moved[64];
	struct file *file;
	size_t done;
	int err;

	snprintf(path, sizeof(path), "/own%u/f%u", me->number, round % 7);
	snprintf(moved, sizeof(moved), "/own%u/g%u", me->number, round % 5);
	memset(data, (int)(me->number * 50 + round), sizeof(data));
	err = vfs_open(&w.ctx, NULL, path, FS_O_CREAT | FS_O_TRUNC | FS_O_RDWR, 0644, &file);
	want(!err, "open", err);
	err = world_write(file, data, sizeof(data), round % 3 * 5000);
	want(!err, "write", err);
	if (round % 4 == 0)
		err = file_sync(file, round % 8 == 0);
	want(!err, "sync", err);
	err = world_read(file, back, sizeof(back), round % 3 * 5000, &done);
	want(!err && done == sizeof(back) && memcmp(data, back, sizeof(back)) == 0, "read", err);
	err = file_truncate(file, 100 + round);
	want(!err, "truncate", err);
	file_unref(file);
	err = vfs_rename(&w.ctx, NULL, path, NULL, moved, 0);
	want(!err, "rename", err);
}

static void shared_names(struct worker *me)
{
	char a[32], b[32];
	struct file *file;
	int err;

	snprintf(a, sizeof(a), "/shared/%u", (unsigned)(world_random(&me->seed) % 6));
	snprintf(b, sizeof(b), "/shared/%u", (unsigned)(world_random(&me->seed) % 6));
	switch (world_random(&me->seed) % 5) {
	case 0:
		err = vfs_open(&w.ctx, NULL, a, FS_O_CREAT | FS_O_RDWR, 0644, &file);
		want(!err || err == -EISDIR, "shared open", err);
		if (!err) {
			err = world_write(file, "shared", 6, world_random(&me->seed) % 20000);
			want(!err, "shared write", err);
			file_unref(file);
		}
		break;
	case 1:
		err = vfs_unlink(&w.ctx, NULL, a);
		want(!err || err == -ENOENT || err == -EISDIR, "shared unlink", err);
		break;
	case 2:
		err = vfs_rename(&w.ctx, NULL, a, NULL, b, 0);
		want(!err || err == -ENOENT || err == -EISDIR || err == -ENOTDIR, "shared rename",
			err);
		break;
	case 3:
		err = vfs_mkdir(&w.ctx, NULL, a, 0755);
		want(!err || err == -EEXIST, "shared mkdir", err);
		break;
	case 4:
		err = vfs_rmdir(&w.ctx, NULL, a);
		want(!err || err == -ENOENT || err == -ENOTDIR, "shared rmdir", err);
		break;
	}
}

static void append(struct worker *me)
{
	char line[16];
	struct file *file;
	int err;

	snprintf(line, sizeof(line), "thread %u line\n", me->number);
	err = vfs_open(&w.ctx, NULL, "/log", FS_O_RDWR | FS_O_APPEND, 0, &file);
	want(!err, "open log", err);
	err = world_write(file, line, 14, 0);
	want(!err, "append", err);
	file_unref(file);
}

static void *work(void *arg)
{
	struct worker *me = arg;

	for (unsigned i = 0; i < rounds; i++) {
		own_file(me, i);
		shared_names(me);
		append(me);
		if (world_random(&me->seed) % 16 == 0)
			want(mount_sync_all() == 0, "sync all", 0);
		if (world_random(&me->seed) % 32 == 0)
			vnode_shrink(0);
	}
	return NULL;
}

static void many_threads(void **state)
{
	struct worker workers[N_THREADS];
	const char *text = getenv("MAPFS_ROUNDS");
	struct fs_attr attr;
	char path[32];

	(void)state;
	rounds = text ? (unsigned)atoi(text) : 150;
	base_seed = world_seed();
	world_make(&w, 32 << 20, 0);
	world_mount(&w);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/shared", 0755), 0);
	assert_int_equal(world_put(&w, "/log", 0, 0), 0);
	for (unsigned i = 0; i < N_THREADS; i++) {
		snprintf(path, sizeof(path), "/own%u", i);
		assert_int_equal(vfs_mkdir(&w.ctx, NULL, path, 0755), 0);
		workers[i] = (struct worker){.number = i, .seed = base_seed * (i * 2 + 1)};
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	assert_int_equal(vfs_stat(&w.ctx, NULL, "/log", 0, &attr), 0);
	assert_int_equal(attr.size_bytes, N_THREADS * rounds * 14);
	world_remount(&w);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(many_threads)};

	return cmocka_run_group_tests_name("mapfs_threads", tests, NULL, NULL);
}
