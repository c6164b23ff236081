// SPDX-License-Identifier: MIT
/*
 * The scheduler: switching, sleeping and waking.
 *
 * Whose turn it is on a hart, and for how long, says run_queue.c; on which hart a thread runs,
 * place.c.
 *
 * Each hart has a queue of threads that want to run and a lock, which also guards the state of all
 * threads whose `cpu` it is. The lock is held across the switch: the thread that is switched to
 * releases it (after_switch). So whoever holds the lock of a thread's hart sees it either running
 * there, or with its registers saved. A thread that may not go on here, or ever, is left over until
 * then.
 *
 * Preemption. `resched` asks the running thread to give way: at the end of an interrupt, when the
 * last spin lock is dropped, or on the way back to user mode. A preempted thread that was about to
 * sleep (state SLEEPING) stays runnable: it has not looked at its condition yet.
 */
#include <arch/pmap.h>
#include <kernel/panic.h>

#include "place.h"

struct cpu cpus[MAX_HARTS];
unsigned cpu_count;
uint64_t cpu_online_mask;

/* --- Switching -------------------------------------------------------------------------------- */

/* Of the one that ran before: it is dead, or may not run here and moves. */
static __attribute__((noinline)) void let_go(struct cpu *cpu)
{
	struct thread *prev = cpu->rq.leftover;
	bool dead = prev->state == THREAD_DEAD;

	cpu->rq.leftover = NULL;
	if (prev->state == THREAD_RUNNABLE) {
		sched_move(prev);
		place(prev);
		return;
	}
	if (!dead)
		set_hart(prev, sched_least_loaded(prev)); /* where it wakes */
	spin_release(&cpu->rq.lock);
	if (dead)
		thread_unref(prev);
}

/* In the thread that was switched to, on the hart where it runs now: its queue is released. */
static inline void after_switch(void)
{
	struct cpu *cpu = cpu_this();

	if (__builtin_expect(cpu->rq.leftover != NULL, 0))
		let_go(cpu);
	else
		spin_release(&cpu->rq.lock);
}

/*
 * Switch to the thread, which is in no queue. prev ran until now; was it made to give way? Own
 * queue locked, interrupts off; releases the queue.
 */
static inline __attribute__((always_inline)) void switch_to(
	struct cpu *cpu, struct thread *prev, struct thread *next, uint64_t now, bool made_to)
{
	cpu->switches++;
	prev->switches[made_to]++;
	next->since_clock = now;
	arch_switch(&prev->arch, &next->arch);
	after_switch();
}

/* Whose turn it is when the running thread does not go on. Own queue locked. */
static inline struct thread *next_thread(struct cpu *cpu)
{
	struct run_queue *rq = &cpu->rq;

	if (__builtin_expect(!rq->queued, 0))
		arch_call_rare(sched_find_work, cpu);
	if (!rq->queued)
		return rq->idle;
	rq->queued--;
	return rq_take_first(rq);
}

/* The slice of the one that runs next. Own queue locked. */
static inline void set_slice(const struct run_queue *rq, const struct thread *next, uint64_t now)
{
	timer_set_slice(rq->queued ? now + slice_of(rq, next) : UINT64_MAX);
}

/*
 * The running thread does not go on: it sleeps, is dead, or is the idle one, which has found work.
 * Own queue locked, interrupts off; releases the queue.
 */
static inline void switch_off(struct cpu *cpu, struct thread *prev)
{
	uint64_t now = cpu_time();
	struct thread *next;

	cpu->arch.resched = 0;
	prev->slice_clock = rest_of_slice(prev, account(prev, now));
	next = next_thread(cpu);
	set_slice(&cpu->rq, next, now);
	switch_to(cpu, prev, next, now, false);
}

/*
 * Nobody waits who would come first: the thread goes on, with a new slice if its own is over. For
 * arch_call_rare().
 */
static void go_on(void *thread)
{
	struct thread *self = thread;
	struct run_queue *rq = &cpu_this()->rq;

	if (!self->slice_clock)
		begin_turn(rq, self);
	set_slice(rq, self, self->since_clock);
	spin_release(&rq->lock);
}

