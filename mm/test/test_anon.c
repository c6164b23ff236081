// SPDX-License-Identifier: MIT
/*
 * The anon tree against arrays: a family of trees that fork made, random stores and removals.
 *
 * The oracle of exclusiveness is a count of the arrays that hold an anon.  The tree may say "not
 * exclusive" of an anon that only one holds (a node above is still shared), never the opposite;
 * when a tree is alone, it must say so for all that it holds.
 */
#include "anon.h"
#include "meta.h"
#include "posix.h"

#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define TREES 3
#define KEYS  300

/* Keys spread over leaves and levels. */
static uint64_t key(unsigned i)
{
	return i < 150 ? i : i < 250 ? 5000 + 7 * (uint64_t)i : 200000 + 64 * (uint64_t)i;
}

static struct anon_tree tree[TREES];
static struct mvm_page *held[TREES][KEYS]; /* the oracle */
static uint64_t seed = 1;

static unsigned draw(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % below;
}

static unsigned holders(const struct mvm_page *anon)
{
	unsigned n = 0;

	for (unsigned t = 0; t < TREES; t++) {
		for (unsigned i = 0; i < KEYS; i++)
			n += held[t][i] == anon;
	}
	return n;
}

static void check_tree(unsigned t, bool alone)
{
	unsigned count = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		bool exclusive;
		struct mvm_page *found = anon_find(&tree[t], key(i), &exclusive);

		assert_ptr_equal(found, held[t][i]);
		if (found && exclusive)
			assert_int_equal(holders(found), 1);
		if (found && alone)
			assert_true(exclusive);
		count += found != NULL;
	}
	assert_int_equal(anon_count(&tree[t]), count);
	anon_tree_check(&tree[t]);
}

static void store_at(unsigned t, unsigned i)
{
	struct grave grave = {0};
	struct mvm_page *anon = anon_new();

	assert_int_equal(anon_set(&tree[t], key(i), anon, &grave), 0);
	held[t][i] = anon;
	anon_bury(&grave);
}

static void remove_range(unsigned t, unsigned first, unsigned last)
{
	struct grave grave = {0};
	uint64_t from = key(first), to = key(last);

	assert_int_equal(anon_reserve_edges(&tree[t], from, to), 0);
	while (from <= to) {
		from = anon_next(&tree[t], from, to);
		if (from <= to)
			from = anon_remove(&tree[t], from, to, &grave);
	}
	anon_bury(&grave);
	for (unsigned i = first; i <= last; i++)
		held[t][i] = NULL;
}

/* Where the finger points to the page's leaf. */
static void remove_one(unsigned t, unsigned i)
{
	struct grave grave = {0};

	assert_true(anon_at_finger(&tree[t], key(i)));
	anon_remove_one(&tree[t], key(i), &grave);
	anon_bury(&grave);
	held[t][i] = NULL;
}

/* Store to a place and take it away, as one that is mapped, touched and unmapped all the time. */
static void use_once_more(unsigned t)
{
	unsigned i = draw(KEYS);

	for (unsigned n = 0; n < 3; n++) {
		store_at(t, i);
		if (n == 1)
			anon_tree_check(&tree[t]);
		if (n == 0)
			remove_one(t, i);
		else
			remove_range(t, i, i);
		assert_int_equal(anon_next(&tree[t], key(i), key(i)), key(i) + 1);
		if (n == 2)
			anon_tree_check(&tree[t]);
	}
}

/* By and by or at once. */
static void remove_all(unsigned t)
{
	struct grave grave = {0};

	if (draw(2))
		remove_range(t, 0, KEYS - 1);
	anon_remove_all(&tree[t], &grave);
	anon_bury(&grave);
	memset(held[t], 0, sizeof held[t]);
}

static void fork_into(unsigned t)
{
	unsigned parent = (t + 1 + draw(TREES - 1)) % TREES;

	remove_all(t);
	anon_share(&tree[t], &tree[parent]);
	memcpy(held[t], held[parent], sizeof held[t]);
}

static void a_family_against_arrays(void **state)
{
	size_t frames = posix_frames_used();

	(void)state;
	for (unsigned t = 0; t < TREES; t++)
		anon_tree_init(&tree[t], (mvm_vaddr_t)1 << 38);
	for (unsigned n = 0; n < 3000; n++) {
		unsigned t = draw(TREES), op = draw(100), first = draw(KEYS);

		if (op < 70)
			store_at(t, draw(KEYS));
		else if (op < 85)
			use_once_more(t);
		else if (op < 95)
			remove_range(t, first, first + draw(KEYS - first));
		else
			fork_into(t);
		if (n % 10 == 0) {
			for (t = 0; t < TREES; t++)
				check_tree(t, false);
		}
	}
	for (unsigned t = 0; t < TREES; t++) {
		remove_all(t);
		if (t == TREES - 2)
			check_tree(TREES - 1, true);
	}
	assert_int_equal(posix_frames_used(), frames);
	assert_int_equal(slab_live(SLAB_NODE), 0);
}

