// SPDX-License-Identifier: MIT
// Futexes: who waits, who is woken, and what the kernel does about locks whose owners die.
#include <abi/futex.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/threads.h"

#define RW      (PROT_READ | PROT_WRITE)
#define PRIVATE FUTEX_PRIVATE_FLAG
#define ANY     FUTEX_BITSET_MATCH_ANY

static uint32_t word, word2, awake;

// --- arguments

static void refused(void)
{
	char *p = map_anon(2 * PAGE);

	word = 1;
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex(&word, FUTEX_WAIT | PRIVATE, 0, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex((uint32_t *)(p + 2), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex((uint32_t *)(p + 2), FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&word, 99, 1, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&word, FUTEX_REQUEUE, (uint32_t)-1, NULL, &word2, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE, 0, (void *)-1l, &word2, 1), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE, 1, NULL, &word2, 0), EAGAIN);
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE, 1, NULL, &word2, 1), 0);
	CHECK_EQ(futex_wake(&word, 1), 0);
	if (on_mapache())
		CHECK_ERR(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ENOSYS);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(futex((uint32_t *)(p + PAGE), FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex((uint32_t *)(p + PAGE), FUTEX_WAIT | PRIVATE, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex((uint32_t *)(p + PAGE), FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK_EQ(futex((uint32_t *)(p + PAGE), FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0), 0);
	CHECK_ERR(futex((uint32_t *)-4096l, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0), EFAULT);
	CHECK_OK(mprotect(p, PAGE, PROT_NONE));
	CHECK_ERR(futex((uint32_t *)p, FUTEX_WAIT | PRIVATE, 0, NULL, NULL, 0), EFAULT);
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	CHECK_OK(clock_gettime(clock, &t));
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static struct timespec moment(int64_t ns)
{
	return (struct timespec){ns / 1000000000, ns % 1000000000};
}

static void times_out(void)
{
	struct timespec t = moment(2000000);
	int64_t before = now_ns(CLOCK_MONOTONIC);

	word = 0;
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - before >= 2000000);
	before = now_ns(CLOCK_MONOTONIC);
	t = moment(before + 2000000);
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 0, &t, NULL, ANY), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) >= before + 2000000);
	before = now_ns(CLOCK_REALTIME);
	t = moment(before + 2000000);
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &t, NULL, ANY),
		ETIMEDOUT);
	CHECK(now_ns(CLOCK_REALTIME) >= before + 2000000);
	t = moment(1); // long ago, on both clocks
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 0, &t, NULL, ANY), ETIMEDOUT);
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &t, NULL, ANY),
		ETIMEDOUT);
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 1, &t, NULL, ANY), EAGAIN);
	t = (struct timespec){0, 1000000000};
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &t, NULL, 0), EINVAL);
	t = (struct timespec){-1, 0};
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &t, NULL, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, (void *)8, NULL, 0), EFAULT);
	CHECK_EQ(futex_waiters(&word), 0);
}

// --- who is woken

static void wait_once(void *arg)
{
	uint32_t bits = (uint32_t)(uintptr_t)arg;

	CHECK(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, bits) == 0);
	__atomic_fetch_or(&awake, bits, __ATOMIC_SEQ_CST);
}

// Threads with bits 1, 2, 4 ... that wait in this order.
static void begin_waiters(struct thread *t, unsigned n)
{
	word = word2 = awake = 0;
	for (unsigned i = 0; i < n; i++) {
		thread_begin(&t[i], wait_once, (void *)(uintptr_t)(1u << i));
		until_waiting(&word, i + 1);
	}
}

static void first_come_first_woken(void)
{
	struct thread t[5] = {0};

	begin_waiters(t, 5);
	CHECK_EQ(futex_wake(&word, 1), 1);
	thread_join(&t[0]);
	CHECK_EQ(awake, 1);
	CHECK_EQ(futex_wake(&word, 2), 2);
	thread_join(&t[1]);
	thread_join(&t[2]);
	CHECK_EQ(awake, 7);
	CHECK_EQ(futex_wake(&word, 100), 2);
	thread_join(&t[3]);
	thread_join(&t[4]);
	CHECK_EQ(futex_wake(&word, 100), 0);
}

