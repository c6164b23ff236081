// SPDX-License-Identifier: MIT
/*
 * Signals: what a thread does about them on its way to user mode.
 *
 * Where a signal is.  Sent to a process it waits in the process's queue until some thread that
 * does not block it looks; sent to a thread, in that thread's.  Both queues, the masks and the
 * stop state are guarded by the process's lock, so that "is there a signal for this thread" has
 * one answer.
 *
 *	sender ---- signal_send.c: dropped? deadly? ----> queue (signal_queue.c)
 *	                                                    |  thread_notify()
 *	fault ------- usertrap.c: signal_fault() -------.   v
 *	                                                |  signal_deliver(): handler, stop, end
 *	                                                v   v
 *	                                  the handler's frame (sigframe.c)
 *
 * What is fatal is decided by the sender: then the process is ending from that moment, its killable
 * sleeps break off, and nobody needs to take the signal.  What has a handler, or stops, is taken
 * by the thread.  A fault goes to its thread past the queue: it is the first to be taken anyway.
 *
 * A thread that was notified of one of the process's signals need not be the one that takes it.
 * Should it block it first, or end, the others are notified (signal_hand_on()): as long as some
 * thread does not block a pending signal, one of those has yet to look.
 *
 * Stop and continue.  A thread that takes a stop signal sets stop_wanted, looks (without the
 * lock) whether its group is orphaned, and stops the process only if SIGCONT has not revoked it
 * meanwhile.  Then each thread counts itself in when it comes by here; with the last of them the
 * process has stopped, and its parent hears of it.  SIGCONT takes effect when it is sent; the
 * first thread that goes on tells the parent.
 *
 * See also sys_signal.c (the calls), kernel/linux/signals.c (those beyond the core).
 */
#include "signal_impl.h"

#include <abi/errno.h>
#include <abi/wait.h>
#include <arch/trap.h>
#include <kernel/sigframe.h>

/* --- Masks ---------------------------------------------------------------------------------- */

bool signal_pending_locked(const struct task *t)
{
	return ((t->signals.set | t->process->signals.set) & ~t->mask) || t->process->stopping;
}

bool signal_pending(void)
{
	struct task *t = task_current();

	spin_lock(&t->process->lock);
	bool pending = signal_pending_locked(t);
	spin_unlock(&t->process->lock);
	return pending;
}

int signal_take(uint64_t set, siginfo_t *info)
{
	struct task *t = task_current();

	spin_lock(&t->process->lock);
	int sig = signal_queue_take(t, set, info);
	spin_unlock(&t->process->lock);
	return sig;
}

bool signal_interrupts(void)
{
	struct thread *self = thread_current();

	__atomic_fetch_and(&self->arch.work, ~(uint32_t)THREAD_WORK_SIGNAL, __ATOMIC_SEQ_CST);
	if (!signal_pending())
		return thread_interrupted(SLEEP_KILLABLE);
	thread_notify(self, THREAD_WORK_SIGNAL);
	return true;
}

static void set_mask_locked(struct task *t, uint64_t mask)
{
	uint64_t more = mask & ~t->mask;

	t->mask = mask & ~SIGNALS_FORCED;
	if (more & t->process->signals.set)
		signal_hand_on(t->process, more);
}

