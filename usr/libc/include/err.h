// SPDX-License-Identifier: MIT
/*
 * "program: message: strerror(errno)" on stderr; the x forms leave errno out, err and errx exit.
 */
#pragma once

#include <stdarg.h>

void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void warnx(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void err(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void errx(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vwarn(const char *format, va_list args);
void vwarnx(const char *format, va_list args);

extern const char *program_invocation_short_name; /* the last part of argv[0] */
const char *getprogname(void);
