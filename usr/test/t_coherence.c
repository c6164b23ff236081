// SPDX-License-Identifier: MIT
// One cache: after a call has returned, read, write and every mapping in every process see the same
// bytes. Also the hardest copy there is: write(fd, a mapping of the very page it writes to).
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW (PROT_READ | PROT_WRITE)

static void write_then_mapping(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *before = map(4 * PAGE, PROT_READ, MAP_SHARED, fd, 0), *after;

	CHECK_EQ(load(before + PAGE), pattern(PAGE));
	CHECK_EQ(pwrite(fd, "written", 7, PAGE), 7);
	CHECK_EQ(pwrite(fd, "fresh", 5, 3 * PAGE), 5); // a page that was not mapped yet
	CHECK(!memcmp(before + PAGE, "written", 7));
	CHECK(!memcmp(before + 3 * PAGE, "fresh", 5));
	after = map(4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(!memcmp(after + PAGE, "written", 7));
}

static void mapping_then_read(void)
{
	int fd = make_file("f", 4 * PAGE), other = (int)CHECK_OK(open("f", O_RDONLY));
	char *p = map(4 * PAGE, RW, MAP_SHARED, fd, 0), back[10];

	for (size_t at = PAGE - 5; at < 3 * PAGE; at += 1001) {
		memcpy(p + at, "0123456789", 10);
		CHECK_EQ(pread(other, back, 10, (off_t)at), 10);
		CHECK(!memcmp(back, "0123456789", 10));
	}
}

static void extension_shows_in_the_mapping(void)
{
	int fd = make_file("f", 10);
	char *p = map(2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	CHECK_EQ(load(p + 20), 0);
	CHECK_EQ(pwrite(fd, "tail", 4, 20), 4);
	CHECK(!memcmp(p + 20, "tail", 4));
	CHECK_EQ(pwrite(fd, "next", 4, PAGE), 4);
	CHECK(!memcmp(p + PAGE, "next", 4));
}

// The source is the destination's own page, present or not, in every arrangement.
static void write_from_the_page_itself(void)
{
	for (int present = 0; present < 2; present++) {
		int fd = make_file("f", 3 * PAGE);
		char *p, expected[3 * PAGE], back[3 * PAGE];

		CHECK_OK(fsync(fd));
		p = map(3 * PAGE, RW, MAP_SHARED, fd, 0);
		for (size_t i = 0; present && i < 3; i++)
			(void)load(p + i * PAGE);
		for (size_t i = 0; i < sizeof expected; i++)
			expected[i] = pattern(i);

		CHECK_EQ(pwrite(fd, p, PAGE, 0), PAGE); // onto itself
		CHECK_EQ(pwrite(fd, p + PAGE, PAGE, 2 * PAGE), PAGE);
		memcpy(expected + 2 * PAGE, expected + PAGE, PAGE);
		CHECK_EQ(pwrite(fd, p + 10, 500, 2000), 500); // within one page
		memmove(expected + 2000, expected + 10, 500);
		CHECK_EQ(pwrite(fd, p + PAGE - 100, 200, PAGE + 300), 200);
		memmove(expected + PAGE + 300, expected + PAGE - 100, 200);
		read_file("f", back, sizeof back);
		CHECK(!memcmp(back, expected, sizeof back));
		CHECK(!memcmp(p, expected, sizeof expected));
	}
}

static void read_into_the_page_itself(void)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);

	CHECK_EQ(pread(fd, p, PAGE, 0), PAGE); // the page into itself
	for (size_t i = 0; i < PAGE; i++)
		CHECK_EQ(p[i], pattern(i));
	CHECK_EQ(pread(fd, p + PAGE, PAGE, 0), PAGE);
	for (size_t i = 0; i < PAGE; i++)
		CHECK_EQ(p[PAGE + i], pattern(i));
}

static void read_into_a_private_mapping(void)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map(2 * PAGE, RW, MAP_PRIVATE, fd, 0), c;

	CHECK_EQ(pread(fd, p + 100, PAGE, 7), PAGE); // a copy is made on the way
	for (size_t i = 0; i < PAGE; i++)
		CHECK_EQ(p[100 + i], pattern(7 + i));
	CHECK_EQ(pread(fd, &c, 1, 100), 1);
	CHECK_EQ(c, pattern(100));
}

static void vectors_that_fault(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *a = map_anon(PAGE), *b = map(PAGE, RW, MAP_SHARED, fd, 3 * PAGE);
	struct iovec in[2] = {{a, PAGE}, {b, PAGE}};

	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(readv(fd, in, 2), 2 * PAGE);
	for (size_t i = 0; i < PAGE; i++)
		CHECK_EQ(b[i], pattern(PAGE + i));
}

struct turns {
	volatile int turn;
};

static int file;
static char *mapping;

enum { ROUNDS = 500 };

