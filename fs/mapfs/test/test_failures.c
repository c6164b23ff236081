// SPDX-License-Identifier: MIT
/*
 * Each operation, with each of its requests for something failing in turn, once and for good:
 * reads, writes and flushes of the disk, memory of the file system, frames of mm.  N goes up until
 * the operation is done without meeting the failure.  After each:
 *
 *  - the error is one that such a failure may become, and none that is about something else;
 *  - the tree is as before the operation, or as after it, in memory and after a remount; after
 *    success it is as after it;
 *  - fsck finds nothing; as much is free as the next mount finds, unless an orphan is left to it;
 *    no frame is left.
 *
 * What is cold is read: each operation meets the mount as it is after mounting.  Directories are of
 * several nodes, and some operations make nodes split or go.
 */
#include "world.h"

#include <fs_posix.h>
#include <mapfs/mapfs.h>
#include <posix.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_BYTES (3 << 20)
#define TREE_BYTES 32768

static struct world w;
static uint8_t *base[2]; /* clean; and as a crash left it */

/* --- The operations ------------------------------------------------------------------------ */

static const char *entry(char dir, unsigned i)
{
	static char path[2][256];
	static unsigned turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[0]), "/%c/%0200u", dir, i);
	return path[turn];
}

/* Something to an open file, and then a sync of it: 'n'one, 'd'ata, 'a'll. */
static int on_file(const char *path, int (*change)(struct file *file), char sync)
{
	struct file *file;
	int err = world_open(&w, path, FS_O_RDWR, &file);

	if (err)
		return err;
	if (change)
		err = change(file);
	if (!err && sync != 'n')
		err = file_sync(file, sync == 'd');
	file_unref(file);
	return err;
}

static int write_at(struct file *file, uint64_t offset)
{
	static const uint8_t bytes[5000] = {1, 2, 3};
	size_t done;

	return world_write_some(file, bytes, sizeof(bytes), offset, &done);
}

static int write_front(struct file *file)
{
	return write_at(file, 100);
}

static int write_end(struct file *file)
{
	return write_at(file, 20000);
}

static int store(struct file *file)
{
	return mvm_pc_touch_write(file->object, 9000, 'x');
}

static int punch(struct file *file)
{
	return file_punch(file, 3000, 17000);
}

static int allocate(struct file *file)
{
	return file_allocate(file, 10000, 40000, 0);
}

static int zero(struct file *file)
{
	return file_allocate(file, 3000, 17000, FS_ALLOCATE_ZERO);
}

static int shorter(struct file *file)
{
	return file_truncate(file, 5000);
}

static int longer(struct file *file)
{
	return file_truncate(file, 50000);
}

static int op_create(void)
{
	return world_put(&w, entry('d', 99), 0, 0);
}

static int op_write(void)
{
	return on_file("/file", write_front, 'n');
}

static int op_append(void)
{
	return on_file("/file", write_end, 'a');
}

static int op_overwrite(void)
{
	return on_file("/file", write_front, 'd');
}

static int op_store(void)
{
	return on_file("/file", store, 'd');
}

static int op_shorter(void)
{
	return on_file("/file", shorter, 'n');
}

static int op_longer(void)
{
	return on_file("/file", longer, 'n');
}

static int op_allocate(void)
{
	return on_file("/file", allocate, 'n');
}

static int op_zero(void)
{
	return on_file("/file", zero, 'n');
}

static int op_punch(void)
{
	return on_file("/file", punch, 'n');
}

static int op_fsync(void)
{
	return on_file("/pieces", store, 'a');
}

static int op_sync(void)
{
	int err = op_create();

	return err ? err : mount_sync_all();
}

static int op_mkdir(void)
{
	return vfs_mkdir(&w.ctx, NULL, entry('d', 99), 0755);
}

static int op_rmdir(void)
{
	return vfs_rmdir(&w.ctx, NULL, "/empty");
}

static int op_symlink(void)
{
	char target[601];

	memset(target, 't', 600);
	target[600] = 0;
	return vfs_symlink(&w.ctx, target, NULL, entry('d', 99));
}

static int op_link(void)
{
	return vfs_link(&w.ctx, NULL, "/file", 0, NULL, entry('d', 99));
}

static int op_unlink(void)
{
	return vfs_unlink(&w.ctx, NULL, "/pieces");
}

