// SPDX-License-Identifier: MIT
/*
 * What harts remember of translations: identifiers, activation, and the shootdown.
 *
 * Each space has an identifier (ASID) while it lives, so that switching spaces flushes nothing. An
 * identifier that is given to a new space may have left-overs anywhere: the space starts with all
 * harts marked stale. When identifiers run out, or the machine has none, spaces share number 0,
 * and every activation of such a space flushes.
 *
 * Who changed entries marks every other hart that may remember them as stale. A hart that is
 * elsewhere flushes when it next enters the space; those that are in it are interrupted, and flush
 * in the interrupt (pmap_catch_up). The flusher waits for these to have done so, asleep where it
 * may: with more harts than the machine below has processors, one that spins keeps the very hart
 * that it waits for from running.
 *
 * The race between a flush and a hart that enters the space:
 *
 *	entering hart			flushing hart
 *	say in `pmap` that it is in	change the entries
 *	fence				set the bits of harts in held in stale
 *	take own bit out of stale;	fence
 *	flush if it was set		read which harts are in; interrupt these
 *	say in `pmap_left` that it
 *	is no more in the one before
 *
 * Each hart says for itself in which space it is, and the flusher asks all: entering writes nothing
 * that other harts write. If the flusher looks before the enterer has said it, then the stale bit
 * was set before the enterer looks. If the enterer's first steps come after `held` was read, it is
 * a first entry, or its bit in held was already set: bits in held are never cleared. A first entry
 * finds the stale bit set that each space begins with: it sets its bit in held then, and flushes
 * after that. The same holds for instructions (stale_code): a hart may have fetched some from a
 * frame when it was another space's.
 *
 * A hart that takes its stale bit flushes before it takes the interrupt of whoever set it, for
 * entering and catching up both run with interrupts off. So once it has been interrupted it
 * remembers nothing of before, whoever's interrupt it was; one for all that have asked is enough.
 *
 * Harts that are aside (lazy TLB). Threads of one space that map and unmap are in the kernel most
 * of the time, on ways that touch no user memory: faults, and the calls that change areas. What a
 * hart remembers of user memory is of no use to it there, so nobody needs to interrupt it, if it
 * looks at its stale bit on its way back: it is as if it had left the space, and kept only satp. It
 * says so by a bit in what it says it is in, which is why a switch to a thread of the same space
 * enters it anew. Linux's lazy TLB mode is the same for harts that run a kernel thread in the space
 * of the thread before it.
 *
 *	user mode | trap: aside ............ stale? flush; say that it is in; fence; stale? | user
 *
 * That costs each trap some sixty instructions, so harts do it only for ASIDE_TURNS of them after
 * they were interrupted, by another trap entry. Of such a hart the flusher waits for a moment that
 * it comes into the kernel by itself, for as long as an interrupt would take at the most.
 *
 * What such a hart changes itself it marks as stale for itself, too, and flushes once, on its way
 * back. But it may walk tables at any time, ahead of what it executes: before tables are freed each
 * hart flushes, aside or not.
 */
#include <arch/cpu.h>

#include "cpu_ids.h"
#include "pmap_impl.h"

void trap_entry(void);
void trap_entry_aside(void);

#define MAX_IDS 1024

/* Traps of a hart that was interrupted, for which it steps aside; in debug builds, for good. */
#ifdef MAPACHE_DEBUG
#define ASIDE_TURNS UINT32_MAX
#else
#define ASIDE_TURNS 1000
#endif
#define ASIDE_SPINS 300 /* looks at harts that may step aside before they are interrupted */

/* More pages than this are forgotten by identifier. */
#define RANGE_PAGES 8

static uint32_t id_lock;
static uint32_t ids_end;  /* identifiers 1 .. ids_end - 1 exist */
static uint32_t ids_used; /* identifiers below this were given out once */
static uint16_t free_ids[MAX_IDS];
static uint32_t n_free_ids;

void tlb_setup(void)
{
	uint64_t satp = csr_read(satp), width;

	csr_write(satp, satp | SATP_ASID_MASK << SATP_ASID_SHIFT);
	width = csr_read(satp) >> SATP_ASID_SHIFT & SATP_ASID_MASK;
	csr_write(satp, satp);
	__asm__ volatile("sfence.vma" ::: "memory");
	ids_end = width < MAX_IDS ? (uint32_t)width + 1 : MAX_IDS;
	ids_used = 1;
}

