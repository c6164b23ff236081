// SPDX-License-Identifier: MIT
/*
 * Random operations against a file system that is a few arrays: names, link counts, sizes, bytes,
 * symbolic links, files that are held open after their last name is gone, stores as a mapping
 * makes them.  After each phase everything is compared, before and after a remount with fsck in
 * between; at the end everything is removed and the free counts are what they were.
 *
 * MAPFS_SEED repeats a run, MAPFS_PHASES makes it longer.
 */
#include "world.h"

#include <mapfs/mapfs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NODES     400
#define MAX_ENTRIES   40
#define MAX_BYTES     (300 * 1024)
#define MAX_HELD      6
#define OPS_PER_PHASE 400

struct node {
	uint32_t type; /* FS_IFREG, FS_IFDIR, FS_IFLNK; 0: unused */
	uint32_t mode;
	unsigned nlink, held;
	size_t size;
	uint8_t *data; /* MAX_BYTES, zero past size; of a link: the target */
	struct {
		char name[256];
		struct node *node;
	} entry[MAX_ENTRIES];
	unsigned n_entries;
	struct node *parent;
};

struct model {
	struct world w;
	uint64_t seed;
	struct node nodes[MAX_NODES];
	struct node *top;
	struct {
		struct file *file;
		struct node *node;
	} held[MAX_HELD];
	uint64_t done[16], failed[16];
};

static uint64_t pick(struct model *m, uint64_t n)
{
	return world_random(&m->seed) % n;
}

/* --- The naive file system --------------------------------------------------------------- */

static struct node *node_new(struct model *m, uint32_t type)
{
	for (unsigned i = 0; i < MAX_NODES; i++) {
		struct node *n = &m->nodes[i];
		if (n->type)
			continue;
		memset(n, 0, sizeof(*n));
		n->type = type;
		n->nlink = type == FS_IFDIR ? 2 : 1;
		if (type != FS_IFDIR)
			n->data = calloc(1, MAX_BYTES);
		return n;
	}
	return NULL;
}

static void node_drop(struct node *n)
{
	if (n->nlink || n->held)
		return;
	free(n->data);
	n->type = 0;
}

