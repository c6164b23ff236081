// SPDX-License-Identifier: MIT
/*
 * Translation: what is entered is seen, what is removed is gone on every hart, tables come back.
 */
#include <arch/pmap.h>
#include <arch/user.h>
#include <errno.h>
#include <kernel/cpu.h>
#include <kernel/frames.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <string.h>

#include "selftest.h"

#define BASE   0x10000000UL
#define GIB    0x40000000UL
#define ROUNDS 100 /* each may wait for three harts that the emulator does not run just now */

/* Free frames, those of tables that are kept among them. */
static size_t frames_without_kept(void)
{
	pmap_shrink();
	return frames_free_count();
}

static bool has(struct pmap *pmap, vaddr_t va, unsigned want)
{
	unsigned rights = 0;
	paddr_t pa;

	return pmap_query(pmap, va, &pa, &rights) && rights == want;
}

static bool has_any(struct pmap *pmap, vaddr_t va)
{
	unsigned rights;
	paddr_t pa;

	return pmap_query(pmap, va, &pa, &rights);
}

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
	const vaddr_t large = PAGE_SIZE << PMAP_ORDER_LARGE;
	struct tlb_batch batch = {0};
	struct pmap pmap;
	unsigned rights;

	CHECK(pmap_init(&pmap) == 0);
	CHECK(pmap_enter(&pmap, BASE, frame, PMAP_READ, 0) == 0);
	CHECK(!pmap_fill(&pmap, BASE + large, frame, PMAP_READ));
	CHECK(pmap_enter(&pmap, BASE + 2 * large, frame, PMAP_READ, 0) == 0);
	CHECK(pmap_fill(&pmap, BASE + large, frame, PMAP_READ));
	CHECK(pmap_query(&pmap, BASE + large, &pa, &rights) && pa == frame);
	CHECK(pmap_protect(&pmap, BASE, BASE + large, 0, 64, &batch) == BASE + large);
	CHECK(!pmap_fill(&pmap, BASE, frame, PMAP_READ)); /* suspended */
	CHECK(pmap_remove(&pmap, BASE, BASE + 3 * large, 64, &batch) == BASE + 3 * large);
	tlb_flush(&pmap, &batch);
	CHECK(!has_any(&pmap, BASE) && !has_any(&pmap, BASE + large));
	CHECK(pmap_fill(&pmap, BASE + 2 * large, frame, PMAP_READ));
	CHECK(has_any(&pmap, BASE + 2 * large));
	pmap_fini(&pmap);
	frame_free(frame, 0);
}

/* Harts that miss the same table at once: one of theirs stays, with the pages of all. */
#define MISSING 300
#define MAKERS  4

struct making {
	struct pmap pmap;
	paddr_t frame;
	uint32_t arrived, filled; /* [a] */
};

static void fill_each(void *arg, unsigned i)
{
	struct making *m = arg;

	for (unsigned n = 1; n <= MISSING; n++) {
		vaddr_t va = BASE + n * (PAGE_SIZE << PMAP_ORDER_LARGE) + i * PAGE_SIZE;

		__atomic_fetch_add(&m->arrived, 1, __ATOMIC_ACQ_REL);
		while (__atomic_load_n(&m->arrived, __ATOMIC_ACQUIRE) < n * MAKERS)
			thread_yield();
		if (pmap_fill(&m->pmap, va, m->frame, PMAP_READ) && has(&m->pmap, va, PMAP_READ))
			__atomic_fetch_add(&m->filled, 1, __ATOMIC_RELAXED);
	}
}

