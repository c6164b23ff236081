// SPDX-License-Identifier: MIT
/*
 * The event ring: what a fault and the calls leave in it, whose it is, what is lost; and the line
 * of text about an address.
 */
#include "map_fixed.h"
#include "posix.h"

#include <mm/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define PAGE MVM_PAGE_BYTES
#define AT   ((mvm_vaddr_t)0x400000)
#define TAG  17

static struct mvm_space *space;
static struct mvm_trace_record records[64];

static int set_up(void **state)
{
	(void)state;
	if (mvm_space_new(0x1000, (mvm_vaddr_t)1 << 38, &space) != 0)
		return -1;
	mvm_space_set_tag(space, TAG);
	return map_fixed(space, AT, 4, MVM_READ | MVM_WRITE, 0, NULL, 0);
}

static int tear_down(void **state)
{
	struct mvm_stats stats;
	uint64_t lost;

	(void)state;
	mvm_space_unref(space);
	while (mvm_trace_read(records, 64, &lost) > 0)
		;
	mvm_stats(&stats);
	return stats.meta_pages == posix_meta_used() ? 0 : -1; /* the ring's, too */
}

static void store(struct mvm_space *s, mvm_vaddr_t va)
{
	assert_int_equal(posix_store(s, va, "x", 1), MVM_FAULT_OK);
}

/* The events in the ring are these, and all of the tag. */
static void expect_events(const unsigned char *events, size_t n, uint32_t tag)
{
	uint64_t lost;
	size_t got = mvm_trace_read(records, 64, &lost);

	assert_int_equal(lost, 0);
	for (size_t i = 0; i < n && i < got; i++) {
		assert_int_equal(records[i].event, events[i]);
		assert_int_equal(records[i].tag, tag);
		assert_true(i == 0 || records[i].time_ns >= records[i - 1].time_ns);
	}
	assert_int_equal(got, n);
}

static void a_fault_tells_its_steps(void **state)
{
	static const unsigned char steps[] = {MVM_TRACE_FAULT, MVM_TRACE_AREA, MVM_TRACE_ZERO,
		MVM_TRACE_PTE, MVM_TRACE_FAULT_END};

	(void)state;
	mvm_trace_enable(space, true);
	store(space, AT + PAGE + 5);
	expect_events(steps, sizeof steps, TAG);
	assert_int_equal(records[0].va, AT + PAGE + 5);
	assert_int_equal(records[0].a, MVM_WRITE);
	assert_int_equal(records[1].a, AT);
	assert_int_equal(records[1].b, AT + 4 * PAGE);
	assert_int_equal(records[3].b, MVM_READ | MVM_WRITE);
	assert_int_equal(records[4].a, MVM_FAULT_OK);
}

static void the_end_of_a_batch_is_told(void **state)
{
	static const unsigned char batch[] = {MVM_TRACE_UNMAP, MVM_TRACE_SHOOTDOWN};

	(void)state;
	store(space, AT);
	mvm_trace_enable(space, true);
	assert_int_equal(mvm_unmap(space, AT, PAGE), 0);
	expect_events(batch, sizeof batch, TAG);
	assert_int_equal(records[1].a, false);
}

static void protect(mvm_vaddr_t at, size_t pages, unsigned rights)
{
	assert_int_equal(mvm_protect(space, at, pages * PAGE, rights), 0);
}

/* Harts forget in one batch a call what has lost rights, and nothing where rights are gained. */
static void gained_rights_need_no_batch(void **state)
{
	static const unsigned char gained[] = {MVM_TRACE_PROTECT},
				   lost[] = {MVM_TRACE_PROTECT, MVM_TRACE_SHOOTDOWN};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		store(space, AT + i * PAGE);
	protect(AT, 2, MVM_READ);
	mvm_trace_enable(space, true);
	protect(AT, 2, MVM_READ | MVM_WRITE);
	expect_events(gained, sizeof gained, TAG);
	protect(AT, 2, MVM_RWX);
	expect_events(gained, sizeof gained, TAG);
	protect(AT, 4, MVM_READ); /* two areas */
	expect_events(lost, sizeof lost, TAG);
	protect(AT, 4, MVM_READ);
	expect_events(gained, sizeof gained, TAG);
}

