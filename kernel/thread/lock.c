// SPDX-License-Identifier: MIT
/*
 * Locks: the slow parts, and the checks of debug builds.
 *
 * Whoever has to wait counts that and how long it took (kernel/lockstat.h); whoever finds a lock
 * free pays nothing for it.
 *
 * The checks keep, for each hart, the spin locks it holds, and for each thread, its mutexes. A lock
 * may be taken when its rank is above that of all held; that is enough to exclude deadlock, without
 * a graph. Releases may come in any order. A lock that is taken in an interrupt handler must never
 * be held with interrupts on: both facts are remembered in the lock, and the second one to turn up
 * panics.
 */
#include <kernel/cpu.h>
#include <kernel/lock.h>
#include <kernel/lockstat.h>
#include <kernel/panic.h>
#include <kernel/thread.h>
#include <errno.h>
#include <string.h>

#include "sched.h"

void lock_await(const uint32_t *word, enum lock_rank rank)
{
	uint64_t began = cpu_time();
	unsigned turns = 0;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE))
		backoff(&turns);
	lockstat_add(rank, cpu_time() - began);
}

void spin_wait(void *lock_)
{
	struct spinlock *lock = lock_;
	uint64_t began = cpu_time();
	unsigned turns = 0;

	lock->waited = true;
	do {
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
			backoff(&turns);
	} while (!lock_try_word(&lock->held));
	lockstat_add(lock->rank, cpu_time() - began);
}

#ifdef MAPACHE_DEBUG

enum { USED_IN_IRQ = 1, USED_WITH_IRQ_ON = 2 };

/* May a lock be taken while one of rank `held` is? An unordered one is always the last. */
static bool may_follow(unsigned held, unsigned rank, bool nested)
{
	if (held == RANK_UNORDERED)
		return false;
	return rank == RANK_UNORDERED || held < rank || (held == rank && nested);
}

/* The held lock that `rank` must not follow, or NULL. */
static const struct spinlock *spin_conflict(const struct cpu *cpu, unsigned rank, bool nested)
{
	for (uint32_t i = 0; i < cpu->spin_depth; i++)
		if (!may_follow(cpu->spins[i]->rank, rank, nested))
			return cpu->spins[i];
	return NULL;
}

static void check_irq_use(struct spinlock *lock, const struct cpu *cpu)
{
	uint16_t use = cpu->arch.irq_depth ? USED_IN_IRQ : irq_enabled() ? USED_WITH_IRQ_ON : 0;

	lock->in_irq |= use;
	if (lock->in_irq == (USED_IN_IRQ | USED_WITH_IRQ_ON))
		panic("spin lock %s: taken by an interrupt handler, and with interrupts on",
			lock->name);
}

void spin_debug_before(struct spinlock *lock, bool nested)
{
	const struct cpu *cpu = cpu_this();
	const struct spinlock *held;

	if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == cpu)
		panic("spin lock %s: taken again by the hart that holds it", lock->name);
	check_irq_use(lock, cpu);
	held = spin_conflict(cpu, lock->rank, nested);
	if (held)
		panic("lock order: %s (rank %u) taken while holding %s (rank %u)", lock->name,
			lock->rank, held->name, held->rank);
}

/* The list of held locks is the hart's, and its interrupt handlers take locks too. */
void spin_debug_after(struct spinlock *lock)
{
	uint64_t flags = irq_save();
	struct cpu *cpu = cpu_this();

	__atomic_store_n(&lock->owner, cpu, __ATOMIC_RELAXED);
	if (cpu->spin_depth == LOCK_DEPTH)
		panic("spin lock %s: too many spin locks held", lock->name);
	cpu->spins[cpu->spin_depth++] = lock;
	irq_restore(flags);
}

void spin_debug_unlock(struct spinlock *lock)
{
	uint64_t flags = irq_save();
	struct cpu *cpu = cpu_this();
	uint32_t i = cpu->spin_depth;

	if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != cpu)
		panic("spin lock %s: released by a hart that does not hold it", lock->name);
	while (i > 0 && cpu->spins[i - 1] != lock)
		i--;
	DEBUG_ASSERT(i > 0);
	for (cpu->spin_depth--; i < cpu->spin_depth + 1; i++)
		cpu->spins[i - 1] = cpu->spins[i];
	__atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
	irq_restore(flags);
}

void spin_assert_held(const struct spinlock *lock)
{
	if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != cpu_this())
		panic("spin lock %s: its holder was expected here", lock->name);
}

void assert_may_switch(void)
{
	const struct cpu *cpu = cpu_this();

	if (cpu->spin_depth)
		panic("sleeping with spin lock %s held", cpu->spins[cpu->spin_depth - 1]->name);
	if (arch_cpu()->preempt_off)
		panic("sleeping with preemption off");
}

void assert_may_sleep(void)
{
	assert_may_switch();
	if (!irq_enabled())
		panic("sleeping with interrupts off");
}

