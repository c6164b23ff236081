// SPDX-License-Identifier: MIT
/*
 * Terminals: the line discipline between a line that carries bytes and programs that read and
 * write.
 */
#pragma once

#include <stdint.h>

struct process;

/* /dev/console and /dev/tty, over the machine's console line.  Once, at boot. */
void tty_init(void);

/* A process ends: if it leads a session, its terminal hangs up on the session. */
void tty_session_leader_exits(struct process *p);

/*
 * The number of a process's controlling terminal, 0 without one, and the group in front there, -1
 * if there is none.  tree_lock held.
 */
uint64_t tty_of_process(struct process *p, int32_t *foreground);
