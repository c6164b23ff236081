// SPDX-License-Identifier: MIT
/*
 * Slabs.
 *
 * Each kind of structure has its own pages.  A page begins with a header and is then an array of
 * pieces; since metadata pages are aligned to their size, a piece finds its header by masking.
 * Pieces are carved off one by one the first time, and chained through their first word when they
 * come back.  A page with something to give is on its kind's list; a page whose last piece came
 * back goes home to the host, except one a kind, so that a single structure that comes and goes
 * does not carry a page back and forth.
 *
 * Locks: each kind has one of rank PAGE; nothing is taken under it.
 */
#include "meta.h"

#include "anon.h"
#include "area.h"
#include "node.h"
#include "object.h"
#include "space.h"

struct slab_page {
	struct list link; /* [l] in slab.partial, or alone when full */
	void *free;       /* [l] pieces that came back */
	uint16_t used;    /* [l] handed out now */
	uint16_t carved;  /* [l] ever handed out */
};

/* [I] immutable after slab_init(); [l] the lock. */
struct slab {
	struct mvmh_lock lock;
	uint32_t bytes;      /* [I] of a piece */
	uint32_t capacity;   /* [I] pieces a page */
	struct list partial; /* [l] pages with room */
	uint64_t live;       /* [l] */
};

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
	slab_set(SLAB_ANON, sizeof(struct anon));
	slab_set(SLAB_NODE, sizeof(struct node));
	slab_set(SLAB_AREA, sizeof(struct area));
	slab_set(SLAB_OBJECT, sizeof(struct mvm_object));
	slab_set(SLAB_SPACE, sizeof(struct mvm_space));
	slab_set(SLAB_HISTORY, sizeof(struct history));
}

/* One more page for the kind.  The kind's lock is held. */
static COLD bool add_page(struct slab *s)
{
	struct slab_page *page = meta_page_alloc();

	if (page)
		list_append(&s->partial, &page->link);
	return page;
}

/* The kind's lock is held, and a page has room. */
static void *take_piece(struct slab *s)
{
	struct slab_page *page = container_of(s->partial.next, struct slab_page, link);
	void *piece = page->free;

	if (piece)
		page->free = *(void **)piece;
	else
		piece = (char *)page + MVM_PAGE_BYTES - s->bytes * (size_t)++page->carved;
	if (++page->used == s->capacity)
		list_remove(&page->link);
	s->live++;
	return piece;
}

void *slab_alloc(enum slab_kind kind)
{
	struct slab *s = &slabs[kind];
	void *piece = NULL;

	mvmh_lock(&s->lock);
	if (likely(!list_empty(&s->partial)) || add_page(s))
		piece = take_piece(s);
	mvmh_unlock(&s->lock);
	return piece;
}

void slab_free(enum slab_kind kind, void *piece)
{
	struct slab *s = &slabs[kind];
	struct slab_page *page = (void *)((uintptr_t)piece & ~(uintptr_t)MVM_PAGE_MASK);
	bool empty;

	mvmh_lock(&s->lock);
	*(void **)piece = page->free;
	page->free = piece;
	if (page->used-- == s->capacity)
		list_append(&s->partial, &page->link);
	empty = page->used == 0 && s->partial.next != s->partial.prev;
	if (empty)
		list_remove(&page->link);
	s->live--;
	mvmh_unlock(&s->lock);
	if (empty)
		meta_page_free(page);
}

uint64_t slab_live(enum slab_kind kind)
{
	uint64_t live;

	mvmh_lock(&slabs[kind].lock);
	live = slabs[kind].live;
	mvmh_unlock(&slabs[kind].lock);
	return live;
}

/* Every page on a list has room, and chains exactly what is neither in use nor never carved. */
void slab_check(void)
{
	for (struct slab *s = slabs; s < slabs + SLAB_N; s++) {
		mvmh_lock(&s->lock);
		for (struct list *l = s->partial.next; l != &s->partial; l = l->next) {
			struct slab_page *page = container_of(l, struct slab_page, link);
			unsigned chained = 0;

			for (void *piece = page->free; piece; piece = *(void **)piece)
				chained++;
			MUST(page->used < s->capacity);
			MUST(page->carved <= s->capacity);
			MUST(chained + page->used == page->carved);
		}
		mvmh_unlock(&s->lock);
	}
}