void signal_set_mask(uint64_t mask)
{
	struct task *t = task_current();

	spin_lock(&t->process->lock);
	set_mask_locked(t, mask);
	bool pending = signal_pending_locked(t);
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

/* --- Restarting ------------------------------------------------------------------------------ */

long syscall_restart(enum syscall_restart how)
{
	struct task *t = task_current();

	t->restart = how;
	thread_notify(t->thread, THREAD_WORK_SIGNAL); /* so that signal_deliver() sees it */
	return -EINTR;
}

long syscall_restart_until(enum syscall_restart how, uint64_t deadline_ns)
{
	task_current()->restart_deadline_ns = deadline_ns;
	return syscall_restart(how);
}

/* --- Stopping -------------------------------------------------------------------------------- */

/* All threads of p have counted themselves in.  Its lock is held. */
static bool stop_is_complete(struct process *p)
{
	if (!p->stopping || p->stopped || p->n_stopped < p->n_threads)
		return false;
	p->stopped = true;
	p->stop_unreported = true;
	p->continue_unreported = false;
	return true;
}

static void begin_stop(struct process *p, int sig)
{
	p->stopping = true;
	p->stop_signal = (uint8_t)sig;
	list_for_each (node, &p->threads)
		thread_notify(list_entry(node, struct task, link)->thread, THREAD_WORK_SIGNAL);
}

/* Have all threads stop, unless SIGCONT came in between. */
static void stop(struct process *p, int sig)
{
	if (sig != SIGSTOP) {
		spin_lock(&tree_lock);
		bool orphaned = group_is_orphaned(p->group);
		spin_unlock(&tree_lock);
		if (orphaned)
			return;
	}
	spin_lock(&p->lock);
	if (p->stop_wanted && !p->ending && !p->stopping)
		begin_stop(p, sig);
	p->stop_wanted = false;
	spin_unlock(&p->lock);
}

/* Wait with the others until the process goes on. */
static void take_part_in_stop(struct task *t)
{
	struct process *p = t->process;
	bool complete = false;
	int tell;

	spin_lock(&p->lock);
	if (p->stopping && !t->in_stop) {
		t->in_stop = true;
		p->n_stopped++;
		complete = stop_is_complete(p);
	}
	spin_unlock(&p->lock);
	if (complete)
		process_report_stop(p, CLD_STOPPED);
	(void)wait_event_killable(&p->stop_wait, !__atomic_load_n(&t->in_stop, __ATOMIC_ACQUIRE));

	spin_lock(&p->lock);
	tell = p->tell_parent;
	p->tell_parent = 0;
	spin_unlock(&p->lock);
	if (tell)
		process_report_stop(p, tell);
}

bool signal_thread_leaves(struct task *t)
{
	struct process *p = t->process;

	spin_assert_held(&p->lock);
	if (t->in_stop)
		p->n_stopped--;
	signal_hand_on(p, ~0UL);
	return p->n_threads && stop_is_complete(p);
}

/* --- Handlers -------------------------------------------------------------------------------- */

/* While a handler runs more is blocked. */
static void block_for_handler(struct task *t, int sig, const struct sigaction *action)
{
	uint64_t mask = t->mask | action->sa_mask.bits;

	if (!(action->sa_flags & SA_NODEFER))
		mask |= SIGNAL_BIT(sig);
	if (mask == t->mask)
		return;
	spin_lock(&t->process->lock);
	set_mask_locked(t, mask);
	spin_unlock(&t->process->lock);
}

/*
 * A call that was to be made again, with its deadline, ends instead also when the handler comes
 * before it was: it would begin with a new one.
 */
static void restart_for_handler(
	struct task *t, const struct sigaction *action, struct trapframe *tf)
{
	if (t->restart == RESTART_NONE && t->restart_deadline_ns)
		trapframe_end_call(tf, -EINTR);
	if (t->restart == RESTART_ALWAYS ||
		(t->restart == RESTART_SA && (action->sa_flags & SA_RESTART)))
		trapframe_restart(tf);
	t->restart = RESTART_NONE;
	t->restart_deadline_ns = 0;
}

/* The deadline goes with a handler, too: a call that it makes is another one. */
void signal_call_handler(struct task *t, struct sigframe_start *start,
	const struct sigaction *action, struct trapframe *tf)
{
	uint64_t old_mask = t->mask_is_temporary ? t->saved_mask : t->mask;

	restart_for_handler(t, action, tf);
	if (sigframe_push(tf, start, action, old_mask)) {
		/* No room for the frame of SIGSEGV's own handler: it cannot help any more. */
		if (start->info.si_signo == SIGSEGV)
			signal_set_mask(t->mask | SIGNAL_BIT(SIGSEGV));
		signal_fault(SIGSEGV, SI_KERNEL, 0, tf);
		return;
	}
	t->mask_is_temporary = false; /* the frame has the one from before */
	block_for_handler(t, start->info.si_signo, action);
}

/* --- Taking ---------------------------------------------------------------------------------- */

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
	struct sigframe_start start;

	spin_lock(&p->lock);
	int sig = signal_queue_take(t, ~t->mask, &start.info);
	if (sig) {
		action = signal_action_take(p->actions, sig);
		p->stop_wanted |= action.sa_handler == SIG_DFL && signal_default(sig) == STOP;
	}
	spin_unlock(&p->lock);

	if (!sig)
		return false;
	if (signal_has_handler(&action))
		signal_call_handler(t, &start, &action, tf);
	else if (action.sa_handler == SIG_DFL && p != init_process) {
		if (signal_default(sig) == STOP)
			stop(p, sig);
		else if (signal_default(sig) == TERMINATE)
			process_exit_group(sig);
	}
	return true;
}

void signal_deliver(struct trapframe *tf)
{
	struct task *t = task_current();
	struct process *p = t->process;

	do {
		if (thread_interrupted(SLEEP_KILLABLE))
			process_exit_thread(0);
		if (__atomic_load_n(&p->stopping, __ATOMIC_ACQUIRE))
			take_part_in_stop(t);
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
