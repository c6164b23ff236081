// SPDX-License-Identifier: MIT
/* What a compiler calls by itself, and all that mm needs besides its hooks. */
#include <stddef.h>

void *memset(void *to, int c, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);

void *memset(void *to, int c, size_t n)
{
	for (char *t = to; n > 0; n--)
		*t++ = (char)c;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	const char *f = from;

	for (char *t = to; n > 0; n--)
		*t++ = *f++;
	return to;
}
