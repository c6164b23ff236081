// SPDX-License-Identifier: MIT
/*
 * machine.c: what the device tree says, for main.c.
 */
#pragma once

#include <arch/types.h>

/*
 * First of all: memory, harts, clock, command line. The blob stays where it is and is reserved.
 * Panics on a tree without memory.
 */
void machine_read_tree(const void *blob, paddr_t pa);
/* All RAM goes into the direct map. */
void machine_map_memory(void);
/* Interrupt controller, console, finisher, clock: nothing that sleeps. */
void machine_init_basics(void);
/* The rest, in a thread. */
void machine_probe_devices(void);
/* The interrupt controller's context of a hart. */
unsigned machine_irq_context(unsigned hart_index);
/* The instruction set of the boot hart, as the device tree names it. */
const char *machine_isa(void);
