// SPDX-License-Identifier: MIT
/*
 * What a fault has in hand between its looks, what a look finds missing, and how that is got:
 * theory at the head of supply.c, the fault's at that of fault.c.
 *
 *	struct request   (fault.c)  a call: what is asked for, how often memory was short, what
 *	                            it made dirty
 *	struct fault     an attempt: passes, until the fault is over or memory is short; what is
 *	                 in hand goes from pass to pass, and is given back at the end
 *	                 a pass: one look, what can be done in its hold; then a supply
 *
 * Between two attempts memory is reclaimed, when only the request is left on the stack.  What both
 * structures have was copied as the attempt began.  The first pass of most faults is their last: so
 * mvm_fault() makes a request only for what is left after it.
 */
#pragma once

#include "anon.h"
#include "page.h"

struct mvm_object;
struct mvm_space;
struct request;

enum need {
	NEED_NOTHING,  /* done: f->result */
	NEED_LOOK,     /* a claim is gone: only look again */
	NEED_OWN,      /* a page of our own, which is no reason to end the hold */
	NEED_CLAIM,    /* the page to be claimed, and unreachable */
	NEED_PAGE,     /* the object's page, filled and not BUSY */
	NEED_WRITABLE, /* f->page DIRTY */
	NEED_LARGE,    /* a large page of zeros, installed (large.c) */
	NEED_OTHER,    /* another object than before: let go of that first */
	NEED_MEMORY,   /* a page, a table or a node */
};

struct fault {
	struct mvm_space *space;
	mvm_vaddr_t va;      /* of the page */
	struct request *run; /* fault.c: if it may do more than this page; or NULL */
	uint8_t access;
	uint8_t result; /* enum mvm_fault_result */
	uint16_t ahead; /* enum ahead, if the page must be read */
	bool force;
	bool again;   /* not the first pass */
	bool dirtied; /* a page of the object became DIRTY */
	bool alone;   /* the page was claimed until this look: no hart reaches anything here */
	struct grave grave; /* what the pass took out of the tree */

	/* In hand, from pass to pass: */
	struct mvm_object *object; /* referenced, with */
	mvm_pgoff_t index;
	struct mvm_page *page; /* referenced */
};

/* Have this page, which is referenced, in hand, and none before it; NULL: none. */
static inline void hold_page(struct fault *f, struct mvm_page *page)
{
	if (f->page)
		page_put(f->page);
	f->page = page;
}

/* Give back what is in hand: may sleep. */
void fault_let_go(struct fault *f);

/*
 * Get what the pass needed, which may sleep; no lock is held.  Anything but MVM_FAULT_OK ends the
 * fault, but MVM_FAULT_NOMEM only if there is nothing to reclaim.
 */
enum mvm_fault_result fault_supply(struct fault *f, enum need need);
