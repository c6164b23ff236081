// SPDX-License-Identifier: MIT
/*
 * Streams: opening, closing, and the one buffer.
 *
 * A stream has one buffer and is in one of three states:
 *
 *                 first read                     first write
 *     READING  <-------------  IDLE  ------------->  WRITING
 *     [pos, end) unread          ^                   [buffer, pos) unwritten
 *        |                       |                        |
 *        +-----------------------+------------------------+
 *          settle: lseek back over unread bytes,
 *                  or write the unwritten ones
 *
 * Changing direction, seeking, fflush and fclose all go through settle, so the descriptor's offset
 * and the stream's position agree whenever the stream is idle. Giving unread bytes back fails on
 * pipes and terminals; there the bytes stay.
 *
 * Line buffering only means that a write that contained a newline settles the stream; no buffering,
 * that every write does (printf lends such streams a buffer for its duration). Reading from a
 * descriptor first settles a line-buffered stdout, so that prompts appear. Requests of a buffer's
 * size or more bypass the buffer.
 *
 * A failed write drops the buffered bytes and sets the error flag: nobody could say later which
 * bytes are whose. All open streams are in one list, for fflush(NULL) and exit.
 *
 * Read next: read.c, write.c, seek.c; format.c and scan.c stand above them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "file.h"
#include "startup.h"

static unsigned char stdin_buffer[UNGET_BYTES + BUFSIZ];
static unsigned char stdout_buffer[UNGET_BYTES + BUFSIZ];
static unsigned char stderr_buffer[UNGET_BYTES + 1];

static FILE stdin_file, stdout_file, stderr_file;

#define STANDARD(number, access, how_, buffer_, before, after)                                  \
	{                                                                                       \
		.fd = number, .flags = STREAM_STATIC | (access), .how = how_,                   \
		.buffer = (buffer_) + UNGET_BYTES, .size = sizeof(buffer_) - UNGET_BYTES,       \
		.pos = (buffer_) + UNGET_BYTES, .end = (buffer_) + UNGET_BYTES, .prev = before, \
		.next = after                                                                   \
	}

static FILE stdin_file = STANDARD(0, STREAM_READABLE, _IOFBF, stdin_buffer, NULL, &stdout_file);
static FILE stdout_file = STANDARD(
	1, STREAM_WRITABLE | STREAM_ASK_TTY, _IOFBF, stdout_buffer, &stdin_file, &stderr_file);
static FILE stderr_file = STANDARD(2, STREAM_WRITABLE, _IONBF, stderr_buffer, &stdout_file, NULL);

#undef stdin
#undef stdout
#undef stderr
FILE *const stdin = &stdin_file;
FILE *const stdout = &stdout_file;
FILE *const stderr = &stderr_file;

static FILE *open_streams = &stdin_file;

/* Opening and closing */

int __stream_parse_mode(const char *mode, unsigned *flags)
{
	int plus = strchr(mode, '+') != NULL;
	int open_flags = plus ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;

	*flags = STREAM_READABLE | STREAM_WRITABLE;
	if (!plus)
		*flags = *mode == 'r' ? STREAM_READABLE : STREAM_WRITABLE;
	if (*mode == 'a') {
		*flags |= STREAM_APPEND;
		open_flags |= O_CREAT | O_APPEND;
	} else if (*mode == 'w') {
		open_flags |= O_CREAT | O_TRUNC;
	} else if (*mode != 'r') {
		errno = EINVAL;
		return -1;
	}
	if (strchr(mode, 'e'))
		open_flags |= O_CLOEXEC;
	if (strchr(mode, 'x'))
		open_flags |= O_EXCL;
	return open_flags;
}

FILE *__stream_new(int fd, unsigned flags)
{
	FILE *f = malloc(sizeof(*f) + UNGET_BYTES + BUFSIZ);

	if (!f)
		return NULL;
	*f = (FILE){.fd = fd, .flags = flags | STREAM_ASK_TTY, .how = _IOFBF, .size = BUFSIZ};
	f->buffer = (unsigned char *)(f + 1) + UNGET_BYTES;
	f->pos = f->end = f->buffer;
	f->next = open_streams;
	if (f->next)
		f->next->prev = f;
	open_streams = f;
	return f;
}

static void stream_unlink(FILE *f)
{
	if (f->prev)
		f->prev->next = f->next;
	else
		open_streams = f->next;
	if (f->next)
		f->next->prev = f->prev;
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
	unsigned flags;
	int open_flags = __stream_parse_mode(mode, &flags), fd;
	FILE *f;

	if (open_flags < 0)
		return NULL;
	fd = open(path, open_flags, 0666);
	if (fd < 0)
		return NULL;
	f = __stream_new(fd, flags);
	if (!f)
		close(fd);
	return f;
}

FILE *fdopen(int fd, const char *mode)
{
	unsigned flags;

	if (__stream_parse_mode(mode, &flags) < 0 || fcntl(fd, F_GETFD) < 0)
		return NULL;
	return __stream_new(fd, flags);
}

