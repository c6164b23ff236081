// SPDX-License-Identifier: MIT
/*
 * On which hart a thread runs (theory: place.c, which also says what it is to have one in hand).
 * Private to the scheduler: place.c, sched.c. What locks or releases a queue expects interrupts
 * off, and leaves them so.
 */
#pragma once

#include <arch/firmware.h>

#include "run_queue.h"

extern uint64_t sched_idle_mask; /* [a] harts whose idle thread runs */

/* Say whether it is the hart's idle thread that runs. Its queue is locked. */
void sched_set_idle(struct cpu *cpu, bool idle);
/* The queue is empty: it gets what another hart has; else this hart idles. For arch_call_rare(). */
void sched_find_work(void *cpu);
/* Of the harts that t may run on the one with the least to do; this one, if none has less. */
struct cpu *sched_least_loaded(const struct thread *t);
/*
 * t is in our hand. The queue of its hart is locked, and then that of the one where it belongs, if
 * that is elsewhere. For arch_call_rare().
 */
void sched_move(void *thread);
/* For arch_call_rare(). */
void sched_interrupt_hart(void *cpu);

/* Does it run on its hart? The hart's queue is locked. */
static inline bool is_running(const struct cpu *cpu, const struct thread *t)
{
	return cpu->arch.thread == &t->arch;
}

/* Its hart's queue is locked. Who finds the new hart sees what was done under this lock. */
static inline void set_hart(struct thread *t, struct cpu *to)
{
	__atomic_store_n(&t->cpu, to, __ATOMIC_RELEASE);
}

/* Lock the queue of the hart that t belongs to. The load pairs with set_hart(). */
static inline struct cpu *lock_thread(struct thread *t)
{
	for (;;) {
		struct cpu *cpu = __atomic_load_n(&t->cpu, __ATOMIC_ACQUIRE);

		spin_acquire(&cpu->rq.lock, false);
		if (__builtin_expect(cpu == t->cpu, 1))
			return cpu;
		spin_release(&cpu->rq.lock);
	}
}

/* The same where they may be on. */
static inline struct cpu *lock_thread_irqsave(struct thread *t, uint64_t *flags)
{
	*flags = irq_save();
	return lock_thread(t);
}

/* The queue has been released: interrupts as they were, and the hart to who is to have it. */
static inline void irq_restore_and_look(uint64_t flags)
{
	irq_restore(flags);
	preempt_if_wanted();
}

/*
 * t was queued on a hart: see that it looks. Its queue is locked. True: it is to be interrupted
 * when that has been released; it takes the lock at once, and may take our processor below for
 * that.
 */
static inline bool kick(struct cpu *cpu, const struct thread *t)
{
	if (cpu != cpu_this())
		return cpu->rq.is_idle || cpu->rq.queued == 1 || rq_first(&cpu->rq) == t;
	if (cpu->rq.is_idle)
		cpu->arch.resched = 1;
	else
		limit_slice(&cpu->rq);
	return false;
}

/* Queue t on the hart, whose queue is locked and is released. */
static inline __attribute__((always_inline)) void add_release(struct cpu *cpu, struct thread *t)
{
	bool look;

	rq_add(&cpu->rq, t);
	look = kick(cpu, t);
	spin_release(&cpu->rq.lock);
	if (look)
		arch_call_rare(sched_interrupt_hart, cpu);
}

/*
 * Queue t, which is runnable, in our hand, and may run on its hart. The queue of its hart is locked
 * and is released.
 */
static inline __attribute__((always_inline)) void place(struct thread *t)
{
	if (__builtin_expect(__atomic_load_n(&sched_idle_mask, __ATOMIC_RELAXED), 0))
		arch_call_rare(sched_move, t);
	add_release(t->cpu, t);
}
