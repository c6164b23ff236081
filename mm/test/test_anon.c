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
	assert_int_equal(nodes, 1); /* levels are skipped */
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

#define SPAN1 (64 * 64) /* pages below a node of level 1 */

static void put(unsigned t, uint64_t vpn)
{
	struct grave grave = {0};

	assert_int_equal(anon_set(&tree[t], vpn, anon_new(), &grave), 0);
	anon_bury(&grave);
	anon_tree_check(&tree[t]);
}

static bool has(unsigned t, uint64_t vpn)
{
	bool exclusive;

	return anon_find(&tree[t], vpn, &exclusive) != NULL;
}

static void take(unsigned t, uint64_t first, uint64_t last)
{
	struct grave grave = {0};

	assert_int_equal(anon_reserve_edges(&tree[t], first, last), 0);
	while (first <= last)
		first = anon_remove(&tree[t], first, last, &grave);
	anon_bury(&grave);
	anon_tree_check(&tree[t]);
}

static void end(unsigned t)
{
	struct grave grave = {0};

	anon_remove_all(&tree[t], &grave);
	anon_bury(&grave);
}

/* There are nodes where ways part, and nowhere else. */
static void ways_skip_levels(void **state)
{
	uint64_t low = 5, high = ((uint64_t)1 << 26) - 3;

	(void)state;
	anon_tree_init(&tree[0], (mvm_vaddr_t)1 << 38);
	anon_tree_init(&tree[1], (mvm_vaddr_t)1 << 38);
	put(0, low);
	assert_int_equal(slab_live(SLAB_NODE), 1);
	put(0, high);
	assert_int_equal(slab_live(SLAB_NODE), 3);
	assert_false(has(0, low + SPAN1) || has(0, high - SPAN1) || has(0, low + 64));
	assert_int_equal(anon_next(&tree[0], 0, high), low);
	assert_int_equal(anon_next(&tree[0], low + 1, high), high);
	assert_int_equal(anon_next(&tree[0], low + 1, high - 1), high);
	assert_false(anon_any(&tree[0], low + 1, high - 1));
	put(0, high - SPAN1); /* parts below the root */
	assert_int_equal(slab_live(SLAB_NODE), 5);
	assert_true(has(0, high) && has(0, high - SPAN1) && has(0, low));

	take(0, low + 1, high - 1);
	assert_true(has(0, low) && has(0, high) && !has(0, high - SPAN1));
	anon_share(&tree[1], &tree[0]);
	put(1, high); /* does not copy the node that has one child now */
	put(1, low);
	assert_int_equal(slab_live(SLAB_NODE), 4 + 3);
	assert_true(has(0, low) && has(0, high));
	take(1, high, high);
	take(1, 0, high - 1);
	assert_int_equal(anon_count(&tree[1]), 0);
	end(1);
	take(0, 0, low);
	assert_int_equal(anon_next(&tree[0], 0, high), high);
	end(0);
	assert_int_equal(slab_live(SLAB_NODE), 0);
}

/* What is shared with another place of the tree is found there, whatever levels it is below. */
static void moved_to(uint64_t from, uint64_t to, uint64_t n, uint64_t beside)
{
	uint64_t at[] = {1, n / 2 + 3, n - 1}, done = 0;

	anon_tree_init(&tree[0], (mvm_vaddr_t)1 << 38);
	anon_tree_init(&tree[1], (mvm_vaddr_t)1 << 38);
	if (beside)
		put(0, beside);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned j = 0; j <= i; j++)
			put(0, from + at[j]);
		for (done = 0; done < n;) {
			struct grave grave = {0};
			uint64_t run =
				anon_share_run(&tree[0], from + done, to + done, n - done, &grave);

			assert_true(run > 0);
			anon_bury(&grave);
			take(0, from + done, from + done + run - 1);
			done += run;
		}
		for (unsigned j = 0; j < 3; j++)
			assert_true(has(0, to + at[j]) == (j <= i) && !has(0, from + at[j]));
		anon_share(&tree[1], &tree[0]);
		put(0, to + at[0]);
		put(1, to + at[0] + 1);
		put(0, from + at[0]);
		put(1, from + SPAN1 * 64 + at[0]);
		for (unsigned j = 0; j < 3; j++)
			assert_true(
				has(0, to + at[j]) == (j <= i) && has(1, to + at[j]) == (j <= i));
		assert_true(has(1, from + SPAN1 * 64 + at[0]) && !has(0, to + at[0] + 1));
		end(1);
		take(0, 0, to + n);
		take(0, from, from + n);
		assert_int_equal(anon_count(&tree[0]), beside > to + n);
	}
	end(0);
	assert_int_equal(slab_live(SLAB_NODE), 0);
}

