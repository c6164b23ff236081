// SPDX-License-Identifier: MIT
/*
 * The functions that read or write whole words, against the naive byte loop, for every alignment of
 * both operands and every length up to LENGTHS, each time with the operand's end at the end of a
 * page that is followed by a page without rights: one byte too far is SIGSEGV.
 */
#include <ctype.h>
#include <string.h>
#include <sys/mman.h>

#include "tap.h"

#define PAGE    4096
#define LENGTHS 70
#define ALIGNS  8

/* Two areas of a page each, a guard behind each. */
static unsigned char *area[2];

static unsigned char *guarded_page(void)
{
	unsigned char *p =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + PAGE, PAGE, PROT_NONE) != 0) {
		printf("Bail out! no guarded page\n");
		exit(1);
	}
	return p;
}

/* The place for n bytes whose end is `gap` bytes before the guard. */
static unsigned char *place(int which, size_t n, size_t gap)
{
	return area[which] + PAGE - gap - n;
}

static void fill_random(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)random_bits();
}

/* Bytes in front of [p, p + n) and behind it in its page must still be `mark`. */
static bool outside_untouched(int which, const unsigned char *p, size_t n, unsigned char mark)
{
	for (const unsigned char *q = area[which]; q < area[which] + PAGE; q++) {
		if ((q < p || q >= p + n) && *q != mark)
			return false;
	}
	return true;
}

static bool check_copy(size_t n, size_t gap_to, size_t gap_from)
{
	unsigned char *to = place(0, n, gap_to), *from = place(1, n, gap_from);

	memset(area[0], 0x5a, PAGE);
	fill_random(from, n);
	if (memcpy(to, from, n) != to || !outside_untouched(0, to, n, 0x5a))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (to[i] != from[i])
			return false;
	}
	return true;
}

static bool check_move(size_t n, size_t gap, int distance)
{
	unsigned char copy[PAGE], *from = place(0, n, gap + 2 * LENGTHS), *to = from + distance;

	fill_random(area[0], PAGE);
	for (int i = 0; i < PAGE; i++)
		copy[i] = area[0][i];
	if (memmove(to, from, n) != to)
		return false;
	for (unsigned char *q = area[0]; q < area[0] + PAGE; q++) {
		unsigned char wanted =
			q >= to && q < to + n ? copy[q - distance - area[0]] : copy[q - area[0]];

		if (*q != wanted)
			return false;
	}
	return true;
}

static bool check_set(size_t n, size_t gap)
{
	unsigned char *to = place(0, n, gap);

	for (int i = 0; i < PAGE; i++)
		area[0][i] = 0x33;
	if (memset(to, 0x1c7, n) != to || !outside_untouched(0, to, n, 0x33))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (to[i] != 0xc7)
			return false;
	}
	return true;
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

/* Equal, then with a difference at each place. */
static bool check_compare(size_t n, size_t gap_a, size_t gap_b)
{
	unsigned char *a = place(0, n, gap_a), *b = place(1, n, gap_b);

	for (size_t i = 0; i < n; i++)
		a[i] = b[i] = (unsigned char)(random_bits() | 1);
	if (memcmp(a, b, n) != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char old = b[i];

		b[i] = (unsigned char)(old ^ 0x80);
		if (sign(memcmp(a, b, n)) != sign(a[i] - b[i]))
			return false;
		b[i] = old;
	}
	return true;
}

/* n characters and a NUL that is the last byte of the place. */
static unsigned char *random_string(int which, size_t n, size_t gap)
{
	unsigned char *s = place(which, n + 1, gap);

	for (size_t i = 0; i < n; i++)
		s[i] = (unsigned char)(1 + random_below(255));
	s[n] = 0;
	return s;
}

static bool check_strings(size_t n, size_t gap_a, size_t gap_b)
{
	char *a = (char *)random_string(0, n, gap_a), *b = (char *)place(1, n + 1, gap_b);

	memset(area[1], 0x66, PAGE);
	if (strlen(a) != n || strnlen(a, n) != n || strnlen(a, n / 2) != n / 2)
		return false;
	if (strcpy(b, a) != b || strcmp(a, b) != 0 || strncmp(a, b, n + 9) != 0)
		return false;
	if (!outside_untouched(1, (unsigned char *)b, n + 1, 0x66))
		return false;
	for (size_t i = 0; i < n; i++) {
		char old = b[i];

		b[i] = (char)(old ^ 0x80);
		if (b[i] && sign(strcmp(a, b)) != sign((unsigned char)a[i] - (unsigned char)b[i]))
			return false;
		b[i] = 0;
		if (strcmp(a, b) <= 0 || strcmp(b, a) >= 0 || strncmp(a, b, i) != 0)
			return false;
		b[i] = old;
	}
	return true;
}

/* A byte that is there once, at each place, and nowhere. */
static bool check_find(size_t n, size_t gap)
{
	unsigned char *s = place(0, n + 1, gap);

	memset(s, 'x', n);
	s[n] = 0;
	if (memchr(s, 'y', n) || strchr((char *)s, 'y') || strrchr((char *)s, 'y'))
		return false;
	if (strchr((char *)s, 0) != (char *)s + n || strchrnul((char *)s, 'y') != (char *)s + n)
		return false;
	for (size_t i = 0; i < n; i++) {
		s[i] = 'y';
		if (memchr(s, 'y' + 256, n) != s + i || memchr(s, 'y', i) ||
			strchr((char *)s, 'y') != (char *)s + i ||
			strrchr((char *)s, 'y') != (char *)s + i || memrchr(s, 'y', n) != s + i)
			return false;
		s[i] = 'x';
	}
	return true;
}

