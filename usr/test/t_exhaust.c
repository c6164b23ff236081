// SPDX-License-Identifier: MIT
// Who takes all there is gets a clean error, the others go on, and when it has ended the machine is
// as it was: processes, frames, disk blocks, and the objects of each of the kernel's caches.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/stock.h"
#include "lib/tap.h"
#include "lib/threads.h"

#define SPARE 16 // objects that a cache may have more of afterwards, and frames

// Runs BODY in a child, which may be killed, and looks whether everything is there again.
static int exhaust(void (*body)(void *arg), void *arg)
{
	struct stock *before = on_mapache() ? take_stock() : NULL;
	char why[256];
	int status = in_child(body, arg);

	if (before && !is_well(before, SPARE, why, sizeof why))
		FAIL("afterwards: %s", why);
	free(before);
	return status;
}

static void must_end_well(void (*body)(void *arg), void *arg)
{
	CHECK_EQ(exhaust(body, arg), 0);
}

static void limit(int resource, rlim_t to)
{
	struct rlimit l = {to, to};

	CHECK_OK(setrlimit(resource, &l));
}

// --- processes

#define BOMBER 3000

static void nothing(void *arg)
{
	(void)arg;
}

// Who cannot fork writes the error to the pipe.
static _Noreturn void bomb(int failures)
{
	for (;;) {
		pid_t pid = fork();
		char error = (char)errno;

		if (pid < 0) {
			if (write(failures, &error, 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
	}
}

// Made before the bomb, as nobody can be sure to get a process after it: once there is a byte in
// the pipe it ends all processes of the bomber, and those that they make meanwhile.
static pid_t start_defuser(int go)
{
	pid_t pid = (pid_t)CHECK_OK(fork());
	char byte;

	if (pid)
		return pid;
	if (setuid(BOMBER) != 0 || read(go, &byte, 1) != 1)
		_exit(1);
	for (int i = 0; i < 1000 && kill(-1, SIGKILL) == 0; i++)
		sched_yield();
	_exit(0);
}

static void fork_until_it_fails(void *arg)
{
	rlim_t *most = arg;
	int failed[2], go[2];
	char error = 0;
	pid_t defuser, pid;

	CHECK_OK(pipe(failed));
	CHECK_OK(pipe(go));
	defuser = start_defuser(go[0]);
	pid = (pid_t)CHECK_OK(fork());
	if (pid == 0) {
		limit(RLIMIT_NPROC, *most);
		CHECK_OK(setuid(BOMBER));
		bomb(failed[1]);
	}
	CHECK_EQ(read(failed[0], &error, 1), 1);
	CHECK_OK(access("/", F_OK)); // others go on
	CHECK_EQ(write(go[1], "", 1), 1);
	must_exit_well(defuser);
	CHECK(error == EAGAIN || error == ENOMEM);
	while (waitpid(-1, NULL, 0) > 0)
		;
	must_exit_well((pid_t)CHECK_OK(start_child(nothing, NULL)));
}

static void fork_bomb_with_a_limit(void)
{
	rlim_t most = 150;

	if (getuid() != 0)
		tap_skip("for uid 0");
	must_end_well(fork_until_it_fails, &most);
}

// --- descriptors

#define MOST_FILES 20000

static void dup_until_full(void *arg)
{
	int fd = (int)CHECK_OK(open("/dev/null", O_RDWR)), last = fd, next;

	(void)arg;
	limit(RLIMIT_NOFILE, MOST_FILES);
	while ((next = dup(fd)) >= 0)
		last = next;
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, MOST_FILES - 1);
	CHECK_OK(close(1000));
	CHECK_EQ(dup(fd), 1000);
}

static void descriptors(void)
{
	must_end_well(dup_until_full, NULL);
}

static void pipe_until_full(void *arg)
{
	char page[PAGE];
	int ends[2], n = 0;

	(void)arg;
	limit(RLIMIT_NOFILE, 4000);
	memset(page, 1, sizeof page);
	while (pipe2(ends, O_NONBLOCK) == 0 && ++n)
		CHECK(write(ends[1], page, sizeof page) == sizeof page || errno == ENOMEM ||
			errno == EAGAIN);
	CHECK(errno == EMFILE || errno == ENOMEM);
	CHECK(n > 1000);
}

static void pipes(void)
{
	must_end_well(pipe_until_full, NULL);
}

// --- memory

// Until it is killed, or told that there is no more.
static void take_all_memory(void *arg)
{
	int adj = (int)CHECK_OK(open("/proc/self/oom_score_adj", O_WRONLY));
	bool little = on_mapache() && memory_kib("MemTotal") < 100000;

	(void)arg;
	CHECK_EQ(write(adj, "1000", 4), 4);
	if (!little) // a limit says no instead
		limit(RLIMIT_AS, 64 << 20);
	for (;;) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED) {
			CHECK_EQ(errno, ENOMEM);
			return;
		}
		for (size_t i = 0; i < 1 << 20; i += PAGE)
			p[i] = 1;
	}
}

