// SPDX-License-Identifier: MIT
/*
 * Does the oracle see what it is there for?  A workload is done, what it leaves is read, and then
 * made wrong in one place: for each rule of docs/mapfs.md states that it forbids, and beside them
 * some that it allows, so that an oracle that refuses everything is seen, too.
 */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The operations of the beginning (record.c) that made /a and wrote it. */
#define A_MADE    4u
#define A_WRITTEN 5u

static struct recording recording;
static struct observed seen;

/* --- What may be done to it -------------------------------------------------------------- */

static unsigned find(const char *name)
{
	for (unsigned i = 1; i < seen.n; i++)
		if (strcmp(seen.node[i].name, name) == 0)
			return i;
	fail_msg("%s is not there", name);
	return 0;
}

/* The first other name of the file, if there is one, stands for it from now on. */
static void pass_on(unsigned gone)
{
	unsigned heir = gone;

	for (unsigned i = gone + 1; i < seen.n; i++) {
		if (seen.node[i].twin != gone)
			continue;
		if (heir == gone) {
			heir = i;
			seen.node[heir].data = seen.node[gone].data;
			seen.node[gone].data = NULL;
		}
		seen.node[i].twin = heir;
	}
}

static void remove_name(const char *name)
{
	unsigned gone = find(name);

	pass_on(gone);
	free(seen.node[gone].data);
	memmove(&seen.node[gone], &seen.node[gone + 1], (seen.n - gone - 1) * sizeof(seen.node[0]));
	seen.n--;
	for (unsigned i = 0; i < seen.n; i++) {
		seen.node[i].dir -= seen.node[i].dir > gone;
		seen.node[i].twin -= seen.node[i].twin > gone;
	}
}

static void change_name(const char *name, const char *to)
{
	strcpy(seen.node[find(name)].name, to);
}

static void set_bytes(const char *name, unsigned from, unsigned n, int byte)
{
	memset(seen.node[find(name)].data + from, byte, n);
}

/* What operation `op` of the workload wrote there. */
static void set_written(const char *name, unsigned from, unsigned n, unsigned op)
{
	for (unsigned i = from; i < from + n; i++)
		seen.node[find(name)].data[i] = op_byte(recording.first_op + op, i);
}

static void set_size(const char *name, unsigned bytes)
{
	struct observed_node *node = &seen.node[find(name)];

	node->data = realloc(node->data, bytes + 1);
	if (bytes > node->attr.size_bytes)
		memset(node->data + node->attr.size_bytes, 0, bytes - node->attr.size_bytes);
	node->attr.size_bytes = bytes;
}

/* --- The cases --------------------------------------------------------------------------- */

static void nothing(void)
{
}

/* The root's times are those after so many operations. */
static void take_back_times(unsigned ops)
{
	const struct model_tree *t = &recording.model->tree[ops];

	seen.node[0].attr.mtime = op_time_ns(t->inode[MODEL_ROOT].changed);
	seen.node[0].attr.ctime = seen.node[0].attr.mtime;
}

/* As if the operation that made it, the first or the second, had not been. */
static void n_is_missing(void)
{
	const struct model_tree *t = &recording.model->tree[recording.first_op + 1];
	bool by_first = false;

	for (unsigned i = 0; i < t->n_entries; i++)
		by_first |= strcmp(t->entry[i].name, "n") == 0;
	remove_name("n");
	take_back_times(recording.first_op + !by_first);
}

static void n_is_empty(void)
{
	set_size("n", 0);
}

static void n_has_one_byte_less(void)
{
	set_size("n", 5999);
}

static void n_has_a_hole(void)
{
	set_bytes("n", 512, 512, 0);
}

/* Its first sector is what it was before the workload. */
static void a_was_not_written(void)
{
	for (unsigned i = 0; i < 512; i++)
		seen.node[find("a")].data[i] = op_byte(A_WRITTEN, i);
}

static void a_tears_in_a_sector(void)
{
	a_was_not_written();
	set_written("a", 0, 256, 0);
}

static void a_shows_junk(void)
{
	set_bytes("a", 1024, 512, 0xf5);
}

static void a_is_zero(void)
{
	set_bytes("a", 1024, 512, 0);
}

static void a_has_what_was_cut(void)
{
	set_written("a", 8192, 512, 0);
}

static void a_has_a_new_mode(void)
{
	seen.node[find("a")].attr.mode ^= 0100;
}

static void a_has_two_links(void)
{
	seen.node[find("a")].attr.nlink = 2;
}

static void a_is_of_tomorrow(void)
{
	seen.node[find("a")].attr.mtime = op_time_ns(MODEL_OPS + 7);
}

static void a_has_an_old_ctime(void)
{
	seen.node[find("a")].attr.ctime = op_time_ns(A_MADE);
}

static void the_root_has_an_old_mtime(void)
{
	seen.node[0].attr.mtime = op_time_ns(0);
}

static void b_is_back(void)
{
	change_name("n", "b");
	take_back_times(recording.first_op);
}

static void there_are_both(void)
{
	seen.node[seen.n] = seen.node[find("n")];
	seen.node[seen.n].twin = find("n");
	seen.node[seen.n].data = NULL;
	strcpy(seen.node[seen.n++].name, "b");
}

static void the_links_are_two_files(void)
{
	unsigned h = find("h");

	seen.node[h].twin = h;
	seen.node[h].data = calloc(1, 1);
	seen.node[h].attr.size_bytes = 0;
}

static void a_and_f_are_one_file(void)
{
	unsigned f = find("f");

	free(seen.node[f].data);
	seen.node[f].data = NULL;
	seen.node[f].twin = find("a");
}

static void the_target_is_another(void)
{
	seen.node[find("s")].data[0] = '!';
}

