// SPDX-License-Identifier: MIT
/*
 * mm: the virtual memory of a kernel, in portable C.
 *
 *	     space                                        mvm_space: one a process
 *	    /     \            .
 *	 areas     anon tree           private pages       what is true
 *	    \          \
 *	  objects      anons
 *	       \       /
 *	        pages (frames)
 *	          |
 *	        pmap, TLBs                                 a cache of it
 *
 * Areas, objects and anons are the truth.  Translation tables are a cache of it: they may forget
 * any entry at any time, and the next fault brings it back.
 *
 * Read, in this order:
 *	space.h, space.c      a space, and claims: how calls that change it keep out of each
 *	                      other's way
 *	area.h, area_index.h, area_tree.c   what addresses mean, how it is found (area_list.c first)
 *	place.h, place.c, limits.h   where a map goes, and what a space may have
 *	node.h, anon.c, anon_*.c     private pages: a copy-on-write tree; how they come and go
 *	object.h, index.c, object.c, cache.c   pages of files
 *	fault.c, around.c     the heart: how an access becomes an entry, and its neighbours too
 *	supply.h, supply.c    what a fault has in hand, and gets while it holds no lock
 *	copy.c                the same for the kernel's own accesses, and pages held for I/O
 *	joint.c               faults of threads of one space, at once
 *	unmap.c, map.c, range.c, protect.c, sync.c, fork.c   how spaces change
 *	ahead.c               what a fork copies before it is stored to
 *	large.c               private memory by large pages
 *	rmap.c, writeback.c, truncate.c, reclaim.c   how pages change under those who map them
 *	page.c, meta.c, registry.c   where frames' descriptors and all structures live
 *	look.c, trace.c       what can be seen of all that
 *	check.c               every invariant
 *	modules/              calls that a host may leave out: madvise, mlock, mincore, mremap
 *
 * Locks, in the order in which they are taken:
 *	space.lock            areas, anon tree, tables, claims of one space
 *	object.lock           page index, page states, size, list of areas of one object
 *	rank PAGE             leaves, one at a time: slabs, frame descriptors, the replacement
 *	                      queue, the registry, the list of unclean objects, the count of writes
 *	                      under way, a history of forks, the trace's readers, and of modules/ a
 *	                      faulty pager's rules
 * None is held over anything that sleeps, nor over more than MVM_HOLD_PAGES pages' work.  What is
 * to stay while no lock is held is referenced (objects, anons, pages), pinned (the structures of
 * spaces and objects), BUSY (a page's identity and contents) or claimed (a range of addresses).
 *
 * Everything that takes something away marks, then sweeps; everything that installs checks the
 * marks under the lock under which it installs.  fault.c lists the marks.
 */
#include "meta.h"
#include "page.h"
#include "reclaim.h"
#include "registry.h"
#include "trace.h"
#include "writeback.h"

#include <mm/vm.h>

int mvm_init(void)
{
	slab_init();
	if (page_init() != 0)
		return -MVM_ENOMEM;
	registry_init();
	reclaim_init();
	writeback_init();
	trace_init();
	return 0;
}
