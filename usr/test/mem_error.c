// SPDX-License-Identifier: MIT
// Errors behind a mapping: of the disk when a page is read, of space when it is first stored to, of
// the disk when it is written back. /dev/faulty of debug builds fails on command.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW (PROT_READ | PROT_WRITE)

static int device;

// Opens it, without rules, and maps the first pages of its 64.
static char *map_faulty(size_t pages, int flags)
{
	device = open("/dev/faulty", O_RDWR);
	if (device < 0)
		tap_skip("needs /dev/faulty of debug builds");
	return map(pages * PAGE, RW, flags, device, 0);
}

// From now on ("from") every CALL that touches [first, last] fails with ERROR, or none does
// ("never"); LATER: it waits for "answer" before.
static void rule(const char *call, const char *when, int first, int last, int error, int later)
{
	char line[80];
	int n = snprintf(
		line, sizeof line, "%s %s 1 %d %d %d %d", call, when, first, last, error, later);

	CHECK_EQ(write(device, line, (size_t)n), n);
}

static void answer(void)
{
	CHECK_EQ(write(device, "answer", 6), 6);
}

static void unreadable_page_is_sigbus(void)
{
	char *p = map_faulty(64, MAP_SHARED);

	rule("fill", "from", 40, 40, EIO, 0);
	CHECK_EQ(load(p), 0);
	CHECK_FAULT(try_load(p + 40 * PAGE + 123), SIGBUS, BUS_ADRERR, p + 40 * PAGE + 123);
	CHECK_FAULT(try_store(p + 40 * PAGE + 5), SIGBUS, BUS_ADRERR, p + 40 * PAGE + 5);
	CHECK_NO_FAULT(try_load(p + 63 * PAGE));
}

// What failed is asked for again at the next access.
static void error_that_passes(void)
{
	char *p = map_faulty(64, MAP_PRIVATE);

	rule("fill", "from", 0, 63, EIO, 0);
	CHECK_FAULT(try_load(p + 9), SIGBUS, BUS_ADRERR, p + 9);
	CHECK_FAULT(try_load(p + 9), SIGBUS, BUS_ADRERR, p + 9);
	rule("fill", "never", 0, 63, 0, 0);
	CHECK_NO_FAULT(try_load(p + 9));
	CHECK_NO_FAULT(try_store(p + 9));
}

static void unreadable_page_under_a_system_call(void)
{
	char *p = map_faulty(64, MAP_SHARED);
	int ends[2];

	rule("fill", "from", 40, 40, EIO, 0);
	CHECK_OK(pipe(ends));
	CHECK_ERR(write(ends[1], p + 40 * PAGE, 10), EFAULT);
	CHECK_EQ(write(ends[1], "0123456789", 10), 10);
	CHECK_ERR(read(ends[0], p + 40 * PAGE, 10), EFAULT);
	CHECK_ERR(madvise(p + 40 * PAGE, PAGE, MADV_POPULATE_READ), EFAULT);
}

// No space is known at the store, not when it is too late.
static void no_space_is_sigbus_at_the_store(void)
{
	char *p = map_faulty(64, MAP_SHARED);

	rule("make_writable", "from", 3, 3, ENOSPC, 0);
	CHECK_NO_FAULT(try_load(p + 3 * PAGE));
	CHECK_FAULT(try_store(p + 3 * PAGE + 7), SIGBUS, BUS_ADRERR, p + 3 * PAGE + 7);
	CHECK_NO_FAULT(try_store(p + 4 * PAGE));
	CHECK_NO_FAULT(try_load(p + 3 * PAGE + 7));
	rule("make_writable", "never", 0, 63, 0, 0);
	CHECK_NO_FAULT(try_store(p + 3 * PAGE + 7));
}

// A private copy needs no space but memory.
static void private_stores_need_no_space(void)
{
	char *p = map_faulty(64, MAP_PRIVATE);

	rule("make_writable", "from", 0, 63, ENOSPC, 0);
	CHECK_NO_FAULT(try_store(p + 3 * PAGE));
}

static void failed_write_back_keeps_the_page(void)
{
	char *p = map_faulty(64, MAP_SHARED);
	long long dirty = vmstat("nr_dirty");

	store(p + 5 * PAGE, 'd');
	rule("write", "from", 5, 5, EIO, 0);
	CHECK_ERR(msync(p, 64 * PAGE, MS_SYNC), EIO);
	CHECK_EQ(load(p + 5 * PAGE), 'd');
	CHECK(vmstat("nr_dirty") > dirty); // it will be tried again
	rule("write", "never", 0, 63, 0, 0);
	CHECK_OK(msync(p, 64 * PAGE, MS_SYNC));
	CHECK_EQ(load(p + 5 * PAGE), 'd');
	CHECK_EQ(vmstat("nr_dirty"), dirty);
}

// --- reads that take their time

static char *slow;

static void touch(void *arg)
{
	volatile char *begun = arg;

	*begun = 1;
	(void)load(slow + 20 * PAGE);
	*begun = 2;
}

static void wait_for_its_fault(volatile char *begun)
{
	while (!*begun)
		sched_yield();
	for (int i = 0; i < 20; i++)
		sched_yield();
}

static void slow_read_ends_well(void)
{
	volatile char *begun = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	slow = map_faulty(64, MAP_SHARED);
	rule("fill", "from", 20, 20, 0, 1);
	pid = start_child(touch, (void *)begun);
	wait_for_its_fault(begun);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_EQ(*begun, 1);
	rule("fill", "never", 0, 63, 0, 0);
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		answer();
		sched_yield();
	}
	CHECK_EQ(*begun, 2);
}

// Who waits for a page can be killed; the read ends whenever it ends.
static void waiting_for_a_page_can_be_killed(void)
{
	volatile char *begun = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t first, second;

	slow = map_faulty(64, MAP_SHARED);
	rule("fill", "from", 20, 20, 0, 1);
	first = start_child(touch, (void *)begun);
	wait_for_its_fault(begun);
	*begun = 0;
	second = start_child(touch, (void *)begun);
	wait_for_its_fault(begun);
	CHECK_OK(kill(second, SIGKILL));
	CHECK_EQ(WTERMSIG(end_child(second)), SIGKILL);
	CHECK_OK(kill(first, SIGKILL));
	CHECK_EQ(WTERMSIG(end_child(first)), SIGKILL);
	rule("fill", "never", 0, 63, 0, 0);
	answer();
	CHECK_NO_FAULT(try_load(slow + 20 * PAGE));
}

static const struct test tests[] = {
	{"unreadable_page_is_sigbus", unreadable_page_is_sigbus},
	{"error_that_passes", error_that_passes},
	{"unreadable_page_under_a_system_call", unreadable_page_under_a_system_call},
	{"no_space_is_sigbus_at_the_store", no_space_is_sigbus_at_the_store},
	{"private_stores_need_no_space", private_stores_need_no_space},
	{"failed_write_back_keeps_the_page", failed_write_back_keeps_the_page},
	{"slow_read_ends_well", slow_read_ends_well},
	{"waiting_for_a_page_can_be_killed", waiting_for_a_page_can_be_killed},
};

BEYOND_CORE_MAIN(tests)
