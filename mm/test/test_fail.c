// SPDX-License-Identifier: MIT
/*
 * Every request for memory, and every operation of a pager, fails: the first, then the second, and
 * so on, until a run of the script meets no failure; once, and then the same with all that follow
 * failing too.  Whatever fails, the invariants hold after each step; a call either does its work or
 * says why not, and then the areas are what they were; what was stored is there; and at the end
 * nothing is left behind, neither frames nor any structure of mm.
 *
 * The script has each family of calls: map, unmap, protect, brk, mremap, stacks, devices, shared
 * memory, advice, locks, fork of a fork, holds, and all that the page cache offers.
 */
#include "map_fixed.h"
#include "posix.h"
#include "testfile.h"

#include "../meta.h"

#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define FILE_PAGES 40
#define PAGE       MVM_PAGE_BYTES
#define RW         (MVM_READ | MVM_WRITE)

/* Where things are, in pages of the window. */
#define AT       ((mvm_vaddr_t)0x400000)
#define ANON     0
#define PRIVATE  300
#define SHARED   400
#define MEMORY   500
#define HEAP     600
#define STACK    2000 /* its end */
#define MAX_AREA 64

static struct mvm_space *space;
static struct test_file *file;
static unsigned failed; /* calls of this run that said so */

static mvm_vaddr_t at(unsigned page)
{
	return AT + page * PAGE;
}

/* --- What a failure may say, and must leave --------------------------------------------------- */

/* 0, or an error that lack of memory, or the file, explains. */
static bool try(int err)
{
	mvm_check();
	if (err == 0)
		return true;
	if (err != -MVM_ENOMEM && err != -MVM_EIO && err != -MVM_EFAULT && err != -MVM_EAGAIN)
		fail_msg("error %d", err);
	failed++;
	return false;
}

static bool try_fault(enum mvm_fault_result result)
{
	mvm_check();
	if (result == MVM_FAULT_OK)
		return true;
	assert_true(result == MVM_FAULT_NOMEM || result == MVM_FAULT_BUS);
	failed++;
	return false;
}

/* The space's areas, as they were before a call. */
struct areas {
	unsigned n;
	struct mvm_area_info area[MAX_AREA];
};

static void see_areas(struct areas *a)
{
	mvm_vaddr_t va = 0;

	for (a->n = 0; a->n < MAX_AREA && mvm_area_next(space, va, &a->area[a->n]); a->n++) {
		va = a->area[a->n].end;
		if (a->area[a->n].object)
			mvm_object_unref(a->area[a->n].object);
	}
}

/* A call that fails has changed no area. */
static bool try_wholly(const struct areas *before, int err)
{
	static struct areas after;

	if (try(err))
		return true;
	see_areas(&after);
	assert_int_equal(after.n, before->n);
	for (unsigned i = 0; i < after.n; i++) {
		const struct mvm_area_info *a = &after.area[i], *b = &before->area[i];

		assert_true(a->start == b->start && a->end == b->end && a->rights == b->rights &&
			    a->flags == b->flags && a->object == b->object &&
			    a->offset_pages == b->offset_pages);
	}
	return false;
}

static bool map(unsigned page, unsigned pages, unsigned flags, struct mvm_object *object)
{
	static struct areas before;

	see_areas(&before);
	return try_wholly(&before, map_fixed(space, at(page), pages, RW, flags, object, 0));
}

static bool unmap(unsigned page, unsigned pages)
{
	static struct areas before;

	see_areas(&before);
	return try_wholly(&before, mvm_unmap(space, at(page), pages * PAGE));
}

static bool try_fork(struct mvm_space *parent, struct mvm_space **child)
{
	static struct areas before;

	see_areas(&before);
	return try_wholly(&before, mvm_space_fork(parent, child));
}

/* Store, then load: what was stored is there, whatever failed in between. */
static bool touch(struct mvm_space *s, mvm_vaddr_t va, uint64_t word)
{
	uint64_t seen = 0;

	if (!try_fault(posix_store(s, va, &word, 8)) || !try_fault(posix_load(s, va, &seen, 8)))
		return false;
	assert_true(seen == word);
	return true;
}

