// SPDX-License-Identifier: MIT
// madvise: what each advice does to pages, now and over fork, and what it refuses.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static char *memory;

// --- DONTNEED

static void dontneed_gives_zeros(void)
{
	char *p = map_anon(8 * PAGE);

	memset(p, 'x', 8 * PAGE);
	CHECK_OK(madvise(p + 2 * PAGE, 3 * PAGE, MADV_DONTNEED));
	check_zero(p + 2 * PAGE, 3 * PAGE);
	CHECK_EQ(load(p + 2 * PAGE - 1), 'x');
	CHECK_EQ(load(p + 5 * PAGE), 'x');
	CHECK_NO_FAULT(try_store(p + 3 * PAGE));
}

static void dontneed_gives_frames_back(void)
{
	long long before = vmstat("nr_free_pages");
	char *p = map_anon(400 * PAGE);

	memset(p, 'x', 400 * PAGE);
	CHECK(before - vmstat("nr_free_pages") >= 400);
	CHECK_OK(madvise(p, 400 * PAGE, MADV_DONTNEED));
	CHECK(before - vmstat("nr_free_pages") < 100);
}

// Of a private file mapping the copies go, and the file shows again.
static void dontneed_shows_the_file_again(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map(4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	memset(p, 'c', 4 * PAGE);
	CHECK_EQ(pwrite(fd, "new", 3, PAGE), 3);
	CHECK_OK(madvise(p, 2 * PAGE, MADV_DONTNEED));
	CHECK_EQ(load(p), pattern(0));
	CHECK(!memcmp(p + PAGE, "new", 3));
	CHECK_EQ(load(p + 2 * PAGE), 'c');
}

// Of a shared one nothing is lost.
static void dontneed_loses_nothing_shared(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map(4 * PAGE, RW, MAP_SHARED, fd, 0), *q;

	memset(p, 's', 4 * PAGE);
	CHECK_OK(madvise(p, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(load(p + 3 * PAGE), 's');
	q = map(2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	store(q + PAGE, 'a');
	CHECK_OK(madvise(q, 2 * PAGE, MADV_DONTNEED));
	CHECK_EQ(load(q + PAGE), 'a');
}

static void child_drops(void *arg)
{
	(void)arg;
	CHECK_EQ(load(memory), 'f');
	CHECK_OK(madvise(memory, 4 * PAGE, MADV_DONTNEED));
	check_zero(memory, 4 * PAGE);
}

static void dontneed_after_fork_is_ones_own(void)
{
	memory = map_anon(4 * PAGE);
	memset(memory, 'f', 4 * PAGE);
	must_exit_well(start_child(child_drops, NULL));
	CHECK_EQ(load(memory + 3 * PAGE), 'f');
}

// --- FREE

// The contents stay or are gone, page by page; a store makes them stay.
static void free_keeps_or_zeroes(void)
{
	char *p = map_anon(16 * PAGE);

	memset(p, 'x', 16 * PAGE);
	CHECK_OK(madvise(p, 16 * PAGE, MADV_FREE));
	store(p + 3 * PAGE, 'y');
	for (size_t i = 0; i < 16; i++) {
		char c = load(p + i * PAGE + 7);

		CHECK(c == 'x' || c == 0);
	}
	CHECK_EQ(load(p + 3 * PAGE), 'y');
}

static void free_is_for_private_memory(void)
{
	int fd = make_file("f", PAGE);

	CHECK_ERR(madvise(map(PAGE, RW, MAP_PRIVATE, fd, 0), PAGE, MADV_FREE), EINVAL);
	CHECK_ERR(madvise(map(PAGE, RW, MAP_SHARED, fd, 0), PAGE, MADV_FREE), EINVAL);
	CHECK_ERR(
		madvise(map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), PAGE, MADV_FREE), EINVAL);
}

// --- POPULATE, WILLNEED

static void populate_takes_frames(void)
{
	long long before = vmstat("nr_free_pages"), faults;
	char *p = map_anon(100 * PAGE);

	CHECK_OK(madvise(p, 100 * PAGE, MADV_POPULATE_WRITE));
	CHECK(before - vmstat("nr_free_pages") >= 100);
	faults = vmstat("pgfault");
	for (size_t i = 0; i < 100; i++)
		store(p + i * PAGE, 1);
	CHECK(vmstat("pgfault") - faults < 50);
}

static void populate_errors(void)
{
	int fd = make_file("f", PAGE);
	char *p = map(PAGE, PROT_READ, ANON, -1, 0);

	CHECK_ERR(madvise(p, PAGE, MADV_POPULATE_WRITE), EINVAL);
	CHECK_OK(madvise(p, PAGE, MADV_POPULATE_READ));
	CHECK_ERR(madvise(map(PAGE, PROT_NONE, ANON, -1, 0), PAGE, MADV_POPULATE_READ), EINVAL);
	p = map(3 * PAGE, RW, MAP_SHARED, fd, 0);
	CHECK_ERR(madvise(p, 3 * PAGE, MADV_POPULATE_READ), EFAULT);
	CHECK_ERR(madvise(p, 3 * PAGE, MADV_POPULATE_WRITE), EFAULT);
	CHECK_OK(madvise(p, PAGE, MADV_POPULATE_WRITE));
}

static void willneed_reads(void)
{
	int fd = make_file("f", 16 * PAGE);
	char *p = map(16 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK_OK(madvise(p, 16 * PAGE, MADV_WILLNEED));
	check_pattern(p, 0, 16 * PAGE);
	CHECK_OK(madvise(map_anon(PAGE), PAGE, MADV_WILLNEED));
}

static void order_of_access_changes_no_contents(void)
{
	static const int advice[] = {MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL};
	int fd = make_file("f", 64 * PAGE);

	for (size_t i = 0; i < 3; i++) {
		char *p = map(64 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

		CHECK_OK(madvise(p + 5 * PAGE, 40 * PAGE, advice[i]));
		check_pattern(p, 0, 64 * PAGE);
	}
}

// --- fork

static void child_of_dontfork(void *arg)
{
	(void)arg;
	CHECK_EQ(load(memory), 'd');
	CHECK_FAULT(try_load(memory + PAGE), SIGSEGV, SEGV_MAPERR, memory + PAGE);
	CHECK_EQ(load(memory + 2 * PAGE), 'd');
}

static void child_of_all(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < 3; i++)
		CHECK_EQ(load(memory + i * PAGE), 'd');
}

static void dontfork_and_dofork(void)
{
	memory = map_anon(3 * PAGE);
	memset(memory, 'd', 3 * PAGE);
	CHECK_OK(madvise(memory + PAGE, PAGE, MADV_DONTFORK));
	must_exit_well(start_child(child_of_dontfork, NULL));
	CHECK_EQ(load(memory + PAGE), 'd');
	CHECK_OK(madvise(memory, 3 * PAGE, MADV_DOFORK));
	must_exit_well(start_child(child_of_all, NULL));
}

static void child_of_wipe(void *arg)
{
	(void)arg;
	CHECK_EQ(load(memory), 'd');
	check_zero(memory + PAGE, PAGE);
	CHECK_EQ(load(memory + 2 * PAGE), 'd');
	store(memory + PAGE, 'c');
	if (fork() == 0) { // what a child inherits wipes its children's, too
		check_zero(memory + PAGE, PAGE);
		_exit(0);
	}
	CHECK_OK(wait(NULL));
	CHECK_EQ(load(memory + PAGE), 'c');
}

static void wipeonfork_and_keeponfork(void)
{
	int fd = make_file("f", PAGE);

	memory = map_anon(3 * PAGE);
	memset(memory, 'd', 3 * PAGE);
	CHECK_OK(madvise(memory + PAGE, PAGE, MADV_WIPEONFORK));
	must_exit_well(start_child(child_of_wipe, NULL));
	CHECK_EQ(load(memory + PAGE), 'd');
	CHECK_OK(madvise(memory, 3 * PAGE, MADV_KEEPONFORK));
	must_exit_well(start_child(child_of_all, NULL));
	CHECK_ERR(madvise(map(PAGE, RW, MAP_PRIVATE, fd, 0), PAGE, MADV_WIPEONFORK), EINVAL);
	CHECK_ERR(madvise(map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), PAGE, MADV_WIPEONFORK),
		EINVAL);
}

// --- arguments

static void arguments(void)
{
	char *p = map_anon(4 * PAGE);

	CHECK_ERR(madvise(p + 1, PAGE, MADV_NORMAL), EINVAL);
	CHECK_ERR(madvise(p, PAGE, 12345), EINVAL);
	CHECK_ERR(madvise(p, PAGE, -1), EINVAL);
	CHECK_ERR(madvise(p, PAGE, 7), EINVAL); // between two that exist
	CHECK_ERR(madvise(p, SIZE_MAX, MADV_NORMAL), EINVAL);
	CHECK_ERR(madvise(p, SIZE_MAX - 2 * PAGE, MADV_NORMAL), EINVAL);
	CHECK_ERR(madvise(p, 0, 12345), EINVAL);
	CHECK_OK(madvise(p, 0, MADV_DONTNEED));
	CHECK_OK(madvise(p, 1, MADV_DONTNEED)); // rounded up
}

static void nothing_is_merged(void)
{
	if (!on_mapache())
		tap_skip("others do that");
	CHECK_ERR(madvise(map_anon(PAGE), PAGE, MADV_MERGEABLE), EINVAL);
}

// The parts that are there are advised all the same.
static void holes_are_enomem_in_the_end(void)
{
	char *p = map_anon(5 * PAGE);

	memset(p, 'h', 5 * PAGE);
	CHECK_OK(munmap(p + 2 * PAGE, PAGE));
	CHECK_ERR(madvise(p, 5 * PAGE, MADV_DONTNEED), ENOMEM);
	check_zero(p, 2 * PAGE);
	check_zero(p + 3 * PAGE, 2 * PAGE);
	CHECK_ERR(madvise(p, 5 * PAGE, MADV_RANDOM), ENOMEM);
	CHECK_ERR(madvise(p + 2 * PAGE, PAGE, MADV_WILLNEED), ENOMEM);
	CHECK_ERR(madvise(p, 5 * PAGE, MADV_POPULATE_READ), ENOMEM);
}

static const struct test tests[] = {
	{"dontneed_gives_zeros", dontneed_gives_zeros},
	{"dontneed_gives_frames_back", dontneed_gives_frames_back},
	{"dontneed_shows_the_file_again", dontneed_shows_the_file_again},
	{"dontneed_loses_nothing_shared", dontneed_loses_nothing_shared},
	{"dontneed_after_fork_is_ones_own", dontneed_after_fork_is_ones_own},
	{"free_keeps_or_zeroes", free_keeps_or_zeroes},
	{"free_is_for_private_memory", free_is_for_private_memory},
	{"populate_takes_frames", populate_takes_frames},
	{"populate_errors", populate_errors},
	{"willneed_reads", willneed_reads},
	{"order_of_access_changes_no_contents", order_of_access_changes_no_contents},
	{"dontfork_and_dofork", dontfork_and_dofork},
	{"wipeonfork_and_keeponfork", wipeonfork_and_keeponfork},
	{"arguments", arguments},
	{"nothing_is_merged", nothing_is_merged},
	{"holes_are_enomem_in_the_end", holes_are_enomem_in_the_end},
};

BEYOND_CORE_MAIN(tests)
