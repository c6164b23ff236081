// SPDX-License-Identifier: MIT
/*
 * Positions and flags of streams.
 */
#include <unistd.h>

#include "file.h"

int fseeko(FILE *f, off_t offset, int whence)
{
	if (f->state == STREAM_READING && whence == SEEK_CUR)
		offset -= f->end - f->pos;
	else if (f->state == STREAM_WRITING && __stream_settle(f) != 0)
		return -1;
	if (lseek(f->fd, offset, whence) < 0)
		return -1;
	f->pos = f->end = f->buffer;
	f->state = STREAM_IDLE;
	f->flags &= ~STREAM_EOF;
	return 0;
}

int fseek(FILE *f, long offset, int whence)
{
	return fseeko(f, offset, whence);
}

/* Appended bytes go to the end, wherever the descriptor stands: only writing them tells where. */
off_t ftello(FILE *f)
{
	off_t at;

	if (f->state == STREAM_WRITING && (f->flags & STREAM_APPEND) && __stream_settle(f) != 0)
		return -1;
	at = lseek(f->fd, 0, SEEK_CUR);
	if (at < 0)
		return -1;
	if (f->state == STREAM_READING)
		return at - (f->end - f->pos);
	return f->state == STREAM_WRITING ? at + (f->pos - f->buffer) : at;
}

long ftell(FILE *f)
{
	return ftello(f);
}

void rewind(FILE *f)
{
	fseeko(f, 0, SEEK_SET);
	clearerr(f);
}

int feof(FILE *f)
{
	return (f->flags & STREAM_EOF) != 0;
}

int ferror(FILE *f)
{
	return (f->flags & STREAM_ERROR) != 0;
}

void clearerr(FILE *f)
{
	f->flags &= ~(STREAM_EOF | STREAM_ERROR);
}
