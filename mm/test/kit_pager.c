// SPDX-License-Identifier: MIT
#include "kit_pager.h"

#include "kit_between.h"
#include "object.h"
#include "plain.h"
#include "posix.h"

#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define PAGE   ((size_t)MVM_PAGE_BYTES)
#define PAGES  12
#define BYTES  (PAGES * PAGE)
#define LAST   (~(mvm_pgoff_t)0)
#define LOW    ((mvm_vaddr_t)0x100000)
#define RANDOM 4000

static struct kit_pager *kit;
static struct mvm_object *obj;
static size_t reserved_before;
static uint64_t first_seed, seed;

static unsigned draw(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % below;
}

static size_t reserved(void)
{
	return kit->reserved ? kit->reserved(kit, obj) - reserved_before : 0;
}

/* --- Short forms ------------------------------------------------------------------------------ */

/* How many bytes were read: up to the size. */
static size_t read_at(uint64_t offset, void *to, size_t n)
{
	size_t done;

	assert_int_equal(plain_read(obj, offset, to, n, &done), 0);
	return done;
}

static void write_at(uint64_t offset, const void *from, size_t n)
{
	size_t done;

	assert_int_equal(plain_write(obj, offset, from, n, &done), 0);
	assert_int_equal(done, n);
}

static void store(uint64_t offset, uint8_t byte)
{
	assert_int_equal(mvm_pc_touch_write(obj, offset, byte), 0);
}

static uint8_t load(uint64_t offset)
{
	uint8_t byte = 0;

	assert_int_equal(mvm_pc_touch_read(obj, offset, &byte), 0);
	return byte;
}

static void flush(void)
{
	assert_int_equal(mvm_pc_flush(obj, 0, LAST, MVM_PC_WAIT), 0);
}

static void resize(uint64_t bytes)
{
	int err = kit->resize ? kit->resize(kit, obj, bytes) : mvm_pc_truncate(obj, bytes);

	assert_int_equal(err, 0);
	assert_int_equal(mvm_object_size(obj), bytes);
}

/* Out of the cache with what is clean: the pager is asked for it again. */
static void forget(void)
{
	mvm_pc_invalidate(obj, 0, LAST);
}

static struct mvm_object_counts counts(void)
{
	struct mvm_object_counts c;

	mvm_object_counts(obj, &c);
	return c;
}

static void inject(enum mvm_faulty_call call, int error, bool later)
{
	const struct mvm_faulty_rule rule = {
		.when = error || later ? MVM_FAULTY_FROM : MVM_FAULTY_NEVER,
		.nth = 1,
		.last = LAST,
		.error = error,
		.later = later,
	};

	mvm_faulty_set(&kit_faulty, call, &rule);
}

static void mend(enum mvm_faulty_call call)
{
	inject(call, 0, false);
}

static void expect_zeros(uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to; at += at + 61 < to ? 61 : 1)
		assert_int_equal(load(at), 0);
}

/* --- The kit's tests -------------------------------------------------------------------------- */

static void open_object(uint64_t bytes)
{
	obj = kit->open(kit, bytes);
	reserved_before = kit->reserved ? kit->reserved(kit, obj) : 0;
	kit_stand_between(obj, reserved);
}

/* Whatever the test did: no promise stays, release() was called once for the one reference. */
static void close_object(void)
{
	const struct mvm_pager_ops *pager = kit_between.pager;

	resize(0);
	assert_int_equal(reserved(), 0);
	assert_int_equal(counts().cached_pages, 0);
	assert_int_equal(kit_between.releases, 0);
	if (!pager->release) {
		kit->close(kit, obj); /* mm destroys it, by way of the kit */
		assert_int_equal(kit_between.releases, 1);
		return;
	}
	mvm_object_ref(obj);
	mvm_object_unref(obj);
	assert_int_equal(kit_between.releases, 0);
	obj->ops = pager;
	kit->close(kit, obj);
}

static int set_up(void **state)
{
	(void)state;
	seed = first_seed;
	open_object(BYTES);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close_object();
	mvm_check();
	return 0;
}