static void what_moves_is_found(void **state)
{
	uint64_t from = (uint64_t)37 * 64 * SPAN1, to = (uint64_t)5 * 64 * SPAN1;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t beside = i ? from + (uint64_t)3 * 64 * SPAN1 : 0;

		moved_to(from, to, 64, beside);
		moved_to(from + 64, to + 3 * 64, 64, beside);
		moved_to(from, to, SPAN1, beside);
		moved_to(from + SPAN1, to + 7 * SPAN1, SPAN1, beside);
		moved_to(from, to, (uint64_t)64 * SPAN1, beside);
		moved_to(from + 5, to, 200, beside);
	}
}

/* A leaf for which a level is skipped goes with the leaves of that level only if it is one. */
static void what_stands_beside_a_run_stays(void **state)
{
	uint64_t base = (uint64_t)37 * 64 * SPAN1, to = (uint64_t)5 * 64 * SPAN1, run = 4 * 64;

	(void)state;
	for (unsigned slot = 0; slot < 64; slot++) {
		uint64_t at = base + slot * UINT64_C(64) + 1;
		bool goes = slot >= 8 && slot < 12;
		struct grave grave = {0};

		anon_tree_init(&tree[0], (mvm_vaddr_t)1 << 38);
		put(0, 3); /* far away */
		put(0, at);
		assert_int_equal(anon_share_run(&tree[0], base + 8 * 64, to, run, &grave), run);
		anon_bury(&grave);
		anon_tree_check(&tree[0]);
		assert_int_equal(anon_count(&tree[0]), 2 + goes);
		assert_int_equal(anon_next(&tree[0], 4, to + SPAN1),
			goes ? to + (at - base - 8 * 64) : to + SPAN1 + 1);
		assert_true(has(0, at));
		end(0);
	}
	assert_int_equal(slab_live(SLAB_NODE), 0);
}

/* --- Without memory for nodes ----------------------------------------------------------------- */

#define LAST (((uint64_t)1 << 26) - 1)

/* All that a look-up can see of a tree, but for what is exclusive. */
struct seen {
	uint64_t n, count, vpn[8];
	struct mvm_page *anon[8];
};

static struct seen see(unsigned t)
{
	struct seen s = {.count = anon_count(&tree[t])};
	bool exclusive;

	for (uint64_t vpn = anon_next(&tree[t], 0, LAST); vpn <= LAST;
		vpn = anon_next(&tree[t], vpn + 1, LAST)) {
		assert_true(s.n < 8);
		s.vpn[s.n] = vpn;
		s.anon[s.n++] = anon_find(&tree[t], vpn, &exclusive);
	}
	return s;
}

static void assert_seen(unsigned t, const struct seen *before)
{
	struct seen now = see(t);

	assert_memory_equal(&now, before, sizeof now);
}

/* Leave only so many nodes that can be had; a page of them keeps some, so that none goes back. */
static void *taken[1024];
static unsigned n_taken;

static void starve(unsigned spare)
{
	posix_fail(POSIX_FAIL_META, 1, true);
	while ((taken[n_taken] = slab_alloc(SLAB_NODE)) != NULL)
		assert_true(++n_taken < 1024);
	for (unsigned i = 0; spare > 0; i += 2, spare--) {
		assert_true(i < n_taken);
		slab_free(SLAB_NODE, taken[i]);
		taken[i] = NULL;
	}
}

static void feed(void)
{
	while (n_taken > 0) {
		if (taken[--n_taken])
			slab_free(SLAB_NODE, taken[n_taken]);
	}
	posix_fail(POSIX_FAIL_META, 0, false);
}

/* Pages far apart and near, and one whose leaf stands elsewhere than it says; all are shared. */
#define LOW   UINT64_C(5)
#define HIGH  (LAST - 2)
#define MOVED ((uint64_t)9 * SPAN1)

