// SPDX-License-Identifier: MIT
/*
 * The PLIC: a priority a line, and for each context (a hart's mode) enable bits, a threshold, and a
 * register that gives the next pending line when read and takes it back when written.
 */
#include <drivers/irqchip.h>
#include <drivers/host.h>

#define PRIORITY(irq)        ((irq)*4UL)
#define ENABLE(context, irq) (0x2000UL + (context)*0x80UL + (irq) / 32 * 4UL)
#define THRESHOLD(context)   (0x200000UL + (context)*0x1000UL)
#define CLAIM(context)       (THRESHOLD(context) + 4)
#define MAX_INDEX            8

static uint8_t *registers;
static unsigned contexts[MAX_INDEX];

void irqchip_init(uint64_t pa, size_t bytes)
{
	registers = drv_map_registers(pa, bytes);
}

void irqchip_init_hart(unsigned hart_index, unsigned context)
{
	contexts[hart_index] = context;
	if (!registers)
		return;
	for (unsigned irq = 0; irq < IRQ_LINES; irq += 32)
		drv_write32(registers + ENABLE(context, irq), 0);
	drv_write32(registers + THRESHOLD(context), 0);
}

void irqchip_enable(unsigned irq, unsigned hart_index)
{
	uint8_t *enable;

	if (!registers || irq == 0 || irq >= IRQ_LINES)
		return;
	enable = registers + ENABLE(contexts[hart_index], irq);
	drv_write32(registers + PRIORITY(irq), 1);
	drv_write32(enable, drv_read32(enable) | 1u << irq % 32);
}

unsigned irqchip_claim(unsigned hart_index)
{
	return registers ? drv_read32(registers + CLAIM(contexts[hart_index])) : 0;
}

void irqchip_complete(unsigned hart_index, unsigned irq)
{
	drv_write32(registers + CLAIM(contexts[hart_index]), irq);
}
