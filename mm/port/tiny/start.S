/* SPDX-License-Identifier: MIT */
/*
 * Where control comes in: harts from OpenSBI, traps; and the switch from one kernel stack to
 * another.
 */
	.section .text.entry, "ax"
	.globl	_entry
_entry:					/* the first hart; a0: its number */
	la	t0, entered		/* or another: OpenSBI starts a hart before it notes where, */
	li	t1, 1			/* so a late one may come in where the first did */
	amoswap.w.aqrl t1, t1, (t0)
	bnez	t1, hart_entry
	la	t0, bss_start
	la	t1, bss_end
1:	sd	zero, (t0)
	addi	t0, t0, 8
	bltu	t0, t1, 1b
	la	t2, first_hart
	j	2f
	.globl	hart_entry
hart_entry:				/* another one, started by the first */
	la	t2, other_hart
2:	la	sp, hart_stacks
	addi	t0, a0, 1
	slli	t0, t0, 12
	add	sp, sp, t0
	jr	t2

	.data
	.balign	4
entered:
	.word	0

	.text
/* A trap from user mode: sscratch points to the process's struct trapframe. */
	.globl	user_vector
	.balign	4
user_vector:
	csrrw	a0, sscratch, a0
	.irp	n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd	x\n, 8*\n(a0)
	.endr
	csrr	t0, sscratch
	sd	t0, 8*10(a0)
	csrr	t0, sepc
	sd	t0, (a0)
	ld	sp, 8*32(a0)
	ld	tp, 8*33(a0)
	j	user_trap

/* user_return(trapframe): to user mode. */
	.globl	user_return
user_return:
	csrw	sscratch, a0
	ld	t0, (a0)
	csrw	sepc, t0
	.irp	n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	x\n, 8*\n(a0)
	.endr
	ld	a0, 8*10(a0)
	sret

/* A trap from the kernel is its end: nothing here may fault. */
	.globl	kernel_vector
	.balign	4
kernel_vector:
	j	kernel_trap

/* swtch(from, to): what a call leaves alone, saved in one struct context, loaded from another. */
	.globl	swtch
swtch:
	sd	ra, (a0)
	sd	sp, 8(a0)
	sd	s0, 16(a0)
	sd	s1, 24(a0)
	.irp	n, 2,3,4,5,6,7,8,9,10,11
	sd	s\n, 16+8*\n(a0)
	.endr
	ld	ra, (a1)
	ld	sp, 8(a1)
	ld	s0, 16(a1)
	ld	s1, 24(a1)
	.irp	n, 2,3,4,5,6,7,8,9,10,11
	ld	s\n, 16+8*\n(a1)
	.endr
	ret

/* The user program, which the disk's first file is made of. */
	.section .rodata
	.globl	user_image, user_image_end
user_image:
	.incbin	"user.bin"
user_image_end:
