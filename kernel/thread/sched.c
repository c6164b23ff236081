// SPDX-License-Identifier: MIT
/*
 * The scheduler.
 *
 * Each hart has a queue of threads that want to run and a lock, which also guards the state of all
 * threads whose `hart` it is. The lock is held across the switch: the thread that is switched to
 * releases it (finish_switch). So whoever holds the lock of a thread's hart sees it either running
 * there, or with its registers saved.
 *
 * Placement. A new thread goes to the hart with the least to do. A woken thread goes back to where
 * it ran; if that hart is busy and another one idles, to that. An idle hart steals from the longest
 * queue before it waits. A queue that stays long is noticed by the end of a time slice, which wakes
 * an idle hart to steal.
 *
 * Order. Threads take turns of a time slice each. One that sleeps before its slice is over keeps the
 * rest for when it wakes, and then waits only behind others with such a rest, not behind those that
 * compute all the time; nor does it wait long for the running one, who keeps a rest as well. The rest
 * does not grow by sleeping: when it is used up the thread goes to the end of the queue, where each
 * thread gets a new slice in its turn. Who slept while many others all had their turns has his when
 * he wakes. So whoever is woken often runs soon, and nobody starves.
 *
 * Shares.  The slice of a thread is as long as its nice value says, each step a fifth less than the
 * one before: as all take turns, so are their shares of the hart.  Where many take turns all slices
 * are shorter, so that a round does not take ever longer.  A thread that is told to exit goes ahead
 * like one with a rest: what it holds is given back first.
 *
 * Time slices end only where a thread waits for the hart: the timer is armed when the queue
 * becomes non-empty, never for a thread that is alone.
 *
 * Preemption. `resched` asks the running thread to give way: at the end of an interrupt, when the
 * last spin lock is dropped, or on the way back to user mode. A preempted thread that was about to
 * sleep (state SLEEPING) stays runnable: it has not looked at its condition yet.
 */
#include <abi/sched.h>
#include <arch/firmware.h>
#include <arch/pmap.h>
#include <arch/trap.h>
#include <kernel/cpu.h>
#include <kernel/panic.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <errno.h>

#include "sched.h"

#define SLICE_NS    (10 * NS_PER_MS) /* at nice 0 */
#define SLICE_IDLE  (SLICE_NS / 341) /* with SCHED_IDLE: a fifth of nice 19 */
#define SLICE_LEAST (SLICE_NS / 20)  /* less is not worth a switch */
#define SLICE_WOKEN NS_PER_MS        /* the running thread's, when one with a rest waits */
#define MANY        20               /* threads that all get whole slices in one round */

struct cpu cpus[MAX_HARTS];
unsigned cpu_count;
uint64_t cpu_online_mask;

static uint64_t idle_mask; /* [a] harts whose idle thread runs */

static void enqueue(struct run_queue *rq, struct thread *t)
{
	struct thread *before = t->slice_ns ? rq->rest : rq->tail;
	struct thread **link = before ? &before->next : &rq->head;

	t->queued = true;
	t->next = *link;
	*link = t;
	if (t->slice_ns)
		rq->rest = t;
	if (!t->next)
		rq->tail = t;
	rq->queued++;
}

/* In microseconds, by nice from -20 on: SLICE_NS / 1.25^nice. */
static const uint32_t slice_us[] = {
	867362,
	693889,
	555112,
	444089,
	355271,
	284217,
	227374,
	181899,
	145519,
	116415,
	93132,
	74506,
	59605,
	47684,
	38147,
	30518,
	24414,
	19531,
	15625,
	12500,
	10000,
	8000,
	6400,
	5120,
	4096,
	3277,
	2621,
	2097,
	1678,
	1342,
	1074,
	859,
	687,
	550,
	440,
	352,
	281,
	225,
	180,
	144,
};

uint64_t thread_slice_ns(const struct thread *t)
{
	int nice = __atomic_load_n(&t->nice, __ATOMIC_RELAXED);

	if (__atomic_load_n(&t->policy, __ATOMIC_RELAXED) == SCHED_IDLE)
		return SLICE_IDLE;
	return slice_us[nice + 20] * NS_PER_US;
}

