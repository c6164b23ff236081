// SPDX-License-Identifier: MIT
/*
 * Traps: what is saved, how portable code reads it, and whom arch calls.
 *
 * A trap from user mode saves the user's registers in the struct trapframe at the top of the
 * thread's kernel stack: all of them, but a system call only those that a C function may change, as
 * the others come back by themselves. When work is pending at its end (a signal), the others are
 * stored too before trap_return_work() is called. Nor does a memory fault store those others
 * before it turns out that it cannot be served. On the way back only the first set is reloaded,
 * unless someone (exec, sigreturn, a debugger) changed others and called trapframe_changed().
 * System calls are dispatched by the entry code itself, straight through syscall_table, with the
 * user's six arguments still in their registers.
 *
 * A trap from kernel mode is an interrupt, a fault of a user copy, or a bug.
 */
#pragma once

#include <arch/types.h>

/* The values are those of the rights that an access needs of mm. */
enum trap_access { TRAP_READ = 1, TRAP_WRITE = 2, TRAP_EXEC = 4 };

/* Synchronous traps of user mode other than memory faults and system calls. */
enum trap_exception {
	TRAP_ILLEGAL,    /* not an instruction, or not one for user mode */
	TRAP_BREAKPOINT, /* pc is at the breakpoint instruction */
	TRAP_MISALIGNED, /* an access or jump target that must be aligned */
	TRAP_BUS,        /* the address has no memory or device behind it */
};

#include <arch_impl/trapframe.h>

/*
 * struct trapframe and these, from arch_impl/trapframe.h, all inline:
 *
 * vaddr_t trapframe_pc(const struct trapframe *)      the interrupted instruction
 * vaddr_t trapframe_sp(const struct trapframe *)
 * bool    trapframe_from_user(const struct trapframe *)
 * long    trapframe_syscall(const struct trapframe *) number; valid in a system call
 * long    trapframe_arg(const struct trapframe *, unsigned n)  n-th argument, 0 to 5, as the call
 *                                                     began: arg 0 survives the result
 * long    trapframe_result(const struct trapframe *)
 * void    trapframe_set_result(struct trapframe *, long)
 * void    trapframe_set_pc/_sp/_tls(struct trapframe *, vaddr_t)
 * void    trapframe_restart(struct trapframe *)       make the system call happen again on return:
 *                                                     pc back to it, argument 0 as it was
 * void    trapframe_end_call(struct trapframe *, long result)   not made yet: it will not be
 * void    trapframe_init_user(struct trapframe *, vaddr_t pc, vaddr_t sp)   fresh: all registers 0
 * void    trapframe_set_args(struct trapframe *, long a0, long a1, long a2) a handler's arguments
 * void    trapframe_set_return(struct trapframe *, vaddr_t)   where that handler returns to
 *
 * Every trapframe_set_*, _restart and _init_user implies trapframe_changed() where needed.
 */

/*
 * The system calls, defined by the kernel; index is the ABI's number. NULL: not implemented, and
 * syscall_unknown() is called instead. Handlers run with interrupts on; the frame is
 * user_frame(), of which pc, sp, tp and what a C function may change are valid. What they return is
 * the caller's result (sigreturn returns that of the frame it restored).
 */
#define SYSCALL_SLOTS 512
typedef long (*syscall_fn)(long, long, long, long, long, long);
extern const syscall_fn syscall_table[SYSCALL_SLOTS];
long syscall_unknown(long, long, long, long, long, long);

/*
 * Not 0 for calls that touch no user memory on any way: harts may be aside in them (pmap.h). Those
 * that change areas gain by it.
 */
extern const uint8_t syscall_aside[SYSCALL_SLOTS];

/*
 * A table entry for a handler that reads more of the frame than its arguments (fork, which copies
 * it). Its full frame is stored before the handler is called. Use at file scope, then name the
 * handler as SYSCALL_FULL(name) in the table.
 */
#define SYSCALL_FULL(name) name##_full_frame
#define SYSCALL_FULL_FRAME(name)                                    \
	long name##_full_frame(long, long, long, long, long, long); \
	ARCH_SYSCALL_FULL_FRAME(name##_full_frame, name)

/*
 * A bit of arch_thread.work (context.h) that sends each system call of a thread through
 * syscall_traced() instead of the table, which calls syscall_table itself.
 */
long syscall_traced(struct trapframe *tf);

/* Upcalls: declared here, defined by the kernel. */

/*
 * A memory fault of user mode: the access may be repeated (0), or else why not, and that, once all
 * of the frame is stored, is trap_user_fault_failed()'s to deal with. Interrupts on; both may
 * sleep.
 */
int trap_user_fault(vaddr_t addr, enum trap_access access);
void trap_user_fault_failed(struct trapframe *tf, vaddr_t addr, enum trap_access access, int why);

/* Another synchronous trap of user mode. addr: the address it is about (pc for TRAP_ILLEGAL). */
void trap_user_exception(struct trapframe *tf, enum trap_exception what, vaddr_t addr);

/*
 * Kernel code touched a user address through user.h and faulted. Interrupts as they were; called
 * only when they were on. True: the access may be repeated. False: the copy ends short.
 */
bool trap_user_copy_fault(struct trapframe *tf, vaddr_t addr, enum trap_access access);

/*
 * Work is pending (arch_thread.work != 0, or resched) as a trap returns to user mode: reschedule,
 * deliver signals. Interrupts on at entry; called again until nothing is pending.
 */
void trap_return_work(struct trapframe *tf);

/*
 * Interrupts; interrupts off, preemption off, irq_depth > 0. user: it was user
 * mode that was interrupted.
 */
void trap_timer(bool user);
void trap_external(void);
void trap_ipi(void);

/* An interrupt returns to kernel code that had interrupts on and may be preempted. Interrupts off.
 */
void trap_preempt(void);

/* A trap that kernel code must not cause: prints and never returns. */
_Noreturn void trap_panic(struct trapframe *tf, const char *what, vaddr_t addr);

/* Print every register through fn(ctx, text). For panics and fatal faults. */
void trapframe_print(
	const struct trapframe *tf, void (*fn)(void *ctx, const char *line), void *ctx);

/*
 * Where the code of a trap frame is, and was called from: fn for each, at most max. User frames are
 * read through user.h and end the walk when they cannot be read. Of the kernel without frame
 * pointers (release builds) some may be told that have returned.
 */
void arch_backtrace(
	const struct trapframe *tf, unsigned max, void (*fn)(void *ctx, vaddr_t pc), void *ctx);
/* Who called the function that calls this, and so on. */
void arch_backtrace_here(unsigned max, void (*fn)(void *ctx, vaddr_t pc), void *ctx);
