// SPDX-License-Identifier: MIT
/*
 * Between the files of the process layer; others use kernel/process.h.
 */
#pragma once

#include <kernel/process.h>

/* An empty process with one reference; NULL: no memory. */
struct process *process_alloc(void);

/*
 * A thread of p that will begin at entry(user thread), with a tid, in no list.  0 or -ENOMEM.
 * task_free() undoes it, and ends the life of one that has run.
 */
int task_new(struct process *p, void (*entry)(void *), struct task **out)
	__attribute__((warn_unused_result));
void task_free(struct task *t);

/* tree_lock and p's lock held: t, which belongs to p, becomes one of its threads. */
void process_add_thread(struct process *p, struct task *t);

/*
 * The running thread, t, is about to leave its memory, by exec or exit: who waits for that in the
 * memory, or for a vfork, is told.
 */
void task_leave_memory(struct task *t);

/* tree_lock held: p becomes visible, with its first thread, in its parent's group and session. */
void process_enter_tree(struct process *p, struct process *parent, struct task *first);

/* tree_lock held: take a zombie out of the tree; the caller drops the tree's reference. */
void process_reap(struct process *p);

/* Add what a thread, of which the caller holds a reference, has taken. */
void cpu_times_add_thread(struct cpu_times *to, struct thread *t);

/* The real-time interval timer of a process. */
void alarm_init(struct process *p);
void alarm_stop(struct process *p);
/* Lock held: a SIGALRM left the process's queue, so the next one may come. */
void alarm_taken(struct process *p);
