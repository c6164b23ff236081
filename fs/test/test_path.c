// SPDX-License-Identifier: MIT
/* The walk: components, links, dots, mounts, rights, and the way back to a path. */
#include "harness.h"

static void symlink_to(const char *target, const char *path)
{
	assert_int_equal(vfs_symlink(&ctx, target, NULL, path), 0);
}

static void make_tree(void)
{
	must_mkdir("/a");
	must_mkdir("/a/b");
	must_mkdir("/a/b/c");
	must_mkdir("/m");
	must_write("/file", "x");
	must_write("/a/b/c/deep", "x");
	symlink_to("a/b", "/to_b");
	symlink_to("/a/b/", "/to_b_abs");
	symlink_to("../..", "/a/b/up2");
	symlink_to("nowhere", "/dangling");
	symlink_to("loop2", "/loop1");
	symlink_to("loop1", "/loop2");
	symlink_to("file", "/to_file");
	symlink_to("to_b/c", "/chain");
	symlink_to(".", "/here");
	assert_int_equal(mount_on(ctx.root, "tmpfs", "none", "none", 0, ""), -EBUSY);
}

struct walk_row {
	const char *path;
	unsigned flags;
	const char *result;
};

static void check_rows(const struct walk_row *rows, size_t n)
{
	/* Twice: from the file system, and from the name cache. */
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < n; i++) {
			const char *got = walked(rows[i].path, rows[i].flags);

			if (strcmp(got, rows[i].result))
				fail_msg("round %d: \"%s\" (%u) is %s, not %s", round, rows[i].path,
					rows[i].flags, got, rows[i].result);
		}
		dentry_shrink(0);
	}
}

static void walks(void **state)
{
	static const struct walk_row rows[] = {
		{"/", 0, "/"},
		{"///", 0, "/"},
		{"", 0, "ENOENT"},
		{"", PATH_EMPTY, "/"},
		{".", 0, "/"},
		{"..", 0, "/"},
		{"/../..//a/./b/../b", 0, "/a/b"},
		{"a", 0, "/a"},
		{"a/", 0, "/a"},
		{"file/", 0, "ENOTDIR"},
		{"file", PATH_DIRECTORY, "ENOTDIR"},
		{"file/x", 0, "ENOTDIR"},
		{"file/.", 0, "ENOTDIR"},
		{"file/..", 0, "ENOTDIR"},
		{"none", 0, "ENOENT"},
		{"none/x", 0, "ENOENT"},
		{"a/none/../b", 0, "ENOENT"},
		{"to_b", 0, "/to_b"},
		{"to_b", PATH_FOLLOW, "/a/b"},
		{"to_b/", 0, "/a/b"},
		{"to_b/.", 0, "/a/b"},
		{"to_b", PATH_DIRECTORY, "ENOTDIR"},
		{"to_b_abs/c/deep", 0, "/a/b/c/deep"},
		{"/a/b/up2/file", 0, "/file"},
		{"/a/b/up2", PATH_FOLLOW, "/"},
		{"chain/deep", 0, "/a/b/c/deep"},
		{"here/here/here/a", 0, "/a"},
		{"dangling", 0, "/dangling"},
		{"dangling", PATH_FOLLOW, "ENOENT"},
		{"loop1", 0, "/loop1"},
		{"loop1", PATH_FOLLOW, "ELOOP"},
		{"loop1/x", 0, "ELOOP"},
		{"to_file", PATH_FOLLOW, "/file"},
		{"to_file/", 0, "ENOTDIR"},
	};

	(void)state;
	make_tree();
	check_rows(rows, sizeof(rows) / sizeof(*rows));
}

/* --- The recent directory --------------------------------------------------------------------- */

static void set_mode(const char *path, uint32_t mode)
{
	struct fs_attr attr = {.mode = mode};

	assert_int_equal(vfs_setattr(&ctx, NULL, path, PATH_FOLLOW, &attr, FS_SET_MODE), 0);
}

/* It is compared word by word, and walked whole where it does not lie so: both ways. */
static void expect_walk(const char *path, const char *result)
{
	uint64_t words[8];

	for (size_t at = 0; at < 2; at++) {
		char *text = (char *)words + at;

		assert_true(strlen(path) < sizeof(words) - 1);
		strcpy(text, path);
		if (strcmp(walked(text, 0), result))
			fail_msg("\"%s\" is %s, not %s", path, walked(text, 0), result);
	}
}

