// SPDX-License-Identifier: MIT
/*
 * Are the states made that docs/testing.md promises, and no state twice?
 */
#include "medium.h"
#include "record.h"
#include "states.h"

#include <mapfs/format.h>

#include <stdlib.h>
#include <string.h>

#define MOST_UNITS 40
#define ALL        0xff

/* The masks that were visited, one behind the other. */
struct visited {
	size_t n, room;
	uint8_t (*mask)[MOST_UNITS];
};

static bool note(void *arg, const uint8_t *mask, size_t n)
{
	struct visited *v = arg;

	if (v->n == v->room) {
		v->room = v->room ? v->room * 2 : 1024;
		v->mask = realloc(v->mask, v->room * sizeof(*v->mask));
	}
	memset(v->mask[v->n], 0, MOST_UNITS);
	memcpy(v->mask[v->n++], mask, n);
	return true;
}

static struct visited visit_all(const struct unit *unit, size_t n, unsigned random)
{
	const struct states_of of = {.complete = 12, .random = random};
	struct visited v = {0};
	uint64_t seed = 1;

	assert_true(states_of_epoch(unit, n, &of, &seed, note, &v));
	return v;
}

static size_t count(const struct visited *v, const uint8_t mask[MOST_UNITS])
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		n += memcmp(v->mask[i], mask, MOST_UNITS) == 0;
	return n;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, MOST_UNITS);
}

static size_t distinct(struct visited *v)
{
	size_t n = 0;

	qsort(v->mask, v->n, sizeof(*v->mask), compare);
	for (size_t i = 0; i < v->n; i++)
		n += i == 0 || compare(v->mask[i - 1], v->mask[i]) != 0;
	return n;
}

static void all_subsets(void **state)
{
	static const struct unit unit[MOST_UNITS];

	(void)state;
	for (size_t n = 0; n <= 12; n++) {
		struct visited v = visit_all(unit, n, 0);
		assert_int_equal(v.n, (size_t)1 << n);
		assert_int_equal(distinct(&v), v.n);
		free(v.mask);
	}
}

/* Each state of these kinds is among those of n units, with some of them `all_but`. */
static void expect(const struct visited *v, size_t n, size_t i, size_t k, bool all_but)
{
	uint8_t mask[MOST_UNITS] = {0};

	memset(mask, all_but ? ALL : 0, n);
	mask[i] = mask[k] = all_but ? 0 : ALL;
	assert_true(count(v, mask) > 0);
}

static void large_epochs(void **state)
{
	static const struct unit unit[MOST_UNITS];
	const size_t n = 13;
	struct visited v = visit_all(unit, n, 0), more = visit_all(unit, MOST_UNITS, 10000);
	uint8_t prefix[MOST_UNITS] = {0};

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_true(count(&v, prefix) > 0);
		prefix[i] = ALL;
		expect(&v, n, i, i, false);
		for (size_t k = i; k < n; k++)
			expect(&v, n, i, k, true);
	}
	assert_true(count(&v, prefix) > 0);
	assert_int_equal(more.n, 41 + 40 + 40 + 40 * 39 / 2 + 10000);
	assert_true(distinct(&more) > 10000 + 40 * 39 / 2);
	free(v.mask);
	free(more.mask);
}

/* A unit that tears: in 20 ways, alone, behind what came before it, and with all others. */
static void torn(void **state)
{
	const struct unit unit[3] = {[1] = {.n_sectors = 8, .tears = true}};
	struct visited v = visit_all(unit, 3, 0);
	uint8_t others[][3] = {{0, 0, 0}, {ALL, 0, 0}, {ALL, 0, ALL}};

	(void)state;
	assert_int_equal(v.n, 8 + 3 * 20);
	for (unsigned n = 1; n < 8; n++) {
		const uint8_t tears[] = {
			(uint8_t)(ALL >> n), (uint8_t)(ALL << n), (uint8_t)(ALL ^ 1 << n)};
		for (unsigned t = 0; t < 3; t++) {
			for (unsigned o = 0; o < 3; o++) {
				uint8_t mask[MOST_UNITS] = {others[o][0], tears[t], others[o][2]};
				assert_int_equal(count(&v, mask), 1);
			}
		}
	}
	assert_int_equal(distinct(&v), v.n);
	free(v.mask);
}

/* What tears of a real recording: each of the kinds that must, and nothing else. */
static void what_tears(void **state)
{
	static const uint32_t kinds[] = {MAPFS_KIND_STATE, MAPFS_KIND_LOG_HEAD,
		MAPFS_KIND_LOG_BLOCKS, MAPFS_KIND_LOG_COMMIT};
	size_t found[4] = {0}, torn_units = 0;
	struct recording r;
	char why[256];

	(void)state;
	assert_true(record_workload(&r, "write /a 0 9000; create /n; fsync /n", why));
	for (size_t i = 0; i < r.units.n; i++) {
		uint32_t kind;
		memcpy(&kind, r.units.unit[i].data, sizeof(kind));
		torn_units += r.units.unit[i].tears;
		for (size_t k = 0; k < 4; k++)
			found[k] += kind == kinds[k] && r.units.unit[i].tears;
	}
	for (size_t k = 0; k < 4; k++)
		assert_true(found[k] > 0);
	assert_int_equal(torn_units, found[0] + found[1] + found[2] + found[3]);
	record_free(&r);
}

/* An image's hash is one of its contents, whichever way led there; and it can be taken back. */
static void hashes(void **state)
{
	struct testdisk *disk = testdisk_new("hashes", 16 * 4096);
	uint8_t *before = testdisk_save(disk), bytes[2][4096];
	struct unit unit[2] = {{8, 8, 0, false, bytes[0], {0}}, {8, 8, 0, false, bytes[1], {0}}};
	struct medium medium;
	uint64_t empty, one;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		memset(bytes[i], (int)i + 1, sizeof(bytes[i]));
		for (unsigned s = 0; s < 8; s++)
			unit[i].hash[s] = units_hash(8 + s, bytes[i] + s * 512);
	}
	medium_open(&medium, disk);
	empty = medium.hash;
	medium_put(&medium, &unit[1], ALL);
	one = medium.hash;
	assert_true(one != empty);
	medium_undo(&medium, 0);
	assert_true(medium.hash == empty);
	assert_memory_equal(testdisk_block(disk, 0), before, 16 * 4096);
	medium_put(&medium, &unit[0], ALL);
	assert_true(medium.hash != one && medium.hash != empty);
	medium_put(&medium, &unit[1], 0x0f);
	medium_put(&medium, &unit[1], 0xf0);
	assert_true(medium.hash == one);
	assert_memory_equal(testdisk_block(disk, 1), bytes[1], 4096);
	medium_close(&medium);
	testdisk_forget(disk, before);
	testdisk_free(disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_subsets),
		cmocka_unit_test(large_epochs),
		cmocka_unit_test(torn),
		cmocka_unit_test(what_tears),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests_name("mapfs_crash_states", tests, NULL, NULL);
}
