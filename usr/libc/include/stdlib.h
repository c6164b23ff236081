// SPDX-License-Identifier: MIT
/*
 * Memory, numbers, sorting, the environment, the end of the program.
 */
#pragma once

#include <stddef.h>

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1
#define RAND_MAX     0x7fffffff
#define MB_CUR_MAX   1

typedef struct {
	int quot, rem;
} div_t;
typedef struct {
	long quot, rem;
} ldiv_t;
typedef struct {
	long long quot, rem;
} lldiv_t;

/*
 * Memory; see malloc/malloc.c. On failure NULL and ENOMEM, and realloc leaves the old block. A
 * size of 0 gives a block that must not be touched but must be freed. A bad pointer or a second
 * free ends the program by abort() with a message.
 */
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
void *reallocarray(void *block, size_t count, size_t size);
void *aligned_alloc(size_t alignment, size_t size);              /* EINVAL unless a power of two */
int posix_memalign(void **block, size_t alignment, size_t size); /* 0, EINVAL or ENOMEM */
size_t malloc_usable_size(void *block);
void free(void *block);

/*
 * Text to numbers. *end (unless end is NULL) is where the number stops: text itself when there
 * is none. Out of range: the nearest limit (0 or the smallest for strtod underflow) and ERANGE.
 * A base that is not 0 or 2..36: 0 and EINVAL.
 */
long strtol(const char *restrict text, char **restrict end, int base);
unsigned long strtoul(const char *restrict text, char **restrict end, int base);
long long strtoll(const char *restrict text, char **restrict end, int base);
unsigned long long strtoull(const char *restrict text, char **restrict end, int base);
double strtod(const char *restrict text, char **restrict end); /* correctly rounded */
float strtof(const char *restrict text, char **restrict end);
int atoi(const char *text);
long atol(const char *text);
long long atoll(const char *text);
double atof(const char *text);

int abs(int n);
long labs(long n);
long long llabs(long long n);
div_t div(int numerator, int denominator);
ldiv_t ldiv(long numerator, long denominator);
lldiv_t lldiv(long long numerator, long long denominator);

/* qsort is a heap sort: no recursion, no memory, never quadratic, not stable. */
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));
void *bsearch(const void *key, const void *base, size_t count, size_t size,
	int (*compare)(const void *, const void *));

/* Pseudo-random numbers, 0..RAND_MAX; the same seed gives the same numbers. */
int rand(void);
void srand(unsigned seed);
int rand_r(unsigned *state);
long random(void);
void srandom(unsigned seed);

/* The environment. setenv and putenv: -1 with ENOMEM, or EINVAL for a name with '=' or none. */
char *getenv(const char *name);
int setenv(const char *name, const char *value, int overwrite);
int putenv(char *assignment); /* the string itself becomes part of the environment */
int unsetenv(const char *name);
int clearenv(void);

/* atexit functions run in reverse order, then stdio is flushed. At most 64: then -1. */
int atexit(void (*function)(void));
_Noreturn void exit(int status);
_Noreturn void _Exit(int status);
_Noreturn void abort(void);

/* system: the status as wait has it; 127 << 8 when the shell cannot be run; -1 on a failed fork.
 * system(NULL) says whether there is a shell. */
int system(const char *command);

/* The XXXXXX at the end of `template` become random letters. -1 or NULL: EINVAL, or open's and
 * mkdir's errors. */
int mkstemp(char *template);
int mkostemp(char *template, int flags);
char *mkdtemp(char *template);

/* The absolute name without links, "." and "..", in `to` (PATH_MAX bytes) or from malloc. */
char *realpath(const char *restrict path, char *restrict to);

/*
 * Pseudo-terminals: the master (flags of open), which must be granted and unlocked before the slave
 * is opened by its name. -1, NULL, or (ptsname_r) the error.
 */
int posix_openpt(int flags);
int grantpt(int fd);
int unlockpt(int fd);
char *ptsname(int fd);
int ptsname_r(int fd, char *to, size_t bytes);
