// SPDX-License-Identifier: MIT
/*
 * The inline part of kernel/lock.h.
 *
 * Test and test-and-set rather than tickets: with more harts than the machine below has processors,
 * a queue stalls behind a hart that is not running.
 */
#pragma once

#include <arch/cpu.h>
#include <kernel/lock.h>

/* Slow parts, in lock.c and sched.c, for arch_call_rare(): a lock that is free costs no frame. */
void spin_wait(void *lock);

/*
 * Spin until another hart, which is about to, has made the word 0; counted as
 * waiting for such a lock.
 */
void lock_await(const uint32_t *word, enum lock_rank rank);

void preempt_check(void *unused);

#ifdef MAPACHE_DEBUG
void spin_debug_before(struct spinlock *lock, bool nested);
void spin_debug_after(struct spinlock *lock);
void spin_debug_unlock(struct spinlock *lock);
void spin_assert_held(const struct spinlock *lock);
void assert_may_switch(void);
void assert_may_sleep(void);
#else
static inline void spin_debug_before(struct spinlock *lock, bool nested)
{
	(void)lock;
	(void)nested;
}
static inline void spin_debug_after(struct spinlock *lock)
{
	(void)lock;
}
static inline void spin_debug_unlock(struct spinlock *lock)
{
	(void)lock;
}
static inline void spin_assert_held(const struct spinlock *lock)
{
	(void)lock;
}
static inline void assert_may_switch(void)
{
}
static inline void assert_may_sleep(void)
{
}
#endif

/* Give way if that was asked for while it was not possible. */
static inline void preempt_if_wanted(void)
{
	if (__builtin_expect(arch_cpu()->resched, 0))
		arch_call_rare(preempt_check, NULL);
}

static inline void preempt_enable(void)
{
	preempt_enable_no_check();
	preempt_if_wanted();
}

static inline void spin_acquire(struct spinlock *lock, bool nested)
{
	spin_debug_before(lock, nested);
	if (__builtin_expect(!lock_try_word(&lock->held), 0))
		arch_call_rare(spin_wait, lock);
	spin_debug_after(lock);
}

static inline bool spin_was_waited_for(struct spinlock *lock)
{
	if (__builtin_expect(!__atomic_load_n(&lock->waited, __ATOMIC_RELAXED), 1))
		return false;
	lock->waited = false; /* as a plain store: GCC's atomic ones are exchanges */
	return true;
}

static inline void spin_release(struct spinlock *lock)
{
	spin_debug_unlock(lock);
	lock_give_word(&lock->held);
}

static inline void spin_lock(struct spinlock *lock)
{
	preempt_disable();
	spin_acquire(lock, false);
}

static inline void spin_lock_nested(struct spinlock *lock)
{
	preempt_disable();
	spin_acquire(lock, true);
}

static inline bool spin_try(struct spinlock *lock)
{
	preempt_disable();
	if (!lock_try_word(&lock->held)) {
		preempt_enable();
		return false;
	}
	spin_debug_after(lock);
	return true;
}

static inline void spin_unlock(struct spinlock *lock)
{
	spin_release(lock);
	preempt_enable();
}

/* Whoever has interrupts off is not preempted. */
static inline uint64_t spin_lock_irqsave(struct spinlock *lock)
{
	uint64_t flags = irq_save();
	spin_acquire(lock, false);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *lock, uint64_t flags)
{
	spin_release(lock);
	irq_restore(flags);
	preempt_if_wanted();
}
