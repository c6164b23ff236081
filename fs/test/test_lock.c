// SPDX-License-Identifier: MIT
/*
 * Locks of files: case by case, and random requests against a model that knows only bytes.
 *
 * The model's files have CELLS bytes, which lie at offsets from 0 to the largest (offset_of()), so
 * that ranges start at the beginning, end at the end, and are wider than 32 bits.  It keeps for
 * each owner and cell a mode, the requests that wait in the order of their coming, and finds
 * deadlocks by closing the relation "waits for" over all owners.  After each step everything that
 * fs/lock.c lists must be what the model has, cell by cell, and in as few ranges as possible.
 */
#include "harness.h"
#include "private.h"
#include <fs/lock.h>

/* --- Case by case ---------------------------------------------------------------------------- */

static int alice, bob, carol;

struct sleeper {
	struct file_lock_waiter w;
	unsigned times_granted;
};

static void note_grant(struct file_lock_waiter *w)
{
	((struct sleeper *)w)->times_granted++;
}

static struct file_lock_request request(
	const void *owner, enum file_lock_mode mode, uint64_t start, uint64_t end)
{
	return (struct file_lock_request){.kind = FILE_LOCK_RECORD,
		.mode = mode,
		.start = start,
		.end = end,
		.owner = owner,
		.pid = 7,
		.by_process = true};
}

static int record(
	struct file *f, const void *owner, enum file_lock_mode mode, uint64_t start, uint64_t end)
{
	struct file_lock_request r = request(owner, mode, start, end);

	return file_lock_set(f->vnode, &r);
}

static int record_wait(struct file *f, struct sleeper *s, const void *owner,
	enum file_lock_mode mode, uint64_t start, uint64_t end)
{
	*s = (struct sleeper){.w = {.request = request(owner, mode, start, end)}};
	s->w.granted = note_grant;
	return file_lock_wait(f->vnode, &s->w);
}

static int whole(struct file *f, enum file_lock_mode mode)
{
	struct file_lock_request r = {
		.kind = FILE_LOCK_WHOLE, .mode = mode, .end = FILE_LOCK_END, .owner = f};

	return file_lock_set(f->vnode, &r);
}

static void count_one(
	void *arg, const struct vnode *v, const struct file_lock_request *r, bool waits)
{
	(void)v;
	(void)r;
	*(unsigned *)arg += !waits;
}

static unsigned n_locks(struct file *f)
{
	unsigned n = 0;

	file_lock_for_each(f->vnode, count_one, &n);
	return n;
}

static void readers_share_writers_do_not(void **state)
{
	struct file *f = must_open("/f", FS_O_CREAT | FS_O_RDWR);

	(void)state;
	assert_int_equal(record(f, &alice, FILE_LOCK_SHARED, 0, 10), 0);
	assert_int_equal(record(f, &bob, FILE_LOCK_SHARED, 5, 15), 0);
	assert_int_equal(record(f, &carol, FILE_LOCK_EXCLUSIVE, 9, 10), -EAGAIN);
	assert_int_equal(record(f, &carol, FILE_LOCK_EXCLUSIVE, 15, FILE_LOCK_END), 0);
	assert_int_equal(record(f, &alice, FILE_LOCK_SHARED, INT64_MAX, FILE_LOCK_END), -EAGAIN);
	file_lock_release(f->vnode, &alice);
	file_lock_release(f->vnode, &bob);
	assert_int_equal(record(f, &carol, FILE_LOCK_EXCLUSIVE, 9, 10), 0);
	file_lock_release(f->vnode, &carol);
	assert_false(file_lock_any(f->vnode));
	file_unref(f);
}

