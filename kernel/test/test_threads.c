// SPDX-License-Identifier: MIT
/*
 * Threads, locks, preemption.
 */
#include <errno.h>
#include <kernel/cpu.h>
#include <kernel/lockstat.h>
#include <kernel/panic.h>
#include <kernel/thread.h>
#include <kernel/time.h>

#include "selftest.h"

#define THREADS 12
#define ROUNDS  20000

static struct spinlock spin = SPINLOCK_INIT("test spin", RANK_DRIVER);
static struct mutex mutex = MUTEX_INIT("test mutex", RANK_FS_LEAF);
static uint64_t counter; /* [spin or mutex] not atomic on purpose */

static void add_with_spin(void *arg, unsigned i)
{
	(void)arg, (void)i;
	for (unsigned n = 0; n < ROUNDS; n++) {
		spin_lock(&spin);
		counter++;
		spin_unlock(&spin);
	}
}

static void test_spin(void)
{
	counter = 0;
	selftest_crowd(THREADS, add_with_spin, NULL);
	CHECK(counter == (uint64_t)THREADS * ROUNDS);
}

/* The owner gives way in the middle, so that others must sleep. */
static void add_with_mutex(void *arg, unsigned i)
{
	(void)arg;
	for (unsigned n = 0; n < ROUNDS / 40; n++) {
		uint64_t old;

		mutex_lock(&mutex);
		old = counter;
		if ((n + i) % 4 == 0)
			thread_yield();
		counter = old + 1;
		mutex_unlock(&mutex);
	}
}

static void test_mutex(void)
{
	counter = 0;
	selftest_crowd(THREADS, add_with_mutex, NULL);
	CHECK(counter == (uint64_t)THREADS * (ROUNDS / 40));
	CHECK(!mutex_held(&mutex) && mutex_try(&mutex));
	mutex_unlock(&mutex);
}

/* --- Waits are counted: ranks that nothing else uses meanwhile -------------------------------- */

static struct spinlock watched_spin = SPINLOCK_INIT("watched spin", RANK_USERS);
static struct mutex watched_mutex = MUTEX_INIT("watched mutex", RANK_FS_RENAME);
static uint32_t watched_state; /* [a] */

/* One holds the mutex until the other sleeps for it. */
static void wait_for_mutex(void *arg, unsigned i)
{
	(void)arg;
	while (i == 1 && !__atomic_load_n(&watched_state, __ATOMIC_ACQUIRE))
		thread_yield();
	mutex_lock(&watched_mutex);
	__atomic_store_n(&watched_state, 1, __ATOMIC_RELEASE);
	while (i == 0 && !__atomic_load_n(&watched_mutex.waiting, __ATOMIC_RELAXED))
		thread_yield();
	mutex_unlock(&watched_mutex);
}

/* Both take the lock until one has met the other. */
static void meet_at_spin(void *arg, unsigned i)
{
	uint64_t before = *(uint64_t *)arg;

	CHECK(thread_set_affinity(thread_current(), 1UL << i) == 0);
	while (lockstat_sum(RANK_USERS).waits == before) {
		spin_lock(&watched_spin);
		cpu_relax();
		spin_unlock(&watched_spin);
	}
}

static void test_lock_waits(void)
{
	struct lock_waits slept = lockstat_sum(RANK_FS_RENAME), spun = lockstat_sum(RANK_USERS);

	mutex_lock(&watched_mutex);
	mutex_unlock(&watched_mutex);
	spin_lock(&watched_spin);
	CHECK(!spin_try(&watched_spin));
	spin_unlock(&watched_spin);
	CHECK(lockstat_sum(RANK_FS_RENAME).waits == slept.waits);
	CHECK(lockstat_sum(RANK_USERS).waits == spun.waits);
	watched_state = 0;
	selftest_crowd(2, wait_for_mutex, NULL);
	CHECK(lockstat_sum(RANK_FS_RENAME).waits == slept.waits + 1);
	CHECK(lockstat_sum(RANK_FS_RENAME).ticks > slept.ticks);
	if (cpu_count > 1)
		selftest_crowd(2, meet_at_spin, &spun.waits);
	CHECK(lockstat_sum(RANK_USERS).longest_ticks <= lockstat_sum(RANK_USERS).ticks);
	for (unsigned rank = RANK_PROCESS_TREE; rank < RANK_N; rank++)
		CHECK(lockstat_name(rank));
}

