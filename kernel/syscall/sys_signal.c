// SPDX-License-Identifier: MIT
/*
 * System calls on signals.
 */
#include <abi/errno.h>
#include <kernel/process.h>
#include <kernel/sigframe.h>
#include <kernel/syscall.h>

/* --- Sending --------------------------------------------------------------------------------- */

static siginfo_t info_of_sender(int sig, int code)
{
	siginfo_t info = signal_info(sig, code);

	info.si_pid = process_current()->nr;
	info.si_uid = process_current()->cred.uid;
	return info;
}

/* tree_lock held.  Signal 0 only asks. */
static int send_checked(struct process *p, const siginfo_t *info)
{
	const struct credentials *self = &process_current()->cred;
	bool allowed = self->euid == 0 || self->euid == p->cred.suid || self->euid == p->cred.uid ||
		       self->uid == p->cred.suid || self->uid == p->cred.uid ||
		       (info->si_signo == SIGCONT && p->session == process_current()->session);

	if (!allowed)
		return -EPERM;
	return info->si_signo ? signal_send_process(p, info) : 0;
}

static long kill_one(pid_t nr, const siginfo_t *info)
{
	struct pid *pid = pid_find(nr);

	return pid && pid->process ? send_checked(pid->process, info) : -ESRCH;
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

static void kill_each(struct process *p, void *arg)
{
	struct kill_all *all = arg;

	if (p != process_current() && p != init_process)
		note(&all->result, send_checked(p, all->info));
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
	siginfo_t info = info_of_sender((int)sig, SI_USER);
	long result;

	if ((unsigned)sig >= NSIG)
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	spin_lock(&tree_lock);
	if (pid > 0)
		result = kill_one(pid, &info);
	else if (pid == -1)
		result = kill_all(&info);
	else
		result = kill_group(-pid, &info);
	spin_unlock(&tree_lock);
	return result;
}

/* group 0: any. */
static long kill_thread(pid_t group, pid_t tid, int sig)
{
	siginfo_t info = info_of_sender(sig, SI_TKILL);
	long result = -ESRCH;

	if (tid <= 0 || group < 0 || (unsigned)sig >= NSIG)
		return -EINVAL;
	spin_lock(&tree_lock);
	struct pid *pid = pid_find(tid);
	struct task *t = pid ? pid->thread : NULL;
	if (t && (!group || t->process->nr == group)) {
		result = send_checked(t->process, &(siginfo_t){0});
		if (!result && sig)
			result = signal_send_thread(t, &info);
	}
	spin_unlock(&tree_lock);
	return result;
}

long sys_tkill(long tid, long sig)
{
	return kill_thread(0, (pid_t)tid, (int)sig);
}

long sys_tgkill(long group, long tid, long sig)
{
	return (pid_t)group <= 0 ? -EINVAL : kill_thread((pid_t)group, (pid_t)tid, (int)sig);
}

/* --- Actions and masks ----------------------------------------------------------------------- */

/* A signal that is ignored from now on, but was sent before, is forgotten. */
static void set_action(struct process *p, int sig, const struct sigaction *action)
{
	struct signal_actions *actions = p->actions;

	spin_lock(&p->lock);
	spin_lock(&actions->lock);
	actions->action[sig] = *action;
	actions->action[sig].sa_mask.bits &= ~SIGNALS_FORCED;
	spin_unlock(&actions->lock);
	if (signal_is_ignored(p, sig)) {
		signal_queue_flush(&p->signals, SIGNAL_BIT(sig));
		signal_queue_flush(&task_current()->signals, SIGNAL_BIT(sig));
	}
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
	}
	spin_lock(&p->actions->lock);
	old = p->actions->action[sig];
	spin_unlock(&p->actions->lock);
	if (!uaddr_is_null(from))
		set_action(p, (int)sig, &action);
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
	struct task *t = task_current();
	bool on_it = sigframe_on_altstack(trapframe_sp(user_frame()));
	stack_t set, old = t->altstack;

	old.ss_flags = !old.ss_size ? SS_DISABLE : on_it ? SS_ONSTACK : 0;
	if (!uaddr_is_null(from)) {
		if (get_user(&set, from))
			return -EFAULT;
		if (on_it)
			return -EPERM;
		if (set.ss_flags & ~(SS_DISABLE | SS_ONSTACK))
			return -EINVAL;
		if (set.ss_flags & SS_DISABLE)
			set = (stack_t){0};
		else if (set.ss_size < MINSIGSTKSZ)
			return -ENOMEM;
		t->altstack = set;
	}
	return uaddr_is_null(old_to) ? 0 : put_user(old_to, &old);
}