static void by_bits(void)
{
	struct thread t[4] = {0};

	begin_waiters(t, 4);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 0x10), 0);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 4), 1);
	thread_join(&t[2]);
	CHECK_EQ(awake, 4);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 2 | 8), 1);
	thread_join(&t[1]);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, ANY), 2);
	thread_join(&t[0]);
	thread_join(&t[3]);
}

static void wait_privately(void *arg)
{
	(void)arg;
	CHECK(futex(&word, FUTEX_WAIT | PRIVATE, 0, NULL, NULL, 0) == 0);
}

// Who says that a word is private is not found by who does not say so.
static void private_and_not(void)
{
	struct thread t = {0};

	word = 0;
	thread_begin(&t, wait_privately, NULL);
	while (futex(&word, FUTEX_REQUEUE | PRIVATE, 0, (void *)9l, &word, 0) < 1)
		sched_yield();
	CHECK_EQ(futex_wake(&word, 9), 0);
	CHECK_EQ(futex(&word, FUTEX_WAKE | PRIVATE, 9, NULL, NULL, 0), 1);
	thread_join(&t);
}

static void requeued(void)
{
	struct thread t[5] = {0};

	begin_waiters(t, 5);
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)2l, &word2, 1), EAGAIN);
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)2l, &word2, 0), 3);
	thread_join(&t[0]);
	CHECK_EQ(awake, 1);
	CHECK_EQ(futex_waiters(&word), 2);
	CHECK_EQ(futex_waiters(&word2), 2);
	CHECK_EQ(futex_wake(&word2, 1), 1);
	thread_join(&t[1]);
	CHECK_EQ(futex(&word2, FUTEX_REQUEUE, 0, (void *)9l, &word, 0), 1);
	CHECK_EQ(futex_waiters(&word), 3);
	CHECK_EQ(futex_wake(&word, 9), 3);
	for (int i = 2; i < 5; i++)
		thread_join(&t[i]);
}

static uint32_t op(unsigned what, unsigned operand, unsigned how, unsigned comparand)
{
	return what << 28 | how << 24 | (operand & 0xfff) << 12 | (comparand & 0xfff);
}

static long wake_op(int most, long most2, uint32_t encoded)
{
	return futex(&word2, FUTEX_WAKE_OP, (uint32_t)most, (void *)most2, &word, encoded);
}

static void woken_by_an_operation(void)
{
	struct thread t[3] = {0};

	begin_waiters(t, 3);
	CHECK_EQ(wake_op(1, 1, op(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_GT, 0)), 0); // it was 0
	CHECK_EQ(word, 5);
	CHECK_EQ(wake_op(1, 1, op(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 5)), 1);
	CHECK_EQ(word, 7);
	thread_join(&t[0]);
	CHECK_EQ(wake_op(1, 1, op(FUTEX_OP_ANDN, 2, FUTEX_OP_CMP_LT, -1u)), 0);
	CHECK_EQ(word, 5);
	CHECK_EQ(wake_op(1, 9, op(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 4, FUTEX_OP_CMP_GE, 5)), 2);
	CHECK_EQ(word, 21);
	CHECK_EQ(wake_op(1, 9, op(FUTEX_OP_XOR, -1u, FUTEX_OP_CMP_NE, 21)), 0);
	CHECK_EQ(word, ~21u);
	CHECK_ERR(wake_op(1, 1, op(5, 0, 0, 0)), ENOSYS);
	CHECK_ERR(wake_op(1, 1, op(0, 0, 6, 0)), ENOSYS);
	thread_join(&t[1]);
	thread_join(&t[2]);
}

// --- between processes

static uint32_t *shared;

static void wait_shared(void *arg)
{
	(void)arg;
	CHECK_EQ(futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0), 0);
}

static void across_fork(void)
{
	pid_t pid;

	shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = start_child(wait_shared, NULL);
	until_waiting(shared, 1);
	CHECK_EQ(futex_wake(shared, 9), 1);
	must_exit_well(pid);
}

