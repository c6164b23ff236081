// SPDX-License-Identifier: MIT
/*
 * Terminals, as files: reading lines or bytes, and writing.
 *
 * Reading copies from the ring under the terminal's lock with faults off, and takes from the ring
 * only what was copied; see pipe.c.  Writing goes through a small buffer in which OPOST is applied,
 * one writer at a time.
 */
#include "tty.h"

#include <abi/errno.h>
#include <abi/signal.h>
#include <fs/poll.h>
#include <kernel/boot.h>
#include <kernel/process.h>
#include <kernel/time.h>

#define CHUNK_BYTES 256

void tty_setup(struct tty *tty, tty_cell *input,
	size_t (*send)(struct tty *tty, const char *text, size_t n))
{
	spin_init(&tty->lock, "tty", RANK_TTY);
	mutex_init(&tty->output, "tty output", RANK_TTY_OPS);
	waitq_init(&tty->readable);
	waitq_init(&tty->writable);
	tty->input = input;
	tty->send = send;
	tty->size = (struct winsize){.ws_row = 24, .ws_col = 80};
	tty->termios = (struct termios){
		.c_iflag = ICRNL | IXON,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = B115200 | CS8 | CREAD | HUPCL,
		.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.c_cc = {[VINTR] = 3,
			[VQUIT] = 28,
			[VERASE] = 127,
			[VKILL] = 21,
			[VEOF] = 4,
			[VMIN] = 1,
			[VSTART] = 17,
			[VSTOP] = 19,
			[VSUSP] = 26,
			[VREPRINT] = 18,
			[VDISCARD] = 15,
			[VWERASE] = 23,
			[VLNEXT] = 22},
	};
	if (boot_has("marker")) /* tools/run: a pipe types, and an echo would be in the output */
		tty->termios.c_lflag &= ~(uint32_t)ECHO;
}

static bool nonblocking(const struct file *file)
{
	return __atomic_load_n(&file->flags, __ATOMIC_RELAXED) & FS_O_NONBLOCK;
}

/* --- Reading: lock held --------------------------------------------------------------------------
 */

/* Up to n bytes of the ring, the end of a line last; *cells of the ring they take. */
static size_t gather(struct tty *tty, uint8_t *to, size_t n, uint32_t *cells, bool *ended)
{
	uint32_t available = tty_readable_cells(tty);
	bool lines = tty->termios.c_lflag & ICANON;
	size_t bytes = 0;

	*cells = 0;
	*ended = false;
	while (*cells < available && bytes < n && !*ended) {
		tty_cell c = tty->input[(tty->head + *cells) % TTY_INPUT_CELLS];
		++*cells;
		if (!(c & CELL_EOF))
			to[bytes++] = (uint8_t)c;
		*ended = lines && (c & CELL_LINE_END);
	}
	return bytes;
}

/* How long a read waits, and for how many bytes: VMIN and VTIME count in raw mode only. */
struct patience {
	uint32_t at_least;
	uint64_t deadline_ns;
	bool none; /* -EAGAIN at once */
};

static struct patience patience_of(const struct tty *tty, const struct file *file, size_t n)
{
	uint8_t min = tty->termios.c_cc[VMIN], tenths = tty->termios.c_cc[VTIME];
	struct patience p = {.at_least = 1, .deadline_ns = NO_DEADLINE, .none = nonblocking(file)};

	if (tty->termios.c_lflag & ICANON)
		return p;
	p.at_least = min < n ? min : (uint32_t)n;
	if (!min && tenths) {
		p.at_least = 1;
		p.deadline_ns = time_now_ns() + tenths * (NS_PER_SEC / 10);
	}
	return p;
}

/* 0: there is something, or nobody shall wait for it. */
static int wait_for_input(struct tty *tty, const struct patience *p)
{
	while (tty_readable_cells(tty) < p->at_least) {
		if (p->none)
			return tty_readable_cells(tty) ? 0 : -EAGAIN;
		int err = waitq_sleep(
			&tty->readable, &tty->lock, SLEEP_INTERRUPTIBLE, p->deadline_ns);
		if (err == -ETIMEDOUT)
			return 0;
		if (err)
			return err;
	}
	return 0;
}

/*
 * Move bytes to the reader: until it has n, the line ends, or nothing is left.  The lock is dropped
 * where the reader's memory must be brought in.
 */
