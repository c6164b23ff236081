// SPDX-License-Identifier: MIT
/*
 * Pagers that answer late: who waits for a page, a fill or a write waits until the answer, gets
 * what it says, and can be killed meanwhile.  A thread calls, the fault-injecting pager keeps the
 * call, the test answers when it has seen that.
 */
#include "posix.h"

#include "../page.h"

#include <mm/faulty.h>
#include <mm/pagecache.h>
#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define PAGE  MVM_PAGE_BYTES
#define PAGES 8
#define LOW   ((mvm_vaddr_t)0x100000)
#define LAST  (~(mvm_pgoff_t)0)
#define AT    5 /* a page that is filled alone: no sequence begins here */

static struct mvm_faulty faulty;
static struct mvm_object *obj;
static struct mvm_space *space;
static size_t frames;

static void late(enum mvm_faulty_call call, int error)
{
	const struct mvm_faulty_rule rule = {
		.when = MVM_FAULTY_FROM, .nth = 1, .last = LAST, .error = error, .later = true};

	mvm_faulty_set(&faulty, call, &rule);
}

static void in_time(enum mvm_faulty_call call)
{
	mvm_faulty_set(&faulty, call, &(struct mvm_faulty_rule){.when = MVM_FAULTY_NEVER});
}

/* Until the pager has been called so often, and keeps the last call. */
static void wait_picked(enum mvm_faulty_call call, uint64_t n)
{
	while (mvm_faulty_picked(&faulty, call) < n)
		sched_yield();
}

