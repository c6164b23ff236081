// SPDX-License-Identifier: MIT
/*
 * Formatting text: C11's snprintf for integers, characters and strings.
 *
 * Conversions: %d %i %u %x %X %o %c %s %p %% with hh h l ll z, width, precision, '*', and the flags
 * '-' '0' '+' ' ' '#'. %p is 0x and 16 digits. The result is what all of the text would take; what
 * fits is terminated.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

int ksnprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int kvsnprintf(char *to, size_t size, const char *format, va_list args);
