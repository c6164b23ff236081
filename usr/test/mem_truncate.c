// SPDX-License-Identifier: MIT
// A file that shrinks and grows below its mappings.
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW (PROT_READ | PROT_WRITE)

static void file_ends_inside_a_page(void)
{
	int fd = make_file("f", PAGE + 100);
	char *p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);
	struct stat st;
	char back[PAGE + 100];

	check_zero(p + PAGE + 100, PAGE - 100);
	store(p + PAGE + 99, 'x');
	store(p + PAGE + 100, 'y'); // past the end: allowed, and lost
	CHECK_OK(msync(p, 2 * PAGE, MS_SYNC));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, PAGE + 100);
	read_file("f", back, sizeof back);
	CHECK_EQ(back[PAGE + 99], 'x');
}

// What was stored behind the end must not appear when the file grows over it.
static void growth_shows_zeros(void)
{
	int fd = make_file("f", 100);
	char *p = map(PAGE, RW, MAP_SHARED, fd, 0), back[200];

	store(p + 150, 'y');
	CHECK_OK(ftruncate(fd, 200));
	CHECK_EQ(pread(fd, back, 200, 0), 200);
	check_zero(back + 100, 100);
}

static void past_the_end_is_sigbus(void)
{
	int fd = make_file("f", PAGE + 1);
	char *p = map(4 * PAGE, RW, MAP_SHARED, fd, 0);
	char *q = map(4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	CHECK_NO_FAULT(try_store(p + 2 * PAGE - 1)); // the rest of the last page
	CHECK_FAULT(try_load(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	CHECK_FAULT(try_store(p + 3 * PAGE + 77), SIGBUS, BUS_ADRERR, p + 3 * PAGE + 77);
	CHECK_FAULT(try_load(q + 2 * PAGE + 5), SIGBUS, BUS_ADRERR, q + 2 * PAGE + 5);
	CHECK_FAULT(try_store(q + 3 * PAGE), SIGBUS, BUS_ADRERR, q + 3 * PAGE);
	CHECK_OK(ftruncate(fd, 4 * PAGE)); // now there is something
	CHECK_EQ(load(p + 2 * PAGE), 0);
	CHECK_NO_FAULT(try_store(p + 3 * PAGE + 77));
}

static void truncate_takes_pages_away(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map(4 * PAGE, RW, MAP_SHARED, fd, 0);

	check_pattern(p, 0, 4 * PAGE);
	CHECK_OK(ftruncate(fd, PAGE + 10));
	CHECK_EQ(load(p + PAGE + 9), pattern(PAGE + 9));
	check_zero(p + PAGE + 10, PAGE - 10); // the tail is zeroed
	CHECK_FAULT(try_load(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	CHECK_OK(ftruncate(fd, 4 * PAGE));
	check_zero(p + PAGE + 10, 3 * PAGE - 10); // what was cut does not come back
}

static void truncate_takes_private_copies_too(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map(4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	memset(p, 'c', 4 * PAGE);
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	CHECK_EQ(load(p + PAGE), 'c');
	CHECK_FAULT(try_load(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	CHECK_OK(ftruncate(fd, 4 * PAGE));
	CHECK_EQ(load(p + 3 * PAGE), 0);
}

static void sparse_file_reads_zero(void)
{
	int fd = make_file("f", 0);
	char *p;

	CHECK_OK(ftruncate(fd, 100 * PAGE));
	p = map(100 * PAGE, RW, MAP_SHARED, fd, 0);
	check_zero(p, 100 * PAGE);
	store(p + 50 * PAGE, 'h');
	CHECK_OK(msync(p, 100 * PAGE, MS_SYNC));
	CHECK_EQ(load(p + 50 * PAGE), 'h');
	CHECK_EQ(load(p + 51 * PAGE), 0);
}

static const struct test tests[] = {
	{"file_ends_inside_a_page", file_ends_inside_a_page},
	{"growth_shows_zeros", growth_shows_zeros},
	{"past_the_end_is_sigbus", past_the_end_is_sigbus},
	{"truncate_takes_pages_away", truncate_takes_pages_away},
	{"truncate_takes_private_copies_too", truncate_takes_private_copies_too},
	{"sparse_file_reads_zero", sparse_file_reads_zero},
};

TEST_MAIN(tests)
