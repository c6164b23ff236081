// SPDX-License-Identifier: MIT
/*
 * Random bytes: a ChaCha20 generator keyed from the entropy device, the device tree's seed and the
 * clock (in this order of worth). Any context.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *to, size_t bytes);
uint64_t random_u64(void);
/* Mix more in. */
void random_add(const void *seed, size_t bytes);
