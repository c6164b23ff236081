// SPDX-License-Identifier: MIT
/*
 * Slabs: a frame cut into objects of one cache, its header at the front. A cache lists the slabs
 * that have free objects. Each hart keeps some free objects of each cache for itself and trades
 * with the slabs in batches.
 *
 * An object is never page aligned, as the header comes first; so a page-aligned pointer given to
 * kfree() is a block of frames, whose order the frame allocator knows.
 */
#include <arch/layout.h>
#include <kernel/cpu.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/poison.h>
#include <string.h>

#define ALIGN        16
#define HART_OBJECTS 32 /* most free objects that a hart keeps of one cache */

struct kmem_slab {
	struct kmem_cache *cache;
	struct kmem_slab *next, *prev; /* [cache lock] in the partial list */
	void *free;                    /* [cache lock] objects, linked by their first word */
	uint32_t used;                 /* [cache lock] objects not free here */
} __attribute__((aligned(64)));

static struct spinlock caches_lock = SPINLOCK_INIT("kmem caches", RANK_KMEM);
static struct kmem_cache *caches;

/* These divide the 4,032 bytes behind a slab's header with little waste. */
static const uint16_t class_bytes[] = {
	16, 32, 48, 64, 96, 128, 160, 192, 256, 320, 448, 672, 1008, 1344, KMEM_MAX_OBJECT};
#define N_CLASSES (sizeof(class_bytes) / sizeof(class_bytes[0]))
static const char *const class_names[N_CLASSES] = {"kmalloc-16", "kmalloc-32", "kmalloc-48",
	"kmalloc-64", "kmalloc-96", "kmalloc-128", "kmalloc-160", "kmalloc-192", "kmalloc-256",
	"kmalloc-320", "kmalloc-448", "kmalloc-672", "kmalloc-1008", "kmalloc-1344",
	"kmalloc-2016"};
static struct kmem_cache classes[N_CLASSES];
static uint8_t class_of[KMEM_MAX_OBJECT / ALIGN + 1]; /* by size in units of ALIGN */
static uint64_t big_live;

static struct kmem_slab *slab_of(void *object)
{
	return (struct kmem_slab *)page_align_down((vaddr_t)object);
}

static void partial_add(struct kmem_cache *cache, struct kmem_slab *slab)
{
	slab->prev = NULL;
	slab->next = cache->partial;
	if (slab->next)
		slab->next->prev = slab;
	cache->partial = slab;
}

static void partial_remove(struct kmem_cache *cache, struct kmem_slab *slab)
{
	if (slab->prev)
		slab->prev->next = slab->next;
	else
		cache->partial = slab->next;
	if (slab->next)
		slab->next->prev = slab->prev;
}

static bool slab_new(struct kmem_cache *cache)
{
	paddr_t pa = frame_alloc(0);
	struct kmem_slab *slab;
	char *object;

	if (!pa)
		return false;
	slab = phys_to_virt(pa);
	poison(slab, PAGE_SIZE);
	*slab = (struct kmem_slab){.cache = cache};
	object = (char *)(slab + 1) + (size_t)cache->per_slab * cache->size;
	for (uint32_t i = 0; i < cache->per_slab; i++) {
		object -= cache->size;
		*(void **)object = slab->free;
		slab->free = object;
	}
	partial_add(cache, slab);
	cache->slabs++;
	return true;
}

/* Up to HART_OBJECTS / 2 objects for this hart. Interrupts off. */
static void refill(struct kmem_cache *cache, struct kmem_hart *hart)
{
	spin_lock(&cache->lock);
	while (hart->count < HART_OBJECTS / 2 && (cache->partial || slab_new(cache))) {
		struct kmem_slab *slab = cache->partial;
		void *object = slab->free;

		slab->free = *(void **)object;
		slab->used++;
		if (!slab->free)
			partial_remove(cache, slab);
		*(void **)object = hart->free;
		hart->free = object;
		hart->count++;
	}
	spin_unlock(&cache->lock);
}

static void object_return(struct kmem_cache *cache, void *object)
{
	struct kmem_slab *slab = slab_of(object);

	if (!slab->free)
		partial_add(cache, slab);
	*(void **)object = slab->free;
	slab->free = object;
	if (--slab->used == 0) {
		partial_remove(cache, slab);
		cache->slabs--;
		frame_free(virt_to_phys(slab), 0);
	}
}

/* Give objects of this hart back until `keep` are left. Interrupts off. */
static void drain(struct kmem_cache *cache, struct kmem_hart *hart, uint32_t keep)
{
	spin_lock(&cache->lock);
	while (hart->count > keep) {
		void *object = hart->free;

		hart->free = *(void **)object;
		hart->count--;
		object_return(cache, object);
	}
	spin_unlock(&cache->lock);
}

/* Interrupts off. */
static inline void *take_object(struct kmem_hart *hart)
{
	void *object = hart->free;

	hart->free = *(void **)object;
	hart->count--;
	hart->allocs++;
	return object;
}

static inline void put_object(struct kmem_hart *hart, void *object)
{
	*(void **)object = hart->free;
	hart->free = object;
	hart->count++;
	hart->frees++;
}