/*
 * Let another thread have its turn if one waits that comes before who has such a rest of his slice.
 * The running one has run until now. Own queue locked, interrupts off; releases the queue.
 */
static inline __attribute__((always_inline)) void give_way(
	struct cpu *cpu, struct thread *prev, uint64_t now, uint64_t rest)
{
	struct run_queue *rq = &cpu->rq;
	struct thread *next;

	cpu->arch.resched = 0;
	prev->slice_clock = rest;
	if (__builtin_expect(rq->leftover != NULL, 0)) {
		prev->state = THREAD_RUNNABLE; /* if it was about to sleep: a spurious wake-up */
		next = next_thread(cpu);
		set_slice(rq, next, now);
	} else if (__builtin_expect(!rq->queued || (rest && !rq->rest.first), 0)) {
		arch_call_rare(go_on, prev);
		return;
	} else {
		list_append(rest ? &rq->rest : &rq->turns, prev);
		next = rq_take_first(rq);
		timer_set_slice(now + slice_of(rq, next));
	}
	switch_to(cpu, prev, next, now, true);
}

/* The running thread's queue, locked; interrupts go off. */
static inline struct cpu *lock_self(void)
{
	irq_disable();
	spin_acquire(&cpu_this()->rq.lock, false);
	return cpu_this();
}

void sched_sleep(void)
{
	struct thread *self = thread_current();
	struct cpu *cpu = cpu_this();

	assert_may_switch();
	spin_acquire(&cpu->rq.lock, false);
	if (__builtin_expect(self->state == THREAD_SLEEPING, 1))
		switch_off(cpu, self);
	else
		spin_release(&cpu->rq.lock); /* woken meanwhile */
	irq_enable();
}

void sched_block(void)
{
	assert_may_sleep();
	irq_disable();
	sched_sleep();
}

int thread_yield(void)
{
	struct thread *self = thread_current();
	struct cpu *cpu = lock_self();
	uint64_t now = cpu_time();

	account(self, now);
	give_way(cpu, self, now, 0);
	irq_enable();
	return 0;
}

_Noreturn void sched_exit(void)
{
	struct thread *self = thread_current();
	struct cpu *cpu = lock_self();

	self->state = THREAD_DEAD;
	cpu->rq.leftover = self;
	switch_off(cpu, self);
	panic("a dead thread runs");
}

/* Give way; interrupts off at entry and exit, preemption on. The idle thread looks by itself. */
static void preempt(void)
{
	struct thread *self = thread_current();
	struct cpu *cpu = cpu_this();
	uint64_t now = cpu_time();

	spin_acquire(&cpu->rq.lock, false);
	if (cpu->rq.is_idle) {
		spin_release(&cpu->rq.lock);
		return;
	}
	give_way(cpu, self, now, rest_of_slice(self, account(self, now)));
}

void preempt_check(void *unused)
{
	(void)unused;
	if (!irq_enabled() || arch_cpu()->preempt_off)
		return;
	irq_disable();
	if (arch_cpu()->resched)
		preempt();
	irq_enable();
}

void trap_preempt(void)
{
	preempt();
}

void sched_thread_begin(void *thread)
{
	struct thread *self = thread;

	after_switch();
	irq_enable();
	self->entry(self->arg);
	thread_exit();
}

/* --- Waking ----------------------------------------------------------------------------------- */

/* If t sleeps, it is runnable now. Its hart's queue is locked, and is released. */
static inline __attribute__((always_inline)) void wake_locked(struct cpu *cpu, struct thread *t)
{
	bool asleep = t->state == THREAD_SLEEPING;

	if (asleep) {
		t->state = THREAD_RUNNABLE;
		if (cpu->rq.queued > RQ_MANY)
			arch_call_rare(rq_make_up_for_turn, t);
	}
	if (asleep && !t->queued && !is_running(cpu, t))
		place(t);
	else
		spin_release(&cpu->rq.lock);
}

void sched_wake(struct thread *t)
{
	wake_locked(lock_thread(t), t);
}

void thread_wakeup(struct thread *t)
{
	uint64_t flags;

	fence_full();
	if (__atomic_load_n(&t->state, __ATOMIC_RELAXED) != THREAD_SLEEPING)
		return;
	flags = irq_save();
	sched_wake(t);
	irq_restore_and_look(flags);
}

