// SPDX-License-Identifier: MIT
/*
 * Harts and processes.  A process runs in the kernel until it sleeps, yields or returns to user
 * mode; there a timer interrupts it.  Nothing ever interrupts the kernel.
 */
#pragma once

#include "spinlock.h"

#include <stdbool.h>
#include <stdint.h>

#define MAX_HARTS   2
#define N_PROCS     6
#define STACK_BYTES 4096

struct context { /* swtch() knows it */
	uint64_t ra, sp, s[12];
};

struct trapframe {      /* user_vector knows it */
	uint64_t x[32]; /* x[0]: the program counter */
	uint64_t kernel_sp;
	struct cpu *cpu;
};

struct cpu {
	struct proc *proc;
	struct context scheduler;
	unsigned locks;  /* spin locks held */
	uint64_t passes; /* of the border to user mode: odd while on the other side */
};

enum proc_state { UNUSED, EMBRYO, SLEEPING, RUNNABLE, RUNNING, ZOMBIE };

/* [p] proc_lock, [o] the process's own */
struct proc {
	enum proc_state state; /* [p] */
	int pid;               /* [p] */
	struct proc *parent;   /* [p] */
	const void *chan;      /* [p] what it sleeps on */
	bool killed;           /* [p] to set; to be looked at by the process */
	bool killed_at_door;   /* [o] a test's: killed on its way into a killable sleep */
	int status;            /* [p] of a zombie */
	struct context context;
	struct trapframe trapframe; /* [o] */
	struct mvm_space *space;    /* [o] */
	bool in_op;                 /* [o] between begin_op() and end_op() */
	uint32_t op_blocks;         /* [o] slots of the log that this operation has written */
};

extern struct cpu cpus[MAX_HARTS];

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	asm volatile("mv %0, tp" : "=r"(cpu));
	return cpu;
}

static inline struct proc *this_proc(void)
{
	return this_cpu()->proc;
}

/* The first process: runs `main` in the kernel. */
void proc_first(void (*main)(void));

/* Run processes on this hart, for ever. */
void scheduler(void) __attribute__((noreturn));

/*
 * Wait on the channel; killable: but not if this process is killed, or once it is.  The lock is
 * released meanwhile; it must be the only one held.  May return for no reason.
 */
void sleep(const void *chan, struct spinlock *lock, bool killable);

/* Wake all that sleep on the channel. */
void wakeup(const void *chan);

/* Let others run.  No lock may be held. */
void yield(void);

/* Process calls: the child's number, the same for a child that has ended (-1: none). */
int fork(void);
int wait(int *status);
void exit(int status) __attribute__((noreturn));
void kill(int pid);

/* Is this process asleep? */
bool asleep(int pid);

/* Panics if a process has left its stack; returns how deep the deepest came, in bytes. */
unsigned check_stacks(void);
