// SPDX-License-Identifier: MIT
/*
 * Slabs.
 *
 * Each kind of structure has its own pages.  A page begins with a header and is then an array of
 * pieces; since metadata pages are aligned to their size, a piece finds its header by masking.
 * Pieces that are not in use are chained through their first word, from the page's first day on.  A
 * page with something to give is on its kind's list; a page whose last piece came back goes home to
 * the host, except some a kind: so what comes and goes with each process does not carry pages back
 * and forth.
 *
 * Locks: each kind has one of rank PAGE; nothing is taken under it.
 */
#include "meta.h"

#include "area.h"
#include "node.h"
#include "object.h"
#include "space.h"

#define KEEP_EMPTY 4 /* pages a kind */

struct slab_page {
	struct list link; /* [l] in slab.partial, or alone when full */
	void *free;       /* [l] pieces that are not in use */
	uint32_t used;    /* [l] handed out now */
};

/*
 * [I] immutable after slab_init(); [l] the lock.  Aligned: no two kinds' locks
 * share a cache line.
 */
struct slab {
	struct mvmh_lock lock;
	uint32_t bytes;      /* [I] of a piece */
	uint32_t capacity;   /* [I] pieces a page */
	struct list partial; /* [l] pages with room, */
	uint32_t empty;      /* [l] so many of them with nothing in use */
	uint64_t live;       /* [l] */
} __attribute__((aligned(64)));

static struct slab slabs[SLAB_N];
static uint32_t n_meta_pages;

void *meta_page_alloc(void)
{
	void *page = mvmh_meta_alloc();

	if (page)
		ref_get(&n_meta_pages);
	return page;
}

void meta_page_free(void *page)
{
	__atomic_fetch_sub(&n_meta_pages, 1, __ATOMIC_RELAXED);
	mvmh_meta_free(page);
}

uint32_t meta_pages(void)
{
	return ref_count(&n_meta_pages);
}

static void slab_set(enum slab_kind kind, size_t bytes)
{
	struct slab *s = &slabs[kind];

	bytes = (bytes + 15) & ~(size_t)15;
	mvmh_lock_init(&s->lock, MVMH_RANK_PAGE);
	list_init(&s->partial);
	s->bytes = (uint32_t)bytes;
	s->capacity = 0;
	for (size_t at = sizeof(struct slab_page); at + bytes <= MVM_PAGE_BYTES; at += bytes)
		s->capacity++;
	MUST(s->capacity > 0);
}

void slab_init(void)
{
	slab_set(SLAB_NODE, sizeof(struct node));
	slab_set(SLAB_AREA, sizeof(struct area));
	slab_set(SLAB_OBJECT, sizeof(struct mvm_object));
	slab_set(SLAB_SPACE, sizeof(struct mvm_space));
	slab_set(SLAB_HISTORY, sizeof(struct history));
	slab_set(SLAB_JOINT, sizeof(struct joint));
}

/* One more page for the kind, which has none with room.  The kind's lock is held. */
static COLD bool add_page(struct slab *s)
{
	struct slab_page *page = meta_page_alloc();
	char *piece;

	if (!page)
		return false;
	piece = (char *)page + MVM_PAGE_BYTES;
	for (uint32_t n = s->capacity; n > 0; n--) {
		piece -= s->bytes;
		*(void **)piece = page->free;
		page->free = piece;
	}
	list_append(&s->partial, &page->link);
	s->empty++;
	return true;
}

/* The address as a value: else the compiler would work it out again at each use. */
static inline struct slab *slab_of(enum slab_kind kind)
{
	struct slab *s = &slabs[kind];

	__asm__("" : "+r"(s));
	return s;
}

/* Take a piece from the first page with room, or NULL.  Locked. */
static inline __attribute__((always_inline)) void *take(struct slab *s)
{
	struct slab_page *page;
	void *piece;

	if (unlikely(list_empty(&s->partial)) && !add_page(s))
		return NULL;
	page = container_of(s->partial.next, struct slab_page, link);
	piece = page->free;
	page->free = *(void **)piece;
	s->empty -= page->used == 0;
	if (++page->used == s->capacity)
		list_remove(&page->link);
	s->live++;
	return piece;
}

void *slab_alloc(enum slab_kind kind)
{
	struct slab *s = slab_of(kind);
	void *piece;

	mvmh_lock(&s->lock);
	piece = take(s);
	mvmh_unlock(&s->lock);
	return piece;
}

void *slab_alloc_some(enum slab_kind kind, unsigned n)
{
	struct slab *s = slab_of(kind);
	void *chain = NULL, *piece;

	mvmh_lock(&s->lock);
	while (n-- > 0 && (piece = take(s)) != NULL) {
		*(void **)piece = chain;
		chain = piece;
	}
	mvmh_unlock(&s->lock);
	return chain;
}

/* Take a piece back; if its page is to go home, that is put before the chain *home.  Locked. */
static inline void take_back(struct slab *s, void *piece, struct slab_page **home)
{
	struct slab_page *page = (void *)((uintptr_t)piece & ~(uintptr_t)MVM_PAGE_MASK);

	*(void **)piece = page->free;
	page->free = piece;
	if (unlikely(page->used-- == s->capacity))
		list_append(&s->partial, &page->link);
	s->live--;
	if (likely(page->used > 0))
		return;
	if (s->empty < KEEP_EMPTY) {
		s->empty++;
	} else {
		list_remove(&page->link);
		page->free = *home;
		*home = page;
	}
}

static COLD void send_home(struct slab_page *page)
{
	while (page) {
		struct slab_page *next = page->free;

		meta_page_free(page);
		page = next;
	}
}

void *slab_free_some(enum slab_kind kind, void *chain, unsigned n)
{
	struct slab *s = slab_of(kind);
	struct slab_page *home = NULL;

	mvmh_lock(&s->lock);
	while (n-- > 0) {
		void *next = *(void **)chain;

		take_back(s, chain, &home);
		chain = next;
	}
	mvmh_unlock(&s->lock);
	if (unlikely(home))
		send_home(home);
	return chain;
}

void slab_free(enum slab_kind kind, void *piece)
{
	*(void **)piece = NULL;
	(void)slab_free_some(kind, piece, 1);
}

uint64_t slab_live(enum slab_kind kind)
{
	uint64_t live;

	mvmh_lock(&slabs[kind].lock);
	live = slabs[kind].live;
	mvmh_unlock(&slabs[kind].lock);
	return live;
}

/* Every page on a list has room, and chains exactly what is not in use. */
void slab_check(void)
{
	for (struct slab *s = slabs; s < slabs + SLAB_N; s++) {
		uint32_t empty = 0;

		mvmh_lock(&s->lock);
		for (struct list *l = s->partial.next; l != &s->partial; l = l->next) {
			struct slab_page *page = container_of(l, struct slab_page, link);
			unsigned chained = 0;

			for (void *piece = page->free; piece; piece = *(void **)piece) {
				chained++;
				if (s == &slabs[SLAB_NODE])
					node_check_free(piece);
			}
			MUST(page->used < s->capacity);
			MUST(chained + page->used == s->capacity);
			empty += page->used == 0;
		}
		MUST(s->empty == empty);
		mvmh_unlock(&s->lock);
	}
}
