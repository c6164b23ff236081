// SPDX-License-Identifier: MIT
/*
 * Signals: sending, and what a thread does about them on its way to user mode.
 *
 * Where a signal is.  Sent to a process it waits in the process's queue until some thread that
 * does not block it looks; sent to a thread, in that thread's.  Standard signals are queued once,
 * real-time signals each time.  Both queues, the masks and the stop state are guarded by the
 * process's lock, so that "is there a signal for this thread" has one answer.
 *
 * What is fatal is decided by the sender: then the process is ending from that moment, its killable
 * sleeps break off, and nobody needs to take the signal.  What has a handler, or stops, is taken
 * by the thread.
 *
 * Stop and continue.  A thread that takes a stop signal sets stop_wanted, looks (without the
 * lock) whether its group is orphaned, and stops only if SIGCONT has not revoked it meanwhile.
 * SIGCONT takes effect when it is sent; one of the woken threads tells the parent.
 *
 * See also sigframe.c (the handler's frame), sys_signal.c (the calls), usertrap.c (faults).
 */
#include <abi/errno.h>
#include <arch/trap.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/sigframe.h>

struct signal_entry {
	struct list link;
	siginfo_t info;
};

enum default_action { TERMINATE, IGNORE, STOP, CONTINUE };

static enum default_action default_action(int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
		return IGNORE;
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return STOP;
	case SIGCONT:
		return CONTINUE;
	default:
		return TERMINATE;
	}
}

/* Taken before others, as the thread cannot go on past their cause. */
#define SIGNALS_OF_FAULTS                                                                      \
	(SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | \
		SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))

/* --- Queues: the process's lock is held ----------------------------------------------------- */

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
		if (SIGNAL_BIT(e->info.si_signo) & which) {
			list_remove(node);
			kfree(e);
		}
	}
	q->set &= ~which;
}

/* A standard signal without memory for its siginfo is still sent; it says SI_USER from nobody. */
static int queue_add(struct signal_queue *q, const siginfo_t *info)
{
	int sig = info->si_signo;

	if (sig < SIGRTMIN && (q->set & SIGNAL_BIT(sig)))
		return 0;
	struct signal_entry *e = kmalloc(sizeof *e);
	if (e) {
		e->info = *info;
		list_push_back(&q->entries, &e->link);
	} else if (sig >= SIGRTMIN) {
		return -EAGAIN;
	}
	q->set |= SIGNAL_BIT(sig);
	return 0;
}

/* Take the first entry of sig, which is in the set. */
static void queue_take(struct signal_queue *q, int sig, siginfo_t *info)
{
	bool found = false, more = false;

	*info = signal_info(sig, SI_USER);
	list_for_each_safe (node, &q->entries) {
		struct signal_entry *e = list_entry(node, struct signal_entry, link);
		if (e->info.si_signo != sig)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = true;
		*info = e->info;
		list_remove(node);
		kfree(e);
	}
	if (!more)
		q->set &= ~SIGNAL_BIT(sig);
}

static int lowest(uint64_t set)
{
	int sig = 1;

	while (!(set & 1)) {
		set >>= 1;
		sig++;
	}
	return sig;
}

/* The next signal for this thread, or 0. */
static int take_next(struct task *t, siginfo_t *info)
{
	struct process *p = t->process;
	uint64_t mine = t->signals.set & ~t->mask, all = mine | (p->signals.set & ~t->mask);

	if (!all)
		return 0;
	int sig = lowest((mine & SIGNALS_OF_FAULTS) ? mine & SIGNALS_OF_FAULTS : all);
	queue_take((mine & SIGNAL_BIT(sig)) ? &t->signals : &p->signals, sig, info);
	return sig;
}

/* --- Actions -------------------------------------------------------------------------------- */

struct signal_actions *signal_actions_new(struct signal_actions *from)
{
	struct signal_actions *a = from ? kmalloc(sizeof *a) : kzalloc(sizeof *a);

