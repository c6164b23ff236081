// SPDX-License-Identifier: MIT
/*
 * The line discipline: what becomes of a byte that was typed.
 *
 *	byte -> VSTOP, VSTART    output stops, goes on            (IXON)
 *	     -> CR, NL           translated                       (ICRNL, INLCR, IGNCR)
 *	     -> VINTR ...        a signal to the foreground group  (ISIG)
 *	     -> VERASE ...       edits the line                    (ICANON)
 *	     -> NL, VEOL, VEOF   ends it: readers may have it      (ICANON)
 *	     -> input ring, echoed
 *
 * It runs in the work thread, since signals need locks that interrupts do not take.
 */
#include "tty.h"

#include <kernel/process.h>

static bool canonical(const struct tty *tty)
{
	return tty->termios.c_lflag & ICANON;
}

/* Is it this control character?  0 disables one. */
static bool is_control(const struct tty *tty, uint8_t byte, unsigned which)
{
	return byte && tty->termios.c_cc[which] == byte;
}

static tty_cell *cell(struct tty *tty, uint32_t position)
{
	return &tty->input[position % TTY_INPUT_CELLS];
}

/* --- Echo: lock held.  What does not fit on the line is lost. -------------------------------- */

static void echo_text(struct tty *tty, const char *text, size_t n)
{
	(void)tty->send(tty, text, n);
}

static bool shown_as_two(const struct tty *tty, uint8_t byte)
{
	return (tty->termios.c_lflag & ECHOCTL) && byte != '\t' && byte != '\n' &&
	       (byte < ' ' || byte == 0x7f);
}

static void echo(struct tty *tty, uint8_t byte)
{
	char text[2] = {(char)byte};

	if (byte == '\n') {
		if (tty->termios.c_lflag & (ECHO | ECHONL))
			echo_text(tty, "\r\n", 2);
	} else if (!(tty->termios.c_lflag & ECHO)) {
		return;
	} else if (shown_as_two(tty, byte)) {
		text[0] = '^';
		text[1] = (char)(byte ^ 0x40);
		echo_text(tty, text, 2);
	} else {
		echo_text(tty, text, 1);
	}
}

/* Take the picture of the last character off the screen. */
static void echo_erase(struct tty *tty, uint8_t byte)
{
	if ((tty->termios.c_lflag & (ECHO | ECHOE)) != (ECHO | ECHOE))
		return;
	echo_text(tty, "\b \b", 3);
	if (shown_as_two(tty, byte))
		echo_text(tty, "\b \b", 3);
}

/* --- Editing: lock held ------------------------------------------------------------------------
 */

/* The bytes of one UTF-8 character behind its first. */
static bool continues_character(const struct tty *tty, tty_cell c)
{
	return (tty->termios.c_iflag & IUTF8) && (c & 0xc0) == 0x80;
}

static bool erase_one(struct tty *tty)
{
	tty_cell c;

	if (tty->tail == tty->line_end)
		return false;
	do
		c = *cell(tty, --tty->tail);
	while (tty->tail != tty->line_end && continues_character(tty, c));
	echo_erase(tty, (uint8_t)c);
	return true;
}

static bool last_is_blank(struct tty *tty)
{
	tty_cell c = *cell(tty, tty->tail - 1);

	return c == ' ' || c == '\t';
}

static void erase_word(struct tty *tty)
{
	while (tty->tail != tty->line_end && last_is_blank(tty))
		erase_one(tty);
	while (tty->tail != tty->line_end && !last_is_blank(tty))
		erase_one(tty);
}

static void erase_line(struct tty *tty)
{
	while (erase_one(tty))
		;
}

static void put(struct tty *tty, tty_cell c)
{
	/* The last cell is kept for what ends a line, or the line could never end. */
	uint32_t room = TTY_INPUT_CELLS - (tty->tail - tty->head);

	if (room > 1 || (room == 1 && (c & (CELL_LINE_END | CELL_EOF))))
		*cell(tty, tty->tail++) = c;
}

static void end_line(struct tty *tty, tty_cell c)
{
	put(tty, c | CELL_LINE_END);
	tty->line_end = tty->tail;
}

/* True: the byte was an editing command, or ended the line. */
static bool edit(struct tty *tty, uint8_t byte)
{
	if (is_control(tty, byte, VERASE) || byte == '\b') {
		erase_one(tty);
	} else if (is_control(tty, byte, VWERASE) && (tty->termios.c_lflag & IEXTEN)) {
		erase_word(tty);
	} else if (is_control(tty, byte, VKILL)) {
		erase_line(tty);
	} else if (is_control(tty, byte, VLNEXT) && (tty->termios.c_lflag & IEXTEN)) {
		tty->literal_next = true;
	} else if (is_control(tty, byte, VEOF)) {
		end_line(tty, CELL_EOF);
	} else if (byte == '\n' || is_control(tty, byte, VEOL) || is_control(tty, byte, VEOL2)) {
		echo(tty, byte);
		end_line(tty, byte);
	} else {
		return false;
	}
	return true;
}

/* --- The way of a byte: lock held ---------------------------------------------------------------
 */

/* The signal that the byte means, or 0. */
static int signal_of(const struct tty *tty, uint8_t byte)
{
	if (!(tty->termios.c_lflag & ISIG))
		return 0;
	return is_control(tty, byte, VINTR)   ? SIGINT
	       : is_control(tty, byte, VQUIT) ? SIGQUIT
	       : is_control(tty, byte, VSUSP) ? SIGTSTP
					      : 0;
}

/* IXON.  True: the byte was for that. */
static bool flow_control(struct tty *tty, uint8_t byte)
{
	if (!(tty->termios.c_iflag & IXON))
		return false;
	if (!is_control(tty, byte, VSTOP) && !is_control(tty, byte, VSTART))
		return false;
	tty->output_stopped = is_control(tty, byte, VSTOP);
	return true;
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

void tty_flush_input(struct tty *tty)
{
	tty->head = tty->line_end = tty->tail;
	tty->literal_next = false;
}

static void store(struct tty *tty, uint8_t byte)
{
	echo(tty, byte);
	put(tty, byte);
	if (!canonical(tty))
		tty->line_end = tty->tail;
}

/* Returns the signal that is to be sent, or 0. */
static int receive(struct tty *tty, uint8_t byte)
{
	if (tty->literal_next) {
		tty->literal_next = false;
		store(tty, byte);
		return 0;
	}
	if (flow_control(tty, byte) || !translate(tty, &byte))
		return 0;
	int sig = signal_of(tty, byte);
	if (sig) {
		if (!(tty->termios.c_lflag & NOFLSH))
			tty_flush_input(tty);
		tty->output_stopped = false;
		echo(tty, byte);
	} else if (!canonical(tty) || !edit(tty, byte)) {
		store(tty, byte);
	}
	return sig;
}

uint32_t tty_readable_cells(const struct tty *tty)
{
	return tty->line_end - tty->head;
}

void tty_receive(struct tty *tty, uint8_t byte)
{
	bool readable, sending;

	spin_lock(&tty->lock);
	int sig = receive(tty, byte);
	readable = tty_readable_cells(tty) > 0;
	sending = !tty->output_stopped;
	spin_unlock(&tty->lock);
	if (readable)
		waitq_wake_all(&tty->readable);
	if (sending && tty->writable.head)
		waitq_wake_all(&tty->writable);
	if (sig)
		tty_signal_foreground(tty, sig);
}
