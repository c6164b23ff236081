// SPDX-License-Identifier: MIT
/*
 * The formatter behind printk() and ksnprintf(): the integer and string part of C11 7.21.6.1.
 */
#include <kernel/format.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct out {
	char *to;
	size_t size, length; /* length: what all of it would take */
};

struct spec {
	bool left, zero, plus, space, alternate, upper;
	int width, precision; /* precision -1: none */
	int longs;            /* -2 hh, -1 h, 0, 1 l z, 2 ll */
};

static void put(struct out *o, char c)
{
	if (o->length + 1 < o->size)
		o->to[o->length] = c;
	o->length++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text, size_t length)
{
	if (!s->left)
		pad(o, ' ', s->width - (int)length);
	for (size_t i = 0; i < length; i++)
		put(o, text[i]);
	if (s->left)
		pad(o, ' ', s->width - (int)length);
}

static void put_number(
	struct out *o, const struct spec *s, uint64_t value, unsigned base, const char *prefix)
{
	const char *digits = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char reversed[24];
	int n = 0, zeros, blanks;

	do
		reversed[n++] = digits[value % base];
	while (value /= base);
	zeros = s->precision - n;
	if (s->precision < 0 && s->zero && !s->left)
		zeros = s->width - n - (int)strlen(prefix);
	zeros = zeros > 0 ? zeros : 0;
	blanks = s->width - n - zeros - (int)strlen(prefix);
	if (!s->left)
		pad(o, ' ', blanks);
	while (*prefix)
		put(o, *prefix++);
	pad(o, '0', zeros);
	while (n)
		put(o, reversed[--n]);
	if (s->left)
		pad(o, ' ', blanks);
}

static void put_signed(struct out *o, const struct spec *s, int64_t value)
{
	uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;

	put_number(o, s, magnitude, 10, value < 0 ? "-" : s->plus ? "+" : s->space ? " " : "");
}

static int64_t get_signed(va_list *args, int longs)
{
	int64_t value = longs > 0 ? va_arg(*args, long) : va_arg(*args, int);

	return longs == -2 ? (signed char)value : longs == -1 ? (short)value : value;
}

static uint64_t get_unsigned(va_list *args, int longs)
{
	uint64_t value = longs > 0 ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);

	return longs == -2 ? (unsigned char)value : longs == -1 ? (unsigned short)value : value;
}

static const char *parse_flags(const char *f, struct spec *s)
{
	for (;; f++) {
		switch (*f) {
		case '-':
			s->left = true;
			break;
		case '0':
			s->zero = true;
			break;
		case '+':
			s->plus = true;
			break;
		case ' ':
			s->space = true;
			break;
		case '#':
			s->alternate = true;
			break;
		default:
			return f;
		}
	}
}

static const char *parse_count(const char *f, int *n, va_list *args)
{
	if (*f == '*') {
		*n = va_arg(*args, int);
		return f + 1;
	}
	for (*n = 0; *f >= '0' && *f <= '9'; f++)
		*n = *n * 10 + (*f - '0');
	return f;
}

static const char *parse_spec(const char *f, struct spec *s, va_list *args)
{
	*s = (struct spec){.precision = -1};
	f = parse_flags(f, s);
	f = parse_count(f, &s->width, args);
	if (s->width < 0) {
		s->left = true;
		s->width = -s->width;
	}
	if (*f == '.')
		f = parse_count(f + 1, &s->precision, args);
	for (;; f++) {
		if (*f == 'l' || *f == 'z')
			s->longs++;
		else if (*f == 'h')
			s->longs--;
		else
			return f;
	}
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
	if (!text)
		text = "(null)";
	put_text(o, s, text, s->precision < 0 ? strlen(text) : strnlen(text, (size_t)s->precision));
}

static void convert(struct out *o, char conversion, struct spec *s, va_list *args)
{
	char c;

	switch (conversion) {
	case 'd':
	case 'i':
		put_signed(o, s, get_signed(args, s->longs));
		break;
	case 'u':
		put_number(o, s, get_unsigned(args, s->longs), 10, "");
		break;
	case 'o':
		put_number(o, s, get_unsigned(args, s->longs), 8, s->alternate ? "0" : "");
		break;
	case 'X':
		s->upper = true;
		/* fallthrough */
	case 'x':
		put_number(o, s, get_unsigned(args, s->longs), 16, s->alternate ? "0x" : "");
		break;
	case 'p':
		s->precision = 16;
		put_number(o, s, (uint64_t)va_arg(*args, void *), 16, "0x");
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		put_text(o, s, &c, 1);
		break;
	case 's':
		put_string(o, s, va_arg(*args, const char *));
		break;
	default:
		put(o, conversion);
	}
}

int kvsnprintf(char *to, size_t size, const char *format, va_list args)
{
	struct out o = {to, size, 0};
	va_list copy;

	va_copy(copy, args);
	while (*format) {
		struct spec s;

		if (*format != '%') {
			put(&o, *format++);
			continue;
		}
		format = parse_spec(format + 1, &s, &copy);
		if (!*format)
			break;
		convert(&o, *format++, &s, &copy);
	}
	va_end(copy);
	if (size)
		to[o.length < size ? o.length : size - 1] = '\0';
	return (int)o.length;
}

int ksnprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = kvsnprintf(to, size, format, args);
	va_end(args);
	return n;
}
