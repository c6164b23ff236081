// SPDX-License-Identifier: MIT
/*
 * The machine's console line (the UART) below the terminal layer: bytes in, bytes out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Queue bytes; returns how many fit. Any context. */
size_t console_write(const char *text, size_t bytes);
/* How many would fit now; how many have not left; drop those. Any context. */
size_t console_room(void);
size_t console_unsent(void);
void console_flush(void);
/* Has all of it left? Power-off waits for that. */
bool console_idle(void);
/* Called with interrupts off, as drivers/uart.h says. The terminal layer sets them once. */
void console_set_callbacks(void (*received)(void *arg, const char *bytes, size_t n),
	void (*writable)(void *arg), void *arg);
