// SPDX-License-Identifier: MIT
// munmap, and the other ways in which a mapping ends: exit, exec, a kill in the middle of it.
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW (PROT_READ | PROT_WRITE)

enum { SUBSET_PAGES = 6 };

// Touches the pages of SUBSET, unmaps [from, to) and looks at every page.
static void one_subset(unsigned subset, int from, int to)
{
	char *p = map_anon(SUBSET_PAGES * PAGE);

	for (int i = 0; i < SUBSET_PAGES; i++)
		if (subset & 1u << i)
			store(p + (size_t)i * PAGE, (char)('a' + i));
	CHECK_OK(munmap(p + (size_t)from * PAGE, (size_t)(to - from) * PAGE));
	for (int i = 0; i < SUBSET_PAGES; i++) {
		char *page = p + (size_t)i * PAGE;

		if (i >= from && i < to)
			CHECK_FAULT(try_load(page), SIGSEGV, SEGV_MAPERR, page);
		else
			CHECK_EQ(load(page), subset & 1u << i ? 'a' + i : 0);
	}
	CHECK_OK(munmap(p, SUBSET_PAGES * PAGE)); // holes are legal
	CHECK_FAULT(try_load(p), SIGSEGV, SEGV_MAPERR, p);
}

static void every_subset_then_unmap(void)
{
	static const int ranges[][2] = {{2, 4}, {0, 2}, {4, 6}, {0, 6}, {1, 5}};

	for (unsigned subset = 0; subset < 1u << SUBSET_PAGES; subset++)
		for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++)
			one_subset(subset, ranges[r][0], ranges[r][1]);
}

static void every_subset_of_a_file_then_unmap(void)
{
	int fd = make_file("f", SUBSET_PAGES * PAGE);

	for (unsigned subset = 0; subset < 1u << SUBSET_PAGES; subset++) {
		char *p = map(SUBSET_PAGES * PAGE, RW, MAP_SHARED, fd, 0);

		for (size_t i = 0; i < SUBSET_PAGES; i++)
			if (subset & 1u << i)
				store(p + i * PAGE, (char)subset);
		CHECK_OK(munmap(p + 2 * PAGE, 2 * PAGE));
		for (size_t i = 0; i < SUBSET_PAGES; i++)
			if (i / 2 == 1)
				CHECK_FAULT(try_store(p + i * PAGE), SIGSEGV, SEGV_MAPERR,
					p + i * PAGE);
		CHECK_OK(munmap(p, SUBSET_PAGES * PAGE));
		for (size_t i = 0; i < SUBSET_PAGES; i++) {
			char c;

			CHECK_EQ(pread(fd, &c, 1, (off_t)(i * PAGE)), 1);
			if (subset & 1u << i)
				CHECK_EQ(c, (char)subset);
		}
	}
}

static void unmapped_memory_faults(void)
{
	char *p = map_anon(3 * PAGE);

	memset(p, 1, 3 * PAGE);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_FAULT(try_load(p + PAGE + 123), SIGSEGV, SEGV_MAPERR, p + PAGE + 123);
	CHECK_FAULT(try_store(p + 2 * PAGE - 1), SIGSEGV, SEGV_MAPERR, p + 2 * PAGE - 1);
	CHECK_EQ(load(p + PAGE - 1), 1);
	CHECK_EQ(load(p + 2 * PAGE), 1);
}

static void unmap_arguments(void)
{
	char *p = map_anon(2 * PAGE);

	CHECK_ERR(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERR(munmap(p, 0), EINVAL);
	CHECK_ERR(munmap(p, SIZE_MAX), EINVAL);
	CHECK_ERR(munmap(p, SIZE_MAX - PAGE), EINVAL);
	CHECK_OK(munmap(p, 1)); // lengths are rounded up
	CHECK_FAULT(try_load(p), SIGSEGV, SEGV_MAPERR, p);
	CHECK_EQ(load(p + PAGE), 0);
	CHECK_OK(munmap(p, PAGE)); // nothing is there
}

static void frames_return_after_unmap(void)
{
	long long before = vmstat("nr_free_pages"), after;

	for (int round = 0; round < 10; round++) {
		char *p = map_anon(500 * PAGE);

		memset(p, 1, 500 * PAGE);
		CHECK_OK(munmap(p, 500 * PAGE));
	}
	after = vmstat("nr_free_pages");
	CHECK(before - after < 100);
}

static void dirty_and_exit(void *arg)
{
	char *p = arg;

	for (size_t i = 0; i < 8; i++)
		store(p + i * PAGE, 'e');
}

static void dirty_and_be_killed(void *arg)
{
	dirty_and_exit(arg);
	kill(getpid(), SIGKILL);
}

static void check_dirtied(int fd)
{
	for (size_t i = 0; i < 8; i++) {
		char c;

		CHECK_EQ(pread(fd, &c, 1, (off_t)(i * PAGE)), 1);
		CHECK_EQ(c, 'e');
	}
}

static void exit_unmaps_and_keeps(void)
{
	int fd = make_file("f", 8 * PAGE);

	must_exit_well(start_child(dirty_and_exit, map(8 * PAGE, RW, MAP_SHARED, fd, 0)));
	check_dirtied(fd);
}

static void kill_unmaps_and_keeps(void)
{
	int fd = make_file("f", 8 * PAGE);
	int status = in_child(dirty_and_be_killed, map(8 * PAGE, RW, MAP_SHARED, fd, 0));

	CHECK_EQ(WTERMSIG(status), SIGKILL);
	check_dirtied(fd);
}

static void exec_something(void *arg)
{
	static char *argv[] = {"true", NULL};

	dirty_and_exit(arg);
	execv("/bin/true", argv);
	_exit(9);
}

static void exec_unmaps_and_keeps(void)
{
	int fd = make_file("f", 8 * PAGE);

	must_exit_well(start_child(exec_something, map(8 * PAGE, RW, MAP_SHARED, fd, 0)));
	check_dirtied(fd);
}

static void touch_forever(void *arg)
{
	char *p = arg;

	for (;;) {
		char *q = map_anon(64 * PAGE);

		for (size_t i = 0; i < 64; i++) {
			store(q + i * PAGE, 1);
			store(p + i * PAGE, 1);
		}
		munmap(q, 64 * PAGE);
	}
}

// The kill arrives somewhere in the middle of a fault, a map or an unmap.
static void kill_during_faults(void)
{
	int fd = make_file("f", 64 * PAGE);
	char *shared = map(64 * PAGE, RW, MAP_SHARED, fd, 0);

	for (int round = 0; round < 30; round++) {
		pid_t pid = start_child(touch_forever, shared);
		unsigned spins = random_below(20000);
		int status;

		for (volatile unsigned i = 0; i < spins; i++)
			;
		CHECK_OK(kill(pid, SIGKILL));
		status = end_child(pid);
		CHECK_EQ(WTERMSIG(status), SIGKILL);
	}
}

static const struct test tests[] = {
	{"every_subset_then_unmap", every_subset_then_unmap},
	{"every_subset_of_a_file_then_unmap", every_subset_of_a_file_then_unmap},
	{"unmapped_memory_faults", unmapped_memory_faults},
	{"unmap_arguments", unmap_arguments},
	{"frames_return_after_unmap", frames_return_after_unmap},
	{"exit_unmaps_and_keeps", exit_unmaps_and_keeps},
	{"kill_unmaps_and_keeps", kill_unmaps_and_keeps},
	{"exec_unmaps_and_keeps", exec_unmaps_and_keeps},
	{"kill_during_faults", kill_during_faults},
};

TEST_MAIN(tests)
