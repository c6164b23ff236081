// SPDX-License-Identifier: MIT
/*
 * Running the tests and reporting.
 */
#include <kernel/boot.h>
#include <kernel/console.h>
#include <kernel/format.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/lock.h>
#include <kernel/panic.h>
#include <kernel/thread.h>
#include <kernel/uaccess.h>
#include <kernel/time.h>
#include <mm/host.h>
#include <stdarg.h>
#include <string.h>

#include "selftest.h"

uint64_t selftest_seed = 1;

static unsigned failures; /* [a] of the running test */
static const char *skipped;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char line[160];
	va_list args;
	size_t n, sent = 0;

	va_start(args, format);
	n = (size_t)kvsnprintf(line, sizeof(line), format, args);
	va_end(args);
	n = n < sizeof(line) ? n : sizeof(line) - 1;
	while (sent < n)
		sent += console_write(line + sent, n - sent);
}

void selftest_fail(const char *file, int line, const char *what)
{
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	say("# %s:%d: %s\n", file, line, what);
}

void selftest_skip(const char *why)
{
	skipped = why;
}

/* Numerical Recipes' 64-bit linear congruence; the high half is good enough. */
uint32_t selftest_random(uint64_t *state)
{
	*state = *state * 6364136223846793005UL + 1442695040888963407UL;
	return (uint32_t)(*state >> 32);
}

static void read_seed(void)
{
	const char *text = boot_value("seed");

	for (selftest_seed = text ? 0 : selftest_seed; text && *text >= '0' && *text <= '9'; text++)
		selftest_seed = selftest_seed * 10 + (uint64_t)(*text - '0');
}

/* True if it failed. */
static bool run_one(unsigned number, const struct selftest *test)
{
	uint64_t began = time_now_ns();

	failures = 0;
	skipped = NULL;
	test->run();
	frames_check();
	say("# %lu ms\n", (time_now_ns() - began) / NS_PER_MS);
	if (skipped)
		say("ok %u - %s # SKIP %s\n", number, test->name, skipped);
	else
		say("%sok %u - %s\n", failures ? "not " : "", number, test->name);
	return failures;
}