// Each in turn writes with one means and the other looks with the other.
static void answer(void *arg)
{
	struct turns *t = arg;
	char c;

	for (int i = 0; i < ROUNDS; i++) {
		while (t->turn != 2 * i + 1)
			sched_yield();
		CHECK_EQ(load(mapping + (i * 37) % (2 * PAGE)), (char)i);
		CHECK_EQ(pread(file, &c, 1, (off_t)((i * 37) % (2 * PAGE))), 1);
		CHECK_EQ(c, (char)i);
		store(mapping + 2 * PAGE, (char)(i + 1));
		t->turn = 2 * i + 2;
	}
}

static void two_processes_take_turns(void)
{
	struct turns *t = (struct turns *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char c;
	pid_t pid;

	file = make_file("f", 3 * PAGE);
	mapping = map(3 * PAGE, RW, MAP_SHARED, file, 0);
	pid = start_child(answer, t);
	for (int i = 0; i < ROUNDS; i++) {
		c = (char)i;
		if (i % 2)
			CHECK_EQ(pwrite(file, &c, 1, (i * 37) % (2 * PAGE)), 1);
		else
			store(mapping + (i * 37) % (2 * PAGE), c);
		t->turn = 2 * i + 1;
		while (t->turn != 2 * i + 2)
			sched_yield();
		CHECK_EQ(pread(file, &c, 1, 2 * PAGE), 1);
		CHECK_EQ(c, (char)(i + 1));
	}
	must_exit_well(pid);
}

enum { WRITERS = 4, SLOT = 100, FILE_PAGES = 8 };

// Writer number N owns the bytes at N*SLOT of each KiB, and nobody else writes them.
static void own_slots(void *arg)
{
	int me = *(int *)arg, fd = (int)CHECK_OK(open("f", O_RDWR));
	char *p = map(FILE_PAGES * PAGE, RW, MAP_SHARED, fd, 0), block[SLOT], back[SLOT];

	for (int round = 0; round < 150; round++) {
		off_t at = (off_t)random_below(FILE_PAGES * 4) * 1024 + me * SLOT;

		memset(block, 'A' + me * 5 + round % 5, SLOT);
		if (round % 2)
			memcpy(p + at, block, SLOT);
		else
			CHECK_EQ(pwrite(fd, block, SLOT, at), SLOT);
		CHECK_EQ(pread(fd, back, SLOT, at), SLOT);
		CHECK(!memcmp(back, block, SLOT));
		CHECK(!memcmp(p + at, block, SLOT));
		if (round % 20 == 0)
			CHECK_OK(msync(p, FILE_PAGES * PAGE, MS_SYNC));
		if (round % 30 == 0)
			CHECK_OK(fsync(fd));
	}
}

static void writers_next_to_each_other(void)
{
	int numbers[WRITERS];
	pid_t pids[WRITERS];

	CHECK_OK(close(make_file("f", FILE_PAGES * PAGE)));
	for (int i = 0; i < WRITERS; i++) {
		numbers[i] = i;
		pids[i] = start_child(own_slots, &numbers[i]);
	}
	for (int i = 0; i < WRITERS; i++)
		must_exit_well(pids[i]);
}

// A store during write-back must not get lost: it makes the page dirty again.
static void store_forever(void *arg)
{
	volatile uint64_t *stop = arg, n = 0;

	while (!*stop)
		((volatile uint64_t *)mapping)[1] = ++n;
	((volatile uint64_t *)mapping)[2] = n;
}

static void stores_survive_write_back(void)
{
	uint64_t *stop = (uint64_t *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t back[3];
	pid_t pid;

	file = make_file("f", PAGE);
	mapping = map(PAGE, RW, MAP_SHARED, file, 0);
	pid = start_child(store_forever, stop);
	for (int i = 0; i < 100; i++)
		CHECK_OK(msync(mapping, PAGE, MS_SYNC));
	*(volatile uint64_t *)stop = 1;
	must_exit_well(pid);
	CHECK_OK(munmap(mapping, PAGE));
	CHECK_OK(fsync(file));
	read_file("f", map_anon(PAGE), PAGE);
	CHECK_EQ(pread(file, back, sizeof back, 0), sizeof back);
	CHECK_EQ(back[1], back[2]);
}

static const struct test tests[] = {
	{"write_then_mapping", write_then_mapping},
	{"mapping_then_read", mapping_then_read},
	{"extension_shows_in_the_mapping", extension_shows_in_the_mapping},
	{"write_from_the_page_itself", write_from_the_page_itself},
	{"read_into_the_page_itself", read_into_the_page_itself},
	{"read_into_a_private_mapping", read_into_a_private_mapping},
	{"vectors_that_fault", vectors_that_fault},
	{"two_processes_take_turns", two_processes_take_turns},
	{"writers_next_to_each_other", writers_next_to_each_other},
	{"stores_survive_write_back", stores_survive_write_back},
};

TEST_MAIN(tests)