/* The new file takes the old one's descriptor number, as programs that redirect stdout expect. */
FILE *freopen(const char *restrict path, const char *restrict mode, FILE *restrict f)
{
	unsigned flags;
	int open_flags = __stream_parse_mode(mode, &flags), fd;

	__stream_settle(f);
	if (open_flags < 0)
		return NULL;
	fd = open(path, open_flags, 0666);
	if (fd < 0)
		return NULL;
	if (fd != f->fd) {
		if (dup3(fd, f->fd, open_flags & O_CLOEXEC) < 0) {
			close(fd);
			return NULL;
		}
		close(fd);
	}
	f->flags = flags | (f->flags & (STREAM_STATIC | STREAM_OWN_BUFFER));
	f->flags |= f == stderr ? 0 : STREAM_ASK_TTY;
	f->pos = f->end = f->buffer;
	f->state = STREAM_IDLE;
	return f;
}

int fclose(FILE *f)
{
	int failed = __stream_settle(f);

	stream_unlink(f);
	if (close(f->fd) != 0)
		failed = -1;
	if (f->flags & STREAM_OWN_BUFFER)
		free(f->buffer - UNGET_BYTES);
	if (!(f->flags & STREAM_STATIC))
		free(f);
	return failed ? EOF : 0;
}

int fileno(FILE *f)
{
	return f->fd;
}

/* The buffer */

/* A caller's buffer gives up its first bytes to ungetc; one too small for that is not used. */
int setvbuf(FILE *restrict f, char *restrict buffer, int how, size_t size)
{
	if (how != _IOFBF && how != _IOLBF && how != _IONBF)
		return -1;
	f->how = how;
	f->flags &= ~STREAM_ASK_TTY;
	if (how == _IONBF || size == 0 || f->state != STREAM_IDLE)
		return 0;
	if (!buffer) {
		buffer = malloc(size + UNGET_BYTES);
		if (!buffer)
			return -1;
		f->flags |= STREAM_OWN_BUFFER;
		size += UNGET_BYTES;
	}
	if (size <= UNGET_BYTES)
		return 0;
	f->buffer = f->pos = f->end = (unsigned char *)buffer + UNGET_BYTES;
	f->size = size - UNGET_BYTES;
	return 0;
}

void setbuf(FILE *restrict f, char *restrict buffer)
{
	setvbuf(f, buffer, buffer ? _IOFBF : _IONBF, BUFSIZ);
}

void setlinebuf(FILE *f)
{
	setvbuf(f, NULL, _IOLBF, 0);
}

static int write_out(FILE *f)
{
	unsigned char *from = f->buffer;

	while (from < f->pos) {
		ssize_t n = write(f->fd, from, (size_t)(f->pos - from));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			f->flags |= STREAM_ERROR;
			return -1;
		}
		from += n;
	}
	return 0;
}

int __stream_settle(FILE *f)
{
	int failed = 0;

	if (f->state == STREAM_WRITING)
		failed = write_out(f);
	else if (f->state == STREAM_READING && f->pos < f->end) {
		int saved = errno;

		if (lseek(f->fd, f->pos - f->end, SEEK_CUR) < 0) {
			errno = saved;
			return 0;
		}
	}
	f->pos = f->end = f->buffer;
	f->state = STREAM_IDLE;
	return failed;
}

static void ask_tty(FILE *f)
{
	struct winsize size;
	int saved = errno;

	f->flags &= ~STREAM_ASK_TTY;
	if (ioctl(f->fd, TIOCGWINSZ, &size) == 0)
		f->how = _IOLBF;
	errno = saved;
}

static int enter_state(FILE *f, enum stream_state state, unsigned needed)
{
	if (f->state == state)
		return 0;
	if (!(f->flags & needed)) {
		f->flags |= STREAM_ERROR;
		errno = EBADF;
		return -1;
	}
	if (f->flags & STREAM_ASK_TTY)
		ask_tty(f);
	if (__stream_settle(f) != 0)
		return -1;
	f->pos = f->end = f->buffer;
	f->state = state;
	return 0;
}

int __stream_to_reading(FILE *f)
{
	return enter_state(f, STREAM_READING, STREAM_READABLE);
}

int __stream_to_writing(FILE *f)
{
	return enter_state(f, STREAM_WRITING, STREAM_WRITABLE);
}

/* All streams */

int fflush(FILE *f)
{
	int failed = 0;

	if (f)
		return __stream_settle(f) ? EOF : 0;
	for (f = open_streams; f; f = f->next) {
		if (f->state == STREAM_WRITING && __stream_settle(f) != 0)
			failed = EOF;
	}
	return failed;
}

/* At exit unread input is given back too: the next program of a script reads on from there. */
void __stdio_exit(void)
{
	for (FILE *f = open_streams; f; f = f->next)
		__stream_settle(f);
}