static void only_who_is_traced_is_in_it(void **state)
{
	(void)state;
	store(space, AT);
	expect_events(NULL, 0, 0);
	mvm_trace_enable(space, true);
	mvm_trace_enable(space, false);
	store(space, AT + PAGE);
	expect_events(NULL, 0, 0);
}

static void a_fork_inherits_it(void **state)
{
	static const unsigned char fork_only[] = {MVM_TRACE_FORK, MVM_TRACE_SHOOTDOWN};
	static const unsigned char copy[] = {MVM_TRACE_FAULT, MVM_TRACE_AREA, MVM_TRACE_ANON,
		MVM_TRACE_COPY, MVM_TRACE_PTE, MVM_TRACE_FAULT_END};
	struct mvm_space *child;

	(void)state;
	store(space, AT);
	mvm_trace_enable(space, true);
	assert_int_equal(mvm_space_fork(space, &child), 0);
	expect_events(fork_only, sizeof fork_only, TAG);
	mvm_space_set_tag(child, TAG + 1);
	store(child, AT);
	expect_events(copy, sizeof copy, TAG + 1);
	mvm_space_unref(child);
}

static void what_is_overwritten_is_counted(void **state)
{
	uint64_t lost, sum = 0, seen = 0;
	size_t n;

	(void)state;
	mvm_trace_enable(space, true);
	for (unsigned i = 0; i < 20000; i++)
		(void)mvm_fault(space, AT, MVM_WRITE);
	while ((n = mvm_trace_read(records, 64, &lost)) > 0) {
		seen += n;
		sum += lost;
	}
	assert_int_equal(seen + sum, 20000 * 5);
	assert_true(seen > 0 && sum > 0);
}

static void expect_text(mvm_vaddr_t va, const char *part)
{
	char text[200];

	assert_int_equal(mvm_describe(space, va, text, sizeof text), strlen(text));
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void an_address_is_described(void **state)
{
	struct mvm_map m = {
		.addr = AT + 16 * PAGE,
		.bytes = 3 * PAGE,
		.rights = MVM_READ,
		.max_rights = MVM_READ,
		.flags = MVM_MAP_FIXED | MVM_MAP_SHARED,
		.offset_pages = 7,
	};
	struct mvm_space *child;
	char text[10];

	(void)state;
	expect_text(0x1000, "no area");
	expect_text(AT, "never stored to");
	expect_text(AT, "no entry");
	store(space, AT);
	expect_text(AT, "area 0x400000-0x404000 rw-p");
	expect_text(AT, "ours");
	expect_text(AT, "; entry: frame 0x");
	assert_int_equal(mvm_space_fork(space, &child), 0);
	expect_text(AT, "shared by fork");
	mvm_space_unref(child);
	assert_int_equal(mvm_object_new_shared_anon(16 * PAGE, &m.object), 0);
	assert_int_equal(mvm_map(space, &m), 0);
	expect_text(AT + 17 * PAGE, "r--s; object page 0x8 of 0x10");
	mvm_object_unref(m.object);
	assert_int_equal(mvm_describe(space, AT, text, sizeof text), sizeof text - 1);
	assert_string_equal(text, "area 0x40");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_fault_tells_its_steps),
		CASE(the_end_of_a_batch_is_told),
		CASE(gained_rights_need_no_batch),
		CASE(only_who_is_traced_is_in_it),
		CASE(a_fork_inherits_it),
		CASE(what_is_overwritten_is_counted),
		CASE(an_address_is_described),
	};

	posix_start(200);
	if (mvm_init() != 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
