// SPDX-License-Identifier: MIT
/*
 * Sv39 (Privileged Architecture 1.12, section 4.4), shared by the files of pmap.
 *
 * Three levels of tables of 512 entries: level 2 is the root and has 1 GiB a slot, level 1 has
 * 2 MiB, level 0 has pages. An entry with none of R, W, X points to the next table; its A, D and U
 * bits must be zero.
 */
#pragma once

#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/pmap.h>

typedef uint64_t pte_t;

#define PTE_V (1UL << 0)
#define PTE_R (1UL << 1)
#define PTE_W (1UL << 2)
#define PTE_X (1UL << 3)
#define PTE_U (1UL << 4)
#define PTE_G (1UL << 5)
#define PTE_A (1UL << 6)
#define PTE_D (1UL << 7)

/* Software's, of an invalid entry that keeps the address of a table: pmap.c. */
#define PTE_SUSPENDED (1UL << 8)

#define PTE_LEAF   (PTE_R | PTE_W | PTE_X)
#define PTE_RIGHTS (PTE_R | PTE_W | PTE_X | PTE_D)

#define PTE_KERNEL_RX (PTE_V | PTE_R | PTE_X | PTE_G | PTE_A)
#define PTE_KERNEL_RO (PTE_V | PTE_R | PTE_G | PTE_A)
#define PTE_KERNEL_RW (PTE_V | PTE_R | PTE_W | PTE_G | PTE_A | PTE_D)

#define TABLE_SLOTS        512
#define LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * (level))
#define LEVEL_BYTES(level) (1UL << LEVEL_SHIFT(level))
#define SLOT(va, level)    ((va) >> LEVEL_SHIFT(level) & (TABLE_SLOTS - 1))
#define USER_ROOT_SLOTS    256

static inline pte_t pte_make(paddr_t pa, uint64_t bits)
{
	return pa >> 2 | bits;
}

static inline paddr_t pte_pa(pte_t pte)
{
	return pte << 2 & ~PAGE_MASK & ((1UL << 56) - 1);
}

static inline bool pte_is_table(pte_t pte)
{
	return (pte & (PTE_V | PTE_LEAF)) == PTE_V;
}

static inline bool pte_is_suspended(pte_t pte)
{
	return pte & PTE_SUSPENDED;
}

static inline bool pte_has_table(pte_t pte)
{
	return pte_is_table(pte) || pte_is_suspended(pte);
}

/* Entries are read by the hardware at any time: one access each. */
static inline pte_t pte_get(const pte_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

static inline void pte_set(pte_t *entry, pte_t pte)
{
	__atomic_store_n(entry, pte, __ATOMIC_RELEASE);
}

static inline pte_t *pte_table(pte_t pte)
{
	return phys_to_virt(pte_pa(pte));
}

/* Locks for a few instructions, under which nothing else is taken. */
void tables_wait(void *lock); /* pmap_tables.c: until it is ours. For arch_call_rare() */

static inline uint64_t tables_lock(uint32_t *lock)
{
	uint64_t flags = irq_save();

	if (__builtin_expect(!lock_try_word(lock), 0))
		arch_call_rare(tables_wait, lock);
	return flags;
}

static inline void tables_unlock(uint32_t *lock, uint64_t flags)
{
	lock_give_word(lock);
	irq_restore(flags);
}

/* pmap_tables.c: an empty table, or one that has only the kernel's half; NULL: no memory. */
pte_t *pmap_new_table(void);
pte_t *pmap_new_root(void);
/* As they were when they were new. */
void pmap_free_clean_table(pte_t *table);
void pmap_free_clean_root(pte_t *root);

/* The kernel's root table; its upper half is copied into every root, whose user half is empty. */
paddr_t pmap_kernel_root(void);
extern uint64_t pmap_kernel_satp; /* for who is in no space */
void pmap_copy_kernel_half(pte_t *root);

/*
 * The entry for va has changed: as tlb_flush_here() for a batch of that page, also in that a hart
 * that is not in the space forgets it before it enters.
 */
bool tlb_forget_here(struct pmap *pmap, vaddr_t va);

/* tlb.c: in what a hart says about where it is, next to the space: it is aside. */
#define ASIDE 1UL

/* The space that the hart is in, or aside in; NULL: none. */
static inline struct pmap *space_of(const struct arch_cpu *cpu)
{
	return (struct pmap *)((uintptr_t)cpu->pmap & ~ASIDE);
}

/* What the rare ways of space_enter() do, for arch_call_rare(). */
void tlb_catch_up(void *pmap);

/* tlb.c has the protocol. Interrupts off. */
static inline void space_enter(struct arch_cpu *cpu, struct pmap *pmap)
{
	if (cpu->pmap == pmap)
		return;
	cpu->pmap = pmap; /* GCC's atomic stores are exchanges */
	if (pmap) {
		fence_full();
		csr_write(satp, pmap->satp);
		if (__atomic_load_n(&pmap->stale, __ATOMIC_RELAXED) & cpu->bit)
			arch_call_rare(tlb_catch_up, pmap);
	} else {
		csr_write(satp, pmap_kernel_satp);
	}
	fence_full();
	cpu->pmap_left = pmap;
}

/* tlb.c: identifiers. 0: none was left, and the space shares the one that is always flushed. */
uint32_t tlb_id_alloc(void);
void tlb_id_free(uint32_t id);
void tlb_setup(void);

/* tlb_flush() under the space's lock: spins where that sleeps. */
void tlb_flush_locked(struct pmap *pmap, struct tlb_batch *batch);
