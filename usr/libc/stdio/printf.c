// SPDX-License-Identifier: MIT
/*
 * The printf family: three sinks (a stream, a bounded string, a descriptor) over one engine.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "format.h"

static int result(const struct sink *sink, bool ok)
{
	if (!ok)
		errno = EINVAL;
	else if (sink->count > INT_MAX)
		errno = EOVERFLOW;
	else
		return (int)sink->count;
	return -1;
}

/* Streams */

struct stream_sink {
	struct sink sink;
	FILE *stream;
};

static void stream_write(struct sink *sink, const char *from, size_t n)
{
	fwrite(from, 1, n, ((struct stream_sink *)sink)->stream);
}

/* An unbuffered stream gets a buffer for the duration: one write(2) a printf, not one a piece. */
int vfprintf(FILE *restrict f, const char *restrict format, va_list args)
{
	struct stream_sink s = {{stream_write, 0}, f};
	unsigned char lent[UNGET_BYTES + 256], *own = f->buffer;
	size_t own_size = f->size;
	unsigned error = f->flags & STREAM_ERROR;
	bool lend = f->how == _IONBF && f->state != STREAM_READING, ok;

	f->flags &= ~STREAM_ERROR;
	if (lend) {
		f->buffer = f->pos = f->end = lent + UNGET_BYTES;
		f->size = sizeof(lent) - UNGET_BYTES;
		f->how = _IOFBF;
	}
	ok = __format_run(&s.sink, format, args);
	if (lend) {
		__stream_settle(f);
		f->buffer = f->pos = f->end = own;
		f->size = own_size;
		f->how = _IONBF;
	}
	if (f->flags & STREAM_ERROR)
		return -1;
	f->flags |= error;
	return result(&s.sink, ok);
}

int vprintf(const char *restrict format, va_list args)
{
	return vfprintf(stdout, format, args);
}

/* Strings */

struct string_sink {
	struct sink sink;
	char *to;
	size_t room; /* without the NUL */
};

static void string_write(struct sink *sink, const char *from, size_t n)
{
	struct string_sink *s = (struct string_sink *)sink;

	n = n < s->room ? n : s->room;
	memcpy(s->to, from, n);
	s->to += n;
	s->room -= n;
}

int vsnprintf(char *restrict to, size_t size, const char *restrict format, va_list args)
{
	char none;
	struct string_sink s = {{string_write, 0}, size ? to : &none, size ? size - 1 : 0};
	bool ok = __format_run(&s.sink, format, args);

	*s.to = 0;
	return result(&s.sink, ok);
}

int vsprintf(char *restrict to, const char *restrict format, va_list args)
{
	return vsnprintf(to, INT_MAX, format, args);
}

int vasprintf(char **to, const char *format, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		return -1;
	*to = malloc((size_t)n + 1);
	return *to ? vsnprintf(*to, (size_t)n + 1, format, args) : -1;
}

/* Descriptors: a stream on the stack, in no list. */

int vdprintf(int fd, const char *restrict format, va_list args)
{
	unsigned char buffer[UNGET_BYTES + 256];
	FILE f = {
		.fd = fd, .flags = STREAM_WRITABLE, .how = _IOFBF, .buffer = buffer + UNGET_BYTES};
	int n;

	f.size = sizeof(buffer) - UNGET_BYTES;
	f.pos = f.end = f.buffer;
	n = vfprintf(&f, format, args);
	return __stream_settle(&f) == 0 ? n : -1;
}

/* The forms with "..." */

#define FORWARD(call)           \
	va_list args;           \
	int n;                  \
	va_start(args, format); \
	n = call;               \
	va_end(args);           \
	return n

int printf(const char *restrict format, ...)
{
	FORWARD(vfprintf(stdout, format, args));
}

int fprintf(FILE *restrict f, const char *restrict format, ...)
{
	FORWARD(vfprintf(f, format, args));
}

int dprintf(int fd, const char *restrict format, ...)
{
	FORWARD(vdprintf(fd, format, args));
}

int sprintf(char *restrict to, const char *restrict format, ...)
{
	FORWARD(vsprintf(to, format, args));
}

int snprintf(char *restrict to, size_t size, const char *restrict format, ...)
{
	FORWARD(vsnprintf(to, size, format, args));
}

int asprintf(char **to, const char *format, ...)
{
	FORWARD(vasprintf(to, format, args));
}
