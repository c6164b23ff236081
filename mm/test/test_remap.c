// SPDX-License-Identifier: MIT
/*
 * mremap, case by case from its man page, and what a move must keep: pages, their sharing, their
 * place in the object, and everything when it fails.
 */
#include "fixture.h"

#define PAGES 32
#define FAR   ((mvm_vaddr_t)0x40000000)
#define MOVE  MVM_REMAP_MAYMOVE
#define FIXED (MVM_REMAP_MAYMOVE | MVM_REMAP_FIXED)

static int set_up(void **state)
{
	(void)state;
	return fixture_set_up(PAGES);
}

static void map_object(
	mvm_vaddr_t at, size_t pages, unsigned flags, mvm_pgoff_t offset, bool of_file)
{
	map_pages(at, pages, flags, of_file ? file->object : NULL, offset);
}

static void map(mvm_vaddr_t at, size_t pages)
{
	map_object(at, pages, 0, 0, false);
}

/* A page of letters each: 'A' at the first. */
static void fill(mvm_vaddr_t at, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		store(at + i * PAGE, (char)('A' + i % 26));
}

static void expect(struct mvm_space *of, mvm_vaddr_t at, size_t pages, char first)
{
	char base = first >= 'a' ? 'a' : 'A';

	for (size_t i = 0; i < pages; i++)
		assert_int_equal(
			load_of(of, at + i * PAGE), base + (int)((size_t)(first - base) + i) % 26);
}

static void expect_hole(mvm_vaddr_t at)
{
	char byte;

	assert_int_equal(posix_load(space, at, &byte, 1), MVM_FAULT_MAPERR);
}

static int remap(mvm_vaddr_t at, size_t old, size_t new, unsigned flags, mvm_vaddr_t *to)
{
	return mvm_remap(space, at, old * PAGE, new *PAGE, flags, to);
}

static uint64_t copies(void)
{
	struct mvm_stats s;

	mvm_stats(&s);
	return s.cow_copies;
}

static void arguments(void **state)
{
	mvm_vaddr_t to = FAR;

	(void)state;
	map(AT, 4);
	assert_int_equal(remap(AT, 4, 0, MOVE, &to), -MVM_EINVAL);
	assert_int_equal(remap(AT + 1, 1, 1, MOVE, &to), -MVM_EINVAL);
	assert_int_equal(remap(AT, 4, 8, MVM_REMAP_FIXED, &to), -MVM_EINVAL);
	assert_int_equal(remap(AT, 4, 8, 8, &to), -MVM_EINVAL);
	assert_int_equal(remap(AT + 8 * PAGE, 1, 2, MOVE, &to), -MVM_EFAULT);
	assert_int_equal(remap(AT, 5, 8, MOVE, &to), -MVM_EFAULT);
	assert_int_equal(remap(AT + 8 * PAGE, 2, 1, 0, &to), -MVM_EFAULT);
	to = AT + 3 * PAGE;
	assert_int_equal(remap(AT, 4, 4, FIXED, &to), -MVM_EINVAL); /* overlap */
	to = FAR + 1;
	assert_int_equal(remap(AT, 4, 4, FIXED, &to), -MVM_EINVAL);
	to = ((mvm_vaddr_t)1 << 38) - 2 * PAGE;
	assert_int_equal(remap(AT, 4, 4, FIXED, &to), -MVM_EINVAL);
	assert_int_equal(remap(AT, 0, 4, MOVE, &to), -MVM_EINVAL); /* private */
	assert_int_equal(mvm_remap(space, AT, 4 * PAGE, (size_t)1 << 39, MOVE, &to), -MVM_ENOMEM);
	assert_int_equal(stats_of(space).mapped_pages, 4);
}

static void shrinks(void **state)
{
	mvm_vaddr_t to = 0;

	(void)state;
	map(AT, 8);
	fill(AT, 8);
	assert_int_equal(remap(AT, 8, 3, 0, &to), 0);
	assert_int_equal(to, AT);
	expect(space, AT, 3, 'A');
	expect_hole(AT + 3 * PAGE);
	assert_int_equal(remap(AT, 3, 3, 0, &to), 0);
	assert_int_equal(stats_of(space).mapped_pages, 3);
}

static void grows_where_it_is(void **state)
{
	mvm_vaddr_t to = 0;

	(void)state;
	map(AT, 3);
	fill(AT, 3);
	map(AT + 8 * PAGE, 2);
	assert_int_equal(remap(AT, 3, 6, 0, &to), 0);
	assert_int_equal(to, AT);
	expect(space, AT, 3, 'A');
	assert_int_equal(load(AT + 5 * PAGE), 0);
	assert_int_equal(remap(AT, 6, 9, 0, &to), -MVM_ENOMEM);  /* in the way */
	assert_int_equal(remap(AT, 5, 7, 0, &to), -MVM_ENOMEM);  /* not to the area's end */
	assert_int_equal(remap(AT + 2 * PAGE, 4, 6, 0, &to), 0); /* its end is enough */
	assert_int_equal(to, AT + 2 * PAGE);
	assert_int_equal(stats_of(space).areas, 1); /* joined with what followed */
	assert_int_equal(stats_of(space).mapped_pages, 10);
}

