// SPDX-License-Identifier: MIT
/*
 * Areas: what a space's addresses mean.  What finds them is the index (area_index.h).
 *
 * An area is a range with one meaning: rights, kind, and for all but anonymous memory an object
 * and the page of it that stands at `start`.  Areas of a space do not overlap.  They say nothing
 * of pages: private pages are in the anon tree, the object's in its index.
 */
#pragma once

#include "base.h"

#include <mm/vm.h>

enum {
	AREA_SHARED = MVM_MAP_SHARED,
	AREA_GROWSDOWN = MVM_MAP_GROWSDOWN,
	AREA_NORESERVE = MVM_MAP_NORESERVE,
	AREA_LOCKED = MVM_MAP_LOCKED,
	AREA_LOCKONFAULT = MVM_MAP_LOCKONFAULT,
	AREA_RANDOM = MVM_MAP_RANDOM,
	AREA_SEQUENTIAL = MVM_MAP_SEQUENTIAL,
	AREA_DONTFORK = MVM_MAP_DONTFORK,
	AREA_WIPEONFORK = MVM_MAP_WIPEONFORK,
	AREA_HUGE = MVM_MAP_HUGE,

	AREA_LOCK_FLAGS = AREA_LOCKED | AREA_LOCKONFAULT,
	/* Those that mvm_map() may give: */
	AREA_FLAGS = AREA_SHARED | AREA_GROWSDOWN | AREA_NORESERVE | AREA_LOCK_FLAGS | AREA_RANDOM |
		     AREA_SEQUENTIAL | AREA_DONTFORK | AREA_WIPEONFORK | AREA_HUGE,
};

/* What faults may have left in an area without an object; what is not set is certain. */
enum {
	TOUCHED_PAGES = 1, /* anons */
	TOUCHED_ZEROS = 2, /* translations to the page of zeros */
};

/* An area's place in its object's reverse map; a walker's marker there has no area. */
struct rmap_link {
	struct list list;
	struct area *area;
};

/*
 * [I] immutable  [s] the space's lock  [so] written under the space's and the object's lock, read
 * under either  [o] the object's lock
 */
struct area {
	mvm_vaddr_t start, end;  /* [so] */
	uint8_t rights;          /* [so] */
	uint8_t max_rights;      /* [I] */
	uint16_t flags;          /* [so] AREA_... */
	uint8_t touched;         /* [s] TOUCHED_... */
	uint16_t height;         /* [s] the index's */
	struct mvm_space *space; /* [I] */

	struct mvm_object *object; /* [I] referenced; NULL: anonymous */
	mvm_pgoff_t offset;        /* [so] the object's page at `start` */
	struct rmap_link rmap;     /* [o] */

	/* The index's own [s]; each uses of them what it needs: */
	struct area *parent, *child[2], *prev, *next;
	size_t gap; /* the largest hole before an area below */
};

static inline bool area_private(const struct area *a)
{
	return !(a->flags & AREA_SHARED);
}

/* May stores through the area ever reach its object? */
static inline bool area_is_writer(const struct area *a)
{
	return !area_private(a) && a->max_rights & MVM_WRITE;
}

/*
 * What an entry may grant by these rights: no machine has memory that is
 * writable but not readable.
 */
static inline unsigned effective_rights(unsigned rights)
{
	return rights | (rights & MVM_WRITE ? MVM_READ : 0);
}

static inline unsigned area_rights(const struct area *a)
{
	return effective_rights(a->rights);
}

/* What an entry of the area may grant now; stores only where the page may be written in place. */
static inline unsigned entry_rights(const struct area *a, bool in_place)
{
	return area_rights(a) & (in_place ? MVM_RWX : MVM_READ | MVM_EXEC);
}

static inline uint64_t area_pages(const struct area *a)
{
	return (a->end - a->start) >> MVM_PAGE_SHIFT;
}

static inline mvm_pgoff_t area_page(const struct area *a, mvm_vaddr_t va)
{
	return a->offset + ((va - a->start) >> MVM_PAGE_SHIFT);
}

/* A new area that means the same, in no index and no list; the object is not referenced again. */
static inline void area_init_like(struct area *copy, const struct area *a)
{
	*copy = (struct area){
		.start = a->start,
		.end = a->end,
		.rights = a->rights,
		.max_rights = a->max_rights,
		.flags = a->flags,
		.touched = a->touched,
		.space = a->space,
		.object = a->object,
		.offset = a->offset,
	};
}
