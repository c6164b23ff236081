// SPDX-License-Identifier: MIT
/*
 * The kernel log.
 *
 * Lines go into a ring, with the time, and from there to the sink: the log device (the
 * second virtio console line) when there is one, else the UART. Any context.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
#define LOG_KEPT LOG_INFO /* lines above this level are dropped */

void printk(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vprintk(enum log_level level, const char *format, va_list args);

#define pr_error(...)   printk(LOG_ERROR, __VA_ARGS__)
#define pr_warning(...) printk(LOG_WARNING, __VA_ARGS__)
#define pr_info(...)    printk(LOG_INFO, __VA_ARGS__)

/*
 * Where lines go from now on: write(text, n) takes as much as it can without waiting, and returns
 * that; it is called with interrupts off. What was in the ring is sent first. NULL: nowhere.
 */
void log_set_sink(size_t (*write)(const char *text, size_t bytes));
/* The sink can take more again. */
void log_sink_ready(void);

/*
 * Copy text of the ring from *position (0: the oldest) on; advances it. Returns the bytes, 0 at the
 * end. For syslog(2).
 */
size_t log_read(uint64_t *position, char *to, size_t size);

/* Once, at boot: /dev/kmsg, by which programs write lines. Beyond the core. */
void kmsg_init(void);
