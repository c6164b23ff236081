// SPDX-License-Identifier: MIT
/*
 * Threads and how they wait.
 *
 * A thread is a kernel stack and saved registers; a user thread has a process besides. The
 * scheduler is preemptive: each hart has a queue of runnable threads, new threads go to the least
 * loaded hart, an idle hart steals. A time slice ends only where somebody else wants to run, and an
 * idle hart arms no tick.
 *
 * Waiting without loss. A waiter enqueues itself and becomes THREAD_SLEEPING before it looks at its
 * condition for the last time; a waker makes the condition true before it looks at the queue.
 * Either the waiter sees the condition, or the waker sees the waiter:
 *
 *	struct waiter w;
 *	waitq_prepare(&q, &w);              enqueued, "sleeping", still running
 *	while (!condition && err == 0) {
 *		err = thread_block(SLEEP_INTERRUPTIBLE, deadline);
 *		waitq_prepare(&q, &w);
 *	}
 *	waitq_finish(&q, &w);
 *
 * Most callers use wait_event() and its kin: wait_event_locked() or waitq_sleep() with a spin lock
 * around the condition; or thread_sleep_on(), which needs no queue but an address.  What came
 * together with a signal counts first: they look once more before they say -EINTR.
 */
#pragma once

#include <arch/context.h>
#include <arch/cpu.h>
#include <kernel/lock.h>

struct cpu;
struct task;
struct pmap;

enum thread_state {
	THREAD_NEW,      /* thread_start() has not been called */
	THREAD_RUNNABLE, /* running or queued */
	THREAD_SLEEPING, /* or about to, until it is switched out */
	THREAD_DEAD,
};

/* What may end a sleep besides what it waits for. */
enum sleep_kind {
	SLEEP_FOREVER,       /* nothing */
	SLEEP_KILLABLE,      /* THREAD_WORK_KILL */
	SLEEP_INTERRUPTIBLE, /* that, and THREAD_WORK_SIGNAL */
};

/* Bits of arch.work above arch's own; set by thread_notify(), cleared by who handles them. */
#define THREAD_WORK_SIGNAL (ARCH_WORK_FIRST << 0) /* a signal to be delivered, or a stop */
#define THREAD_WORK_KILL   (ARCH_WORK_FIRST << 1) /* the thread must exit */
#define THREAD_WORK_TICK   (ARCH_WORK_FIRST << 2) /* its process's CPU timers are to be looked at */

#define NO_DEADLINE UINT64_MAX

/* Legend: [q] lock of the run queue of `cpu`; [c] the thread itself; [I] immutable; [a] atomic. */
struct thread {
	struct arch_thread arch; /* first */
	enum thread_state state; /* [q]; between RUNNABLE and SLEEPING [c], too, where it runs */
	enum sleep_kind sleep;   /* [c], read under [q] */
	struct cpu *cpu;         /* [q] it runs or is queued there, or will be when it wakes */
	bool queued;             /* [q] */
	bool exiting;            /* [a] thread_exit() was called */
	struct thread *next;     /* [q] */
	uint64_t affinity;       /* [a] harts it may run on */
	uint32_t refs;           /* [a] the creator's and its own while it is not dead */
	uint32_t faults_off;     /* [c] > 0: user copies end short instead of faulting pages in */
	char name[16];           /* by its process; readers may see a mixture */
	void (*entry)(void *);   /* [I] */
	void *arg;               /* [I] */
	struct waitq exited;     /* thread_join() */
	uint64_t since_clock;    /* [q] runs since then, or does not since then */
	uint64_t run_clock;      /* [q] time on a hart until it was last switched out */
	uint64_t slice_clock;    /* [q] what is left of its time slice; 0: the slice is over */
	uint64_t switches[2];    /* [q] away from it: as it slept, as it was made to give way */
	uint32_t ticks[2];       /* [q] that found it in the kernel, in user mode; own hart only */
	uint64_t turn_clock;     /* [a] a whole time slice, by the next two: thread_set_share() */
	int8_t nice;             /* [a] -20 to 19: its share of a hart that others want, too */
	uint8_t policy;       /* [a] SCHED_OTHER, SCHED_BATCH, or SCHED_IDLE: less than nice 19 */
	struct task *task;    /* the process layer's part; NULL: a kernel thread */
	uint32_t mutex_depth; /* [c] debug */
	const struct mutex *mutexes[LOCK_DEPTH]; /* [c] debug: held, oldest first */
	struct arch_fpu fpu; /* [c] of a user thread: arch.fpu; last, since it is not zeroed */
};

