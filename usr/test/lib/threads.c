// SPDX-License-Identifier: MIT
#include "threads.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES (16ul << 10)

#define FUTEX_WAIT    0
#define FUTEX_WAKE    1
#define FUTEX_REQUEUE 3

long futex(uint32_t *word, int op, uint32_t value, const void *timeout, uint32_t *word2,
	uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

void futex_wait_while(uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == value)
		futex(word, FUTEX_WAIT, value, NULL, NULL, 0);
}

long futex_wake(uint32_t *word, int most)
{
	return futex(word, FUTEX_WAKE, (uint32_t)most, NULL, NULL, 0);
}

long futex_waiters(uint32_t *word)
{
	return futex(word, FUTEX_REQUEUE, 0, (void *)0x7fffffffl, word, 0);
}

void until_waiting(uint32_t *word, long n)
{
	while (futex_waiters(word) < n)
		sched_yield();
}

static int thread_main(void *arg)
{
	struct thread *t = arg;

	t->run(t->arg);
	syscall(SYS_exit, 0);
	return 0;
}

void thread_begin(struct thread *t, void (*run)(void *arg), void *arg)
{
	if (!t->stack)
		t->stack = map_anon(STACK_BYTES);
	t->run = run;
	t->arg = arg;
	t->alive = 1;
	CHECK_OK(clone(
		thread_main, t->stack + STACK_BYTES, THREAD_FLAGS, t, &t->tid, NULL, &t->alive));
}

void thread_join(struct thread *t)
{
	futex_wait_while((uint32_t *)&t->alive, 1);
}

void lock_word(uint32_t *word)
{
	uint32_t old = 0;

	if (__atomic_compare_exchange_n(word, &old, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		futex(word, FUTEX_WAIT, 2, NULL, NULL, 0);
}

void unlock_word(uint32_t *word)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		futex_wake(word, 1);
}
