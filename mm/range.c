// SPDX-License-Identifier: MIT
/*
 * The areas of a range.
 *
 * mprotect, madvise and mlock do the same to a range: each area in it comes to mean something else,
 * an area that lies partly outside is cut, and neighbours that have come to mean the same are made
 * one.  They say what an area is to become; everything else is here.
 *
 *	before      |   rw    |  r  |  (hole)  |  rw   |
 *	range             |------------------------|
 *	decide            r     r                r
 *	after       | rw  |    r    |          | r |rw |
 *
 * The range is claimed meanwhile, so that an area that was looked at stays what it is although the
 * lock is dropped after some areas; faults go on.  And so that no fork begins between the moment
 * at which rights are taken away and the end of the sweep that follows: it write-protects only what
 * is writable, and would not see entries that have more rights than their area.
 *
 * Who only looks (msync, readahead, prefaulting) needs no claim: each part is looked up anew, and
 * what it says may be out of date as soon as the lock is dropped, as the answer of any system call
 * may.
 */
#include "range.h"

/* --- Looking ---------------------------------------------------------------------------------- */

void part_at(struct mvm_space *space, mvm_vaddr_t at, mvm_vaddr_t end, struct part *part)
{
	part_look(space, at, end, part);
}

/* In the place of an access: none is allowed. */
#define NO_ACCESS 8

/* How: private writable memory of its own if it is anonymous or locked; else it is only read. */
static unsigned populate_access(const struct part *part)
{
	bool own = !(part->flags & AREA_SHARED) && (!part->object || part->flags & AREA_LOCKED);

	if (own && part->rights & MVM_WRITE)
		return MVM_WRITE;
	if (effective_rights(part->rights) & MVM_READ)
		return MVM_READ;
	return part->rights & MVM_EXEC ? MVM_EXEC : NO_ACCESS;
}

/* With which access the part at `at` is to be prefaulted, 0: not at all.  Returns its end. */
static OWN_FRAME mvm_vaddr_t populate_next(
	struct mvm_space *space, mvm_vaddr_t at, mvm_vaddr_t end, unsigned how, unsigned *access)
{
	struct part part;

	part_at(space, at, end, &part);
	*access = 0;
	if (!part.hole &&
		(!(how & POPULATE_LOCKED) || (part.flags & AREA_LOCK_FLAGS) == AREA_LOCKED))
		*access = populate_access(&part);
	end = part.end;
	part_put(&part);
	return end;
}

OWN_FRAME int range_populate(
	struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end, unsigned how)
{
	unsigned access;
	int err = 0;

	while (!err && start < end) {
		mvm_vaddr_t next = populate_next(space, start, end, how, &access);

		if (access == NO_ACCESS)
			err = -MVM_EFAULT;
		else if (access)
			err = mvm_prefault(space, start, next - start, access);
		if (how & POPULATE_ALL && err != -MVM_EINTR)
			err = 0;
		start = next;
		if (!err && start < end && mvmh_killed())
			err = -MVM_EINTR;
	}
	return err;
}

/* --- Changing --------------------------------------------------------------------------------- */

void change_begin_lock(
	struct change *c, struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	c->space = space;
	c->past_holes = false;
	c->reserved = 0;
	c->gone = NULL;
	space_lock(space);
	claim_enter(space, &c->claim, start, end, CLAIM_CHANGE);
}

/* Cut `a` at va, which lies inside.  -MVM_EAGAIN: no memory; -MVM_ENOMEM: one area too many. */
static OWN_FRAME int cut(struct mvm_space *space, struct area *a, mvm_vaddr_t va)
{
	struct area *upper;

	if (limits_check(space, &one_area) != 0)
		return -MVM_ENOMEM;
	upper = area_alloc(space);
	if (!upper)
		return -MVM_EAGAIN;
	space_split(space, a, va, upper);
	return 0;
}

static OWN_FRAME void release_locked(struct change *c, uint64_t pages)
{
	struct growth locked = {.locked = pages};

	c->reserved -= pages;
	limits_release(c->space, &locked);
}

/* What becomes locked is no longer reserved, if mlock has done that. */
static void use_reserved(struct change *c, const struct area *a, unsigned flags)
{
	if (c->reserved && flags & AREA_LOCKED && !(a->flags & AREA_LOCKED))
		release_locked(c, area_pages(a));
}

/* Have [c->at, end) of the area mean something else. */
static int set_meaning(struct change *c, struct area *a, mvm_vaddr_t end, const struct meaning *to)
{
	int err = 0;

	if (to->rights == a->rights && to->flags == a->flags)
		return 0;
	if (a->start < c->at) {
		err = cut(c->space, a, c->at);
		a = err ? a : area_next(a);
	}
	if (!err && end < a->end)
		err = cut(c->space, a, end);
	if (err)
		return err;
	use_reserved(c, a, to->flags);
	space_set_meaning(c->space, a, to->rights, to->flags);
	return 0;
}

static OWN_FRAME void merge_next(struct change *c, struct area *l)
{
	struct area *gone = space_merge(c->space, l, &c->claim);

	if (gone && !area_keep(c->space, gone)) {
		gone->parent = c->gone;
		c->gone = gone;
	}
}

/* Make areas that meet at va one, if they mean the same. */
static inline void merge(struct change *c, mvm_vaddr_t va)
{
	struct area *l = area_find(&c->space->areas, va - 1), *r = l ? area_next(l) : NULL;

	if (r && r->start == va && l->end == va)
		merge_next(c, l);
}

/* Change what comes next.  Locked.  -MVM_EAGAIN: memory is needed. */
static int change_next(struct change *c, change_fn *decide)
{
	struct area *a = area_find(&c->space->areas, c->at);
	mvm_vaddr_t end = a ? min_u64(a->end, c->claim.end) : c->claim.end;
	struct meaning to;
	int err;

	if (!a || a->start > c->at) {
		c->hole = true;
		c->at = a ? min_u64(a->start, c->claim.end) : c->claim.end;
		return c->past_holes ? 0 : -MVM_ENOMEM;
	}
	to = (struct meaning){a->rights, a->flags};
	err = decide(c, a, end, &to);
	if (!err)
		err = set_meaning(c, a, end, &to);
	if (err)
		return err;
	if (c->at > c->claim.start)
		merge(c, c->at);
	c->at = end;
	return 0;
}

int change_walk(struct change *c, change_fn *decide)
{
	unsigned attempts = 0;
	int err;

	c->at = c->claim.start;
	c->hole = false;
	for (unsigned n = 1;; n++) {
		err = change_next(c, decide);
		if (unlikely(err == -MVM_EAGAIN)) {
			space_unlock(c->space);
			err = memory_wait(&attempts) ? 0 : -MVM_ENOMEM;
			space_lock(c->space);
		}
		if (err || c->at >= c->claim.end)
			return err;
		if (n % CHANGE_AREAS == 0)
			space_relock(c->space);
	}
}

void change_end_unlock(struct change *c)
{
	struct area *a;

	if (unlikely(c->reserved))
		release_locked(c, c->reserved); /* after a hole or a failure */
	claim_leave(c->space, &c->claim);
	merge(c, c->claim.start);
	merge(c, c->claim.end);
	space_unlock(c->space);
	if (c->claim.waited)
		mvmh_wake(&c->space->claims);
	while ((a = c->gone) != NULL) {
		c->gone = a->parent;
		area_free(a);
	}
}
