// SPDX-License-Identifier: MIT
/*
 * Between the files of the terminal layer, and for the drivers of lines.  The theory is in tty.c.
 *
 * A line is what carries a terminal's bytes: the machine's UART, or the other half of a
 * pseudo-terminal.  What comes in is handed to tty_receive(); what goes out to its send().
 */
#pragma once

#include <abi/termios.h>
#include <fs/file.h>
#include <kernel/lock.h>
#include <kernel/thread.h>
#include <kernel/tty.h>

#define TTY_INPUT_CELLS 4096 /* a power of two */
#define TTY_HELD_BYTES  512

/* A cell of the input ring: a byte, or what ends a line. */
typedef uint16_t tty_cell;
#define CELL_LINE_END 0x100 /* a reader in canonical mode stops behind it */
#define CELL_EOF      0x200 /* no byte: only the end of a line */

struct tty;

/* What a line can do.  All but the last two are called with the terminal's lock held. */
struct tty_line {
	/* Queue bytes; returns how many fit. */
	size_t (*send)(struct tty *tty, const char *text, size_t n);
	/* How many fit now; how many are queued and have not left; drop those. */
	size_t (*room)(struct tty *tty);
	size_t (*unsent)(struct tty *tty);
	void (*flush)(struct tty *tty);
	/* There is room for input again.  NULL: the line does not wait for it. */
	void (*taken)(struct tty *tty);

	/* A file of the terminal was opened (tree_lock held) and closed (no lock held; the
	 * terminal may be gone when it returns).  NULL: nothing to do. */
	void (*opened)(struct tty *tty);
	void (*closed)(struct tty *tty, bool last);
};

/*
 * [l] lock; [t] tree_lock; [t]+[l] both to write, either to read; [I] immutable
 *
 * The input ring: [head, line_end) can be read in canonical mode, [line_end, tail) is the line that
 * is being edited.  In raw mode line_end follows tail.
 */
struct tty {
	struct spinlock lock;        /* RANK_TTY */
	const struct tty_line *line; /* [I] */
	uint64_t dev;                /* [I] its number */
	uint32_t speed;              /* [I] that it begins with: B38400 ... */
	struct termios termios;      /* [l] */
	struct winsize size;         /* [l] */

	uint32_t head, line_end, tail; /* [l] positions, counted for ever */
	tty_cell *input;               /* [l] TTY_INPUT_CELLS */
	bool literal_next;             /* [l] VLNEXT was typed */

	bool stopped;              /* [l] VSTOP was typed */
	bool suspended;            /* [l] tcflow(TCOOFF) */
	bool writing;              /* [l] somebody writes; others wait their turn */
	uint32_t column;           /* [l] where the cursor is, as far as one can know */
	uint32_t line_column;      /* [l] where the edited line began */
	char held[TTY_HELD_BYTES]; /* [l] processed already: goes out before anything else */
	size_t n_held;             /* [l] */

	bool exclusive; /* [l] TIOCEXCL */
	bool line_gone; /* [t]+[l] for ever: the files are dead, and no session takes it any more */
	unsigned opens; /* [t] files */

	struct waitq readable, writable, turn;
	struct pid *session;    /* [t] whose controlling terminal it is, counted, or NULL */
	struct pid *foreground; /* [t] counted, or NULL */
};

/* Everything but the size, which is 0 by 0. */
void tty_setup(struct tty *tty, const struct tty_line *line, uint64_t dev, uint32_t speed,
	tty_cell *input);

/* --- tty.c: files ----------------------------------------------------------------------------- */

extern const struct file_ops tty_ops;

static inline struct tty *tty_of(const struct file *file)
{
	return file->private_data;
}

/*
 * Make `file`, which is being opened, one of the terminal, which the caller keeps alive meanwhile.
 * -EBUSY (TIOCEXCL); -EIO: the line is gone.
 */
int tty_open(struct tty *tty, struct file *file);
/* The same for the controlling terminal of the running process.  -ENXIO: it has none. */
int tty_open_controlling(struct file *file);

