// SPDX-License-Identifier: MIT
/*
 * The frame that a signal handler finds on its stack, and the report of a fault that nobody
 * handles.
 */
#pragma once

#include <abi/signal.h>
#include <arch/types.h>

struct trapframe;

/*
 * Put a frame for the handler on the running thread's user stack and make *tf enter the handler.
 * 0, or -EFAULT when there is no room: nothing changed.
 */
int sigframe_push(struct trapframe *tf, const siginfo_t *info, const struct sigaction *action,
	uint64_t old_mask) __attribute__((warn_unused_result));
/* Undo it: registers and mask as the frame at the stack pointer has them.  0 or -EFAULT, -EINVAL.
 */
int sigframe_pop(struct trapframe *tf) __attribute__((warn_unused_result));

/* Is sp on the running thread's alternate stack? */
bool sigframe_on_altstack(vaddr_t sp);

/* Log why the running process is about to end: the address, its area, its entry, the callers. */
void user_fault_report(int sig, int code, vaddr_t addr, struct trapframe *tf);
