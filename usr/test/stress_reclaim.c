// SPDX-License-Identifier: MIT
// What the kernel does when memory runs short, by its own counters: how much may be dirty, in what
// portions it is written, that clean pages are only dropped, and who is killed when nothing helps.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW (PROT_READ | PROT_WRITE)

enum {
	FILE_PAGES = 4096,
	RUN = 32,              // pages of a write, at most
	LEAVE_KIB = 10 * 1024, // less than the file
	BYSTANDER_PAGES = 256,
};

static char *map_file(int *fd)
{
	*fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));
	CHECK_OK(ftruncate(*fd, FILE_PAGES * PAGE));
	return map(FILE_PAGES * PAGE, RW, MAP_SHARED, *fd, 0);
}

static void store_stamp(char *p, size_t i)
{
	*(volatile size_t *)(p + i * PAGE) = i + 1;
}

static void check_stamps(const char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(*(const volatile size_t *)(p + i * PAGE), i + 1);
}

// A quarter of memory, and what one run at a time may add.
static void dirty_memory_is_bounded(void)
{
	long long most = memory_kib("MemTotal") / 4 / 4 + 4 * RUN;
	int fd;
	char *p = map_file(&fd);

	squeeze_memory(LEAVE_KIB);
	for (size_t i = 0; i < FILE_PAGES; i++) {
		store_stamp(p, i);
		if (i % 64 == 0 && on_mapache())
			CHECK(vmstat("nr_dirty") + vmstat("nr_writeback") <= most);
	}
	check_stamps(p, FILE_PAGES);
}

static void neighbours_are_written_together(void)
{
	long long writes = vmstat("mapache_writes"), pages = vmstat("nr_written");
	int fd;
	char *p = map_file(&fd);

	squeeze_memory(LEAVE_KIB);
	for (size_t i = 0; i < FILE_PAGES; i++)
		store_stamp(p, i);
	CHECK_OK(fsync(fd));
	writes = vmstat("mapache_writes") - writes;
	pages = vmstat("nr_written") - pages;
	CHECK(pages >= FILE_PAGES);
	CHECK(pages < FILE_PAGES * 3 / 2); // few were written twice
	CHECK(writes < pages / (RUN / 4));
}

static void clean_pages_are_dropped_unwritten(void)
{
	long long written, evicted = vmstat("mapache_reclaim_freed");
	int fd;
	char *p = map_file(&fd);
	bool squeezed;

	for (size_t i = 0; i < FILE_PAGES; i++)
		store_stamp(p, i);
	CHECK_OK(fsync(fd));
	squeezed = squeeze_memory(LEAVE_KIB);
	sync();
	written = vmstat("nr_written");
	for (int round = 0; round < 3; round++)
		check_stamps(p, FILE_PAGES);
	CHECK_EQ(vmstat("nr_written"), written);
	if (squeezed)
		CHECK(vmstat("mapache_reclaim_freed") - evicted > FILE_PAGES);
}

// --- nothing helps

static void hog(void *arg)
{
	(void)arg;
	for (;;) {
		char *p = map_anon(256 * PAGE);

		for (size_t i = 0; i < 256; i++)
			store_stamp(p, i);
	}
}

// Its memory is what it was, before and after somebody else is killed.
static void stand_by(void *arg)
{
	int *ends = arg;
	char *p = map_anon(BYSTANDER_PAGES * PAGE), byte;

	for (size_t i = 0; i < BYSTANDER_PAGES; i++)
		store_stamp(p, i);
	close(ends[1]);
	CHECK_EQ(read(ends[0], &byte, 1), 0); // the hog is gone
	check_stamps(p, BYSTANDER_PAGES);
}

static void the_largest_is_killed(void)
{
	int ends[2], status;
	pid_t bystander;

	if (!on_mapache())
		tap_skip("would use up all memory");
	CHECK_OK(pipe(ends));
	bystander = start_child(stand_by, ends);
	close(ends[0]);
	status = in_child(hog, NULL);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	close(ends[1]);
	must_exit_well(bystander);
	CHECK(memory_kib("MemAvailable") > memory_kib("MemTotal") / 2);
}

static const struct test tests[] = {
	{"dirty_memory_is_bounded", dirty_memory_is_bounded},
	{"neighbours_are_written_together", neighbours_are_written_together},
	{"clean_pages_are_dropped_unwritten", clean_pages_are_dropped_unwritten},
	{"the_largest_is_killed", the_largest_is_killed},
};

TEST_MAIN(tests)
