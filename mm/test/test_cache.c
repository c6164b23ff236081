// SPDX-License-Identifier: MIT
/*
 * The page cache and mappings of files, case by case: what is read, written, kept and refused.
 */
#include "fixture.h"

#include <string.h>

#define PAGES 64
#define OTHER ((mvm_vaddr_t)0x800000)

static int set_up(void **state)
{
	(void)state;
	return fixture_set_up(PAGES);
}

static void map_at(mvm_vaddr_t at, size_t pages, unsigned flags, mvm_pgoff_t offset)
{
	map_pages(at, pages, flags, file->object, offset);
}

static char read_byte(uint64_t offset)
{
	char byte = 0;
	size_t done;

	assert_int_equal(test_file_read(file, offset, &byte, 1, &done), 0);
	assert_int_equal(done, 1);
	return byte;
}

static void flush(void)
{
	assert_int_equal(mvm_pc_flush(file->object, 0, PAGES, MVM_PC_WAIT), 0);
}

static void a_map_reads_and_takes_nothing(void **state)
{
	size_t before = posix_frames_used();

	(void)state;
	map_at(AT, PAGES, MVM_MAP_SHARED, 0);
	map_at(OTHER, PAGES, 0, 0);
	assert_int_equal(file->fills, 0);
	assert_int_equal(posix_frames_used(), before);
	assert_int_equal(load(AT), 'a');
	assert_true(file->filled_pages >= 1 && file->filled_pages < PAGES);
}

static void only_dirty_pages_are_written(void **state)
{
	(void)state;
	map_at(AT, PAGES, MVM_MAP_SHARED, 0);
	for (unsigned i = 0; i < PAGES; i++)
		load(AT + i * PAGE);
	flush();
	assert_int_equal(file->written_pages, 0);
	store(AT + 3 * PAGE, 'X');
	store(AT + 40 * PAGE + 7, 'Y');
	assert_int_equal(counts_of(file->object).dirty_pages, 2);
	flush();
	assert_int_equal(file->written_pages, 2);
	assert_int_equal(file->disk[3 * PAGE], 'X');
	assert_int_equal(file->disk[40 * PAGE + 7], 'Y');
	flush();
	assert_int_equal(file->written_pages, 2);
	store(AT + 3 * PAGE + 1, 'Z');
	assert_int_equal(counts_of(file->object).dirty_pages, 1);
	flush();
	assert_int_equal(file->disk[3 * PAGE + 1], 'Z');
}

static void unmap_writes_nothing_and_loses_nothing(void **state)
{
	(void)state;
	map_at(AT, PAGES, MVM_MAP_SHARED, 0);
	store(AT + 5 * PAGE, 'X');
	assert_int_equal(mvm_unmap(space, AT, PAGES * PAGE), 0);
	assert_int_equal(file->written_pages, 0);
	assert_int_equal(counts_of(file->object).dirty_pages, 1);
	assert_int_equal(read_byte(5 * PAGE), 'X');
	assert_int_equal(
		mvm_writeback((uint64_t)1 << 40, true), 0); /* urgent: the age does not matter */
	assert_int_equal(file->disk[5 * PAGE], 'X');
}

static void mappings_read_and_write_agree(void **state)
{
	size_t done;

	(void)state;
	map_at(AT, 8, MVM_MAP_SHARED, 2);
	map_at(OTHER, 8, MVM_MAP_SHARED, 0);
	store(AT + 9, 'X');
	assert_int_equal(load(OTHER + 2 * PAGE + 9), 'X');
	assert_int_equal(read_byte(2 * PAGE + 9), 'X');
	assert_int_equal(test_file_write(file, 2 * PAGE + 10, "YZ", 2, &done), 0);
	assert_int_equal(load(AT + 10), 'Y');
	assert_int_equal(load(OTHER + 2 * PAGE + 11), 'Z');
}

static void private_stores_stay_private(void **state)
{
	(void)state;
	map_at(AT, 8, 0, 0);
	store(AT + 1, 'X');
	assert_int_equal(load(AT + 1), 'X');
	assert_int_equal(load(AT), 'a');
	assert_int_equal(read_byte(1), 'a');
	assert_int_equal(counts_of(file->object).dirty_pages, 0);
}