/* The directory's nodes go, one by one. */
static int op_empty(void)
{
	int err = 0;

	for (unsigned i = 0; i < 60 && !err; i++)
		err = vfs_unlink(&w.ctx, NULL, entry('m', i));
	return err;
}

static int op_rename(void)
{
	return vfs_rename(&w.ctx, NULL, "/file", NULL, entry('d', 99), 0);
}

static int op_replace(void)
{
	return vfs_rename(&w.ctx, NULL, "/file", NULL, "/pieces", 0);
}

static int op_move_dir(void)
{
	return vfs_rename(&w.ctx, NULL, "/empty", NULL, entry('d', 99), 0);
}

static int op_exchange(void)
{
	return vfs_rename(&w.ctx, NULL, "/empty", NULL, entry('d', 3), FS_RENAME_EXCHANGE);
}

static bool pass(struct fs_readdir *r, const struct fs_entry *e)
{
	(void)r, (void)e;
	return true;
}

static int op_readdir(void)
{
	struct fs_readdir r = {.emit = pass};
	struct file *file;
	int err = world_open(&w, "/m", FS_O_RDONLY | FS_O_DIRECTORY, &file);

	if (err)
		return err;
	err = file_readdir(file, &r);
	file_unref(file);
	return err;
}

static int op_lookup(void)
{
	struct fs_attr attr;
	int err = vfs_stat(&w.ctx, NULL, entry('m', 59), 0, &attr);

	return err ? err : vfs_stat(&w.ctx, NULL, "/short/../pieces", 0, &attr);
}

static int op_mount(void)
{
	return world_try_mount(&w);
}

/* With something to be written. */
static int op_unmount(void)
{
	int err = op_create();

	if (!err)
		world_unmount(&w);
	return err;
}

/*
 * PARTLY: of several steps, anything between the two trees may be left.  SILENT: does not say that
 * it failed.
 */
enum { PARTLY = 1, MOUNTS = 2, CRASHED = 4, SILENT = 8 };

static const struct op {
	const char *name;
	int (*run)(void);
	unsigned how;
} ops[] = {
	{"create", op_create, 0},
	{"write", op_write, PARTLY},
	{"append, fsync", op_append, PARTLY},
	{"overwrite, fdatasync", op_overwrite, PARTLY},
	{"store, msync", op_store, 0},
	{"rename", op_rename, 0},
	{"rename, replacing", op_replace, 0},
	{"rename of a directory", op_move_dir, 0},
	{"exchange", op_exchange, 0},
	{"link", op_link, 0},
	{"unlink", op_unlink, 0},
	{"many unlinks", op_empty, PARTLY},
	{"mkdir", op_mkdir, 0},
	{"rmdir", op_rmdir, 0},
	{"truncate down", op_shorter, 0},
	{"truncate up", op_longer, 0},
	{"fallocate", op_allocate, 0},
	{"zero range", op_zero, PARTLY},
	{"punch", op_punch, PARTLY},
	{"fsync", op_fsync, 0},
	{"sync", op_sync, 0},
	{"symlink", op_symlink, 0},
	{"readdir", op_readdir, 0},
	{"lookup", op_lookup, 0},
	{"mount", op_mount, MOUNTS},
	{"recovery", op_mount, MOUNTS | CRASHED},
	{"unmount", op_unmount, SILENT},
};
#define N_OPS (sizeof(ops) / sizeof(ops[0]))

/* --- The tree, as text --------------------------------------------------------------------- */

struct listing {
	struct fs_readdir r;
	char names[80][256];
	unsigned n;
};

