/* SPDX-License-Identifier: MIT */
#pragma once

#include <mm/vm.h>

/* Map with FIXED, so many pages of the object, or anonymous ones. */
static inline int map_fixed(struct mvm_space *space, mvm_vaddr_t at, size_t pages, unsigned rights,
	unsigned flags, struct mvm_object *object, mvm_pgoff_t offset)
{
	struct mvm_map m = {
		.addr = at,
		.bytes = pages * MVM_PAGE_BYTES,
		.rights = rights,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED | flags,
		.object = object,
		.offset_pages = offset,
	};

	return mvm_map(space, &m);
}
