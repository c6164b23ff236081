// SPDX-License-Identifier: MIT
// Which signal an access gets that cannot be served, with which code and which address.
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/tap.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void rights_are_enforced(void)
{
	char *p = map(PAGE, PROT_READ, ANON, -1, 0);
	char *none = map(PAGE, PROT_NONE, ANON, -1, 0);

	CHECK_EQ(load(p), 0);
	CHECK_FAULT(try_store(p + 7), SIGSEGV, SEGV_ACCERR, p + 7);
	CHECK_FAULT(try_load(none), SIGSEGV, SEGV_ACCERR, none);
	CHECK_FAULT(try_store(none + 9), SIGSEGV, SEGV_ACCERR, none + 9);
}

static void data_is_not_executed(void)
{
	uint32_t ret = 0x00008067; // jalr zero, 0(ra)
	char *p = map_anon(PAGE);

	memcpy(p, &ret, sizeof ret);
	CHECK_FAULT(try_call(p), SIGSEGV, SEGV_ACCERR, p);
#ifdef __riscv
	CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	CHECK_NO_FAULT(try_call(p));
	CHECK_FAULT(try_store(p), SIGSEGV, SEGV_ACCERR, p);
#endif
}

static void null_page_is_never_there(void)
{
	CHECK_FAULT(try_load(NULL), SIGSEGV, SEGV_MAPERR, 0);
	CHECK_FAULT(try_store((char *)8), SIGSEGV, SEGV_MAPERR, 8);
}

#ifdef __riscv
static void kernel_memory_is_out_of_reach(void)
{
	char *high = (char *)0xffffffc000000000ul;

	CHECK_EQ(try_load(high).signo, SIGSEGV);
	CHECK_EQ(try_store(high + 0x80200000ul).signo, SIGSEGV);
	CHECK_EQ(try_load((char *)0x4000000000ul).signo, SIGSEGV);
	CHECK_EQ(try_load((char *)0x0123456789abcdeful).signo, SIGSEGV); // not canonical
	CHECK_EQ(try_load((char *)-8ul).signo, SIGSEGV);
}
#endif

static void killed_by_the_fault(void *arg)
{
	store(arg, 1);
}

static void unhandled_fault_kills(void)
{
	char *p = map(PAGE, PROT_READ, ANON, -1, 0);
	int status = in_child(killed_by_the_fault, p);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static const struct test tests[] = {
	{"rights_are_enforced", rights_are_enforced},
	{"data_is_not_executed", data_is_not_executed},
	{"null_page_is_never_there", null_page_is_never_there},
#ifdef __riscv
	{"kernel_memory_is_out_of_reach", kernel_memory_is_out_of_reach},
#endif
	{"unhandled_fault_kills", unhandled_fault_kills},
};

TEST_MAIN(tests)
