// SPDX-License-Identifier: MIT
/*
 * System calls on signals.
 */
#include <abi/errno.h>
#include <kernel/process.h>
#include <kernel/sigframe.h>
#include <kernel/syscall.h>

/* --- Sending --------------------------------------------------------------------------------- */

/* tree_lock held.  Signal 0 only asks. */
static int send_checked(struct process *p, const siginfo_t *info)
{
	int err = signal_may_send(p, info->si_signo);

	return !err && info->si_signo ? signal_send_process(p, info) : err;
}

long signal_kill_process(pid_t nr, const siginfo_t *info)
{
	long result = -ESRCH;

	spin_lock(&tree_lock);
	struct pid *pid = pid_find(nr);
	if (pid && (pid->process || pid->thread))
		result = send_checked(pid->process ? pid->process : pid->thread->process, info);
	spin_unlock(&tree_lock);
	return result;
}

/* The first success counts, else the last error. */
static void note(long *result, int err)
{
	if (*result)
		*result = err;
}

static long kill_group(pid_t nr, const siginfo_t *info)
{
	struct pid *group = nr ? pid_find(nr) : process_current()->group;
	long result = -ESRCH;

	if (group)
		list_for_each (node, &group->group)
			note(&result,
				send_checked(list_entry(node, struct process, group_link), info));
	return result;
}

struct kill_all {
	const siginfo_t *info;
	long result;
};

/* Who may not be sent it does not count: with nobody else the call is a success, as on Linux. */
static void kill_each(struct process *p, void *arg)
{
	struct kill_all *all = arg;

	if (p == process_current() || p == init_process)
		return;
	int err = send_checked(p, all->info);
	if (err != -EPERM || all->result == -ESRCH)
		all->result = err == -EPERM ? 0 : err;
}

static long kill_all(const siginfo_t *info)
{
	struct kill_all all = {.info = info, .result = -ESRCH};

	process_for_each(kill_each, &all);
	return all.result;
}

long sys_kill(long pid_argument, long sig)
{
	pid_t pid = (pid_t)pid_argument;
	siginfo_t info;
	long result;

	signal_info_init_sender(&info, (int)sig, SI_USER);
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid > 0)
		return signal_kill_process(pid, &info);
	spin_lock(&tree_lock);
	result = pid == -1 ? kill_all(&info) : kill_group(-pid, &info);
	spin_unlock(&tree_lock);
	return result;
}

/* group 0: any.  tree_lock held. */
static long kill_thread_locked(pid_t group, pid_t tid, const siginfo_t *info)
{
	struct pid *pid = pid_find(tid);
	struct task *t = pid ? pid->thread : NULL;

	if (!t || (group && t->process->nr != group))
		return -ESRCH;
	int err = signal_may_send(t->process, info->si_signo);
	return !err && info->si_signo ? signal_send_thread(t, info) : err;
}

long signal_kill_thread(pid_t group, pid_t tid, const siginfo_t *info)
{
	if (tid <= 0 || group < 0)
		return -EINVAL;
	spin_lock(&tree_lock);
	long result = kill_thread_locked(group, tid, info);
	spin_unlock(&tree_lock);
	return result;
}

long sys_tkill(long tid, long sig)
{
	siginfo_t info;

	signal_info_init_sender(&info, (int)sig, SI_TKILL);
	return signal_kill_thread(0, (pid_t)tid, &info);
}

long sys_tgkill(long group, long tid, long sig)
{
	siginfo_t info;

	signal_info_init_sender(&info, (int)sig, SI_TKILL);
	return (pid_t)group <= 0 ? -EINVAL : signal_kill_thread((pid_t)group, (pid_t)tid, &info);
}

/* --- Actions and masks ----------------------------------------------------------------------- */

#define SIGACTION_FLAGS                                                                           \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_ONSTACK | SA_RESTART | \
		SA_NODEFER | SA_RESETHAND)

/* What is asked for, as far as it is known: by what is left programs can tell what is. */
static struct sigaction known_action(const struct sigaction *asked)
{
	return (struct sigaction){
		.sa_handler = asked->sa_handler,
		.sa_flags = asked->sa_flags & SIGACTION_FLAGS,
		.sa_mask.bits = asked->sa_mask.bits & ~SIGNALS_FORCED,
	};
}

/*
 * A signal that is ignored from now on, but was sent before, is forgotten.
 * *old unless it is NULL.
 */
