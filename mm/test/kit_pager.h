// SPDX-License-Identifier: MIT
/*
 * What every pager must do (mm/pager.h), for any owner of objects: mm's own pagers (test_pager.c),
 * those of file systems (fs/test, fs/mapfs/test).
 *
 * The kit drives the object through the page cache and through mappings, compares it with an array
 * of bytes, and stands itself between mm and the pager: there it hands over frames full of junk,
 * asks for each promise and for each return of one twice, stores into pages that are just being
 * written, and counts.  In front of that it puts mm's fault-injecting pager, so that fills and
 * writes fail, or come late, whatever the pager is.
 *
 * docs/plugging.md tells how to put a pager through it.
 */
#pragma once

#include <mm/pagecache.h>
#include <mm/pager.h>

/* How the owner of the objects makes, changes and drops one.  All from one thread. */
struct kit_pager {
	const char *name;
	bool keeps; /* there is a medium: what was written back may leave the cache and returns */

	/* A new object of that size, nothing but holes, with one reference for the kit. */
	struct mvm_object *(*open)(struct kit_pager *kit, uint64_t bytes);

	/* Take the reference back, which is the last one, and end the object with its contents. */
	void (*close)(struct kit_pager *kit, struct mvm_object *obj);

	/* Set the size, as the owner does it for ftruncate().  NULL: mvm_pc_truncate(). */
	int (*resize)(struct kit_pager *kit, struct mvm_object *obj, uint64_t bytes);

	/* How many pages have a reservation now.  NULL: nobody counts. */
	size_t (*reserved)(struct kit_pager *kit, struct mvm_object *obj);
};

/* After mvm_init(), on mm/port/posix.  `seed` is for the random part.  Returns the failures. */
int kit_pager(struct kit_pager *kit, uint64_t seed);
