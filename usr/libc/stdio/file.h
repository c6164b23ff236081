// SPDX-License-Identifier: MIT
/*
 * The inside of a stream, for the files of stdio. See file.c.
 */
#pragma once

#include <stdio.h>
#include <stdint.h>

enum stream_state {
	STREAM_IDLE,    /* pos == end == buffer: nothing buffered */
	STREAM_READING, /* [pos, end) was read and not yet handed out */
	STREAM_WRITING, /* [buffer, pos) was handed in and not yet written */
};

/* flags */
#define STREAM_READABLE   0x01
#define STREAM_WRITABLE   0x02
#define STREAM_APPEND     0x04
#define STREAM_EOF        0x08
#define STREAM_ERROR      0x10
#define STREAM_OWN_BUFFER 0x20 /* free it at close */
#define STREAM_ASK_TTY    0x40 /* line-buffered if a terminal; asked at the first operation */
#define STREAM_STATIC     0x80 /* not from malloc */

#define UNGET_BYTES 8 /* room for ungetc in front of the buffer */

struct file {
	int fd;
	unsigned flags;
	int how; /* _IOFBF, _IOLBF, _IONBF */
	enum stream_state state;
	unsigned char *buffer; /* UNGET_BYTES of room lie before it */
	size_t size;
	unsigned char *pos, *end;
	pid_t child; /* popen */
	struct file *next, *prev;
};

/* A new stream on fd, in the list of open ones; NULL and ENOMEM. */
FILE *__stream_new(int fd, unsigned flags);
/* open's flags and the stream's for a mode; -1 and EINVAL. */
int __stream_parse_mode(const char *mode, unsigned *flags);

/* Brings the stream to where it may be read or written; -1, errno, and its error flag. */
int __stream_to_reading(FILE *stream);
int __stream_to_writing(FILE *stream);
/* Writes the buffer out, or gives unread bytes back; leaves the stream idle. -1 and errno. */
int __stream_settle(FILE *stream);
/* More bytes into the empty buffer: how many; 0 at the end or on error, with its flag set. */
size_t __stream_refill(FILE *stream);
