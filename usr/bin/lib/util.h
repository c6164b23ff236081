// SPDX-License-Identifier: MIT
// What every command shares: its name and usage line, messages on stderr, and checked allocation.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Each program defines these two: the name that starts its messages, and its arguments.
extern const char prog[];
extern const char usage_args[];

// Exit status of a command line that cannot be understood.
#define EXIT_USAGE 2

// Prints "usage: PROG ARGS" to stderr and exits with EXIT_USAGE.
void usage(void) __attribute__((noreturn));

// Prints "PROG: MESSAGE: strerror(errno)" to stderr; complain_plain leaves errno out.
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void complain_plain(const char *format, ...) __attribute__((format(printf, 1, 2)));

// complain(), then exit(1).
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

// Flushes stdout; returns STATUS, or 1 with a message when the output could not be written.
int finish(int status);

// Memory or a message and exit(1): a command has nothing better to do.
void *need_memory(size_t bytes);
char *need_string(const char *s);

// "DIR/NAME", without a double slash; the caller frees it.
char *path_join(const char *dir, const char *name);

// What follows the last slash, slashes at the end ignored; points into a new string.
char *path_leaf(const char *path);

// Writes all N bytes or returns -1 with errno.
int write_all(int fd, const void *bytes, size_t n);

// Copies from one descriptor to the end of its input; which side failed stands in *READ_FAILED.
int copy_all(int from, int to, bool *read_failed);

// Reads a decimal number, with an optional suffix K, M or G, or leaves usage() to the caller:
// returns false when TEXT is not one or does not fit.
bool parse_size(const char *text, long long *value);
