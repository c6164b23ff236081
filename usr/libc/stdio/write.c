// SPDX-License-Identifier: MIT
/*
 * Writing: bytes, blocks, strings.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

static size_t room(const FILE *f)
{
	return (size_t)(f->buffer + f->size - f->pos);
}

/* Everything buffered is written; the stream stays in its state. */
static int drain(FILE *f)
{
	int failed = __stream_settle(f);

	f->state = STREAM_WRITING;
	return failed;
}

/* Directly, for requests that the buffer would only slow down. */
static size_t write_through(FILE *f, const unsigned char *from, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t w = write(f->fd, from + done, n - done);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0) {
			f->flags |= STREAM_ERROR;
			break;
		}
		done += (size_t)w;
	}
	return done;
}

static size_t write_bytes(FILE *f, const unsigned char *from, size_t n)
{
	if (__stream_to_writing(f) != 0)
		return 0;
	if (n > room(f) && drain(f) != 0)
		return 0;
	if (n >= f->size || f->how == _IONBF) {
		if (drain(f) != 0)
			return 0;
		return write_through(f, from, n);
	}
	memcpy(f->pos, from, n);
	f->pos += n;
	if (f->how == _IOLBF && memrchr(from, '\n', n) && drain(f) != 0)
		return 0;
	return n;
}

size_t fwrite(const void *restrict from, size_t size, size_t count, FILE *restrict f)
{
	size_t n = size * count;

	return n == 0 ? 0 : write_bytes(f, from, n) / size;
}

int fputc(int c, FILE *f)
{
	unsigned char byte = (unsigned char)c;

	if (f->state == STREAM_WRITING && f->how == _IOFBF && room(f) > 0) {
		*f->pos++ = byte;
		return byte;
	}
	return write_bytes(f, &byte, 1) == 1 ? byte : EOF;
}

int putc(int c, FILE *f)
{
	return fputc(c, f);
}

int putchar(int c)
{
	return fputc(c, stdout);
}

int fputs(const char *restrict s, FILE *restrict f)
{
	size_t n = strlen(s);

	return n == 0 || write_bytes(f, (const unsigned char *)s, n) == n ? 0 : EOF;
}

int puts(const char *s)
{
	return fputs(s, stdout) == EOF || fputc('\n', stdout) == EOF ? EOF : 0;
}