static void moves_pages_and_copies_none(void **state)
{
	struct mvm_hold before, after;
	mvm_vaddr_t to = 0;
	uint64_t copied = copies();

	(void)state;
	map(AT, 4);
	fill(AT, 4);
	map_object(AT + 4 * PAGE, 1, 0, 0, true);
	assert_int_equal(mvm_hold(space, AT + PAGE, MVM_READ, &before), 0);
	assert_int_equal(remap(AT, 4, 12, MOVE, &to), 0);
	assert_int_not_equal(to, AT);
	expect(space, to, 4, 'A');
	assert_int_equal(load(to + 11 * PAGE), 0);
	expect_hole(AT);
	assert_int_equal(mvm_hold(space, to + PAGE, MVM_READ, &after), 0);
	assert_int_equal(before.frame, after.frame);
	assert_int_equal(mvm_release(&before) | mvm_release(&after), 0);
	fill(to, 4);
	assert_int_equal(copies(), copied); /* they are exclusive again */
	assert_int_equal(stats_of(space).mapped_pages, 13);
	assert_int_equal(stats_of(space).peak_mapped_pages, 13);
}

static void moves_the_middle_of_an_area(void **state)
{
	mvm_vaddr_t to = FAR;

	(void)state;
	map(AT, 10);
	fill(AT, 10);
	assert_int_equal(remap(AT + 3 * PAGE, 4, 5, FIXED, &to), 0);
	assert_int_equal(to, FAR);
	expect(space, FAR, 4, 'D');
	assert_int_equal(load(FAR + 4 * PAGE), 0);
	expect(space, AT, 3, 'A');
	expect_hole(AT + 3 * PAGE);
	expect(space, AT + 7 * PAGE, 3, 'H');
	assert_int_equal(stats_of(space).areas, 3);
}

static void fixed_replaces(void **state)
{
	mvm_vaddr_t to = FAR + PAGE;

	(void)state;
	map(AT, 4);
	fill(AT, 4);
	map(FAR, 8);
	fill(FAR, 8);
	assert_int_equal(remap(AT, 4, 2, FIXED, &to), 0);
	assert_int_equal(load(FAR), 'A');
	expect(space, FAR + PAGE, 2, 'A');
	expect(space, FAR + 3 * PAGE, 5, 'D');
	expect_hole(AT);
	expect_hole(AT + 3 * PAGE);
	assert_int_equal(stats_of(space).mapped_pages, 8);
}

/* What is too much of the old range is unmapped first: only the rest need be one mapping. */
static void fixed_may_shrink_several_mappings(void **state)
{
	mvm_vaddr_t to = FAR;

	(void)state;
	map(AT, 4);
	fill(AT, 4);
	map_object(AT + 4 * PAGE, 2, 0, 0, true);
	map(AT + 7 * PAGE, 2); /* behind a hole */
	fill(AT + 7 * PAGE, 2);
	assert_int_equal(remap(AT, 8, 3, FIXED, &to), 0);
	expect(space, FAR, 3, 'A');
	expect_hole(AT + 3 * PAGE);
	expect_hole(AT + 4 * PAGE);
	expect_hole(AT + 7 * PAGE);
	assert_int_equal(load(AT + 8 * PAGE), 'B');
	assert_int_equal(stats_of(space).mapped_pages, 4);
}

/* Fork shares the tree's paths; a move on either side is of that side alone. */
static void moves_after_fork_are_of_one_side(void **state)
{
	struct mvm_space *parent = space;
	mvm_vaddr_t to = FAR + 5 * PAGE;
	uint64_t copied;

	(void)state;
	map(AT, 200);
	fill(AT, 200);
	fork_child();
	assert_int_equal(remap(AT + 7 * PAGE, 150, 150, FIXED, &to), 0);
	expect(child, AT, 200, 'A');
	expect(parent, to, 150, 'H');
	mvm_check();
	copied = copies();
	store(to, 'x'); /* still shared with the child: a copy */
	assert_int_equal(copies(), copied + 1);
	assert_int_equal(load_of(child, AT + 7 * PAGE), 'H');
	space = child;
	to = FAR;
	assert_int_equal(remap(AT, 200, 200, FIXED, &to), 0);
	expect(child, FAR, 200, 'A');
	space = parent;
	assert_int_equal(load(FAR + 5 * PAGE), 'x');
	end_child();
	copied = copies();
	fill(FAR + 5 * PAGE, 150);
	assert_int_equal(copies(), copied); /* exclusive again */
}

