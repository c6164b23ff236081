// SPDX-License-Identifier: MIT
/*
 * Many threads on one tree, and then the tree is what their records say (usr/test/stress_tree.c and
 * stress_readdir.c are the same in the guest).  Each thread
 *
 *	- has files of its own in directories that all share: it writes, cuts, punches, stores
 *	  through mappings, syncs, links, renames and unlinks them, and knows each byte and each
 *	  name;
 *	- moves directories, which all move, into one another: who moves one has it alone, what is
 *	  above and below it others move; none may come below itself;
 *	- lists a directory: names that stay are there exactly once, while all make and remove
 *	  others;
 *	- syncs everything, and shrinks caches.
 *
 * MAPFS_ROUNDS makes it longer.
 */
#include "world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_THREADS  4
#define DIRS       3 /* that all share */
#define NAMES      8 /* of a thread */
#define FILES      5 /* of a thread */
#define FILE_BYTES 20000
#define MOVED      6
#define STAY       60

struct model {
	unsigned links;
	uint64_t size;
	uint8_t data[FILE_BYTES]; /* zero behind the size */
};

struct worker {
	pthread_t thread;
	unsigned number;
	uint64_t seed;
	unsigned made, moves, listings;
	struct model model[FILES];
	struct {
		int file; /* -1: none */
		unsigned dir;
	} name[NAMES];
	uint8_t bytes[FILE_BYTES];
};

static struct world w;
static unsigned rounds;
static struct worker workers[N_THREADS];
static struct dentry *moved[MOVED + 1]; /* and the top */
static unsigned moved_in[MOVED];
static pthread_mutex_t moving[MOVED];

/* cmocka's assertions belong to the main thread. */
static void want(bool condition, const char *what, int err)
{
	if (condition)
		return;
	fprintf(stderr, "%s: %d\n", what, err);
	abort();
}

static void must(int err, const char *what)
{
	want(err == 0, what, err);
}

static unsigned below(struct worker *me, unsigned n)
{
	return (unsigned)(world_random(&me->seed) >> 8) % n;
}

/* --- Files ------------------------------------------------------------------------------- */

static void path_of(const struct worker *me, unsigned n, unsigned dir, char path[32])
{
	snprintf(path, 32, "/d%u/w%un%u", dir, me->number, n);
}

static void make_file(struct worker *me, unsigned n, unsigned f)
{
	struct file *file;
	char path[32];

	me->name[n].dir = below(me, DIRS);
	path_of(me, n, me->name[n].dir, path);
	must(world_open(&w, path, FS_O_CREAT | FS_O_EXCL | FS_O_RDWR, &file), "create");
	file_unref(file);
	me->name[n].file = (int)f;
	memset(&me->model[f], 0, sizeof(me->model[f]));
	me->model[f].links = 1;
}

static void link_file(struct worker *me, unsigned n, unsigned old)
{
	char from[32], to[32];

	if (me->name[old].file < 0)
		return;
	me->name[n].dir = below(me, DIRS);
	path_of(me, old, me->name[old].dir, from);
	path_of(me, n, me->name[n].dir, to);
	must(vfs_link(&w.ctx, NULL, from, 0, NULL, to), "link");
	me->name[n].file = me->name[old].file;
	me->model[me->name[n].file].links++;
}

static void fill_name(struct worker *me, unsigned n)
{
	unsigned f = below(me, FILES);

	if (me->model[f].links == 0)
		make_file(me, n, f);
	else
		link_file(me, n, below(me, NAMES));
}

static void unlink_name(struct worker *me, unsigned n)
{
	char path[32];

	path_of(me, n, me->name[n].dir, path);
	must(vfs_unlink(&w.ctx, NULL, path), "unlink");
	me->model[me->name[n].file].links--;
	me->name[n].file = -1;
}

/* To another directory, as the same name or as another one, which may be in use. */
static void rename_name(struct worker *me, unsigned n)
{
	unsigned to = below(me, 2) ? n : below(me, NAMES);
	unsigned dir = me->name[to].file < 0 || to == n ? below(me, DIRS) : me->name[to].dir;
	int file = me->name[n].file, replaced = to == n ? -1 : me->name[to].file;
	char from[32], onto[32];

	path_of(me, n, me->name[n].dir, from);
	path_of(me, to, dir, onto);
	must(vfs_rename(&w.ctx, NULL, from, NULL, onto, 0), "rename");
	if (replaced == file) /* two names of one file: both stay */
		return;
	if (replaced >= 0)
		me->model[replaced].links--;
	me->name[n].file = -1;
	me->name[to].file = file;
	me->name[to].dir = dir;
}

