// SPDX-License-Identifier: MIT
/*
 * The buddy allocator (Knowlton 1965), with a frontier.
 *
 * Memory is a handful of ranges. In each, what lies below the frontier is managed: every block of
 * 2^order frames that is free is in the list of its order, linked through its own first words, and
 * the state byte of its first frame says so. What lies above has never been touched, its state
 * bytes included. When the lists have nothing that is large enough, the next chunk of 2^MAX_ORDER
 * frames crosses the frontier. So a boot on 16 GiB does what one on 64 MiB does.
 *
 * State bytes, one a frame: free head of a block, allocated head of a block, in a hart's cache, or
 * neither. A block's buddy may be merged with it if its byte says that it is a free head of the
 * same order; bytes of chunks are made when the chunk crosses the frontier, those of the chunks at
 * a range's ends, where frames may belong to nobody, at boot.
 *
 * Single frames, nearly all of the traffic, come from a small cache of the hart, with interrupts
 * off as the only lock.
 */
#include <arch/pmap.h>
#include <kernel/cpu.h>
#include <kernel/frames.h>
#include <kernel/panic.h>
#include <string.h>

#define CHUNK_BYTES (PAGE_SIZE << FRAME_MAX_ORDER)

#define STATE_FREE   0x80 /* | order: first frame of a free block */
#define STATE_USED   0x40 /* | order: first frame of an allocated block */
#define STATE_CACHED 0x20 /* in a hart's cache */
#define STATE_NONE   0

#define MAX_RANGES        8
#define CACHE_SLOTS       64
#define CACHE_BATCH_ORDER 5
#define CACHE_BATCH       (1u << CACHE_BATCH_ORDER)

struct range {
	paddr_t start, end; /* [I] after frames_init() */
	paddr_t frontier;   /* [lock] */
};

struct free_block {
	struct free_block *next, *prev;
};

static struct {
	struct spinlock lock;
	struct range ranges[MAX_RANGES]; /* [lock] */
	unsigned n_ranges;
	struct range reserved[MAX_RANGES]; /* boot only */
	unsigned n_reserved;
	paddr_t base;                                 /* [I] of state[0] */
	uint8_t *state;                               /* [lock], CACHED by its hart */
	struct free_block *free[FRAME_MAX_ORDER + 1]; /* [lock] */
	size_t total;                                 /* [I] after boot */
} frames = {.lock = SPINLOCK_INIT("frames", RANK_FRAMES)};

struct frames_stock frames_stock;

static struct frame_cache {
	uint32_t count;
	uint32_t frame[CACHE_SLOTS];
} __attribute__((aligned(512))) caches[MAX_HARTS]; /* so that a hart's is found by a shift */

/*
 * The hart's own; interrupts are off.  As a value: else the compiler would work it out again at
 * each use.
 */
static inline struct frame_cache *this_cache(void)
{
	struct frame_cache *cache = &caches[arch_cpu()->index];

	__asm__("" : "+r"(cache));
	return cache;
}

static uint8_t *state_of(paddr_t pa)
{
	return &frames.state[(pa - frames.base) >> PAGE_SHIFT];
}

static void list_add(paddr_t pa, unsigned order)
{
	struct free_block *block = phys_to_virt(pa);

	block->prev = NULL;
	block->next = frames.free[order];
	if (block->next)
		block->next->prev = block;
	frames.free[order] = block;
	*state_of(pa) = (uint8_t)(STATE_FREE | order);
}

static void list_remove(paddr_t pa, unsigned order)
{
	struct free_block *block = phys_to_virt(pa);

	if (block->prev)
		block->prev->next = block->next;
	else
		frames.free[order] = block->next;
	if (block->next)
		block->next->prev = block->prev;
	*state_of(pa) = STATE_NONE;
}

