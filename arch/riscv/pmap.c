// SPDX-License-Identifier: MIT
/*
 * Translation tables of user spaces. pmap.h has the contract, tlb.c the other half: what harts
 * remember.
 *
 * Tables below the root are made on demand. A table has no count of its entries, so that entering
 * and removing a page touch one word each. A removal that covers all that a table translates cuts
 * it out of its parent without looking into it; so does what takes a table's place, a large leaf or
 * a table that moves there, if it is empty. Other tables stay, even empty, until the space goes. So
 * a space that maps and unmaps small things in one place keeps its tables, and the end of
 * a large one costs what it has of tables, not of pages.
 *
 * A table that was cut out is freed by tlb_flush(), when no hart can walk it any more. Until then
 * it is in the batch's list, linked by its first word; that is a page address, whose valid bit is
 * clear.
 *
 * Tables of level 1 and the root are mostly empty, and would be looked through often: in every
 * fork, exec and exit. So a pmap notes which slots of the root it has used, and between which slots
 * each table there was ever entered into. A space that uses more of the root than there are notes
 * (a program has two or three) is looked through after all.
 *
 * Pages are entered beside one another, so a pmap remembers the table of pages that it entered into
 * last, until that is cut out or suspended.
 *
 * A large leaf stands where a table could. Whoever wants less than all of it, to remove some pages,
 * to reduce their rights or to enter one by itself, splits it: a table takes its place that
 * translates the same, page by page. Harts may go on with the leaf that they remember, for as long
 * as nothing has changed below; a change of a page is in a batch, and who forgets a page forgets
 * every entry that translates it. Where there is no memory for the table, what is removed or
 * reduced is the whole leaf: faults bring the rest back.
 *
 * To take a right from all pages of a table, the table is suspended: its entry in the parent
 * becomes invalid but keeps the address, and beside it the rights that may stay. The first fault
 * below it applies these to all 512 entries and hangs it in again. So the cost of a fork does not
 * follow the resident pages; the table that is used again pays for itself.
 */
#include <arch/cpu.h>
#include <errno.h>

#include "pmap_impl.h"

#define NO_LEAF UINT64_MAX

int pmap_init(struct pmap *pmap)
{
	pte_t *root = pmap_new_root();

	if (!root)
		return -ENOMEM;
	*pmap = (struct pmap){.root = root, .leaf_at = NO_LEAF};
	pmap->id = tlb_id_alloc();
	pmap->satp = SATP_SV39 | (uint64_t)pmap->id << SATP_ASID_SHIFT |
		     virt_to_phys(root) >> PAGE_SHIFT;
	/* Of the identifier's last owner; and instructions of whoever had the frames. */
	pmap->stale = pmap->stale_code = UINT64_MAX;
	return 0;
}

#define EVERYTHING (~(pte_t)0)

/* The first entry from `entry` on with any of the bits, or `end`. Most of most tables is empty. */
static pte_t *skip_without(pte_t bits, pte_t *entry, pte_t *end)
{
	for (; end - entry >= 8; entry += 8)
		if ((entry[0] | entry[1] | entry[2] | entry[3] | entry[4] | entry[5] | entry[6] |
			    entry[7]) &
			bits)
			break;
	while (entry < end && !(*entry & bits))
		entry++;
	return entry;
}

/* --- Tables of level 1 ------------------------------------------------------------------------ */

/* Something is about to be entered in this slot of the table in that slot of the root. */
static void note_slot(struct pmap *pmap, unsigned root_slot, unsigned slot)
{
	struct pmap_middle *m = pmap->middles, *end = m + pmap->n_middles;

	if (pmap->n_middles > PMAP_MIDDLES)
		return;
	while (m < end && m->root_slot != root_slot)
		m++;
	if (m == end) {
		if (pmap->n_middles++ == PMAP_MIDDLES)
			return;
		*m = (struct pmap_middle){root_slot, slot, slot};
	}
	if (slot < m->first)
		m->first = (uint16_t)slot;
	if (slot > m->last)
		m->last = (uint16_t)slot;
}

