// SPDX-License-Identifier: MIT
/*
 * Locks.
 *
 * A spin lock turns preemption off while it is held; its _irqsave form turns interrupts off, and so
 * preemption, too, and is the only form for a lock that an interrupt handler takes. What was locked
 * by one form is unlocked by the same. A mutex sleeps.
 *
 * Each lock has a rank. Locks are taken in rising rank, a mutex never under a spin lock, and two of
 * one rank only with the _nested form, whose caller has an order of its own. docs/locking.md is the
 * table. Debug builds check order, recursion, ownership and sleeping with a spin lock, and panic
 * with the names of both locks.
 */
#pragma once

#include <arch/types.h>

/* The global order. A module that needs a place adds its own line here and in docs/locking.md. */
enum lock_rank {
	RANK_UNORDERED, /* taken with anything held; nothing is taken while it is held */

	/* Mutexes. */
	RANK_PROCESS_EXEC,
	RANK_FILE_OFFSET, /* around a write, which in /proc may be a command to all mounts */
	RANK_PROC_TEXT,
	RANK_OOM, /* around a fault, when there is no memory */
	RANK_FS_MOUNT,
	RANK_FS_RENAME,
	RANK_FS_INODE,
	RANK_FS_TRUNCATE,
	RANK_FS_TXN,
	RANK_FS_EXTENT,
	RANK_FS_ALLOC,
	RANK_FS_CACHE,
	RANK_FS_LEAF,
	RANK_MUTEX_LAST = 63,

	/* Spin locks. */
	RANK_PROCESS_TREE,
	RANK_PROCESS,
	RANK_SIGNAL,
	RANK_USERS,
	RANK_FUTEX,
	RANK_FILE_TABLE,
	RANK_PIPE,
	RANK_TTY,
	RANK_MM_SPACE,
	RANK_MM_OBJECT,
	RANK_MM_PAGE,
	RANK_FS_SPIN, /* also a pager's, which mm calls to give reservations back */
	RANK_CPU_CALL,
	RANK_DRIVER,
	RANK_WAIT,
	RANK_TIMER,
	RANK_RUN_QUEUE,
	RANK_KMEM,
	RANK_KSTACK,
	RANK_FRAMES,
	RANK_LOG,
	RANK_CONSOLE_DRIVER,
	RANK_N,
};

/*
 * Most locks of a kind that one thread (mutexes) or hart (spin locks) holds. A rename between
 * folders that writes back what it moves holds eleven mutexes.
 */
#define LOCK_DEPTH 16

struct thread;

struct spinlock {
	uint32_t held; /* [a] */
	uint8_t rank;  /* [I] enum lock_rank */
	bool waited;   /* [a] somebody found it taken: spin_was_waited_for() */
#ifdef MAPACHE_DEBUG
	uint16_t in_irq;   /* [a] bit 0: taken by an interrupt handler; bit 1: with interrupts on */
	const char *name;  /* [I] */
	const void *owner; /* [a] the struct cpu that holds it, or NULL */
#endif
};

#ifdef MAPACHE_DEBUG
#define SPINLOCK_INIT(name_, rank_)              \
	{                                        \
		.rank = (rank_), .name = (name_) \
	}
#else
#define SPINLOCK_INIT(name_, rank_) \
	{                           \
		.rank = (rank_)     \
	}
#endif

/* name must outlive the lock. */
static inline void spin_init(struct spinlock *lock, const char *name, enum lock_rank rank)
{
	*lock = (struct spinlock)SPINLOCK_INIT(name, rank);
	(void)name;
}

#include <kernel/lock_impl.h>

/*
 * Inline, from kernel/lock_impl.h:
 *
 * void spin_lock(struct spinlock *)
 * void spin_unlock(struct spinlock *)            may reschedule
 * bool spin_try(struct spinlock *)
 * uint64_t spin_lock_irqsave(struct spinlock *)  returns what unlock wants
 * void spin_unlock_irqrestore(struct spinlock *, uint64_t)
 * void spin_lock_nested(struct spinlock *)       another of its rank is held
 * void spin_acquire(struct spinlock *, bool nested)   with interrupts off already;
 * void spin_release(struct spinlock *)                they stay off
 * bool spin_was_waited_for(struct spinlock *)    since it was asked last; a hint
 * void spin_assert_held(const struct spinlock *) by this hart; debug builds only
 * void preempt_enable(void)                      undo preempt_disable() of arch/cpu.h; gives way
 *                                                if that was asked for meanwhile
 * void assert_may_switch(void)                   no spin lock, preemption on
 * void assert_may_sleep(void)                    no spin lock, interrupts on, not in an interrupt
 */

/* A queue of threads that wait for something. thread.h has the waiting and the waking. */
struct waitq {
	struct spinlock lock; /* RANK_WAIT; taken with interrupts off */
	struct waiter *head;  /* [lock] */
	struct waiter *tail;  /* [lock] */
};

#define WAITQ_INIT                                        \
	{                                                 \
		.lock = SPINLOCK_INIT("waitq", RANK_WAIT) \
	}
void waitq_init(struct waitq *wq);

/*
 * A mutex. Its owner may sleep, and only its owner unlocks it. mutex_lock() cannot be interrupted;
 * the killable form returns -EINTR, without the lock, once the thread must die.
 */
struct mutex {
	struct thread *owner; /* [a] */
	uint32_t waiting;     /* [a] threads asleep in mutex_lock() */
	uint16_t rank;        /* [I] */
	struct waitq wait;
#ifdef MAPACHE_DEBUG
	const char *name; /* [I] */
#endif
};

#ifdef MAPACHE_DEBUG
#define MUTEX_INIT(name_, rank_)                                     \
	{                                                            \
		.wait = WAITQ_INIT, .rank = (rank_), .name = (name_) \
	}
#else
#define MUTEX_INIT(name_, rank_)                    \
	{                                           \
		.wait = WAITQ_INIT, .rank = (rank_) \
	}
#endif

void mutex_init(struct mutex *m, const char *name, enum lock_rank rank);
void mutex_lock(struct mutex *m);
void mutex_lock_nested(struct mutex *m);
int mutex_lock_killable(struct mutex *m) __attribute__((warn_unused_result));
bool mutex_try(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m); /* by the running thread */

/*
 * For locks with shared holders that are made of a mutex (fs_host.c): unlock it, but go on as if it
 * were held as far as the order of locks is concerned, until mutex_unshare().  Debug builds only;
 * else the first is mutex_unlock() and the second nothing.
 */
void mutex_share(struct mutex *m);
void mutex_unshare(const struct mutex *m);

/* Debug builds: the running thread holds no mutex of this rank or a later one. */
#ifdef MAPACHE_DEBUG
void assert_mutexes_before(enum lock_rank rank);
#else
static inline void assert_mutexes_before(enum lock_rank rank)
{
	(void)rank;
}
#endif
