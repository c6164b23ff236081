// SPDX-License-Identifier: MIT
/*
 * What a thread that must die gives up: waits for a pager that takes its time, which end, too, when
 * the answer comes, from another thread; and calls that would go on over many pages without a wait.
 *
 * The pager answers when it is told.  A thread that is to die need not be met asleep: a wait of a
 * dying thread that can be given up ends at once, any other hangs, and the test with it.
 */
#include "posix.h"

#include <mm/pagecache.h>
#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#define PAGE  MVM_PAGE_BYTES
#define PAGES 8
#define AT    ((mvm_vaddr_t)0x400000)
#define RW    (MVM_READ | MVM_WRITE)

/* --- A pager that answers when it is told ----------------------------------------------------- */

/* What it was asked and has not answered yet; one at a time is enough here. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t asked;
	bool late;        /* else it answers at once */
	bool open, write; /* a question, and of which kind */
	mvm_pgoff_t index;
	unsigned n;
} pager = {.mutex = PTHREAD_MUTEX_INITIALIZER, .asked = PTHREAD_COND_INITIALIZER};

static int ask(mvm_pgoff_t index, unsigned n, bool write)
{
	int answer = 0;

	pthread_mutex_lock(&pager.mutex);
	if (pager.late) {
		pager.open = true;
		pager.write = write;
		pager.index = index;
		pager.n = n;
		answer = MVM_PENDING;
		pthread_cond_broadcast(&pager.asked);
	}
	pthread_mutex_unlock(&pager.mutex);
	return answer;
}

static int fill(struct mvm_object *obj, mvm_pgoff_t index, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		memset(posix_frame_data(mvm_object_frame(obj, index + i)), 'a' + (int)(index + i),
			PAGE);
	return ask(index, n, false);
}

static int write_run(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, unsigned flags)
{
	(void)obj, (void)flags;
	return ask(index, n, true);
}

static const struct mvm_pager_ops ops = {.fill = fill, .write = write_run};

static struct mvm_object *object;
static struct mvm_space *space;

/* Answer the question that is open. */
static void answer(int err)
{
	bool open, write;

	pthread_mutex_lock(&pager.mutex);
	open = pager.open;
	write = pager.write;
	pager.open = false;
	pthread_mutex_unlock(&pager.mutex);
	assert_true(open);
	if (write)
		mvm_write_done(object, pager.index, pager.n, err);
	else
		mvm_fill_done(object, pager.index, pager.n, err);
}

static void wait_asked(void)
{
	pthread_mutex_lock(&pager.mutex);
	while (!pager.open)
		pthread_cond_wait(&pager.asked, &pager.mutex);
	pthread_mutex_unlock(&pager.mutex);
}

/* --- The tests -------------------------------------------------------------------------------- */

static void dying(bool on)
{
	posix_kill(posix_hart(), on);
}

static int set_up(void **state)
{
	struct mvm_map m = {
		.addr = AT,
		.bytes = PAGES * PAGE,
		.rights = RW,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED | MVM_MAP_SHARED,
	};

	(void)state;
	pager.late = true;
	if (mvm_object_new(&ops, NULL, PAGES * PAGE, &object) != 0 ||
		mvm_space_new(0x1000, (mvm_vaddr_t)1 << 38, &space) != 0)
		return -1;
	m.object = object;
	return mvm_map(space, &m);
}

static int tear_down(void **state)
{
	(void)state;
	posix_die_when_asked(0);
	dying(false);
	pager.late = false;
	mvm_check();
	mvm_space_unref(space);
	mvm_object_unref(object);
	return 0;
}

static size_t copy_byte(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	(void)c, (void)kernel, (void)done;
	return n;
}

/* Page 0 is BUSY: its fill is asked for and not answered. */
static void begin_fill(void)
{
	mvm_pc_readahead(object, 0, 1);
	assert_true(pager.open);
}

static void waits_for_a_fill_can_be_given_up(void **state)
{
	struct mvm_copy copy = {.copy = copy_byte};
	struct mvm_hold hold;
	uint8_t byte;
	size_t done;

	(void)state;
	dying(true);
	/* The one that asks: the first fault; then those that find the page BUSY. */
	assert_int_equal(mvm_fault(space, AT, MVM_READ), MVM_FAULT_KILLED);
	assert_true(pager.open);
	assert_int_equal(mvm_fault(space, AT, MVM_WRITE), MVM_FAULT_KILLED);
	assert_int_equal(mvm_prefault(space, AT, 1, MVM_READ), -MVM_EINTR);
	assert_int_equal(mvm_hold(space, AT, MVM_READ, &hold), -MVM_EINTR);
	assert_int_equal(mvm_space_read(space, AT, &byte, 1), -MVM_EINTR);
	assert_int_equal(mvm_pc_read(object, 0, 1, &copy, &done), -MVM_EINTR);
	assert_int_equal(mvm_pc_write(object, 0, 1, &copy, &done), -MVM_EINTR);
	assert_int_equal(mvm_pc_touch_read(object, 0, &byte), -MVM_EINTR);
	assert_int_equal(mvm_advise(space, AT, PAGE, MVM_ADVISE_POPULATE_READ), -MVM_EINTR);
	assert_int_equal(mvm_mlock(space, AT, PAGE, false), -MVM_EINTR);
	assert_int_equal(mvm_mlockall(space, MVM_LOCK_CURRENT), 0);
	answer(0);
	dying(false);
	assert_int_equal(mvm_fault(space, AT, MVM_READ), MVM_FAULT_OK);
}

