// SPDX-License-Identifier: MIT
// MADV_HUGEPAGE: memory that is filled 2 MiB at a time reads, changes, goes and is shared page by
// page.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW    (PROT_READ | PROT_WRITE)
#define HUGE  (512 * PAGE)
#define PAGES 512

// N huge pages' worth of memory on a boundary, with the advice.
static char *huge(size_t n)
{
	char *p = map_anon((n + 1) * HUGE), *start = (char *)(((uintptr_t)p + HUGE - 1) & -HUGE);

	if (start > p)
		CHECK_OK(munmap(p, (size_t)(start - p)));
	if (start + n * HUGE < p + (n + 1) * HUGE)
		CHECK_OK(munmap(start + n * HUGE, (size_t)(p + HUGE - start)));
	CHECK_OK(madvise(start, n * HUGE, MADV_HUGEPAGE));
	return start;
}

// A word of each page says which it is, another in each.
static uint64_t *word(char *p, size_t page)
{
	return (uint64_t *)(p + page * PAGE + page % 500 * 8);
}

static void fill(char *p, size_t from, size_t end, uint64_t seed)
{
	for (size_t page = from; page < end; page++)
		*word(p, page) = seed + page;
}

static void check(char *p, size_t from, size_t end, uint64_t seed)
{
	for (size_t page = from; page < end; page++)
		if (*word(p, page) != seed + page)
			FAIL("page %zu has %llu, should have %llu", page,
				(unsigned long long)*word(p, page),
				(unsigned long long)(seed + page));
}

static size_t resident(char *p, size_t pages)
{
	unsigned char in[2 * PAGES];
	size_t n = 0;

	CHECK_OK(mincore(p, pages * PAGE, in));
	for (size_t i = 0; i < pages; i++)
		n += in[i] & 1;
	return n;
}

