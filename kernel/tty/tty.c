// SPDX-License-Identifier: MIT
/*
 * Terminals.
 *
 *	  line                     terminal                        programs
 *	 ------                   ----------                      ----------
 *	 UART  --- bytes --->  tty_receive: the discipline  --->  input ring  --->  read
 *	  or   <-- echo ----   (signals, editing, echo)
 *	 pty   <-- bytes ---   held <--- OPOST <----------------------------------  write
 *	master
 *
 * A terminal (struct tty) stands between a line that carries bytes and the files that programs
 * have of it.  The line is the UART (console_tty.c), or the file of a pseudo-terminal's master
 * (kernel/linux/pty.c).  The ABI is termios(3) and ioctl_tty(2) as Linux has them.
 *
 * Input (tty_input.c, tty_edit.c).  Each byte runs through the discipline when it comes, in thread
 * context, since signals need locks that interrupts do not take: it stops or starts output, is a
 * signal, edits the line, or joins the ring.  In canonical mode a reader sees whole lines, each
 * ended by a marked cell; an end of file is a cell without a byte.  In raw mode VMIN and VTIME say
 * how long a read waits.  A full ring drops what comes, but keeps a cell for what ends a line: a
 * line that cannot end could never be read.
 *
 * Output (tty_output.c).  One writer at a time; others wait their turn, and a signal ends either
 * wait.  OPOST makes several bytes of one: they are held in the terminal until the line takes them,
 * so that a byte of the writer's is either done or not begun.  Echoes are held the same way, which
 * keeps them in order with the output and waits with it while the terminal is stopped.
 *
 * Job control (tty_jobs.c).  A session may have one controlling terminal, a terminal one session:
 * pid->tty and tty->session point at each other, under tree_lock.  The keyboard's signals go to the
 * foreground group; a process of another group that reads, or changes settings, is stopped.
 *
 * Hang-up.  When the line goes, every file of the terminal is dead: reads see the end, writes and
 * ioctls fail with EIO, and the session's leader gets SIGHUP.  When the leader ends, its session's
 * terminal goes on for others, and those in front get SIGHUP.
 *
 * Life.  The console's terminal is static.  That of a pseudo-terminal lives as long as its line or
 * a file of it; the session is no reason, since it loses the terminal when the line goes, and none
 * takes it then.  So pid->tty is never stale, and whoever finds a terminal there under tree_lock
 * may open it.
 *
 * Locks.  tree_lock -> tty->lock -> wait queues and the UART's lock.  User memory is copied under
 * tty->lock with faults off, and what was not copied stays in the ring; see pipe.c.
 *
 * Refused.  Parity and modem lines (there are none), ECHOPRT (paper), delays (NLDLY and its like,
 * for machines that move), line disciplines other than this one.
 *
 * To read: tty.h, this file (opening, reading), tty_input.c, tty_edit.c, tty_output.c, tty_jobs.c,
 * tty_control.c, console_tty.c.
 */
#include "tty.h"

#include <abi/errno.h>
#include <abi/signal.h>
#include <fs/poll.h>
#include <kernel/process.h>
#include <kernel/time.h>

#define CHUNK_BYTES 256

static struct termios initial_termios(uint32_t speed)
{
	return (struct termios){
		.c_iflag = ICRNL | IXON,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = speed | CS8 | CREAD,
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
}

void tty_setup(
	struct tty *tty, const struct tty_line *line, uint64_t dev, uint32_t speed, tty_cell *input)
{
	spin_init(&tty->lock, "tty", RANK_TTY);
	waitq_init(&tty->readable);
	waitq_init(&tty->writable);
	waitq_init(&tty->turn);
	tty->line = line;
	tty->dev = dev;
	tty->input = input;
	tty->termios = initial_termios(speed);
}

/* --- Opening and closing ---------------------------------------------------------------------- */

/* tree_lock and lock held. */
static int may_open(const struct tty *tty)
{
	if (tty->line_gone)
		return -EIO;
	return tty->exclusive && tty->opens && !process_is_privileged(process_current()) ? -EBUSY
											 : 0;
}

/* tree_lock held. */
static int attach(struct tty *tty, struct file *file)
{
	spin_lock(&tty->lock);
	int err = may_open(tty);
	spin_unlock(&tty->lock);
	if (err)
		return err;
	tty->opens++;
	if (tty->line->opened)
		tty->line->opened(tty);
	file->private_data = tty;
	file->ops = &tty_ops;
	return 0;
}

int tty_open(struct tty *tty, struct file *file)
{
	spin_lock(&tree_lock);
	int err = attach(tty, file);
	spin_unlock(&tree_lock);
	return err;
}

int tty_open_controlling(struct file *file)
{
	spin_lock(&tree_lock);
	struct tty *tty = tty_controlling(process_current());
	int err = tty ? attach(tty, file) : -ENXIO;
	spin_unlock(&tree_lock);
	return err;
}

static void tty_release(struct file *file)
{
	struct tty *tty = tty_of(file);
	bool last;

	spin_lock(&tree_lock);
	last = --tty->opens == 0;
	spin_unlock(&tree_lock);
	if (tty->line->closed)
		tty->line->closed(tty, last);
}

/* --- Reading: lock held ----------------------------------------------------------------------- */

/* Up to n bytes of the ring, the end of a line last; *cells of the ring they take. */
static size_t gather(struct tty *tty, uint8_t *to, size_t n, uint32_t *cells, bool *ended)
{
	uint32_t available = tty_readable_cells(tty);
	size_t bytes = 0;

	*cells = 0;
	*ended = false;
	while (*cells < available && bytes < n && !*ended) {
		tty_cell c = *tty_cell_at(tty, tty->head + *cells);
		++*cells;
		if (!(c & CELL_EOF))
			to[bytes++] = (uint8_t)c;
		*ended = tty_is_canonical(tty) && (c & CELL_LINE_END);
	}
	/* A reader that takes all of a line takes its end as well, or would see it as another. */
	if (tty_is_canonical(tty) && !*ended && *cells < available &&
		(*tty_cell_at(tty, tty->head + *cells) & CELL_EOF)) {
		++*cells;
		*ended = true;
	}
	return bytes;
}

/* How many cells a read of n bytes waits for, and the time it gives each of them (0: any). */
struct patience {
	uint32_t at_least;
	uint64_t limit_ns;
};

/* VMIN and VTIME; with both, the time counts from the first byte on. */
static struct patience patience_of(const struct tty *tty, size_t n, uint32_t have)
{
	uint8_t min = tty->termios.c_cc[VMIN];
	uint64_t limit_ns = tty->termios.c_cc[VTIME] * (NS_PER_SEC / 10);

