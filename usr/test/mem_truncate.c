// SPDX-License-Identifier: MIT
// A file that shrinks and grows below its mappings.
#include <errno.h>
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

// The page that the new end cuts stays as it was: it is not the file's any more.
static void private_copy_of_the_last_page_stays(void)
{
	int fd = make_file("f", 3 * PAGE);
	char *p = map(3 * PAGE, RW, MAP_PRIVATE, fd, 0);

	memset(p, 'c', 3 * PAGE);
	CHECK_OK(ftruncate(fd, PAGE + 10));
	CHECK_EQ(load(p + PAGE + 9), 'c');
	CHECK_EQ(load(p + PAGE + 10), 'c');
	CHECK_EQ(load(p + 2 * PAGE - 1), 'c');
	CHECK_FAULT(try_load(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
}

// What was not copied is the file's, and its tail is zero.
static void private_view_of_the_last_page_is_cut(void)
{
	int fd = make_file("f", 3 * PAGE);
	char *p = map(3 * PAGE, RW, MAP_PRIVATE, fd, 0);

	check_pattern(p, 0, 3 * PAGE);
	CHECK_OK(ftruncate(fd, PAGE + 10));
	CHECK_EQ(load(p + PAGE + 9), pattern(PAGE + 9));
	check_zero(p + PAGE + 10, PAGE - 10);
}

static void to_nothing_and_back(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map(4 * PAGE, RW, MAP_SHARED, fd, 0), back[4 * PAGE];

	memset(p, 'x', 4 * PAGE);
	CHECK_OK(ftruncate(fd, 0));
	for (size_t i = 0; i < 4; i++)
		CHECK_FAULT(try_load(p + i * PAGE), SIGBUS, BUS_ADRERR, p + i * PAGE);
	CHECK_OK(ftruncate(fd, 4 * PAGE));
	check_zero(p, 4 * PAGE);
	store(p + PAGE, 'y');
	CHECK_EQ(pread(fd, back, 4 * PAGE, 0), 4 * PAGE);
	CHECK_EQ(back[PAGE], 'y');
	back[PAGE] = 0;
	check_zero(back, 4 * PAGE);
}

// Each step cuts inside a page, the mapping watching.
static void cut_byte_by_byte(void)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map(2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	for (size_t end = 2 * PAGE - 1; end > PAGE; end -= 333) {
		CHECK_OK(ftruncate(fd, (off_t)end));
		check_pattern(p, 0, end);
		check_zero(p + end, 2 * PAGE - end);
	}
}

static void write_behind_the_end_makes_a_hole(void)
{
	int fd = make_file("f", PAGE + 50);
	char *p = map(5 * PAGE, RW, MAP_SHARED, fd, 0);

	store(p + PAGE + 100, 'z'); // behind the end, lost when it moves
	CHECK_EQ(pwrite(fd, "end", 3, 4 * PAGE), 3);
	check_zero(p + PAGE + 50, 3 * PAGE - 50);
	CHECK(!memcmp(p + 4 * PAGE, "end", 3));
	check_zero(p + 4 * PAGE + 3, PAGE - 3);
	store(p + 2 * PAGE + 5, 'h'); // in the hole
	CHECK_OK(msync(p, 5 * PAGE, MS_SYNC));
	CHECK_EQ(load(p + 2 * PAGE + 5), 'h');
}

static void growth_beyond_the_mapping(void)
{
	int fd = make_file("f", PAGE);
	char *p = map(2 * PAGE, RW, MAP_SHARED, fd, 0), c;

	CHECK_OK(ftruncate(fd, 100 * PAGE));
	CHECK_NO_FAULT(try_store(p + PAGE));
	CHECK_EQ(pwrite(fd, "far", 3, 50 * PAGE), 3);
	CHECK_OK(ftruncate(fd, 10 * PAGE));
	CHECK_EQ(pread(fd, &c, 1, PAGE), 1);
	CHECK_EQ(c, 's');
}

static char *memory;

static void child_finds_it_cut(void *arg)
{
	int fd = *(int *)arg;

	CHECK_EQ(load(memory + 3 * PAGE), pattern(3 * PAGE));
	CHECK_OK(ftruncate(fd, PAGE));
	CHECK_FAULT(try_load(memory + 3 * PAGE), SIGBUS, BUS_ADRERR, memory + 3 * PAGE);
}

static void cut_in_all_processes(void)
{
	int fd = make_file("f", 4 * PAGE);

	memory = map(4 * PAGE, RW, MAP_SHARED, fd, 0);
	check_pattern(memory, 0, 4 * PAGE);
	must_exit_well(start_child(child_finds_it_cut, &fd));
	CHECK_FAULT(try_load(memory + 3 * PAGE), SIGBUS, BUS_ADRERR, memory + 3 * PAGE);
	CHECK_FAULT(try_store(memory + PAGE), SIGBUS, BUS_ADRERR, memory + PAGE);
	CHECK_EQ(load(memory), pattern(0));
}

// --- the same on a tmpfs, where pages have no other place

static void go_to_tmpfs(void)
{
	if (mkdir("/tmp/mem_truncate", 0755) != 0)
		CHECK_EQ(errno, EEXIST);
	CHECK_OK(chdir("/tmp/mem_truncate"));
}

#define ON_TMPFS(test)                 \
	static void test##_tmpfs(void) \
	{                              \
		go_to_tmpfs();         \
		test();                \
		CHECK_OK(unlink("f")); \
	}

ON_TMPFS(file_ends_inside_a_page)
ON_TMPFS(growth_shows_zeros)
ON_TMPFS(past_the_end_is_sigbus)
ON_TMPFS(truncate_takes_pages_away)
ON_TMPFS(truncate_takes_private_copies_too)
ON_TMPFS(sparse_file_reads_zero)
ON_TMPFS(private_copy_of_the_last_page_stays)
ON_TMPFS(private_view_of_the_last_page_is_cut)
ON_TMPFS(to_nothing_and_back)
ON_TMPFS(cut_byte_by_byte)
ON_TMPFS(write_behind_the_end_makes_a_hole)
ON_TMPFS(growth_beyond_the_mapping)
ON_TMPFS(cut_in_all_processes)

static const struct test tests[] = {
	{"file_ends_inside_a_page", file_ends_inside_a_page},
	{"growth_shows_zeros", growth_shows_zeros},
	{"past_the_end_is_sigbus", past_the_end_is_sigbus},
	{"truncate_takes_pages_away", truncate_takes_pages_away},
	{"truncate_takes_private_copies_too", truncate_takes_private_copies_too},
	{"sparse_file_reads_zero", sparse_file_reads_zero},
	{"private_copy_of_the_last_page_stays", private_copy_of_the_last_page_stays},
	{"private_view_of_the_last_page_is_cut", private_view_of_the_last_page_is_cut},
	{"to_nothing_and_back", to_nothing_and_back},
	{"cut_byte_by_byte", cut_byte_by_byte},
	{"write_behind_the_end_makes_a_hole", write_behind_the_end_makes_a_hole},
	{"growth_beyond_the_mapping", growth_beyond_the_mapping},
	{"cut_in_all_processes", cut_in_all_processes},
	{"file_ends_inside_a_page_tmpfs", file_ends_inside_a_page_tmpfs},
	{"growth_shows_zeros_tmpfs", growth_shows_zeros_tmpfs},
	{"past_the_end_is_sigbus_tmpfs", past_the_end_is_sigbus_tmpfs},
	{"truncate_takes_pages_away_tmpfs", truncate_takes_pages_away_tmpfs},
	{"truncate_takes_private_copies_too_tmpfs", truncate_takes_private_copies_too_tmpfs},
	{"sparse_file_reads_zero_tmpfs", sparse_file_reads_zero_tmpfs},
	{"private_copy_of_the_last_page_stays_tmpfs", private_copy_of_the_last_page_stays_tmpfs},
	{"private_view_of_the_last_page_is_cut_tmpfs", private_view_of_the_last_page_is_cut_tmpfs},
	{"to_nothing_and_back_tmpfs", to_nothing_and_back_tmpfs},
	{"cut_byte_by_byte_tmpfs", cut_byte_by_byte_tmpfs},
	{"write_behind_the_end_makes_a_hole_tmpfs", write_behind_the_end_makes_a_hole_tmpfs},
	{"growth_beyond_the_mapping_tmpfs", growth_beyond_the_mapping_tmpfs},
	{"cut_in_all_processes_tmpfs", cut_in_all_processes_tmpfs},
};

TEST_MAIN(tests)
