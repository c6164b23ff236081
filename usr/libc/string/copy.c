// SPDX-License-Identifier: MIT
/*
 * memcpy, memmove, memset.
 *
 * The destination is aligned first; when the source then is aligned too, whole words move, eight at
 * a time. When it is not, each word is joined from two aligned source words: RISC-V may trap (and
 * emulate, at hundreds of cycles) a misaligned access, so none is ever made.
 */
#include <string.h>

#include "word.h"

/* to is aligned, from is not; n bytes, a multiple of the word. Reads only words that hold at least
 * one byte of [from, from + n). */
static void copy_shifted(word_t *to, const unsigned char *from, size_t n)
{
	unsigned shift = (uintptr_t)from % WORD_BYTES * 8;
	const word_t *w = (const word_t *)((uintptr_t)from & -WORD_BYTES);
	word_t low = *w++;

	for (; n; n -= WORD_BYTES) {
		word_t high = *w++;

		*to++ = low >> shift | high << (64 - shift);
		low = high;
	}
}

static void copy_words(word_t *to, const word_t *from, size_t n)
{
	for (; n >= 8 * WORD_BYTES; n -= 8 * WORD_BYTES, to += 8, from += 8) {
		word_t a = from[0], b = from[1], c = from[2], d = from[3];
		word_t e = from[4], f = from[5], g = from[6], h = from[7];

		to[0] = a, to[1] = b, to[2] = c, to[3] = d;
		to[4] = e, to[5] = f, to[6] = g, to[7] = h;
	}
	for (; n; n -= WORD_BYTES)
		*to++ = *from++;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *s = from;

	if (n >= 2 * WORD_BYTES) {
		size_t bulk;

		for (; !is_aligned(d); n--)
			*d++ = *s++;
		bulk = n & -WORD_BYTES;
		if (is_aligned(s))
			copy_words((word_t *)d, (const word_t *)s, bulk);
		else
			copy_shifted((word_t *)d, s, bulk);
		d += bulk, s += bulk, n -= bulk;
	}
	while (n--)
		*d++ = *s++;
	return to;
}

void *mempcpy(void *restrict to, const void *restrict from, size_t n)
{
	return (char *)memcpy(to, from, n) + n;
}

static void copy_down(unsigned char *d, const unsigned char *s, size_t n)
{
	if ((uintptr_t)d % WORD_BYTES == (uintptr_t)s % WORD_BYTES) {
		for (; n && !is_aligned(d + n); n--)
			d[n - 1] = s[n - 1];
		for (; n >= WORD_BYTES; n -= WORD_BYTES)
			*(word_t *)(d + n - WORD_BYTES) = *(const word_t *)(s + n - WORD_BYTES);
	}
	while (n--)
		d[n] = s[n];
}

/* Forward when the destination lies below (memcpy reads each word before it writes it, but in
 * groups of eight: only a distance of at least a group is safe), else from the end. */
void *memmove(void *to, const void *from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *s = from;

	if (d == s)
		return to;
	if ((uintptr_t)d - (uintptr_t)s >= n && (uintptr_t)s - (uintptr_t)d >= n)
		return memcpy(to, from, n);
	if (d > s) {
		copy_down(d, s, n);
		return to;
	}
	if ((uintptr_t)d % WORD_BYTES == (uintptr_t)s % WORD_BYTES) {
		for (; n && !is_aligned(d); n--)
			*d++ = *s++;
		for (; n >= WORD_BYTES; n -= WORD_BYTES, d += WORD_BYTES, s += WORD_BYTES)
			*(word_t *)d = *(const word_t *)s;
	}
	while (n--)
		*d++ = *s++;
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	unsigned char *d = to;
	word_t word = spread(byte);

	if (n >= 2 * WORD_BYTES) {
		for (; !is_aligned(d); n--)
			*d++ = byte;
		for (; n >= 4 * WORD_BYTES; n -= 4 * WORD_BYTES, d += 4 * WORD_BYTES) {
			((word_t *)d)[0] = word;
			((word_t *)d)[1] = word;
			((word_t *)d)[2] = word;
			((word_t *)d)[3] = word;
		}
		for (; n >= WORD_BYTES; n -= WORD_BYTES, d += WORD_BYTES)
			*(word_t *)d = word;
	}
	while (n--)
		*d++ = byte;
	return to;
}

void bzero(void *to, size_t n)
{
	memset(to, 0, n);
}
