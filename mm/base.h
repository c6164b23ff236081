// SPDX-License-Identifier: MIT
/*
 * What every file of mm starts from: the host's hooks, small helpers, intrusive lists.
 *
 * Internal functions have short names here and long ones in the library: names.h renames them, so
 * that only mvm_* leaves mm as a symbol.  What the host's configuration brings along is not
 * renamed, so it comes first.
 */
#pragma once

#include <mm/error.h>
#include <mm/host.h>
#include <mm/types.h>

#include "names.h"

/* The host's headers may have such macros, too. */
#undef container_of
#undef likely
#undef unlikely

/* How much of mm is linked: stages/absent.c.  All, unless somebody says less. */
#ifndef MVM_STAGE
#define MVM_STAGE 5
#endif

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* An invariant that holds whatever users do; the message is the condition. */
#define MUST(condition)                                \
	do {                                           \
		if (__builtin_expect(!(condition), 0)) \
			mvmh_panic("mm: " #condition); \
	} while (0)

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* A rare path of a hot function: out of line, so that it costs the hot one no registers to save. */
#define COLD __attribute__((cold, noinline))

/*
 * A function that is not inlined, so that its locals are not on the stack when its caller goes on
 * to something deep.  The whole of mm lives on 1 KiB (tools/check/stack).
 */
#define OWN_FRAME __attribute__((noinline))

/* --- How much one hold of a lock covers ------------------------------------------------------- */

/*
 * What is looked at, changed or moved for a page under a space's or an object's lock is charged to
 * that hold (space_work, object_work); the count begins anew when the lock is taken or a wait
 * returns. A host whose configuration defines MVMH_DEBUG as 1 has it asserted that no hold passes
 * the bound; elsewhere it costs nothing.
 */
#ifndef MVMH_DEBUG
#define MVMH_DEBUG 0
#endif

static inline void charge(uint32_t *work, uint64_t pages)
{
	if (MVMH_DEBUG) {
		MUST(pages <= MVM_HOLD_PAGES - *work);
		*work += (uint32_t)pages;
	}
}

/* --- Small numbers ---------------------------------------------------------------------------- */

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline mvm_vaddr_t page_floor(mvm_vaddr_t va)
{
	return va & ~(mvm_vaddr_t)MVM_PAGE_MASK;
}

static inline uint64_t pages_of(uint64_t bytes)
{
	return (bytes >> MVM_PAGE_SHIFT) + ((bytes & MVM_PAGE_MASK) != 0);
}

/* The number of the lowest set bit; x is not 0.  (No __builtin_ctz: it may need libgcc.) */
static inline unsigned lowest_bit(uint64_t x)
{
	/* A de Bruijn sequence: each shift of it has six other bits on top. */
	// clang-format off
	static const uint8_t number[64] = {
		 0,  1,  2, 53,  3,  7, 54, 27,  4, 38, 41,  8, 34, 55, 48, 28,
		62,  5, 39, 46, 44, 42, 22,  9, 24, 35, 59, 56, 49, 18, 29, 11,
		63, 52,  6, 26, 37, 40, 33, 47, 61, 45, 43, 21, 23, 58, 17, 10,
		51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
	};
	// clang-format on

	return number[((x & -x) * UINT64_C(0x022fdd63cc95386d)) >> 58];
}

/* --- Reference counts ------------------------------------------------------------------------- */

static inline void ref_get(uint32_t *refs)
{
	__atomic_fetch_add(refs, 1, __ATOMIC_RELAXED);
}

/* True when that was the last one; what others did before their last use is then visible. */
static inline bool ref_put(uint32_t *refs)
{
	return __atomic_fetch_sub(refs, 1, __ATOMIC_ACQ_REL) == 1;
}

static inline uint32_t ref_count(const uint32_t *refs)
{
	return __atomic_load_n(refs, __ATOMIC_ACQUIRE);
}

/* --- Lists: circular, with a head ------------------------------------------------------------- */

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert(struct list *l, struct list *prev, struct list *next)
{
	l->prev = prev;
	l->next = next;
	prev->next = l;
	next->prev = l;
}

static inline void list_append(struct list *head, struct list *l)
{
	list_insert(l, head->prev, head);
}

static inline void list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}
