// SPDX-License-Identifier: MIT
// Fork bombs: processes that fork, and fork again when they are told that they cannot. Whatever
// they may, the error is a clean one, others go on, one signal to their group ends them, and all
// that they had is there again. Likewise threads without end, and children that nobody waits for.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/stock.h"
#include "lib/tap.h"
#include "lib/threads.h"

#define USER   3000
#define MANY   400  // processes that the smallest machine has room for,
#define CROWD  1000 // and threads
#define ENOUGH 5000 // failures: more than processes fit
#define SPARE  150  // frames: tables of kernel stacks stay; and objects of a cache

struct bomb {
	uid_t uid;
	rlim_t limit;     // RLIMIT_NPROC
	bool gives_up;    // each process, when it cannot fork
	uint32_t enough;  // failures until the tester is told
	long least, most; // processes there then
};

// What the bombers tell, in memory that they share.
struct tally {
	uint32_t made, failed;
	int error; // the last one that is not EAGAIN
};

static void nothing(void *arg)
{
	(void)arg;
}

static void must_be_survived(void (*body)(void *arg), const void *arg)
{
	struct stock *before;
	char why[256];

	if (!on_mapache() || getuid() != 0)
		tap_skip("for uid 0 of a kernel that survives it");
	before = take_stock();
	CHECK_EQ(in_child(body, (void *)arg), 0);
	if (!is_well(before, SPARE, why, sizeof why))
		FAIL("afterwards: %s", why);
	free(before);
	must_exit_well(start_child(nothing, NULL));
}

// --- the bomb

// In a group of its own; and the first to go if memory runs short.
static void become_bomber(const struct bomb *b)
{
	struct rlimit limit = {b->limit, b->limit};
	int adj = (int)CHECK_OK(open("/proc/self/oom_score_adj", O_WRONLY));

	CHECK_EQ(write(adj, "1000", 4), 4);
	CHECK_OK(close(adj));
	CHECK_OK(setsid());
	CHECK_OK(setrlimit(RLIMIT_NPROC, &limit));
	CHECK_OK(setuid(b->uid));
}

static _Noreturn void go_off(const struct bomb *b, struct tally *tally, int report)
{
	pid_t pid = 0;

	for (;; pid = fork()) {
		if (pid > 0)
			__atomic_add_fetch(&tally->made, 1, __ATOMIC_SEQ_CST);
		if (pid >= 0)
			continue;
		if (errno != EAGAIN)
			tally->error = errno;
		if (__atomic_add_fetch(&tally->failed, 1, __ATOMIC_SEQ_CST) == b->enough)
			CHECK_EQ(write(report, "", 1), 1);
		while (b->gives_up)
			pause();
	}
}

// --- who watches it

static void must_go_on(const struct bomb *b)
{
	int fd = (int)CHECK_OK(open("here", O_CREAT | O_RDWR, 0644));
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	CHECK(pid > 0 || errno == EAGAIN);
	if (pid > 0)
		must_exit_well(pid);
	CHECK(pid > 0 || b->limit == RLIM_INFINITY || b->uid == 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(close(fd));
	CHECK_OK(unlink("here"));
}

static void watch(void *arg)
{
	const struct bomb *b = arg;
	struct tally *tally = (struct tally *)map(
		PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long before = count_processes(), bombers;
	int report[2];
	char byte;
	pid_t pid;

	CHECK_OK(pipe(report));
	pid = (pid_t)CHECK_OK(fork());
	if (pid == 0) {
		become_bomber(b);
		go_off(b, tally, report[1]);
	}
	CHECK_EQ(read(report[0], &byte, 1), 1);
	// To look at each while all compute takes long; and some have not yet said what they made.
	bombers = b->gives_up ? count_processes() - before : tally->made;
	must_go_on(b);
	CHECK_OK(kill(-pid, SIGKILL));
	CHECK_EQ(end_child(pid), SIGKILL);
	if (bombers < b->least || bombers > b->most)
		FAIL("%ld processes, should be %ld to %ld", bombers, b->least, b->most);
	CHECK_EQ(tally->error, 0);
}

// Who cannot fork waits; so in the end there are exactly as many as may be, and all have failed.
static void limit_is_exact(void)
{
	static const struct bomb b = {USER, 100, true, 100, 100, 100};

	must_be_survived(watch, &b);
}

static void user_with_a_limit(void)
{
	static const struct bomb b = {USER, 100, false, ENOUGH, 25, 100};

	must_be_survived(watch, &b);
}

// The limit of all users together, which no privilege passes.
static void user_without_a_limit(void)
{
	static const struct bomb b = {USER, RLIM_INFINITY, false, ENOUGH, MANY / 4, LONG_MAX};

	must_be_survived(watch, &b);
}

static void root_with_a_limit(void)
{
	static const struct bomb b = {0, 100, false, ENOUGH, MANY / 4, LONG_MAX};

	must_be_survived(watch, &b);
}

static void root_without_a_limit(void)
{
	static const struct bomb b = {0, RLIM_INFINITY, false, ENOUGH, MANY / 4, LONG_MAX};

	must_be_survived(watch, &b);
}

// --- threads

static uint32_t gate;

static int wait_at_gate(void *arg)
{
	(void)arg;
	futex_wait_while(&gate, 0);
	syscall(SYS_exit, 0);
	return 0;
}

#define MOST 20000 // on the largest machine

// A page of stack each; those that are there end with their process.
static void clone_until_it_fails(void *arg)
{
	char *stacks = map(MOST * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int flags = THREAD_FLAGS & ~(CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID);
	long n = 1;

	(void)arg;
	while (n < MOST && clone(wait_at_gate, stacks + n * PAGE, flags, NULL) > 0)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK(n > CROWD);
	CHECK_ERR(fork(), EAGAIN);
	until_waiting(&gate, n - 1);
	_exit(0);
}

static void threads_without_end(void)
{
	must_be_survived(clone_until_it_fails, NULL);
}

// --- zombies

static void leave_zombies(void *arg)
{
	long n = 0;
	pid_t pid;

	(void)arg;
	for (; (pid = fork()) > 0; n++)
		;
	if (pid == 0)
		_exit(0);
	CHECK_EQ(errno, EAGAIN);
	CHECK(n > MANY);
	for (; n > 0; n--)
		CHECK(wait(NULL) > 0);
	must_exit_well(start_child(nothing, NULL));
}

static void zombies_without_end(void)
{
	must_be_survived(leave_zombies, NULL);
}

static const struct test tests[] = {
	{"limit_is_exact", limit_is_exact},
	{"user_with_a_limit", user_with_a_limit},
	{"user_without_a_limit", user_without_a_limit},
	{"root_with_a_limit", root_with_a_limit},
	{"root_without_a_limit", root_without_a_limit},
	{"threads_without_end", threads_without_end},
	{"zombies_without_end", zombies_without_end},
};

BEYOND_CORE_MAIN(tests)
