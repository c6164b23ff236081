// SPDX-License-Identifier: MIT
/*
 * The scanf family. Input is taken a byte at a time from a source with one byte of look-ahead;
 * numbers are gathered into a small buffer and handed to strtol or strtod.
 */
#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

struct source {
	FILE *stream;     /* or */
	const char *text; /* a string */
	int next;         /* the byte looked at */
	bool looked;
	size_t taken;
};

static int peek(struct source *s)
{
	if (!s->looked) {
		if (s->stream)
			s->next = fgetc(s->stream);
		else
			s->next = *s->text ? (unsigned char)*s->text++ : EOF;
		s->looked = true;
	}
	return s->next;
}

static void take(struct source *s)
{
	s->looked = false;
	s->taken++;
}

static void skip_space(struct source *s)
{
	while (isspace(peek(s)))
		take(s);
}

struct conversion {
	bool assign;
	int width; /* INT_MAX when none is given */
	char length;
	char letter;
	const char *set, *set_end; /* of [ ] */
};

static const char *parse(const char *p, struct conversion *c)
{
	*c = (struct conversion){.assign = true, .width = 0};
	if (*p == '*') {
		c->assign = false;
		p++;
	}
	for (; isdigit((unsigned char)*p); p++)
		c->width = c->width * 10 + (*p - '0');
	if (c->width == 0)
		c->width = INT_MAX;
	if (p[0] == 'h' && p[1] == 'h') {
		c->length = 'H';
		p += 2;
	}
	while (*p && strchr("hlLqjzt", *p))
		c->length = *p == 'h' ? 'h' : 'l', p++;
	c->letter = *p ? *p++ : 0;
	if (c->letter == '[') {
		c->set = p;
		p += *p == '^';
		p += *p == ']';
		p = strchrnul(p, ']');
		c->set_end = p;
		p += *p == ']';
	}
	return p;
}

static bool in_set(const struct conversion *c, int byte)
{
	const char *p = c->set;
	bool invert = *p == '^';

	for (p += invert; p < c->set_end; p++) {
		if (p + 2 < c->set_end && p[1] == '-') {
			if ((unsigned char)p[0] <= byte && byte <= (unsigned char)p[2])
				return !invert;
			p += 2;
		} else if ((unsigned char)*p == byte) {
			return !invert;
		}
	}
	return invert;
}

static void store_integer(const struct conversion *c, void *to, unsigned long value)
{
	switch (c->length) {
	case 'l':
		*(unsigned long *)to = value;
		break;
	case 'h':
		*(unsigned short *)to = (unsigned short)value;
		break;
	case 'H':
		*(unsigned char *)to = (unsigned char)value;
		break;
	default:
		*(unsigned *)to = (unsigned)value;
	}
}

/* Gathers what may belong to a number, greedily but no further than the grammar goes: the bytes
 * after a bad one must stay in the input. */
static size_t gather_integer(struct source *s, char *buffer, size_t size, int *base, int width)
{
	size_t n = 0;
	int c = peek(s);

	if ((c == '-' || c == '+') && width > 1) {
		buffer[n++] = (char)c;
		take(s);
	}
	if (peek(s) == '0' && (int)n < width) {
		buffer[n++] = '0';
		take(s);
		if ((*base == 0 || *base == 16) && (peek(s) | 32) == 'x' && (int)n < width) {
			buffer[n++] = 'x';
			take(s);
			*base = 16;
		} else if (*base == 0) {
			*base = 8;
		}
	}
	if (*base == 0)
		*base = 10;
	while (n < size - 1 && (int)n < width) {
		c = peek(s);
		if (!(isdigit(c) ? c - '0' < *base : *base == 16 && isxdigit(c)))
			break;
		buffer[n++] = (char)c;
		take(s);
	}
	buffer[n] = 0;
	return n;
}

static bool scan_integer(struct source *s, const struct conversion *c, void *to, int base)
{
	char buffer[72], *end;
	size_t n = gather_integer(s, buffer, sizeof(buffer), &base, c->width);
	unsigned long value;

	if (c->letter == 'd' || c->letter == 'i')
		value = (unsigned long)strtol(buffer, &end, base);
	else
		value = strtoul(buffer, &end, base);
	if (n == 0 || end == buffer)
		return false;
	if (to)
		store_integer(c, to, value);
	return true;
}

