// SPDX-License-Identifier: MIT
#include "crew.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES (64ul << 10) // and its alignment: any address in a stack tells whose it is

// At the low end of a member's stack.
struct member {
	unsigned me;
	uint64_t random;
	sigjmp_buf after_fault;
	struct fault fault;
};

static void (*crew_work)(unsigned me);
static atomic_uint crew_ready, crew_go;

static struct member *self(void)
{
	char here;

	return (struct member *)((uintptr_t)&here & ~(STACK_BYTES - 1));
}

uint64_t member_random(void)
{
	uint64_t z = self()->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	return z ^ z >> 31;
}

unsigned member_below(unsigned n)
{
	return (unsigned)(member_random() % n);
}

// --- accesses that may fail

static void on_fault(int signo, siginfo_t *info, void *context)
{
	struct member *m = self();

	(void)context;
	m->fault = (struct fault){signo, info->si_code, (uintptr_t)info->si_addr};
	siglongjmp(m->after_fault, 1);
}

static void catch_faults(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

struct fault member_load(const void *p)
{
	struct member *m = self();

	m->fault = (struct fault){0, 0, 0};
	if (sigsetjmp(m->after_fault, 1) == 0)
		(void)load(p);
	return m->fault;
}

struct fault member_add(unsigned *p)
{
	struct member *m = self();

	m->fault = (struct fault){0, 0, 0};
	if (sigsetjmp(m->after_fault, 1) == 0)
		__atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST);
	return m->fault;
}

// --- the crew

static int member_main(void *arg)
{
	struct member *m = arg;

	catch_faults();
	atomic_fetch_add(&crew_ready, 1);
	while (!atomic_load(&crew_go))
		sched_yield();
	crew_work(m->me);
	_exit(0);
}

static pid_t start_member(char *stack, unsigned me)
{
	struct member *m = (struct member *)stack;

	m->me = me;
	m->random = random_u64();
	return (pid_t)CHECK_OK(clone(member_main, stack + STACK_BYTES, CLONE_VM | SIGCHLD, m));
}

// n stacks, aligned, with nothing else around that a test might unmap by mistake.
static char *map_stacks(unsigned n, char **all, size_t *bytes)
{
	*bytes = (n + 1) * STACK_BYTES;
	*all = map_anon(*bytes);
	return (char *)(((uintptr_t)*all + STACK_BYTES - 1) & ~(STACK_BYTES - 1));
}

void crew_run_and_kill(unsigned n, void (*work)(unsigned me), int victim)
{
	pid_t pids[CREW_MAX];
	size_t bytes;
	char *all, *stacks = map_stacks(n, &all, &bytes);

	crew_work = work;
	atomic_store(&crew_ready, 0);
	atomic_store(&crew_go, 0);
	for (unsigned i = 0; i < n; i++)
		pids[i] = start_member(stacks + i * STACK_BYTES, i);
	while (atomic_load(&crew_ready) < n)
		sched_yield();
	atomic_store(&crew_go, 1);
	if (victim >= 0) {
		sched_yield();
		CHECK_OK(kill(pids[victim], SIGKILL));
	}
	for (unsigned i = 0; i < n; i++) {
		int status = end_child(pids[i]);

		if (status != 0 && (int)i != victim)
			FAIL("member %u ended with wait status %#x", i, (unsigned)status);
	}
	CHECK_OK(munmap(all, bytes));
}

void crew_run(unsigned n, void (*work)(unsigned me))
{
	crew_run_and_kill(n, work, -1);
}
