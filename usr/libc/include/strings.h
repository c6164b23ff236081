// SPDX-License-Identifier: MIT
/*
 * Strings without regard to case (ASCII only), and relics.
 */
#pragma once

#include <stddef.h>

int strcasecmp(const char *a, const char *b);
int strncasecmp(const char *a, const char *b, size_t n);
char *strcasestr(const char *hay, const char *needle);
void bzero(void *to, size_t n);
int ffs(int word); /* 1 + the number of the lowest set bit; 0 when there is none */