static bool may_be_float(int c, const char *so_far, size_t n)
{
	if (c == '+' || c == '-')
		return n == 0 || (so_far[n - 1] | 32) == 'e';
	return isdigit(c) || c == '.' || (c | 32) == 'e' || (n < 9 && c != EOF && isalpha(c));
}

static bool scan_float(struct source *s, const struct conversion *c, void *to)
{
	char buffer[512], *end;
	size_t n = 0;
	double value;

	while (n < sizeof(buffer) - 1 && (int)n < c->width && may_be_float(peek(s), buffer, n)) {
		buffer[n++] = (char)peek(s);
		take(s);
	}
	buffer[n] = 0;
	value = strtod(buffer, &end);
	if (end == buffer)
		return false;
	if (to && c->length == 'l')
		*(double *)to = value;
	else if (to)
		*(float *)to = (float)value;
	return true;
}

/* s, [ and c: bytes while they qualify. c takes exactly width of them (1 by default). */
static bool scan_bytes(struct source *s, const struct conversion *c, char *to)
{
	int width = c->letter == 'c' && c->width == INT_MAX ? 1 : c->width, n = 0;

	for (; n < width && peek(s) != EOF; n++) {
		int byte = peek(s);

		if ((c->letter == 's' && isspace(byte)) || (c->letter == '[' && !in_set(c, byte)))
			break;
		if (to)
			*to++ = (char)byte;
		take(s);
	}
	if (to && c->letter != 'c' && n > 0)
		*to = 0;
	return c->letter == 'c' ? n == width : n > 0;
}

static bool scan_one(struct source *s, const struct conversion *c, void *to)
{
	switch (c->letter) {
	case 'd':
	case 'u':
		return scan_integer(s, c, to, 10);
	case 'i':
		return scan_integer(s, c, to, 0);
	case 'o':
		return scan_integer(s, c, to, 8);
	case 'x':
	case 'X':
	case 'p':
		return scan_integer(s, c, to, 16);
	case 's':
	case 'c':
	case '[':
		return scan_bytes(s, c, to);
	default:
		return (c->letter | 32) >= 'e' && (c->letter | 32) <= 'g' && scan_float(s, c, to);
	}
}

/* A byte of the format that is no conversion. */
static bool match_literal(struct source *s, int byte)
{
	if (isspace(byte)) {
		skip_space(s);
		return true;
	}
	if (peek(s) != byte)
		return false;
	take(s);
	return true;
}

static int scan(struct source *s, const char *format, va_list args)
{
	struct conversion c;
	int assigned = 0;
	bool stopped = false, at_end = false;

	while (*format && !stopped) {
		void *to = NULL;

		if (*format != '%' || format[1] == '%') {
			if (*format == '%') {
				skip_space(s);
				format++;
			}
			stopped = !match_literal(s, (unsigned char)*format++);
			at_end = stopped && peek(s) == EOF;
			continue;
		}
		format = parse(format + 1, &c);
		if (c.assign)
			to = va_arg(args, void *);
		if (c.letter == 'n') {
			store_integer(&c, to, s->taken);
			continue;
		}
		if (c.letter == 'p')
			c.length = 'l';
		if (!strchr("c[", c.letter))
			skip_space(s);
		at_end = peek(s) == EOF;
		stopped = at_end || !scan_one(s, &c, to);
		assigned += c.assign && !stopped;
	}
	if (s->looked && s->stream && s->next != EOF)
		ungetc(s->next, s->stream);
	return at_end && assigned == 0 ? EOF : assigned;
}

int vfscanf(FILE *restrict stream, const char *restrict format, va_list args)
{
	return scan(&(struct source){.stream = stream}, format, args);
}

int vsscanf(const char *restrict text, const char *restrict format, va_list args)
{
	return scan(&(struct source){.text = text}, format, args);
}

int vscanf(const char *restrict format, va_list args)
{
	return vfscanf(stdin, format, args);
}

int scanf(const char *restrict format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vfscanf(stdin, format, args);
	va_end(args);
	return n;
}

int fscanf(FILE *restrict stream, const char *restrict format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vfscanf(stream, format, args);
	va_end(args);
	return n;
}

int sscanf(const char *restrict text, const char *restrict format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsscanf(text, format, args);
	va_end(args);
	return n;
}
