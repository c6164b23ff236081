// SPDX-License-Identifier: MIT
/*
 * malloc over mmap.
 *
 * Small blocks (up to 16 KiB) come in classes of size. A *span* is 64 KiB, aligned to its own size,
 * cut into equal blocks of one class behind a header:
 *
 *     64 KiB boundary
 *     | struct span | block | block | block | ...            | rest |
 *
 * The header of any block is found by masking its address, so blocks have no headers of their own.
 * Free neighbours are never joined: a span whose blocks are all free becomes free as a whole, and
 * then serves any class. What a block wastes is bounded by the classes: 16-byte steps up to 128,
 * then four classes per doubling, which loses a fifth of a block at most.
 *
 * Large blocks are mappings of their own with the same header at a 64 KiB boundary, and the block
 * right behind the header (or further, for alignment): one rule finds the header for both kinds. An
 * address *on* a boundary can only be a large aligned block, whose header lies one span below:
 * hence the mask is applied to address - 1.
 *
 * Spans are cut from 1 MiB regions. Free spans beyond a megabyte go back with munmap.
 *
 * Checks, always on because they are cheap. A free block holds two words: the link, and a mark (its
 * address xor a random cookie). malloc wants to see the mark and a link that stays in the span:
 * otherwise somebody wrote to freed memory. free wants *not* to see it: otherwise the block is
 * freed twice. The header's magic tells a wild pointer. All end the program with a message.
 *
 * Refused: boundary tags and coalescing (a header a block, checks that cost more, and headers lying
 * open to overruns); brk (a leak of the last page pins everything below). Not yet: threads. The
 * state is one struct, so that a lock, or one state a thread, has one place to go.
 *
 * Order: size classes, spans, small blocks, large blocks, the public functions.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPAN_BYTES      ((size_t)64 << 10)
#define REGION_SPANS    16
#define SMALL_MAX       ((size_t)16 << 10)
#define PAGE            4096
#define GRAIN           16 /* alignment of every block */
#define CLASSES         36 /* class_of(SMALL_MAX) + 1 */
#define FREE_SPANS_KEPT REGION_SPANS
#define LARGE           (-1)

#define MAGIC 0x6d61706163686521UL

struct free_block {
	struct free_block *next;
	uintptr_t mark;
};

struct span {
	uintptr_t magic; /* MAGIC ^ address */
	int class;       /* or LARGE */
	unsigned used;   /* blocks handed out */
	size_t block_bytes;
	struct span *next, *prev; /* the class's list of spans with room, or the free list */
	struct free_block *free;
	char *fresh; /* blocks from here to `end` were never used */
	char *end;
	size_t map_bytes; /* LARGE: of the mapping, which starts at the header */
};

#define HEADER_BYTES ((sizeof(struct span) + GRAIN - 1) & -(size_t)GRAIN)

static struct {
	uintptr_t cookie;
	struct span *partial[CLASSES]; /* spans that have at least one free block */
	struct span *free_spans;
	unsigned free_count;
} heap;

/* Without stdio and without malloc, whose state is broken. */
static _Noreturn void corrupt(const char *what)
{
	write(STDERR_FILENO, "malloc: ", 8);
	write(STDERR_FILENO, what, strlen(what));
	write(STDERR_FILENO, "\n", 1);
	abort();
}

static void *map_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* `bytes` (pages) at a span boundary: maps more and gives the ends back. */
static void *map_aligned(size_t bytes)
{
	size_t slack = SPAN_BYTES - PAGE;
	size_t head;
	char *p;

	if (bytes > SIZE_MAX / 2)
		return NULL;
	p = map_pages(bytes + slack);
	if (!p)
		return NULL;
	head = -(uintptr_t)p % SPAN_BYTES;
	if (head)
		munmap(p, head);
	if (slack - head)
		munmap(p + head + bytes, slack - head);
	return p + head;
}

/* Size classes */

/* 0..7: 16 to 128 by 16. Then, with 2^k < size <= 2^(k+1): four steps of 2^(k-2). */
static int class_of(size_t size)
{
	int k = 7;

	if (size <= 128)
		return size ? (int)((size - 1) / 16) : 0;
	while (size > (size_t)2 << k)
		k++;
	return 8 + (k - 7) * 4 + (int)((size - 1 - ((size_t)1 << k)) >> (k - 2));
}