uint32_t tlb_id_alloc(void)
{
	uint64_t flags = tables_lock(&id_lock);
	uint32_t id = 0;

	if (n_free_ids)
		id = free_ids[--n_free_ids];
	else if (ids_used < ids_end)
		id = ids_used++;
	tables_unlock(&id_lock, flags);
	return id;
}

void tlb_id_free(uint32_t id)
{
	uint64_t flags;

	if (id == 0)
		return;
	flags = tables_lock(&id_lock);
	free_ids[n_free_ids++] = (uint16_t)id;
	tables_unlock(&id_lock, flags);
}

static void flush_id(uint32_t id)
{
	if (id)
		__asm__ volatile("sfence.vma zero, %0" ::"r"((uint64_t)id) : "memory");
	else
		__asm__ volatile("sfence.vma" ::: "memory");
}

static void flush_local(uint32_t id, vaddr_t start, vaddr_t end)
{
	if (end - start > RANGE_PAGES * PAGE_SIZE || id == 0) {
		flush_id(id);
		return;
	}
	for (vaddr_t va = start; va < end; va += PAGE_SIZE)
		__asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"((uint64_t)id) : "memory");
}

/* In this order: a hart that leaves writes first the one and then the other. */
static bool is_in(const struct arch_cpu *cpu, const struct pmap *pmap, uintptr_t ignored)
{
	uintptr_t now = (uintptr_t)__atomic_load_n(&cpu->pmap, __ATOMIC_ACQUIRE);
	uintptr_t left = (uintptr_t)__atomic_load_n(&cpu->pmap_left, __ATOMIC_ACQUIRE);

	return (now & ~ignored) == (uintptr_t)pmap || (left & ~ignored) == (uintptr_t)pmap;
}

/* The harts that are in the space, but this; with `tables` those that are aside in it, too. */
static uint64_t others_in(const struct pmap *pmap, bool tables)
{
	uint64_t rest = __atomic_load_n(&cpu_started_mask, __ATOMIC_ACQUIRE) & ~arch_cpu()->bit;
	uint64_t in = 0;

	for (unsigned i = 0; rest >> i; i++)
		if ((rest >> i & 1) && is_in(arch_cpus[i], pmap, tables * ASIDE))
			in |= 1UL << i;
	return in;
}

/*
 * Mark all harts that may remember translations, or instructions, but this; returns those that are
 * in the space.
 */
static uint64_t mark_stale(struct pmap *pmap, bool code, bool tables)
{
	uint64_t marked = __atomic_load_n(&pmap->held, __ATOMIC_RELAXED);

	if (arch_cpu()->pmap == pmap)
		marked &= ~arch_cpu()->bit;
	if (marked && code)
		__atomic_fetch_or(&pmap->stale_code, marked, __ATOMIC_RELAXED);
	if (marked)
		__atomic_fetch_or(&pmap->stale, marked, __ATOMIC_RELEASE);
	fence_full();
	return others_in(pmap, tables);
}

/* Of these harts, those that did not step aside, or leave, by themselves. */
static uint64_t await_aside(const struct pmap *pmap, uint64_t harts)
{
	for (unsigned turns = 0; harts && turns < ASIDE_SPINS; turns++) {
		for (unsigned i = 0; harts >> i; i++) {
			const struct arch_cpu *cpu = arch_cpus[i];

			if (!(harts >> i & 1))
				continue;
			if (!is_in(cpu, pmap, 0))
				harts &= ~(1UL << i);
			else if (!__atomic_load_n(&cpu->aside_turns, __ATOMIC_RELAXED))
				return harts;
		}
	}
	return harts;
}

static void free_tables(paddr_t table)
{
	while (table) {
		paddr_t next = *(paddr_t *)phys_to_virt(table);

		pmap_table_free(table);
		table = next;
	}
}

