// SPDX-License-Identifier: MIT
// Signals in a process of several threads: who takes which, and stops that take all.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/threads.h"

#define N     3
#define QUEUE 40 // a real-time signal that no C library keeps for itself

static uint32_t word;

static int own_tid(void)
{
	return (int)syscall(SYS_gettid);
}

static sigset_t set_of(int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	return set;
}

// For threads: errno is everybody's.
static long mask(int how, int signo)
{
	uint64_t set = 1ul << (signo - 1);

	return syscall(SYS_rt_sigprocmask, how, &set, NULL, 8);
}

static void handle(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(signo, &action, NULL));
}

static int load_int(const int *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void store_int(int *p, int value)
{
	__atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}

static void await_int(const int *p, int value)
{
	while (load_int(p) != value)
		sched_yield();
}

// --- stops

// What the threads of a child count, in memory that the parent sees.
static unsigned *counts;

static void count_for_ever(void *arg)
{
	unsigned *count = arg;

	for (;;)
		__atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);
}

static void sleep_for_ever(void *arg)
{
	uint32_t *begun = arg;

	*begun = 1;
	for (;;)
		futex(&word, 0, 0, NULL, NULL, 0);
}

static void be_many(void *arg)
{
	struct thread t[N + 1] = {0};

	(void)arg;
	for (int i = 0; i < N; i++)
		thread_begin(&t[i], count_for_ever, &counts[i]);
	thread_begin(&t[N], sleep_for_ever, &counts[N]);
	for (;;)
		pause();
}

static pid_t start_many(void)
{
	counts = (unsigned *)map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = start_child(be_many, NULL);
	for (int i = 0; i <= N; i++)
		while (!__atomic_load_n(&counts[i], __ATOMIC_SEQ_CST))
			sched_yield();
	return pid;
}

static void read_counts(unsigned *now)
{
	for (int i = 0; i < N; i++)
		now[i] = __atomic_load_n(&counts[i], __ATOMIC_SEQ_CST);
}

static void stops_take_all(void)
{
	unsigned before[N], after[N];
	pid_t pid = start_many();
	int status;

	for (int round = 0; round < 5; round++) {
		CHECK_OK(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status));
		read_counts(before);
		for (int i = 0; i < 50; i++)
			sched_yield();
		read_counts(after);
		CHECK(!memcmp(before, after, sizeof before));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0); // told once
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
		CHECK(WIFCONTINUED(status));
		for (int i = 0; i < N; i++)
			while (__atomic_load_n(&counts[i], __ATOMIC_SEQ_CST) == after[i])
				sched_yield();
	}
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(WTERMSIG(end_child(pid)), SIGKILL);
}

static void stopped_ones_can_be_killed(void)
{
	pid_t pid = start_many();
	int status;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(WTERMSIG(end_child(pid)), SIGKILL);
}

static void deadly_ones_end_all(void)
{
	pid_t pid = start_many();

	CHECK_OK(kill(pid, SIGTERM));
	CHECK_EQ(WTERMSIG(end_child(pid)), SIGTERM);
}

// --- who takes it

static int taken_by, taken_value;

static void note(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	taken_value = info->si_value.sival_int;
	store_int(&taken_by, own_tid());
}

static int unblock_now, unblocked;

static void unblock_when_told(void *arg)
{
	(void)arg;
	while (!load_int(&unblock_now))
		sched_yield();
	mask(SIG_UNBLOCK, SIGUSR1);
	store_int(&unblocked, 1);
	mask(SIG_BLOCK, SIGUSR1);
}

// All block it: it waits for the first that does not, and nobody gets it twice.
static void who_unblocks_takes_it(void)
{
	struct thread t = {0};
	sigset_t pending;

	handle(SIGUSR1, note, 0);
	mask(SIG_BLOCK, SIGUSR1);
	thread_begin(&t, unblock_when_told, NULL); // it inherits the mask
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(load_int(&taken_by), 0);
	store_int(&unblock_now, 1);
	await_int(&unblocked, 1);
	CHECK_EQ(load_int(&taken_by), t.tid);
	thread_join(&t);
	CHECK_OK(sigpending(&pending));
	CHECK(!sigismember(&pending, SIGUSR1));
}

static int pending_here;

static void look_at_pending(void *arg)
{
	uint64_t set = 0;

	(void)arg;
	syscall(SYS_rt_sigpending, &set, 8);
	store_int(&pending_here, (set & 1ul << (SIGUSR1 - 1)) != 0);
	mask(SIG_UNBLOCK, SIGUSR1);
}

// What is for one thread is nobody else's.
static void one_threads_signals(void)
{
	struct thread t = {0};

	handle(SIGUSR1, note, 0);
	mask(SIG_BLOCK, SIGUSR1);
	CHECK_OK(syscall(SYS_tgkill, getpid(), own_tid(), SIGUSR1));
	store_int(&pending_here, -1);
	thread_begin(&t, look_at_pending, NULL);
	thread_join(&t);
	CHECK_EQ(pending_here, 0);
	CHECK_EQ(load_int(&taken_by), 0);
	mask(SIG_UNBLOCK, SIGUSR1);
	CHECK_EQ(load_int(&taken_by), own_tid());
}

static int waited_for;

static void wait_for_queue(void *arg)
{
	uint64_t set = 1ul << (QUEUE - 1);

	(void)arg;
	store_int(&waited_for, (int)syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 8));
}

// Blocked by all, but one waits for it: the process's signals come to that one.
static void who_waits_takes_it(void)
{
	struct thread t = {0};
	union sigval value = {.sival_int = 1};

	mask(SIG_BLOCK, QUEUE);
	thread_begin(&t, wait_for_queue, NULL);
	CHECK_OK(sigqueue(getpid(), QUEUE, value));
	thread_join(&t);
	CHECK_EQ(waited_for, QUEUE);
}