// What smaps says of the area that starts at p: KiB, or a number.
static long long smaps_number(const void *p, const char *label)
{
	static char text[1 << 16];
	int fd = open("/proc/self/smaps", O_RDONLY);
	size_t used = 0;
	char start[32], *at;
	long long value;
	ssize_t n;

	CHECK_OK(fd);
	while ((n = read(fd, text + used, sizeof text - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = '\0';
	snprintf(start, sizeof start, "%08lx-", (unsigned long)p);
	at = strstr(text, start);
	at = at ? strstr(at, label) : NULL;
	CHECK(at && sscanf(at + strlen(label), ": %lld", &value) == 1);
	return value;
}

// --- When

// First of all, so that what the kernel keeps of memory that was used once is there: nearly all of
// it, in whole pieces as long as there are any, then in single pages.
static void nearly_all_memory(void)
{
	long long kib = memory_kib("MemAvailable") - (16 << 10);
	size_t pages = kib > 0 ? (size_t)kib / 4 : 0;
	char *p = huge(pages / PAGES + 1);

	fill(p, 0, pages, 1000);
	check(p, 0, pages, 1000);
}

static void one_store_fills_it(void)
{
	char *p = huge(2);

	if (!on_mapache())
		tap_skip("others fill when they like");
	CHECK_EQ(smaps_number(p, "THPeligible"), 1);
	store(p + 100 * PAGE, 'x');
	CHECK_EQ(resident(p, 2 * PAGES), PAGES);
	CHECK_EQ(smaps_number(p, "AnonHugePages"), HUGE / 1024);
	CHECK_EQ(smaps_number(p, "Rss"), HUGE / 1024);
	CHECK_EQ(load(p + 100 * PAGE), 'x');
	check_zero(p, 100 * PAGE);
	check_zero(p + 101 * PAGE, HUGE - 101 * PAGE);
	CHECK_EQ(load(p + HUGE), 0); // and so does a load
	CHECK_EQ(resident(p, 2 * PAGES), 2 * PAGES);
}

static void only_whole_and_empty_ranges(void)
{
	char *p = huge(3);

	if (!on_mapache())
		tap_skip("others fill when they like");
	CHECK_OK(munmap(p, PAGE));
	store(p + PAGE, 'x'); // not all of it is there
	CHECK_EQ(resident(p + PAGE, PAGES - 1), 1);
	CHECK_OK(madvise(p + HUGE, HUGE, MADV_NOHUGEPAGE));
	store(p + HUGE, 'x');
	CHECK_EQ(resident(p + HUGE, PAGES), 1);
	CHECK_OK(madvise(p + HUGE, HUGE, MADV_HUGEPAGE));
	store(p + HUGE + PAGE, 'x'); // too late
	CHECK_EQ(resident(p + HUGE, PAGES), 2);
	CHECK_OK(mprotect(p + 2 * HUGE + PAGE, PAGE, PROT_READ));
	store(p + 2 * HUGE, 'x'); // not all of it means the same
	CHECK_EQ(resident(p + 2 * HUGE, PAGES), 1);
}

static void populate_fills_all(void)
{
	char *p = huge(2);

	CHECK_OK(madvise(p + PAGE, 2 * HUGE - PAGE, MADV_POPULATE_WRITE));
	CHECK(resident(p, 2 * PAGES) >= 2 * PAGES - 1);
	check_zero(p, 2 * HUGE);
	fill(p, 0, 2 * PAGES, 5);
	check(p, 0, 2 * PAGES, 5);
}

static void other_memory_may_be_advised(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *file = map(4 * PAGE, RW, MAP_SHARED, fd, 0);
	char *shared = map(HUGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK_OK(madvise(file, 4 * PAGE, MADV_HUGEPAGE));
	CHECK_OK(madvise(shared, HUGE, MADV_HUGEPAGE));
	check_pattern(file, 0, 4 * PAGE);
	fill(shared, 0, PAGES, 1);
	check(shared, 0, PAGES, 1);
	CHECK_OK(madvise(file, 4 * PAGE, MADV_NOHUGEPAGE));
	CHECK_ERR(madvise(file + 1, PAGE, MADV_HUGEPAGE), EINVAL);
}

// --- Parts of it

static void parts_are_unmapped(void)
{
	char *p = huge(1);
	long long before;

	fill(p, 0, PAGES, 1000);
	before = on_mapache() ? vmstat("nr_free_pages") : 0;
	CHECK_OK(munmap(p + 5 * PAGE, PAGE));
	CHECK_OK(munmap(p + 100 * PAGE, 200 * PAGE));
	check(p, 0, 5, 1000);
	check(p, 6, 100, 1000);
	check(p, 300, PAGES, 1000);
	CHECK_FAULT(try_load(p + 5 * PAGE), SIGSEGV, SEGV_MAPERR, p + 5 * PAGE);
	CHECK_FAULT(try_store(p + 299 * PAGE), SIGSEGV, SEGV_MAPERR, p + 299 * PAGE);
	fill(p, 6, 100, 2000);
	check(p, 0, 5, 1000);
	check(p, 6, 100, 2000);
	CHECK(!on_mapache() || vmstat("nr_free_pages") - before >= 150);
}

static void parts_lose_rights(void)
{
	char *p = huge(1);

	fill(p, 0, PAGES, 1000);
	CHECK_OK(mprotect(p + 7 * PAGE, 2 * PAGE, PROT_READ));
	CHECK_OK(mprotect(p + 20 * PAGE, PAGE, PROT_NONE));
	CHECK_FAULT(try_store(p + 7 * PAGE), SIGSEGV, SEGV_ACCERR, p + 7 * PAGE);
	CHECK_FAULT(try_store(p + 8 * PAGE), SIGSEGV, SEGV_ACCERR, p + 8 * PAGE);
	CHECK_FAULT(try_load(p + 20 * PAGE), SIGSEGV, SEGV_ACCERR, p + 20 * PAGE);
	check(p, 0, 20, 1000);
	fill(p, 0, 7, 2000);
	fill(p, 9, 20, 2000);
	fill(p, 21, PAGES, 2000);
	CHECK_OK(mprotect(p, HUGE, RW));
	check(p, 0, 7, 2000);
	check(p, 7, 9, 1000);
	check(p, 20, 21, 1000);
	check(p, 21, PAGES, 2000);
	fill(p, 0, PAGES, 3000);
	check(p, 0, PAGES, 3000);
}

static void parts_are_dropped(void)
{
	char *p = huge(1);

	fill(p, 0, PAGES, 1000);
	CHECK_OK(madvise(p + 3 * PAGE, 70 * PAGE, MADV_DONTNEED));
	check_zero(p + 3 * PAGE, 70 * PAGE);
	check(p, 0, 3, 1000);
	check(p, 73, PAGES, 1000);
	fill(p, 0, PAGES, 2000);
	check(p, 0, PAGES, 2000);
	CHECK_OK(madvise(p, HUGE, MADV_DONTNEED));
	check_zero(p, HUGE);
	fill(p, 0, PAGES, 3000);
	check(p, 0, PAGES, 3000);
}

static void parts_are_moved(void)
{
	char *p = huge(3), *to = huge(1), *moved;

	fill(p, 0, 3 * PAGES, 1000);
	moved = mremap(p + 10 * PAGE, 100 * PAGE, 100 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		to + 3 * PAGE);
	CHECK(moved == to + 3 * PAGE);
	check(to - 7 * PAGE, 10, 110, 1000);
	CHECK_FAULT(try_load(p + 10 * PAGE), SIGSEGV, SEGV_MAPERR, p + 10 * PAGE);
	check(p, 0, 10, 1000);
	check(p, 110, 3 * PAGES, 1000);
	fill(to - 7 * PAGE, 10, 110, 2000);
	moved = mremap(p + HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to); // as a whole
	CHECK(moved == to);
	check(to - HUGE, PAGES, 2 * PAGES, 1000);
	check(p, 110, PAGES, 1000);
	check(p, 2 * PAGES, 3 * PAGES, 1000);
}

// --- Fork

static char *memory;

static void change_some(void *arg)
{
	(void)arg;
	check(memory, 0, PAGES, 1000);
	fill(memory, 10, 20, 5000);
	check(memory, 0, 10, 1000);
	check(memory, 10, 20, 5000);
	check(memory, 20, PAGES, 1000);
	CHECK_OK(munmap(memory + 30 * PAGE, 40 * PAGE));
	check(memory, 70, PAGES, 1000);
}

static void fork_shares_and_copies(void)
{
	memory = huge(1);
	fill(memory, 0, PAGES, 1000);
	CHECK_EQ(in_child(change_some, NULL), 0);
	check(memory, 0, PAGES, 1000);
	fill(memory, 0, PAGES, 2000); // alone again
	check(memory, 0, PAGES, 2000);
}

static int tell[2], hear[2];

static void look_when_told(void *arg)
{
	char c;

	(void)arg;
	CHECK_EQ(read(tell[0], &c, 1), 1);
	check(memory, 0, PAGES, 1000);
	CHECK_EQ(write(hear[1], "", 1), 1);
	CHECK_EQ(read(tell[0], &c, 1), 1);
	fill(memory, 0, PAGES, 3000);
	check(memory, 0, PAGES, 3000);
}

// A store after a fork copies one page, not all that came with it.
static void a_store_after_fork_copies_a_page(void)
{
	long long before;
	pid_t child;
	char c;

	memory = huge(1);
	fill(memory, 0, PAGES, 1000);
	CHECK_OK(pipe(tell));
	CHECK_OK(pipe(hear));
	child = start_child(look_when_told, NULL);
	before = on_mapache() ? vmstat("nr_free_pages") : 0;
	fill(memory, 77, 79, 2000);
	CHECK(!on_mapache() || before - vmstat("nr_free_pages") < 200);
	CHECK_EQ(write(tell[1], "", 1), 1);
	CHECK_EQ(read(hear[0], &c, 1), 1);
	CHECK_OK(munmap(memory + 100 * PAGE, 100 * PAGE)); // the child has it still
	CHECK_EQ(write(tell[1], "", 1), 1);
	must_exit_well(child);
	check(memory, 0, 77, 1000);
	check(memory, 77, 79, 2000);
	check(memory, 79, 100, 1000);
	check(memory, 200, PAGES, 1000);
}

// --- Back

static void all_of_it_comes_back(void)
{
	long long before = vmstat("nr_free_pages");
	char *p = huge(4);

	fill(p, 0, 4 * PAGES, 1);
	CHECK(before - vmstat("nr_free_pages") >= 4 * PAGES);
	CHECK_OK(munmap(p, 4 * HUGE));
	CHECK(before - vmstat("nr_free_pages") < PAGES / 2);
}

static const struct test tests[] = {
	{"nearly_all_memory", nearly_all_memory},
	{"one_store_fills_it", one_store_fills_it},
	{"only_whole_and_empty_ranges", only_whole_and_empty_ranges},
	{"populate_fills_all", populate_fills_all},
	{"other_memory_may_be_advised", other_memory_may_be_advised},
	{"parts_are_unmapped", parts_are_unmapped},
	{"parts_lose_rights", parts_lose_rights},
	{"parts_are_dropped", parts_are_dropped},
	{"parts_are_moved", parts_are_moved},
	{"fork_shares_and_copies", fork_shares_and_copies},
	{"a_store_after_fork_copies_a_page", a_store_after_fork_copies_a_page},
	{"all_of_it_comes_back", all_of_it_comes_back},
};

BEYOND_CORE_MAIN(tests)
