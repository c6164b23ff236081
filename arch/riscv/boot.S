/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of each hart.
 *
 * The firmware jumps to _start in S-mode with translation off: a0 is the hart's id, a1 the device
 * tree. The kernel is linked at its place in the direct map, so until translation is on only
 * PC-relative addresses work, and they are physical.
 *
 * The way up: point stvec at the linked address of the code to go on with, then turn translation
 * on. The next fetch, from a physical address that nothing maps, faults and lands there.
 */
#include <arch_impl/csr.h>

#include "offsets.h"

	.section .text.boot, "ax"
	.globl	_start
_start:
	csrw	sie, zero
	la	t0, boot_entered
	li	t1, 1
	amoswap.w.aqrl t1, t1, (t0)
	bnez	t1, stray
	la	t0, __bss_start
	la	t1, __bss_end
1:	.irp	n, 0, 8, 16, 24, 32, 40, 48, 56
	sd	zero, \n(t0)
	.endr
	addi	t0, t0, 64
	bltu	t0, t1, 1b

	/*
	 * The boot table: the whole direct map in 1 GiB leaves, readable, writable and executable.
	 * pmap_setup() replaces it. Root entries 256 to 510; 0xef is D A G X W R V.
	 */
	la	t0, pmap_boot_root
	addi	t1, t0, 2047
	addi	t1, t1, 1
	li	t2, 0xef
	li	t3, 1 << 28
	li	t4, 255
2:	sd	t2, 0(t1)
	add	t2, t2, t3
	addi	t1, t1, 8
	addi	t4, t4, -1
	bnez	t4, 2b

	la	t1, boot_high
	call	go_high
	.balign	4
boot_high:
	la	sp, boot_stack_top
	li	tp, 0
	li	s0, 0
	tail	arch_boot_main

/*
 * Turn translation on with the root table at the physical address t0, and go on at t1, given by its
 * physical address. Changes t0 to t2.
 */
go_high:
	li	t2, ASM_DIRECT_BASE
	add	t1, t1, t2
	csrw	stvec, t1
	srli	t0, t0, 12
	li	t2, SATP_SV39
	or	t0, t0, t2
	sfence.vma
	csrw	satp, t0
	/* Never executed: were the fetch to succeed, it would loop here. */
	j	.

/*
 * A hart that was to be started at arch_secondary_start(). OpenSBI marks a hart as started before
 * it notes where (sbi_hsm_hart_start(), up to 1.1 at least), so one that is late for its own
 * firmware's start-up may go where the first one went. Its arch_start is found by its id.
 */
stray:
	la	a1, arch_starts
	li	t2, START_COUNT
1:	ld	t1, START_ROOT(a1)
	beqz	t1, 2f
	fence	r, rw /* the rest is there: arch_cpu_start() */
	ld	t0, START_HART(a1)
	beq	t0, a0, arch_secondary_start
2:	addi	a1, a1, START_BYTES
	addi	t2, t2, -1
	bnez	t2, 1b
	j	stray

/* A secondary hart: a0 is its id, a1 the physical address of its struct arch_start. */
	.globl	arch_secondary_start
arch_secondary_start:
	csrw	sie, zero
	ld	t0, START_ROOT(a1)
	la	t1, secondary_high
	call	go_high
	.balign	4
secondary_high:
	li	t0, ASM_DIRECT_BASE
	add	a1, a1, t0
	ld	sp, START_STACK(a1)
	ld	a0, START_CPU(a1)
	li	tp, 0
	li	s0, 0
	tail	arch_secondary_main

	.data
	.balign	4
boot_entered:
	.word	0

	.section .bss.boot_stack, "aw", @nobits
	.balign	16
	.space	8192
boot_stack_top:
