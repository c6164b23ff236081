// SPDX-License-Identifier: MIT
/*
 * What the printf engine's files share.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Where formatted bytes go. `count` is kept by the engine. */
struct sink {
	void (*write)(struct sink *sink, const char *from, size_t n);
	size_t count;
};

/* One conversion, parsed. */
struct spec {
	bool left, plus, space, alternate, zero;
	int width;
	int precision; /* -1: none given */
	char length; /* 0, 'H' (hh), 'h', 'l', 'j', 'z', 't' (all 64 bits: one letter, 'l'), 'L' */
	char conversion;
};

/* A number in parts: sign or base prefix, text, zeros inside, more text. Lengths in bytes. */
struct number {
	const char *prefix;
	size_t prefix_len;
	size_t lead_zeros; /* before the text: from a precision */
	const char *text;
	size_t text_len;
	size_t inner_zeros; /* between text and tail */
	const char *tail;
	size_t tail_len;
};

/* Runs the format; false when a conversion is invalid. */
bool __format_run(struct sink *sink, const char *format, va_list args);

void __sink_write(struct sink *sink, const char *from, size_t n);
/* Writes the number's parts with the spec's padding around or inside them. */
void __format_number(struct sink *sink, const struct spec *spec, const struct number *number);
/* a A e E f F g G */
void __format_float(struct sink *sink, const struct spec *spec, double value);
