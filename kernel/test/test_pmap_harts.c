// SPDX-License-Identifier: MIT
/*
 * Translation with several harts: who misses the same table, who must forget, who is left alone.
 */
#include <arch/pmap.h>
#include <arch/user.h>
#include <kernel/cpu.h>
#include <kernel/frames.h>
#include <kernel/thread.h>
#include <kernel/time.h>

#include "pmap_look.h"
#include "selftest.h"

/* Harts that miss the same table at once: one of theirs stays, with the pages of all. */
#define MISSING 300
#define MAKERS  4

struct making {
	struct pmap pmap;
	paddr_t frame;
	uint32_t arrived, filled; /* [a] */
};

/* The page of a maker in a table that is missing, or is there on either side of those. */
static vaddr_t page_of(unsigned table, unsigned maker)
{
	return BASE + table * LARGE_BYTES + maker * PAGE_SIZE;
}

static void fill_each(void *arg, unsigned i)
{
	struct making *m = arg;

	for (unsigned n = 1; n <= MISSING; n++) {
		vaddr_t va = page_of(n, i);

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
		CHECK(pmap_enter(&m.pmap, page_of(n, 0), m.frame, PMAP_READ, 0) == 0);
	tables = frames_in_tables();
	selftest_crowd(MAKERS, fill_each, &m);
	CHECK(m.filled == MISSING * MAKERS);
	CHECK(frames_in_tables() == tables + MISSING);
	for (unsigned n = 1; n <= MISSING; n++)
		for (unsigned i = 0; i < MAKERS; i++)
			CHECK(has_any(&m.pmap, page_of(n, i)));
	pmap_fini(&m.pmap);
	CHECK(frames_without_kept() == before);
	frame_free(m.frame, 0);
}

/* What was taken away nobody reads by a translation that his hart remembers. */
#define ROUNDS 100 /* each may wait for three harts that the emulator does not run just now */

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

/* As trap entry does it; interrupts are off. */
static void step_aside(struct pmap *pmap)
{
	struct arch_cpu *cpu = arch_cpu();

	cpu->pmap = cpu->pmap_left = (struct pmap *)((uintptr_t)pmap | 1);
	cpu->aside = cpu->aside_turns = 1;
}

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
	pmap_sync_code(&s->pmap);
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
	step_aside(&s->pmap);
	__atomic_store_n(&s->step, 1, __ATOMIC_RELEASE);
	CHECK(wait_step(&s->flushed, 1, NS_PER_SEC));
	CHECK(__atomic_load_n(&s->pmap.stale, __ATOMIC_RELAXED) & cpu->bit);
	CHECK(__atomic_load_n(&s->pmap.stale_code, __ATOMIC_RELAXED) & cpu->bit);
	__atomic_store_n(&s->step, 2, __ATOMIC_RELEASE);
	CHECK(!wait_step(&s->flushed, 2, 50 * NS_PER_MS)); /* tables */
	pmap_step_back();
	CHECK(cpu->pmap == &s->pmap && cpu->pmap_left == &s->pmap && !cpu->aside);
	CHECK(!(__atomic_load_n(&s->pmap.stale, __ATOMIC_RELAXED) & cpu->bit));
	CHECK(!(__atomic_load_n(&s->pmap.stale_code, __ATOMIC_RELAXED) & cpu->bit));
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

	step_aside(&s->pmap);
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

const struct selftest pmap_harts_tests[] = {
	{"pmap-fill-at-once", test_fill_at_once},
	{"pmap-shootdown", test_shootdown},
	{"pmap-aside", test_aside},
	{"pmap-step-back", test_step_back},
	{0},
};
