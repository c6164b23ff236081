// SPDX-License-Identifier: MIT
/*
 * Pending signals.
 *
 * A queue is a set, one bit a signal, and the siginfos in the order of their arrival.  Standard
 * signals have at most one entry; real-time signals have one for each time they were sent, and
 * those of one number are taken in that order.  An entry is memory of the kernel's, so the user it
 * was sent to is charged for it: RLIMIT_SIGPENDING is about all processes of one real user.
 *
 * What the kernel sends, and kill(), must not fail for want of memory: the bit alone is then all
 * that arrives.
 */
#include "signal_impl.h"

#include <abi/errno.h>
#include <kernel/kmem.h>
#include <kernel/process_impl.h>
#include <kernel/user.h>

struct signal_entry {
	struct list link;
	struct user *user; /* who is charged */
	siginfo_t info;
};

/* Taken before others, as the thread cannot go on past their cause. */
#define SIGNALS_OF_FAULTS                                                                      \
	(SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | \
		SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))

static void entry_free(struct signal_entry *e)
{
	list_remove(&e->link);
	__atomic_fetch_sub(&e->user->n_signals, 1, __ATOMIC_RELAXED);
	user_put(e->user);
	kfree(e);
}

void signal_queue_init(struct signal_queue *q)
{
	q->set = 0;
	list_init(&q->entries);
}

void signal_queue_flush(struct signal_queue *q, uint64_t which)
{
	if (!(q->set & which))
		return;
	list_for_each_safe (node, &q->entries) {
		struct signal_entry *e = list_entry(node, struct signal_entry, link);
		if (SIGNAL_BIT(e->info.si_signo) & which)
			entry_free(e);
	}
	q->set &= ~which;
}

void signal_flush(struct process *p, uint64_t which)
{
	spin_assert_held(&p->lock);
	signal_queue_flush(&p->signals, which);
	list_for_each (node, &p->threads)
		signal_queue_flush(&list_entry(node, struct task, link)->signals, which);
}

/* Is there room in the user's account?  Standard signals of the kernel and of kill() always fit. */
static bool charge(struct user *user, struct process *p, const siginfo_t *info)
{
	bool unlimited = info->si_signo < SIGRTMIN && info->si_code >= 0;
	uint32_t n = __atomic_add_fetch(&user->n_signals, 1, __ATOMIC_RELAXED);

	if (unlimited || n <= process_limit(p, RLIMIT_SIGPENDING))
		return true;
	__atomic_fetch_sub(&user->n_signals, 1, __ATOMIC_RELAXED);
	return false;
}

static struct signal_entry *entry_new(struct process *p, const siginfo_t *info)
{
	struct signal_entry *e;

	if (!charge(p->user, p, info))
		return NULL;
	e = kmalloc(sizeof *e);
	if (!e) {
		__atomic_fetch_sub(&p->user->n_signals, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	e->user = user_ref(p->user);
	e->info = *info;
	return e;
}

int signal_queue_add(struct signal_queue *q, struct process *p, const siginfo_t *info)
{
	int sig = info->si_signo;
	struct signal_entry *e;

	if (sig < SIGRTMIN && (q->set & SIGNAL_BIT(sig)))
		return 0;
	e = entry_new(p, info);
	if (e)
		list_push_back(&q->entries, &e->link);
	else if (sig >= SIGRTMIN && info->si_code != SI_USER)
		return -EAGAIN;
	q->set |= SIGNAL_BIT(sig);
	return 0;
}

/* The first entry of sig; *more: it is not the only one. */
static struct signal_entry *find(struct signal_queue *q, int sig, bool *more)
{
	struct signal_entry *first = NULL;

	*more = false;
	list_for_each (node, &q->entries) {
		struct signal_entry *e = list_entry(node, struct signal_entry, link);
		if (e->info.si_signo != sig)
			continue;
		*more = first != NULL;
		if (*more)
			break;
		first = e;
	}
	return first;
}

static void take(struct signal_queue *q, int sig, siginfo_t *info)
{
	bool more;
	struct signal_entry *e = find(q, sig, &more);

	if (e) {
		*info = e->info;
		entry_free(e);
	} else {
		signal_info_init(info, sig, SI_USER);
	}
	if (!more)
		q->set &= ~SIGNAL_BIT(sig);
}

static int lowest(uint64_t set)
{
	int sig = 1;

	for (; !(set & 0xff); set >>= 8)
		sig += 8;
	for (; !(set & 1); set >>= 1)
		sig++;
	return sig;
}

int signal_queue_take(struct task *t, uint64_t set, siginfo_t *info)
{
	struct signal_queue *q = t->signals.set & set ? &t->signals : &t->process->signals;

	set &= q->set;
	if (!set)
		return 0;
	int sig = lowest(set & SIGNALS_OF_FAULTS ? set & SIGNALS_OF_FAULTS : set);
	take(q, sig, info);
	if (sig == SIGALRM && q == &t->process->signals)
		alarm_taken(t->process);
	return sig;
}
