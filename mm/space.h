// SPDX-License-Identifier: MIT
/*
 * Address spaces, and the claims by which the map calls keep out of each other's way.
 */
#pragma once

#include "ahead.h"
#include "anon.h"
#include "area_index.h"
#include "base.h"
#include "joint.h"
#include "limits.h"
#include "meta.h"

/*
 * A claim: one call is changing a range and drops the space's lock on its way.  The claim is the
 * mark of "mark, then sweep": it stands on the caller's stack, in the space's list.
 *
 *	                   other map calls   placement   faults in the range
 *	CLAIM_UNMAP        wait              avoids it   MAPERR
 *	CLAIM_REPLACE      wait              avoids it   wait (FIXED over what is there, a move)
 *	CLAIM_CHANGE       wait              avoids it   go on (mprotect, madvise, mlock)
 *	CLAIM_FORK         wait              avoids it   wait, if they write or make private pages
 *
 * Placement that would find room but for what it avoids waits, too.  A fork claims the whole space,
 * hence is alone in the list.  The areas stay in the index and in their objects' reverse maps until
 * the sweep is over, so that truncate and reclaim still find what is mapped there.
 */
enum claim_kind { CLAIM_UNMAP, CLAIM_REPLACE, CLAIM_CHANGE, CLAIM_FORK };

struct claim {
	mvm_vaddr_t start, end;
	enum claim_kind kind;
	bool waited; /* somebody waits for it to go */
	struct claim *next;
};

/* [I] immutable  [a] atomic  [s] the space's lock */
struct mvm_space {
	struct mvmh_lock lock;
	uint32_t work;           /* [s] pages' work under this hold */
	struct area_index areas; /* [s] */
	struct area *spare;      /* [s] the memory of one that went, for the next; or NULL */
	struct anon_tree anons;  /* [s] private pages */
	struct mvmh_pmap pmap;   /* [s] */
	struct claim *claims;    /* [s] */
	mvm_vaddr_t low, high;   /* [I] */
	mvm_vaddr_t top;         /* [I] placement looks below this first (randomized) */
	uint32_t refs;           /* [a] users */
	uint32_t pins;           /* [a] keep the structure: reverse walks */
	bool dead;               /* [s] no maps and no faults any more */
	bool young;              /* [s] forked, has not forked itself: its loads count (ahead.h) */
	bool joined;             /* [a] written under [s]: faults may have joint holds (joint.h) */
	bool traced;             /* [a] to set: under the ring's lock */
	uint32_t tag;            /* [a] its events' (trace.h) */
	uint32_t open_sweeps;    /* [a] raised with [s]: translations removed, batch not finished */
	uint32_t holds;          /* [a] pages held (mvm_hold): fork copies these at once */
	struct mvm_limits limits;           /* [s] */
	uint64_t n_areas;                   /* [s] */
	uint64_t mapped;                    /* [s] pages of all areas, */
	uint64_t peak;                      /* [s] the most there ever were; */
	uint64_t data, stack, locked;       /* [s] of the kinds that have limits of their own */
	struct growth reserved;             /* [s] what calls under way will add */
	unsigned lock_future;               /* [s] AREA_LOCK_FLAGS of areas to come */
	unsigned long faults, major_faults; /* [a] */
	struct joint *joint;                /* [s] NULL until it is joined for the first time */
	struct history *history; /* [s] NULL until it forks; shared by those that forks join */
	struct list all;         /* the registry's */
};

/*
 * The translations that one call removes or reduces: one batch, finished after the space's lock is
 * dropped.
 *
 * A call that finds nothing to remove must not conclude that no hart can reach the page: another
 * call may have removed the entry a moment ago and not yet finished its batch.  So sweeps that are
 * open are counted, and who sweeps while another is open has its own batch forget everything.
 */
struct sweep {
	struct mvmh_tlb batch;
	bool open;
};

/* A hold begins: whoever has the lock is alone. */
static inline void hold_begin(struct mvm_space *space)
{
	if (MVMH_JOINT && unlikely(space->joined))
		joint_shut(space);
	if (MVMH_DEBUG)
		space->work = 0;
}

static inline void hold_end(struct mvm_space *space)
{
	if (MVMH_JOINT && unlikely(space->joined))
		joint_open(space);
}

static inline void space_lock(struct mvm_space *space)
{
	mvmh_lock(&space->lock);
	hold_begin(space);
}

/* If the host has joint holds: are faults to try one, or to begin with them?  No lock is held. */
static inline bool faults_join(struct mvm_space *space)
{
	return __atomic_load_n(&space->joined, __ATOMIC_RELAXED) || mvmh_lock_waited(&space->lock);
}

/* That much is done under this hold (base.h). */
static inline void space_work(struct mvm_space *space, uint64_t pages)
{
	charge(&space->work, pages);
}

/* As mvmh_wait(): after it another hold begins. */
static inline int space_wait(struct mvm_space *space, const void *chan, bool killable)
{
	int err;

	hold_end(space);
	err = mvmh_wait(chan, &space->lock, killable);
	hold_begin(space);
	return err;
}

static inline void space_unlock(struct mvm_space *space)
{
	hold_end(space);
	mvmh_unlock(&space->lock);
}

/* Let others in: another hold begins. */
static inline void space_relock(struct mvm_space *space)
{
	space_unlock(space);
	space_lock(space);
}

/* mvmh_pmap_remove() and mvmh_pmap_protect(), as the work that they are. */
static inline mvm_vaddr_t space_remove_some(
	struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end, struct mvmh_tlb *batch)
{
	space_work(space, min_u64((end - start) >> MVM_PAGE_SHIFT, MVM_HOLD_PAGES));
	return mvmh_pmap_remove(&space->pmap, start, end, batch);
}

