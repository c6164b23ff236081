// SPDX-License-Identifier: MIT
/*
 * Translation: what is entered is seen, what is removed is gone, tables come back.
 */
#include <arch/pmap.h>
#include <errno.h>
#include <kernel/frames.h>

#include "pmap_look.h"
#include "selftest.h"

#define GIB 0x40000000UL

static void test_entries(void)
{
	size_t before = frames_without_kept();
	paddr_t frame = frame_alloc(0), other = frame_alloc(0), pa;
	struct tlb_batch batch = {0};
	struct pmap pmap;
	unsigned rights;

	CHECK(pmap_init(&pmap) == 0);
	CHECK(!pmap_query(&pmap, BASE, &pa, &rights));
	CHECK(pmap_enter(&pmap, BASE, frame, PMAP_READ, 0) == 0);
	CHECK(pmap_query(&pmap, BASE, &pa, &rights) && pa == frame && rights == PMAP_READ);
	CHECK(pmap_enter(&pmap, BASE, other, PMAP_READ, 0) == -EEXIST);
	CHECK(pmap_enter(&pmap, BASE, frame, PMAP_READ | PMAP_WRITE, 0) == 0);
	CHECK(pmap_query(&pmap, BASE, &pa, &rights) && rights == (PMAP_READ | PMAP_WRITE));
	CHECK(pmap_protect(&pmap, BASE, BASE + PAGE_SIZE, PMAP_READ, 64, &batch) ==
		BASE + PAGE_SIZE);
	CHECK(pmap_query(&pmap, BASE, &pa, &rights) && rights == PMAP_READ);
	CHECK(pmap_test_and_clear_used(&pmap, BASE) && !pmap_test_and_clear_used(&pmap, BASE));
	CHECK(pmap_remove(&pmap, 0, USER_END, 64, &batch) == USER_END);
	CHECK(!pmap_query(&pmap, BASE, &pa, &rights));
	tlb_flush(&pmap, &batch);
	pmap_fini(&pmap);
	frame_free(frame, 0);
	frame_free(other, 0);
	CHECK(frames_without_kept() == before);
}

/* A run gives what is there the rights that it lacks, but does not say that it was used. */
static void test_run(void)
{
	uint32_t frames[3] = {0, PMAP_NO_FRAME, 0};
	paddr_t first = frame_alloc(0), last = frame_alloc(0), pa;
	struct tlb_batch batch = {0};
	struct pmap pmap;
	unsigned rights;

	frames[0] = (uint32_t)(first >> PAGE_SHIFT);
	frames[2] = (uint32_t)(last >> PAGE_SHIFT);
	CHECK(pmap_init(&pmap) == 0);
	CHECK(pmap_enter(&pmap, BASE, first, PMAP_READ, 0) == 0);
	CHECK(pmap_test_and_clear_used(&pmap, BASE));
	pmap_enter_run(&pmap, BASE, frames, 3, PMAP_READ);
	CHECK(!pmap_test_and_clear_used(&pmap, BASE));
	CHECK(!pmap_query(&pmap, BASE + PAGE_SIZE, &pa, &rights));
	CHECK(pmap_query(&pmap, BASE + 2 * PAGE_SIZE, &pa, &rights) && pa == last &&
		rights == PMAP_READ);
	pmap_enter_run(&pmap, BASE, frames, 3, PMAP_READ | PMAP_WRITE);
	for (unsigned i = 0; i < 3; i += 2)
		CHECK(pmap_query(&pmap, BASE + i * PAGE_SIZE, &pa, &rights) &&
			rights == (PMAP_READ | PMAP_WRITE));
	CHECK(pmap_remove(&pmap, 0, USER_END, 64, &batch) == USER_END);
	tlb_flush(&pmap, &batch);
	pmap_fini(&pmap);
	frame_free(first, 0);
	frame_free(last, 0);
}

/* Another frame takes the place of one in a step, where no other hart is in the space. */
static void test_replace(void)
{
	paddr_t old = frame_alloc(0), frame = frame_alloc(0), pa;
	struct pmap pmap;
	unsigned rights;

	CHECK(pmap_init(&pmap) == 0);
	CHECK(!pmap_replace(&pmap, BASE, frame, PMAP_READ)); /* nothing is there to be replaced */
	CHECK(pmap_enter(&pmap, BASE + PAGE_SIZE, old, PMAP_READ, 0) == 0);
	CHECK(!pmap_replace(&pmap, BASE, frame, PMAP_READ) && !has_any(&pmap, BASE));
	CHECK(pmap_enter(&pmap, BASE, old, PMAP_READ | PMAP_WRITE, 0) == 0);
	CHECK(pmap_replace(&pmap, BASE, frame, PMAP_READ));
	CHECK(pmap_query(&pmap, BASE, &pa, &rights) && pa == frame && rights == PMAP_READ);
	CHECK(pmap_replace(&pmap, BASE, old, PMAP_READ | PMAP_WRITE));
	CHECK(pmap_query(&pmap, BASE, &pa, &rights) && pa == old);
	CHECK(rights == (PMAP_READ | PMAP_WRITE));
	pmap_fini(&pmap);
	frame_free(frame, 0);
	frame_free(old, 0);
}

/* A page goes in a step, where no other hart is in the space. */
static void test_remove_here(void)
{
	paddr_t frame = frame_alloc(0), pa;
	struct pmap pmap;
	unsigned rights;

	CHECK(pmap_init(&pmap) == 0);
	CHECK(!pmap_remove_here(&pmap, BASE)); /* no table says that nothing is there */
	CHECK(pmap_enter(&pmap, BASE, frame, PMAP_READ | PMAP_WRITE, 0) == 0);
	CHECK(pmap_enter(&pmap, BASE + PAGE_SIZE, frame, PMAP_READ, 0) == 0);
	CHECK(pmap_remove_here(&pmap, BASE) && !has_any(&pmap, BASE));
	CHECK(pmap_query(&pmap, BASE + PAGE_SIZE, &pa, &rights) && pa == frame);
	CHECK(pmap_remove_here(&pmap, BASE)); /* nothing is there */
	CHECK(pmap_enter(&pmap, BASE, frame, PMAP_READ, 0) == 0);
	CHECK(pmap_query(&pmap, BASE, &pa, &rights) && rights == PMAP_READ);
	pmap_fini(&pmap);
	frame_free(frame, 0);
}

/* Where a table is missing, one is made between others that were there, but nowhere else. */
static void test_fill_makes_tables(void)
{
	paddr_t frame = frame_alloc(0), pa;
	struct tlb_batch batch = {0};
	struct pmap pmap;
	unsigned rights;

	CHECK(pmap_init(&pmap) == 0);
	CHECK(pmap_enter(&pmap, BASE, frame, PMAP_READ, 0) == 0);
	CHECK(!pmap_fill(&pmap, BASE + LARGE_BYTES, frame, PMAP_READ));
	CHECK(pmap_enter(&pmap, BASE + 2 * LARGE_BYTES, frame, PMAP_READ, 0) == 0);
	CHECK(pmap_fill(&pmap, BASE + LARGE_BYTES, frame, PMAP_READ));
	CHECK(pmap_query(&pmap, BASE + LARGE_BYTES, &pa, &rights) && pa == frame);
	CHECK(pmap_protect(&pmap, BASE, BASE + LARGE_BYTES, 0, 64, &batch) == BASE + LARGE_BYTES);
	CHECK(!pmap_fill(&pmap, BASE, frame, PMAP_READ)); /* suspended */
	CHECK(pmap_remove(&pmap, BASE, BASE + 3 * LARGE_BYTES, 64, &batch) ==
		BASE + 3 * LARGE_BYTES);
	tlb_flush(&pmap, &batch);
	CHECK(!has_any(&pmap, BASE) && !has_any(&pmap, BASE + LARGE_BYTES));
	CHECK(pmap_fill(&pmap, BASE + 2 * LARGE_BYTES, frame, PMAP_READ));
	CHECK(has_any(&pmap, BASE + 2 * LARGE_BYTES));
	pmap_fini(&pmap);
	frame_free(frame, 0);
}

/* What is absent is filled where a table is there, and nothing else is changed. */
static void test_fill(void)
{
	paddr_t there = frame_alloc(0), frame = frame_alloc(0), pa;
	vaddr_t next = BASE + PAGE_SIZE;
	struct pmap pmap;
	unsigned rights;

	CHECK(pmap_init(&pmap) == 0);
	CHECK(!pmap_fill(&pmap, next, frame, PMAP_READ) && !has_any(&pmap, next)); /* no table */
	CHECK(pmap_enter(&pmap, BASE, there, PMAP_READ, 0) == 0);
	CHECK(!pmap_fill(&pmap, BASE, frame, PMAP_READ | PMAP_WRITE));
	CHECK(pmap_query(&pmap, BASE, &pa, &rights) && pa == there && rights == PMAP_READ);
	CHECK(!pmap_fill(&pmap, next, frame, PMAP_READ | PMAP_EXEC) && !has_any(&pmap, next));
	CHECK(pmap_fill(&pmap, next, frame, PMAP_READ | PMAP_WRITE));
	CHECK(pmap_query(&pmap, next, &pa, &rights) && pa == frame);
	CHECK(rights == (PMAP_READ | PMAP_WRITE));
	pmap_fini(&pmap);
	frame_free(frame, 0);
	frame_free(there, 0);
}

/* Of a space that is gone all is taken back, whatever was left in it, and comes back empty. */
static void fill_and_end(unsigned n_roots)
{
	paddr_t frame = frame_alloc(0);
	struct tlb_batch batch = {0};
	struct pmap pmap;

	CHECK(pmap_init(&pmap) == 0);
	for (vaddr_t va = 0; va < n_roots * GIB; va += GIB / 2)
		CHECK(!has_any(&pmap, va + BASE) &&
			pmap_enter(&pmap, va + BASE, frame, PMAP_READ | PMAP_WRITE, 0) == 0);
	CHECK(pmap_enter(&pmap, GIB - PAGE_SIZE, frame, PMAP_READ | PMAP_WRITE, 0) == 0);
	/* All that is there is found, by ranges that end between. */
	CHECK(pmap_protect(&pmap, 0, n_roots * GIB, PMAP_READ, 64, &batch) == n_roots * GIB);
	for (vaddr_t va = 0; va < n_roots * GIB; va += GIB / 2)
		CHECK(has(&pmap, va + BASE, PMAP_READ));
	CHECK(pmap_remove(&pmap, 0, BASE, 64, &batch) == BASE && has(&pmap, BASE, PMAP_READ));
	CHECK(pmap_remove(&pmap, BASE, GIB, 64, &batch) == GIB);
	CHECK(!has_any(&pmap, BASE) && !has_any(&pmap, GIB - PAGE_SIZE));
	CHECK(has(&pmap, GIB + BASE, PMAP_READ));
	tlb_flush(&pmap, &batch);
	pmap_fini(&pmap);
	frame_free(frame, 0);
}

static void test_roots(void)
{
	size_t before = frames_without_kept();

	for (unsigned n = 2; n <= 2 * PMAP_MIDDLES; n++)
		fill_and_end(n);
	CHECK(frames_without_kept() == before);
}

#define TABLE_PAGES 512

static void map_pages(struct pmap *pmap, vaddr_t start, vaddr_t end, paddr_t frame)
{
	for (vaddr_t va = start; va < end; va += PAGE_SIZE)
		CHECK(pmap_enter(pmap, va, frame, PMAP_READ | PMAP_WRITE, 0) == 0);
}

/* Bounded steps go on where they stopped. */
static void test_steps(void)
{
	vaddr_t start = BASE + PAGE_SIZE, end = start + TABLE_PAGES * PAGE_SIZE, at = start;
	paddr_t frame = frame_alloc(0);
	struct tlb_batch batch = {0};
	struct pmap pmap;
	unsigned steps = 0;

	CHECK(pmap_init(&pmap) == 0);
	map_pages(&pmap, start, end, frame);
	for (; at < end; steps++) {
		at = pmap_remove(&pmap, at, end, 64, &batch);
		CHECK(batch.start == start && batch.end == at);
	}
	CHECK(steps == 8);
	tlb_flush(&pmap, &batch);
	CHECK(batch.start == batch.end && !batch.free_tables && !batch.tables);
	pmap_fini(&pmap);
	frame_free(frame, 0);
}

/* A table that lies wholly in the range goes in one step, and its frame with the flush. */
static void test_whole_table(void)
{
	vaddr_t end = BASE + TABLE_PAGES * PAGE_SIZE;
	paddr_t frame = frame_alloc(0), pa;
	struct tlb_batch batch = {0};
	struct pmap pmap;
	unsigned rights;
	size_t before;

	CHECK(pmap_init(&pmap) == 0);
	map_pages(&pmap, end, end + PAGE_SIZE, frame); /* the middle table, and a neighbour */
	before = frames_free_count();
	map_pages(&pmap, BASE, end, frame);
	CHECK(frames_free_count() == before - 1);
	CHECK(pmap_remove(&pmap, BASE, end, 1, &batch) == end);
	CHECK(frames_free_count() == before - 1);
	tlb_flush(&pmap, &batch);
	CHECK(frames_free_count() == before);
	CHECK(!pmap_query(&pmap, BASE, &pa, &rights));
	CHECK(pmap_query(&pmap, end, &pa, &rights) && pa == frame);
	pmap_fini(&pmap);
	frame_free(frame, 0);
}

/* A right is taken from a whole table in one step; what is entered below it brings that back. */
static void test_suspended_table(void)
{
	vaddr_t end = BASE + TABLE_PAGES * PAGE_SIZE;
	paddr_t frame = frame_alloc(0);
	struct tlb_batch batch = {0};
	struct pmap pmap;

	CHECK(pmap_init(&pmap) == 0);
	map_pages(&pmap, BASE, end + PAGE_SIZE, frame);
	CHECK(pmap_protect(&pmap, BASE, end + PAGE_SIZE, PMAP_READ, 2, &batch) == end + PAGE_SIZE);
	CHECK(batch.start == BASE && batch.end == end + PAGE_SIZE && batch.tables);
	tlb_flush(&pmap, &batch);
	CHECK(has(&pmap, BASE, PMAP_READ) && has(&pmap, end - PAGE_SIZE, PMAP_READ));
	CHECK(pmap_protect(&pmap, BASE, end, PMAP_READ, 1, &batch) == end && !batch.tables);

	/* Some of it is removed while it is out; then a fault brings it in. */
	CHECK(pmap_remove(&pmap, BASE, BASE + PAGE_SIZE, 64, &batch) == BASE + PAGE_SIZE);
	tlb_flush(&pmap, &batch);
	CHECK(pmap_enter(&pmap, BASE + PAGE_SIZE, frame, PMAP_READ | PMAP_WRITE, 0) == 0);
	CHECK(!has(&pmap, BASE, PMAP_READ));
	CHECK(has(&pmap, BASE + PAGE_SIZE, PMAP_READ | PMAP_WRITE));
	CHECK(has(&pmap, BASE + 2 * PAGE_SIZE, PMAP_READ) &&
		has(&pmap, end - PAGE_SIZE, PMAP_READ));
	CHECK(pmap_remove(&pmap, 0, USER_END, 64, &batch) == USER_END);
	tlb_flush(&pmap, &batch);
	pmap_fini(&pmap);
	frame_free(frame, 0);
}

/* Pages whose addresses tell which they are; nobody looks into them. */
#define FRAME(i) (0x80000000UL + (paddr_t)(i)*PAGE_SIZE)

static void check_moved(struct pmap *pmap, vaddr_t from, vaddr_t to, unsigned n, unsigned want)
{
	unsigned rights;
	paddr_t pa;

	for (unsigned i = 0; i < n; i++) {
		CHECK(!has_any(pmap, from + i * PAGE_SIZE));
		CHECK(pmap_query(pmap, to + i * PAGE_SIZE, &pa, &rights) && pa == FRAME(i) &&
			rights == want);
	}
}

static void enter_frames(struct pmap *pmap, vaddr_t at, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CHECK(pmap_enter(pmap, at + i * PAGE_SIZE, FRAME(i), PMAP_READ | PMAP_WRITE, 0) ==
			0);
}

/* Pages of two tables to places that have other borders, so many a step. */
static void test_move_pages(void)
{
	vaddr_t start = BASE + 3 * PAGE_SIZE, to = 5 * GIB - 7 * PAGE_SIZE, at = start;
	unsigned n = TABLE_PAGES + 40, steps = 0;
	vaddr_t end = start + n * PAGE_SIZE;
	struct tlb_batch batch = {0};
	struct pmap pmap;

	CHECK(pmap_init(&pmap) == 0);
	enter_frames(&pmap, start, n);
	CHECK(pmap_enter(&pmap, end, FRAME(0), PMAP_READ, 0) == 0);
	for (; at < end; steps++) {
		at = pmap_move(&pmap, at, end, to + (at - start), 64, &batch);
		CHECK(batch.start == start && batch.end == at && !batch.tables);
	}
	CHECK(steps == (n + 63) / 64);
	tlb_flush(&pmap, &batch);
	check_moved(&pmap, start, to, n, PMAP_READ | PMAP_WRITE);
	CHECK(has(&pmap, end, PMAP_READ) && !has_any(&pmap, to + n * PAGE_SIZE));
	CHECK(pmap_move(&pmap, 8 * GIB, 100 * GIB, 110 * GIB, 1, &batch) == 100 * GIB);
	CHECK(batch.start == batch.end);

	/* The first page of a range is not there. */
	end = to + 2 * PAGE_SIZE;
	CHECK(pmap_move(&pmap, to - PAGE_SIZE, end, start - PAGE_SIZE, 64, &batch) == end);
	CHECK(batch.start == to && batch.end == end);
	tlb_flush(&pmap, &batch);
	check_moved(&pmap, to, start, 2, PMAP_READ | PMAP_WRITE);
	pmap_fini(&pmap);
}

/* A table moves as one entry, also while a right is suspended; an empty one in its place goes. */
static void test_move_table(void)
{
	vaddr_t end = BASE + TABLE_PAGES * PAGE_SIZE, to = 3 * GIB;
	struct tlb_batch batch = {0};
	struct pmap pmap;
	size_t before;

	CHECK(pmap_init(&pmap) == 0);
	enter_frames(&pmap, to, 1);
	CHECK(pmap_remove(&pmap, to, to + PAGE_SIZE, 1, &batch) == to + PAGE_SIZE);
	enter_frames(&pmap, BASE, TABLE_PAGES);
	before = frames_free_count();
	CHECK(pmap_move(&pmap, BASE, end, to, 1, &batch) == end && batch.tables);
	CHECK(batch.start <= BASE && batch.end >= end);
	tlb_flush(&pmap, &batch);
	CHECK(frames_free_count() == before + 1);
	check_moved(&pmap, BASE, to, TABLE_PAGES, PMAP_READ | PMAP_WRITE);

	CHECK(pmap_protect(&pmap, to, to + (end - BASE), PMAP_READ, 1, &batch) ==
		to + (end - BASE));
	CHECK(pmap_move(&pmap, to, to + (end - BASE), BASE, 1, &batch) == to + (end - BASE));
	tlb_flush(&pmap, &batch);
	CHECK(pmap_enter(&pmap, BASE, FRAME(0), PMAP_READ, 0) == 0);
	check_moved(&pmap, to, BASE, TABLE_PAGES, PMAP_READ);

	/* Suspended, and moved by pages. */
	CHECK(pmap_protect(&pmap, BASE, end, PMAP_READ, 1, &batch) == end);
	CHECK(pmap_move(&pmap, BASE, end, to + PAGE_SIZE, TABLE_PAGES, &batch) == end);
	tlb_flush(&pmap, &batch);
	check_moved(&pmap, BASE, to + PAGE_SIZE, TABLE_PAGES, PMAP_READ);
	pmap_fini(&pmap);
}

/* --- Large leaves ----------------------------------------------------------------------------- */

static void enter_large(struct pmap *pmap, vaddr_t va, unsigned rights)
{
	CHECK(pmap_enter(pmap, va, FRAME(0), rights, PMAP_ORDER_LARGE) == 0);
}

/* Pages from..end of the leaf that was entered at va are mapped as they were, with these rights. */
static void check_part(struct pmap *pmap, vaddr_t va, unsigned from, unsigned end, unsigned want)
{
	unsigned rights;
	paddr_t pa;

	for (unsigned i = from; i < end; i++)
		CHECK(pmap_query(pmap, va + i * PAGE_SIZE, &pa, &rights) && pa == FRAME(i) &&
			rights == want);
}

static void remove_all(struct pmap *pmap)
{
	struct tlb_batch batch = {0};

	CHECK(pmap_remove(pmap, 0, USER_END, 64, &batch) == USER_END);
	tlb_flush(pmap, &batch);
}