/* Merge with free buddies as far as it goes. */
static void block_free(paddr_t pa, unsigned order)
{
	for (; order < FRAME_MAX_ORDER; order++) {
		paddr_t buddy = pa ^ (PAGE_SIZE << order);

		if (*state_of(buddy) != (STATE_FREE | order))
			break;
		list_remove(buddy, order);
		pa &= ~(PAGE_SIZE << order);
	}
	list_add(pa, order);
}

/* The largest order of an aligned block at pa that ends at or before end. */
static unsigned order_at(paddr_t pa, paddr_t end)
{
	unsigned order = 0;

	while (order < FRAME_MAX_ORDER && !(pa & (PAGE_SIZE << order)) &&
		pa + (PAGE_SIZE << (order + 1)) <= end)
		order++;
	return order;
}

static void free_span(paddr_t pa, paddr_t end)
{
	while (pa < end) {
		unsigned order = order_at(pa, end);

		block_free(pa, order);
		pa += PAGE_SIZE << order;
	}
}

/* Move a range's frontier to the next chunk boundary. False: no range has anything left. */
static bool take_fresh(void)
{
	for (unsigned i = 0; i < frames.n_ranges; i++) {
		struct range *range = &frames.ranges[i];
		paddr_t from = range->frontier;
		paddr_t to = (from & -CHUNK_BYTES) + CHUNK_BYTES;

		if (from == range->end)
			continue;
		if (to > range->end)
			to = range->end;
		else if (from > range->start && !(from & (CHUNK_BYTES - 1)))
			memset(state_of(from), STATE_NONE, CHUNK_BYTES >> PAGE_SHIFT);
		range->frontier = to;
		free_span(from, to);
		return true;
	}
	return false;
}

/* A block of exactly this order, or 0. Locked by caller. */
static paddr_t block_alloc(unsigned order)
{
	unsigned from = order;
	paddr_t pa;

	while (!frames.free[from]) {
		if (from++ < FRAME_MAX_ORDER)
			continue;
		if (!take_fresh())
			return 0;
		from = order;
	}
	pa = virt_to_phys(frames.free[from]);
	list_remove(pa, from);
	while (from-- > order)
		list_add(pa + (PAGE_SIZE << from), from);
	*state_of(pa) = (uint8_t)(STATE_USED | order);
	frames_stock.free -= 1UL << order;
	return pa;
}

/* The smallest order of free blocks, up to a batch: what is in pieces already is used first. */
static unsigned batch_order(void)
{
	unsigned order = 0;

	while (order < CACHE_BATCH_ORDER && !frames.free[order])
		order++;
	return order;
}

/* Whole blocks, and the lowest frame on top. */
static COLD void cache_fill(struct frame_cache *cache)
{
	spin_lock(&frames.lock);
	while (cache->count < CACHE_BATCH) {
		unsigned order = batch_order(), n = 1u << order;
		paddr_t pa = block_alloc(order);

		if (!pa)
			break;
		memset(state_of(pa), STATE_CACHED, n);
		while (n-- > 0)
			cache->frame[cache->count++] = (uint32_t)(pa >> PAGE_SHIFT) + n;
	}
	spin_unlock(&frames.lock);
}

/* Out of the cache; what lies side by side there, in either order, goes back as one. */
static COLD void cache_drain(struct frame_cache *cache, unsigned keep)
{
	spin_lock(&frames.lock);
	while (cache->count > keep) {
		uint32_t first = cache->frame[--cache->count], end = first + 1;

		for (; cache->count > keep; cache->count--) {
			uint32_t next = cache->frame[cache->count - 1];

			if (next == end)
				end++;
			else if (next + 1 == first)
				first = next;
			else
				break;
		}
		memset(state_of((paddr_t)first << PAGE_SHIFT), STATE_NONE, end - first);
		free_span((paddr_t)first << PAGE_SHIFT, (paddr_t)end << PAGE_SHIFT);
		frames_stock.free += end - first;
	}
	spin_unlock(&frames.lock);
}