/* After a fork, a removal costs its edges: what lies wholly inside is not copied. */
static void removal_shares_what_it_can(void **state)
{
	struct grave grave = {0};
	uint64_t nodes;

	(void)state;
	memset(held, 0, sizeof held);
	anon_tree_init(&tree[0], (mvm_vaddr_t)1 << 38);
	anon_tree_init(&tree[1], (mvm_vaddr_t)1 << 38);
	for (uint64_t vpn = 0; vpn < 64 * 64; vpn += 8)
		assert_int_equal(anon_set(&tree[0], vpn, anon_new(), &grave), 0);
	anon_share(&tree[1], &tree[0]);
	nodes = slab_live(SLAB_NODE);
	assert_int_equal(anon_reserve_edges(&tree[1], 0, 64 * 64 - 1), 0);
	assert_in_range(slab_live(SLAB_NODE), nodes, nodes + tree[1].levels);
	for (uint64_t vpn = 0; vpn < 64 * 64;)
		vpn = anon_remove(&tree[1], vpn, 64 * 64 - 1, &grave);
	anon_bury(&grave);
	assert_int_equal(anon_count(&tree[1]), 0);
	assert_int_equal(anon_count(&tree[0]), 64 * 8);
	assert_int_equal(anon_reserve_edges(&tree[0], 0, node_span(tree[0].levels) - 1), 0);
	for (uint64_t vpn = 0; vpn < 64 * 64;)
		vpn = anon_remove(&tree[0], vpn, node_span(tree[0].levels) - 1, &grave);
	anon_tree_check(&tree[0]);
	for (unsigned t = 0; t < 2; t++)
		anon_remove_all(&tree[t], &grave);
	anon_bury(&grave);
	assert_int_equal(slab_live(SLAB_NODE), 0);
}

/*
 * A place that is emptied and used again costs no node, and keeps none once the
 * tree is elsewhere.
 */
static void an_emptied_leaf_is_kept_for_a_while(void **state)
{
	unsigned i = 200, far = 260;
	uint64_t nodes;
	bool exclusive;

	(void)state;
	memset(held, 0, sizeof held);
	anon_tree_init(&tree[0], (mvm_vaddr_t)1 << 38);
	store_at(0, i);
	nodes = slab_live(SLAB_NODE);
	assert_int_equal(nodes, tree[0].levels);
	for (unsigned n = 0; n < 4; n++) {
		remove_range(0, i, i);
		assert_int_equal(slab_live(SLAB_NODE), nodes);
		assert_int_equal(anon_count(&tree[0]), 0);
		assert_null(anon_find(&tree[0], key(i), &exclusive));
		store_at(0, i);
		assert_int_equal(slab_live(SLAB_NODE), nodes);
	}
	remove_range(0, i, i);
	assert_null(anon_find(&tree[0], key(far), &exclusive));
	assert_int_equal(slab_live(SLAB_NODE), 0);

	store_at(0, i); /* nor may a fork share an empty one */
	remove_range(0, i, i);
	anon_tree_init(&tree[1], (mvm_vaddr_t)1 << 38);
	anon_share(&tree[1], &tree[0]);
	assert_null(tree[1].root);
	assert_int_equal(slab_live(SLAB_NODE), 0);
}

/*
 * Before there are any descriptors: a chunk of them can be had, with the two tables above it, and
 * no more. Of frames that come together, those with a descriptor become anons, and the others go
 * back.
 */
static void frames_without_a_descriptor_go_back(void **state)
{
	size_t frames = posix_frames_used(), n = 0;
	struct grave grave = {0};
	struct mvm_page *chain, *next;

	(void)state;
	posix_fail(POSIX_FAIL_META, 4, true);
	while ((chain = anon_new_some(MVM_RUN_PAGES)) != NULL) {
		for (; chain; chain = next, n++) {
			next = chain->next_anon;
			anon_put(chain, &grave);
		}
	}
	posix_fail(POSIX_FAIL_META, 0, false);
	assert_in_range(n, 1, 1u << PAGE_CHUNK_BITS);
	assert_int_equal(posix_frames_used(), frames + n);
	anon_bury(&grave);
	assert_int_equal(posix_frames_used(), frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_without_a_descriptor_go_back), /* first */
		cmocka_unit_test(a_family_against_arrays),
		cmocka_unit_test(removal_shares_what_it_can),
		cmocka_unit_test(an_emptied_leaf_is_kept_for_a_while),
	};

	posix_start(4000);
	if (mvm_init() != 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