/* A large leaf of which a part goes, is reduced, or gets a right: only that part changes. */
static void test_large(void)
{
	const unsigned rw = PMAP_READ | PMAP_WRITE;
	vaddr_t page = BASE + 100 * PAGE_SIZE, next = page + PAGE_SIZE;
	struct tlb_batch batch = {0};
	struct pmap pmap;
	size_t before;

	CHECK(pmap_init(&pmap) == 0);
	enter_large(&pmap, BASE, rw);
	check_part(&pmap, BASE, 0, TABLE_PAGES, rw);
	CHECK(pmap_remove(&pmap, page, next, 64, &batch) == next);
	CHECK(batch.start <= page && next <= batch.end && !has_any(&pmap, page));
	check_part(&pmap, BASE, 0, 100, rw);
	check_part(&pmap, BASE, 101, TABLE_PAGES, rw);
	tlb_flush(&pmap, &batch);
	remove_all(&pmap);

	enter_large(&pmap, BASE, rw);
	CHECK(pmap_protect(&pmap, page, next, PMAP_READ, 64, &batch) == next);
	CHECK(batch.start <= page && next <= batch.end);
	check_part(&pmap, BASE, 0, 100, rw);
	check_part(&pmap, BASE, 100, 101, PMAP_READ);
	check_part(&pmap, BASE, 101, TABLE_PAGES, rw);
	tlb_flush(&pmap, &batch);
	remove_all(&pmap);

	enter_large(&pmap, BASE, PMAP_READ);
	CHECK(pmap_protect(&pmap, page, next, PMAP_READ, 64, &batch) == next);
	CHECK(batch.start == batch.end);
	before = frames_without_kept();
	CHECK(pmap_enter(&pmap, page, FRAME(100), PMAP_READ, 0) == 0);
	CHECK(frames_without_kept() == before);
	CHECK(pmap_enter(&pmap, page, FRAME(99), rw, 0) == -EEXIST);
	check_part(&pmap, BASE, 0, TABLE_PAGES, PMAP_READ);
	CHECK(pmap_enter(&pmap, page, FRAME(100), rw, 0) == 0);
	check_part(&pmap, BASE, 0, 100, PMAP_READ);
	check_part(&pmap, BASE, 100, 101, rw);
	check_part(&pmap, BASE, 101, TABLE_PAGES, PMAP_READ);
	pmap_fini(&pmap);
}

/*
 * A large leaf that lies in the range goes as one entry; where pages are
 * mapped, none can be entered.
 */
static void test_large_whole(void)
{
	vaddr_t end = BASE + LARGE_BYTES;
	struct tlb_batch batch = {0};
	struct pmap pmap;

	CHECK(pmap_init(&pmap) == 0);
	enter_frames(&pmap, BASE, 1);
	CHECK(pmap_enter(&pmap, BASE, FRAME(0), PMAP_READ, PMAP_ORDER_LARGE) == -EEXIST);
	check_part(&pmap, BASE, 0, 1, PMAP_READ | PMAP_WRITE);
	remove_all(&pmap);
	enter_large(&pmap, BASE, PMAP_READ | PMAP_WRITE);
	enter_large(&pmap, end, PMAP_READ | PMAP_WRITE);
	CHECK(pmap_protect(&pmap, BASE, end + LARGE_BYTES, PMAP_READ, 2, &batch) ==
		end + LARGE_BYTES);
	CHECK(batch.start == BASE && batch.end == end + LARGE_BYTES);
	check_part(&pmap, BASE, 0, TABLE_PAGES, PMAP_READ);
	tlb_flush(&pmap, &batch);
	CHECK(pmap_remove(&pmap, BASE, end, 1, &batch) == end);
	CHECK(batch.start == BASE && batch.end == end && !has_any(&pmap, BASE));
	check_part(&pmap, end, 0, TABLE_PAGES, PMAP_READ);
	tlb_flush(&pmap, &batch);
	pmap_fini(&pmap);
}

