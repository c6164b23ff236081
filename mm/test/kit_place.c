// SPDX-License-Identifier: MIT
#include "kit_place.h"

#include "place.h"
#include "posix.h"
#include "space.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define PAGE  MVM_PAGE_BYTES
#define LOW   ((mvm_vaddr_t)0x100 << MVM_PAGE_SHIFT)
#define PAGES 2048u
#define HIGH  (LOW + PAGES * PAGE)
#define GUARD ((unsigned)(GUARD_BYTES / PAGE))

static uint64_t first_seed, seed;
static unsigned n_ops;
static struct mvm_space *space;

static unsigned draw(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % below;
}

static mvm_vaddr_t va_of(unsigned page)
{
	return LOW + (mvm_vaddr_t)page * PAGE;
}

static unsigned page_of_va(mvm_vaddr_t va)
{
	return (unsigned)((va - LOW) / PAGE);
}

/* --- The oracle: what each page of the space is ----------------------------------------------- */

enum what { FREE, AREA, STACK, CLAIM, GROWTH, GAP };

static enum what map[PAGES];

#define MAX_CLAIMS 4
#define MAX_STACKS 8

static struct claim claims[MAX_CLAIMS]; /* start == end: not there */

static struct stack {
	unsigned start, end; /* pages; start == end: not there */
} stacks[MAX_STACKS];

static unsigned stack_limit; /* pages */

static void paint(unsigned start, unsigned end, enum what what)
{
	for (unsigned i = start; i < end; i++)
		map[i] = what;
}

/*
 * What of the hole below each stack is its own: up to the limit, but no more than an eighth of the
 * space, and the gap.
 */
static void paint_stacks(void)
{
	unsigned most = stack_limit < PAGES / 8 ? stack_limit : PAGES / 8;

	for (unsigned i = 0; i < PAGES; i++)
		if (map[i] == GROWTH || map[i] == GAP)
			map[i] = FREE;
	for (struct stack *s = stacks; s < stacks + MAX_STACKS; s++) {
		unsigned size = s->end - s->start, reserve = (size > most ? size : most) + GUARD;

		for (unsigned at = s->start; size && at > 0; at--) {
			if (s->end - (at - 1) > reserve)
				break;
			if (map[at - 1] == AREA || map[at - 1] == STACK)
				break;
			if (map[at - 1] == FREE)
				map[at - 1] = s->start - (at - 1) <= GUARD ? GAP : GROWTH;
		}
	}
}

static bool all(unsigned start, unsigned n, enum what what)
{
	for (unsigned i = start; i < start + n; i++)
		if (i >= PAGES || map[i] != what)
			return false;
	return true;
}

/* Is there room for n pages below page `top`? */
static bool room(unsigned n, unsigned top)
{
	unsigned run = 0;

	for (unsigned i = 0; i < top; i++) {
		run = map[i] == FREE ? run + 1 : 0;
		if (run >= n)
			return true;
	}
	return false;
}

/* --- Operations ------------------------------------------------------------------------------- */

static int map_fixed(unsigned start, unsigned n, unsigned flags)
{
	struct mvm_map m = {
		.addr = va_of(start),
		.bytes = n * PAGE,
		.rights = MVM_READ,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED_NOREPLACE | flags,
	};

	return mvm_map(space, &m);
}

static void add_area(unsigned start, unsigned n)
{
	assert_int_equal(map_fixed(start, n, 0), 0);
	paint(start, start + n, AREA);
}

static bool claimed(unsigned start, unsigned n)
{
	for (struct claim *c = claims; c < claims + MAX_CLAIMS; c++)
		if (c->start < va_of(start + n) && va_of(start) < c->end)
			return true;
	return false;
}

/* A stack at a random free place. */
static void add_stack(void)
{
	struct stack *s = &stacks[draw(MAX_STACKS)];
	unsigned n = 1 + draw(3), start = draw(PAGES - n);

	for (unsigned i = start; i < start + n; i++)
		if (map[i] == AREA || map[i] == STACK)
			return;
	if (s->start < s->end || claimed(start, n))
		return;
	*s = (struct stack){start, start + n};
	assert_int_equal(map_fixed(start, n, MVM_MAP_GROWSDOWN), 0);
	paint(start, start + n, STACK);
}

