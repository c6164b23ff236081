// SPDX-License-Identifier: MIT
/*
 * Eight bytes a step ("slicing by 8", Kounavis and Berry 2005): table[k][b] is the effect of byte
 * b that stands k bytes before the end of the step, so the eight look-ups are independent.  A step
 * loads an aligned word, for the machine knows no other.  The tables are made on first use; two
 * threads that make them at once write the same words.
 */
#include "crc32c.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */

static uint32_t table[8][256];
static bool table_made;

/* table[0] of a bit by long division; the effect of more bits is the sum of theirs. */
static void make_tables(void)
{
	uint32_t crc = 1;

	for (unsigned bit = 128; bit; bit /= 2) {
		crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		for (unsigned b = 0; b < 256; b += 2 * bit)
			table[0][b + bit] = table[0][b] ^ crc;
	}
	for (unsigned b = 0; b < 256; b++)
		for (int k = 1; k < 8; k++)
			table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 255];
	__atomic_store_n(&table_made, true, __ATOMIC_RELEASE);
}

/* Of the word's byte k; the index is in bytes, which saves a shift. */
static uint32_t effect(uint64_t word, unsigned k)
{
	size_t at = (k ? word >> (8 * k - 2) : word << 2) & 0x3fc;

	return *(const uint32_t *)((const char *)table[7 - k] + at);
}

static uint32_t step(uint32_t crc, const uint8_t *aligned)
{
	uint64_t word;

	memcpy(&word, __builtin_assume_aligned(aligned, 8), 8);
	word ^= crc;
	return effect(word, 0) ^ effect(word, 1) ^ effect(word, 2) ^ effect(word, 3) ^
	       effect(word, 4) ^ effect(word, 5) ^ effect(word, 6) ^ effect(word, 7);
}

static uint32_t byte_step(uint32_t crc, uint8_t byte)
{
	return crc >> 8 ^ table[0][(crc ^ byte) & 255];
}

uint32_t mapfs_crc32c(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;

	if (!__atomic_load_n(&table_made, __ATOMIC_ACQUIRE))
		make_tables();
	for (; n && (uintptr_t)p % 8; n--)
		crc = byte_step(crc, *p++);
	for (; n >= 8; n -= 8, p += 8)
		crc = step(crc, p);
	while (n--)
		crc = byte_step(crc, *p++);
	return crc;
}
