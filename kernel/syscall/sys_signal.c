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

static void get_action(struct process *p, unsigned sig, struct sigaction *old)
{
	spin_lock(&p->actions->lock);
	*old = p->actions->action[sig];
	spin_unlock(&p->actions->lock);
}

/* A signal that is ignored from now on, but was sent before, is forgotten.  *old unless it is NULL. */
static void change_action(
	struct process *p, unsigned sig, const struct sigaction *action, struct sigaction *old)
{
	struct signal_actions *actions = p->actions;

	spin_lock(&p->lock);
	spin_lock(&actions->lock);
	if (old)
		*old = actions->action[sig];
	actions->action[sig] = *action;
	spin_unlock(&actions->lock);
	if (signal_is_ignored(p, (int)sig))
		signal_flush(p, SIGNAL_BIT(sig));
	spin_unlock(&p->lock);
}

long sys_rt_sigaction(long sig_argument, uaddr_t from, uaddr_t old_to, size_t set_bytes)
{
	struct process *p = process_current();
	unsigned sig = (unsigned)sig_argument;
	struct sigaction action, old;

	if (set_bytes != sizeof(sigset_t) || sig < 1 || sig >= NSIG)
		return -EINVAL;
	if (!uaddr_is_null(from)) {
		if (SIGNAL_BIT(sig) & SIGNALS_FORCED)
			return -EINVAL;
		if (get_user(&action, from))
			return -EFAULT;
		/* By what is left programs can tell what is known. */
		action.sa_flags &= SIGACTION_FLAGS;
		action.sa_mask.bits &= ~SIGNALS_FORCED;
	}
	if (uaddr_is_null(from))
		get_action(p, sig, &old);
	else
		change_action(p, sig, &action, uaddr_is_null(old_to) ? NULL : &old);
	return uaddr_is_null(old_to) ? 0 : put_user(old_to, &old);
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