static void a_cut_of_busy_pages_can_be_given_up(void **state)
{
	(void)state;
	begin_fill();
	dying(true);
	assert_int_equal(mvm_pc_truncate(object, 0), -MVM_EINTR);
	assert_int_equal(mvm_pc_truncate(object, 1), -MVM_EINTR);
	assert_int_equal(mvm_pc_punch(object, 0, PAGE, NULL), -MVM_EINTR);
	assert_int_equal(mvm_pc_punch(object, 1, PAGE, NULL), -MVM_EINTR);
	assert_int_equal(mvm_object_size(object), PAGES * PAGE);
	answer(0);
	assert_int_equal(mvm_pc_truncate(object, 0), 0);
	assert_int_equal(mvm_object_size(object), 0);
}

/* Page 0 is under WRITEBACK. */
static void begin_write(void)
{
	pager.late = false;
	assert_int_equal(posix_store(space, AT, "x", 1), MVM_FAULT_OK);
	pager.late = true;
	assert_int_equal(mvm_pc_flush(object, 0, 0, 0), 0);
	assert_true(pager.open);
}

static void waits_for_a_write_can_be_given_up(void **state)
{
	(void)state;
	begin_write();
	dying(true);
	assert_int_equal(mvm_sync(space, AT, PAGE, MVM_SYNC_WAIT, NULL), -MVM_EINTR);
	assert_int_equal(mvm_pc_flush(object, 0, 0, MVM_PC_WAIT), -MVM_EINTR);
	assert_int_equal(mvm_pc_truncate(object, 0), -MVM_EINTR);
	/* It blocks neither loads nor stores: */
	assert_int_equal(posix_store(space, AT, "y", 1), MVM_FAULT_OK);
	/* DIRTY beside WRITEBACK: to be written again, after this write. */
	assert_int_equal(mvm_sync(space, AT, PAGE, MVM_SYNC_WAIT, NULL), -MVM_EINTR);
	answer(0);
	pager.late = false;
	assert_int_equal(mvm_sync(space, AT, PAGE, MVM_SYNC_WAIT, NULL), 0);
}

/* A thread that waits while the answer, or its end, comes. */
struct waiter {
	pthread_t thread;
	unsigned hart;
	enum mvm_fault_result result;
	int err;
	bool sync;
};

static void *wait_in_it(void *arg)
{
	struct waiter *w = arg;

	__atomic_store_n(&w->hart, posix_hart(), __ATOMIC_RELEASE);
	if (w->sync)
		w->err = mvm_sync(space, AT, PAGE, MVM_SYNC_WAIT, NULL);
	else
		w->result = mvm_fault(space, AT, MVM_READ);
	return NULL;
}

static void start(struct waiter *w, bool sync)
{
	*w = (struct waiter){.sync = sync};
	assert_int_equal(pthread_create(&w->thread, NULL, wait_in_it, w), 0);
	wait_asked();
}

static void end(struct waiter *w)
{
	assert_int_equal(pthread_join(w->thread, NULL), 0);
}

static void answers_come_from_another_thread(void **state)
{
	struct waiter w;
	char byte;

	(void)state;
	start(&w, false);
	answer(0);
	end(&w);
	assert_int_equal(w.result, MVM_FAULT_OK);
	pager.late = false;
	assert_int_equal(posix_load(space, AT, &byte, 1), MVM_FAULT_OK);
	assert_int_equal(byte, 'a');
	assert_int_equal(posix_store(space, AT, "x", 1), MVM_FAULT_OK);
	pager.late = true;
	start(&w, true);
	answer(0);
	end(&w);
	assert_int_equal(w.err, 0);
}

static void failures_come_from_another_thread(void **state)
{
	struct mvm_object_counts counts;
	struct waiter w;

	(void)state;
	start(&w, false);
	answer(-MVM_EIO); /* of a run; the page alone is asked for once more */
	wait_asked();
	answer(-MVM_EIO);
	end(&w);
	assert_int_equal(w.result, MVM_FAULT_BUS);
	pager.late = false;
	assert_int_equal(posix_store(space, AT, "x", 1), MVM_FAULT_OK);
	pager.late = true;
	start(&w, true);
	answer(-MVM_EIO);
	end(&w);
	assert_int_equal(w.err, -MVM_EIO);
	mvm_object_counts(object, &counts);
	assert_int_equal(counts.dirty_pages, 1);
	pager.late = false;
	assert_int_equal(mvm_pc_flush(object, 0, 0, MVM_PC_WAIT), 0);
}

