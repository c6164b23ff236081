// SPDX-License-Identifier: MIT
/*
 * Translation tables of user spaces. pmap.h has the contract, tlb.c the other half: what harts
 * remember.
 *
 * Tables below the root are made on demand. They go when a removal covers all that they could map,
 * or with the space: a table has no count of its entries, so that entering and removing a page
 * touch one word each. A space that maps and unmaps in one place so keeps its tables.
 *
 * A table that goes is first cut out of its parent and freed by tlb_flush(), when no hart can walk
 * it any more. Until then it is in the batch's list, linked by its first word; that is a page
 * address, whose valid bit is clear.
 */
#include <arch/cpu.h>
#include <errno.h>
#include <string.h>

#include "pmap_impl.h"

pte_t *pmap_new_table(void)
{
	paddr_t pa = pmap_table_alloc();

	return pa ? memset(phys_to_virt(pa), 0, PAGE_SIZE) : NULL;
}

int pmap_init(struct pmap *pmap)
{
	paddr_t pa = pmap_table_alloc();

	if (!pa)
		return -ENOMEM;
	*pmap = (struct pmap){.root = phys_to_virt(pa)};
	memset(pmap->root, 0, USER_ROOT_SLOTS * sizeof(pte_t));
	pmap_copy_kernel_half(pmap->root);
	pmap->id = tlb_id_alloc();
	pmap->stale = UINT64_MAX; /* of the identifier's last owner */
	return 0;
}

void pmap_fini(struct pmap *pmap)
{
	for (unsigned i = 0; i < USER_ROOT_SLOTS; i++) {
		pte_t *table;

		if (!pte_is_table(pmap->root[i]))
			continue;
		table = pte_table(pmap->root[i]);
		for (unsigned j = 0; j < TABLE_SLOTS; j++)
			if (pte_is_table(table[j]))
				pmap_table_free(pte_pa(table[j]));
		pmap_table_free(pte_pa(pmap->root[i]));
	}
	pmap_table_free(virt_to_phys(pmap->root));
	tlb_id_free(pmap->id);
	pmap->root = NULL;
}

/* The entry for va at the level, making tables above it as needed; NULL: no memory for one. */
static pte_t *entry_make(struct pmap *pmap, vaddr_t va, unsigned level)
{
	pte_t *table = pmap->root;

	for (unsigned l = 2; l > level; l--) {
		pte_t *entry = &table[SLOT(va, l)];

		if (pte_is_table(*entry)) {
			table = pte_table(*entry);
			continue;
		}
		table = pmap_new_table();
		if (!table)
			return NULL;
		pmap->tables++;
		pte_set(entry, pte_make(virt_to_phys(table), PTE_V));
	}
	return &table[SLOT(va, level)];
}

/* The lowest entry there is for va, and its level. */
static pte_t *entry_find(const struct pmap *pmap, vaddr_t va, unsigned *level)
{
	pte_t *entry = &pmap->root[SLOT(va, 2)];

	for (*level = 2; *level > 0 && pte_is_table(*entry); --*level)
		entry = &pte_table(*entry)[SLOT(va, *level - 1)];
	return entry;
}

static pte_t rights_bits(unsigned rights)
{
	pte_t bits = PTE_R;

	if (rights & PMAP_WRITE)
		bits |= PTE_W | PTE_D;
	if (rights & PMAP_EXEC)
		bits |= PTE_X;
	return bits;
}

/*
 * This hart sees the entry from now on. An invalid entry may be remembered (Privileged
 * Architecture, section 4.2.1), in a space that this hart is in.
 */
static void fence_entered(const struct pmap *pmap, vaddr_t va)
{
	if (arch_cpu()->pmap == pmap)
		__asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"(pmap->id) : "memory");
}

static bool table_is_empty(const pte_t *table)
{
	for (unsigned i = 0; i < TABLE_SLOTS; i++)
		if (table[i])
			return false;
	return true;
}

/* A large leaf is to take the place of a table: an empty one may go, once all harts forgot it. */
static int give_up_table(struct pmap *pmap, vaddr_t va, pte_t *entry)
{
	struct tlb_batch batch = {.start = va, .end = va + LEVEL_BYTES(1)};
	pte_t *table = pte_table(*entry);

	if (!table_is_empty(table))
		return -EBUSY;
	batch.free_tables = virt_to_phys(table);
	pte_set(entry, 0);
	pmap->tables--;
	tlb_flush(pmap, &batch);
	return 0;
}

int pmap_enter(struct pmap *pmap, vaddr_t va, paddr_t pa, unsigned rights, unsigned order)
{
	pte_t *entry = entry_make(pmap, va, order == PMAP_ORDER_LARGE ? 1 : 0);

	if (!entry)
		return -ENOMEM;
	if (pte_is_table(*entry) && give_up_table(pmap, va, entry))
		return -ENOMEM;
	pte_set(entry, pte_make(pa, rights_bits(rights) | PTE_V | PTE_U | PTE_A));
	fence_entered(pmap, va);
	return 0;
}

int pmap_enter_run(
	struct pmap *pmap, vaddr_t va, const paddr_t *frames, unsigned n, unsigned rights)
{
	pte_t *entry = entry_make(pmap, va, 0);
	pte_t bits = rights_bits(rights) | PTE_V | PTE_U | PTE_A;