static void is_last(const char *path)
{
	size_t n = (size_t)(strrchr(path, '/') + 1 - path);

	assert_int_equal(ctx.recent->first->bytes, n);
	assert_memory_equal(ctx.recent->first->text, path, n);
}

/* Until it is kept how the walk to f comes through e, and once more, in one step. */
static void walk_kept(const char *path)
{
	for (int i = 0; i < 2; i++) /* the first asks the file system, and that is not kept */
		expect_walk(path, "/d/e/f");
	is_last(path);
}

static void make_d(void)
{
	must_mkdir("/d");
	must_mkdir("/d/e");
	must_write("/d/e/f", "x");
}

static void recent_is_kept(void **state)
{
	(void)state;
	make_d();
	walk_kept("/d/e/f");
	walk_kept("d/e/f");
	walk_kept("//d/./e//f");
	expect_walk("//d/./e//g", "ENOENT");
	expect_walk("//d/./e//", "/d/e");
	expect_walk("//d/./e//.", "/d/e");
	expect_walk("//d/./e//..", "/d");
	expect_walk("//d/./e//f/", "ENOTDIR");
	expect_walk("//d/./e//f/x", "ENOTDIR");
	walk_kept("/d/e/f");
	expect_walk("/d/e/", "/d/e");
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/d/e/"), -ENOTEMPTY);
}

/* Of a path that is shorter nothing is read behind its end, wherever it lies. */
static void recent_is_longer(void **state)
{
	(void)state;
	make_d();
	walk_kept("/d/e/f");
	for (size_t before = 0; before < 8; before++) {
		char *memory = malloc(before + sizeof("/d"));

		assert_non_null(memory);
		expect_walk(strcpy(memory + before, "/d"), "/d");
		free(memory);
	}
	walk_kept("/d/e/f");
}

/* What is reached through a link or ".." is not, nor by a name that was not remembered. */
static void recent_is_not_kept(void **state)
{
	static const char *const paths[] = {"/l/f", "/d/../d/e/f", "/x/e/f"};

	(void)state;
	make_d();
	symlink_to("d/e", "/l");
	symlink_to("d", "/x");
	walk_kept("/d/e/f");
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		for (int times = 0; times < 3; times++)
			assert_string_equal(walked(paths[i], 0), "/d/e/f");
		is_last("/d/e/f");
	}
	assert_int_equal(vfs_unlink(&ctx, NULL, "/x"), 0);
	expect_walk("/x/e/f", "ENOENT");
}

/* Every change that leads the same text elsewhere, or nowhere. */
static void recent_directories_change(void **state)
{
	struct dentry *top;
	uint64_t before;
	char *text;

	(void)state;
	make_d();
	must_mkdir("/d2");
	must_mkdir("/d2/e");
	walk_kept("/d/e/f");
	assert_int_equal(vfs_rename(&ctx, NULL, "/d/e", NULL, "/d/e2", 0), 0);
	expect_walk("/d/e/f", "ENOENT");
	assert_int_equal(vfs_rename(&ctx, NULL, "/d/e2", NULL, "/d/e", 0), 0);
	walk_kept("/d/e/f");
	assert_int_equal(vfs_rename(&ctx, NULL, "/d", NULL, "/d2", FS_RENAME_EXCHANGE), 0);
	expect_walk("/d/e/f", "ENOENT");
	expect_walk("/d2/e/f", "/d2/e/f");
	assert_int_equal(vfs_rename(&ctx, NULL, "/d", NULL, "/d2", FS_RENAME_EXCHANGE), 0);

	walk_kept("/d/e/f");
	assert_int_equal(vfs_mount(&ctx, "/d/e", "tmpfs", "none", 0, ""), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(path_lookup(&ctx, NULL, "/d/e", 0, &top), 0);
		assert_ptr_equal(top, top->mount->root);
		dentry_unref(top);
	}
	expect_walk("/d/e/f", "ENOENT");
	must_write("/d/e/f", "y");
	walk_kept("/d/e/f");
	assert_int_equal(vfs_umount(&ctx, "/d/e", 0, false), 0);
	text = contents("/d/e/f");
	assert_string_equal(text, "x");
	free(text);

	walk_kept("/d/e/f");
	assert_int_equal(vfs_unlink(&ctx, NULL, "/d/e/f"), 0);
	expect_walk("/d/e/f", "ENOENT");
	before = ctx.recent->first->directories;
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/d/e"), 0);
	expect_walk("/d/e/f", "ENOENT");
	must_mkdir("/d/e");
	must_write("/d/e/f", "z");
	walk_kept("/d/e/f");
	assert_int_not_equal(ctx.recent->first->directories, before);

	/* The same names in new entries, perhaps where others were: nothing of before counts. */
	walk_kept("/d/e/f");
	before = ctx.recent->first->directories;
	dentry_shrink(0);
	walk_kept("/d/e/f");
	assert_int_not_equal(ctx.recent->first->directories, before);
}