static void write_some(struct worker *me, struct file *file, struct model *m)
{
	uint64_t at = below(me, 2) ? m->size % FILE_BYTES : below(me, FILE_BYTES);
	size_t n = 1 + below(me, (unsigned)(FILE_BYTES - at));

	memset(m->data + at, (int)below(me, 256), n);
	must(world_write(file, m->data + at, n, at), "write");
	m->size = m->size < at + n ? at + n : m->size;
}

static void store_some(struct worker *me, struct file *file, struct model *m)
{
	for (unsigned i = 0; i < 20 && m->size; i++) {
		uint64_t at = below(me, (unsigned)m->size);
		m->data[at] = (uint8_t)below(me, 256);
		must(mvm_pc_touch_write(file->object, at, m->data[at]), "store");
	}
}

static void cut(struct worker *me, struct file *file, struct model *m)
{
	m->size = below(me, FILE_BYTES + 1);
	must(file_truncate(file, m->size), "truncate");
	memset(m->data + m->size, 0, FILE_BYTES - m->size);
}

static void punch(struct worker *me, struct file *file, struct model *m)
{
	uint64_t at = below(me, FILE_BYTES);
	uint64_t end = at + 1 + below(me, (unsigned)(FILE_BYTES - at));

	must(file_punch(file, at, end), "punch");
	memset(m->data + at, 0, end - at);
}

static void check_file(struct worker *me, struct file *file, const struct model *m)
{
	struct fs_attr attr;
	size_t done;

	must(file_getattr(file, &attr), "getattr");
	want(attr.nlink == m->links, "links", (int)attr.nlink);
	must(world_read(file, me->bytes, FILE_BYTES, 0, &done), "read");
	want(done == m->size, "size", (int)done);
	for (size_t i = 0; i < done; i++)
		want(me->bytes[i] == m->data[i], "byte", (int)i);
}

static void change_file(struct worker *me, unsigned n)
{
	static void (*const change[])(struct worker *, struct file *, struct model *) = {
		write_some, write_some, store_some, cut, punch};
	struct model *m = &me->model[me->name[n].file];
	struct file *file;
	char path[32];

	path_of(me, n, me->name[n].dir, path);
	must(world_open(&w, path, FS_O_RDWR, &file), "open");
	change[below(me, 5)](me, file, m);
	if (below(me, 3) == 0)
		check_file(me, file, m);
	if (below(me, 6) == 0)
		must(file_sync(file, below(me, 2) == 0), "fsync");
	file_unref(file);
}

static void work_on_files(struct worker *me)
{
	unsigned n = below(me, NAMES), what = below(me, 10);

	if (me->name[n].file < 0)
		fill_name(me, n);
	else if (what == 0)
		unlink_name(me, n);
	else if (what < 3)
		rename_name(me, n);
	else
		change_file(me, n);
}

/* --- Directories that move --------------------------------------------------------------- */

static void move_directory(struct worker *me)
{
	unsigned what = below(me, MOVED), into = below(me, MOVED + 1);
	char name[8];
	int err;

	if (what == into || pthread_mutex_trylock(&moving[what]))
		return;
	snprintf(name, sizeof(name), "m%u", what);
	err = vfs_rename(&w.ctx, moved[moved_in[what]], name, moved[into], name, 0);
	want(!err || err == -EINVAL || err == -ENOTEMPTY, "move", err);
	if (!err) {
		moved_in[what] = into;
		me->moves++;
	}
	pthread_mutex_unlock(&moving[what]);
}

/* Up from each to the top, and down again by its name. */
static void check_moved(void)
{
	char path[256], upper[256], name[8];
	struct dentry *there;

	for (unsigned i = 0; i < MOVED; i++) {
		unsigned n = 0;
		path[0] = 0;
		for (unsigned at = i; at != MOVED; at = moved_in[at]) {
			want(n++ < MOVED, "a directory is below itself", (int)i);
			snprintf(name, sizeof(name), "/m%u", at);
			snprintf(upper, sizeof(upper), "%s%.200s", name, path);
			strcpy(path, upper);
		}
		snprintf(upper, sizeof(upper), "/top%.200s", path);
		must(path_lookup(&w.ctx, NULL, upper, 0, &there), upper);
		want(there == moved[i], "it is another directory", (int)i);
		dentry_unref(there);
	}
}

/* --- A directory that is listed ------------------------------------------------------------ */

struct listing {
	struct fs_readdir r;
	unsigned room; /* entries that this call may still give */
	unsigned given, seen[STAY];
};

static bool see_entry(struct fs_readdir *r, const struct fs_entry *e)
{
	struct listing *l = (struct listing *)r;
	char name[32];
	unsigned number;

	if (l->room == 0)
		return false;
	l->room--;
	l->given++;
	snprintf(name, sizeof(name), "%.*s", (int)e->name_bytes, e->name);
	if (sscanf(name, "stay%u", &number) == 1 && number < STAY)
		l->seen[number]++;
	return true;
}

