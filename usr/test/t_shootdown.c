// SPDX-License-Identifier: MIT
// When a call that takes a right or a page away has returned, no hart stores there any more:
// threads that store, without ever entering the kernel or with a call after each store, while these
// calls are made. Several harts are what makes it hard.
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "lib/threads.h"

enum { WRITERS = 3, ROUNDS = 25, ROUNDS_AGAIN = 2 };

static volatile uint64_t *page; // a word for each writer
static atomic_uint faulted, generation;
static atomic_bool stop;
static bool calling; // into the kernel, where it need not be interrupted

// The store is made again once main() has made it good.
static void wait_for_page(int number)
{
	unsigned now = generation;

	(void)number;
	faulted++;
	while (generation == now)
		sched_yield();
}

static void store_on(void *word)
{
	volatile uint64_t *mine = word;

	for (uint64_t n = 1; !stop; n++) {
		*mine = n;
		if (calling)
			CHECK_OK(madvise((void *)page, 0, MADV_NORMAL));
	}
}

static void all_store(void)
{
	for (int i = 0; i < WRITERS; i++)
		for (uint64_t was = page[i]; page[i] == was;)
			sched_yield();
}

// Until every writer has met a fault, nothing changes.
static void nobody_stores(const volatile uint64_t *word)
{
	uint64_t were[WRITERS];

	for (int i = 0; i < WRITERS; i++)
		were[i] = word[i];
	while (faulted < WRITERS) {
		for (int i = 0; i < WRITERS; i++)
			CHECK_EQ(word[i], were[i]);
		sched_yield();
	}
	for (int i = 0; i < WRITERS; i++)
		CHECK_EQ(word[i], were[i]);
}

static void go_on(void)
{
	CHECK_OK(mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE));
	faulted = 0;
	generation++;
}

static void among_writers(void (*round)(void))
{
	static struct thread t[WRITERS];

	page = (volatile uint64_t *)map_anon(PAGE);
	stop = false;
	signal(SIGSEGV, wait_for_page);
	for (int i = 0; i < WRITERS; i++)
		thread_begin(&t[i], store_on, (void *)&page[i]);
	for (int i = 0; i < (tap_again ? ROUNDS_AGAIN : ROUNDS); i++) {
		all_store();
		round();
		go_on();
	}
	stop = true;
	for (int i = 0; i < WRITERS; i++)
		thread_join(&t[i]);
	CHECK_OK(munmap((void *)page, PAGE));
}

static void protect(void)
{
	CHECK_OK(mprotect((void *)page, PAGE, PROT_READ));
	nobody_stores(page);
}

static void no_store_after_mprotect(void)
{
	among_writers(protect);
}

// The frame that was there is free, and may be the next one that is asked for.
static void replace(void)
{
	char *other;

	CHECK(mmap((void *)page, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		page);
	other = map_anon(PAGE);
	store(other + PAGE - 1, 1);
	nobody_stores(page);
	for (int i = 0; i < WRITERS; i++) {
		CHECK_EQ(page[i], 0);
		CHECK_EQ(((volatile uint64_t *)other)[i], 0);
	}
	CHECK_OK(munmap(other, PAGE));
}

static void no_store_after_replacement(void)
{
	among_writers(replace);
}

static void no_store_by_who_calls(void)
{
	calling = true;
	among_writers(protect);
	among_writers(replace);
	calling = false;
}

static const struct test tests[] = {
	{"no_store_after_mprotect", no_store_after_mprotect},
	{"no_store_after_replacement", no_store_after_replacement},
	{"no_store_by_who_calls", no_store_by_who_calls},
};

BEYOND_CORE_MAIN(tests)
