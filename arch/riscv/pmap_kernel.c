// SPDX-License-Identifier: MIT
/*
 * The kernel half: the direct map, device registers, and the region of kernel stacks.
 *
 * boot.S starts on a table of 1 GiB leaves with all rights. pmap_map_memory() and pmap_setup()
 * build the final one: leaves as large as fit, but pages where the image lies, since text, rodata
 * and data differ in rights.
 */
#include <arch/cpu.h>
#include <arch/firmware.h>
#include <errno.h>

#include "cpu_ids.h"
#include "pmap_impl.h"

/* A root slot is named by its index; the stack region is the last. */
#define DIRECT_SLOT 256
#define KSTACK_ROOT 511

pte_t pmap_boot_root[TABLE_SLOTS] __attribute__((aligned(4096), section(".bss.page_aligned")));
static pte_t kernel_root[TABLE_SLOTS] __attribute__((aligned(4096), section(".bss.page_aligned")));
static unsigned direct_slots; /* used from DIRECT_SLOT on */
static bool final;

extern const char __image_start[], __text_end[], __rodata_end[], __image_end[];

uint64_t pmap_kernel_satp;

paddr_t pmap_kernel_root(void)
{
	return virt_to_phys(kernel_root);
}

void pmap_copy_kernel_half(pte_t *root)
{
	final = true;
	for (unsigned i = DIRECT_SLOT; i < DIRECT_SLOT + direct_slots; i++)
		root[i] = kernel_root[i];
	root[KSTACK_ROOT] = kernel_root[KSTACK_ROOT];
}

static void no_memory(void)
{
	__builtin_trap(); /* at boot only, with nothing to print on yet */
}

static pte_t *kernel_table(pte_t *entry)
{
	pte_t *table;

	if (*entry)
		return pte_table(*entry);
	table = pmap_new_table();
	if (!table)
		no_memory();
	pte_set(entry, pte_make(virt_to_phys(table), PTE_V));
	return table;
}

/*
 * The entry of a physical address in the direct map's tables of this level;
 * NULL: a larger leaf has it.
 */
static pte_t *direct_entry(paddr_t pa, unsigned level)
{
	vaddr_t va = (vaddr_t)phys_to_virt(pa);
	pte_t *table = kernel_root;

	if (SLOT(va, 2) - DIRECT_SLOT >= direct_slots)
		direct_slots = SLOT(va, 2) - DIRECT_SLOT + 1;
	for (unsigned l = 2; l > level; l--) {
		if (table[SLOT(va, l)] & PTE_LEAF)
			return NULL;
		table = kernel_table(&table[SLOT(va, l)]);
	}
	return &table[SLOT(va, level)];
}

static pte_t image_rights(paddr_t pa)
{
	if (pa < virt_to_phys(__image_start) || pa >= virt_to_phys(__rodata_end))
		return PTE_KERNEL_RW;
	return pa < virt_to_phys(__text_end) ? PTE_KERNEL_RX : PTE_KERNEL_RO;
}

/* Does the leaf at pa of this level lie in [pa, end), aligned, without a part of the image? */
static bool leaf_fits(paddr_t pa, paddr_t end, unsigned level)
{
	paddr_t stop = pa + LEVEL_BYTES(level);

	if (level == 0)
		return true;
	return (pa & (LEVEL_BYTES(level) - 1)) == 0 && stop <= end &&
	       (stop <= virt_to_phys(__image_start) || pa >= virt_to_phys(__image_end));
}

/*
 * Leaves of this level up to `end`, as far as they fit and one table of them
 * goes: where it ended.
 */
static paddr_t map_run(paddr_t pa, paddr_t end, unsigned level)
{
	pte_t *entry = direct_entry(pa, level);

	if (!entry)
		return pa + LEVEL_BYTES(level);
	do {
		pte_set(entry++, pte_make(pa, image_rights(pa)));
		pa += LEVEL_BYTES(level);
	} while (SLOT(pa, level) && pa < end && leaf_fits(pa, end, level));
	return pa;
}

void pmap_map_memory(paddr_t start, paddr_t end)
{
	paddr_t pa = page_align_down(start);

	while (pa < end) {
		unsigned level = 2;

		while (!leaf_fits(pa, end, level))
			level--;
		pa = map_run(pa, end, level);
	}
}

/* 2 MiB where that lies inside and no page of it is mapped yet. */
static unsigned device_level(paddr_t pa, paddr_t end)
{
	vaddr_t va = (vaddr_t)phys_to_virt(pa);
	pte_t *table = kernel_table(&kernel_root[SLOT(va, 2)]);

	return leaf_fits(pa, end, 1) && !table[SLOT(va, 1)];
}

void *pmap_map_device(paddr_t pa, size_t bytes)
{
	paddr_t at = page_align_down(pa), end = page_align_up(pa + bytes);
	unsigned level;

	for (; at < end; at += LEVEL_BYTES(level)) {
		if (final && !kernel_root[SLOT((vaddr_t)phys_to_virt(at), 2)])
			return NULL;
		level = device_level(at, end);
		map_run(at, at + LEVEL_BYTES(level), level);
	}
	__asm__ volatile("sfence.vma" ::: "memory");
	return phys_to_virt(pa);
}

void pmap_setup(void)
{
	kernel_table(&kernel_root[KSTACK_ROOT]);
	pmap_kernel_satp = SATP_SV39 | pmap_kernel_root() >> PAGE_SHIFT;
	csr_write(satp, pmap_kernel_satp);
	__asm__ volatile("sfence.vma" ::: "memory");
	tlb_setup();
}

/* The page entry of a kernel stack address; NULL: no memory for its table. */
static pte_t *stack_entry(vaddr_t va)
{
	pte_t *large = &pte_table(kernel_root[KSTACK_ROOT])[SLOT(va, 1)];

	if (!*large) {
		pte_t *table = pmap_new_table();

		if (!table)
			return NULL;
		pte_set(large, pte_make(virt_to_phys(table), PTE_V));
	}
	return &pte_table(*large)[SLOT(va, 0)];
}

void pmap_kernel_fence(void)
{
	__asm__ volatile("sfence.vma" ::: "memory");
	firmware_remote_fence(cpu_started_mask & ~(1UL << arch_cpu()->index));
}

int pmap_kernel_map(vaddr_t va, paddr_t pa, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += PAGE_SIZE) {
		pte_t *entry = stack_entry(va + at);

		if (!entry)
			return -ENOMEM;
		pte_set(entry, pte_make(pa + at, PTE_KERNEL_RW));
	}
	return 0;
}

paddr_t pmap_kernel_unmap(vaddr_t va, size_t bytes)
{
	paddr_t pa = pte_pa(*stack_entry(va));

	for (size_t at = 0; at < bytes; at += PAGE_SIZE)
		pte_set(stack_entry(va + at), 0);
	return pa;
}
