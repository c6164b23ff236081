// SPDX-License-Identifier: MIT
/*
 * Signals.
 *
 * A signal is sent to a process or to one of its threads: an entry joins the pending set of that,
 * and a thread that does not block it is notified (its interruptible sleep ends, or the hart it
 * runs on is interrupted).  A thread takes its signals itself, on its way to user mode, in
 * signal_deliver(): it calls the handler, ends the process, or stops it.
 *
 * What is ignored is dropped when it is sent, so that it disturbs no sleep.  SIGKILL, and what
 * would end the process anyway, also ends killable sleeps.
 *
 * Interrupted system calls.  A handler of a system call that was interrupted returns one of
 * syscall_restart()'s forms.  If a handler of the program runs, it decides with SA_RESTART; if
 * none does (a stop and continue, or another thread took the signal), the call is made again.
 */
#pragma once

#include <abi/signal.h>
#include <kernel/list.h>
#include <kernel/lock.h>

struct process;
struct trapframe;
struct task;

#define SIGNAL_BIT(sig) (1UL << ((sig)-1))

/* SIGKILL and SIGSTOP: never blocked, caught or ignored. */
#define SIGNALS_FORCED (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
#define SIGNALS_STOP \
	(SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))

/* Signals that were sent and not yet taken; guarded by the process's lock. */
struct signal_queue {
	uint64_t set;
	struct list entries; /* struct signal_entry, oldest first; not all of the set have one */
};

/*
 * What a process does about each signal.  Counted: CLONE_SIGHAND shares it.  The process's lock
 * guards it, and while other processes have it, too, besides that its own.  Most programs have few
 * handlers: the other signals' entries are neither set nor copied.
 */
struct signal_actions {
	uint32_t refs;        /* [a] raised under the lock of a process that has it */
	struct spinlock lock; /* RANK_SIGNAL */
	struct sigaction action[NSIG];
	uint64_t own; /* signals with an entry; what is done about the others is the default */
};

/* --- Queues (signal_queue.c): the process's lock is held ------------------------------------- */

void signal_queue_init(struct signal_queue *q);
/* Drop all of `which`. */
void signal_queue_flush(struct signal_queue *q, uint64_t which);
/* The same in the process's queue and those of its threads. */
void signal_flush(struct process *p, uint64_t which);

/* --- Actions (signal_send.c) ----------------------------------------------------------------- */

/* With all defaults, or a copy of the process's, whose lock is not held; NULL: no memory. */
struct signal_actions *signal_actions_new(struct process *from);
/* The process's, for another one, too. */
struct signal_actions *signal_actions_share(struct process *from);
void signal_actions_put(struct signal_actions *actions);
/*
 * For exec, whose alone they are: what has a handler gets the default action;
 * ignored ones stay ignored.
 */
void signal_actions_exec(struct signal_actions *actions);

/* The rest has the process's lock held. */

/* Nobody changes or looks at them until signal_actions_unlock(). */
static inline bool signal_actions_lock(struct signal_actions *actions)
{
	bool shared = __atomic_load_n(&actions->refs, __ATOMIC_ACQUIRE) > 1;

	if (__builtin_expect(shared, 0))
		spin_lock(&actions->lock);
	return shared;
}

static inline void signal_actions_unlock(struct signal_actions *actions, bool shared)
{
	if (__builtin_expect(shared, 0))
		spin_unlock(&actions->lock);
}