static const char *const turns[PATH_RECENT_DIRECTORIES] = {
	"/d/e/f", "/d/g", "/a_longer_name/f", "/a_longer_nome/f"};

static void make_turns(void)
{
	make_d();
	must_write("/d/g", "x");
	must_mkdir("/a_longer_name");
	must_write("/a_longer_name/f", "x");
	must_mkdir("/a_longer_nome");
	must_write("/a_longer_nome/f", "x");
}

/* Slots by this text. */
static unsigned times_kept(const char *text)
{
	unsigned n = 0;

	for (const struct path_recent *r = ctx.recent->kept;
		r < ctx.recent->kept + PATH_RECENT_DIRECTORIES; r++)
		n += r->bytes == strlen(text) && memcmp(r->text, text, r->bytes) == 0;
	return n;
}

static void go_round(void)
{
	for (size_t i = 0; i < 3 * PATH_RECENT_DIRECTORIES; i++)
		expect_walk(turns[i % PATH_RECENT_DIRECTORIES], turns[i % PATH_RECENT_DIRECTORIES]);
}

/* In one step: a whole walk uses each directory on the way. */
static void expect_one_step(const char *path)
{
	uint64_t words[8];

	for (const struct path_recent *r = ctx.recent->first; r; r = r->older)
		((struct dentry *)r->dir)->used = false;
	assert_string_equal(walked(strcpy((char *)words, path), 0), path);
	is_last(path);
	assert_false(ctx.recent->first->dir->used);
}

/* As many as there is room for stay, whichever comes next; one more takes the oldest's place. */
static void recent_by_turns(void **state)
{
	(void)state;
	memset(ctx.recent, 0, sizeof(*ctx.recent));
	make_turns();
	go_round();
	for (size_t i = 0; i < 1000; i++)
		expect_one_step(turns[i * i / 3 % PATH_RECENT_DIRECTORIES]);
	for (size_t i = 0; i < PATH_RECENT_DIRECTORIES; i++)
		expect_one_step(turns[(i + 1) % PATH_RECENT_DIRECTORIES]);
	must_mkdir("/one_more");
	must_write("/one_more/f", "x");
	for (int times = 0; times < 2; times++)
		expect_walk("/one_more/f", "/one_more/f");
	is_last("/one_more/f");
	assert_int_equal(times_kept("/d/"), 0);
	for (size_t i = 2; i < PATH_RECENT_DIRECTORIES + 1; i++)
		expect_one_step(turns[i % PATH_RECENT_DIRECTORIES]);
	go_round();
}

/* All that are kept are in the order of their use, however they come. */
static void recent_order(void **state)
{
	static const size_t orders[][4] = {{0, 1, 2, 3}, {2, 0, 3, 1}, {3, 2, 1, 0}, {1, 0, 3, 2}};

	(void)state;
	make_turns();
	go_round();
	for (size_t order = 0; order < sizeof(orders) / sizeof(*orders); order++) {
		const struct path_recent *r;
		size_t i = PATH_RECENT_DIRECTORIES;

		for (size_t k = 0; k < i; k++)
			expect_walk(turns[orders[order][k]], turns[orders[order][k]]);
		for (r = ctx.recent->first; r; r = r->older) {
			const char *path = turns[orders[order][--i]];

			assert_int_equal(r->bytes, strrchr(path, '/') + 1 - path);
			assert_memory_equal(r->text, path, r->bytes);
		}
		assert_int_equal(i, 0);
	}
}

