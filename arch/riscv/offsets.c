// SPDX-License-Identifier: MIT
/*
 * Compile-time proof that offsets.h tells assembly the truth.
 */
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/trap.h>

#include "cpu_ids.h"
#include "offsets.h"

#define SAME(value, offset)     _Static_assert((value) == (offset), #offset)
#define AT(type, field, offset) SAME(__builtin_offsetof(struct type, field), offset)

AT(arch_cpu, scratch, CPU_SCRATCH);
AT(arch_cpu, user_frame, CPU_USER_FRAME);
AT(arch_cpu, thread, CPU_THREAD);
AT(arch_cpu, panic_stack, CPU_PANIC_STACK);
AT(arch_cpu, resched, CPU_RESCHED);
AT(arch_cpu, aside, CPU_ASIDE);
AT(arch_cpu, pmap, CPU_PMAP);
AT(arch_cpu, pmap_left, CPU_PMAP_LEFT);
AT(arch_start, root, START_ROOT);
AT(arch_start, stack_top, START_STACK);
AT(arch_start, cpu, START_CPU);
AT(arch_start, hart_id, START_HART);
SAME(sizeof(struct arch_start), START_BYTES);
SAME(MAX_HARTS, START_COUNT);
AT(trapframe, x, TF_X(0));
AT(trapframe, status, TF_STATUS);
AT(trapframe, cause, TF_CAUSE);
AT(trapframe, value, TF_VALUE);
AT(trapframe, orig_a0, TF_ORIG_A0);
SAME(sizeof(struct trapframe), TF_BYTES);
SAME(TF_BYTES % 16, 0);
AT(arch_thread, context.ra, THREAD_RA);
SAME(THREAD_RA, 0); /* switch_stacks stores there without an offset */
AT(arch_thread, context.sp, THREAD_SP);
AT(arch_thread, context.s, THREAD_S(0));
AT(arch_thread, work, THREAD_WORK);
AT(arch_sigcontext, fpu, SC_FPU);
AT(arch_sigcontext, extensions, SC_EXTENSIONS);
AT(arch_fpu, fcsr, FPU_FCSR);
SAME(ARCH_WORK_TRACE, ASM_WORK_TRACE);
SAME(ARCH_WORK_FRAME, ASM_WORK_FRAME);
SAME(TRAP_READ, ASM_TRAP_READ);
SAME(TRAP_WRITE, ASM_TRAP_WRITE);
SAME(TRAP_EXEC, ASM_TRAP_EXEC);
SAME(SYSCALL_SLOTS, ASM_SYSCALL_SLOTS);
SAME(KSTACK_BYTES, 1UL << ASM_KSTACK_SHIFT);
SAME(DIRECT_BASE, ASM_DIRECT_BASE);