static void a_sleeper_is_woken_to_die(void **state)
{
	struct waiter w;

	(void)state;
	start(&w, false);
	posix_kill(__atomic_load_n(&w.hart, __ATOMIC_ACQUIRE), true);
	end(&w);
	posix_kill(w.hart, false);
	assert_int_equal(w.result, MVM_FAULT_KILLED);
	answer(0);
}

/* --- Long calls without a wait ---------------------------------------------------------------- */

#define FAR  ((mvm_vaddr_t)0x40000000)
#define MANY 1024

/* The thread dies when it is asked for the third time: what has it made by then? */
static void begin_to_ask(void)
{
	dying(false);
	posix_die_when_asked(3);
}

static uint64_t faults(void)
{
	struct mvm_space_stats stats;

	mvm_space_stats(space, &stats);
	return stats.faults;
}

/* Pages of anonymous memory. */
static int map_far(unsigned pages, unsigned rights, unsigned flags, mvm_vaddr_t at)
{
	struct mvm_map m = {.addr = at,
		.bytes = pages * PAGE,
		.rights = rights,
		.max_rights = RW,
		.flags = MVM_MAP_FIXED | flags};

	return mvm_map(space, &m);
}

static void prefaulting_ends_with_its_thread(void **state)
{
	uint64_t before;

	(void)state;
	pager.late = false;
	assert_int_equal(map_far(MANY, RW, 0, FAR), 0);
	begin_to_ask();
	assert_int_equal(mvm_prefault(space, FAR, MANY * PAGE, MVM_WRITE), -MVM_EINTR);
	assert_int_equal(faults(), 3); /* a run each */
	begin_to_ask();
	assert_int_equal(mvm_prefault(space, AT, PAGES * PAGE, MVM_READ), -MVM_EINTR);
	assert_int_equal(faults(), 6);
	assert_int_equal(mvm_unmap(space, FAR, MANY * PAGE), 0);
	begin_to_ask();
	assert_int_equal(map_far(MANY, RW, MVM_MAP_POPULATE, FAR), 0);
	assert_int_equal(faults(), 9);
	assert_int_equal(mvm_unmap(space, FAR, MANY * PAGE), 0);
	assert_int_equal(map_far(MANY, RW, 0, FAR), 0);
	begin_to_ask();
	assert_int_equal(
		mvm_advise(space, FAR, MANY * PAGE, MVM_ADVISE_POPULATE_WRITE), -MVM_EINTR);
	assert_int_equal(faults(), 12);
	begin_to_ask();
	assert_int_equal(
		mvm_mlock(space, FAR + MANY / 2 * PAGE, MANY / 2 * PAGE, false), -MVM_EINTR);
	assert_int_equal(faults(), 15);

	/* What one page wants is done, and nobody asks. */
	dying(false);
	posix_die_when_asked(1);
	before = faults();
	assert_int_equal(mvm_prefault(space, FAR + MANY / 2 * PAGE, PAGE, MVM_READ), 0);
	assert_int_equal(faults(), before + 1);
}

static void so_it_does_from_area_to_area(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(map_far(1, i % 2 ? RW : MVM_READ, 0, FAR + i * PAGE), 0);
	begin_to_ask();
	assert_int_equal(mvm_advise(space, FAR, 16 * PAGE, MVM_ADVISE_POPULATE_READ), -MVM_EINTR);
	assert_int_equal(faults(), 3);
	begin_to_ask();
	assert_int_equal(mvm_mlock(space, FAR + 8 * PAGE, 8 * PAGE, false), -MVM_EINTR);
	assert_int_equal(faults(), 6);
}

static void reading_and_writing_end_with_their_thread(void **state)
{
	struct mvm_copy copy = {.copy = copy_byte};
	struct mvm_object_counts counts;
	size_t done;

	(void)state;
	pager.late = false;
	dying(false);
	posix_die_when_asked(1);
	mvm_pc_readahead(object, 0, PAGES);
	mvm_object_counts(object, &counts);
	assert_int_equal(counts.cached_pages, 0);
	begin_to_ask();
	assert_int_equal(mvm_pc_read(object, 5, 7 * PAGE, &copy, &done), -MVM_EINTR);
	assert_int_equal(done, 3 * PAGE - 5);
	begin_to_ask();
	assert_int_equal(mvm_pc_write(object, 5, 7 * PAGE, &copy, &done), -MVM_EINTR);
	assert_int_equal(done, 3 * PAGE - 5);
	dying(false);
	posix_die_when_asked(1);
	assert_int_equal(mvm_pc_read(object, PAGE, PAGE, &copy, &done), 0);
	assert_int_equal(mvm_pc_write(object, PAGE, PAGE, &copy, &done), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(waits_for_a_fill_can_be_given_up),
		CASE(a_cut_of_busy_pages_can_be_given_up),
		CASE(waits_for_a_write_can_be_given_up),
		CASE(answers_come_from_another_thread),
		CASE(failures_come_from_another_thread),
		CASE(a_sleeper_is_woken_to_die),
		CASE(prefaulting_ends_with_its_thread),
		CASE(so_it_does_from_area_to_area),
		CASE(reading_and_writing_end_with_their_thread),
	};

	posix_start(4096);
	if (mvm_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
