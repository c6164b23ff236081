// SPDX-License-Identifier: MIT
// RLIMIT_AS and RLIMIT_DATA: which calls they stop, and that what they stop changes nothing. The
// stack's is in mem_stack, that of locked memory in mem_lock.
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void set_limit(int which, size_t bytes)
{
	struct rlimit limit;

	CHECK_OK(getrlimit(which, &limit));
	limit.rlim_cur = bytes;
	CHECK_OK(setrlimit(which, &limit));
}

static long try_map(size_t bytes, int rights, int flags)
{
	void *p = mmap(NULL, bytes, rights, flags, -1, 0);

	return p == MAP_FAILED ? -1 : (long)p;
}

static uintptr_t set_break(uintptr_t to)
{
	return (uintptr_t)syscall(SYS_brk, to);
}

static void as_counts_all_mappings(void)
{
	set_limit(RLIMIT_AS, 256ul << 20);
	CHECK_OK(try_map(100ul << 20, PROT_NONE, ANON));
	CHECK_ERR(try_map(200ul << 20, PROT_NONE, ANON), ENOMEM);
	CHECK_ERR(try_map(200ul << 20, PROT_READ, MAP_SHARED | MAP_ANONYMOUS), ENOMEM);
	CHECK_OK(try_map(100ul << 20, RW, ANON));
}

static void as_lets_go_what_is_unmapped(void)
{
	set_limit(RLIMIT_AS, 256ul << 20);
	for (int i = 0; i < 10; i++) {
		void *p = (void *)CHECK_OK(try_map(150ul << 20, RW, ANON));

		CHECK_ERR(try_map(150ul << 20, RW, ANON), ENOMEM);
		CHECK_OK(munmap(p, 150ul << 20));
	}
}

// Replacing needs nothing that is not there.
static void as_allows_replacing(void)
{
	char *p;

	set_limit(RLIMIT_AS, 256ul << 20);
	p = (char *)CHECK_OK(try_map(150ul << 20, RW, ANON));
	store(p, 'x');
	CHECK(mmap(p, 150ul << 20, RW, ANON | MAP_FIXED, -1, 0) == p);
	CHECK_EQ(load(p), 0);
}

static void as_stops_the_break(void)
{
	uintptr_t now = set_break(0);

	set_limit(RLIMIT_AS, 64ul << 20);
	CHECK_EQ(set_break(now + (100ul << 20)), now);
	CHECK_EQ(set_break(now + (1ul << 20)), now + (1ul << 20));
}

static void grow_stack(void *arg)
{
	char *low = (char *)__builtin_frame_address(0) - (7ul << 20);

	(void)arg;
	set_limit(RLIMIT_AS, 4ul << 20);
	store(low, 1);
}

static void as_stops_the_stack(void)
{
	int status = in_child(grow_stack, NULL);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static void data_counts_private_writable_memory(void)
{
	set_limit(RLIMIT_DATA, 64ul << 20);
	CHECK_ERR(try_map(100ul << 20, RW, ANON), ENOMEM);
	CHECK_OK(try_map(100ul << 20, PROT_READ, ANON));
	CHECK_OK(try_map(100ul << 20, PROT_NONE, ANON));
	CHECK_OK(try_map(100ul << 20, RW, MAP_SHARED | MAP_ANONYMOUS));
	CHECK_OK(try_map(30ul << 20, RW, ANON));
	CHECK_ERR(try_map(50ul << 20, RW, ANON), ENOMEM);
}

// What becomes writable becomes data.
static void data_stops_mprotect(void)
{
	char *p;

	set_limit(RLIMIT_DATA, 64ul << 20);
	p = (char *)CHECK_OK(try_map(100ul << 20, PROT_READ, ANON));
	CHECK_ERR(mprotect(p, 100ul << 20, RW), ENOMEM);
	CHECK_FAULT(try_store(p), SIGSEGV, SEGV_ACCERR, p);
	CHECK_OK(mprotect(p, 10ul << 20, RW));
	CHECK_NO_FAULT(try_store(p));
}

static void data_stops_the_break(void)
{
	uintptr_t now = set_break(0);

	set_limit(RLIMIT_DATA, 64ul << 20);
	CHECK_EQ(set_break(now + (100ul << 20)), now);
	CHECK_EQ(set_break(now + (1ul << 20)), now + (1ul << 20));
}

static void child_maps(void *arg)
{
	(void)arg;
	CHECK_ERR(try_map(200ul << 20, PROT_NONE, ANON), ENOMEM);
	set_limit(RLIMIT_AS, RLIM_INFINITY);
	CHECK_OK(try_map(200ul << 20, PROT_NONE, ANON));
}

static void limits_are_inherited_and_ones_own(void)
{
	set_limit(RLIMIT_AS, 128ul << 20);
	must_exit_well(start_child(child_maps, NULL));
	CHECK_ERR(try_map(200ul << 20, PROT_NONE, ANON), ENOMEM);
}

// A program that does not fit in does not start, or ends at once.
static void exec_something(void *arg)
{
	char *const argv[] = {"true", NULL};

	(void)arg;
	set_limit(RLIMIT_AS, 4 * PAGE);
	execv("/bin/true", argv);
	_exit(errno == ENOMEM ? 7 : 8);
}

static void as_stops_exec(void)
{
	int status = in_child(exec_something, NULL);

	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 7 || WEXITSTATUS(status) == 127);
}

// Another process's limits, by its number, hold for its memory at once.
static void wait_and_map(void *arg)
{
	volatile int *go = arg;

	while (!*go)
		;
	CHECK_ERR(try_map(200ul << 20, PROT_NONE, ANON), ENOMEM);
}

static void prlimit_of_another(void)
{
	volatile int *go = (volatile int *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = start_child(wait_and_map, (void *)go);
	struct rlimit limit = {128ul << 20, RLIM_INFINITY}, old;

	CHECK_OK(prlimit(pid, RLIMIT_AS, &limit, &old));
	CHECK_OK(prlimit(pid, RLIMIT_AS, NULL, &old));
	CHECK_EQ(old.rlim_cur, 128ul << 20);
	*go = 1;
	must_exit_well(pid);
	CHECK_OK(try_map(200ul << 20, PROT_NONE, ANON));
}

static const struct test tests[] = {
	{"as_counts_all_mappings", as_counts_all_mappings},
	{"as_lets_go_what_is_unmapped", as_lets_go_what_is_unmapped},
	{"as_allows_replacing", as_allows_replacing},
	{"as_stops_the_break", as_stops_the_break},
	{"as_stops_the_stack", as_stops_the_stack},
	{"data_counts_private_writable_memory", data_counts_private_writable_memory},
	{"data_stops_mprotect", data_stops_mprotect},
	{"data_stops_the_break", data_stops_the_break},
	{"limits_are_inherited_and_ones_own", limits_are_inherited_and_ones_own},
	{"as_stops_exec", as_stops_exec},
	{"prlimit_of_another", prlimit_of_another},
};

TEST_MAIN(tests)
