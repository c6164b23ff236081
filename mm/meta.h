// SPDX-License-Identifier: MIT
/* Small structures without a heap: fixed sizes, carved from the host's metadata pages. */
#pragma once

#include "base.h"

enum slab_kind { SLAB_NODE, SLAB_AREA, SLAB_OBJECT, SLAB_SPACE, SLAB_HISTORY, SLAB_JOINT, SLAB_N };

void slab_init(void);

/*
 * A piece for one structure of the kind, its contents undefined; NULL when the host has no page.
 * Neither sleeps nor reclaims: called under any lock of mm, or none.
 */
void *slab_alloc(enum slab_kind kind);

/* A chain of up to n such, each of which points to the next by its first word. */
void *slab_alloc_some(enum slab_kind kind, unsigned n);

void slab_free(enum slab_kind kind, void *piece);

/*
 * Free the first n <= MVM_RUN_PAGES pieces of a chain, each of which points to the next by its
 * first word.  Returns the rest of it.
 */
void *slab_free_some(enum slab_kind kind, void *chain, unsigned n);

/* Pieces handed out. */
uint64_t slab_live(enum slab_kind kind);

/* One whole metadata page, counted; zeroed. */
void *meta_page_alloc(void);
void meta_page_free(void *page);

/* Metadata pages held from the host. */
uint32_t meta_pages(void);

void slab_check(void);
