/* SPDX-License-Identifier: MIT */
/*
 * Debug builds: what the last call left below the user's frame, where sp is, becomes a pattern,
 * which shows when a call hands out what it never wrote (usr/test/fuzz looks for it). Changes t3
 * and t4.
 */
#pragma once

#define STACK_POISON       0x5c5c5c5c5c5c5c5c
#define STACK_POISON_BYTES 2048

/* clang-format off */
#ifdef __ASSEMBLER__
	.macro poison_stack
#ifdef MAPACHE_DEBUG
	li	t3, STACK_POISON
	addi	t4, sp, -STACK_POISON_BYTES
1:	sd	t3, 0(t4)
	addi	t4, t4, 8
	bltu	t4, sp, 1b
#endif
	.endm
#endif
