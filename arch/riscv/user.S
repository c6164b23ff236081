/* SPDX-License-Identifier: MIT */
/*
 * Loads and stores of user memory.
 *
 * Each instruction that may fault on a user address has an entry in the fix-up table: its address
 * and where to go on when the fault cannot be repaired. Rounds of 256 bytes, then of 64, while both
 * sides are aligned; a fault there goes on byte by byte from the start of the round, so that the count
 * of what was not copied is exact.
 *
 * Ranges were checked by the callers in user.c.
 */
#include <arch_impl/csr.h>

	.macro fix at, to
	.pushsection .fixup_table, "a"
	.balign	8
	.dword	\at, \to
	.popsection
	.endm

	.macro user op, reg, offset, base, to
100\@:	\op	\reg, \offset(\base)
	fix	100\@b, \to
	.endm

	/* Sixty-four bytes at an offset of both pointers. */
	.macro copy_64 at
	user	ld, t0, \at + 0, a1, copy_bytes
	user	ld, t2, \at + 8, a1, copy_bytes
	user	ld, t3, \at + 16, a1, copy_bytes
	user	ld, t4, \at + 24, a1, copy_bytes
	user	ld, t5, \at + 32, a1, copy_bytes
	user	ld, a3, \at + 40, a1, copy_bytes
	user	ld, a4, \at + 48, a1, copy_bytes
	user	ld, a5, \at + 56, a1, copy_bytes
	user	sd, t0, \at + 0, a0, copy_bytes
	user	sd, t2, \at + 8, a0, copy_bytes
	user	sd, t3, \at + 16, a0, copy_bytes
	user	sd, t4, \at + 24, a0, copy_bytes
	user	sd, t5, \at + 32, a0, copy_bytes
	user	sd, a3, \at + 40, a0, copy_bytes
	user	sd, a4, \at + 48, a0, copy_bytes
	user	sd, a5, \at + 56, a0, copy_bytes
	.endm

	.text
	/* size_t user_copy(void *to, const void *from, size_t n): either side may be user memory. */
	.globl	user_copy
user_copy:
	li	t6, SSTATUS_SUM
	csrs	sstatus, t6
	or	t0, a0, a1
	andi	t0, t0, 7
	bnez	t0, copy_bytes
	li	t1, 256
copy_large:
	bltu	a2, t1, copy_medium
	copy_64	0
	copy_64	64
	copy_64	128
	copy_64	192
	addi	a1, a1, 256
	addi	a0, a0, 256
	addi	a2, a2, -256
	j	copy_large
copy_medium:
	li	t1, 64
1:	bltu	a2, t1, copy_words
	copy_64	0
	addi	a1, a1, 64
	addi	a0, a0, 64
	addi	a2, a2, -64
	j	1b
copy_words:
	li	t1, 8
1:	bltu	a2, t1, copy_bytes
	user	ld, t0, 0, a1, copy_bytes
	user	sd, t0, 0, a0, copy_bytes
	addi	a1, a1, 8
	addi	a0, a0, 8
	addi	a2, a2, -8
	j	1b
copy_bytes:
	beqz	a2, user_done
	user	lb, t0, 0, a1, user_done
	user	sb, t0, 0, a0, user_done
	addi	a1, a1, 1
	addi	a0, a0, 1
	addi	a2, a2, -1
	j	copy_bytes

	/* a2 bytes were not reached. */
user_done:
	csrc	sstatus, t6
	mv	a0, a2
	ret

	/* size_t user_clear(void *to, size_t n) */
	.globl	user_clear
user_clear:
	li	t6, SSTATUS_SUM
	csrs	sstatus, t6
	mv	a2, a1
clear_head:
	andi	t0, a0, 7
	beqz	t0, clear_words
	beqz	a2, user_done
	user	sb, zero, 0, a0, user_done
	addi	a0, a0, 1
	addi	a2, a2, -1
	j	clear_head
clear_words:
	li	t1, 64
1:	bltu	a2, t1, clear_bytes
	user	sd, zero, 0, a0, clear_bytes
	user	sd, zero, 8, a0, clear_bytes
	user	sd, zero, 16, a0, clear_bytes
	user	sd, zero, 24, a0, clear_bytes
	user	sd, zero, 32, a0, clear_bytes
	user	sd, zero, 40, a0, clear_bytes
	user	sd, zero, 48, a0, clear_bytes
	user	sd, zero, 56, a0, clear_bytes
	addi	a0, a0, 64
	addi	a2, a2, -64
	j	1b
clear_bytes:
	beqz	a2, user_done
	user	sb, zero, 0, a0, user_done
	addi	a0, a0, 1
	addi	a2, a2, -1
	j	clear_bytes

	/*
	 * long user_string(char *to, const char *from, size_t n): copies up to and with the
	 * terminator; its length, n when there is none in n bytes, -1 on a fault.  n > 0.
	 */
	.globl	user_string
user_string:
	li	t6, SSTATUS_SUM
	csrs	sstatus, t6
	mv	t1, a1
	add	t2, a1, a2
1:	user	lb, t0, 0, a1, user_fail
	sb	t0, 0(a0)
	beqz	t0, 2f
	addi	a0, a0, 1
	addi	a1, a1, 1
	bne	a1, t2, 1b
2:	csrc	sstatus, t6
	sub	a0, a1, t1
	ret

user_fail:
	csrc	sstatus, t6
	li	a0, -1
	ret

	/* int user_get32/64(const void *from, uintN_t *to), user_put32/64(void *to, uintN_t): 0, -1 */
	.macro user_get name, op, store
	.globl	\name
\name:	li	t6, SSTATUS_SUM
	csrs	sstatus, t6
	user	\op, t0, 0, a0, user_fail
	csrc	sstatus, t6
	\store	t0, 0(a1)
	li	a0, 0
	ret
	.endm
	user_get user_get32, lw, sw
	user_get user_get64, ld, sd

	.macro user_put name, op
	.globl	\name
\name:	li	t6, SSTATUS_SUM
	csrs	sstatus, t6
	user	\op, a1, 0, a0, user_fail
	csrc	sstatus, t6
	li	a0, 0
	ret
	.endm
	user_put user_put32, sw
	user_put user_put64, sd

	/* int user_cas32(void *user, uint32_t expected, uint32_t desired, uint32_t *old): 0, -1 */
	.globl	user_cas32
user_cas32:
	li	t6, SSTATUS_SUM
	csrs	sstatus, t6
	sext.w	a1, a1
1:	lr.w.aq	t0, (a0)
	bne	t0, a1, 3f
2:	sc.w.rl	t1, a2, (a0)
	bnez	t1, 1b
3:	csrc	sstatus, t6
	sw	t0, 0(a3)
	li	a0, 0
	ret
	fix	1b, user_fail
	fix	2b, user_fail
