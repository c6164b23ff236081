// SPDX-License-Identifier: MIT
/*
 * One hart: who am I, interrupts on and off, waiting, ordering, counters.
 *
 * arch keeps what its assembly needs of a hart in struct arch_cpu; the kernel's struct cpu has it
 * as first member. A dedicated register points to the running hart's struct at all times in the
 * kernel; it changes under a thread whenever the thread may migrate, so hold preemption or
 * interrupts off while using what arch_cpu() returned.
 */
#pragma once

#include <arch/types.h>

struct arch_thread;
struct trapframe;

/*
 * [I] immutable once the hart runs; [a] written by this hart alone, and read by others, atomically;
 * the rest is this hart's.
 */
struct arch_cpu {
	uint64_t scratch[2];        /* trap entry's two free registers */
	vaddr_t user_frame;         /* where a trap from user mode builds its trapframe */
	struct arch_thread *thread; /* the running thread */
	vaddr_t panic_stack;        /* top of the stack used when the thread's own has overflowed */
	uint32_t resched;           /* the running thread should give way; set only by this hart */
	uint32_t aside;       /* it may be that pmap says so: to be looked at before user mode */
	uint32_t preempt_off; /* > 0: the running thread stays on this hart */
	uint32_t index;       /* [I] 0 .. harts - 1 */
	uint32_t irq_depth;   /* > 0: in an interrupt handler */
	uint64_t hart_id;     /* [I] the firmware's name for it */
	uint64_t bit;         /* [I] 1 << index, in masks of harts */
	struct arch_thread *fpu_of; /* whose FPU state the registers hold; NULL: nobody's */
	struct pmap *pmap;      /* [a] the active one, or the one that is being entered; a tag in
				       bit 0: this hart is aside (arch/riscv/tlb.c) */
	struct pmap *pmap_left; /* [a] not left yet: the same, or the one before */
	uint32_t aside_turns;   /* [a] until traps no more step aside; 0: they do not */
	uint64_t tlb_flushes;   /* [a] batches of translations that this hart had forgotten, */
	uint64_t remote_fences; /* [a] and for how many of them it had to interrupt others */
	uint64_t ipis_sent;     /* [a] calls of firmware_send_ipi() */
};

#include <arch_impl/cpu.h>

/* clang-format off */
/*
 * Supplied by arch_impl/cpu.h, all inline:
 *
 * struct arch_cpu *arch_cpu(void)     the running hart; stable only while it cannot be left
 * uint64_t irq_save(void)             interrupts off; returns what irq_restore() wants
 * void irq_restore(uint64_t)          back to what irq_save() found
 * void irq_enable(void)
 * void irq_disable(void)
 * bool irq_enabled(void)
 * void cpu_wait(void)                 wait for an interrupt. Called with interrupts off: one that is
 *                                     pending, or becomes so, ends the wait without being taken, so a
 *                                     check made before the call cannot be outrun
 * void cpu_relax(void)                a hint inside a spin loop
 * void fence_full(void)               orders all memory accesses before against all after
 * void fence_io(void)                 orders memory and device accesses against each other
 * uint64_t cpu_time(void)             ticks of the system-wide clock (see clock_hz of the kernel)
 * uint64_t cpu_instret(void)          instructions retired by this hart
 * void preempt_disable(void)          the thread stays on this hart; nests
 * void preempt_enable_no_check(void)  undoes it without looking whether to give way
 * struct arch_thread *arch_current(void)   the running thread; always safe to call
 *
 * For locks:
 *
 * bool lock_try_word(uint32_t *)      0 to 1, and what follows comes after; false: it was 1
 * void lock_give_word(uint32_t *)     to 0, after what comes before
 * void arch_call_rare(void (*fn)(void *), void *arg)
 *                                     calls fn(arg), and looks to the compiler like an instruction: what
 *                                     calls it on a way that is nearly never gone keeps its values in
 *                                     registers, and needs no frame, as if there were no call
 */
/* clang-format on */

/*
 * This hart is cpu (index, bit and hart_id filled in) from now on: traps go to the kernel, user
 * mode may read time, cycle and instret. Interrupts stay off. The first thing that each hart does
 * in C.
 */
void arch_cpu_init(struct arch_cpu *cpu);

/* Once at boot: the harts' instruction set, as the device tree spells it. */
void arch_set_isa(const char *isa);

/* AT_HWCAP for user programs: one bit a base extension letter. */
uint64_t arch_hwcap(void);

/*
 * Where a secondary hart begins: call with the arch_cpu it shall be and the stack it shall use.
 * Returns 0 or -errno (-ENODEV: the firmware does not know that hart). The hart enters
 * arch_secondary_main() (an upcall) with interrupts off and the kernel's page tables active.
 */
int arch_cpu_start(struct arch_cpu *cpu, vaddr_t stack_top);

/* For a test: have harts begin where a race in the firmware lets them begin (boot.S). */
extern bool arch_start_stray;

/* Upcalls, defined by the kernel. */
_Noreturn void arch_boot_main(uint64_t hart_id, paddr_t fdt);
_Noreturn void arch_secondary_main(struct arch_cpu *cpu);

/* Make code that was written visible to the instruction fetch of this hart. */
void arch_sync_icache(void);
