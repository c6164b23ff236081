// SPDX-License-Identifier: MIT
// mremap: mappings shrink, grow, move with all that is in them, and land where they are told to.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static long try_remap(void *p, size_t old, size_t new, int flags, void *to)
{
	void *q = mremap(p, old, new, flags, to);

	return q == MAP_FAILED ? -1 : (long)q;
}

static char *remap(void *p, size_t old, size_t new, int flags, void *to)
{
	return (char *)CHECK_OK(try_remap(p, old, new, flags, to));
}

// Pages of memory, each with its number in it, and nothing mapped in the N pages behind.
static char *numbered(size_t pages, size_t behind)
{
	char *p = map_anon((pages + behind) * PAGE);

	if (behind)
		CHECK_OK(munmap(p + pages * PAGE, behind * PAGE));
	for (size_t i = 0; i < pages; i++)
		store(p + i * PAGE + i, (char)(i + 1));
	return p;
}

static void check_numbers(const char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(load(p + i * PAGE + i), i + 1);
}

static void shrinks(void)
{
	char *p = numbered(8, 0);

	CHECK(remap(p, 8 * PAGE, 3 * PAGE, 0, NULL) == p);
	check_numbers(p, 3);
	CHECK_FAULT(try_load(p + 3 * PAGE), SIGSEGV, SEGV_MAPERR, p + 3 * PAGE);
	CHECK(remap(p, 3 * PAGE, 3 * PAGE, 0, NULL) == p);
	CHECK(remap(p, 2 * PAGE + 1, 2 * PAGE + 5, 0, NULL) == p); // both are three pages
}

static void grows_where_it_is(void)
{
	char *p = numbered(4, 8);

	CHECK(remap(p, 4 * PAGE, 9 * PAGE, 0, NULL) == p);
	check_numbers(p, 4);
	check_zero(p + 4 * PAGE, 5 * PAGE);
	store(p + 8 * PAGE, 'g');
}

static void does_not_grow_into_others(void)
{
	char *p = numbered(8, 0);

	CHECK_ERR(try_remap(p, 4 * PAGE, 5 * PAGE, 0, NULL), ENOMEM);
	check_numbers(p, 8);
}

static void moves_when_it_may(void)
{
	char *p = numbered(8, 0), *q = remap(p, 4 * PAGE, 20 * PAGE, MREMAP_MAYMOVE, NULL);

	CHECK(q != p);
	check_numbers(q, 4);
	check_zero(q + 4 * PAGE, 16 * PAGE);
	CHECK_FAULT(try_load(p + PAGE), SIGSEGV, SEGV_MAPERR, p + PAGE);
	CHECK_EQ(load(p + 4 * PAGE + 4), 5); // what was not part of it stays
}

static void moves_no_page_by_copying(void)
{
	long long before;
	char *p = numbered(200, 0), *q;

	before = vmstat("mapache_cow_copies");
	q = remap(p, 200 * PAGE, 400 * PAGE, MREMAP_MAYMOVE, NULL);
	check_numbers(q, 200);
	CHECK(vmstat("mapache_cow_copies") - before < 50);
}

static void pages_that_were_never_touched_move_too(void)
{
	char *p = map_anon(16 * PAGE), *q;

	store(p + 5 * PAGE, 'x');
	q = remap(p, 8 * PAGE, 32 * PAGE, MREMAP_MAYMOVE, NULL);
	CHECK_EQ(load(q + 5 * PAGE), 'x');
	store(q + 5 * PAGE, 0);
	check_zero(q, 32 * PAGE);
}

static void goes_where_it_is_told(void)
{
	char *p = numbered(4, 0), *to = map_anon(6 * PAGE);

	memset(to, 't', 6 * PAGE);
	CHECK(remap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE) == to + PAGE);
	check_numbers(to + PAGE, 4);
	CHECK_EQ(load(to), 't');
	CHECK_EQ(load(to + 5 * PAGE), 't');
	CHECK_FAULT(try_load(p), SIGSEGV, SEGV_MAPERR, p);
}

