/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of a program. The kernel enters with sp at argc, 16-byte aligned:
 *
 *     sp: argc | argv[0] .. argv[argc-1] | NULL | envp .. | NULL | auxv pairs .. | AT_NULL 0
 *
 * and all other registers zero. __start_c does the rest in C. ra = 0 and the frame pointer 0 end
 * backtraces here.
 */
	.section .text.start, "ax", @progbits
	.globl	_start
	.type	_start, @function
_start:
	.cfi_startproc
	.cfi_undefined ra
	.option push
	.option norelax
	lla	gp, __global_pointer$
	.option pop
	mv	a0, sp
	andi	sp, sp, -16
	li	fp, 0
	li	ra, 0
	tail	__start_c
	.cfi_endproc
	.size	_start, . - _start

	.section .note.GNU-stack, "", @progbits