static void wait_in_own_mapping(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	CHECK_EQ(futex((uint32_t *)(p + 2 * PAGE + 8), FUTEX_WAIT, 0, NULL, NULL, 0), 0);
}

// The same word of a file at two addresses.
static void in_a_file(void)
{
	int fd = open("words", O_RDWR | O_CREAT, 0600);
	char *p;
	pid_t pid;

	CHECK_OK(fd);
	CHECK_OK(ftruncate(fd, 3 * PAGE));
	p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 2 * PAGE);
	CHECK(p != MAP_FAILED);
	pid = start_child(wait_in_own_mapping, (void *)(intptr_t)fd);
	until_waiting((uint32_t *)(p + 8), 1);
	CHECK_EQ(futex_wake((uint32_t *)(p + 4), 9), 0);
	CHECK_EQ(futex_wake((uint32_t *)(p + 8), 9), 1);
	must_exit_well(pid);
}

static void wait_for_word(void *arg)
{
	(void)arg;
	futex_wait_while(&word, 0);
}

// Private memory: the child's word is another.
static void not_across_fork(void)
{
	struct thread t = {0};
	pid_t pid;

	word = 0;
	thread_begin(&t, wait_for_word, NULL);
	until_waiting(&word, 1);
	pid = fork();
	if (pid == 0)
		_exit(futex_wake(&word, 9) == 0 ? 0 : 1);
	must_exit_well(pid);
	CHECK_EQ(futex_waiters(&word), 1);
	word = 1;
	CHECK_EQ(futex_wake(&word, 9), 1);
	thread_join(&t);
}

// --- signals

static volatile int handled;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

struct interrupted {
	bool timed;
	long result;
	int error;
};

static void wait_interrupted(void *arg)
{
	struct timespec t = {.tv_sec = 1000};
	struct interrupted *i = arg;

	i->result = futex(&word, FUTEX_WAIT, 0, i->timed ? &t : NULL, NULL, 0);
	i->error = errno;
}

static struct interrupted interrupt(bool timed, int flags)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
	struct interrupted i = {.timed = timed};
	struct thread t = {0};

	word = 0;
	handled = 0;
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	thread_begin(&t, wait_interrupted, &i);
	until_waiting(&word, 1);
	CHECK_OK(syscall(SYS_tgkill, getpid(), t.tid, SIGUSR1));
	while (!handled)
		sched_yield();
	if (flags && !timed) {
		until_waiting(&word, 1); // again
		CHECK_EQ(futex_wake(&word, 1), 1);
	}
	thread_join(&t);
	return i;
}

static void by_handlers(void)
{
	struct interrupted i = interrupt(false, 0);

	CHECK_EQ(i.result, -1);
	CHECK_EQ(i.error, EINTR);
	i = interrupt(true, 0);
	CHECK_EQ(i.result, -1);
	CHECK_EQ(i.error, EINTR);
	i = interrupt(true, SA_RESTART); // a wait with a limit is not begun anew
	CHECK_EQ(i.result, -1);
	CHECK_EQ(i.error, EINTR);
	i = interrupt(false, SA_RESTART);
	CHECK_EQ(i.result, 0);
}

// Stopped and continued, it waits on as if nothing had been, to the same moment.
static void wait_half_a_second(void *arg)
{
	struct timespec t = {.tv_nsec = 300000000};

	(void)arg;
	CHECK_ERR(futex(shared, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
}

static void by_stops(void)
{
	pid_t pid;
	int status;

	shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = start_child(wait_half_a_second, NULL);
	until_waiting(shared, 1);
	for (int i = 0; i < 3; i++) {
		CHECK_OK(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status));
		CHECK_OK(kill(pid, SIGCONT));
	}
	must_exit_well(pid);
}

// --- nothing is lost

enum { THREADS = 6, ROUNDS = 3000 };

static uint32_t lock, sum;

static void add_under_lock(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		lock_word(&lock);
		uint32_t was = sum;
		if (i % 64 == 0)
			sched_yield();
		sum = was + 1;
		unlock_word(&lock);
	}
}

