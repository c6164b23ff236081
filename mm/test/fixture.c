// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <string.h>

struct mvm_space *space, *child;
struct test_file *file;
struct mvm_limits limits;

static size_t frames;

int fixture_set_up(size_t file_pages)
{
	frames = posix_frames_used();
	limits = (struct mvm_limits){
		MVM_NO_LIMIT, MVM_NO_LIMIT, MVM_NO_LIMIT, MVM_NO_LIMIT, MVM_NO_LIMIT};
	file = test_file_new(file_pages, file_pages * PAGE);
	for (size_t i = 0; i < file_pages; i++)
		memset(file->disk + i * PAGE, 'a' + (int)(i % 26), PAGE);
	child = NULL;
	return mvm_space_new(0x1000, (mvm_vaddr_t)1 << 38, &space);
}

int fixture_tear_down(void **state)
{
	struct mvm_stats stats;

	(void)state;
	mvm_check();
	if (child)
		end_child();
	mvm_space_unref(space);
	if (file)
		test_file_free(file);
	mvm_stats(&stats);
	return posix_frames_used() == frames && stats.meta_pages == posix_meta_used() ? 0 : -1;
}

void map_pages(
	mvm_vaddr_t at, size_t pages, unsigned flags, struct mvm_object *obj, mvm_pgoff_t offset)
{
	assert_int_equal(map_fixed(space, at, pages, RW, flags, obj, offset), 0);
}

char load_of(struct mvm_space *of, mvm_vaddr_t va)
{
	char byte = 0;

	assert_int_equal(posix_load(of, va, &byte, 1), MVM_FAULT_OK);
	return byte;
}

void store_to(struct mvm_space *to, mvm_vaddr_t va, char byte)
{
	assert_int_equal(posix_store(to, va, &byte, 1), MVM_FAULT_OK);
}

void fork_child(void)
{
	assert_int_equal(mvm_space_fork(space, &child), 0);
}

void end_child(void)
{
	mvm_space_unref(child);
	child = NULL;
}

void limit(void)
{
	mvm_space_set_limits(space, &limits);
}

struct mvm_space_stats stats_of(struct mvm_space *of)
{
	struct mvm_space_stats s;

	mvm_space_stats(of, &s);
	return s;
}

struct mvm_object_counts counts_of(struct mvm_object *obj)
{
	struct mvm_object_counts counts;

	mvm_object_counts(obj, &counts);
	return counts;
}