static int set_up(void **state)
{
	struct mvm_map m = {
		.addr = LOW,
		.bytes = PAGES * PAGE,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_READ | MVM_WRITE,
		.flags = MVM_MAP_SHARED | MVM_MAP_FIXED,
	};

	(void)state;
	frames = posix_frames_used();
	mvm_faulty_init(&faulty, NULL);
	assert_int_equal(mvm_object_new(&faulty.ops, NULL, PAGES * PAGE, &obj), 0);
	assert_int_equal(mvm_space_new(LOW, LOW << 8, &space), 0);
	m.object = obj;
	assert_int_equal(mvm_map(space, &m), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mvm_check();
	mvm_space_unref(space);
	mvm_object_unref(obj);
	return posix_frames_used() == frames ? 0 : -1;
}

/* --- Threads that call ------------------------------------------------------------------------ */

struct caller {
	pthread_t thread;
	int (*call)(void);
	int result;
	unsigned hart; /* [a] */
};

static void *run_caller(void *arg)
{
	struct caller *c = arg;

	__atomic_store_n(&c->hart, posix_hart(), __ATOMIC_RELEASE);
	c->result = c->call();
	return NULL;
}

static void start(struct caller *c, int (*call)(void))
{
	*c = (struct caller){.call = call, .hart = ~0u};
	assert_int_equal(pthread_create(&c->thread, NULL, run_caller, c), 0);
}

static int result_of(struct caller *c)
{
	assert_int_equal(pthread_join(c->thread, NULL), 0);
	return c->result;
}

/* Kill the caller, now or in a moment waiting; it comes back and is alive again. */
static int result_when_killed(struct caller *c)
{
	unsigned hart;
	int result;

	while ((hart = __atomic_load_n(&c->hart, __ATOMIC_ACQUIRE)) == ~0u)
		sched_yield();
	posix_kill(hart, true);
	result = result_of(c);
	posix_kill(hart, false);
	return result;
}

static int load(void)
{
	char byte = 1;

	return (int)posix_load(space, LOW + AT * PAGE, &byte, 1);
}

static int store(void)
{
	return (int)posix_store(space, LOW + AT * PAGE, "x", 1);
}

static size_t copy_nothing(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	(void)c, (void)kernel, (void)done;
	return n;
}

static int read_file(void)
{
	struct mvm_copy copy = {.copy = copy_nothing};
	size_t done;

	return mvm_pc_read(obj, AT * PAGE, PAGE, &copy, &done);
}

static int flush(void)
{
	return mvm_pc_flush(obj, 0, LAST, MVM_PC_WAIT);
}

static int truncate(void)
{
	return mvm_pc_truncate(obj, 0);
}

/* --- Fills ------------------------------------------------------------------------------------ */

static void a_fault_waits_for_its_page(void **state)
{
	struct caller one, other;

	(void)state;
	late(MVM_FAULTY_FILL, 0);
	start(&one, load);
	wait_picked(MVM_FAULTY_FILL, 1);
	start(&other, load);
	in_time(MVM_FAULTY_FILL);
	assert_int_equal(mvm_faulty_answer(&faulty), 1);
	assert_int_equal(result_of(&one), MVM_FAULT_OK);
	assert_int_equal(result_of(&other), MVM_FAULT_OK);
}

static void a_late_error_is_a_bus_error(void **state)
{
	struct caller one;

	(void)state;
	late(MVM_FAULTY_FILL, -MVM_EIO);
	start(&one, store);
	wait_picked(MVM_FAULTY_FILL, 1);
	in_time(MVM_FAULTY_FILL);
	assert_int_equal(mvm_faulty_answer(&faulty), 1);
	assert_int_equal(result_of(&one), MVM_FAULT_BUS);
	assert_int_equal(load(), MVM_FAULT_OK);
}

/* Memory was short a moment ago: as if the pager had said so at once. */
static void a_late_want_of_memory_is_tried_again(void **state)
{
	struct caller one;

	(void)state;
	late(MVM_FAULTY_FILL, -MVM_ENOMEM);
	start(&one, load);
	wait_picked(MVM_FAULTY_FILL, 1);
	in_time(MVM_FAULTY_FILL);
	assert_int_equal(mvm_faulty_answer(&faulty), 1);
	assert_int_equal(result_of(&one), MVM_FAULT_OK);
}

/* Whoever began the fill, and whoever came later: both go; the page comes when it comes. */
static void waits_for_a_page_can_be_killed(void **state)
{
	struct caller one, other, reader;

	(void)state;
	late(MVM_FAULTY_FILL, 0);
	start(&one, load);
	wait_picked(MVM_FAULTY_FILL, 1);
	start(&other, store);
	start(&reader, read_file);
	assert_int_equal(result_when_killed(&one), MVM_FAULT_KILLED);
	assert_int_equal(result_when_killed(&other), MVM_FAULT_KILLED);
	assert_int_equal(result_when_killed(&reader), -MVM_EINTR);
	assert_int_equal(mvm_faulty_picked(&faulty, MVM_FAULTY_FILL), 1);
	assert_int_equal(mvm_faulty_answer(&faulty), 1);
	assert_int_equal(load(), MVM_FAULT_OK);
	assert_int_equal(mvm_faulty_picked(&faulty, MVM_FAULTY_FILL), 1);
}

static struct mvm_hold hold;
static struct caller releaser;

static int release(void)
{
	int err = mvm_release(&hold);

	__atomic_store_n(&hold.page, NULL, __ATOMIC_RELEASE);
	return err;
}

/* Somebody waits for the page that is held, or nobody holds it any more. */
static bool release_waits_or_is_over(void)
{
	struct mvm_page *page = __atomic_load_n(&hold.page, __ATOMIC_ACQUIRE);

	return !page || __atomic_load_n(&page->state, __ATOMIC_RELAXED) & PAGE_WAITED;
}

/* The page is BUSY of the write that copies: have a thread that must die release its hold. */
static size_t copy_while_released(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	(void)c, (void)kernel, (void)done;
	start(&releaser, release);
	while (__atomic_load_n(&releaser.hart, __ATOMIC_ACQUIRE) == ~0u)
		sched_yield();
	posix_kill(releaser.hart, true);
	while (!release_waits_or_is_over())
		sched_yield();
	return n;
}

/* Else what was stored through the hold would stay in a clean page, and be lost with it. */
static void a_release_waits_to_its_end(void **state)
{
	struct mvm_copy copy = {.copy = copy_while_released};
	size_t done;

	(void)state;
	assert_int_equal(mvm_hold(space, LOW + AT * PAGE, MVM_WRITE, &hold), 0);
	assert_int_equal(mvm_pc_flush(obj, 0, LAST, MVM_PC_WAIT), 0);
	assert_int_equal(mvm_pc_write(obj, AT * PAGE, 1, &copy, &done), 0);
	assert_int_equal(result_of(&releaser), 0);
	posix_kill(releaser.hart, false);
	assert_int_equal(flush(), 0);
}

/* --- Writes ----------------------------------------------------------------------------------- */

static void a_flush_waits_for_its_writes(void **state)
{
	struct mvm_object_counts counts;
	struct caller one;

	(void)state;
	for (int error = -MVM_EIO; error <= 0; error += MVM_EIO) {
		uint64_t before = mvm_faulty_picked(&faulty, MVM_FAULTY_WRITE);

		assert_int_equal(store(), MVM_FAULT_OK);
		late(MVM_FAULTY_WRITE, error);
		start(&one, flush);
		wait_picked(MVM_FAULTY_WRITE, before + 1);
		assert_int_equal(load(), MVM_FAULT_OK);
		assert_int_equal(mvm_faulty_answer(&faulty), 1);
		assert_int_equal(result_of(&one), error);
		mvm_object_counts(obj, &counts);
		assert_int_equal(counts.dirty_pages, error ? 1 : 0);
	}
	in_time(MVM_FAULTY_WRITE);
}

/* What is being written stays until it is written, and then goes. */
static void truncate_waits_for_writes(void **state)
{
	struct mvm_object_counts counts;
	struct caller one;

	(void)state;
	assert_int_equal(store(), MVM_FAULT_OK);
	late(MVM_FAULTY_WRITE, 0);
	assert_int_equal(mvm_pc_flush(obj, 0, LAST, 0), 0);
	start(&one, truncate);
	mvm_object_counts(obj, &counts);
	assert_int_equal(counts.writeback_pages, 1);
	assert_int_equal(mvm_object_size(obj), PAGES * PAGE);
	assert_int_equal(mvm_faulty_answer(&faulty), 1);
	assert_int_equal(result_of(&one), 0);
	assert_int_equal(load(), MVM_FAULT_BUS);
	mvm_object_counts(obj, &counts);
	assert_int_equal(counts.cached_pages, 0);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_fault_waits_for_its_page),
		CASE(a_late_error_is_a_bus_error),
		CASE(a_late_want_of_memory_is_tried_again),
		CASE(waits_for_a_page_can_be_killed),
		CASE(a_release_waits_to_its_end),
		CASE(a_flush_waits_for_its_writes),
		CASE(truncate_waits_for_writes),
	};

	posix_start(256);
	if (mvm_init() != 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
