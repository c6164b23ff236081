// SPDX-License-Identifier: MIT
/*
 * Buffered streams and formatted text; see stdio/file.c for how streams work.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct file FILE;

extern FILE *const stdin;
extern FILE *const stdout;
extern FILE *const stderr;
#define stdin  stdin
#define stdout stdout
#define stderr stderr

#define EOF          (-1)
#define BUFSIZ       4096
#define FILENAME_MAX 4096
#define FOPEN_MAX    1000
#define L_tmpnam     20
#define TMP_MAX      10000

#define _IOFBF 0
#define _IOLBF 1
#define _IONBF 2

#ifndef SEEK_SET
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#endif

#define __PRINTF(at, first) __attribute__((format(printf, at, first)))
#define __SCANF(at, first)  __attribute__((format(scanf, at, first)))

/*
 * Opening. Modes: r, w, a, each with + (both ways), b (ignored), e (close on exec), x (must not
 * exist). NULL with open's errors, EINVAL for a bad mode, ENOMEM.
 */
FILE *fopen(const char *restrict path, const char *restrict mode);
FILE *fdopen(int fd, const char *mode);
FILE *freopen(const char *restrict path, const char *restrict mode, FILE *restrict stream);
/* EOF when what was buffered could not be written; the stream is gone in any case. */
int fclose(FILE *stream);
int fileno(FILE *stream);

/* A stream over the output or input of a shell command; pclose returns its wait status. */
FILE *popen(const char *command, const char *mode);
int pclose(FILE *stream);

/* A file without a name, "w+". */
FILE *tmpfile(void);

/* Before the first operation only. */
int setvbuf(FILE *restrict stream, char *restrict buffer, int how, size_t size);
void setbuf(FILE *restrict stream, char *restrict buffer);
void setlinebuf(FILE *stream);

/* EOF when a write failed: what could not be written is dropped, and ferror tells. NULL: all
 * streams. On a stream being read: gives the unread bytes back by seeking, where that is possible.
 */
int fflush(FILE *stream);

/* Bytes and lines; a short count or EOF or NULL is the end of the file or an error. */
size_t fread(void *restrict to, size_t size, size_t count, FILE *restrict stream);
size_t fwrite(const void *restrict from, size_t size, size_t count, FILE *restrict stream);
int fgetc(FILE *stream);
int getc(FILE *stream);
int getchar(void);
int ungetc(int c, FILE *stream); /* at least 8 bytes can be pushed back */
int fputc(int c, FILE *stream);
int putc(int c, FILE *stream);
int putchar(int c);
char *fgets(char *restrict to, int size, FILE *restrict stream);
int fputs(const char *restrict s, FILE *restrict stream);
int puts(const char *s);
/* The line with its delimiter; *line is from malloc and grows. -1 at the end or on error. */
ssize_t getline(char **restrict line, size_t *restrict size, FILE *restrict stream);
ssize_t getdelim(char **restrict line, size_t *restrict size, int delimiter, FILE *restrict stream);

/* Position. fseek: -1 with lseek's errors; clears the end-of-file mark and pushed-back bytes. */
int fseek(FILE *stream, long offset, int whence);
int fseeko(FILE *stream, off_t offset, int whence);
long ftell(FILE *stream);
off_t ftello(FILE *stream);
void rewind(FILE *stream);

int feof(FILE *stream);
int ferror(FILE *stream);
void clearerr(FILE *stream);

/*
 * Formatted output: d i u o x X c s p n % a A e E f F g G, flags "-+ #0", width, precision and *,
 * lengths hh h l ll j z t L. Floating point is correctly rounded at any precision (long double is
 * first rounded to double). The count of bytes, also those that did not fit; -1 on error.
 */
int printf(const char *restrict format, ...) __PRINTF(1, 2);
int fprintf(FILE *restrict stream, const char *restrict format, ...) __PRINTF(2, 3);
int dprintf(int fd, const char *restrict format, ...) __PRINTF(2, 3);
int sprintf(char *restrict to, const char *restrict format, ...) __PRINTF(2, 3);
int snprintf(char *restrict to, size_t size, const char *restrict format, ...) __PRINTF(3, 4);
int asprintf(char **to, const char *format, ...) __PRINTF(2, 3);
int vprintf(const char *restrict format, va_list args) __PRINTF(1, 0);
int vfprintf(FILE *restrict stream, const char *restrict format, va_list args) __PRINTF(2, 0);
int vdprintf(int fd, const char *restrict format, va_list args) __PRINTF(2, 0);
int vsprintf(char *restrict to, const char *restrict format, va_list args) __PRINTF(2, 0);
int vsnprintf(char *restrict to, size_t size, const char *restrict format, va_list args)
	__PRINTF(3, 0);
int vasprintf(char **to, const char *format, va_list args) __PRINTF(2, 0);

/* Formatted input: d i u o x X c s [ ] p n % e f g, *, width and lengths. The count of
 * assignments; EOF when the input ended before the first. */
int scanf(const char *restrict format, ...) __SCANF(1, 2);
int fscanf(FILE *restrict stream, const char *restrict format, ...) __SCANF(2, 3);
int sscanf(const char *restrict text, const char *restrict format, ...) __SCANF(2, 3);
int vscanf(const char *restrict format, va_list args) __SCANF(1, 0);
int vfscanf(FILE *restrict stream, const char *restrict format, va_list args) __SCANF(2, 0);
int vsscanf(const char *restrict text, const char *restrict format, va_list args) __SCANF(2, 0);

/* "prefix: strerror(errno)" on stderr. */
void perror(const char *prefix);

int remove(const char *path); /* unlink, or rmdir for a folder */
int rename(const char *from, const char *to);
int renameat(int from_dir, const char *from, int to_dir, const char *to);
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);

/* The path of the controlling terminal, whichever that is. */
#define L_ctermid 9
char *ctermid(char *to);

#undef __PRINTF
#undef __SCANF