static void test_fill_at_once(void)
{
	struct making m = {.frame = frame_alloc(0)};
	size_t before = frames_without_kept(), tables;

	CHECK(pmap_init(&m.pmap) == 0);
	for (unsigned n = 0; n <= MISSING + 1; n += MISSING + 1)
		CHECK(pmap_enter(&m.pmap, BASE + n * (PAGE_SIZE << PMAP_ORDER_LARGE), m.frame,
			      PMAP_READ, 0) == 0);
	tables = frames_in_tables();
	selftest_crowd(MAKERS, fill_each, &m);
	CHECK(m.filled == MISSING * MAKERS);
	CHECK(frames_in_tables() == tables + MISSING);
	for (unsigned n = 1; n <= MISSING; n++)
		for (unsigned i = 0; i < MAKERS; i++)
			CHECK(has_any(&m.pmap,
				BASE + n * (PAGE_SIZE << PMAP_ORDER_LARGE) + i * PAGE_SIZE));
	pmap_fini(&m.pmap);
	CHECK(frames_without_kept() == before);
	frame_free(m.frame, 0);
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

#define LARGE_BYTES (TABLE_PAGES * PAGE_SIZE)

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

/* --- Other harts ------------------------------------------------------------------------------ */

struct shared {
	struct pmap pmap;
	uint32_t ready, stop;
	uint64_t stale; /* [a] reads that saw a frame after it was taken away */
	uint64_t epoch; /* [a] value in the frame that is mapped, or may be */
};

/* Keep reading the page. A value older than the epoch read before it is a stale translation. */
static void reader(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	thread_set_pmap(&s->pmap);
	__atomic_fetch_add(&s->ready, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		uint64_t epoch = __atomic_load_n(&s->epoch, __ATOMIC_ACQUIRE), seen;

		if (user_load64((void *)BASE, &seen) == 0 && seen < epoch)
			__atomic_fetch_add(&s->stale, 1, __ATOMIC_RELAXED);
	}
	thread_set_pmap(NULL);
}

static void replace(struct shared *s, paddr_t frames[2], uint64_t value)
{
	struct tlb_batch batch = {0};
	bool done = false;

	*(uint64_t *)phys_to_virt(frames[value % 2]) = value;
	preempt_disable();
	if (value & 2)
		done = pmap_replace(&s->pmap, BASE, frames[value % 2], PMAP_READ);
	else if (value & 4)
		done = pmap_remove_here(&s->pmap, BASE);
	preempt_enable();
	if (!done) {
		CHECK(pmap_remove(&s->pmap, BASE, BASE + PAGE_SIZE, 64, &batch) ==
			BASE + PAGE_SIZE);
		tlb_flush(&s->pmap, &batch);
	}
	__atomic_store_n(&s->epoch, value, __ATOMIC_RELEASE);
	CHECK(pmap_enter(&s->pmap, BASE, frames[value % 2], PMAP_READ, 0) == 0);
	if (value % 16 == 0)
		thread_yield();
}

static void shoot(void *arg, unsigned i)
{
	struct shared *s = arg;
	paddr_t frames[2] = {frame_alloc(0), frame_alloc(0)};

	if (i != 0) {
		reader(arg, i);
		return;
	}
	while (__atomic_load_n(&s->ready, __ATOMIC_ACQUIRE) < 3)
		thread_yield();
	CHECK(pmap_enter(&s->pmap, BASE, frames[1], PMAP_READ, 0) == 0);
	for (uint64_t value = 2; value < ROUNDS; value++)
		replace(s, frames, value);
	__atomic_store_n(&s->stop, 1, __ATOMIC_RELEASE);
	frame_free(frames[0], 0);
	frame_free(frames[1], 0);
}

static void test_shootdown(void)
{
	struct shared s = {0};

	CHECK(pmap_init(&s.pmap) == 0);
	selftest_crowd(4, shoot, &s);
	CHECK(s.stale == 0);
	pmap_fini(&s.pmap);
}

/*
 * A hart that is aside, as trap entry makes it, with interrupts off: nobody waits for it, but where
 * tables go. Before it is near it has forgotten what it has to.
 */
struct aside {
	struct pmap pmap;
	uint32_t step, flushed; /* [a] */
};

/* Until the word has got there; not for ever. */
static bool wait_step(const uint32_t *word, uint32_t step, uint64_t ns)
{
	uint64_t until = time_now_ns() + ns;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < step)
		if (time_now_ns() > until)
			return false;
	return true;
}

static void flush_twice(struct aside *s)
{
	paddr_t frame = frame_alloc(0);
	struct tlb_batch batch = {0};

	CHECK(pmap_enter(&s->pmap, BASE, frame, PMAP_READ, 0) == 0);
	while (!wait_step(&s->step, 1, NS_PER_SEC))
		thread_yield();
	CHECK(pmap_remove(&s->pmap, BASE, BASE + PAGE_SIZE, 64, &batch) == BASE + PAGE_SIZE);
	tlb_flush(&s->pmap, &batch);
	__atomic_store_n(&s->flushed, 1, __ATOMIC_RELEASE);
	CHECK(wait_step(&s->step, 2, NS_PER_SEC));
	batch = (struct tlb_batch){.start = BASE, .end = BASE + PAGE_SIZE, .tables = true};
	tlb_flush(&s->pmap, &batch);
	__atomic_store_n(&s->flushed, 2, __ATOMIC_RELEASE);
	frame_free(frame, 0);
}

static void be_aside(struct aside *s)
{
	struct arch_cpu *cpu;

	thread_set_pmap(&s->pmap);
	irq_disable();
	cpu = arch_cpu();
	cpu->pmap = cpu->pmap_left = (struct pmap *)((uintptr_t)&s->pmap | 1);
	cpu->aside = cpu->aside_turns = 1;
	__atomic_store_n(&s->step, 1, __ATOMIC_RELEASE);
	CHECK(wait_step(&s->flushed, 1, NS_PER_SEC));
	CHECK(__atomic_load_n(&s->pmap.stale, __ATOMIC_RELAXED) & cpu->bit);
	__atomic_store_n(&s->step, 2, __ATOMIC_RELEASE);
	CHECK(!wait_step(&s->flushed, 2, 50 * NS_PER_MS)); /* tables */
	pmap_step_back();
	CHECK(cpu->pmap == &s->pmap && cpu->pmap_left == &s->pmap && !cpu->aside);
	CHECK(!(__atomic_load_n(&s->pmap.stale, __ATOMIC_RELAXED) & cpu->bit));
	irq_enable();
	CHECK(wait_step(&s->flushed, 2, NS_PER_SEC));
	thread_set_pmap(NULL);
}

