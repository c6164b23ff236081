// SPDX-License-Identifier: MIT
/*
 * The console line is the UART.
 */
#include <drivers/uart.h>
#include <kernel/console.h>

size_t console_write(const char *text, size_t bytes)
{
	return uart_write(text, bytes);
}

size_t console_room(void)
{
	return uart_room();
}

size_t console_unsent(void)
{
	return uart_unsent();
}

void console_flush(void)
{
	uart_flush();
}

bool console_idle(void)
{
	return uart_idle();
}

void console_set_callbacks(void (*received)(void *arg, const char *bytes, size_t n),
	void (*writable)(void *arg), void *arg)
{
	uart_set_callbacks(received, writable, arg);
}
