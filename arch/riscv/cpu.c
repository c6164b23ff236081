// SPDX-License-Identifier: MIT
/*
 * A hart's own set-up, and starting the others.
 */
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/trap.h>
#include <errno.h>
#include <string.h>

#include "cpu_ids.h"
#include "pmap_impl.h"
#include "sbi.h"

void trap_entry(void);
void _start(void);
void arch_secondary_start(void);

uint64_t cpu_hart_ids[MAX_HARTS];
struct arch_cpu *arch_cpus[MAX_HARTS];
uint64_t cpu_started_mask;
bool cpu_has_sstc;

struct arch_start arch_starts[MAX_HARTS];
bool arch_start_stray;

void arch_cpu_init(struct arch_cpu *cpu)
{
	arch_tp = cpu;
	cpu_hart_ids[cpu->index] = cpu->hart_id;
	arch_cpus[cpu->index] = cpu;
	__atomic_fetch_or(&cpu_started_mask, 1UL << cpu->index, __ATOMIC_SEQ_CST);
	csr_write(sscratch, 0);
	csr_write(stvec, (uint64_t)trap_entry);
	csr_write(scounteren, 7); /* user mode reads cycle, time, instret */
	csr_clear(sstatus, SSTATUS_SIE | SSTATUS_SUM | SSTATUS_FS);
	csr_write(sie, SIE_SOFT | SIE_TIMER | SIE_EXTERNAL);
}

int arch_cpu_start(struct arch_cpu *cpu, vaddr_t stack_top)
{
	struct arch_start *start = &arch_starts[cpu->index];
	void (*entry)(void) = arch_start_stray ? _start : arch_secondary_start;

	cpu_hart_ids[cpu->index] = cpu->hart_id;
	start->stack_top = stack_top - sizeof(struct trapframe);
	start->cpu = cpu;
	start->hart_id = cpu->hart_id;
	/*
	 * The root is the last: what has one is complete to a hart that looks for
	 * its own (boot.S).
	 */
	__atomic_store_n(&start->root, pmap_kernel_root(), __ATOMIC_RELEASE);
	fence_full();
	if (sbi_call(SBI_HSM, 0, cpu->hart_id, virt_to_phys(entry), virt_to_phys(start), 0, 0))
		return -ENODEV;
	return 0;
}

void arch_set_isa(const char *isa)
{
	const char *sstc = strstr(isa, "_sstc");

	cpu_has_sstc = sstc && (sstc[5] == '_' || sstc[5] == '\0');
}

uint64_t arch_hwcap(void)
{
	return 1 << ('I' - 'A') | 1 << ('M' - 'A') | 1 << ('A' - 'A') | 1 << ('F' - 'A') |
	       1 << ('D' - 'A') | 1 << ('C' - 'A');
}

void arch_sync_icache(void)
{
	__asm__ volatile("fence.i" ::: "memory");
}