static inline bool signal_has_handler(const struct sigaction *action)
{
	return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/* What is done about sig. */
static inline struct sigaction signal_action_locked(const struct signal_actions *actions, int sig)
{
	if (actions->own & SIGNAL_BIT(sig))
		return actions->action[sig];
	return (struct sigaction){.sa_handler = SIG_DFL};
}

/* The same for those who have not locked them. */
static inline struct sigaction signal_action(struct signal_actions *actions, int sig)
{
	bool shared = signal_actions_lock(actions);
	struct sigaction action = signal_action_locked(actions, sig);

	signal_actions_unlock(actions, shared);
	return action;
}

/* The same for a signal that is taken now: a handler for once is for this one, and goes. */
static inline struct sigaction signal_action_take(struct signal_actions *actions, int sig)
{
	bool shared = signal_actions_lock(actions);
	struct sigaction action = signal_action_locked(actions, sig);

	if (action.sa_flags & SA_RESETHAND && signal_has_handler(&action))
		actions->action[sig].sa_handler = SIG_DFL;
	signal_actions_unlock(actions, shared);
	return action;
}

/* Does p ignore it by default?  pid 1 is ended or stopped by nothing, unless it faults. */
bool signal_default_ignores(const struct process *p, int sig);

/* Does sending it to p do nothing, if it is not blocked and this is what p does about it? */
static inline bool signal_is_ignored(
	const struct process *p, int sig, const struct sigaction *action)
{
	return action->sa_handler == SIG_IGN ||
	       (action->sa_handler == SIG_DFL && signal_default_ignores(p, sig));
}

/* The same with a look at who blocks it or waits for it.  Not for signals that stop or continue. */
bool signal_is_dropped(struct process *p, int sig, const struct sigaction *action);

/* --- Sending (signal_send.c) ----------------------------------------------------------------- */

/*
 * A siginfo of the kernel, and (process.h) one that names the running process as the sender. Not by
 * an initializer: the bytes that no field covers are shown to users, too. In halves, which the
 * compiler stores inline.
 */
static inline void signal_info_init(siginfo_t *info, int sig, int code)
{
	__builtin_memset(info, 0, sizeof *info / 2);
	__builtin_memset((char *)info + sizeof *info / 2, 0, sizeof *info / 2);
	info->si_signo = sig;
	info->si_code = code;
}

static inline siginfo_t signal_info(int sig, int code)
{
	siginfo_t info;

	signal_info_init(&info, sig, code);
	return info;
}

/*
 * Send.  They take the process's lock and so want it, and those above it in rank, not held by the
 * caller; the caller keeps the process from going away.  Any thread context.  Signals of which one
 * is pending are not queued twice unless they are real-time signals: for those -EAGAIN when there
 * is no memory, or too many wait for this user (RLIMIT_SIGPENDING).
 */
int signal_send_process(struct process *p, const siginfo_t *info);
int signal_send_thread(struct task *t, const siginfo_t *info);
/* signal_send_process() by who holds the process's lock. */
int signal_send_locked(struct process *p, const siginfo_t *info);

/* May the running process send it to p?  0, -EPERM, -EINVAL: no signal.  tree_lock held. */
int signal_may_send(struct process *p, int sig);
/*
 * Send to a process, or to the thread tid, of the process `group` if that is not 0, if the running
 * process may.  Also -ESRCH.  Signal 0 only asks.
 */
long signal_kill_process(int pid, const siginfo_t *info);
long signal_kill_thread(int group, int tid, const siginfo_t *info);

/*
 * A signal that the running thread cannot get round: it can neither be ignored nor blocked; where
 * it is, or has the default action, the process ends, after a report to the log.  The first is for
 * faults of user mode, with all of the frame valid; its handler is entered at once.  The second
 * is for system calls.
 */
void signal_fault(int sig, int code, vaddr_t addr, struct trapframe *tf);
void signal_force(int sig, struct trapframe *tf);

/* --- The running thread (signal.c) ----------------------------------------------------------- */

/* Is there a signal that the running thread would take, or a stop? */
bool signal_pending(void);
/* The same of a thread whose process's lock is held. */
bool signal_pending_locked(const struct task *t);

/* Take one of `set`, blocked or not, without doing anything about it: its number, 0: none. */
int signal_take(uint64_t set, siginfo_t *info);

/*
 * A sleep was broken off (-EINTR): is there a cause, a signal, a stop, or the thread's end?  False:
 * another thread took the signal, the notification is forgotten, and the sleep may go on.
 */
bool signal_interrupts(void);

/* Change the running thread's mask. */
void signal_set_mask(uint64_t mask);
/*
 * Until the system call ends: signal_deliver() puts the old one back once a
 * handler's frame has it.
 */
void signal_set_mask_temporarily(uint64_t mask);
/* Undo it, if it is still in force. */
void signal_restore_mask(void);

/* On the way to user mode: take what is pending.  May end the thread. */
void signal_deliver(struct trapframe *tf);

/*
 * t leaves its process, whose lock is held: it is in p->threads no more, n_threads does not count
 * it.  What it was to take is another's now.  True: the others have all stopped, and the caller
 * calls process_report_stop() with CLD_STOPPED when the lock is dropped.
 */
bool signal_thread_leaves(struct task *t);

/* How a system call that was interrupted goes on if no handler of the program runs. */
enum syscall_restart {
	RESTART_NONE,
	RESTART_SA,      /* again; with a handler: again if SA_RESTART, else -EINTR */
	RESTART_ALWAYS,  /* again, with a handler too */
	RESTART_SILENTLY /* again; with a handler: -EINTR */
};
/* Note it for the running thread; returns -EINTR, for the handler to return. */
long syscall_restart(enum syscall_restart how);
/* The same for a call with a deadline, which holds for the next time it is made, too. */
long syscall_restart_until(enum syscall_restart how, uint64_t deadline_ns);

/* "SIGSEGV", or "SIGRT"; lives for ever. */
const char *signal_name(int sig);