	if (!a)
		return NULL;
	a->refs = 1;
	spin_init(&a->lock, "signal actions", RANK_SIGNAL);
	if (from) {
		spin_lock(&from->lock);
		__builtin_memcpy(a->action, from->action, sizeof a->action);
		spin_unlock(&from->lock);
	}
	return a;
}

void signal_actions_put(struct signal_actions *a)
{
	if (a && __atomic_fetch_sub(&a->refs, 1, __ATOMIC_ACQ_REL) == 1)
		kfree(a);
}

void signal_actions_exec(struct signal_actions *a)
{
	spin_lock(&a->lock);
	for (int sig = 1; sig < NSIG; sig++) {
		bool ignored = a->action[sig].sa_handler == SIG_IGN;
		a->action[sig] = (struct sigaction){.sa_handler = ignored ? SIG_IGN : SIG_DFL};
	}
	spin_unlock(&a->lock);
}

static void (*handler_of(struct process *p, int sig))(int)
{
	return __atomic_load_n(&p->actions->action[sig].sa_handler, __ATOMIC_RELAXED);
}

/* pid 1 has no default action that ends or stops it, unless it faults. */
bool signal_is_ignored(struct process *p, int sig)
{
	void (*handler)(int) = handler_of(p, sig);

	if (handler == SIG_IGN)
		return !(SIGNAL_BIT(sig) & SIGNALS_FORCED);
	if (handler != SIG_DFL)
		return false;
	return default_action(sig) == IGNORE || p == init_process;
}

/* --- Sending -------------------------------------------------------------------------------- */

siginfo_t signal_info(int sig, int code)
{
	return (siginfo_t){.si_signo = sig, .si_code = code};
}

void process_kill_locked(struct process *p, int status)
{
	spin_assert_held(&p->lock);
	if (p->ending)
		return;
	p->ending = true;
	p->ending_status = status;
	p->stopped = false;
	list_for_each (node, &p->threads)
		thread_notify(list_entry(node, struct task, link)->thread, THREAD_WORK_KILL);
	waitq_wake_all(&p->stop_wait);
}

void process_kill(struct process *p, int status)
{
	spin_lock(&p->lock);
	process_kill_locked(p, status);
	spin_unlock(&p->lock);
}

static void flush_everywhere(struct process *p, uint64_t which)
{
	signal_queue_flush(&p->signals, which);
	list_for_each (node, &p->threads)
		signal_queue_flush(&list_entry(node, struct task, link)->signals, which);
}

/* Stops and SIGCONT cancel each other when they are sent, whatever becomes of them then. */
static void send_side_effects(struct process *p, int sig)
{
	if (SIGNAL_BIT(sig) & SIGNALS_STOP) {
		flush_everywhere(p, SIGNAL_BIT(SIGCONT));
	} else if (sig == SIGCONT) {
		flush_everywhere(p, SIGNALS_STOP);
		p->stop_wanted = false;
		if (p->stopped) {
			p->stopped = false;
			p->stop_unreported = false;
			p->continue_unreported = true;
			p->continue_to_tell = true;
			waitq_wake_all(&p->stop_wait);
		}
	}
}

/* The thread that is to take it: one that does not block it, or NULL. */
static struct task *choose_thread(struct process *p, int sig)
{
	list_for_each (node, &p->threads) {
		struct task *t = list_entry(node, struct task, link);
		if (!(t->mask & SIGNAL_BIT(sig)))
			return t;
	}
	return NULL;
}

