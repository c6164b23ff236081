// SPDX-License-Identifier: MIT
/*
 * RISC-V's trapframe. trap.S knows the offsets through arch/riscv/offsets.h.
 */
#pragma once

#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/trap.h>
#include <arch_impl/csr.h>

struct trapframe {
	uint64_t x[32]; /* x[0] holds pc; x[1] to x[31] the registers */
	uint64_t status;
	uint64_t cause;
	uint64_t value;   /* the address or instruction that the trap is about */
	uint64_t orig_a0; /* argument 0 of a system call */
};

/* Register numbers. */
enum { X_PC = 0, X_RA = 1, X_SP = 2, X_TP = 4, X_FP = 8, X_A0 = 10, X_A7 = 17 };

static inline void trapframe_changed(void)
{
	__atomic_fetch_or(&arch_current()->work, ARCH_WORK_FRAME, __ATOMIC_RELAXED);
}

static inline vaddr_t trapframe_pc(const struct trapframe *tf)
{
	return tf->x[X_PC];
}

static inline vaddr_t trapframe_sp(const struct trapframe *tf)
{
	return tf->x[X_SP];
}

static inline bool trapframe_from_user(const struct trapframe *tf)
{
	return !(tf->status & SSTATUS_SPP);
}

static inline long trapframe_syscall(const struct trapframe *tf)
{
	return (long)tf->x[X_A7];
}

static inline long trapframe_arg(const struct trapframe *tf, unsigned n)
{
	return (long)(n == 0 ? tf->orig_a0 : tf->x[X_A0 + n]);
}

static inline long trapframe_result(const struct trapframe *tf)
{
	return (long)tf->x[X_A0];
}

static inline void trapframe_set_result(struct trapframe *tf, long value)
{
	tf->x[X_A0] = (uint64_t)value;
}

/* pc, sp and tp are reloaded on every way back to user mode. */
static inline void trapframe_set_pc(struct trapframe *tf, vaddr_t pc)
{
	tf->x[X_PC] = pc;
}

static inline void trapframe_set_sp(struct trapframe *tf, vaddr_t sp)
{
	tf->x[X_SP] = sp;
}

static inline void trapframe_set_tls(struct trapframe *tf, vaddr_t tls)
{
	tf->x[X_TP] = tls;
}

static inline void trapframe_restart(struct trapframe *tf)
{
	tf->x[X_PC] -= 4; /* ECALL has no compressed form */
	tf->x[X_A0] = tf->orig_a0;
}

static inline void trapframe_end_call(struct trapframe *tf, long result)
{
	tf->x[X_PC] += 4;
	tf->x[X_A0] = (uint64_t)result;
}

static inline void trapframe_set_args(struct trapframe *tf, long a0, long a1, long a2)
{
	tf->x[X_A0] = (uint64_t)a0;
	tf->x[X_A0 + 1] = (uint64_t)a1;
	tf->x[X_A0 + 2] = (uint64_t)a2;
}

static inline void trapframe_set_return(struct trapframe *tf, vaddr_t ra)
{
	tf->x[X_RA] = ra;
}

void trapframe_init_user(struct trapframe *tf, vaddr_t pc, vaddr_t sp);

/* t1 carries the handler to syscall_full_frame() in trap.S. */
#define ARCH_SYSCALL_FULL_FRAME(stub, name)                                        \
	__asm__(".pushsection .text." #stub ", \"ax\"\n\t.globl " #stub "\n" #stub \
		":\n\tla t1, " #name "\n\tjump syscall_full_frame, t0\n\t.popsection")
