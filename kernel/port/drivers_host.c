// SPDX-License-Identifier: MIT
/*
 * drivers/host.h on top of the kernel, and the dispatch of device interrupts.
 */
#include <arch/layout.h>
#include <arch/pmap.h>
#include <arch/trap.h>
#include <drivers/host.h>
#include <drivers/irqchip.h>
#include <kernel/cpu.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/thread.h>
#include <errno.h>
#include <string.h>

static struct {
	void (*handler)(void *arg);
	void *arg;
} lines[IRQ_LINES];

void *drv_dma_alloc(size_t bytes)
{
	unsigned order = 0;
	paddr_t pa;

	while (PAGE_SIZE << order < bytes)
		order++;
	pa = frame_alloc(order);
	return pa ? memset(phys_to_virt(pa), 0, PAGE_SIZE << order) : NULL;
}

uint64_t drv_dma_address(const void *p)
{
	DEBUG_ASSERT((vaddr_t)p >= DIRECT_BASE && (vaddr_t)p < KSTACK_BASE);
	return virt_to_phys(p);
}

void *drv_alloc(size_t bytes)
{
	return kzalloc(bytes);
}

void *drv_map_registers(uint64_t pa, size_t bytes)
{
	return pmap_map_device(pa, bytes);
}

int drv_irq_register(unsigned irq, void (*handler)(void *arg), void *arg)
{
	if (irq == 0 || irq >= IRQ_LINES || lines[irq].handler)
		return -EINVAL;
	lines[irq].arg = arg;
	lines[irq].handler = handler;
	irqchip_enable(irq, 0);
	return 0;
}

void trap_external(void)
{
	unsigned hart = arch_cpu()->index, irq;

	cpu_this()->interrupts++;
	while ((irq = irqchip_claim(hart)) != 0) {
		if (irq < IRQ_LINES && lines[irq].handler)
			lines[irq].handler(lines[irq].arg);
		irqchip_complete(hart, irq);
	}
}

void drv_lock_init(struct drv_lock *lock, const char *name, enum drv_rank rank)
{
	spin_init(&lock->spin, name, rank == DRV_RANK_CONSOLE ? RANK_CONSOLE_DRIVER : RANK_DRIVER);
}

uint64_t drv_lock_take(struct drv_lock *lock)
{
	return spin_lock_irqsave(&lock->spin);
}

void drv_lock_drop(struct drv_lock *lock, uint64_t flags)
{
	spin_unlock_irqrestore(&lock->spin, flags);
}

void drv_wait_init(struct drv_wait *wait)
{
	waitq_init(&wait->queue);
}

void drv_sleep(struct drv_wait *wait, struct drv_lock *lock, uint64_t *flags)
{
	struct waiter w = {0};

	waitq_prepare(&wait->queue, &w);
	spin_unlock_irqrestore(&lock->spin, *flags);
	thread_block(SLEEP_FOREVER, NO_DEADLINE);
	waitq_finish(&wait->queue, &w);
	*flags = spin_lock_irqsave(&lock->spin);
}

void drv_wake(struct drv_wait *wait)
{
	waitq_wake_all(&wait->queue);
}

void drv_fence(void)
{
	fence_io();
}

void drv_log(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintk(LOG_INFO, format, args);
	va_end(args);
}
