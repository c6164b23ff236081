// SPDX-License-Identifier: MIT
/* What a fork does ahead of the accesses that follow it.  Theory at the head of ahead.c. */
#pragma once

#include "base.h"

#define HISTORY_PAGES 8

struct mvm_page;
struct mvm_space;

/* Pages that are known.  [a] atomic  [l] the history's lock */
struct known {
	uint32_t room;               /* [l] to write, [a]: so many are taken before the next fork */
	uint32_t n;                  /* [l] */
	uint32_t turn;               /* [l] who gives way next */
	uint64_t vpn[HISTORY_PAGES]; /* [l] ascending */
};

/* What was accessed soon after forks.  [a] atomic  [l] the lock, of rank PAGE */
struct history {
	struct mvmh_lock lock;
	uint32_t refs;       /* [a] spaces */
	uint32_t forks;      /* [l] */
	struct known stores; /* of both sides, */
	struct known loads;  /* of children */
};

/* A reference to the history of a space that forks; NULL: no memory.  The space's lock is held. */
struct history *history_of(struct mvm_space *parent);

/* Drop a reference; NULL: nothing. */
void history_put(struct history *h);

/* A page for one of its lists, if there is room. */
void history_add(struct history *h, struct known *k, uint64_t vpn);

static inline bool known_has_room(const struct known *k)
{
	return __atomic_load_n(&k->room, __ATOMIC_RELAXED) > 0;
}

/* Are stores to be heard of?  NULL: the space has never forked. */
static inline bool history_wants_stores(const struct history *h)
{
	return h && known_has_room(&h->stores);
}

/* A store has met a private page that it may not store to yet. */
static inline void history_note(struct history *h, uint64_t vpn)
{
	if (history_wants_stores(h))
		history_add(h, &h->stores, vpn);
}

/* A load of a space that was forked, and has not forked yet, has met a page that it shares. */
static inline void history_note_load(struct history *h, uint64_t vpn)
{
	if (known_has_room(&h->loads))
		history_add(h, &h->loads, vpn);
}

/*
 * Make the copies, and map what is loaded: the child is nearly done, the parent write-protected and
 * under the fork's claim.
 */
void copy_ahead(struct mvm_space *parent, struct mvm_space *child);