	if (tty_is_canonical(tty))
		return (struct patience){.at_least = 1};
	if (!min)
		return (struct patience){.at_least = limit_ns ? 1 : 0, .limit_ns = limit_ns};
	return (struct patience){
		.at_least = min < n ? min : (uint32_t)n,
		.limit_ns = have ? limit_ns : 0,
	};
}

/* Something changed, or the time is up (-ETIMEDOUT).  What came restarts the clock. */
static int sleep_for_input(struct tty *tty, uint64_t limit_ns, uint64_t *deadline_ns)
{
	uint32_t before = tty_readable_cells(tty);
	int err;

	if (limit_ns && *deadline_ns == NO_DEADLINE)
		*deadline_ns = time_now_ns() + limit_ns;
	err = waitq_sleep(&tty->readable, &tty->lock, SLEEP_INTERRUPTIBLE, *deadline_ns);
	if (tty_readable_cells(tty) != before)
		*deadline_ns = NO_DEADLINE;
	return err;
}

/* 0: there is something, or nobody shall wait for it, or the file is dead. */
static int wait_for_input(const struct file *file, size_t n)
{
	struct tty *tty = tty_of(file);
	uint64_t deadline_ns = NO_DEADLINE;
	bool waited = false;

	for (int err = 0;;) {
		uint32_t have = tty_readable_cells(tty);
		struct patience p = patience_of(tty, n, have);

		if (tty->line_gone)
			return waited ? -EIO : 0;
		if (have >= p.at_least || err == -ETIMEDOUT)
			return 0;
		if (err || file_is_nonblocking(file))
			return have ? 0 : err ? err : -EAGAIN;
		err = sleep_for_input(tty, p.limit_ns, &deadline_ns);
		waited = true;
	}
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
	if (tty->line->taken)
		tty->line->taken(tty);
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
	err = wait_for_input(file, n);
	if (!err && !tty->line_gone)
		err = move_out(tty, c, n, done);
	spin_unlock(&tty->lock);
	return err;
}

/* --- Readiness -------------------------------------------------------------------------------- */

/* As many as make a read return: with a time limit that is the first. */
static bool input_is_ready(const struct tty *tty)
{
	bool counts = !tty_is_canonical(tty) && !tty->termios.c_cc[VTIME];
	uint32_t min = counts && tty->termios.c_cc[VMIN] ? tty->termios.c_cc[VMIN] : 1;

	return tty_readable_cells(tty) >= min;
}

static bool output_is_ready(struct tty *tty)
{
	return !tty->stopped && !tty->suspended && !tty->n_held && tty->line->room(tty);
}

static unsigned tty_poll(struct file *file, struct poll_table *table)
{
	struct tty *tty = tty_of(file);
	unsigned events = 0;

	poll_wait(table, &tty->readable);
	poll_wait(table, &tty->writable);
	spin_lock(&tty->lock);
	if (tty->line_gone) {
		events = FS_POLLIN | FS_POLLOUT | FS_POLLERR | FS_POLLHUP;
	} else {
		events |= input_is_ready(tty) ? FS_POLLIN : 0;
		events |= output_is_ready(tty) ? FS_POLLOUT : 0;
	}
	spin_unlock(&tty->lock);
	return events;
}

const struct file_ops tty_ops = {
	.read = tty_read,
	.write = tty_write,
	.ioctl = tty_ioctl,
	.poll = tty_poll,
	.release = tty_release,
};
