// SPDX-License-Identifier: MIT
/*
 * Mapping: mmap and brk.
 *
 * Nothing is read and no frame taken: a map is an area, or a neighbour made larger.  Anonymous maps
 * look first whether the area before or after them is of their kind; then it grows in place, and
 * the call allocates nothing.  FIXED over something is an unmapping with the new area put in
 * before the claim is dropped, so that no fault ever sees the hole.
 */
#include "meta.h"
#include "trace.h"
#include "object.h"
#include "range.h"
#include "place.h"
#include "space.h"
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
static bool grow_neighbour(
	struct mvm_space *space, const struct mvm_map *m, mvm_vaddr_t start, mvm_vaddr_t end)
{
	unsigned flags = area_flags(space, m);
	struct area *next = area_find(&space->areas, start), *prev;

	if (m->object || claim_find(space, start - (start > 0), end + 1))
		return false;
	if (next && next->start == end && continues(next, m, flags)) {
		space_resize(space, next, start, next->end);
		next = space_merge_at(space, start, NULL);
		if (next)
			slab_free(SLAB_AREA, next); /* anonymous: no object to let go */
		return true;
	}
	prev = start > space->low ? space_area(space, start - 1) : NULL;
	if (!prev || !continues(prev, m, flags))
		return false;
	space_resize(space, prev, prev->start, end);
	return true;
}

/* A new area.  The space's lock is held. */
static void insert(struct mvm_space *space, struct area *a, const struct mvm_map *m,
	mvm_vaddr_t start, mvm_vaddr_t end)
{
	*a = (struct area){
		.start = start,
		.end = end,
		.rights = (uint8_t)m->rights,
		.max_rights = (uint8_t)m->max_rights,
		.flags = (uint16_t)area_flags(space, m),
		.object = m->object,
		.offset = m->object ? m->offset_pages : 0,
	};
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
		} while (unlikely(err) && claim_wait_one(space));
		return err;
	}
	*start = m->addr;
	claim_wait(space, m->addr, m->addr + bytes);
	if (m->flags & MVM_MAP_FIXED_NOREPLACE && occupied(space, m->addr, m->addr + bytes))
		return -MVM_EEXIST;
	return 0;
}

/*
 * How many pages of the range are mapped now, by its first MVM_HOLD_PAGES areas: what FIXED will
 * give back.
 */
static uint64_t mapped_pages(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct area *a = area_find(&space->areas, start);
	uint64_t bytes = 0;

	for (unsigned n = 0; n < MVM_HOLD_PAGES && a && a->start < end; n++, a = area_next(a))
		bytes += min_u64(a->end, end) - max_u64(a->start, start);
	return bytes >> MVM_PAGE_SHIFT;
}

/* Do the limits allow the map at `start`?  The space's lock is held. */
static int check_limits(
	struct mvm_space *space, const struct mvm_map *m, mvm_vaddr_t start, size_t bytes)
{
	uint64_t pages = bytes >> MVM_PAGE_SHIFT;
	int err = space_room_locked(space, area_flags(space, m), pages);

	if (!err)
		err = space_room_area(space);
	if (!err && space_room(space, m->rights, m->flags, pages) != 0)
		err = space_room(space, m->rights, m->flags,
			pages - mapped_pages(space, start, start + bytes));
	return err;
}

/*
 * Put the map into the free range.  The space's lock is held.  False: an area is needed and
 * *spare is not there.
 */
static bool enter(struct mvm_space *space, const struct mvm_map *m, mvm_vaddr_t start, size_t bytes,
	struct area **spare)
{
	if (grow_neighbour(space, m, start, start + bytes))
		return true;
	if (!*spare)
		*spare = slab_alloc(SLAB_AREA);
	if (!*spare)
		return false;
	insert(space, *spare, m, start, start + bytes);
	*spare = NULL;
	return true;
}

/* What try_map() may say besides errors: *spare must be allocated first, or if it is there, reclaim. */
#define NEED_MEMORY 1

