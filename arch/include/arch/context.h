// SPDX-License-Identifier: MIT
/*
 * Threads as arch sees them: a kernel stack, saved registers, FPU state, a way into user mode.
 *
 * The kernel's struct thread has struct arch_thread as first member.
 *
 * FPU state belongs to users; kernel code never touches it. It is saved when a thread that changed
 * it is switched out, and loaded at the thread's first FPU instruction after it was switched in,
 * unless the hart's registers still hold it. A thread that never uses the FPU never pays.
 */
#pragma once

#include <arch/types.h>
#include <arch_impl/context.h> /* struct arch_context, struct arch_fpu */

struct trapframe;
struct pmap;

/* Bits of arch_thread.work. Any bit set: the return to user mode takes the slow way. */
#define ARCH_WORK_TRACE 1u /* system calls go through syscall_traced() */
#define ARCH_WORK_FRAME 2u /* all registers must be reloaded from the frame; cleared by arch */
#define ARCH_WORK_FIRST 4u /* this and all higher bits are the kernel's: cleared by it */

struct arch_thread {
	struct arch_context context; /* callee-saved registers while switched out */
	uint32_t work;               /* atomic; ARCH_WORK_ bits */
	uint32_t fpu_hart;           /* hart whose registers may hold the FPU state, or ~0 */
	vaddr_t stack_top;           /* top of the kernel stack; the user trapframe is just below */
	struct arch_fpu *fpu;        /* NULL: a kernel thread */
	struct pmap *pmap;           /* the space to run in; NULL: none */
};

/* The user trapframe of a thread. */
struct trapframe *arch_thread_frame(struct arch_thread *t);
/* That of the running thread. */
struct trapframe *user_frame(void);

/*
 * Prepare t to begin at entry(arg) on the stack whose top is given. entry() is reached as if from
 * arch_switch(), with interrupts off, and must not return. For a thread that runs already: just its
 * stack.
 */
void arch_thread_init(struct arch_thread *t, vaddr_t stack_top, void (*entry)(void *), void *arg);

/*
 * Switch from prev to next, and to its space, on this hart, with interrupts off. Returns in next;
 * one that has not run before begins at its entry.
 */
void arch_switch(struct arch_thread *prev, struct arch_thread *next);

/* Leave the running stack for good, and run fn() on another, below the place of its trapframe. */
_Noreturn void arch_run_on(vaddr_t stack_top, void (*fn)(void));

/* Leave for user mode with the registers in the thread's own frame. Never returns. */
_Noreturn void arch_enter_user(void);

/*
 * FPU. The state of a user thread is memory that the kernel has for it (t->fpu). Before the thread
 * enters user mode exec resets it, the running thread's, or fork copies it, to a thread that has
 * not run and whose frame is filled.
 */
void arch_fpu_reset(struct arch_thread *self);
void arch_fpu_copy(struct arch_thread *to, struct arch_thread *from_self);

/*
 * Signal frames: the machine part, in the ABI's layout (offset 176 of struct ucontext). *sc is user
 * memory. Put writes there what the running thread's frame, all of which must be valid, and its FPU
 * hold, -EFAULT when it cannot. Get is the reverse and marks the frame changed; also -EINVAL when
 * *sc has an extension that is not there. After a failure the user's registers are lost.
 */
struct arch_sigcontext {
	uint64_t regs[32]; /* pc, then x1 to x31 */
	struct arch_fpu fpu;
	uint64_t unused[31];    /* room for registers of quad precision; neither read nor written */
	uint64_t extensions[2]; /* an fcsr for those, and headers of extensions: 0, there is none */
} __attribute__((aligned(16)));

int arch_sigcontext_put(struct arch_sigcontext *sc) __attribute__((warn_unused_result));
int arch_sigcontext_get(const struct arch_sigcontext *sc) __attribute__((warn_unused_result));

/* The instructions of the sigreturn trampoline, for a page that user mode can read and execute. */
extern const uint8_t arch_sigreturn_code[];
extern const size_t arch_sigreturn_code_bytes;
