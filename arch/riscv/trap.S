/* SPDX-License-Identifier: MIT */
/*
 * Trap entry and return.
 *
 * sscratch is 0 while a hart runs in the kernel and its struct arch_cpu while it runs in user mode;
 * tp is the reverse. Swapping the two tells where the trap came from.
 *
 * From user mode: the frame is built at cpu->user_frame, the top of the thread's kernel stack.
 *
 *   System calls save what a C function may change and what is not the kernel's (all but s0 to
 *   s11), go straight to the handler with the arguments where they are, and reload the same set.
 *   s0 to s11 hold the user's values again when the handler has returned; only when work is pending
 *   then, or when a handler's table entry says so (SYSCALL_FULL_FRAME), are they stored too.
 *
 *   Memory faults save the same set, as almost all are served: only for one that is not are s0 to
 *   s11 stored too.
 *
 *   Everything else saves all.
 *
 * From kernel mode: the frame goes on the running stack. A stack whose guard was reached is left
 * for the hart's panic stack first.
 *
 * gp belongs to user mode throughout: the kernel is linked without it, each way in saves it.
 */
#include <arch_impl/csr.h>

#include "offsets.h"
#include "poison.h"

	.macro save_caller_saved
	sd	ra, TF_X(1)(sp)
	sd	gp, TF_X(3)(sp)
	sd	t0, TF_X(5)(sp)
	sd	t1, TF_X(6)(sp)
	sd	t2, TF_X(7)(sp)
	sd	a0, TF_X(10)(sp)
	sd	a1, TF_X(11)(sp)
	sd	a2, TF_X(12)(sp)
	sd	a3, TF_X(13)(sp)
	sd	a4, TF_X(14)(sp)
	sd	a5, TF_X(15)(sp)
	sd	a6, TF_X(16)(sp)
	sd	a7, TF_X(17)(sp)
	sd	t3, TF_X(28)(sp)
	sd	t4, TF_X(29)(sp)
	sd	t5, TF_X(30)(sp)
	sd	t6, TF_X(31)(sp)
	.endm

	.macro load_caller_saved
	ld	ra, TF_X(1)(sp)
	ld	t0, TF_X(5)(sp)
	ld	t1, TF_X(6)(sp)
	ld	t2, TF_X(7)(sp)
	ld	a0, TF_X(10)(sp)
	ld	a1, TF_X(11)(sp)
	ld	a2, TF_X(12)(sp)
	ld	a3, TF_X(13)(sp)
	ld	a4, TF_X(14)(sp)
	ld	a5, TF_X(15)(sp)
	ld	a6, TF_X(16)(sp)
	ld	a7, TF_X(17)(sp)
	ld	t3, TF_X(28)(sp)
	ld	t4, TF_X(29)(sp)
	ld	t5, TF_X(30)(sp)
	ld	t6, TF_X(31)(sp)
	.endm

	.macro callee_saved op, base
	\op	s0, TF_X(8)(\base)
	\op	s1, TF_X(9)(\base)
	\op	s2, TF_X(18)(\base)
	\op	s3, TF_X(19)(\base)
	\op	s4, TF_X(20)(\base)
	\op	s5, TF_X(21)(\base)
	\op	s6, TF_X(22)(\base)
	\op	s7, TF_X(23)(\base)
	\op	s8, TF_X(24)(\base)
	\op	s9, TF_X(25)(\base)
	\op	s10, TF_X(26)(\base)
	\op	s11, TF_X(27)(\base)
	.endm

	/* t2 is the cause; user_fault finds the access in a1. */
	.macro if_fault cause, access
	li	t3, \cause
	li	a1, \access
	beq	t2, t3, user_fault
	.endm

	.text
	.globl	trap_entry
	.balign	4
trap_entry:
	csrrw	tp, sscratch, tp
	beqz	tp, from_kernel

	sd	sp, CPU_SCRATCH(tp)