static inline paddr_t cache_take(struct frame_cache *cache)
{
	paddr_t pa = (paddr_t)cache->frame[--cache->count] << PAGE_SHIFT;

	*state_of(pa) = STATE_USED;
	return pa;
}

/* There is room. */
static inline void cache_put(struct frame_cache *cache, paddr_t pa)
{
	*state_of(pa) = STATE_CACHED;
	cache->frame[cache->count++] = (uint32_t)(pa >> PAGE_SHIFT);
}

/* The cache is empty, and interrupts are off. */
static COLD paddr_t fill_and_take(struct frame_cache *cache, uint64_t flags)
{
	paddr_t pa;

	cache_fill(cache);
	pa = cache->count ? cache_take(cache) : 0;
	irq_restore(flags);
	return pa;
}

paddr_t frame_alloc_one(void)
{
	uint64_t flags = irq_save();
	struct frame_cache *cache = this_cache();
	paddr_t pa;

	if (!cache->count)
		return fill_and_take(cache, flags);
	pa = cache_take(cache);
	irq_restore(flags);
	return pa;
}

unsigned frame_alloc_some(uint32_t *frame, unsigned n)
{
	uint64_t flags = irq_save();
	struct frame_cache *cache = this_cache();
	uint32_t first = (uint32_t)(frames.base >> PAGE_SHIFT);
	uint8_t *states = frames.state;
	unsigned got = 0;

	for (; got < n; got++) {
		if (!cache->count)
			cache_fill(cache);
		if (!cache->count)
			break;
		frame[got] = cache->frame[--cache->count];
		states[frame[got] - first] = STATE_USED;
	}
	irq_restore(flags);
	return got;
}

static COLD _Noreturn void wrong_free(paddr_t pa, unsigned order)
{
	panic("frame %#lx freed with order %u, its state is %#x", pa, order, *state_of(pa));
}

void frame_free_some(const uint32_t *frame, unsigned n)
{
	uint64_t flags = irq_save();
	struct frame_cache *cache = this_cache();
	uint32_t first = (uint32_t)(frames.base >> PAGE_SHIFT), count = cache->count;
	uint8_t *states = frames.state;

	for (const uint32_t *end = frame + n; frame < end; frame++) {
		uint8_t *state = &states[*frame - first];

		if (*state != STATE_USED)
			wrong_free((paddr_t)*frame << PAGE_SHIFT, 0);
		if (count == CACHE_SLOTS) {
			cache_drain(cache, CACHE_SLOTS - CACHE_BATCH);
			count = cache->count;
		}
		*state = STATE_CACHED;
		cache->frame[count++] = *frame;
		cache->count = count;
	}
	irq_restore(flags);
}

/* The cache is full, and interrupts are off. */
static COLD void drain_and_put(struct frame_cache *cache, paddr_t pa, uint64_t flags)
{
	cache_drain(cache, CACHE_SLOTS - CACHE_BATCH);
	cache_put(cache, pa);
	irq_restore(flags);
}

void frame_free_one(paddr_t pa)
{
	uint64_t flags = irq_save();
	struct frame_cache *cache = this_cache();

	if (*state_of(pa) != STATE_USED)
		wrong_free(pa, 0);
	if (cache->count == CACHE_SLOTS) {
		drain_and_put(cache, pa, flags);
		return;
	}
	cache_put(cache, pa);
	irq_restore(flags);
}

paddr_t frame_alloc(unsigned order)
{
	uint64_t flags;
	paddr_t pa;

	if (order == 0)
		return frame_alloc_one();
	if (order > FRAME_MAX_ORDER)
		return 0;
	flags = spin_lock_irqsave(&frames.lock);
	pa = block_alloc(order);
	spin_unlock_irqrestore(&frames.lock, flags);
	return pa;
}

