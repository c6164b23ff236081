// SPDX-License-Identifier: MIT
/*
 * Strings eight bytes at a time.
 *
 * An aligned word never crosses a page, so reading the whole of it is safe as soon as one byte of
 * it may be read. HAS_ZERO is the classic: subtracting 1 from each byte borrows into its top bit
 * where the byte was 0 (or was above 0x80, which ~word masks out). A borrow can also mark a 1 above
 * a real zero: so it says exactly *whether* there is a zero, and the lowest mark is exact.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef uint64_t __attribute__((may_alias)) word_t;

#define WORD_BYTES  sizeof(word_t)
#define ONES        0x0101010101010101UL
#define TOPS        0x8080808080808080UL
#define HAS_ZERO(w) (((w)-ONES) & ~(w)&TOPS)

static inline int is_aligned(const void *p)
{
	return (uintptr_t)p % WORD_BYTES == 0;
}

/* The same byte in all eight places. */
static inline word_t spread(int byte)
{
	return (unsigned char)byte * ONES;
}
