// SPDX-License-Identifier: MIT
// The stack grows on demand down to its limit, below which a guard catches it.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

// Uses about BYTES of stack and returns something that needs them all.
static unsigned __attribute__((noinline)) descend(size_t bytes)
{
	volatile char frame[1024];
	unsigned below;

	for (size_t i = 0; i < sizeof frame; i += 256)
		frame[i] = (char)bytes;
	below = bytes > 1024 ? descend(bytes - 1024) : 0;
	return below + (unsigned char)frame[512] + 1;
}

static void grows_on_demand(void)
{
	CHECK(descend(4ul << 20) > 0);
	CHECK(descend(6ul << 20) > 0);
}

static void descend_child(void *arg)
{
	descend(*(size_t *)arg);
}

static void limit_is_kept(void)
{
	size_t within = 4ul << 20, beyond = 64ul << 20;
	int status;

	must_exit_well(start_child(descend_child, &within));
	status = in_child(descend_child, &beyond);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static void descend_limited(void *arg)
{
	struct rlimit limit = {1ul << 20, 1ul << 20};

	CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
	descend(*(size_t *)arg);
}

// Lowering the limit counts at once for what has not been touched yet.
static void setrlimit_lowers_it(void)
{
	size_t within = 500ul << 10, beyond = 2ul << 20;
	int status;

	must_exit_well(start_child(descend_limited, &within));
	status = in_child(descend_limited, &beyond);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static void limits_are_read_and_written(void)
{
	struct rlimit limit, again;

	CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
	CHECK(limit.rlim_cur >= 1ul << 20);
	CHECK(limit.rlim_cur <= limit.rlim_max);
	limit.rlim_cur = 3ul << 20;
	CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
	CHECK_OK(getrlimit(RLIMIT_STACK, &again));
	CHECK_EQ(again.rlim_cur, 3ul << 20);
	again.rlim_cur = 5;
	again.rlim_max = 4;
	CHECK_ERR(setrlimit(RLIMIT_STACK, &again), EINVAL);
	CHECK_ERR(getrlimit(1000, &again), EINVAL);
}

static char alternate[64 << 10];
static volatile uintptr_t fault_address;

static void on_overflow(int signo, siginfo_t *info, void *context)
{
	(void)context;
	(void)signo;
	fault_address = (uintptr_t)info->si_addr;
	_exit(fault_address ? 7 : 8);
}

static void overflow_with_handler(void *arg)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
	struct sigaction action = {
		.sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	CHECK_OK(sigaltstack(&stack, NULL));
	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	descend(*(size_t *)arg);
}

static void overflow_is_caught_on_another_stack(void)
{
	size_t beyond = 64ul << 20;
	int status = in_child(overflow_with_handler, &beyond);

	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 7);
}

static void overflow_without_another(void *arg)
{
	struct sigaction action = {.sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	descend(*(size_t *)arg);
}

// There is no room for the handler's frame: the signal kills.
static void overflow_with_no_room_kills(void)
{
	size_t beyond = 64ul << 20;
	int status = in_child(overflow_without_another, &beyond);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

// Memory right below the stack's end of today is not the stack's: mmap may have it only beyond
// what the limit still allows.
static void mappings_keep_clear(void)
{
	char here;
	uintptr_t limit = 6ul << 20;

	for (int i = 0; i < 50; i++) {
		uintptr_t p = (uintptr_t)map_anon(256 * PAGE);

		if (p < (uintptr_t)&here)
			CHECK((uintptr_t)&here - p > limit);
	}
	CHECK(descend(6ul << 20) > 0);
}

static void stack_pages_are_zero_and_writable(void)
{
	char *low = (char *)__builtin_frame_address(0) - 200 * PAGE;

	CHECK_EQ(load(low), 0); // reading grows it too
	CHECK_NO_FAULT(try_store(low));
}

// --- stacks of one's own: MAP_GROWSDOWN

#define GROW_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN)

// PAGES of address space with nothing in it but a stack of 4 pages at its end; returns the
// beginning.
static char *space_with_stack(size_t pages)
{
	char *low = map(pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *stack = low + (pages - 4) * PAGE;

	CHECK_OK(munmap(low, pages * PAGE));
	CHECK(mmap(stack, 4 * PAGE, PROT_READ | PROT_WRITE, GROW_FLAGS, -1, 0) == stack);
	return low;
}

static void own_stack_grows(void)
{
	char *low = space_with_stack(1024), *stack = low + 1020 * PAGE;

	store(stack, 't');
	CHECK_NO_FAULT(try_store(stack - PAGE));
	CHECK_NO_FAULT(try_store(stack - 100 * PAGE + 7));
	CHECK_EQ(load(stack - 50 * PAGE), 0); // all in between is there
	CHECK_EQ(load(stack), 't');
}

static void own_stack_stops_at_the_limit(void)
{
	struct rlimit limit = {1ul << 20, 1ul << 20};
	char *low = space_with_stack(2048), *end = low + 2048 * PAGE, *beyond = end - 300 * PAGE;

	CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
	CHECK_FAULT(try_store(beyond + 5), SIGSEGV, SEGV_MAPERR, beyond + 5);
	CHECK_NO_FAULT(try_store(end - 250 * PAGE));
	CHECK_FAULT(try_load(beyond), SIGSEGV, SEGV_MAPERR, beyond);
}

// A gap stays free between a stack and what is below it.
static void own_stack_keeps_its_distance(void)
{
	char *low = space_with_stack(1024);

	CHECK(mmap(low, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		      0) == low);
	CHECK_FAULT(try_store(low + 10 * PAGE), SIGSEGV, SEGV_MAPERR, low + 10 * PAGE);
	CHECK_NO_FAULT(try_store(low + 300 * PAGE));
	CHECK_FAULT(try_store(low + PAGE), SIGSEGV, SEGV_MAPERR, low + PAGE);
}

// What is no stack does not grow.
static void others_do_not_grow(void)
{
	char *p = map_anon(16 * PAGE);

	CHECK_OK(munmap(p, 8 * PAGE));
	CHECK_FAULT(try_store(p + 8 * PAGE - 1), SIGSEGV, SEGV_MAPERR, p + 8 * PAGE - 1);
}

static const struct test tests[] = {
	{"grows_on_demand", grows_on_demand},
	{"limit_is_kept", limit_is_kept},
	{"setrlimit_lowers_it", setrlimit_lowers_it},
	{"limits_are_read_and_written", limits_are_read_and_written},
	{"overflow_is_caught_on_another_stack", overflow_is_caught_on_another_stack},
	{"overflow_with_no_room_kills", overflow_with_no_room_kills},
	{"mappings_keep_clear", mappings_keep_clear},
	{"stack_pages_are_zero_and_writable", stack_pages_are_zero_and_writable},
	{"own_stack_grows", own_stack_grows},
	{"own_stack_stops_at_the_limit", own_stack_stops_at_the_limit},
	{"own_stack_keeps_its_distance", own_stack_keeps_its_distance},
	{"others_do_not_grow", others_do_not_grow},
};

TEST_MAIN(tests)
