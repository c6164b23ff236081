// SPDX-License-Identifier: MIT
/*
 * On which hart a thread runs: placement, and moving between harts.
 *
 * Moving. A thread's `cpu` changes only under the lock of the hart that it was until then. So who
 * has locked the queue of a thread's hart knows that it stays its hart, and that where it may run
 * stays. Who changes it depends on the thread:
 *	runs		nobody: who forbids it the hart leaves it over, and the hart moves it
 *	is queued	a thief, who has locked his own queue, too; others take it out first
 *	sleeps		who forbids it the hart: it has another one when it wakes
 *	else		who has it in hand: it is runnable or new, runs nowhere and is in no queue
 * In hand it is of who took it out, woke it, left it over, or starts it, until he queues it. Where
 * he moves it (transfer) he has neither lock for a moment; meanwhile others may have the new
 * hart's. Who would wake it finds it awake; who forbids it that hart as well leaves it alone. So he
 * looks again when he has that lock. What sleeps or is queued may run on its hart.
 *
 * Placement. A new thread goes to the hart with the least to do, and stays where it was made if
 * none has less: its maker's memory is at hand there, and nobody need be interrupted. A woken
 * thread goes back to where it ran; if that hart is busy and another one idles, to that. An idle
 * hart steals from the longest queue before it waits. A queue that stays long is noticed by the end
 * of a time slice, which wakes an idle hart to steal.
 */
#include <errno.h>

#include "place.h"

uint64_t sched_idle_mask;

/* --- Work for a hart -------------------------------------------------------------------------- */

/* A thread from the longest other queue. Own queue locked: others are only tried. */
static struct thread *steal(struct cpu *self)
{
	struct thread *t = NULL;
	struct cpu *victim = NULL;

	for (struct cpu *c = cpus; c < cpus + cpu_count; c++)
		if (c != self && c->rq.queued && (!victim || c->rq.queued > victim->rq.queued))
			victim = c;
	if (!victim || !spin_try(&victim->rq.lock))
		return NULL;
	t = rq_take_for(&victim->rq, self);
	if (t) {
		t->cpu = self;
		self->steals++;
	}
	spin_unlock(&victim->rq.lock);
	return t;
}

void sched_set_idle(struct cpu *cpu, bool idle)
{
	if (cpu->rq.is_idle == idle)
		return;
	cpu->rq.is_idle = idle;
	if (idle)
		__atomic_fetch_or(&sched_idle_mask, cpu->arch.bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&sched_idle_mask, ~cpu->arch.bit, __ATOMIC_RELAXED);
}

void sched_find_work(void *self)
{
	struct cpu *cpu = self;
	struct thread *t = steal(cpu);

	if (t)
		rq_add(&cpu->rq, t);
	else
		sched_set_idle(cpu, true);
}

/* --- A hart for a thread ---------------------------------------------------------------------- */

/* An idle hart that the thread may run on, or -1. */
static int find_idle(const struct thread *t)
{
	uint64_t mask = __atomic_load_n(&sched_idle_mask, __ATOMIC_RELAXED) & t->affinity;

	for (unsigned i = 0; mask; i++, mask >>= 1)
		if (mask & 1)
			return (int)i;
	return -1;
}

/*
 * May t stay where it was? An idle hart that it was not on comes before a busy
 * one that it was on.
 */
static inline bool may_stay(const struct thread *t, const struct cpu *cpu)
{
	uint64_t idle = __atomic_load_n(&sched_idle_mask, __ATOMIC_RELAXED);

	return may_run(t, cpu) && (!(idle & t->affinity) || cpu->rq.is_idle);
}

static unsigned load_of(const struct cpu *cpu)
{
	return cpu->rq.queued + !cpu->rq.is_idle;
}

struct cpu *sched_least_loaded(const struct thread *t)
{
	struct cpu *self = cpu_this(), *best = may_run(t, self) ? self : NULL;

	for (struct cpu *c = cpus; c < cpus + cpu_count; c++)
		if (may_run(t, c) && (cpu_online_mask & c->arch.bit) &&
			(!best || load_of(c) < load_of(best)))
			best = c;
	return best ? best : t->cpu;
}

/* Where a runnable thread that is queued nowhere belongs. */
static struct cpu *choose(const struct thread *t)
{
	int idle;

	if (may_stay(t, t->cpu))
		return t->cpu;
	idle = find_idle(t);
	if (idle >= 0)
		return &cpus[idle];
	return may_run(t, t->cpu) ? t->cpu : sched_least_loaded(t);
}

/*
 * t is in our hand. The queue of its hart is locked, and then that of the one that it has now:
 * `to`, or another if that was forbidden meanwhile.
 */
static void transfer(struct thread *t, struct cpu *to)
{
	struct cpu *from = t->cpu;

	for (;;) {
		set_hart(t, to);
		spin_release(&from->rq.lock);
		spin_acquire(&to->rq.lock, false);
		if (may_run(t, to))
			return;
		from = to;
		to = sched_least_loaded(t);
	}
}

void sched_move(void *thread)
{
	struct thread *t = thread;
	struct cpu *to = choose(t);

	if (to != t->cpu)
		transfer(t, to);
}

void sched_interrupt_hart(void *cpu)
{
	firmware_send_ipi(((const struct cpu *)cpu)->arch.bit);
}

/* Others may tell it things already, and where it may run can change until it is in a queue. */
void thread_start(struct thread *t)
{
	uint64_t flags;
	struct cpu *to;

	thread_ref(t);
	(void)lock_thread_irqsave(t, &flags);
	to = sched_least_loaded(t);
	if (to != t->cpu)
		transfer(t, to);
	t->state = THREAD_RUNNABLE;
	place(t);
	irq_restore_and_look(flags);
}

/*
 * t may not run on its hart any more, whose queue is locked, and is released. It moves: one that
 * runs as soon as it gives way, one in somebody's hand by him.
 */
static void make_leave(struct cpu *cpu, struct thread *t)
{
	if (t->queued) {
		rq_take_out(&cpu->rq, t);
		t->state = THREAD_RUNNABLE; /* if it was about to sleep: a spurious wake-up */
		sched_move(t);
		place(t);
		return;
	}
	if (is_running(cpu, t)) {
		cpu->rq.leftover = t;
		if (cpu != cpu_this())
			firmware_send_ipi(cpu->arch.bit);
	} else if (t->state == THREAD_SLEEPING) {
		set_hart(t, sched_least_loaded(t)); /* where it wakes */
	}
	spin_release(&cpu->rq.lock);
}

int thread_set_affinity(struct thread *t, uint64_t harts)
{
	uint64_t flags;
	struct cpu *cpu;

	if (!(harts & cpu_online_mask))
		return -EINVAL;
	cpu = lock_thread_irqsave(t, &flags);
	__atomic_store_n(&t->affinity, harts, __ATOMIC_RELAXED);
	if (!may_run(t, cpu))
		make_leave(cpu, t);
	else
		spin_release(&cpu->rq.lock);
	irq_restore_and_look(flags);
	if (t == thread_current())
		thread_yield();
	return 0;
}