	if (!entry)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		if (frames[i] && !(entry[i] & PTE_V))
			pte_set(&entry[i], pte_make(frames[i], bits));
	if (n > 1 && arch_cpu()->pmap == pmap)
		__asm__ volatile("sfence.vma zero, %0" ::"r"(pmap->id) : "memory");
	else
		fence_entered(pmap, va);
	return 0;
}

static void batch_add(struct tlb_batch *batch, vaddr_t start, vaddr_t end)
{
	if (batch->start == batch->end) {
		batch->start = start;
		batch->end = end;
		return;
	}
	if (start < batch->start)
		batch->start = start;
	if (end > batch->end)
		batch->end = end;
}

static void batch_free_table(struct tlb_batch *batch, paddr_t table)
{
	*(paddr_t *)phys_to_virt(table) = batch->free_tables;
	batch->free_tables = table;
}

static void remove_leaf(pte_t *entry, vaddr_t va, unsigned level, struct tlb_batch *batch)
{
	pte_set(entry, 0);
	batch_add(batch, va, va + LEVEL_BYTES(level));
}

static void remove_pages(pte_t *table, vaddr_t start, vaddr_t end, struct tlb_batch *batch)
{
	for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
		pte_t *entry = &table[SLOT(va, 0)];

		if (*entry)
			remove_leaf(entry, va, 0, batch);
	}
}

static vaddr_t range_end(vaddr_t va, vaddr_t end, unsigned level)
{
	vaddr_t next = (va & -LEVEL_BYTES(level)) + LEVEL_BYTES(level);

	return next < end ? next : end;
}

/* All of [start, end) that lies below one level-1 entry. */
static void remove_large(
	struct pmap *pmap, pte_t *entry, vaddr_t start, vaddr_t end, struct tlb_batch *batch)
{
	pte_t pte = *entry;

	if (!pte_is_table(pte)) {
		if (pte)
			remove_leaf(entry, start & -LEVEL_BYTES(1), 1, batch);
		return;
	}
	remove_pages(pte_table(pte), start, end, batch);
	if (end - start == LEVEL_BYTES(1)) {
		pte_set(entry, 0);
		batch_add(batch, start, end);
		batch_free_table(batch, pte_pa(pte));
		pmap->tables--;
	}
}

void pmap_remove(struct pmap *pmap, vaddr_t start, vaddr_t end, struct tlb_batch *batch)
{
	vaddr_t next;

	for (vaddr_t va = start; va < end; va = next) {
		pte_t root = pmap->root[SLOT(va, 2)];

		if (!pte_is_table(root)) {
			next = range_end(va, end, 2);
			continue;
		}
		next = range_end(va, end, 1);
		remove_large(pmap, &pte_table(root)[SLOT(va, 1)], va, next, batch);
	}
}

/* The hardware may set A or D meanwhile: D goes with W, and a lost A is a lost hint. */
static void reduce(pte_t *entry, vaddr_t va, unsigned level, pte_t keep, struct tlb_batch *batch)
{
	if (!(*entry & PTE_RIGHTS & ~keep))
		return;
	__atomic_fetch_and(entry, keep | ~PTE_RIGHTS, __ATOMIC_RELAXED);
	batch_add(batch, va, va + LEVEL_BYTES(level));
}

static void protect_large(
	pte_t *entry, vaddr_t start, vaddr_t end, pte_t keep, struct tlb_batch *batch)
{
	pte_t *table;

	if (!*entry)
		return;
	if (!pte_is_table(*entry)) {
		reduce(entry, start & -LEVEL_BYTES(1), 1, keep, batch);
		return;
	}
	table = pte_table(*entry);
	for (vaddr_t va = start; va < end; va += PAGE_SIZE)
		if (table[SLOT(va, 0)])
			reduce(&table[SLOT(va, 0)], va, 0, keep, batch);
}

void pmap_protect(
	struct pmap *pmap, vaddr_t start, vaddr_t end, unsigned rights, struct tlb_batch *batch)
{
	pte_t keep = rights_bits(rights);
	vaddr_t next;

	for (vaddr_t va = start; va < end; va = next) {
		pte_t root = pmap->root[SLOT(va, 2)];

		next = range_end(va, end, pte_is_table(root) ? 1 : 2);
		if (pte_is_table(root))
			protect_large(&pte_table(root)[SLOT(va, 1)], va, next, keep, batch);
	}
}

bool pmap_test_and_clear_used(struct pmap *pmap, vaddr_t va)
{
	unsigned level;
	pte_t *entry = entry_find(pmap, va, &level);

	if (!(*entry & PTE_V) || pte_is_table(*entry))
		return false;
	return __atomic_fetch_and(entry, ~PTE_A, __ATOMIC_RELAXED) & PTE_A;
}

bool pmap_query(const struct pmap *pmap, vaddr_t va, paddr_t *pa, unsigned *rights)
{
	unsigned level;
	pte_t pte = pte_get(entry_find(pmap, va, &level));

	if (!(pte & PTE_V) || pte_is_table(pte))
		return false;
	*pa = pte_pa(pte) + (page_align_down(va) & (LEVEL_BYTES(level) - 1));
	*rights = (pte & PTE_R ? PMAP_READ : 0) | (pte & PTE_W ? PMAP_WRITE : 0) |
		  (pte & PTE_X ? PMAP_EXEC : 0);
	return true;
}

uint64_t pmap_entry(const struct pmap *pmap, vaddr_t va, unsigned *level)
{
	return pte_get(entry_find(pmap, va, level));
}