/* FIXED over something.  *spare is there.  No lock held.  As try_map(). */
static OWN_FRAME int map_over(
	struct mvm_space *space, struct mvm_map *m, size_t bytes, struct area **spare)
{
	struct unmap u;
	int err = unmap_lock(&u, space, m->addr, m->addr + bytes, CLAIM_REPLACE);

	if (err)
		return err == -MVM_EAGAIN ? NEED_MEMORY : err;
	if (space->dead) { /* since it was unlocked: nobody would take the new area away */
		err = -MVM_ENOMEM;
	} else {
		insert(space, *spare, m, m->addr, m->addr + bytes);
		*spare = NULL;
	}
	unmap_end_unlock(&u, space);
	return err;
}

/*
 * Map where nothing is.  As try_map().  With *over, something is there, and this has only found out
 * that it may be replaced.
 */
static OWN_FRAME int map_free(
	struct mvm_space *space, struct mvm_map *m, size_t bytes, struct area **spare, bool *over)
{
	mvm_vaddr_t start;
	int err;

	space_lock(space);
	err = find_place(space, m, bytes, &start);
	if (!err && space->dead)
		err = -MVM_ENOMEM;
	if (!err)
		err = check_limits(space, m, start, bytes);
	*over = !err && occupied(space, start, start + bytes);
	if (!err && !*over && !enter(space, m, start, bytes, spare))
		err = NEED_MEMORY;
	if (!err) {
		trace(space, MVM_TRACE_MAP, start, start + bytes,
			(uint64_t)m->flags << 8 | m->rights);
		m->addr = start;
	}
	space_unlock(space);
	return err;
}

/* One attempt. */
static int try_map(struct mvm_space *space, struct mvm_map *m, size_t bytes, struct area **spare)
{
	bool over;
	int err = map_free(space, m, bytes, spare, &over);

	if (err || !over)
		return err;
	return *spare ? map_over(space, m, bytes, spare) : NEED_MEMORY;
}

/* Map, without prefaulting. */
static OWN_FRAME int map(struct mvm_space *space, struct mvm_map *m, size_t bytes)
{
	struct area *spare = NULL;
	unsigned attempts = 0;
	bool reclaim;
	int err;

	while ((err = try_map(space, m, bytes, &spare)) == NEED_MEMORY) {
		reclaim = spare != NULL;
		if (!spare)
			spare = slab_alloc(SLAB_AREA);
		if ((reclaim || !spare) && !memory_wait(&attempts)) {
			err = -MVM_ENOMEM;
			break;
		}
	}
	if (spare)
		slab_free(SLAB_AREA, spare);
	return err;
}

/* As map(): meanwhile nobody freezes an object that may be stored to. */
static int map_object(struct mvm_space *space, struct mvm_map *m, size_t bytes)
{
	bool writer = m->object && m->flags & MVM_MAP_SHARED && m->max_rights & MVM_WRITE;
	int err = writer ? object_writer_enter(m->object) : 0;

	if (err)
		return err;
	err = map(space, m, bytes);
	if (writer)
		object_writer_leave(m->object);
	return err;
}

int map_only(struct mvm_space *space, struct mvm_map *m)
{
	size_t bytes = (size_t)(pages_of(m->bytes) << MVM_PAGE_SHIFT);
	int err = check_args(space, m, bytes);

	return err ? err : map_object(space, m, bytes);
}

int mvm_map(struct mvm_space *space, struct mvm_map *m)
{
	mvm_vaddr_t end;
	unsigned locked;
	int err = map_only(space, m);

	if (err)
		return err;
	end = m->addr + (size_t)(pages_of(m->bytes) << MVM_PAGE_SHIFT);
	locked = (m->flags | __atomic_load_n(&space->lock_future, __ATOMIC_RELAXED)) & AREA_LOCKED;
	if (unlikely(locked || m->flags & MVM_MAP_POPULATE))
		(void)!range_populate(space, m->addr, end,
			POPULATE_ALL | (m->flags & MVM_MAP_POPULATE ? 0 : POPULATE_LOCKED));
	return 0;
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