static bool may_run(const struct thread *t, unsigned hart)
{
	return __atomic_load_n(&t->affinity, __ATOMIC_RELAXED) >> hart & 1;
}

/* Take t, whose predecessor is prev (NULL: it is the first), out of the queue. */
static void unlink(struct run_queue *rq, struct thread *prev, struct thread *t)
{
	if (prev)
		prev->next = t->next;
	else
		rq->head = t->next;
	if (rq->tail == t)
		rq->tail = prev;
	if (rq->rest == t)
		rq->rest = prev;
	t->queued = false;
	rq->queued--;
}

static void take_out(struct run_queue *rq, struct thread *t)
{
	struct thread *prev = NULL;

	for (struct thread *at = rq->head; at != t; at = at->next)
		prev = at;
	unlink(rq, prev, t);
}

/* A whole time slice of t, which is in the queue; less when many wait. */
static uint64_t turn_ns(const struct run_queue *rq, const struct thread *t)
{
	uint64_t slice = thread_slice_ns(t), shorter = slice * MANY / rq->queued;

	if (rq->queued <= MANY || slice < SLICE_WOKEN)
		return slice;
	return shorter > SLICE_WOKEN ? shorter : SLICE_WOKEN;
}

/* The first queued thread that may run on the hart; it is its turn. */
static struct thread *dequeue(struct run_queue *rq, unsigned hart)
{
	struct thread *prev = NULL;

	for (struct thread *t = rq->head; t; prev = t, t = t->next)
		if (may_run(t, hart)) {
			if (!t->slice_ns)
				t->slice_ns = turn_ns(rq, t);
			unlink(rq, prev, t);
			return t;
		}
	return NULL;
}

/* A thread from the longest other queue. Own queue locked: others are only tried. */
static struct thread *steal(struct cpu *self)
{
	unsigned me = self->arch.index;
	struct thread *t = NULL;
	struct cpu *victim = NULL;

	for (unsigned i = 0; i < cpu_count; i++)
		if (i != me && cpus[i].rq.queued &&
			(!victim || cpus[i].rq.queued > victim->rq.queued))
			victim = &cpus[i];
	if (!victim || !spin_try(&victim->rq.lock))
		return NULL;
	t = dequeue(&victim->rq, me);
	if (t) {
		t->hart = me;
		self->steals++;
	}
	spin_unlock(&victim->rq.lock);
	return t;
}

/* How long the thread may run while others wait. */
static uint64_t slice_of(const struct run_queue *rq, const struct thread *t)
{
	uint64_t slice = t == rq->idle ? SLICE_NS : t->slice_ns;

	return rq->rest && slice > SLICE_WOKEN ? SLICE_WOKEN : slice;
}

/* The running thread's slice, now that others wait. Own queue locked. */
static void limit_slice(const struct run_queue *rq)
{
	timer_set_slice_by(time_now_ns() + slice_of(rq, rq->current));
}

/* t was queued on a hart: see that it looks. Its queue is locked. */
static void kick(struct cpu *cpu, const struct thread *t)
{
	if (cpu == cpu_this()) {
		if (cpu->rq.is_idle)
			cpu->arch.resched = 1;
		else
			limit_slice(&cpu->rq);
	} else if (cpu->rq.is_idle || cpu->rq.queued == 1 || cpu->rq.head == t) {
		firmware_send_ipi(1UL << cpu->arch.index);
	}
}

/* An idle hart that the thread may run on, or -1. */
static int find_idle(const struct thread *t)
{
	uint64_t mask = __atomic_load_n(&idle_mask, __ATOMIC_RELAXED) & t->affinity;

	for (unsigned i = 0; mask; i++, mask >>= 1)
		if (mask & 1)
			return (int)i;
	return -1;
}

/* Where a runnable thread that is queued nowhere belongs. */
static struct cpu *choose(const struct thread *t)
{
	unsigned best = MAX_HARTS;
	int idle;

