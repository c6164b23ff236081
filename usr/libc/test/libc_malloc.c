// SPDX-License-Identifier: MIT
/*
 * malloc against a model: a table of live blocks, each filled with a pattern of its own that is
 * checked before the block is resized or freed. Two blocks that overlap, or a block that is lost or
 * moved badly, destroy a pattern. Then the misuses that must end the program.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define BLOCKS 512
#define ROUNDS 60000

static struct live {
	unsigned char *p;
	size_t size;
	unsigned char pattern;
} table[BLOCKS];

/* Mostly small, some around the border of a page and of the small blocks, few large. */
static size_t random_size(void)
{
	switch (random_below(16)) {
	case 0:
		return 0;
	case 1:
		return random_below(300000);
	case 2:
		return 16384 - 20 + random_below(40);
	case 3:
	case 4:
		return random_below(9000);
	default:
		return random_below(300);
	}
}

static bool holds(const struct live *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (b->p[i] != (unsigned char)(b->pattern + i))
			return false;
	}
	return true;
}

static void fill(struct live *b)
{
	b->pattern = (unsigned char)random_bits();
	for (size_t i = 0; i < b->size; i++)
		b->p[i] = (unsigned char)(b->pattern + i);
}

static bool all_zero(const struct live *b)
{
	for (size_t i = 0; i < b->size; i++) {
		if (b->p[i])
			return false;
	}
	return true;
}

static bool aligned(const void *p, size_t alignment)
{
	return (uintptr_t)p % alignment == 0;
}

static bool make(struct live *b)
{
	size_t alignment = (size_t)16 << random_below(9);

	b->size = random_size();
	switch (random_below(8)) {
	case 0:
		b->p = calloc(b->size, 1);
		if (!b->p || !all_zero(b))
			return false;
		break;
	case 1:
		b->p = aligned_alloc(alignment, b->size);
		if (!aligned(b->p, alignment))
			return false;
		break;
	default:
		b->p = malloc(b->size);
	}
	if (!b->p || !aligned(b->p, 16) || malloc_usable_size(b->p) < b->size)
		return false;
	fill(b);
	return true;
}

static bool resize(struct live *b)
{
	size_t size = random_size(), kept = size < b->size ? size : b->size;
	unsigned char *p;

	p = realloc(b->p, size);
	if (!p || !aligned(p, 16))
		return false;
	b->p = p;
	if (!holds(b, kept))
		return false;
	b->size = size;
	fill(b);
	return true;
}

static bool release(struct live *b)
{
	bool good = holds(b, b->size);

	free(b->p);
	*b = (struct live){0};
	return good;
}

static bool model(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct live *b = &table[random_below(BLOCKS)];
		bool good = !b->p ? make(b) : random_below(3) == 0 ? resize(b) : release(b);

		if (!good) {
			printf("# round %d\n", round);
			return false;
		}
	}
	for (int i = 0; i < BLOCKS; i++) {
		if (table[i].p && !release(&table[i]))
			return false;
	}
	return true;
}

/* The same blocks again and again: the 64 KiB pieces of memory that they ever lie in must stay few.
 * A round needs about ten of them. */
static bool no_growth(void)
{
	enum { N = 1000, TIMES = 50, PIECES = 64 };
	static void *blocks[N];
	uintptr_t pieces[PIECES];
	int known = 0;

	for (int round = 0; round < TIMES; round++) {
		for (int i = 0; i < N; i++) {
			uintptr_t piece;
			int k = 0;

			blocks[i] = malloc(100 + (size_t)i % 7 * 100);
			piece = (uintptr_t)blocks[i] >> 16;
			while (k < known && pieces[k] != piece)
				k++;
			if (!blocks[i] || k == PIECES)
				return false;
			if (k == known)
				pieces[known++] = piece;
		}
		for (int i = 0; i < N; i++)
			free(blocks[i]);
	}
	return true;
}

static bool failures(void)
{
	volatile size_t huge = SIZE_MAX - 100; /* hides it from the compiler's own check */
	char *p = malloc(10), *q;

	errno = 0;
	if (malloc(huge) || errno != ENOMEM)
		return false;
	errno = 0;
	if (calloc(huge / 4, 8) || errno != ENOMEM)
		return false;
	strcpy(p, "kept");
	q = realloc(p, huge);
	if (q || strcmp(p, "kept") != 0)
		return false;
	free(p);
	errno = 0;
	return !aligned_alloc(24, 8) && errno == EINVAL;
}

/* `misuse` must end a child by SIGABRT. */
static bool aborts(void (*misuse)(void))
{
	pid_t child;
	int status = 0;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		close(2);
		misuse();
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGABRT;
}

static void *volatile hidden; /* so that the compiler does not see what is done with it */

static void free_twice(void)
{
	void *keep = malloc(40);

	hidden = malloc(40);
	free(hidden);
	free(hidden);
	free(keep);
}

static void free_inside(void)
{
	hidden = malloc(64);
	hidden = (char *)hidden + 16;
	free(hidden);
}

static void free_wild(void)
{
	static char data[64] __attribute__((aligned(16)));

	hidden = data;
	free(hidden);
}

static void write_after_free(void)
{
	void *keep = malloc(48);

	hidden = malloc(48);
	free(hidden);
	memset(hidden, 0x41, 16);
	hidden = malloc(48);
	free(keep);
}

int main(int argc, char **argv)
{
	random_seed(argc, argv);
	ok(model(), "%d random operations on %d blocks keep every pattern", ROUNDS, BLOCKS);
	ok(no_growth(), "memory is used again");
	ok(failures(), "impossible sizes are ENOMEM and change nothing");
	ok(aborts(free_twice), "a second free aborts");
	ok(aborts(free_inside), "free of a pointer into a block aborts");
	ok(aborts(free_wild), "free of a pointer that is no block aborts");
	ok(aborts(write_after_free), "a write to freed memory is found");
	return tap_end();
}
