// SPDX-License-Identifier: MIT
/*
 * A hash table that has as many chains as what is in it needs.
 *
 * What is found has a link in it, which keeps its hash.  A few links make one chain, whose head is
 * in the table itself: all zeros is an empty table, and one with little in it needs no memory.
 * More have chains that are allocated: 16, 64, 256 and so on, so that one has two links at most,
 * and after many went a quarter of one at least, on average.
 *
 *	few -> link -> link -> ... (8)		chains[0]  -> link
 *						chains[1]
 *						...
 *						chains[15] -> link -> link
 *
 * When the number of chains changes all links move at once.  For each that moves some have come or
 * gone since the last time: one that comes or goes pays for a step or two.  Without memory the
 * chains stay as they are, and become long.
 *
 * The lock is the user's.  Under one that sleeps fs_table_fit() does all of this.  Under a spin
 * lock there is no memory to be had: then fs_table_fits() and fs_table_wanted() come before it, and
 * fs_table_move() under it.
 */
#pragma once

#include <fs/host.h>
#include <fs/types.h>

struct fs_link {
	struct fs_link *next;
	uint32_t hash; /* any: it is mixed here */
};

struct fs_table {
	struct fs_link *few;     /* the only chain, if `chains` is NULL */
	struct fs_link **chains; /* 2^bits, or NULL */
	uint32_t n, bits;        /* links; 0: `few` */
};

/* Beyond two links a chain: with one chain, whatever they are. */
#define FS_TABLE_SLACK 6

/* 2 MiB of chains are the most: no host need have more in one piece.  Then they become longer. */
#define FS_TABLE_BITS_MOST 18

/* Has it as many chains as it needs?  Without the lock: perhaps. */
static inline bool fs_table_fits(const struct fs_table *t)
{
	uint32_t n = fs_read(t->n), bits = fs_read(t->bits);

	return (n <= (2u << bits) + FS_TABLE_SLACK || bits == FS_TABLE_BITS_MOST) &&
	       (!bits || n >= (1u << bits) / 4);
}

/* Where links of this hash are. */
static inline struct fs_link **fs_table_chain(struct fs_table *t, uint32_t hash)
{
	return t->chains ? &t->chains[hash * 0x9e3779b1u >> (32 - t->bits)] : &t->few;
}

static inline void fs_table_insert(struct fs_table *t, struct fs_link *link)
{
	struct fs_link **chain = fs_table_chain(t, link->hash);

	link->next = *chain;
	*chain = link;
	fs_write(t->n, t->n + 1);
}

static inline void fs_table_remove(struct fs_table *t, struct fs_link *link)
{
	struct fs_link **at = fs_table_chain(t, link->hash);

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	fs_write(t->n, t->n - 1);
}

/*
 * What a table with n links needs: 2^*bits chains, or 0 and NULL.  No lock.  False: no memory.
 * fs_table_move() gives them to the table, and leaves what it had in *chains; or, where it fits by
 * now, changes nothing.  Either way *chains is for fsh_free() then.
 */
bool fs_table_wanted(uint32_t n, struct fs_link ***chains, uint32_t *bits);
void fs_table_move(struct fs_table *t, struct fs_link ***chains, uint32_t bits);

void fs_table_refit(struct fs_table *t);

/* After links came or went; under a lock that sleeps. */
static inline void fs_table_fit(struct fs_table *t)
{
	if (__builtin_expect(!fs_table_fits(t), 0))
		fs_table_refit(t);
}

/* It is empty: give back its memory. */
void fs_table_fini(struct fs_table *t);

/* Each link in turn; NULL begins and ends. */
struct fs_link *fs_table_next(struct fs_table *t, const struct fs_link *link);

/* Its invariants. */
void fs_table_check(struct fs_table *t);