static size_t class_bytes(int class)
{
	int k = 7 + (class - 8) / 4;

	if (class < 8)
		return (size_t)(class + 1) * 16;
	return ((size_t)1 << k) + (size_t)((class - 8) % 4 + 1) * ((size_t)1 << (k - 2));
}

/* Spans */

static void list_push(struct span **list, struct span *s)
{
	s->prev = NULL;
	s->next = *list;
	if (s->next)
		s->next->prev = s;
	*list = s;
}

static void list_remove(struct span **list, struct span *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		*list = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

static struct span *span_of(const void *block)
{
	struct span *s = (struct span *)(((uintptr_t)block - 1) & -SPAN_BYTES);

	if ((uintptr_t)block % GRAIN || (s->magic ^ (uintptr_t)s) != MAGIC)
		corrupt("free of a pointer that malloc did not return");
	return s;
}

static struct span *span_alloc(void)
{
	struct span *s;

	if (!heap.free_spans) {
		char *region = map_aligned(REGION_SPANS * SPAN_BYTES);

		if (!region)
			return NULL;
		for (int i = REGION_SPANS - 1; i >= 0; i--)
			list_push(&heap.free_spans, (struct span *)(region + i * SPAN_BYTES));
		heap.free_count += REGION_SPANS;
	}
	s = heap.free_spans;
	list_remove(&heap.free_spans, s);
	heap.free_count--;
	return s;
}

static void span_free(struct span *s)
{
	s->magic = 0;
	if (heap.free_count >= FREE_SPANS_KEPT) {
		munmap(s, SPAN_BYTES);
		return;
	}
	list_push(&heap.free_spans, s);
	heap.free_count++;
}

/* Small blocks */

static uintptr_t mark_of(const void *block)
{
	return (uintptr_t)block ^ heap.cookie;
}

static void heap_init(void)
{
	const uintptr_t *random = (const uintptr_t *)getauxval(AT_RANDOM);

	heap.cookie = (random ? random[1] : 0) | 1;
}

static struct span *span_for(int class)
{
	struct span *s = heap.partial[class];
	size_t bytes = class_bytes(class);

	if (s)
		return s;
	if (!heap.cookie)
		heap_init();
	s = span_alloc();
	if (!s)
		return NULL;
	*s = (struct span){.magic = MAGIC ^ (uintptr_t)s, .class = class, .block_bytes = bytes};
	s->fresh = (char *)s + HEADER_BYTES;
	s->end = s->fresh + (SPAN_BYTES - HEADER_BYTES) / bytes * bytes;
	list_push(&heap.partial[class], s);
	return s;
}

static void *pop_free(struct span *s)
{
	struct free_block *b = s->free;
	struct free_block *next = b->next;

	if (b->mark != mark_of(b) || (next && (((uintptr_t)next ^ (uintptr_t)s) & -SPAN_BYTES)))
		corrupt("a freed block was written to");
	s->free = next;
	return b;
}

static void *small_alloc(size_t size)
{
	struct span *s = span_for(class_of(size));
	struct free_block *block;

	if (!s)
		return NULL;
	if (s->free) {
		block = pop_free(s);
	} else {
		block = (struct free_block *)s->fresh;
		s->fresh += s->block_bytes;
	}
	block->mark = 0; /* of this life, or left by another class that had the span before */
	s->used++;
	if (!s->free && s->fresh == s->end)
		list_remove(&heap.partial[s->class], s);
	return block;
}

static void small_free(struct span *s, struct free_block *b)
{
	int was_full = !s->free && s->fresh == s->end;

	if (((char *)b - (char *)s - HEADER_BYTES) % s->block_bytes || (char *)b >= s->fresh)
		corrupt("free of a pointer into a block");
	if (b->mark == mark_of(b))
		corrupt("a block was freed twice");
	b->next = s->free;
	b->mark = mark_of(b);
	s->free = b;
	s->used--;
	if (was_full)
		list_push(&heap.partial[s->class], s);
	/* The class's last span with room stays, lest one block going back and forth map and
	 * unmap a span each time. */
	if (s->used == 0 && (s->next || s->prev)) {
		list_remove(&heap.partial[s->class], s);
		span_free(s);
	}
}

/* Large blocks */

/* The block lies `offset` behind the header: HEADER_BYTES, or the alignment. */
static void *large_alloc(size_t size, size_t offset)
{
	size_t bytes = (offset + size + PAGE - 1) & -(size_t)PAGE;
	struct span *s;

	if (size > SIZE_MAX / 4)
		return NULL;
	s = map_aligned(bytes);
	if (!s)
		return NULL;
	*s = (struct span){.magic = MAGIC ^ (uintptr_t)s, .class = LARGE, .map_bytes = bytes};
	s->end = (char *)s + bytes;
	return (char *)s + offset;
}

static void large_free(struct span *s)
{
	s->magic = 0;
	munmap(s, s->map_bytes);
}

/* In place only: the header must stay on its boundary. */
static int large_resize(struct span *s, void *block, size_t size)
{
	size_t offset = (char *)block - (char *)s;
	size_t bytes = (offset + size + PAGE - 1) & -(size_t)PAGE;

	if (size > SIZE_MAX / 4)
		return 0;
	if (bytes < s->map_bytes)
		munmap((char *)s + bytes, s->map_bytes - bytes);
	else if (bytes > s->map_bytes && mremap(s, s->map_bytes, bytes, 0) == MAP_FAILED)
		return 0;
	s->map_bytes = bytes;
	s->end = (char *)s + bytes;
	return 1;
}

/* The public functions */

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t size)
{
	void *block = size <= SMALL_MAX ? small_alloc(size) : large_alloc(size, HEADER_BYTES);

	return block ? block : no_memory();
}