static void memory(void)
{
	int status = exhaust(take_all_memory, NULL);

	CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
}

#define HOG_BYTES (16ul << 20)

static int hog_lives[2]; // its writing end is the hog's alone

static void hog(void *arg)
{
	char *p = map_anon(HOG_BYTES);

	(void)arg;
	CHECK_OK(close(hog_lives[0]));
	for (size_t i = 0; i < HOG_BYTES; i += PAGE)
		p[i] = 1;
	CHECK_EQ(write(hog_lives[1], "", 1), 1);
	for (;;)
		pause();
}

// In its parent's memory, which is the largest then.
static int take_until_the_hog_ends(void *arg)
{
	struct pollfd end = {.fd = hog_lives[0]};
	size_t bytes = (size_t)memory_kib("MemTotal") * 1024;
	char *p = map(
		bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)arg;
	for (size_t i = 0; i < bytes && poll(&end, 1, 0) == 0; i += PAGE)
		p[i] = 1;
	CHECK_OK(munmap(p, bytes));
	_exit(end.revents == POLLHUP ? 0 : 1);
}

// pid 1 is never ended for its memory: not by way of a child that shares it either.
// tools/tests/test_run.py runs this program as pid 1; by hand:
//     tools/run --preset dev --mem 64M --append init=/test/t_exhaust -- -n
static void memory_of_pid_1(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	int status;
	pid_t pid;
	char c;

	CHECK_OK(pipe(hog_lives));
	pid = start_child(hog, NULL);
	CHECK_OK(close(hog_lives[1]));
	CHECK_EQ(read(hog_lives[0], &c, 1), 1);
	must_exit_well((pid_t)CHECK_OK(clone(take_until_the_hog_ends, stack + sizeof stack,
		CLONE_VM | CLONE_VFORK | SIGCHLD, NULL)));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

// --- exec

#define WIDE     200000 // a descriptor whose table takes 4 MiB in one piece
#define LEFT_KIB 3000
#define TO_CLOSE 10

// A table that is shared must be copied, which there is no memory for: exec fails, and the table is
// as it was.
static int exec_with_little_memory(void *arg)
{
	char *const argv[] = {"true", NULL};

	(void)arg;
	squeeze_memory(LEFT_KIB);
	execv("/bin/true", argv);
	_exit(errno == ENOMEM ? 0 : 1);
}

static void share_descriptors(void *arg)
{
	static char stack[16384] __attribute__((aligned(16)));

	(void)arg;
	limit(RLIMIT_NOFILE, WIDE + 1);
	CHECK_OK(dup2(STDOUT_FILENO, WIDE));
	CHECK_OK(dup3(STDOUT_FILENO, TO_CLOSE, O_CLOEXEC));
	must_exit_well((pid_t)CHECK_OK(
		clone(exec_with_little_memory, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL)));
	CHECK_EQ(fcntl(TO_CLOSE, F_GETFD), FD_CLOEXEC);
}

static void exec_leaves_shared_descriptors(void)
{
	must_end_well(share_descriptors, NULL);
}

// --- mappings

#define MANY_MAPPINGS 10000
#define MOST_MAPPINGS 65530

static void map_many(void *arg)
{
	char *p = map(2 * MANY_MAPPINGS * PAGE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)arg;
	for (size_t i = 0; i < MANY_MAPPINGS; i++)
		CHECK_OK(mprotect(p + 2 * i * PAGE, PAGE, PROT_READ | PROT_WRITE));
	for (size_t i = 0; i < MANY_MAPPINGS; i += 100)
		store(p + 2 * i * PAGE, 1);
	CHECK_FAULT(try_store(p + PAGE), SIGSEGV, SEGV_ACCERR, p + PAGE);
	CHECK_OK(munmap(p + PAGE, (2 * MANY_MAPPINGS - 2) * PAGE));
	CHECK_EQ(load(p), 1);
}

static void ten_thousand_mappings(void)
{
	must_end_well(map_many, NULL);
}

static void map_too_many(void *arg)
{
	char *p = map(2 * MOST_MAPPINGS * PAGE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t n = 0;

	(void)arg;
	while (n < MOST_MAPPINGS && mprotect(p + 2 * n * PAGE, PAGE, PROT_READ) == 0)
		n++;
	CHECK(n < MOST_MAPPINGS);
	CHECK_EQ(errno, ENOMEM);
	CHECK_OK(munmap(p, 2 * MOST_MAPPINGS * PAGE)); // which takes none
}

static void all_the_mappings(void)
{
	must_end_well(map_too_many, NULL);
}

// --- threads

#define MANY_THREADS 1000

static uint32_t gate;

static void wait_at_gate(void *arg)
{
	(void)arg;
	futex_wait_while(&gate, 0);
}

static void begin_many(void *arg)
{
	static struct thread threads[MANY_THREADS];

	(void)arg;
	for (int i = 0; i < MANY_THREADS; i++)
		thread_begin(&threads[i], wait_at_gate, NULL);
	until_waiting(&gate, MANY_THREADS);
	gate = 1;
	futex_wake(&gate, MANY_THREADS);
	for (int i = 0; i < MANY_THREADS; i++)
		thread_join(&threads[i]);
}

static void thousand_threads(void)
{
	must_end_well(begin_many, NULL);
}

static void end_with_many(void *arg)
{
	static struct thread threads[MANY_THREADS];

	(void)arg;
	for (int i = 0; i < MANY_THREADS; i++)
		thread_begin(&threads[i], wait_at_gate, NULL);
	_exit(0);
}

static void thousand_threads_at_once_gone(void)
{
	must_end_well(end_with_many, NULL);
}

// --- paths

#define DEPTH 100
#define NAME  200 // DEPTH of these are more than PATH_MAX

static void go_deep(void *arg)
{
	char name[NAME + 1], path[8192];
	int fd;

	(void)arg;
	memset(name, 'd', NAME);
	name[NAME] = '\0';
	for (int i = 0; i < DEPTH; i++) {
		CHECK_OK(mkdir(name, 0755));
		CHECK_OK(chdir(name));
	}
	fd = (int)CHECK_OK(open("here", O_CREAT | O_WRONLY, 0644));
	CHECK_OK(close(fd));
	CHECK(syscall(SYS_getcwd, path, sizeof path) > DEPTH * NAME / 4 || errno == ENAMETOOLONG ||
		errno == ERANGE);
	memset(path, '/', sizeof path);
	path[4096] = '\0';
	CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
	path[4095] = '\0';
	CHECK_OK(close((int)CHECK_OK(open(path, O_RDONLY))));
	CHECK_OK(unlink("here"));
	for (int i = 0; i < DEPTH; i++) {
		CHECK_OK(chdir(".."));
		CHECK_OK(rmdir(name));
	}
}

static void deep_folders(void)
{
	must_end_well(go_deep, NULL);
}

static void touch_some_memory(void *arg)
{
	char *p = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < 2 << 20; i += PAGE)
		p[i] = 1;
}

static void live_until_told(void *arg)
{
	int *ends = arg;
	char c;

	touch_some_memory(arg);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(ends[0], &c, 1), 0);
}

