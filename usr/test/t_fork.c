// SPDX-License-Identifier: MIT
// fork: what parent and child share, and what they do not, after pages were touched, copied, mapped
// from files or never touched at all; trees of processes; waiting for them.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW (PROT_READ | PROT_WRITE)

// What a child finds and does goes through here.
struct shared {
	volatile int ready, count;
	char bytes[PAGE - 8];
};

static struct shared *shared_page(void)
{
	return (struct shared *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static char *memory; // what the children look at

static void child_sees_and_writes(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < 16; i++)
		CHECK_EQ(load(memory + i * PAGE), i % 2 ? 'p' : 0);
	for (size_t i = 0; i < 16; i++)
		store(memory + i * PAGE, 'c');
	for (size_t i = 0; i < 16; i++)
		CHECK_EQ(load(memory + i * PAGE), 'c');
}

static void after_partial_touch(void)
{
	memory = map_anon(16 * PAGE);
	for (size_t i = 1; i < 16; i += 2)
		store(memory + i * PAGE, 'p');
	must_exit_well(start_child(child_sees_and_writes, NULL));
	for (size_t i = 0; i < 16; i++)
		CHECK_EQ(load(memory + i * PAGE), i % 2 ? 'p' : 0);
}

static void wait_then_look(void *arg)
{
	struct shared *s = arg;

	while (!s->ready)
		sched_yield();
	for (size_t i = 0; i < 16; i++)
		CHECK_EQ(load(memory + i * PAGE), 'p');
}

// The parent writes first: it is its page that must be copied.
static void parent_writes_stay_its_own(void)
{
	struct shared *s = shared_page();
	pid_t pid;

	memory = map_anon(16 * PAGE);
	memset(memory, 'p', 16 * PAGE);
	pid = start_child(wait_then_look, s);
	memset(memory, 'q', 16 * PAGE);
	s->ready = 1;
	must_exit_well(pid);
	CHECK_EQ(load(memory), 'q');
}

static void child_looks_at_private_file(void *arg)
{
	(void)arg;
	CHECK_EQ(load(memory), 'p');
	CHECK_EQ(load(memory + PAGE), pattern(PAGE));
	CHECK_EQ(load(memory + 2 * PAGE), pattern(2 * PAGE));
	store(memory + PAGE, 'c');
	store(memory, 'd');
}

static void private_file_after_writes(void)
{
	int fd = make_file("f", 3 * PAGE);
	char back[3];

	memory = map(3 * PAGE, RW, MAP_PRIVATE, fd, 0);
	store(memory, 'p');
	CHECK_EQ(load(memory + PAGE), pattern(PAGE));
	must_exit_well(start_child(child_looks_at_private_file, NULL));
	CHECK_EQ(load(memory), 'p');
	CHECK_EQ(load(memory + PAGE), pattern(PAGE));
	CHECK_EQ(pread(fd, back, 1, 0), 1);
	CHECK_EQ(back[0], pattern(0));
}

static void child_writes_shared(void *arg)
{
	(void)arg;
	CHECK_EQ(load(memory), 'p');
	for (size_t i = 1; i < 4; i++)
		store(memory + i * PAGE, (char)('a' + i));
}

static void shared_file_is_shared(void)
{
	int fd = make_file("f", 4 * PAGE);
	char c;

	memory = map(4 * PAGE, RW, MAP_SHARED, fd, 0);
	store(memory, 'p');
	must_exit_well(start_child(child_writes_shared, NULL));
	for (size_t i = 1; i < 4; i++) {
		CHECK_EQ(load(memory + i * PAGE), 'a' + (char)i);
		CHECK_EQ(pread(fd, &c, 1, (off_t)(i * PAGE)), 1);
		CHECK_EQ(c, 'a' + (char)i);
	}
}

// Pages that nobody had touched before the fork are shared all the same.
static void shared_anonymous_is_shared(void)
{
	memory = map(4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	store(memory, 'p');
	must_exit_well(start_child(child_writes_shared, NULL));
	for (size_t i = 1; i < 4; i++)
		CHECK_EQ(load(memory + i * PAGE), 'a' + (char)i);
}

static void child_unmaps(void *arg)
{
	(void)arg;
	CHECK_OK(munmap(memory, 8 * PAGE));
	CHECK_FAULT(try_load(memory), SIGSEGV, SEGV_MAPERR, memory);
}

static void childs_unmap_is_its_own(void)
{
	memory = map_anon(8 * PAGE);
	memset(memory, 'm', 8 * PAGE);
	must_exit_well(start_child(child_unmaps, NULL));
	for (size_t i = 0; i < 8 * PAGE; i++)
		CHECK_EQ(memory[i], 'm');
}

static void child_of_read_only(void *arg)
{
	(void)arg;
	CHECK_FAULT(try_store(memory), SIGSEGV, SEGV_ACCERR, memory);
	CHECK_OK(mprotect(memory, PAGE, RW));
	store(memory, 'w');
}

static void rights_are_inherited(void)
{
	memory = map_anon(PAGE);
	store(memory, 'r');
	CHECK_OK(mprotect(memory, PAGE, PROT_READ));
	must_exit_well(start_child(child_of_read_only, NULL));
	CHECK_EQ(load(memory), 'r');
	CHECK_FAULT(try_store(memory), SIGSEGV, SEGV_ACCERR, memory);
}

// The last holder of a page may write to it in place; nobody else's must change with it.
static void grandchild_outlives_the_child(void *arg)
{
	struct shared *s = arg;

	memset(memory, 'k', 4 * PAGE);
	if (fork() == 0) {
		while (!s->ready) // until the middle one has gone
			sched_yield();
		for (size_t i = 0; i < 4; i++)
			s->count += load(memory + i * PAGE) == 'k';
		memset(memory, 'g', 4 * PAGE);
		s->ready = 2;
		_exit(0);
	}
}

static void middle_of_a_chain_exits(void)
{
	struct shared *s = shared_page();

	memory = map_anon(4 * PAGE);
	memset(memory, 'p', 4 * PAGE);
	must_exit_well(start_child(grandchild_outlives_the_child, s));
	s->ready = 1;
	while (s->ready != 2)
		sched_yield();
	CHECK_EQ(s->count, 4);
	for (size_t i = 0; i < 4; i++)
		CHECK_EQ(load(memory + i * PAGE), 'p');
}

// A tree of processes: each writes its own path into its copy and checks it after its children.
static void grow_tree(int depth, char mark)
{
	char expected[8];

	for (size_t i = 0; i < 8; i++)
		if (random_below(2))
			store(memory + i * PAGE, mark);
	for (size_t i = 0; i < 8; i++)
		expected[i] = load(memory + i * PAGE);
	if (depth > 0)
		for (int child = 0; child < 2; child++) {
			pid_t pid = fork();

			if (pid == 0) {
				grow_tree(depth - 1, (char)(mark * 2 + child));
				_exit(0);
			}
			CHECK(pid > 0);
			must_exit_well(pid);
		}
	for (size_t i = 0; i < 8; i++)
		CHECK_EQ(load(memory + i * PAGE), expected[i]);
}

static void deep_tree(void)
{
	memory = map_anon(8 * PAGE);
	grow_tree(5, 1);
}

static void chain(int depth, struct shared *s)
{
	pid_t pid;

	store(memory + (size_t)(depth % 16) * PAGE, (char)depth);
	s->count++;
	if (depth == 0)
		return;
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		chain(depth - 1, s);
		_exit(0);
	}
	must_exit_well(pid);
	CHECK_EQ(load(memory + (size_t)(depth % 16) * PAGE), depth);
}

static void long_chain(void)
{
	struct shared *s = shared_page();

	memory = map_anon(16 * PAGE);
	chain(40, s);
	CHECK_EQ(s->count, 41);
}

static void exit_with(void *arg)
{
	_exit(*(int *)arg);
}

static void exit_status_arrives(void)
{
	static const int codes[] = {0, 1, 42, 255};

	for (size_t i = 0; i < 4; i++) {
		int code = codes[i], status = in_child(exit_with, &code);

		CHECK(WIFEXITED(status));
		CHECK_EQ(WEXITSTATUS(status), code);
	}
}

static void wait_arguments(void)
{
	int status, code = 3;
	pid_t pid;

	CHECK_ERR(wait(&status), ECHILD);
	CHECK_ERR(waitpid(getpid(), &status, 0), ECHILD);
	pid = start_child(exit_with, &code);
	CHECK_ERR(waitpid(pid, &status, 0x40000), EINVAL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
}

static void wait_forever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void wait_without_hanging(void)
{
	pid_t pid = start_child(wait_forever, NULL);
	int status;

	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(-1, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
}

static void count_pids(void *arg)
{
	struct shared *s = arg;

	s->count += getppid() != getpid();
}

static void many_children(void)
{
	enum { CHILDREN = 60 };
	struct shared *s = shared_page();
	pid_t pids[CHILDREN];

	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = start_child(wait_forever, NULL);
		for (int k = 0; k < i; k++)
			CHECK(pids[k] != pids[i]);
	}
	for (int i = 0; i < CHILDREN; i++)
		CHECK_OK(kill(pids[i], SIGKILL));
	for (int i = CHILDREN - 1; i >= 0; i--)
		CHECK_EQ(WTERMSIG(end_child(pids[i])), SIGKILL);
	for (int i = 0; i < 200; i++)
		must_exit_well(start_child(count_pids, s));
	CHECK_EQ(s->count, 200);
}

// Descriptors are shared with their position; closing is one's own.
static void child_reads(void *arg)
{
	int fd = *(int *)arg;
	char c;

	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, pattern(0));
	CHECK_OK(close(fd));
}

static void descriptors_share_the_position(void)
{
	int fd = make_file("f", 100);
	char c;

	CHECK_OK(lseek(fd, 0, SEEK_SET));
	must_exit_well(start_child(child_reads, &fd));
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, pattern(1));
}

static const struct test tests[] = {
	{"after_partial_touch", after_partial_touch},
	{"parent_writes_stay_its_own", parent_writes_stay_its_own},
	{"private_file_after_writes", private_file_after_writes},
	{"shared_file_is_shared", shared_file_is_shared},
	{"shared_anonymous_is_shared", shared_anonymous_is_shared},
	{"childs_unmap_is_its_own", childs_unmap_is_its_own},
	{"rights_are_inherited", rights_are_inherited},
	{"middle_of_a_chain_exits", middle_of_a_chain_exits},
	{"deep_tree", deep_tree},
	{"long_chain", long_chain},
	{"exit_status_arrives", exit_status_arrives},
	{"wait_arguments", wait_arguments},
	{"wait_without_hanging", wait_without_hanging},
	{"many_children", many_children},
	{"descriptors_share_the_position", descriptors_share_the_position},
};

TEST_MAIN(tests)
