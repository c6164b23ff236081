// SPDX-License-Identifier: MIT
/*
 * The C locale's character classes, by ranges: a compare of an unsigned difference each.
 */
#include <ctype.h>

static inline int in_range(int c, int first, int last)
{
	return (unsigned)c - first <= (unsigned)(last - first);
}

int isascii(int c)
{
	return in_range(c, 0, 127);
}

int isblank(int c)
{
	return c == ' ' || c == '\t';
}

int iscntrl(int c)
{
	return in_range(c, 0, 31) || c == 127;
}

int isdigit(int c)
{
	return in_range(c, '0', '9');
}

int isgraph(int c)
{
	return in_range(c, '!', '~');
}

int islower(int c)
{
	return in_range(c, 'a', 'z');
}

int isprint(int c)
{
	return in_range(c, ' ', '~');
}

int isspace(int c)
{
	return c == ' ' || in_range(c, '\t', '\r');
}

int isupper(int c)
{
	return in_range(c, 'A', 'Z');
}

int isalpha(int c)
{
	return in_range(c | 32, 'a', 'z');
}

int isalnum(int c)
{
	return isalpha(c) || isdigit(c);
}

int ispunct(int c)
{
	return isgraph(c) && !isalnum(c);
}

int isxdigit(int c)
{
	return isdigit(c) || in_range(c | 32, 'a', 'f');
}

int tolower(int c)
{
	return isupper(c) ? c + 32 : c;
}

int toupper(int c)
{
	return islower(c) ? c - 32 : c;
}
