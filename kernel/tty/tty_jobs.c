// SPDX-License-Identifier: MIT
/*
 * Terminals and sessions: who may use a terminal now, whose it is, and what a hang-up does.
 *
 * tty->session and pid->tty point at each other, under tree_lock, and hold numbers, not processes.
 * Who was in front when the line went is remembered with the session: those get their SIGHUP when
 * the leader ends, unless it has taken another terminal since.
 */
#include "tty.h"

#include <abi/errno.h>
#include <kernel/process.h>
#include <kernel/uaccess.h>

static void signal_group(struct pid *group, int sig)
{
	siginfo_t info = signal_info(sig, SI_KERNEL);

	if (group)
		signal_send_group(group, &info);
}

void tty_signal_foreground(struct tty *tty, int sig)
{
	spin_lock(&tree_lock);
	signal_group(tty->foreground, sig);
	spin_unlock(&tree_lock);
}

struct tty *tty_controlling(const struct process *p)
{
	return p->session && !p->no_tty ? p->session->tty : NULL;
}

/* --- Who may use it now ----------------------------------------------------------------------- */

static bool ignores_or_blocks(struct process *p, int sig)
{
	bool ignores;

	spin_lock(&p->lock);
	ignores = signal_action(p->actions, sig).sa_handler == SIG_IGN ||
		  (task_current()->mask & SIGNAL_BIT(sig));
	spin_unlock(&p->lock);
	return ignores;
}

/* Is the terminal its own, and another group in front?  tree_lock held. */
static bool in_background(struct tty *tty, struct process *p)
{
	return tty_controlling(p) == tty && tty->foreground && tty->foreground != p->group;
}

int tty_check_foreground(struct tty *tty, int sig)
{
	struct process *p = process_current();
	siginfo_t info = signal_info(sig, SI_KERNEL);
	bool ignored = ignores_or_blocks(p, sig);
	int err = 0;

	spin_lock(&tree_lock);
	if (in_background(tty, p)) {
		if (ignored)
			err = sig == SIGTTIN ? -EIO : 0;
		else if (group_is_orphaned(p->group))
			err = -EIO;
		else
			err = signal_send_group(p->group, &info) ? -EINTR : -EIO;
	}
	spin_unlock(&tree_lock);
	return err;
}

/* --- Whose it is ------------------------------------------------------------------------------ */

/* tree_lock held. */
static void set_foreground(struct tty *tty, struct pid *group)
{
	struct pid *old = tty->foreground;

	if (group)
		pid_ref(group);
	tty->foreground = group;
	if (old)
		pid_unref(old);
}

/* tree_lock held: it is nobody's controlling terminal any more. */
static void let_go(struct tty *tty)
{
	struct pid *session = tty->session;

	set_foreground(tty, NULL);
	tty->session = NULL;
	if (session) {
		session->tty = NULL;
		pid_unref(session);
	}
}

/* tree_lock held: who was in front of the session's last terminal waits for no SIGHUP any more. */
static void forget_who_was_in_front(struct pid *session)
{
	if (session->was_in_front)
		pid_unref(session->was_in_front);
	session->was_in_front = NULL;
}

/* tree_lock held; the line is there. */
static void take(struct tty *tty, struct process *p)
{
	let_go(tty);
	forget_who_was_in_front(p->session);
	pid_ref(p->session);
	tty->session = p->session;
	p->session->tty = tty;
	p->no_tty = false;
	set_foreground(tty, p->group);
}

void tty_offer(struct tty *tty)
{
	struct process *p = process_current();

	spin_lock(&tree_lock);
	if (p->session == p->pid && !p->session->tty && !tty->session && !tty->line_gone)
		take(tty, p);
	spin_unlock(&tree_lock);
}

/* `steal` from another session: root only. */
int tty_become_controlling(struct tty *tty, bool steal)
{
	struct process *p = process_current();
	int err = 0;

	spin_lock(&tree_lock);
	if (tty->line_gone)
		err = -EIO;
	else if (p->session == p->pid && tty->session == p->session)
		err = 0; /* it is already */
	else if (p->session != p->pid || p->session->tty)
		err = -EPERM;
	else if (tty->session && !(steal && process_is_privileged(p)))
		err = -EPERM;
	else
		take(tty, p);
	spin_unlock(&tree_lock);
	return err;
}

