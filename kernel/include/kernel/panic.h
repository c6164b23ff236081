// SPDX-License-Identifier: MIT
/*
 * The end: a broken invariant. Prints the message and a symbolized backtrace on the UART and in the
 * log, stops the other harts, and powers off with status 125.
 */
#pragma once

#include <arch/types.h>

#define PANIC_STATUS 125

struct trapframe;

_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, about the state in *tf. */
_Noreturn void panic_trap(const struct trapframe *tf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* When it is not the kernel that is broken: this line alone, then as after a panic. */
_Noreturn void machine_give_up(const char *why);

/*
 * Called once before the end, for a panic caused in user context: print what is known about the
 * address (area, entry). Set by the process layer; must not lock or sleep.
 */
extern void (*panic_describe)(vaddr_t addr);

/* Checks that stay in release builds, and those of debug builds. */
#define ASSERT(condition)                                                                          \
	do {                                                                                       \
		if (__builtin_expect(!(condition), 0))                                             \
			panic("%s:%d: assertion failed: %s", __FILE_NAME__, __LINE__, #condition); \
	} while (0)
#ifdef MAPACHE_DEBUG
#define DEBUG_ASSERT(condition) ASSERT(condition)
#else
#define DEBUG_ASSERT(condition)          \
	do {                             \
		(void)sizeof(condition); \
	} while (0)
#endif

/* Symbols of the kernel: the name and offset of the function at pc; NULL when unknown. */
const char *symbol_find(vaddr_t pc, size_t *offset);
/* Power off with a status, through the test finisher if there is one. Interrupts any. */
_Noreturn void machine_power_off(int status);
_Noreturn void machine_restart(void);
