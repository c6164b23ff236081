// SPDX-License-Identifier: MIT
/*
 * Files and folders with names nobody else has: six random letters, tried until one is free.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define TRIES 100

static uint64_t random_bits(void)
{
	struct timespec now;
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) == sizeof(bits))
		return bits;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((uint64_t)now.tv_nsec * 6364136223846793005UL) ^ (uintptr_t)&now;
}

/* Where the XXXXXX starts, or NULL with EINVAL. */
static char *place(char *template)
{
	size_t n = strlen(template);

	if (n >= 6 && memcmp(template + n - 6, "XXXXXX", 6) == 0)
		return template + n - 6;
	errno = EINVAL;
	return NULL;
}

static void fill(char *x)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	uint64_t bits = random_bits();

	for (int i = 0; i < 6; i++, bits /= 62)
		x[i] = letters[bits % 62];
}

int mkostemp(char *template, int flags)
{
	char *x = place(template);
	int fd;

	if (!x)
		return -1;
	for (int i = 0; i < TRIES; i++) {
		fill(x);
		fd = open(template, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

int mkstemp(char *template)
{
	return mkostemp(template, 0);
}

char *mkdtemp(char *template)
{
	char *x = place(template);

	if (!x)
		return NULL;
	for (int i = 0; i < TRIES; i++) {
		fill(x);
		if (mkdir(template, 0700) == 0)
			return template;
		if (errno != EEXIST)
			return NULL;
	}
	return NULL;
}