	if (may_run(t, t->hart) && cpus[t->hart].rq.is_idle)
		return &cpus[t->hart];
	idle = find_idle(t);
	if (idle >= 0)
		return &cpus[idle];
	if (may_run(t, t->hart))
		return &cpus[t->hart];
	for (unsigned i = 0; i < cpu_count; i++)
		if (may_run(t, i) && (cpu_online_mask >> i & 1))
			if (best == MAX_HARTS || cpus[i].rq.queued < cpus[best].rq.queued)
				best = i;
	return &cpus[best < MAX_HARTS ? best : t->hart];
}

/*
 * Queue t, which is runnable and in no queue, where it belongs. The queue of its hart is locked and
 * is released. Nobody else moves a runnable thread that is in no queue; but where it may run can change
 * while no queue is locked (thread_set_affinity).
 */
static void place(struct cpu *cpu, struct thread *t)
{
	struct cpu *to;

	while ((to = choose(t)) != cpu) {
		t->hart = to->arch.index;
		spin_release(&cpu->rq.lock);
		spin_acquire(&to->rq.lock, false);
		cpu = to;
		if (may_run(t, t->hart))
			break;
	}
	enqueue(&cpu->rq, t);
	kick(cpu, t);
	spin_release(&cpu->rq.lock);
}

/*
 * After a switch, in the thread that was switched to: let go of the one before. A thread that is
 * runnable and was not queued may not run here: it moves.
 */
static void finish_switch(struct thread *prev)
{
	struct cpu *cpu = cpu_this();
	bool dead = prev->state == THREAD_DEAD;

	if (prev != cpu->rq.current && prev != cpu->rq.idle && !dead && !prev->queued &&
		prev->state == THREAD_RUNNABLE)
		place(cpu, prev);
	else
		spin_release(&cpu->rq.lock);
	if (dead)
		thread_unref(prev);
}

static void set_idle(struct cpu *cpu, bool idle)
{
	uint64_t bit = 1UL << cpu->arch.index;

	if (cpu->rq.is_idle == idle)
		return;
	cpu->rq.is_idle = idle;
	if (idle)
		__atomic_fetch_or(&idle_mask, bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&idle_mask, ~bit, __ATOMIC_RELAXED);
}

/* The thread has run until now. */
static void account(struct thread *t, uint64_t now)
{
	uint64_t ran = now - t->run_since_ns;

	t->run_ns += ran;
	t->run_since_ns = now;
	t->slice_ns = ran + SLICE_LEAST < t->slice_ns ? t->slice_ns - ran : 0;
}

/* Switch to another thread if there is one. Queue locked, interrupts off; releases the queue. */
static void switch_away(struct cpu *cpu, bool requeue)
{
	struct run_queue *rq = &cpu->rq;
	struct thread *prev = rq->current, *next;
	uint64_t now = time_now_ns();

	cpu->arch.resched = 0;
	account(prev, now);
	if (requeue && may_run(prev, cpu->arch.index)) {
		if (prev != rq->idle)
			enqueue(rq, prev);
	} else if (requeue) {
		prev->state = THREAD_RUNNABLE; /* if it was about to sleep: a spurious wake-up */
	}
	next = dequeue(rq, cpu->arch.index);
	if (!next)
		next = steal(cpu);
	if (!next)
		next = rq->idle;
	timer_set_slice(rq->queued ? now + slice_of(rq, next) : UINT64_MAX);
	if (next == prev) {
		finish_switch(prev);
		return;
	}
	rq->current = next;
	set_idle(cpu, next == rq->idle);
	if (prev == rq->idle)
		timer_start_tick(now);
	cpu->switches++;
	prev->switches[requeue]++;
	next->run_since_ns = now;
	next->before = prev;
	pmap_activate(next->pmap);
	prev = (struct thread *)arch_switch(&prev->arch, &next->arch);
	finish_switch(prev);
}

/* The running thread's queue, locked, interrupts off; *flags for irq_restore(). */
static struct cpu *lock_self(uint64_t *flags)
{
	struct cpu *cpu;

	*flags = irq_save();
	cpu = cpu_this();
	spin_acquire(&cpu->rq.lock, false);
	return cpu;
}