static void past_the_size_is_bus(void **state)
{
	char byte = 0;

	(void)state;
	assert_int_equal(mvm_pc_truncate(file->object, 3 * PAGE + 100), 0);
	map_at(AT, 8, MVM_MAP_SHARED, 0);
	assert_int_equal(load(AT + 3 * PAGE + 99), 'd');
	assert_int_equal(load(AT + 3 * PAGE + 100), 0);
	assert_int_equal(posix_load(space, AT + 4 * PAGE, &byte, 1), MVM_FAULT_BUS);
	assert_int_equal(posix_store(space, AT + 5 * PAGE, &byte, 1), MVM_FAULT_BUS);
	assert_int_equal(mvm_pc_truncate(file->object, 5 * PAGE), 0);
	assert_int_equal(posix_load(space, AT + 5 * PAGE, &byte, 1), MVM_FAULT_BUS);
}

/* What a mapping stores behind the end is nobody's: zeros when the file grows. */
static void stores_behind_the_end_vanish(void **state)
{
	(void)state;
	assert_int_equal(mvm_pc_truncate(file->object, PAGE + 100), 0);
	map_at(AT, 2, MVM_MAP_SHARED, 0);
	store(AT + PAGE + 200, 'X');
	assert_int_equal(mvm_pc_truncate(file->object, PAGE + 300), 0);
	assert_int_equal(load(AT + PAGE + 200), 0);
}

static void stores_behind_the_end_do_not_reach_the_medium(void **state)
{
	(void)state;
	assert_int_equal(mvm_pc_truncate(file->object, PAGE + 100), 0);
	flush();
	map_at(AT, 2, MVM_MAP_SHARED, 0);
	store(AT + PAGE + 50, 'Y');
	store(AT + PAGE + 200, 'X');
	flush();
	assert_int_equal(file->disk[PAGE + 50], 'Y');
	assert_int_equal(file->disk[PAGE + 200], 0);
}

static void a_write_over_the_end_zeroes_the_gap(void **state)
{
	size_t done;

	(void)state;
	assert_int_equal(mvm_pc_truncate(file->object, 100), 0);
	map_at(AT, 4, MVM_MAP_SHARED, 0);
	store(AT + 150, 'X');
	assert_int_equal(test_file_write(file, 300, "end", 3, &done), 0);
	assert_int_equal(mvm_object_size(file->object), 303);
	assert_int_equal(load(AT + 150), 0);
	assert_int_equal(load(AT + 300), 'e');
}

static void truncate_takes_mappings_away(void **state)
{
	char byte;

	(void)state;
	map_at(AT, 8, MVM_MAP_SHARED, 0);
	map_at(OTHER, 8, 0, 0);
	store(AT + 5 * PAGE, 'X');
	store(OTHER + 6 * PAGE, 'P');
	store(OTHER + 2 * PAGE, 'Q');
	assert_int_equal(mvm_pc_truncate(file->object, 4 * PAGE), 0);
	test_file_free_blocks(file, 4 * PAGE);
	assert_int_equal(posix_load(space, AT + 5 * PAGE, &byte, 1), MVM_FAULT_BUS);
	assert_int_equal(posix_load(space, OTHER + 6 * PAGE, &byte, 1), MVM_FAULT_BUS);
	assert_int_equal(load(OTHER + 2 * PAGE), 'Q');
	assert_int_equal(counts_of(file->object).dirty_pages, 0);
	assert_int_equal(test_file_reserved(file), 0);
	assert_int_equal(mvm_pc_truncate(file->object, 8 * PAGE), 0);
	assert_int_equal(load(AT + 5 * PAGE), 0);
	assert_int_equal(load(OTHER + 6 * PAGE), 0);
}

static void no_space_is_said_at_the_store(void **state)
{
	char byte = 'X';
	size_t done;

	(void)state;
	map_at(AT, 8, MVM_MAP_SHARED, 0);
	file->fail_reserve = 1;
	file->for_good = true;
	file->fail_with = -MVM_ENOSPC;
	assert_int_equal(posix_store(space, AT, &byte, 1), MVM_FAULT_BUS);
	assert_int_equal(test_file_write(file, PAGE, "abc", 3, &done), -MVM_ENOSPC);
	assert_int_equal(done, 0);
	assert_int_equal(counts_of(file->object).dirty_pages, 0);
	assert_int_equal(load(AT), 'a');
	file->fail_reserve = 0;
	store(AT, 'X');
}

