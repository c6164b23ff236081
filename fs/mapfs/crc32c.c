// SPDX-License-Identifier: MIT
/*
 * Eight bytes a step ("slicing by 8", Kounavis and Berry 2005): table[k][b] is the effect of byte
 * b that stands k bytes before the end of the step, so the eight look-ups are independent.  The
 * tables are made on first use; two threads that make them at once write the same words.
 */
#include "crc32c.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */

static uint32_t table[8][256];
static bool table_made;

static void make_tables(void)
{
	for (unsigned b = 0; b < 256; b++) {
		uint32_t crc = b;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][b] = crc;
	}
	for (unsigned b = 0; b < 256; b++)
		for (int k = 1; k < 8; k++)
			table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 255];
	__atomic_store_n(&table_made, true, __ATOMIC_RELEASE);
}

uint32_t mapfs_crc32c(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t word;

	if (!__atomic_load_n(&table_made, __ATOMIC_ACQUIRE))
		make_tables();
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		word ^= crc;
		crc = 0;
		for (int k = 0; k < 8; k++)
			crc ^= table[7 - k][word >> 8 * k & 255];
	}
	while (n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
	return crc;
}
