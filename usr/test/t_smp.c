// SPDX-License-Identifier: MIT
// Many processes at once, on all harts: faults on the same pages, storms of fork, exit, exec and
// map, and a machine that has lost nothing at the end. Nothing here needs several harts to be
// right; several harts are what makes it hard.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW (PROT_READ | PROT_WRITE)

enum { WORKERS = 8 };

struct board {
	atomic_int ready, go, arrived;
	atomic_long sum;
};

static struct board *board;
static char *memory;
static int file;

static struct board *board_new(void)
{
	return (struct board *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

// Runs WORK in WORKERS processes that start together; each gets its number.
static void together(void (*work)(int me))
{
	pid_t pids[WORKERS];

	board->ready = board->go = 0;
	for (int i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i] == 0) {
			board->ready++;
			while (!board->go)
				sched_yield();
			work(i);
			_exit(0);
		}
	}
	while (board->ready < WORKERS)
		sched_yield();
	board->go = 1;
	for (int i = 0; i < WORKERS; i++)
		must_exit_well(pids[i]);
}

static void touch_shared(int me)
{
	for (size_t i = 0; i < 64; i++)
		((atomic_int *)(memory + i * PAGE))[me]++;
}

// All harts fault on the same untouched pages: one page each must win.
static void faults_on_the_same_anonymous_pages(void)
{
	board = board_new();
	for (int round = 0; round < 5; round++) {
		memory = map(64 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		together(touch_shared);
		for (size_t i = 0; i < 64; i++)
			for (int w = 0; w < WORKERS; w++)
				CHECK_EQ(((atomic_int *)(memory + i * PAGE))[w], 1);
		CHECK_OK(munmap(memory, 64 * PAGE));
	}
}

static void look_at_file(int me)
{
	for (size_t k = 0; k < 64; k++) {
		size_t i = (k + (size_t)me * 8) % 64;

		for (size_t at = i * PAGE; at < (i + 1) * PAGE; at += 400)
			CHECK_EQ(load(memory + at), pattern(at));
	}
}

static void faults_on_the_same_file_pages(void)
{
	board = board_new();
	file = make_file("f", 64 * PAGE);
	memory = map(64 * PAGE, RW, MAP_SHARED, file, 0);
	together(look_at_file);
	together(look_at_file);
}

static void count_in_file(int me)
{
	(void)me;
	for (int k = 0; k < 2000; k++)
		((atomic_int *)(memory + (size_t)(k % 16) * PAGE))[0]++;
}

static void atomic_counters_in_a_file(void)
{
	int sum = 0;

	board = board_new();
	file = make_file("f", 0);
	CHECK_OK(ftruncate(file, 16 * PAGE));
	memory = map(16 * PAGE, RW, MAP_SHARED, file, 0);
	together(count_in_file);
	for (size_t i = 0; i < 16; i++)
		sum += ((atomic_int *)(memory + i * PAGE))[0];
	CHECK_EQ(sum, WORKERS * 2000);
}

static void copy_on_write(int me)
{
	for (size_t i = 0; i < 64; i++) {
		CHECK_EQ(load(memory + i * PAGE), 'o');
		store(memory + i * PAGE, (char)me);
	}
	for (size_t i = 0; i < 64; i++) {
		CHECK_EQ(load(memory + i * PAGE), me);
		CHECK_EQ(load(memory + i * PAGE + 1), 'o');
	}
}

static void copies_of_the_same_pages(void)
{
	board = board_new();
	for (int round = 0; round < 5; round++) {
		memory = map_anon(64 * PAGE);
		memset(memory, 'o', 64 * PAGE);
		together(copy_on_write);
		for (size_t i = 0; i < 64; i++)
			CHECK_EQ(load(memory + i * PAGE), 'o');
		CHECK_OK(munmap(memory, 64 * PAGE));
	}
}

static void fork_and_exit(int me)
{
	for (int k = 0; k < 10; k++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			store(memory + (size_t)me * PAGE, (char)k);
			_exit(k);
		}
		CHECK_EQ(WEXITSTATUS(end_child(pid)), k);
	}
}

static void fork_storm(void)
{
	board = board_new();
	memory = map_anon(WORKERS * PAGE);
	memset(memory, 'f', WORKERS * PAGE);
	together(fork_and_exit);
	for (size_t i = 0; i < WORKERS * PAGE; i++)
		CHECK_EQ(memory[i], 'f');
}

static void exec_and_wait(int me)
{
	for (int k = 0; k < 4; k++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			char *const ok[] = {"true", NULL}, *const no[] = {"false", NULL};

			execv((k + me) % 2 ? "/bin/true" : "/bin/false", (k + me) % 2 ? ok : no);
			_exit(99);
		}
		CHECK_EQ(WEXITSTATUS(end_child(pid)), (k + me) % 2 ? 0 : 1);
	}
}

static void exec_storm(void)
{
	board = board_new();
	together(exec_and_wait);
}

static void map_and_unmap(int me)
{
	for (int k = 0; k < 60; k++) {
		size_t pages = 1 + (size_t)(k * 7 + me) % 20;
		char *p = map_anon(pages * PAGE);

		for (size_t i = 0; i < pages; i++)
			store(p + i * PAGE, (char)(me + k));
		for (size_t i = 0; i < pages; i++)
			CHECK_EQ(load(p + i * PAGE), (char)(me + k));
		CHECK_OK(mprotect(p, pages * PAGE, PROT_READ));
		CHECK_EQ(try_store(p).signo, SIGSEGV);
		CHECK_OK(munmap(p, pages * PAGE));
		CHECK_EQ(try_load(p).signo, SIGSEGV);
	}
}

static void map_storm(void)
{
	board = board_new();
	together(map_and_unmap);
}