static void set_stack_limit(void)
{
	struct mvm_limits limits;

	stack_limit = draw(3) ? draw(64) : ~0u;
	memset(&limits, 0xff, sizeof limits); /* MVM_NO_LIMIT, all of them */
	if (stack_limit != ~0u)
		limits.stack = stack_limit;
	mvm_space_set_limits(space, &limits);
}

static void remove_stack(void)
{
	struct stack *s = &stacks[draw(MAX_STACKS)];

	if (s->start == s->end || claimed(s->start, s->end - s->start))
		return;
	assert_int_equal(mvm_unmap(space, va_of(s->start), (s->end - s->start) * PAGE), 0);
	paint(s->start, s->end, FREE);
	s->start = s->end;
}

/* Holes of any kind may be in the range, and what is in use is kept from: stacks, claims. */
static void remove_areas(void)
{
	unsigned start = draw(PAGES), n = 1 + draw(60), end = start;

	while (end < PAGES && end < start + n && map[end] != STACK && !claimed(end, 1))
		end++;
	if (end == start)
		return;
	assert_int_equal(mvm_unmap(space, va_of(start), (end - start) * PAGE), 0);
	paint(start, end, FREE);
}

/* As a call does that has unlocked the space on its way: a claim over whatever is there. */
static void toggle_claim(void)
{
	struct claim *c = &claims[draw(MAX_CLAIMS)], **link = &space->claims;
	unsigned start = draw(PAGES - 40), n = 1 + draw(40);

	space_lock(space);
	if (c->start < c->end) {
		while (*link != c)
			link = &(*link)->next;
		*link = c->next;
		c->start = c->end = 0;
	} else if (!claimed(start, n)) {
		*c = (struct claim){
			va_of(start), va_of(start + n), CLAIM_UNMAP, false, space->claims};
		space->claims = c;
	}
	space_unlock(space);
}

/* The map anew: areas and stacks stay, claims cover what is free. */
static void paint_claims(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (map[i] == CLAIM)
			map[i] = FREE;
	for (struct claim *c = claims; c < claims + MAX_CLAIMS; c++)
		for (mvm_vaddr_t va = c->start; va < c->end; va += PAGE)
			if (map[page_of_va(va)] != AREA && map[page_of_va(va)] != STACK)
				map[page_of_va(va)] = CLAIM;
}

/* Does the hint's range lie free, though perhaps where a stack would grow? */
static bool hint_is_good(unsigned hint, unsigned n)
{
	for (unsigned i = hint; i < hint + n; i++)
		if (i >= PAGES || (map[i] != FREE && map[i] != GROWTH))
			return false;
	return true;
}

/* The call itself, and all that is promised of it. */
static int place_one(void)
{
	unsigned n = 1 + draw(draw(8) ? 20 : 300), top = page_of_va(space->top);
	unsigned hint = draw(3) ? PAGES : draw(PAGES), at;
	mvm_vaddr_t va = 0;
	int err;

	paint_claims();
	paint_stacks();
	space_lock(space);
	err = place(space, hint < PAGES ? va_of(hint) + draw(PAGE) : 0, n * PAGE, &va);
	space_unlock(space);
	if (hint < PAGES && hint_is_good(hint, n)) {
		assert_int_equal(err, 0);
		assert_int_equal(va, va_of(hint));
		return (int)hint;
	}
	assert_int_equal(err, room(n, PAGES) ? 0 : -MVM_ENOMEM);
	if (err)
		return err;
	assert_in_range(va, LOW, HIGH - n * PAGE);
	assert_int_equal(va & MVM_PAGE_MASK, 0);
	at = page_of_va(va);
	assert_true(all(at, n, FREE));
	if (room(n, top))
		assert_in_range(at + n, 0, top);
	if (draw(4))
		add_area(at, n);
	return (int)at;
}