static void flush(struct pmap *pmap, struct tlb_batch *batch, bool may_sleep)
{
	vaddr_t start = batch->start, end = batch->end;
	uint64_t flags, others;

	if (start == end)
		return;
	if (batch->tables) {
		/* a fence by address need not reach what is remembered of tables */
		start = 0;
		end = USER_END;
	}
	__atomic_fetch_add(&arch_cpu()->tlb_flushes, 1, __ATOMIC_RELAXED);
	fence_full();
	flags = irq_save();
	others = mark_stale(pmap, false, batch->tables);
	if (arch_cpu()->pmap == pmap || (batch->tables && space_of(arch_cpu()) == pmap))
		flush_local(pmap->id, start, end);
	irq_restore(flags);
	if (others && !batch->tables)
		others = await_aside(pmap, others);
	if (others)
		pmap_interrupt(others, may_sleep);
	free_tables(batch->free_tables);
	*batch = (struct tlb_batch){0};
}

void tlb_flush(struct pmap *pmap, struct tlb_batch *batch)
{
	flush(pmap, batch, true);
}

void tlb_flush_locked(struct pmap *pmap, struct tlb_batch *batch)
{
	flush(pmap, batch, false);
}

bool tlb_flush_here(struct pmap *pmap, struct tlb_batch *batch)
{
	if (batch->start == batch->end)
		return true;
	if (batch->tables)
		return false;
	fence_full();
	if (mark_stale(pmap, false, false))
		return false;
	__atomic_fetch_add(&arch_cpu()->tlb_flushes, 1, __ATOMIC_RELAXED);
	if (arch_cpu()->pmap == pmap)
		flush_local(pmap->id, batch->start, batch->end);
	*batch = (struct tlb_batch){0};
	return true;
}

bool tlb_forget_here(struct pmap *pmap, vaddr_t va)
{
	fence_full();
	if (mark_stale(pmap, false, false))
		return false;
	if (arch_cpu()->pmap == pmap)
		flush_local(pmap->id, va, va + PAGE_SIZE);
	return true;
}

void pmap_sync_code(struct pmap *pmap)
{
	uint64_t flags, others;

	fence_full();
	if (!__atomic_load_n(&pmap->held, __ATOMIC_RELAXED))
		return; /* whoever enters it for the first time fetches anew */
	flags = irq_save();
	others = mark_stale(pmap, true, false);
	arch_sync_icache();
	irq_restore(flags);
	if (others)
		pmap_interrupt(others, false);
}

static bool take_bit(uint64_t *set, uint64_t bit)
{
	if (!(__atomic_load_n(set, __ATOMIC_RELAXED) & bit))
		return false;
	return __atomic_fetch_and(set, ~bit, __ATOMIC_ACQ_REL) & bit;
}

/* The bits of a space without identifier stay: each entry flushes. */
void tlb_catch_up(void *entered)
{
	struct pmap *pmap = entered;
	uint64_t self = arch_cpu()->bit;

	__atomic_fetch_or(&pmap->held, self, __ATOMIC_RELAXED);
	fence_full();
	if (pmap->id == 0 || take_bit(&pmap->stale, self))
		flush_id(pmap->id);
	if (take_bit(&pmap->stale_code, self))
		arch_sync_icache();
}

void pmap_catch_up(void)
{
	struct arch_cpu *cpu = arch_cpu();

	if (!space_of(cpu))
		return;
	tlb_catch_up(space_of(cpu));
	if (!cpu->aside_turns)
		csr_write(stvec, (uint64_t)trap_entry_aside);
	cpu->aside_turns = ASIDE_TURNS;
}

static void flush_if_stale(struct pmap *pmap)
{
	if (__atomic_load_n(&pmap->stale, __ATOMIC_RELAXED) & arch_cpu()->bit)
		tlb_catch_up(pmap);
}

void pmap_step_back(void)
{
	struct arch_cpu *cpu = arch_cpu();
	struct pmap *pmap = space_of(cpu);

	cpu->aside = 0;
	if (cpu->pmap == pmap)
		return;       /* another thread has had the hart meanwhile */
	flush_if_stale(pmap); /* here nobody has to wait for that */
	__atomic_store_n(&cpu->pmap, pmap, __ATOMIC_RELAXED);
	fence_full();
	flush_if_stale(pmap);
	__atomic_store_n(&cpu->pmap_left, pmap, __ATOMIC_RELEASE);
	if (!--cpu->aside_turns)
		csr_write(stvec, (uint64_t)trap_entry);
}

void pmap_come_near(void)
{
	uint64_t flags = irq_save();

	pmap_step_back();
	irq_restore(flags);
}

void pmap_activate(struct pmap *pmap)
{
	space_enter(arch_cpu(), pmap);
}
