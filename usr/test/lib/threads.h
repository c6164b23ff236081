// SPDX-License-Identifier: MIT
// Threads of this process, as the kernel makes them: clone and futex, nothing of a C library. They
// have stacks of their own; errno, malloc and stdio are everybody's, so they use none of them. A
// CHECK that fails in a thread fails the test.
#pragma once

#include <sched.h>
#include <stdint.h>

#include "tap.h"

// Begun as zeros; it keeps its stack for the next thread that begins in it.
struct thread {
	int tid;   // set by the kernel before thread_begin() returns
	int alive; // 0 once it has ended: the word that it is waited for at
	char *stack;
	void (*run)(void *arg);
	void *arg;
};

// What pthread_create asks for, but CLONE_SETTLS.
enum {
	THREAD_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		       CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID
};

void thread_begin(struct thread *t, void (*run)(void *arg), void *arg);
void thread_join(struct thread *t);

// The system call: its value, or -1 and errno.
long futex(uint32_t *word, int op, uint32_t value, const void *timeout, uint32_t *word2,
	uint32_t value3);
void futex_wait_while(uint32_t *word, uint32_t value); // until it has another
long futex_wake(uint32_t *word, int most);
// How many wait there: they are moved to where they are.
long futex_waiters(uint32_t *word);
// Gives way to others until so many wait there.
void until_waiting(uint32_t *word, long n);

// A lock of one word: 0 free, 1 taken, 2 taken and waited for (Drepper, "Futexes Are Tricky").
void lock_word(uint32_t *word);
void unlock_word(uint32_t *word);
