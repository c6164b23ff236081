// SPDX-License-Identifier: MIT
/*
 * Threads on one small tree: every call against every other, with the caches kept tiny so that
 * entries and vnodes come and go all the time.  What is asserted is what must hold whatever the
 * order: only the errors that the race explains, no lock out of order (the host watches), the
 * invariants afterwards, and nothing left behind.  Built a second time under ThreadSanitizer.
 */
#include "harness.h"

#define THREADS 4
#define NAMES   5

struct worker {
	struct fsh_thread thread;
	struct fs_context ctx; /* with a recent directory of its own */
	struct path_recents recent;
	uint64_t rng, steps;
	unsigned done;
};

static void random_path(struct worker *w, char *path)
{
	unsigned depth = 1 + random_below(&w->rng, 3);

	path[0] = '\0';
	while (depth--)
		sprintf(path + strlen(path), "/n%u", random_below(&w->rng, NAMES));
}

static bool expected(int err)
{
	switch (-err) {
	case 0:
	case ENOENT:
	case EEXIST:
	case ENOTDIR:
	case EISDIR:
	case ENOTEMPTY:
	case EINVAL:
	case ELOOP:
	case EPERM:
	case EBUSY:
		return true;
	default:
		return err > 0;
	}
}

static int use_file(struct worker *w, const char *path)
{
	unsigned flags = FS_O_RDWR | (random_below(&w->rng, 2) ? FS_O_CREAT : 0);
	struct file *f;
	char bytes[64];
	int err = vfs_open(&w->ctx, NULL, path, flags, 0666, &f);

	if (err)
		return err;
	memset(bytes, 'x', sizeof(bytes));
	write_at(f, random_below(&w->rng, 9000), bytes, sizeof(bytes));
	read_at(f, random_below(&w->rng, 9000), bytes, sizeof(bytes));
	file_truncate(f, random_below(&w->rng, 9000));
	file_unref(f);
	return 0;
}

static bool count_entry(struct fs_readdir *r, const struct fs_entry *entry)
{
	(void)r;
	return entry->name_bytes < 4;
}

static int use_directory(struct worker *w, const char *path)
{
	struct fs_readdir r = {count_entry};
	struct file *f;
	char buffer[200], *text;
	int err = vfs_open(&w->ctx, NULL, path, FS_O_DIRECTORY, 0, &f);

	if (err)
		return err;
	err = file_readdir(f, &r);
	(void)dentry_path(f->dentry, w->ctx.root, buffer, sizeof(buffer), &text);
	file_unref(f);
	return err;
}

static int one_step(struct worker *w)
{
	char path[64], other[64];
	struct fs_attr attr;

	random_path(w, path);
	random_path(w, other);
	switch (random_below(&w->rng, 12)) {
	case 0:
	case 1:
		return vfs_mkdir(&w->ctx, NULL, path, 0777);
	case 2:
		return vfs_rmdir(&w->ctx, NULL, path);
	case 3:
		return vfs_unlink(&w->ctx, NULL, path);
	case 4:
		return vfs_link(&w->ctx, NULL, path, 0, NULL, other);
	case 5:
	case 6:
		return vfs_rename(&w->ctx, NULL, path, NULL, other,
			random_below(&w->rng, 3) ? 0 : FS_RENAME_EXCHANGE);
	case 7:
		return vfs_symlink(&w->ctx, other, NULL, path);
	case 8:
		return use_directory(w, path);
	case 9:
		if (random_below(&w->rng, 8) == 0)
			dentry_shrink(random_below(&w->rng, 8));
		return vfs_stat(&w->ctx, NULL, path, PATH_FOLLOW, &attr);
	default:
		return use_file(w, path);
	}
}

static void work(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < w->steps; i++) {
		int err = one_step(w);

		if (!expected(err))
			fsh_panic("unexpected error %s", error_name(err));
		w->done += err == 0;
	}
}

static void everything_at_once(void **state)
{
	struct worker workers[THREADS] = {{.steps = 0}};
	uint64_t seed = test_seed();

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		workers[i].rng = seed + (uint64_t)i * 7919 + 1;
		workers[i].steps = test_steps(10000);
		workers[i].ctx = ctx;
		workers[i].ctx.recent = &workers[i].recent;
		assert_int_equal(
			fsh_thread_start(&workers[i].thread, "worker", work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		fsh_thread_join(&workers[i].thread);
		print_message("# thread %d: %u of %llu calls succeeded\n", i, workers[i].done,
			(unsigned long long)workers[i].steps);
		assert_true(workers[i].done > workers[i].steps / 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_at_once, test_setup, test_teardown),
	};

	return cmocka_run_group_tests_name("fs_threads", tests, group_setup, NULL);
}