static bool note_name(struct fs_readdir *r, const struct fs_entry *e)
{
	struct listing *l = (struct listing *)r;

	if (e->name[0] == '.')
		return true;
	assert_in_range(l->n, 0, 79);
	snprintf(l->names[l->n++], 256, "%.*s", (int)e->name_bytes, e->name);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static uint32_t sum_of(const char *path)
{
	static uint8_t data[70000];
	struct file *file;
	uint32_t sum = 1;
	size_t done;

	assert_int_equal(world_open(&w, path, FS_O_RDONLY, &file), 0);
	assert_int_equal(world_read(file, data, sizeof(data), 0, &done), 0);
	for (size_t i = 0; i < done; i++)
		sum = sum * 31 + data[i];
	file_unref(file);
	return sum;
}

/* A line for each file: its name, type, links and size; and what is in it. */
static void list(const char *path, char *text)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct file *file;
	char below[600];
	struct fs_attr attr;

	l->r.emit = note_name;
	assert_int_equal(world_open(&w, *path ? path : "/", FS_O_RDONLY, &file), 0);
	assert_int_equal(file_readdir(file, &l->r), 0);
	file_unref(file);
	qsort(l->names, l->n, sizeof(l->names[0]), by_name);
	for (unsigned i = 0; i < l->n; i++) {
		size_t at = strlen(text);
		snprintf(below, sizeof(below), "%s/%s", path, l->names[i]);
		assert_int_equal(vfs_stat(&w.ctx, NULL, below, 0, &attr), 0);
		snprintf(text + at, TREE_BYTES - at, "%s %o %u %llu %x\n", below, attr.mode,
			attr.nlink,
			(unsigned long long)((attr.mode & FS_IFMT) == FS_IFDIR ? 0
									       : attr.size_bytes),
			(attr.mode & FS_IFMT) == FS_IFREG ? sum_of(below) : 0);
		if ((attr.mode & FS_IFMT) == FS_IFDIR)
			list(below, text);
	}
	free(l);
}

static char *tree(char *text)
{
	*text = 0;
	list("", text);
	return text;
}

/* --- Failures ------------------------------------------------------------------------------ */

enum failure { READ, WRITE, FLUSH, MEMORY, FRAME, FAILURES };
static const char *const failure_names[] = {"read", "write", "flush", "memory", "frame"};

static void arm(enum failure kind, uint64_t n, bool for_good)
{
	w.disk->injected = fsh_posix_refused = 0;
	if (kind <= FLUSH) {
		w.disk->fault[kind] = (struct testdisk_fault){.countdown = n, .forever = for_good};
	} else if (kind == MEMORY) {
		fsh_posix_fail_after = (long)n;
		fsh_posix_fail_for_good = for_good;
	} else {
		posix_fail(POSIX_FAIL_FRAME, n, for_good);
	}
}

/* True when it was met. */
static bool disarm(enum failure kind, uint64_t n)
{
	bool met;

	if (kind <= FLUSH)
		met = w.disk->injected > 0;
	else if (kind == MEMORY)
		met = fsh_posix_refused > 0;
	else
		met = posix_requests(POSIX_FAIL_FRAME) >= n;
	memset(w.disk->fault, 0, sizeof(w.disk->fault));
	fsh_posix_fail_after = 0;
	fsh_posix_fail_for_good = false;
	posix_fail(POSIX_FAIL_FRAME, 0, false);
	return met;
}

static bool may_be(enum failure kind, int err)
{
	if (kind <= FLUSH)
		return err == -EIO || err == -EROFS;
	return err == -ENOMEM;
}

/* --- One operation, one failure --------------------------------------------------------------- */

static char before[TREE_BYTES], after[TREE_BYTES], now[TREE_BYTES];
static uint64_t n_cases[FAILURES][2];
static char now_failing[100];

static void begin(const struct op *op)
{
	testdisk_load(w.disk, base[op->how & CRASHED ? 1 : 0]);
	if (!(op->how & MOUNTS))
		world_mount(&w);
}

/* What the operation does when nothing fails. */
static void learn(const struct op *op)
{
	begin(op);
	if (op->how & MOUNTS) {
		assert_int_equal(op->run(), 0);
		tree(before);
	} else {
		tree(before);
		assert_int_equal(op->run(), 0);
	}
	if (!w.ctx.root)
		world_mount(&w);
	tree(after);
	world_unmount(&w);
	world_fsck(&w, false, IMAGE_CLEAN);
}

static void check_tree(const struct op *op, const char *when, bool done)
{
	tree(now);
	if (op->how & PARTLY && !done)
		return;
	if (strcmp(now, after) && (done || strcmp(now, before)))
		fail_msg("%s: the tree is another one %s", op->name, when);
}

/* What was freed on the way is free, but for what the next mount finds on the list of orphans. */
static void check_free(const struct fs_stat *live, bool orphans, const struct fs_stat *fresh)
{
	if (orphans) {
		assert_true(live->free_blocks <= fresh->free_blocks);
		assert_true(live->free_inodes <= fresh->free_inodes);
		return;
	}
	assert_int_equal(live->free_blocks, fresh->free_blocks);
	assert_int_equal(live->free_inodes, fresh->free_inodes);
}