static void files_of_their_own(int me)
{
	char name[8] = {'w', (char)('0' + me), '\0'}, back[PAGE];

	for (int k = 0; k < 10; k++) {
		int fd = make_file(name, 5 * PAGE);
		char *p = map(5 * PAGE, RW, MAP_SHARED, fd, 0);

		memset(p + 2 * PAGE, me + k, PAGE);
		CHECK_EQ(pread(fd, back, PAGE, 2 * PAGE), PAGE);
		CHECK_EQ(back[PAGE - 1], me + k);
		CHECK_OK(k % 2 ? fsync(fd) : close(fd));
		CHECK_OK(unlink(name));
		CHECK_EQ(load(p + 2 * PAGE + 7), me + k);
		CHECK_OK(munmap(p, 5 * PAGE));
		if (k % 2)
			CHECK_OK(close(fd));
	}
}

static void file_storm(void)
{
	board = board_new();
	together(files_of_their_own);
}

static void names_in_one_folder(int me)
{
	char a[8] = {'a', (char)('0' + me), '\0'}, b[8] = {'b', (char)('0' + me), '\0'};

	for (int k = 0; k < 15; k++) {
		CHECK_OK(close((int)CHECK_OK(open(a, O_WRONLY | O_CREAT | O_EXCL, 0644))));
		CHECK_OK(link(a, b));
		CHECK_OK(unlink(a));
		CHECK_OK(rename(b, a));
		CHECK_OK(rename(a, "common")); // replaces that of whoever was last
		CHECK_OK(mkdir(b, 0755));
		CHECK_OK(rmdir(b));
	}
}

static void name_storm(void)
{
	board = board_new();
	together(names_in_one_folder);
	CHECK_OK(unlink("common"));
}

static void shrink_and_look(int me)
{
	char *p = map(16 * PAGE, RW, MAP_SHARED, file, 0);

	for (int k = 0; k < 100; k++) {
		if (me == 0) {
			CHECK_OK(ftruncate(file, k % 2 ? 16 * PAGE : 5 * PAGE + 7));
		} else {
			struct fault f = me % 2 ? try_load(p + 10 * PAGE) : try_store(p + 7 * PAGE);

			CHECK(f.signo == 0 || f.signo == SIGBUS);
			CHECK_EQ(try_load(p + 4 * PAGE).signo, 0);
		}
	}
}

// Below a mapping the file is cut and grown while others fault on it.
static void truncate_storm(void)
{
	board = board_new();
	file = make_file("f", 16 * PAGE);
	together(shrink_and_look);
	memory = map(16 * PAGE, RW, MAP_SHARED, file, 0);
	CHECK_OK(ftruncate(file, 5 * PAGE + 7));
	CHECK_OK(ftruncate(file, 16 * PAGE));
	for (size_t i = 5 * PAGE + 7; i < 16 * PAGE; i++)
		CHECK_EQ(memory[i], 0);
}

static void forever(int me)
{
	(void)me;
	for (;;) {
		char *p = map_anon(16 * PAGE);
		pid_t pid = fork();

		memset(p, 1, 16 * PAGE);
		if (pid == 0)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
		munmap(p, 16 * PAGE);
	}
}

// Killed wherever they are: in a fault, a fork, an exit, a wait.
static void kill_storm(void)
{
	for (int round = 0; round < 8; round++) {
		pid_t pids[WORKERS];

		for (int i = 0; i < WORKERS; i++) {
			pids[i] = fork();
			CHECK(pids[i] >= 0);
			if (pids[i] == 0)
				forever(i);
		}
		for (unsigned i = 0; i < 20 + random_below(60); i++)
			sched_yield();
		for (int i = 0; i < WORKERS; i++)
			CHECK_OK(kill(pids[i], SIGKILL));
		for (int i = 0; i < WORKERS; i++)
			CHECK_EQ(WTERMSIG(end_child(pids[i])), SIGKILL);
	}
}

// A token goes round through pipes: a lost wake-up stops it.
static void token_ring(void)
{
	int pipes[WORKERS][2], n = 0;
	pid_t pids[WORKERS];

	for (int i = 0; i < WORKERS; i++)
		CHECK_OK(pipe(pipes[i]));
	for (int i = 1; i < WORKERS; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i] == 0) {
			while (read(pipes[i - 1][0], &n, sizeof n) == sizeof n && n >= 0) {
				n++;
				if (write(pipes[i][1], &n, sizeof n) != sizeof n)
					_exit(1);
			}
			_exit(write(pipes[i][1], &n, sizeof n) != sizeof n);
		}
	}
	for (int round = 0; round < 300; round++) {
		CHECK_EQ(write(pipes[0][1], &n, sizeof n), sizeof n);
		CHECK_EQ(read(pipes[WORKERS - 1][0], &n, sizeof n), sizeof n);
		CHECK_EQ(n, (round + 1) * (WORKERS - 1));
	}
	n = -1;
	CHECK_EQ(write(pipes[0][1], &n, sizeof n), sizeof n);
	for (int i = 1; i < WORKERS; i++)
		must_exit_well(pids[i]);
}

static const struct test tests[] = {
	{"faults_on_the_same_anonymous_pages", faults_on_the_same_anonymous_pages},
	{"faults_on_the_same_file_pages", faults_on_the_same_file_pages},
	{"atomic_counters_in_a_file", atomic_counters_in_a_file},
	{"copies_of_the_same_pages", copies_of_the_same_pages},
	{"fork_storm", fork_storm},
	{"exec_storm", exec_storm},
	{"map_storm", map_storm},
	{"file_storm", file_storm},
	{"name_storm", name_storm},
	{"truncate_storm", truncate_storm},
	{"kill_storm", kill_storm},
	{"token_ring", token_ring},
};

TEST_MAIN(tests)
