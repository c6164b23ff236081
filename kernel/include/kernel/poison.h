// SPDX-License-Identifier: MIT
/*
 * Debug builds fill kernel memory that nobody has written yet, or that was freed, with a pattern:
 * it shows when somebody uses it, or hands it to a user (usr/test/fuzz looks for it).
 */
#pragma once

#include <stddef.h>

#define POISON 0x6b

static inline void poison(void *memory, size_t bytes)
{
#ifdef MAPACHE_DEBUG
	__builtin_memset(memory, POISON, bytes);
#else
	(void)memory, (void)bytes;
#endif
}
