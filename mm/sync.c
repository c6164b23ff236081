// SPDX-License-Identifier: MIT
/*
 * msync: write back what shared mappings of a range have made dirty.
 *
 * Area by area, each looked up anew after the lock was dropped for its I/O.
 */
#include "object.h"
#include "range.h"

static int sync_part(const struct part *part, unsigned flags, int (*commit)(struct mvm_object *obj))
{
	mvm_pgoff_t n = (part->end - part->start) >> MVM_PAGE_SHIFT;
	int err;

	if (flags & MVM_SYNC_INVALIDATE && part->flags & AREA_LOCKED)
		return -MVM_EBUSY;
	if (!part->object || !(part->flags & AREA_SHARED) || part->object->kind != OBJECT_PAGED)
		return 0;
	err = mvm_pc_flush(part->object, part->first, part->first + n - 1,
		flags & MVM_SYNC_WAIT ? MVM_PC_WAIT : 0);
	if (!err && commit && flags & MVM_SYNC_WAIT)
		err = commit(part->object);
	return err;
}

int mvm_sync(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes, unsigned flags,
	int (*commit)(struct mvm_object *obj))
{
	bool hole = false;
	mvm_vaddr_t end;
	int err = 0;

	if (!range_end(addr, bytes, &end))
		return -MVM_EINVAL;
	while (addr < end && !err) {
		struct part part;

		part_at(space, addr, end, &part);
		hole |= part.hole;
		err = sync_part(&part, flags, commit);
		addr = part.end;
		part_put(&part);
	}
	return !err && hole ? -MVM_ENOMEM : err;
}