/* --- Hang-up ---------------------------------------------------------------------------------- */

/* When the leader gives it up, the session has none, and those in front hear of it. */
int tty_give_up_controlling(struct tty *tty)
{
	struct process *p = process_current();
	int err = 0;

	spin_lock(&tree_lock);
	if (tty_controlling(p) != tty) {
		err = -ENOTTY;
	} else if (p->session == p->pid) {
		signal_group(tty->foreground, SIGHUP);
		signal_group(tty->foreground, SIGCONT);
		let_go(tty);
	} else {
		p->no_tty = true;
	}
	spin_unlock(&tree_lock);
	return err;
}

/* tree_lock held; the session's terminal is gone already. */
static void hang_up_those_left(struct pid *session)
{
	signal_group(session->was_in_front, SIGHUP);
	signal_group(session->was_in_front, SIGCONT);
	forget_who_was_in_front(session);
}

/* Its session is changed by its own threads only, of which none is left but this one. */
void tty_session_leader_exits(struct process *p)
{
	struct pid *session = p->session;

	if (session != p->pid)
		return;
	spin_lock(&tree_lock);
	if (session->tty) {
		signal_group(session->tty->foreground, SIGHUP);
		let_go(session->tty);
	} else {
		hang_up_those_left(session);
	}
	spin_unlock(&tree_lock);
}

/* tree_lock held.  Who is in front stays known: see hang_up_those_left(). */
static void hang_up_session(struct tty *tty)
{
	struct pid *session = tty->session;
	siginfo_t hup = signal_info(SIGHUP, SI_KERNEL), cont = signal_info(SIGCONT, SI_KERNEL);

	if (session->process) {
		(void)signal_send_process(session->process, &hup);
		(void)signal_send_process(session->process, &cont);
		if (tty->foreground && session->process->state == PROCESS_ALIVE) {
			session->was_in_front = tty->foreground;
			pid_ref(tty->foreground);
		}
	}
	let_go(tty);
}

void tty_hang_up(struct tty *tty)
{
	spin_lock(&tree_lock);
	if (tty->session)
		hang_up_session(tty);
	spin_lock(&tty->lock);
	tty->line_gone = true;
	spin_unlock(&tty->lock);
	spin_unlock(&tree_lock);
	waitq_wake_all(&tty->readable);
	waitq_wake_all(&tty->writable);
	waitq_wake_all(&tty->turn);
}

/* --- Numbers ---------------------------------------------------------------------------------- */

int tty_get_number(struct tty *tty, bool session, bool any, uintptr_t arg)
{
	pid_t nr = 0;
	bool known;

	spin_lock(&tree_lock);
	known = any || tty_controlling(process_current()) == tty;
	if (known && session)
		known = tty->session;
	if (known && session)
		nr = tty->session->nr;
	else if (known && tty->foreground)
		nr = tty->foreground->nr;
	spin_unlock(&tree_lock);
	return known ? put_user(uaddr(arg), &nr) : -ENOTTY;
}

/* tree_lock held. */
static int set_foreground_number(struct tty *tty, pid_t nr)
{
	struct pid *session = process_current()->session, *group;

	if (tty_controlling(process_current()) != tty)
		return -ENOTTY;
	if (nr < 0)
		return -EINVAL;
	group = pid_find(nr);
	if (!group || list_empty(&group->group))
		return -ESRCH;
	if (list_entry(group->group.next, struct process, group_link)->session != session)
		return -EPERM;
	set_foreground(tty, group);
	return 0;
}

int tty_set_foreground(struct tty *tty, uintptr_t arg)
{
	int err = tty_check_foreground(tty, SIGTTOU);
	pid_t nr;

	if (err)
		return err == -EIO ? -ENOTTY : err;
	err = get_user(&nr, uaddr(arg));
	if (err)
		return err;
	spin_lock(&tree_lock);
	err = set_foreground_number(tty, nr);
	spin_unlock(&tree_lock);
	return err;
}

uint64_t tty_of_process(struct process *p, pid_t *foreground)
{
	struct tty *tty = tty_controlling(p);

	spin_assert_held(&tree_lock);
	*foreground = tty && tty->foreground ? tty->foreground->nr : -1;
	return tty ? tty->dev : 0;
}
