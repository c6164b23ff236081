// SPDX-License-Identifier: MIT
/*
 * Random operations on a tmpfs against a naive model: a table of nodes and a table of names, with
 * linear searches and Linux's rules written down a second time, as plainly as possible.
 *
 * After each operation the errors must agree; now and then the whole tree is compared, with and
 * without what the caches remember.
 */
#include "harness.h"

#define NODES   128
#define NAMES   192
#define MAX_LEN 5000
#define POOL    6 /* names a directory may have */

enum kind { FREE, FILE_NODE, DIR_NODE, LINK_NODE };

struct model_node {
	enum kind kind;
	uint32_t nlink;
	size_t len;
	unsigned char data[MAX_LEN];
	char target[8];
	uint64_t ino;
};

struct model_name {
	bool used;
	int dir, node;
	int name;
};

static struct model_node nodes[NODES];
static struct model_name names[NAMES];
static uint64_t rng;
static unsigned counts[16][24]; /* operation x errno, to see what was covered */

static uint32_t below(uint32_t n)
{
	return random_below(&rng, n);
}

/* --- The model ------------------------------------------------------------------------------- */

static struct model_name *m_find(int dir, int name)
{
	for (int i = 0; i < NAMES; i++)
		if (names[i].used && names[i].dir == dir && names[i].name == name)
			return &names[i];
	return NULL;
}

static bool m_empty(int dir)
{
	for (int i = 0; i < NAMES; i++)
		if (names[i].used && names[i].dir == dir)
			return false;
	return true;
}

static int m_parent(int dir)
{
	for (int i = 0; i < NAMES; i++)
		if (names[i].used && names[i].node == dir)
			return names[i].dir;
	return dir;
}

static bool m_below(int dir, int ancestor)
{
	while (dir != ancestor && dir != 0)
		dir = m_parent(dir);
	return dir == ancestor;
}

static struct model_name *m_free_name(void)
{
	for (int i = 0; i < NAMES; i++)
		if (!names[i].used)
			return &names[i];
	return NULL;
}

static int m_free_node(void)
{
	for (int i = 1; i < NODES; i++)
		if (nodes[i].kind == FREE)
			return i;
	return 0;
}

static void m_add(int dir, int name, int node)
{
	struct model_name *n = m_free_name();

	*n = (struct model_name){true, dir, node, name};
	if (nodes[node].kind == DIR_NODE)
		nodes[dir].nlink++;
}

static void m_remove(struct model_name *n)
{
	struct model_node *node = &nodes[n->node];

	n->used = false;
	if (node->kind == DIR_NODE) {
		nodes[n->dir].nlink--;
		node->kind = FREE;
	} else if (--node->nlink == 0) {
		node->kind = FREE;
	}
}

static int m_make(int dir, int name, enum kind kind)
{
	int node = m_free_node();

	if (m_find(dir, name))
		return -EEXIST;
	memset(&nodes[node], 0, sizeof(nodes[node]));
	nodes[node].kind = kind;
	nodes[node].nlink = kind == DIR_NODE ? 2 : 1;
	m_add(dir, name, node);
	return 0;
}

static int m_unlink(int dir, int name)
{
	struct model_name *n = m_find(dir, name);

	if (!n)
		return -ENOENT;
	if (nodes[n->node].kind == DIR_NODE)
		return -EISDIR;
	m_remove(n);
	return 0;
}

static int m_rmdir(int dir, int name)
{
	struct model_name *n = m_find(dir, name);

	if (!n)
		return -ENOENT;
	if (nodes[n->node].kind != DIR_NODE)
		return -ENOTDIR;
	if (!m_empty(n->node))
		return -ENOTEMPTY;
	m_remove(n);
	return 0;
}

static int m_link(int from_dir, int from, int dir, int name)
{
	struct model_name *n = m_find(from_dir, from);

	if (!n)
		return -ENOENT;
	if (nodes[n->node].kind == DIR_NODE)
		return -EPERM;
	if (m_find(dir, name))
		return -EEXIST;
	m_add(dir, name, n->node);
	nodes[n->node].nlink++;
	return 0;
}

