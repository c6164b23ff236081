// SPDX-License-Identifier: MIT
/*
 * mlock and its family.
 *
 * A lock is a flag of areas.  Reclaim meets it where it meets everything that maps a page: on the
 * reverse walk that asks whether the page was used; in a locked area it always was.  (Private pages
 * are never reclaimed.)  Translations of locked pages may still be forgotten.  So locking is: the
 * walk of range.c over the flags, then a fault for each page.  A page that was evicted between the
 * two is read again by the fault; one that is evicted after its fault would have been used.
 *
 * The limit counts pages of areas, not pages in memory; it is looked at, and what will be locked
 * reserved (limits.h), before anything changes.
 */
#include "../object.h"
#include "../range.h"

#include <mm/vm.h>

struct locking {
	struct change change;
	unsigned set;       /* AREA_LOCK_FLAGS that the areas will have */
	uint64_t new_pages; /* that are not locked yet */
};

/* Devices are neither locked nor counted: they cannot be evicted. */
static bool lockable(const struct area *a)
{
	return !a->object || a->object->kind != OBJECT_DEVICE;
}

static int count_new(struct change *c, const struct area *a, mvm_vaddr_t end, struct meaning *to)
{
	struct locking *l = container_of(c, struct locking, change);

	(void)to;
	if (lockable(a) && !(a->flags & AREA_LOCKED))
		l->new_pages += (end - c->at) >> MVM_PAGE_SHIFT;
	return 0;
}

static int set_flags(struct change *c, const struct area *a, mvm_vaddr_t end, struct meaning *to)
{
	struct locking *l = container_of(c, struct locking, change);

	(void)end;
	if (lockable(a))
		to->flags = (a->flags & ~(unsigned)AREA_LOCK_FLAGS) | l->set;
	return 0;
}

/* Reserve what would be locked anew; -MVM_ENOMEM when that is too much.  The space is locked. */
static OWN_FRAME int reserve(struct locking *l)
{
	struct mvm_space *space = l->change.space;
	struct growth more = {.locked = l->new_pages};

	if (limits_check(space, &more) != 0)
		return -MVM_ENOMEM;
	limits_reserve(space, &more);
	l->change.reserved = l->new_pages;
	return 0;
}

/* Give the areas of the claimed range their flags, if the limit allows.  Inline: a frame less. */
static inline __attribute__((always_inline)) int lock_claimed(struct locking *l, bool past_holes)
{
	int err = 0;

	if (l->set) {
		l->change.past_holes = true;
		err = change_walk(&l->change, count_new);
		if (!err)
			err = reserve(l);
	}
	l->change.past_holes = past_holes;
	return err ? err : change_walk(&l->change, set_flags);
}

/* The same to a range that is not claimed yet. */
static OWN_FRAME int lock_areas(
	struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end, unsigned set)
{
	struct locking l = {.set = set};
	int err;

	change_begin_lock(&l.change, space, start, end);
	err = lock_claimed(&l, false);
	change_end_unlock(&l.change);
	return err;
}

static unsigned lock_flags(bool onfault)
{
	return AREA_LOCKED | (onfault ? AREA_LOCKONFAULT : 0);
}

int mvm_mlock(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes, bool onfault)
{
	mvm_vaddr_t end;
	int err;

	if (!range_end(addr, bytes, &end))
		return -MVM_EINVAL;
	if (addr == end)
		return 0;
	err = lock_areas(space, addr, end, lock_flags(onfault));
	if (err)
		return err;
	err = range_populate(space, addr, end, POPULATE_LOCKED);
	if (err == -MVM_ENOMEM)
		return -MVM_EAGAIN;
	return err == -MVM_EFAULT ? -MVM_ENOMEM : err;
}

int mvm_munlock(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes)
{
	mvm_vaddr_t end;

	if (!range_end(addr, bytes, &end))
		return -MVM_EINVAL;
	return addr == end ? 0 : lock_areas(space, addr, end, 0);
}

/* What areas to come will have.  The space is locked, but others read it without. */
static void set_future(struct mvm_space *space, unsigned flags)
{
	__atomic_store_n(&space->lock_future, flags, __ATOMIC_RELAXED);
}

/*
 * All areas there are, if `current`, and those to come.  Whoever makes areas waits for the claim,
 * so none slips through between the two, and none is locked if the call fails.
 */
static OWN_FRAME int lock_all(struct mvm_space *space, bool current, unsigned set, unsigned future)
{
	struct locking l = {.set = set};
	int err = 0;

	change_begin_lock(&l.change, space, space->low, space->high);
	if (current)
		err = lock_claimed(&l, true);
	if (!err)
		set_future(space, future);
	change_end_unlock(&l.change);
	return err;
}

int mvm_mlockall(struct mvm_space *space, unsigned flags)
{
	bool current = flags & MVM_LOCK_CURRENT;
	unsigned set = lock_flags(flags & MVM_LOCK_ONFAULT);
	int err;

	if (flags & ~(unsigned)(MVM_LOCK_CURRENT | MVM_LOCK_FUTURE | MVM_LOCK_ONFAULT) ||
		!(flags & (MVM_LOCK_CURRENT | MVM_LOCK_FUTURE)))
		return -MVM_EINVAL;
	err = lock_all(space, current, set, flags & MVM_LOCK_FUTURE ? set : 0);
	if (!err && current)
		(void)!range_populate(
			space, space->low, space->high, POPULATE_LOCKED | POPULATE_ALL);
	return err;
}

void mvm_munlockall(struct mvm_space *space)
{
	if (lock_all(space, true, 0, 0) != 0)
		mvmh_panic("mm: unlocking a whole space cuts no area");
}