unsigned selftest_run(void)
{
	static const struct selftest *const suites[] = {frames_tests, thread_tests, wait_tests,
		time_tests, pmap_tests, pmap_harts_tests, user_tests, blk_tests, mm_tests};
	const char *only = boot_value("selftest");
	unsigned number = 0, failed = 0;

	read_seed();
	say("TAP version 13\n# seed=%lu\n", selftest_seed);
	for (unsigned i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		for (const struct selftest *test = suites[i]; test->name; test++)
			if (!only || strcmp(only, test->name) == 0)
				failed += run_one(++number, test);
	say("1..%u\n", number);
	return failed;
}

struct member {
	void (*fn)(void *arg, unsigned i);
	void *arg;
	unsigned i;
};

static void member_run(void *arg)
{
	struct member *member = arg;

	member->fn(member->arg, member->i);
}

void selftest_crowd(unsigned n, void (*fn)(void *arg, unsigned i), void *arg)
{
	struct thread *threads[32];
	struct member members[32];

	ASSERT(n <= 32);
	for (unsigned i = 0; i < n; i++) {
		members[i] = (struct member){fn, arg, i};
		if (thread_create("crowd", member_run, &members[i], &threads[i]))
			panic("no memory for the test's threads");
	}
	for (unsigned i = 0; i < n; i++)
		thread_start(threads[i]);
	for (unsigned i = 0; i < n; i++) {
		thread_join(threads[i]);
		/* until it has left its stack: its memory is to come back with ours */
		while (__atomic_load_n(&threads[i]->refs, __ATOMIC_ACQUIRE) > 1)
			thread_yield();
		thread_unref(threads[i]);
	}
}

/* --- Planted bugs ----------------------------------------------------------------------------- */

static struct spinlock low = SPINLOCK_INIT("low", RANK_DRIVER);
static struct spinlock high = SPINLOCK_INIT("high", RANK_WAIT);
static struct mutex plain = MUTEX_INIT("plain", RANK_FS_LEAF);
static struct mutex gate = MUTEX_INIT("gate", RANK_FS_TXN);
static struct mutex early = MUTEX_INIT("early", RANK_FS_INODE);

static void plant_lock_order(void)
{
	spin_lock(&high);
	spin_lock(&low);
}

static void plant_recursion(void)
{
	spin_lock(&low);
	spin_lock(&low);
}

static void plant_mutex_recursion(void)
{
	mutex_lock(&plain);
	mutex_lock(&plain);
}

static void plant_shared_order(void)
{
	mutex_lock(&gate);
	mutex_share(&gate);
	mutex_lock(&early);
}

static void plant_page_wait(void)
{
	struct mvmh_lock lock;

	mvmh_lock_init(&lock, MVMH_RANK_OBJECT);
	mutex_lock(&gate);
	mutex_share(&gate);
	mvmh_lock(&lock);
	(void)!mvmh_wait(&lock, &lock, false);
}

static void plant_user_memory(void)
{
	char byte;

	mutex_lock(&gate);
	mutex_share(&gate);
	(void)!copy_in(&byte, (uaddr_t){PAGE_SIZE}, 1);
}

/* What the hart remembers of that address may be true no more. */
static void plant_aside(void)
{
	uint32_t word;

	arch_cpu()->pmap = (struct pmap *)1;
	(void)!user_swap_if32((void *)PAGE_SIZE, 0, 1, &word);
}

static void plant_sleep(void)
{
	spin_lock(&low);
	thread_sleep_until(0, SLEEP_FOREVER);
}

/* It gives up only the one that it was told of. */
static void plant_sleep_on(void)
{
	static struct spinlock other = SPINLOCK_INIT("other", RANK_CPU_CALL);

	spin_lock(&other);
	spin_lock(&low);
	(void)thread_sleep_on(&low, &low, SLEEP_FOREVER, NO_DEADLINE);
}

static void plant_unlock(void)
{
	spin_unlock(&low);
}

static void plant_double_free(void)
{
	paddr_t pa = frame_alloc(0);

	frame_free(pa, 0);
	frame_free(pa, 0);
}

static void plant_null(void)
{
	volatile uintptr_t nowhere = 8;

	*(volatile int *)nowhere = 1;
}

static void plant_text(void)
{
	*(volatile uint32_t *)(uintptr_t)plant_null = 0;
}

/* Not a tail call: each level has a frame of its own. */
static int overflow(volatile int *depth)
{
	volatile int here[64] = {*depth + 1};

	return here[0] ? overflow(here) + here[0] : 0;
}

static void plant_overflow(void)
{
	int depth = 0;

	overflow(&depth);
}

static void plant_deep_thread(void *unused)
{
	int depth = -40; /* levels of more than 256 bytes */
	uint64_t flags = irq_save();

	(void)unused;
	overflow(&depth);
	irq_restore(flags);
	thread_exit();
}

static void plant_deep(void)
{
	struct thread *t;

	if (thread_create("deep", plant_deep_thread, NULL, &t))
		return;
	thread_start(t);
	thread_join(t);
	thread_unref(t);
}

void selftest_plant(const char *name)
{
	static const struct selftest plants[] = {
		{"lock-order", plant_lock_order},
		{"recursion", plant_recursion},
		{"mutex-recursion", plant_mutex_recursion},
		{"shared-order", plant_shared_order},
		{"page-wait", plant_page_wait},
		{"user-memory", plant_user_memory},
		{"aside", plant_aside},
		{"sleep", plant_sleep},
		{"sleep-on", plant_sleep_on},
		{"unlock", plant_unlock},
		{"double-free", plant_double_free},
		{"null", plant_null},
		{"text", plant_text},
		{"overflow", plant_overflow},
		{"deep", plant_deep},
	};

	for (unsigned i = 0; i < sizeof(plants) / sizeof(plants[0]); i++)
		if (strcmp(plants[i].name, name) == 0)
			plants[i].run();
}
