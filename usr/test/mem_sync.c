// SPDX-License-Identifier: MIT
// What is written back, and when: msync, fsync and sync; clean pages are not.
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW (PROT_READ | PROT_WRITE)

static void only_dirty_pages_are_written(void)
{
	int fd = make_file("f", 64 * PAGE);
	char *p = map(64 * PAGE, RW, MAP_SHARED, fd, 0), sum = 0;
	long long before, written;

	CHECK_OK(fsync(fd));
	sync();
	for (size_t i = 0; i < 64; i++)
		sum ^= load(p + i * PAGE);
	store(p + 5 * PAGE, sum);
	store(p + 40 * PAGE, sum);
	before = blocks_written();
	CHECK_OK(msync(p, 64 * PAGE, MS_SYNC));
	written = blocks_written() - before;
	CHECK(written >= 2);
	CHECK(written <= 2 + 8); // and what metadata goes with it
	sync();
	before = blocks_written();
	CHECK_OK(msync(p, 64 * PAGE, MS_SYNC)); // all is clean
	CHECK_OK(munmap(p, 64 * PAGE));
	CHECK(blocks_written() - before <= 4);
}

static void clean_pages_are_not_written_at_unmap(void)
{
	int fd = make_file("f", 64 * PAGE);
	long long before;
	char *p;

	sync();
	p = map(64 * PAGE, RW, MAP_SHARED, fd, 0);
	check_pattern(p, 0, 64 * PAGE);
	before = blocks_written();
	CHECK_OK(munmap(p, 64 * PAGE));
	sync();
	CHECK(blocks_written() - before <= 4);
}

static void msync_cleans(void)
{
	int fd = make_file("f", 16 * PAGE);
	char *p = map(16 * PAGE, RW, MAP_SHARED, fd, 0);
	long long dirty;

	sync();
	dirty = vmstat("nr_dirty");
	for (size_t i = 0; i < 16; i++)
		store(p + i * PAGE, 1);
	CHECK_EQ(vmstat("nr_dirty"), dirty + 16);
	CHECK_OK(msync(p + 4 * PAGE, 4 * PAGE, MS_SYNC));
	CHECK(vmstat("nr_dirty") <= dirty + 12); // others may have been written too
	CHECK_OK(fsync(fd));
	CHECK_EQ(vmstat("nr_dirty"), dirty);
	store(p, 2); // dirty once more
	CHECK_EQ(vmstat("nr_dirty"), dirty + 1);
	CHECK_OK(fsync(fd));
}

static void msync_arguments(void)
{
	char *p = map_anon(4 * PAGE);

	CHECK_OK(msync(p, 4 * PAGE, MS_SYNC));
	CHECK_OK(msync(p, 4 * PAGE, MS_ASYNC));
	CHECK_OK(msync(p, 0, MS_SYNC));
	CHECK_ERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_ERR(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERR(msync(p, PAGE, 0x100), EINVAL);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(msync(p, 4 * PAGE, MS_SYNC), ENOMEM); // there is a hole
}

static const struct test tests[] = {
	{"only_dirty_pages_are_written", only_dirty_pages_are_written},
	{"clean_pages_are_not_written_at_unmap", clean_pages_are_not_written_at_unmap},
	{"msync_cleans", msync_cleans},
	{"msync_arguments", msync_arguments},
};

TEST_MAIN(tests)
