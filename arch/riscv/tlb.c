// SPDX-License-Identifier: MIT
/*
 * What harts remember of translations: identifiers, activation, and the shootdown.
 *
 * Each space has an identifier (ASID) while it lives, so that switching spaces flushes nothing. An
 * identifier that is given to a new space may have left-overs anywhere: the space starts with all
 * harts marked stale. When identifiers run out, or the machine has none, spaces share number 0,
 * and every activation of such a space flushes.
 *
 * The race between a flush and a hart that enters the space:
 *
 *	entering hart			flushing hart
 *	set own bit in active		change the entries
 *	fence				set the bits of harts in held but not active in stale
 *	take own bit out of stale;	fence
 *	flush if it was set		read active; remote fence to these
 *
 * If the flusher reads `active` before the enterer's bit is there, then the stale bit was set
 * before the enterer looks. If the enterer's first steps come after `held` was read, it is a first
 * entry, or its bit in held was already set: bits in held are never cleared. A first entry finds the stale
 * bit set that each space begins with: it sets its bit in held then, and flushes after that.
 */
#include <arch/cpu.h>
#include <arch/firmware.h>

#include "pmap_impl.h"

#define MAX_IDS 1024

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

static void flush_remote(uint64_t harts, uint32_t id, vaddr_t start, vaddr_t end)
{
	__atomic_fetch_add(&arch_cpu()->remote_fences, 1, __ATOMIC_RELAXED);
	if (end - start > RANGE_PAGES * PAGE_SIZE)
		firmware_remote_fence(harts, 0, UINT64_MAX, id);
	else
		firmware_remote_fence(harts, start, end - start, id);
}

/* Mark the harts of the set `held` that are not in the space; returns the others but this. */
static uint64_t mark_stale(struct pmap *pmap, uint64_t *stale)
{
	uint64_t self = 1UL << arch_cpu()->index;
	uint64_t active = __atomic_load_n(&pmap->active, __ATOMIC_RELAXED);
	uint64_t held = __atomic_load_n(&pmap->held, __ATOMIC_RELAXED);

	if (held & ~active)
		__atomic_fetch_or(stale, held & ~active, __ATOMIC_RELAXED);
	fence_full();
	return __atomic_load_n(&pmap->active, __ATOMIC_RELAXED) & ~self;
}

static void free_tables(paddr_t table)
{
	while (table) {
		paddr_t next = *(paddr_t *)phys_to_virt(table);

		pmap_table_free(table);
		table = next;
	}
}

void tlb_flush(struct pmap *pmap, struct tlb_batch *batch)
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
	others = mark_stale(pmap, &pmap->stale);
	if (arch_cpu()->pmap == pmap)
		flush_local(pmap->id, start, end);
	irq_restore(flags);
	if (others)
		flush_remote(others, pmap->id, start, end);
	free_tables(batch->free_tables);
	*batch = (struct tlb_batch){0};
}

void pmap_sync_code(struct pmap *pmap)
{
	uint64_t flags = irq_save();
	uint64_t others = mark_stale(pmap, &pmap->stale_code);

	arch_sync_icache();
	irq_restore(flags);
	if (others)
		firmware_remote_fence_code(others);
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

void pmap_activate(struct pmap *pmap)
{
	space_enter(arch_cpu(), pmap);
}
