// SPDX-License-Identifier: MIT
// mprotect: rights are taken and given, up to what the file allows, and nothing is lost by it.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/tap.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

static void protect_takes_and_gives(void)
{
	char *p = map_anon(4 * PAGE);

	memset(p, 3, 4 * PAGE);
	CHECK_OK(mprotect(p + PAGE, 2 * PAGE, PROT_READ));
	CHECK_EQ(load(p + PAGE), 3);
	CHECK_FAULT(try_store(p + PAGE), SIGSEGV, SEGV_ACCERR, p + PAGE);
	CHECK_FAULT(try_store(p + 3 * PAGE - 1), SIGSEGV, SEGV_ACCERR, p + 3 * PAGE - 1);
	CHECK_NO_FAULT(try_store(p + PAGE - 1));
	CHECK_NO_FAULT(try_store(p + 3 * PAGE));
	CHECK_OK(mprotect(p, 4 * PAGE, PROT_NONE));
	CHECK_FAULT(try_load(p), SIGSEGV, SEGV_ACCERR, p);
	CHECK_OK(mprotect(p, 4 * PAGE, RW));
	CHECK_EQ(load(p + 2 * PAGE), 3); // nothing was lost
	CHECK_NO_FAULT(try_store(p + PAGE));
}

static void protect_arguments(void)
{
	int fd = make_file("f", PAGE), ro = (int)CHECK_OK(open("f", O_RDONLY));
	char *p = map_anon(3 * PAGE), *q = map(PAGE, PROT_READ, MAP_SHARED, ro, 0);

	CHECK_ERR(mprotect(p + 1, PAGE, RW), EINVAL);
	CHECK_OK(mprotect(p, 0, RW));
	CHECK_ERR(mprotect(p, SIZE_MAX - PAGE, RW), ENOMEM);
	CHECK_ERR(mprotect(q, PAGE, RW), EACCES);
	CHECK_OK(mprotect(map(PAGE, PROT_READ, MAP_PRIVATE, ro, 0), PAGE, RW));
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(mprotect(p, 3 * PAGE, PROT_READ), ENOMEM); // there is a hole
	close(fd);
}

// PROT_GROWSDOWN reaches down to the start of a stack.
static void growsdown_protects_the_whole_stack(void)
{
	char *low = map(64 * PAGE, PROT_NONE, ANON, -1, 0), *p;

	CHECK_OK(munmap(low, 64 * PAGE));
	p = mmap(low + 60 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	CHECK(p == low + 60 * PAGE);
	memset(p, 'g', 4 * PAGE);
	CHECK_OK(mprotect(p + 3 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
	for (size_t i = 0; i < 4; i++)
		CHECK_FAULT(try_store(p + i * PAGE), SIGSEGV, SEGV_ACCERR, p + i * PAGE);
	CHECK_EQ(load(p), 'g');
	CHECK_OK(mprotect(p, 4 * PAGE, RW));
	CHECK_NO_FAULT(try_store(p));
}

static void growing_what_does_not_grow(void)
{
	char *p = map_anon(3 * PAGE);

	CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
	CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL);
	CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_GROWSUP), EINVAL);
	CHECK_OK(munmap(p, PAGE));
	CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN), ENOMEM);
	CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_GROWSUP), ENOMEM);
	CHECK_OK(mprotect(p, 0, 0x7ff)); // nothing is looked at
	CHECK_ERR(mprotect(p + PAGE, PAGE, 0x80), EINVAL);
	CHECK_NO_FAULT(try_store(p + PAGE)); // nothing has changed
}

static void checkerboard_of_rights(void)
{
	enum { PAGES = 200 };
	char *p = map_anon(PAGES * PAGE);

	for (size_t i = 0; i < PAGES; i += 2)
		CHECK_OK(mprotect(p + i * PAGE, PAGE, PROT_READ));
	for (size_t i = 0; i < PAGES; i++)
		CHECK_EQ(try_store(p + i * PAGE).signo, i % 2 ? 0 : SIGSEGV);
	CHECK_OK(mprotect(p, PAGES * PAGE, RW));
	for (size_t i = 0; i < PAGES; i++)
		CHECK_NO_FAULT(try_store(p + i * PAGE));
}

static const struct test tests[] = {
	{"protect_takes_and_gives", protect_takes_and_gives},
	{"protect_arguments", protect_arguments},
	{"growsdown_protects_the_whole_stack", growsdown_protects_the_whole_stack},
	{"growing_what_does_not_grow", growing_what_does_not_grow},
	{"checkerboard_of_rights", checkerboard_of_rights},
};

TEST_MAIN(tests)
