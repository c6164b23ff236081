// SPDX-License-Identifier: MIT
// Threads: what those of one process share, how they begin and end, and who goes on after exec.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/threads.h"

static uint32_t word, other_word;

static int own_tid(void)
{
	return (int)syscall(SYS_gettid);
}

static int never(void *arg)
{
	(void)arg;
	return 0;
}

static void sleep_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		futex(&word, 0, __atomic_load_n(&word, __ATOMIC_SEQ_CST), NULL, NULL, 0);
}

// --- what they share

static int seen_pid, seen_tid, seen_fd, seen_parent;

static void look_around(void *arg)
{
	seen_pid = getpid();
	seen_tid = own_tid();
	seen_parent = getppid();
	seen_fd = open("of_thread", O_RDWR | O_CREAT, 0600);
	CHECK(chdir("folder") == 0);
	umask(0123);
	*(int *)arg = 42;
}

static void share_everything(void)
{
	struct thread t = {0};
	char byte = 'x';
	int value = 0;

	CHECK_OK(mkdir("folder", 0755));
	thread_begin(&t, look_around, &value);
	thread_join(&t);
	CHECK_EQ(value, 42);
	CHECK_EQ(seen_pid, getpid());
	CHECK_EQ(seen_parent, getppid());
	CHECK_EQ(seen_tid, t.tid);
	CHECK(seen_tid != getpid());
	CHECK_EQ(own_tid(), getpid());
	CHECK_EQ(write(seen_fd, &byte, 1), 1);
	CHECK_OK(close(seen_fd));
	CHECK_OK(access("../folder", F_OK)); // the working directory is the thread's
	CHECK_EQ(umask(022), 0123);
}

static void flags_that_do_not_fit(void)
{
	char *stack = map_anon(PAGE);
	int fits = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

	CHECK_ERR(clone(never, stack + PAGE, CLONE_THREAD, NULL), EINVAL);
	CHECK_ERR(clone(never, stack + PAGE, fits & ~CLONE_SIGHAND, NULL), EINVAL);
	CHECK_ERR(clone(never, stack + PAGE, fits & ~CLONE_VM, NULL), EINVAL);
	if (on_mapache()) // a process has one table of descriptors there
		CHECK_ERR(clone(never, stack + PAGE, fits & ~CLONE_FILES, NULL), EINVAL);
}

static int store_tid(void *arg)
{
	*(int *)arg = own_tid();
	syscall(SYS_exit, 0);
	return 0;
}

// The kernel stores the number for the parent and, in the child, for the child; at the end, a 0.
static void words_of_the_number(void)
{
	char *stack = map_anon(4 * PAGE);
	int parent_word = -1;
	volatile int child_word = -1;

	CHECK_OK(clone(store_tid, stack + 4 * PAGE, THREAD_FLAGS | CLONE_CHILD_SETTID, &seen_tid,
		&parent_word, NULL, &child_word));
	while (child_word == -1)
		sched_yield();
	CHECK(parent_word > 0);
	CHECK(child_word == parent_word || child_word == 0);
	while (child_word)
		futex((uint32_t *)&child_word, 0, (uint32_t)parent_word, NULL, NULL, 0);
	CHECK_EQ(seen_tid, parent_word);
}

static void add_to_word(void *arg)
{
	(void)arg;
	__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
	futex_wake(&word, 1);
	futex_wait_while(&other_word, 0);
}

// All of them there at once, asleep.
static void a_thousand(void)
{
	enum { N = 1000 };
	static struct thread t[N];

	word = other_word = 0;
	for (int i = 0; i < N; i++)
		thread_begin(&t[i], add_to_word, NULL);
	for (uint32_t n; (n = __atomic_load_n(&word, __ATOMIC_SEQ_CST)) < N;)
		futex(&word, 0, n, NULL, NULL, 0);
	other_word = 1;
	CHECK(futex_wake(&other_word, N) <= N);
	for (int i = 0; i < N; i++)
		thread_join(&t[i]);
}

