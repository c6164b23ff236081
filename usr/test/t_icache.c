// SPDX-License-Identifier: MIT
// riscv_flush_icache: code that was written is what runs, here and in another thread. (QEMU has no
// instruction cache that could be stale: a fence that is missing shows on machines only.)
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/tap.h"
#include "lib/threads.h"

#ifdef __riscv

#define LOCAL 1

static uint32_t *code;

static long flush(unsigned long flags)
{
	return syscall(SYS_riscv_flush_icache, code, code + 2, flags);
}

// li a0, value; ret
static void write_code(unsigned value)
{
	code[0] = value << 20 | 10 << 7 | 0x13;
	code[1] = 0x00008067;
}

static unsigned run_code(void)
{
	return ((unsigned (*)(void))code)();
}

static void new_page(void)
{
	code = (uint32_t *)map(
		PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void what_was_written_runs(void)
{
	new_page();
	for (unsigned value = 0; value < 200; value++) {
		write_code(value);
		CHECK_OK(flush(value % 2 ? LOCAL : 0));
		CHECK_EQ(run_code(), value);
	}
}

#define ROUNDS 100

static uint32_t written, ran;

static void run_each(void *arg)
{
	(void)arg;
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		futex_wait_while(&written, round - 1);
		CHECK_EQ(run_code(), round);
		__atomic_store_n(&ran, round, __ATOMIC_SEQ_CST);
		futex_wake(&ran, 1);
	}
}

static void in_other_threads_too(void)
{
	static struct thread other;

	new_page();
	thread_begin(&other, run_each, NULL);
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		write_code(round);
		CHECK_OK(flush(0));
		__atomic_store_n(&written, round, __ATOMIC_SEQ_CST);
		futex_wake(&written, 1);
		futex_wait_while(&ran, round - 1);
	}
	thread_join(&other);
}

static void flags(void)
{
	CHECK_ERR(flush(2), EINVAL);
	CHECK_ERR(flush(LOCAL | 1ul << 32), EINVAL);
}

#else

static void what_was_written_runs(void)
{
	tap_skip("the call is RISC-V's");
}
#define in_other_threads_too what_was_written_runs
#define flags                what_was_written_runs

#endif

static const struct test tests[] = {
	{"what_was_written_runs", what_was_written_runs},
	{"in_other_threads_too", in_other_threads_too},
	{"flags", flags},
};

BEYOND_CORE_MAIN(tests)
