// SPDX-License-Identifier: MIT
/*
 * Sending signals: what becomes of one is decided here as far as the sender can.
 *
 *	ignored, and not blocked     dropped: it disturbs no sleep
 *	SIGKILL, or deadly           the process is ending from now on (process_kill_locked());
 *	                             while it is stopped, SIGKILL only: the rest waits for SIGCONT
 *	stops and SIGCONT            take each other out of all queues; SIGCONT ends a stop
 *	anything else, or blocked    queued, and a thread that does not block it is notified
 *
 * A signal that all threads block is queued even if it is ignored: they may give it a handler
 * before they look.  One that a thread waits for (sigtimedwait) counts as blocked by it in this.
 */
#include "signal_impl.h"

#include <abi/errno.h>
#include <abi/wait.h>
#include <arch/trap.h>
#include <kernel/kmem.h>
#include <kernel/sigframe.h>

#define task_of(node) list_entry(node, struct task, link)

enum default_action signal_default(int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGCONT: /* what it does is done when it is sent */
	case SIGURG:
	case SIGWINCH:
		return IGNORE;
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return STOP;
	default:
		return TERMINATE;
	}
}

/* --- Actions -------------------------------------------------------------------------------- */

static void copy_actions(struct signal_actions *to, struct signal_actions *from)
{
	bool shared = signal_actions_lock(from);

	to->own = from->own;
	for (uint64_t sig = 1, left = to->own; left; sig++, left >>= 1)
		if (left & 1)
			to->action[sig] = from->action[sig];
	signal_actions_unlock(from, shared);
}

struct signal_actions *signal_actions_new(struct process *from)
{
	struct signal_actions *a = kmalloc(sizeof *a);

	if (!a)
		return NULL;
	a->refs = 1;
	a->own = 0;
	spin_init(&a->lock, "signal actions", RANK_SIGNAL);
	if (from) {
		spin_lock(&from->lock);
		copy_actions(a, from->actions);
		spin_unlock(&from->lock);
	}
	return a;
}

struct signal_actions *signal_actions_share(struct process *from)
{
	spin_lock(&from->lock);
	__atomic_fetch_add(&from->actions->refs, 1, __ATOMIC_RELAXED);
	spin_unlock(&from->lock);
	return from->actions;
}

void signal_actions_put(struct signal_actions *a)
{
	if (a && __atomic_fetch_sub(&a->refs, 1, __ATOMIC_ACQ_REL) == 1)
		kfree(a);
}

void signal_actions_exec(struct signal_actions *a)
{
	uint64_t ignored = 0;

	for (uint64_t sig = 1, left = a->own; left; sig++, left >>= 1) {
		if (!(left & 1) || a->action[sig].sa_handler != SIG_IGN)
			continue;
		a->action[sig] = (struct sigaction){.sa_handler = SIG_IGN};
		ignored |= SIGNAL_BIT(sig);
	}
	a->own = ignored;
}

bool signal_default_ignores(const struct process *p, int sig)
{
	return signal_default(sig) == IGNORE || p == init_process;
}

static bool is_deadly(int sig, const struct sigaction *action)
{
	return action->sa_handler == SIG_DFL && signal_default(sig) == TERMINATE;
}

/* --- Who sends ------------------------------------------------------------------------------- */

int signal_may_send(struct process *p, int sig)
{
	struct process *self = process_current();
	const struct credentials *c = &self->cred;

	spin_assert_held(&tree_lock);
	if ((unsigned)sig >= NSIG)
		return -EINVAL;
	if (p == self || c->euid == 0 || c->euid == p->cred.suid || c->euid == p->cred.uid ||
		c->uid == p->cred.suid || c->uid == p->cred.uid)
		return 0;
	return sig == SIGCONT && p->session == self->session ? 0 : -EPERM;
}

/* --- Ends, stops and continues: the process's lock is held ----------------------------------- */

static void notify_all(struct process *p, uint32_t work)
{
	list_for_each (node, &p->threads)
		thread_notify(task_of(node)->thread, work);
}

/* Threads that have stopped go on. */
static void end_stop(struct process *p)
{
	p->stopping = p->stopped = false;
	p->n_stopped = 0;
	list_for_each (node, &p->threads)
		__atomic_store_n(&task_of(node)->in_stop, false, __ATOMIC_RELEASE);
	waitq_wake_all(&p->stop_wait);
}

void process_kill_locked(struct process *p, int status)
{
	spin_assert_held(&p->lock);
	if (p->ending)
		return;
	p->ending = true;
	p->ending_status = status;
	p->continue_unreported = false;
	notify_all(p, THREAD_WORK_KILL);
	end_stop(p);
}

void process_kill(struct process *p, int status)
{
	spin_lock(&p->lock);
	process_kill_locked(p, status);
	spin_unlock(&p->lock);
}