/* What was stored before is still there, if it can be loaded. */
static void expect(struct mvm_space *s, mvm_vaddr_t va, uint64_t word)
{
	uint64_t seen = 0;

	if (try_fault(posix_load(s, va, &seen, 8)))
		assert_true(seen == word);
}

/* --- The script ------------------------------------------------------------------------------- */

/* False: not even a place for it. */
static bool private_memory(void)
{
	bool there[200] = {false};

	if (!map(ANON, 200, 0, NULL))
		return false;
	for (unsigned i = 0; i < 200; i += 7)
		there[i] = touch(space, at(ANON + i), i + 1);
	if (unmap(ANON + 50, 9))
		there[56] = false;
	(void)try(mvm_protect(space, at(ANON + 20), 9 * PAGE, MVM_READ));
	(void)try(mvm_advise(space, at(ANON + 100), 5 * PAGE, MVM_ADVISE_WIPEONFORK));
	if (try(mvm_advise(space, at(ANON + 150), 20 * PAGE, MVM_ADVISE_DONTNEED)))
		memset(there + 150, 0, 20);
	for (unsigned i = 0; i < 200; i += 7) {
		if (there[i])
			expect(space, at(ANON + i), i + 1);
	}
	(void)map(ANON + 5, 3, 0, NULL);
	(void)map(ANON + 60, 10, MVM_MAP_POPULATE, NULL);
	return true;
}

static void mapped_files(void)
{
	if (map(PRIVATE, FILE_PAGES, 0, file->object)) {
		(void)touch(space, at(PRIVATE + 10), 5);
		(void)try(mvm_advise(space, at(PRIVATE), 4 * PAGE, MVM_ADVISE_POPULATE_WRITE));
	}
	if (map(SHARED, FILE_PAGES, MVM_MAP_SHARED, file->object)) {
		for (unsigned i = 0; i < FILE_PAGES; i += 3)
			(void)touch(space, at(SHARED + i), 100 + i);
		(void)try(mvm_advise(space, at(SHARED), 8 * PAGE, MVM_ADVISE_POPULATE_READ));
	}
}

static void shared_memory(void)
{
	struct mvm_object *object;

	if (!try(mvm_object_new_shared_anon(8 * PAGE, &object)))
		return;
	if (map(MEMORY, 8, MVM_MAP_SHARED, object))
		(void)touch(space, at(MEMORY + 3), 33);
	mvm_object_unref(object);
}

static void device(void)
{
	mvm_frame_t frame = mvmh_frame_alloc(0);
	struct mvm_object *object;

	if (frame == MVM_NO_FRAME)
		return;
	if (try(mvm_object_new_device(frame, PAGE, &object))) {
		if (map(MEMORY + 20, 1, MVM_MAP_SHARED, object))
			(void)touch(space, at(MEMORY + 20), 44);
		mvm_object_unref(object);
		while (mvm_unmap(space, at(MEMORY + 20), PAGE) != 0)
			;
	}
	mvmh_frame_free(frame, 0);
}

static void heap_and_stack(void)
{
	static struct areas before;

	see_areas(&before);
	if (try_wholly(&before, mvm_brk(space, at(HEAP), at(HEAP), at(HEAP + 12)))) {
		(void)touch(space, at(HEAP + 11), 1);
		see_areas(&before);
		(void)try_wholly(&before, mvm_brk(space, at(HEAP), at(HEAP + 12), at(HEAP + 4)));
	}
	if (map(STACK - 2, 2, MVM_MAP_GROWSDOWN, NULL)) {
		(void)touch(space, at(STACK - 1), 2);
		(void)touch(space, at(STACK - 20), 3);
	}
}

static void moves(void)
{
	static struct areas before;
	mvm_vaddr_t to = 0, fixed = at(700);

	see_areas(&before);
	if (try_wholly(&before,
		    mvm_remap(space, at(ANON + 120), 10 * PAGE, 16 * PAGE, MVM_REMAP_MAYMOVE, &to)))
		(void)touch(space, to + 15 * PAGE, 77);
	(void)try(mvm_remap(space, at(ANON + 180), 15 * PAGE, 15 * PAGE,
		MVM_REMAP_MAYMOVE | MVM_REMAP_FIXED, &fixed));
}

