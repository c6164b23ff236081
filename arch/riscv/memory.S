/* SPDX-License-Identifier: MIT */
/*
 * memset, memcpy and memmove. A page is zeroed in 8 rounds of 66 instructions, copied in 8 of 131.
 */
	.text
	.globl	memset
memset:
	mv	t0, a0
	li	t2, 16
	andi	a1, a1, 0xff
	beqz	a1, 0f
	slli	t1, a1, 8
	or	a1, a1, t1
	slli	t1, a1, 16
	or	a1, a1, t1
	slli	t1, a1, 32
	or	a1, a1, t1
0:	bltu	a2, t2, 5f
1:	andi	t1, t0, 7
	beqz	t1, 2f
	sb	a1, 0(t0)
	addi	t0, t0, 1
	addi	a2, a2, -1
	j	1b
2:	andi	t2, a2, -8
	andi	a2, a2, 7
	andi	t3, t2, 511
	add	t2, t2, t0			/* where the words end */
	beqz	t3, 3f				/* mostly: a page */
	add	t0, t0, t3			/* what is no full round first: into the middle of one */
	srli	t3, t3, 1
	la	t4, 4f
	sub	t4, t4, t3
	jr	t4
3:	addi	t0, t0, 512
	.option norvc
	.set	at, 512
	.rept	64
	sd	a1, -at(t0)
	.set	at, at - 8
	.endr
	.option rvc
4:	bne	t0, t2, 3b
5:	beqz	a2, 6f
	sb	a1, 0(t0)
	addi	t0, t0, 1
	addi	a2, a2, -1
	j	5b
6:	ret

	/* Backwards only when the target begins inside the source. */
	.globl	memmove
memmove:
	sub	t0, a0, a1
	bgeu	t0, a2, memcpy
	or	t0, a0, a1
	add	t1, a0, a2
	add	t2, a1, a2
	or	t0, t1, t2
	andi	t0, t0, 7
	li	t3, 8
	bnez	t0, 2f
1:	bltu	a2, t3, 2f
	addi	t1, t1, -8
	addi	t2, t2, -8
	ld	t0, 0(t2)
	sd	t0, 0(t1)
	addi	a2, a2, -8
	j	1b
2:	beqz	a2, 3f
	addi	t1, t1, -1
	addi	t2, t2, -1
	lb	t0, 0(t2)
	sb	t0, 0(t1)
	addi	a2, a2, -1
	j	2b
3:	ret

	.globl	memcpy
memcpy:
	mv	t6, a0
	li	t1, 8
	bltu	a2, t1, 5f
	xor	t0, a0, a1
	andi	t0, t0, 7
	bnez	t0, 5f
1:	andi	t0, t6, 7
	beqz	t0, 2f
	lb	t0, 0(a1)
	sb	t0, 0(t6)
	addi	t6, t6, 1
	addi	a1, a1, 1
	addi	a2, a2, -1
	j	1b
2:	andi	t3, a2, -512
	beqz	t3, 4f
	add	t3, t3, t6
	andi	a2, a2, 511
3:
	.set	at, 0
	.rept	16
	ld	t0, at(a1)
	ld	t2, (at + 8)(a1)
	ld	t4, (at + 16)(a1)
	ld	t5, (at + 24)(a1)
	sd	t0, at(t6)
	sd	t2, (at + 8)(t6)
	sd	t4, (at + 16)(t6)
	sd	t5, (at + 24)(t6)
	.set	at, at + 32
	.endr
	addi	a1, a1, 512
	addi	t6, t6, 512
	bne	t6, t3, 3b
	beqz	a2, 6f				/* mostly: a page */
4:	andi	t3, a2, 504			/* the words of the rest: into the middle of the copies */
	andi	a2, a2, 7
	add	a1, a1, t3
	add	t6, t6, t3
	la	t4, 5f
	sub	t4, t4, t3
	jr	t4
	.option norvc
	.set	at, 504
	.rept	63
	ld	t0, -at(a1)
	sd	t0, -at(t6)
	.set	at, at - 8
	.endr
	.option rvc
5:	beqz	a2, 6f
	lb	t0, 0(a1)
	sb	t0, 0(t6)
	addi	a1, a1, 1
	addi	t6, t6, 1
	addi	a2, a2, -1
	j	5b
6:	ret
