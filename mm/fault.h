// SPDX-License-Identifier: MIT
/* Faults: the public side is in mm/vm.h, the theory at the head of fault.c. */
#pragma once

#include "page.h"
#include "space.h"
#include "stats.h"

/* mvm_fault(), under the space's lock. */
enum mvm_fault_result fault_alone(struct mvm_space *space, mvm_vaddr_t va, unsigned access);

/*
 * The same; with `force`, areas that forbid the access allow it, if they are private or the
 * access is a read.
 */
enum mvm_fault_result fault_in(
	struct mvm_space *space, mvm_vaddr_t va, unsigned access, bool force);

/* 0, -MVM_EFAULT, -MVM_ENOMEM or -MVM_EINTR for a result (copy.c). */
int fault_error(enum mvm_fault_result result);

/*
 * Map resident pages of the area's object around the one at `at`, which was just mapped (around.c).
 * The space's lock is held, and the object's.
 */
void map_around(struct area *a, mvm_vaddr_t at);

/*
 * Map the page of zeros around the one at `at`, where it was just mapped, as far as the private
 * pages leave room for it.  Returns how many pages from that one on are mapped now, or were.  The
 * space's lock is held.
 */
unsigned map_zeros(struct area *a, mvm_vaddr_t at);

/*
 * Map private pages above or below the one at `at`, which was just mapped for this access, because
 * who comes here seems to go through them in this direction; `exclusive` says whether the space has
 * that one for itself.  The space's lock is held.
 */
void map_private(struct area *a, mvm_vaddr_t at, unsigned access, bool exclusive, bool upwards);

/*
 * Is the page one of the two at an end of the area?  Then nothing is mapped in sequence with it:
 * two pages on either side are looked at, and the host is asked about pages of the space only.
 */
static inline bool is_near_end(const struct area *a, mvm_vaddr_t at)
{
	return at - a->start < 2 * MVM_PAGE_BYTES || a->end - at <= 2 * MVM_PAGE_BYTES;
}

/* Does the area allow it? */
static inline bool fault_allowed(const struct area *a, unsigned access, bool force)
{
	if (likely(area_rights(a) & access))
		return true;
	return force && (access != MVM_WRITE || area_private(a));
}