static int move_out(struct tty *tty, struct mvm_copy *c, size_t n, size_t *done)
{
	uint8_t chunk[CHUNK_BYTES];
	bool ended = false;
	uint32_t cells;
	int err = 0;

	while (!err && !ended && *done < n && tty_readable_cells(tty)) {
		size_t want = n - *done < sizeof chunk ? n - *done : sizeof chunk;
		size_t bytes = gather(tty, chunk, want, &cells, &ended);
		size_t got = bytes ? c->copy(c, chunk, *done, bytes) : 0;
		*done += got;
		if (got == bytes) {
			tty->head += cells;
			continue;
		}
		/* In a chunk only the end of a line may take a cell without giving a byte. */
		tty->head += (uint32_t)got;
		ended = false;
		spin_unlock(&tty->lock);
		err = c->prefault ? c->prefault(c, *done, bytes - got) : -EFAULT;
		spin_lock(&tty->lock);
	}
	return err;
}

static int tty_read(struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct tty *tty = tty_of(file);
	int err;

	(void)offset;
	*done = 0;
	if (!n)
		return 0;
	err = tty_check_foreground(tty, SIGTTIN);
	if (err)
		return err;
	spin_lock(&tty->lock);
	struct patience p = patience_of(tty, file, n);
	err = wait_for_input(tty, &p);
	if (!err)
		err = move_out(tty, c, n, done);
	spin_unlock(&tty->lock);
	return err;
}

/* --- Writing
 * -------------------------------------------------------------------------------------- */

/* Apply OPOST.  `out` has room for two bytes for each. */
static size_t process_output(const struct tty *tty, const char *in, size_t n, char *out)
{
	uint32_t flags = tty->termios.c_oflag;
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		if ((flags & (OPOST | ONLCR)) == (OPOST | ONLCR) && in[i] == '\n')
			out[bytes++] = '\r';
		out[bytes++] = (flags & (OPOST | OCRNL)) == (OPOST | OCRNL) && in[i] == '\r'
				       ? '\n'
				       : in[i];
	}
	return bytes;
}

/* Send as much as can be sent now; true: something, or there was nothing. */
static bool try_send(struct tty *tty, const char *text, size_t n, size_t *sent)
{
	if (__atomic_load_n(&tty->output_stopped, __ATOMIC_RELAXED))
		return false;
	*sent = tty->send(tty, text, n);
	return *sent || !n;
}

static int send_all(struct tty *tty, const char *text, size_t n)
{
	size_t sent = 0;
	int err = 0;

	while (!err && n) {
		err = wait_event_interruptible(&tty->writable, try_send(tty, text, n, &sent));
		if (!err) {
			text += sent;
			n -= sent;
		}
	}
	return err;
}

/* A chunk from the writer's memory; short only on an error. */
static int fetch(struct mvm_copy *c, char *to, size_t done, size_t n, size_t *got)
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

static int write_all(struct tty *tty, struct mvm_copy *c, size_t n, size_t *done)
{
	char in[CHUNK_BYTES], out[2 * CHUNK_BYTES];
	int err = 0;

	while (!err && *done < n) {
		size_t want = n - *done < sizeof in ? n - *done : sizeof in, got;
		err = fetch(c, in, *done, want, &got);
		if (!err)
			err = send_all(tty, out, process_output(tty, in, got, out));
		if (!err)
			*done += got;
	}
	return err;
}

static int tty_write(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct tty *tty = tty_of(file);
	int err = 0;

	(void)offset;
	*done = 0;
	if (tty->termios.c_lflag & TOSTOP)
		err = tty_check_foreground(tty, SIGTTOU);
	if (err)
		return err;
	mutex_lock(&tty->output);
	err = write_all(tty, c, n, done);
	mutex_unlock(&tty->output);
	return err;
}

static unsigned tty_poll(struct file *file, struct poll_table *table)
{
	struct tty *tty = tty_of(file);
	unsigned events = FS_POLLOUT;

	poll_wait(table, &tty->readable);
	spin_lock(&tty->lock);
	if (tty_readable_cells(tty))
		events |= FS_POLLIN;
	spin_unlock(&tty->lock);
	return events;
}

const struct file_ops tty_ops = {
	.read = tty_read,
	.write = tty_write,
	.ioctl = tty_ioctl,
	.poll = tty_poll,
};
