// SPDX-License-Identifier: MIT
/*
 * Translation tables of user spaces. pmap.h has the contract, tlb.c the other half: what harts
 * remember.
 *
 * Tables below the root are made on demand. A table has no count of its entries, so that entering
 * and removing a page touch one word each; it is looked through, and goes when it is empty, when a
 * removal reaches its end, and else stays until the space goes. A space that maps and unmaps small
 * things in one place so keeps its tables.
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

static void fence_page(const struct pmap *pmap, vaddr_t va)
{
	if (arch_cpu()->pmap == pmap)
		__asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"((uint64_t)pmap->id) : "memory");
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
	pte_t old, kept;

	if (!entry)
		return -ENOMEM;
	if (pte_is_table(*entry) && give_up_table(pmap, va, entry))
		return -EEXIST;
	old = *entry;
	if ((old & PTE_V) && pte_pa(old) != pa)
		return -EEXIST;
	/* Rights are only added: who takes them away notes that in a batch. */
	kept = old & PTE_V ? old & PTE_RIGHTS : 0;
	pte_set(entry, pte_make(pa, rights_bits(rights) | kept | PTE_V | PTE_U | PTE_A));
	if (old & PTE_V)
		fence_page(pmap, va);
	if (rights & PMAP_EXEC)
		pmap_sync_code(pmap);
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
	if (rights & PMAP_EXEC)
		pmap_sync_code(pmap);
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

/* A walk that changes entries of [va, end), at most `left` of them. */
struct sweep {
	struct pmap *pmap;
	struct tlb_batch *batch;
	vaddr_t va, end;
	unsigned left;
	pte_t keep; /* protect: the rights that may stay */
};

/* Each returns whether it changed the entry. */
typedef bool (*sweep_fn)(struct sweep *sweep, pte_t *entry, unsigned level);

static bool remove_leaf(struct sweep *sweep, pte_t *entry, unsigned level)
{
	vaddr_t va = sweep->va & -LEVEL_BYTES(level);

	if (!*entry)
		return false;
	pte_set(entry, 0);
	batch_add(sweep->batch, va, va + LEVEL_BYTES(level));
	return true;
}

/* The hardware may set A or D meanwhile: D goes with W, and a lost A is a lost hint. */
static bool reduce_leaf(struct sweep *sweep, pte_t *entry, unsigned level)
{
	vaddr_t va = sweep->va & -LEVEL_BYTES(level);

	if (!(*entry & PTE_RIGHTS & ~sweep->keep))
		return false;
	__atomic_fetch_and(entry, sweep->keep | ~PTE_RIGHTS, __ATOMIC_RELAXED);
	batch_add(sweep->batch, va, va + LEVEL_BYTES(level));
	return true;
}

static vaddr_t boundary(vaddr_t va, vaddr_t end, unsigned level)
{
	vaddr_t next = (va & -LEVEL_BYTES(level)) + LEVEL_BYTES(level);

	return next < end ? next : end;
}

static void sweep_pages(struct sweep *sweep, pte_t *table, sweep_fn fn)
{
	vaddr_t stop = boundary(sweep->va, sweep->end, 1);

	for (; sweep->va < stop; sweep->va += PAGE_SIZE) {
		if (!sweep->left)
			return;
		if (fn(sweep, &table[SLOT(sweep->va, 0)], 0))
			sweep->left--;
	}
}

/* The sweep has come to the end of a table: if nothing is left in it, it goes. */
static void drop_if_empty(struct sweep *sweep, pte_t *entry)
{
	paddr_t table = pte_pa(*entry);

	if (!table_is_empty(pte_table(*entry)))
		return;
	pte_set(entry, 0);
	batch_add(sweep->batch, (sweep->va - 1) & -LEVEL_BYTES(1), sweep->va);
	batch_free_table(sweep->batch, table);
	sweep->pmap->tables--;
}

static void sweep_large(struct sweep *sweep, pte_t *entry, sweep_fn fn)
{
	if (!pte_is_table(*entry)) {
		if (fn(sweep, entry, 1))
			sweep->left--;
		sweep->va = boundary(sweep->va, sweep->end, 1);
		return;
	}
	sweep_pages(sweep, pte_table(*entry), fn);
	if (fn == remove_leaf && (sweep->va & (LEVEL_BYTES(1) - 1)) == 0)
		drop_if_empty(sweep, entry);
}

static vaddr_t sweep_all(struct sweep *sweep, sweep_fn fn)
{
	while (sweep->va < sweep->end && sweep->left) {
		pte_t root = sweep->pmap->root[SLOT(sweep->va, 2)];

		if (pte_is_table(root))
			sweep_large(sweep, &pte_table(root)[SLOT(sweep->va, 1)], fn);
		else
			sweep->va = boundary(sweep->va, sweep->end, 2);
	}
	return sweep->va;
}

vaddr_t pmap_remove(struct pmap *pmap, vaddr_t start, vaddr_t end, unsigned max_entries,
	struct tlb_batch *batch)
{
	struct sweep sweep = {pmap, batch, start, end, max_entries, 0};

	return sweep_all(&sweep, remove_leaf);
}

vaddr_t pmap_protect(struct pmap *pmap, vaddr_t start, vaddr_t end, unsigned rights,
	unsigned max_entries, struct tlb_batch *batch)
{
	struct sweep sweep = {pmap, batch, start, end, max_entries, rights_bits(rights)};

	return sweep_all(&sweep, reduce_leaf);
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