static void ranges_split_and_merge(void **state)
{
	struct file *f = must_open("/f", FS_O_CREAT | FS_O_RDWR);

	(void)state;
	assert_int_equal(record(f, &alice, FILE_LOCK_EXCLUSIVE, 0, 100), 0);
	assert_int_equal(record(f, &alice, FILE_LOCK_SHARED, 40, 60), 0);
	assert_int_equal(n_locks(f), 3);
	assert_int_equal(record(f, &bob, FILE_LOCK_SHARED, 40, 60), 0);
	assert_int_equal(record(f, &bob, FILE_LOCK_SHARED, 39, 60), -EAGAIN);
	file_lock_release(f->vnode, &bob);
	assert_int_equal(record(f, &alice, FILE_LOCK_EXCLUSIVE, 40, 60), 0);
	assert_int_equal(n_locks(f), 1);
	assert_int_equal(record(f, &alice, FILE_LOCK_FREE, 40, 60), 0);
	assert_int_equal(n_locks(f), 2);
	assert_int_equal(record(f, &alice, FILE_LOCK_EXCLUSIVE, 60, 60 + 1), 0);
	assert_int_equal(n_locks(f), 2);
	assert_int_equal(record(f, &alice, FILE_LOCK_FREE, 0, FILE_LOCK_END), 0);
	assert_false(file_lock_any(f->vnode));
	file_unref(f);
}

static void the_blocker_is_told(void **state)
{
	struct file *f = must_open("/f", FS_O_CREAT | FS_O_RDWR);
	struct file_lock_request r = request(&bob, FILE_LOCK_SHARED, 0, FILE_LOCK_END), blocker;

	(void)state;
	assert_false(file_lock_test(f->vnode, &r, &blocker));
	assert_int_equal(record(f, &alice, FILE_LOCK_SHARED, 0, 10), 0);
	assert_int_equal(record(f, &alice, FILE_LOCK_EXCLUSIVE, 30, 31), 0);
	assert_true(file_lock_test(f->vnode, &r, &blocker));
	assert_int_equal(blocker.start, 30);
	assert_int_equal(blocker.end, 31);
	assert_int_equal(blocker.pid, 7);
	r.owner = &alice;
	assert_false(file_lock_test(f->vnode, &r, &blocker));
	file_lock_release(f->vnode, &alice);
	file_unref(f);
}

/* The oldest that fits goes first; one that does not fit keeps nobody from going. */
static void waiters_are_served_in_order(void **state)
{
	struct file *f = must_open("/f", FS_O_CREAT | FS_O_RDWR);
	struct sleeper b, c, d;
	int dave;

	(void)state;
	assert_int_equal(record(f, &alice, FILE_LOCK_EXCLUSIVE, 0, 10), 0);
	assert_int_equal(record_wait(f, &b, &bob, FILE_LOCK_EXCLUSIVE, 0, 10), 1);
	assert_int_equal(record_wait(f, &c, &carol, FILE_LOCK_EXCLUSIVE, 5, 10), 1);
	assert_int_equal(record_wait(f, &d, &dave, FILE_LOCK_EXCLUSIVE, 0, 5), 1);
	assert_int_equal(record(f, &alice, FILE_LOCK_FREE, 5, 10), 0);
	assert_int_equal(b.times_granted, 0);
	assert_int_equal(c.times_granted, 1);
	assert_false(file_lock_give_up(&c.w));
	file_lock_release(f->vnode, &carol);
	assert_int_equal(b.times_granted, 0);
	file_lock_release(f->vnode, &alice);
	assert_int_equal(b.times_granted, 1);
	assert_int_equal(d.times_granted, 0);
	assert_false(file_lock_give_up(&b.w));
	assert_true(file_lock_give_up(&d.w));
	file_lock_release(f->vnode, &bob);
	assert_int_equal(d.times_granted, 0);
	assert_false(file_lock_any(f->vnode));
	file_unref(f);
}

