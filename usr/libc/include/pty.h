// SPDX-License-Identifier: MIT
/*
 * Pseudo-terminals, made in one call. -1 and errno. The name, if it is wanted, needs 32 bytes;
 * modes and size may be NULL: the kernel's.
 */
#pragma once

#include <sys/ioctl.h>
#include <termios.h>

/* Both halves, open; neither becomes a controlling terminal. */
int openpty(int *master, int *slave, char *name, const struct termios *modes,
	const struct winsize *size);
/* A child that leads a session with the slave as its terminal, and as descriptors 0, 1 and 2. */
pid_t forkpty(int *master, char *name, const struct termios *modes, const struct winsize *size);
