// SPDX-License-Identifier: MIT
/*
 * The line discipline: what becomes of a byte that was typed.
 *
 *	byte -> 7 bits, lower case                             (ISTRIP, IUCLC)
 *	     -> VSTOP, VSTART    output stops, goes on         (IXON; IXANY: any byte)
 *	     -> VINTR ...        a signal to those in front    (ISIG)
 *	     -> CR, NL           translated                    (ICRNL, INLCR, IGNCR)
 *	     -> VERASE ...       edits the line                (ICANON, some with IEXTEN)
 *	     -> NL, VEOL, VEOF   ends it: readers may have it  (ICANON)
 *	     -> input ring, echoed
 *
 * A byte behind VLNEXT skips all but the first and the last of these.
 */
#include "tty.h"

#include <kernel/process.h>

static bool extended(const struct tty *tty)
{
	return tty->termios.c_lflag & IEXTEN;
}

/* --- The ring: lock held ---------------------------------------------------------------------- */

static uint32_t free_cells(const struct tty *tty)
{
	return TTY_INPUT_CELLS - (tty->tail - tty->head);
}

uint32_t tty_readable_cells(const struct tty *tty)
{
	return tty->line_end - tty->head;
}

bool tty_accepts_input(const struct tty *tty)
{
	/* A line that is too long is cut: nobody could read before it ends. */
	return free_cells(tty) > 2 || (tty_is_canonical(tty) && !tty_readable_cells(tty));
}

static void put(struct tty *tty, tty_cell c)
{
	/* The last cell is kept for what ends a line, or the line could never end. */
	uint32_t room = free_cells(tty);

	if (room > 1 || (room == 1 && (c & CELL_LINE_END)))
		*tty_cell_at(tty, tty->tail++) = c;
}

static void end_line(struct tty *tty, tty_cell c)
{
	put(tty, c | CELL_LINE_END);
	tty->line_end = tty->tail;
}

void tty_flush_input(struct tty *tty)
{
	tty->head = tty->line_end = tty->tail;
	tty->literal_next = false;
	if (tty->line->taken)
		tty->line->taken(tty);
}

static void store(struct tty *tty, uint8_t byte)
{
	/* Who marks errors marks this byte as none. */
	if (byte == 0xff && (tty->termios.c_iflag & PARMRK))
		put(tty, byte);
	put(tty, byte);
	if (!tty_is_canonical(tty))
		tty->line_end = tty->tail;
}

/* --- Editing: lock held ----------------------------------------------------------------------- */

/* True: the byte takes something back. */
static bool erase(struct tty *tty, uint8_t byte)
{
	if (tty_is_control(tty, byte, VERASE))
		tty_erase_character(tty);
	else if (tty_is_control(tty, byte, VKILL))
		tty_erase_line(tty);
	else if (tty_is_control(tty, byte, VWERASE) && extended(tty))
		tty_erase_word(tty);
	else
		return false;
	return true;
}

static void expect_literal(struct tty *tty)
{
	tty->literal_next = true;
	if ((tty->termios.c_lflag & (ECHO | ECHOCTL)) == (ECHO | ECHOCTL))
		tty_hold_raw(tty, "^\b", 2);
}

static bool ends_line(const struct tty *tty, uint8_t byte)
{
	return byte == '\n' || tty_is_control(tty, byte, VEOL) ||
	       (tty_is_control(tty, byte, VEOL2) && extended(tty));
}

/* True: the byte was an editing command, or ended the line. */
static bool edit(struct tty *tty, uint8_t byte)
{
	if (erase(tty, byte))
		return true;
	if (tty_is_control(tty, byte, VLNEXT) && extended(tty)) {
		expect_literal(tty);
	} else if (tty_is_control(tty, byte, VREPRINT) && extended(tty) &&
		   (tty->termios.c_lflag & ECHO)) {
		tty_reprint_line(tty);
	} else if (tty_is_control(tty, byte, VEOF)) {
		end_line(tty, CELL_EOF);
	} else if (ends_line(tty, byte)) {
		tty_echo(tty, byte);
		end_line(tty, byte);
	} else {
		return false;
	}
	return true;
}

/* --- The way of a byte: lock held ------------------------------------------------------------- */

/* ISTRIP, IUCLC. */
static uint8_t narrow(const struct tty *tty, uint8_t byte)
{
	if (tty->termios.c_iflag & ISTRIP)
		byte &= 0x7f;
	if ((tty->termios.c_iflag & IUCLC) && extended(tty) && byte >= 'A' && byte <= 'Z')
		byte = (uint8_t)(byte - 'A' + 'a');
	return byte;
}

/* The signal that the byte means, or 0. */
static int signal_of(const struct tty *tty, uint8_t byte)
{
	if (!(tty->termios.c_lflag & ISIG))
		return 0;
	return tty_is_control(tty, byte, VINTR)   ? SIGINT
	       : tty_is_control(tty, byte, VQUIT) ? SIGQUIT
	       : tty_is_control(tty, byte, VSUSP) ? SIGTSTP
						  : 0;
}

/* IXON.  True: the byte was for that. */
static bool flow_control(struct tty *tty, uint8_t byte)
{
	if (!(tty->termios.c_iflag & IXON))
		return false;
	if (!tty_is_control(tty, byte, VSTOP) && !tty_is_control(tty, byte, VSTART))
		return false;
	tty->stopped = !tty_is_control(tty, byte, VSTART);
	return true;
}

/* The line is empty and starts again; what it means is for the caller to send. */
static void note_signal(struct tty *tty, uint8_t byte)
{
	if (!(tty->termios.c_lflag & NOFLSH)) {
		tty_flush_input(tty);
		tty_flush_output(tty);
	}
	if (tty->termios.c_iflag & IXON)
		tty->stopped = false;
	tty_echo(tty, byte);
}

/* ICRNL and its like.  False: the byte is dropped. */
static bool translate(const struct tty *tty, uint8_t *byte)
{
	if (*byte == '\r') {
		if (tty->termios.c_iflag & IGNCR)
			return false;
		if (tty->termios.c_iflag & ICRNL)
			*byte = '\n';
	} else if (*byte == '\n' && (tty->termios.c_iflag & INLCR)) {
		*byte = '\r';
	}
	return true;
}

/* Returns the signal that is to be sent, or 0. */
static int discipline(struct tty *tty, uint8_t byte)
{
	byte = narrow(tty, byte);
	if (tty->literal_next) {
		tty->literal_next = false;
		if (tty->termios.c_lflag & ECHO)
			tty_show(tty, byte);
		store(tty, byte);
		return 0;
	}
	if (flow_control(tty, byte))
		return 0;
	int sig = signal_of(tty, byte);
	if (sig) {
		note_signal(tty, byte);
		return sig;
	}
	if ((tty->termios.c_iflag & (IXON | IXANY)) == (IXON | IXANY))
		tty->stopped = false;
	if (translate(tty, &byte) && !(tty_is_canonical(tty) && edit(tty, byte))) {
		tty_echo(tty, byte);
		store(tty, byte);
	}
	return 0;
}

void tty_receive(struct tty *tty, uint8_t byte)
{
	bool readable, sending;

	spin_lock(&tty->lock);
	int sig = discipline(tty, byte);
	sending = tty_push(tty);
	readable = tty_readable_cells(tty) > 0;
	spin_unlock(&tty->lock);
	if (readable)
		waitq_wake_all(&tty->readable);
	if (sending && tty->writable.head)
		waitq_wake_all(&tty->writable);
	if (sig)
		tty_signal_foreground(tty, sig);
}
