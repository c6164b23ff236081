// SPDX-License-Identifier: MIT
/*
 * Between sched.c, thread.c and main.c.
 */
#pragma once

#include <kernel/cpu.h>
#include <kernel/thread.h>

#define KSTACK_ORDER 2

/* The top of a mapped kernel stack, or 0; and giving it back. */
vaddr_t kstack_alloc(void);
void kstack_free(vaddr_t top);
/* A zeroed thread without a stack, or NULL. */
struct thread *thread_alloc(const char *name);
void thread_init(void);

/* Switch out until the state is RUNNABLE again; at once if it is. */
void sched_block(void);
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

/* For arch_call_rare(): the hardware is set for a later moment than the queue's slice_ns. */
void timer_arm_slice(void *timer_queue);

/* End of the running thread's time slice, UINT64_MAX: none; interrupts off. */
static inline void timer_set_slice(uint64_t when_ns)
{
	struct timer_queue *tq = &cpu_this()->timers;

	tq->slice_ns = when_ns;
	if (when_ns < tq->armed_ns)
		arch_call_rare(timer_arm_slice, tq);
}

/* The same unless it ends before. */
static inline void timer_set_slice_by(uint64_t when_ns)
{
	if (cpu_this()->timers.slice_ns > when_ns)
		timer_set_slice(when_ns);
}
