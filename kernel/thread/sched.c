// SPDX-License-Identifier: MIT
/*
 * The scheduler.
 *
 * Each hart has a queue of threads that want to run and a lock, which also guards the state of all
 * threads whose `cpu` it is. The lock is held across the switch: the thread that is switched to
 * releases it (after_switch). So whoever holds the lock of a thread's hart sees it either running
 * there, or with its registers saved. A thread that may not go on here, or ever, is left over until
 * then.
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
 * Placement. A new thread goes to the hart with the least to do, and stays where it was made if none
 * has less: its maker's memory is at hand there, and nobody need be interrupted. A woken thread goes back to where
 * it ran; if that hart is busy and another one idles, to that. An idle hart steals from the longest
 * queue before it waits. A queue that stays long is noticed by the end of a time slice, which wakes
 * an idle hart to steal.
 *
 * Order. Threads take turns of a time slice each. One that sleeps before its slice is over keeps
 * the rest for when it wakes, and then waits only behind others with such a rest, not behind those
 * that compute all the time; nor does it wait long for the running one, who keeps a rest as well.
 * The rest does not grow by sleeping: when it is used up the thread goes to the end of the queue,
 * where each thread gets a new slice in its turn. Who slept while many others all had their turns
 * has his when he wakes. So whoever is woken often runs soon, and nobody starves.
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

#define SLICE_NS       (10 * NS_PER_MS) /* at nice 0 */
#define SLICE_IDLE_NS  (SLICE_NS / 341) /* with SCHED_IDLE: a fifth of nice 19 */
#define SLICE_LEAST_NS (SLICE_NS / 20)  /* less is not worth a switch */
#define SLICE_WOKEN_NS NS_PER_MS        /* the running thread's, when one with a rest waits */
#define MANY           20               /* threads that all get whole slices in one round */

/* The same in ticks of cpu_time(). [I] after boot. */
static uint64_t slice_least_clock, slice_woken_clock, round_clock;

struct cpu cpus[MAX_HARTS];
unsigned cpu_count;
uint64_t cpu_online_mask;

static uint64_t idle_mask; /* [a] harts whose idle thread runs */

/* Does it run on its hart? The hart's queue is locked. */
static bool is_running(const struct cpu *cpu, const struct thread *t)
{
	return cpu->arch.thread == &t->arch;
}

static bool may_run(const struct thread *t, const struct cpu *cpu)
{
	return __atomic_load_n(&t->affinity, __ATOMIC_RELAXED) & cpu->arch.bit;
}

/* --- A hart's queue: locked ------------------------------------------------------------------- */

