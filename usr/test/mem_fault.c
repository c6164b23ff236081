// SPDX-License-Identifier: MIT
// Which signal an access gets that cannot be served, with which code and which address.
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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

// --- accesses over a page boundary: the part that is missing is what is reported

struct __attribute__((packed)) misaligned {
	char before[PAGE - 3];
	uint64_t word; // three bytes here, five on the next page
};

static void load_word(void *p)
{
	(void)*(volatile uint64_t *)&((struct misaligned *)p)->word;
}

static void store_word(void *p)
{
	*(volatile uint64_t *)&((struct misaligned *)p)->word = 0x1122334455667788;
}

static void second_page_missing(void)
{
	char *p = map_anon(2 * PAGE);

	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_FAULT(try_run(load_word, p), SIGSEGV, SEGV_MAPERR, p + PAGE);
	CHECK_FAULT(try_run(store_word, p), SIGSEGV, SEGV_MAPERR, p + PAGE);
	check_zero(p + PAGE - 8, 8); // nothing of the store was done
}

static void second_page_read_only(void)
{
	char *p = map_anon(2 * PAGE);

	CHECK_OK(mprotect(p + PAGE, PAGE, PROT_READ));
	CHECK_NO_FAULT(try_run(load_word, p));
	CHECK_FAULT(try_run(store_word, p), SIGSEGV, SEGV_ACCERR, p + PAGE);
	check_zero(p + PAGE - 8, 16);
}

static void first_page_missing(void)
{
	char *p = map_anon(2 * PAGE), *word = p + PAGE - 3;
	struct fault f;

	CHECK_OK(munmap(p, PAGE));
	f = try_run(load_word, p);
	CHECK_EQ(f.signo, SIGSEGV);
	CHECK_EQ(f.code, SEGV_MAPERR);
	// some machines report the aligned word that the access begins in
	CHECK(f.address <= (uintptr_t)word && f.address >= (uintptr_t)word - 7);
	check_zero(p + PAGE, 8);
}

// Both parts are only not there yet, or not yet one's own.
static void both_pages_fault_in(void)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map_anon(2 * PAGE), *q;

	CHECK_NO_FAULT(try_run(store_word, p));
	CHECK_EQ(load(p + PAGE - 3) & 0xff, 0x88);
	CHECK_EQ(load(p + PAGE + 4), 0x11);
	q = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK_NO_FAULT(try_run(store_word, q));
	CHECK_EQ(load(q + PAGE - 3) & 0xff, 0x88);
	CHECK_EQ(load(q + PAGE + 4), 0x11);
	CHECK_EQ(load(q + PAGE + 5), pattern(PAGE + 5));
}

static void past_the_end_in_the_second_page(void)
{
	int fd = make_file("f", PAGE);
	char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK_FAULT(try_run(load_word, p), SIGBUS, BUS_ADRERR, p + PAGE);
	CHECK_FAULT(try_run(store_word, p), SIGBUS, BUS_ADRERR, p + PAGE);
}

// --- fetches

static void jump_to_nothing(void)
{
	char *p = map_anon(PAGE), *none = map(PAGE, PROT_NONE, ANON, -1, 0);

	CHECK_OK(munmap(p, PAGE));
	CHECK_FAULT(try_call(p + 8), SIGSEGV, SEGV_MAPERR, p + 8);
	CHECK_FAULT(try_call(none), SIGSEGV, SEGV_ACCERR, none);
}

static void jump_past_the_end(void)
{
	int fd = make_file("f", PAGE);
	char *p = map(2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	CHECK_FAULT(try_call(p + PAGE), SIGBUS, BUS_ADRERR, p + PAGE);
}

#ifdef __riscv
// An instruction of four bytes, the second half of which is missing.
static void half_an_instruction(void)
{
	uint16_t half = 0x0013; // the low half of nop, addi x0, x0, 0
	char *p = map_anon(2 * PAGE);

	memcpy(p + PAGE - 2, &half, sizeof half);
	CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	CHECK_FAULT(try_call(p + PAGE - 2), SIGSEGV, SEGV_ACCERR, p + PAGE);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_FAULT(try_call(p + PAGE - 2), SIGSEGV, SEGV_MAPERR, p + PAGE);
}

static void executable_is_not_readable(void)
{
	char *p = map(PAGE, PROT_EXEC, ANON, -1, 0);

	CHECK_FAULT(try_load(p), SIGSEGV, SEGV_ACCERR, p);
	CHECK_FAULT(try_store(p), SIGSEGV, SEGV_ACCERR, p);
}
#endif

// An atomic instruction is a store also where it would change nothing.
static void add_nothing(void *p)
{
	__atomic_fetch_add((int *)p, 0, __ATOMIC_SEQ_CST);
}

static void atomic_on_read_only_memory(void)
{
	char *p = map(PAGE, PROT_READ, ANON, -1, 0);

	CHECK_FAULT(try_run(add_nothing, p + 16), SIGSEGV, SEGV_ACCERR, p + 16);
}

// --- system calls: no signal, but EFAULT, at the first byte that can not be had

static void system_calls_say_efault(void)
{
	int fd = make_file("f", PAGE), ends[2];
	char *p = map_anon(2 * PAGE), *bus = map(2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	CHECK_OK(pipe(ends));
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(write(ends[1], p + PAGE, 1), EFAULT);
	CHECK_ERR(write(ends[1], bus + PAGE, 1), EFAULT);
	CHECK_ERR(pread(fd, bus, 1, 0), EFAULT); // may be read only
	CHECK_ERR(pread(fd, map(PAGE, PROT_NONE, ANON, -1, 0), 1, 0), EFAULT);
	CHECK_EQ(pwrite(fd, p + PAGE - 10, 100, 0), 10); // as far as it goes
	CHECK_EQ(pread(fd, p + PAGE - 10, 100, 0), 10);
}

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
	{"second_page_missing", second_page_missing},
	{"second_page_read_only", second_page_read_only},
	{"first_page_missing", first_page_missing},
	{"both_pages_fault_in", both_pages_fault_in},
	{"past_the_end_in_the_second_page", past_the_end_in_the_second_page},
	{"jump_to_nothing", jump_to_nothing},
	{"jump_past_the_end", jump_past_the_end},
#ifdef __riscv
	{"half_an_instruction", half_an_instruction},
	{"executable_is_not_readable", executable_is_not_readable},
#endif
	{"atomic_on_read_only_memory", atomic_on_read_only_memory},
	{"system_calls_say_efault", system_calls_say_efault},
	{"unhandled_fault_kills", unhandled_fault_kills},
};

TEST_MAIN(tests)