/* It moves as one entry to a place of its kind, else page by page. */
static void test_large_move(void)
{
	vaddr_t end = BASE + LARGE_BYTES, to = 3 * GIB, at = to;
	struct tlb_batch batch = {0};
	struct pmap pmap;

	CHECK(pmap_init(&pmap) == 0);
	enter_frames(&pmap, to, 1);
	CHECK(pmap_remove(&pmap, to, to + PAGE_SIZE, 1, &batch) == to + PAGE_SIZE);
	enter_large(&pmap, BASE, PMAP_READ | PMAP_WRITE);
	CHECK(pmap_move(&pmap, BASE, end, to, 1, &batch) == end);
	CHECK(batch.start <= BASE && end <= batch.end);
	tlb_flush(&pmap, &batch);
	check_moved(&pmap, BASE, to, TABLE_PAGES, PMAP_READ | PMAP_WRITE);
	while (at < to + LARGE_BYTES)
		at = pmap_move(
			&pmap, at, to + LARGE_BYTES, BASE + PAGE_SIZE + (at - to), 64, &batch);
	tlb_flush(&pmap, &batch);
	check_moved(&pmap, to, BASE + PAGE_SIZE, TABLE_PAGES, PMAP_READ | PMAP_WRITE);
	pmap_fini(&pmap);
}

/* All frames there are, linked by their first words: not on a machine that has very many. */
#define MOST_TO_TAKE (1UL << 16)

static paddr_t take_all_frames(void)
{
	paddr_t first = 0, frame;

	while ((frame = frame_alloc(0)) != 0) {
		*(paddr_t *)phys_to_virt(frame) = first;
		first = frame;
	}
	return first;
}

static void give_back(paddr_t frame)
{
	while (frame) {
		paddr_t next = *(paddr_t *)phys_to_virt(frame);

		frame_free(frame, 0);
		frame = next;
	}
}

/* Without memory for the table more goes than was asked for, never less; and nothing is added. */
static void test_large_no_table(void)
{
	const unsigned rw = PMAP_READ | PMAP_WRITE;
	vaddr_t end = BASE + LARGE_BYTES, page = BASE + PAGE_SIZE, next = page + PAGE_SIZE;
	struct tlb_batch batch = {0};
	struct pmap pmap;
	paddr_t frames;

	if (frames_total() > MOST_TO_TAKE)
		return;
	CHECK(pmap_init(&pmap) == 0);
	for (vaddr_t va = BASE; va < BASE + 3 * LARGE_BYTES; va += LARGE_BYTES)
		enter_large(&pmap, va, rw);
	pmap_shrink();
	frames = take_all_frames();
	CHECK(pmap_protect(&pmap, page, next, PMAP_READ, 64, &batch) >= next);
	CHECK(batch.start == BASE && batch.end == end);
	check_part(&pmap, BASE, 0, TABLE_PAGES, PMAP_READ);
	CHECK(pmap_enter(&pmap, page, FRAME(1), rw, 0) == -ENOMEM);
	check_part(&pmap, BASE, 0, TABLE_PAGES, PMAP_READ);
	CHECK(pmap_remove(&pmap, page, next, 64, &batch) >= next);
	CHECK(batch.start == BASE && batch.end == end);
	CHECK(!has_any(&pmap, BASE) && !has_any(&pmap, end - PAGE_SIZE) && has_any(&pmap, end));
	CHECK(pmap_move(&pmap, end + PAGE_SIZE, end + 3 * PAGE_SIZE, GIB, 64, &batch) >=
		end + 3 * PAGE_SIZE);
	CHECK(batch.end == end + LARGE_BYTES && !has_any(&pmap, end));
	CHECK(has_any(&pmap, end + LARGE_BYTES));
	give_back(frames);
	tlb_flush(&pmap, &batch);
	pmap_fini(&pmap);
}

const struct selftest pmap_tests[] = {
	{"pmap-entries", test_entries},
	{"pmap-roots", test_roots},
	{"pmap-replace", test_replace},
	{"pmap-remove-here", test_remove_here},
	{"pmap-fill", test_fill},
	{"pmap-fill-tables", test_fill_makes_tables},
	{"pmap-steps", test_steps},
	{"pmap-whole-table", test_whole_table},
	{"pmap-suspended-table", test_suspended_table},
	{"pmap-move-pages", test_move_pages},
	{"pmap-move-table", test_move_table},
	{"pmap-large", test_large},
	{"pmap-large-whole", test_large_whole},
	{"pmap-large-move", test_large_move},
	{"pmap-large-no-table", test_large_no_table},
	{"pmap-run", test_run},
	{0},
};