static void holes_are_zero(void **state)
{
	char bytes[PAGE];
	uint8_t byte;

	(void)state;
	resize(4 * PAGE + 100);
	expect_zeros(0, 4 * PAGE + 100);
	assert_int_equal(read_at(4 * PAGE, bytes, PAGE), 100);
	assert_int_equal(read_at(5 * PAGE, bytes, PAGE), 0);
	assert_int_equal(mvm_pc_touch_read(obj, 5 * PAGE, &byte), -MVM_EFAULT);
	assert_int_equal(counts().dirty_pages, 0);
	assert_int_equal(reserved(), 0);
	assert_true(kit_between.fills > 0);
}

static void what_was_written_comes_back(void **state)
{
	static char wrote[3 * MVM_PAGE_BYTES], read[sizeof wrote];

	(void)state;
	for (size_t i = 0; i < sizeof wrote; i++)
		wrote[i] = (char)(i * 7 + i / 251);
	write_at(PAGE + 77, wrote, sizeof wrote);
	for (unsigned round = 0; round < 2; round++) {
		memset(read, 0, sizeof read);
		assert_int_equal(read_at(PAGE + 77, read, sizeof read), sizeof read);
		assert_memory_equal(read, wrote, sizeof read);
		expect_zeros(0, PAGE + 77);
		expect_zeros(PAGE + 77 + sizeof wrote, BYTES);
		flush();
		assert_int_equal(counts().dirty_pages, kit->keeps ? 0 : 4);
		forget();
		assert_int_equal(counts().cached_pages, kit->keeps ? 0 : 4);
	}
}

/* What a mapping stored behind the end, and what was cut off, is not there when the size grows. */
static void growth_shows_zeros(void **state)
{
	(void)state;
	for (unsigned evict = 0; evict < 2; evict++) {
		resize(PAGE + 10);
		store(PAGE + 9, 1);
		store(PAGE + 2000, 2);
		if (evict) {
			flush();
			forget();
		}
		resize(3 * PAGE);
		assert_int_equal(load(PAGE + 9), 1);
		expect_zeros(PAGE + 10, 3 * PAGE);
		store(PAGE + 11, 3);
		store(2 * PAGE + 5, 4);
		if (evict)
			flush();
		resize(PAGE + 10);
		if (evict)
			forget();
		resize(3 * PAGE);
		expect_zeros(PAGE + 10, 3 * PAGE);
	}
}

/* Made with a page's first store, used up by its write, returned when it goes unwritten. */
static void promises_balance(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		store(i * PAGE, 1);
	assert_int_equal(counts().dirty_pages, 4);
	store(3, 2);
	if (kit->reserved)
		assert_int_equal(reserved(), 4);
	flush();
	assert_int_equal(reserved(), 0);
	store(0, 3);
	store(5 * PAGE, 3);
	resize(PAGE);
	if (kit->reserved)
		assert_int_equal(reserved(), 1);
	resize(0);
	assert_int_equal(reserved(), 0);
	assert_int_equal(counts().dirty_pages, 0);
}

/* -MVM_EAGAIN: mm lets go of everything, has it settled, and asks again. */
static void settled_and_asked_again(void **state)
{
	(void)state;
	assert_non_null(kit_between.ops.make_writable);
	kit_between.ask_again = true;
	store(2 * PAGE, 7);
	assert_int_equal(kit_between.settles, 1);
	assert_int_equal(load(2 * PAGE), 7);
	kit_between.ask_again = true;
	write_at(PAGE, "abc", 3);
	assert_int_equal(kit_between.settles, 2);
	assert_int_equal(load(PAGE), 'a');
}

/* A store during a page's write belongs to the next write, which must come. */
static void a_store_meanwhile_is_written_too(void **state)
{
	(void)state;
	store(PAGE, 1);
	kit_between.store_into = 1;
	assert_int_equal(mvm_pc_flush(obj, 0, LAST, 0), 0);
	assert_int_equal(kit_between.store_into, -1);
	assert_int_equal(counts().dirty_pages, 1);
	flush();
	assert_int_equal(counts().dirty_pages, 0);
	assert_int_equal(reserved(), 0);
	if (kit->keeps) {
		forget();
		assert_int_equal(load(PAGE), 99);
	}
}