static int entry_find(const struct node *dir, const char *name)
{
	for (unsigned i = 0; i < dir->n_entries; i++)
		if (strcmp(dir->entry[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void entry_add(struct node *dir, const char *name, struct node *n)
{
	strcpy(dir->entry[dir->n_entries].name, name);
	dir->entry[dir->n_entries++].node = n;
	if (n->type == FS_IFDIR) {
		n->parent = dir;
		dir->nlink++;
	}
}

/* Returns what was there, which still has its link. */
static struct node *entry_remove(struct node *dir, int i)
{
	struct node *n = dir->entry[i].node;

	dir->entry[i] = dir->entry[--dir->n_entries];
	if (n->type == FS_IFDIR)
		dir->nlink--;
	return n;
}

static void lose_name(struct node *n)
{
	n->nlink = n->type == FS_IFDIR ? 0 : n->nlink - 1;
	node_drop(n);
}

static struct node *random_node(struct model *m, uint32_t type)
{
	for (unsigned tries = 0; tries < 2000; tries++) {
		struct node *n = &m->nodes[pick(m, MAX_NODES)];
		if (n->type == type && n->nlink)
			return n;
	}
	return type == FS_IFDIR ? m->top : NULL;
}

static void random_name(struct model *m, char *name)
{
	unsigned n = (unsigned)pick(m, 14);

	sprintf(name, "%c", 'a' + n);
	if (n == 12)
		memset(name, 'L', 255), name[255] = 0;
	if (n == 13)
		memset(name, 'M', 100), name[100] = 0;
}

static void dir_path(const struct model *m, const struct node *dir, char *path)
{
	if (dir == m->top) {
		strcpy(path, "/top");
		return;
	}
	dir_path(m, dir->parent, path);
	for (unsigned i = 0; i < dir->parent->n_entries; i++)
		if (dir->parent->entry[i].node == dir)
			sprintf(path + strlen(path), "/%s", dir->parent->entry[i].name);
}

/* A random directory and a random name in it, with its path. */
struct place {
	struct node *dir, *node; /* node is NULL when the name is free */
	int i;
	char name[256], path[4096];
};

static void random_place(struct model *m, struct place *p)
{
	p->dir = random_node(m, FS_IFDIR);
	random_name(m, p->name);
	p->i = entry_find(p->dir, p->name);
	p->node = p->i < 0 ? NULL : p->dir->entry[p->i].node;
	dir_path(m, p->dir, p->path);
	sprintf(p->path + strlen(p->path), "/%s", p->name);
}

static unsigned depth(const struct model *m, const struct node *dir)
{
	return dir == m->top ? 0 : 1 + depth(m, dir->parent);
}

static bool may_add(const struct model *m, const struct node *dir)
{
	unsigned i = 0;

	while (i < MAX_NODES && m->nodes[i].type)
		i++;
	return i < MAX_NODES && dir->n_entries < MAX_ENTRIES && depth(m, dir) < 5;
}

/* --- Operations: 0, or the error that both had ------------------------------------------------ */

static int both(int got, int want)
{
	assert_int_equal(got, want);
	return want;
}

static int write_both(
	struct node *node, struct file *file, const uint8_t *data, size_t n, size_t at)
{
	assert_int_equal(world_write(file, data, n, at), 0);
	memcpy(node->data + at, data, n);
	if (at + n > node->size)
		node->size = at + n;
	return 0;
}

static int op_write(struct model *m)
{
	size_t n = 1 + pick(m, 20000), at = pick(m, MAX_BYTES - n);
	uint8_t *data = malloc(n);
	struct place p;
	struct file *file;
	int err;

	random_place(m, &p);
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)world_random(&m->seed);
	if (!p.node && !may_add(m, p.dir)) {
		free(data);
		return 0;
	}
	err = world_open(&m->w, p.path, FS_O_CREAT | FS_O_RDWR | FS_O_NOFOLLOW, &file);
	if (p.node && p.node->type != FS_IFREG) {
		free(data);
		return both(err, p.node->type == FS_IFDIR ? -EISDIR : -ELOOP);
	}
	assert_int_equal(err, 0);
	if (!p.node) {
		p.node = node_new(m, FS_IFREG);
		p.node->mode = 0644;
		entry_add(p.dir, p.name, p.node);
	}
	err = write_both(p.node, file, data, n, at);
	file_unref(file);
	free(data);
	return err;
}

static int op_truncate(struct model *m)
{
	struct node *n;
	struct fs_attr attr = {0};
	struct place p;
	int err;

	random_place(m, &p);
	n = p.node;
	attr.size_bytes = pick(m, 4) ? pick(m, MAX_BYTES) : pick(m, 70) * 4096;
	err = vfs_setattr(&m->w.ctx, NULL, p.path, 0, &attr, FS_SET_SIZE);
	if (!n)
		return both(err, -ENOENT);
	if (n->type != FS_IFREG)
		return both(err, n->type == FS_IFDIR ? -EISDIR : -EINVAL);
	assert_int_equal(err, 0);
	if (attr.size_bytes < n->size)
		memset(n->data + attr.size_bytes, 0, n->size - attr.size_bytes);
	n->size = attr.size_bytes;
	return 0;
}

static int op_mkdir(struct model *m)
{
	struct node *n;
	struct place p;
	int err;

	random_place(m, &p);
	if (!p.node && !may_add(m, p.dir))
		return 0;
	err = vfs_mkdir(&m->w.ctx, NULL, p.path, 0755);
	if (p.node)
		return both(err, -EEXIST);
	assert_int_equal(err, 0);
	n = node_new(m, FS_IFDIR);
	n->mode = 0755;
	entry_add(p.dir, p.name, n);
	return 0;
}

static int op_symlink(struct model *m)
{
	static const size_t lengths[] = {1, 20, 167, 168, 169, 1000, 4000};
	size_t n = lengths[pick(m, 7)];
	char target[4096];
	struct place p;
	int err;

	random_place(m, &p);
	if (!p.node && !may_add(m, p.dir))
		return 0;
	memset(target, 'a' + (int)pick(m, 26), n);
	target[n] = 0;
	err = vfs_symlink(&m->w.ctx, target, NULL, p.path);
	if (p.node)
		return both(err, -EEXIST);
	assert_int_equal(err, 0);
	p.node = node_new(m, FS_IFLNK);
	p.node->mode = 0777;
	p.node->size = n;
	memcpy(p.node->data, target, n);
	entry_add(p.dir, p.name, p.node);
	return 0;
}

static int op_link(struct model *m)
{
	struct place from, to;
	int err;

	random_place(m, &from);
	random_place(m, &to);
	if (!may_add(m, to.dir))
		return 0;
	err = vfs_link(&m->w.ctx, NULL, from.path, 0, NULL, to.path);
	if (!from.node)
		return both(err, -ENOENT);
	if (from.node->type == FS_IFDIR || to.node) {
		assert_true(err == -EPERM || err == -EEXIST);
		return err;
	}
	assert_int_equal(err, 0);
	from.node->nlink++;
	entry_add(to.dir, to.name, from.node);
	return 0;
}

static int op_unlink(struct model *m)
{
	struct place p;
	int err;

	random_place(m, &p);
	err = vfs_unlink(&m->w.ctx, NULL, p.path);
	if (!p.node)
		return both(err, -ENOENT);
	if (p.node->type == FS_IFDIR)
		return both(err, -EISDIR);
	assert_int_equal(err, 0);
	lose_name(entry_remove(p.dir, p.i));
	return 0;
}

static int op_rmdir(struct model *m)
{
	struct place p;
	int err;

	random_place(m, &p);
	err = vfs_rmdir(&m->w.ctx, NULL, p.path);
	if (!p.node)
		return both(err, -ENOENT);
	if (p.node->type != FS_IFDIR)
		return both(err, -ENOTDIR);
	if (p.node->n_entries)
		return both(err, -ENOTEMPTY);
	assert_int_equal(err, 0);
	lose_name(entry_remove(p.dir, p.i));
	return 0;
}

static bool below(const struct model *m, const struct node *dir, const struct node *ancestor)
{
	while (dir != ancestor && dir != m->top)
		dir = dir->parent;
	return dir == ancestor;
}

static int rename_wants(
	struct model *m, const struct place *a, const struct place *b, unsigned flags)
{
	if (!a->node)
		return -ENOENT;
	if (flags & FS_RENAME_NOREPLACE && b->node)
		return -EEXIST;
	if (flags & FS_RENAME_EXCHANGE && !b->node)
		return -ENOENT;
	if (a->node->type == FS_IFDIR && below(m, b->dir, a->node))
		return -EINVAL;
	if (b->node && b->node->type == FS_IFDIR && below(m, a->dir, b->node))
		return flags & FS_RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (!b->node || flags & FS_RENAME_EXCHANGE || a->node == b->node)
		return 0;
	if (a->node->type == FS_IFDIR && b->node->type != FS_IFDIR)
		return -ENOTDIR;
	if (a->node->type != FS_IFDIR && b->node->type == FS_IFDIR)
		return -EISDIR;
	return b->node->n_entries ? -ENOTEMPTY : 0;
}

static int op_rename(struct model *m)
{
	static const unsigned all_flags[] = {0, 0, FS_RENAME_NOREPLACE, FS_RENAME_EXCHANGE};
	unsigned flags = all_flags[pick(m, 4)];
	struct place a, b;
	struct node *moved, *other;
	int err, want;

	random_place(m, &a);
	random_place(m, &b);
	if (!may_add(m, b.dir) || (a.node && a.node->type == FS_IFDIR && depth(m, b.dir) > 2) ||
		(b.node && b.node->type == FS_IFDIR && depth(m, a.dir) > 2))
		return 0;
	err = vfs_rename(&m->w.ctx, NULL, a.path, NULL, b.path, flags);
	want = rename_wants(m, &a, &b, flags);
	/* Which of two reasons comes first is not ours to say. */
	if (want && err && err != want)
		return err;
	assert_int_equal(err, want);
	if (err || a.node == b.node)
		return err;
	if (flags & FS_RENAME_EXCHANGE) {
		moved = entry_remove(a.dir, a.i);
		other = entry_remove(b.dir, entry_find(b.dir, b.name));
		entry_add(a.dir, a.name, other);
		entry_add(b.dir, b.name, moved);
		return 0;
	}
	moved = entry_remove(a.dir, a.i);
	if (b.node)
		lose_name(entry_remove(b.dir, entry_find(b.dir, b.name)));
	entry_add(b.dir, b.name, moved);
	return 0;
}

/* Stores as through a shared mapping. */
static int op_store(struct model *m)
{
	struct node *n;
	struct place p;
	struct file *file;

	random_place(m, &p);
	n = p.node;
	if (!n || n->type != FS_IFREG || n->size == 0)
		return 0;
	assert_int_equal(world_open(&m->w, p.path, FS_O_RDWR, &file), 0);
	for (int i = 0; i < 5; i++) {
		size_t at = pick(m, n->size);
		uint8_t byte = (uint8_t)pick(m, 256);
		assert_int_equal(mvm_pc_touch_write(file->object, at, byte), 0);
		n->data[at] = byte;
	}
	file_unref(file);
	return 0;
}

static int op_fsync(struct model *m)
{
	struct place p;
	struct file *file;

	random_place(m, &p);
	if (!p.node || p.node->type == FS_IFLNK)
		return 0;
	assert_int_equal(world_open(&m->w, p.path, FS_O_RDONLY, &file), 0);
	assert_int_equal(file_sync(file, pick(m, 2)), 0);
	file_unref(file);
	return 0;
}

static int op_chmod(struct model *m)
{
	struct fs_attr attr = {.mode = (uint32_t)pick(m, 02000)}; /* set-id bits are the vfs's */
	struct place p;
	int err;

	random_place(m, &p);
	if (p.node && p.node->type == FS_IFLNK)
		return 0;
	err = vfs_setattr(&m->w.ctx, NULL, p.path, 0, &attr, FS_SET_MODE);
	if (!p.node)
		return both(err, -ENOENT);
	assert_int_equal(err, 0);
	p.node->mode = attr.mode;
	return 0;
}

static void check_bytes(const struct node *n, struct file *file)
{
	uint8_t *data = malloc(MAX_BYTES + 1);
	size_t done;

	assert_int_equal(world_read(file, data, MAX_BYTES + 1, 0, &done), 0);
	assert_int_equal(done, n->size);
	for (size_t i = 0; i < n->size; i++)
		if (data[i] != n->data[i])
			fail_msg("byte %zu of %zu is %02x, should be %02x", i, n->size, data[i],
				n->data[i]);
	free(data);
}

static int op_hold(struct model *m)
{
	unsigned h = (unsigned)pick(m, MAX_HELD);
	struct place p;

	if (m->held[h].file) {
		check_bytes(m->held[h].node, m->held[h].file);
		file_unref(m->held[h].file);
		m->held[h].file = NULL;
		m->held[h].node->held--;
		node_drop(m->held[h].node);
		return 0;
	}
	random_place(m, &p);
	if (!p.node || p.node->type != FS_IFREG)
		return 0;
	assert_int_equal(world_open(&m->w, p.path, FS_O_RDWR, &m->held[h].file), 0);
	m->held[h].node = p.node;
	p.node->held++;
	return 0;
}

static int op_held_write(struct model *m)
{
	unsigned h = (unsigned)pick(m, MAX_HELD);
	uint8_t data[3000];
	size_t at = pick(m, MAX_BYTES - sizeof(data));
	struct node *n = m->held[h].node;

	if (!m->held[h].file)
		return 0;
	memset(data, (int)pick(m, 256), sizeof(data));
	return write_both(n, m->held[h].file, data, sizeof(data), at);
}

static int op_shrink(struct model *m)
{
	(void)m;
	dentry_shrink(0);
	vnode_shrink(0);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct model *m);
	unsigned weight;
} ops[] = {
	{"write", op_write, 8},
	{"truncate", op_truncate, 6},
	{"mkdir", op_mkdir, 4},
	{"symlink", op_symlink, 2},
	{"link", op_link, 2},
	{"unlink", op_unlink, 9},
	{"rmdir", op_rmdir, 6},
	{"rename", op_rename, 9},
	{"store", op_store, 4},
	{"fsync", op_fsync, 1},
	{"chmod", op_chmod, 1},
	{"hold", op_hold, 2},
	{"held_write", op_held_write, 2},
	{"shrink", op_shrink, 1},
};
#define N_OPS (sizeof(ops) / sizeof(ops[0]))

/* --- Comparing -------------------------------------------------------------------------------- */

struct listing {
	struct fs_readdir r;
	const struct node *dir;
	unsigned seen;
};

static bool see_entry(struct fs_readdir *r, const struct fs_entry *e)
{
	struct listing *l = (struct listing *)r;
	char name[256] = {0};
	int i;

	memcpy(name, e->name, e->name_bytes);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	i = entry_find(l->dir, name);
	assert_true(i >= 0);
	assert_int_equal(e->mode & FS_IFMT, l->dir->entry[i].node->type);
	l->seen++;
	return true;
}

static void compare(struct model *m, const struct node *n, const char *path);

static void compare_dir(struct model *m, const struct node *dir, const char *path)
{
	struct listing l = {{.emit = see_entry}, dir, 0};
	struct file *file;
	char below_path[4096];

	assert_int_equal(world_open(&m->w, path, FS_O_RDONLY | FS_O_DIRECTORY, &file), 0);
	assert_int_equal(file_readdir(file, &l.r), 0);
	assert_int_equal(l.seen, dir->n_entries);
	file_unref(file);
	for (unsigned i = 0; i < dir->n_entries; i++) {
		snprintf(below_path, sizeof(below_path), "%s/%s", path, dir->entry[i].name);
		compare(m, dir->entry[i].node, below_path);
	}
}

static void compare(struct model *m, const struct node *n, const char *path)
{
	char target[4096];
	struct fs_attr attr;
	struct file *file;

	assert_int_equal(vfs_stat(&m->w.ctx, NULL, path, 0, &attr), 0);
	assert_int_equal(attr.mode & FS_IFMT, n->type);
	assert_int_equal(attr.nlink, n->nlink);
	if (n->type != FS_IFLNK)
		assert_int_equal(attr.mode & FS_PERM, n->mode);
	if (n->type == FS_IFDIR) {
		compare_dir(m, n, path);
		return;
	}
	assert_int_equal(attr.size_bytes, n->size);
	if (n->type == FS_IFLNK) {
		assert_int_equal(vfs_readlink(&m->w.ctx, NULL, path, 0, target, 4096), n->size);
		assert_memory_equal(target, n->data, n->size);
		return;
	}
	assert_int_equal(world_open(&m->w, path, FS_O_RDONLY, &file), 0);
	check_bytes(n, file);
	file_unref(file);
}

static void release_held(struct model *m)
{
	for (unsigned h = 0; h < MAX_HELD; h++) {
		if (!m->held[h].file)
			continue;
		check_bytes(m->held[h].node, m->held[h].file);
		file_unref(m->held[h].file);
		m->held[h].file = NULL;
		m->held[h].node->held--;
		node_drop(m->held[h].node);
	}
}

static void run_op(struct model *m)
{
	unsigned total = 0, at;

	for (unsigned i = 0; i < N_OPS; i++)
		total += ops[i].weight;
	at = (unsigned)pick(m, total);
	for (unsigned i = 0; i < N_OPS; i++) {
		if (at < ops[i].weight) {
			if (ops[i].run(m))
				m->failed[i]++;
			else
				m->done[i]++;
			return;
		}
		at -= ops[i].weight;
	}
}

static void remove_all(struct model *m, struct node *dir, const char *path)
{
	char name[4096];

	while (dir->n_entries) {
		struct node *n = dir->entry[0].node;
		snprintf(name, sizeof(name), "%s/%s", path, dir->entry[0].name);
		if (n->type == FS_IFDIR) {
			remove_all(m, n, name);
			assert_int_equal(vfs_rmdir(&m->w.ctx, NULL, name), 0);
		} else {
			assert_int_equal(vfs_unlink(&m->w.ctx, NULL, name), 0);
		}
		lose_name(entry_remove(dir, 0));
	}
}

/* So small that groups are committed all the time and buffers come and go. */
static void shrink_metadata_cache(struct model *m, size_t limit)
{
	struct mapfs *fs = m->w.ctx.root->mount->fs;

	fs->cache.limit = fs->cache.bound = limit;
	fs->cache.fixed = true;
	mapfs_cache_shrink(fs, limit);
}

static void random_operations(void **state)
{
	static struct model m;
	const char *text = getenv("MAPFS_PHASES");
	unsigned phases = text ? (unsigned)atoi(text) : 25;
	struct fs_stat before, after;

	(void)state;
	m.seed = world_seed();
	world_make(&m.w, 64 << 20, 0);
	world_mount(&m.w);
	assert_int_equal(vfs_mkdir(&m.w.ctx, NULL, "/top", 0755), 0);
	assert_int_equal(vfs_rmdir(&m.w.ctx, NULL, "/top"), 0);
	before = world_statfs(&m.w);
	assert_int_equal(vfs_mkdir(&m.w.ctx, NULL, "/top", 0755), 0);
	m.top = node_new(&m, FS_IFDIR);
	m.top->mode = 0755;
	for (unsigned phase = 0; phase < phases; phase++) {
		shrink_metadata_cache(&m, phase % 2 ? 32 : 1024);
		for (unsigned i = 0; i < OPS_PER_PHASE; i++)
			run_op(&m);
		if (phase % 3 == 0)
			compare(&m, m.top, "/top");
		release_held(&m);
		world_remount(&m.w);
		compare(&m, m.top, "/top");
	}
	remove_all(&m, m.top, "/top");
	assert_int_equal(vfs_rmdir(&m.w.ctx, NULL, "/top"), 0);
	after = world_statfs(&m.w);
	assert_int_equal(before.free_blocks, after.free_blocks);
	assert_int_equal(before.free_inodes, after.free_inodes);
	for (unsigned i = 0; i < N_OPS; i++)
		fprintf(stderr, "# %-10s %5llu done %5llu refused\n", ops[i].name,
			(unsigned long long)m.done[i], (unsigned long long)m.failed[i]);
	world_unmount(&m.w);
	world_fsck(&m.w, false, IMAGE_CLEAN);
	world_free(&m.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations)};

	return cmocka_run_group_tests_name("mapfs_model", tests, NULL, NULL);
}
