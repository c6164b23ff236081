// SPDX-License-Identifier: MIT
/*
 * Between printk.c, panic.c and main.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What the sink has not taken yet goes to write(), without locks: for panics. */
void log_flush_now(void (*write)(const char *text, size_t bytes));

/* A hart has panicked: the others are to stop. */
bool panic_is_on(void);
_Noreturn void hart_stop(void);
