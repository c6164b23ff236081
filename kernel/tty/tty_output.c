// SPDX-License-Identifier: MIT
/*
 * The way out: OPOST, what is held back, and write.
 *
 * Plain bytes go straight to the line.  A byte that becomes several, or none, goes through `held`,
 * so it counts as written when it is there, whatever part of it the line takes now.  Nothing else
 * is sent while something is held: the order is kept.
 */
#include "tty.h"

#include <abi/errno.h>
#include <abi/signal.h>
#include <kernel/process.h>

#define CHUNK_BYTES   256
#define TAB_COLUMNS   8
#define MAX_EXPANSION TAB_COLUMNS /* bytes that one becomes */

/* --- OPOST: lock held ------------------------------------------------------------------------- */

static bool continues_character(const struct tty *tty, uint8_t byte)
{
	return (tty->termios.c_iflag & IUTF8) && (byte & 0xc0) == 0x80;
}

static bool is_plain(const struct tty *tty, uint8_t byte)
{
	if (!(tty->termios.c_oflag & OPOST))
		return true;
	return byte != '\n' && byte != '\r' && byte != '\t' && byte != '\b' &&
	       !((tty->termios.c_oflag & OLCUC) && byte >= 'a' && byte <= 'z');
}

static void count_plain(struct tty *tty, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)text[i];
		if (byte >= ' ' && byte != 0x7f && !continues_character(tty, byte))
			tty->column++;
	}
}

static size_t expand_newline(struct tty *tty, char *to)
{
	uint32_t flags = tty->termios.c_oflag;
	size_t n = 0;

	if (flags & (ONLCR | ONLRET))
		tty->column = 0;
	if (flags & ONLCR)
		to[n++] = '\r';
	to[n++] = '\n';
	return n;
}

static size_t expand_return(struct tty *tty, char *to)
{
	uint32_t flags = tty->termios.c_oflag;

	if ((flags & ONOCR) && !tty->column)
		return 0;
	if (!(flags & OCRNL) || (flags & ONLRET))
		tty->column = 0;
	*to = flags & OCRNL ? '\n' : '\r';
	return 1;
}

static size_t expand_tab(struct tty *tty, char *to)
{
	size_t columns = TAB_COLUMNS - tty->column % TAB_COLUMNS;

	tty->column += (uint32_t)columns;
	if ((tty->termios.c_oflag & TABDLY) != TAB3) {
		*to = '\t';
		return 1;
	}
	__builtin_memset(to, ' ', columns);
	return columns;
}

/* What a byte becomes: up to MAX_EXPANSION bytes.  It moves the cursor. */
static size_t expand(struct tty *tty, uint8_t byte, char *to)
{
	*to = (char)byte;
	if (is_plain(tty, byte)) {
		count_plain(tty, to, 1);
		return 1;
	}
	switch (byte) {
	case '\n':
		return expand_newline(tty, to);
	case '\r':
		return expand_return(tty, to);
	case '\t':
		return expand_tab(tty, to);
	case '\b':
		tty->column -= tty->column > 0;
		return 1;
	default:
		*to = (char)(byte - 'a' + 'A');
		tty->column++;
		return 1;
	}
}

/* --- What is held: lock held ------------------------------------------------------------------ */

bool tty_push(struct tty *tty)
{
	size_t sent;

	if (tty->stopped || tty->suspended)
		return false;
	if (!tty->n_held)
		return true;
	sent = tty->line->send(tty, tty->held, tty->n_held);
	tty->n_held -= sent;
	__builtin_memmove(tty->held, tty->held + sent, tty->n_held);
	return !tty->n_held;
}

void tty_hold_raw(struct tty *tty, const char *text, size_t n)
{
	if (n > sizeof tty->held - tty->n_held)
		return; /* an echo that nobody takes is lost */
	__builtin_memcpy(tty->held + tty->n_held, text, n);
	tty->n_held += n;
}

void tty_hold(struct tty *tty, uint8_t byte)
{
	char text[MAX_EXPANSION];

	tty_hold_raw(tty, text, expand(tty, byte, text));
}

