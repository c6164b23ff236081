// SPDX-License-Identifier: MIT
/*
 * The other devices: virtio, RAM disk, clock, power.
 */
#pragma once

#include <drivers/fdt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Find and start every virtio-mmio device: disks vda, vdb ..., the console, the entropy source. */
void virtio_probe_all(const struct fdt *fdt);

/* The virtio console, as a line for logs. False while there is none. */
bool vconsole_present(void);
/* Queue bytes for sending; returns how many fit. Any context. */
size_t vconsole_write(const char *text, size_t bytes);
bool vconsole_idle(void);
/* As uart_set_callbacks(). */
void vconsole_set_callbacks(void (*received)(void *arg, const char *bytes, size_t n),
	void (*writable)(void *arg), void *arg);
/* Send at once by polling, without locks: for panics. */
void vconsole_write_now(const char *text, size_t bytes);

/* Up to `bytes` random bytes from the device; returns how many, 0 without one. Sleeps. */
size_t entropy_read(void *to, size_t bytes);

/* A block device "ram0" over memory [data, data + bytes), which stays its own for ever. */
void ramdisk_register(void *data, size_t bytes);

/* The goldfish RTC. Nanoseconds since 1970; 0 without one. */
void rtc_init(uint64_t pa, size_t bytes);
uint64_t rtc_now_ns(void);

/* The test finisher: end the machine with a status; return when there is none. */
void finisher_init(uint64_t pa, size_t bytes);
void finisher_exit(int status);
void finisher_reset(void);
