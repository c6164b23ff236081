// SPDX-License-Identifier: MIT
// Address-space randomization: a program that is executed again finds its memory somewhere else,
// or, when the kernel was started with "norandmaps", where it was. The test executes itself, with
// one argument, to learn where things are.
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

enum { RUNS = 8 };

struct places {
	uintptr_t stack, mapping, heap, trampoline;
	uint64_t random; // the bytes at AT_RANDOM
};

static volatile uintptr_t returns_to;

static void on_signal(int signo)
{
	(void)signo;
	returns_to = (uintptr_t)__builtin_return_address(0);
}

static int tell(void)
{
	char here;
	struct places p = {
		.stack = (uintptr_t)&here & ~(PAGE - 1),
		.mapping = (uintptr_t)map_anon(PAGE),
		.heap = (uintptr_t)sbrk(0),
	};

	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	p.trampoline = returns_to;
	memcpy(&p.random, (const void *)getauxval(AT_RANDOM), sizeof p.random);
	return write(STDOUT_FILENO, &p, sizeof p) != sizeof p;
}

static struct places one_run(void)
{
	struct places p;
	int ends[2];
	pid_t pid;

	CHECK_OK(pipe(ends));
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		char *const argv[] = {"mem_random", "tell", NULL};

		dup2(ends[1], STDOUT_FILENO);
		execv("/proc/self/exe", argv);
		_exit(99);
	}
	close(ends[1]);
	CHECK_EQ(read(ends[0], &p, sizeof p), sizeof p);
	close(ends[0]);
	must_exit_well(pid);
	return p;
}

static bool is_randomized(void)
{
	char line[1024] = "";
	int fd = open("/proc/cmdline", O_RDONLY);

	if (fd >= 0) {
		if (read(fd, line, sizeof line - 1) < 0)
			line[0] = '\0';
		close(fd);
	}
	return !strstr(line, "norandmaps");
}

static struct places runs[RUNS];

static void run_all(void)
{
	for (int i = 0; i < RUNS; i++)
		runs[i] = one_run();
}

// How many of the runs found at OFFSET of struct places something that no earlier one had found.
static int different(size_t offset)
{
	int n = 0;

	for (int i = 0; i < RUNS; i++) {
		bool seen = false;

		for (int k = 0; k < i; k++)
			seen |= !memcmp((char *)&runs[i] + offset, (char *)&runs[k] + offset,
				sizeof(uintptr_t));
		n += !seen;
	}
	return n;
}

static void look_at(size_t offset)
{
	run_all();
	// that two of eight agree by chance among 2^17 places happens once in 4,000 runs
	if (is_randomized())
		CHECK(different(offset) >= RUNS - 1);
	else
		CHECK_EQ(different(offset), 1);
}

static void stack(void)
{
	look_at(offsetof(struct places, stack));
}

static void mapping(void)
{
	look_at(offsetof(struct places, mapping));
}

static void heap(void)
{
	look_at(offsetof(struct places, heap));
}

static void trampoline(void)
{
	if (!on_mapache())
		tap_skip("handlers return into the C library elsewhere");
	look_at(offsetof(struct places, trampoline));
}

// What a program is given to make secrets of is never the same.
static void random_bytes_differ_in_any_case(void)
{
	run_all();
	CHECK_EQ(different(offsetof(struct places, random)), RUNS);
}

// Knowing one place tells nothing of another: the distances change, too.
static void places_move_by_themselves(void)
{
	run_all();
	for (int i = 0; i < RUNS; i++) {
		runs[i].mapping -= runs[i].stack;
		runs[i].heap -= runs[i].stack;
		runs[i].trampoline -= runs[i].stack;
	}
	if (!is_randomized())
		tap_skip("nothing moves");
	CHECK(different(offsetof(struct places, mapping)) >= RUNS - 1);
	CHECK(different(offsetof(struct places, heap)) >= RUNS - 1);
	if (on_mapache())
		CHECK(different(offsetof(struct places, trampoline)) >= RUNS - 1);
}

// fork copies the places along with all else.
static void child_looks(void *arg)
{
	struct places *p = arg;
	char here;

	CHECK_EQ((uintptr_t)sbrk(0), p->heap);
	CHECK((uintptr_t)&here - p->stack + (1ul << 20) < 2ul << 20);
	returns_to = 0;
	raise(SIGUSR1);
	CHECK_EQ(returns_to, p->trampoline);
}

static void fork_moves_nothing(void)
{
	char here;
	struct places p = {.stack = (uintptr_t)&here, .heap = (uintptr_t)sbrk(0)};

	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	p.trampoline = returns_to;
	must_exit_well(start_child(child_looks, &p));
}

static const struct test tests[] = {
	{"stack", stack},
	{"mapping", mapping},
	{"heap", heap},
	{"trampoline", trampoline},
	{"random_bytes_differ_in_any_case", random_bytes_differ_in_any_case},
	{"places_move_by_themselves", places_move_by_themselves},
	{"fork_moves_nothing", fork_moves_nothing},
};

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "tell"))
		return tell();
	return tap_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