static void deadlocks_are_refused(void **state)
{
	struct file *f = must_open("/f", FS_O_CREAT | FS_O_RDWR);
	struct file *g = must_open("/g", FS_O_CREAT | FS_O_RDWR);
	struct sleeper a, b, c;

	(void)state;
	assert_int_equal(record(f, &alice, FILE_LOCK_EXCLUSIVE, 0, 1), 0);
	assert_int_equal(record(g, &bob, FILE_LOCK_SHARED, 0, 1), 0);
	assert_int_equal(record(f, &carol, FILE_LOCK_EXCLUSIVE, 9, 10), 0);
	assert_int_equal(record_wait(g, &a, &alice, FILE_LOCK_EXCLUSIVE, 0, 1), 1);
	assert_int_equal(record_wait(f, &b, &bob, FILE_LOCK_SHARED, 9, 10), 1);
	assert_int_equal(record_wait(f, &c, &carol, FILE_LOCK_SHARED, 0, 2), -EDEADLK);
	/* Not a circle without bob. */
	assert_true(file_lock_give_up(&b.w));
	assert_int_equal(record_wait(f, &c, &carol, FILE_LOCK_SHARED, 0, 2), 1);
	file_lock_release(g->vnode, &bob);
	assert_false(file_lock_give_up(&a.w));
	file_lock_release(f->vnode, &alice);
	assert_false(file_lock_give_up(&c.w));
	file_lock_release(g->vnode, &alice);
	file_lock_release(f->vnode, &carol);
	file_unref(f);
	file_unref(g);
}

/* flock(): a conversion that does not succeed costs the old lock; the last close frees it. */
static void whole_files(void **state)
{
	struct file *a = must_open("/f", FS_O_CREAT | FS_O_RDONLY);
	struct file *b = must_open("/f", FS_O_RDONLY), *c = must_open("/f", FS_O_RDONLY);

	(void)state;
	assert_int_equal(record(a, &alice, FILE_LOCK_EXCLUSIVE, 0, FILE_LOCK_END), 0);
	assert_int_equal(whole(a, FILE_LOCK_SHARED), 0);
	assert_int_equal(whole(b, FILE_LOCK_SHARED), 0);
	assert_int_equal(whole(a, FILE_LOCK_EXCLUSIVE), -EAGAIN);
	assert_int_equal(whole(b, FILE_LOCK_EXCLUSIVE), 0);
	assert_int_equal(whole(b, FILE_LOCK_EXCLUSIVE), 0);
	assert_int_equal(whole(c, FILE_LOCK_SHARED), -EAGAIN);
	file_unref(b);
	assert_int_equal(whole(c, FILE_LOCK_EXCLUSIVE), 0);
	file_lock_release(a->vnode, &alice);
	file_unref(c);
	assert_false(file_lock_any(a->vnode));
	file_unref(a);
}

/* --- The model ------------------------------------------------------------------------------- */

enum { FILES = 2, OWNERS = 6, OPEN_FILES = 2, CELLS = 24, WAITERS = 12 };

/* Owners below OPEN_FILES are open files, the others processes. */
struct model_request {
	unsigned file, owner, first, end;
	enum file_lock_mode mode;
};

struct model_waiter {
	struct sleeper sleeper;
	struct model_request r;
	bool waits, granted;
	uint64_t since;
};

static enum file_lock_mode cells[FILES][OWNERS][CELLS];
static struct model_waiter waiters[WAITERS];
static uint64_t now, rng;
static struct file *files[FILES];
static char owners[OWNERS];
static unsigned seen_set, seen_again, seen_wait, seen_deadlock, seen_grant, seen_give_up,
	seen_no_memory;

static unsigned below(unsigned n)
{
	return random_below(&rng, n);
}

/* Where a cell begins: near 0, around 2^32, and before the end. */
static uint64_t offset_of(unsigned cell)
{
	if (cell == CELLS)
		return FILE_LOCK_END;
	if (cell >= 2 * CELLS / 3)
		return FILE_LOCK_END - (CELLS - cell);
	return cell + (cell >= CELLS / 3 ? 0xfffffff0u : 0);
}

static unsigned cell_of(uint64_t offset)
{
	for (unsigned cell = 0; cell <= CELLS; cell++)
		if (offset_of(cell) == offset)
			return cell;
	fail_msg("no request ends at %llx", (unsigned long long)offset);
	return 0;
}

static bool model_blocks(const struct model_request *r, unsigned owner)
{
	if (owner == r->owner || r->mode == FILE_LOCK_FREE)
		return false;
	for (unsigned i = r->first; i < r->end; i++) {
		enum file_lock_mode held = cells[r->file][owner][i];
		if (held == FILE_LOCK_EXCLUSIVE ||
			(held == FILE_LOCK_SHARED && r->mode == FILE_LOCK_EXCLUSIVE))
			return true;
	}
	return false;
}

