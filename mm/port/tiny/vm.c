// SPDX-License-Identifier: MIT
#include "vm.h"

#include "console.h"
#include "kalloc.h"

#define SLOT(va, level) ((va) >> (12 + 9 * (level)) & 511)

pte_t *kernel_table;

static pte_t *table_of(pte_t entry)
{
	return (pte_t *)((uint64_t)PTE_FRAME(entry) * PAGE_BYTES);
}

pte_t *uvm_create(void)
{
	pte_t *table = kzalloc();

	if (table)
		table[SLOT(KERNEL_BASE, 2)] =
			PTE_OF(KERNEL_BASE / PAGE_BYTES) | PTE_RIGHTS | PTE_A | PTE_D | PTE_V;
	return table;
}

void kvm_init(void)
{
	kernel_table = uvm_create();
}

pte_t *walk(pte_t *table, uint64_t va, bool make)
{
	if (va >= KERNEL_BASE)
		panic("walk: not an address of users");
	for (int level = 2; level > 0; level--) {
		pte_t *entry = &table[SLOT(va, level)];

		if (!(*entry & PTE_V)) {
			pte_t *below = make ? kzalloc() : 0;

			if (!below)
				return 0;
			*entry = PTE_OF((uint64_t)below / PAGE_BYTES) | PTE_V;
		}
		table = table_of(*entry);
	}
	return &table[SLOT(va, 0)];
}

static void free_walk(pte_t *table, int level)
{
	for (unsigned i = 0; i < 512; i++) {
		if (table[i] & PTE_V && level == 0)
			panic("free_walk: a page is still mapped");
		if (table[i] & PTE_V && !(table[i] & PTE_RIGHTS))
			free_walk(table_of(table[i]), level - 1);
	}
	kfree(table);
}

void uvm_free(pte_t *table)
{
	free_walk(table, 2);
}

void use_table(pte_t *table)
{
	csr_write(satp, SATP_SV39 | (uint64_t)table / PAGE_BYTES);
	sfence_vma();
}