static void locks(void)
{
	unsigned char in[8];

	(void)try(mvm_mlock(space, at(ANON + 30), 8 * PAGE, false));
	(void)try(mvm_mlock(space, at(PRIVATE + 4), 8 * PAGE, true));
	(void)try(mvm_incore(space, at(PRIVATE), 8, in));
	(void)try(mvm_munlock(space, at(ANON + 33), 2 * PAGE));
	(void)try(mvm_mlockall(space, MVM_LOCK_CURRENT));
	mvm_munlockall(space);
}

static void forks(void)
{
	struct mvm_space *child, *grandchild;
	struct mvm_hold hold;
	bool held = try(mvm_hold(space, at(ANON + 7), MVM_WRITE, &hold));

	if (try_fork(space, &child)) {
		(void)touch(child, at(ANON + 14), 99);
		(void)touch(space, at(ANON + 35), 98);
		if (try_fork(child, &grandchild)) {
			(void)touch(grandchild, at(ANON + 14), 97);
			(void)touch(child, at(ANON + 42), 96);
			mvm_space_unref(grandchild);
		}
		mvm_space_unref(child);
	}
	if (held)
		(void)try(mvm_release(&hold));
}

static void kernel_copies(void)
{
	uint64_t word = 7, back = 0;

	if (try(mvm_space_write(space, at(ANON + 40) - 4, &word, 8, true)) &&
		try(mvm_space_read(space, at(ANON + 40) - 4, &back, 8)))
		assert_true(back == word);
	(void)try(mvm_prefault(space, at(ANON + 80), 3 * PAGE, MVM_WRITE));
}

static void in_spaces(void)
{
	mapped_files();
	shared_memory();
	device();
	heap_and_stack();
	if (!private_memory())
		return;
	moves();
	locks();
	forks();
	kernel_copies();
}

static void in_file(void)
{
	struct mvm_space *child;
	char bytes[3 * PAGE / 2];
	bool forked;
	size_t done;

	memset(bytes, 'x', sizeof bytes);
	(void)try(test_file_write(file, 700, bytes, sizeof bytes, &done));
	(void)try(test_file_read(file, 600, bytes, sizeof bytes, &done));
	forked = try_fork(space, &child); /* what is to be cut is shared */
	if (try(mvm_pc_truncate(file->object, 10 * PAGE + 100)))
		test_file_free_blocks(file, 10 * PAGE + 100);
	(void)try(mvm_pc_truncate(file->object, FILE_PAGES * PAGE));
	if (forked)
		mvm_space_unref(child);
	(void)try(mvm_pc_punch(file->object, 100, 3 * PAGE + 5, NULL));
	mvm_pc_readahead(file->object, 20, 16);
	(void)try(mvm_sync(space, at(SHARED), FILE_PAGES * PAGE, MVM_SYNC_WAIT, NULL));
	(void)try(mvm_writeback(0, true));
	(void)mvm_reclaim(10);
	mvm_check();
}

/* --- The sweeps ------------------------------------------------------------------------------- */

/* What mm has out: frames, and pieces of each kind. */
struct held {
	size_t frames;
	uint64_t pieces[SLAB_N];
};

static struct held now_held(void)
{
	struct held h = {.frames = posix_frames_used()};

	for (unsigned kind = 0; kind < SLAB_N; kind++)
		h.pieces[kind] = slab_live(kind);
	return h;
}

/* What could want memory so much has reserved it, as long as nobody forks meanwhile. */
static void nobody_starves(void)
{
	fail_msg("starved");
}

static void set_up(void)
{
	struct mvm_limits limits = {MVM_NO_LIMIT, MVM_NO_LIMIT, 64, MVM_NO_LIMIT, MVM_NO_LIMIT};

	failed = 0;
	posix_on_starved(nobody_starves);
	file = test_file_new(FILE_PAGES, FILE_PAGES * PAGE);
	assert_int_equal(mvm_space_new(0x1000, (mvm_vaddr_t)1 << 38, &space), 0);
	mvm_space_set_limits(space, &limits);
}

