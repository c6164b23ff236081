// SPDX-License-Identifier: MIT
/*
 * Reading: bytes, blocks, lines.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

/* read(2) into `to`, with its outcome in the stream's flags. A signal ends it as an error (EINTR),
 * unless its handler was set with SA_RESTART. */
static size_t read_some(FILE *f, void *to, size_t n)
{
	ssize_t got;

	if (stdout->how == _IOLBF && stdout->state == STREAM_WRITING)
		__stream_settle(stdout);
	got = read(f->fd, to, n);
	if (got > 0)
		return (size_t)got;
	f->flags |= got == 0 ? STREAM_EOF : STREAM_ERROR;
	return 0;
}

size_t __stream_refill(FILE *f)
{
	size_t n = read_some(f, f->buffer, f->how == _IONBF ? 1 : f->size);

	f->pos = f->buffer;
	f->end = f->buffer + n;
	return n;
}

size_t fread(void *restrict to, size_t size, size_t count, FILE *restrict f)
{
	unsigned char *d = to;
	size_t left = size * count, n;

	if (left == 0 || __stream_to_reading(f) != 0)
		return 0;
	while (left > 0) {
		if (f->pos < f->end) {
			n = (size_t)(f->end - f->pos);
			n = n < left ? n : left;
			memcpy(d, f->pos, n);
			f->pos += n;
		} else if (left >= f->size || f->how == _IONBF) {
			n = read_some(f, d, left);
		} else {
			n = 0;
			if (__stream_refill(f) > 0)
				continue;
		}
		if (n == 0)
			break;
		d += n;
		left -= n;
	}
	return (size * count - left) / size;
}

int fgetc(FILE *f)
{
	if (f->state != STREAM_READING && __stream_to_reading(f) != 0)
		return EOF;
	if (f->pos == f->end && __stream_refill(f) == 0)
		return EOF;
	return *f->pos++;
}

int getc(FILE *f)
{
	return fgetc(f);
}

int getchar(void)
{
	return fgetc(stdin);
}

/* In front of pos there are always UNGET_BYTES of room, or bytes that were already read. */
int ungetc(int c, FILE *f)
{
	if (c == EOF || __stream_to_reading(f) != 0 || f->pos == f->buffer - UNGET_BYTES)
		return EOF;
	*--f->pos = (unsigned char)c;
	f->flags &= ~STREAM_EOF;
	return (unsigned char)c;
}

/* Bytes up to and with the delimiter, but at most n, from the buffer alone. */
static size_t take_line(FILE *f, char *to, size_t n, int delimiter)
{
	size_t have = (size_t)(f->end - f->pos);
	unsigned char *found;

	have = have < n ? have : n;
	found = memchr(f->pos, delimiter, have);
	if (found)
		have = (size_t)(found + 1 - f->pos);
	memcpy(to, f->pos, have);
	f->pos += have;
	return have;
}

char *fgets(char *restrict to, int size, FILE *restrict f)
{
	char *p = to, *end = to + size - 1;

	if (size <= 0 || __stream_to_reading(f) != 0)
		return NULL;
	while (p < end && (p == to || p[-1] != '\n')) {
		if (f->pos == f->end && __stream_refill(f) == 0)
			break;
		p += take_line(f, p, (size_t)(end - p), '\n');
	}
	if ((p == to && size > 1) || (f->flags & STREAM_ERROR))
		return NULL;
	*p = 0;
	return to;
}

static int reserve(char **line, size_t *size, size_t wanted)
{
	char *bigger;

	if (*line && *size >= wanted)
		return 0;
	wanted = wanted < 2 * *size ? 2 * *size : wanted;
	bigger = realloc(*line, wanted < 120 ? 120 : wanted);
	if (!bigger)
		return -1;
	*line = bigger;
	*size = wanted < 120 ? 120 : wanted;
	return 0;
}

ssize_t getdelim(char **restrict line, size_t *restrict size, int delimiter, FILE *restrict f)
{
	size_t n = 0;

	if (!*line)
		*size = 0;
	if (__stream_to_reading(f) != 0)
		return -1;
	for (;;) {
		size_t have = (size_t)(f->end - f->pos);

		if (have == 0 && __stream_refill(f) == 0)
			break;
		have = (size_t)(f->end - f->pos);
		if (reserve(line, size, n + have + 1) != 0)
			return -1;
		n += take_line(f, *line + n, have, delimiter);
		if ((unsigned char)(*line)[n - 1] == delimiter)
			break;
	}
	if (n == 0 || (f->flags & STREAM_ERROR))
		return -1;
	(*line)[n] = 0;
	return (ssize_t)n;
}

ssize_t getline(char **restrict line, size_t *restrict size, FILE *restrict f)
{
	return getdelim(line, size, '\n', f);
}