from_user:
	ld	sp, CPU_USER_FRAME(tp)
	save_caller_saved
	csrrw	t0, sscratch, zero
	ld	t1, CPU_SCRATCH(tp)
	sd	t0, TF_X(4)(sp)
	sd	t1, TF_X(2)(sp)
	csrr	t0, sepc
	csrr	t1, sstatus
	csrr	t2, scause
	sd	t1, TF_STATUS(sp)
	li	t3, CAUSE_USER_CALL
	bne	t2, t3, user_trap

	/* A system call. */
	addi	t0, t0, 4
	sd	t0, TF_PC(sp)
	sd	a0, TF_ORIG_A0(sp)
	poison_stack
	ld	t4, CPU_THREAD(tp)
	lw	t4, THREAD_WORK(t4)
	csrsi	sstatus, SSTATUS_SIE
	andi	t4, t4, ASM_WORK_TRACE
	bnez	t4, syscall_slow
	li	t3, ASM_SYSCALL_SLOTS
	bgeu	a7, t3, syscall_bad
	la	t3, syscall_table
	slli	t4, a7, 3
	add	t3, t3, t4
	ld	t3, 0(t3)
	beqz	t3, syscall_bad
	jalr	t3
syscall_done:
	sd	a0, TF_X(10)(sp)

	/* Back to user mode: s0 to s11 hold the user's values. */
trap_return:
	csrci	sstatus, SSTATUS_SIE
	ld	t0, CPU_THREAD(tp)
	lw	t1, THREAD_WORK(t0)
	ld	t2, CPU_RESCHED(tp)		/* and CPU_ASIDE */
	or	t3, t1, t2
	bnez	t3, return_work
return_fast:
	ld	t0, TF_STATUS(sp)
	ld	t1, TF_PC(sp)
	csrw	sstatus, t0
	csrw	sepc, t1
	load_caller_saved
	csrw	sscratch, tp
	ld	tp, TF_X(4)(sp)
	ld	sp, TF_X(2)(sp)
	sret

syscall_bad:
	call	syscall_unknown
	j	syscall_done

syscall_slow:
	callee_saved sd, sp
	mv	a0, sp
	call	syscall_traced
	j	syscall_done

user_trap:
	csrr	a0, stval
	sd	t0, TF_PC(sp)
	sd	t2, TF_CAUSE(sp)
	sd	a0, TF_VALUE(sp)
	if_fault CAUSE_STORE_FAULT, ASM_TRAP_WRITE
	if_fault CAUSE_LOAD_FAULT, ASM_TRAP_READ
	if_fault CAUSE_FETCH_FAULT, ASM_TRAP_EXEC
	callee_saved sd, sp
	mv	a0, sp
	call	trap_from_user
	j	trap_return

user_fault:
	csrsi	sstatus, SSTATUS_SIE
	call	trap_user_fault
	beqz	a0, trap_return
	callee_saved sd, sp
	mv	a1, a0
	mv	a0, sp
	call	user_fault_failed
	j	trap_return

	/*
	 * Work is pending: t0 is the thread, t1 its work, t2 that of the hart; interrupts are off.
	 * If the hart is aside, that ends first, as most often that is all. Then s0 to s11 go to the
	 * frame, unless it holds other values for them already (ASM_WORK_FRAME).
	 */
return_work:
	srli	t3, t2, 32			/* CPU_ASIDE */
	bnez	t3, 2f
	andi	t3, t1, ASM_WORK_FRAME
	bnez	t3, 1f
	callee_saved sd, sp
1:	andi	t1, t1, ~(ASM_WORK_FRAME | ASM_WORK_TRACE)
	or	t1, t1, t2
	beqz	t1, return_frame
	csrsi	sstatus, SSTATUS_SIE
	mv	a0, sp
	call	trap_return_work
	csrci	sstatus, SSTATUS_SIE
	ld	t0, CPU_THREAD(tp)
	lw	t1, THREAD_WORK(t0)
	ld	t2, CPU_RESCHED(tp)
	j	return_work
2:	call	pmap_step_back
	j	trap_return