/* Short needles over a small alphabet in short hays: all cases of overlap occur. */
static bool check_search(void)
{
	for (int round = 0; round < 20000; round++) {
		size_t n = random_below(24), m = random_below(6);
		char *hay = (char *)random_string(0, n, 0),
		     *needle = (char *)random_string(1, m, 0);
		char *wanted = NULL;

		for (size_t i = 0; i < n; i++)
			hay[i] = (char)('a' + random_below(2));
		for (size_t i = 0; i < m; i++)
			needle[i] = (char)('a' + random_below(2));
		for (size_t i = 0; i + m <= n && !wanted; i++) {
			size_t j = 0;

			while (j < m && hay[i + j] == needle[j])
				j++;
			wanted = j == m ? hay + i : NULL;
		}
		if (strstr(hay, needle) != wanted)
			return false;
	}
	return true;
}

static bool check_tokens(void)
{
	char text[] = ",,one, two,,three", sep[] = "a::b", *next = sep, *rest;

	return strcmp(strtok_r(text, ", ", &rest), "one") == 0 &&
	       strcmp(strtok_r(NULL, ", ", &rest), "two") == 0 &&
	       strcmp(strtok_r(NULL, ", ", &rest), "three") == 0 && !strtok_r(NULL, ", ", &rest) &&
	       strcmp(strsep(&next, ":"), "a") == 0 && strcmp(strsep(&next, ":"), "") == 0 &&
	       strcmp(strsep(&next, ":"), "b") == 0 && !strsep(&next, ":") &&
	       strspn("aab", "a") == 2 && strcspn("aab", "b") == 2 && !strpbrk("aab", "x");
}

static bool check_bounded(void)
{
	char to[8];
	volatile size_t two = 2; /* else the compiler sees the cut and warns */

	memset(to, '#', sizeof(to));
	return strlcpy(to, "12345678", sizeof(to)) == 8 && strcmp(to, "1234567") == 0 &&
	       strlcpy(to, "12", sizeof(to)) == 2 && strlcat(to, "345678", sizeof(to)) == 8 &&
	       strcmp(to, "1234567") == 0 && strlcpy(to, "xyz", 0) == 3 && to[0] == '1' &&
	       strcmp(strncpy(to, "ab", sizeof(to)), "ab") == 0 && to[7] == 0 && to[3] == 0 &&
	       strcmp(strncat(to, "cdef", two), "abcd") == 0;
}

/* The classes of the 128 characters, as the standard lists them for the C locale. */
static bool check_ctype(void)
{
	const char *punct = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

	for (int c = 0; c < 256; c++) {
		bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'Z';
		bool lower = c >= 'a' && c <= 'z', is_punct = c && c < 128 && strchr(punct, c);
		bool hex = digit || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');

		if (!isdigit(c) == digit || !isupper(c) == upper || !islower(c) == lower ||
			!isalpha(c) == (upper || lower) || !ispunct(c) == is_punct ||
			!isalnum(c) == (digit || upper || lower) || !isxdigit(c) == hex ||
			!isgraph(c) == (digit || upper || lower || is_punct) ||
			!isprint(c) == (c == ' ' || digit || upper || lower || is_punct) ||
			!iscntrl(c) == (c < 32 || c == 127) ||
			!isspace(c) == (c == ' ' || (c >= 9 && c <= 13)) ||
			tolower(c) != (upper ? c + 32 : c) || toupper(c) != (lower ? c - 32 : c))
			return false;
	}
	return !isalpha(EOF) && !isspace(EOF) && !isdigit(EOF);
}

static void sweep_two(const char *name, bool (*check)(size_t, size_t, size_t))
{
	bool good = true;

	for (size_t n = 0; n < LENGTHS && good; n++) {
		for (size_t a = 0; a < ALIGNS && good; a++) {
			for (size_t b = 0; b < ALIGNS && good; b++)
				good = check(n, a, b);
		}
	}
	ok(good, "%s", name);
}

static void sweep_one(const char *name, bool (*check)(size_t, size_t))
{
	bool good = true;

	for (size_t n = 0; n < LENGTHS && good; n++) {
		for (size_t a = 0; a < ALIGNS && good; a++)
			good = check(n, a);
	}
	ok(good, "%s", name);
}

static void sweep_move(void)
{
	bool good = true;

	for (size_t n = 0; n < LENGTHS && good; n += 1 + n / 24) {
		for (size_t gap = 0; gap < ALIGNS && good; gap++) {
			for (int d = -20; d <= 20 && good; d++)
				good = check_move(n, gap, d);
		}
	}
	ok(good, "memmove at every distance up to 20");
}

int main(int argc, char **argv)
{
	random_seed(argc, argv);
	area[0] = guarded_page();
	area[1] = guarded_page();
	sweep_two("memcpy", check_copy);
	sweep_move();
	sweep_one("memset", check_set);
	sweep_two("memcmp", check_compare);
	sweep_two("strlen strnlen strcpy strcmp strncmp", check_strings);
	sweep_one("memchr memrchr strchr strchrnul strrchr", check_find);
	ok(check_search(), "strstr against the naive search");
	ok(check_tokens(), "strtok_r strsep strspn strcspn strpbrk");
	ok(check_bounded(), "strlcpy strlcat strncpy strncat");
	ok(check_ctype(), "character classes");
	return tap_end();
}