// --- how they end

static void exit_process(void *arg)
{
	_exit((int)(intptr_t)arg);
}

static void end_with_others(void *arg)
{
	struct thread t[4] = {0};

	for (int i = 0; i < 3; i++)
		thread_begin(&t[i], sleep_for_ever, NULL);
	thread_begin(&t[3], exit_process, arg);
	for (;;)
		pause();
}

static void exit_group_by_any(void)
{
	CHECK_EQ(in_child(end_with_others, (void *)7), 7 << 8);
}

static uint32_t first_lives;

static void outlive_the_first(void *arg)
{
	(void)arg;
	futex_wait_while(&first_lives, 1);
	syscall(SYS_exit, 9);
}

static void first_leaves(void *arg)
{
	struct thread t = {0};

	(void)arg;
	first_lives = 1;
	syscall(SYS_set_tid_address, &first_lives);
	thread_begin(&t, outlive_the_first, NULL);
	until_waiting(&first_lives, 1);
	syscall(SYS_exit, 5);
}

// The process goes on without its first thread, and ends with the status of the last.
static void first_leaves_others(void)
{
	CHECK_EQ(in_child(first_leaves, NULL), 9 << 8);
}

static uint32_t *shared_word;

static void say_and_sleep(void *arg)
{
	(void)arg;
	__atomic_fetch_add(shared_word, 1, __ATOMIC_SEQ_CST);
	futex_wake(shared_word, 1);
	sleep_for_ever(NULL);
}

static void many_asleep(void *arg)
{
	struct thread t[8] = {0};

	(void)arg;
	for (int i = 0; i < 8; i++)
		thread_begin(&t[i], say_and_sleep, NULL);
	for (;;)
		pause();
}