static inline __attribute__((always_inline)) void change_action(
	int sig, struct sigaction action, struct sigaction *old)
{
	struct process *p = process_current();
	struct signal_actions *actions = p->actions;
	uint64_t forgotten = 0;
	bool shared;

	spin_lock(&p->lock);
	shared = signal_actions_lock(actions);
	if (old)
		*old = signal_action_locked(actions, sig);
	actions->action[sig] = action;
	actions->own |= SIGNAL_BIT(sig);
	signal_actions_unlock(actions, shared);
	if (signal_is_ignored(p, sig, &action))
		forgotten = process_pending_signals(p) & SIGNAL_BIT(sig);
	if (forgotten)
		signal_flush(p, forgotten);
	spin_unlock(&p->lock);
}

static bool is_signal(int sig)
{
	return sig >= 1 && sig < NSIG;
}

static bool can_be_set(int sig)
{
	return is_signal(sig) && sig != SIGKILL && sig != SIGSTOP;
}

static int set_action(int sig, uaddr_t from)
{
	struct sigaction asked;

	if (get_user(&asked, from))
		return -EFAULT;
	change_action(sig, known_action(&asked), NULL);
	return 0;
}

/* With its errors: that the memory is missing comes first. */
static __attribute__((noinline)) int exchange_action(int sig, uaddr_t from, uaddr_t old_to)
{
	struct sigaction asked, old;

	if (get_user(&asked, from))
		return -EFAULT;
	if (!can_be_set(sig))
		return -EINVAL;
	change_action(sig, known_action(&asked), &old);
	return put_user(old_to, &old);
}

static __attribute__((noinline)) int tell_action(int sig, uaddr_t to)
{
	struct process *p = process_current();

	if (!is_signal(sig))
		return -EINVAL;
	if (uaddr_is_null(to))
		return 0;
	spin_lock(&p->lock);
	struct sigaction action = signal_action(p->actions, sig);
	spin_unlock(&p->lock);
	return put_user(to, &action);
}

long sys_rt_sigaction(long sig_argument, uaddr_t from, uaddr_t old_to, size_t set_bytes)
{
	int sig = (int)sig_argument;

	if (set_bytes != sizeof(sigset_t))
		return -EINVAL;
	if (uaddr_is_null(from))
		return tell_action(sig, old_to);
	if (uaddr_is_null(old_to) && can_be_set(sig))
		return set_action(sig, from);
	return exchange_action(sig, from, old_to);
}

long sys_rt_sigprocmask(long how, uaddr_t from, uaddr_t old_to, size_t set_bytes)
{
	uint64_t old = task_current()->mask, set;

	if (set_bytes != sizeof(sigset_t))
		return -EINVAL;
	if (!uaddr_is_null(from)) {
		if (get_user(&set, from))
			return -EFAULT;
		if ((int)how == SIG_BLOCK)
			set |= old;
		else if ((int)how == SIG_UNBLOCK)
			set = old & ~set;
		else if ((int)how != SIG_SETMASK)
			return -EINVAL;
		signal_set_mask(set);
	}
	return uaddr_is_null(old_to) ? 0 : put_user(old_to, &old);
}

long sys_rt_sigpending(uaddr_t to, size_t set_bytes)
{
	struct task *t = task_current();
	uint64_t set;

	if (set_bytes > sizeof set)
		return -EINVAL;
	spin_lock(&t->process->lock);
	set = (t->signals.set | t->process->signals.set) & t->mask;
	spin_unlock(&t->process->lock);
	return copy_out(to, &set, set_bytes);
}

long sys_rt_sigsuspend(uaddr_t from, size_t set_bytes)
{
	uint64_t mask;

	if (set_bytes != sizeof mask)
		return -EINVAL;
	if (get_user(&mask, from))
		return -EFAULT;
	signal_set_mask_temporarily(mask);
	(void)thread_sleep_until(NO_DEADLINE, SLEEP_INTERRUPTIBLE);
	return syscall_restart(RESTART_SILENTLY);
}

long sys_rt_sigreturn(void)
{
	struct trapframe *tf = user_frame();

	if (sigframe_pop(tf))
		signal_force(SIGSEGV, tf);
	return trapframe_result(tf); /* that of the moment the frame was made */
}

/* --- The alternate stack ---------------------------------------------------------------------- */

long sys_sigaltstack(uaddr_t from, uaddr_t old_to)
{
	vaddr_t sp = trapframe_sp(user_frame());
	stack_t set, old;

	altstack_get(sp, &old);
	if (!uaddr_is_null(from)) {
		if (get_user(&set, from))
			return -EFAULT;
		int err = altstack_set(&set, sp);
		if (err)
			return err;
	}
	return uaddr_is_null(old_to) ? 0 : put_user(old_to, &old);
}
