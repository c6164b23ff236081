// SPDX-License-Identifier: MIT
/*
 * The kernel's types behind fs/host.h, and the hooks that are hot.
 */
#pragma once

#include <arch/layout.h>
#include <kernel/kmem.h>
#include <kernel/lock.h>
#include <kernel/time.h>

struct thread;

struct fsh_mutex {
	struct mutex mutex;
};

/* A writer holds the gate all along, a reader only while it comes in. */
struct fsh_rwlock {
	struct mutex gate;
	struct waitq no_readers;
	uint32_t readers; /* [a] */
};

struct fsh_cond {
	struct waitq queue;
};

struct fsh_spin {
	struct spinlock spin;
};

struct fsh_completion {
	struct waitq queue;
	uint32_t state; /* [a] enum completion_state of fs_host.c */
};

struct fsh_thread {
	struct thread *thread;
	void (*run)(void *);
	void *arg;
};

#define fsh_mutex_destroy fsh_mutex_destroy
static inline void fsh_mutex_destroy(struct fsh_mutex *mutex)
{
	(void)mutex;
}

#define fsh_mutex_lock fsh_mutex_lock
static inline void fsh_mutex_lock(struct fsh_mutex *mutex)
{
	mutex_lock(&mutex->mutex);
}

#define fsh_mutex_lock_nested fsh_mutex_lock_nested
static inline void fsh_mutex_lock_nested(struct fsh_mutex *mutex)
{
	mutex_lock_nested(&mutex->mutex);
}

#define fsh_mutex_trylock fsh_mutex_trylock
static inline bool fsh_mutex_trylock(struct fsh_mutex *mutex)
{
	return mutex_try(&mutex->mutex);
}

#define fsh_mutex_unlock fsh_mutex_unlock
static inline void fsh_mutex_unlock(struct fsh_mutex *mutex)
{
	mutex_unlock(&mutex->mutex);
}

#define fsh_mutex_held fsh_mutex_held
static inline bool fsh_mutex_held(const struct fsh_mutex *mutex)
{
	return mutex_held(&mutex->mutex);
}

#define fsh_rwlock_destroy fsh_rwlock_destroy
static inline void fsh_rwlock_destroy(struct fsh_rwlock *lock)
{
	(void)lock;
}

#define fsh_cond_destroy fsh_cond_destroy
static inline void fsh_cond_destroy(struct fsh_cond *cond)
{
	(void)cond;
}

#define fsh_spin_init fsh_spin_init
static inline void fsh_spin_init(struct fsh_spin *spin, const char *name)
{
	spin_init(&spin->spin, name, RANK_FS_SPIN);
}

#define fsh_spin_lock fsh_spin_lock
static inline void fsh_spin_lock(struct fsh_spin *spin)
{
	spin_lock(&spin->spin);
}

#define fsh_spin_lock_nested fsh_spin_lock_nested
static inline void fsh_spin_lock_nested(struct fsh_spin *spin)
{
	spin_lock_nested(&spin->spin);
}

#define fsh_spin_unlock fsh_spin_unlock
static inline void fsh_spin_unlock(struct fsh_spin *spin)
{
	spin_unlock(&spin->spin);
}

#define fsh_alloc fsh_alloc
static inline void *fsh_alloc(size_t bytes)
{
	return kzalloc(bytes);
}

#define fsh_free fsh_free
static inline void fsh_free(void *memory)
{
	kfree(memory);
}

#define fsh_frame_data fsh_frame_data
static inline void *fsh_frame_data(uint32_t frame)
{
	return phys_to_virt((paddr_t)frame << PAGE_SHIFT);
}

#define fsh_realtime_ns fsh_realtime_ns
static inline int64_t fsh_realtime_ns(void)
{
	return (int64_t)time_realtime_ns();
}

#define fsh_monotonic_ns fsh_monotonic_ns
static inline uint64_t fsh_monotonic_ns(void)
{
	return time_now_ns();
}