/* One thread's place in one queue. Lives on the waiting thread's stack. */
struct waiter {
	struct thread *thread;
	struct waitq *queue; /* [queue lock]; NULL: not queued, and no waker has it in hand */
	const void *chan;    /* hashed channels only */
	struct waiter *next, *prev;
};

static inline struct thread *thread_current(void)
{
	return (struct thread *)arch_current();
}

/*
 * A thread that will run entry(arg) once started; it exits when entry returns. Allocates the
 * kernel stack. 0 and *out with one reference for the caller, or -ENOMEM. May sleep.
 */
int thread_create(const char *name, void (*entry)(void *), void *arg, struct thread **out)
	__attribute__((warn_unused_result));
/* Let it run, on the least loaded hart it may use. Once. */
void thread_start(struct thread *t);
/* Both, giving the reference up: a kernel thread that nobody joins. 0 or -ENOMEM. */
int thread_spawn(const char *name, void (*entry)(void *), void *arg)
	__attribute__((warn_unused_result));

void thread_ref(struct thread *t);
/* The last reference frees stack and struct; of a thread that never ran, too. */
void thread_unref(struct thread *t);

/*
 * What kernel stacks occupy, those of threads that have ended and are kept for
 * the next included.
 */
size_t kstack_bytes(void);
/* Give back the memory of kernel stacks that nobody uses. Any thread. */
void kstack_shrink(void);

/* End the running thread. No lock held, no space active that could go. */
_Noreturn void thread_exit(void);
/* Wait until t is dead. */
void thread_join(struct thread *t);

/*
 * Give way to others that are runnable on this hart. Returns 0, for a system
 * call that ends with it.
 */
int thread_yield(void);

/*
 * Make a sleeping thread runnable, whatever it waits for. Any context but with a lock of
 * RANK_RUN_QUEUE or above. No effect on a thread that does not sleep.
 */
void thread_wakeup(struct thread *t);

/*
 * Set bits of t->arch.work and see that t notices: its sleep ends if its kind allows, or the hart
 * it runs on is interrupted.
 */
void thread_notify(struct thread *t, uint32_t work);

static inline bool work_ends_sleep(enum sleep_kind kind, uint32_t work)
{
	if (work & THREAD_WORK_KILL)
		return kind != SLEEP_FOREVER;
	return (work & THREAD_WORK_SIGNAL) && kind == SLEEP_INTERRUPTIBLE;
}

/* Is work pending for the running thread that ends a sleep of this kind? */
static inline bool thread_interrupted(enum sleep_kind kind)
{
	uint32_t work = __atomic_load_n(&thread_current()->arch.work, __ATOMIC_RELAXED);

	return __builtin_expect(work, 0) && work_ends_sleep(kind, work);
}

/*
 * Sleep, after waitq_prepare(); returns when the thread was woken, or at once when it was woken
 * since. 0 when woken, -EINTR when interrupted as kind allows, -ETIMEDOUT at deadline_ns of the
 * monotonic clock. The thread is runnable again, and still in the queue.
 */
int thread_block(enum sleep_kind kind, uint64_t deadline_ns);

/*
 * For queues of other kinds: between these two the running thread is about to sleep, and a wake-up
 * makes thread_block() return at once.  Where that is, it looks at its condition afterwards.
 */
static inline void thread_prepare_sleep(void)
{
	thread_current()->state = THREAD_SLEEPING;
	fence_full();
}
static inline void thread_finish_sleep(void)
{
	thread_current()->state = THREAD_RUNNABLE;
}