static void a_step(void)
{
	switch (draw(13)) {
	case 0:
		toggle_claim();
		break;
	case 1:
		add_stack();
		break;
	case 2:
		remove_stack();
		break;
	case 3:
		set_stack_limit();
		break;
	case 4:
	case 5:
	case 6:
		remove_areas();
		break;
	default:
		(void)place_one();
	}
}

/* --- The kit's tests -------------------------------------------------------------------------- */

static int set_up(void **state)
{
	(void)state;
	seed = first_seed;
	memset(map, 0, sizeof map);
	memset(stacks, 0, sizeof stacks);
	memset(claims, 0, sizeof claims);
	stack_limit = ~0u;
	return mvm_space_new(LOW, HIGH, &space);
}

static int tear_down(void **state)
{
	(void)state;
	space_lock(space);
	space->claims = NULL;
	space_unlock(space);
	mvm_check();
	mvm_space_unref(space);
	return 0;
}

static void against_a_map_of_pages(void **state)
{
	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	for (unsigned i = 0; i < n_ops; i++)
		a_step();
}

/* Until nothing is left, then not one page more; whatever the order. */
static void every_page_can_be_had(void **state)
{
	unsigned n = 1;

	(void)state;
	for (unsigned left = PAGES; left > 0; left -= n, n = 1 + n % 5) {
		mvm_vaddr_t va;

		n = n > left ? left : n;
		while (!room(n, PAGES))
			n--;
		space_lock(space);
		assert_int_equal(place(space, 0, n * PAGE, &va), 0);
		space_unlock(space);
		add_area(page_of_va(va), n);
	}
	assert_int_equal(map_fixed(0, 1, 0), -MVM_EEXIST);
	space_lock(space);
	assert_int_equal(place(space, 0, PAGE, &(mvm_vaddr_t){0}), -MVM_ENOMEM);
	space_unlock(space);
}

/*
 * Of a hole that claims cut, the piece that fits is found wherever it is: below two claims here,
 * although what is above the lower one looks large enough.
 */
static void the_piece_below_two_claims(void **state)
{
	mvm_vaddr_t va;

	(void)state;
	add_area(100, PAGES - 100);
	claims[0] = (struct claim){va_of(75), va_of(76), CLAIM_UNMAP, false, NULL};
	claims[1] = (struct claim){va_of(50), va_of(52), CLAIM_UNMAP, false, &claims[0]};
	space_lock(space);
	space->claims = &claims[1];
	assert_int_equal(place(space, 0, 30 * PAGE, &va), 0);
	assert_in_range(va, va_of(0), va_of(20));
	space_unlock(space);
}

static void the_same_entropy_the_same_places(void **state)
{
	static int places[2][100];

	for (unsigned run = 0; run < 2; run++) {
		posix_seed(77);
		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
		for (unsigned i = 0; i < 100; i++)
			places[run][i] = place_one();
	}
	assert_memory_equal(places[0], places[1], sizeof places[0]);
}

/* The top is random: within a 64th of the space, on a page, and not always the same. */
static void the_top_is_random_within_its_bound(void **state)
{
	const mvm_vaddr_t high = (mvm_vaddr_t)1 << (sizeof high == 8 ? 38 : 31);
	mvm_vaddr_t first = 0;
	unsigned different = 0;

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		struct mvm_space *large;

		assert_int_equal(mvm_space_new(LOW, high, &large), 0);
		assert_int_equal(large->top & MVM_PAGE_MASK, 0);
		assert_in_range(large->top, high - (high - LOW) / 64, high);
		first = i ? first : large->top;
		different += large->top != first;
		mvm_space_unref(large);
	}
	assert_in_range(different, 60, 63);
}

int kit_place(uint64_t from_seed, unsigned ops)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(against_a_map_of_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_page_can_be_had, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_piece_below_two_claims, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_same_entropy_the_same_places, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_top_is_random_within_its_bound, set_up, tear_down),
	};

	first_seed = from_seed;
	n_ops = ops;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
