// SPDX-License-Identifier: MIT
// brk: the old heap. The tests use it through sbrk; malloc of this C library maps memory instead,
// and glibc's is not called between a test's own calls.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/tap.h"

// The system call itself: returns the break, the old one when it could not be changed.
static uintptr_t set_break(uintptr_t to)
{
	return (uintptr_t)syscall(SYS_brk, to);
}

static uintptr_t page_up(uintptr_t p)
{
	return (p + PAGE - 1) & ~(PAGE - 1);
}

static void grows_and_is_zero(void)
{
	uintptr_t start = set_break(0), end = start + 10 * PAGE;

	CHECK(start != 0);
	CHECK_EQ(set_break(end), end);
	for (uintptr_t p = start; p < end; p++)
		CHECK_EQ(load((char *)p), 0);
	memset((char *)start, 'b', end - start);
	CHECK_EQ(set_break(0), end);
}

static void shrinks(void)
{
	uintptr_t start = page_up(set_break(0)), end = start + 8 * PAGE;

	CHECK_EQ(set_break(end), end);
	memset((char *)start, 'b', end - start);
	CHECK_EQ(set_break(start + 2 * PAGE), start + 2 * PAGE);
	CHECK_EQ(load((char *)start + 2 * PAGE - 1), 'b');
	CHECK_FAULT(try_load((char *)start + 2 * PAGE), SIGSEGV, SEGV_MAPERR, start + 2 * PAGE);
	CHECK_EQ(set_break(end), end);
	for (uintptr_t p = start + 2 * PAGE; p < end; p += 64)
		CHECK_EQ(load((char *)p), 0); // what comes back is fresh
}

static void any_byte_will_do(void)
{
	uintptr_t start = page_up(set_break(0));

	for (uintptr_t n = 1; n < 3 * PAGE; n += 777) {
		CHECK_EQ(set_break(start + n), start + n);
		store((char *)start + n - 1, 'x');
	}
	CHECK_EQ(set_break(start), start);
}

static void impossible_breaks_change_nothing(void)
{
	uintptr_t now = set_break(0);

	CHECK_EQ(set_break(1), now);
	CHECK_EQ(set_break(~0ul), now);
	CHECK_EQ(set_break(1ul << 62), now);
	CHECK_EQ(set_break(now - (1ul << 30)), now);
	CHECK_EQ(set_break(0), now);
}

static void stops_at_a_mapping(void)
{
	uintptr_t now = page_up(set_break(0));
	char *wall = (char *)now + 16 * PAGE;

	CHECK(mmap(wall, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		      0) == wall);
	store(wall, 'w');
	CHECK_EQ(set_break(now + 8 * PAGE), now + 8 * PAGE);
	CHECK(set_break(now + 20 * PAGE) == now + 8 * PAGE);
	CHECK_EQ(load(wall), 'w');
}

static void child_grows(void *arg)
{
	uintptr_t now = *(uintptr_t *)arg;

	CHECK_EQ(set_break(0), now);
	CHECK_EQ(load((char *)now - 1), 'p');
	CHECK_EQ(set_break(now + 4 * PAGE), now + 4 * PAGE);
	store((char *)now - 1, 'c');
}

static void fork_copies_it(void)
{
	uintptr_t now = page_up(set_break(0)) + 4 * PAGE;

	CHECK_EQ(set_break(now), now);
	store((char *)now - 1, 'p');
	must_exit_well(start_child(child_grows, &now));
	CHECK_EQ(set_break(0), now);
	CHECK_EQ(load((char *)now - 1), 'p');
	CHECK_FAULT(try_load((char *)now), SIGSEGV, SEGV_MAPERR, now);
}

static void sbrk_tells_the_old_end(void)
{
	char *before = sbrk(0), *old = sbrk(100);

	CHECK(old == before);
	CHECK((char *)sbrk(0) == before + 100);
	CHECK(sbrk(-100) == before + 100);
	CHECK(sbrk(0) == before);
}

static const struct test tests[] = {
	{"grows_and_is_zero", grows_and_is_zero},
	{"shrinks", shrinks},
	{"any_byte_will_do", any_byte_will_do},
	{"impossible_breaks_change_nothing", impossible_breaks_change_nothing},
	{"stops_at_a_mapping", stops_at_a_mapping},
	{"fork_copies_it", fork_copies_it},
	{"sbrk_tells_the_old_end", sbrk_tells_the_old_end},
};

TEST_MAIN(tests)
