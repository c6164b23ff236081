// SPDX-License-Identifier: MIT
/*
 * Between the files of signals; others use kernel/signal.h.  The process's lock is held.
 */
#pragma once

#include <kernel/process.h>

enum default_action { TERMINATE, IGNORE, STOP };

enum default_action signal_default(int sig);

/*
 * Append to a queue of p's.  0, also for what is pending already, or -EAGAIN: a real-time signal
 * without room.  Other signals are sent all the same; then they say SI_USER from nobody.
 */
int signal_queue_add(struct signal_queue *q, struct process *p, const siginfo_t *info);

/* The next of `set` for t, from its own queue or else its process's, and out of there; 0: none. */
int signal_queue_take(struct task *t, uint64_t set, siginfo_t *info);

/* Threads that do not block them are notified of the process's pending signals of `set`. */
void signal_hand_on(struct process *p, uint64_t set);

struct sigframe_start;

/* The handler's frame and mask for a signal that t, the running thread, has taken: start->info. */
void signal_call_handler(struct task *t, struct sigframe_start *start,
	const struct sigaction *action, struct trapframe *tf);
