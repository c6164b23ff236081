// SPDX-License-Identifier: MIT
/*
 * msync: write back what shared mappings of a range have made dirty.
 *
 * Area by area, each looked up anew after the lock was dropped for its I/O.
 */
#include "object.h"
#include "rmap.h"
#include "space.h"

/* A part of the range in one shared object, referenced. */
struct part {
	struct mvm_object *object;
	mvm_pgoff_t first, last;
};

/*
 * The next area from *va on; *va moves behind it.  part->object is NULL when there is nothing to
 * write.  False: a hole; *va moves to its end.
 */
static bool next_part(struct mvm_space *space, mvm_vaddr_t *va, mvm_vaddr_t end, struct part *part)
{
	struct area *a;
	mvm_vaddr_t from = *va;

	part->object = NULL;
	space_lock(space);
	a = area_find(&space->areas, from);
	if (!a || a->start > from) {
		*va = a ? min_u64(a->start, end) : end;
		space_unlock(space);
		return false;
	}
	*va = min_u64(a->end, end);
	if (a->object && !area_private(a) && a->object->kind == OBJECT_PAGED) {
		*part = (struct part){a->object, area_page(a, from), area_page(a, *va) - 1};
		mvm_object_ref(a->object);
	}
	space_unlock(space);
	return true;
}

static int sync_part(const struct part *part, unsigned flags, int (*commit)(struct mvm_object *obj))
{
	int err = mvm_pc_flush(
		part->object, part->first, part->last, flags & MVM_SYNC_WAIT ? MVM_PC_WAIT : 0);

	if (!err && commit && flags & MVM_SYNC_WAIT)
		err = commit(part->object);
	mvm_object_unref(part->object);
	return err;
}

int mvm_sync(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes, unsigned flags,
	int (*commit)(struct mvm_object *obj))
{
	mvm_vaddr_t end = addr + pages_of(bytes) * MVM_PAGE_BYTES;
	bool hole = false;
	int err = 0;

	if (addr & MVM_PAGE_MASK || end < addr)
		return -MVM_EINVAL;
	while (addr < end && !err) {
		struct part part;

		hole |= !next_part(space, &addr, end, &part);
		if (part.object)
			err = sync_part(&part, flags, commit);
	}
	return !err && hole ? -MVM_ENOMEM : err;
}