void free(void *block)
{
	struct span *s;
	int saved = errno;

	if (!block)
		return;
	s = span_of(block);
	if (s->class == LARGE)
		large_free(s);
	else
		small_free(s, block);
	errno = saved;
}

size_t malloc_usable_size(void *block)
{
	struct span *s;

	if (!block)
		return 0;
	s = span_of(block);
	return s->class == LARGE ? (size_t)(s->end - (char *)block) : s->block_bytes;
}

/* Fresh mappings are zero already, used blocks are not. */
void *calloc(size_t count, size_t size)
{
	size_t bytes;
	void *block;

	if (__builtin_mul_overflow(count, size, &bytes))
		return no_memory();
	block = malloc(bytes);
	if (block && bytes <= SMALL_MAX)
		memset(block, 0, bytes);
	return block;
}

/* The block stays where it is while it fits and half of it or more is used. */
void *realloc(void *block, size_t size)
{
	size_t old, smaller;
	struct span *s;
	void *moved;

	if (!block)
		return malloc(size);
	s = span_of(block);
	old = malloc_usable_size(block);
	if (s->class == LARGE && size > SMALL_MAX) {
		int saved = errno;

		if (large_resize(s, block, size))
			return block;
		errno = saved;
	} else if (s->class != LARGE && size <= old && size > old / 2) {
		return block;
	}
	moved = malloc(size);
	if (!moved)
		return NULL;
	smaller = size < old ? size : old;
	memcpy(moved, block, smaller);
	free(block);
	return moved;
}

void *reallocarray(void *block, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return no_memory();
	return realloc(block, bytes);
}

/* Up to 16 every block is aligned. Beyond, up to 64 KiB: a mapping of its own, with the block at
 * the first multiple of the alignment behind the header. */
void *aligned_alloc(size_t alignment, size_t size)
{
	void *block = NULL;
	int error = posix_memalign(
		&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, size);

	if (alignment & (alignment - 1) || !alignment)
		error = EINVAL;
	if (error)
		errno = error;
	return block;
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
	int saved = errno;

	if (alignment & (alignment - 1) || alignment < sizeof(void *) || alignment > SPAN_BYTES)
		return EINVAL;
	if (alignment <= GRAIN)
		*block = malloc(size);
	else if (alignment <= HEADER_BYTES)
		*block = large_alloc(size, (HEADER_BYTES + alignment - 1) & -alignment);
	else
		*block = large_alloc(size, alignment);
	errno = saved;
	return *block ? 0 : ENOMEM;
}