static void a_failed_fill_leaves_nothing(void **state)
{
	uint8_t byte;

	(void)state;
	store(PAGE, 1);
	flush();
	forget();
	inject(MVM_FAULTY_FILL, -MVM_EIO, false);
	assert_int_equal(mvm_pc_touch_read(obj, 3 * PAGE, &byte), -MVM_EIO);
	assert_int_equal(mvm_pc_touch_write(obj, 3 * PAGE, 1), -MVM_EIO);
	assert_int_equal(counts().cached_pages, kit->keeps ? 0 : 1);
	mend(MVM_FAULTY_FILL);
	assert_int_equal(load(PAGE), 1);
	assert_int_equal(load(3 * PAGE), 0);
	assert_true(mvm_faulty_picked(&kit_faulty, MVM_FAULTY_FILL) >= 2);
}

static void a_failed_promise_is_an_error_of_the_store(void **state)
{
	static const int errors[] = {-MVM_ENOSPC, -MVM_EIO};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		inject(MVM_FAULTY_MAKE_WRITABLE, errors[i], false);
		assert_int_equal(mvm_pc_touch_write(obj, 2 * PAGE, 1), errors[i]);
		assert_int_equal(counts().dirty_pages, 0);
		assert_int_equal(reserved(), 0);
	}
	inject(MVM_FAULTY_MAKE_WRITABLE, -MVM_EAGAIN, false);
	inject(MVM_FAULTY_SETTLE, -MVM_ENOSPC, false);
	assert_int_equal(mvm_pc_touch_write(obj, 2 * PAGE, 1), -MVM_ENOSPC);
	mend(MVM_FAULTY_SETTLE);
	mend(MVM_FAULTY_MAKE_WRITABLE);
	assert_int_equal(load(2 * PAGE), 0);
	store(2 * PAGE, 1);
}

/* Dirty again, promised still, and not lost. */
static void a_failed_write_loses_nothing(void **state)
{
	(void)state;
	store(0, 1);
	store(PAGE, 2);
	inject(MVM_FAULTY_WRITE, -MVM_EIO, false);
	assert_int_equal(mvm_pc_flush(obj, 0, LAST, MVM_PC_WAIT), -MVM_EIO);
	assert_int_equal(counts().dirty_pages, 2);
	forget();
	assert_int_equal(load(0), 1);
	assert_int_equal(load(PAGE), 2);
	mend(MVM_FAULTY_WRITE);
	flush();
	assert_int_equal(counts().dirty_pages, 0);
	assert_int_equal(reserved(), 0);
	forget();
	if (kit->keeps)
		assert_int_equal(load(PAGE), 2);
}

/* MVM_PENDING: what is late is BUSY or under WRITEBACK until it is answered, well or badly. */
static void late_answers(void **state)
{
	(void)state;
	inject(MVM_FAULTY_FILL, 0, true);
	mvm_pc_readahead(obj, 0, 4);
	assert_int_equal(counts().cached_pages, 4);
	assert_int_equal(mvm_faulty_answer(&kit_faulty), 1);
	mend(MVM_FAULTY_FILL);
	expect_zeros(0, 4 * PAGE);
	inject(MVM_FAULTY_FILL, -MVM_EIO, true);
	mvm_pc_readahead(obj, 4, 4);
	assert_int_equal(mvm_faulty_answer(&kit_faulty), 1);
	assert_int_equal(counts().cached_pages, 4);
	mend(MVM_FAULTY_FILL);
	store(PAGE, 8);
	if (!kit_between.ops.write)
		return;
	for (int error = -MVM_EIO; error <= 0; error += MVM_EIO) {
		inject(MVM_FAULTY_WRITE, error, true);
		assert_int_equal(mvm_pc_flush(obj, 0, LAST, 0), 0);
		assert_int_equal(counts().writeback_pages, 1);
		assert_int_equal(load(PAGE), 8);
		assert_int_equal(mvm_faulty_answer(&kit_faulty), 1);
		assert_int_equal(counts().writeback_pages, 0);
		assert_int_equal(counts().dirty_pages, error ? 1 : 0);
	}
	mend(MVM_FAULTY_WRITE);
	assert_int_equal(reserved(), 0);
}