void sched_block(void)
{
	uint64_t flags;
	struct cpu *cpu;

	assert_may_sleep();
	cpu = lock_self(&flags);
	if (thread_current()->state == THREAD_SLEEPING)
		switch_away(cpu, false);
	else
		finish_switch(thread_current()); /* woken meanwhile */
	irq_restore(flags);
}

void thread_yield(void)
{
	uint64_t flags;
	struct cpu *cpu = lock_self(&flags);

	thread_current()->slice_ns = 0;
	switch_away(cpu, true);
	irq_restore(flags);
}

_Noreturn void sched_exit(void)
{
	uint64_t flags;
	struct cpu *cpu = lock_self(&flags);

	thread_current()->state = THREAD_DEAD;
	switch_away(cpu, false);
	panic("a dead thread runs");
}

/* Give way; interrupts off at entry and exit, preemption on. */
static void preempt(void)
{
	struct cpu *cpu = cpu_this();

	spin_acquire(&cpu->rq.lock, false);
	switch_away(cpu, true);
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

/* Where every thread begins, switched to for the first time. */
void sched_thread_begin(void *thread)
{
	struct thread *self = thread;

	finish_switch(self->before);
	irq_enable();
	self->entry(self->arg);
	thread_exit();
}

/* Lock the queue of the hart that t belongs to. */
static struct cpu *lock_thread(struct thread *t, uint64_t *flags)
{
	for (;;) {
		struct cpu *cpu = &cpus[__atomic_load_n(&t->hart, __ATOMIC_RELAXED)];

		*flags = spin_lock_irqsave(&cpu->rq.lock);
		if (cpu->arch.index == t->hart)
			return cpu;
		spin_unlock_irqrestore(&cpu->rq.lock, *flags);
	}
}

/* t is woken where many wait: has it slept through what would have been its turn?  Its queue is locked. */
static bool missed_turn(const struct run_queue *rq, const struct thread *t)
{
	uint64_t round_ns = rq->queued * SLICE_WOKEN + MANY * SLICE_NS;

	return rq->queued > MANY && !t->slice_ns && time_now_ns() - t->run_since_ns > round_ns;
}

/* If t sleeps, it is runnable now. Its hart's queue is locked by lock_thread(), and is released. */
static void wake_locked(struct cpu *cpu, struct thread *t, uint64_t flags)
{
	bool asleep = t->state == THREAD_SLEEPING;

	if (asleep) {
		t->state = THREAD_RUNNABLE;
		if (missed_turn(&cpu->rq, t))
			t->slice_ns = thread_slice_ns(t);
	}
	if (asleep && !t->queued && cpu->rq.current != t)
		place(cpu, t);
	else
		spin_release(&cpu->rq.lock);
	irq_restore(flags);
	preempt_if_wanted();
}

void thread_wakeup(struct thread *t)
{
	uint64_t flags;
	struct cpu *cpu;

	fence_full();
	if (__atomic_load_n(&t->state, __ATOMIC_RELAXED) != THREAD_SLEEPING)
		return;
	cpu = lock_thread(t, &flags);
	wake_locked(cpu, t, flags);
}

static bool ends_sleep(enum sleep_kind kind, uint32_t work)
{
	if (work & THREAD_WORK_KILL)
		return kind != SLEEP_FOREVER;
	return (work & THREAD_WORK_SIGNAL) && kind == SLEEP_INTERRUPTIBLE;
}

/* t's turn comes before that of threads that have had theirs.  Its hart's queue is locked. */
static void hasten(struct cpu *cpu, struct thread *t)
{
	if (!t->slice_ns)
		t->slice_ns = thread_slice_ns(t);
	if (t->queued) {
		take_out(&cpu->rq, t);
		enqueue(&cpu->rq, t);
		kick(cpu, t);
	}
}

void thread_notify(struct thread *t, uint32_t work)
{
	uint64_t flags;
	struct cpu *cpu;

	__atomic_fetch_or(&t->arch.work, work, __ATOMIC_SEQ_CST);
	cpu = lock_thread(t, &flags);
	if (work & THREAD_WORK_KILL)
		hasten(cpu, t);
	if (cpu->rq.current == t && cpu != cpu_this())
		firmware_send_ipi(1UL << cpu->arch.index);
	if (ends_sleep(t->sleep, work))
		wake_locked(cpu, t, flags);
	else
		spin_unlock_irqrestore(&cpu->rq.lock, flags);
}

bool thread_interrupted(enum sleep_kind kind)
{
	return ends_sleep(kind, __atomic_load_n(&thread_current()->arch.work, __ATOMIC_RELAXED));
}

static unsigned load_of(const struct cpu *cpu)
{
	return cpu->rq.queued + !cpu->rq.is_idle;
}

void thread_start(struct thread *t)
{
	unsigned best = MAX_HARTS;
	uint64_t flags;

	for (unsigned i = 0; i < cpu_count; i++)
		if (may_run(t, i) && (cpu_online_mask >> i & 1))
			if (best == MAX_HARTS || load_of(&cpus[i]) < load_of(&cpus[best]))
				best = i;
	ASSERT(best < MAX_HARTS);
	thread_ref(t);
	flags = spin_lock_irqsave(&cpus[best].rq.lock);
	t->hart = best;
	t->state = THREAD_RUNNABLE;
	enqueue(&cpus[best].rq, t);
	kick(&cpus[best], t);
	spin_unlock_irqrestore(&cpus[best].rq.lock, flags);
}

int thread_set_affinity(struct thread *t, uint64_t harts)
{
	uint64_t flags;
	struct cpu *cpu;

	if (!(harts & cpu_online_mask))
		return -EINVAL;
	cpu = lock_thread(t, &flags);
	__atomic_store_n(&t->affinity, harts, __ATOMIC_RELAXED);
	if (t->queued && !may_run(t, t->hart)) {
		take_out(&cpu->rq, t);
		place(cpu, t);
	} else {
		if (cpu->rq.current == t && cpu != cpu_this())
			firmware_send_ipi(1UL << cpu->arch.index);
		spin_release(&cpu->rq.lock);
	}
	irq_restore(flags);
	preempt_if_wanted();
	if (t == thread_current())
		thread_yield();
	return 0;
}

void thread_set_pmap(struct pmap *pmap)
{
	uint64_t flags = irq_save();

	thread_current()->pmap = pmap;
	pmap_activate(pmap);
	irq_restore(flags);
}

uint64_t thread_run_ns(struct thread *t)
{
	uint64_t flags, ns;
	struct cpu *cpu = lock_thread(t, &flags);

	ns = t->run_ns;
	if (cpu->rq.current == t)
		ns += time_now_ns() - t->run_since_ns;
	spin_unlock_irqrestore(&cpu->rq.lock, flags);
	return ns;
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
	uint64_t idle = __atomic_load_n(&idle_mask, __ATOMIC_RELAXED);

	arch_cpu()->resched = 1;
	if (idle && cpu_this()->rq.queued)
		firmware_send_ipi(idle & -idle);
}

void sched_ipi(void)
{
	struct run_queue *rq = &cpu_this()->rq;

	if (!rq->is_idle && rq->queued)
		limit_slice(rq);
	if (!rq->is_idle && !may_run(rq->current, cpu_index()))
		arch_cpu()->resched = 1;
}

void sched_init_hart(struct thread *idle)
{
	struct cpu *cpu = cpu_this();

	spin_init(&cpu->rq.lock, "run queue", RANK_RUN_QUEUE);
	idle->state = THREAD_RUNNABLE;
	idle->hart = cpu->arch.index;
	idle->affinity = 1UL << cpu->arch.index;
	cpu->rq.idle = cpu->rq.current = idle;
	cpu->arch.thread = &idle->arch;
	__atomic_fetch_or(&cpu_online_mask, idle->affinity, __ATOMIC_SEQ_CST);
}

_Noreturn void sched_idle(void)
{
	struct cpu *cpu = cpu_this();

	irq_disable();
	spin_acquire(&cpu->rq.lock, false);
	set_idle(cpu, true);
	for (;;) {
		switch_away(cpu, false);
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