static unsigned commits;

static int count_commit(struct mvm_object *object)
{
	assert_ptr_equal(object, file->object);
	commits++;
	return 0;
}

static void a_file_keeps_its_pages(void **state)
{
	mvm_vaddr_t to = FAR;

	(void)state;
	commits = 0;
	map_object(AT, 8, MVM_MAP_SHARED, 4, true);
	expect(space, AT, 8, 'e');
	store(AT + 2 * PAGE, 'S');
	assert_int_equal(remap(AT + 2 * PAGE, 3, 6, FIXED, &to), 0);
	assert_int_equal(load(FAR), 'S');
	expect(space, FAR + PAGE, 5, 'h');
	assert_int_equal(mvm_pc_flush(file->object, 0, PAGES, MVM_PC_WAIT), 0);
	assert_int_equal(file->disk[6 * PAGE], 'S');
	store(FAR, 'T');
	assert_int_equal(mvm_sync(space, FAR, PAGE, 0, count_commit), 0);
	assert_int_equal(commits, 0);
	assert_int_equal(mvm_sync(space, FAR, PAGE, MVM_SYNC_WAIT, count_commit), 0);
	assert_int_equal(file->disk[6 * PAGE], 'T');
	assert_int_equal(commits, 1);
}

static void private_copies_of_a_file_move(void **state)
{
	mvm_vaddr_t to = FAR;
	char byte;

	(void)state;
	map_object(AT, 8, 0, 0, true);
	store(AT + PAGE, 'P');
	store(AT + 6 * PAGE, 'Q');
	assert_int_equal(remap(AT, 8, 8, FIXED, &to), 0);
	assert_int_equal(load(FAR), 'a');
	assert_int_equal(load(FAR + PAGE), 'P');
	assert_int_equal(load(FAR + 6 * PAGE), 'Q');
	/* Truncate finds them where they are now. */
	assert_int_equal(mvm_pc_truncate(file->object, 3 * PAGE), 0);
	assert_int_equal(load(FAR + PAGE), 'P');
	assert_int_equal(posix_load(space, FAR + 6 * PAGE, &byte, 1), MVM_FAULT_BUS);
	test_file_free_blocks(file, 3 * PAGE);
	assert_int_equal(mvm_pc_truncate(file->object, PAGES * PAGE), 0);
	assert_int_equal(load(FAR + 6 * PAGE), 0);
}

static void old_size_0_maps_once_more(void **state)
{
	mvm_vaddr_t to = 0;

	(void)state;
	map_object(AT, 8, MVM_MAP_SHARED, 0, true);
	assert_int_equal(remap(AT + 2 * PAGE, 0, 3, 0, &to), -MVM_EINVAL);
	assert_int_equal(remap(AT + 2 * PAGE, 0, 3, MOVE, &to), 0);
	expect(space, to, 3, 'c');
	store(to, 'S');
	assert_int_equal(load(AT + 2 * PAGE), 'S');
	to = FAR;
	assert_int_equal(remap(AT, 0, 8, FIXED, &to), 0);
	assert_int_equal(load(FAR + 2 * PAGE), 'S');
	assert_int_equal(stats_of(space).mapped_pages, 19);
}

static void limits_hold(void **state)
{
	mvm_vaddr_t to = FAR;

	(void)state;
	map_object(AT, 4, MVM_MAP_LOCKED, 0, false);
	limits.locked = 5;
	limit();
	assert_int_equal(remap(AT, 4, 6, 0, &to), -MVM_EAGAIN);
	assert_int_equal(remap(AT, 4, 5, 0, &to), 0);
	assert_int_equal(posix_mapped(space), 5); /* the new part is brought in */
	to = FAR;
	assert_int_equal(remap(AT, 5, 5, FIXED, &to), 0);
	assert_int_equal(stats_of(space).locked_pages, 5);
	limits.total = 6;
	limits.locked = MVM_NO_LIMIT;
	limit();
	assert_int_equal(remap(FAR, 5, 7, MOVE, &to), -MVM_ENOMEM);
	limits.total = MVM_NO_LIMIT;
	limits.data = 6;
	limit();
	assert_int_equal(remap(FAR, 5, 7, MOVE, &to), -MVM_ENOMEM);
	limits.areas = 1;
	limit();
	to = AT;
	assert_int_equal(remap(FAR, 2, 2, FIXED, &to), -MVM_ENOMEM);
	assert_int_equal(remap(FAR, 5, 5, FIXED, &to), 0); /* the whole of it is no more areas */
}