static void clean_up(const struct held *before)
{
	struct held after;

	for (unsigned what = 0; what < POSIX_FAILURES; what++)
		posix_fail(what, 0, false);
	file->fail_fill = file->fail_write = file->fail_reserve = 0;
	mvm_check();
	mvm_space_unref(space);
	test_file_free(file);
	mvm_check();
	after = now_held();
	assert_int_equal(after.frames, before->frames);
	for (unsigned kind = 0; kind < SLAB_N; kind++)
		assert_int_equal(after.pieces[kind], before->pieces[kind]);
}

/* The nth request for memory of this kind fails, for each n there is. */
static void sweep_memory(enum posix_failure what, bool for_good)
{
	struct held before = now_held();
	uint64_t requests;

	for (uint64_t n = 1;; n++) {
		set_up();
		posix_fail(what, n, for_good);
		in_spaces();
		if (for_good && posix_requests(what) >= n)
			assert_true(failed > 0);
		in_file();
		requests = posix_requests(what);
		clean_up(&before);
		if (requests < n)
			break;
	}
	print_message("%lu requests\n", (unsigned long)requests);
}

static void frames_fail_once(void **state)
{
	(void)state;
	sweep_memory(POSIX_FAIL_FRAME, false);
}

static void frames_fail_for_good(void **state)
{
	(void)state;
	sweep_memory(POSIX_FAIL_FRAME, true);
}

static void metadata_fails_once(void **state)
{
	(void)state;
	sweep_memory(POSIX_FAIL_META, false);
}

static void metadata_fails_for_good(void **state)
{
	(void)state;
	sweep_memory(POSIX_FAIL_META, true);
}

static void tables_fail_once(void **state)
{
	(void)state;
	sweep_memory(POSIX_FAIL_TABLE, false);
}

static void tables_fail_for_good(void **state)
{
	(void)state;
	sweep_memory(POSIX_FAIL_TABLE, true);
}

#define STOCK       400 /* more of a kind than the script needs */
#define MOST_PIECES 4096

static void *taken[SLAB_N][MOST_PIECES];
static unsigned n_taken[SLAB_N];

/* Take pieces until there are so many, or no more. */
static void take_pieces(enum slab_kind kind, unsigned most)
{
	while (n_taken[kind] < most) {
		void *piece = slab_alloc(kind);

		if (!piece)
			return;
		taken[kind][n_taken[kind]++] = piece;
	}
}

/* Give so many, but keep some of each metadata page, so that no page goes back to the host. */
static void give_pieces(enum slab_kind kind, unsigned most)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n_taken[kind]; i++) {
		if (i % 4 == 0 || most == 0) {
			taken[kind][kept++] = taken[kind][i];
		} else {
			slab_free(kind, taken[kind][i]);
			most--;
		}
	}
	n_taken[kind] = kept;
}

static void give_all(enum slab_kind kind)
{
	while (n_taken[kind] > 0)
		slab_free(kind, taken[kind][--n_taken[kind]]);
}

/*
 * Of one kind of mm's structures there are `spare` more, and no metadata page to make others of:
 * none, one, and so on, until the script does not notice.  A history and a joint are only helps.
 */
static void sweep_structures(enum slab_kind kind)
{
	for (unsigned spare = 0; spare < STOCK; spare += spare < 100 ? 1 : 20) {
		struct held before = now_held();

		set_up();
		for (unsigned k = 0; k < SLAB_N; k++)
			take_pieces(k, STOCK);
		posix_fail(POSIX_FAIL_META, 1, true);
		take_pieces(kind, MOST_PIECES);
		for (unsigned k = 0; k < SLAB_N; k++)
			give_pieces(k, k == kind ? spare : MOST_PIECES);
		in_spaces();
		in_file();
		for (unsigned k = 0; k < SLAB_N; k++)
			give_all(k);
		clean_up(&before);
		assert_true(spare > 0 || failed > 0 || kind == SLAB_HISTORY || kind == SLAB_JOINT);
	}
	if (failed)
		fail_msg("kind %u: with all it wants, %u calls fail", kind, failed);
}

