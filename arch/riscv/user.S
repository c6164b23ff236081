/* SPDX-License-Identifier: MIT */
/*
 * Loads and stores of user memory.
 *
 * A fault on a user address that cannot be repaired goes on where the fix-up table says for the
 * stretch of code that it is in. A copy's stretches change their pointers only when they are
 * through: there a fault goes on byte by byte from the start of the stretch, so that the count of
 * what was not copied is exact.
 *
 * Ranges were checked by the callers in user.c and arch_impl/user.h.
 */
#include <arch_impl/csr.h>

#include "offsets.h"

	.macro fix from, end, to
	.pushsection .fixup_table, "a"
	.balign	8
	.dword	\from, \end, \to
	.popsection
	.endm

	/*
	 * User memory may be touched from here on; t6 is what csrc ends that with. In debug builds,
	 * whoever is aside (tlb.c), where the hart may remember what is true no more, stops here.
	 */
	.macro open_user
#ifdef MAPACHE_DEBUG
	ld	t6, CPU_PMAP(tp)
	andi	t6, t6, 1
	beqz	t6, .Lnear\@
	ebreak
.Lnear\@:
#endif
	li	t6, SSTATUS_SUM
	csrs	sstatus, t6
	.endm

	/* Sixty-four bytes at an offset of both pointers. */
	.macro copy_64 at
	ld	t0, (\at + 0)(a1)
	ld	t2, (\at + 8)(a1)
	ld	t3, (\at + 16)(a1)
	ld	t4, (\at + 24)(a1)
	ld	t5, (\at + 32)(a1)
	ld	a3, (\at + 40)(a1)
	ld	a4, (\at + 48)(a1)
	ld	a5, (\at + 56)(a1)
	sd	t0, (\at + 0)(a0)
	sd	t2, (\at + 8)(a0)
	sd	t3, (\at + 16)(a0)
	sd	t4, (\at + 24)(a0)
	sd	t5, (\at + 32)(a0)
	sd	a3, (\at + 40)(a0)
	sd	a4, (\at + 48)(a0)
	sd	a5, (\at + 56)(a0)
	.endm

	.macro copy_256 at
	copy_64	\at
	copy_64	(\at + 64)
	copy_64	(\at + 128)
	copy_64	(\at + 192)
	.endm

	/* The last words of a run of them, of most bytes: n bytes that end at two pointers. */
	.macro	copy_run name, n, from, to, most
	la	t5, \name\()_end
	sub	t5, t5, \n			/* a word takes two instructions of four bytes */
	jr	t5
	.option push
	.option norvc
\name:
	.set	before, \most
	.rept	\most / 8
	ld	t0, -before(\from)
	sd	t0, -before(\to)
	.set	before, before - 8
	.endr
\name\()_end:
	.option pop
	.endm

	.text
	/*
	 * size_t user_copy(void *to, const void *from, size_t n): either side may
	 * be user memory.
	 */
	.globl	user_copy
user_copy:
	open_user
	or	t0, a0, a1
	andi	t0, t0, 7
	add	t1, a1, a2			/* the end, for the bytes */
	bnez	t0, copy_any
	andi	t2, a2, ~248			/* most copies are of a few words, on both sides: */
	bnez	t2, copy_aligned
	add	t4, a0, a2
	copy_run copy_few, a2, t1, t4, 248
	csrc	sstatus, t6
	li	a0, 0
	ret
	fix	copy_few, copy_few_end, copy_bytes

copy_any:
	sltiu	t0, a2, 8
	bnez	t0, copy_bytes
	xor	t0, a0, a1
	andi	t0, t0, 7
	bnez	t0, copy_bytes
copy_head:
	andi	t0, a1, 7
	bnez	t0, copy_head_byte
copy_aligned: andi a6, a2, -512
	beqz	a6, copy_words
	add	a6, a6, a1
copy_large:
	copy_256 0
	copy_256 256
copy_large_end:
	addi	a1, a1, 512
	addi	a0, a0, 512
	bne	a1, a6, copy_large
	beq	a1, t1, copy_done		/* a page, a block: nothing is left */
copy_words:
	/* less than 512 bytes */
	sub	t2, t1, a1
	andi	t2, t2, -8
	beqz	t2, copy_byte
	add	t3, a1, t2
	add	t4, a0, t2
	copy_run copy_rest, t2, t3, t4, 504
	mv	a1, t3
	mv	a0, t4
copy_bytes:
	bgeu	a1, t1, copy_done
copy_byte:
	lb	t0, 0(a1)
	sb	t0, 0(a0)
	addi	a1, a1, 1
	addi	a0, a0, 1
	bne	a1, t1, copy_byte
copy_done:
	csrc	sstatus, t6
	sub	a0, t1, a1
	ret

copy_head_byte:
	lb	t0, 0(a1)
	sb	t0, 0(a0)
copy_head_end:
	addi	a1, a1, 1
	addi	a0, a0, 1
	addi	a2, a2, -1
	j	copy_head

	fix	copy_large, copy_large_end, copy_bytes
	fix	copy_rest, copy_rest_end, copy_bytes
	fix	copy_byte, copy_done, copy_done
	fix	copy_head_byte, copy_head_end, copy_done

	/* a2 bytes were not reached. */
user_done:
	csrc	sstatus, t6
	mv	a0, a2
	ret

	/* size_t user_clear(void *to, size_t n) */
	.globl	user_clear
user_clear:
	open_user
	mv	a2, a1
