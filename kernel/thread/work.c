// SPDX-License-Identifier: MIT
/*
 * Work for later: a list, and one kernel thread that empties it.
 */
#include <kernel/panic.h>
#include <kernel/thread.h>
#include <kernel/work.h>

static struct {
	struct spinlock lock; /* taken with interrupts off */
	struct work *head, **tail;
	struct waitq more;
} works = {
	.lock = SPINLOCK_INIT("work", RANK_WAIT),
	.tail = &works.head,
	.more = WAITQ_INIT,
};

bool work_queue(struct work *work)
{
	uint64_t flags = spin_lock_irqsave(&works.lock);
	bool fresh = !work->queued;

	if (fresh) {
		work->queued = true;
		work->next = NULL;
		*works.tail = work;
		works.tail = &work->next;
	}
	spin_unlock_irqrestore(&works.lock, flags);
	if (fresh)
		waitq_wake_all(&works.more);
	return fresh;
}

static struct work *take(void)
{
	uint64_t flags = spin_lock_irqsave(&works.lock);
	struct work *work = works.head;

	if (work) {
		works.head = work->next;
		if (!works.head)
			works.tail = &works.head;
		work->queued = false;
	}
	spin_unlock_irqrestore(&works.lock, flags);
	return work;
}

static void worker(void *arg)
{
	struct work *work;

	(void)arg;
	for (;;) {
		wait_event(&works.more, __atomic_load_n(&works.head, __ATOMIC_ACQUIRE));
		while ((work = take()) != NULL)
			work->fn(work);
	}
}

void work_init(void)
{
	if (thread_spawn("work", worker, NULL))
		panic("no memory for the work thread");
}