/* Two spaces see each other's stores; a private mapping sees none that come after its own. */
static void mapped(void **state)
{
	struct mvm_map m = {
		.bytes = BYTES,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_READ | MVM_WRITE,
		.flags = MVM_MAP_SHARED | MVM_MAP_FIXED,
		.object = obj,
		.addr = LOW,
	};
	struct mvm_space *one, *two;
	char byte = 'a';

	(void)state;
	assert_int_equal(mvm_space_new(LOW, LOW << 8, &one), 0);
	assert_int_equal(mvm_space_new(LOW, LOW << 8, &two), 0);
	assert_int_equal(mvm_map(one, &m), 0);
	assert_int_equal(mvm_map(two, &m), 0);
	m.flags = MVM_MAP_FIXED;
	m.addr = LOW + BYTES;
	assert_int_equal(mvm_map(two, &m), 0);
	assert_int_equal(posix_store(one, LOW + PAGE, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(posix_load(two, LOW + PAGE, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(byte, 'a');
	byte = 'b';
	assert_int_equal(posix_store(two, LOW + BYTES + PAGE, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(load(PAGE), 'a');
	inject(MVM_FAULTY_MAKE_WRITABLE, -MVM_ENOSPC, false);
	assert_int_equal(posix_store(one, LOW + 2 * PAGE, &byte, 1), MVM_FAULT_BUS);
	mend(MVM_FAULTY_MAKE_WRITABLE);
	flush();
	byte = 'c';
	assert_int_equal(posix_store(two, LOW + PAGE, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(counts().dirty_pages, 1);
	resize(PAGE);
	assert_int_equal(posix_load(one, LOW + PAGE, &byte, 1), MVM_FAULT_BUS);
	mvm_space_unref(one);
	mvm_space_unref(two);
}

/* --- Random calls against an array of bytes --------------------------------------------------- */

static unsigned char model[BYTES];
static size_t model_bytes;

static void random_write(void)
{
	unsigned char bytes[3 * MVM_PAGE_BYTES];
	size_t at = draw(BYTES), n = 1 + draw(draw(2) ? 100 : sizeof bytes);

	n = at + n > BYTES ? BYTES - at : n;
	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)draw(256);
	write_at(at, bytes, n);
	memcpy(model + at, bytes, n);
	model_bytes = at + n > model_bytes ? at + n : model_bytes;
}

/* Perhaps behind the end, in its page: that is not part of the contents. */
static void random_store(void)
{
	size_t at = draw(BYTES);
	uint8_t byte = (uint8_t)draw(256);

	if (at / PAGE * PAGE >= model_bytes)
		return;
	store(at, byte);
	if (at < model_bytes)
		model[at] = byte;
}

static void random_resize(void)
{
	size_t bytes = draw(3) ? draw(BYTES + 1) : draw(PAGES + 1) * PAGE;

	resize(bytes);
	if (bytes < model_bytes)
		memset(model + bytes, 0, model_bytes - bytes);
	model_bytes = bytes;
}

static void compare(void)
{
	static unsigned char bytes[BYTES];

	assert_int_equal(mvm_object_size(obj), model_bytes);
	assert_int_equal(read_at(0, bytes, BYTES), model_bytes);
	assert_memory_equal(bytes, model, model_bytes);
}

static void random_calls(void **state)
{
	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	memset(model, 0, sizeof model);
	model_bytes = BYTES;
	for (unsigned i = 0; i < RANDOM; i++) {
		switch (draw(10)) {
		case 0:
			random_resize();
			break;
		case 1:
			flush();
			break;
		case 2:
			assert_int_equal(mvm_pc_flush(obj, draw(PAGES), draw(PAGES), 0), 0);
			break;
		case 3:
			forget();
			(void)mvm_reclaim(1 + draw(4));
			break;
		case 4:
		case 5:
		case 6:
			random_store();
			break;
		default:
			random_write();
		}
		if (i % 4 == 0)
			compare();
	}
	flush();
	forget();
	compare();
}

int kit_pager(struct kit_pager *of, uint64_t from_seed)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(holes_are_zero),
		CASE(what_was_written_comes_back),
		CASE(growth_shows_zeros),
		CASE(promises_balance),
		CASE(a_failed_fill_leaves_nothing),
		CASE(a_failed_promise_is_an_error_of_the_store),
		CASE(late_answers),
		CASE(mapped),
		CASE(random_calls),
	};
	const struct CMUnitTest with_a_medium[] = {
		CASE(settled_and_asked_again),
		CASE(a_store_meanwhile_is_written_too),
		CASE(a_failed_write_loses_nothing),
	};
	int failed;

	kit = of;
	first_seed = from_seed;
	failed = cmocka_run_group_tests_name(of->name, tests, NULL, NULL);
	if (of->keeps)
		failed += cmocka_run_group_tests_name(of->name, with_a_medium, NULL, NULL);
	return failed;
}