static void structures_fail(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < SLAB_N; kind++)
		sweep_structures(kind);
}

/* --- Truncate, when it can fail no more ------------------------------------------------------- */

static struct mvm_space *late_child;
static unsigned starved;

/*
 * All is reserved, the size about to be set: a fork shares what is to be cut,
 * and memory is gone.
 */
static void fork_late(void)
{
	if (late_child)
		return;
	assert_int_equal(mvm_space_fork(space, &late_child), 0);
	posix_fail(POSIX_FAIL_META, 1, true);
	take_pieces(SLAB_NODE, MOST_PIECES);
}

/* The second time there is some. */
static void feed(void)
{
	mvm_check();
	assert_int_equal(mvm_object_size(file->object), 10 * PAGE + 100);
	if (++starved == 2)
		posix_fail(POSIX_FAIL_META, 0, false);
}

static void truncate_waits_for_memory(void **state)
{
	struct held before = now_held();
	size_t done;
	char byte;

	(void)state;
	set_up();
	assert_int_equal(test_file_write(file, 11 * PAGE - 1, "x", 1, &done), 0); /* to be zeroed */
	assert_int_equal(mvm_pc_flush(file->object, 0, FILE_PAGES, MVM_PC_WAIT), 0);
	assert_true(map(PRIVATE, FILE_PAGES, 0, file->object));
	assert_true(touch(space, at(PRIVATE + 10), 5));
	assert_true(touch(space, at(PRIVATE + 11), 6));
	assert_true(touch(space, at(PRIVATE - 1 + FILE_PAGES), 7));
	file->on_reserve = fork_late;
	posix_on_starved(feed);
	assert_int_equal(mvm_pc_truncate(file->object, 10 * PAGE + 100), 0);
	give_all(SLAB_NODE);
	assert_int_equal(starved, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct mvm_space *s = i ? late_child : space;

		expect(s, at(PRIVATE + 10), 5);
		assert_int_equal(posix_load(s, at(PRIVATE + 11), &byte, 1), MVM_FAULT_BUS);
	}
	mvm_space_unref(late_child);
	clean_up(&before);
}

/* The nth operation of a pager fails: where the count of what is to fail stands in the file. */
static void sweep_pager(size_t which, bool for_good)
{
	struct held before = now_held();
	uint64_t *countdown;
	bool met = true;

	for (uint64_t n = 1; met; n++) {
		set_up();
		countdown = (uint64_t *)((char *)file + which);
		*countdown = n;
		file->for_good = for_good;
		in_spaces();
		in_file();
		met = for_good ? *countdown == 1 : *countdown == 0;
		clean_up(&before);
	}
}

static void fills_fail(void **state)
{
	(void)state;
	sweep_pager(offsetof(struct test_file, fail_fill), false);
	sweep_pager(offsetof(struct test_file, fail_fill), true);
}

static void writes_fail(void **state)
{
	(void)state;
	sweep_pager(offsetof(struct test_file, fail_write), false);
	sweep_pager(offsetof(struct test_file, fail_write), true);
}

static void reserves_fail(void **state)
{
	(void)state;
	sweep_pager(offsetof(struct test_file, fail_reserve), false);
	sweep_pager(offsetof(struct test_file, fail_reserve), true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_fail_once),
		cmocka_unit_test(frames_fail_for_good),
		cmocka_unit_test(metadata_fails_once),
		cmocka_unit_test(metadata_fails_for_good),
		cmocka_unit_test(tables_fail_once),
		cmocka_unit_test(tables_fail_for_good),
		cmocka_unit_test(structures_fail),
		cmocka_unit_test(truncate_waits_for_memory),
		cmocka_unit_test(fills_fail),
		cmocka_unit_test(writes_fail),
		cmocka_unit_test(reserves_fail),
	};

	posix_start(1000);
	if (mvm_init() != 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
