// SPDX-License-Identifier: MIT
/*
 * ChaCha20 (RFC 8439, section 2.3) as a generator with fast key erasure: some blocks of zeros are
 * encrypted at a time, and the first half of the first is the next key, so that what was given out
 * cannot be computed from the state afterwards, nor from what is left on the stack. What a request
 * leaves of the others is for those that follow.
 */
#include <arch/cpu.h>
#include <kernel/lock.h>
#include <kernel/random.h>
#include <string.h>

#define KEY_WORDS 8
#define BLOCKS    4 /* with one key */
#define OUT_WORDS (16 * BLOCKS - KEY_WORDS)

static struct spinlock random_lock = SPINLOCK_INIT("random", RANK_KMEM);
static uint32_t key[KEY_WORDS];  /* [lock] */
static uint64_t counter;         /* [lock] */
static uint32_t rest[OUT_WORDS]; /* [lock] the last n_rest are still to be given out, */
static size_t n_rest;            /* [lock] the others are zero */

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* Inline, so that the sixteen words stay in registers. */
static inline __attribute__((always_inline)) void quarter(
	uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

/* The compiler keeps this, though it sees nobody read the memory afterwards. */
static void wipe(void *secret, size_t bytes)
{
	memset(secret, 0, bytes);
	__asm__ volatile("" ::"r"(secret) : "memory");
}

static void chacha_block(uint32_t out[16])
{
	uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	uint32_t x[16];

	memcpy(&in[4], key, sizeof(key));
	in[12] = (uint32_t)counter;
	in[13] = (uint32_t)(counter++ >> 32);
	memcpy(x, in, sizeof(x));
	for (int i = 0; i < 10; i++) {
		quarter(&x[0], &x[4], &x[8], &x[12]);
		quarter(&x[1], &x[5], &x[9], &x[13]);
		quarter(&x[2], &x[6], &x[10], &x[14]);
		quarter(&x[3], &x[7], &x[11], &x[15]);
		quarter(&x[0], &x[5], &x[10], &x[15]);
		quarter(&x[1], &x[6], &x[11], &x[12]);
		quarter(&x[2], &x[7], &x[8], &x[13]);
		quarter(&x[3], &x[4], &x[9], &x[14]);
	}
	for (int i = 0; i < 16; i++)
		out[i] = x[i] + in[i];
	wipe(in, sizeof(in));
	wipe(x, sizeof(x));
}

/* What so many blocks give, in front of `rest`; the key moves on. Locked. */
static void next(unsigned blocks)
{
	uint32_t first[16];

	chacha_block(first);
	memcpy(rest, first + KEY_WORDS, sizeof(first) - sizeof(key));
	for (unsigned i = 1; i < blocks; i++)
		chacha_block(rest + 16 * i - KEY_WORDS);
	memcpy(key, first, sizeof(key));
	wipe(first, sizeof(first)); /* once the key has moved on again, nothing tells what it was */
}

void random_bytes(void *to, size_t bytes)
{
	uint64_t flags = spin_lock_irqsave(&random_lock);
	uint8_t *at = to;

	while (bytes) {
		uint8_t *from;
		size_t n;

		if (!n_rest) {
			next(BLOCKS);
			n_rest = sizeof(rest);
		}
		n = bytes < n_rest ? bytes : n_rest;
		from = (uint8_t *)rest + sizeof(rest) - n_rest;
		memcpy(at, from, n);
		memset(from, 0, n);
		n_rest -= n;
		at += n;
		bytes -= n;
	}
	spin_unlock_irqrestore(&random_lock, flags);
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}

void random_add(const void *seed, size_t bytes)
{
	uint64_t flags = spin_lock_irqsave(&random_lock);
	const uint8_t *at = seed;

	for (size_t i = 0; i < bytes; i++) {
		((uint8_t *)key)[i % sizeof(key)] ^= at[i];
		if (i % sizeof(key) == sizeof(key) - 1)
			next(1);
	}
	key[0] ^= (uint32_t)cpu_time();
	next(1);
	memset(rest, 0, sizeof(rest)); /* of the key before */
	n_rest = 0;
	spin_unlock_irqrestore(&random_lock, flags);
}
