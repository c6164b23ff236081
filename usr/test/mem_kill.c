// SPDX-License-Identifier: MIT
// SIGKILL ends a call that goes on over many pages, without their rest.
//
// The child works on memory that its parent sees: a file of memory, of which mincore tells how much
// is there.  The parent kills when it sees the first pages.  Whether the call was at an end just
// then nobody can say, so each call is tried some times, and once it must have been cut off.
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW       (PROT_READ | PROT_WRITE)
#define PAGES    4096
#define BYTES    (PAGES * PAGE)
#define ATTEMPTS 20

static int fd;
static char *seen;

static size_t pages_there(void)
{
	static unsigned char vector[PAGES];
	size_t n = 0;

	CHECK_OK(mincore(seen, BYTES, vector));
	for (size_t i = 0; i < PAGES; i++)
		n += vector[i] & 1;
	return n;
}

static void populates_a_map(void *arg)
{
	(void)arg;
	(void)mmap(NULL, BYTES, RW, MAP_SHARED | MAP_POPULATE, fd, 0);
}

static void populates_by_advice(void *arg)
{
	(void)arg;
	(void)madvise(seen, BYTES, 23); // MADV_POPULATE_WRITE
}

static void locks(void *arg)
{
	(void)arg;
	(void)mlock(seen, BYTES);
}

// All of it is there: no fault finds out that the thread must die.
static char *buffer(void)
{
	return map(BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

static void reads(void *arg)
{
	(void)arg;
	(void)pread(fd, buffer(), BYTES, 0);
}

static void writes(void *arg)
{
	(void)arg;
	(void)pwrite(fd, buffer(), BYTES, 0);
}

// Does the kill leave a part of the call undone?
static bool cut_off(void (*call)(void *))
{
	unsigned char first;
	size_t there;
	int status;
	pid_t pid, ended;

	fd = (int)CHECK_OK(memfd_create("seen", 0));
	CHECK_OK(ftruncate(fd, (off_t)BYTES));
	seen = map(BYTES, RW, MAP_SHARED, fd, 0);
	pid = start_child(call, NULL);
	do {
		usleep(100); // who has slept takes the hart from who works
		CHECK_OK(mincore(seen, PAGE, &first));
		ended = (pid_t)CHECK_OK(waitpid(pid, &status, WNOHANG));
	} while (!(first & 1) && !ended);
	if (!ended) {
		CHECK_OK(kill(pid, SIGKILL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
	}
	there = pages_there();
	CHECK_OK(munmap(seen, BYTES));
	CHECK_OK(close(fd));
	return !ended && there < PAGES;
}

static void is_cut_off(void (*call)(void *))
{
	bool cut = false;

	for (unsigned i = 0; i < ATTEMPTS && !cut; i++)
		cut = cut_off(call);
	CHECK(cut);
}

static void a_killed_map_is_not_populated(void)
{
	is_cut_off(populates_a_map);
}

static void killed_advice_is_not_followed(void)
{
	is_cut_off(populates_by_advice);
}

static void a_killed_lock_brings_nothing_in(void)
{
	is_cut_off(locks);
}

static void a_killed_read_reads_no_more(void)
{
	is_cut_off(reads);
}

static void a_killed_write_writes_no_more(void)
{
	is_cut_off(writes);
}

static const struct test tests[] = {
	{"a_killed_map_is_not_populated", a_killed_map_is_not_populated},
	{"killed_advice_is_not_followed", killed_advice_is_not_followed},
	{"a_killed_lock_brings_nothing_in", a_killed_lock_brings_nothing_in},
	{"a_killed_read_reads_no_more", a_killed_read_reads_no_more},
	{"a_killed_write_writes_no_more", a_killed_write_writes_no_more},
};

BEYOND_CORE_MAIN(tests)