static void many_at_one_lock(void)
{
	struct thread t[THREADS] = {0};

	lock = sum = 0;
	for (int i = 0; i < THREADS; i++)
		thread_begin(&t[i], add_under_lock, NULL);
	for (int i = 0; i < THREADS; i++)
		thread_join(&t[i]);
	CHECK_EQ(sum, THREADS * ROUNDS);
}

static void answer(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		futex_wait_while(&word, i);
		__atomic_store_n(&word2, i + 1, __ATOMIC_SEQ_CST);
		futex_wake(&word2, 1);
	}
}

static void ping_pong(void)
{
	struct thread t = {0};

	word = word2 = 0;
	thread_begin(&t, answer, NULL);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		__atomic_store_n(&word, i + 1, __ATOMIC_SEQ_CST);
		futex_wake(&word, 1);
		futex_wait_while(&word2, i);
	}
	thread_join(&t);
}

// A condition variable that moves its waiters to the lock: each announcement reaches all.
static uint32_t generation, ready;

static void follow(void *arg)
{
	(void)arg;
	for (uint32_t seen = 0; seen < ROUNDS / 10;) {
		lock_word(&lock);
		uint32_t at = generation;
		if (at == seen) {
			__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
			unlock_word(&lock);
			futex(&generation, FUTEX_WAIT, at, NULL, NULL, 0);
			while (__atomic_exchange_n(&lock, 2, __ATOMIC_ACQUIRE))
				futex(&lock, FUTEX_WAIT, 2, NULL, NULL, 0);
			at = generation;
		}
		seen = at;
		unlock_word(&lock);
	}
}

static void announced_to_all(void)
{
	struct thread t[THREADS] = {0};

	lock = generation = ready = 0;
	for (int i = 0; i < THREADS; i++)
		thread_begin(&t[i], follow, NULL);
	for (uint32_t i = 1; i <= ROUNDS / 10; i++) {
		lock_word(&lock);
		__atomic_store_n(&generation, i, __ATOMIC_SEQ_CST);
		futex(&generation, FUTEX_CMP_REQUEUE, 1, (void *)1000l, &lock, i);
		__atomic_store_n(&lock, 2, __ATOMIC_SEQ_CST); // some may wait there now
		unlock_word(&lock);
		if (i % 16 == 0)
			sched_yield();
	}
	for (int i = 0; i < THREADS; i++)
		thread_join(&t[i]);
}

// --- robust lists

struct robust_lock {
	struct robust_list link;
	uint32_t word;
};

static struct robust_list_head head;
static struct robust_lock held[3], pending_lock;

static void point_list(struct robust_list *first)
{
	head.futex_offset = offsetof(struct robust_lock, word);
	head.list.next = first;
	CHECK(syscall(SYS_set_robust_list, &head, sizeof head) == 0);
}

// Three on the list, of which one is another's, and one that was just being taken.
static void die_with_locks(void *arg)
{
	uint32_t self = (uint32_t)syscall(SYS_gettid);

	(void)arg;
	for (int i = 0; i < 3; i++) {
		held[i].word = self | (i == 1 ? 0 : FUTEX_WAITERS);
		held[i].link.next = i < 2 ? &held[i + 1].link : &head.list;
	}
	held[2].word = self + 1;
	pending_lock.word = self | FUTEX_WAITERS;
	head.list_op_pending = &pending_lock.link;
	point_list(&held[0].link);
	__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
	futex_wake(&word, 1);
	futex_wait_while(&word2, 0);
}

static void wait_for_owner(void *arg)
{
	uint32_t *at = arg, value = __atomic_load_n(at, __ATOMIC_SEQ_CST);

	CHECK(futex(at, FUTEX_WAIT, value, NULL, NULL, 0) == 0);
}

