// SPDX-License-Identifier: MIT
/*
 * The scheduler.
 *
 * Each hart has a queue of threads that want to run and a lock, which also guards the state of all
 * threads whose `cpu` it is. The lock is held across the switch: the thread that is switched to
 * releases it (arch_switched). So whoever holds the lock of a thread's hart sees it either running
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
static void list_take(struct thread_list *list, struct thread **link)
{
	struct thread *t = *link;

	*link = t->next;
	if (!t->next)
		list->end = link;
}

static void enqueue(struct run_queue *rq, struct thread *t)
{
	struct thread_list *list = t->slice_ns ? &rq->rest : &rq->turns;

	t->queued = true;
	t->next = NULL;
	*list->end = t;
	list->end = &t->next;
	rq->queued++;
}

static bool list_drop(struct thread_list *list, const struct thread *t)
{
	struct thread **link = &list->first;

	while (*link && *link != t)
		link = &(*link)->next;
	if (!*link)
		return false;
	list_take(list, link);
	return true;
}

static void take_out(struct run_queue *rq, struct thread *t)
{
	if (!list_drop(&rq->rest, t))
		list_drop(&rq->turns, t);
	t->queued = false;
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
	uint64_t turn = policy == SCHED_IDLE ? SLICE_IDLE : slice_us[nice + 20] * NS_PER_US;

	__atomic_store_n(&t->nice, (int8_t)nice, __ATOMIC_RELAXED);
	__atomic_store_n(&t->policy, (uint8_t)policy, __ATOMIC_RELAXED);
	__atomic_store_n(&t->turn_ns, turn, __ATOMIC_RELAXED);
}

static uint64_t whole_slice(const struct thread *t)
{
	return __atomic_load_n(&t->turn_ns, __ATOMIC_RELAXED);
}

/* A whole time slice of t, which is in the queue, where many wait. */
static uint64_t shorter_slice(const struct run_queue *rq, const struct thread *t)
{
	uint64_t slice = whole_slice(t), shorter = slice * MANY / rq->queued;

	if (slice < SLICE_WOKEN)
		return slice;
	return shorter > SLICE_WOKEN ? shorter : SLICE_WOKEN;
}

/* Take a thread, the one that *link points to, out of one of the lists: it is its turn. */
static inline struct thread *dequeue(
	struct run_queue *rq, struct thread_list *list, struct thread **link)
{
	struct thread *t = *link;

	if (!t->slice_ns)
		t->slice_ns = rq->queued <= MANY ? whole_slice(t) : shorter_slice(rq, t);
	list_take(list, link);
	t->queued = false;
	rq->queued--;
	return t;
}

/* The first in the queue.  All in there may run on the queue's hart. */
static inline struct thread *dequeue_first(struct run_queue *rq)
{
	struct thread_list *list = rq->rest.first ? &rq->rest : &rq->turns;

	return dequeue(rq, list, &list->first);
}

/* --- Where there is something to do ----------------------------------------------------------- */

