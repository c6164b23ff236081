// SPDX-License-Identifier: MIT
/*
 * Mapping: mmap and brk.
 *
 * Nothing is read and no frame taken: a map is an area, or a neighbour made larger.  Anonymous maps
 * look first whether the area before or after them is of their kind; then it grows in place, and
 * the call allocates nothing.  FIXED over something is an unmapping with the new area put in
 * before the claim is dropped, so that no fault ever sees the hole; what will be more is reserved
 * before it begins (limits.h).
 */
#include "object.h"
#include "place.h"
#include "range.h"
#include "trace.h"
#include "unmap.h"

static int check_args(const struct mvm_space *space, const struct mvm_map *m, size_t bytes)
{
	mvm_pgoff_t n = bytes >> MVM_PAGE_SHIFT;

	if (m->bytes == 0)
		return -MVM_EINVAL;
	if (bytes == 0 || bytes > space->high - space->low)
		return -MVM_ENOMEM;
	if (m->rights & ~m->max_rights)
		return -MVM_EACCES;
	if (m->flags & MVM_MAP_SHARED && !m->object)
		return -MVM_EINVAL; /* nothing would keep what is stored */
	if (m->object && (m->offset_pages > PAGE_INDEX_MAX || PAGE_INDEX_MAX - m->offset_pages < n))
		return -MVM_EFBIG;
	if (!(m->flags & (MVM_MAP_FIXED | MVM_MAP_FIXED_NOREPLACE)))
		return 0;
	if (m->addr & MVM_PAGE_MASK)
		return -MVM_EINVAL;
	if (m->addr < space->low || m->addr > space->high - bytes)
		return -MVM_ENOMEM;
	return 0;
}

/* Is anything, or somebody at work, in the range?  The space's lock is held. */
static bool occupied(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct area *a = area_find(&space->areas, start);

	return (a && a->start < end) || claim_find(space, start, end);
}

/* The flags that its area will have.  The space's lock is held. */
static unsigned area_flags(const struct mvm_space *space, const struct mvm_map *m)
{
	unsigned flags = (m->flags & AREA_FLAGS) | space->lock_future;

	if (m->object && m->object->kind == OBJECT_DEVICE)
		return flags & ~(unsigned)AREA_LOCK_FLAGS; /* it cannot be evicted */
	return flags & AREA_LOCKED ? flags : flags & ~(unsigned)AREA_LOCKONFAULT;
}

/* Would an area like this one continue `a`? */
static bool continues(const struct area *a, const struct mvm_map *m, unsigned flags)
{
	return !a->object && !(flags & AREA_GROWSDOWN) && a->flags == flags &&
	       a->rights == m->rights && a->max_rights == m->max_rights;
}

/* Make a neighbour cover [start, end) too.  The space's lock is held. */
static bool grow_neighbour(struct mvm_space *space, const struct mvm_map *m, unsigned flags,
	mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct area *next, *prev, *gone;

	if (m->object || claim_find(space, start - (start > 0), end + 1))
		return false;
	next = area_find(&space->areas, start);
	if (next && next->start == end && continues(next, m, flags)) {
		space_resize(space, next, start, next->end);
		prev = area_prev(next);
		gone = prev ? space_merge(space, prev, NULL) : NULL;
		if (gone && !area_keep(space, gone))
			area_free(gone); /* anonymous: that does not sleep */
		return true;
	}
	prev = next ? area_prev(next) : space_area(space, start - 1);
	if (!prev || prev->end != start || !continues(prev, m, flags))
		return false;
	space_resize(space, prev, prev->start, end);
	return true;
}

/* A new area.  The space's lock is held. */
static void insert(struct mvm_space *space, struct area *a, const struct mvm_map *m, unsigned flags,
	mvm_vaddr_t start, mvm_vaddr_t end)
{
	a->start = start;
	a->end = end;
	a->rights = (uint8_t)m->rights;
	a->max_rights = (uint8_t)m->max_rights;
	a->flags = (uint16_t)flags;
	a->touched = 0;
	a->object = m->object;
	a->offset = m->object ? m->offset_pages : 0;
	if (a->object)
		mvm_object_ref(a->object);
	space_insert(space, a);
}

/*
 * A place for the map, by hint, or as FIXED says, that nobody claims: so no fork is under way.
 * The space's lock is held, but not all the time.
 */
