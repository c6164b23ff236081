// SPDX-License-Identifier: MIT
#pragma once

#include <arch/types.h>

/* The firmware's hart id of each hart index that arch_cpu_init() or arch_cpu_start() has seen. */
extern uint64_t cpu_hart_ids[MAX_HARTS];
/* Hart indices that run, or will run, in the kernel. */
extern uint64_t cpu_started_mask;
/* Supervisor mode has a timer of its own (extension Sstc). */
extern bool cpu_has_sstc;