void frame_free(paddr_t pa, unsigned order)
{
	uint64_t flags;

	if (order == 0) {
		frame_free_one(pa);
		return;
	}
	if (*state_of(pa) != (STATE_USED | order))
		wrong_free(pa, order);
	flags = spin_lock_irqsave(&frames.lock);
	*state_of(pa) = STATE_NONE;
	block_free(pa, order);
	frames_stock.free += 1UL << order;
	spin_unlock_irqrestore(&frames.lock, flags);
}

paddr_t frame_alloc_side_by_side(unsigned order)
{
	uint64_t flags = spin_lock_irqsave(&frames.lock);
	paddr_t pa = order <= FRAME_MAX_ORDER ? block_alloc(order) : 0;

	if (pa)
		memset(state_of(pa), STATE_USED, 1UL << order);
	spin_unlock_irqrestore(&frames.lock, flags);
	return pa;
}

#define EIGHT_USED (STATE_USED * 0x0101010101010101UL)

void frame_free_side_by_side(paddr_t pa, unsigned order)
{
	uint8_t *state = state_of(pa), *end = state + (1UL << order);
	uint64_t flags = spin_lock_irqsave(&frames.lock), *eight = (void *)state;

	for (; (uint8_t *)(eight + 1) <= end && *eight == EIGHT_USED; eight++)
		*eight = STATE_NONE;
	for (uint8_t *one = (void *)eight; one < end; one++) {
		if (*one != STATE_USED)
			wrong_free(pa + (paddr_t)(one - state) * PAGE_SIZE, 0);
		*one = STATE_NONE;
	}
	block_free(pa, order);
	frames_stock.free += 1UL << order;
	spin_unlock_irqrestore(&frames.lock, flags);
}

unsigned frame_order(paddr_t pa)
{
	return *state_of(pa) & 0x1f;
}

void *frame_alloc_zeroed(void)
{
	paddr_t pa = frame_alloc(0);

	return pa ? memset(phys_to_virt(pa), 0, PAGE_SIZE) : NULL;
}

size_t frames_total(void)
{
	return frames.total;
}

size_t frames_free_count(void)
{
	size_t n = frames_stock.free;

	for (unsigned i = 0; i < MAX_HARTS; i++)
		n += caches[i].count;
	return n;
}

#define RESERVE_SHIFT 6 /* of all frames, in between: */
#define RESERVE_MIN   128
#define RESERVE_MAX   4096

static void set_reserve(void)
{
	frames_stock.reserve = frames.total >> RESERVE_SHIFT;
	if (frames_stock.reserve < RESERVE_MIN)
		frames_stock.reserve = RESERVE_MIN;
	if (frames_stock.reserve > RESERVE_MAX)
		frames_stock.reserve = RESERVE_MAX;
}

void frames_add(paddr_t start, paddr_t end)
{
	if (frames.n_ranges < MAX_RANGES)
		frames.ranges[frames.n_ranges++] =
			(struct range){page_align_up(start), page_align_down(end), 0};
}

void frames_reserve(paddr_t start, paddr_t end)
{
	ASSERT(frames.n_reserved < MAX_RANGES);
	frames.reserved[frames.n_reserved++] =
		(struct range){page_align_down(start), page_align_up(end), 0};
}

/* Cut [start, end) out of every range; what is left above it becomes a range of its own. */
static void cut(paddr_t start, paddr_t end)
{
	for (unsigned i = 0; i < frames.n_ranges; i++) {
		struct range *range = &frames.ranges[i];

		if (end <= range->start || start >= range->end)
			continue;
		if (end < range->end && start > range->start)
			frames_add(end, range->end);
		if (start > range->start)
			range->end = start;
		else
			range->start = end < range->end ? end : range->end;
	}
}

/* Take memory for the state bytes from the first range that has room. */
static void place_states(size_t bytes)
{
	for (unsigned i = 0; i < frames.n_ranges; i++) {
		struct range *range = &frames.ranges[i];

		if (range->end - range->start < bytes)
			continue;
		frames.state = phys_to_virt(range->start);
		range->start += page_align_up(bytes);
		return;
	}
	panic("no memory for the frame allocator's own %zu bytes", bytes);
}

