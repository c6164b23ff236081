// SPDX-License-Identifier: MIT
/*
 * Copying and joining strings: all are strlen and memcpy.
 */
#include <string.h>

char *stpcpy(char *restrict to, const char *restrict from)
{
	size_t n = strlen(from);

	memcpy(to, from, n + 1);
	return to + n;
}

char *strcpy(char *restrict to, const char *restrict from)
{
	stpcpy(to, from);
	return to;
}

/* Fills up with NULs, and does not end with one when `from` is too long. */
char *strncpy(char *restrict to, const char *restrict from, size_t n)
{
	size_t copied = strnlen(from, n);

	memcpy(to, from, copied);
	memset(to + copied, 0, n - copied);
	return to;
}

char *strcat(char *restrict to, const char *restrict from)
{
	strcpy(to + strlen(to), from);
	return to;
}

char *strncat(char *restrict to, const char *restrict from, size_t n)
{
	size_t copied = strnlen(from, n);
	char *end = to + strlen(to);

	memcpy(end, from, copied);
	end[copied] = 0;
	return to;
}

size_t strlcpy(char *restrict to, const char *restrict from, size_t size)
{
	size_t n = strlen(from);

	if (size > 0) {
		size_t copied = n < size ? n : size - 1;

		memcpy(to, from, copied);
		to[copied] = 0;
	}
	return n;
}

size_t strlcat(char *restrict to, const char *restrict from, size_t size)
{
	size_t used = strnlen(to, size);

	if (used == size)
		return size + strlen(from);
	return used + strlcpy(to + used, from, size - used);
}

size_t strxfrm(char *restrict to, const char *restrict from, size_t n)
{
	return strlcpy(to, from, n);
}