/* A stop that was still under way counts as one that was, and is told as such. */
static void continue_process(struct process *p)
{
	if (!p->stopping)
		return;
	p->tell_parent = p->stopped ? CLD_CONTINUED : CLD_STOPPED;
	p->stop_unreported = false;
	p->continue_unreported = true;
	end_stop(p);
}

/* Stops and SIGCONT cancel each other when they are sent, whatever becomes of them then. */
static void send_side_effects(struct process *p, int sig)
{
	if (SIGNAL_BIT(sig) & SIGNALS_STOP) {
		signal_flush(p, SIGNAL_BIT(SIGCONT));
	} else if (sig == SIGCONT) {
		signal_flush(p, SIGNALS_STOP);
		p->stop_wanted = false;
		continue_process(p);
	}
}

/* --- Sending: the process's lock is held ----------------------------------------------------- */

static bool blocks(const struct task *t, int sig)
{
	return t->mask & SIGNAL_BIT(sig);
}

/* The first thread, mostly the oldest, that does not block it; NULL: all do. */
static struct task *choose_thread(struct process *p, int sig)
{
	list_for_each (node, &p->threads)
		if (!blocks(task_of(node), sig))
			return task_of(node);
	return NULL;
}

bool signal_is_dropped(struct process *p, int sig, const struct sigaction *action)
{
	const struct task *taker = choose_thread(p, sig);

	return taker && !(taker->waited & SIGNAL_BIT(sig)) && signal_is_ignored(p, sig, action);
}

void signal_hand_on(struct process *p, uint64_t set)
{
	spin_assert_held(&p->lock);
	set &= p->signals.set;
	for (struct list *node = p->threads.next; set && node != &p->threads; node = node->next) {
		struct task *t = task_of(node);
		if (set & ~t->mask)
			thread_notify(t->thread, THREAD_WORK_SIGNAL);
		set &= t->mask;
	}
}

/* target: the thread it is for, or NULL: any. */
static int send_locked(struct process *p, struct task *target, const siginfo_t *info)
{
	int sig = info->si_signo;
	struct task *taker;

	if (p->ending || !p->n_threads)
		return 0;
	send_side_effects(p, sig);
	if (sig == SIGKILL && p != init_process) {
		process_kill_locked(p, sig);
		return 0;
	}
	taker = !target ? choose_thread(p, sig) : blocks(target, sig) ? NULL : target;
	if (taker && !(taker->waited & SIGNAL_BIT(sig))) {
		struct sigaction action = signal_action(p->actions, sig);
		if (signal_is_ignored(p, sig, &action))
			return 0;
		if (is_deadly(sig, &action) && !taker->in_stop) {
			process_kill_locked(p, sig);
			return 0;
		}
	}
	int err = signal_queue_add(target ? &target->signals : &p->signals, p, info);
	if (!err && taker)
		thread_notify(taker->thread, THREAD_WORK_SIGNAL);
	return err;
}

int signal_send_locked(struct process *p, const siginfo_t *info)
{
	spin_assert_held(&p->lock);
	return send_locked(p, NULL, info);
}

int signal_send_process(struct process *p, const siginfo_t *info)
{
	spin_lock(&p->lock);
	int err = send_locked(p, NULL, info);
	spin_unlock(&p->lock);
	return err;
}

int signal_send_thread(struct task *t, const siginfo_t *info)
{
	struct process *p = t->process;

	spin_lock(&p->lock);
	int err = send_locked(p, t, info);
	spin_unlock(&p->lock);
	return err;
}

/* --- Faults ----------------------------------------------------------------------------------- */

static _Noreturn void end_by_fault(int sig, int code, vaddr_t addr, struct trapframe *tf)
{
	user_fault_report(sig, code, addr, tf);
	process_exit_group(sig);
}

void signal_fault(int sig, int code, vaddr_t addr, struct trapframe *tf)
{
	struct task *t = task_current();
	struct sigaction action;
	struct sigframe_start start;

	signal_info_init(&start.info, sig, code);
	start.info.si_addr = (void *)addr;
	spin_lock(&t->process->lock);
	bool handled = !blocks(t, sig);
	if (handled) {
		action = signal_action_take(t->process->actions, sig);
		handled = signal_has_handler(&action);
	}
	spin_unlock(&t->process->lock);
	if (!handled)
		end_by_fault(sig, code, addr, tf);
	signal_call_handler(t, &start, &action, tf);
}

void signal_force(int sig, struct trapframe *tf)
{
	struct task *t = task_current();
	siginfo_t info = signal_info(sig, SI_KERNEL);

	spin_lock(&t->process->lock);
	struct sigaction action = signal_action(t->process->actions, sig);
	bool handled = !blocks(t, sig) && signal_has_handler(&action) &&
		       !signal_queue_add(&t->signals, t->process, &info);
	spin_unlock(&t->process->lock);
	if (!handled)
		end_by_fault(sig, SI_KERNEL, 0, tf);
	thread_notify(t->thread, THREAD_WORK_SIGNAL);
}