static bool model_conflicts(const struct model_request *r)
{
	for (unsigned owner = 0; owner < OWNERS; owner++)
		if (model_blocks(r, owner))
			return true;
	return false;
}

static void model_set(const struct model_request *r)
{
	for (unsigned i = r->first; i < r->end; i++)
		cells[r->file][r->owner][i] = r->mode;
}

/* The longest waiting request that fits, until none does. */
static void model_grant(void)
{
	struct model_waiter *best;

	do {
		best = NULL;
		for (unsigned i = 0; i < WAITERS; i++) {
			struct model_waiter *w = &waiters[i];
			if (w->waits && !w->granted && !model_conflicts(&w->r) &&
				(!best || w->since < best->since))
				best = w;
		}
		if (best) {
			best->granted = true;
			model_set(&best->r);
		}
	} while (best);
}

static bool model_deadlock(const struct model_request *r)
{
	bool waits_for[OWNERS][OWNERS] = {{false}};

	if (r->owner < OPEN_FILES)
		return false;
	for (unsigned to = OPEN_FILES; to < OWNERS; to++) {
		waits_for[r->owner][to] |= model_blocks(r, to);
		for (unsigned i = 0; i < WAITERS; i++)
			if (waiters[i].waits && !waiters[i].granted &&
				waiters[i].r.owner >= OPEN_FILES && waiters[i].r.owner != r->owner)
				waits_for[waiters[i].r.owner][to] |=
					model_blocks(&waiters[i].r, to);
	}
	for (unsigned k = 0; k < OWNERS; k++)
		for (unsigned i = 0; i < OWNERS; i++)
			for (unsigned j = 0; j < OWNERS; j++)
				waits_for[i][j] |= waits_for[i][k] && waits_for[k][j];
	return waits_for[r->owner][r->owner];
}

static struct file_lock_request real_request(const struct model_request *m)
{
	struct file_lock_request r =
		request(&owners[m->owner], m->mode, offset_of(m->first), offset_of(m->end));

	r.by_process = m->owner >= OPEN_FILES;
	return r;
}

static struct model_request random_request(void)
{
	struct model_request r = {.file = below(FILES), .owner = below(OWNERS), .mode = below(3)};

	do {
		r.first = below(4) ? below(CELLS) : 0;
		r.end = below(4) ? below(CELLS + 1) : CELLS;
	} while (r.first >= r.end);
	return r;
}

/* Sometimes memory runs out, at the first, second or third piece that is asked for. */
static void plan_failure(void)
{
	fsh_posix_fail_after = below(16) ? 0 : 1 + below(3);
}

/* Did the call fail for it, as planned?  Then nothing has changed. */
static bool failed_as_planned(int result)
{
	bool planned = result == -ENOLCK && fsh_posix_fail_after <= 0;

	fsh_posix_fail_after = 0;
	seen_no_memory += planned;
	return planned;
}

static void do_set(void)
{
	struct model_request m = random_request();
	struct file_lock_request r = real_request(&m);
	bool conflict = model_conflicts(&m);
	int result;

	plan_failure();
	result = file_lock_set(files[m.file]->vnode, &r);
	if (failed_as_planned(result))
		return;
	assert_int_equal(result, conflict ? -EAGAIN : 0);
	seen_set += !conflict;
	seen_again += conflict;
	if (!conflict)
		model_set(&m);
	model_grant();
}

static void do_wait(struct model_waiter *w)
{
	struct model_request m = random_request();
	int wanted = !model_conflicts(&m) ? 0 : model_deadlock(&m) ? -EDEADLK : 1, result;

	*w = (struct model_waiter){.r = m, .waits = wanted == 1, .since = ++now};
	w->sleeper.w.request = real_request(&m);
	w->sleeper.w.granted = note_grant;
	plan_failure();
	result = file_lock_wait(files[m.file]->vnode, &w->sleeper.w);
	if (failed_as_planned(result)) {
		w->waits = false;
		return;
	}
	assert_int_equal(result, wanted);
	seen_wait += wanted == 1;
	seen_deadlock += wanted == -EDEADLK;
	if (!wanted)
		model_set(&m);
	model_grant();
}