/* More spinning threads than harts: each waits for all to have started, never giving way. */
static void spin_until_all(void *arg, unsigned i)
{
	uint32_t *started = arg;

	(void)i;
	__atomic_fetch_add(started, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(started, __ATOMIC_RELAXED) < THREADS)
		cpu_relax();
}

static void test_preemption(void)
{
	uint32_t started = 0;

	selftest_crowd(THREADS, spin_until_all, &started);
	CHECK(started == THREADS);
}

/* Locals survive switches, on whatever hart the thread goes on. */
static void keep_registers(void *arg, unsigned i)
{
	uint64_t a = i * 3 + 1, b = i * 5 + 2, c = i * 7 + 3;

	(void)arg;
	for (unsigned n = 0; n < 2000; n++) {
		uint64_t sum = a + b + c;

		thread_yield();
		CHECK(sum == a + b + c);
		a = a * 5 + 1;
		b ^= a >> 7;
		c += b;
	}
}

static void test_switch(void)
{
	selftest_crowd(THREADS, keep_registers, NULL);
}

static void nothing(void *arg)
{
	(void)arg;
}

/* Ended threads leave neither stacks nor structs behind. */
static void test_create(void)
{
	for (unsigned i = 0; i < 500; i++) {
		struct thread *t;

		CHECK(thread_create("brief", nothing, NULL, &t) == 0);
		thread_start(t);
		thread_join(t);
		thread_unref(t);
	}
}

#define BEGINNINGS 300

static struct thread *beginner; /* [a] with a reference for who takes it */
static uint64_t beginner_harts; /* [a] where it may run from now on; 0: that still changes */
static uint32_t all_began;      /* [a] */

static void tell_beginners(void)
{
	while (!__atomic_load_n(&all_began, __ATOMIC_ACQUIRE)) {
		struct thread *t = __atomic_exchange_n(&beginner, NULL, __ATOMIC_ACQ_REL);
		uint64_t harts = 1;

		thread_yield();
		if (!t)
			continue;
		for (unsigned n = 0; n < 10; n++) {
			thread_notify(t, THREAD_WORK_KILL);
			harts = selftest_random(&selftest_seed) % 3 + 1;
			CHECK(thread_set_affinity(t, harts) == 0);
		}
		thread_unref(t);
		__atomic_store_n(&beginner_harts, harts, __ATOMIC_RELEASE);
	}
}

static void end_where_it_may_run(void *arg)
{
	uint64_t harts;

	(void)arg;
	while (!(harts = __atomic_load_n(&beginner_harts, __ATOMIC_ACQUIRE)))
		thread_yield();
	thread_yield(); /* leaves the hart if that is none of them */
	CHECK(harts & 1UL << cpu_index());
}

/*
 * Both harts may have it in hand at once: the one where it was made, and the
 * one where it will run.
 */
static void begin_one(void)
{
	struct thread *t;

	if (thread_create("beginner", end_where_it_may_run, NULL, &t))
		panic("no memory for the test's threads");
	CHECK(thread_set_affinity(t, 2) == 0);
	thread_ref(t);
	beginner_harts = 0;
	__atomic_store_n(&beginner, t, __ATOMIC_RELEASE);
	thread_start(t);
	thread_join(t);
	thread_unref(t);
}

static void begin_or_tell(void *arg, unsigned i)
{
	(void)arg;
	CHECK(thread_set_affinity(thread_current(), 1UL << i) == 0);
	if (i) {
		tell_beginners();
		return;
	}
	for (unsigned n = 0; n < BEGINNINGS; n++)
		begin_one();
	__atomic_store_n(&all_began, 1, __ATOMIC_RELEASE);
}

/* A process's threads can be told to exit, and to run elsewhere, before they have been started. */
static void test_told_while_it_begins(void)
{
	if (cpu_count == 1)
		return;
	while (!(__atomic_load_n(&cpu_online_mask, __ATOMIC_ACQUIRE) & 2))
		thread_yield();
	all_began = 0;
	selftest_crowd(2, begin_or_tell, NULL);
}

