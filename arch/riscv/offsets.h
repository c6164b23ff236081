/* SPDX-License-Identifier: MIT */
/*
 * Offsets that assembly uses; offsets.c checks every one against the C structures.
 */
#pragma once

#define CPU_SCRATCH     0
#define CPU_USER_FRAME  16
#define CPU_THREAD      24
#define CPU_PANIC_STACK 32
#define CPU_RESCHED     40
#define CPU_ASIDE       44 /* one load has both */
#define CPU_PMAP        88
#define CPU_PMAP_LEFT   96

#define START_ROOT  0
#define START_STACK 8
#define START_CPU   16
#define START_HART  24
#define START_BYTES 32
#define START_COUNT 8

#define TF_PC      0
#define TF_X(n)    ((n)*8)
#define TF_STATUS  256
#define TF_CAUSE   264
#define TF_VALUE   272
#define TF_ORIG_A0 280
#define TF_BYTES   288

#define THREAD_RA   0
#define THREAD_SP   8
#define THREAD_S(n) (16 + (n)*8)
#define THREAD_WORK 112

#define SC_FPU        256
#define SC_EXTENSIONS 768

#define FPU_F(n) ((n)*8)
#define FPU_FCSR 256

#define ASM_WORK_TRACE    1
#define ASM_WORK_FRAME    2
#define ASM_TRAP_READ     1
#define ASM_TRAP_WRITE    2
#define ASM_TRAP_EXEC     4
#define ASM_SYSCALL_SLOTS 512
#define ASM_KSTACK_SHIFT  14 /* the bit that is set in addresses of stacks, clear in guards */
#define ASM_DIRECT_BASE   0xffffffc000000000
