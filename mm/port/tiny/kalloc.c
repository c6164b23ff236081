// SPDX-License-Identifier: MIT
#include "kalloc.h"

#include "console.h"
#include "riscv.h"
#include "spinlock.h"

#include <stdint.h>

#define JUNK 0x6b

static char memory[N_FRAMES][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

struct run {
	struct run *next;
};

static struct {
	struct spinlock lock;
	struct run *free;
	size_t count;
} kmem;

void kinit(void)
{
	for (size_t i = 0; i < N_FRAMES; i++)
		kfree(memory[i]);
}

void *kalloc(void)
{
	struct run *run;

	acquire(&kmem.lock);
	run = kmem.free;
	if (run) {
		kmem.free = run->next;
		kmem.count--;
	}
	release(&kmem.lock);
	return run;
}

void *kzalloc(void)
{
	void *page = kalloc();

	return page ? __builtin_memset(page, 0, PAGE_BYTES) : NULL;
}

/* Whoever still reads the page finds junk. */
void kfree(void *page)
{
	struct run *run = page;

	if ((uintptr_t)page % PAGE_BYTES || (char *)page < memory[0] ||
		(char *)page >= memory[N_FRAMES])
		panic("kfree: not a page of ours");
	__builtin_memset(page, JUNK, PAGE_BYTES);
	acquire(&kmem.lock);
	run->next = kmem.free;
	kmem.free = run;
	kmem.count++;
	release(&kmem.lock);
}

size_t kfree_count(void)
{
	return __atomic_load_n(&kmem.count, __ATOMIC_RELAXED);
}
