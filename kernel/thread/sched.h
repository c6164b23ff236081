// SPDX-License-Identifier: MIT
/*
 * What the scheduler offers to the other files of this folder and to main.c.
 */
#pragma once

#include <kernel/cpu.h>
#include <kernel/thread.h>
#include <errno.h>

#define KSTACK_ORDER 2

/* The top of a mapped kernel stack, or 0; and giving it back. */
vaddr_t kstack_alloc(void);
void kstack_free(vaddr_t top);
/* Debug builds: panic if one of the threads that had this stack has used more than half of it. */
#ifdef MAPACHE_DEBUG
void kstack_check(vaddr_t top);
#else
static inline void kstack_check(vaddr_t top)
{
	(void)top;
}
#endif
/* A zeroed thread without a stack, or NULL. */
struct thread *thread_alloc(const char *name);
void thread_init(void);

/* Switch out until the state is RUNNABLE again; not at all if it is. */
void sched_block(void);
/* The same with interrupts off at entry; they are on at exit. */
void sched_sleep(void);
/* thread_wakeup() with interrupts off; the caller looks then whether to give way. */
void sched_wake(struct thread *t);
/*
 * thread_block() without a deadline, from where the thread says how it sleeps. Interrupts are off
 * at entry and on at exit.
 */
static inline int thread_block_now(enum sleep_kind kind)
{
	fence_full();
	if (__builtin_expect(!thread_interrupted(kind), 1)) {
		sched_sleep();
	} else {
		thread_current()->state = THREAD_RUNNABLE;
		irq_enable();
		return -EINTR;
	}
	return thread_interrupted(kind) ? -EINTR : 0;
}

/* Switch out for good. */
_Noreturn void sched_exit(void);
/* arch_thread_init()'s entry of every thread. Interrupts off. */
void sched_thread_begin(void *thread);

/* The running code becomes the hart's idle thread; the hart takes threads from now on. */
void sched_init_hart(struct thread *idle);
/* The life of an idle thread. */
_Noreturn void sched_idle(void);
/* The timer says that the running thread's slice is over; an IPI says that something was queued. */
void sched_slice_end(void);
/* A tick, of user or of kernel code. Interrupts off. */
void sched_tick(bool user);
void sched_ipi(void);

/*
 * One turn of a loop that waits for what another hart does; *turns counts them, from 0. After as
 * many as a hart that runs needs for most things the other one seems not to run: there are more
 * harts than the machine below has processors, and who spins keeps it from getting one. So this
 * hart gives up its own for a while, or until it is interrupted. Interrupts stay on or off, and are
 * taken only where they are on.
 */
void backoff(unsigned *turns);

/* For arch_call_rare(): the hardware is set for a later moment than the queue's slice_clock. */
void timer_arm_slice(void *timer_queue);

/* End of the running thread's time slice, UINT64_MAX: none; interrupts off. */
static inline void timer_set_slice(uint64_t when_clock)
{
	struct timer_queue *tq = &cpu_this()->timers;

	tq->slice_clock = when_clock;
	if (__builtin_expect(when_clock < tq->armed_clock, 0))
		arch_call_rare(timer_arm_slice, tq);
}

/* The same unless it ends before. */
static inline void timer_set_slice_by(uint64_t when_clock)
{
	if (cpu_this()->timers.slice_clock > when_clock)
		timer_set_slice(when_clock);
}