static __attribute__((noinline)) void *alloc_slowly(
	struct kmem_cache *cache, struct kmem_hart *hart, uint64_t flags)
{
	void *object;

	refill(cache, hart);
	object = hart->free ? take_object(hart) : NULL;
	irq_restore(flags);
	return object;
}

void *kmem_cache_alloc(struct kmem_cache *cache)
{
	uint64_t flags = irq_save();
	struct kmem_hart *hart = &cache->harts[arch_cpu()->index];
	void *object;

	if (!hart->free)
		return alloc_slowly(cache, hart, flags);
	object = take_object(hart);
	irq_restore(flags);
	return object;
}

void *kmem_cache_zalloc(struct kmem_cache *cache)
{
	void *object = kmem_cache_alloc(cache);

	return object ? memset(object, 0, cache->size) : NULL;
}

static __attribute__((noinline)) void free_slowly(
	struct kmem_cache *cache, struct kmem_hart *hart, void *object, uint64_t flags)
{
	drain(cache, hart, HART_OBJECTS / 2);
	put_object(hart, object);
	irq_restore(flags);
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	struct kmem_hart *hart;
	uint64_t flags;

	if (!object)
		return;
	DEBUG_ASSERT(slab_of(object)->cache == cache);
	poison(object, cache->size);
	flags = irq_save();
	hart = &cache->harts[arch_cpu()->index];
	if (hart->count >= HART_OBJECTS) {
		free_slowly(cache, hart, object, flags);
		return;
	}
	put_object(hart, object);
	irq_restore(flags);
}

void kmem_cache_init(struct kmem_cache *cache, const char *name, size_t size)
{
	uint64_t flags;

	ASSERT(size > 0 && size <= KMEM_MAX_OBJECT);
	*cache = (struct kmem_cache){.name = name};
	cache->size = (uint32_t)((size + ALIGN - 1) & ~(size_t)(ALIGN - 1));
	cache->per_slab = (uint32_t)((PAGE_SIZE - sizeof(struct kmem_slab)) / cache->size);
	spin_init(&cache->lock, name, RANK_KMEM);
	flags = spin_lock_irqsave(&caches_lock);
	cache->next = caches;
	caches = cache;
	spin_unlock_irqrestore(&caches_lock, flags);
}

void kmem_init(void)
{
	unsigned class = 0;

	for (unsigned i = 0; i < N_CLASSES; i++)
		kmem_cache_init(&classes[i], class_names[i], class_bytes[i]);
	for (unsigned i = 0; i <= KMEM_MAX_OBJECT / ALIGN; i++) {
		if (i * ALIGN > class_bytes[class])
			class ++;
		class_of[i] = (uint8_t) class;
	}
}

static void *big_alloc(size_t bytes)
{
	unsigned order = 0;
	paddr_t pa;

	while (order <= FRAME_MAX_ORDER && PAGE_SIZE << order < bytes)
		order++;
	pa = frame_alloc(order);
	if (!pa)
		return NULL;
	__atomic_fetch_add(&big_live, 1, __ATOMIC_RELAXED);
	poison(phys_to_virt(pa), PAGE_SIZE << order);
	return phys_to_virt(pa);
}

void *kmalloc(size_t bytes)
{
	if (bytes > KMEM_MAX_OBJECT)
		return big_alloc(bytes);
	return kmem_cache_alloc(&classes[class_of[(bytes + ALIGN - 1) / ALIGN]]);
}

void *kzalloc(size_t bytes)
{
	void *p = kmalloc(bytes);

	return p ? memset(p, 0, bytes) : NULL;
}

void *kcalloc(size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : kzalloc(bytes);
}

void kfree(void *p)
{
	if (!p)
		return;
	if ((vaddr_t)p & PAGE_MASK) {
		kmem_cache_free(slab_of(p)->cache, p);
		return;
	}
	frame_free(virt_to_phys(p), frame_order(virt_to_phys(p)));
	__atomic_fetch_sub(&big_live, 1, __ATOMIC_RELAXED);
}

static void trim_this_hart(void *unused)
{
	(void)unused;
	for (struct kmem_cache *cache = caches; cache; cache = cache->next)
		drain(cache, &cache->harts[arch_cpu()->index], 0);
}

void kmem_trim(void)
{
	uint64_t flags = irq_save();

	trim_this_hart(NULL);
	irq_restore(flags);
	cpu_call_others(trim_this_hart, NULL);
}

uint64_t kmem_cache_live(const struct kmem_cache *cache)
{
	uint64_t live = 0;

	for (unsigned i = 0; i < MAX_HARTS; i++)
		live += cache->harts[i].allocs - cache->harts[i].frees;
	return live;
}

uint64_t kmem_live(void)
{
	uint64_t live = big_live;

	for (struct kmem_cache *cache = caches; cache; cache = cache->next)
		live += kmem_cache_live(cache);
	return live;
}

struct kmem_cache *kmem_cache_next(struct kmem_cache *prev)
{
	return prev ? prev->next : caches;
}
