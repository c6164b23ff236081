// SPDX-License-Identifier: MIT
/*
 * The 16550 UART: the machine's first console. Interrupt-driven both ways.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Registers at pa. stride_shift: distance of registers, as a power of two. 0 or -errno. */
int uart_init(uint64_t pa, unsigned irq, unsigned stride_shift);

/* Queue bytes for sending; returns how many fit. Any context. */
size_t uart_write(const char *text, size_t bytes);
/* How many would fit now, how many are queued; drop those. Any context. */
size_t uart_room(void);
size_t uart_unsent(void);
void uart_flush(void);
/* All that was queued has left. */
bool uart_idle(void);

/*
 * Received bytes go to received(arg, bytes, n), and after some of a full queue or all
 * of any was sent, writable(arg) is called; both with interrupts off. Either may be NULL.
 */
void uart_set_callbacks(void (*received)(void *arg, const char *bytes, size_t n),
	void (*writable)(void *arg), void *arg);

/* Send at once, waiting, without locks: for panics. Sends what was queued first. */
void uart_write_now(const char *text, size_t bytes);
