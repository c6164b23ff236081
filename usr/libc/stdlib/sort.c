// SPDX-License-Identifier: MIT
/*
 * Heap sort and binary search. The heap is 0-based: the children of i are 2i + 1 and 2i + 2.
 */
#include <stdint.h>
#include <stdlib.h>

struct array {
	char *base;
	size_t size;
	int (*compare)(const void *, const void *);
};

static char *at(const struct array *a, size_t i)
{
	return a->base + i * a->size;
}

static void swap(const struct array *a, size_t i, size_t j)
{
	char *p = at(a, i), *q = at(a, j);
	size_t n = a->size;

	if ((uintptr_t)p % 8 == 0 && a->size % 8 == 0) {
		for (; n; n -= 8, p += 8, q += 8) {
			uint64_t t = *(uint64_t __attribute__((may_alias)) *)p;

			*(uint64_t __attribute__((may_alias)) *)p =
				*(uint64_t __attribute__((may_alias)) *)q;
			*(uint64_t __attribute__((may_alias)) *)q = t;
		}
	}
	for (; n; n--, p++, q++) {
		char t = *p;

		*p = *q;
		*q = t;
	}
}

/* Restores the heap [0, count) below i. */
static void sift_down(const struct array *a, size_t i, size_t count)
{
	size_t child;

	while ((child = 2 * i + 1) < count) {
		if (child + 1 < count && a->compare(at(a, child), at(a, child + 1)) < 0)
			child++;
		if (a->compare(at(a, i), at(a, child)) >= 0)
			return;
		swap(a, i, child);
		i = child;
	}
}

void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	struct array a = {base, size, compare};

	for (size_t i = count / 2; i-- > 0;)
		sift_down(&a, i, count);
	for (size_t end = count; end > 1; end--) {
		swap(&a, 0, end - 1);
		sift_down(&a, 0, end - 1);
	}
}

void *bsearch(const void *key, const void *base, size_t count, size_t size,
	int (*compare)(const void *, const void *))
{
	const char *low = base;

	while (count > 0) {
		const char *middle = low + count / 2 * size;
		int order = compare(key, middle);

		if (order == 0)
			return (void *)middle;
		if (order > 0) {
			low = middle + size;
			count--;
		}
		count /= 2;
	}
	return NULL;
}