static uint64_t called;

static void note_call(void *arg)
{
	(void)arg;
	__atomic_fetch_or(&called, 1UL << arch_cpu()->index, __ATOMIC_RELAXED);
}

static void test_call(void)
{
	for (unsigned i = 0; i < 50; i++) {
		uint64_t self;

		called = 0;
		preempt_disable();
		self = 1UL << arch_cpu()->index;
		cpu_call_others(note_call, NULL);
		CHECK(called == (cpu_online_mask & ~self));
		preempt_enable();
	}
}

static void run_on(void *arg, unsigned i)
{
	(void)arg;
	i %= cpu_count;
	CHECK(thread_set_affinity(thread_current(), 1UL << i) == 0);
	for (unsigned n = 0; n < 200; n++) {
		CHECK(cpu_index() == i);
		thread_yield();
	}
	CHECK(thread_set_affinity(thread_current(), 0) == -EINVAL);
}

static void test_affinity(void)
{
	selftest_crowd(THREADS, run_on, NULL);
}

/*
 * Threads that sleep, and others that wake them and change where they may run. Whoever has a thread
 * in hand, on its way from one hart to another, meets the others.
 */
#define MOVED      6
#define MOVERS     4
#define MOVE_TURNS 400

static struct moved {
	struct thread *thread; /* [a] */
	struct waitq wait;
	uint64_t harts;  /* [a] not 0: it is its turn, and it may run on these */
	uint32_t inside; /* [a] */
} moved[MOVED];
static uint32_t movers; /* [a] that have not done all */

static bool has_turn(struct moved *m)
{
	return __atomic_load_n(&m->harts, __ATOMIC_ACQUIRE) ||
	       !__atomic_load_n(&movers, __ATOMIC_ACQUIRE);
}

static void be_moved(struct moved *m)
{
	uint64_t harts;

	__atomic_store_n(&m->thread, thread_current(), __ATOMIC_RELEASE);
	for (;;) {
		wait_event(&m->wait, has_turn(m));
		CHECK(!__atomic_exchange_n(&m->inside, 1, __ATOMIC_SEQ_CST));
		harts = __atomic_load_n(&m->harts, __ATOMIC_ACQUIRE);
		if (!harts)
			return;
		thread_yield(); /* leaves the hart if that is none of them */
		CHECK(harts & 1UL << cpu_index());
		__atomic_store_n(&m->inside, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&m->harts, 0, __ATOMIC_RELEASE);
	}
}

static void move_and_wake(uint64_t *random, struct moved *m)
{
	uint64_t all = (1UL << cpu_count) - 1, harts = 0;

	for (unsigned n = selftest_random(random) % 4 + 1; n; n--) {
		do
			harts = selftest_random(random) & all;
		while (!(harts & cpu_online_mask));
		CHECK(thread_set_affinity(m->thread, harts) == 0);
	}
	__atomic_store_n(&m->harts, harts, __ATOMIC_RELEASE);
	waitq_wake_all(&m->wait);
}

/* Each has some threads whose turn it is when he says so; the others' he wakes for nothing. */
static void move_them(unsigned self)
{
	uint64_t random = selftest_seed + self;
	unsigned turns = 0;

	for (unsigned i = 0; i < MOVED; i++)
		while (!__atomic_load_n(&moved[i].thread, __ATOMIC_ACQUIRE))
			thread_yield();
	while (turns < MOVE_TURNS) {
		unsigned i = selftest_random(&random) % MOVED;

		if (i % MOVERS != self) {
			thread_wakeup(moved[i].thread);
		} else if (!__atomic_load_n(&moved[i].harts, __ATOMIC_ACQUIRE)) {
			move_and_wake(&random, &moved[i]);
			turns++;
		}
		if (selftest_random(&random) % 8 == 0)
			thread_yield();
	}
	__atomic_fetch_sub(&movers, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < MOVED; i++)
		waitq_wake_all(&moved[i].wait);
}

static void move_or_be_moved(void *arg, unsigned i)
{
	(void)arg;
	if (i < MOVED)
		be_moved(&moved[i]);
	else
		move_them(i - MOVED);
}

