// SPDX-License-Identifier: MIT
/*
 * The interrupt controller: PLIC (RISC-V Platform-Level Interrupt Controller 1.0.0).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IRQ_LINES 128

/* Registers at pa; all lines off. */
void irqchip_init(uint64_t pa, size_t bytes);
/* This hart takes interrupts through the given context from now on. Each hart calls it. */
void irqchip_init_hart(unsigned hart_index, unsigned context);
/* Route a line to the hart with this index (whose context is known) and let it through. */
void irqchip_enable(unsigned irq, unsigned hart_index);
/* The next interrupt pending for this hart, or 0; and that it was handled. */
unsigned irqchip_claim(unsigned hart_index);
void irqchip_complete(unsigned hart_index, unsigned irq);