static int m_exchange(struct model_name *a, struct model_name *b)
{
	int node = a->node;

	nodes[a->dir].nlink -= nodes[a->node].kind == DIR_NODE;
	nodes[b->dir].nlink += nodes[a->node].kind == DIR_NODE;
	nodes[b->dir].nlink -= nodes[b->node].kind == DIR_NODE;
	nodes[a->dir].nlink += nodes[b->node].kind == DIR_NODE;
	a->node = b->node;
	b->node = node;
	return 0;
}

static int m_rename(int from_dir, int from, int to_dir, int to, unsigned flags)
{
	struct model_name *a = m_find(from_dir, from), *b = m_find(to_dir, to);
	bool a_dir, b_dir;
	int node;

	if (!a)
		return -ENOENT;
	if (!b && (flags & FS_RENAME_EXCHANGE))
		return -ENOENT;
	if (b && (flags & FS_RENAME_NOREPLACE))
		return -EEXIST;
	a_dir = nodes[a->node].kind == DIR_NODE;
	b_dir = b && nodes[b->node].kind == DIR_NODE;
	if (a_dir && m_below(to_dir, a->node))
		return -EINVAL;
	if (b_dir && m_below(from_dir, b->node))
		return flags & FS_RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (b && a->node == b->node && !(flags & FS_RENAME_EXCHANGE))
		return 0;
	if (flags & FS_RENAME_EXCHANGE)
		return a->node == b->node ? 0 : m_exchange(a, b);
	if (b && a_dir != b_dir)
		return a_dir ? -ENOTDIR : -EISDIR;
	if (b_dir && !m_empty(b->node))
		return -ENOTEMPTY;
	if (b)
		m_remove(b);
	node = a->node;
	a->used = false;
	if (a_dir)
		nodes[from_dir].nlink--;
	m_add(to_dir, to, node);
	return 0;
}

/* --- Paths ----------------------------------------------------------------------------------- */

/* The model's path of a directory, then of a name in it. */
static void dir_path(int dir, char *path)
{
	if (dir == 0) {
		path[0] = '\0';
		return;
	}
	for (int i = 0; i < NAMES; i++) {
		if (names[i].used && names[i].node == dir) {
			dir_path(names[i].dir, path);
			sprintf(path + strlen(path), "/n%d", names[i].name);
			return;
		}
	}
	fail_msg("directory %d has no name", dir);
}

static void name_path(int dir, int name, char *path)
{
	dir_path(dir, path);
	sprintf(path + strlen(path), "/n%d", name);
}

static int random_dir(void)
{
	int dir = (int)below(NODES);

	while (nodes[dir].kind != DIR_NODE)
		dir = (dir + 1) % NODES;
	return dir;
}

/* Mostly a name that exists. */
static void pick(int *dir, int *name)
{
	int i = (int)below(NAMES);

	*dir = random_dir();
	*name = (int)below(POOL);
	if (below(4) == 0 || !names[i].used)
		return;
	*dir = names[i].dir;
	*name = names[i].name;
}

/* --- One operation each ---------------------------------------------------------------------- */

enum {
	OP_CREATE,
	OP_MKDIR,
	OP_SYMLINK,
	OP_LINK,
	OP_UNLINK,
	OP_RMDIR,
	OP_RENAME,
	OP_WRITE,
	OP_TRUNCATE,
	OP_SHRINK,
	OP_N
};

static int do_create(int dir, int name)
{
	char path[1024];
	struct file *f;
	int err, wanted;

	name_path(dir, name, path);
	err = vfs_open(&ctx, NULL, path, FS_O_CREAT | FS_O_EXCL | FS_O_WRONLY, 0666, &f);
	if (!err)
		file_unref(f);
	wanted = m_make(dir, name, FILE_NODE);
	assert_int_equal(err, wanted);
	return err;
}

static int do_mkdir(int dir, int name)
{
	char path[1024];
	int err;

	name_path(dir, name, path);
	err = vfs_mkdir(&ctx, NULL, path, 0777);
	assert_int_equal(err, m_make(dir, name, DIR_NODE));
	return err;
}

static int do_symlink(int dir, int name)
{
	char path[1024], target[8];
	int err;

	name_path(dir, name, path);
	snprintf(target, sizeof(target), "t%u", below(1000));
	err = vfs_symlink(&ctx, target, NULL, path);
	assert_int_equal(err, m_make(dir, name, LINK_NODE));
	if (!err)
		strcpy(nodes[m_find(dir, name)->node].target, target);
	return err;
}

