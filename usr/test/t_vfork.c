// SPDX-License-Identifier: MIT
// vfork, and clone with CLONE_VM and CLONE_VFORK: the child runs in the parent's memory, and the
// parent stands still until the child has a program of its own or is gone.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW         (PROT_READ | PROT_WRITE)
#define STACK_SIZE (16 * PAGE)

// Global: what a child's frames leave in the parent's registers does not matter to it.
static volatile int said;
static volatile char *memory;

static void check_exited(pid_t pid, int code)
{
	int status = end_child(pid);

	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), code);
}

static void child_writes_the_parents_memory(void)
{
	pid_t pid;

	memory = map_anon(4 * PAGE);
	memory[PAGE] = 'p';
	said = 0;
	pid = vfork();
	CHECK(pid >= 0);
	if (pid == 0) {
		said = memory[PAGE] == 'p' ? 7 : 8;
		memory[0] = 'c'; // a page that nobody had touched
		memory[PAGE] = 'd';
		_exit(5);
	}
	CHECK_EQ(said, 7);
	CHECK_EQ(memory[0], 'c');
	CHECK_EQ(memory[PAGE], 'd');
	check_exited(pid, 5);
}

// The child lets others run, many times; the parent must not be among them.
static void parent_waits_for_exit(void)
{
	pid_t pid;

	said = 0;
	pid = vfork();
	CHECK(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < 200; i++)
			sched_yield();
		said = 1;
		_exit(0);
	}
	CHECK_EQ(said, 1);
	must_exit_well(pid);
}

static char *const true_argv[] = {"true", NULL};

static void parent_goes_on_after_exec(void)
{
	int ends[2];
	pid_t pid;

	CHECK_OK(pipe(ends));
	pid = vfork();
	CHECK(pid >= 0);
	if (pid == 0) {
		char *const argv[] = {"cat", NULL};

		dup2(ends[0], 0);
		close(ends[0]);
		close(ends[1]);
		execv("/bin/cat", argv);
		_exit(99);
	}
	// cat waits for us: so we were let go by the exec and not by the end
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	close(ends[0]);
	close(ends[1]);
	must_exit_well(pid);
}

// The new program is not in our memory any more.
static void exec_leaves_the_memory_alone(void)
{
	pid_t pid;

	memory = map_anon(16 * PAGE);
	memset((char *)memory, 'm', 16 * PAGE);
	pid = vfork();
	CHECK(pid >= 0);
	if (pid == 0) {
		execv("/bin/true", true_argv);
		_exit(99);
	}
	for (size_t i = 0; i < 16 * PAGE; i++)
		CHECK_EQ(memory[i], 'm');
	must_exit_well(pid);
}

static void failed_exec_comes_back_to_the_child(void)
{
	pid_t pid;

	said = 0;
	pid = vfork();
	CHECK(pid >= 0);
	if (pid == 0) {
		execv("/bin/no such program", true_argv);
		said = errno;
		_exit(3);
	}
	CHECK_EQ(said, ENOENT);
	check_exited(pid, 3);
}

static void killed_child_frees_the_parent(void)
{
	pid_t pid = vfork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		kill(getpid(), SIGKILL);
		for (;;)
			;
	}
	status = end_child(pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
}

static void mapping_done_by_the_child_stays(void)
{
	pid_t pid = vfork();

	CHECK(pid >= 0);
	if (pid == 0) {
		memory = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memory[PAGE] = 'v';
		_exit(0);
	}
	CHECK_EQ(memory[PAGE], 'v');
	must_exit_well(pid);
}

// Descriptors, limits and the like are the child's own.
static void the_rest_is_its_own(void)
{
	struct rlimit limit, before;
	int ends[2];
	pid_t pid;

	CHECK_OK(pipe(ends));
	CHECK_OK(getrlimit(RLIMIT_AS, &before));
	pid = vfork();
	CHECK(pid >= 0);
	if (pid == 0) {
		limit = (struct rlimit){1ul << 20, before.rlim_max};
		setrlimit(RLIMIT_AS, &limit);
		close(ends[0]);
		close(ends[1]);
		_exit(0);
	}
	must_exit_well(pid);
	CHECK_OK(getrlimit(RLIMIT_AS, &limit));
	CHECK_EQ(limit.rlim_cur, before.rlim_cur);
	map_anon(8ul << 20); // the child's limit is not ours
	CHECK_EQ(write(ends[1], "x", 1), 1);
}

static volatile int handled;

static void on_signal(int signo)
{
	(void)signo;
	handled++;
}

// A signal for the waiting parent waits as well; it does not cut the wait short.
static void signals_wait_with_the_parent(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	pid_t parent = getpid(), pid;

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	handled = said = 0;
	pid = vfork();
	CHECK(pid >= 0);
	if (pid == 0) {
		kill(parent, SIGUSR1);
		for (int i = 0; i < 50; i++)
			sched_yield();
		said = handled;
		_exit(0);
	}
	CHECK_EQ(said, 0);
	CHECK_EQ(handled, 1);
	must_exit_well(pid);
}

static void vfork_and_linger(void *arg)
{
	pid_t pid = vfork();

	if (pid == 0) {
		*(volatile int *)arg = getpid();
		for (;;)
			sched_yield();
	}
}