static void test_moved_while_woken(void)
{
	for (unsigned i = 0; i < MOVED; i++)
		moved[i] = (struct moved){.wait = WAITQ_INIT};
	movers = MOVERS;
	selftest_crowd(MOVED + MOVERS, move_or_be_moved, NULL);
}

/* --- The order of the queue: all on one hart -------------------------------------------------- */

#define SPINNERS 8
#define WAKES    20

static struct {
	struct thread *spinner[SPINNERS];
	uint32_t started, stop; /* [a] */
	uint32_t turn;          /* [a] of the two that wake each other */
	struct waitq wait;
} order = {.wait = WAITQ_INIT};

static void spin_until_stopped(unsigned i)
{
	order.spinner[i] = thread_current();
	__atomic_fetch_add(&order.started, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&order.stop, __ATOMIC_RELAXED))
		cpu_relax();
}

/* How often a spinner was switched to; the first n of them. */
static uint64_t turns_of(unsigned n)
{
	uint64_t turns = 0;

	while (__atomic_load_n(&order.started, __ATOMIC_ACQUIRE) < n)
		thread_yield();
	for (unsigned i = 0; i < n; i++)
		for (unsigned why = 0; why < 2; why++)
			turns +=
				__atomic_load_n(&order.spinner[i]->switches[why], __ATOMIC_RELAXED);
	return turns;
}

static void sleep_beside_spinners(void *arg, unsigned i)
{
	uint64_t turns = 0;

	(void)arg;
	CHECK(thread_set_affinity(thread_current(), 1) == 0);
	if (i < SPINNERS) {
		spin_until_stopped(i);
		return;
	}
	for (unsigned n = 0; n < WAKES; n++) {
		uint64_t before = turns_of(SPINNERS);

		(void)thread_sleep_until(time_now_ns() + NS_PER_MS, SLEEP_FOREVER);
		turns += turns_of(SPINNERS) - before;
	}
	__atomic_store_n(&order.stop, 1, __ATOMIC_RELAXED);
	CHECK(turns < WAKES * SPINNERS / 2);
}

/* Who wakes does not wait for all that compute. */
static void test_woken_runs_soon(void)
{
	order.started = order.stop = 0;
	selftest_crowd(SPINNERS + 1, sleep_beside_spinners, NULL);
}

#define TURNS_WANTED 3
#define ROUNDS_MOST  1000000

/* Two that wake each other all the time, so that one of them is always woken, and a spinner. */
static void wake_each_other(void *arg, unsigned i)
{
	uint64_t begun, rounds = 0;

	(void)arg;
	CHECK(thread_set_affinity(thread_current(), 1) == 0);
	if (i == 0) {
		spin_until_stopped(0);
		return;
	}
	begun = turns_of(1);
	while (!__atomic_load_n(&order.stop, __ATOMIC_RELAXED)) {
		if (turns_of(1) >= begun + TURNS_WANTED || ++rounds == ROUNDS_MOST)
			__atomic_store_n(&order.stop, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&order.turn, 3 - i, __ATOMIC_RELEASE);
		waitq_wake_all(&order.wait);
		wait_event(&order.wait, __atomic_load_n(&order.turn, __ATOMIC_ACQUIRE) == i ||
						__atomic_load_n(&order.stop, __ATOMIC_RELAXED));
	}
	waitq_wake_all(&order.wait);
	CHECK(rounds < ROUNDS_MOST);
}

static void test_woken_starve_nobody(void)
{
	order.started = order.stop = 0;
	order.turn = 1;
	selftest_crowd(3, wake_each_other, NULL);
}

const struct selftest thread_tests[] = {
	{"spin", test_spin},
	{"mutex", test_mutex},
	{"lock_waits", test_lock_waits},
	{"preemption", test_preemption},
	{"switch", test_switch},
	{"create", test_create},
	{"told_while_it_begins", test_told_while_it_begins},
	{"call", test_call},
	{"affinity", test_affinity},
	{"moved_while_woken", test_moved_while_woken},
	{"woken_runs_soon", test_woken_runs_soon},
	{"woken_starve_nobody", test_woken_starve_nobody},
	{0},
};
