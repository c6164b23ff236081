// SPDX-License-Identifier: MIT
/* Copies that a fork makes ahead of the stores to them.  Theory at the head of ahead.c. */
#pragma once

#include "base.h"

#define HISTORY_PAGES 8

struct mvm_page;
struct mvm_space;

/* The pages that were stored to soon after forks.  [a] atomic  [l] the lock, of rank PAGE */
struct history {
	struct mvmh_lock lock;
	uint32_t refs;               /* [a] spaces */
	uint32_t n;                  /* [l] to write, [a] to read as a hint */
	uint32_t forks;              /* [l] */
	uint64_t vpn[HISTORY_PAGES]; /* [l] in the order in which they came */
};

/* A reference to the history of a space that forks; NULL: no memory.  The space's lock is held. */
struct history *history_of(struct mvm_space *parent);

/* Drop a reference; NULL: nothing. */
void history_put(struct history *h);

/* A new page, if there is room. */
void history_add(struct history *h, uint64_t vpn);

/* Has it room, so that stores are to be heard of?  NULL: the space has never forked. */
static inline bool history_has_room(const struct history *h)
{
	return h && __atomic_load_n(&h->n, __ATOMIC_RELAXED) < HISTORY_PAGES;
}

/* A store has met a private page that it may not store to yet. */
static inline void history_note(struct history *h, uint64_t vpn)
{
	if (history_has_room(h))
		history_add(h, vpn);
}

/*
 * Make the copies: the child is nearly done, the parent write-protected and
 * under the fork's claim.
 */
void copy_ahead(struct mvm_space *parent, struct mvm_space *child);