static void killed_as_one(void)
{
	pid_t pid;

	shared_word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = start_child(many_asleep, NULL);
	for (uint32_t n; (n = __atomic_load_n(shared_word, __ATOMIC_SEQ_CST)) < 8;)
		futex(shared_word, 0, n, NULL, NULL, 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(end_child(pid), SIGKILL);
}

static void touch_nothing(void *arg)
{
	*(volatile int *)arg = 1;
}

static void fault_in_a_thread(void *arg)
{
	struct thread t = {0};

	(void)arg;
	signal(SIGSEGV, SIG_DFL);
	thread_begin(&t, touch_nothing, (void *)8);
	for (;;)
		pause();
}

static void a_fault_ends_all(void)
{
	struct rlimit none = {0, 0};

	CHECK_OK(setrlimit(RLIMIT_CORE, &none));
	CHECK_EQ(in_child(fault_in_a_thread, NULL), SIGSEGV);
}

static uint32_t rounds;

static void end_at_once(void *arg)
{
	(void)arg;
	__atomic_fetch_add(&rounds, 1, __ATOMIC_SEQ_CST);
}

static void make_threads(void *arg)
{
	struct thread t = {0};

	(void)arg;
	for (int i = 0; i < 50; i++) {
		thread_begin(&t, end_at_once, NULL);
		thread_join(&t);
	}
}

static void threads_of_threads(void)
{
	struct thread t[4] = {0};

	rounds = 0;
	for (int i = 0; i < 4; i++)
		thread_begin(&t[i], make_threads, NULL);
	for (int i = 0; i < 4; i++)
		thread_join(&t[i]);
	CHECK_EQ(rounds, 200);
}

enum { MOST = 40 };

static struct thread made[MOST];
static uint32_t n_made;

// While threads make threads: none may be forgotten.
static void make_for_ever(void *arg)
{
	uint32_t i;

	(void)arg;
	while ((i = __atomic_fetch_add(&n_made, 1, __ATOMIC_SEQ_CST)) < MOST)
		thread_begin(&made[i], sleep_for_ever, NULL);
	_exit(3);
}

static void make_and_exit(void *arg)
{
	struct thread t[3] = {0};

	(void)arg;
	n_made = 0;
	for (int i = 0; i < 3; i++)
		thread_begin(&t[i], make_for_ever, NULL);
	for (;;)
		pause();
}

static void exit_group_while_threads_begin(void)
{
	for (int i = 0; i < 2; i++)
		CHECK_EQ(in_child(make_and_exit, NULL), 3 << 8);
}

// --- fork, wait, exec

static void fork_and_leave(void *arg)
{
	pid_t pid = fork();

	if (pid == 0) // alone: the others were not copied
		syscall(SYS_exit_group, own_tid() == getpid() ? 11 : 12);
	*(pid_t *)arg = pid;
}

static void fork_by_a_thread(void)
{
	struct thread t = {0};
	pid_t pid;
	int status;

	thread_begin(&t, fork_and_leave, &pid);
	thread_join(&t);
	CHECK_EQ(waitpid(pid, &status, 0), pid); // a child of the process, not of the thread
	CHECK_EQ(status, 11 << 8);
}

static void wait_for_it(void *arg)
{
	int status;

	CHECK(waitpid(*(pid_t *)arg, &status, 0) == *(pid_t *)arg);
	CHECK(status == 13 << 8);
}

static void wait_by_a_thread(void)
{
	struct thread t = {0};
	pid_t pid = fork();

	if (pid == 0)
		_exit(13);
	thread_begin(&t, wait_for_it, &pid);
	thread_join(&t);
}

static void exec_shell(void *arg)
{
	static char *argv[] = {"sh", "-c", "exit 14", NULL};
	static char *envp[] = {NULL};

	(void)arg;
	syscall(SYS_execve, "/bin/sh", argv, envp);
	_exit(99);
}

static void exec_among_others(void *arg)
{
	struct thread t[4] = {0};

	(void)arg;
	for (int i = 0; i < 3; i++)
		thread_begin(&t[i], sleep_for_ever, NULL);
	thread_begin(&t[3], exec_shell, NULL);
	for (;;)
		pause();
}

// The one that executes takes the place of the first, whose number the parent waits for.
static void exec_by_a_thread(void)
{
	CHECK_EQ(in_child(exec_among_others, NULL), 14 << 8);
}

static void all_exec(void *arg)
{
	struct thread t[4] = {0};

	(void)arg;
	for (int i = 0; i < 4; i++)
		thread_begin(&t[i], exec_shell, NULL);
	exec_shell(NULL);
}

static void exec_by_all_at_once(void)
{
	for (int i = 0; i < 5; i++)
		CHECK_EQ(in_child(all_exec, NULL), 14 << 8);
}

static void return_later(void *arg)
{
	(void)arg;
	futex_wait_while(&word, 0);
}

static void exec_that_fails(void *arg)
{
	struct thread t = {0};
	static char *argv[] = {"x", NULL};

	(void)arg;
	word = 0;
	thread_begin(&t, return_later, NULL);
	until_waiting(&word, 1);
	CHECK_ERR(execve("/nothing/there", argv, argv + 1), ENOENT);
	CHECK_EQ(futex_waiters(&word), 1);
	word = 1;
	futex_wake(&word, 1);
	thread_join(&t);
	_exit(15);
}

static void failed_exec_ends_nobody(void)
{
	CHECK_EQ(in_child(exec_that_fails, NULL), 15 << 8);
}

// --- signals

static volatile int handled_by;

static void note_tid(int sig)
{
	(void)sig;
	handled_by = own_tid();
}

static void wait_for_signal(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST))
		futex(&word, 0, 0, NULL, NULL, 0);
}

