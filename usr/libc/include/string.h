// SPDX-License-Identifier: MIT
/*
 * Memory and strings. Nothing here fails unless it says so.
 */
#pragma once

#include <stddef.h>

/* memory */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *mempcpy(void *restrict to, const void *restrict from, size_t n); /* returns to + n */
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int byte, size_t n);
void *memrchr(const void *s, int byte, size_t n);
void *memmem(const void *hay, size_t hay_len, const void *needle, size_t needle_len);

/* strings */
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
int strcoll(const char *a, const char *b); /* strcmp: there is only the C locale */
size_t strxfrm(char *restrict to, const char *restrict from, size_t n);
char *strcpy(char *restrict to, const char *restrict from);
char *stpcpy(char *restrict to, const char *restrict from); /* returns the address of the NUL */
char *strncpy(char *restrict to, const char *restrict from, size_t n);
char *strcat(char *restrict to, const char *restrict from);
char *strncat(char *restrict to, const char *restrict from, size_t n);
/* Always terminate when size > 0, and return the length they tried to make: >= size is a cut. */
size_t strlcpy(char *restrict to, const char *restrict from, size_t size);
size_t strlcat(char *restrict to, const char *restrict from, size_t size);

/* searching */
char *strchr(const char *s, int c);
char *strchrnul(const char *s, int c); /* the address of the NUL when there is none */
char *strrchr(const char *s, int c);
char *strstr(const char *hay, const char *needle);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);
char *strpbrk(const char *s, const char *accept);
char *strtok(char *restrict s, const char *restrict separators);
char *strtok_r(char *restrict s, const char *restrict separators, char **restrict next);
char *strsep(char **next, const char *separators);

/* Copies in memory from malloc: NULL and ENOMEM. */
char *strdup(const char *s);
char *strndup(const char *s, size_t max);

/* Descriptions that must not be written to. strerror knows every number of <errno.h>; for others
 * it formats into a static buffer. */
char *strerror(int number);
char *strsignal(int signal);
int strerror_r(int number, char *to, size_t size); /* 0, or ERANGE when it was cut */

#include <strings.h>