static int find_place(
	struct mvm_space *space, const struct mvm_map *m, size_t bytes, mvm_vaddr_t *start)
{
	int err;

	if (!(m->flags & (MVM_MAP_FIXED | MVM_MAP_FIXED_NOREPLACE))) {
		do {
			err = place(space, m->addr, bytes, start);
		} while (unlikely(err) && place_wait(space, bytes));
		return err;
	}
	*start = m->addr;
	claim_wait(space, m->addr, m->addr + bytes);
	if (m->flags & MVM_MAP_FIXED_NOREPLACE && occupied(space, m->addr, m->addr + bytes))
		return -MVM_EEXIST;
	return 0;
}

/* What the map adds where nothing is.  The space's lock is held. */
static struct growth growth_by(const struct mvm_map *m, unsigned flags, size_t bytes)
{
	struct growth more = growth_of(m->rights, flags, bytes >> MVM_PAGE_SHIFT);

	more.areas = 1;
	return more;
}

/*
 * The same where FIXED gives something back: of the range's first MVM_HOLD_PAGES areas, and no
 * locked pages, which Linux asks for anew, too.
 */
static struct growth growth_over(struct mvm_space *space, const struct mvm_map *m, mvm_vaddr_t end)
{
	struct growth more = growth_by(m, area_flags(space, m), end - m->addr);
	struct area *a = area_find(&space->areas, m->addr);

	for (unsigned n = 0; n < MVM_HOLD_PAGES && a && a->start < end; n++, a = area_next(a)) {
		mvm_vaddr_t from = max_u64(a->start, m->addr), to = min_u64(a->end, end);
		struct growth less = growth_of(a->rights, a->flags, (to - from) >> MVM_PAGE_SHIFT);

		more.mapped -= less.mapped;
		more.data -= min_u64(less.data, more.data);
	}
	return more;
}

/* The map is there. */
static void trace_map(struct mvm_space *space, const struct mvm_map *m, size_t bytes)
{
	trace(space, MVM_TRACE_MAP, m->addr, m->addr + bytes, (uint64_t)m->flags << 8 | m->rights);
}

/* Put the map into the free range.  The space's lock is held. */
static int enter(struct mvm_space *space, struct mvm_map *m, mvm_vaddr_t start, size_t bytes)
{
	unsigned flags = area_flags(space, m);
	struct growth more = growth_by(m, flags, bytes);
	int err = limits_check(space, &more);
	struct area *a;

	if (unlikely(err))
		return err;
	if (!grow_neighbour(space, m, flags, start, start + bytes)) {
		a = area_alloc(space);
		if (unlikely(!a))
			return AGAIN_MEMORY;
		insert(space, a, m, flags, start, start + bytes);
	}
	m->addr = start;
	trace_map(space, m, bytes);
	return 0;
}

/*
 * Reserve what could fail of a map over [m->addr, end): its area, and *more of the limits.  Locked.
 */
static OWN_FRAME int reserve_over(struct mvm_space *space, const struct mvm_map *m, mvm_vaddr_t end,
	struct unmap *u, struct growth *more, struct area **a)
{
	int err;

	*more = growth_over(space, m, end);
	err = space->dead ? -MVM_ENOMEM : limits_check(space, more);
	if (err)
		return err;
	*a = area_alloc(space);
	if (!*a)
		return AGAIN_MEMORY;
	limits_reserve(space, more);
	err = unmap_reserve(u, space, m->addr, end);
	if (err) {
		unmap_unreserve(u, space);
		limits_release(space, more);
		slab_free(SLAB_AREA, *a);
	}
	return err == -MVM_EAGAIN ? AGAIN_MEMORY : err;
}

/*
 * Some areas have gone: that would be room for others, but it is ours.  The
 * space's lock is held.
 */
static OWN_FRAME void reserve_gone(
	struct mvm_space *space, const struct mvm_map *m, mvm_vaddr_t end, struct growth *more)
{
	limits_release(space, more);
	*more = growth_over(space, m, end);
	limits_reserve(space, more);
}

