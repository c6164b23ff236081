// SPDX-License-Identifier: MIT
/*
 * Wait queues, and channels hashed onto a table of them.
 *
 * A wake-up takes the waiter out of the queue and makes its thread runnable, both under the queue's
 * lock. Last it clears the waiter's `queue`: the waiter lives on the thread's stack, and the thread
 * goes on when it sees that, or has taken the lock itself, in waitq_finish().
 */
#include <kernel/thread.h>
#include <errno.h>

#include "sched.h"

#define CHANNELS 64
static struct waitq channels[CHANNELS] = {[0 ... CHANNELS - 1] = WAITQ_INIT};

void waitq_init(struct waitq *wq)
{
	*wq = (struct waitq)WAITQ_INIT;
}

static void enqueue(struct waitq *wq, struct waiter *w)
{
	w->queue = wq;
	w->next = NULL;
	w->prev = wq->tail;
	if (wq->tail)
		wq->tail->next = w;
	else
		wq->head = w;
	wq->tail = w;
}

static void unlink(struct waitq *wq, const struct waiter *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		wq->head = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		wq->tail = w->prev;
}

static inline void prepare(struct waitq *wq, struct waiter *w)
{
	uint64_t flags = spin_lock_irqsave(&wq->lock);

	w->thread = thread_current();
	if (!w->queue)
		enqueue(wq, w);
	w->thread->state = THREAD_SLEEPING;
	spin_unlock_irqrestore(&wq->lock, flags);
	fence_full();
}

void waitq_prepare(struct waitq *wq, struct waiter *w)
{
	prepare(wq, w);
}

bool waitq_has(struct waitq *wq, const struct waiter *w)
{
	uint64_t flags = spin_lock_irqsave(&wq->lock);
	bool has = w->queue;

	spin_unlock_irqrestore(&wq->lock, flags);
	return has;
}

static void leave(struct waitq *wq, struct waiter *w)
{
	uint64_t flags = spin_lock_irqsave(&wq->lock);

	if (w->queue)
		unlink(wq, w);
	w->queue = NULL;
	spin_unlock_irqrestore(&wq->lock, flags);
}

static inline void finish(struct waitq *wq, struct waiter *w)
{
	if (__atomic_load_n(&w->queue, __ATOMIC_ACQUIRE))
		leave(wq, w);
	thread_current()->state = THREAD_RUNNABLE;
}

void waitq_finish(struct waitq *wq, struct waiter *w)
{
	finish(wq, w);
}

/* The thread may end, and its stack be gone, when `queue` is cleared. */
static void wake(struct waitq *wq, struct waiter *w)
{
	unlink(wq, w);
	sched_wake(w->thread);
	fence_full();
	w->queue = NULL;
}

/* The fence pairs with that of waitq_prepare(): see the head of thread.h. */
static bool is_empty(struct waitq *wq)
{
	fence_full();
	return !__atomic_load_n(&wq->head, __ATOMIC_RELAXED);
}

void waitq_wake_all(struct waitq *wq)
{
	uint64_t flags;

	if (is_empty(wq))
		return;
	flags = spin_lock_irqsave(&wq->lock);
	while (wq->head)
		wake(wq, wq->head);
	spin_unlock_irqrestore(&wq->lock, flags);
}

void waitq_wake_one(struct waitq *wq)
{
	uint64_t flags;

	if (is_empty(wq))
		return;
	flags = spin_lock_irqsave(&wq->lock);
	if (wq->head)
		wake(wq, wq->head);
	spin_unlock_irqrestore(&wq->lock, flags);
}

/*
 * The wait queue's lock is taken under the caller's. Interrupts stay off from there to the switch,
 * so that nobody looks on the way whether to give way.
 */
static inline int sleep_once(struct waitq *wq, struct waiter *w, struct spinlock *lock,
	enum sleep_kind kind, uint64_t deadline_ns)
{
	struct thread *self = thread_current();
	int err;

	irq_disable();
	spin_acquire(&wq->lock, false);
	w->thread = self;
	enqueue(wq, w);
	self->sleep = kind;
	self->state = THREAD_SLEEPING;
	spin_release(&wq->lock);
	spin_release(lock);
	preempt_enable_no_check();
	if (deadline_ns == NO_DEADLINE) {
		err = thread_block_now(kind);
	} else {
		irq_enable();
		err = thread_block(kind, deadline_ns);
	}
	finish(wq, w);
	spin_lock(lock);
	return err;
}

int waitq_sleep(struct waitq *wq, struct spinlock *lock, enum sleep_kind kind, uint64_t deadline_ns)
{
	struct waiter w;

	return sleep_once(wq, &w, lock, kind, deadline_ns);
}

/* Fibonacci hashing: the top bits of the product. */
static struct waitq *channel(const void *chan)
{
	return &channels[(uint64_t)chan * 0x9e3779b97f4a7c15UL >> 58];
}

int thread_sleep_on(
	const void *chan, struct spinlock *lock, enum sleep_kind kind, uint64_t deadline_ns)
{
	struct waiter w;

	w.chan = chan;
	return sleep_once(channel(chan), &w, lock, kind, deadline_ns);
}

void thread_wake_on(const void *chan)
{
	struct waitq *wq = channel(chan);
	struct waiter *next;
	uint64_t flags;

	if (is_empty(wq))
		return;
	flags = spin_lock_irqsave(&wq->lock);
	for (struct waiter *w = wq->head; w; w = next) {
		next = w->next;
		if (w->chan == chan)
			wake(wq, w);
	}
	spin_unlock_irqrestore(&wq->lock, flags);
}