static void share_all_memory(void *arg)
{
	size_t bytes = (size_t)memory_kib("MemTotal") * 1024;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)arg;
	CHECK_OK(setuid(1000));
	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < bytes; i += PAGE)
		p[i] = 1;
}

static void share_beside_others(void *arg)
{
	int ends[2];
	pid_t other;

	(void)arg;
	CHECK_OK(pipe(ends));
	other = start_child(live_until_told, ends);
	CHECK_EQ(in_child(share_all_memory, NULL), SIGKILL);
	CHECK_OK(close(ends[1]));
	must_exit_well(other);
}

// Memory that is shared counts, too, when it is asked who has most of it.
static void shared_memory(void)
{
	if (!on_mapache())
		tap_skip("not with the memory of another machine");
	must_end_well(share_beside_others, NULL);
}

// An ordinary user's files in memory: there is an end of it, and the others have room to run.
static void fill_file(int fd)
{
	static char bytes[1 << 16];

	while (write(fd, bytes, sizeof bytes) > 0)
		continue;
	CHECK_EQ(errno, ENOSPC);
}

static void fill_files(void *arg)
{
	(void)arg;
	CHECK_OK(setuid(1000));
	fill_file((int)CHECK_OK(open("/dev/shm/full", O_CREAT | O_EXCL | O_WRONLY, 0644)));
	fill_file((int)CHECK_OK(open("/tmp/full", O_CREAT | O_EXCL | O_WRONLY, 0644)));
	fill_file((int)CHECK_OK(memfd_create("full", 0)));
}