static void do_give_up(struct model_waiter *w)
{
	assert_int_equal(file_lock_give_up(&w->sleeper.w), !w->granted);
	seen_give_up += !w->granted;
	seen_grant += w->granted;
	w->waits = false;
}

static void do_release(void)
{
	unsigned file = below(FILES), owner = below(OWNERS);

	file_lock_release(files[file]->vnode, &owners[owner]);
	memset(cells[file][owner], 0, sizeof(cells[file][owner]));
	model_grant();
}

/* --- Comparing */

static enum file_lock_mode real_cells[FILES][OWNERS][CELLS];
static unsigned real_ranges, real_waits;

static void note_range(
	void *arg, const struct vnode *v, const struct file_lock_request *r, bool waits)
{
	unsigned file = v == files[1]->vnode, owner = (unsigned)((const char *)r->owner - owners);

	(void)arg;
	if (waits) {
		real_waits++;
		return;
	}
	real_ranges++;
	for (unsigned i = cell_of(r->start); i < cell_of(r->end); i++)
		real_cells[file][owner][i] = r->mode;
}

/* How many ranges there must be at least.  Cells that do not touch do not join. */
static unsigned fewest_ranges(void)
{
	unsigned n = 0;

	for (unsigned f = 0; f < FILES; f++)
		for (unsigned o = 0; o < OWNERS; o++)
			for (unsigned i = 0; i < CELLS; i++)
				n += cells[f][o][i] && (!i || cells[f][o][i] != cells[f][o][i - 1]);
	return n;
}

static void compare(void)
{
	unsigned waits = 0;

	memset(real_cells, 0, sizeof(real_cells));
	real_ranges = real_waits = 0;
	file_lock_for_each(NULL, note_range, NULL);
	assert_memory_equal(real_cells, cells, sizeof(cells));
	assert_int_equal(real_ranges, fewest_ranges());
	for (unsigned i = 0; i < WAITERS; i++) {
		struct model_waiter *w = &waiters[i];
		waits += w->waits && !w->granted;
		if (w->waits)
			assert_int_equal(w->sleeper.times_granted, w->granted);
	}
	assert_int_equal(real_waits, waits);
	file_lock_check();
}

static void step(void)
{
	struct model_waiter *w = &waiters[below(WAITERS)];

	switch (below(4)) {
	case 0:
		do_set();
		break;
	case 1:
		if (below(8) == 0)
			do_release();
		break;
	case 2:
		if (!w->waits)
			do_wait(w);
		break;
	case 3:
		if (w->waits && (w->granted || below(3) == 0))
			do_give_up(w);
		break;
	}
}

static void random_requests(void **state)
{
	uint64_t steps = test_steps(200000);

	(void)state;
	rng = test_seed();
	for (unsigned i = 0; i < FILES; i++)
		files[i] = must_open(i ? "/g" : "/f", FS_O_CREAT | FS_O_RDWR);
	for (uint64_t i = 0; i < steps; i++) {
		step();
		compare();
	}
	for (unsigned i = 0; i < WAITERS; i++)
		if (waiters[i].waits)
			do_give_up(&waiters[i]);
	for (unsigned f = 0; f < FILES; f++) {
		for (unsigned o = 0; o < OWNERS; o++)
			file_lock_release(files[f]->vnode, &owners[o]);
		assert_false(file_lock_any(files[f]->vnode));
		file_unref(files[f]);
	}
	print_message("# %u set, %u refused, %u waited: %u granted, %u gave up; %u deadlocks, "
		      "%u without memory\n",
		seen_set, seen_again, seen_wait, seen_grant, seen_give_up, seen_deadlock,
		seen_no_memory);
	assert_true(seen_set && seen_again && seen_grant && seen_give_up && seen_deadlock &&
		    seen_no_memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			readers_share_writers_do_not, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(ranges_split_and_merge, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(the_blocker_is_told, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(
			waiters_are_served_in_order, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(deadlocks_are_refused, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(whole_files, test_setup, test_teardown),
		cmocka_unit_test_setup_teardown(random_requests, test_setup, test_teardown),
	};

	return cmocka_run_group_tests_name("fs_lock", tests, group_setup, NULL);
}
