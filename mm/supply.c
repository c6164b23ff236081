// SPDX-License-Identifier: MIT
/*
 * Supply: what a look of the fault finds missing, and cannot make in its hold of the space's lock.
 *
 *	 need             what is got                                        may wait for
 *	 -------------------------------------------------------------------------------------
 *	 NEED_PAGE        the object's page, read if need be; it is in       the device; whoever
 *	                  hand from then on, so that the next look finds     has the page BUSY
 *	                  it there, whatever reclaim does
 *	 NEED_WRITABLE    the pager's consent to a store to the page in      the pager: a journal,
 *	                  hand, which is DIRTY then                          room on the disk
 *	 NEED_OTHER       nothing: what is in hand is given back, for the    the pager: it may
 *	                  area has another object than it had                have been the last
 *	 NEED_MEMORY      nothing here: the attempt ends, and fault.c        nothing
 *	                  reclaims when nothing of it is on the stack
 *
 * The others are passes of another kind, or only one more.
 *
 * No lock is held, and nothing that was looked at is relied upon afterwards: the object is the one
 * that the look referenced, whether any area maps it still or not, and a page that was cut off
 * meanwhile is no failure here.  What is got is no answer to the fault, only in hand when the next
 * look decides anew.
 */
#include "supply.h"

#include "meta.h"
#include "object.h"
#include "space.h"
#include "stats.h"
#include "trace.h"

/* How a failed pager operation ends the fault. */
static enum mvm_fault_result result_of(int err)
{
	if (err == -MVM_EINTR)
		return MVM_FAULT_KILLED;
	return err == -MVM_ENOMEM ? MVM_FAULT_NOMEM : MVM_FAULT_BUS;
}

static enum mvm_fault_result supply_page(struct fault *f)
{
	struct mvm_page *page;
	int err;

	err = cache_get(
		f->object, f->index, f->ahead, is_traced(f->space) ? tag_of(f->space) : 0, &page);
	if (err == -MVM_EFAULT) /* truncated: the next look says what that means */
		return MVM_FAULT_OK;
	if (err)
		return result_of(err);
	COUNT(major_faults, 1);
	__atomic_fetch_add(&f->space->major_faults, 1, __ATOMIC_RELAXED);
	hold_page(f, page);
	return MVM_FAULT_OK;
}

static OWN_FRAME enum mvm_fault_result supply_writable(struct fault *f)
{
	int err = cache_make_writable(f->object, f->page, true);

	trace(f->space, MVM_TRACE_WRITABLE, f->va, f->index, (uint64_t)err);
	f->dirtied |= !err;
	return err ? result_of(err) : MVM_FAULT_OK;
}

void fault_let_go(struct fault *f)
{
	hold_page(f, NULL);
	if (f->object)
		mvm_object_unref(f->object);
	f->object = NULL;
}

OWN_FRAME enum mvm_fault_result fault_supply(struct fault *f, enum need need)
{
	if (f->again) {
		COUNT(fault_retries, 1);
		trace(f->space, MVM_TRACE_RETRY, f->va, need, 0);
	}
	f->again = true;
	switch (need) {
	case NEED_PAGE:
		return supply_page(f);
	case NEED_WRITABLE:
		return supply_writable(f);
	case NEED_OTHER:
		fault_let_go(f);
		return MVM_FAULT_OK;
	case NEED_MEMORY:
		return MVM_FAULT_NOMEM;
	default: /* it is how the next pass begins */
		return MVM_FAULT_OK;
	}
}