static void list_empty(struct thread_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

/* Take out the one that *link points to. */
static inline struct thread *list_take(struct thread_list *list, struct thread **link)
{
	struct thread *t = *link;

	*link = t->next;
	if (!t->next)
		list->end = link;
	t->queued = false;
	return t;
}

static inline void list_append(struct thread_list *list, struct thread *t)
{
	t->queued = true;
	t->next = NULL;
	*list->end = t;
	list->end = &t->next;
}

static void enqueue(struct run_queue *rq, struct thread *t)
{
	list_append(t->slice_clock ? &rq->rest : &rq->turns, t);
	rq->queued++;
}

static bool list_drop(struct thread_list *list, const struct thread *t)
{
	struct thread **link = &list->first;

	while (*link && *link != t)
		link = &(*link)->next;
	return *link && list_take(list, link);
}

static void take_out(struct run_queue *rq, struct thread *t)
{
	if (!list_drop(&rq->rest, t))
		list_drop(&rq->turns, t);
	rq->queued--;
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

void thread_set_share(struct thread *t, int nice, int policy)
{
	uint64_t turn_ns = policy == SCHED_IDLE ? SLICE_IDLE_NS : slice_us[nice + 20] * NS_PER_US;

	__atomic_store_n(&t->nice, (int8_t)nice, __ATOMIC_RELAXED);
	__atomic_store_n(&t->policy, (uint8_t)policy, __ATOMIC_RELAXED);
	__atomic_store_n(&t->turn_clock, time_to_ticks(turn_ns), __ATOMIC_RELAXED);
}

static uint64_t whole_slice(const struct thread *t)
{
	return __atomic_load_n(&t->turn_clock, __ATOMIC_RELAXED);
}

/* A whole time slice of t, which is in the queue, where many wait. */
static uint64_t shorter_slice(const struct run_queue *rq, const struct thread *t)
{
	uint64_t slice = whole_slice(t), shorter = slice * MANY / rq->queued;

	if (slice < slice_woken_clock)
		return slice;
	return shorter > slice_woken_clock ? shorter : slice_woken_clock;
}

/* A new slice for t, whose turn it is. */
static inline void begin_turn(const struct run_queue *rq, struct thread *t)
{
	t->slice_clock = rq->queued <= MANY ? whole_slice(t) : shorter_slice(rq, t);
}

/* Take out the first, of which the caller keeps count. All in the queue may run on the queue's hart. */
static inline struct thread *take_first(struct run_queue *rq)
{
	struct thread *t;

	if (rq->rest.first)
		return list_take(&rq->rest, &rq->rest.first);
	t = list_take(&rq->turns, &rq->turns.first);
	begin_turn(rq, t);
	return t;
}

/* --- Where there is something to do ----------------------------------------------------------- */

/* The first of a list that may run on `on`, or NULL. */
static struct thread *take_for(struct run_queue *rq, struct thread_list *list, const struct cpu *on)
{
	for (struct thread **link = &list->first; *link; link = &(*link)->next) {
		if (may_run(*link, on)) {
			rq->queued--;
			return list_take(list, link);
		}
	}
	return NULL;
}

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
	t = take_for(&victim->rq, &victim->rq.rest, self);
	if (!t)
		t = take_for(&victim->rq, &victim->rq.turns, self);
	if (t) {
		t->cpu = self;
		self->steals++;
	}
	spin_unlock(&victim->rq.lock);
	return t;
}

static void set_idle(struct cpu *cpu, bool idle)
{
	if (cpu->rq.is_idle == idle)
		return;
	cpu->rq.is_idle = idle;
	if (idle)
		__atomic_fetch_or(&idle_mask, cpu->arch.bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&idle_mask, ~cpu->arch.bit, __ATOMIC_RELAXED);
}

/* The queue is empty: it gets what another hart has; else this hart idles. For arch_call_rare(). */
static void find_work(void *self)
{
	struct cpu *cpu = self;
	struct thread *t = steal(cpu);

	if (t)
		enqueue(&cpu->rq, t);
	else
		set_idle(cpu, true);
}

/* --- Time slices ------------------------------------------------------------------------------ */

/* How long a thread, not the idle one, may run while others wait. */
static inline uint64_t slice_of(const struct run_queue *rq, const struct thread *t)
{
	if (__builtin_expect(rq->rest.first != NULL, 0) && t->slice_clock > slice_woken_clock)
		return slice_woken_clock;
	return t->slice_clock;
}

/* The running thread's slice, now that others wait. Own queue locked. */
static inline void limit_slice(const struct run_queue *rq)
{
	timer_set_slice_by(cpu_time() + slice_of(rq, thread_current()));
}

/* The thread has run until now; the rest of its slice is a matter of its own. */
static inline uint64_t account(struct thread *t, uint64_t now)
{
	uint64_t ran = now - t->since_clock;

	t->run_clock += ran;
	t->since_clock = now;
	return ran;
}

static inline uint64_t rest_of_slice(const struct thread *t, uint64_t ran)
{
	return ran + slice_least_clock < t->slice_clock ? t->slice_clock - ran : 0;
}

/* --- Placement -------------------------------------------------------------------------------- */

static const struct thread *first_queued(const struct run_queue *rq)
{
	return rq->rest.first ? rq->rest.first : rq->turns.first;
}

/*
 * t was queued on a hart: see that it looks. Its queue is locked. True: it is to be interrupted
 * when that has been released; it takes the lock at once, and may take our processor below for
 * that.
 */
static inline bool kick(struct cpu *cpu, const struct thread *t)
{
	if (cpu != cpu_this())
		return cpu->rq.is_idle || cpu->rq.queued == 1 || first_queued(&cpu->rq) == t;
	if (cpu->rq.is_idle)
		cpu->arch.resched = 1;
	else
		limit_slice(&cpu->rq);
	return false;
}

/* For arch_call_rare(). */
static void interrupt_hart(void *cpu)
{
	firmware_send_ipi(((const struct cpu *)cpu)->arch.bit);
}

/* Queue t on the hart, whose queue is locked and is released. Interrupts off. */
static inline __attribute__((always_inline)) void enqueue_release(struct cpu *cpu, struct thread *t)
{
	bool look;

	enqueue(&cpu->rq, t);
	look = kick(cpu, t);
	spin_release(&cpu->rq.lock);
	if (look)
		arch_call_rare(interrupt_hart, cpu);
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

/* May t stay where it was? An idle hart that it was not on comes before a busy one that it was on. */
static inline bool may_stay(const struct thread *t, const struct cpu *cpu)
{
	uint64_t idle = __atomic_load_n(&idle_mask, __ATOMIC_RELAXED);

	return may_run(t, cpu) && (!(idle & t->affinity) || cpu->rq.is_idle);
}

static unsigned load_of(const struct cpu *cpu)
{
	return cpu->rq.queued + !cpu->rq.is_idle;
}

/* Of the harts that it may run on the one with the least to do; this one, if none has less. */
static struct cpu *least_loaded(const struct thread *t)
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
	return may_run(t, t->cpu) ? t->cpu : least_loaded(t);
}

/* Its hart's queue is locked. Who finds the new hart sees what was done under this lock. */
static void set_hart(struct thread *t, struct cpu *to)
{
	__atomic_store_n(&t->cpu, to, __ATOMIC_RELEASE);
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
		to = least_loaded(t);
	}
}