static void signal_to_one(void)
{
	struct sigaction action = {.sa_handler = note_tid, .sa_flags = SA_RESTART};
	struct thread t[2] = {0};

	word = 0;
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	for (int i = 0; i < 2; i++)
		thread_begin(&t[i], wait_for_signal, NULL);
	until_waiting(&word, 2);
	for (int i = 0; i < 2; i++) {
		handled_by = 0;
		CHECK_OK(syscall(SYS_tgkill, getpid(), t[i].tid, SIGUSR1));
		while (!handled_by)
			sched_yield();
		CHECK_EQ(handled_by, t[i].tid);
	}
	CHECK_ERR(syscall(SYS_tgkill, getpid() + 1, t[0].tid, SIGUSR1), ESRCH);
	word = 1;
	futex_wake(&word, 2);
	for (int i = 0; i < 2; i++)
		thread_join(&t[i]);
	while (syscall(SYS_tkill, t[0].tid, 0) == 0)
		sched_yield(); // who was joined is there for a moment
	CHECK_ERR(syscall(SYS_tkill, t[0].tid, 0), ESRCH);
}

static void signal_to_who_does_not_block(void)
{
	struct sigaction action = {.sa_handler = note_tid, .sa_flags = SA_RESTART};
	struct thread t = {0};
	sigset_t set;

	word = 0;
	handled_by = 0;
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	thread_begin(&t, wait_for_signal, NULL);
	until_waiting(&word, 1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(kill(getpid(), SIGUSR1));
	while (!handled_by)
		sched_yield();
	CHECK_EQ(handled_by, t.tid);
	word = 1;
	futex_wake(&word, 1);
	thread_join(&t);
	CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

// --- how many there may be

static void try_to_begin(void *arg)
{
	struct rlimit limit = {3, 3};
	struct thread t[3] = {0};
	pid_t child;

	(void)arg;
	word = 0;
	CHECK_OK(setrlimit(RLIMIT_NPROC, &limit));
	CHECK_OK(setuid(12345));
	for (int i = 0; i < 2; i++)
		thread_begin(&t[i], return_later, NULL);
	t[2].stack = map_anon(PAGE);
	CHECK_ERR(clone(never, t[2].stack + PAGE,
			  THREAD_FLAGS & ~(CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID), NULL),
		EAGAIN);
	CHECK_ERR(fork(), EAGAIN);
	word = 1;
	futex_wake(&word, 2);
	for (int i = 0; i < 2; i++)
		thread_join(&t[i]);
	while ((child = fork()) < 0 && errno == EAGAIN)
		sched_yield(); // who was joined may count for a moment
	if (CHECK_OK(child) == 0)
		_exit(0);
	CHECK_EQ(CHECK_OK(waitpid(child, NULL, 0)), child); // nor does this one count the next time
	_exit(0);
}

static void limit_of_a_user(void)
{
	if (getuid() != 0)
		tap_skip("needs to become somebody else");
	CHECK_EQ(in_child(try_to_begin, NULL), 0);
}

static const struct test tests[] = {
	{"share_everything", share_everything},
	{"flags_that_do_not_fit", flags_that_do_not_fit},
	{"words_of_the_number", words_of_the_number},
	{"a_thousand", a_thousand},
	{"exit_group_by_any", exit_group_by_any},
	{"first_leaves_others", first_leaves_others},
	{"killed_as_one", killed_as_one},
	{"a_fault_ends_all", a_fault_ends_all},
	{"threads_of_threads", threads_of_threads},
	{"exit_group_while_threads_begin", exit_group_while_threads_begin},
	{"fork_by_a_thread", fork_by_a_thread},
	{"wait_by_a_thread", wait_by_a_thread},
	{"exec_by_a_thread", exec_by_a_thread},
	{"exec_by_all_at_once", exec_by_all_at_once},
	{"failed_exec_ends_nobody", failed_exec_ends_nobody},
	{"signal_to_one", signal_to_one},
	{"signal_to_who_does_not_block", signal_to_who_does_not_block},
	{"limit_of_a_user", limit_of_a_user},
};

BEYOND_CORE_MAIN(tests)
