// SPDX-License-Identifier: MIT
/*
 * The frame that a signal handler finds on its stack, and the report of a fault that nobody
 * handles.
 */
#pragma once

#include <abi/signal.h>
#include <arch/types.h>

struct task;
struct trapframe;

/*
 * The start of struct ucontext, as far as it is in use, with all its bytes
 * named: the user sees them.
 */
struct frame_head {
	uint64_t flags;
	uint64_t link;
	void *stack_sp;
	int stack_flags;
	int unused;
	size_t stack_size;
	uint64_t mask;
};

/* A frame up to there: one copy. */
struct sigframe_start {
	siginfo_t info;
	struct frame_head head;
};

/*
 * Put a frame for the handler on the running thread's user stack and make *tf enter the handler; of
 * *start the caller has filled in info. 0, or -EFAULT when there is no room: nothing changed.
 */
int sigframe_push(struct trapframe *tf, struct sigframe_start *start,
	const struct sigaction *action, uint64_t old_mask) __attribute__((warn_unused_result));
/*
 * Undo it: registers, mask and alternate stack as the frame at the stack pointer has them.  0 or
 * -EFAULT, -EINVAL, and the registers are lost.
 */
int sigframe_pop(struct trapframe *tf) __attribute__((warn_unused_result));

/*
 * The alternate stack of the running thread, whose stack pointer is sp, as
 * sigaltstack() tells it.
 */
void altstack_get(vaddr_t sp, stack_t *stack);
/* 0, -EPERM: it stands on the one that it has, -EINVAL, -ENOMEM: too small. */
int altstack_set(const stack_t *stack, vaddr_t sp);

/* Log why the running process is about to end: the address, its area, its entry, the callers. */
void user_fault_report(int sig, int code, vaddr_t addr, struct trapframe *tf);
