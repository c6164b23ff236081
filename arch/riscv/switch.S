/* SPDX-License-Identifier: MIT */
/*
 * Switching threads, moving FPU state between registers and memory, and a call that is none.
 */
#include "offsets.h"

	.macro switch_regs op, base
	\op	ra, THREAD_RA(\base)
	\op	sp, THREAD_SP(\base)
	\op	s0, THREAD_S(0)(\base)
	\op	s1, THREAD_S(1)(\base)
	\op	s2, THREAD_S(2)(\base)
	\op	s3, THREAD_S(3)(\base)
	\op	s4, THREAD_S(4)(\base)
	\op	s5, THREAD_S(5)(\base)
	\op	s6, THREAD_S(6)(\base)
	\op	s7, THREAD_S(7)(\base)
	\op	s8, THREAD_S(8)(\base)
	\op	s9, THREAD_S(9)(\base)
	\op	s10, THREAD_S(10)(\base)
	\op	s11, THREAD_S(11)(\base)
	.endm

	.text
	/*
	 * void switch_stacks(prev, next, frame): returns in next's context, whose frame is where
	 * its user's gp is: the kernel leaves that register alone. The store conditional ends a
	 * load reservation that prev may hold in user mode.
	 */
	.globl	switch_stacks
switch_stacks:
	switch_regs sd, a0
	sc.d	zero, ra, (a0)
	switch_regs ld, a1
	ld	gp, TF_X(3)(a2)
	ret

	/* Where a new thread begins: s0 is the entry, s1 its argument. */
	.globl	thread_begin
thread_begin:
	mv	a0, s1
	mv	t0, s0
	li	s0, 0
	li	ra, 0
	jr	t0

	/* _Noreturn void arch_run_on(vaddr_t stack_top, void (*fn)(void)) */
	.globl	arch_run_on
arch_run_on:
	addi	sp, a0, -TF_BYTES
	li	s0, 0
	li	ra, 0
	jr	a1

	.option push
	.option arch, +d
	.macro fpu_regs op
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\op	f\n, FPU_F(\n)(a0)
	.endr
	.endm

	/*
	 * void fpu_save(struct arch_fpu *), void fpu_load(const struct arch_fpu *):
	 * the FPU is on.
	 */
	.globl	fpu_save
fpu_save:
	frcsr	t0
	sd	t0, FPU_FCSR(a0)
	fpu_regs fsd
	ret

	.globl	fpu_load
fpu_load:
	ld	t0, FPU_FCSR(a0)
	fscsr	t0
	fpu_regs fld
	ret
	.option pop

	/*
	 * arch_call_rare(): calls t2 with t1 as its argument, returns to t0, keeps all else. The
	 * frame is as C makes it, with ra and s0 at its upper end, for who walks it.
	 */
	.macro call_rare_regs op
	\op	t1, 0(sp)
	\op	t2, 8(sp)
	\op	a0, 16(sp)
	\op	a1, 24(sp)
	\op	a2, 32(sp)
	\op	a3, 40(sp)
	\op	a4, 48(sp)
	\op	a5, 56(sp)
	\op	a6, 64(sp)
	\op	a7, 72(sp)
	\op	t3, 80(sp)
	\op	t4, 88(sp)
	\op	t5, 96(sp)
	\op	t6, 104(sp)
	\op	ra, 112(sp)
	\op	t0, 136(sp)
	\op	s0, 128(sp)
	.endm
	.globl	call_rare
call_rare:
	addi	sp, sp, -144
	call_rare_regs sd
	addi	s0, sp, 144
	mv	a0, t1
	jalr	t2
	call_rare_regs ld
	addi	sp, sp, 144
	jr	t0