static void two_trees(void)
{
	struct grave grave = {0};
	uint64_t from = MOVED + 3 * SPAN1 + 64;

	anon_tree_init(&tree[0], (mvm_vaddr_t)1 << 38);
	anon_tree_init(&tree[1], (mvm_vaddr_t)1 << 38);
	put(0, LOW);
	put(0, HIGH);
	put(0, HIGH - SPAN1);
	put(0, from + 1);
	assert_int_equal(anon_share_run(&tree[0], from, MOVED, 64, &grave), 64);
	anon_bury(&grave);
	take(0, from, from + 63);
	anon_share(&tree[1], &tree[0]);
}

enum { STORE, EDGES, SHARE_LEAF, SHARE_PAGE, OPERATIONS };

/* Whether there was the memory for it. */
static bool do_one(unsigned op, uint64_t vpn, struct mvm_page *anon, struct grave *grave)
{
	uint64_t leaf = vpn & -(uint64_t)64;

	switch (op) {
	case STORE:
		return anon_set(&tree[0], vpn, anon, grave) == 0;
	case EDGES:
		return anon_reserve_edges(&tree[0], vpn, HIGH - 1) == 0;
	case SHARE_LEAF:
		return anon_share_run(&tree[0], HIGH & -(uint64_t)64, leaf, 64, grave) == 64;
	default:
		return anon_share_run(&tree[0], HIGH, vpn, 1, grave) == 1;
	}
}

/*
 * An operation that has so many nodes and no more: how many it would take, in the end.  Until then
 * nothing is changed that either tree shows, nor is anything left behind.
 */
static unsigned needs_nodes(unsigned op, uint64_t vpn)
{
	for (unsigned spare = 0;; spare++) {
		size_t frames = posix_frames_used();
		struct grave grave = {0};
		struct seen before[2];
		struct mvm_page *anon;
		bool done;

		two_trees();
		before[0] = see(0);
		before[1] = see(1);
		anon = anon_new();
		starve(spare);
		done = do_one(op, vpn, anon, &grave);
		feed();
		if (op != STORE || !done)
			anon_put(anon, &grave);
		anon_bury(&grave);
		anon_tree_check(&tree[0]);
		anon_tree_check(&tree[1]);
		if (!done || op == EDGES)
			assert_seen(0, &before[0]);
		else
			assert_true(has(0, op == SHARE_LEAF ? vpn - vpn % 64 + HIGH % 64 : vpn));
		assert_seen(1, &before[1]);
		if (!done)
			put(0, vpn); /* there is memory again */
		end(0);
		assert_seen(1, &before[1]);
		end(1);
		assert_int_equal(slab_live(SLAB_NODE), 0);
		assert_int_equal(posix_frames_used(), frames);
		if (done)
			return spare;
	}
}

static void without_memory_nothing_changes(void **state)
{
	static const uint64_t at[] = {LOW, LOW + 64, LOW + SPAN1, LOW + SPAN1 * 64, MOVED + 2,
		MOVED + 65, MOVED + SPAN1, LAST / 2, HIGH, HIGH - 64, HIGH - SPAN1 + 64};

	(void)state;
	put(0, 0); /* there are pages of every kind */
	end(0);
	for (unsigned op = 0; op < OPERATIONS; op++) {
		unsigned most = 0;

		for (unsigned i = 0; i < sizeof at / sizeof at[0]; i++) {
			uint64_t leaf = at[i] & -(uint64_t)64;
			bool there;

			two_trees();
			there = anon_any(&tree[0], leaf, leaf + 63);
			end(0);
			end(1);
			if (op >= SHARE_LEAF && there)
				continue;
			most = (unsigned)max_u64(most, needs_nodes(op, at[i]));
		}
		assert_in_range(most, 2, 6);
	}
}

/* Of two ways that part at the root, one is to go as a whole: only the root is copied for that. */
static void what_goes_whole_is_not_copied(void **state)
{
	(void)state;
	anon_tree_init(&tree[0], (mvm_vaddr_t)1 << 38);
	anon_tree_init(&tree[1], (mvm_vaddr_t)1 << 38);
	put(0, LOW);
	put(0, HIGH);
	anon_share(&tree[1], &tree[0]);
	starve(1);
	assert_int_equal(anon_reserve_edges(&tree[0], 0, SPAN1 - 1), 0);
	feed();
	end(0);
	end(1);
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
		cmocka_unit_test(ways_skip_levels),
		cmocka_unit_test(what_moves_is_found),
		cmocka_unit_test(what_stands_beside_a_run_stays),
		cmocka_unit_test(without_memory_nothing_changes),
		cmocka_unit_test(what_goes_whole_is_not_copied),
	};

	posix_start(4000);
	if (mvm_init() != 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