static char *pages;
static int fault_tids[N];

static void repair(int signo, siginfo_t *info, void *context)
{
	size_t i = (size_t)((char *)info->si_addr - pages) / PAGE;

	(void)signo;
	(void)context;
	fault_tids[i] = own_tid();
	mprotect(pages + i * PAGE, PAGE, PROT_READ | PROT_WRITE);
}

static void touch(void *arg)
{
	store(arg, 'x');
}

static void faults_stay_with_their_thread(void)
{
	struct thread t[N] = {0};

	pages = map(N * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	handle(SIGSEGV, repair, 0);
	for (int i = 0; i < N; i++)
		thread_begin(&t[i], touch, pages + i * PAGE + 9);
	for (int i = 0; i < N; i++) {
		thread_join(&t[i]);
		CHECK_EQ(fault_tids[i], t[i].tid);
		CHECK_EQ(load(pages + i * PAGE + 9), 'x');
	}
}

// --- what is each thread's own, and what is not

static stack_t thread_stack;
static uint64_t thread_mask;

static void look_at_own(void *arg)
{
	struct sigaction action = {.sa_handler = SIG_IGN};

	(void)arg;
	syscall(SYS_sigaltstack, NULL, &thread_stack);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &thread_mask, 8);
	mask(SIG_BLOCK, SIGUSR2);
	sigaction(SIGUSR2, &action, NULL);
}

static void own_and_shared(void)
{
	stack_t stack = {.ss_sp = map_anon(16384), .ss_size = 16384};
	struct sigaction action;
	struct thread t = {0};
	sigset_t now;

	CHECK_OK(sigaltstack(&stack, NULL));
	mask(SIG_BLOCK, SIGUSR1);
	thread_begin(&t, look_at_own, NULL);
	thread_join(&t);
	CHECK(thread_stack.ss_flags & SS_DISABLE);
	CHECK(thread_mask & 1ul << (SIGUSR1 - 1));
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
	CHECK(!sigismember(&now, SIGUSR2));
	CHECK_OK(sigaction(SIGUSR2, NULL, &action));
	CHECK(action.sa_handler == SIG_IGN);
}

// --- many

#define SENT 300

static int hits[SENT], n_hits;

static void count_hit(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	__atomic_fetch_add(&hits[info->si_value.sival_int], 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&n_hits, 1, __ATOMIC_SEQ_CST);
}

// They go in and out of blocking it, so that it is handed from one to another.
static void block_and_unblock(void *arg)
{
	(void)arg;
	while (load_int(&n_hits) < SENT) {
		mask(SIG_BLOCK, QUEUE);
		mask(SIG_UNBLOCK, QUEUE);
	}
}

static void send_all(void *arg)
{
	(void)arg;
	for (int i = 0; i < SENT; i++) {
		union sigval value = {.sival_int = i};
		while (sigqueue(getppid(), QUEUE, value) != 0) {
			CHECK_EQ(errno, EAGAIN);
			sched_yield();
		}
	}
}

static void each_is_taken_once(void)
{
	struct thread t[N] = {0};
	sigset_t set = set_of(QUEUE);
	pid_t pid;

	handle(QUEUE, count_hit, SA_RESTART);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	pid = start_child(send_all, NULL);
	for (int i = 0; i < N; i++)
		thread_begin(&t[i], block_and_unblock, NULL);
	for (int i = 0; i < N; i++)
		thread_join(&t[i]);
	must_exit_well(pid);
	CHECK_EQ(n_hits, SENT);
	for (int i = 0; i < SENT; i++)
		CHECK_EQ(hits[i], 1);
}

// --- actions that other threads change

static int ran, over;

static void for_once(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
	store_int(&ran, 1);
}

static void for_good(int signo, siginfo_t *info, void *context)
{
	for_once(signo, info, context);
}

static void be_there(void *arg)
{
	(void)arg;
	while (!load_int(&over))
		sched_yield();
}

// The handler for once goes as the signal is taken: what stands there later is another's.
static void reset_hand_resets_nothing_newer(void)
{
	struct thread t = {0};
	struct sigaction now;

	thread_begin(&t, be_there, NULL);
	for (int turn = 0; turn < 300; turn++) {
		store_int(&ran, 0);
		handle(SIGUSR1, for_once, (int)SA_RESETHAND);
		CHECK_OK(syscall(SYS_tgkill, getpid(), t.tid, SIGUSR1));
		for (volatile int i = 0; i < turn; i++)
			;
		handle(SIGUSR1, for_good, 0);
		await_int(&ran, 1);
		CHECK_OK(sigaction(SIGUSR1, NULL, &now));
		CHECK(now.sa_sigaction == for_good);
	}
	store_int(&over, 1);
	thread_join(&t);
}

static const struct test tests[] = {
	{"stops_take_all", stops_take_all},
	{"stopped_ones_can_be_killed", stopped_ones_can_be_killed},
	{"deadly_ones_end_all", deadly_ones_end_all},
	{"who_unblocks_takes_it", who_unblocks_takes_it},
	{"one_threads_signals", one_threads_signals},
	{"who_waits_takes_it", who_waits_takes_it},
	{"faults_stay_with_their_thread", faults_stay_with_their_thread},
	{"own_and_shared", own_and_shared},
	{"each_is_taken_once", each_is_taken_once},
	{"reset_hand_resets_nothing_newer", reset_hand_resets_nothing_newer},
};

BEYOND_CORE_MAIN(tests)
