// SPDX-License-Identifier: MIT
/* The beginning and the end. */
#pragma once

#include <stdbool.h>

/* Print whether this held, and remember it. */
void check(bool right, const char *name);

/* The first process is gone: the last checks, and off. */
void shutdown(void) __attribute__((noreturn));

/* What start.S calls, on each hart's own stack. */
void first_hart(unsigned hart) __attribute__((noreturn));
void other_hart(unsigned hart) __attribute__((noreturn));
