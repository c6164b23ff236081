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
	process_uncount_thread(p); /* no lock: it has no thread that could change its user */
	list_remove(&p->sibling);
	list_remove(&p->group_link);
	list_remove(&p->session_link);
	pid_unref(p->group);
	pid_unref(p->session);
	p->pid->process = NULL;
	pid_unref(p->pid);
}

/* Is the child one that is meant? */
static bool matches(struct process *child, const struct wait_request *req, struct process *parent)
{
	bool other_signal = child->exit_signal != SIGCHLD;

	if (!(req->options & __WALL) && other_signal != !!(req->options & __WCLONE))
		return false;
	switch (req->which) {
	case P_PID:
		return child->nr == req->nr;
	case P_PGID:
		return child->group->nr == (req->nr ? req->nr : parent->group->nr);
	default:
		return true;
	}
}

/* A zombie: its status and times; unless it is only looked at, the times become the parent's. */
static void collect_zombie(
	struct process *parent, struct process *child, bool reap, struct wait_report *report)
{
	report->status = child->exit_status;
	process_times(child, &report->times);
	cpu_times_add(&report->times, &child->dead_children);
	if (reap) {
		cpu_times_add(&parent->dead_children, &report->times);
		process_reap(child);
	}
}

/* A stop or a continue that was not reported yet. */
static bool collect_stop(struct process *child, unsigned options, struct wait_report *report)
{
	bool found = true, keep = options & WNOWAIT;

	spin_lock(&child->lock);
	if ((options & WSTOPPED) && child->stopped && child->stop_unreported) {
		child->stop_unreported = keep;
		report->status = child->stop_signal << 8 | 0x7f;
	} else if ((options & WCONTINUED) && child->continue_unreported) {
		child->continue_unreported = keep;
		report->status = 0xffff;
	} else {
		found = false;
	}
	spin_unlock(&child->lock);
	return found;
}

/*
 * Look at the children once.  The one to report, with a reference; NULL, and *err says whether
 * there is none at all (-ECHILD).
 */
static struct process *collect(struct process *parent, const struct wait_request *req,
	struct wait_report *report, int *err)
{
	bool reap = !(req->options & WNOWAIT);

	*err = -ECHILD;
	list_for_each (node, &parent->children) {
		struct process *child = list_entry(node, struct process, sibling);
		if (!matches(child, req, parent))
			continue;
		report->pid = child->nr;
		report->uid = child->cred.uid;
		if (child->state == PROCESS_ZOMBIE) {
			if (!(req->options & WEXITED))
				continue;
			collect_zombie(parent, child, reap, report);
			if (!reap)
				process_ref(child);
			return child; /* with the tree's reference, if it was reaped */
		}
		*err = 0;
		if (collect_stop(child, req->options, report)) {
			process_ref(child);
			return child;
		}
	}
	return NULL;
}

long process_wait(const struct wait_request *req, struct wait_report *report)
{
	struct process *parent = process_current(), *child;
	int err, slept = 0;

	spin_lock(&tree_lock);
	for (;;) {
		child = collect(parent, req, report, &err);
		if (!err)
			err = slept; /* a child's end that came with a signal counts first */
		if (child || err || (req->options & WNOHANG))
			break;
		slept = waitq_sleep(
			&parent->child_wait, &tree_lock, SLEEP_INTERRUPTIBLE, NO_DEADLINE);
	}
	spin_unlock(&tree_lock);
	if (!child)
		return err;
	if (WIFSTOPPED(report->status) || WIFCONTINUED(report->status))
		process_times(child, &report->times);
	process_unref(child);
	return report->pid;
}

/* tree_lock held. */
static void report_stop_locked(struct process *p, int code)
{
	siginfo_t info = signal_info(SIGCHLD, code);
	bool wanted = false;

	info.si_pid = p->nr;
	info.si_uid = p->cred.uid;
	info.si_status = code == CLD_STOPPED ? p->stop_signal : SIGCONT;
	spin_lock(&p->parent->lock);
	if (p->parent->actions) {
		struct sigaction a = signal_action(p->parent->actions, SIGCHLD);
		wanted = a.sa_handler != SIG_IGN && !(a.sa_flags & SA_NOCLDSTOP);
	}
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
