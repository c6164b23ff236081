// SPDX-License-Identifier: MIT
/*
 * Between the files of the terminal layer: tty.c (reading and writing), tty_input.c (the line
 * discipline), tty_control.c (ioctl, job control), console_tty.c (the one terminal there is).
 */
#pragma once

#include <abi/termios.h>
#include <fs/file.h>
#include <kernel/lock.h>
#include <kernel/thread.h>
#include <kernel/tty.h>

#define TTY_INPUT_CELLS 4096 /* a power of two */

/* A cell of the input ring: a byte, or what ends a line. */
typedef uint16_t tty_cell;
#define CELL_LINE_END 0x100 /* a reader in canonical mode stops behind it */
#define CELL_EOF      0x200 /* no byte: only the end of a line */

/*
 * [l] lock; [o] output; [t] tree_lock
 *
 * The input ring: [head, line_end) can be read in canonical mode, [line_end, tail) is the line that
 * is being edited.  In raw mode line_end follows tail.
 */
struct tty {
	struct spinlock lock; /* RANK_TTY */
	struct termios termios;
	struct winsize size;           /* [l] */
	uint32_t head, line_end, tail; /* [l] positions, counted for ever */
	tty_cell *input;               /* [l] TTY_INPUT_CELLS */
	bool literal_next;             /* [l] VLNEXT was typed */
	bool output_stopped;           /* [l] VSTOP was typed */
	struct waitq readable, writable;
	struct mutex output;    /* RANK_TTY_OPS: one write at a time */
	struct pid *session;    /* [t] whose controlling terminal it is, counted, or NULL */
	struct pid *foreground; /* [t] counted, or NULL */

	/* The line: queue bytes, return how many fit.  Any context. */
	size_t (*send)(struct tty *tty, const char *text, size_t n);
};

void tty_setup(struct tty *tty, tty_cell *input,
	size_t (*send)(struct tty *tty, const char *text, size_t n));

extern const struct file_ops tty_ops;
static inline struct tty *tty_of(struct file *file)
{
	return file->private_data;
}

/* --- tty_input.c ---------------------------------------------------------------------------- */

/* A byte from the line.  Thread context, no lock held. */
void tty_receive(struct tty *tty, uint8_t byte);
/* With the lock held: drop what was typed. */
void tty_flush_input(struct tty *tty);
/* Lock held: how many cells a reader may take, and whether a read would wait. */
uint32_t tty_readable_cells(const struct tty *tty);

/* --- tty_control.c --------------------------------------------------------------------------- */

int tty_ioctl(struct file *file, unsigned command, uintptr_t arg);

/*
 * The running process is about to use the terminal: 0 if it may.  A background process gets the
 * signal (SIGTTIN, SIGTTOU) and -EINTR to begin again after it, or -EIO where stopping would be
 * for ever; one that ignores or blocks SIGTTOU may.
 */
int tty_check_foreground(struct tty *tty, int sig);

/* To the foreground group.  No lock held. */
void tty_signal_foreground(struct tty *tty, int sig);

/* --- console_tty.c --------------------------------------------------------------------------- */

extern struct tty console_tty;