/* FIXED over something. */
static COLD int map_over(struct mvm_space *space, struct mvm_map *m, size_t bytes)
{
	struct unmap u = {.spare = NULL};
	mvm_vaddr_t end = m->addr + bytes;
	struct growth more;
	struct area *a;
	int err;

	space_lock(space);
	claim_wait(space, m->addr, end);
	err = reserve_over(space, m, end, &u, &more, &a);
	if (err) {
		space_unlock(space);
		return err;
	}
	claim_enter(space, &u.claim, m->addr, end, CLAIM_REPLACE);
	trace(space, MVM_TRACE_UNMAP, m->addr, end, 0);
	unmap_sweep(&u, space);
	while (unmap_some_areas(&u, space)) {
		reserve_gone(space, m, end, &more);
		space_relock(space);
	}
	limits_release(space, &more);
	insert(space, a, m, area_flags(space, m), m->addr, end);
	trace_map(space, m, bytes);
	unmap_end_unlock(&u, space);
	return 0;
}

/* Where nothing is: 0, an error, or enum again. */
static OWN_FRAME int map_free(struct mvm_space *space, struct mvm_map *m, size_t bytes)
{
	mvm_vaddr_t start;
	int err;

	space_lock(space);
	err = find_place(space, m, bytes, &start);
	if (unlikely(space->dead) && !err)
		err = -MVM_ENOMEM;
	if (!err && m->flags & MVM_MAP_FIXED && occupied(space, start, start + bytes))
		err = AGAIN_OVER;
	if (!err)
		err = enter(space, m, start, bytes);
	space_unlock(space);
	return err;
}

/* The first attempt has not done it, and has said why: go on. */
static COLD int map_harder(struct mvm_space *space, struct mvm_map *m, size_t bytes, int err)
{
	unsigned attempts = 0;

	for (;;) {
		if (err == AGAIN_OVER)
			err = map_over(space, m, bytes);
		if (err != AGAIN_MEMORY)
			return err;
		if (!memory_wait(&attempts))
			return -MVM_ENOMEM;
		err = map_free(space, m, bytes);
	}
}

/* Map, without prefaulting. */
static inline int map(struct mvm_space *space, struct mvm_map *m, size_t bytes)
{
	int err = map_free(space, m, bytes);

	return likely(err <= 0) ? err : map_harder(space, m, bytes, err);
}

/* As map(), so that stores reach the object: meanwhile nobody freezes it. */
static COLD int map_writer(struct mvm_space *space, struct mvm_map *m, size_t bytes)
{
	int err = object_writer_enter(m->object);

	if (err)
		return err;
	err = map(space, m, bytes);
	object_writer_leave(m->object);
	return err;
}

OWN_FRAME int map_only(struct mvm_space *space, struct mvm_map *m)
{
	size_t bytes = (size_t)(pages_of(m->bytes) << MVM_PAGE_SHIFT);
	int err = check_args(space, m, bytes);

	if (unlikely(err))
		return err;
	if (m->object && m->flags & MVM_MAP_SHARED && m->max_rights & MVM_WRITE)
		return map_writer(space, m, bytes);
	return map(space, m, bytes);
}

/* Bring in what is mapped now: all of it, or what is locked. */
static COLD void populate(struct mvm_space *space, const struct mvm_map *m)
{
	mvm_vaddr_t end = m->addr + (size_t)(pages_of(m->bytes) << MVM_PAGE_SHIFT);

	(void)!range_populate(space, m->addr, end,
		POPULATE_ALL | (m->flags & MVM_MAP_POPULATE ? 0 : POPULATE_LOCKED));
}

int mvm_map(struct mvm_space *space, struct mvm_map *m)
{
	int err = map_only(space, m);
	unsigned flags = m->flags | __atomic_load_n(&space->lock_future, __ATOMIC_RELAXED);

	if (!err && unlikely(flags & (AREA_LOCKED | MVM_MAP_POPULATE)))
		populate(space, m);
	return err;
}

int mvm_brk(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t old_end, mvm_vaddr_t new_end)
{
	struct mvm_map m = {
		.addr = old_end,
		.bytes = new_end - old_end,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED_NOREPLACE,
	};
	int err;

	if (new_end < start || (new_end | old_end) & MVM_PAGE_MASK)
		return -MVM_EINVAL;
	if (new_end == old_end)
		return 0;
	if (new_end < old_end)
		return mvm_unmap(space, new_end, old_end - new_end);
	err = mvm_map(space, &m);
	return err == -MVM_EEXIST || err == -MVM_EAGAIN ? -MVM_ENOMEM : err;
}
