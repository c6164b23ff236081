// SPDX-License-Identifier: MIT
/*
 * fs's host in a process: POSIX threads.  For the image tools and the host tests.
 *
 * Locks check what the kernel's debug build checks: rising ranks, and no sleeping lock under a
 * spin lock (fs_host.c).
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

struct fsh_mutex {
	pthread_mutex_t lock;
	_Atomic(uintptr_t) owner; /* a thread's mark, 0: free */
	const char *name;
	unsigned rank;
};

struct fsh_rwlock {
	pthread_rwlock_t lock;
	const char *name;
	unsigned rank;
};

struct fsh_cond {
	pthread_cond_t cond;
};

struct fsh_spin {
	pthread_mutex_t lock;
};

struct fsh_completion {
	sem_t done;
};

struct fsh_thread {
	pthread_t thread;
	void (*run)(void *);
	void *arg;
};