static void list(struct worker *me)
{
	struct listing l = {.r.emit = see_entry};
	struct file *file;
	unsigned before;

	must(world_open(&w, "/listed", FS_O_RDONLY | FS_O_DIRECTORY, &file), "open the listed");
	do {
		before = l.given;
		l.room = 1 + below(me, 20);
		must(file_readdir(file, &l.r), "readdir");
	} while (l.given > before);
	file_unref(file);
	for (unsigned i = 0; i < STAY; i++)
		want(l.seen[i] == 1, "a name that stays is listed so often", (int)l.seen[i]);
	me->listings++;
}

/* Names of many lengths, so that blocks fill in many ways; some stay a while. */
static void passing_path(const struct worker *me, unsigned i, char path[128])
{
	snprintf(path, 128, "/listed/%u-%u-%.*s", me->number, i, (int)(i * 7 % 70),
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

#define PASSING 30u

static void pass(struct worker *me)
{
	char path[128], older[128];

	passing_path(me, me->made, path);
	if (me->made % 4 == 3) {
		passing_path(me, me->made - 1, older);
		must(vfs_rename(&w.ctx, NULL, older, NULL, path, 0), "rename the passing");
	} else {
		must(world_put(&w, path, 0, 0), "make the passing");
	}
	if (me->made >= PASSING && (me->made - PASSING) % 4 != 2) {
		passing_path(me, me->made - PASSING, path);
		must(vfs_unlink(&w.ctx, NULL, path), "unlink the passing");
	}
	me->made++;
}

/* --- All of it --------------------------------------------------------------------------- */

static void *work(void *arg)
{
	struct worker *me = arg;

	for (unsigned i = 0; i < rounds; i++) {
		work_on_files(me);
		move_directory(me);
		pass(me);
		if (i % 16 == me->number)
			list(me);
		if (i % 32 == me->number)
			must(mount_sync_all(), "sync");
		if (i % 64 == me->number)
			vnode_shrink(0);
	}
	return NULL;
}

static void make_tree(void)
{
	char path[32];

	for (unsigned i = 0; i < DIRS; i++) {
		snprintf(path, sizeof(path), "/d%u", i);
		assert_int_equal(vfs_mkdir(&w.ctx, NULL, path, 0755), 0);
	}
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/listed", 0755), 0);
	for (unsigned i = 0; i < STAY; i++) {
		snprintf(path, sizeof(path), "/listed/stay%u", i);
		assert_int_equal(world_put(&w, path, 0, 0), 0);
	}
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/top", 0755), 0);
	assert_int_equal(path_lookup(&w.ctx, NULL, "/top", 0, &moved[MOVED]), 0);
	for (unsigned i = 0; i < MOVED; i++) {
		snprintf(path, sizeof(path), "/top/m%u", i);
		assert_int_equal(vfs_mkdir(&w.ctx, NULL, path, 0755), 0);
		assert_int_equal(path_lookup(&w.ctx, NULL, path, 0, &moved[i]), 0);
		moved_in[i] = MOVED;
		pthread_mutex_init(&moving[i], NULL);
	}
}

static void check_names(struct worker *me)
{
	struct file *file;
	char path[32];

	for (unsigned n = 0; n < NAMES; n++) {
		if (me->name[n].file < 0)
			continue;
		path_of(me, n, me->name[n].dir, path);
		assert_int_equal(world_open(&w, path, FS_O_RDONLY, &file), 0);
		check_file(me, file, &me->model[me->name[n].file]);
		file_unref(file);
	}
}

static void check_all(void)
{
	for (unsigned i = 0; i < N_THREADS; i++)
		check_names(&workers[i]);
	list(&workers[0]);
}

static void one_tree(void **state)
{
	const char *text = getenv("MAPFS_ROUNDS");
	uint64_t seed = world_seed();
	unsigned moves = 0;

	(void)state;
	rounds = text ? (unsigned)atoi(text) : 2000;
	world_make(&w, 32 << 20, 0);
	world_mount(&w);
	make_tree();
	for (unsigned i = 0; i < N_THREADS; i++) {
		workers[i] = (struct worker){.number = i, .seed = seed * (i * 2 + 1) | 1};
		for (unsigned n = 0; n < NAMES; n++)
			workers[i].name[n].file = -1;
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < N_THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		moves += workers[i].moves;
	}
	assert_true(moves > rounds / 4);
	check_moved();
	check_all();
	for (unsigned i = 0; i <= MOVED; i++)
		dentry_unref(moved[i]);
	world_remount(&w);
	check_all();
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(one_tree)};

	return cmocka_run_group_tests_name("mapfs_tree", tests, NULL, NULL);
}