/* The first table of level 1 in this slot of the root or behind it. False: there is none. */
static bool next_middle(const struct pmap *pmap, unsigned root_slot, struct pmap_middle *out)
{
	const struct pmap_middle *m = pmap->middles;
	unsigned found = USER_ROOT_SLOTS;

	if (pmap->n_middles <= PMAP_MIDDLES) {
		for (unsigned i = 0; i < pmap->n_middles; i++)
			if (m[i].root_slot >= root_slot && m[i].root_slot < found) {
				*out = m[i];
				found = m[i].root_slot;
			}
	} else {
		found = (unsigned)(skip_without(EVERYTHING, pmap->root + root_slot,
					   pmap->root + USER_ROOT_SLOTS) -
				   pmap->root);
		*out = (struct pmap_middle){(uint16_t)found, 0, TABLE_SLOTS - 1};
	}
	return found < USER_ROOT_SLOTS;
}

/* Free the table, with what is below it. */
static void free_middle(struct pmap *pmap, const struct pmap_middle *m)
{
	pte_t *table = pte_table(pmap->root[m->root_slot]), *end = table + m->last + 1;

	for (pte_t *entry = table + m->first; entry < end; entry++) {
		entry = skip_without(EVERYTHING, entry, end);
		if (entry == end)
			break;
		if (pte_has_table(*entry))
			pmap_table_free(pte_pa(*entry));
		*entry = 0;
	}
	pmap_free_clean_table(table);
	pmap->root[m->root_slot] = 0;
}

void pmap_fini(struct pmap *pmap)
{
	struct pmap_middle m;

	for (unsigned slot = 0; next_middle(pmap, slot, &m); slot = m.root_slot + 1u)
		free_middle(pmap, &m);
	pmap_free_clean_root(pmap->root);
	tlb_id_free(pmap->id);
	pmap->root = NULL;
}

/* --- Entries ---------------------------------------------------------------------------------- */

/* Take bits from an entry. The hardware may set A or D meanwhile: D goes with W. */
static void pte_clear(pte_t *entry, pte_t bits)
{
	__atomic_fetch_and(entry, ~bits, __ATOMIC_RELAXED);
}

/* Hang a suspended table in again. */
static void resume(pte_t *entry)
{
	pte_t lost = PTE_RIGHTS & ~*entry, *table = pte_table(*entry);

	for (pte_t *end = table + TABLE_SLOTS; (table = skip_without(lost, table, end)) < end;)
		pte_clear(table++, lost);
	pte_set(entry, pte_make(pte_pa(*entry), PTE_V));
}

/* Put a table that translates the same in the place of a large leaf. False: no memory for one. */
static COLD bool split(pte_t *entry)
{
	pte_t *table = pmap_new_table(), page = *entry;

	if (!table)
		return false;
	for (unsigned slot = 0; slot < TABLE_SLOTS; slot++, page += pte_make(PAGE_SIZE, 0))
		table[slot] = page;
	pte_set(entry, pte_make(virt_to_phys(table), PTE_V));
	return true;
}

/* The entry for va at the level, making tables above it as needed; NULL: no memory for one. */
static COLD pte_t *entry_make(struct pmap *pmap, vaddr_t va, unsigned level)
{
	pte_t *entry = &pmap->root[SLOT(va, 2)];

	for (unsigned l = 2; l-- > level;) {
		if (pte_is_suspended(*entry)) {
			resume(entry);
		} else if (*entry && !pte_is_table(*entry)) {
			if (!split(entry))
				return NULL;
		} else if (!*entry) {
			pte_t *table = pmap_new_table();

			if (!table)
				return NULL;
			pte_set(entry, pte_make(virt_to_phys(table), PTE_V));
		}
		if (l == 1)
			note_slot(pmap, SLOT(va, 2), SLOT(va, 1));
		entry = &pte_table(*entry)[SLOT(va, l)];
	}
	return entry;
}

/* The entry of level 1 for va, or 0. */
static inline pte_t middle_entry(const struct pmap *pmap, vaddr_t va)
{
	pte_t root = pmap->root[SLOT(va, 2)];

	return pte_is_table(root) ? pte_get(&pte_table(root)[SLOT(va, 1)]) : 0;
}

/* The entry for the page, when all tables are there; else NULL. */
static inline pte_t *entry_below_root(struct pmap *pmap, vaddr_t va)
{
	pte_t middle = middle_entry(pmap, va);

	if (!pte_is_table(middle))
		return NULL;
	pmap->leaf = pte_table(middle);
	pmap->leaf_at = va >> LEVEL_SHIFT(1);
	return &pmap->leaf[SLOT(va, 0)];
}

