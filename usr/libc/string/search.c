// SPDX-License-Identifier: MIT
/*
 * Sets of bytes, tokens, and strings in strings.
 *
 * memmem searches with a shift table (Horspool): after a mismatch the window moves so that the
 * byte under its end meets its last place in the needle. Linear on ordinary text; the worst case is
 * hay times needle.
 */
#include <ctype.h>
#include <string.h>

struct byte_set {
	unsigned long bits[256 / 64];
};

static void set_of(struct byte_set *set, const char *bytes)
{
	memset(set, 0, sizeof(*set));
	for (; *bytes; bytes++) {
		unsigned char c = *bytes;

		set->bits[c / 64] |= 1UL << c % 64;
	}
}

static int set_has(const struct byte_set *set, unsigned char c)
{
	return set->bits[c / 64] >> c % 64 & 1;
}

size_t strspn(const char *s, const char *accept)
{
	struct byte_set set;
	size_t n = 0;

	set_of(&set, accept);
	while (s[n] && set_has(&set, s[n]))
		n++;
	return n;
}

size_t strcspn(const char *s, const char *reject)
{
	struct byte_set set;
	size_t n = 0;

	set_of(&set, reject);
	while (s[n] && !set_has(&set, s[n]))
		n++;
	return n;
}

char *strpbrk(const char *s, const char *accept)
{
	s += strcspn(s, accept);
	return *s ? (char *)s : NULL;
}

char *strtok_r(char *restrict s, const char *restrict separators, char **restrict next)
{
	char *token = s ? s : *next;

	if (!token)
		return NULL;
	token += strspn(token, separators);
	if (!*token) {
		*next = NULL;
		return NULL;
	}
	*next = token;
	strsep(next, separators);
	return token;
}

char *strtok(char *restrict s, const char *restrict separators)
{
	static char *next;

	return strtok_r(s, separators, &next);
}

char *strsep(char **next, const char *separators)
{
	char *token = *next, *end;

	if (!token)
		return NULL;
	end = token + strcspn(token, separators);
	*next = *end ? end + 1 : NULL;
	*end = 0;
	return token;
}

void *memmem(const void *hay, size_t hay_len, const void *needle, size_t needle_len)
{
	const unsigned char *h = hay, *n = needle, *end = h + hay_len;
	size_t shift[256];

	if (needle_len == 0)
		return (void *)hay;
	if (needle_len == 1)
		return memchr(hay, *n, hay_len);
	for (int i = 0; i < 256; i++)
		shift[i] = needle_len;
	for (size_t i = 0; i + 1 < needle_len; i++)
		shift[n[i]] = needle_len - 1 - i;
	while ((size_t)(end - h) >= needle_len) {
		if (memcmp(h, n, needle_len) == 0)
			return (void *)h;
		h += shift[h[needle_len - 1]];
	}
	return NULL;
}

char *strstr(const char *hay, const char *needle)
{
	return memmem(hay, strlen(hay), needle, strlen(needle));
}

char *strcasestr(const char *hay, const char *needle)
{
	size_t n = strlen(needle);

	for (; strncasecmp(hay, needle, n) != 0; hay++) {
		if (!*hay)
			return NULL;
	}
	return (char *)hay;
}