/* A change counts for all that are kept; what is found again by the same text is there once. */
static void recent_change_by_turns(void **state)
{
	(void)state;
	make_turns();
	go_round();
	assert_int_equal(vfs_rename(&ctx, NULL, "/d", NULL, "/b", 0), 0);
	expect_walk(turns[2], turns[2]);
	expect_walk(turns[0], "ENOENT");
	expect_walk(turns[1], "ENOENT");
	expect_walk(turns[3], turns[3]);
	assert_int_equal(times_kept("/a_longer_name/"), 1);
	assert_int_equal(times_kept("/a_longer_nome/"), 1);
	assert_int_equal(vfs_rename(&ctx, NULL, "/b", NULL, "/d", 0), 0);
	go_round();
	assert_int_equal(times_kept("/d/e/"), 1);
	assert_int_equal(times_kept("/a_longer_nome/"), 1);
}

/* Others begin elsewhere, or may not go there any more. */
static void recent_is_whose(void **state)
{
	struct dentry *d, *root = ctx.root;

	(void)state;
	make_d();
	must_mkdir("/r");
	must_mkdir("/r/d");
	walk_kept("d/e/f");
	assert_int_equal(path_lookup(&ctx, NULL, "/r", 0, &d), 0);
	ctx.cwd = d;
	expect_walk("d/e/f", "ENOENT");
	ctx.cwd = root;
	walk_kept("d/e/f");
	walk_kept("/d/e/f");
	ctx.cwd = d;
	expect_walk("d/e/f", "ENOENT"); /* it was not the last one, either */
	ctx.cwd = root;
	walk_kept("/d/e/f");
	ctx.root = d;
	expect_walk("/d/e/f", "ENOENT");
	ctx.root = root;
	dentry_unref(d);

	become(1, 1);
	walk_kept("/d/e/f");
	become(0, 0);
	set_mode("/d", 0700);
	expect_walk("/d/e/f", "/d/e/f");
	become(1, 1);
	expect_walk("/d/e/f", "EACCES");
	become(0, 0);
	set_mode("/d", 0755);
	set_mode("/d/e", 0700);
	walk_kept("/d/e/f");
	become(1, 1);
	expect_walk("/d/e/f", "EACCES");
	become(0, 0);
}

static void forty_links_and_no_more(void **state)
{
	char name[16], target[16];

	(void)state;
	must_write("/l0", "end");
	for (int i = 1; i <= FS_SYMLINKS_MAX + 1; i++) {
		snprintf(name, sizeof(name), "/l%d", i);
		snprintf(target, sizeof(target), "l%d", i - 1);
		symlink_to(target, name);
	}
	snprintf(name, sizeof(name), "/l%d", FS_SYMLINKS_MAX);
	assert_string_equal(walked(name, PATH_FOLLOW), "/l0");
	snprintf(name, sizeof(name), "/l%d", FS_SYMLINKS_MAX + 1);
	assert_string_equal(walked(name, PATH_FOLLOW), "ELOOP");
}

static void long_names(void **state)
{
	char path[FS_PATH_MAX + 300] = "/", target[FS_PATH_MAX];

	(void)state;
	memset(path + 1, 'n', FS_NAME_MAX);
	must_mkdir(path);
	assert_string_equal(walked(path, 0), path);
	path[FS_NAME_MAX + 1] = 'n';
	assert_string_equal(walked(path, 0), "ENAMETOOLONG");
	assert_int_equal(vfs_mkdir(&ctx, NULL, path, 0777), -ENAMETOOLONG);

	/* The target and the rest would not fit into one path. */
	memset(target, '/', sizeof(target));
	strcpy(target + sizeof(target) - 8, "here");
	symlink_to(target, "/long");
	assert_string_equal(walked("/long/a/b/c/d", 0), "ENOENT");
	must_mkdir("/here");
	must_mkdir("/here/a");
	symlink_to("../long/a", "/here/b");
	assert_string_equal(walked("/long/b/../b/../b/../b", PATH_FOLLOW), "/here/a");
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/here/a"), 0);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/here/b"), 0);
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/here"), 0);
	assert_string_equal(walked("/long", PATH_FOLLOW), "ENOENT");
}

static void bases_and_roots(void **state)
{
	struct dentry *base, *old_root = ctx.root;

	(void)state;
	make_tree();
	assert_int_equal(path_lookup(&ctx, NULL, "/a/b", 0, &base), 0);
	ctx.cwd = base;
	assert_string_equal(walked("c", 0), "/a/b/c");
	assert_string_equal(walked("..", 0), "/a");
	assert_string_equal(walked("/a", 0), "/a");

	/* In a smaller world ".." and absolute links end at its root. */
	ctx.root = base;
	assert_string_equal(walked("../../..", 0), "/");
	assert_string_equal(walked("/c/deep", 0), "/c/deep");
	assert_string_equal(walked("up2", PATH_FOLLOW), "/");
	assert_string_equal(walked("/file", 0), "ENOENT");
	ctx.root = ctx.cwd = old_root;
	dentry_unref(base);
}