enum moment {
	BEFORE, /* the last flush: what the workload does not sync is not owed */
	AFTER,  /* all is owed: the file system was unmounted */
};

static const struct {
	const char *workload;
	enum moment moment;
	void (*change)(void);
	const char *says; /* NULL: it is allowed */
} cases[] = {
	/* 1: durability, of fsync ... */
	{"create /n; write /n 0 6000; fsync /n", BEFORE, nothing, NULL},
	{"create /n; write /n 0 6000; fsync /n", BEFORE, n_is_missing, "1 names are missing"},
	{"create /n; write /n 0 6000; fsync /n", BEFORE, n_has_one_byte_less, "the size is 5999"},
	{"create /n; write /n 0 6000; fsync /n", BEFORE, n_has_a_hole, "none that may be there"},
	{"create /n; fsync /a", BEFORE, n_is_missing, "1 names are missing"},
	{"create /n; write /n 0 6000", BEFORE, n_is_empty, NULL},
	{"create /n; write /n 0 6000", BEFORE, n_has_a_hole, NULL},
	{"create /n; write /n 0 6000", AFTER, n_has_a_hole, "none that may be there"},
	{"chmod /a 256; fsync /a", BEFORE, a_has_an_old_ctime, "before it was last synced"},
	/* ... of fdatasync, msync and sync. */
	{"create /n; write /n 0 6000; fdatasync /n", BEFORE, n_has_one_byte_less,
		"the size is 5999"},
	{"create /n; write /n 0 6000; fdatasync /n", BEFORE, n_has_a_hole,
		"none that may be there"},
	{"create /n; fdatasync /a; fsync /a", BEFORE, n_is_missing, "1 names are missing"},
	{"store /a 0 512; msync /a 0 512", BEFORE, a_was_not_written, "none that may be there"},
	{"store /a 0 512; msync /a 4096 512", BEFORE, a_was_not_written, NULL},
	{"create /n; sync", BEFORE, n_is_missing, "1 names are missing"},
	/* 2: ordering.  The second of two without the first; what nobody did. */
	{"chmod /a 256; create /n", BEFORE, nothing, NULL},
	{"create /m; create /n", BEFORE, n_is_missing, NULL},
	{"create /n; create /m", BEFORE, n_is_missing, "m should not be there"},
	{"create /n; chmod /a 256", BEFORE, n_is_missing, "the mode is"},
	{"create /n; truncate /a 0", BEFORE, n_is_missing, "the size is 0"},
	{"create /n; punch /a 0 4096", BEFORE, n_is_missing, "none that may be there"},
	{"fsync /b", BEFORE, a_has_a_new_mode, "the mode is"},
	{"fsync /b", BEFORE, a_is_of_tomorrow, "was never set"},
	{"create /n", BEFORE, the_root_has_an_old_mtime, "mtime is"},
	/* 3: data. */
	{"write /a 0 512", BEFORE, a_was_not_written, NULL},
	{"write /a 0 512", BEFORE, a_tears_in_a_sector, "none that may be there"},
	{"write /a 0 512", BEFORE, a_shows_junk, "none that may be there"},
	{"write /a 0 512", BEFORE, a_is_zero, "none that may be there"},
	{"write /a 0 512; sync", BEFORE, a_was_not_written, "none that may be there"},
	{"write /a 8192 512; truncate /a 8192; truncate /a 9000", AFTER, a_has_what_was_cut,
		"none that may be there"},
	{"symlink /s 20", BEFORE, the_target_is_another, "the target is another one"},
	/* 4: atomicity.  Both names, none, and what was replaced without what replaces it. */
	{"rename /b /n", BEFORE, nothing, NULL},
	{"rename /b /n", BEFORE, b_is_back, NULL},
	{"rename /b /n", BEFORE, there_are_both, "should not be there"},
	{"rename /b /n", BEFORE, n_is_missing, "1 names are missing"},
	{"create /n; sync; rename /b /n", BEFORE, n_is_missing, "names are missing"},
	{"fsync /b", BEFORE, a_has_two_links, "2 links, should be 1"},
	{"fsync /b", BEFORE, the_links_are_two_files, "are two files"},
	{"fsync /b", BEFORE, a_and_f_are_one_file, "are one file"},
};

/* --- Trying them ------------------------------------------------------------------------- */

/* What all of the recording leaves. */
static void look(void)
{
	struct testdisk *disk = recording.world.disk;
	char why[256];

	for (size_t i = 0; i < recording.units.n; i++) {
		const struct unit *u = &recording.units.unit[i];
		testdisk_put(disk, u->first_sector, u->n_sectors, u->data);
	}
	world_mount(&recording.world);
	if (!observe(&seen, &recording.world, why))
		fail_msg("%s", why);
	world_unmount(&recording.world);
}

static bool try_case(size_t i)
{
	char why[512] = "it is allowed";
	uint32_t epoch;
	bool allowed, good;

	if (!record_workload(&recording, cases[i].workload, why))
		fail_msg("%s: %s", cases[i].workload, why);
	epoch = recording.n_epochs - (cases[i].moment == AFTER ? 1 : 2);
	look();
	cases[i].change();
	allowed = oracle_allows(&recording, epoch, &seen, why);
	good = cases[i].says ? !allowed && strstr(why, cases[i].says) : allowed;
	if (!good)
		fprintf(stderr, "# case %zu, %s: %s\n", i, cases[i].workload,
			allowed ? "it is allowed" : why);
	observed_free(&seen);
	record_free(&recording);
	return good;
}

static void rules(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		bad += !try_case(i);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rules)};

	return cmocka_run_group_tests_name("mapfs_crash_oracle", tests, NULL, NULL);
}
