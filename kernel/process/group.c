// SPDX-License-Identifier: MIT
/*
 * Process groups and sessions: job control's bookkeeping.
 *
 * A group or session is a struct pid with members; it lives while somebody has its number.  A
 * group is orphaned when no member has a parent in another group of the same session: then nobody
 * is left who could continue its stopped processes.
 */
#include <abi/errno.h>
#include <kernel/process.h>
#include <kernel/process_impl.h>

#define member_of(node) list_entry(node, struct process, group_link)

static bool keeps_group_alive(struct process *p, struct pid *group)
{
	struct process *parent = p->parent;

	return p->state == PROCESS_ALIVE && parent && parent != init_process &&
	       parent->state == PROCESS_ALIVE && parent->group != group &&
	       parent->session == p->session;
}

bool group_is_orphaned(struct pid *group)
{
	spin_assert_held(&tree_lock);
	list_for_each (node, &group->group)
		if (keeps_group_alive(member_of(node), group))
			return false;
	return true;
}

unsigned signal_send_group(struct pid *group, const siginfo_t *info)
{
	unsigned n = 0;

	spin_assert_held(&tree_lock);
	list_for_each (node, &group->group) {
		(void)signal_send_process(member_of(node), info);
		n++;
	}
	return n;
}

static bool has_stopped_member(struct pid *group)
{
	list_for_each (node, &group->group)
		if (__atomic_load_n(&member_of(node)->stopped, __ATOMIC_RELAXED))
			return true;
	return false;
}

/*
 * POSIX: a stopped group that becomes orphaned by the end of a process gets SIGHUP, then SIGCONT.
 * One that somebody leaves for another group does not.
 */
static void hang_up_if_orphaned(struct pid *group)
{
	siginfo_t hup = signal_info(SIGHUP, SI_KERNEL), cont = signal_info(SIGCONT, SI_KERNEL);

	if (!has_stopped_member(group) || !group_is_orphaned(group))
		return;
	signal_send_group(group, &hup);
	signal_send_group(group, &cont);
}

/* Did p keep the group of one of its children from being an orphan? */
static bool is_link(struct process *p, struct process *child)
{
	return child->group != p->group && child->session == p->session;
}

void group_left_by(struct process *p)
{
	spin_assert_held(&tree_lock);
	p->state = PROCESS_ZOMBIE;
	list_for_each (node, &p->children) {
		struct process *child = list_entry(node, struct process, sibling);
		if (is_link(p, child))
			hang_up_if_orphaned(child->group);
	}
	if (p->parent && p->parent != init_process && is_link(p->parent, p))
		hang_up_if_orphaned(p->group);
}

static void move_to_group(struct process *p, struct pid *group)
{
	struct pid *old = p->group;

	pid_ref(group);
	list_remove(&p->group_link);
	list_push_back(&group->group, &p->group_link);
	p->group = group;
	pid_unref(old);
}

/* tree_lock held: may the running process set the group of p? */
static int may_set_group(struct process *p)
{
	struct process *self = process_current();

	if (!p || p->state != PROCESS_ALIVE || (p != self && p->parent != self))
		return -ESRCH;
	if (p->session != self->session)
		return -EPERM;
	if (p != self && p->execs)
		return -EACCES;
	return p->session == p->pid ? -EPERM : 0;
}

static int set_group_locked(pid_t pid, pid_t group_nr)
{
	struct pid *who = pid ? pid_find(pid) : process_current()->pid;
	struct process *p = who ? who->process : NULL;
	int err = who && !p && who->thread ? -EINVAL : may_set_group(p);

	if (err)
		return err;
	struct pid *group = group_nr ? pid_find(group_nr) : p->pid;
	if (!group)
		return -EPERM;
	if (group != p->pid) {
		if (list_empty(&group->group) ||
			member_of(group->group.next)->session != p->session)
			return -EPERM;
	}
	if (group != p->group)
		move_to_group(p, group);
	return 0;
}

int process_set_group(pid_t pid, pid_t group)
{
	if (group < 0)
		return -EINVAL;
	spin_lock(&tree_lock);
	int err = set_group_locked(pid, group);
	spin_unlock(&tree_lock);
	return err;
}

long process_new_session(void)
{
	struct process *p = process_current();
	long result = -EPERM;

	spin_lock(&tree_lock);
	if (list_empty(&p->pid->group)) {
		struct pid *old = p->session;
		move_to_group(p, p->pid);
		pid_ref(p->pid);
		list_remove(&p->session_link);
		list_push_back(&p->pid->session, &p->session_link);
		p->session = p->pid;
		p->no_tty = false;
		pid_unref(old);
		result = p->nr;
	}
	spin_unlock(&tree_lock);
	return result;
}
