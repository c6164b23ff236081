// SPDX-License-Identifier: MIT
/*
 * mincore: which pages of a range are in memory.
 *
 * Private memory that was never stored to has none: where loads have mapped the page of zeros,
 * there is no page of its own, and so it is not in memory.
 */
#include "../object.h"
#include "../space.h"

#include <mm/vm.h>

/* Could the page be had without a read?  The space's lock is held. */
static bool is_in_memory(struct area *a, mvm_vaddr_t va)
{
	struct mvm_object *obj = a->object;
	bool exclusive, found;

	space_work(a->space, 1);
	if (area_private(a) && anon_find(&a->space->anons, va >> MVM_PAGE_SHIFT, &exclusive))
		return true;
	if (!obj || obj->kind == OBJECT_DEVICE)
		return obj;
	object_lock(obj);
	found = object_usable(obj, area_page(a, va));
	mvmh_unlock(&obj->lock);
	return found;
}

int mvm_incore(struct mvm_space *space, mvm_vaddr_t addr, size_t pages, unsigned char *resident)
{
	if (addr & MVM_PAGE_MASK)
		return -MVM_EINVAL;
	while (pages > 0) {
		struct area *a;

		space_lock(space);
		a = space_area(space, addr);
		for (unsigned n = 0; a && pages > 0 && addr < a->end && n < MVM_HOLD_PAGES; n++) {
			*resident++ = is_in_memory(a, addr);
			addr += MVM_PAGE_BYTES;
			pages--;
		}
		space_unlock(space);
		if (!a)
			return -MVM_ENOMEM;
	}
	return 0;
}
