// SPDX-License-Identifier: MIT
/*
 * The printf engine: parses conversions, formats integers and strings. Floating point is in
 * format_float.c; the functions of <stdio.h> with their sinks are in printf.c.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "format.h"

void __sink_write(struct sink *sink, const char *from, size_t n)
{
	if (n > 0)
		sink->write(sink, from, n);
	sink->count += n;
}

static void repeat(struct sink *sink, char c, size_t n)
{
	char block[32];

	memset(block, c, sizeof(block));
	for (; n > sizeof(block); n -= sizeof(block))
		__sink_write(sink, block, sizeof(block));
	__sink_write(sink, block, n);
}

void __format_number(struct sink *sink, const struct spec *spec, const struct number *n)
{
	size_t length = n->prefix_len + n->lead_zeros + n->text_len + n->inner_zeros + n->tail_len;
	size_t width = (size_t)spec->width;
	size_t pad = width > length ? width - length : 0;

	if (!spec->left && !spec->zero)
		repeat(sink, ' ', pad);
	__sink_write(sink, n->prefix, n->prefix_len);
	if (!spec->left && spec->zero)
		repeat(sink, '0', pad);
	repeat(sink, '0', n->lead_zeros);
	__sink_write(sink, n->text, n->text_len);
	repeat(sink, '0', n->inner_zeros);
	__sink_write(sink, n->tail, n->tail_len);
	if (spec->left)
		repeat(sink, ' ', pad);
}

static void format_string(struct sink *sink, struct spec *spec, const char *s)
{
	struct number n = {.text = s ? s : "(null)"};

	spec->zero = false;
	n.text_len =
		spec->precision < 0 ? strlen(n.text) : strnlen(n.text, (size_t)spec->precision);
	__format_number(sink, spec, &n);
}

static void format_char(struct sink *sink, struct spec *spec, char c)
{
	spec->zero = false;
	__format_number(sink, spec, &(struct number){.text = &c, .text_len = 1});
}

/* Digits of value before `end`; returns where they start. */
static char *digits(char *end, uintmax_t value, unsigned base, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	for (; value; value /= base)
		*--end = set[value % base];
	return end;
}

/* A precision is the least number of digits, and turns off the 0 flag; 0 with precision 0 is
 * nothing. '#' is a 0 in front of octals, and 0x before what is not zero. */
static void format_integer(
	struct sink *sink, struct spec *spec, uintmax_t value, const char *prefix, unsigned base)
{
	char buffer[24], *end = buffer + sizeof(buffer);
	char *start = digits(end, value, base, spec->conversion == 'X');
	struct number n = {.prefix = prefix, .prefix_len = strlen(prefix), .text = start};
	size_t least = spec->precision < 0 ? 1 : (size_t)spec->precision;

	n.text_len = (size_t)(end - start);
	if (n.text_len < least)
		n.lead_zeros = least - n.text_len;
	if (base == 8 && spec->alternate && n.lead_zeros == 0)
		n.lead_zeros = 1;
	if (spec->precision >= 0)
		spec->zero = false;
	__format_number(sink, spec, &n);
}

static const char *sign_of(const struct spec *spec, bool negative)
{
	return negative ? "-" : spec->plus ? "+" : spec->space ? " " : "";
}

/* Narrow arguments came as int and are cut to their type here. */
static intmax_t signed_arg(const struct spec *spec, va_list *args)
{
	switch (spec->length) {
	case 'l':
		return va_arg(*args, long);
	case 'h':
		return (short)va_arg(*args, int);
	case 'H':
		return (signed char)va_arg(*args, int);
	default:
		return va_arg(*args, int);
	}
}

static uintmax_t unsigned_arg(const struct spec *spec, va_list *args)
{
	switch (spec->length) {
	case 'l':
		return va_arg(*args, unsigned long);
	case 'h':
		return (unsigned short)va_arg(*args, unsigned);
	case 'H':
		return (unsigned char)va_arg(*args, unsigned);
	default:
		return va_arg(*args, unsigned);
	}
}

static void store_count(const struct sink *sink, const struct spec *spec, va_list *args)
{
	void *to = va_arg(*args, void *);

	switch (spec->length) {
	case 'l':
		*(long *)to = (long)sink->count;
		break;
	case 'h':
		*(short *)to = (short)sink->count;
		break;
	case 'H':
		*(signed char *)to = (signed char)sink->count;
		break;
	default:
		*(int *)to = (int)sink->count;
	}
}