// A kill reaches the parent where it waits; the child keeps the memory and goes on.
static void waiting_parent_can_be_killed(void)
{
	volatile int *child = (volatile int *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = start_child(vfork_and_linger, (void *)child);
	int status;

	while (!*child)
		sched_yield();
	CHECK_OK(kill(pid, SIGKILL));
	status = end_child(pid);
	CHECK(WIFSIGNALED(status));
	CHECK_OK(kill(*child, 0)); // it lives
	CHECK_OK(kill(*child, SIGKILL));
}

// --- clone

static int write_and_return(void *arg)
{
	char here;

	*(volatile char *)arg = 'k';
	said = (uintptr_t)&here > (uintptr_t)memory &&
	       (uintptr_t)&here < (uintptr_t)memory + STACK_SIZE;
	return 6;
}

static void clone_with_a_stack_of_its_own(void)
{
	char *stack = map_anon(STACK_SIZE), *target = map_anon(PAGE);
	pid_t pid;

	memory = stack;
	said = 0;
	pid = (pid_t)CHECK_OK(clone(
		write_and_return, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, target));
	CHECK_EQ(said, 1);
	CHECK_EQ(load(target), 'k');
	check_exited(pid, 6);
}

static int exec_true(void *arg)
{
	(void)arg;
	execv("/bin/true", true_argv);
	return 99;
}

static int exec_nothing(void *arg)
{
	(void)arg;
	execv("/nothing", true_argv);
	return 4;
}

static int die(void *arg)
{
	(void)arg;
	kill(getpid(), SIGKILL);
	return 0;
}

static void clone_then_exec_fail_or_die(void)
{
	char *end = map_anon(STACK_SIZE) + STACK_SIZE;
	int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;

	check_exited((pid_t)CHECK_OK(clone(exec_true, end, flags, NULL)), 0);
	check_exited((pid_t)CHECK_OK(clone(exec_nothing, end, flags, NULL)), 4);
	CHECK_EQ(WTERMSIG(end_child((pid_t)CHECK_OK(clone(die, end, flags, NULL)))), SIGKILL);
}

// Without CLONE_VM the parent waits, too, but the memory is a copy.
static void clone_with_vfork_alone(void)
{
	char *end = map_anon(STACK_SIZE) + STACK_SIZE, *target = map_anon(PAGE);

	memory = target;
	check_exited(
		(pid_t)CHECK_OK(clone(write_and_return, end, CLONE_VFORK | SIGCHLD, target)), 6);
	CHECK_EQ(load(target), 0);
}

static int change_actions(void *arg)
{
	struct sigaction action;

	(void)arg;
	if (sigaction(SIGUSR1, NULL, &action) || action.sa_handler != SIG_IGN)
		return 1;
	if (signal(SIGUSR1, on_signal) == SIG_ERR || signal(SIGUSR2, SIG_IGN) == SIG_ERR)
		return 2;
	return 0;
}

// What is done about signals is one thing for both, until one of them executes a program.
static void actions_can_be_shared(void)
{
	char *end = map_anon(STACK_SIZE) + STACK_SIZE;
	int flags = CLONE_VM | CLONE_VFORK | CLONE_SIGHAND | SIGCHLD;

	handled = 0;
	signal(SIGUSR1, SIG_IGN);
	check_exited((pid_t)CHECK_OK(clone(change_actions, end, flags, NULL)), 0);
	CHECK_OK(kill(getpid(), SIGUSR2));
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(handled, 1);
	check_exited((pid_t)CHECK_OK(clone(exec_true, end, flags, NULL)), 0);
	handled = 0;
	CHECK_OK(kill(getpid(), SIGUSR1)); // it still has a handler
	CHECK_EQ(handled, 1);
}

static void clone_arguments(void)
{
	char *end = map_anon(STACK_SIZE) + STACK_SIZE;

	CHECK_ERR(clone(exec_true, NULL, CLONE_VM | SIGCHLD, NULL), EINVAL);
	CHECK_ERR(clone(exec_true, end, CLONE_SIGHAND | SIGCHLD, NULL), EINVAL); // without VM
}

static void one_of_many(bool execs)
{
	pid_t pid = vfork();

	CHECK(pid >= 0);
	if (pid == 0) {
		if (execs)
			execv("/bin/true", true_argv);
		_exit(0);
	}
	must_exit_well(pid);
}

// One after another, many times: nothing of them is left.
static void many_in_a_row(void)
{
	for (int i = 0; i < 100; i++)
		one_of_many(i % 2);
}

static const struct test tests[] = {
	{"child_writes_the_parents_memory", child_writes_the_parents_memory},
	{"parent_waits_for_exit", parent_waits_for_exit},
	{"parent_goes_on_after_exec", parent_goes_on_after_exec},
	{"exec_leaves_the_memory_alone", exec_leaves_the_memory_alone},
	{"failed_exec_comes_back_to_the_child", failed_exec_comes_back_to_the_child},
	{"killed_child_frees_the_parent", killed_child_frees_the_parent},
	{"mapping_done_by_the_child_stays", mapping_done_by_the_child_stays},
	{"the_rest_is_its_own", the_rest_is_its_own},
	{"signals_wait_with_the_parent", signals_wait_with_the_parent},
	{"waiting_parent_can_be_killed", waiting_parent_can_be_killed},
	{"clone_with_a_stack_of_its_own", clone_with_a_stack_of_its_own},
	{"clone_then_exec_fail_or_die", clone_then_exec_fail_or_die},
	{"clone_with_vfork_alone", clone_with_vfork_alone},
	{"actions_can_be_shared", actions_can_be_shared},
	{"clone_arguments", clone_arguments},
	{"many_in_a_row", many_in_a_row},
};

TEST_MAIN(tests)
