// SPDX-License-Identifier: MIT
/*
 * A part of the kit for pagers that stands between mm and the pager: mm calls `kit_faulty`, that
 * calls `kit_between`, which checks and calls the pager.  The pager's own table is to be put back
 * before the owner gets the object back.  What is wrong here ends the program: mm is in the middle
 * of something.
 */
#pragma once

#include <mm/faulty.h>
#include <mm/pager.h>

extern struct kit_between {
	struct mvm_object *object;
	const struct mvm_pager_ops *pager;
	struct mvm_pager_ops ops;
	size_t (*reserved)(void); /* the object's reservations now */
	unsigned fills, at_once, settles, releases;
	bool ask_again; /* the next promise is to be settled first */
	int store_into; /* a page that is stored to while it is being written; -1: none */
} kit_between;

extern struct mvm_faulty kit_faulty;

/* Come between the object and its pager. */
void kit_stand_between(struct mvm_object *obj, size_t (*reserved)(void));
