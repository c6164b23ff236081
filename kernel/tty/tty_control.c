// SPDX-License-Identifier: MIT
/*
 * Terminals: settings and queues, by ioctl (ioctl_tty(2)).
 */
#include "tty.h"

#include <abi/errno.h>
#include <abi/signal.h>
#include <kernel/process.h>
#include <kernel/uaccess.h>

/* --- termios ---------------------------------------------------------------------------------- */

static int get_termios(struct tty *tty, uintptr_t arg)
{
	spin_lock(&tty->lock);
	struct termios termios = tty->termios;
	spin_unlock(&tty->lock);
	return put_user(uaddr(arg), &termios);
}

/* Lock held.  Going raw, what was typed of a line can be read; coming back, it is a line. */
static void change_termios(struct tty *tty, const struct termios *new)
{
	bool other_mode = (tty->termios.c_lflag ^ new->c_lflag) & ICANON;

	if (other_mode)
		tty->line_end = tty->tail;
	tty->termios = *new;
	if (!(new->c_iflag &IXON))
		tty->stopped = false;
	(void)tty_push(tty);
}

static int set_termios(struct tty *tty, bool master, unsigned command, uintptr_t arg)
{
	struct termios termios;
	int err = tty_check_foreground(tty, SIGTTOU);

	if (!err)
		err = get_user(&termios, uaddr(arg));
	if (!err && command != TCSETS && !master)
		err = tty_drain(tty);
	if (err)
		return err;
	spin_lock(&tty->lock);
	if (command == TCSETSF)
		tty_flush_input(tty);
	change_termios(tty, &termios);
	spin_unlock(&tty->lock);
	waitq_wake_all(&tty->readable);
	waitq_wake_all(&tty->writable);
	return 0;
}

/* --- Size ------------------------------------------------------------------------------------- */

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

/* --- Queues ----------------------------------------------------------------------------------- */

/* The bytes that can be read: the cells without those that are no byte. */
static int readable_bytes(struct tty *tty)
{
	int n = 0;

	for (uint32_t i = tty->head; i != tty->line_end; i++)
		n += !(*tty_cell_at(tty, i) & CELL_EOF);
	return n;
}

static int count_input(struct tty *tty, uintptr_t arg)
{
	spin_lock(&tty->lock);
	int n = readable_bytes(tty);
	spin_unlock(&tty->lock);
	return put_user(uaddr(arg), &n);
}

static int count_output(struct tty *tty, uintptr_t arg)
{
	spin_lock(&tty->lock);
	int n = (int)tty->line->unsent(tty);
	spin_unlock(&tty->lock);
	return put_user(uaddr(arg), &n);
}

/* TCFLSH. */
static int flush(struct tty *tty, uintptr_t what)
{
	int err = tty_check_foreground(tty, SIGTTOU);

	if (err)
		return err;
	if (what > TCIOFLUSH)
		return -EINVAL;
	spin_lock(&tty->lock);
	if (what != TCOFLUSH)
		tty_flush_input(tty);
	if (what != TCIFLUSH)
		tty_flush_output(tty);
	spin_unlock(&tty->lock);
	waitq_wake_all(&tty->writable);
	return 0;
}

/* Tell the other side, past what is queued, to stop or to go on. */
static void send_control(struct tty *tty, unsigned which)
{
	char byte = (char)tty->termios.c_cc[which];

	if (byte)
		(void)tty->line->send(tty, &byte, 1);
}

/* TCXONC. */
static int flow(struct tty *tty, uintptr_t action)
{
	int err = tty_check_foreground(tty, SIGTTOU);

	if (err)
		return err;
	if (action > TCION)
		return -EINVAL;
	spin_lock(&tty->lock);
	if (action == TCOOFF || action == TCOON)
		tty->suspended = action == TCOOFF;
	else
		send_control(tty, action == TCIOFF ? VSTOP : VSTART);
	(void)tty_push(tty);
	spin_unlock(&tty->lock);
	waitq_wake_all(&tty->writable);
	return 0;
}

/* TCSBRK, TCSBRKP: a break is nothing that this line could send; with an argument it is tcdrain. */
static int send_break(struct tty *tty, bool master)
{
	int err = tty_check_foreground(tty, SIGTTOU);

	return err || master ? err : tty_drain(tty);
}

/* --- Exclusive use ---------------------------------------------------------------------------- */

static int set_exclusive(struct tty *tty, bool on)
{
	spin_lock(&tty->lock);
	tty->exclusive = on;
	spin_unlock(&tty->lock);
	return 0;
}

static int get_exclusive(struct tty *tty, uintptr_t arg)
{
	int on = __atomic_load_n(&tty->exclusive, __ATOMIC_RELAXED);

	return put_user(uaddr(arg), &on);
}

/*
 * TIOCSTI would put words into the mouth of whoever reads; Linux can refuse it,
 * and this one does.
 */
static int refuse_typing(struct tty *tty)
{
	struct process *p = process_current();

	spin_lock(&tree_lock);
	bool own = tty_controlling(p) == tty;
	spin_unlock(&tree_lock);
	return own || process_is_privileged(p) ? -EIO : -EPERM;
}

/* --- All of them ------------------------------------------------------------------------------ */

static int job_ioctl(struct tty *tty, bool master, unsigned command, uintptr_t arg)
{
	switch (command) {
	case TIOCSCTTY:
		return tty_become_controlling(tty, arg == 1);
	case TIOCNOTTY:
		return tty_give_up_controlling(tty);
	case TIOCGPGRP:
		return tty_get_number(tty, false, master, arg);
	case TIOCGSID:
		return tty_get_number(tty, true, master, arg);
	case TIOCSPGRP:
		return tty_set_foreground(tty, arg);
	case TIOCSTI:
		return refuse_typing(tty);
	default:
		return -ENOTTY;
	}
}

int tty_common_ioctl(struct tty *tty, bool master, unsigned command, uintptr_t arg)
{
	switch (command) {
	case TCGETS:
		return get_termios(tty, arg);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_termios(tty, master, command, arg);
	case TIOCGWINSZ:
		return get_size(tty, arg);
	case TIOCSWINSZ:
		return set_size(tty, arg);
	case TCSBRK:
	case TCSBRKP:
		return send_break(tty, master);
	case TIOCEXCL:
	case TIOCNXCL:
		return set_exclusive(tty, command == TIOCEXCL);
	case TIOCGEXCL:
		return get_exclusive(tty, arg);
	default:
		return job_ioctl(tty, master, command, arg);
	}
}

static int queue_ioctl(struct tty *tty, unsigned command, uintptr_t arg)
{
	switch (command) {
	case FIONREAD:
		return count_input(tty, arg);
	case TIOCOUTQ:
		return count_output(tty, arg);
	case TCFLSH:
		return flush(tty, arg);
	case TCXONC:
		return flow(tty, arg);
	default:
		return tty_common_ioctl(tty, false, command, arg);
	}
}

int tty_ioctl(struct file *file, unsigned command, uintptr_t arg)
{
	struct tty *tty = tty_of(file);
	bool dead;
	int result;

	spin_lock(&tty->lock);
	dead = tty->line_gone;
	spin_unlock(&tty->lock);
	if (dead)
		return command == TIOCSPGRP ? -ENOTTY : -EIO;
	result = queue_ioctl(tty, command, arg);
	/* What a background process was stopped in begins again. */
	return result == -EINTR ? (int)syscall_restart(RESTART_SA) : result;
}
