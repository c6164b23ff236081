// SPDX-License-Identifier: MIT
#include "world.h"

#include <fs_posix.h>
#include <mm/vm.h>
#include <posix.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRAMES 8192 /* 32 MiB of file pages */

static const struct fs_cred root_cred;
static char said[64 * 1024];

static void say(const char *line)
{
	size_t at = strlen(said);

	if (at + strlen(line) + 2 < sizeof(said))
		sprintf(said + at, "%s\n", line);
}

const char *world_said(void)
{
	return said;
}

uint64_t world_seed(void)
{
	const char *text = getenv("MAPFS_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 2654435761u | 1;

	fprintf(stderr, "# MAPFS_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

uint64_t world_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void start_once(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	fsh_posix_log = say;
	posix_start(FRAMES);
	posix_on_wait(fsh_posix_check_wait);
	assert_int_equal(mvm_init(), 0);
	assert_int_equal(vfs_init(64, 64), 0);
	mapfs_register();
}

void world_make(struct world *w, uint64_t n_bytes, uint64_t n_inodes)
{
	struct mapfs_make how = {.n_inodes = n_inodes,
		.device_is_zero = true,
		.now_ns = 1,
		.uuid = "mapfs test disk"};

	start_once();
	memset(w, 0, sizeof(*w));
	w->disk = testdisk_new("test", n_bytes);
	assert_int_equal(mapfs_make(&w->disk->dev, &how), 0);
}

void world_free(struct world *w)
{
	if (w->ctx.root)
		world_unmount(w);
	testdisk_free(w->disk);
}

int world_try_mount(struct world *w)
{
	struct dentry *root;
	int err;

	said[0] = 0;
	err = mount_root("mapfs", "test", 0, &root);
	if (!err)
		w->ctx = (struct fs_context){.root = root, .cwd = root, .cred = &root_cred};
	return err;
}

void world_mount(struct world *w)
{
	int err = world_try_mount(w);

	if (err)
		fprintf(stderr, "mount: %d\n%s", err, said);
	assert_int_equal(err, 0);
}

void world_unmount(struct world *w)
{
	dentry_unref(w->ctx.root);
	w->ctx.root = NULL;
	/* An error here is one that the test injected; what counts is what the disk then has. */
	(void)mount_shutdown();
}

enum image_fsck_result world_try_fsck(struct world *w, bool fix)
{
	said[0] = 0;
	return image_fsck(&w->disk->dev, fix, say);
}

void world_fsck(struct world *w, bool fix, enum image_fsck_result want)
{
	enum image_fsck_result result = world_try_fsck(w, fix);

	if (result != want)
		fprintf(stderr, "fsck: %d, expected %d\n%s", result, want, said);
	assert_int_equal(result, want);
}

void world_remount(struct world *w)
{
	world_unmount(w);
	world_fsck(w, false, IMAGE_CLEAN);
	world_mount(w);
}

/* --- Calls ------------------------------------------------------------------------------- */

struct memory_copy {
	struct mvm_copy copy;
	uint8_t *memory;
	bool to_kernel;
};

static size_t copy_memory(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	struct memory_copy *m = (struct memory_copy *)c;

	if (m->to_kernel)
		memcpy(kernel, m->memory + done, n);
	else
		memcpy(m->memory + done, kernel, n);
	return n;
}

int world_open(struct world *w, const char *path, unsigned flags, struct file **out)
{
	return vfs_open(&w->ctx, NULL, path, flags, 0644, out);
}

int world_write(struct file *file, const void *data, size_t n, uint64_t offset)
{
	struct memory_copy c = {{.copy = copy_memory}, (uint8_t *)data, true};
	size_t done;
	int err = file_pwrite(file, &c.copy, n, offset, &done);

	if (!err)
		assert_int_equal(done, n);
	return err;
}

int world_write_some(struct file *file, const void *data, size_t n, uint64_t offset, size_t *done)
{
	struct memory_copy c = {{.copy = copy_memory}, (uint8_t *)data, true};

	return file_pwrite(file, &c.copy, n, offset, done);
}

int world_read(struct file *file, void *data, size_t n, uint64_t offset, size_t *done)
{
	struct memory_copy c = {{.copy = copy_memory}, data, false};

	return file_pread(file, &c.copy, n, offset, done);
}

static void fill(uint8_t *data, size_t n, unsigned tag)
{
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(tag * 31 + i + (i >> 8) * 7 + 1);
}

int world_put(struct world *w, const char *path, size_t n, unsigned tag)
{
	uint8_t *data = malloc(n + 1);
	struct file *file;
	int err;

	fill(data, n, tag);
	err = world_open(w, path, FS_O_CREAT | FS_O_TRUNC | FS_O_RDWR, &file);
	if (!err) {
		err = n ? world_write(file, data, n, 0) : 0;
		file_unref(file);
	}
	free(data);
	return err;
}

void world_check(struct world *w, const char *path, size_t n, unsigned tag)
{
	uint8_t *data = malloc(n + 1), *want = malloc(n + 1);
	struct file *file;
	size_t done;

	fill(want, n, tag);
	assert_int_equal(world_open(w, path, FS_O_RDONLY, &file), 0);
	assert_int_equal(world_read(file, data, n + 1, 0, &done), 0);
	assert_int_equal(done, n);
	assert_memory_equal(data, want, n);
	file_unref(file);
	free(data);
	free(want);
}

struct fs_stat world_statfs(struct world *w)
{
	struct fs_stat st;

	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(vfs_statfs(&w->ctx, NULL, "/", &st), 0);
	return st;
}

int world_set_up(void **state)
{
	static struct world w;

	world_make(&w, 16 << 20, 256);
	world_mount(&w);
	*state = &w;
	return 0;
}

int world_tear_down(void **state)
{
	world_free(*state);
	return 0;
}
