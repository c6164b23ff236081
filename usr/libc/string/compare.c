// SPDX-License-Identifier: MIT
/*
 * Comparing memory and strings: by words while both are equally aligned and equal, then by bytes.
 */
#include <ctype.h>
#include <string.h>

#include "word.h"

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *p = a, *q = b;

	if ((uintptr_t)p % WORD_BYTES == (uintptr_t)q % WORD_BYTES) {
		for (; n && !is_aligned(p) && *p == *q; n--)
			p++, q++;
		if (is_aligned(p)) {
			for (; n >= WORD_BYTES && *(const word_t *)p == *(const word_t *)q;
				n -= WORD_BYTES)
				p += WORD_BYTES, q += WORD_BYTES;
		}
	}
	for (; n; n--, p++, q++) {
		if (*p != *q)
			return *p - *q;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	if ((uintptr_t)a % WORD_BYTES == (uintptr_t)b % WORD_BYTES) {
		for (; !is_aligned(a) && *a && *a == *b; a++)
			b++;
		if (is_aligned(a)) {
			while (*(const word_t *)a == *(const word_t *)b &&
				!HAS_ZERO(*(const word_t *)a))
				a += WORD_BYTES, b += WORD_BYTES;
		}
	}
	for (; *a && *a == *b; a++)
		b++;
	return *(const unsigned char *)a - *(const unsigned char *)b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; n--)
		a++, b++;
	return n ? *(const unsigned char *)a - *(const unsigned char *)b : 0;
}

int strcoll(const char *a, const char *b)
{
	return strcmp(a, b);
}

int strcasecmp(const char *a, const char *b)
{
	return strncasecmp(a, b, (size_t)-1);
}

int strncasecmp(const char *a, const char *b, size_t n)
{
	const unsigned char *p = (const unsigned char *)a, *q = (const unsigned char *)b;

	for (; n && *p && tolower(*p) == tolower(*q); n--)
		p++, q++;
	return n ? tolower(*p) - tolower(*q) : 0;
}
