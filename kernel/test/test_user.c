// SPDX-License-Identifier: MIT
/*
 * Copies from and to user memory: each length, cut short where nothing is mapped, and strings.
 */
#include <arch/pmap.h>
#include <arch/user.h>
#include <errno.h>
#include <kernel/frames.h>
#include <kernel/thread.h>
#include <string.h>

#include "selftest.h"

#define BASE 0x10000000UL

#define MOST 600

/*
 * From the last bytes of the page, of which `missing` lie behind it: what was
 * copied, and nothing else.
 */
static void copy_out_of(const uint8_t *page, unsigned n, unsigned missing, unsigned offset)
{
	static uint8_t to[MOST + 24];
	unsigned there = n - missing, bad = 0;
	vaddr_t at = BASE + PAGE_SIZE - there;

	memset(to, 0xee, sizeof to);
	CHECK(copy_from_user(to + 8 + offset, (void *)at, n) == missing);
	for (unsigned i = 0; i < sizeof to; i++) {
		unsigned k = i - 8 - offset; /* wraps below */
		bad += to[i] != (k < there ? page[PAGE_SIZE - there + k] : 0xee);
	}
	CHECK(bad == 0);
}

/* To the same place; what is before it stays. */
static void copy_in_to(uint8_t *page, unsigned n, unsigned missing, unsigned offset)
{
	static uint8_t from[MOST + 8];
	unsigned there = n - missing, bad = 0;
	uint8_t *before = page + PAGE_SIZE - there - 1;

	for (unsigned i = 0; i < sizeof from; i++)
		from[i] = (uint8_t)(i * 11 + n);
	*before = 0xee;
	CHECK(copy_to_user((void *)(BASE + PAGE_SIZE - there), from + offset, n) == missing);
	for (unsigned i = 0; i < there; i++)
		bad += before[1 + i] != from[offset + i];
	CHECK(bad == 0 && *before == 0xee);
}

static void copy_all_lengths(uint8_t *page)
{
	static const unsigned missing[] = {0, 1, 8, 9, 100, 300};

	for (unsigned n = 0; n < MOST; n += n % 256 < 24 || n % 256 > 240 ? 1 : 9)
		for (unsigned m = 0; m < sizeof missing / sizeof *missing; m++)
			for (unsigned offset = 0; offset < 8 && missing[m] <= n;
				offset += 1 + n % 3) {
				copy_out_of(page, n, missing[m], offset);
				copy_in_to(page, n, missing[m], offset);
			}
}

#define ROOM 24 /* before the end of what is mapped */

/*
 * Words, and what is left of them: each length, from and to each place in a word, cut short, and
 * with no end.
 */
static void copy_strings(uint8_t *page)
{
	char *room = (char *)page + PAGE_SIZE - ROOM, *user = (char *)BASE + PAGE_SIZE - ROOM;
	char buffer[2 * ROOM];

	for (unsigned i = 0; i < 64 * ROOM; i++) {
		unsigned from = i % 8, to = i / 8 % 8, length = i / 64;
		bool ends = from + length < ROOM;

		memset(room, 0x81 + (int)from, ROOM); /* a top bit is no terminator */
		memset(buffer, 'x', sizeof buffer);
		if (ends)
			room[from + length] = 0;
		CHECK(copy_string_from_user(buffer + to, user + from, ROOM + 8) ==
			(ends ? (long)length : -EFAULT));
		CHECK(!ends || strcmp(buffer + to, room + from) == 0);
		if (ends && length)
			CHECK(copy_string_from_user(buffer + to, user + from, length) ==
				-ENAMETOOLONG);
	}
}

/* Copies over nothing end short, with nothing done beyond. */
static void test_copies(void)
{
	paddr_t frame = frame_alloc(0);
	uint8_t *bytes = phys_to_virt(frame), buffer[300];
	struct pmap pmap;

	CHECK(pmap_init(&pmap) == 0);
	CHECK(pmap_enter(&pmap, BASE, frame, PMAP_READ | PMAP_WRITE, 0) == 0);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		bytes[i] = (uint8_t)(i * 7);
	thread_set_pmap(&pmap);
	thread_faults_off();
	copy_all_lengths(bytes);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		bytes[i] = (uint8_t)(i * 7);
	for (unsigned n = 1; n < 200; n += 7) {
		vaddr_t at = BASE + PAGE_SIZE - n;

		CHECK(copy_from_user(buffer, (void *)at, n) == 0);
		CHECK(buffer[n - 1] == bytes[PAGE_SIZE - 1]);
		CHECK(copy_from_user(buffer, (void *)at, n + 100) == 100);
		CHECK(copy_to_user((void *)at, buffer, n + 100) == 100);
		CHECK(clear_user((void *)at, n + 9) == 9);
		for (unsigned i = 0; i < n; i++)
			bytes[PAGE_SIZE - n + i] = (uint8_t)((PAGE_SIZE - n + i) * 7);
	}
	CHECK(copy_from_user(buffer, (void *)DIRECT_BASE, 8) == 8);
	CHECK(copy_from_user(buffer, (void *)(USER_END - 4), 8) == 8);
	CHECK(copy_from_user(buffer, (void *)-8L, 16) == 16);
	bytes[PAGE_SIZE - 4] = 'a';
	bytes[PAGE_SIZE - 3] = 0;
	CHECK(copy_string_from_user((char *)buffer, (char *)BASE + PAGE_SIZE - 4, 9) == 1);
	bytes[PAGE_SIZE - 3] = bytes[PAGE_SIZE - 2] = bytes[PAGE_SIZE - 1] = 'b';
	CHECK(copy_string_from_user((char *)buffer, (char *)BASE + PAGE_SIZE - 4, 9) == -EFAULT);
	CHECK(copy_string_from_user((char *)buffer, (char *)BASE + PAGE_SIZE - 4, 3) ==
		-ENAMETOOLONG);
	copy_strings(bytes);
	thread_faults_on();
	thread_set_pmap(NULL);
	pmap_fini(&pmap);
	frame_free(frame, 0);
}

const struct selftest user_tests[] = {
	{"user-copies", test_copies},
	{0},
};
