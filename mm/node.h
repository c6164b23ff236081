// SPDX-License-Identifier: MIT
/*
 * A node of a 64-way radix tree.  Two trees are built of them: a space's anons (anon.c: nodes are
 * shared and copied on write) and an object's pages (index.c: nodes belong to
 * one object).
 */
#pragma once

#include "base.h"

#define NODE_BITS  6
#define NODE_SLOTS (1u << NODE_BITS)

/* [a] atomic in joint holds of a space's lock (joint.c); an anon tree's slots are, too */
struct node {
	uint32_t refs;  /* [a] anon trees only: parents and roots that point here */
	uint8_t level;  /* 0: slots are anons or pages; else nodes: an object's one level below */
	uint8_t shift;  /* node_shift(level) */
	uint16_t block; /* anon trees, a leaf: all slots are in use, by pages that are neighbours */
	uint64_t used;  /* [a] slots in use, a bit each */
	union {
		uint64_t tags;          /* an object's: slots with unclean pages below */
		uint64_t anons;         /* [a] anon trees: how many are below */
		struct node *next_dead; /* anon trees: no reference left, waiting for burial */
	};
	uint64_t first; /* anon trees: the first key below, as far as the way here skips levels */
	void *slot[NODE_SLOTS];
} __attribute__((aligned(8))); /* for what is atomic, where 64 bits need less */

/* Which slot of a node of this level the key goes through. */
static inline unsigned node_slot(uint64_t key, unsigned level)
{
	return (unsigned)(key >> (level * NODE_BITS)) & (NODE_SLOTS - 1);
}

static inline unsigned node_shift(unsigned level)
{
	return level * NODE_BITS;
}

/* Which slot of the node the key goes through. */
static inline unsigned node_slot_of(const struct node *n, uint64_t key)
{
	return (unsigned)(key >> n->shift) & (NODE_SLOTS - 1);
}

/* How many keys one slot of a node of this level covers. */
static inline uint64_t node_span(unsigned level)
{
	return (uint64_t)1 << node_shift(level);
}

/*
 * Where the node begins that one of level `above` refers to on the way to the key: next to its
 * level, that is where the slot begins; else it knows the levels between.
 */
static inline uint64_t node_begin(const struct node *n, unsigned above, uint64_t key)
{
	uint64_t mask = node_span(above) - 1;

	return (key & ~mask) | (n->first & mask);
}

/* Is it on the way to the key, too? */
static inline bool node_on_way(const struct node *n, unsigned above, uint64_t key)
{
	return likely(n->level + 1u == above) ||
	       (node_begin(n, above, key) ^ key) >> NODE_BITS >> n->shift == 0;
}

static inline uint64_t node_bit(unsigned slot)
{
	return (uint64_t)1 << slot;
}

static inline void node_set(struct node *n, unsigned slot, void *what)
{
	n->slot[slot] = what;
	n->used |= node_bit(slot);
}

static inline void node_clear(struct node *n, unsigned slot)
{
	n->slot[slot] = NULL;
	n->used &= ~node_bit(slot);
}

/*
 * For a walk over the bits of `rest`: to the next, which mostly is beside the last.  How far that
 * is.
 */
static inline unsigned skip_unused(uint64_t *rest)
{
	unsigned n = *rest & 1 ? 0 : lowest_bit(*rest);

	*rest >>= n;
	return n;
}

/* --- node.c ----------------------------------------------------------------------------------- */

/*
 * An empty node, or NULL.  Most that are free have empty slots, since whoever frees one has just
 * been at those in use: so most of most nodes is written once, when their page is new.
 */
struct node *node_new(unsigned level);

/* Its slots are empty, or `used` is not 0. */
void node_free(struct node *n);

/* Panics unless that was so. */
void node_check_free(const struct node *n);

/*
 * What stands at the first key in use (tagged: with unclean pages) in [*key, last]; *key becomes
 * that key.  NULL: nothing does.  Empty and untagged parts cost one look a node.
 */
void *node_next(struct node *root, unsigned levels, uint64_t *key, uint64_t last, bool tagged);