static void mounts(void **state)
{
	struct dentry *m;

	(void)state;
	make_tree();
	must_write("/m/below", "hidden");
	assert_int_equal(path_lookup(&ctx, NULL, "/m", 0, &m), 0);
	assert_int_equal(mount_on(m, "tmpfs", "none", "none", 0, ""), 0);
	assert_int_equal(mount_on(m, "tmpfs", "none", "none", 0, ""), -EBUSY);
	assert_int_equal(mount_on(m, "nosuchfs", "none", "none", 0, ""), -EBUSY);
	dentry_unref(m);
	assert_string_equal(walked("/m/below", 0), "ENOENT");
	must_write("/m/inside", "x");
	must_mkdir("/m/d");
	assert_string_equal(walked("/m/d/../inside", 0), "/m/inside");
	assert_string_equal(walked("/m/d/../../file", 0), "/file");
	assert_string_equal(names_in("/m"), "inside d");
	assert_int_equal(vfs_rmdir(&ctx, NULL, "/m"), -EBUSY);
	assert_int_equal(vfs_rename(&ctx, NULL, "/m", NULL, "/n", 0), -EBUSY);
	assert_int_equal(vfs_rename(&ctx, NULL, "/m/inside", NULL, "/inside", 0), -EXDEV);
	assert_int_equal(vfs_link(&ctx, NULL, "/m/inside", 0, NULL, "/inside"), -EXDEV);

	/* In use, by name and by a file without a name: it stays. */
	assert_int_equal(path_lookup(&ctx, NULL, "/m/d", 0, &ctx.cwd), 0);
	assert_int_equal(path_lookup(&ctx, NULL, "/m", 0, &m), 0);
	assert_int_equal(mount_take(m), -EBUSY);
	dentry_unref(ctx.cwd);
	ctx.cwd = ctx.root;
	struct file *f = must_open("/m/inside", FS_O_RDONLY);

	assert_int_equal(vfs_unlink(&ctx, NULL, "/m/inside"), 0);
	assert_int_equal(mount_take(m), -EBUSY);
	file_unref(f);
	assert_int_equal(mount_take(m), 0);
	assert_string_equal(names_in("/m"), "below");
	assert_int_equal(mount_take(dentry_ref(ctx.root)), -EBUSY);
	dentry_unref(ctx.root);
}

/* --- Links that lead to a file and not along a path: a file system with nothing but one ------- */

static struct dentry *jump_to; /* not counted */

static int jump_follow(struct vnode *link, struct dentry **out)
{
	(void)link;
	if (!jump_to)
		return -ENXIO;
	*out = dentry_ref(jump_to);
	return 0;
}

static int jump_readlink(struct vnode *v, char *to, size_t bytes)
{
	(void)v;
	(void)bytes;
	memcpy(to, "text", 4);
	return 4;
}

static void jump_evict(struct vnode *v)
{
	vnode_fini(v);
	free(v);
}

static const struct vnode_ops jump_link_ops = {
	.follow = jump_follow, .readlink = jump_readlink, .evict = jump_evict};

static unsigned jump_lookups;

/* Any name of four letters, and one of five, which lasts. */
static int jump_lookup(struct vnode *dir, const struct fs_name *name, struct vnode **out)
{
	jump_lookups++;
	if (name->bytes != 4 && name->bytes != 5)
		return -ENOENT;
	*out = calloc(1, sizeof(**out));
	vnode_init(*out, dir->mount, &jump_link_ops, 2, FS_IFLNK | 0777);
	(*out)->lasts = name->bytes == 5;
	return 0;
}

static const struct vnode_ops jump_dir_ops = {.lookup = jump_lookup, .evict = jump_evict};

static int jump_statfs(struct mount *mount, struct fs_stat *out)
{
	(void)mount;
	(void)out;
	return 0;
}

static const struct mount_ops jump_mount_ops = {.statfs = jump_statfs};

