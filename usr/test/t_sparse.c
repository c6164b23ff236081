// SPDX-License-Identifier: MIT
// Files that are nearly all hole, up to the largest that mapfs has (docs/mapfs.md).
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tap.h"

#define TERABYTE ((off_t)1 << 40)
#define MOST     (((off_t)1 << 44) - PAGE)

static const off_t places[] = {
	0, 12345, TERABYTE / 2 - 1, TERABYTE - 1, TERABYTE + 1, 3 * TERABYTE + 4095};
enum { PLACES = sizeof places / sizeof places[0] };

static long blocks_of(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return st.st_blocks;
}

// Each byte is where it was put, and zeros are around it.
static void check_places(int fd, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char back[3] = {1, 1, 1};
		off_t from = places[i] ? places[i] - 1 : 0;
		unsigned at = places[i] ? 1 : 0;
		ssize_t got = CHECK_OK(pread(fd, back, sizeof back, from));

		CHECK(got > (ssize_t)at);
		CHECK_EQ(back[at], 'a' + i);
		CHECK(at == 0 || back[0] == 0);
		CHECK(got < (ssize_t)at + 2 || back[at + 1] == 0);
	}
}

static void bytes_far_apart(void)
{
	int fd = make_file("f", 0);
	struct stat st;

	for (unsigned i = 0; i < PLACES; i++) {
		char c = (char)('a' + i);

		CHECK_EQ(pwrite(fd, &c, 1, places[i]), 1);
		CHECK_OK(fstat(fd, &st));
		CHECK_EQ(st.st_size, places[i] + 1);
	}
	check_places(fd, PLACES);
	CHECK_OK(fsync(fd));
	drop_caches('3');
	check_places(fd, PLACES);
	CHECK(blocks_of(fd) <= 8 * 4 * PLACES);
	for (unsigned i = PLACES - 1; i > 0; i--) { // the far ends go, one after the other
		CHECK_OK(ftruncate(fd, places[i]));
		check_places(fd, i);
	}
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(blocks_of(fd), 0);
}

static void a_mapping_behind_a_terabyte(void)
{
	int fd = make_file("f", 0);
	char *p, back;

	CHECK_OK(ftruncate(fd, TERABYTE + PAGE + 100));
	p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, TERABYTE);
	CHECK_EQ(load(p), 0);
	store(p + PAGE + 99, 'x');
	CHECK_OK(msync(p, 2 * PAGE, MS_SYNC));
	CHECK_OK(munmap(p, 2 * PAGE));
	drop_caches('1');
	CHECK_EQ(pread(fd, &back, 1, TERABYTE + PAGE + 99), 1);
	CHECK_EQ(back, 'x');
	CHECK(blocks_of(fd) <= 8 * 4);
}

static void the_largest_file(void)
{
	int fd = make_file("f", 0);
	char bytes[200], back[200];
	struct stat st;

	if (!on_mapache())
		tap_skip("the largest file is the file system's own");
	memset(bytes, 'y', sizeof bytes);
	CHECK_EQ(pwrite(fd, bytes, sizeof bytes, MOST - 50), 50); // as much as fits
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, MOST);
	CHECK_OK(fsync(fd));
	drop_caches('3');
	CHECK_EQ(pread(fd, back, sizeof back, MOST - 60), 60);
	for (unsigned i = 0; i < 60; i++)
		CHECK_EQ(back[i], i < 10 ? 0 : 'y');
	CHECK_EQ(pread(fd, back, 1, MOST), 0);
	CHECK_ERR(pwrite(fd, bytes, 1, MOST), EFBIG);
	CHECK_ERR(ftruncate(fd, MOST + 1), EFBIG);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, MOST);
	CHECK_OK(ftruncate(fd, MOST));
}

static const struct test tests[] = {
	{"bytes_far_apart", bytes_far_apart},
	{"a_mapping_behind_a_terabyte", a_mapping_behind_a_terabyte},
	{"the_largest_file", the_largest_file},
};

TEST_MAIN(tests)