void tty_flush_output(struct tty *tty)
{
	tty->n_held = 0;
	tty->line->flush(tty);
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Lock held.  How many of the bytes are on their way now, or held. */
static size_t put(struct tty *tty, const char *text, size_t n)
{
	size_t done = 0, plain;

	while (done < n && tty_push(tty)) {
		for (plain = 0; plain < n - done && is_plain(tty, (uint8_t)text[done + plain]);)
			plain++;
		if (!plain) {
			tty_hold(tty, (uint8_t)text[done++]);
			continue;
		}
		size_t sent = tty->line->send(tty, text + done, plain);
		count_plain(tty, text + done, sent);
		done += sent;
		if (sent < plain)
			break;
	}
	(void)tty_push(tty); /* what the last byte became: a writer may not wait for it */
	return done;
}

/* True: some were put, or (for n == 0) nothing is held any more, or *err says why never. */
static bool try_put(struct tty *tty, const char *text, size_t n, size_t *done, int *err)
{
	bool moved;

	spin_lock(&tty->lock);
	*err = tty->line_gone ? -EIO : 0;
	*done = *err ? 0 : put(tty, text, n);
	moved = n ? *done > 0 : tty_push(tty);
	spin_unlock(&tty->lock);
	return moved || *err;
}

static int put_all(const struct file *file, const char *text, size_t n, size_t *done)
{
	struct tty *tty = tty_of(file);
	size_t part = 0;
	int err = 0, why;

	while (!err && *done < n) {
		if (file_is_nonblocking(file)) {
			err = try_put(tty, text + *done, n - *done, &part, &why) ? why : -EAGAIN;
		} else {
			err = wait_event_interruptible(
				&tty->writable, try_put(tty, text + *done, n - *done, &part, &why));
			err = err ? err : why;
		}
		*done += err ? 0 : part;
	}
	return err;
}

/* The rest of the last byte's expansion. */
static int put_held(const struct file *file)
{
	struct tty *tty = tty_of(file);
	size_t none;
	int err, why;

	if (file_is_nonblocking(file))
		return 0;
	err = wait_event_interruptible(&tty->writable, try_put(tty, "", 0, &none, &why));
	return err ? err : why;
}

static int write_all(const struct file *file, struct mvm_copy *c, size_t n, size_t *done)
{
	char chunk[CHUNK_BYTES];
	int err = 0;

	while (!err && *done < n) {
		size_t got, put_now = 0;
		err = tty_fetch(
			c, chunk, *done, n - *done < sizeof chunk ? n - *done : sizeof chunk, &got);
		if (!err)
			err = put_all(file, chunk, got, &put_now);
		*done += put_now;
	}
	return err ? err : put_held(file);
}

/* Who is interrupted when it is its turn takes it: the wake-up was for one, and would be lost. */
static int take_turn(const struct file *file)
{
	struct tty *tty = tty_of(file);
	int err = 0;

	spin_lock(&tty->lock);
	while (!err && tty->writing)
		err = file_is_nonblocking(file) ? -EAGAIN
						: waitq_sleep(&tty->turn, &tty->lock,
							  SLEEP_INTERRUPTIBLE, NO_DEADLINE);
	if (!tty->writing) {
		tty->writing = true;
		err = 0;
	}
	spin_unlock(&tty->lock);
	return err;
}

static void end_turn(struct tty *tty)
{
	spin_lock(&tty->lock);
	tty->writing = false;
	spin_unlock(&tty->lock);
	waitq_wake_one(&tty->turn);
}

static bool stops_background(struct tty *tty)
{
	spin_lock(&tty->lock);
	bool stops = tty->termios.c_lflag & TOSTOP;
	spin_unlock(&tty->lock);
	return stops;
}

int tty_write(struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct tty *tty = tty_of(file);
	int err = 0;

	(void)offset;
	*done = 0;
	if (stops_background(tty))
		err = tty_check_foreground(tty, SIGTTOU);
	if (!err)
		err = take_turn(file);
	if (err)
		return err;
	err = write_all(file, c, n, done);
	end_turn(tty);
	return err;
}

int tty_fetch(struct mvm_copy *c, char *to, size_t done, size_t n, size_t *got)
{
	int err = 0;

	*got = c->copy(c, to, done, n);
	while (!err && !*got) {
		err = c->prefault ? c->prefault(c, done, n) : -EFAULT;
		if (!err)
			*got = c->copy(c, to, done, n);
	}
	return err;
}

/* --- Waiting for the end ---------------------------------------------------------------------- */

static bool all_sent(struct tty *tty, int *err)
{
	bool sent;

	spin_lock(&tty->lock);
	*err = tty->line_gone ? -EIO : 0;
	sent = tty_push(tty) && !tty->line->unsent(tty);
	spin_unlock(&tty->lock);
	return sent || *err;
}

int tty_drain(struct tty *tty)
{
	int why = 0, err = wait_event_interruptible(&tty->writable, all_sent(tty, &why));

	return err ? err : why;
}