static int jump_mount(
	struct mount *mount, const char *source, const char *options, struct vnode **root)
{
	(void)source;
	(void)options;
	mount->ops = &jump_mount_ops;
	mount->flags |= MOUNT_VOLATILE;
	*root = calloc(1, sizeof(**root));
	vnode_init(*root, mount, &jump_dir_ops, 1, FS_IFDIR | 0755);
	return 0;
}

static void jumps(void **state)
{
	static struct fs_type type = {.name = "test_jump", .mount = jump_mount};
	struct dentry *dir;
	struct file *f;
	char *text;

	(void)state;
	fs_register(&type);
	make_tree();
	assert_int_equal(vfs_mount(&ctx, "/m", type.name, "none", 0, ""), 0);
	assert_string_equal(walked("/m/link", PATH_FOLLOW), "ENXIO");
	assert_int_equal(open_err("/m/link", FS_O_RDWR | FS_O_CREAT), -ENXIO);

	/* To a file that has lost its name. */
	must_write("/lost", "and found");
	f = must_open("/lost", FS_O_RDONLY);
	assert_int_equal(vfs_unlink(&ctx, NULL, "/lost"), 0);
	jump_to = f->dentry;
	text = contents("/m/link");
	assert_string_equal(text, "and found");
	free(text);
	assert_int_equal(open_err("/m/link", FS_O_RDONLY | FS_O_NOFOLLOW), -ELOOP);
	assert_int_equal(open_err("/m/link", FS_O_RDONLY | FS_O_CREAT | FS_O_EXCL), -EEXIST);
	assert_int_equal(open_err("/m/link", FS_O_WRONLY | FS_O_CREAT | FS_O_TRUNC), 0);
	text = contents("/m/link");
	assert_string_equal(text, "");
	free(text);
	assert_string_equal(walked("/m/link/x", 0), "ENOTDIR");
	assert_string_equal(walked("/m/link", 0), "/m/link");
	file_unref(f);

	/* To a directory, and on from there. */
	assert_int_equal(path_lookup(&ctx, NULL, "/a/b", 0, &dir), 0);
	jump_to = dir;
	for (int i = 0; i < 3; i++)
		assert_string_equal(walked("/m/link/c/deep", 0), "/a/b/c/deep");
	jump_to = ctx.root;
	assert_string_equal(walked("/m/link/c/deep", 0), "ENOENT");
	jump_to = dir;
	assert_string_equal(walked("/m/link/..", 0), "/a");
	assert_string_equal(walked("/m/link", PATH_FOLLOW | PATH_DIRECTORY), "/a/b");
	assert_int_equal(open_err("/m/link", FS_O_RDONLY | FS_O_CREAT), -EISDIR);
	assert_int_equal(open_err("/m/link", FS_O_RDONLY | FS_O_DIRECTORY), 0);
	jump_to = NULL;
	dentry_unref(dir);
}

static unsigned lookups_of_two_walks(const char *path)
{
	unsigned before = jump_lookups;

	walked(path, 0);
	walked(path, 0);
	return jump_lookups - before;
}

/* Where names come and go by themselves, those are remembered that last. */
static void names_that_last(void **state)
{
	static struct fs_type type = {.name = "test_lasts", .mount = jump_mount};
	struct vfs_counts before, after;

	(void)state;
	fs_register(&type);
	must_mkdir("/m");
	vfs_counts(&before);
	assert_int_equal(vfs_mount(&ctx, "/m", type.name, "none", 0, ""), 0);
	assert_int_equal(lookups_of_two_walks("/m/goes"), 2);
	assert_int_equal(lookups_of_two_walks("/m/stays"), 1);
	assert_int_equal(lookups_of_two_walks("/m/absent"), 2);
	dentry_shrink(0);
	assert_int_equal(lookups_of_two_walks("/m/stays"), 1);
	vfs_check();
	assert_int_equal(vfs_umount(&ctx, "/m", 0, false), 0);
	vfs_counts(&after);
	assert_int_equal(after.names, before.names);
	assert_int_equal(after.vnodes, before.vnodes);
}