/* To where it belongs, if that is elsewhere; as transfer(). For arch_call_rare(). */
static void move(void *thread)
{
	struct thread *t = thread;
	struct cpu *to = choose(t);

	if (to != t->cpu)
		transfer(t, to);
}

/*
 * Queue t, which is runnable, in our hand, and may run on its hart. The queue of its hart is locked
 * and is released.
 */
static inline __attribute__((always_inline)) void place(struct thread *t)
{
	if (__builtin_expect(__atomic_load_n(&idle_mask, __ATOMIC_RELAXED), 0))
		arch_call_rare(move, t);
	enqueue_release(t->cpu, t);
}

/* --- Switching -------------------------------------------------------------------------------- */

/* Of the one that ran before: it is dead, or may not run here and moves. */
static __attribute__((noinline)) void let_go(struct cpu *cpu)
{
	struct thread *prev = cpu->rq.leftover;
	bool dead = prev->state == THREAD_DEAD;

	cpu->rq.leftover = NULL;
	if (prev->state == THREAD_RUNNABLE) {
		move(prev);
		place(prev);
		return;
	}
	if (!dead)
		set_hart(prev, least_loaded(prev)); /* where it wakes */
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
		arch_call_rare(find_work, cpu);
	if (!rq->queued)
		return rq->idle;
	rq->queued--;
	return take_first(rq);
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
		next = take_first(rq);
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

/* Lock the queue of the hart that t belongs to. Interrupts off. The load pairs with set_hart(). */
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
 * t is woken where many wait: it gets a slice if it has slept through what would have been its
 * turn. Its queue is locked. For arch_call_rare().
 */
static void make_up_for_turn(void *thread)
{
	struct thread *t = thread;
	uint64_t round = t->cpu->rq.queued * slice_woken_clock + round_clock;

	if (!t->slice_clock && cpu_time() - t->since_clock > round)
		t->slice_clock = whole_slice(t);
}

/* If t sleeps, it is runnable now. Its hart's queue is locked, and is released. */
static inline __attribute__((always_inline)) void wake_locked(struct cpu *cpu, struct thread *t)
{
	bool asleep = t->state == THREAD_SLEEPING;

	if (asleep) {
		t->state = THREAD_RUNNABLE;
		if (cpu->rq.queued > MANY)
			arch_call_rare(make_up_for_turn, t);
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
		take_out(&cpu->rq, t);
		enqueue(&cpu->rq, t);
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

/* Others may tell it things already, and where it may run can change until it is in a queue. */
void thread_start(struct thread *t)
{
	uint64_t flags;
	struct cpu *to;

	thread_ref(t);
	(void)lock_thread_irqsave(t, &flags);
	to = least_loaded(t);
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
		take_out(&cpu->rq, t);
		t->state = THREAD_RUNNABLE; /* if it was about to sleep: a spurious wake-up */
		move(t);
		place(t);
		return;
	}
	if (is_running(cpu, t)) {
		cpu->rq.leftover = t;
		if (cpu != cpu_this())
			firmware_send_ipi(cpu->arch.bit);
	} else if (t->state == THREAD_SLEEPING) {
		set_hart(t, least_loaded(t)); /* where it wakes */
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
	if (rq->leftover)
		arch_cpu()->resched = 1;
}

void sched_init_hart(struct thread *idle)
{
	struct cpu *cpu = cpu_this();

	spin_init(&cpu->rq.lock, "run queue", RANK_RUN_QUEUE);
	list_empty(&cpu->rq.rest);
	list_empty(&cpu->rq.turns);
	idle->state = THREAD_RUNNABLE;
	idle->cpu = cpu;
	idle->affinity = cpu->arch.bit;
	cpu->rq.idle = idle;
	cpu->arch.thread = &idle->arch;
	cpu->arch.user_frame = (vaddr_t)arch_thread_frame(&idle->arch);
	slice_least_clock = time_to_ticks(SLICE_LEAST_NS);
	slice_woken_clock = time_to_ticks(SLICE_WOKEN_NS);
	round_clock = time_to_ticks(MANY * SLICE_NS);
	__atomic_fetch_or(&cpu_online_mask, idle->affinity, __ATOMIC_SEQ_CST);
}

/* If there is something to run. Own queue locked; released. */
static void switch_from_idle(struct cpu *cpu)
{
	cpu->arch.resched = 0;
	if (!cpu->rq.queued)
		find_work(cpu);
	if (cpu->rq.queued) {
		set_idle(cpu, false);
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
	set_idle(cpu, true);
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
