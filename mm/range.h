// SPDX-License-Identifier: MIT
/*
 * The areas of a range of addresses, one after another: to look at them (parts), and to change what
 * they mean (changes).  Theory at the head of range.c.
 */
#pragma once

#include "object.h"
#include "space.h"

/*
 * *end: that of the pages of [addr, addr + bytes).  False: addr is no page boundary, or the range
 * goes round the end of all addresses.
 */
static inline bool range_end(mvm_vaddr_t addr, size_t bytes, mvm_vaddr_t *end)
{
	*end = addr + (mvm_vaddr_t)(pages_of(bytes) << MVM_PAGE_SHIFT);
	return !(addr & MVM_PAGE_MASK) && (bytes == 0 || *end > addr);
}

/* --- Looking: no lock is held ----------------------------------------------------------------- */

/* What of one area, or of one hole between areas, lies in a range; as it was a moment ago. */
struct part {
	mvm_vaddr_t start, end;
	unsigned rights, max_rights, flags;
	bool hole;
	struct mvm_object *object; /* referenced; NULL: anonymous, or a hole */
	mvm_pgoff_t first;         /* the object's page at `start` */
};

/*
 * The part that begins at `at`, which is below `end`.  Let go of it with part_put() before the
 * next.
 */
static inline void part_look(
	struct mvm_space *space, mvm_vaddr_t at, mvm_vaddr_t end, struct part *part)
{
	struct area *a;

	space_lock(space);
	a = area_find(&space->areas, at);
	if (likely(a && a->start <= at)) {
		*part = (struct part){
			.start = at,
			.end = min_u64(a->end, end),
			.rights = a->rights,
			.max_rights = a->max_rights,
			.flags = a->flags,
			.object = a->object,
			.first = area_page(a, at),
		};
		if (a->object)
			ref_get(&a->object->refs);
	} else {
		*part = (struct part){
			.start = at, .end = a ? min_u64(a->start, end) : end, .hole = true};
	}
	space_unlock(space);
}

/* The same out of line: for who has more to do, or little stack. */
void part_at(struct mvm_space *space, mvm_vaddr_t at, mvm_vaddr_t end, struct part *part);

static inline void part_put(struct part *part)
{
	if (part->object)
		mvm_object_unref(part->object);
}

/* mvm_map(), but nothing is prefaulted, whatever its flags say. */
int map_only(struct mvm_space *space, struct mvm_map *m) MVM_MUST_CHECK;

/*
 * Prefault the range so that later accesses find what they need: private writable memory of its own
 * if it is anonymous or locked; what belongs to an object is only read, neither copied nor made
 * dirty. As mvm_prefault(); -MVM_EFAULT also where no access is allowed; holes are passed by.
 */
enum {
	POPULATE_LOCKED = 1, /* only what is locked, and not ONFAULT */
	POPULATE_ALL = 2,    /* go on in the next area after a failure, return 0 or -MVM_EINTR */
};
int range_populate(
	struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end, unsigned how) MVM_MUST_CHECK;

/* --- Changing --------------------------------------------------------------------------------- */

/* Areas changed under one hold of the lock: each is the work of some pages. */
#define CHANGE_AREAS ((MVM_HOLD_PAGES + 3) / 4)

/* What may change of an area. */
struct meaning {
	unsigned rights, flags;
};

/* One call that changes areas. */
struct change {
	struct mvm_space *space;
	struct claim claim; /* the range */
	mvm_vaddr_t at;     /* areas are changed up to here */
	bool past_holes;    /* in: go on behind holes, else stop at the first */
	bool hole;          /* out: there was one */
	uint64_t reserved;  /* pages to be locked that are reserved (limits.h) */
	struct area *gone;  /* merged into neighbours, linked by `parent` */
};

/*
 * What becomes of the part [c->at, end) of `a`: *to, which is what it means now.  0, or the error
 * that ends the walk.  The space's lock is held.
 */
typedef int change_fn(struct change *c, const struct area *a, mvm_vaddr_t end, struct meaning *to);

/* Lock the space and claim [start, end), which is not empty, for changes. */
void change_begin_lock(
	struct change *c, struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end);

/*
 * Decide for each area and change it.  0; what decide() says; -MVM_ENOMEM (a hole, no memory, or
 * one area too many): areas below c->at have changed.  Locked at the start and at the end; in
 * between not after CHANGE_AREAS areas, nor when memory is needed.
 */
int change_walk(struct change *c, change_fn *decide) MVM_MUST_CHECK;

/* Give the claim up, and unlock the space. */
void change_end_unlock(struct change *c);