/* Going up out of a mount may lead to a directory that was covered meanwhile. */
static void covered_on_the_way_up(void **state)
{
	struct dentry *outer, *inner;

	(void)state;
	must_mkdir("/x");
	must_mkdir("/x/y");
	assert_int_equal(path_lookup(&ctx, NULL, "/x/y", 0, &inner), 0);
	assert_int_equal(mount_on(inner, "tmpfs", "none", "none", 0, ""), 0);
	dentry_unref(inner);
	assert_int_equal(vfs_chdir(&ctx, NULL, "/x/y", &ctx.cwd), 0);
	assert_int_equal(path_lookup(&ctx, NULL, "/x", 0, &outer), 0);
	assert_int_equal(mount_on(outer, "tmpfs", "none", "none", 0, ""), 0);
	dentry_unref(outer);
	must_write("/x/on_top", "x");
	assert_string_equal(walked("../on_top", 0), "/x/on_top");
	assert_string_equal(walked("../y", 0), "ENOENT");
	assert_string_equal(walked("../..", 0), "/");
	dentry_unref(ctx.cwd);
	ctx.cwd = ctx.root;
}

static void rights(void **state)
{
	struct fs_attr attr = {.mode = 0711};

	(void)state;
	make_tree();
	assert_int_equal(vfs_setattr(&ctx, NULL, "/a", 0, &attr, FS_SET_MODE), 0);
	attr.mode = 0700;
	assert_int_equal(vfs_setattr(&ctx, NULL, "/a/b/c", 0, &attr, FS_SET_MODE), 0);
	become(5, 5);
	assert_string_equal(walked("/a/b", 0), "/a/b");
	assert_string_equal(walked("/a/b/c", 0), "/a/b/c");
	assert_string_equal(walked("/a/b/c/deep", 0), "EACCES");
	assert_string_equal(walked("/a/b/c/none", 0), "EACCES");
	assert_string_equal(walked("/a/b/c/..", 0), "EACCES");
	assert_int_equal(vfs_access(&ctx, NULL, "/a", 0, FS_EXECUTE), 0);
	assert_int_equal(vfs_access(&ctx, NULL, "/a", 0, FS_READ), -EACCES);
	assert_int_equal(vfs_mkdir(&ctx, NULL, "/a/new", 0777), -EACCES);
	become(0, 0);
	assert_string_equal(walked("/a/b/c/deep", 0), "/a/b/c/deep");
	assert_int_equal(vfs_access(&ctx, NULL, "/file", 0, FS_READ | FS_WRITE), 0);
	assert_int_equal(vfs_access(&ctx, NULL, "/file", 0, FS_EXECUTE), -EACCES);
}

static void paths_follow_renames(void **state)
{
	struct file *f;
	char buffer[64], small[8], *text;

	(void)state;
	make_tree();
	f = must_open("/a/b/c/deep", FS_O_RDONLY);
	assert_int_equal(vfs_rename(&ctx, NULL, "/a/b", NULL, "/a/renamed", 0), 0);
	assert_int_equal(dentry_path(f->dentry, ctx.root, buffer, sizeof(buffer), &text), 0);
	assert_string_equal(text, "/a/renamed/c/deep");
	assert_int_equal(vnode_path(f->vnode, ctx.root, buffer, sizeof(buffer), &text), 0);
	assert_string_equal(text, "/a/renamed/c/deep");
	assert_int_equal(dentry_path(f->dentry, ctx.root, small, sizeof(small), &text), -ERANGE);
	assert_int_equal(vfs_rename(&ctx, NULL, "/a/renamed", NULL, "/m/b", 0), 0);
	assert_int_equal(dentry_path(f->dentry, ctx.root, buffer, sizeof(buffer), &text), 0);
	assert_string_equal(text, "/m/b/c/deep");
	assert_string_equal(walked("/m/b/c/../../..", 0), "/");
	assert_int_equal(vfs_unlink(&ctx, NULL, "/m/b/c/deep"), 0);
	assert_int_equal(dentry_path(f->dentry, ctx.root, buffer, sizeof(buffer), &text), -ENOENT);
	assert_string_equal(text, "/m/b/c/deep");
	file_unref(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(walks),
		TEST(recent_is_kept),
		TEST(recent_is_longer),
		TEST(recent_is_not_kept),
		TEST(recent_directories_change),
		TEST(recent_by_turns),
		TEST(recent_order),
		TEST(recent_change_by_turns),
		TEST(recent_is_whose),
		TEST(forty_links_and_no_more),
		TEST(long_names),
		TEST(bases_and_roots),
		TEST(mounts),
		TEST(jumps),
		TEST(names_that_last),
		TEST(covered_on_the_way_up),
		TEST(rights),
		TEST(paths_follow_renames),
	};

	return cmocka_run_group_tests_name("fs_path", tests, group_setup, NULL);
}
