// SPDX-License-Identifier: MIT
// What very many threads leave behind when memory is short.
#include <sys/wait.h>
#include <unistd.h>

#include "lib/threads.h"

static uint32_t begun, done;

static void begin_and_wait(void *arg)
{
	(void)arg;
	__atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
	futex_wake(&begun, 1);
	futex_wait_while(&done, 0);
}

static void seven_hundred(void *arg)
{
	enum { N = 700 };
	static struct thread t[N];

	(void)arg;
	for (int i = 0; i < N; i++)
		thread_begin(&t[i], begin_and_wait, NULL);
	for (uint32_t n; (n = __atomic_load_n(&begun, __ATOMIC_SEQ_CST)) < N;)
		futex(&begun, 0, n, NULL, NULL, 0);
	if (on_mapache())
		CHECK(memory_kib("KernelStack") > 8192);
	done = 1;
	futex_wake(&done, N);
	for (int i = 0; i < N; i++)
		thread_join(&t[i]);
}

static void take_memory(void *arg)
{
	(void)arg;
	if (squeeze_memory(3072) && on_mapache())
		while (memory_kib("KernelStack") > 2048)
			(void)squeeze_memory(2048);
}

// The kernel keeps their stacks for the threads to come, until others need the memory more.
static void stacks_come_back(void)
{
	CHECK_EQ(in_child(seven_hundred, NULL), 0);
	CHECK_EQ(in_child(take_memory, NULL), 0);
}

static const struct test tests[] = {
	{"stacks_come_back", stacks_come_back},
};

BEYOND_CORE_MAIN(tests)