static void fill_and_remove(void *arg)
{
	(void)arg;
	CHECK_EQ(in_child(fill_files, NULL), 0);
	CHECK_EQ(in_child(touch_some_memory, NULL), 0);
	CHECK_OK(unlink("/dev/shm/full"));
	CHECK_OK(unlink("/tmp/full"));
}

static void files_in_memory(void)
{
	if (!on_mapache())
		tap_skip("not with the memory of another machine");
	must_end_well(fill_and_remove, NULL);
}

#define MOST_LINKS 40

static void follow_links(void *arg)
{
	char name[16], to[16];

	(void)arg;
	CHECK_OK(close((int)CHECK_OK(open("l0", O_CREAT | O_WRONLY, 0644))));
	for (int i = 1; i <= MOST_LINKS + 1; i++) {
		snprintf(name, sizeof name, "l%d", i);
		snprintf(to, sizeof to, "l%d", i - 1);
		CHECK_OK(symlink(to, name));
	}
	snprintf(name, sizeof name, "l%d", MOST_LINKS);
	CHECK_OK(close((int)CHECK_OK(open(name, O_RDONLY))));
	snprintf(name, sizeof name, "l%d", MOST_LINKS + 1);
	CHECK_ERR(open(name, O_RDONLY), ELOOP);
	CHECK_OK(symlink("round", "round"));
	CHECK_ERR(open("round/and/round", O_RDONLY), ELOOP);
	for (int i = 0; i <= MOST_LINKS + 1; i++) {
		snprintf(name, sizeof name, "l%d", i);
		CHECK_OK(unlink(name));
	}
	CHECK_OK(unlink("round"));
}

static void symbolic_links(void)
{
	must_end_well(follow_links, NULL);
}

static const struct test tests[] = {
	// First, as long as there is memory in large pieces.
	{"exec_leaves_shared_descriptors", exec_leaves_shared_descriptors},
	{"fork_bomb_with_a_limit", fork_bomb_with_a_limit},
	{"descriptors", descriptors},
	{"pipes", pipes},
	{"memory", memory},
	{"ten_thousand_mappings", ten_thousand_mappings},
	{"all_the_mappings", all_the_mappings},
	{"thousand_threads", thousand_threads},
	{"thousand_threads_at_once_gone", thousand_threads_at_once_gone},
	{"deep_folders", deep_folders},
	{"files_in_memory", files_in_memory},
	{"shared_memory", shared_memory},
	{"symbolic_links", symbolic_links},
};

static const struct test tests_of_pid_1[] = {
	{"memory_of_pid_1", memory_of_pid_1},
};

int main(int argc, char **argv)
{
	tap_beyond_core = true;
	if (getpid() == 1)
		return tap_main(argc, argv, tests_of_pid_1, 1);
	return tap_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
