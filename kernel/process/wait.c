// SPDX-License-Identifier: MIT
/*
 * Waiting for children: zombies, stops and continues.
 *
 * A child that changes state wakes its parent's child_wait under tree_lock; the parent looks at all
 * children it may wait for under the same lock.  Zombies stand first among the children, so that
 * the common wait looks at one.
 */
#include <abi/errno.h>
#include <abi/wait.h>
#include <kernel/process.h>
#include <kernel/process_impl.h>
#include <kernel/vmspace.h>

void process_reap(struct process *p)
{
	spin_assert_held(&tree_lock);
	p->state = PROCESS_REAPED;
	list_remove(&p->sibling);
	list_remove(&p->group_link);
	list_remove(&p->session_link);
	pid_unref(p->group);
	pid_unref(p->session);
	p->pid->process = NULL;
	pid_unref(p->pid);
}

void process_times(struct process *p, struct cpu_times *times)
{
	spin_lock(&p->lock);
	*times = p->dead_threads;
	list_for_each (node, &p->threads) {
		struct thread *t = list_entry(node, struct task, link)->thread;
		times->run_ns += thread_run_ns(t);
		times->switches += t->switches;
	}
	struct vmspace *vm = process_vm_get(p);
	spin_unlock(&p->lock);

	if (vm) {
		vmspace_count_faults(vm, p, times);
		vmspace_put(vm);
	}
}

static void times_add(struct cpu_times *to, const struct cpu_times *from)
{
	to->run_ns += from->run_ns;
	to->minor_faults += from->minor_faults;
	to->major_faults += from->major_faults;
	to->switches += from->switches;
}

/* Is the child one that wait4(which) means? */
static bool matches(struct process *child, pid_t which, struct process *parent)
{
	if (which > 0)
		return child->nr == which;
	if (which == -1)
		return true;
	return child->group->nr == (which == 0 ? parent->group->nr : -which);
}

/* A zombie: its status and times, which become the parent's children's. */
static struct process *collect_zombie(
	struct process *parent, struct process *child, int *status, struct cpu_times *times)
{
	*status = child->exit_status;
	*times = child->dead_threads;
	times_add(times, &child->dead_children);
	times_add(&parent->dead_children, times);
	process_reap(child);
	return child;
}

/* A stop or a continue that was not reported yet. */
static bool collect_stop(struct process *child, unsigned options, int *status)
{
	bool found = true;

	spin_lock(&child->lock);
	if ((options & WUNTRACED) && child->stopped && child->stop_unreported) {
		child->stop_unreported = false;
		*status = child->stop_signal << 8 | 0x7f;
	} else if ((options & WCONTINUED) && child->continue_unreported) {
		child->continue_unreported = false;
		*status = 0xffff;
	} else {
		found = false;
	}
	spin_unlock(&child->lock);
	return found;
}

/*
 * Look at the children once.  The pid, 0 when none has changed, -ECHILD.  *reaped: the tree's
 * reference to drop.
 */
static long collect(struct process *parent, pid_t which, unsigned options, int *status,
	struct cpu_times *times, struct process **reaped)
{
	bool any = false;

	list_for_each (node, &parent->children) {
		struct process *child = list_entry(node, struct process, sibling);
		pid_t pid = child->nr;
		if (!matches(child, which, parent))
			continue;
		any = true;
		if (child->state == PROCESS_ZOMBIE) {
			*reaped = collect_zombie(parent, child, status, times);
			return pid;
		}
		if (collect_stop(child, options, status))
			return pid;
	}
	return any ? 0 : -ECHILD;
}

long process_wait(pid_t which, unsigned options, int *status, struct cpu_times *times)
{
	struct process *parent = process_current(), *reaped = NULL;
	long result;

	*times = (struct cpu_times){0};
	spin_lock(&tree_lock);
	for (;;) {
		result = collect(parent, which, options, status, times, &reaped);
		if (result || (options & WNOHANG))
			break;
		result = waitq_sleep(
			&parent->child_wait, &tree_lock, SLEEP_INTERRUPTIBLE, NO_DEADLINE);
		if (result)
			break;
	}
	spin_unlock(&tree_lock);
	if (reaped)
		process_unref(reaped);
	return result;
}

/* tree_lock held. */
static void report_stop_locked(struct process *p, int code)
{
	siginfo_t info = signal_info(SIGCHLD, code);
	bool wanted = true;

	info.si_pid = p->nr;
	info.si_uid = p->cred.uid;
	info.si_status = code == CLD_STOPPED ? p->stop_signal : SIGCONT;
	spin_lock(&p->parent->lock);
	if (p->parent->actions)
		wanted = !(p->parent->actions->action[SIGCHLD].sa_flags & SA_NOCLDSTOP);
	spin_unlock(&p->parent->lock);
	if (wanted)
		(void)signal_send_process(p->parent, &info);
	waitq_wake_all(&p->parent->child_wait);
}

void process_report_stop(struct process *p, int code)
{
	spin_lock(&tree_lock);
	if (p->parent)
		report_stop_locked(p, code);
	spin_unlock(&tree_lock);
}