/* The same, when the table is that of the last time, as it mostly is; else NULL. */
static inline pte_t *entry_of_page(const struct pmap *pmap, vaddr_t va)
{
	return va >> LEVEL_SHIFT(1) == pmap->leaf_at ? &pmap->leaf[SLOT(va, 0)] : NULL;
}

/* The same, whichever table it is. */
static inline pte_t *entry_if_there(struct pmap *pmap, vaddr_t va)
{
	pte_t *entry = entry_of_page(pmap, va);

	return entry ? entry : entry_below_root(pmap, va);
}

/* The same, making tables as needed; NULL: no memory for one. */
static inline pte_t *entry_for(struct pmap *pmap, vaddr_t va)
{
	pte_t *entry = entry_if_there(pmap, va);

	return entry ? entry : entry_make(pmap, va, 0);
}

/*
 * The lowest entry there is for va, and its level; suspended tables are looked into, and *rights is
 * what they leave.
 */
static pte_t *entry_find(const struct pmap *pmap, vaddr_t va, unsigned *level, pte_t *rights)
{
	pte_t *entry = &pmap->root[SLOT(va, 2)];

	*rights = PTE_RIGHTS;
	for (*level = 2; *level > 0 && pte_has_table(*entry); --*level) {
		if (pte_is_suspended(*entry))
			*rights = *entry & PTE_RIGHTS;
		entry = &pte_table(*entry)[SLOT(va, *level - 1)];
	}
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

/* What maps a page, or a large one. */
static inline pte_t page_pte(paddr_t pa, unsigned rights)
{
	return pte_make(pa, rights_bits(rights) | PTE_V | PTE_U | PTE_A);
}

static void fence_page(const struct pmap *pmap, vaddr_t va)
{
	if (space_of(arch_cpu()) == pmap)
		__asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"((uint64_t)pmap->id) : "memory");
}

/*
 * What is mapped was not found, for this hart remembers that it was not there: an entry, or a table
 * above it, which a fence by address need not reach.
 */
static void fence_absent(const struct pmap *pmap)
{
	if (space_of(arch_cpu()) == pmap)
		__asm__ volatile("sfence.vma x0, %0" ::"r"((uint64_t)pmap->id) : "memory");
}

static bool table_is_empty(pte_t *table)
{
	return skip_without(EVERYTHING, table, table + TABLE_SLOTS) == table + TABLE_SLOTS;
}

/* A large leaf is to take the place of a table: an empty one may go, once all harts forgot it. */
static COLD int give_up_table(struct pmap *pmap, vaddr_t va, pte_t *entry)
{
	struct tlb_batch batch = {.start = va, .end = va + LEVEL_BYTES(1)};
	pte_t *table = pte_table(*entry);

	if (!table_is_empty(table))
		return -EBUSY;
	batch.free_tables = virt_to_phys(table);
	batch.tables = true;
	pte_set(entry, 0);
	pmap->leaf_at = NO_LEAF;
	tlb_flush_locked(pmap, &batch);
	return 0;
}

/* The entry is no table's. */
static inline int enter_at(struct pmap *pmap, vaddr_t va, pte_t *entry, pte_t pte)
{
	pte_t old = *entry;

	if (!(old & PTE_V)) {
		pte_set(entry, pte);
		return 0;
	}
	if (pte_pa(old) != pte_pa(pte))
		return -EEXIST;
	/* Rights are only added: who takes them away notes that in a batch. */
	pte |= old & PTE_RIGHTS;
	if (pte == old) {
		fence_absent(pmap);
	} else {
		pte_set(entry, pte);
		fence_page(pmap, va);
	}
	return 0;
}

/* Does a large leaf translate va to this page, with these rights? */
static bool large_grants(const struct pmap *pmap, vaddr_t va, paddr_t pa, unsigned rights)
{
	unsigned level;
	pte_t left, pte = pte_get(entry_find(pmap, va, &level, &left));

	return level == 1 && pte & PTE_V && !pte_is_table(pte) && !(rights_bits(rights) & ~pte) &&
	       pte_pa(pte) + (va & (LEVEL_BYTES(1) - 1)) == pa;
}

static COLD int enter_anywhere(
	struct pmap *pmap, vaddr_t va, paddr_t pa, unsigned rights, unsigned order)
{
	bool large = order == PMAP_ORDER_LARGE;
	pte_t *entry;

	if (!large && large_grants(pmap, va, pa, rights)) {
		fence_absent(pmap);
		return 0;
	}
	entry = entry_make(pmap, va, large ? 1 : 0);
	if (!entry)
		return -ENOMEM;
	if (pte_has_table(*entry) && give_up_table(pmap, va, entry))
		return -EEXIST;
	return enter_at(pmap, va, entry, page_pte(pa, rights));
}

int pmap_enter(struct pmap *pmap, vaddr_t va, paddr_t pa, unsigned rights, unsigned order)
{
	pte_t *entry = entry_if_there(pmap, va);

	if (!entry || order != PMAP_ORDER_PAGE)
		return enter_anywhere(pmap, va, pa, rights, order);
	return enter_at(pmap, va, entry, page_pte(pa, rights));
}

/* Empty the entry of a page, which is valid, if no other hart has to be told. */
static inline bool empty_here(struct pmap *pmap, vaddr_t va, pte_t *entry)
{
	pte_t old = *entry;

	/* Who enters the space from here on finds nothing, or is seen. */
	pte_set(entry, 0);
	if (tlb_forget_here(pmap, va))
		return true;
	pte_set(entry, old);
	return false;
}

bool pmap_replace(struct pmap *pmap, vaddr_t va, paddr_t pa, unsigned rights)
{
	pte_t *entry = entry_if_there(pmap, va);

	if (!entry || !(*entry & PTE_V) || !empty_here(pmap, va, entry))
		return false;
	pte_set(entry, page_pte(pa, rights));
	return true;
}

bool pmap_remove_here(struct pmap *pmap, vaddr_t va)
{
	pte_t *entry = entry_if_there(pmap, va);

	return entry && (!(*entry & PTE_V) || empty_here(pmap, va, entry));
}

/* Fill an entry that is absent, while others may. False: it is not, or not any more. */
static inline bool fill_entry(pte_t *entry, pte_t pte)
{
	pte_t absent = 0;

	return __atomic_compare_exchange_n(
		entry, &absent, pte, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* Would note_slot() have nothing to write? */
static bool is_noted(const struct pmap *pmap, unsigned root_slot, unsigned slot)
{
	if (pmap->n_middles > PMAP_MIDDLES)
		return true;
	for (unsigned i = 0; i < pmap->n_middles; i++)
		if (pmap->middles[i].root_slot == root_slot)
			return pmap->middles[i].first <= slot && slot <= pmap->middles[i].last;
	return false;
}

/* Have a table of pages at va, where something of its surroundings was mapped before. */
static COLD void fill_table(const struct pmap *pmap, vaddr_t va)
{
	pte_t root = pmap->root[SLOT(va, 2)], *table;

	if (!pte_is_table(root) || !is_noted(pmap, SLOT(va, 2), SLOT(va, 1)))
		return;
	table = pmap_new_table();
	if (table &&
		!fill_entry(&pte_table(root)[SLOT(va, 1)], pte_make(virt_to_phys(table), PTE_V)))
		pmap_free_clean_table(table);
}

bool pmap_fill(const struct pmap *pmap, vaddr_t va, paddr_t pa, unsigned rights)
{
	pte_t middle = middle_entry(pmap, va);

	if (rights & PMAP_EXEC) /* the other harts would have to be told of code */
		return false;
	if (!middle) {
		fill_table(pmap, va);
		middle = middle_entry(pmap, va);
	}
	return pte_is_table(middle) &&
	       fill_entry(&pte_table(middle)[SLOT(va, 0)], page_pte(pa, rights));
}

int pmap_run_end(const struct pmap *pmap, vaddr_t va, unsigned rights)
{
	const pte_t *entry = entry_of_page(pmap, va);
	pte_t needed = rights_bits(rights) | PTE_V;
	bool below, above;

	if (!entry || SLOT(va, 0) < 2 || SLOT(va, 0) >= TABLE_SLOTS - 2)
		return 0;
	below = !(needed & ~entry[-1]);
	above = !(needed & ~entry[1]);
	if (below == above || needed & ~entry[below ? -2 : 2])
		return 0;
	return below ? 1 : -1;
}

/*
 * Some entries of the run, which are all valid, lack rights: those of the same frames get them. One
 * that lacks none is passed by, for to enter it again would forget all that this hart remembers.
 */
static COLD void raise_run(
	struct pmap *pmap, vaddr_t va, const uint32_t *frames, unsigned n, unsigned rights)
{
	pte_t *entry = entry_if_there(pmap, va), needed = rights_bits(rights);

	for (unsigned i = 0; i < n; i++, va += PAGE_SIZE) {
		if (frames[i] != PMAP_NO_FRAME && needed & ~entry[i])
			(void)enter_at(pmap, va, entry + i,
				page_pte((paddr_t)frames[i] << PAGE_SHIFT, rights));
	}
}

void pmap_enter_run(
	struct pmap *pmap, vaddr_t va, const uint32_t *frames, unsigned n, unsigned rights)
{
	pte_t *entry = entry_for(pmap, va);
	pte_t bits = rights_bits(rights) | PTE_V | PTE_U | PTE_A, granted = EVERYTHING;

	if (!entry)
		return;
	__atomic_thread_fence(__ATOMIC_RELEASE); /* as pte_set() has it for each */
	for (const uint32_t *frame = frames; frame < frames + n; frame++, entry++) {
		if (*frame == PMAP_NO_FRAME)
			continue;
		if (*entry & PTE_V) {
			granted &= *entry;
			continue;
		}
		__atomic_store_n(
			entry, pte_make((paddr_t)*frame << PAGE_SHIFT, bits), __ATOMIC_RELAXED);
	}
	if (bits & ~granted & ~PTE_A) /* that a neighbour was faulted for does not use a page */
		raise_run(pmap, va, frames, n, rights);
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

static void batch_cut_table(struct tlb_batch *batch, pte_t *entry)
{
	paddr_t table = pte_pa(*entry);

	pte_set(entry, 0);
	*(paddr_t *)phys_to_virt(table) = batch->free_tables;
	batch->free_tables = table;
	batch->tables = true;
}

/*
 * A walk that takes bits from the entries of [va, end): all of them, or some rights. It changes at
 * most `left` entries.
 */
struct sweep {
	struct pmap *pmap;
	struct tlb_batch *batch;
	vaddr_t va, end;
	unsigned left;
	pte_t lost;
};

static vaddr_t boundary(vaddr_t va, vaddr_t end, unsigned level)
{
	vaddr_t next = (va & -LEVEL_BYTES(level)) + LEVEL_BYTES(level);

	return next < end ? next : end;
}

static void sweep_pages(struct sweep *sweep, pte_t *table)
{
	vaddr_t base = sweep->va & -LEVEL_BYTES(1), stop = boundary(sweep->va, sweep->end, 1);
	pte_t *end = table + ((stop - base) >> PAGE_SHIFT), lost = sweep->lost;
	pte_t *first = skip_without(lost, &table[SLOT(sweep->va, 0)], end);
	pte_t *entry = first, *last = first;

	while (entry < end && sweep->left) {
		pte_clear(entry, lost);
		sweep->left--;
		last = entry + 1;
		entry = skip_without(lost, last, end);
	}
	sweep->va = base + (vaddr_t)(entry - table) * PAGE_SIZE;
	if (first < last)
		batch_add(sweep->batch, base + (vaddr_t)(first - table) * PAGE_SIZE,
			base + (vaddr_t)(last - table) * PAGE_SIZE);
}

/* The range covers all that the table of the entry translates. False: it needs no change. */
static bool sweep_table(struct sweep *sweep, pte_t *entry)
{
	pte_t kept = pte_is_table(*entry) ? PTE_RIGHTS : *entry & PTE_RIGHTS;

	sweep->pmap->leaf_at = NO_LEAF; /* it may be that one */
	if (sweep->lost == EVERYTHING) {
		batch_cut_table(sweep->batch, entry);
		return true;
	}
	if (!(kept & sweep->lost))
		return false;
	pte_set(entry, pte_make(pte_pa(*entry), (kept & ~sweep->lost) | PTE_SUSPENDED));
	sweep->batch->tables = true;
	return true;
}

/* An entry of level 1. */
static void sweep_large(struct sweep *sweep, pte_t *entry)
{
	vaddr_t va = sweep->va, next = boundary(va, sweep->end, 1);
	bool part = next - va < LEVEL_BYTES(1), changed;

	if (part && !pte_has_table(*entry) && *entry & sweep->lost)
		(void)split(entry);
	if (part && pte_has_table(*entry)) {
		sweep_pages(sweep, pte_table(*entry));
		return;
	}
	if (pte_has_table(*entry)) {
		changed = sweep_table(sweep, entry);
	} else {
		changed = *entry & sweep->lost;
		pte_clear(entry, sweep->lost);
	}
	sweep->va = next;
	if (!changed)
		return;
	va &= -LEVEL_BYTES(1);
	batch_add(sweep->batch, va, va + LEVEL_BYTES(1));
	sweep->left--;
}

/* What the sweep's range and the table of level 1 have in common. */
static void sweep_middle(struct sweep *sweep, const struct pmap_middle *m)
{
	pte_t *table = pte_table(sweep->pmap->root[m->root_slot]), *entry, *end;
	vaddr_t base = m->root_slot * LEVEL_BYTES(2), low = base + m->first * LEVEL_BYTES(1);
	vaddr_t high = base + (m->last + 1u) * LEVEL_BYTES(1);

	if (sweep->va < low)
		sweep->va = low;
	if (high > sweep->end)
		high = sweep->end;
	end = table + ((high - base + LEVEL_BYTES(1) - 1) >> LEVEL_SHIFT(1));
	while (sweep->va < high && sweep->left) {
		entry = skip_without(EVERYTHING, &table[SLOT(sweep->va, 1)], end);
		if (entry != &table[SLOT(sweep->va, 1)])
			sweep->va = base + (vaddr_t)(entry - table) * LEVEL_BYTES(1);
		if (entry < end)
			sweep_large(sweep, entry);
	}
	if (sweep->left) /* nothing else is in this table */
		sweep->va = boundary(base, sweep->end, 2);
}

static __attribute__((noinline)) vaddr_t sweep_tables(struct sweep *sweep)
{
	struct pmap_middle m;

	while (sweep->left && sweep->va < sweep->end) {
		if (!next_middle(sweep->pmap, SLOT(sweep->va, 2), &m))
			return sweep->end;
		sweep_middle(sweep, &m);
	}
	return sweep->va < sweep->end ? sweep->va : sweep->end;
}

static inline vaddr_t sweep_all(struct sweep *sweep)
{
	pte_t *entry = NULL;

	if (!((sweep->va ^ sweep->end) >> LEVEL_SHIFT(1))) /* part of what one table translates */
		entry = entry_if_there(sweep->pmap, sweep->va);
	if (!entry)
		return sweep_tables(sweep);
	sweep_pages(sweep, entry - SLOT(sweep->va, 0));
	return sweep->va;
}

vaddr_t pmap_remove(struct pmap *pmap, vaddr_t start, vaddr_t end, unsigned max_entries,
	struct tlb_batch *batch)
{
	struct sweep sweep = {pmap, batch, start, end, max_entries, EVERYTHING};

	return sweep_all(&sweep);
}

vaddr_t pmap_protect(struct pmap *pmap, vaddr_t start, vaddr_t end, unsigned rights,
	unsigned max_entries, struct tlb_batch *batch)
{
	pte_t lost = PTE_RIGHTS & ~rights_bits(rights);
	struct sweep sweep = {pmap, batch, start, end, max_entries, lost};

	return sweep_all(&sweep);
}

/* --- Moving ----------------------------------------------------------------------------------- */

/* Ranges of two tables, of the same length. */
struct move {
	struct pmap *pmap;
	struct tlb_batch *batch;
	vaddr_t from, to, end; /* of the first range */
	unsigned left;         /* entries that may go yet */
};

/* The entry of level 1 for va, or NULL: there is no table of level 1. */
static pte_t *entry_of_table(struct pmap *pmap, vaddr_t va)
{
	pte_t root = pmap->root[SLOT(va, 2)];

	return pte_is_table(root) ? &pte_table(root)[SLOT(va, 1)] : NULL;
}

/* Put a table, or a large leaf, at the new place; a table there is empty, and goes. */
static void move_whole(struct move *move, pte_t *from)
{
	pte_t *to = entry_make(move->pmap, move->to, 1), pte = *from;

	if (to && pte_has_table(*to))
		batch_cut_table(move->batch, to);
	if (to)
		pte_set(to, pte);
	if (!to && pte_has_table(pte))
		batch_cut_table(move->batch, from);
	else
		pte_set(from, 0);
	move->pmap->leaf_at = NO_LEAF;
	move->batch->tables |= pte_has_table(pte);
	batch_add(move->batch, move->from, move->from + LEVEL_BYTES(1));
	move->left--;
}

/* A large leaf of which a part is to move, and there is no memory for a table: it only goes. */
static void remove_large(struct move *move, pte_t *entry)
{
	vaddr_t base = move->from & -LEVEL_BYTES(1);

	pte_set(entry, 0);
	batch_add(move->batch, base, base + LEVEL_BYTES(1));
	move->left--;
}

/* Pages that lie in one table here and in one there. Returns the first that is left. */
static vaddr_t move_pages(struct move *move, vaddr_t stop)
{
	pte_t *from = entry_for(move->pmap, move->from), *entry;
	pte_t *end = from + ((stop - move->from) >> PAGE_SHIFT), *last = from, *to = NULL;
	pte_t *first = entry = skip_without(EVERYTHING, from, end);

	if (entry < end)
		to = entry_for(move->pmap, move->to);
	for (; entry < end && move->left; move->left--) {
		pte_t pte = __atomic_exchange_n(entry, 0, __ATOMIC_RELAXED);

		if (to)
			pte_set(to + (entry - from), pte);
		last = entry + 1;
		entry = skip_without(EVERYTHING, last, end);
	}
	if (first < last)
		batch_add(move->batch, move->from + (vaddr_t)(first - from) * PAGE_SIZE,
			move->from + (vaddr_t)(last - from) * PAGE_SIZE);
	return move->from + (vaddr_t)(entry - from) * PAGE_SIZE;
}

/* What one table has on both sides. Returns where to go on. */
static vaddr_t move_some(struct move *move)
{
	vaddr_t stop = boundary(move->from, move->end, 1), to_stop = move->to + (stop - move->from);
	pte_t *entry = entry_of_table(move->pmap, move->from);

	if (!entry || !*entry)
		return entry ? stop : boundary(move->from, move->end, 2);
	stop -= to_stop - boundary(move->to, to_stop, 1);
	if (stop - move->from == LEVEL_BYTES(1))
		move_whole(move, entry);
	else if (pte_has_table(*entry) || split(entry))
		return move_pages(move, stop);
	else
		remove_large(move, entry);
	return stop;
}

vaddr_t pmap_move(struct pmap *pmap, vaddr_t start, vaddr_t end, vaddr_t to, unsigned max_entries,
	struct tlb_batch *batch)
{
	struct move move = {pmap, batch, start, to, end, max_entries};

	while (move.from < end && move.left) {
		vaddr_t next = move_some(&move);

		move.to += next - move.from;
		move.from = next;
	}
	return move.from;
}

bool pmap_test_and_clear_used(struct pmap *pmap, vaddr_t va)
{
	unsigned level;
	pte_t rights, *entry = entry_find(pmap, va, &level, &rights);

	if (!(*entry & PTE_V) || pte_is_table(*entry))
		return false;
	return __atomic_fetch_and(entry, ~PTE_A, __ATOMIC_RELAXED) & PTE_A;
}

bool pmap_query(const struct pmap *pmap, vaddr_t va, paddr_t *pa, unsigned *rights)
{
	unsigned level;
	pte_t left, pte = pte_get(entry_find(pmap, va, &level, &left));

	if (!(pte & PTE_V) || pte_is_table(pte))
		return false;
	pte &= ~PTE_RIGHTS | left;
	*pa = pte_pa(pte) + (page_align_down(va) & (LEVEL_BYTES(level) - 1));
	*rights = (pte & PTE_R ? PMAP_READ : 0) | (pte & PTE_W ? PMAP_WRITE : 0) |
		  (pte & PTE_X ? PMAP_EXEC : 0);
	return true;
}

uint64_t pmap_entry(const struct pmap *pmap, vaddr_t va, unsigned *level)
{
	pte_t rights;

	return pte_get(entry_find(pmap, va, level, &rights));
}
