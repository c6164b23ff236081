// SPDX-License-Identifier: MIT
/*
 * The index of areas against an array of pages: random insertions, removals and changes of size.
 * Built for the tree and for the list.
 */
#include "area.h"
#include "posix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define PAGES 400
#define PAGE  MVM_PAGE_BYTES

static struct area_index area_index;
static struct area *owner[PAGES]; /* the oracle */
static uint64_t seed = 1;

static unsigned draw(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % below;
}

static void set(unsigned first, unsigned end, struct area *a)
{
	for (unsigned i = first; i < end; i++)
		owner[i] = a;
}

static void check_find(void)
{
	for (unsigned i = 0; i < PAGES; i++) {
		unsigned at = i;
		struct area *found = area_find(&area_index, i * PAGE + 5);

		while (at < PAGES && !owner[at])
			at++;
		assert_ptr_equal(found, at < PAGES ? owner[at] : NULL);
	}
}

/* The highest hole below page `below`, cut there, that has n pages. */
static bool oracle_gap(unsigned below, unsigned n, unsigned *start, unsigned *end)
{
	for (unsigned e = below; e > 0;) {
		unsigned s;

		if (owner[e - 1]) {
			e--;
			continue;
		}
		for (s = e; s > 0 && !owner[s - 1]; s--)
			;
		if (e - s >= n) {
			*start = s;
			*end = e;
			return true;
		}
		e = s;
	}
	return false;
}

static void check_gaps(void)
{
	for (unsigned k = 0; k < 20; k++) {
		unsigned below = 1 + draw(PAGES), n = 1 + draw(20), start = 0, end = 0;
		struct gap gap;
		bool found = area_gap_below(&area_index, 0, below * PAGE, n * PAGE, &gap);

		assert_int_equal(found, oracle_gap(below, n, &start, &end));
		if (found) {
			assert_int_equal(gap.start, start * PAGE);
			assert_int_equal(gap.end, end * PAGE);
		}
	}
}

static void check_order(void)
{
	struct area *prev = NULL;

	for (struct area *a = area_first(&area_index); a; prev = a, a = area_next(a)) {
		assert_ptr_equal(area_prev(a), prev);
		assert_true(!prev || prev->end <= a->start);
	}
	area_index_check(&area_index);
}

static void insert_one(void)
{
	unsigned start, end, below = 1 + draw(PAGES), n = 1 + draw(6);
	struct area *a;

	if (!oracle_gap(below, n, &start, &end))
		return;
	start += draw(end - start - n + 1);
	a = calloc(1, sizeof *a);
	a->start = start * PAGE;
	a->end = (start + n) * PAGE;
	area_insert(&area_index, a);
	set(start, start + n, a);
}

static struct area *some_area(void)
{
	return area_find(&area_index, draw(PAGES) * PAGE);
}

static void remove_one(void)
{
	struct area *a = some_area();

	if (!a)
		return;
	area_remove(&area_index, a);
	set((unsigned)(a->start / PAGE), (unsigned)(a->end / PAGE), NULL);
	free(a);
}

static void resize_one(void)
{
	struct area *a = some_area();
	unsigned start, end;

	if (!a)
		return;
	start = (unsigned)(a->start / PAGE);
	end = (unsigned)(a->end / PAGE);
	set(start, end, NULL);
	if (draw(2) && start > 0 && !owner[start - 1])
		start--;
	else if (draw(2) && end < PAGES && !owner[end])
		end++;
	else if (end - start > 1)
		end--;
	set(start, end, a);
	a->start = start * PAGE;
	a->end = end * PAGE;
	area_resized(&area_index, a);
}

static void against_an_array(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		unsigned many = 1 + draw(9);

		for (unsigned i = 0; i < 200; i++) {
			unsigned op = draw(10);

			if (op < many)
				insert_one();
			else if (op % 2)
				remove_one();
			else
				resize_one();
			check_order();
			if (i % 8 == 0) {
				check_find();
				check_gaps();
			}
		}
	}
	while (area_first(&area_index)) {
		remove_one();
		check_order();
	}
}

/* Ascending, as a fork inserts: the worst case of a tree without balance. */
static void in_order(void **state)
{
	static struct area areas[PAGES];

	(void)state;
	for (unsigned i = 0; i < PAGES; i++) {
		areas[i].start = i * PAGE;
		areas[i].end = (i + 1) * PAGE;
		area_insert(&area_index, &areas[i]);
		set(i, i + 1, &areas[i]);
	}
	check_order();
	check_find();
	for (unsigned i = 0; i < PAGES; i++)
		area_remove(&area_index, &areas[i]);
	assert_null(area_first(&area_index));
	memset(owner, 0, sizeof owner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_an_array),
		cmocka_unit_test(in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
