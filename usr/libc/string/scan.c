// SPDX-License-Identifier: MIT
/*
 * Looking for a byte: strlen and what is built like it.
 */
#include <string.h>

#include "word.h"

size_t strlen(const char *s)
{
	const char *p = s;

	for (; !is_aligned(p); p++) {
		if (!*p)
			return p - s;
	}
	while (!HAS_ZERO(*(const word_t *)p))
		p += WORD_BYTES;
	while (*p)
		p++;
	return p - s;
}

size_t strnlen(const char *s, size_t max)
{
	const char *end = memchr(s, 0, max);

	return end ? (size_t)(end - s) : max;
}

void *memchr(const void *s, int byte, size_t n)
{
	const unsigned char *p = s;
	word_t wanted = spread(byte);

	byte = (unsigned char)byte;
	for (; n && !is_aligned(p); n--, p++) {
		if (*p == byte)
			return (void *)p;
	}
	for (; n >= WORD_BYTES && !HAS_ZERO(*(const word_t *)p ^ wanted); n -= WORD_BYTES)
		p += WORD_BYTES;
	for (; n; n--, p++) {
		if (*p == byte)
			return (void *)p;
	}
	return NULL;
}

void *memrchr(const void *s, int byte, size_t n)
{
	const unsigned char *p = s;

	while (n--) {
		if (p[n] == (unsigned char)byte)
			return (void *)(p + n);
	}
	return NULL;
}

char *strchrnul(const char *s, int c)
{
	word_t wanted = spread(c);

	for (; !is_aligned(s); s++) {
		if (!*s || *s == (char)c)
			return (char *)s;
	}
	while (!HAS_ZERO(*(const word_t *)s) && !HAS_ZERO(*(const word_t *)s ^ wanted))
		s += WORD_BYTES;
	while (*s && *s != (char)c)
		s++;
	return (char *)s;
}

char *strchr(const char *s, int c)
{
	s = strchrnul(s, c);
	return *s == (char)c ? (char *)s : NULL;
}

char *strrchr(const char *s, int c)
{
	return memrchr(s, c, strlen(s) + 1);
}
