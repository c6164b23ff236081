// SPDX-License-Identifier: MIT
/*
 * The line that is being typed: showing it, and taking characters back.
 *
 * What was shown is not stored: how wide a character is on the screen follows from the character
 * and from where the line began, so that a tab can be taken back as far as it went.
 */
#include "tty.h"

#define TAB_COLUMNS 8

static bool shown_as_two(const struct tty *tty, uint8_t byte)
{
	return (tty->termios.c_lflag & ECHOCTL) && byte != '\t' && (byte < ' ' || byte == 0x7f);
}

static bool is_control_code(uint8_t byte)
{
	return byte < ' ' || byte == 0x7f;
}

/* The bytes of one UTF-8 character behind its first. */
static bool continues_character(const struct tty *tty, tty_cell c)
{
	return (tty->termios.c_iflag & IUTF8) && (c & 0xc0) == 0x80;
}

static bool line_is_empty(const struct tty *tty)
{
	return tty->tail == tty->line_end;
}

/* --- Showing: lock held ----------------------------------------------------------------------- */

void tty_show(struct tty *tty, uint8_t byte)
{
	char two[2] = {'^', (char)(byte ^ 0x40)};

	if (!shown_as_two(tty, byte)) {
		tty_hold(tty, byte);
		return;
	}
	tty_hold_raw(tty, two, sizeof two);
	tty->column += 2;
}

void tty_echo(struct tty *tty, uint8_t byte)
{
	uint32_t flags = tty->termios.c_lflag;

	if (byte == '\n') {
		if ((flags & ECHO) || (flags & (ICANON | ECHONL)) == (ICANON | ECHONL))
			tty_hold(tty, byte);
	} else if (flags & ECHO) {
		if (line_is_empty(tty))
			tty->line_column = tty->column;
		tty_show(tty, byte);
	}
}

void tty_reprint_line(struct tty *tty)
{
	tty_show(tty, tty->termios.c_cc[VREPRINT]);
	tty_hold(tty, '\n');
	for (uint32_t i = tty->line_end; i != tty->tail; i++)
		tty_show(tty, (uint8_t)*tty_cell_at(tty, i));
}

/* --- Taking back: lock held ------------------------------------------------------------------- */

/* The column behind a character that begins in this one. */
static uint32_t column_behind(const struct tty *tty, uint32_t column, tty_cell c)
{
	uint8_t byte = (uint8_t)c;

	if (byte == '\t')
		return column - column % TAB_COLUMNS + TAB_COLUMNS;
	if (shown_as_two(tty, byte))
		return column + 2;
	return column + !(is_control_code(byte) || continues_character(tty, c));
}

static void wipe(struct tty *tty, unsigned columns)
{
	while (columns--) {
		tty_hold_raw(tty, "\b \b", 3);
		tty->column -= tty->column > 0;
	}
}

/* The tab behind the line's end goes: back to where what is left ends. */
static void wipe_tab(struct tty *tty)
{
	uint32_t column = tty->line_column;

	for (uint32_t i = tty->line_end; i != tty->tail; i++)
		column = column_behind(tty, column, *tty_cell_at(tty, i));
	while (tty->column > column) {
		tty_hold_raw(tty, "\b", 1);
		tty->column--;
	}
}

/* The last character of the line; true: it is gone. */
static bool erase_one(struct tty *tty)
{
	tty_cell c;

	if (line_is_empty(tty))
		return false;
	do
		c = *tty_cell_at(tty, --tty->tail);
	while (!line_is_empty(tty) && continues_character(tty, c));
	if ((tty->termios.c_lflag & (ECHO | ECHOE)) != (ECHO | ECHOE))
		return true;
	if ((uint8_t)c == '\t')
		wipe_tab(tty);
	else
		wipe(tty, column_behind(tty, 0, c));
	return true;
}

/* Without ECHOE the key is shown instead of its effect. */
static void show_key(struct tty *tty, unsigned which)
{
	if ((tty->termios.c_lflag & (ECHO | ECHOE)) == ECHO)
		tty_show(tty, tty->termios.c_cc[which]);
}

void tty_erase_character(struct tty *tty)
{
	if (erase_one(tty))
		show_key(tty, VERASE);
}

static bool is_word(tty_cell c)
{
	uint8_t byte = (uint8_t)c, letter = byte | 0x20;

	return (letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') || byte == '_' ||
	       byte >= 0x80;
}

/* What is no word at the end, and the word before it. */
void tty_erase_word(struct tty *tty)
{
	while (!line_is_empty(tty) && !is_word(*tty_cell_at(tty, tty->tail - 1)))
		erase_one(tty);
	while (!line_is_empty(tty) && is_word(*tty_cell_at(tty, tty->tail - 1)))
		erase_one(tty);
}

void tty_erase_line(struct tty *tty)
{
	const uint32_t wiped = ECHO | ECHOE | ECHOK | ECHOKE;
	uint32_t flags = tty->termios.c_lflag;

	if (line_is_empty(tty))
		return;
	if ((flags & wiped) == wiped) {
		while (erase_one(tty))
			;
		return;
	}
	tty->tail = tty->line_end;
	if (!(flags & ECHO))
		return;
	tty_show(tty, tty->termios.c_cc[VKILL]);
	if (flags & ECHOK)
		tty_hold(tty, '\n');
}
