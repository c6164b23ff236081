// SPDX-License-Identifier: MIT
/*
 * Between pty.c (the two halves) and devpts.c (numbers and nodes).
 */
#pragma once

#include <fs/chrdev.h>
#include <kernel/pty.h>

#include "tty/tty.h"

#define PTY_OUTPUT_BYTES PAGE_SIZE /* a power of two */
#define PTY_MAJOR        136

/* [l] tty.lock; [I] immutable; [a] atomic; [n] devpts' lock */
struct pty {
	struct tty tty; /* the slave */
	uint32_t refs;  /* [a] the master's, each slave file's, pty_find()'s */
	unsigned nr;    /* [I] */

	char *output;             /* [l] PTY_OUTPUT_BYTES: what the slave wrote */
	uint32_t out, in;         /* [l] positions in it, counted for ever */
	bool locked;              /* [l] TIOCSPTLCK: the slave cannot be opened yet */
	bool slave_closed;        /* [l] it was open, and is not */
	struct waitq master_wait; /* the master's readers, writers, pollers */
};

static inline struct pty *pty_of_tty(struct tty *tty)
{
	return (struct pty *)((char *)tty - __builtin_offsetof(struct pty, tty));
}

void pty_unref(struct pty *pty);

/* Open the slave as `file`.  -EIO: locked, or the master is gone. */
int pty_open_slave(struct pty *pty, struct file *file);

/* --- devpts.c -------------------------------------------------------------------------------- */

/*
 * Give the pty the lowest free number and its node, owned by the running process.
 * -ENODEV: no devpts is mounted; -ENOMEM, -ENOSPC.
 */
int devpts_add(struct pty *pty);

/* Take node and number away: pty_find() does not see it any more. */
void devpts_remove(struct pty *pty);

/* The top of the file system, counted, or NULL; and the slave's name there. */
struct dentry *devpts_root(void);
#define PTY_NAME_BYTES 12
void devpts_name(const struct pty *pty, char name[static PTY_NAME_BYTES]);

/* Register file system and devices.  -EEXIST. */
int devpts_init(int (*open_master)(struct chrdev *device, struct file *file));