/* The first of a list that may run on `on`, or NULL. */
static struct thread *dequeue_for(
	struct run_queue *rq, struct thread_list *list, const struct cpu *on)
{
	for (struct thread **link = &list->first; *link; link = &(*link)->next)
		if (may_run(*link, on))
			return dequeue(rq, list, link);
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
	t = dequeue_for(&victim->rq, &victim->rq.rest, self);
	if (!t)
		t = dequeue_for(&victim->rq, &victim->rq.turns, self);
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
static uint64_t slice_of(const struct run_queue *rq, const struct thread *t)
{
	return rq->rest.first && t->slice_ns > SLICE_WOKEN ? SLICE_WOKEN : t->slice_ns;
}

/* The running thread's slice, now that others wait. Own queue locked. */
static inline void limit_slice(const struct run_queue *rq)
{
	timer_set_slice_by(time_now_ns() + slice_of(rq, rq->current));
}

/* The thread has run until now. */
static inline void account(struct thread *t, uint64_t now)
{
	uint64_t ran = now - t->run_since_ns;

	t->run_ns += ran;
	t->run_since_ns = now;
	t->slice_ns = ran + SLICE_LEAST < t->slice_ns ? t->slice_ns - ran : 0;
}

/* --- Placement -------------------------------------------------------------------------------- */

static const struct thread *first_queued(const struct run_queue *rq)
{
	return rq->rest.first ? rq->rest.first : rq->turns.first;
}

/*
 * t was queued on a hart: see that it looks. Its queue is locked. True: it is to be interrupted when
 * that has been released; it takes the lock at once, and may take our processor below for that.
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

	return may_run(t, cpu) && (cpu->rq.is_idle || !(idle & t->affinity));
}

static unsigned load_of(const struct cpu *cpu)
{
	return cpu->rq.queued + !cpu->rq.is_idle;
}

/* Of the harts that it may run on the one with the least to do. */
static struct cpu *least_loaded(const struct thread *t)
{
	struct cpu *best = NULL;

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

/*
 * t, which is in no queue, belongs to another hart from now on. Its hart's queue is locked, and so is that of
 * the new one then: who has locked the queue of a thread's hart knows that it stays its hart.
 */
static void transfer(struct thread *t, struct cpu *to)
{
	struct cpu *from = t->cpu;

	t->cpu = to;
	spin_release(&from->rq.lock);
	spin_acquire(&to->rq.lock, false);
}

/*
 * Nobody else moves a runnable thread that is in no queue; but where it may run can change while no
 * queue is locked (thread_set_affinity). The queue of t's hart is locked, and so is that of the one that
 * is its hart then. For arch_call_rare().
 */
static void move(void *thread)
{
	struct thread *t = thread;
	struct cpu *to;

	while ((to = choose(t)) != t->cpu) {
		transfer(t, to);
		if (may_run(t, to))
			break;
	}
}

/* Queue t, which is runnable and in no queue. The queue of its hart is locked and is released. */
static inline __attribute__((always_inline)) void place(struct thread *t)
{
	if (!may_stay(t, t->cpu))
		arch_call_rare(move, t);
	enqueue_release(t->cpu, t);
}

/* --- Switching -------------------------------------------------------------------------------- */

/*
 * After a switch, in the thread that was switched to: let go of the one before. One that is runnable
 * and was not queued may not run here: it moves.
 */
static __attribute__((noinline)) void let_go(struct thread *prev)
{
	struct cpu *cpu = cpu_this();
	bool dead = prev->state == THREAD_DEAD;

	if (dead || prev == cpu->rq.idle)
		spin_release(&cpu->rq.lock);
	else
		place(prev);
	if (dead)
		thread_unref(prev);
}

void arch_switched(struct arch_thread *arch)
{
	struct thread *prev = (struct thread *)arch;

	if (prev->state == THREAD_SLEEPING || prev->queued)
		spin_release(&cpu_this()->rq.lock);
	else
		let_go(prev);
}

/* For arch_call_rare(). */
static void leave_idle(void *self)
{
	struct cpu *cpu = self;

	set_idle(cpu, false);
	timer_start_tick(time_now_ns());
}

/* To the end of the queue, unless it may not run here: then let_go() sees to it. */
static inline void requeue(struct cpu *cpu, struct thread *prev)
{
	if (may_run(prev, cpu))
		enqueue(&cpu->rq, prev);
	else
		prev->state = THREAD_RUNNABLE; /* if it was about to sleep: a spurious wake-up */
}

/* Switch to another thread if there is one. Own queue locked, interrupts off; releases the queue. */
static void switch_away(bool queue_again)
{
	struct cpu *cpu = cpu_this();
	struct run_queue *rq = &cpu->rq;
	struct thread *prev = rq->current, *next;
	bool was_idle = rq->is_idle;
	uint64_t now = time_now_ns();

	cpu->arch.resched = 0;
	account(prev, now);
	if (queue_again && !was_idle)
		requeue(cpu, prev);
	if (!rq->queued)
		arch_call_rare(find_work, cpu);
	next = rq->queued ? dequeue_first(rq) : rq->idle;
	timer_set_slice(rq->queued ? now + slice_of(rq, next) : UINT64_MAX);
	if (next == prev) {
		spin_release(&rq->lock);
		return;
	}
	rq->current = next;
	if (was_idle)
		arch_call_rare(leave_idle, cpu);
	cpu->switches++;
	prev->switches[queue_again]++;
	next->run_since_ns = now;
	arch_switch(&prev->arch, &next->arch);
}

/* The running thread's queue, locked; interrupts go off. */
static void lock_self(void)
{
	irq_disable();
	spin_acquire(&cpu_this()->rq.lock, false);
}

void sched_block(void)
{
	assert_may_sleep();
	lock_self();
	if (thread_current()->state == THREAD_SLEEPING)
		switch_away(false);
	else
		spin_release(&cpu_this()->rq.lock); /* woken meanwhile */
	irq_enable();
}

void thread_yield(void)
{
	lock_self();
	thread_current()->slice_ns = 0;
	switch_away(true);
	irq_enable();
}

_Noreturn void sched_exit(void)
{
	lock_self();
	thread_current()->state = THREAD_DEAD;
	switch_away(false);
	panic("a dead thread runs");
}

/* Give way; interrupts off at entry and exit, preemption on. */
static void preempt(void)
{
	spin_acquire(&cpu_this()->rq.lock, false);
	switch_away(true);
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

	irq_enable();
	self->entry(self->arg);
	thread_exit();
}

/* --- Waking ----------------------------------------------------------------------------------- */

/* Lock the queue of the hart that t belongs to. */
static inline struct cpu *lock_thread(struct thread *t, uint64_t *flags)
{
	for (;;) {
		struct cpu *cpu = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);

		*flags = spin_lock_irqsave(&cpu->rq.lock);
		if (__builtin_expect(cpu == t->cpu, 1))
			return cpu;
		spin_unlock_irqrestore(&cpu->rq.lock, *flags);
	}
}

/*
 * t is woken where many wait: it gets a slice if it has slept through what would have been its turn. Its
 * queue is locked. For arch_call_rare().
 */
static void make_up_for_turn(void *thread)
{
	struct thread *t = thread;
	uint64_t round_ns = t->cpu->rq.queued * SLICE_WOKEN + MANY * SLICE_NS;

	if (!t->slice_ns && time_now_ns() - t->run_since_ns > round_ns)
		t->slice_ns = whole_slice(t);
}

/* If t sleeps, it is runnable now. Its hart's queue is locked by lock_thread(), and is released. */
static inline __attribute__((always_inline)) void wake_locked(
	struct cpu *cpu, struct thread *t, uint64_t flags)
{
	bool asleep = t->state == THREAD_SLEEPING;

