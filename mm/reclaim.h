// SPDX-License-Identifier: MIT
/* Replacement: which cached page goes when memory is short.  Theory at the head of reclaim.c. */
#pragma once

#include "page.h"

void reclaim_init(void);

/* A page came into the cache, or leaves it; the object's lock is held. */
void queue_add(struct mvm_page *page);
void queue_remove(struct mvm_page *page);

void queue_check(void);