/* t's turn comes before that of threads that have had theirs.  Its hart's queue is locked. */
static void hasten(struct cpu *cpu, struct thread *t)
{
	if (!t->slice_clock)
		t->slice_clock = whole_slice(t);
	if (t->queued) {
		rq_take_out(&cpu->rq, t);
		rq_add(&cpu->rq, t);
		if (kick(cpu, t))
			firmware_send_ipi(cpu->arch.bit);
	}
}

void thread_notify(struct thread *t, uint32_t work)
{
	uint64_t flags;
	struct cpu *cpu;

	__atomic_fetch_or(&t->arch.work, work, __ATOMIC_SEQ_CST);
	if (t == thread_current() && t->state == THREAD_RUNNABLE && !(work & THREAD_WORK_KILL))
		return; /* it looks on its way to user mode */
	cpu = lock_thread_irqsave(t, &flags);
	if (work & THREAD_WORK_KILL)
		hasten(cpu, t);
	if (is_running(cpu, t) && cpu != cpu_this())
		firmware_send_ipi(cpu->arch.bit);
	if (work_ends_sleep(t->sleep, work))
		wake_locked(cpu, t);
	else
		spin_release(&cpu->rq.lock);
	irq_restore_and_look(flags);
}

void thread_set_pmap(struct pmap *pmap)
{
	uint64_t flags = irq_save();

	arch_current()->pmap = pmap;
	pmap_activate(pmap);
	irq_restore(flags);
}

uint64_t thread_run_ns(struct thread *t)
{
	uint64_t flags, ran;
	struct cpu *cpu = lock_thread_irqsave(t, &flags);

	ran = t->run_clock;
	if (is_running(cpu, t))
		ran += cpu_time() - t->since_clock;
	spin_unlock_irqrestore(&cpu->rq.lock, flags);
	return time_from_ticks(ran);
}

void sched_tick(bool user)
{
	struct thread *t = thread_current();

	if (t == cpu_this()->rq.idle)
		return;
	t->ticks[user]++;
	if (t->task)
		task_tick(t->task);
}

void sched_slice_end(void)
{
	uint64_t idle = __atomic_load_n(&sched_idle_mask, __ATOMIC_RELAXED);

	arch_cpu()->resched = 1;
	if (idle && cpu_this()->rq.queued)
		firmware_send_ipi(idle & -idle);
}

void sched_ipi(void)
{
	struct run_queue *rq = &cpu_this()->rq;

	if (!rq->is_idle && rq->queued)
		limit_slice(rq);
	if (rq->leftover)
		arch_cpu()->resched = 1;
}

void sched_init_hart(struct thread *idle)
{
	struct cpu *cpu = cpu_this();

	rq_init(&cpu->rq);
	idle->state = THREAD_RUNNABLE;
	idle->cpu = cpu;
	idle->affinity = cpu->arch.bit;
	cpu->rq.idle = idle;
	cpu->arch.thread = &idle->arch;
	cpu->arch.user_frame = (vaddr_t)arch_thread_frame(&idle->arch);
	__atomic_fetch_or(&cpu_online_mask, idle->affinity, __ATOMIC_SEQ_CST);
}

/* If there is something to run. Own queue locked; released. */
static void switch_from_idle(struct cpu *cpu)
{
	cpu->arch.resched = 0;
	if (!cpu->rq.queued)
		sched_find_work(cpu);
	if (cpu->rq.queued) {
		sched_set_idle(cpu, false);
		timer_start_tick();
		switch_off(cpu, cpu->rq.idle);
	} else {
		spin_release(&cpu->rq.lock);
	}
}

_Noreturn void sched_idle(void)
{
	struct cpu *cpu = cpu_this();

	irq_disable();
	spin_acquire(&cpu->rq.lock, false);
	sched_set_idle(cpu, true);
	for (;;) {
		switch_from_idle(cpu);
		fence_full();
		if (!cpu->rq.queued) {
			timer_before_idle();
			cpu_wait();
		}
		irq_enable();
		irq_disable();
		spin_acquire(&cpu->rq.lock, false);
	}
}