/* "%" and a number or '*'. Too large a number is cut: the result is too long in any case. */
static const char *parse_number(const char *p, int *value, va_list *args)
{
	if (*p == '*') {
		*value = va_arg(*args, int);
		return p + 1;
	}
	for (*value = 0; isdigit((unsigned char)*p); p++)
		*value = *value > (INT_MAX - 9) / 10 ? INT_MAX : *value * 10 + (*p - '0');
	return p;
}

static const char *parse_flags(const char *p, struct spec *spec)
{
	for (;; p++) {
		switch (*p) {
		case '-':
			spec->left = true;
			break;
		case '+':
			spec->plus = true;
			break;
		case ' ':
			spec->space = true;
			break;
		case '#':
			spec->alternate = true;
			break;
		case '0':
			spec->zero = true;
			break;
		default:
			return p;
		}
	}
}

static const char *parse_length(const char *p, struct spec *spec)
{
	if (p[0] == 'h' && p[1] == 'h') {
		spec->length = 'H';
		return p + 2;
	}
	if (*p == 'h' || *p == 'L') {
		spec->length = *p;
		return p + 1;
	}
	while (*p && strchr("lqjzt", *p)) {
		spec->length = 'l';
		p++;
	}
	return p;
}

/* p is behind the '%'; returns behind the conversion's letter. */
static const char *parse_spec(const char *p, struct spec *spec, va_list *args)
{
	*spec = (struct spec){.precision = -1};
	p = parse_flags(p, spec);
	p = parse_number(p, &spec->width, args);
	if (spec->width < 0) {
		spec->left = true;
		spec->width = -(unsigned)spec->width;
	}
	if (*p == '.')
		p = parse_number(p + 1, &spec->precision, args);
	p = parse_length(p, spec);
	spec->conversion = *p;
	return *p ? p + 1 : p;
}

static void format_signed(struct sink *sink, struct spec *spec, va_list *args)
{
	intmax_t v = signed_arg(spec, args);

	format_integer(sink, spec, v < 0 ? -(uintmax_t)v : (uintmax_t)v, sign_of(spec, v < 0), 10);
}

static void format_unsigned(struct sink *sink, struct spec *spec, va_list *args)
{
	uintmax_t v = unsigned_arg(spec, args);
	bool prefixed = spec->alternate && v != 0;

	switch (spec->conversion) {
	case 'o':
		format_integer(sink, spec, v, "", 8);
		break;
	case 'x':
		format_integer(sink, spec, v, prefixed ? "0x" : "", 16);
		break;
	case 'X':
		format_integer(sink, spec, v, prefixed ? "0X" : "", 16);
		break;
	default:
		format_integer(sink, spec, v, "", 10);
	}
}

static void format_pointer(struct sink *sink, struct spec *spec, const void *p)
{
	if (!p) {
		spec->precision = -1;
		format_string(sink, spec, "(nil)");
	} else {
		format_integer(sink, spec, (uintptr_t)p, "0x", 16);
	}
}

static bool format_one(struct sink *sink, struct spec *spec, va_list *args)
{
	switch (spec->conversion) {
	case 'd':
	case 'i':
		format_signed(sink, spec, args);
		return true;
	case 'u':
	case 'o':
	case 'x':
	case 'X':
		format_unsigned(sink, spec, args);
		return true;
	case 'c':
		format_char(sink, spec, (char)va_arg(*args, int));
		return true;
	case 's':
		format_string(sink, spec, va_arg(*args, const char *));
		return true;
	case 'p':
		format_pointer(sink, spec, va_arg(*args, void *));
		return true;
	case 'n':
		store_count(sink, spec, args);
		return true;
	case 'm':
		format_string(sink, spec, strerror(errno));
		return true;
	case '%':
		__sink_write(sink, "%", 1);
		return true;
	case 'a':
	case 'A':
	case 'e':
	case 'E':
	case 'f':
	case 'F':
	case 'g':
	case 'G':
		__format_float(sink, spec,
			spec->length == 'L' ? (double)va_arg(*args, long double)
					    : va_arg(*args, double));
		return true;
	default:
		return false;
	}
}

bool __format_run(struct sink *sink, const char *format, va_list args)
{
	struct spec spec;
	va_list copy;
	bool valid = true;

	va_copy(copy, args); /* so that its address can be taken: va_list may be an array */
	while (*format && valid) {
		const char *percent = strchrnul(format, '%');

		__sink_write(sink, format, (size_t)(percent - format));
		format = percent;
		if (*format) {
			format = parse_spec(format + 1, &spec, &copy);
			valid = format_one(sink, &spec, &copy);
		}
	}
	va_end(copy);
	return valid;
}
