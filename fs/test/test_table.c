// SPDX-License-Identifier: MIT
/*
 * The hash table that grows: against a naive model, at random; its chains are short, its memory
 * follows what is in it, and without memory it goes on with the chains that it has.
 */
#include "harness.h"

#include <fs/table.h>

#define MOST 20000

struct thing {
	struct fs_link link;
	bool in;
};

static struct thing things[MOST];
static struct fs_table table;

static struct thing *thing_of(const struct fs_link *link)
{
	return (struct thing *)link;
}

static bool is_in(const struct thing *thing)
{
	struct fs_link *link = *fs_table_chain(&table, thing->link.hash);

	while (link && link != &thing->link)
		link = link->next;
	return link;
}

static void insert(struct thing *thing)
{
	fs_table_insert(&table, &thing->link);
	fs_table_fit(&table);
	thing->in = true;
}

static void take_out(struct thing *thing)
{
	fs_table_remove(&table, &thing->link);
	fs_table_fit(&table);
	thing->in = false;
}

static void insert_first(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		insert(&things[i]);
}

static size_t longest_chain(void)
{
	size_t longest = 0;

	for (struct fs_link *link = NULL; (link = fs_table_next(&table, link));) {
		size_t n = 0;

		for (struct fs_link *l = *fs_table_chain(&table, link->hash); l; l = l->next)
			n++;
		longest = n > longest ? n : longest;
	}
	return longest;
}

static void check_all(void)
{
	size_t n = 0;

	fs_table_check(&table);
	for (struct fs_link *link = NULL; (link = fs_table_next(&table, link)); n++)
		assert_true(thing_of(link)->in);
	for (unsigned i = 0; i < MOST; i++) {
		assert_true(is_in(&things[i]) == things[i].in);
		n -= things[i].in;
	}
	assert_int_equal(n, 0);
}

static int begin(void **state)
{
	(void)state;
	memset(things, 0, sizeof(things));
	for (unsigned i = 0; i < MOST; i++)
		things[i].link.hash = i;
	return 0;
}

static int end(void **state)
{
	(void)state;
	fsh_posix_fail_after = 0;
	fsh_posix_fail_for_good = false;
	for (unsigned i = 0; i < MOST; i++)
		if (things[i].in)
			take_out(&things[i]);
	assert_true(fs_table_fits(&table));
	fs_table_fini(&table);
	memset(&table, 0, sizeof(table));
	return 0;
}

/* Up and down between nothing and everything. */
static void as_the_model(void **state)
{
	uint64_t rng = test_seed();
	uint32_t aim = 0;

	(void)state;
	for (unsigned i = 0; i < MOST; i++)
		things[i].link.hash = random_below(&rng, i % 2 ? MOST : 1u << 31);
	for (uint64_t step = 0; step < test_steps(400000); step++) {
		struct thing *thing = &things[random_below(&rng, MOST)];

		if (step % 40000 == 0) {
			aim = random_below(&rng, 2) ? random_below(&rng, 40)
						    : random_below(&rng, MOST);
			check_all();
		}
		if (thing->in && table.n > aim)
			take_out(thing);
		else if (!thing->in && table.n <= aim)
			insert(thing);
		assert_true(fs_table_fits(&table));
	}
	check_all();
}

static void chains_are_short(void **state)
{
	(void)state;
	insert_first(8);
	assert_null(table.chains);
	for (unsigned n = 9; n <= MOST; n++) {
		insert(&things[n - 1]);
		if ((n & (n - 1)) == 0)
			assert_in_range(longest_chain(), 1, 6); /* of hashes one after another */
	}
	assert_in_range(table.bits, 13, 16);
}

static void memory_goes_with_what_is_in_it(void **state)
{
	(void)state;
	insert_first(MOST);
	for (unsigned i = MOST; i-- > 0;) {
		take_out(&things[i]);
		assert_true(i >= (1u << table.bits) / 4 || !table.bits);
	}
	assert_null(table.chains);
}

/* Whoever comes and goes at a limit moves nothing each time. */
static void no_limit_moves_all_again_and_again(void **state)
{
	unsigned moves = 0;

	(void)state;
	for (unsigned n = 1; n < 2000; n++) {
		uint32_t bits;

		insert(&things[n]);
		bits = table.bits;
		for (unsigned i = 0; i < 4; i++) {
			take_out(&things[n]);
			insert(&things[n]);
			moves += table.bits != bits;
		}
	}
	assert_int_equal(moves, 0);
}

static void without_memory_it_goes_on(void **state)
{
	uint32_t bits;

	(void)state;
	insert_first(100);
	bits = table.bits;
	fsh_posix_fail_after = 1;
	fsh_posix_fail_for_good = true;
	for (unsigned i = 100; i < 5000; i++)
		insert(&things[i]);
	assert_int_equal(table.bits, bits);
	check_all();
	fsh_posix_fail_after = 0;
	fsh_posix_fail_for_good = false;
	insert(&things[5000]);
	assert_true(fs_table_fits(&table));
	fsh_posix_fail_after = 1;
	fsh_posix_fail_for_good = true;
	bits = table.bits;
	for (unsigned i = 5001; i-- > 20;)
		take_out(&things[i]);
	assert_int_equal(table.bits, bits);
	check_all();
	for (unsigned i = 20; i-- > 0;)
		take_out(&things[i]); /* the chain in the table needs no memory */
	assert_null(table.chains);
}

/* With more than it has chains for it has as many as there may be, and asks for no more. */
static void as_many_chains_as_may_be(void **state)
{
	uint32_t n = (2u << FS_TABLE_BITS_MOST) + FS_TABLE_SLACK + 1;
	struct fs_link *links = calloc(n, sizeof(*links));

	(void)state;
	assert_non_null(links);
	for (uint32_t i = 0; i < n; i++) {
		links[i].hash = i;
		fs_table_insert(&table, &links[i]);
		fs_table_fit(&table);
		assert_true(fs_table_fits(&table));
	}
	assert_int_equal(table.bits, FS_TABLE_BITS_MOST);
	fs_table_check(&table);
	for (uint32_t i = 0; i < n; i++) {
		fs_table_remove(&table, &links[i]);
		fs_table_fit(&table);
	}
	free(links);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_many_chains_as_may_be),
		TEST(as_the_model),
		TEST(chains_are_short),
		TEST(memory_goes_with_what_is_in_it),
		TEST(no_limit_moves_all_again_and_again),
		TEST(without_memory_it_goes_on),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
