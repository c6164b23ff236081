// SPDX-License-Identifier: MIT
/*
 * Kernel stacks.
 *
 * A stack is a slot of the stack region, whose lower half is never mapped: its guard. A dead
 * thread's stack stays mapped and goes to a list, from which the next thread takes it, so that no
 * thread's end unmaps anything. When memory runs short the list is cut back.
 *
 * Mapping is a fence on all harts, which may take long where harts are threads of a busy host; so
 * is unmapping. Both are done for some stacks at a time, and mapping without the lock: who else
 * starts a thread meanwhile need not wait.
 */
#include <arch/pmap.h>
#include <kernel/frames.h>
#include <kernel/panic.h>
#include <kernel/thread.h>
#include <string.h>

#include "sched.h"

#define KEEP     16                 /* free stacks that are not given back */
#define MAPPED   8                  /* with one fence */
#define UNMAPPED 16                 /* likewise */
#define SPARE    (KSTACK_BYTES / 2) /* that threads leave unused */
#define WORDS    (KSTACK_SLOTS / 64)

/* [s]: lock. A stack that is free has the next one in its top word. */
static struct spinlock lock = SPINLOCK_INIT("kernel stacks", RANK_KSTACK);
static vaddr_t free_stacks;    /* [s] stack tops */
static unsigned n_free;        /* [s] */
static unsigned n_mapped;      /* [s] read without it as a hint */
static uint64_t mapped[WORDS]; /* [s] a bit a slot */

#ifdef MAPACHE_DEBUG
/* A new stack is zero and never cleared again: what is not was used by one of its threads. */
static void mark_unused(paddr_t stack)
{
	memset(phys_to_virt(stack), 0, KSTACK_BYTES);
}

void kstack_check(vaddr_t top)
{
	vaddr_t bottom = top - KSTACK_BYTES, at = bottom;

	while (at < top && !*(const uint64_t *)at)
		at += sizeof(uint64_t);
	if (at - bottom < SPARE)
		panic("kernel stack: %lu bytes were used, only %lu are left", top - at,
			at - bottom);
}
#else
static void mark_unused(paddr_t stack)
{
	(void)stack;
}
#endif

static vaddr_t *link_of(vaddr_t top)
{
	return (vaddr_t *)top - 1;
}

static vaddr_t bottom_of(unsigned slot)
{
	return KSTACK_BASE + slot * KSTACK_SLOT + KSTACK_BYTES;
}

/* The first slot that is not mapped; KSTACK_SLOTS: there is none. */
static unsigned free_slot(void)
{
	unsigned slot = 0;

	while (slot < KSTACK_SLOTS && mapped[slot / 64] == ~0UL)
		slot += 64;
	while (slot < KSTACK_SLOTS && mapped[slot / 64] >> slot % 64 & 1)
		slot++;
	return slot;
}

static void count_slot(unsigned slot, int one)
{
	mapped[slot / 64] ^= 1UL << slot % 64;
	__atomic_store_n(&n_mapped, n_mapped + (unsigned)one, __ATOMIC_RELAXED);
}

/* One more, of which not all harts know yet.  Locked. */
static vaddr_t stack_new(void)
{
	unsigned slot = free_slot();
	paddr_t pa = slot < KSTACK_SLOTS ? frame_alloc(KSTACK_ORDER) : 0;

	if (!pa)
		return 0;
	if (pmap_kernel_map(bottom_of(slot), pa, KSTACK_BYTES)) {
		frame_free(pa, KSTACK_ORDER);
		return 0;
	}
	count_slot(slot, 1);
	mark_unused(pa);
	return bottom_of(slot) + KSTACK_BYTES;
}

/* Locked. */
static vaddr_t take_free(void)
{
	vaddr_t top = free_stacks;

	free_stacks = *link_of(top);
	n_free--;
	return top;
}

/* One of some more, or 0; the others are free.  Interrupts off. */
static vaddr_t map_some(void)
{
	vaddr_t tops[MAPPED];
	unsigned n = 0;

	spin_lock(&lock);
	while (n < MAPPED && (n == 0 || !frames_low()) && (tops[n] = stack_new()))
		n++;
	spin_unlock(&lock);
	if (n == 0)
		return 0;
	pmap_kernel_fence();
	while (n > 1)
		kstack_free(tops[--n]);
	return tops[0];
}

vaddr_t kstack_alloc(void)
{
	uint64_t flags = irq_save();
	vaddr_t top = 0;

	spin_lock(&lock);
	if (n_free)
		top = take_free();
	spin_unlock(&lock);
	if (!top)
		top = map_some();
	irq_restore(flags);
	return top;
}

void kstack_free(vaddr_t top)
{
	uint64_t flags = spin_lock_irqsave(&lock);

	*link_of(top) = free_stacks;
	free_stacks = top;
	n_free++;
	spin_unlock_irqrestore(&lock, flags);
}

/*
 * Locked: unmap some, of which no hart knows any more when it returns. How
 * many, and their frames.
 */
static unsigned unmap_some(paddr_t frames[UNMAPPED])
{
	unsigned n = 0;

	for (; n < UNMAPPED && n_free > KEEP; n++) {
		vaddr_t bottom = take_free() - KSTACK_BYTES;
		frames[n] = pmap_kernel_unmap(bottom, KSTACK_BYTES);
		count_slot((unsigned)((bottom - KSTACK_BASE) / KSTACK_SLOT), -1);
	}
	if (n)
		pmap_kernel_fence();
	return n;
}

void kstack_shrink(void)
{
	paddr_t frames[UNMAPPED];
	unsigned n;

	do {
		uint64_t flags = spin_lock_irqsave(&lock);
		n = unmap_some(frames);
		spin_unlock_irqrestore(&lock, flags);
		for (unsigned i = 0; i < n; i++)
			frame_free(frames[i], KSTACK_ORDER);
	} while (n == UNMAPPED);
}

size_t kstack_bytes(void)
{
	return __atomic_load_n(&n_mapped, __ATOMIC_RELAXED) * KSTACK_BYTES;
}
