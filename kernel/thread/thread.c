// SPDX-License-Identifier: MIT
/*
 * Threads: making them, ending them, blocking with a limit.
 */
#include <abi/sched.h>
#include <kernel/cpu.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <errno.h>
#include <string.h>

#include "sched.h"

static struct kmem_cache thread_cache;

void thread_init(void)
{
	kmem_cache_init(&thread_cache, "thread", sizeof(struct thread));
}

struct thread *thread_alloc(const char *name)
{
	struct thread *t = kmem_cache_alloc(&thread_cache);

	if (!t)
		return NULL;
	memset(t, 0, offsetof(struct thread, fpu));
	for (size_t n = 0; n < sizeof(t->name) - 1 && name[n]; n++)
		t->name[n] = name[n];
	t->refs = 1;
	t->affinity = UINT64_MAX;
	t->cpu = cpu_this(); /* most are started by who makes them, on the hart where he does */
	thread_set_share(t, 0, SCHED_OTHER);
	waitq_init(&t->exited);
	return t;
}

int thread_create(const char *name, void (*entry)(void *), void *arg, struct thread **out)
{
	struct thread *t = thread_alloc(name);
	vaddr_t top;

	if (!t)
		return -ENOMEM;
	top = kstack_alloc();
	if (!top) {
		kmem_cache_free(&thread_cache, t);
		return -ENOMEM;
	}
	t->entry = entry;
	t->arg = arg;
	arch_thread_init(&t->arch, top, sched_thread_begin, t);
	*out = t;
	return 0;
}

int thread_spawn(const char *name, void (*entry)(void *), void *arg)
{
	struct thread *t;
	int err = thread_create(name, entry, arg, &t);

	if (err)
		return err;
	thread_start(t);
	thread_unref(t);
	return 0;
}

void thread_ref(struct thread *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
}

void thread_unref(struct thread *t)
{
	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	kstack_free(t->arch.stack_top);
	kmem_cache_free(&thread_cache, t);
}

_Noreturn void thread_exit(void)
{
	struct thread *self = thread_current();

	DEBUG_ASSERT(self->mutex_depth == 0);
	kstack_check(self->arch.stack_top);
	__atomic_store_n(&self->exiting, true, __ATOMIC_RELEASE);
	waitq_wake_all(&self->exited);
	sched_exit();
}

void thread_join(struct thread *t)
{
	wait_event(&t->exited, __atomic_load_n(&t->exiting, __ATOMIC_ACQUIRE));
}

/* A deadline for thread_block(). */
struct wakeup {
	struct timer timer;
	struct thread *thread;
	bool fired;
};

static void wakeup_fire(struct timer *timer)
{
	struct wakeup *w = (struct wakeup *)timer;

	__atomic_store_n(&w->fired, true, __ATOMIC_RELEASE);
	thread_wakeup(w->thread);
}

static __attribute__((noinline)) int block_until(uint64_t deadline_ns)
{
	struct wakeup w = {.timer.fn = wakeup_fire, .thread = thread_current()};

	if (deadline_ns <= time_now_ns()) {
		w.thread->state = THREAD_RUNNABLE;
		return -ETIMEDOUT;
	}
	timer_set(&w.timer, deadline_ns);
	sched_block();
	timer_cancel_wait(&w.timer);
	return w.fired ? -ETIMEDOUT : 0;
}

int thread_block(enum sleep_kind kind, uint64_t deadline_ns)
{
	struct thread *self = thread_current();
	int err;

	assert_may_sleep();
	self->sleep = kind;
	if (deadline_ns == NO_DEADLINE) {
		irq_disable();
		return thread_block_now(kind);
	}
	fence_full();
	if (thread_interrupted(kind)) {
		self->state = THREAD_RUNNABLE;
		return -EINTR;
	}
	err = block_until(deadline_ns);
	return thread_interrupted(kind) ? -EINTR : err;
}

int thread_sleep_until(uint64_t deadline_ns, enum sleep_kind kind)
{
	struct waitq never = WAITQ_INIT;
	int err;

	do
		err = wait_event_how(&never, false, kind, deadline_ns);
	while (!err);
	return err == -ETIMEDOUT ? 0 : err;
}
