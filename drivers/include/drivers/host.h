// SPDX-License-Identifier: MIT
/*
 * What drivers need of the kernel around them; kernel/port/drivers_host.c supplies it, and
 * drivers/test has a version for host tests.
 *
 * Drivers allocate at start-up only, run their interrupt handlers with interrupts off, and guard
 * their state with a driver lock, which turns interrupts off.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <drivers_config.h> /* struct drv_lock, struct drv_wait */

/* Physically contiguous zeroed memory, page aligned; NULL when there is none. Start-up only. */
void *drv_dma_alloc(size_t bytes);
/* The device's address of kernel memory. What it spans is contiguous. */
uint64_t drv_dma_address(const void *p);
/* Plain zeroed memory for the driver's own state; never freed. */
void *drv_alloc(size_t bytes);

/* A kernel address for device registers, kept for ever. */
void *drv_map_registers(uint64_t pa, size_t bytes);

/* Call handler(arg) when the line interrupts, interrupts off. One handler a line. 0 or -errno. */
int drv_irq_register(unsigned irq, void (*handler)(void *arg), void *arg);

/* A console's lock may be taken by whoever writes to the log, with whatever held. */
enum drv_rank { DRV_RANK_DEVICE, DRV_RANK_CONSOLE };
void drv_lock_init(struct drv_lock *lock, const char *name, enum drv_rank rank);
uint64_t drv_lock_take(struct drv_lock *lock);
void drv_lock_drop(struct drv_lock *lock, uint64_t flags);

/*
 * A place to sleep. drv_sleep() releases the lock (taken with `flags`), sleeps until drv_wake(),
 * and takes the lock again; a wake-up after the release is not lost; the caller loops.
 */
void drv_wait_init(struct drv_wait *wait);
void drv_sleep(struct drv_wait *wait, struct drv_lock *lock, uint64_t *flags);
void drv_wake(struct drv_wait *wait);

/* Order all accesses to memory and registers before against those after. */
void drv_fence(void);

void drv_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline uint32_t drv_read32(const volatile void *reg)
{
	return *(const volatile uint32_t *)reg;
}
static inline void drv_write32(volatile void *reg, uint32_t value)
{
	*(volatile uint32_t *)reg = value;
}
static inline uint8_t drv_read8(const volatile void *reg)
{
	return *(const volatile uint8_t *)reg;
}
static inline void drv_write8(volatile void *reg, uint8_t value)
{
	*(volatile uint8_t *)reg = value;
}
