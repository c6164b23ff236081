/* SPDX-License-Identifier: MIT */
/*
 * memset, memcpy and memmove. A page is zeroed in 16 rounds of 34 instructions, copied in 32 of 35.
 */
	.text
	.globl	memset
memset:
	mv	t0, a0
	andi	a1, a1, 0xff
	slli	t1, a1, 8
	or	a1, a1, t1
	slli	t1, a1, 16
	or	a1, a1, t1
	slli	t1, a1, 32
	or	a1, a1, t1
	li	t2, 16
	bltu	a2, t2, 5f
1:	andi	t1, t0, 7
	beqz	t1, 2f
	sb	a1, 0(t0)
	addi	t0, t0, 1
	addi	a2, a2, -1
	j	1b
2:	andi	t3, a2, -256
	beqz	t3, 4f
	add	t3, t3, t0
	andi	a2, a2, 255
3:
	.irp	n, 0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 136, 144, 152, 160, 168, 176, 184, 192, 200, 208, 216, 224, 232, 240, 248
	sd	a1, \n(t0)
	.endr
	addi	t0, t0, 256
	bne	t0, t3, 3b
	beqz	a2, 6f			/* mostly: a page */
4:	andi	t3, a2, 248		/* the words of the rest: into the middle of the stores */
	andi	a2, a2, 7
	add	t0, t0, t3
	srli	t3, t3, 1
	la	t4, 5f
	sub	t4, t4, t3
	jr	t4
	.option	norvc
	.irp	n, 248, 240, 232, 224, 216, 208, 200, 192, 184, 176, 168, 160, 152, 144, 136, 128, 120, 112, 104, 96, 88, 80, 72, 64, 56, 48, 40, 32, 24, 16, 8
	sd	a1, -\n(t0)
	.endr
	.option	rvc
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
2:	andi	t3, a2, -128
	beqz	t3, 4f
	add	t3, t3, t6
	andi	a2, a2, 127
3:
	.irp	n, 0, 32, 64, 96
	ld	t0, \n(a1)
	ld	t2, (\n + 8)(a1)
	ld	t4, (\n + 16)(a1)
	ld	t5, (\n + 24)(a1)
	sd	t0, \n(t6)
	sd	t2, (\n + 8)(t6)
	sd	t4, (\n + 16)(t6)
	sd	t5, (\n + 24)(t6)
	.endr
	addi	a1, a1, 128
	addi	t6, t6, 128
	bne	t6, t3, 3b
4:	bltu	a2, t1, 5f
	ld	t0, 0(a1)
	sd	t0, 0(t6)
	addi	a1, a1, 8
	addi	t6, t6, 8
	addi	a2, a2, -8
	j	4b
5:	beqz	a2, 6f
	lb	t0, 0(a1)
	sb	t0, 0(t6)
	addi	a1, a1, 1
	addi	t6, t6, 1
	addi	a2, a2, -1
	j	5b
6:	ret