static void owner_died(void)
{
	struct thread owner = {0}, waiter[2] = {0};
	uint32_t tid;

	word = word2 = 0;
	thread_begin(&owner, die_with_locks, NULL);
	futex_wait_while(&word, 0);
	tid = (uint32_t)owner.tid;
	thread_begin(&waiter[0], wait_for_owner, &held[0].word);
	thread_begin(&waiter[1], wait_for_owner, &pending_lock.word);
	until_waiting(&held[0].word, 1);
	until_waiting(&pending_lock.word, 1);
	word2 = 1;
	futex_wake(&word2, 1);
	thread_join(&owner);
	thread_join(&waiter[0]);
	thread_join(&waiter[1]);
	CHECK_EQ(held[0].word, FUTEX_WAITERS | FUTEX_OWNER_DIED);
	CHECK_EQ(held[1].word, FUTEX_OWNER_DIED);
	CHECK_EQ(held[2].word, tid + 1);
	CHECK_EQ(pending_lock.word, FUTEX_WAITERS | FUTEX_OWNER_DIED);
}

static void lock_and_exec(void *arg)
{
	static char *argv[] = {"sh", "-c", "exit 3", NULL};
	struct robust_lock *lock_shared = arg;

	lock_shared->word = (uint32_t)syscall(SYS_gettid);
	lock_shared->link.next = &head.list;
	head.list_op_pending = NULL;
	point_list(&lock_shared->link);
	execve("/bin/sh", argv, argv + 3);
}

// A program that takes the place of another holds none of its locks.
static void exec_counts_as_death(void)
{
	struct robust_lock *l = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK_EQ(in_child(lock_and_exec, l), 3 << 8);
	CHECK_EQ(l->word, FUTEX_OWNER_DIED);
}

static void circle(void *arg)
{
	(void)arg;
	held[0].link.next = &held[1].link;
	held[1].link.next = &held[0].link;
	head.list_op_pending = &held[0].link;
	point_list(&held[0].link);
}

static void into_the_void(void *arg)
{
	(void)arg;
	head.list_op_pending = (struct robust_list *)-1l;
	point_list((struct robust_list *)16);
}

static void at_an_odd_offset(void *arg)
{
	(void)arg;
	point_list(&held[0].link);
	head.futex_offset = (int64_t)1 << 62 | 3;
}

static void no_list_at_all(void *arg)
{
	(void)arg;
	CHECK(syscall(SYS_set_robust_list, (void *)(1ul << 63 | 8), sizeof head) == 0);
}

static void hostile_lists(void)
{
	void (*const lists[])(void *) = {circle, into_the_void, at_an_odd_offset, no_list_at_all};
	struct thread t = {0};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		memset(held, 0, sizeof held);
		thread_begin(&t, lists[i], NULL);
		thread_join(&t);
		CHECK_EQ(held[0].word, 0);
	}
	CHECK_ERR(syscall(SYS_set_robust_list, &head, sizeof head - 1), EINVAL);
}

static void own_list_is_told(void)
{
	struct robust_list_head *is;
	size_t bytes;

	head.list.next = &head.list;
	head.list_op_pending = NULL;
	CHECK_OK(syscall(SYS_set_robust_list, &head, sizeof head));
	CHECK_OK(syscall(SYS_get_robust_list, 0, &is, &bytes));
	CHECK(is == &head);
	CHECK_EQ(bytes, sizeof head);
	CHECK_OK(syscall(SYS_get_robust_list, getpid(), &is, &bytes));
	CHECK(is == &head);
	CHECK_ERR(syscall(SYS_get_robust_list, 0x3ffffff, &is, &bytes), ESRCH);
	CHECK_ERR(syscall(SYS_get_robust_list, 0, (void *)8, &bytes), EFAULT);
}

static const struct test tests[] = {
	{"refused", refused},
	{"times_out", times_out},
	{"first_come_first_woken", first_come_first_woken},
	{"by_bits", by_bits},
	{"private_and_not", private_and_not},
	{"requeued", requeued},
	{"woken_by_an_operation", woken_by_an_operation},
	{"across_fork", across_fork},
	{"in_a_file", in_a_file},
	{"not_across_fork", not_across_fork},
	{"by_handlers", by_handlers},
	{"by_stops", by_stops},
	{"many_at_one_lock", many_at_one_lock},
	{"ping_pong", ping_pong},
	{"announced_to_all", announced_to_all},
	{"owner_died", owner_died},
	{"exec_counts_as_death", exec_counts_as_death},
	{"hostile_lists", hostile_lists},
	{"own_list_is_told", own_list_is_told},
};

BEYOND_CORE_MAIN(tests)