/* All pages have been written; one is dirty. */
static void place_all(void)
{
	file->at_once = true;
	map_at(AT, PAGES, MVM_MAP_SHARED, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store(AT + i * PAGE, 'X');
	flush();
	assert_int_equal(file->stores_at_once, 0);
	store(AT, 'Y');
	assert_int_equal(file->stores_at_once, 0); /* that one brings the object onto the list */
}

static void a_store_to_what_is_placed_asks_for_nothing(void **state)
{
	uint64_t reserves;

	(void)state;
	place_all();
	reserves = file->reserves;
	store(AT + PAGE, 'Y');
	store(AT + PAGE + 1, 'Z');
	assert_int_equal(file->stores_at_once, 1);
	assert_int_equal(file->reserves, reserves);
	assert_int_equal(counts_of(file->object).dirty_pages, 2);
	assert_int_equal(load(AT + 2 * PAGE), 'X');
	assert_int_equal(counts_of(file->object).dirty_pages, 2);
	flush();
	assert_int_equal(file->disk[PAGE], 'Y');
	store(AT, 'V');
	store(AT + PAGE, 'W');
	assert_int_equal(file->stores_at_once, 2);
	assert_int_equal(counts_of(file->object).dirty_pages, 2);
}

/* What the pager does not agree to at once it is asked in full. */
static void what_was_placed_may_be_refused(void **state)
{
	char byte = 'Z';

	(void)state;
	place_all();
	file->fail_reserve = 1;
	assert_int_equal(posix_store(space, AT + PAGE, &byte, 1), MVM_FAULT_BUS);
	assert_int_equal(file->stores_at_once, 0);
	assert_int_equal(counts_of(file->object).dirty_pages, 1);
	assert_int_equal(load(AT + PAGE), 'X');
}

/* A promise for the page is none for a larger size. */
static void a_dirty_page_is_asked_for_when_the_file_grows(void **state)
{
	size_t done;

	(void)state;
	assert_int_equal(mvm_pc_truncate(file->object, PAGE + 100), 0);
	assert_int_equal(test_file_write(file, PAGE, "abc", 3, &done), 0);
	file->fail_reserve = 1;
	file->for_good = true;
	file->fail_with = -MVM_ENOSPC;
	assert_int_equal(test_file_write(file, PAGE + 98, "de", 2, &done), 0);
	assert_int_equal(test_file_write(file, PAGE + 99, "fg", 2, &done), -MVM_ENOSPC);
	assert_int_equal(mvm_object_size(file->object), PAGE + 100);
	file->fail_reserve = 0;
	assert_int_equal(test_file_write(file, PAGE + 99, "fg", 2, &done), 0);
	assert_int_equal(mvm_object_size(file->object), PAGE + 101);
}

static void an_unreadable_page_is_bus_until_it_can_be_read(void **state)
{
	char byte;

	(void)state;
	map_at(AT, 8, MVM_MAP_SHARED, 0);
	file->fail_fill = 1;
	file->for_good = true;
	assert_int_equal(posix_load(space, AT, &byte, 1), MVM_FAULT_BUS);
	file->fail_fill = 0;
	assert_int_equal(load(AT), 'a');
}

static void a_failed_write_keeps_its_pages(void **state)
{
	(void)state;
	map_at(AT, 8, MVM_MAP_SHARED, 0);
	store(AT + PAGE, 'X');
	file->fail_write = 1;
	file->for_good = true;
	assert_int_equal(mvm_pc_flush(file->object, 0, PAGES, MVM_PC_WAIT), -MVM_EIO);
	assert_int_equal(counts_of(file->object).dirty_pages, 1);
	for (unsigned i = 0; i < 4; i++)
		(void)mvm_reclaim(1000);
	assert_int_equal(counts_of(file->object).dirty_pages, 1);
	assert_int_equal(load(AT + PAGE), 'X');
	file->fail_write = 0;
	flush();
	assert_int_equal(file->disk[PAGE], 'X');
}

static void reclaim_takes_clean_pages_and_nothing_changes(void **state)
{
	struct mvm_object_counts counts;

	(void)state;
	map_at(AT, PAGES, MVM_MAP_SHARED, 0);
	for (unsigned i = 0; i < PAGES; i++)
		load(AT + i * PAGE);
	store(AT + 9 * PAGE, 'X');
	while (mvm_reclaim(1000) > 0)
		;
	mvm_object_counts(file->object, &counts);
	assert_int_equal(counts.cached_pages, 0);
	assert_int_equal(posix_mapped(space), 0);
	assert_int_equal(load(AT + 9 * PAGE), 'X');
	assert_int_equal(load(AT + 10 * PAGE), 'k');
}

static void a_held_page_stays(void **state)
{
	struct mvm_hold hold;
	size_t done;

	(void)state;
	map_at(AT, 8, MVM_MAP_SHARED, 0);
	assert_int_equal(mvm_hold(space, AT + PAGE, MVM_READ, &hold), 0);
	for (unsigned i = 0; i < 4; i++)
		(void)mvm_reclaim(1000);
	mvm_pc_invalidate(file->object, 0, PAGES);
	assert_int_equal(test_file_write(file, PAGE, "W", 1, &done), 0);
	assert_int_equal(*(char *)posix_frame_data(hold.frame), 'W');
	assert_int_equal(mvm_release(&hold), 0);
}

/* What I/O stores into a held page after write-back has taken it is written, too. */
static void a_page_held_for_writing_ends_dirty(void **state)
{
	struct mvm_hold hold;

	(void)state;
	map_at(AT, 8, MVM_MAP_SHARED, 0);
	assert_int_equal(mvm_hold(space, AT + PAGE, MVM_WRITE, &hold), 0);
	assert_int_equal(counts_of(file->object).dirty_pages, 1);
	flush();
	assert_int_equal(counts_of(file->object).dirty_pages, 0);
	*(char *)posix_frame_data(hold.frame) = 'I';
	assert_int_equal(mvm_release(&hold), 0);
	assert_int_equal(counts_of(file->object).dirty_pages, 1);
	flush();
	assert_int_equal(file->disk[PAGE], 'I');

	assert_int_equal(mvm_hold(space, AT + PAGE, MVM_WRITE, &hold), 0);
	flush();
	file->fail_reserve = 1;
	file->fail_with = -MVM_ENOSPC;
	assert_int_equal(mvm_release(&hold), -MVM_ENOSPC);
	assert_int_equal(mvm_hold(space, AT, MVM_READ, &hold), 0);
	assert_int_equal(mvm_release(&hold), 0);
	assert_int_equal(counts_of(file->object).dirty_pages, 0);
}

/* A child gets its own copy of what is held for I/O at once: the I/O is the parent's. */
static void fork_copies_what_is_held(void **state)
{
	struct mvm_map m = {.addr = AT,
		.bytes = 4 * PAGE,
		.rights = 3,
		.max_rights = 7,
		.flags = MVM_MAP_FIXED};
	struct mvm_hold hold;
	char byte;

	(void)state;
	assert_int_equal(mvm_map(space, &m), 0);
	store(AT, 'p');
	assert_int_equal(mvm_hold(space, AT, MVM_WRITE, &hold), 0);
	fork_child();
	*(char *)posix_frame_data(hold.frame) = 'd';
	assert_int_equal(mvm_release(&hold), 0);
	assert_int_equal(load(AT), 'd');
	store(AT + 1, 'q');
	assert_int_equal(load(AT), 'd');
	assert_int_equal(posix_load(child, AT, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(byte, 'p');
	end_child();
}

static void shared_memory_is_shared_over_fork(void **state)
{
	struct mvm_map m = {.addr = AT,
		.bytes = 4 * PAGE,
		.rights = 3,
		.max_rights = 7,
		.flags = MVM_MAP_FIXED | MVM_MAP_SHARED};
	char byte = 'c';

	(void)state;
	assert_int_equal(mvm_object_new_shared_anon(4 * PAGE, &m.object), 0);
	assert_int_equal(mvm_map(space, &m), 0);
	mvm_object_unref(m.object);
	store(AT, 'p');
	fork_child();
	assert_int_equal(posix_store(child, AT + 1, &byte, 1), MVM_FAULT_OK);
	store(AT + 2, 'q');
	assert_int_equal(load(AT + 1), 'c');
	assert_int_equal(posix_load(child, AT + 2, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(byte, 'q');
	(void)mvm_reclaim(1000);
	assert_int_equal(load(AT), 'p'); /* it has no other place */
	end_child();
}

static void a_doomed_file_goes_unwritten(void **state)
{
	(void)state;
	map_at(AT, 8, MVM_MAP_SHARED, 0);
	store(AT, 'X');
	mvm_object_doom(file->object);
	assert_int_equal(load(AT), 'X');
	assert_int_equal(mvm_unmap(space, AT, 8 * PAGE), 0);
	mvm_object_unref(file->object);
	assert_int_equal(file->released, 1);
	assert_int_equal(file->written_pages, 0);
	assert_false(mvm_object_size(file->object) == 0);
	assert_true(mvm_object_ref(file->object)); /* from zero: for test_file_free() */
	file->released = 0;
}

/* --- write(fd, a mapping of the same page of the same file) ----------------------------------- */

struct user_copy {
	struct mvm_copy copy;
	mvm_vaddr_t va;
	unsigned prefaults;
};

static size_t from_user(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	return posix_try_load(space, ((struct user_copy *)c)->va + done, kernel, n);
}

static int prefault(struct mvm_copy *c, size_t done, size_t n)
{
	struct user_copy *u = (struct user_copy *)c;

	u->prefaults++;
	return mvm_prefault(space, u->va + done, n ? 1 : 0, MVM_READ);
}

static void write_from_a_mapping_of_the_same_page(void **state)
{
	struct user_copy u = {.copy = {from_user, prefault}, .va = AT};
	size_t done;

	(void)state;
	map_at(AT, 8, MVM_MAP_SHARED, 0);
	assert_int_equal(mvm_pc_write(file->object, 2048, 100, &u.copy, &done), 0);
	assert_int_equal(done, 100);
	assert_true(u.prefaults > 0);
	assert_int_equal(read_byte(2048), 'a');
	u.va = 0x100000; /* nothing there */
	assert_int_equal(mvm_pc_write(file->object, 0, PAGE, &u.copy, &done), -MVM_EFAULT);
	assert_int_equal(done, 0);
	assert_int_equal(read_byte(0), 'a');
}

static int no_prefault(struct mvm_copy *c, size_t done, size_t n)
{
	(void)c, (void)done, (void)n;
	return -MVM_EFAULT;
}

static void a_write_cut_short_grows_by_what_it_says(void **state)
{
	struct user_copy u = {.copy = {from_user, no_prefault}, .va = AT + PAGE - 100};
	size_t done;

	(void)state;
	map_at(AT, 1, 0, 0);
	(void)load(AT);
	assert_int_equal(mvm_pc_truncate(file->object, 4 * PAGE), 0);
	test_file_free_blocks(file, 4 * PAGE);
	assert_int_equal(mvm_pc_write(file->object, 4 * PAGE, PAGE, &u.copy, &done), -MVM_EFAULT);
	assert_int_equal(mvm_object_size(file->object), 4 * PAGE + done);
}

static void sequential_misses_read_ahead(void **state)
{
	char bytes[PAGE];
	size_t done;

	(void)state;
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(test_file_read(file, i * PAGE, bytes, PAGE, &done), 0);
	assert_int_equal(file->filled_pages, PAGES);
	assert_true(file->fills <= 6);
	mvm_pc_invalidate(file->object, 0, PAGES);
	file->fills = file->filled_pages = 0;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(test_file_read(file, (50 - 5 * i) * PAGE, bytes, 1, &done), 0);
	assert_int_equal(file->filled_pages, 8);
}

/* Four readers, each with its own part of the file, take turns. */
static void interleaved_sequences_read_ahead(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PAGES / 4; i++)
		for (unsigned reader = 0; reader < 4; reader++)
			read_byte((uint64_t)(reader * (PAGES / 4) + i) * PAGE);
	assert_int_equal(file->filled_pages, PAGES);
	assert_true(
		file->fills <= 4 * 5); /* 1, 4, 8, and the rest; one stands for the others' end */
}

static void a_punched_hole_is_zero(void **state)
{
	(void)state;
	map_at(AT, 8, MVM_MAP_SHARED, 0);
	store(AT + 3 * PAGE, 'X');
	assert_int_equal(mvm_pc_punch(file->object, 2 * PAGE + 10, 5 * PAGE + 20, NULL), 0);
	memset(file->disk + 3 * PAGE, 0, 2 * PAGE);
	assert_int_equal(load(AT + 2 * PAGE + 9), 'c');
	assert_int_equal(load(AT + 2 * PAGE + 10), 0);
	assert_int_equal(load(AT + 3 * PAGE), 0);
	assert_int_equal(load(AT + 5 * PAGE + 19), 0);
	assert_int_equal(load(AT + 5 * PAGE + 20), 'f');
}

static int map_shared(unsigned max_rights)
{
	struct mvm_map m = {
		.addr = AT,
		.bytes = 4 * PAGE,
		.rights = MVM_READ,
		.max_rights = max_rights,
		.flags = MVM_MAP_FIXED | MVM_MAP_SHARED,
		.object = file->object,
	};

	return mvm_map(space, &m);
}

/* Also one that may only become writable, and each part of what is left of it, counts. */
static void a_frozen_object_has_no_writers(void **state)
{
	(void)state;
	assert_int_equal(map_shared(MVM_RWX), 0);
	assert_int_equal(mvm_object_freeze(file->object), -MVM_EBUSY);
	fork_child();
	assert_int_equal(mvm_unmap(space, AT, 4 * PAGE), 0);
	assert_int_equal(mvm_object_freeze(file->object), -MVM_EBUSY);
	assert_int_equal(mvm_unmap(child, AT + PAGE, PAGE), 0);
	assert_int_equal(mvm_unmap(child, AT + 2 * PAGE, 2 * PAGE), 0);
	assert_int_equal(mvm_object_freeze(file->object), -MVM_EBUSY);
	mvm_check();
	end_child();
	assert_int_equal(mvm_object_freeze(file->object), 0);
	assert_int_equal(map_shared(MVM_RWX), -MVM_EPERM);
	assert_int_equal(map_shared(MVM_READ | MVM_EXEC), 0);
	assert_int_equal(mvm_protect(space, AT, PAGE, MVM_READ | MVM_WRITE), -MVM_EACCES);
	map_at(OTHER, 4, 0, 0); /* a private one is none */
	store(OTHER, 'p');
	assert_int_equal(load(AT), 'a');
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_map_reads_and_takes_nothing),
		CASE(only_dirty_pages_are_written),
		CASE(unmap_writes_nothing_and_loses_nothing),
		CASE(mappings_read_and_write_agree),
		CASE(private_stores_stay_private),
		CASE(past_the_size_is_bus),
		CASE(stores_behind_the_end_vanish),
		CASE(stores_behind_the_end_do_not_reach_the_medium),
		CASE(a_write_over_the_end_zeroes_the_gap),
		CASE(truncate_takes_mappings_away),
		CASE(no_space_is_said_at_the_store),
		CASE(a_store_to_what_is_placed_asks_for_nothing),
		CASE(what_was_placed_may_be_refused),
		CASE(a_dirty_page_is_asked_for_when_the_file_grows),
		CASE(an_unreadable_page_is_bus_until_it_can_be_read),
		CASE(a_failed_write_keeps_its_pages),
		CASE(reclaim_takes_clean_pages_and_nothing_changes),
		CASE(a_held_page_stays),
		CASE(a_page_held_for_writing_ends_dirty),
		CASE(fork_copies_what_is_held),
		CASE(shared_memory_is_shared_over_fork),
		CASE(a_doomed_file_goes_unwritten),
		CASE(write_from_a_mapping_of_the_same_page),
		CASE(a_write_cut_short_grows_by_what_it_says),
		CASE(sequential_misses_read_ahead),
		CASE(interleaved_sequences_read_ahead),
		CASE(a_punched_hole_is_zero),
		CASE(a_frozen_object_has_no_writers),
	};

	return fixture_main(2000, tests);
}