/* Enqueue (once) and be about to sleep. From here on a wake-up makes thread_block() return. */
void waitq_prepare(struct waitq *wq, struct waiter *w);
/*
 * Is it in the queue still, not woken since waitq_prepare()? If so it will be woken from now on, if
 * the thread was about to sleep before it asked.
 */
bool waitq_has(struct waitq *wq, const struct waiter *w);
/* Leave the queue; runnable again. Needed after every waitq_prepare(). */
void waitq_finish(struct waitq *wq, struct waiter *w);

/*
 * Wake all, or the one that waits longest. Any context, interrupts included. Who was woken may go
 * on before this is through with the queue: something else than the waiter keeps the queue alive.
 */
void waitq_wake_all(struct waitq *wq);
void waitq_wake_one(struct waitq *wq);

/*
 * Sleep once with `lock` released meanwhile; taken again before it returns. A wake-up by whoever
 * takes the lock after us is not lost. Returns as thread_block(); the caller loops. The lock was
 * taken without _irqsave.
 */
int waitq_sleep(
	struct waitq *wq, struct spinlock *lock, enum sleep_kind kind, uint64_t deadline_ns);

/*
 * The same, for any address as a channel. Channels share hashed queues, so that a wake-up for
 * another may end the sleep: callers loop.
 */
int thread_sleep_on(
	const void *chan, struct spinlock *lock, enum sleep_kind kind, uint64_t deadline_ns);
void thread_wake_on(const void *chan);

/* Wait until condition is true: 0, -EINTR, -ETIMEDOUT (condition was false when last looked at). */
#define wait_event_how(wq, condition, kind, deadline_ns)        \
	({                                                      \
		struct waiter waiter_ = {0};                    \
		int err_ = 0;                                   \
		for (;;) {                                      \
			waitq_prepare(wq, &waiter_);            \
			if (condition) {                        \
				err_ = 0;                       \
				break;                          \
			}                                       \
			if (err_)                               \
				break;                          \
			err_ = thread_block(kind, deadline_ns); \
		}                                               \
		waitq_finish(wq, &waiter_);                     \
		err_;                                           \
	})
#define wait_event(wq, condition) ((void)wait_event_how(wq, condition, SLEEP_FOREVER, NO_DEADLINE))
#define wait_event_interruptible(wq, condition) \
	wait_event_how(wq, condition, SLEEP_INTERRUPTIBLE, NO_DEADLINE)
#define wait_event_killable(wq, condition) \
	wait_event_how(wq, condition, SLEEP_KILLABLE, NO_DEADLINE)

/*
 * The same for a condition under a spin lock, which the caller holds.  Who would not wait looks at
 * the condition itself.
 */
#define wait_event_locked(wq, lock, condition, kind)                     \
	({                                                               \
		int err_ = 0;                                            \
		while (!(condition) && !err_)                            \
			err_ = waitq_sleep(wq, lock, kind, NO_DEADLINE); \
		(condition) ? 0 : err_;                                  \
	})

/* Sleep until the monotonic clock shows deadline_ns. 0, or -EINTR as kind allows. */
int thread_sleep_until(uint64_t deadline_ns, enum sleep_kind kind);

/* User copies of this thread end short at a fault instead of sleeping. Nests. */
static inline void thread_faults_off(void)
{
	thread_current()->faults_off++;
}
static inline void thread_faults_on(void)
{
	thread_current()->faults_off--;
}

/* Run in another user space (NULL: none) from now on. */
void thread_set_pmap(struct pmap *pmap);

/*
 * Let t run on these harts only. The running thread has moved when it returns; another is made to
 * give way. 0, or -EINVAL when no online hart is among them. May sleep when t is the caller.
 */
int thread_set_affinity(struct thread *t, uint64_t harts);

/* How much of a hart it gets that others want, too. Calls for one thread are serialized. */
void thread_set_share(struct thread *t, int nice, int policy);

/* Defined by the process layer: a tick found the thread, running. Interrupts off. */
void task_tick(struct task *t);

/* CPU time of t so far, the present run included. */
uint64_t thread_run_ns(struct thread *t);