/* The mount, as the failure left it: what it holds must be what a new one finds. */
static void check_end(const struct op *op, bool done)
{
	struct fs_stat live, fresh;
	bool writable, orphans;

	if (!w.ctx.root)
		world_mount(&w);
	writable = !mount_readonly(w.ctx.root->mount);
	/* Where the log ends early, the mount is for reading what is older. */
	if (writable || !(op->how & MOUNTS))
		check_tree(op, "in memory", done);
	if (writable)
		live = world_statfs(&w);
	orphans = ((struct mapfs *)w.ctx.root->mount->fs)->orphans;
	world_unmount(&w);
	assert_int_equal(posix_frames_used(), 1); /* the page of zeros */
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	check_tree(op, "on the disk", done && writable);
	fresh = world_statfs(&w);
	if (writable)
		check_free(&live, orphans, &fresh);
	world_unmount(&w);
	world_fsck(&w, false, IMAGE_CLEAN);
}

/* False: the operation was done without meeting it. */
static bool with_failure(const struct op *op, enum failure kind, uint64_t n, bool for_good)
{
	bool met;
	int err;

	snprintf(now_failing, sizeof(now_failing), "%s: %s %llu%s", op->name, failure_names[kind],
		(unsigned long long)n, for_good ? " and all after it" : "");
	begin(op);
	arm(kind, n, for_good);
	err = op->run();
	met = disarm(kind, n);
	if (err && (!met || !may_be(kind, err)))
		fail_msg("%s: error %d", op->name, err);
	check_end(op, err == 0 && !(op->how & SILENT));
	return met;
}

static void sweep(const struct op *op, enum failure kind, bool for_good)
{
	uint64_t n = 1;

	for (; with_failure(op, kind, n, for_good); n++)
		assert_in_range(n, 1, 5000);
	n_cases[kind][for_good] += n - 1;
}

/* --- The images ---------------------------------------------------------------------------- */

static void fill_dir(char dir, unsigned n)
{
	char path[3] = {'/', dir};

	assert_int_equal(vfs_mkdir(&w.ctx, NULL, path, 0755), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(vfs_link(&w.ctx, NULL, "/file", 0, NULL, entry(dir, i)), 0);
}

/* /d is one full node, which the next name splits; /m is some nodes. */
static void prepare(void)
{
	struct file *file;
	uint8_t *crashed;

	world_make(&w, DISK_BYTES, 0);
	world_mount(&w);
	assert_int_equal(world_put(&w, "/file", 20000, 1), 0);
	fill_dir('d', 18);
	fill_dir('m', 60);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/empty", 0755), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/short", 0755), 0);
	assert_int_equal(world_open(&w, "/pieces", FS_O_CREAT | FS_O_RDWR, &file), 0);
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(world_write(file, "x", 1, i * 8192), 0);
	file_unref(file);
	world_unmount(&w);
	base[0] = testdisk_save(w.disk);
	world_mount(&w);
	assert_int_equal(op_rename(), 0);
	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(world_put(&w, "/short/one", 5000, 1), 0);
	assert_int_equal(op_unlink(), 0);
	assert_int_equal(mount_sync_all(), 0);
	crashed = testdisk_save(w.disk);
	world_unmount(&w);
	base[1] = crashed;
}

static void every_operation_and_every_failure(void **state)
{
	(void)state;
	prepare();
	for (unsigned i = 0; i < N_OPS; i++) {
		learn(&ops[i]);
		for (unsigned kind = 0; kind < FAILURES; kind++) {
			sweep(&ops[i], kind, false);
			sweep(&ops[i], kind, true);
		}
	}
	for (unsigned kind = 0; kind < FAILURES; kind++) {
		fprintf(stderr, "# %-8s %5llu once, %5llu for good\n", failure_names[kind],
			(unsigned long long)n_cases[kind][0], (unsigned long long)n_cases[kind][1]);
		assert_true(n_cases[kind][0] > 0);
	}
	testdisk_forget(w.disk, base[0]);
	testdisk_forget(w.disk, base[1]);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_operation_and_every_failure)};

	int failed = cmocka_run_group_tests_name("mapfs_failures", tests, NULL, NULL);

	if (failed)
		fprintf(stderr, "# failing was %s\n", now_failing);
	return failed;
}
