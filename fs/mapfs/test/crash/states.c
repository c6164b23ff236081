// SPDX-License-Identifier: MIT
#include "states.h"

#include <stdlib.h>
#include <string.h>

#define ALL 0xff

struct enumeration {
	const struct unit *unit;
	size_t n;
	uint8_t *mask;
	states_visit visit;
	void *arg;
};

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static bool visit(struct enumeration *e)
{
	return e->visit(e->arg, e->mask, e->n);
}

/* Units [0, n) arrived, the others did not. */
static void set_prefix(struct enumeration *e, size_t n)
{
	memset(e->mask, ALL, n);
	memset(e->mask + n, 0, e->n - n);
}

static bool all_subsets(struct enumeration *e)
{
	for (uint32_t set = 0; set < (uint32_t)1 << e->n; set++) {
		for (size_t i = 0; i < e->n; i++)
			e->mask[i] = set >> i & 1 ? ALL : 0;
		if (!visit(e))
			return false;
	}
	return true;
}

static bool prefixes(struct enumeration *e)
{
	for (size_t n = 0; n <= e->n; n++) {
		set_prefix(e, n);
		if (!visit(e))
			return false;
	}
	return true;
}

/* Without unit i; without units i and k; unit i alone. */
static bool singles_and_pairs(struct enumeration *e)
{
	for (size_t i = 0; i < e->n; i++) {
		set_prefix(e, 0);
		e->mask[i] = ALL;
		if (!visit(e))
			return false;
		for (size_t k = i; k < e->n; k++) {
			set_prefix(e, e->n);
			e->mask[i] = e->mask[k] = 0;
			if (!visit(e))
				return false;
		}
	}
	return true;
}

static bool random_subsets(struct enumeration *e, unsigned count, uint64_t *seed)
{
	while (count--) {
		for (size_t i = 0; i < e->n; i++)
			e->mask[i] = next_random(seed) >> 32 & 1 ? ALL : 0;
		if (!visit(e))
			return false;
	}
	return true;
}

/* --- Torn units -------------------------------------------------------------------------- */

/* Of eight sectors: the first 1 to 7, the last 1 to 7, all but one. */
static const uint8_t tears[] = {0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0x80, 0xc0, 0xe0, 0xf0,
	0xf8, 0xfc, 0xfe, 0xfd, 0xfb, 0xf7, 0xef, 0xdf, 0xbf};
#define TEARS (sizeof(tears) / sizeof(tears[0]))

static bool torn(struct enumeration *e, size_t i)
{
	const size_t others[] = {e->n, 0, i};

	for (size_t t = 0; t < TEARS; t++) {
		for (size_t k = 0; k < 3; k++) {
			set_prefix(e, others[k]);
			e->mask[i] = tears[t];
			if (!visit(e))
				return false;
		}
	}
	return true;
}

bool states_of_epoch(const struct unit *unit, size_t n, const struct states_of *of, uint64_t *seed,
	states_visit visit_state, void *arg)
{
	struct enumeration e = {unit, n, calloc(n + 1, 1), visit_state, arg};
	bool more;

	if (n <= of->complete)
		more = all_subsets(&e);
	else
		more = prefixes(&e) && singles_and_pairs(&e) &&
		       random_subsets(&e, of->random, seed);
	for (size_t i = 0; i < n && more; i++)
		if (unit[i].tears)
			more = torn(&e, i);
	free(e.mask);
	return more;
}