return_frame:
	lw	t1, THREAD_WORK(t0)
	andi	t1, t1, ASM_WORK_FRAME
	beqz	t1, return_fast
	addi	t0, t0, THREAD_WORK
	li	t1, ~ASM_WORK_FRAME
	amoand.w zero, t1, (t0)
	callee_saved ld, sp
	ld	gp, TF_X(3)(sp)
	j	return_fast

	/* _Noreturn void arch_enter_frame(void): into user mode with all of the thread's frame. */
	.globl	arch_enter_frame
arch_enter_frame:
	ld	sp, CPU_USER_FRAME(tp)
	j	trap_return

	/* SYSCALL_FULL_FRAME(): called as a handler, so sp is the frame and t1 the real one. */
	.globl	syscall_full_frame
syscall_full_frame:
	callee_saved sd, sp
	jr	t1

	/*
	 * Instead of trap_entry, where others often ask this hart to forget translations: it is
	 * aside (tlb.c) in faults, and in the calls of syscall_aside.
	 */
	.globl	trap_entry_aside
	.balign	4
trap_entry_aside:
	csrrw	tp, sscratch, tp
	beqz	tp, from_kernel
	sd	sp, CPU_SCRATCH(tp)
	sd	t0, (CPU_SCRATCH + 8)(tp)
	csrr	sp, scause			/* of an interrupt, the low bits are none of these */
	li	t0, 1 << CAUSE_FETCH_FAULT | 1 << CAUSE_LOAD_FAULT | 1 << CAUSE_STORE_FAULT
	srl	t0, t0, sp
	andi	t0, t0, 1
	bnez	t0, 1f
	addi	sp, sp, -CAUSE_USER_CALL
	bnez	sp, 2f
	sltiu	t0, a7, ASM_SYSCALL_SLOTS
	beqz	t0, 2f
	la	t0, syscall_aside
	add	t0, t0, a7
	lbu	t0, 0(t0)
	beqz	t0, 2f
1:	li	t0, 1
	sw	t0, CPU_ASIDE(tp)
	ld	t0, CPU_PMAP(tp)
	ori	t0, t0, 1
	fence	rw, w				/* what user mode did comes first */
	sd	t0, CPU_PMAP(tp)
	sd	t0, CPU_PMAP_LEFT(tp)
2:	ld	t0, (CPU_SCRATCH + 8)(tp)
	j	from_user

from_kernel:
	csrrw	tp, sscratch, zero
	sd	t0, CPU_SCRATCH(tp)
	sd	sp, (CPU_SCRATCH + 8)(tp)
	addi	sp, sp, -TF_BYTES
	lui	t0, 0xc0000			/* KSTACK_BASE, sign extended */
	bltu	sp, t0, 1f			/* the boot stack */
	srli	t0, sp, ASM_KSTACK_SHIFT
	andi	t0, t0, 1
	bnez	t0, 1f
	ld	sp, CPU_PANIC_STACK(tp)
	addi	sp, sp, -TF_BYTES
1:	ld	t0, CPU_SCRATCH(tp)
	save_caller_saved
	callee_saved sd, sp
	ld	t0, (CPU_SCRATCH + 8)(tp)
	sd	tp, TF_X(4)(sp)
	sd	t0, TF_X(2)(sp)
	csrr	t0, sepc
	csrr	t1, sstatus
	csrr	t2, scause
	csrr	t3, stval
	sd	t0, TF_PC(sp)
	sd	t1, TF_STATUS(sp)
	sd	t2, TF_CAUSE(sp)
	sd	t3, TF_VALUE(sp)
	li	t0, SSTATUS_SUM
	csrc	sstatus, t0
	mv	a0, sp
	call	trap_from_kernel
	ld	t0, TF_STATUS(sp)
	ld	t1, TF_PC(sp)
	csrw	sstatus, t0
	csrw	sepc, t1
	load_caller_saved
	ld	sp, TF_X(2)(sp)
	sret