clear_head:
	andi	t0, a0, 7
	beqz	t0, clear_words
	beqz	a2, user_done
clear_head_byte:
	sb	zero, 0(a0)
clear_head_end:
	addi	a0, a0, 1
	addi	a2, a2, -1
	j	clear_head
clear_words:
	li	t1, 64
1:	bltu	a2, t1, clear_bytes
clear_large:
	sd	zero, 0(a0)
	sd	zero, 8(a0)
	sd	zero, 16(a0)
	sd	zero, 24(a0)
	sd	zero, 32(a0)
	sd	zero, 40(a0)
	sd	zero, 48(a0)
	sd	zero, 56(a0)
clear_large_end:
	addi	a0, a0, 64
	addi	a2, a2, -64
	j	1b
clear_bytes:
	beqz	a2, user_done
clear_byte:
	sb	zero, 0(a0)
clear_byte_end:
	addi	a0, a0, 1
	addi	a2, a2, -1
	j	clear_bytes
	fix	clear_head_byte, clear_head_end, user_done
	fix	clear_large, clear_large_end, clear_bytes
	fix	clear_byte, clear_byte_end, user_done

	.pushsection .rodata, "a"
	.balign	8
string_ones:
	.dword	0x0101010101010101
	.popsection

	/*
	 * long user_string(char *to, const char *from, size_t n): copies up to and with the
	 * terminator; its length, n when there is none in n bytes, -1 on a fault.  n > 0.
	 * Words as long as none of their bytes is zero: only then subtracting 1 from each byte sets
	 * no top bit that was clear before.
	 */
	.globl	user_string
user_string:
	open_user
	mv	t1, a1
	add	t2, a1, a2
	or	t0, a0, a1
	andi	t0, t0, 7
	bnez	t0, 1f
	andi	t3, a2, -8
	beqz	t3, 1f
	add	t3, t3, a1
	ld	t4, string_ones
	slli	t5, t4, 7
3:	ld	t0, 0(a1)
30:	sub	a3, t0, t4
	not	a4, t0
	and	a3, a3, a4
	and	a3, a3, t5
	bnez	a3, 1f
	sd	t0, 0(a0)
	addi	a0, a0, 8
	addi	a1, a1, 8
	bne	a1, t3, 3b
	beq	a1, t2, 2f
1:	lb	t0, 0(a1)
10:	sb	t0, 0(a0)
	beqz	t0, 2f
	addi	a0, a0, 1
	addi	a1, a1, 1
	bne	a1, t2, 1b
2:	csrc	sstatus, t6
	sub	a0, a1, t1
	ret
	fix	1b, 10b, user_fail
	fix	3b, 30b, user_fail

user_fail:
	csrc	sstatus, t6
	li	a0, -1
	ret

	/*
	 * The registers of a signal frame; then those of the FPU, which the kernel
	 * keeps elsewhere.
	 */
	.macro copy_context kernel, fpu
	copy_256 0
	addi	\kernel, \fpu, -SC_FPU
	copy_256 SC_FPU
	ld	t0, (SC_FPU + FPU_FCSR)(a1)
	sd	t0, (SC_FPU + FPU_FCSR)(a0)
	.endm

	/*
	 * int user_context_put(struct arch_sigcontext *to, const uint64_t *regs,
	 * const struct arch_fpu *)
	 */
	.globl	user_context_put
user_context_put:
	open_user
1:	copy_context a1, a2
	sd	zero, SC_EXTENSIONS(a0)
	sd	zero, (SC_EXTENSIONS + 8)(a0)
2:	csrc	sstatus, t6
	li	a0, 0
	ret
	fix	1b, 2b, user_fail

	/*
	 * int user_context_get(uint64_t *regs, const struct arch_sigcontext *from, struct arch_fpu
	 * *): 0, -1, or 1: there is an extension.
	 */
	.globl	user_context_get
user_context_get:
	open_user
1:	copy_context a0, a2
	ld	t0, SC_EXTENSIONS(a1)
	ld	t2, (SC_EXTENSIONS + 8)(a1)
2:	csrc	sstatus, t6
	srli	t0, t0, 32
	or	t0, t0, t2
	snez	a0, t0
	ret
	fix	1b, 2b, user_fail

	/*
	 * int user_get32/64(const void *from, uintN_t *to), user_put32/64(void *to,
	 * uintN_t): 0, -1
	 */
	.macro user_get name, op, store
	.globl	\name
\name:	open_user
1:	\op	t0, 0(a0)
2:	csrc	sstatus, t6
	\store	t0, 0(a1)
	li	a0, 0
	ret
	fix	1b, 2b, user_fail
	.endm
	user_get user_get32, lw, sw
	user_get user_get64, ld, sd

	.macro user_put name, op
	.globl	\name
\name:	open_user
1:	\op	a1, 0(a0)
2:	csrc	sstatus, t6
	li	a0, 0
	ret
	fix	1b, 2b, user_fail
	.endm
	user_put user_put32, sw
	user_put user_put64, sd

	/* int user_cas32(void *user, uint32_t expected, uint32_t desired, uint32_t *old): 0, -1 */
	.globl	user_cas32
user_cas32:
	open_user
	sext.w	a1, a1
1:	lr.w.aq	t0, (a0)
	bne	t0, a1, 3f
2:	sc.w.rl	t1, a2, (a0)
	bnez	t1, 1b
3:	csrc	sstatus, t6
	sw	t0, 0(a3)
	li	a0, 0
	ret
	fix	1b, 3b, user_fail