static void mutex_debug_before(const struct mutex *m, bool nested)
{
	const struct thread *self = thread_current();

	assert_may_sleep();
	for (uint32_t i = 0; i < self->mutex_depth; i++) {
		const struct mutex *held = self->mutexes[i];

		if (held == m)
			panic("mutex %s: taken again by its owner", m->name);
		if (!may_follow(held->rank, m->rank, nested))
			panic("lock order: mutex %s (rank %u) taken while holding %s (rank %u)",
				m->name, m->rank, held->name, held->rank);
	}
}

static void mutex_debug_after(const struct mutex *m)
{
	struct thread *self = thread_current();

	if (self->mutex_depth == LOCK_DEPTH)
		panic("mutex %s: too many mutexes held", m->name);
	self->mutexes[self->mutex_depth++] = m;
}

static void mutex_debug_owner(const struct mutex *m)
{
	if (m->owner != thread_current())
		panic("mutex %s: released by a thread that does not own it", m->name);
}

static void mutex_debug_forget(const struct mutex *m)
{
	struct thread *self = thread_current();
	uint32_t i = self->mutex_depth;

	while (i > 0 && self->mutexes[i - 1] != m)
		i--;
	DEBUG_ASSERT(i > 0);
	for (self->mutex_depth--; i < self->mutex_depth + 1; i++)
		self->mutexes[i - 1] = self->mutexes[i];
}

void assert_mutexes_before(enum lock_rank rank)
{
	const struct thread *self = thread_current();

	for (uint32_t i = 0; i < self->mutex_depth; i++)
		if (self->mutexes[i]->rank >= rank)
			panic("waiting while holding %s (rank %u)", self->mutexes[i]->name,
				self->mutexes[i]->rank);
}

#else

static void mutex_debug_before(const struct mutex *m, bool nested)
{
	(void)m;
	(void)nested;
}
static void mutex_debug_after(const struct mutex *m)
{
	(void)m;
}
static void mutex_debug_owner(const struct mutex *m)
{
	(void)m;
}
static void mutex_debug_forget(const struct mutex *m)
{
	(void)m;
}

#endif

void mutex_init(struct mutex *m, const char *name, enum lock_rank rank)
{
	*m = (struct mutex)MUTEX_INIT(name, rank);
	(void)name;
}

static bool acquire(struct mutex *m)
{
	struct thread *nobody = NULL;

	return __atomic_compare_exchange_n(
		&m->owner, &nobody, thread_current(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/*
 * The owner looks at `waiting` after it gave the mutex up; we count ourselves before we look at the
 * owner. So one of the two sees the other.
 */
static int lock_slow(struct mutex *m, enum sleep_kind kind)
{
	uint64_t began = cpu_time();
	int err;

	__atomic_fetch_add(&m->waiting, 1, __ATOMIC_SEQ_CST);
	err = wait_event_how(&m->wait, acquire(m), kind, NO_DEADLINE);
	__atomic_fetch_sub(&m->waiting, 1, __ATOMIC_RELAXED);
	lockstat_add(m->rank, cpu_time() - began);
	if (err && !__atomic_load_n(&m->owner, __ATOMIC_RELAXED))
		waitq_wake_one(&m->wait); /* we may have been given a wake-up: pass it on */
	return err;
}

void mutex_lock(struct mutex *m)
{
	mutex_debug_before(m, false);
	if (!acquire(m))
		lock_slow(m, SLEEP_FOREVER);
	mutex_debug_after(m);
}

void mutex_lock_nested(struct mutex *m)
{
	mutex_debug_before(m, true);
	if (!acquire(m))
		lock_slow(m, SLEEP_FOREVER);
	mutex_debug_after(m);
}

int mutex_lock_killable(struct mutex *m)
{
	int err = 0;

	mutex_debug_before(m, false);
	if (!acquire(m))
		err = lock_slow(m, SLEEP_KILLABLE);
	if (!err)
		mutex_debug_after(m);
	return err;
}

bool mutex_try(struct mutex *m)
{
	if (!acquire(m))
		return false;
	mutex_debug_after(m);
	return true;
}

static void release(struct mutex *m)
{
	__atomic_store_n(&m->owner, NULL, __ATOMIC_RELEASE);
	fence_full();
	if (__atomic_load_n(&m->waiting, __ATOMIC_RELAXED))
		waitq_wake_one(&m->wait);
}

void mutex_unlock(struct mutex *m)
{
	mutex_debug_owner(m);
	mutex_debug_forget(m);
	release(m);
}

void mutex_share(struct mutex *m)
{
	mutex_debug_owner(m);
	release(m);
}

void mutex_unshare(const struct mutex *m)
{
	mutex_debug_forget(m);
}

bool mutex_held(const struct mutex *m)
{
	return __atomic_load_n(&m->owner, __ATOMIC_RELAXED) == thread_current();
}
