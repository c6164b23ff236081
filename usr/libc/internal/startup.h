// SPDX-License-Identifier: MIT
/*
 * What the parts of the start-up code and of exit share.
 */
#pragma once

#include <stddef.h>

extern const unsigned long *__auxv; /* (type, value) pairs, ended by AT_NULL */

/* The value of an entry, or 0; unlike getauxval it leaves errno alone. */
unsigned long __auxv_find(unsigned long type);

/* Points tp to the main thread's TLS block. Before it, nothing may touch errno. */
void __tls_init(void);

/* Flushes and closes stdio. Weak: programs without stdio do not pull it in. */
void __stdio_exit(void) __attribute__((weak));