void frames_init(void)
{
	paddr_t low = UINT64_MAX, high = 0;

	for (unsigned i = 0; i < frames.n_reserved; i++)
		cut(frames.reserved[i].start, frames.reserved[i].end);
	for (unsigned i = 0; i < frames.n_ranges; i++) {
		if (frames.ranges[i].start < low)
			low = frames.ranges[i].start;
		if (frames.ranges[i].end > high)
			high = frames.ranges[i].end;
	}
	frames.base = low & -CHUNK_BYTES;
	high = (high + CHUNK_BYTES - 1) & -CHUNK_BYTES;
	place_states((high - frames.base) >> PAGE_SHIFT);
	for (unsigned i = 0; i < frames.n_ranges; i++) {
		struct range *range = &frames.ranges[i];

		range->frontier = range->start;
		frames.total += (range->end - range->start) >> PAGE_SHIFT;
		memset(state_of(range->start & -CHUNK_BYTES), 0, CHUNK_BYTES >> PAGE_SHIFT);
		memset(state_of((range->end - 1) & -CHUNK_BYTES), 0, CHUNK_BYTES >> PAGE_SHIFT);
	}
	frames_stock.free = frames.total;
	set_reserve();
}

paddr_t frames_take_end(size_t bytes)
{
	uint64_t flags = spin_lock_irqsave(&frames.lock);
	paddr_t pa = 0;

	bytes = page_align_up(bytes);
	for (unsigned i = 0; i < frames.n_ranges && !pa; i++) {
		struct range *range = &frames.ranges[i];
		paddr_t last;

		if (range->end - range->frontier < bytes)
			continue;
		pa = range->end -= bytes;
		last = (pa - 1) & -CHUNK_BYTES; /* becomes a chunk at a range's end */
		if (last >= range->frontier)
			memset(state_of(last), STATE_NONE, CHUNK_BYTES >> PAGE_SHIFT);
		frames_stock.free -= bytes >> PAGE_SHIFT;
		frames.total -= bytes >> PAGE_SHIFT;
	}
	spin_unlock_irqrestore(&frames.lock, flags);
	return pa;
}

static size_t check_list(unsigned order)
{
	size_t n = 0;

	for (struct free_block *b = frames.free[order]; b; b = b->next, n += 1UL << order) {
		paddr_t pa = virt_to_phys(b);

		ASSERT(*state_of(pa) == (STATE_FREE | order));
		ASSERT((pa & ((PAGE_SIZE << order) - 1)) == 0);
		ASSERT(!b->next || b->next->prev == b);
	}
	return n;
}

void frames_check(void)
{
	uint64_t flags = spin_lock_irqsave(&frames.lock);
	size_t n = 0;

	for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++)
		n += check_list(order);
	for (unsigned i = 0; i < frames.n_ranges; i++)
		n += (frames.ranges[i].end - frames.ranges[i].frontier) >> PAGE_SHIFT;
	if (n != frames_stock.free)
		panic("%zu frames are free, %zu were counted", n, frames_stock.free);
	spin_unlock_irqrestore(&frames.lock, flags);
}

static size_t table_frames; /* [a] */

paddr_t pmap_table_alloc(void)
{
	paddr_t table = frame_alloc(0);

	if (table)
		__atomic_fetch_add(&table_frames, 1, __ATOMIC_RELAXED);
	return table;
}

void pmap_table_free(paddr_t table)
{
	__atomic_fetch_sub(&table_frames, 1, __ATOMIC_RELAXED);
	frame_free(table, 0);
}

size_t frames_in_tables(void)
{
	return __atomic_load_n(&table_frames, __ATOMIC_RELAXED) - pmap_tables_kept();
}
