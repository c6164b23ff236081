// SPDX-License-Identifier: MIT
/* Memory: single pages from a free list, and nothing else. */
#pragma once

#include <stddef.h>

#define N_FRAMES 64

void kinit(void);

/* A page with junk in it, a page of zeros; NULL: there is none. */
void *kalloc(void);
void *kzalloc(void);
void kfree(void *page);

size_t kfree_count(void);
