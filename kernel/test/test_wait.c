// SPDX-License-Identifier: MIT
/*
 * Waiting and waking: a lost wake-up shows as a test that does not end.
 */
#include <errno.h>
#include <kernel/thread.h>
#include <kernel/time.h>

#include "selftest.h"

#define PAIRS  4
#define ROUNDS 1000

struct table {
	struct spinlock lock;
	struct waitq queue;
	unsigned turn;
};

static struct table tables[PAIRS];

static void table_init(struct table *t)
{
	*t = (struct table){.lock = SPINLOCK_INIT("test table", RANK_DRIVER), .queue = WAITQ_INIT};
}

static void play_queue(void *arg, unsigned i)
{
	struct table *t = &tables[i / 2];

	(void)arg;
	for (unsigned n = 0; n < ROUNDS; n++) {
		spin_lock(&t->lock);
		while (t->turn != i % 2)
			waitq_sleep(&t->queue, &t->lock, SLEEP_FOREVER, NO_DEADLINE);
		t->turn = !t->turn;
		spin_unlock(&t->lock);
		waitq_wake_all(&t->queue);
	}
}

static void play_channel(void *arg, unsigned i)
{
	struct table *t = &tables[i / 2];

	(void)arg;
	for (unsigned n = 0; n < ROUNDS; n++) {
		spin_lock(&t->lock);
		while (t->turn != i % 2)
			thread_sleep_on(t, &t->lock, SLEEP_FOREVER, NO_DEADLINE);
		t->turn = !t->turn;
		spin_unlock(&t->lock);
		thread_wake_on(t);
	}
}

/* Without a lock: wait_event() alone must not lose it. */
static void play_event(void *arg, unsigned i)
{
	struct table *t = &tables[i / 2];

	(void)arg;
	for (unsigned n = 0; n < ROUNDS; n++) {
		wait_event(&t->queue, __atomic_load_n(&t->turn, __ATOMIC_RELAXED) == i % 2);
		__atomic_store_n(&t->turn, !(i % 2), __ATOMIC_RELEASE);
		waitq_wake_one(&t->queue);
	}
}

static void play(void (*fn)(void *arg, unsigned i))
{
	for (unsigned i = 0; i < PAIRS; i++)
		table_init(&tables[i]);
	selftest_crowd(2 * PAIRS, fn, NULL);
}

static void test_queue(void)
{
	play(play_queue);
}

static void test_channel(void)
{
	play(play_channel);
}

static void test_event(void)
{
	play(play_event);
}

struct sleeper {
	struct table table;
	enum sleep_kind kind;
	bool ready, release;
	int result;
};

static void sleeper_run(void *arg)
{
	struct sleeper *s = arg;

	__atomic_store_n(&s->ready, true, __ATOMIC_RELEASE);
	s->result = wait_event_how(&s->table.queue, __atomic_load_n(&s->release, __ATOMIC_ACQUIRE),
		s->kind, NO_DEADLINE);
}

/* Start a sleeper, notify it, perhaps release it; its result. */
static int notified(enum sleep_kind kind, uint32_t work, bool release)
{
	struct sleeper s = {.kind = kind};
	struct thread *t;

	table_init(&s.table);
	if (thread_create("sleeper", sleeper_run, &s, &t))
		return -ENOMEM;
	thread_start(t);
	while (!__atomic_load_n(&s.ready, __ATOMIC_ACQUIRE))
		thread_yield();
	thread_notify(t, work);
	if (release) {
		__atomic_store_n(&s.release, true, __ATOMIC_RELEASE);
		waitq_wake_all(&s.table.queue);
	}
	thread_join(t);
	thread_unref(t);
	return s.result;
}

static void test_notify(void)
{
	for (unsigned i = 0; i < 50; i++) {
		CHECK(notified(SLEEP_INTERRUPTIBLE, THREAD_WORK_SIGNAL, false) == -EINTR);
		CHECK(notified(SLEEP_INTERRUPTIBLE, THREAD_WORK_KILL, false) == -EINTR);
		CHECK(notified(SLEEP_KILLABLE, THREAD_WORK_KILL, false) == -EINTR);
		CHECK(notified(SLEEP_KILLABLE, THREAD_WORK_SIGNAL, true) == 0);
		CHECK(notified(SLEEP_FOREVER, THREAD_WORK_KILL, true) == 0);
	}
}

static struct mutex contended = MUTEX_INIT("test contended", RANK_FS_LEAF);

static void lock_killable(void *arg)
{
	int *result = arg;

	*result = mutex_lock_killable(&contended);
	if (*result == 0)
		mutex_unlock(&contended);
}

/* A killed waiter leaves; the mutex still finds the next. */
static void test_mutex_kill(void)
{
	for (unsigned i = 0; i < 50; i++) {
		int results[2] = {1, 1};
		struct thread *t[2];

		mutex_lock(&contended);
		for (unsigned k = 0; k < 2; k++) {
			CHECK(thread_create("killed", lock_killable, &results[k], &t[k]) == 0);
			thread_start(t[k]);
		}
		while (__atomic_load_n(&contended.waiting, __ATOMIC_RELAXED) < 2)
			thread_yield();
		thread_notify(t[0], THREAD_WORK_KILL);
		mutex_unlock(&contended);
		for (unsigned k = 0; k < 2; k++) {
			thread_join(t[k]);
			thread_unref(t[k]);
		}
		CHECK(results[0] == -EINTR || results[0] == 0);
		CHECK(results[1] == 0);
	}
}

const struct selftest wait_tests[] = {
	{"wait-queue", test_queue},
	{"wait-channel", test_channel},
	{"wait-event", test_event},
	{"notify", test_notify},
	{"mutex-kill", test_mutex_kill},
	{0},
};