static void fixed_shrinks_and_grows(void)
{
	char *p = numbered(6, 0), *to = map_anon(16 * PAGE);

	CHECK(remap(p, 6 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	check_numbers(to, 2);
	CHECK_FAULT(try_load(p + 5 * PAGE), SIGSEGV, SEGV_MAPERR, p + 5 * PAGE);
	p = numbered(3, 0);
	CHECK(remap(p, 3 * PAGE, 7 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 4 * PAGE) ==
		to + 4 * PAGE);
	check_numbers(to + 4 * PAGE, 3);
	check_zero(to + 7 * PAGE, 4 * PAGE);
}

static void part_of_an_area_moves(void)
{
	char *p = numbered(9, 0), *to = map_anon(3 * PAGE);

	remap(p + 3 * PAGE, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	for (size_t i = 3; i < 6; i++)
		CHECK_EQ(load(to + (i - 3) * PAGE + i), i + 1);
	CHECK_FAULT(try_load(p + 4 * PAGE), SIGSEGV, SEGV_MAPERR, p + 4 * PAGE);
	CHECK_EQ(load(p + 2 * PAGE + 2), 3);
	CHECK_EQ(load(p + 6 * PAGE + 6), 7);
}

// Old length 0: the pages of a shared mapping a second time.
static void shared_pages_a_second_time(void)
{
	char *p = map(4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *q;

	store(p + PAGE, 's');
	q = remap(p, 0, 4 * PAGE, MREMAP_MAYMOVE, NULL);
	CHECK(q != p);
	CHECK_EQ(load(q + PAGE), 's');
	store(q + 2 * PAGE, 't');
	CHECK_EQ(load(p + 2 * PAGE), 't');
	CHECK_ERR(try_remap(map_anon(PAGE), 0, PAGE, MREMAP_MAYMOVE, NULL), EINVAL);
}

static void file_mappings(void)
{
	int fd = make_file("f", 12 * PAGE);
	char *p = map(4 * PAGE, RW, MAP_SHARED, fd, 2 * PAGE), *q, c;

	store(p + PAGE, 'm');
	q = remap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, NULL);
	CHECK_EQ(load(q + PAGE), 'm');
	for (size_t i = 4; i < 8; i++)
		CHECK_EQ(load(q + i * PAGE), pattern((2 + i) * PAGE));
	store(q + 7 * PAGE, 'n');
	CHECK_OK(msync(q, 8 * PAGE, MS_SYNC));
	CHECK_EQ(pread(fd, &c, 1, 9 * PAGE), 1);
	CHECK_EQ(c, 'n');
	q = remap(q, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE, NULL);
	CHECK_FAULT(try_load(q + 10 * PAGE), SIGBUS, BUS_ADRERR, q + 10 * PAGE);
}

static void private_copies_of_a_file_move(void)
{
	int fd = make_file("f", 8 * PAGE);
	char *p = map(4 * PAGE, RW, MAP_PRIVATE, fd, 0), *q;

	store(p + PAGE, 'c');
	q = remap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, NULL);
	CHECK_EQ(load(q + PAGE), 'c');
	CHECK_EQ(load(q), pattern(0));
	CHECK_EQ(load(q + 6 * PAGE), pattern(6 * PAGE));
}

static void rights_go_along(void)
{
	char *p = numbered(8, 0), *q;

	CHECK_OK(mprotect(p, 4 * PAGE, PROT_READ));
	q = remap(p, 4 * PAGE, 12 * PAGE, MREMAP_MAYMOVE, NULL);
	check_numbers(q, 4);
	CHECK_FAULT(try_store(q + PAGE), SIGSEGV, SEGV_ACCERR, q + PAGE);
	CHECK_FAULT(try_store(q + 11 * PAGE), SIGSEGV, SEGV_ACCERR, q + 11 * PAGE);
}

static char *memory;

static void child_moves(void *arg)
{
	char *q = remap(memory, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, NULL);

	(void)arg;
	check_numbers(q, 4);
	memset(q, 'c', 8 * PAGE);
}

// Pages that parent and child share move in one of them, and are copied when written to.
static void moves_after_fork(void)
{
	memory = numbered(4, 0);
	must_exit_well(start_child(child_moves, NULL));
	check_numbers(memory, 4);
	memory = remap(memory, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE, NULL);
	must_exit_well(start_child(child_moves, NULL));
	check_numbers(memory, 4);
}

static void there_and_back(void)
{
	char *p = numbered(16, 16), *places = map_anon(64 * PAGE);

	for (int round = 0; round < 40; round++) {
		char *to = places + (round % 2) * 32 * PAGE;

		p = remap(p, 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		check_numbers(p, 16);
	}
}

static void arguments(void)
{
	char *p = map_anon(8 * PAGE), *to = map_anon(8 * PAGE);
	int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;

	CHECK_ERR(try_remap(p, PAGE, PAGE, 0x100, NULL), EINVAL);
	CHECK_ERR(try_remap(p, PAGE, PAGE, MREMAP_FIXED, to), EINVAL);
	CHECK_ERR(try_remap(p + 1, PAGE, PAGE, 0, NULL), EINVAL);
	CHECK_ERR(try_remap(p, PAGE, 0, MREMAP_MAYMOVE, NULL), EINVAL);
	CHECK_ERR(try_remap(p, PAGE, SIZE_MAX, MREMAP_MAYMOVE, NULL), EINVAL); // rounds to 0
	CHECK_ERR(try_remap(p, PAGE, PAGE, fixed, to + 1), EINVAL);
	CHECK_ERR(try_remap(p, 4 * PAGE, 4 * PAGE, fixed, p + PAGE), EINVAL); // they overlap
	CHECK_ERR(try_remap(p, 4 * PAGE, 4 * PAGE, fixed, p), EINVAL);
	CHECK_ERR(try_remap(p, PAGE, PAGE, fixed, (void *)-PAGE), EINVAL);
	CHECK_OK(munmap(p + 4 * PAGE, PAGE));
	CHECK_ERR(try_remap(p, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE, NULL), EFAULT); // a hole
	CHECK_ERR(try_remap(p + 4 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE, NULL), EFAULT);
	CHECK_ERR(try_remap((void *)(1ul << 62), PAGE, PAGE, 0, NULL), EFAULT);
	if (on_mapache())
		CHECK_ERR(
			try_remap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL), EINVAL);
}

static void limits_hold(void)
{
	struct rlimit limit = {128ul << 20, RLIM_INFINITY};
	char *p = numbered(4, 0);

	CHECK_OK(setrlimit(RLIMIT_AS, &limit));
	CHECK_ERR(try_remap(p, 4 * PAGE, 256ul << 20, MREMAP_MAYMOVE, NULL), ENOMEM);
	check_numbers(p, 4);
}

static void locked_memory_grows_locked(void)
{
	char *p = map_anon(4 * PAGE), *q;
	unsigned char there[8];

	CHECK_OK(mlock(p, 4 * PAGE));
	q = remap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, NULL);
	CHECK_OK(mincore(q, 8 * PAGE, there));
	for (size_t i = 0; i < 8; i++)
		CHECK_EQ(there[i] & 1, 1);
}

// Moves, cuts and stores at random, against a model of what is where.
static void random_against_a_model(void)
{
	enum { SLOTS = 6, SLOT_PAGES = 32, ROUNDS = 1500 };
	char *base = map(SLOTS * SLOT_PAGES * PAGE, PROT_NONE, ANON, -1, 0);
	unsigned char model[SLOTS][SLOT_PAGES] = {{0}};
	unsigned size[SLOTS] = {0};

	for (int round = 0; round < ROUNDS; round++) {
		unsigned s = random_below(SLOTS), t = random_below(SLOTS);
		char *p = base + s * SLOT_PAGES * PAGE, *to = base + t * SLOT_PAGES * PAGE;
		unsigned n = 1 + random_below(SLOT_PAGES);

		if (!size[s]) {
			CHECK(mmap(p, n * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p);
			memset(model[s], 0, SLOT_PAGES);
			size[s] = n;
		} else if (s != t && random_below(3) == 0) {
			remap(p, size[s] * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
			memset(model[t], 0, SLOT_PAGES);
			memcpy(model[t], model[s], n < size[s] ? n : size[s]);
			if (size[t] > n)
				CHECK_OK(munmap(to + n * PAGE, (size[t] - n) * PAGE));
			size[t] = n;
			size[s] = 0;
			s = t;
		} else {
			unsigned i = random_below(size[s]);

			store(p + i * PAGE + 9, (char)(model[s][i] = (unsigned char)(round + 1)));
		}
		for (unsigned i = 0; i < size[s]; i++)
			CHECK_EQ((unsigned char)load(base + (s * SLOT_PAGES + i) * PAGE + 9),
				model[s][i]);
	}
}

static const struct test tests[] = {
	{"shrinks", shrinks},
	{"grows_where_it_is", grows_where_it_is},
	{"does_not_grow_into_others", does_not_grow_into_others},
	{"moves_when_it_may", moves_when_it_may},
	{"moves_no_page_by_copying", moves_no_page_by_copying},
	{"pages_that_were_never_touched_move_too", pages_that_were_never_touched_move_too},
	{"goes_where_it_is_told", goes_where_it_is_told},
	{"fixed_shrinks_and_grows", fixed_shrinks_and_grows},
	{"part_of_an_area_moves", part_of_an_area_moves},
	{"shared_pages_a_second_time", shared_pages_a_second_time},
	{"file_mappings", file_mappings},
	{"private_copies_of_a_file_move", private_copies_of_a_file_move},
	{"rights_go_along", rights_go_along},
	{"moves_after_fork", moves_after_fork},
	{"there_and_back", there_and_back},
	{"arguments", arguments},
	{"limits_hold", limits_hold},
	{"locked_memory_grows_locked", locked_memory_grows_locked},
	{"random_against_a_model", random_against_a_model},
};

BEYOND_CORE_MAIN(tests)
