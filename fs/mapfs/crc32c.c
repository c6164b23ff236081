// SPDX-License-Identifier: MIT
/*
 * Eight bytes a step ("slicing by 8", Kounavis and Berry 2005): table[k][b] is the effect of byte
 * b that stands k bytes before the end of the step, so the eight look-ups are independent.  A step
 * loads an aligned word, for the machine knows no other.
 *
 * Metadata has long runs of zeros, records of the log nearly nothing else.  They change the
 * checksum, but always in the same linear way: zeros[k][b] is what byte k of it, if it is b, has
 * become after 64 zero bytes.  So those cost four look-ups instead of 64.
 *
 * The tables are made on first use; two threads that make them at once write the same words.
 */
#include "crc32c.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */
#define RUN_BYTES  64

static uint32_t table[8][256];
static uint32_t zeros[4][256];
static bool table_made;

/* Of the word's byte k; the index is in bytes, which saves a shift. */
static inline uint32_t effect(uint64_t word, unsigned k)
{
	size_t at = (k ? word >> (8 * k - 2) : word << 2) & 0x3fc;

	return *(const uint32_t *)((const char *)table[7 - k] + at);
}

static inline uint32_t add_word(uint32_t crc, uint64_t word)
{
	word ^= crc;
	return effect(word, 0) ^ effect(word, 1) ^ effect(word, 2) ^ effect(word, 3) ^
	       effect(word, 4) ^ effect(word, 5) ^ effect(word, 6) ^ effect(word, 7);
}

static inline uint32_t add_byte(uint32_t crc, uint8_t byte)
{
	return crc >> 8 ^ table[0][(crc ^ byte) & 255];
}

/* Each bit through a run; the effect of more bits is the sum of theirs. */
static void make_zeros(void)
{
	for (unsigned i = 0; i < 32; i++) {
		uint32_t crc = 1u << i, bit = 1u << i % 8;

		for (unsigned n = 0; n < RUN_BYTES; n += 8)
			crc = effect(crc, 0) ^ effect(crc, 1) ^ effect(crc, 2) ^ effect(crc, 3);
		for (unsigned b = 0; b < bit; b++)
			zeros[i / 8][b + bit] = zeros[i / 8][b] ^ crc;
	}
}

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
	make_zeros();
	__atomic_store_n(&table_made, true, __ATOMIC_RELEASE);
}

/* --- The rest has the tables ------------------------------------------------------------------ */

static inline uint64_t word_at(const uint8_t *aligned)
{
	uint64_t word;

	memcpy(&word, __builtin_assume_aligned(aligned, 8), 8);
	return word;
}

static bool run_is_zero(const uint8_t *p)
{
	return !(word_at(p) | word_at(p + 8) | word_at(p + 16) | word_at(p + 24) | word_at(p + 32) |
		 word_at(p + 40) | word_at(p + 48) | word_at(p + 56));
}

static uint32_t add_zeros(uint32_t crc)
{
	return zeros[0][crc & 255] ^ zeros[1][crc >> 8 & 255] ^ zeros[2][crc >> 16 & 255] ^
	       zeros[3][crc >> 24];
}

/* p is aligned, n a multiple of 8. */
static inline uint32_t add_words(uint32_t crc, const uint8_t *p, size_t n)
{
	for (const uint8_t *end = p + n; p != end; p += 8)
		crc = add_word(crc, word_at(p));
	return crc;
}

/* p is aligned, n a multiple of RUN_BYTES. */
static uint32_t add_runs(uint32_t crc, const uint8_t *p, size_t n)
{
	for (const uint8_t *end = p + n; p != end; p += RUN_BYTES)
		crc = run_is_zero(p) ? add_zeros(crc) : add_words(crc, p, RUN_BYTES);
	return crc;
}

uint32_t mapfs_crc32c(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;

	if (!__atomic_load_n(&table_made, __ATOMIC_ACQUIRE))
		make_tables();
	for (; n && (uintptr_t)p % 8; n--)
		crc = add_byte(crc, *p++);
	crc = add_runs(crc, p, n - n % RUN_BYTES);
	p += n - n % RUN_BYTES;
	n %= RUN_BYTES;
	crc = add_words(crc, p, n - n % 8);
	p += n - n % 8;
	for (n %= 8; n; n--)
		crc = add_byte(crc, *p++);
	return crc;
}
