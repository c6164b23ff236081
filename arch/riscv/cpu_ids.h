// SPDX-License-Identifier: MIT
#pragma once

#include <arch/types.h>

/* The firmware's hart id of each hart index that arch_cpu_init() or arch_cpu_start() has seen. */
extern uint64_t cpu_hart_ids[MAX_HARTS];
/* Their structures, of those that have begun. */
extern struct arch_cpu *arch_cpus[MAX_HARTS];
/* Hart indices that run, or will run, in the kernel. */
extern uint64_t cpu_started_mask;
/* Supervisor mode has a timer of its own (extension Sstc). */
extern bool cpu_has_sstc;

/* What boot.S reads of a hart that is to be started; all zeros until then. */
struct arch_start {
	paddr_t root;
	vaddr_t stack_top;
	struct arch_cpu *cpu;
	uint64_t hart_id;
};
extern struct arch_start arch_starts[MAX_HARTS];