static int do_link(int dir, int name)
{
	int from_dir, from, err;
	char path[1024], from_path[1024];

	pick(&from_dir, &from);
	name_path(dir, name, path);
	name_path(from_dir, from, from_path);
	err = vfs_link(&ctx, NULL, from_path, 0, NULL, path);
	assert_int_equal(err, m_link(from_dir, from, dir, name));
	return err;
}

static int do_unlink(int dir, int name)
{
	char path[1024];
	int err;

	name_path(dir, name, path);
	err = vfs_unlink(&ctx, NULL, path);
	assert_int_equal(err, m_unlink(dir, name));
	return err;
}

static int do_rmdir(int dir, int name)
{
	char path[1024];
	int err;

	name_path(dir, name, path);
	err = vfs_rmdir(&ctx, NULL, path);
	assert_int_equal(err, m_rmdir(dir, name));
	return err;
}

static int do_rename(int dir, int name)
{
	static const unsigned flags[] = {0, 0, 0, FS_RENAME_NOREPLACE, FS_RENAME_EXCHANGE};
	unsigned flag = flags[below(5)];
	int to_dir, to, err;
	char path[1024], to_path[1024];

	pick(&to_dir, &to);
	if (below(4) == 0)
		to_dir = dir;
	name_path(dir, name, path);
	name_path(to_dir, to, to_path);
	err = vfs_rename(&ctx, NULL, path, NULL, to_path, flag);
	assert_int_equal(err, m_rename(dir, name, to_dir, to, flag));
	return err;
}

static int do_write(int dir, int name)
{
	struct model_name *n = m_find(dir, name);
	unsigned char bytes[700];
	size_t at = below(MAX_LEN - 700), len = below(700) + 1;
	struct model_node *node;
	char path[1024];
	struct file *f;
	int err;

	name_path(dir, name, path);
	err = vfs_open(&ctx, NULL, path, FS_O_WRONLY | FS_O_NOFOLLOW, 0, &f);
	if (!n || nodes[n->node].kind != FILE_NODE) {
		int wanted = !n ? -ENOENT : nodes[n->node].kind == DIR_NODE ? -EISDIR : -ELOOP;

		assert_int_equal(err, wanted);
		return err;
	}
	assert_int_equal(err, 0);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)below(256);
	assert_int_equal(write_at(f, at, bytes, len), len);
	file_unref(f);
	node = &nodes[n->node];
	memcpy(node->data + at, bytes, len);
	if (at + len > node->len)
		node->len = at + len;
	return 0;
}

static int do_truncate(int dir, int name)
{
	struct model_name *n = m_find(dir, name);
	struct fs_attr attr = {.size_bytes = below(MAX_LEN)};
	struct model_node *node;
	char path[1024];
	int err;

	name_path(dir, name, path);
	err = vfs_setattr(&ctx, NULL, path, 0, &attr, FS_SET_SIZE);
	if (!n || nodes[n->node].kind != FILE_NODE) {
		int wanted = !n ? -ENOENT : nodes[n->node].kind == DIR_NODE ? -EISDIR : -EINVAL;

		assert_int_equal(err, wanted);
		return err;
	}
	assert_int_equal(err, 0);
	node = &nodes[n->node];
	if (attr.size_bytes < node->len)
		memset(node->data + attr.size_bytes, 0, node->len - attr.size_bytes);
	node->len = attr.size_bytes;
	return 0;
}

/* --- Comparing ------------------------------------------------------------------------------- */

static void compare_node(const char *path, const struct model_node *node)
{
	static unsigned char bytes[MAX_LEN];
	struct fs_attr attr;
	char target[16];
	struct file *f;
	int n;

	assert_int_equal(lstat_of(path, &attr), 0);
	assert_int_equal(attr.nlink, node->nlink);
	switch (node->kind) {
	case FILE_NODE:
		assert_int_equal(attr.mode & FS_IFMT, FS_IFREG);
		assert_int_equal(attr.size_bytes, node->len);
		f = must_open(path, FS_O_RDONLY);
		n = read_at(f, 0, bytes, MAX_LEN);
		assert_int_equal(n, node->len);
		assert_memory_equal(bytes, node->data, node->len);
		file_unref(f);
		break;
	case LINK_NODE:
		n = vfs_readlink(&ctx, NULL, path, 0, target, sizeof(target));
		assert_int_equal(n, strlen(node->target));
		assert_memory_equal(target, node->target, (size_t)n);
		break;
	default:
		assert_int_equal(attr.mode & FS_IFMT, FS_IFDIR);
		break;
	}
}