static void aside_or_flush(void *arg, unsigned i)
{
	if (i == 0)
		flush_twice(arg);
	else
		be_aside(arg);
}

static void test_aside(void)
{
	struct aside s = {0};

	if (cpu_count == 1)
		return; /* nobody there to be aside */
	CHECK(pmap_init(&s.pmap) == 0);
	selftest_crowd(2, aside_or_flush, &s);
	pmap_fini(&s.pmap);
}

/*
 * A hart that steps back again and again, while another flushes: a flush that has ended has reached
 * it, or interrupts it, wherever between two instructions it came.
 */
#define FLUSHES 1000

struct stepping {
	struct pmap pmap;
	uint32_t begun, done, rounds, ready; /* [a] */
	uint32_t missed;                     /* flushes that ended, and are to be made up for yet */
};

static void linger(uint32_t *seed, uint32_t most)
{
	*seed = *seed * 1664525 + 1013904223;
	for (uint32_t n = (*seed >> 16) % most; n; n--)
		__asm__ volatile("" : "+r"(n));
}

static void flush_on(struct stepping *s)
{
	uint32_t seed = 1;

	while (!__atomic_load_n(&s->ready, __ATOMIC_ACQUIRE))
		thread_yield();
	for (uint32_t i = 1; i <= FLUSHES; i++) {
		struct tlb_batch batch = {.start = BASE, .end = BASE + PAGE_SIZE};
		uint32_t round = __atomic_load_n(&s->rounds, __ATOMIC_ACQUIRE);

		while (__atomic_load_n(&s->rounds, __ATOMIC_ACQUIRE) == round)
			cpu_relax();
		linger(&seed, 100);
		__atomic_store_n(&s->begun, i, __ATOMIC_SEQ_CST);
		tlb_flush(&s->pmap, &batch);
		__atomic_store_n(&s->done, i, __ATOMIC_SEQ_CST);
	}
}

/* With interrupts off, as trap entry and return. */
static void step_aside_and_back(struct stepping *s, uint32_t *seed)
{
	struct arch_cpu *cpu = arch_cpu();
	uint32_t done;
	bool stale;

	cpu->pmap = cpu->pmap_left = (struct pmap *)((uintptr_t)&s->pmap | 1);
	cpu->aside = cpu->aside_turns = 1;
	linger(seed, 100);
	pmap_step_back();
	done = __atomic_load_n(&s->done, __ATOMIC_SEQ_CST);
	stale = __atomic_load_n(&s->pmap.stale, __ATOMIC_SEQ_CST) & cpu->bit;
	s->missed += stale && __atomic_load_n(&s->begun, __ATOMIC_SEQ_CST) == done;
}

static void step_on(struct stepping *s)
{
	uint32_t seed = 2;

	thread_set_pmap(&s->pmap);
	__atomic_store_n(&s->ready, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&s->done, __ATOMIC_ACQUIRE) < FLUSHES) {
		irq_disable();
		step_aside_and_back(s, &seed);
		irq_enable();
		__atomic_fetch_add(&s->rounds, 1, __ATOMIC_RELEASE);
	}
	thread_set_pmap(NULL);
}

static void step_or_flush(void *arg, unsigned i)
{
	if (i == 0)
		flush_on(arg);
	else
		step_on(arg);
}

static void test_step_back(void)
{
	struct stepping s = {0};

	if (cpu_count == 1)
		return;
	CHECK(pmap_init(&s.pmap) == 0);
	selftest_crowd(2, step_or_flush, &s);
	CHECK(s.missed == 0);
	pmap_fini(&s.pmap);
}

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

const struct selftest pmap_tests[] = {
	{"pmap-entries", test_entries},
	{"pmap-roots", test_roots},
	{"pmap-replace", test_replace},
	{"pmap-remove-here", test_remove_here},
	{"pmap-fill", test_fill},
	{"pmap-fill-tables", test_fill_makes_tables},
	{"pmap-fill-at-once", test_fill_at_once},
	{"pmap-steps", test_steps},
	{"pmap-whole-table", test_whole_table},
	{"pmap-suspended-table", test_suspended_table},
	{"pmap-move-pages", test_move_pages},
	{"pmap-move-table", test_move_table},
	{"pmap-large", test_large},
	{"pmap-large-whole", test_large_whole},
	{"pmap-large-move", test_large_move},
	{"pmap-large-no-table", test_large_no_table},
	{"pmap-shootdown", test_shootdown},
	{"pmap-run", test_run},
	{"pmap-aside", test_aside},
	{"pmap-step-back", test_step_back},
	{"user-copies", test_copies},
	{0},
};
