/* SPDX-License-Identifier: MIT */
/*
 * clone and vfork: children that run in the parent's memory, hence may return through no frame of the
 * parent's that the parent still needs.
 *
 * The kernel's arguments: a0 flags, a1 stack (0: the parent's), a2 parent_tid, a3 tls, a4 child_tid.
 */
#define SYS_exit  93
#define SYS_clone 220
#define EINVAL    22

/* CLONE_VM | CLONE_VFORK | SIGCHLD */
#define VFORK_FLAGS (0x100 | 0x4000 | 17)

	.text

/* int clone(int (*fn)(void *), void *stack_end, int flags, void *arg, ptid, tls, ctid) */
	.globl	clone
	.type	clone, @function
clone:
	beqz	a0, 2f
	beqz	a1, 2f
	andi	a1, a1, -16
	addi	a1, a1, -16
	sd	a0, 0(a1)
	sd	a3, 8(a1)
	mv	a0, a2
	mv	a2, a4
	mv	a3, a5
	mv	a4, a6
	li	a7, SYS_clone
	ecall
	bltz	a0, 3f
	beqz	a0, 1f
	ret
1:	/* the child, on its own stack: the end of all backtraces */
	li	fp, 0
	li	ra, 0
	ld	a1, 0(sp)
	ld	a0, 8(sp)
	jalr	a1
	li	a7, SYS_exit
	ecall
2:	li	a0, -EINVAL
3:	tail	__syscall_error
	.size	clone, . - clone

/* The return address is in a register, which the child has its own copy of. */
	.globl	vfork
	.type	vfork, @function
vfork:
	li	a0, VFORK_FLAGS
	li	a1, 0
	li	a7, SYS_clone
	ecall
	bltz	a0, 3b
	ret
	.size	vfork, . - vfork
