// SPDX-License-Identifier: MIT
/*
 * Terminals: the line discipline between a line that carries bytes and programs that read and
 * write.
 */
#pragma once

struct process;

/* /dev/console and /dev/tty, over the machine's console line.  Once, at boot. */
void tty_init(void);

/* A process ends: if it leads a session, its terminal hangs up on the session. */
void tty_session_leader_exits(struct process *p);
