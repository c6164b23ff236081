// SPDX-License-Identifier: MIT
/*
 * Table pages that are whole when a space ends: its root, and its tables of level 1.
 *
 * Who frees them has taken out what was entered, entry by entry, since he had to look at it; so
 * they are as good as new, the root with the kernel's half in it. Some are kept for the next space,
 * which neither zeroes nor copies anything. Tables of level 0 are freed without a look, and are not
 * kept.
 *
 * One that is kept is linked by its first word.
 */
#include <arch/cpu.h>
#include <string.h>

#include "pmap_impl.h"

#define KEEP 8 /* of each kind */

static uint32_t lock;
static struct kept {
	pte_t *first; /* [lock] */
	unsigned n;   /* [lock] */
} tables, roots;

void tables_wait(void *word)
{
	uint32_t *held = word;
	unsigned turns = 0;

	do {
		while (__atomic_load_n(held, __ATOMIC_RELAXED))
			pmap_backoff(&turns);
	} while (!lock_try_word(held));
}

static pte_t *take(struct kept *kept)
{
	uint64_t flags = tables_lock(&lock);
	pte_t *table = kept->first;

	if (table) {
		kept->first = (pte_t *)table[0];
		kept->n--;
		table[0] = 0;
	}
	tables_unlock(&lock, flags);
	return table;
}

static void keep(struct kept *kept, pte_t *table)
{
	uint64_t flags = tables_lock(&lock);
	bool room = kept->n < KEEP;

	if (room) {
		table[0] = (pte_t)kept->first;
		kept->first = table;
		kept->n++;
	}
	tables_unlock(&lock, flags);
	if (!room)
		pmap_table_free(virt_to_phys(table));
}

static pte_t *zeroed(void)
{
	paddr_t pa = pmap_table_alloc();

	return pa ? memset(phys_to_virt(pa), 0, PAGE_SIZE) : NULL;
}

pte_t *pmap_new_table(void)
{
	pte_t *table = take(&tables);

	return table ? table : zeroed();
}

pte_t *pmap_new_root(void)
{
	pte_t *root = take(&roots);

	if (root)
		return root;
	root = zeroed();
	if (root)
		pmap_copy_kernel_half(root);
	return root;
}

void pmap_free_clean_table(pte_t *table)
{
	keep(&tables, table);
}

void pmap_free_clean_root(pte_t *root)
{
	keep(&roots, root);
}

size_t pmap_tables_kept(void)
{
	return __atomic_load_n(&tables.n, __ATOMIC_RELAXED) +
	       __atomic_load_n(&roots.n, __ATOMIC_RELAXED);
}

void pmap_shrink(void)
{
	pte_t *table;

	while ((table = take(&tables)) || (table = take(&roots)))
		pmap_table_free(virt_to_phys(table));
}