/* target: the thread it is for, or NULL: any. */
static int send_locked(struct process *p, struct task *target, const siginfo_t *info)
{
	int sig = info->si_signo;
	struct task *taker;

	if (p->ending || !p->n_threads)
		return 0;
	send_side_effects(p, sig);
	taker = !target ? choose_thread(p, sig) : target->mask & SIGNAL_BIT(sig) ? NULL : target;
	if (sig == SIGKILL && p != init_process) {
		process_kill_locked(p, sig);
		return 0;
	}
	if (taker && signal_is_ignored(p, sig))
		return 0;
	if (taker && handler_of(p, sig) == SIG_DFL && default_action(sig) == TERMINATE) {
		process_kill_locked(p, sig);
		return 0;
	}
	int err = queue_add(target ? &target->signals : &p->signals, info);
	if (!err && taker)
		thread_notify(taker->thread, THREAD_WORK_SIGNAL);
	return err;
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

/*
 * Queue a signal that the running thread cannot get round.  False: it has no handler for it, or
 * blocks it, and must end.
 */
static bool force(const siginfo_t *info)
{
	struct task *t = task_current();
	struct process *p = t->process;
	int sig = info->si_signo;
	bool handled;

	spin_lock(&p->lock);
	handled = !(t->mask & SIGNAL_BIT(sig)) && handler_of(p, sig) != SIG_DFL &&
		  handler_of(p, sig) != SIG_IGN;
	if (handled)
		handled = queue_add(&t->signals, info) == 0;
	spin_unlock(&p->lock);
	if (handled)
		thread_notify(t->thread, THREAD_WORK_SIGNAL);
	return handled;
}

static _Noreturn void end_by_fault(int sig, int code, vaddr_t addr, struct trapframe *tf)
{
	user_fault_report(sig, code, addr, tf);
	process_exit_group(sig);
}

void signal_fault(int sig, int code, vaddr_t addr, struct trapframe *tf)
{
	siginfo_t info = signal_info(sig, code);

	info.si_addr = (void *)addr;
	if (!force(&info))
		end_by_fault(sig, code, addr, tf);
}

void signal_force(int sig, struct trapframe *tf)
{
	siginfo_t info = signal_info(sig, SI_KERNEL);

	if (!force(&info))
		end_by_fault(sig, SI_KERNEL, 0, tf);
}

/* --- Masks ---------------------------------------------------------------------------------- */

static bool pending_locked(struct task *t)
{
	return ((t->signals.set | t->process->signals.set) & ~t->mask) || t->process->stopped;
}

bool signal_pending(void)
{
	struct task *t = task_current();

	spin_lock(&t->process->lock);
	bool pending = pending_locked(t);
	spin_unlock(&t->process->lock);
	return pending;
}

void signal_set_mask(uint64_t mask)
{
	struct task *t = task_current();

	spin_lock(&t->process->lock);
	t->mask = mask & ~SIGNALS_FORCED;
	bool pending = pending_locked(t);
	spin_unlock(&t->process->lock);
	if (pending)
		thread_notify(t->thread, THREAD_WORK_SIGNAL);
}

void signal_set_mask_temporarily(uint64_t mask)
{
	struct task *t = task_current();

	t->saved_mask = t->mask;
	t->mask_is_temporary = true;
	signal_set_mask(mask);
}

void signal_restore_mask(void)
{
	struct task *t = task_current();

	if (t->mask_is_temporary) {
		t->mask_is_temporary = false;
		signal_set_mask(t->saved_mask);
	}
}

long syscall_restart(enum syscall_restart how)
{
	struct task *t = task_current();

	t->restart = how;
	thread_notify(t->thread, THREAD_WORK_SIGNAL); /* so that signal_deliver() sees it */
	return -EINTR;
}

/* --- Taking --------------------------------------------------------------------------------- */

/* Stop, unless SIGCONT came in between; returns when the process goes on. */
static void stop(struct process *p, int sig)
{
	bool orphaned, stopping;

	if (sig != SIGSTOP) {
		spin_lock(&tree_lock);
		orphaned = group_is_orphaned(p->group);
		spin_unlock(&tree_lock);
		if (orphaned)
			return;
	}
	spin_lock(&p->lock);
	stopping = p->stop_wanted && !p->ending;
	p->stop_wanted = false;
	if (stopping && !p->stopped) {
		p->stopped = true;
		p->stop_signal = sig;
		p->stop_unreported = true;
		p->continue_unreported = false;
		list_for_each (node, &p->threads)
			thread_notify(
				list_entry(node, struct task, link)->thread, THREAD_WORK_SIGNAL);
	}
	spin_unlock(&p->lock);
	if (stopping)
		process_report_stop(p);
}

static void wait_while_stopped(struct process *p)
{
	bool tell;

	(void)wait_event_killable(&p->stop_wait, !__atomic_load_n(&p->stopped, __ATOMIC_ACQUIRE));
	spin_lock(&p->lock);
	tell = p->continue_to_tell;
	p->continue_to_tell = false;
	spin_unlock(&p->lock);
	if (tell)
		process_report_stop(p);
}

/* What a handler's run changes: its action if it is for once, and the mask. */
static void account_handler(struct task *t, int sig, const struct sigaction *action)
{
	struct signal_actions *actions = t->process->actions;
	uint64_t mask = t->mask | action->sa_mask.bits;

	if (action->sa_flags & SA_RESETHAND) {
		spin_lock(&actions->lock);
		actions->action[sig].sa_handler = SIG_DFL;
		spin_unlock(&actions->lock);
	}
	if (!(action->sa_flags & SA_NODEFER))
		mask |= SIGNAL_BIT(sig);
	signal_set_mask(mask);
}

static void restart_for_handler(
	struct task *t, const struct sigaction *action, struct trapframe *tf)
{
	if (t->restart == RESTART_ALWAYS ||
		(t->restart == RESTART_SA && (action->sa_flags & SA_RESTART)))
		trapframe_restart(tf);
	t->restart = RESTART_NONE;
	t->restart_deadline_ns = 0;
}

static void call_handler(
	struct task *t, const siginfo_t *info, const struct sigaction *action, struct trapframe *tf)
{
	uint64_t old_mask = t->mask_is_temporary ? t->saved_mask : t->mask;

	restart_for_handler(t, action, tf);
	t->mask_is_temporary = false;
	if (sigframe_push(tf, info, action, old_mask)) {
		/* No room for the frame of SIGSEGV's own handler: it cannot help any more. */
		if (info->si_signo == SIGSEGV)
			end_by_fault(SIGSEGV, info->si_code, (vaddr_t)info->si_addr, tf);
		signal_force(SIGSEGV, tf);
		return;
	}
	account_handler(t, info->si_signo, action);
}

/* No handler ran: the mask of before the call, and the call again. */
static void resume(struct task *t, struct trapframe *tf)
{
	signal_restore_mask();
	if (t->restart != RESTART_NONE) {
		t->restart = RESTART_NONE;
		trapframe_restart(tf);
	}
}

/* Take one signal.  False: there was none. */
static bool take_one(struct task *t, struct trapframe *tf)
{
	struct process *p = t->process;
	struct sigaction action = {0};
	siginfo_t info;

	spin_lock(&p->lock);
	int sig = take_next(t, &info);
	if (sig) {
		action = p->actions->action[sig];
		p->stop_wanted |= action.sa_handler == SIG_DFL && default_action(sig) == STOP;
	}
	spin_unlock(&p->lock);

	if (!sig)
		return false;
	if (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN)
		call_handler(t, &info, &action, tf);
	else if (action.sa_handler == SIG_DFL && p != init_process) {
		if (default_action(sig) == STOP)
			stop(p, sig);
		else if (default_action(sig) == TERMINATE)
			process_exit_group(sig);
	}
	return true;
}

void signal_deliver(struct trapframe *tf)
{
	struct task *t = task_current();
	struct process *p = t->process;

	do {
		if (__atomic_load_n(&p->ending, __ATOMIC_ACQUIRE))
			process_exit_thread(0);
		if (__atomic_load_n(&p->stopped, __ATOMIC_ACQUIRE))
			wait_while_stopped(p);
	} while (take_one(t, tf));
	resume(t, tf);
}

const char *signal_name(int sig)
{
	static const char *const names[] = {"0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP",
		"SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2",
		"SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP",
		"SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM",
		"SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS"};

	return sig >= 0 && sig < (int)(sizeof names / sizeof *names) ? names[sig] : "SIGRT";
}