static inline mvm_vaddr_t space_protect_some(struct mvm_space *space, mvm_vaddr_t start,
	mvm_vaddr_t end, unsigned rights, struct mvmh_tlb *batch)
{
	space_work(space, min_u64((end - start) >> MVM_PAGE_SHIFT, MVM_HOLD_PAGES));
	return mvmh_pmap_protect(&space->pmap, start, end, rights, batch);
}

/*
 * Pages are to be mapped with these rights, under this hold: if they are code, every hart is to
 * fetch what is in them now.  Once, when all of them have their contents.
 */
static inline void space_sync_code(struct mvm_space *space, unsigned rights)
{
	if (unlikely(rights & MVM_EXEC))
		mvmh_sync_code(&space->pmap);
}

void space_pin(struct mvm_space *space);
void space_unpin(struct mvm_space *space);

/* To be called in each hold of the space's lock in which translations are removed or reduced. */
void sweep_open(struct mvm_space *space, struct sweep *sweep);

/* Finish the batch: what was reachable through it may be freed (anon_bury).  No lock held. */
void sweep_sync(struct mvm_space *space, struct sweep *sweep);

/*
 * The same with the space locked, at the start and at the end: in between only if no other hart has
 * to be waited for, which is mostly so (then the answer is true).
 */
bool sweep_finish(struct mvm_space *space, struct sweep *sweep);

/* --- Claims: the space's lock is held --------------------------------------------------------- */

/* The claim that touches [start, end), or NULL. */
static inline struct claim *claim_find(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct claim *c = space->claims;

	while (c && (c->end <= start || end <= c->start))
		c = c->next;
	return c;
}

/* Somebody claims some of [start, end): wait for it, and those that come meanwhile. */
void claim_wait_for(struct mvm_space *space, struct claim *c, mvm_vaddr_t start, mvm_vaddr_t end);

/* Wait until nobody claims any of [start, end).  Drops the lock: look everything up again. */
static inline void claim_wait(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct claim *c = claim_find(space, start, end);

	if (unlikely(c != NULL))
		claim_wait_for(space, c, start, end);
}

/* Wait, then claim. */
void claim_enter(struct mvm_space *space, struct claim *claim, mvm_vaddr_t start, mvm_vaddr_t end,
	enum claim_kind kind);

/*
 * Claim for CLAIM_REPLACE, as a fault does, also what is under a CLAIM_CHANGE, which lets faults go
 * on.  Does not wait: false if another claim is there.
 */
bool claim_try_inside(
	struct mvm_space *space, struct claim *claim, mvm_vaddr_t start, mvm_vaddr_t end);

/*
 * Unclaim; claim->waited says whether mvmh_wake(&space->claims) is due once the
 * space is unlocked.
 */
void claim_leave(struct mvm_space *space, struct claim *claim);

/* The same, unlock the space and wake those who wait. */
void claim_leave_unlock(struct mvm_space *space, struct claim *claim);

/* --- Areas of a space: the space's lock is held ----------------------------------------------- */

/* The area that covers va, or NULL. */
static inline struct area *space_area(struct mvm_space *space, mvm_vaddr_t va)
{
	struct area *a = area_find(&space->areas, va);

	return a && a->start <= va ? a : NULL;
}

/* Put a filled-in area into the index and its object's reverse map; it references the object. */
void space_insert(struct mvm_space *space, struct area *a);

/* The same for a fork: as area_append_copy() enters it. */
void space_append_copy(struct mvm_space *space, struct area *a);

/* Take it out of both; the object reference goes to the caller, who frees the area. */
void space_remove(struct mvm_space *space, struct area *a);

/*
 * Take all areas out of the index; they are as area_take_all() leaves them.  Each is to leave its
 * object's list yet.
 */
struct area *space_remove_all(struct mvm_space *space);
void area_leave_object(struct area *a);

/* Change an area's range to [start, end), which it overlaps; offset follows. */
void space_resize(struct mvm_space *space, struct area *a, mvm_vaddr_t start, mvm_vaddr_t end);

/* Change what an area means. */
void space_set_meaning(struct mvm_space *space, struct area *a, unsigned rights, unsigned flags);

/* Cut an area at va inside it; `upper` is an uninitialized area that becomes [va, end). */
void space_split(struct mvm_space *space, struct area *a, mvm_vaddr_t va, struct area *upper);

/* The same, and take [start, end) out of the middle. */
void space_cut(struct mvm_space *space, struct area *a, mvm_vaddr_t start, mvm_vaddr_t end,
	struct area *upper);

/*
 * If the area behind `l` begins where that ends and means the same, make them one.  The area that
 * goes is returned for the caller to dispose of (area_keep, area_free), else NULL.  Not under a
 * claim, except `own`, the caller's: whoever claims counts on the borders there are.
 */
struct area *space_merge(struct mvm_space *space, struct area *l, const struct claim *own);

/* Memory for an area, or NULL. */
static inline struct area *area_alloc(struct mvm_space *space)
{
	struct area *a = space->spare;

	space->spare = NULL;
	return likely(a) ? a : slab_alloc(SLAB_AREA);
}

/*
 * Free an area that is out of the index, if that is all there is to do: the space keeps its memory.
 * False: area_free() is to be called.
 */
static inline bool area_keep(struct mvm_space *space, struct area *a)
{
	if (a->object || space->spare)
		return false;
	space->spare = a;
	return true;
}

/* Free an area that is out of the index, with its object reference: may sleep, no lock held. */
void area_free(struct area *a);
