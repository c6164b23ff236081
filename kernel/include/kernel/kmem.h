// SPDX-License-Identifier: MIT
/*
 * Kernel memory: caches of equal objects (Bonwick, "The Slab Allocator", USENIX 1994, with free
 * lists a hart instead of his constructors), and kmalloc() on top.
 *
 * Any context but interrupts where noted; never sleeps and never reclaims: NULL means that there is
 * no memory now. Takes locks of RANK_KMEM and above.
 */
#pragma once

#include <arch/types.h>
#include <kernel/lock.h>

struct kmem_slab;

/* Objects of one hart that are free: touched by that hart with interrupts off. */
struct kmem_hart {
	void *free;
	uint32_t count;
	uint64_t allocs, frees;
} __attribute__((aligned(64))); /* no two harts' share a cache line */

struct kmem_cache {
	const char *name;          /* [I] */
	uint32_t size;             /* [I] bytes an object, rounded up to 16 */
	uint32_t per_slab;         /* [I] */
	struct spinlock lock;      /* RANK_KMEM */
	struct kmem_slab *partial; /* [lock] slabs with a free object */
	uint64_t slabs;            /* [lock] */
	struct kmem_cache *next;   /* list of all caches */
	struct kmem_hart harts[MAX_HARTS];
};

/* Make a cache of objects of `size` bytes, at most KMEM_MAX_OBJECT; alignment 8, or 64 from 64 up.
 */
#define KMEM_MAX_OBJECT 2016
void kmem_cache_init(struct kmem_cache *cache, const char *name, size_t size);
void *kmem_cache_alloc(struct kmem_cache *cache) __attribute__((malloc));
void *kmem_cache_zalloc(struct kmem_cache *cache) __attribute__((malloc));
/* NULL is allowed. */
void kmem_cache_free(struct kmem_cache *cache, void *object);

void kmem_init(void);

/* Any size up to 2^FRAME_MAX_ORDER pages; aligned to 16, to a page from one page up. */
void *kmalloc(size_t bytes) __attribute__((malloc, alloc_size(1)));
void *kzalloc(size_t bytes) __attribute__((malloc, alloc_size(1)));
/* n objects of size bytes, zeroed; NULL also when the product overflows. */
void *kcalloc(size_t n, size_t size) __attribute__((malloc, alloc_size(1, 2)));
void kfree(void *p);

/* Give cached free slabs back to the frame allocator: before counting frames. */
void kmem_trim(void);

/* Objects handed out and not yet freed, of one cache and of all (leak checks of the tests). */
uint64_t kmem_cache_live(const struct kmem_cache *cache);
uint64_t kmem_live(void);
/* Each cache in turn; NULL begins and ends. */
struct kmem_cache *kmem_cache_next(struct kmem_cache *prev);