/* A chunk from the writer's memory: at least a byte, or the error. */
int tty_fetch(struct mvm_copy *c, char *to, size_t done, size_t n, size_t *got);

/* --- tty_output.c ----------------------------------------------------------------------------- */

int tty_write(struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done);

/* Lock held, all four. */

/* Send what is held.  True: all of it is out, and more may follow. */
bool tty_push(struct tty *tty);
/* Hold a byte back for tty_push(), as output that OPOST applies to, or as it is. */
void tty_hold(struct tty *tty, uint8_t byte);
void tty_hold_raw(struct tty *tty, const char *text, size_t n);
/* Drop what has not left. */
void tty_flush_output(struct tty *tty);

/* No lock held: wait until everything has left.  -EINTR; -EIO: a hang-up. */
int tty_drain(struct tty *tty);

/* --- tty_input.c, tty_edit.c ------------------------------------------------------------------ */

/* A byte from the line.  Thread context, no lock held. */
void tty_receive(struct tty *tty, uint8_t byte);

/* Lock held, all below. */

/* Would a byte from the line be taken now, or dropped for good reason? */
bool tty_accepts_input(const struct tty *tty);
/* Drop what was typed. */
void tty_flush_input(struct tty *tty);
/* How many cells a reader may take. */
uint32_t tty_readable_cells(const struct tty *tty);

static inline bool tty_is_canonical(const struct tty *tty)
{
	return tty->termios.c_lflag & ICANON;
}
static inline tty_cell *tty_cell_at(struct tty *tty, uint32_t position)
{
	return &tty->input[position % TTY_INPUT_CELLS];
}
/* Is it this control character?  0 disables one. */
static inline bool tty_is_control(const struct tty *tty, uint8_t byte, unsigned which)
{
	return byte && tty->termios.c_cc[which] == byte;
}

/* Show a byte: as a control character is shown, or, if ECHO and ECHONL want it, as it was typed. */
void tty_show(struct tty *tty, uint8_t byte);
void tty_echo(struct tty *tty, uint8_t byte);
/* VERASE, VWERASE, VKILL, VREPRINT. */
void tty_erase_character(struct tty *tty);
void tty_erase_word(struct tty *tty);
void tty_erase_line(struct tty *tty);
void tty_reprint_line(struct tty *tty);

/* --- tty_control.c ---------------------------------------------------------------------------- */

int tty_ioctl(struct file *file, unsigned command, uintptr_t arg);

/* What both halves of a pseudo-terminal answer alike.  -ENOTTY. */
int tty_common_ioctl(struct tty *tty, bool master, unsigned command, uintptr_t arg);

/* --- tty_jobs.c ------------------------------------------------------------------------------- */

/*
 * The running process is about to use the terminal: 0 if it may.  A background process gets the
 * signal (SIGTTIN, SIGTTOU) and -EINTR to begin again after it, or -EIO where stopping would be
 * for ever; one that ignores or blocks SIGTTOU may.
 */
int tty_check_foreground(struct tty *tty, int sig);

/* To the foreground group.  No lock held. */
void tty_signal_foreground(struct tty *tty, int sig);

/* tree_lock held: the controlling terminal of p, or NULL. */
struct tty *tty_controlling(const struct process *p);

/* The running process opened it: a session leader without a terminal has it from now on. */
void tty_offer(struct tty *tty);

/* TIOCSCTTY, TIOCNOTTY, TIOCGPGRP and TIOCGSID (any: the asker needs not be of the session),
 * TIOCSPGRP. */
int tty_become_controlling(struct tty *tty, bool steal);
int tty_give_up_controlling(struct tty *tty);
int tty_get_number(struct tty *tty, bool session, bool any, uintptr_t arg);
int tty_set_foreground(struct tty *tty, uintptr_t arg);

/* The line is gone: SIGHUP to the session's leader, and every file of the terminal is dead. */
void tty_hang_up(struct tty *tty);

/* --- console_tty.c ---------------------------------------------------------------------------- */

extern struct tty console_tty;
