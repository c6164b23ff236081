// SPDX-License-Identifier: MIT
/* In the place of the real hash: three values, with those that are not allowed among them. */
#include "siphash.h"

#include <mapfs/siphash.h>

uint64_t mapfs_siphash(const uint64_t key[2], const void *data, size_t n)
{
	static const uint64_t values[] = {0, ~(uint64_t)0, (uint64_t)0x1234 << 40};

	(void)key;
	return values[collide_index(data, n)];
}