	if (asleep) {
		t->state = THREAD_RUNNABLE;
		if (cpu->rq.queued > MANY)
			arch_call_rare(make_up_for_turn, t);
	}
	if (asleep && !t->queued && cpu->rq.current != t)
		place(t);
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

/* t's turn comes before that of threads that have had theirs.  Its hart's queue is locked. */
static void hasten(struct cpu *cpu, struct thread *t)
{
	if (!t->slice_ns)
		t->slice_ns = whole_slice(t);
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
	cpu = lock_thread(t, &flags);
	if (work & THREAD_WORK_KILL)
		hasten(cpu, t);
	if (cpu->rq.current == t && cpu != cpu_this())
		firmware_send_ipi(cpu->arch.bit);
	if (work_ends_sleep(t->sleep, work))
		wake_locked(cpu, t, flags);
	else
		spin_unlock_irqrestore(&cpu->rq.lock, flags);
}

/* Others may tell it things already, and where it may run can change until it is in a queue. */
void thread_start(struct thread *t)
{
	uint64_t flags;
	struct cpu *to;

	thread_ref(t);
	(void)lock_thread(t, &flags);
	to = least_loaded(t);
	if (to != t->cpu)
		transfer(t, to);
	t->state = THREAD_RUNNABLE;
	place(t);
	irq_restore(flags);
	preempt_if_wanted();
}

int thread_set_affinity(struct thread *t, uint64_t harts)
{
	uint64_t flags;
	struct cpu *cpu;

	if (!(harts & cpu_online_mask))
		return -EINVAL;
	cpu = lock_thread(t, &flags);
	__atomic_store_n(&t->affinity, harts, __ATOMIC_RELAXED);
	if (t->queued && !may_run(t, cpu)) {
		take_out(&cpu->rq, t);
		place(t);
	} else {
		if (cpu->rq.current == t && cpu != cpu_this())
			firmware_send_ipi(cpu->arch.bit);
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

	arch_current()->pmap = pmap;
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
	if (!rq->is_idle && !may_run(rq->current, cpu_this()))
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
		switch_away(false);
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