/* Cuts of the old range and of what is at the new place, and the one more that is there then. */
static void the_limit_of_areas_counts_all_cuts(void **state)
{
	mvm_vaddr_t to = FAR + 4 * PAGE;

	(void)state;
	map(AT, 10);
	map(FAR, 10);
	limits.areas = 4;
	limit();
	assert_int_equal(remap(AT + 4 * PAGE, 2, 2, FIXED, &to), -MVM_ENOMEM);
	assert_int_equal(remap(AT, 2, 4, FIXED, &to), 0); /* two cuts make it four */
	assert_int_equal(stats_of(space).areas, 4);
	to = FAR + PAGE;
	assert_int_equal(remap(AT + 2 * PAGE, 8, 2, FIXED, &to), -MVM_ENOMEM); /* all, but a cut */
	limits.areas = 5;
	limit();
	assert_int_equal(remap(AT + 2 * PAGE, 2, 2, FIXED, &to), 0);
	assert_int_equal(stats_of(space).areas, 5);
}

/* Pages 64 and 64 of both places stand against one another: whole leaves of the tree move. */
static void leaves_move_whole(void **state)
{
	struct mvm_space *parent = space;
	mvm_vaddr_t start = 2 * FAR - 5 * PAGE, to = FAR - 5 * PAGE;
	uint64_t copied = copies();

	(void)state;
	map(start, 300);
	fill(start, 300);
	assert_int_equal(remap(start, 300, 300, FIXED, &to), 0);
	mvm_check();
	assert_int_equal(stats_of(space).anon_pages, 300);
	fill(FAR - 5 * PAGE, 300);
	expect(space, FAR - 5 * PAGE, 300, 'A');
	assert_int_equal(copies(), copied); /* still exclusive */
	fork_child();
	to = 3 * FAR;
	assert_int_equal(remap(FAR, 295, 295, FIXED, &to), 0);
	mvm_check();
	fill(3 * FAR, 128);
	assert_int_equal(copies(), copied + 128); /* the child has them, too */
	expect(child, FAR - 5 * PAGE, 300, 'A');
	expect(parent, 3 * FAR + 128 * PAGE, 295 - 128, 'A' + 133 % 26);
	end_child();
}

/* Where little is, between leaves that are empty; the second move has other borders of leaves. */
static void few_pages_far_apart_move(void **state)
{
	static const unsigned page[] = {3, 62, 64, 200, 5000, 8000, 8190};
	mvm_vaddr_t at = FAR, to = 3 * FAR;

	(void)state;
	map(at, 8191);
	for (unsigned i = 0; i < 7; i++)
		store(at + page[i] * PAGE, (char)('a' + i));
	for (unsigned moves = 0; moves < 2; moves++) {
		assert_int_equal(remap(at, 8191, 8191, FIXED, &to), 0);
		mvm_check();
		assert_int_equal(stats_of(space).anon_pages, 7);
		for (unsigned i = 0; i < 7; i++)
			assert_int_equal(load(to + page[i] * PAGE), 'a' + (int)i);
		at = to;
		to = 5 * FAR + 7 * PAGE;
	}
}

/* Each allocation fails in turn: either it is done, or nothing is. */
static void fail_to_move(mvm_vaddr_t target)
{
	int err = -1;

	map(AT, 200);
	fill(AT, 200);
	fork_child();
	for (uint64_t n = 1; err != 0; n++) {
		mvm_vaddr_t to = target;

		posix_fail(POSIX_FAIL_META, n, true);
		err = remap(AT + 5 * PAGE, 180, 180, FIXED, &to);
		posix_fail(POSIX_FAIL_META, 0, false);
		mvm_check();
		if (err) {
			assert_int_equal(err, -MVM_ENOMEM);
			assert_int_equal(stats_of(space).mapped_pages, 200);
			assert_int_equal(stats_of(space).anon_pages, 200);
			expect(space, AT, 200, 'A');
		}
	}
	expect(space, target, 180, 'F');
	expect(child, AT, 200, 'A');
	end_child();
}

static void without_memory_nothing_changes(void **state)
{
	(void)state;
	fail_to_move(FAR + 3 * PAGE);
}

static void without_memory_no_leaf_moves(void **state)
{
	(void)state;
	fail_to_move(AT + 5 * PAGE + FAR);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(arguments),
		CASE(shrinks),
		CASE(grows_where_it_is),
		CASE(moves_pages_and_copies_none),
		CASE(moves_the_middle_of_an_area),
		CASE(fixed_replaces),
		CASE(fixed_may_shrink_several_mappings),
		CASE(moves_after_fork_are_of_one_side),
		CASE(a_file_keeps_its_pages),
		CASE(private_copies_of_a_file_move),
		CASE(old_size_0_maps_once_more),
		CASE(limits_hold),
		CASE(the_limit_of_areas_counts_all_cuts),
		CASE(leaves_move_whole),
		CASE(few_pages_far_apart_move),
		CASE(without_memory_nothing_changes),
		CASE(without_memory_no_leaf_moves),
	};

	return fixture_main(4096, tests);
}
