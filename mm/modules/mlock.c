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
 * The limit counts pages of areas, not pages in memory; it is looked at before anything changes.  The
 * lock is dropped between that and the changes, so what will be locked is counted at once: whoever
 * compares meanwhile finds it.
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

/* Reserve what would be locked anew; -MVM_ENOMEM when that is too much. */
static int reserve(struct locking *l)
{
	struct mvm_space *space = l->change.space;
	int err;

	l->change.past_holes = true;
	err = change_walk(&l->change, count_new);
	if (err)
		return err;
	space_lock(space);
	if (space->locked + l->new_pages > space->limits.locked) {
		err = -MVM_ENOMEM;
	} else {
		space->locked += l->new_pages;
		l->change.reserved = l->new_pages;
	}
	space_unlock(space);
	return err;
}

/* Give the areas of the range these flags, if the limit allows. */
static OWN_FRAME int lock_areas(
	struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end, unsigned set, bool past_holes)
{
	struct locking l = {.set = set};
	int err = 0;

	change_begin(&l.change, space, start, end);
	if (set)
		err = reserve(&l);
	l.change.past_holes = past_holes;
	if (!err)
		err = change_walk(&l.change, set_flags);
	change_end(&l.change);
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
	err = lock_areas(space, addr, end, lock_flags(onfault), false);
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
	return addr == end ? 0 : lock_areas(space, addr, end, 0, false);
}

/* What areas to come will have; returns what it was. */
static unsigned set_future(struct mvm_space *space, unsigned flags)
{
	unsigned before;

	space_lock(space);
	before = space->lock_future;
	__atomic_store_n(&space->lock_future, flags, __ATOMIC_RELAXED);
	space_unlock(space);
	return before;
}

int mvm_mlockall(struct mvm_space *space, unsigned flags)
{
	unsigned set = lock_flags(flags & MVM_LOCK_ONFAULT), before;
	int err;

	if (flags & ~(unsigned)(MVM_LOCK_CURRENT | MVM_LOCK_FUTURE | MVM_LOCK_ONFAULT) ||
		!(flags & (MVM_LOCK_CURRENT | MVM_LOCK_FUTURE)))
		return -MVM_EINVAL;
	/* First what is to come, so that nothing slips through between the two. */
	before = set_future(space, flags & MVM_LOCK_FUTURE ? set : 0);
	if (!(flags & MVM_LOCK_CURRENT))
		return 0;
	err = lock_areas(space, space->low, space->high, set, true);
	if (err) {
		set_future(space, before);
		return err;
	}
	(void)!range_populate(space, space->low, space->high, POPULATE_LOCKED | POPULATE_ALL);
	return 0;
}

void mvm_munlockall(struct mvm_space *space)
{
	set_future(space, 0);
	if (lock_areas(space, space->low, space->high, 0, true) != 0)
		mvmh_panic("mm: unlocking a whole space cuts no area");
}
