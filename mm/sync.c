// SPDX-License-Identifier: MIT
/*
 * msync: write back what shared mappings of a range have made dirty.
 *
 * Area by area, each looked up anew after the lock was dropped for its I/O.
 */
#include "range.h"

/* Do stores through it reach an object that has something behind it to be written to? */
static inline bool is_written_back(const struct part *part)
{
	return part->object && part->flags & AREA_SHARED && part->object->kind == OBJECT_PAGED &&
	       part->object->ops->write;
}

/* Lets go of the part. */
static inline int sync_part(
	struct part *part, unsigned flags, int (*commit)(struct mvm_object *obj))
{
	mvm_pgoff_t n = (part->end - part->start) >> MVM_PAGE_SHIFT;
	int err = 0;

	if (flags & MVM_SYNC_INVALIDATE && part->flags & AREA_LOCKED) {
		err = -MVM_EBUSY;
	} else if (is_written_back(part)) {
		err = mvm_pc_flush(part->object, part->first, part->first + n - 1,
			flags & MVM_SYNC_WAIT ? MVM_PC_WAIT : 0);
		if (!err && commit && flags & MVM_SYNC_WAIT)
			err = commit(part->object);
	}
	part_put(part);
	return err;
}

int mvm_sync(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes, unsigned flags,
	int (*commit)(struct mvm_object *obj))
{
	mvm_vaddr_t end;
	int missing = 0;

	if (!range_end(addr, bytes, &end))
		return -MVM_EINVAL;
	while (addr < end) {
		struct part part;
		int err;

		part_look(space, addr, end, &part);
		if (part.hole)
			missing = -MVM_ENOMEM;
		err = sync_part(&part, flags, commit);
		if (err)
			return err;
		addr = part.end;
	}
	return missing;
}
