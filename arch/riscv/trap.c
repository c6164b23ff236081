// SPDX-License-Identifier: MIT
/*
 * From a trap's cause to whom it concerns. trap.S has saved everything in *tf, interrupts are off.
 * Memory faults of user mode go straight from there to trap_user_fault(), and come here only if
 * they are not served.
 */
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/pmap.h>
#include <arch/trap.h>

#include "fpu.h"

#define CAUSE_IS_IRQ (1UL << 63)

/* A fault in [from, end) of user.S goes on at `to`. */
struct fixup {
	vaddr_t from, end, to;
};
extern const struct fixup __fixup_start[], __fixup_end[];

void trap_from_user(struct trapframe *tf);
void user_fault_failed(struct trapframe *tf, int why);
void trap_from_kernel(struct trapframe *tf);

static void interrupt(uint64_t cause, bool user)
{
	struct arch_cpu *cpu = arch_cpu();

	cpu->irq_depth++;
	cpu->preempt_off++;
	switch (cause & ~CAUSE_IS_IRQ) {
	case CAUSE_IRQ_SOFT:
		csr_clear(sip, SIE_SOFT);
		trap_ipi();
		break;
	case CAUSE_IRQ_TIMER:
		trap_timer(user);
		break;
	case CAUSE_IRQ_EXTERNAL:
		trap_external();
		break;
	}
	cpu->preempt_off--;
	cpu->irq_depth--;
}

static enum trap_access fault_access(uint64_t cause)
{
	switch (cause) {
	case CAUSE_FETCH_FAULT:
		return TRAP_EXEC;
	case CAUSE_STORE_FAULT:
		return TRAP_WRITE;
	default:
		return TRAP_READ;
	}
}

static bool is_fault(uint64_t cause)
{
	return cause == CAUSE_FETCH_FAULT || cause == CAUSE_LOAD_FAULT ||
	       cause == CAUSE_STORE_FAULT;
}

static void user_exception(struct trapframe *tf)
{
	switch (tf->cause) {
	case CAUSE_ILLEGAL:
		if (!fpu_turn_on(tf))
			trap_user_exception(tf, TRAP_ILLEGAL, trapframe_pc(tf));
		break;
	case CAUSE_BREAKPOINT:
		trap_user_exception(tf, TRAP_BREAKPOINT, trapframe_pc(tf));
		break;
	case CAUSE_FETCH_ALIGN:
	case CAUSE_LOAD_ALIGN:
	case CAUSE_STORE_ALIGN:
		trap_user_exception(tf, TRAP_MISALIGNED, tf->value);
		break;
	default:
		trap_user_exception(tf, TRAP_BUS, tf->value);
	}
}

void trap_from_user(struct trapframe *tf)
{
	if (tf->cause & CAUSE_IS_IRQ) {
		interrupt(tf->cause, true);
		return;
	}
	irq_enable();
	user_exception(tf);
}

/* Interrupts are on. */
void user_fault_failed(struct trapframe *tf, int why)
{
	if (arch_cpu()->aside)
		pmap_come_near(); /* a handler's frame is next */
	trap_user_fault_failed(tf, tf->value, fault_access(tf->cause), why);
}

static const struct fixup *find_fixup(vaddr_t pc)
{
	for (const struct fixup *f = __fixup_start; f < __fixup_end; f++)
		if (pc >= f->from && pc < f->end)
			return f;
	return NULL;
}

/* A fault of the instructions in user.S: repaired, or the copy goes on at its fix-up. */
static bool user_copy_fault(struct trapframe *tf)
{
	const struct fixup *fixup = find_fixup(tf->x[X_PC]);
	bool repaired;

	if (!fixup || tf->value >= USER_END || !(tf->status & SSTATUS_SPIE))
		return false;
	irq_enable();
	repaired = trap_user_copy_fault(tf, tf->value, fault_access(tf->cause));
	irq_disable();
	if (!repaired) {
		/*
		 * an entry that has become valid may be remembered as invalid: not by
		 * the next try
		 */
		__asm__ volatile("sfence.vma %0" ::"r"(tf->value) : "memory");
		tf->x[X_PC] = fixup->to;
	}
	return true;
}

static const char *const cause_names[] = {
	[CAUSE_FETCH_ALIGN] = "jump to a misaligned address",
	[CAUSE_FETCH_ACCESS] = "instruction access fault",
	[CAUSE_ILLEGAL] = "illegal instruction",
	[CAUSE_BREAKPOINT] = "breakpoint",
	[CAUSE_LOAD_ALIGN] = "misaligned load",
	[CAUSE_LOAD_ACCESS] = "load access fault",
	[CAUSE_STORE_ALIGN] = "misaligned store",
	[CAUSE_STORE_ACCESS] = "store access fault",
	[CAUSE_FETCH_FAULT] = "instruction page fault",
	[CAUSE_LOAD_FAULT] = "load page fault",
	[CAUSE_STORE_FAULT] = "store page fault",
};

static const char *cause_name(const struct trapframe *tf)
{
	if (tf->x[X_SP] >= KSTACK_BASE && !((tf->x[X_SP] - sizeof(*tf)) & KSTACK_BYTES))
		return "kernel stack overflow";
	if (tf->cause < sizeof(cause_names) / sizeof(cause_names[0]) && cause_names[tf->cause])
		return cause_names[tf->cause];
	return "unknown trap";
}

void trap_from_kernel(struct trapframe *tf)
{
	if (tf->cause & CAUSE_IS_IRQ) {
		interrupt(tf->cause, false);
		if (!arch_cpu()->preempt_off && arch_cpu()->resched)
			trap_preempt();
	} else if (!is_fault(tf->cause) || !user_copy_fault(tf)) {
		trap_panic(tf, cause_name(tf), tf->value);
	}
}
