// SPDX-License-Identifier: MIT
/*
 * Frames and kernel memory: random traffic, contents that must stay, and nothing lost.
 */
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/thread.h>
#include <string.h>

#include "selftest.h"

#define LIVE    64
#define ROUNDS  4000
#define THREADS 6

/* A block's words say where it is: two owners of one frame would disagree. */
static void stamp(uint64_t *words, size_t bytes, uint64_t mark)
{
	for (size_t i = 0; i < bytes / 8; i += 64)
		words[i] = (uint64_t)words ^ mark;
}

static bool intact(const uint64_t *words, size_t bytes, uint64_t mark)
{
	for (size_t i = 0; i < bytes / 8; i += 64)
		if (words[i] != ((uint64_t)words ^ mark))
			return false;
	return true;
}

static void frames_traffic(void *arg, unsigned thread)
{
	uint64_t random = selftest_seed + thread;
	struct {
		paddr_t pa;
		unsigned order;
	} live[LIVE] = {0};

	(void)arg;
	for (unsigned round = 0; round < ROUNDS + LIVE; round++) {
		unsigned i = selftest_random(&random) % LIVE, r = selftest_random(&random);
		size_t bytes = PAGE_SIZE << live[i].order;

		if (round >= ROUNDS)
			i = round - ROUNDS;
		if (live[i].pa) {
			bytes = PAGE_SIZE << live[i].order;
			CHECK(intact(phys_to_virt(live[i].pa), bytes, thread));
			frame_free(live[i].pa, live[i].order);
			live[i].pa = 0;
		} else if (round < ROUNDS) {
			live[i].order = r % 8 ? 0 : r / 8 % 5;
			live[i].pa = frame_alloc(live[i].order);
			if (live[i].pa)
				stamp(phys_to_virt(live[i].pa), PAGE_SIZE << live[i].order, thread);
		}
	}
}

static void test_frames(void)
{
	size_t before;

	selftest_crowd(THREADS, frames_traffic, NULL); /* warms caches of threads and stacks */
	kmem_trim();
	before = frames_free_count();
	selftest_crowd(THREADS, frames_traffic, NULL);
	kmem_trim();
	CHECK(frames_free_count() == before);
}

/* All memory can be had, in blocks of one order, and comes back whole. */
static void test_frames_all(void)
{
	size_t before = frames_free_count(), n = 0;
	paddr_t list = 0, pa;

	while (n < 100000 && (pa = frame_alloc(2)) != 0) {
		*(paddr_t *)phys_to_virt(pa) = list;
		list = pa;
		n++;
	}
	CHECK(n > 1000);
	while (list) {
		pa = list;
		list = *(paddr_t *)phys_to_virt(pa);
		frame_free(pa, 2);
	}
	CHECK(frames_free_count() == before);
	frames_check();
}

/*
 * Frames that came as one go back in parts of any size, in any order, and lie
 * together again after that.
 */
static void test_frames_side_by_side(void)
{
	size_t before = frames_free_count();
	paddr_t pa = frame_alloc_side_by_side(9), half = pa + (PAGE_SIZE << 8);

	CHECK(pa && (pa & ((PAGE_SIZE << 9) - 1)) == 0);
	CHECK(frames_free_count() == before - 512);
	frame_free_side_by_side(half + (PAGE_SIZE << 6), 6);
	for (unsigned i = 64; i > 0; i--)
		frame_free(half + (i - 1) * PAGE_SIZE, 0);
	frame_free_side_by_side(half + (PAGE_SIZE << 7), 7);
	frame_free_side_by_side(pa, 8);
	CHECK(frames_free_count() == before);
	frames_check();
	CHECK(frame_alloc_side_by_side(FRAME_MAX_ORDER + 1) == 0);
}

static void kmem_traffic(void *arg, unsigned thread)
{
	uint64_t random = selftest_seed * 31 + thread;
	uint8_t *live[LIVE] = {0};
	uint16_t bytes[LIVE];

	(void)arg;
	for (unsigned round = 0; round < ROUNDS + LIVE; round++) {
		unsigned i = selftest_random(&random) % LIVE;

		if (round >= ROUNDS)
			i = round - ROUNDS;
		if (live[i]) {
			CHECK(live[i][0] == (uint8_t)thread && live[i][bytes[i] - 1] == (uint8_t)i);
			kfree(live[i]);
			live[i] = NULL;
		} else if (round < ROUNDS) {
			bytes[i] = (uint16_t)(2 + selftest_random(&random) % 5000);
			live[i] = kmalloc(bytes[i]);
			if (live[i]) {
				live[i][0] = (uint8_t)thread;
				live[i][bytes[i] - 1] = (uint8_t)i;
			}
		}
		if (round % 64 == 0)
			thread_yield();
	}
}

static void test_kmem(void)
{
	uint64_t before = kmem_live();

	selftest_crowd(THREADS, kmem_traffic, NULL);
	CHECK(kmem_live() == before);
}

/* Objects freed by another hart than the one that allocated them. */
static void test_kmem_sizes(void)
{
	volatile size_t huge = 1UL << 40; /* the compiler is not to see it */
	void *p[8];

	for (size_t size = 1; size <= 70000; size = size * 3 / 2 + 1) {
		for (unsigned i = 0; i < 8; i++) {
			p[i] = kzalloc(size);
			CHECK(p[i] && ((uintptr_t)p[i] & 15) == 0);
			for (size_t at = 0; p[i] && at < size; at++)
				if (((uint8_t *)p[i])[at])
					CHECK(!"zeroed");
			memset(p[i], 0xff, size);
		}
		for (unsigned i = 0; i < 8; i++)
			kfree(p[i]);
	}
	CHECK(kcalloc(huge, huge) == NULL);
	CHECK(kmalloc(huge) == NULL);
}

const struct selftest frames_tests[] = {
	{"frames", test_frames},
	{"frames-all", test_frames_all},
	{"frames-side-by-side", test_frames_side_by_side},
	{"kmem", test_kmem},
	{"kmem-sizes", test_kmem_sizes},
	{0},
};