struct seen {
	struct fs_readdir r;
	int dir, n;
};

static bool see(struct fs_readdir *r, const struct fs_entry *entry)
{
	struct seen *seen = (struct seen *)r;
	int name;

	if (entry->name[0] == '.')
		return true;
	assert_int_equal(sscanf(entry->name, "n%d", &name), 1);
	assert_non_null(m_find(seen->dir, name));
	seen->n++;
	return true;
}

static void compare_dir(int dir)
{
	struct seen seen = {{see}, dir, 0};
	char path[1024] = "/";
	struct file *f;
	int wanted = 0;

	dir_path(dir, path + 1);
	f = must_open(path, FS_O_RDONLY);
	assert_int_equal(file_readdir(f, &seen.r), 0);
	file_unref(f);
	for (int i = 0; i < NAMES; i++)
		wanted += names[i].used && names[i].dir == dir;
	assert_int_equal(seen.n, wanted);
}

static void compare_all(void)
{
	char path[1024];

	for (int i = 0; i < NODES; i++)
		if (nodes[i].kind == DIR_NODE)
			compare_dir(i);
	for (int i = 0; i < NAMES; i++) {
		if (!names[i].used)
			continue;
		name_path(names[i].dir, names[i].name, path);
		compare_node(path, &nodes[names[i].node]);
	}
	vfs_check();
}

/* --- The run --------------------------------------------------------------------------------- */

/* The tree grows until the model is full, then shrinks to half, and so on. */
static bool shrinking(void)
{
	static bool shrinks;
	int used = 0;

	for (int i = 0; i < NAMES; i++)
		used += names[i].used;
	if (!m_free_node() || used == NAMES)
		shrinks = true;
	else if (used < NAMES / 4)
		shrinks = false;
	return shrinks;
}

static void step(void)
{
	static int (*const operations[])(int dir, int name) = {
		[OP_CREATE] = do_create,
		[OP_MKDIR] = do_mkdir,
		[OP_SYMLINK] = do_symlink,
		[OP_LINK] = do_link,
		[OP_UNLINK] = do_unlink,
		[OP_RMDIR] = do_rmdir,
		[OP_RENAME] = do_rename,
		[OP_WRITE] = do_write,
		[OP_TRUNCATE] = do_truncate,
	};
	uint32_t op = below(OP_N);
	int dir, name, err;

	if (shrinking() && op < OP_UNLINK)
		op = OP_UNLINK + below(2);
	if (op == OP_SHRINK) {
		dentry_shrink(below(20));
		vnode_shrink(below(20));
		return;
	}
	pick(&dir, &name);
	err = operations[op](dir, name);
	for (int i = 0; i < 24; i++) {
		if (counts[op][i] == 0 || i == 23) {
			counts[op][i] = (unsigned)-err << 24 | 1;
			break;
		}
		if (counts[op][i] >> 24 == (unsigned)-err) {
			counts[op][i]++;
			break;
		}
	}
}

static void print_coverage(void)
{
	static const char *const op_names[] = {"create", "mkdir", "symlink", "link", "unlink",
		"rmdir", "rename", "write", "truncate"};

	for (int op = 0; op < OP_SHRINK; op++) {
		print_message("# %s:", op_names[op]);
		for (int i = 0; counts[op][i]; i++)
			print_message(" %s %u", error_name(-(int)(counts[op][i] >> 24)),
				counts[op][i] & 0xffffff);
		print_message("\n");
	}
}

static void random_operations(void **state)
{
	uint64_t steps = test_steps(100000);

	(void)state;
	rng = test_seed();
	memset(nodes, 0, sizeof(nodes));
	memset(names, 0, sizeof(names));
	nodes[0] = (struct model_node){.kind = DIR_NODE, .nlink = 2};
	for (uint64_t i = 0; i < steps; i++) {
		step();
		if (i % 997 == 0)
			compare_all();
	}
	compare_all();
	dentry_shrink(0);
	compare_all();
	print_coverage();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_operations, test_setup, test_teardown),
	};

	return cmocka_run_group_tests_name("fs_tmpfs_model", tests, group_setup, NULL);
}
