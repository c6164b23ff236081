// SPDX-License-Identifier: MIT
/*
 * Terminals: settings, and job control.
 *
 * A session may have a controlling terminal, a terminal at most one session: tty->session and
 * pid->tty point at each other, under tree_lock, and hold numbers, not processes.  The foreground
 * group is the one that the keyboard's signals go to; others that read are stopped.
 */
#include "tty.h"

#include <abi/errno.h>
#include <kernel/process.h>
#include <kernel/uaccess.h>

/* --- Job control
 * ---------------------------------------------------------------------------------- */

void tty_signal_foreground(struct tty *tty, int sig)
{
	siginfo_t info = signal_info(sig, SI_KERNEL);

	spin_lock(&tree_lock);
	if (tty->foreground)
		signal_send_group(tty->foreground, &info);
	spin_unlock(&tree_lock);
}

static bool ignores_or_blocks(struct process *p, int sig)
{
	bool ignores;

	spin_lock(&p->lock);
	ignores = p->actions->action[sig].sa_handler == SIG_IGN ||
		  (task_current()->mask & SIGNAL_BIT(sig));
	spin_unlock(&p->lock);
	return ignores;
}

/* Is the terminal its own, and another group in front?  tree_lock held. */
static bool in_background(struct tty *tty, struct process *p)
{
	return tty->session && tty->session == p->session && tty->foreground &&
	       tty->foreground != p->group;
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

/* tree_lock held. */
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

/* tree_lock held: SIGHUP and SIGCONT to those in front. */
static void hang_up(struct tty *tty)
{
	siginfo_t hup = signal_info(SIGHUP, SI_KERNEL), cont = signal_info(SIGCONT, SI_KERNEL);

	if (tty->foreground) {
		signal_send_group(tty->foreground, &hup);
		signal_send_group(tty->foreground, &cont);
	}
	let_go(tty);
}

void tty_session_leader_exits(struct process *p)
{
	spin_lock(&tree_lock);
	if (p->session == p->pid && p->pid->tty)
		hang_up(p->pid->tty);
	spin_unlock(&tree_lock);
}

/* TIOCSCTTY.  `steal` from another session: root only. */
static int become_controlling(struct tty *tty, bool steal)
{
	struct process *p = process_current();
	int err = 0;

	spin_lock(&tree_lock);
	if (tty->session == p->session && p->session == p->pid) {
		/* it is already */
	} else if (p->session != p->pid || p->session->tty) {
		err = -EPERM;
	} else if (tty->session && !(steal && p->cred.euid == 0)) {
		err = -EPERM;
	} else {
		let_go(tty);
		pid_ref(p->session);
		tty->session = p->session;
		p->session->tty = tty;
		set_foreground(tty, p->group);
	}
	spin_unlock(&tree_lock);
	return err;
}

/* TIOCNOTTY. */
static int give_up_controlling(struct tty *tty)
{
	struct process *p = process_current();
	int err = 0;

	spin_lock(&tree_lock);
	if (!tty->session || tty->session != p->session)
		err = -ENOTTY;
	else if (p->session == p->pid)
		hang_up(tty);
	spin_unlock(&tree_lock);
	return err;
}

/* TIOCGPGRP, TIOCGSID. */
static int get_number(struct tty *tty, bool session, uintptr_t arg)
{
	pid_t nr = 0;
	bool own;

	spin_lock(&tree_lock);
	own = tty->session && tty->session == process_current()->session;
	if (own)
		nr = session ? tty->session->nr : tty->foreground ? tty->foreground->nr : 0;
	spin_unlock(&tree_lock);
	return own ? put_user(uaddr(arg), &nr) : -ENOTTY;
}

/* tree_lock held. */
static int set_foreground_number(struct tty *tty, pid_t nr)
{
	struct pid *session = process_current()->session, *group;

	if (!tty->session || tty->session != session)
		return -ENOTTY;
	group = pid_find(nr);
	if (!group || list_empty(&group->group))
		return -ESRCH;
	if (list_entry(group->group.next, struct process, group_link)->session != session)
		return -EPERM;
	set_foreground(tty, group);
	return 0;
}

static int set_group(struct tty *tty, uintptr_t arg)
{
	pid_t nr;
	int err = get_user(&nr, uaddr(arg));

	if (!err && nr < 0)
		err = -EINVAL;
	if (!err)
		err = tty_check_foreground(tty, SIGTTOU);
	if (err)
		return err;
	spin_lock(&tree_lock);
	err = set_foreground_number(tty, nr);
	spin_unlock(&tree_lock);
	return err;
}

/* --- Settings
 * ------------------------------------------------------------------------------------- */

static int get_termios(struct tty *tty, uintptr_t arg)
{
	spin_lock(&tty->lock);
	struct termios termios = tty->termios;
	spin_unlock(&tty->lock);
	return put_user(uaddr(arg), &termios);
}

static int set_termios(struct tty *tty, uintptr_t arg, bool flush)
{
	struct termios termios;
	int err = tty_check_foreground(tty, SIGTTOU);

	if (!err)
		err = get_user(&termios, uaddr(arg));
	if (err)
		return err;
	spin_lock(&tty->lock);
	if (flush)
		tty_flush_input(tty);
	/* Going raw, what was typed of a line can be read; coming back, it is a line. */
	if ((tty->termios.c_lflag ^ termios.c_lflag) & ICANON)
		tty->line_end = tty->tail;
	tty->termios = termios;
	if (!(termios.c_iflag & IXON))
		tty->output_stopped = false;
	spin_unlock(&tty->lock);
	waitq_wake_all(&tty->readable);
	waitq_wake_all(&tty->writable);
	return 0;
}

static int get_size(struct tty *tty, uintptr_t arg)
{
	spin_lock(&tty->lock);
	struct winsize size = tty->size;
	spin_unlock(&tty->lock);
	return put_user(uaddr(arg), &size);
}

static int set_size(struct tty *tty, uintptr_t arg)
{
	struct winsize size;
	bool changed;

	if (get_user(&size, uaddr(arg)))
		return -EFAULT;
	spin_lock(&tty->lock);
	changed = __builtin_memcmp(&tty->size, &size, sizeof size) != 0;
	tty->size = size;
	spin_unlock(&tty->lock);
	if (changed)
		tty_signal_foreground(tty, SIGWINCH);
	return 0;
}

static int count_input(struct tty *tty, uintptr_t arg)
{
	spin_lock(&tty->lock);
	int n = (int)tty_readable_cells(tty);
	spin_unlock(&tty->lock);
	return put_user(uaddr(arg), &n);
}

/* TCFLSH: the output queue is the line's, and short. */
static int flush(struct tty *tty, uintptr_t what)
{
	if (what > TCIOFLUSH)
		return -EINVAL;
	if (what == TCOFLUSH)
		return 0;
	spin_lock(&tty->lock);
	tty_flush_input(tty);
	spin_unlock(&tty->lock);
	return 0;
}

int tty_ioctl(struct file *file, unsigned command, uintptr_t arg)
{
	struct tty *tty = tty_of(file);

	switch (command) {
	case TCGETS:
		return get_termios(tty, arg);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_termios(tty, arg, command == TCSETSF);
	case TCFLSH:
		return flush(tty, arg);
	case TIOCGWINSZ:
		return get_size(tty, arg);
	case TIOCSWINSZ:
		return set_size(tty, arg);
	case FIONREAD:
		return count_input(tty, arg);
	case TIOCSCTTY:
		return become_controlling(tty, arg == 1);
	case TIOCNOTTY:
		return give_up_controlling(tty);
	case TIOCGPGRP:
		return get_number(tty, false, arg);
	case TIOCGSID:
		return get_number(tty, true, arg);
	case TIOCSPGRP:
		return set_group(tty, arg);
	default:
		return -ENOTTY;
	}
}
