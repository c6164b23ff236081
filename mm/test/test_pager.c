// SPDX-License-Identifier: MIT
/*
 * mm's own pagers, and that of the tests, through the kit; and a device, whose pages are never
 * cached.
 */
#include "kit_pager.h"
#include "posix.h"
#include "testfile.h"

#include <mm/faulty.h>
#include <mm/host.h>
#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define PAGE MVM_PAGE_BYTES
#define LOW  ((mvm_vaddr_t)0x100000)

/* --- Shared anonymous memory ------------------------------------------------------------------ */

static struct mvm_object *anon_open(struct kit_pager *kit, uint64_t bytes)
{
	struct mvm_object *obj;

	(void)kit;
	assert_int_equal(mvm_object_new_shared_anon(bytes, &obj), 0);
	return obj;
}

static void just_unref(struct kit_pager *kit, struct mvm_object *obj)
{
	(void)kit;
	mvm_object_unref(obj);
}

static struct kit_pager anon = {
	.name = "anonymous",
	.open = anon_open,
	.close = just_unref,
};

/* --- The file in memory ----------------------------------------------------------------------- */

static struct mvm_object *file_open(struct kit_pager *kit, uint64_t bytes)
{
	(void)kit;
	return test_file_new(64, bytes)->object;
}

static void file_close(struct kit_pager *kit, struct mvm_object *obj)
{
	(void)kit;
	test_file_free(mvm_object_owner(obj));
}

static int file_resize(struct kit_pager *kit, struct mvm_object *obj, uint64_t bytes)
{
	int err = mvm_pc_truncate(obj, bytes);

	(void)kit;
	if (!err)
		test_file_free_blocks(mvm_object_owner(obj), bytes);
	return err;
}

static size_t file_reserved(struct kit_pager *kit, struct mvm_object *obj)
{
	(void)kit;
	return test_file_reserved(mvm_object_owner(obj));
}

static struct kit_pager file = {
	.name = "file in memory",
	.keeps = true,
	.open = file_open,
	.close = file_close,
	.resize = file_resize,
	.reserved = file_reserved,
};

/* The same, but what has been written needs no reservation any more. */
static struct mvm_object *placed_file_open(struct kit_pager *kit, uint64_t bytes)
{
	struct mvm_object *obj = file_open(kit, bytes);

	((struct test_file *)mvm_object_owner(obj))->at_once = true;
	return obj;
}

static struct kit_pager placed_file = {
	.name = "file in memory, written at once where it was",
	.keeps = true,
	.open = placed_file_open,
	.close = file_close,
	.resize = file_resize,
};

/* --- The fault-injecting pager: the kit uses it; here, which calls it picks ------------------- */

static struct mvm_faulty zeros;

static struct mvm_object *zeros_open(struct kit_pager *kit, uint64_t bytes)
{
	struct mvm_object *obj;

	(void)kit;
	mvm_faulty_init(&zeros, NULL);
	assert_int_equal(mvm_object_new(&zeros.ops, NULL, bytes, &obj), 0);
	return obj;
}

static void nth_calls_are_picked(void **state)
{
	struct mvm_faulty_rule rule = {.nth = 3, .first = 2, .last = 5, .error = -MVM_EIO};
	static const struct {
		enum mvm_faulty_when when;
		const char *fate; /* of loads of page 2 after another */
	} cases[] = {
		{MVM_FAULTY_NEVER, "........."},
		{MVM_FAULTY_ONCE, "..x......"},
		{MVM_FAULTY_EVERY, "..x..x..x"},
		{MVM_FAULTY_FROM, "..xxxxxxx"},
	};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct mvm_object *obj = zeros_open(NULL, 8 * PAGE);
		uint64_t picked = 0;

		rule.when = cases[i].when;
		mvm_faulty_set(&zeros, MVM_FAULTY_FILL, &rule);
		for (const char *fate = cases[i].fate; *fate; fate++) {
			uint8_t byte;

			assert_int_equal(
				mvm_pc_touch_read(obj, 6 * PAGE, &byte), 0); /* not counted */
			assert_int_equal(mvm_pc_touch_read(obj, 2 * PAGE, &byte),
				*fate == 'x' ? -MVM_EIO : 0);
			mvm_pc_invalidate(obj, 0, 8);
			picked += *fate == 'x';
		}
		assert_int_equal(mvm_faulty_picked(&zeros, MVM_FAULTY_FILL), picked);
		mvm_object_unref(obj);
	}
}

/* --- A device --------------------------------------------------------------------------------- */

/* Its frames belong to nobody in mm: mapped, never cached, dirty, copied or freed. */
static void a_device(void **state)
{
	mvm_frame_t frame = mvmh_frame_alloc(0);
	struct mvm_map m = {
		.addr = LOW,
		.bytes = 2 * PAGE,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_READ | MVM_WRITE,
		.flags = MVM_MAP_SHARED | MVM_MAP_FIXED,
	};
	struct mvm_object_counts counts;
	struct mvm_space *space, *child;
	struct mvm_stats stats;
	size_t frames;
	char byte = 'd';

	(void)state;
	memset(posix_frame_data(frame), 'z', PAGE);
	frames = posix_frames_used();
	assert_int_equal(mvm_object_new_device(frame, PAGE, &m.object), 0);
	assert_int_equal(mvm_space_new(LOW, LOW << 8, &space), 0);
	assert_int_equal(mvm_map(space, &m), 0);
	assert_int_equal(posix_store(space, LOW + 7, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(((char *)posix_frame_data(frame))[7], 'd');
	assert_int_equal(posix_load(space, LOW + 8, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(byte, 'z');
	assert_int_equal(posix_load(space, LOW + PAGE, &byte, 1), MVM_FAULT_BUS);
	assert_int_equal(mvm_space_fork(space, &child), 0);
	byte = 'e';
	assert_int_equal(posix_store(child, LOW + 9, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(posix_load(space, LOW + 9, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(byte, 'e');
	mvm_object_counts(m.object, &counts);
	assert_int_equal(counts.cached_pages + counts.dirty_pages, 0);
	assert_int_equal(counts.areas, 2);
	mvm_check();
	mvm_space_unref(child);
	mvm_space_unref(space);
	mvm_object_unref(m.object);
	mvm_stats(&stats);
	assert_int_equal(stats.anon_pages, 0);
	assert_int_equal(posix_frames_used(), frames);
	assert_int_equal(((char *)posix_frame_data(frame))[9], 'e');
	mvmh_frame_free(frame, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nth_calls_are_picked),
		cmocka_unit_test(a_device),
	};
	uint64_t seed =
		argc == 3 && strcmp(argv[1], "--seed") == 0 ? strtoull(argv[2], NULL, 0) : 1;

	posix_start(512);
	if (mvm_init() != 0)
		return 2;
	return kit_pager(&anon, seed) + kit_pager(&file, seed) + kit_pager(&placed_file, seed) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
